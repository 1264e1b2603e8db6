//! Opening `chat.db`: every reason not to is a sentence, and leaves the file as it is.

use super::schema::{APPLICATION_ID, STEPS, upgrade};
use super::watch::log_of;
use crate::config::HistorySync;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ffi};
use std::cmp::Ordering;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database in the data directory.
pub(super) const FILE: &str = "chat.db";
/// Locked while the database is open, so that no second squall opens it.
pub(super) const LOCK_FILE: &str = "chat.lock";
/// SQLite 3.51.3. All before it may damage a file whose log begins anew while another program reads (the WAL-reset bug).
const LIBRARY_MIN: i32 = 3_051_003;
/// Time that the start waits for another program that writes to the file.
const OPEN_WITHIN: Duration = Duration::from_secs(2);
/// Time that a transaction waits for another program that writes to the file. Such a program is against the rules.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(1);
/// Bytes of the header of a file (the SQLite file format, section 1.3).
const HEADER_BYTES: usize = 100;

/// Why a history is not opened, in a sentence that names the file and says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOpened {
    /// Another process uses the directory, perhaps for a moment only.
    InUse(String),
    Unusable(String),
}

impl From<String> for NotOpened {
    fn from(why: String) -> NotOpened {
        NotOpened::Unusable(why)
    }
}

impl From<NotOpened> for String {
    fn from(why: NotOpened) -> String {
        match why {
            NotOpened::InUse(why) | NotOpened::Unusable(why) => why,
        }
    }
}

/// An open database. The lock lasts as long as this.
pub(super) struct Opened {
    pub connection: Connection,
    pub file: PathBuf,
    pub lock: File,
}

/// Opens the database in `directory`, or makes both.
///
/// # Errors
/// A sentence that names the file, and what to do.
pub(super) fn open(directory: &Path, sync: HistorySync) -> Result<Opened, NotOpened> {
    check_library(rusqlite::version_number())?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|e| format!("the data directory {} cannot be made: {e}", directory.display()))?;
    let lock = lock(directory)?;
    let file = directory.join(FILE);
    let why = Sentences { file: &file };
    match fs::metadata(&file) {
        Ok(_) => check_header(&file)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound && !file.is_symlink() => {
            if fs::metadata(log_of(&file)).is_ok_and(|log| log.len() > 0) {
                return Err(why.lost_file().into());
            }
            create(&file).map_err(|e| format!("{} cannot be made: {e}", file.display()))?;
        }
        Err(e) => return Err(why.unreadable(&e).into()),
    }
    let connection = connect(&file, STEPS)?;
    configure(&connection, sync).map_err(|e| why.of(&e))?;
    Ok(Opened { connection, file, lock })
}

fn check_library(version: i32) -> Result<(), String> {
    if version >= LIBRARY_MIN {
        return Ok(());
    }
    let (major, minor, patch) = (version / 1_000_000, version / 1000 % 1000, version % 1000);
    Err(format!(
        "this squall is linked with SQLite {major}.{minor}.{patch}, which can damage a history: build it with 3.51.3 or \
         later"
    ))
}

fn lock(directory: &Path) -> Result<File, NotOpened> {
    let path = directory.join(LOCK_FILE);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = opened.map_err(|e| format!("{} cannot be made: {e}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(NotOpened::InUse(format!(
            "another squall uses {} (its {LOCK_FILE} is locked): stop it, or use another --data-dir",
            directory.display()
        ))),
        Err(TryLockError::Error(e)) => Err(format!("{} cannot be locked: {e}", path.display()).into()),
    }
}

/// Looks at a file without SQLite, which would already write to the log of one that is not ours. A new database is put
/// in its place as a whole ([`create`]), so a file without our mark is another program's, or damaged.
fn check_header(file: &Path) -> Result<(), String> {
    let why = Sentences { file };
    let mut header = [0; HEADER_BYTES];
    // Not open beside SQLite's own: to close it would drop SQLite's locks (POSIX).
    let read = File::open(file).and_then(|mut file| match file.metadata()?.is_file() {
        true => file.read_exact(&mut header),
        false => Err(io::Error::other("it is not a file")),
    });
    match read {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(why.damaged("it is too short")),
        Err(e) => return Err(why.unreadable(&e)),
        Ok(()) => {}
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(why.damaged("it does not begin as a SQLite database does"));
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return Err(why.foreign());
    }
    Ok(())
}

/// Makes a database under another name, and then renames it: a crash leaves a whole one, or none.
fn create(file: &Path) -> Result<(), String> {
    let draft = with_ending(file, ".new");
    let sqlite = |e: Error| e.to_string();
    prepare(&draft).map_err(|e| e.to_string())?;
    let connection = Connection::open_with_flags(&draft, flags()).map_err(sqlite)?;
    // Before the first table, or it has no effect.
    let before = format!("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = {APPLICATION_ID}");
    connection.execute_batch(&before).and_then(|()| upgrade(&connection, 0, STEPS)).map_err(sqlite)?;
    connection.close().map_err(|(_, e)| sqlite(e))?;
    put(&draft, file).map_err(|e| e.to_string())
}

/// An empty file that only its owner may read; SQLite gives the same mode to its log.
pub(super) fn prepare(draft: &Path) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft).map(drop)
}

