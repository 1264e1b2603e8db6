//! What the store's thread does between batches, a little at a time: messages that were cleared are erased, entries that
//! are not kept any more are deleted, texts are indexed, and the space goes back to the file system.

use super::history::{History, Kept, Step};
use super::rooms::Room;
use crate::clock::UnixMillis;
use crate::config::HistoryKeep;
use rusqlite::{Connection, Result, Statement};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Interval at which all rooms are looked at for entries that are too old.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Interval of the chores while there is no quiet moment: a step takes about 3 ms.
const URGENT_EVERY: Duration = Duration::from_millis(20);
/// Entries above the number that is kept, at most, before a room is pruned: a step for each entry would cost more than the
/// entry.
const SURPLUS_MAX: u64 = 500;
/// Free pages that stay in the file for new entries.
const FREE_PAGES_KEPT: i64 = 64;
/// Time for one step of giving pages back.
const SHRINK_FOR: Duration = Duration::from_millis(10);
/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// The chores.
pub(super) struct Chores<'c> {
    keep: HistoryKeep,
    free: Statement<'c>,
    shrink: Statement<'c>,
    /// Rooms with more entries than are kept.
    due: HashSet<Arc<str>>,
    /// The room, by its number, that the sweep has looked at last.
    swept: i64,
    next_sweep: Instant,
    /// Pages may have become free.
    has_free: bool,
    last_step: Instant,
}

impl<'c> Chores<'c> {
    /// The first sweep is due at once: the flag may have changed since the last start.
    pub fn new(connection: &'c Connection, keep: HistoryKeep, now: Instant) -> Result<Chores<'c>> {
        Ok(Chores {
            keep,
            free: connection.prepare("PRAGMA freelist_count")?,
            shrink: connection.prepare("PRAGMA incremental_vacuum(1000)")?,
            due: HashSet::new(),
            swept: 0,
            next_sweep: now,
            has_free: true,
            last_step: now,
        })
    }

    /// A room has changed.
    pub fn note(&mut self, name: Arc<str>, room: &Room) {
        if let HistoryKeep::Count(count) = self.keep
            && room.last.id.saturating_sub(room.pruned.id) > count.saturating_add(SURPLUS_MAX.min(count / 8))
        {
            self.due.insert(name);
        }
    }

    /// Whether there is something to do in a transaction: [`Chores::step`].
    pub fn are_due(&self, history: &History<'_>, now: Instant) -> bool {
        let has_rows = history.nonces.is_waiting() || history.texts.is_waiting(now);
        let is_something = !history.clears.is_empty() || !self.due.is_empty() || has_rows;
        is_something || (self.keep != HistoryKeep::All && now >= self.next_sweep)
    }

    /// Whether a chore is to be done although commands wait.
    pub fn are_urgent(&self, history: &History<'_>, now: Instant) -> bool {
        let is_something = !history.clears.is_empty() || !self.due.is_empty() || history.texts.has_stale();
        is_something && now.saturating_duration_since(self.last_step) >= URGENT_EVERY
    }

    /// One step, in the open transaction.
    pub fn step(&mut self, history: &mut History<'_>, now: Instant) -> Result<()> {
        self.last_step = now;
        history.clears.refresh()?;
        if !history.clears.is_empty() {
            self.has_free = true;
            return history.erase_cleared();
        }
        if self.due.is_empty() && history.nonces.is_waiting() && !history.texts.has_stale() {
            return history.nonces.step();
        }
        if self.due.is_empty() && history.texts.is_waiting(now) {
            history.texts.step(now)?;
            // Until the last step the next one needs the pages.
            self.has_free |= !history.texts.is_waiting(now);
            return Ok(());
        }
        let Some(kept) = self.kept() else { return Ok(()) };
        let name = match self.due.iter().next() {
            Some(name) => name.clone(),
            None => match history.rooms.next(self.swept)? {
                Some((number, name)) => {
                    self.swept = number;
                    name
                }
                None => {
                    let released = self.release(history)?;
                    if released == Step::Done {
                        (self.swept, self.next_sweep) = (0, now + SWEEP_EVERY);
                    }
                    return Ok(());
                }
            },
        };
        match history.prune(&name, kept)? {
            Step::More => _ = self.due.insert(name),
            Step::Done => _ = self.due.remove(&name),
        }
        self.has_free = true;
        Ok(())
    }

    /// Whether [`Chores::shrink`] may have something to do.
    pub fn may_shrink(&self) -> bool {
        self.has_free
    }

    /// Gives some free pages back to the file system, in a transaction of its own.
    pub fn shrink(&mut self) -> Result<()> {
        let free = self.free_pages()?;
        if free > FREE_PAGES_KEPT {
            let begun = Instant::now();
            // A row for each page; the pages so far are given back if it ends before the last one.
            let mut rows = self.shrink.query([])?;
            while rows.next()?.is_some() && begun.elapsed() < SHRINK_FOR {}
        }
        let left = self.free_pages()?;
        self.has_free = left > FREE_PAGES_KEPT && left < free;
        Ok(())
    }

    /// Releases some of the names that were not used for as long as entries are kept.
    fn release(&self, history: &mut History<'_>) -> Result<Step> {
        match self.kept() {
            Some(Kept::Since(since)) => history.claims.release(since),
            _ => Ok(Step::Done),
        }
    }

    fn free_pages(&mut self) -> Result<i64> {
        self.free.query_row([], |row| row.get(0))
    }

    fn kept(&self) -> Option<Kept> {
        match self.keep {
            HistoryKeep::All => None,
            HistoryKeep::Count(count) => Some(Kept::Last(count)),
            HistoryKeep::Days(days) => {
                let now = UnixMillis::nearest(SystemTime::now()).millis();
                Some(Kept::Since(UnixMillis::from_millis(now.saturating_sub(u64::from(days) * DAY))))
            }
        }
    }
}
