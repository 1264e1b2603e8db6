//! The store in a file, beyond what every store does.

mod claiming;
mod erasing;
mod failing;
mod figures;
mod files;
mod pruning;
mod reading;
mod repeating;
mod searching;

use super::*;
use crate::store::contract::{
    WITHIN, append, ask, at, deletion, entry, ids, message, read, refusal, texts, wait_until_oldest,
};
use crate::store::{Draft, Forgotten, Kind, Page, Past, Position, Range, Rights, Texts};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// A folder with a store in it.
struct Folder {
    directory: TempDir,
}

impl Folder {
    fn new() -> Folder {
        Folder { directory: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn open(&self, options: SqliteOptions) -> Sqlite {
        self.try_open(options).unwrap_or_else(|why| panic!("{why}"))
    }

    fn try_open(&self, options: SqliteOptions) -> Result<Sqlite, String> {
        Sqlite::open(self.path(), options, Arc::new(|| {}))
    }

    /// A store that sends a word at each wake.
    fn open_with_wakes(&self, options: SqliteOptions) -> (Sqlite, Receiver<()>) {
        let (sender, wakes) = channel();
        let sender = std::sync::Mutex::new(sender);
        let wake = move || _ = sender.lock().map(|sender| sender.send(()));
        (Sqlite::open(self.path(), options, Arc::new(wake)).unwrap_or_else(|why| panic!("{why}")), wakes)
    }

    /// Bytes of the database and its log, together.
    fn bytes(&self) -> u64 {
        let length = |name| std::fs::metadata(self.file(name)).map_or(0, |file| file.len());
        length("chat.db") + length("chat.db-wal")
    }

    /// Whether the database or its log has these bytes.
    fn has(&self, text: &str) -> bool {
        ["chat.db", "chat.db-wal"].into_iter().any(|name| {
            let bytes = std::fs::read(self.file(name)).unwrap_or_default();
            memchr::memmem::find(&bytes, text.as_bytes()).is_some()
        })
    }
}

/// Waits until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn normal() -> SqliteOptions {
    SqliteOptions { sync: HistorySync::Normal, ..SqliteOptions::default() }
}
