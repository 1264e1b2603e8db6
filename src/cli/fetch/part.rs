//! The file of one body.
//!
//! It is written under a name that ends in `.part` and renamed when it is whole, so that a file without that ending is
//! a whole body. Writes go to the kernel's page cache, from the loop. Names have letters, digits, `-`, `.` and `_` only
//! and begin with the target's position, so they are unique, stable, and stay in their directory.

use crate::event::Url;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes of a file name: the usual limit is 255, and people read them.
const NAME_BYTES_MAX: usize = 120;
/// Bytes of an extension that is kept when a name is cut, at most.
const ENDING_BYTES_MAX: usize = 8;

/// An incomplete file. Dropped before [`Part::finish`], it is removed.
#[derive(Debug)]
pub struct Part {
    file: BufWriter<File>,
    part: PathBuf,
    whole: PathBuf,
    finished: bool,
}

impl Part {
    /// Creates the file; one that an earlier run left is replaced.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn create(dir: &Path, name: &str) -> Result<Part, String> {
        let (whole, part) = (dir.join(name), dir.join(format!("{name}.part")));
        // A new file: an existing link is not followed.
        let _ = fs::remove_file(&part);
        let file = File::options().write(true).create_new(true).open(&part);
        let file = BufWriter::new(file.map_err(|e| cannot_write(&part, &e))?);
        Ok(Part { file, part, whole, finished: false })
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// A sentence with the file and the reason, such as a full disk.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), String> {
        self.file.write_all(piece).map_err(|e| cannot_write(&self.part, &e))
    }

    /// The body is whole: gives the file its name, and returns it. A file of that name is replaced.
    ///
    /// # Errors
    /// As [`Part::write`].
    pub fn finish(mut self) -> Result<PathBuf, String> {
        self.file.flush().map_err(|e| cannot_write(&self.part, &e))?;
        fs::rename(&self.part, &self.whole).map_err(|e| cannot_write(&self.whole, &e))?;
        self.finished = true;
        Ok(std::mem::take(&mut self.whole))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn cannot_write(path: &Path, e: &std::io::Error) -> String {
    format!("{} cannot be written: {e}", path.display())
}

/// The file name for target `n`, counted from 0, of `of`: `001-host-path.ext`.
pub fn file_name(n: usize, of: usize, url: &Url) -> String {
    let path = url.target.split('?').next().unwrap_or_default();
    let width = of.to_string().len().max(3);
    let mut name = format!("{:0width$}-", n + 1);
    for letter in url.authority().chars().chain(path.chars()) {
        match letter {
            letter if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_') => name.push(letter),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(name.trim_end_matches('-').len());
    if name.len() > NAME_BYTES_MAX {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let ending = match ending.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
            true if ending.len() <= ENDING_BYTES_MAX => format!(".{ending}"),
            _ => String::new(),
        };
        name.truncate(NAME_BYTES_MAX - ending.len());
        name += &ending;
    }
    if name.ends_with(".part") {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::super::testing::Dir;
    use super::*;

    fn name(url: &str) -> String {
        file_name(0, 1, &Url::parse(url).expect("a URL"))
    }

    #[test]
    fn a_file_name_is_the_position_the_host_and_the_path() {
        for (url, expected) in [
            ("http://a.test/", "001-a.test"),
            ("http://a.test/b/c.html?d=/e.png", "001-a.test-b-c.html"),
            ("https://A.test:8443/x_y//z/", "001-a.test-8443-x_y-z"),
            ("http://[::1]:80/x", "001-1-x"),
        ] {
            assert_eq!(name(url), expected);
        }
        let url = Url::parse("http://a.test/").expect("a URL");
        assert_eq!(file_name(9, 10, &url), "010-a.test");
        assert_eq!(file_name(6, 12_345, &url), "00007-a.test", "names of one list sort by position");
    }

    #[test]
    fn no_url_leaves_the_directory_or_ends_in_part() {
        for (url, expected) in [
            ("http://a.test/%2e%2e/%2fetc/passwd", "001-a.test-2fetc-passwd"),
            ("http://a.test/..\\..\\x", "001-a.test-x"),
            ("http://../x", "001-..-x"),
            ("http://a.test/\u{202e}x;rm -rf *", "001-a.test-E2-80-AEx-rm-20-rf-20"),
            ("http://a.test/x.part", "001-a.test-x.part_"),
        ] {
            assert_eq!(name(url), expected);
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_a_short_ending() {
        let long = "x".repeat(500);
        for (path, ending) in
            [(format!("{long}.html"), "x.html"), (format!("a.{long}"), "xx"), (format!("{long}.{long}"), "xx")]
        {
            let name = name(&format!("http://a.test/{path}"));
            assert_eq!((name.len(), name.ends_with(ending)), (NAME_BYTES_MAX, true), "{name}");
        }
        assert!(name(&format!("http://a.test/{long}.part")).ends_with(".part_"));
    }

    #[test]
    fn a_file_gets_its_name_when_it_is_whole() {
        let dir = Dir::new();
        let mut part = Part::create(dir.path(), "x").expect("a file");
        part.write(b"hel").expect("room on the disk");
        assert_eq!(dir.names(), ["x.part"]);
        part.write(b"lo").expect("room on the disk");
        assert_eq!(part.finish(), Ok(dir.path().join("x")));
        assert_eq!((dir.names(), dir.read("x")), (vec!["x".to_owned()], b"hello".to_vec()));
    }

    #[test]
    fn an_abandoned_file_is_removed_and_the_old_one_kept() {
        let dir = Dir::new();
        std::fs::write(dir.path().join("x"), "whole").expect("a file");
        std::fs::write(dir.path().join("x.part"), "left over").expect("a file");
        let mut part = Part::create(dir.path(), "x").expect("a file");
        part.write(b"half").expect("room on the disk");
        drop(part);
        assert_eq!((dir.names(), dir.read("x")), (vec!["x".to_owned()], b"whole".to_vec()));
    }

    #[test]
    fn a_failure_to_make_or_rename_a_file_is_reported() {
        let dir = Dir::new();
        let why = Part::create(&dir.path().join("none"), "x").expect_err("no such directory");
        assert!(why.contains("none/x.part cannot be written: No such file"), "{why}");
        let mut part = Part::create(dir.path(), "x").expect("a file");
        std::fs::create_dir(dir.path().join("x")).expect("a directory in its place");
        part.write(b"y").expect("room on the disk");
        let why = part.finish().expect_err("its name is taken");
        assert!(why.contains("/x cannot be written: "), "{why}");
        assert_eq!(dir.names(), ["x"], "what could not be finished is gone");
    }

    #[test]
    fn a_link_at_the_partial_name_is_not_followed() {
        let dir = Dir::new();
        std::fs::write(dir.path().join("precious"), "gold").expect("a file");
        std::os::unix::fs::symlink(dir.path().join("precious"), dir.path().join("x.part")).expect("a link");
        let mut part = Part::create(dir.path(), "x").expect("a file");
        part.write(b"lead").expect("room on the disk");
        part.finish().expect("it has its name");
        assert_eq!(dir.read("precious"), b"gold");
    }

    #[test]
    fn a_full_disk_is_reported() {
        let file = File::options().write(true).open("/dev/full");
        let Ok(file) = file else { return };
        let dir = Dir::new();
        let (part, whole) = (dir.path().join("x.part"), dir.path().join("x"));
        let mut full = Part { file: BufWriter::new(file), part, whole, finished: false };
        let why = full.write(&[0; 64 << 10]).expect_err("no room");
        assert!(why.contains("x.part cannot be written: No space left"), "{why}");
    }
}