/// Puts a finished file under its name, so that it is there also after a power cut.
fn put(draft: &Path, file: &Path) -> io::Result<()> {
    File::open(draft)?.sync_all()?;
    fs::rename(draft, file)?;
    match file.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Connects to a file that bears our mark, and takes the steps that it lacks, behind a copy.
pub(super) fn connect(file: &Path, steps: &[&str]) -> Result<Connection, String> {
    let why = Sentences { file };
    let sqlite = |e: Error| why.of(&e);
    let connection = Connection::open_with_flags(file, flags()).map_err(sqlite)?;
    // Until all is checked, closing must not move the log into the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sqlite)?;
    connection.busy_timeout(OPEN_WITHIN).map_err(sqlite)?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(sqlite);
    let version = usize::try_from(number("PRAGMA user_version")?).unwrap_or(usize::MAX);
    if version > steps.len() {
        return Err(why.newer(version, steps.len()));
    }
    if connection.is_readonly("main").map_err(sqlite)? {
        return Err(why.unreadable(&"it cannot be written"));
    }
    // Shows whether it can be written, and whether another program holds it.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(sqlite)?;
    if version < steps.len() {
        let copied = copy(&connection, &with_ending(file, &format!(".v{version}")));
        let copied = copied.map_err(|e| format!("{} cannot be copied before it is changed: {e}", file.display()))?;
        log::info!(
            "history: {} goes from format {version} to {}; the file as it was is kept as {}",
            file.display(),
            steps.len(),
            copied.display()
        );
        let upgraded = upgrade(&connection, version, steps);
        upgraded.map_err(|e| format!("{} cannot be changed to format {}: {e}", file.display(), steps.len()))?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sqlite)?;
    Ok(connection)
}

fn copy(connection: &Connection, to: &Path) -> Result<PathBuf, String> {
    let draft = with_ending(to, ".new");
    prepare(&draft).map_err(|e| e.to_string())?;
    let path = draft.to_str().ok_or("its path is not UTF-8")?;
    connection.execute("VACUUM INTO ?1", [path]).map_err(|e| e.to_string())?;
    put(&draft, to).map_err(|e| e.to_string())?;
    Ok(to.to_owned())
}

fn configure(connection: &Connection, sync: HistorySync) -> Result<(), Error> {
    let synchronous = match sync {
        HistorySync::Full => "FULL",
        HistorySync::Normal => "NORMAL",
    };
    // fullfsync is for macOS, whose fsync leaves data in the disk's cache. The cache is 16 MiB of memory.
    connection.execute_batch(&format!(
        "PRAGMA trusted_schema = OFF;
         PRAGMA synchronous = {synchronous};
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -16384"
    ))?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let why = format!("its file system has no shared memory (journal mode {mode})");
        return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), Some(why)));
    }
    connection.execute_batch(
        "PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         BEGIN IMMEDIATE; ROLLBACK",
    )?;
    connection.busy_timeout(WRITE_WITHIN)
}

/// Opens a database that bears our mark, to read it only: beside the store of a server, or without one. It makes no
/// checkpoint.
///
/// # Errors
/// A sentence that names the file: there is none, or why it cannot be read.
pub(super) fn open_to_read(file: &Path) -> Result<Connection, String> {
    let why = Sentences { file };
    check_library(rusqlite::version_number())?;
    if fs::metadata(file).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Err(format!(
            "there is no history {}: name the directory of its server with --data-dir",
            file.display()
        ));
    }
    check_header(file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(file, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(OPEN_WITHIN)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF")?;
        let version = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
        Ok((connection, usize::try_from(version).unwrap_or(usize::MAX)))
    };
    let (connection, version) = open().map_err(|e| why.of(&e))?;
    match version.cmp(&STEPS.len()) {
        Ordering::Greater => Err(why.newer(version, STEPS.len())),
        Ordering::Less => Err(format!(
            "{} has format {version} of an older squall: start the server once, which brings it to format {}",
            file.display(),
            STEPS.len()
        )),
        Ordering::Equal => Ok(connection),
    }
}

/// Not to be created, and used by one thread only.
fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

pub(super) fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Why the file cannot be used.
pub(super) fn sentence(file: &Path, error: &Error) -> String {
    Sentences { file }.of(error)
}

/// The sentences about one file.
#[derive(Clone, Copy)]
struct Sentences<'a> {
    file: &'a Path,
}

impl Sentences<'_> {
    fn of(self, error: &Error) -> String {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => self.damaged(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!(
                    "{} is locked by another program ({error}): stop that, and start squall again",
                    self.file.display()
                )
            }
            _ => self.unreadable(error),
        }
    }

    fn damaged(self, why: impl std::fmt::Display) -> String {
        format!(
            "{} is damaged ({why}), and was left as it is: put a backup in its place, or move it away to begin a new \
             history",
            self.file.display()
        )
    }

    fn foreign(self) -> String {
        format!(
            "{} is a database of another program, and was left as it is: move it away, or use another --data-dir",
            self.file.display()
        )
    }

    fn newer(self, version: usize, known: usize) -> String {
        format!(
            "{} has format {version} of a newer squall, and was left as it is: this one knows formats up to {known}; use \
             the newer one, or another --data-dir",
            self.file.display()
        )
    }

    fn unreadable(self, why: &dyn std::fmt::Display) -> String {
        format!(
            "{} cannot be used: {why}; make it readable and writable, or use another --data-dir",
            self.file.display()
        )
    }

    fn lost_file(self) -> String {
        format!(
            "{} is gone, and its {FILE}-wal is still there: put the database back beside it, or move both away to begin a \
             new history",
            self.file.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_with_the_reset_bug_is_refused() {
        for (version, is_fine) in [(3_007_000, false), (3_051_002, false), (3_051_003, true), (3_054_001, true)] {
            assert_eq!(check_library(version).is_ok(), is_fine, "{version}");
        }
        assert!(check_library(3_051_002).is_err_and(|why| why.contains("SQLite 3.51.2, ")));
        assert_eq!(check_library(rusqlite::version_number()), Ok(()));
    }
}
