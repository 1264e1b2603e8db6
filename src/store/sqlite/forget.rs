//! Names that are taken out of the file.
//!
//! The name goes at once: its user gets another one, under the same number. Texts are erased as those of a clear are, in
//! small steps. The outcome is told when all of it is out of the file and out of the log.

use super::history::{Columns, History, Verdict};
use super::schema::kind;
use crate::clock::UnixMillis;
use crate::id::ConnId;
use crate::store::{ANONYMOUS, Entry, Forgotten, Kind, Texts};
use rusqlite::{Connection, Result, Statement};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a forgotten name is deleted from besides the history itself: a statement for each table that has names, with the
/// name as `?1`. A new table with names has its line here.
const OTHER_TABLES: &[&str] = &[
    "DELETE FROM claims WHERE name = ?1",
    "DELETE FROM acts WHERE subject = ?1",
    // What an operator has done stays in force.
    "UPDATE acts SET by = 'forgotten' WHERE by = ?1",
];

/// Forgets names.
pub(super) struct Forget<'c> {
    rooms_of: Statement<'c>,
    others: Vec<Statement<'c>>,
    /// Names that are out of the tables, and perhaps still in the log.
    waiting: Vec<(ConnId, Forgotten)>,
    /// When the log was last tried to be made empty for them.
    tried: Option<Instant>,
}

/// What forgetting a name has done in the tables.
pub(super) struct Done {
    pub forgotten: Forgotten,
    /// The new entry of each room, as its members are told.
    pub entries: Vec<(Arc<str>, Entry)>,
}

impl<'c> Forget<'c> {
    pub fn new(connection: &'c Connection) -> Result<Forget<'c>> {
        Ok(Forget {
            // There is no index by user, which each message would have to pay for: this reads the whole table, about 0.2 s
            // for a million entries.
            rooms_of: connection.prepare(
                "SELECT DISTINCT room FROM entries WHERE user = ?1 OR (kind = ?2 AND target = ?1) ORDER BY room",
            )?,
            others: OTHER_TABLES.iter().map(|sql| connection.prepare(sql)).collect::<Result<_>>()?,
            waiting: vec![],
            tried: None,
        })
    }

    /// Takes a name out of the tables, in the open transaction.
    pub fn apply(&mut self, history: &mut History<'c>, name: &Arc<str>, texts: Texts, at: UnixMillis) -> Result<Done> {
        let mut deleted = 0;
        for table in &mut self.others {
            deleted += table.execute([&**name])?;
        }
        history.clears.refresh()?;
        let number = match history.users.find(name)? {
            Some(number) => number,
            // The name has said nothing, but it was there.
            None if deleted > 0 => history.users.find_or_add(name)?,
            None => return Ok(Done { forgotten: Forgotten { rooms: 0, anonymous: None }, entries: vec![] }),
        };
        let rooms =
            self.rooms_of.query_map([number, kind::CLEARED], |row| row.get(0))?.collect::<Result<Vec<i64>>>()?;
        let anonymous = free_name(history)?;
        history.users.rename(number, &anonymous)?;
        let cleared = match texts {
            Texts::Erase => number,
            // A name without messages, or what is kept would look cleared.
            Texts::Keep => {
                let other = free_name(history)?;
                history.users.find_or_add(&other)?
            }
        };
        let mut entries = vec![];
        for room in &rooms {
            let room_name = history.rooms.name(*room)?;
            let Some(room) = history.rooms.find(&room_name)? else { continue };
            let columns =
                Columns { kind: kind::CLEARED, user: cleared, nonce: None, text: None, target: Some(cleared) };
            let Verdict::New { id, tag, at } = history.insert(&room_name, room, at, columns)? else { continue };
            if let Some(room) = history.rooms.find(&room_name)? {
                history.rooms.change(&room_name, super::rooms::Room { rewritten: id, ..room });
            }
            let kind = Kind::Cleared { user: name.clone(), by: name.clone() };
            entries.push((room_name, Entry { id, tag, at, kind }));
        }
        Ok(Done { forgotten: Forgotten { rooms: rooms.len(), anonymous: Some(anonymous) }, entries })
    }

    /// The transaction is committed: its outcome waits until the log is empty.
    pub fn wait(&mut self, from: ConnId, forgotten: Forgotten) {
        self.waiting.push((from, forgotten));
    }

    /// Whether an outcome waits.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the log is to be made empty now, which a program that reads may prevent; then it is tried again after
    /// `interval`.
    pub fn may_try(&mut self, now: Instant, interval: Duration) -> bool {
        let may = self.tried.is_none_or(|tried| now.saturating_duration_since(tried) >= interval);
        if may {
            self.tried = Some(now);
        }
        may
    }

    /// All that was to be erased is erased, and the log is empty: the outcomes that have waited.
    pub fn take(&mut self) -> Vec<(ConnId, Forgotten)> {
        self.tried = None;
        std::mem::take(&mut self.waiting)
    }
}

/// A name that no user has.
fn free_name(history: &mut History<'_>) -> Result<Arc<str>> {
    let mut number: u64 = 1;
    loop {
        let name: Arc<str> = format!("{ANONYMOUS}{number}").into();
        if history.users.find(&name)?.is_none() {
            return Ok(name);
        }
        number += 1;
    }
}
