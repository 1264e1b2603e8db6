//! When the write-ahead log goes into the file.
//!
//! SQLite's own checkpoints are off: they would come at the end of any commit. A checkpoint holds up the appends behind
//! it for as long as it takes, so it is made small enough: how much may wait for one follows from how long the one before
//! took.

use super::open::WRITE_WITHIN;
use rusqlite::{Connection, Result, Statement};
use std::time::{Duration, Instant};

/// Bytes of the log that wait for a checkpoint, at first. The file system writes this much in some milliseconds.
const BYTES_FIRST: u64 = 4 << 20;
/// The same at least and at most, however long checkpoints take. Less than the first would be syncs without end.
const BYTES_MIN: u64 = 256 << 10;
const BYTES_MAX: u64 = 16 << 20;
/// Time that a checkpoint should take: half of the 50 ms for which it may hold up an append.
const TARGET: Duration = Duration::from_millis(25);
/// Time after which a checkpoint is tried again that could do nothing, because another program reads.
const RETRY: Duration = Duration::from_secs(1);
/// Bytes of a page in the log, with its header.
const FRAME_BYTES: u64 = 4096 + 24;

/// Copies the log into the file.
pub(super) struct Checkpoints<'c> {
    connection: &'c Connection,
    look: Statement<'c>,
    passive: Statement<'c>,
    truncate: Statement<'c>,
    /// Bytes that may wait.
    due: u64,
    /// Not before this time.
    from: Instant,
    /// The log may have something in it.
    has_log: bool,
}

/// Pages in the log, and how many of them are in the file, too.
#[derive(Clone, Copy)]
struct Frames {
    log: u64,
    done: u64,
}

impl<'c> Checkpoints<'c> {
    pub fn new(connection: &'c Connection, now: Instant) -> Result<Checkpoints<'c>> {
        Ok(Checkpoints {
            connection,
            look: connection.prepare("PRAGMA wal_checkpoint(NOOP)")?,
            passive: connection.prepare("PRAGMA wal_checkpoint(PASSIVE)")?,
            truncate: connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")?,
            due: BYTES_FIRST,
            from: now,
            has_log: true,
        })
    }

    /// Behind a commit: makes a checkpoint if enough waits. One that finds another program reading copies what it can and
    /// waits for nothing.
    pub fn after_commit(&mut self, now: Instant) -> Result<()> {
        let before = frames(&mut self.look)?;
        self.has_log = before.log > 0;
        if now < self.from {
            return Ok(());
        }
        if before.log.saturating_sub(before.done).saturating_mul(FRAME_BYTES) < self.due {
            return Ok(());
        }
        // If it fails, it is not tried behind each commit.
        self.from = now + RETRY;
        let after = frames(&mut self.passive)?;
        let took = now.elapsed();
        log::debug!("history: a checkpoint of {} pages took {took:?}", after.done.saturating_sub(before.done));
        if after.done > before.done {
            self.from = now;
        }
        self.due = next_due(self.due, took);
        Ok(())
    }

    /// Whether [`Checkpoints::truncate`] has something to do at this time.
    pub fn is_due(&self, now: Instant) -> bool {
        self.has_log && now >= self.from
    }

    /// Whether the log may have something in it.
    pub fn has_log(&self) -> bool {
        self.has_log
    }

    /// Copies all of the log and makes its file empty: while nothing is written, and at the end.
    pub fn truncate(&mut self, now: Instant) -> Result<()> {
        self.from = now + RETRY;
        // Not a moment for programs that read: what is said meanwhile would wait as well.
        self.connection.busy_timeout(Duration::ZERO)?;
        let left = frames(&mut self.truncate);
        self.connection.busy_timeout(WRITE_WITHIN)?;
        self.has_log = left?.log > 0;
        Ok(())
    }
}

/// What may wait for the next checkpoint, if one for `due` bytes took this long.
fn next_due(due: u64, took: Duration) -> u64 {
    let next = if took > TARGET {
        due / 2
    } else if took < TARGET / 4 {
        due.saturating_mul(2)
    } else {
        due
    };
    next.clamp(BYTES_MIN, BYTES_MAX)
}

fn frames(checkpoint: &mut Statement<'_>) -> Result<Frames> {
    checkpoint.query_row([], |row| {
        let count = |n| row.get::<_, i64>(n).map(|frames| u64::try_from(frames).unwrap_or(0));
        Ok(Frames { log: count(1)?, done: count(2)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::watch::log_of;

    #[test]
    fn slow_checkpoints_become_smaller_and_fast_ones_larger() {
        let after =
            |took: u64, times| (0..times).fold(BYTES_FIRST, |due, _| next_due(due, Duration::from_millis(took)));
        assert_eq!([after(26, 1), after(20, 1), after(6, 1)], [BYTES_FIRST / 2, BYTES_FIRST, BYTES_FIRST * 2]);
        assert_eq!([after(1000, 100), after(0, 100)], [BYTES_MIN, BYTES_MAX]);
    }

    #[test]
    fn a_program_that_reads_is_not_waited_for() {
        let directory = tempfile::tempdir().expect("a folder");
        let file = directory.path().join("chat.db");
        let log = || std::fs::metadata(log_of(&file)).map_or(0, |log| log.len());
        let writer = Connection::open(&file).expect("a database");
        writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a)").expect("a table");
        writer.busy_timeout(WRITE_WITHIN).expect("a time");
        let reader = Connection::open(&file).expect("the same");
        reader.execute_batch("BEGIN; SELECT * FROM t").expect("a snapshot");
        writer.execute_batch("INSERT INTO t VALUES (zeroblob(8000000))").expect("a row");
        let now = Instant::now();
        let mut checkpoints = Checkpoints::new(&writer, now).expect("statements");
        checkpoints.after_commit(now).expect("a checkpoint");
        assert!(!checkpoints.is_due(now), "it could do nothing, and waits");
        checkpoints.truncate(now).expect("a checkpoint");
        assert!(now.elapsed() < WRITE_WITHIN && log() > 8_000_000);
        assert!(checkpoints.is_due(now + RETRY));
        drop(reader);
        checkpoints.truncate(now + RETRY).expect("a checkpoint");
        assert_eq!((log(), checkpoints.is_due(now + RETRY * 2)), (0, false));
    }
}
