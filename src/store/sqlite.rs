//! The history in a file: SQLite, on a thread of its own.
//!
//! ```text
//! loop:   submit … submit ─ flush ─▶ [commands] ─▶ squall-store: one transaction for all that waits
//!         take ◀─ wake ◀─────────── [outcomes] ◀─┘ commit, and only then tell
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | `queue` | commands one way, outcomes the other, one lock for many |
//! | `keeper` | the thread: batches and their transactions, errors |
//! | `history` | what commands mean in terms of the tables; `rooms`, `users`, `nonces`, `clears`, `claims` are its tables |
//! | `texts`, `search` | the index of the texts, and how it is used |
//! | `tables` | all of them, and what each command does to them |
//! | `forget` | names that are taken out of the file |
//! | `schema`, `open` | the tables, and why a file is not opened |
//! | `checkpoints`, `chores`, `watch` | the log goes into the file; pruning; are the files there, and is there room |
//! | `faults` | writes that fail, for tests |
//! | `reader`, `backup`, `check`, `figures` | a second connection, which only reads: pages, copies, faults, numbers |
//!
//! `chat.db` is in WAL mode, and only the connection of this thread writes to it or makes checkpoints. Other programs may
//! read it. An outcome is told when its transaction is committed: with [`HistorySync::Full`] the log is on the disk then,
//! with [`HistorySync::Normal`] the kernel has it. A text that is deleted, cleared or pruned is overwritten with zeros
//! (`secure_delete`) and is gone from the log as soon as that is emptied, a second after the last message.

mod acts;
pub mod backup;
pub mod check;
mod checkpoints;
mod chores;
mod claims;
mod clears;
mod faults;
pub mod figures;
mod forget;
mod history;
mod keeper;
mod nonces;
mod open;
mod queue;
pub mod reader;
mod rooms;
mod schema;
mod search;
mod tables;
#[cfg(test)]
mod tests;
mod texts;
mod users;
mod watch;

pub use faults::Faults;
pub use open::NotOpened;
pub use reader::Reader;

use super::{Command, Outcome, Refusal, Store};
use crate::config::{HistoryArgs, HistoryKeep, HistorySync};
use crate::id::ConnId;
use queue::{Asked, Hold, Load, Queue};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Instant;
use watch::Watch;

/// Bytes of the disk that stay free: what deletions and other programs need when it is full.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Commands that may wait for the thread: each of ten thousand members may read and say something at once.
const COMMANDS_MAX: usize = 65_536;
/// Bytes of these commands, about.
const COMMAND_BYTES_MAX: usize = 32 << 20;
/// Messages whose nonces are kept in memory. With half of them, twice as many pages are written.
const NONCES_FRESH: usize = 65_536;

/// How a [`Sqlite`] keeps its history.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// When an entry counts as stored.
    pub sync: HistorySync,
    /// Which entries of each room are kept.
    pub keep: HistoryKeep,
    /// Bytes of the file and its log, together, at which messages are refused.
    pub bytes_max: Option<u64>,
    /// Bytes of free disk space below which messages are refused.
    pub free_bytes_min: u64,
    /// Commands that may wait for the thread; over it they are refused.
    pub commands_max: usize,
    /// Bytes of these commands, about.
    pub command_bytes_max: usize,
    /// Messages whose nonces are kept in memory before they go into their table, about; 150 bytes each.
    pub nonces_fresh: usize,
    /// Writes that fail, for tests.
    pub faults: Faults,
}

impl Default for SqliteOptions {
    fn default() -> SqliteOptions {
        SqliteOptions {
            sync: HistorySync::Full,
            keep: HistoryKeep::All,
            bytes_max: None,
            free_bytes_min: FREE_BYTES_MIN,
            commands_max: COMMANDS_MAX,
            command_bytes_max: COMMAND_BYTES_MAX,
            nonces_fresh: NONCES_FRESH,
            faults: Faults::default(),
        }
    }
}

