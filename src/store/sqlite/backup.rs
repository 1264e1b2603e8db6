//! A copy of the history, made while a server writes or without one.

use super::Reader;
use super::open::{LOCK_FILE, prepare, with_ending};
use super::watch::log_of;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whether a file that is there may be overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    Never,
    Allowed,
}

/// The copy while it is made: it is removed, unless it gets its name.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Copies the history as it is now into `file`, which only its owner may read. The copy gets its name when SQLite has
/// found no fault in it and it is on the disk. Returns its bytes.
///
/// # Errors
/// A sentence that names the file; then there is no copy, and a file that was there is as it was.
pub fn back_up(reader: &Reader, file: &Path, overwrite: Overwrite) -> Result<u64, String> {
    let why = |e: &dyn std::fmt::Display| format!("{} cannot be made: {e}", file.display());
    if let Ok(found) = fs::metadata(file) {
        let is_it =
            |own: &Path| fs::metadata(own).is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()));
        let (log, index) = (log_of(&reader.file), with_ending(&reader.file, "-shm"));
        if [&reader.file, &log, &index, &reader.file.with_file_name(LOCK_FILE)].into_iter().any(|own| is_it(own)) {
            return Err(format!("{} is the history itself: name another file for the copy", file.display()));
        }
        if overwrite == Overwrite::Never || !found.is_file() {
            return Err(is_there(file));
        }
    }
    // Another process has another name.
    let draft = Draft(with_ending(file, &format!(".{}.new", std::process::id())));
    prepare(&draft.0).map_err(|e| why(&e))?;
    let path = draft.0.to_str().ok_or_else(|| why(&"its path is not UTF-8"))?;
    reader.connection.execute("VACUUM INTO ?1", [path]).map_err(|e| why(&e))?;
    if let Some(fault) = fault_of(&draft.0).map_err(|e| why(&e))? {
        return Err(format!(
            "the copy of {} has a fault ({fault}) and was removed: squall history check says more",
            reader.file.display()
        ));
    }
    let copied = || -> io::Result<u64> {
        let copy = File::open(&draft.0)?;
        copy.sync_all()?;
        match overwrite {
            Overwrite::Allowed => fs::rename(&draft.0, file)?,
            // A link, unlike a rename, takes no other file's place. Some file systems have none.
            Overwrite::Never => match fs::hard_link(&draft.0, file) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists && !file.exists() => fs::rename(&draft.0, file)?,
                linked => linked?,
            },
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(copy.metadata()?.len())
    };
    copied().map_err(|e| if e.kind() == ErrorKind::AlreadyExists { is_there(file) } else { why(&e) })
}

fn is_there(file: &Path) -> String {
    format!("{} is there already: name another file, or add --force to overwrite it", file.display())
}

/// The first fault that SQLite finds in a database.
fn fault_of(file: &Path) -> Result<Option<String>, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(file, flags)?;
    let found: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}
