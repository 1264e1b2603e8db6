//! Clears that are under way: the messages of one user in one room are erased in small steps, and count as deleted at
//! once.

use super::rooms::{signed, unsigned};
use rusqlite::{Connection, Result, Row, Statement, params};
use std::collections::BTreeMap;

/// Entries looked at in one step. A step of messages that are all erased takes about 2 ms.
const STEP_ENTRIES: u64 = 1000;

/// Room and user, by their numbers.
type Whose = (i64, i64);

/// The rest of one clear: the messages behind `done`, up to `until`.
#[derive(Debug, Clone, Copy)]
struct Clear {
    until: u64,
    done: u64,
}

/// The messages of one user that the next step erases: those behind the id `after`, up to `until`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub room: i64,
    pub user: i64,
    pub after: u64,
    pub until: u64,
}

/// The clears under way, in memory as in their table.
pub(super) struct Clears<'c> {
    load: Statement<'c>,
    save: Statement<'c>,
    remove: Statement<'c>,
    erase: Statement<'c>,
    pending: BTreeMap<Whose, Clear>,
    /// A transaction was rolled back: the table has to be read again.
    is_stale: bool,
}

impl<'c> Clears<'c> {
    pub fn new(connection: &'c Connection) -> Result<Clears<'c>> {
        let mut clears = Clears {
            load: connection.prepare("SELECT room, user, until, done FROM clears")?,
            save: connection.prepare(
                "INSERT INTO clears (room, user, until, done) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (room, user) DO UPDATE SET until = excluded.until, done = excluded.done",
            )?,
            remove: connection.prepare("DELETE FROM clears WHERE room = ?1 AND user = ?2")?,
            erase: connection.prepare(
                "UPDATE entries SET text = NULL
                 WHERE room = ?1 AND id > ?3 AND id <= ?4 AND user = ?2 AND text IS NOT NULL",
            )?,
            pending: BTreeMap::new(),
            is_stale: true,
        };
        clears.refresh()?;
        Ok(clears)
    }

    /// Reads the table again after [`Clears::forget`].
    pub fn refresh(&mut self) -> Result<()> {
        if self.is_stale {
            let clear = |row: &Row<'_>| {
                let clear = Clear { until: unsigned(row.get(2)?), done: unsigned(row.get(3)?) };
                Ok(((row.get(0)?, row.get(1)?), clear))
            };
            self.pending = self.load.query_map([], clear)?.collect::<Result<_>>()?;
            self.is_stale = false;
        }
        Ok(())
    }

    /// What is in memory may not be what is in the table: a transaction was rolled back.
    pub fn forget(&mut self) {
        self.is_stale = true;
    }

    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether the message `id` of this user is to be erased.
    pub fn has(&self, room: i64, user: i64, id: u64) -> bool {
        !self.pending.is_empty()
            && self.pending.get(&(room, user)).is_some_and(|clear| id > clear.done && id <= clear.until)
    }

    /// All messages of the user behind `from` and up to `until` are to be erased.
    pub fn add(&mut self, room: i64, user: i64, from: u64, until: u64) -> Result<()> {
        let done = self.pending.get(&(room, user)).map_or(from, |clear| clear.done);
        self.put((room, user), Clear { until, done })
    }

    /// What [`Clears::step`] will erase.
    pub fn next_part(&self) -> Option<Part> {
        let (&(room, user), clear) = self.pending.first_key_value()?;
        let until = clear.until.min(clear.done.saturating_add(STEP_ENTRIES));
        Some(Part { room, user, after: clear.done, until })
    }

    /// Erases a few messages, in the transaction that is open.
    pub fn step(&mut self) -> Result<()> {
        let Some(Part { room, user, after, until }) = self.next_part() else { return Ok(()) };
        self.erase.execute(params![room, user, signed(after), signed(until)])?;
        if let Some(&clear) = self.pending.get(&(room, user))
            && until < clear.until
        {
            return self.put((room, user), Clear { done: until, ..clear });
        }
        self.remove.execute([room, user])?;
        self.pending.remove(&(room, user));
        Ok(())
    }

    fn put(&mut self, (room, user): Whose, clear: Clear) -> Result<()> {
        self.save.execute(params![room, user, signed(clear.until), signed(clear.done)])?;
        self.pending.insert((room, user), clear);
        Ok(())
    }
}
