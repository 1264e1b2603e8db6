//! Whether the files are still there and have room: looked at once a second, not at each append.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Interval of the looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Interval of the lines in the log about trouble that goes on.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Why messages are refused although nothing failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The file of this name is another one than the one that is open, or there is none.
    Lost(PathBuf),
    /// The disk has fewer bytes free than are to be kept.
    DiskFull { free: u64 },
    /// The files have as many bytes as they may have.
    TooLarge { bytes: u64 },
}

/// Device and inode.
type Identity = (u64, u64);

/// Looks at the files.
pub(super) struct Watch {
    file: PathBuf,
    log: PathBuf,
    directory: PathBuf,
    /// Of the open files.
    open: [Identity; 2],
    free_min: u64,
    bytes_max: u64,
    next: Instant,
    trouble: Option<Trouble>,
}

impl Watch {
    /// Watches the files of an open database, whose write-ahead log has been made.
    ///
    /// # Errors
    /// One of them is gone.
    pub fn new(file: &Path, free_min: u64, bytes_max: Option<u64>, now: Instant) -> io::Result<Watch> {
        let log = log_of(file);
        let open = [identity(&fs::metadata(file)?), identity(&fs::metadata(&log)?)];
        Ok(Watch {
            directory: file.parent().unwrap_or(Path::new(".")).to_owned(),
            file: file.to_owned(),
            log,
            open,
            free_min,
            bytes_max: bytes_max.unwrap_or(u64::MAX),
            next: now,
            trouble: None,
        })
    }

    /// Looks, if a second has passed.
    pub fn look(&mut self, now: Instant) {
        if now >= self.next {
            self.next = now + LOOK_EVERY;
            self.trouble = self.find_trouble();
        }
    }

    /// Time until the next look.
    pub fn due_in(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }

    /// What the last look found.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    fn find_trouble(&self) -> Option<Trouble> {
        let mut bytes = 0;
        for (path, open) in [&self.file, &self.log].into_iter().zip(self.open) {
            match fs::metadata(path) {
                Ok(found) if identity(&found) == open => bytes += found.len(),
                Ok(_) => return Some(Trouble::Lost(path.clone())),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Some(Trouble::Lost(path.clone())),
                // Perhaps the directory cannot be read for a moment; an append would show it.
                Err(_) => {}
            }
        }
        if bytes >= self.bytes_max {
            return Some(Trouble::TooLarge { bytes });
        }
        let disk = rustix::fs::statvfs(&self.directory).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        (free < self.free_min).then_some(Trouble::DiskFull { free })
    }
}

/// The write-ahead log of a database.
pub(super) fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

/// What is said about trouble: one line when it begins, one a minute while it goes on, one when it is over.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    /// When it was last said; `None` while there is no trouble.
    said: Option<Instant>,
}

impl Complaint {
    /// There is trouble; returns whether it is to be said now.
    pub fn raise(&mut self, now: Instant) -> bool {
        let is_due = self.said.is_none_or(|said| now.saturating_duration_since(said) >= SAY_EVERY);
        if is_due {
            self.said = Some(now);
        }
        is_due
    }

    /// There is none; returns whether that is to be said.
    pub fn settle(&mut self, now: Instant) -> bool {
        // Trouble that comes and goes must not fill the log either.
        let is_over = self.said.is_some_and(|said| now.saturating_duration_since(said) >= SAY_EVERY);
        if is_over {
            self.said = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(free_min: u64, bytes_max: Option<u64>) -> (tempfile::TempDir, Watch, Instant) {
        let directory = tempfile::tempdir().expect("a folder");
        let file = directory.path().join("chat.db");
        fs::write(&file, [0; 1000]).expect("a file");
        fs::write(log_of(&file), [0; 24]).expect("a file");
        let now = Instant::now();
        let watch = Watch::new(&file, free_min, bytes_max, now).expect("both are there");
        (directory, watch, now)
    }

    #[test]
    fn another_file_of_the_name_is_noticed_within_a_second() {
        let (directory, mut watch, now) = watched(0, None);
        watch.look(now);
        assert_eq!((watch.trouble(), watch.due_in(now)), (None, LOOK_EVERY));
        for name in ["chat.db", "chat.db-wal"] {
            let [path, aside] = [name, "aside"].map(|name| directory.path().join(name));
            fs::rename(&path, &aside).expect("moved");
            watch.look(now);
            assert_eq!(watch.trouble(), None, "it looks once a second");
            watch.next = now;
            watch.look(now);
            assert_eq!(watch.trouble(), Some(&Trouble::Lost(path.clone())), "there is none");
            fs::write(&path, "").expect("a file");
            watch.next = now;
            watch.look(now);
            assert_eq!(watch.trouble(), Some(&Trouble::Lost(path.clone())), "there is another one");
            fs::rename(&aside, &path).expect("moved back");
            watch.next = now;
            watch.look(now);
            assert_eq!(watch.trouble(), None, "the same file is back");
        }
    }

    #[test]
    fn a_full_disk_and_a_large_file_are_noticed() {
        let (_directory, mut watch, now) = watched(u64::MAX, None);
        watch.look(now);
        assert!(matches!(watch.trouble(), Some(Trouble::DiskFull { .. })));
        let (_directory, mut watch, now) = watched(0, Some(1024));
        watch.look(now);
        assert_eq!(watch.trouble(), Some(&Trouble::TooLarge { bytes: 1024 }), "with its log");
        let (_directory, mut watch, now) = watched(0, Some(1025));
        watch.look(now);
        assert_eq!(watch.trouble(), None);
    }

    #[test]
    fn trouble_is_said_once_a_minute() {
        let (mut complaint, start) = (Complaint::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!complaint.settle(at(0)));
        let said: Vec<u64> = (0..150).filter(|&second| complaint.raise(at(second))).collect();
        assert_eq!(said, [0, 60, 120]);
        let over: Vec<u64> = (150..300).filter(|&second| complaint.settle(at(second))).collect();
        assert_eq!(over, [180]);
        assert!(complaint.raise(at(301)));
    }
}
