//! The acts of operators in their table.

use super::rooms::{signed, unsigned};
use crate::clock::UnixMillis;
use crate::store::PAGE_MAX;
use crate::store::acts::{Act, Deed, Effect, IN_FORCE_MAX, LOGGED_MAX, Parts};
use rusqlite::{Connection, Result, Row, Statement, params};

/// Whether an act was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    /// As many are in force as can be.
    TooMany,
}

/// The table of acts. Nothing here begins or ends a transaction.
pub(super) struct Acts<'c> {
    insert: Statement<'c>,
    end: Statement<'c>,
    in_force: Statement<'c>,
    count: Statement<'c>,
    last: Statement<'c>,
    prune: Statement<'c>,
    /// The number of acts in force; `None` when a transaction was rolled back.
    known: Option<i64>,
}

const COLUMNS: &str = "at, by, room, verb, subject, value";

impl<'c> Acts<'c> {
    pub fn new(connection: &'c Connection) -> Result<Acts<'c>> {
        Ok(Acts {
            insert: connection
                .prepare(&format!("INSERT INTO acts ({COLUMNS}, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))?,
            end: connection.prepare("UPDATE acts SET key = NULL WHERE key = ?1")?,
            in_force: connection.prepare(&format!("SELECT {COLUMNS} FROM acts WHERE key IS NOT NULL"))?,
            count: connection.prepare("SELECT count(*) FROM acts WHERE key IS NOT NULL")?,
            last: connection.prepare(&format!("SELECT {COLUMNS} FROM acts ORDER BY number DESC LIMIT ?1"))?,
            prune: connection
                .prepare("DELETE FROM acts WHERE key IS NULL AND number <= (SELECT max(number) FROM acts) - ?1")?,
            known: None,
        })
    }

    /// What is in memory may not be what is in the table: a transaction was rolled back.
    pub fn forget(&mut self) {
        self.known = None;
    }

    /// Stores an act, in the open transaction.
    pub fn record(&mut self, act: &Act) -> Result<Recorded> {
        let effect = act.effect();
        let mut count = self.count()?;
        if let Effect::Sets(key) | Effect::Ends(key) = &effect {
            count -= self.end(key)?;
        }
        if matches!(effect, Effect::Sets(_)) {
            if count >= IN_FORCE_MAX as i64 {
                count -= self.end_what_is_over(act.at)?;
            }
            if count >= IN_FORCE_MAX as i64 {
                self.known = Some(count);
                return Ok(Recorded::TooMany);
            }
            count += 1;
        }
        self.known = Some(count);
        let key = if let Effect::Sets(key) = &effect { Some(key) } else { None };
        let Parts { verb, subject, number } = act.deed.parts();
        let number = number.map(signed);
        self.insert.execute(params![signed(act.at.millis()), act.by, act.room, verb, subject, number, key])?;
        self.prune.execute([signed(LOGGED_MAX)])?;
        Ok(Recorded::Yes)
    }

    /// The number of acts in force. Counting takes 0.1 ms for each 1,000.
    fn count(&mut self) -> Result<i64> {
        match self.known {
            Some(known) => Ok(known),
            None => self.count.query_row([], |row| row.get(0)),
        }
    }

    /// Ends the act with this key; returns how many there were.
    fn end(&mut self, key: &str) -> Result<i64> {
        self.end.execute([key]).map(|count| count as i64)
    }

    /// The acts in force at `now`.
    pub fn in_force(&mut self, now: UnixMillis) -> Result<Vec<Act>> {
        let acts = self.in_force.query_map([], act_of)?.collect::<Result<Vec<_>>>()?;
        Ok(acts.into_iter().flatten().filter(|act| !act.is_over(now)).collect())
    }

    /// The last acts, oldest first.
    pub fn last(&mut self, limit: u32) -> Result<Vec<Act>> {
        let acts = self.last.query_map([limit.min(PAGE_MAX)], act_of)?.collect::<Result<Vec<_>>>()?;
        Ok(acts.into_iter().rev().flatten().collect())
    }

    fn end_what_is_over(&mut self, now: UnixMillis) -> Result<i64> {
        let acts = self.in_force.query_map([], act_of)?.collect::<Result<Vec<_>>>()?;
        let mut count = 0;
        for act in acts.into_iter().flatten().filter(|act| act.is_over(now)) {
            if let Effect::Sets(key) = act.effect() {
                count += self.end(&key)?;
            }
        }
        Ok(count)
    }
}

/// The act of a row; `None` if this version does not know it.
fn act_of(row: &Row<'_>) -> Result<Option<Act>> {
    let (verb, subject): (String, String) = (row.get(3)?, row.get(4)?);
    let deed = Deed::of(&verb, &subject, row.get::<_, Option<i64>>(5)?.map(unsigned));
    let at = UnixMillis::from_millis(unsigned(row.get(0)?));
    let (by, room) = (row.get(1)?, row.get(2)?);
    Ok(deed.map(|deed| Act { at, by, room, deed }))
}