impl SqliteOptions {
    /// As the flags have it.
    pub fn of(args: &HistoryArgs) -> SqliteOptions {
        SqliteOptions {
            sync: args.history_sync,
            keep: args.history_keep,
            bytes_max: args.history_max_bytes.map(|bytes| bytes as u64),
            ..SqliteOptions::default()
        }
    }
}

/// Whether there is a history in this directory.
pub fn exists(directory: &Path) -> bool {
    directory.join(open::FILE).exists()
}

/// The loop's side of the history in a file. Dropping it waits until all that was submitted is done and the file is
/// closed.
pub struct Sqlite {
    queue: Arc<Queue>,
    /// Submitted in this turn.
    submitted: VecDeque<Asked>,
    outcomes: VecDeque<(ConnId, Outcome)>,
    /// The commands whose outcomes were not taken from the thread.
    waiting: Load,
    most: Load,
    thread: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens `chat.db` in `directory`, or makes both, and starts the thread, which calls `wake` when it has outcomes.
    ///
    /// # Errors
    /// A sentence that names the file and says what to do: it is damaged, of another program, of a newer squall, in use,
    /// or cannot be used; then it is left as it is. Or there is no thread.
    pub fn open(directory: &Path, options: SqliteOptions, wake: Arc<dyn Fn() + Send + Sync>) -> Result<Sqlite, String> {
        Ok(Sqlite::try_open(directory, options, wake)?)
    }

    /// The same for a caller that may try again.
    ///
    /// # Errors
    /// As of [`Sqlite::open`], and whether another process uses the directory.
    pub fn try_open(
        directory: &Path,
        options: SqliteOptions,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Sqlite, NotOpened> {
        let opened = open::open(directory, options.sync)?;
        let watch = Watch::new(&opened.file, options.free_bytes_min, options.bytes_max, Instant::now());
        let watch = watch.map_err(|e| format!("{} is gone: {e}", opened.file.display()))?;
        let most = Load { commands: options.commands_max, bytes: options.command_bytes_max };
        let queue = Arc::new(Queue::new(wake));
        let hold = Hold(queue.clone());
        let (ready, is_ready) = sync_channel(1);
        let work = move || keeper::run(opened, watch, &options, &hold, ready);
        let thread = std::thread::Builder::new().name("squall-store".into()).spawn(work);
        let thread = thread.map_err(|e| format!("there is no thread for the history: {e}"))?;
        let is_ready = is_ready.recv().unwrap_or_else(|_| Err("the thread of the history has ended".into()));
        if let Err(why) = is_ready {
            // It closes the file. That it has panicked is said already.
            let _ = thread.join();
            return Err(why.into());
        }
        Ok(Sqlite {
            queue,
            submitted: VecDeque::new(),
            outcomes: VecDeque::new(),
            waiting: Load::default(),
            most,
            thread: Some(thread),
        })
    }

    fn refuse(&mut self, from: ConnId, command: Command, why: Refusal) {
        self.outcomes.push_back((from, command.refused(why)));
    }
}

impl Store for Sqlite {
    fn submit(&mut self, from: ConnId, command: Command) {
        let mut waiting = self.waiting;
        waiting.add(Load::of(&command));
        if self.queue.is_over() {
            self.refuse(from, command, Refusal::Storage);
        } else if waiting.exceeds(self.most) {
            self.refuse(from, command, Refusal::Busy);
        } else {
            self.waiting = waiting;
            self.submitted.push_back((from, command));
        }
    }

    fn flush(&mut self) {
        if !self.submitted.is_empty() {
            self.queue.hand_over(&mut self.submitted);
        }
    }

    fn take(&mut self) -> Option<(ConnId, Outcome)> {
        if self.outcomes.is_empty()
            && let Some(told) = self.queue.collect()
        {
            self.waiting.subtract(told.done);
            self.outcomes = told.outcomes;
        }
        self.outcomes.pop_front()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.flush();
        self.queue.end();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("history: its thread has panicked");
        }
    }
}
