//! What the commands mean in terms of the tables. Nothing here begins or ends a transaction.

use super::claims::Claims;
use super::clears::Clears;
use super::nonces::Nonces;
use super::rooms::{Room, Rooms, signed, tag_of, unsigned};
use super::schema::kind;
use super::search::{Lookup, Search};
use super::texts::Texts;
use super::users::Users;
use crate::clock::UnixMillis;
use crate::store::import::Order;
use crate::store::tags::Tags;
use crate::store::words::{Budget, Words};
use crate::store::{
    Draft, Entry, Flaw, Found, IDS_MAX, Kind, Nonce, PAGE_MAX, Page, Past, Position, Range, Refusal, Rights, RoomFacts,
    Wrong,
};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, Statement, params};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

/// The columns that a [`Stored`] is made of.
const COLUMNS: &str = "id, kind, tag, at, user, nonce, text, target";
/// The place of `text` in them.
pub(super) const TEXT_COLUMN: usize = 6;
/// Entries pruned in one step. A step takes about 3 ms.
const PRUNED_PER_STEP: i64 = 500;

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    New {
        id: u64,
        tag: u32,
        at: UnixMillis,
    },
    /// It was stored before.
    Known(Position),
    Refused(Refusal),
}

/// Which entries of a room are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// This many.
    Last(u64),
    /// Those from this time on.
    Since(UnixMillis),
}

/// Whether a step has left something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Done,
}

/// The entries of all rooms.
pub(super) struct History<'c> {
    pub rooms: Rooms<'c>,
    pub claims: Claims<'c>,
    pub clears: Clears<'c>,
    pub nonces: Nonces<'c>,
    pub texts: Texts<'c>,
    search: Search<'c>,
    pub users: Users<'c>,
    tags: Tags,
    insert: Statement<'c>,
    text: Statement<'c>,
    entry: Statement<'c>,
    tag: Statement<'c>,
    erase: Statement<'c>,
    before: Statement<'c>,
    after: Statement<'c>,
    oldest: Statement<'c>,
    prune: Statement<'c>,
}

/// The columns of an entry that are written besides id, tag and time.
pub(super) struct Columns<'a> {
    pub kind: i64,
    pub user: i64,
    pub nonce: Option<&'a Nonce>,
    pub text: Option<&'a str>,
    pub target: Option<i64>,
}

impl<'c> History<'c> {
    /// The nonces of this many messages stay in memory.
    pub fn new(connection: &'c Connection, tags: Tags, nonces_fresh: usize) -> Result<History<'c>> {
        let columns = COLUMNS;
        Ok(History {
            rooms: Rooms::new(connection)?,
            claims: Claims::new(connection)?,
            clears: Clears::new(connection)?,
            nonces: Nonces::new(connection, nonces_fresh)?,
            texts: Texts::new(connection, Instant::now())?,
            search: Search::new(connection, columns)?,
            users: Users::new(connection)?,
            tags,
            insert: connection.prepare(
                "INSERT INTO entries (room, id, kind, tag, at, user, nonce, text, target)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            text: connection.prepare("SELECT text, tag FROM entries WHERE room = ?1 AND id = ?2")?,
            entry: connection
                .prepare("SELECT user FROM entries WHERE room = ?1 AND id = ?2 AND kind = ?3 AND text IS NOT NULL")?,
            tag: connection.prepare("SELECT tag FROM entries WHERE room = ?1 AND id = ?2")?,
            erase: connection.prepare("UPDATE entries SET text = NULL WHERE room = ?1 AND id = ?2")?,
            before: connection.prepare(&format!(
                "SELECT {columns} FROM entries WHERE room = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
            ))?,
            after: connection
                .prepare(&format!("SELECT {columns} FROM entries WHERE room = ?1 AND id > ?2 ORDER BY id LIMIT ?3"))?,
            oldest: connection.prepare(
                "SELECT id, tag, at, user, nonce FROM entries WHERE room = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            )?,
            prune: connection.prepare("DELETE FROM entries WHERE room = ?1 AND id <= ?2")?,
        })
    }

    /// Forgets what is in memory: a transaction was rolled back.
    pub fn forget(&mut self) {
        self.rooms.forget();
        self.users.forget();
        self.clears.forget();
        self.nonces.forget();
        self.texts.forget();
    }

    /// Writes what belongs to the open transaction besides its entries: the last thing before it is committed.
    pub fn complete(&mut self) -> Result<()> {
        self.nonces.follow()?;
        self.rooms.write()
    }

    /// The transaction is committed; returns the rooms that it has changed.
    pub fn committed(&mut self) -> Vec<(Arc<str>, Room)> {
        let rooms = self.rooms.committed();
        self.nonces.committed(rooms.iter().map(|(_, room)| (room.number, room.last.id)));
        self.texts.committed(rooms.iter().map(|(_, room)| room.number));
        rooms
    }

    /// Appends an entry, and does to older ones what it says, in the open transaction.
    pub fn append(&mut self, name: &Arc<str>, at: UnixMillis, draft: &Draft) -> Result<Verdict> {
        self.clears.refresh()?;
        let room = self.rooms.find(name)?;
        let columns = match draft {
            Draft::Message { user, nonce, text } => Columns {
                kind: kind::MESSAGE,
                user: self.users.find_or_add(user)?,
                nonce: nonce.as_ref(),
                text: Some(text),
                target: None,
            },
            Draft::Deletion { target, by, rights, .. } => {
                if let Err(why) = self.delete(room, *target, by, *rights)? {
                    return Ok(Verdict::Refused(why));
                }
                let user = self.users.find_or_add(by)?;
                Columns { kind: kind::DELETED, user, nonce: None, text: None, target: Some(signed(*target)) }
            }
            Draft::Clear { user, by } => {
                let target = self.users.find_or_add(user)?;
                let user = self.users.find_or_add(by)?;
                Columns { kind: kind::CLEARED, user, nonce: None, text: None, target: Some(target) }
            }
        };
        let room = match room {
            Some(room) => room,
            None => self.rooms.add(name)?,
        };
        self.insert(name, room, at, columns)
    }

    /// Inserts a new entry behind the last one of the room, in the open transaction.
    pub fn insert(&mut self, name: &Arc<str>, room: Room, at: UnixMillis, columns: Columns<'_>) -> Result<Verdict> {
        let Columns { user, nonce, text, .. } = columns;
        if let Some(nonce) = nonce
            && let Some(id) = self.nonces.find((room.number, user, nonce.0))?
            && id > room.pruned.id
        {
            return self.known(room.number, user, id, text);
        }
        let last = Position { id: room.last.id + 1, tag: self.tags.next_tag() };
        if last.id >= IDS_MAX {
            return Ok(Verdict::Refused(Refusal::Storage));
        }
        // A clock that is set back must not turn the order of the days around.
        let at = room.at.max(at);
        self.put(name, room, last, at, columns)?;
        Ok(Verdict::New { id: last.id, tag: last.tag, at })
    }

    fn put(
        &mut self,
        name: &Arc<str>,
        mut room: Room,
        last: Position,
        at: UnixMillis,
        columns: Columns<'_>,
    ) -> Result<()> {
        let Columns { kind, user, nonce, text, target } = columns;
        let (id, millis, tag) = (signed(last.id), signed(at.millis()), last.tag as i32);
        let bytes = nonce.map(|nonce| &nonce.0[..]);
        self.insert.execute(params![room.number, id, kind, tag, millis, user, bytes, text, target])?;
        self.nonces.add(room.number, user, nonce, last.id);
        self.texts.add();
        if let (kind::CLEARED, Some(target)) = (kind, target) {
            self.clears.add(room.number, target, room.pruned.id, last.id)?;
        }
        (room.last, room.at) = (last, at);
        self.rooms.change(name, room);
        Ok(())
    }

    /// Appends entries of another history behind `after`, in the open transaction.
    pub fn import(&mut self, name: &Arc<str>, after: Position, entries: &[Entry]) -> Result<Result<Position, Flaw>> {
        self.clears.refresh()?;
        let found = self.rooms.find(name)?;
        if let Some(flaw) = self.flaw_of(found, after, entries)? {
            return Ok(Err(flaw));
        }
        let mut last = after;
        for entry in entries {
            let room = match self.rooms.find(name)? {
                Some(room) => room,
                None => Room { pruned: Position { id: entry.id - 1, tag: 0 }, ..self.rooms.add(name)? },
            };
            let (user, nonce, text, kind, target) = match &entry.kind {
                Kind::Message { user, nonce, text } => (user, nonce.as_ref(), text.as_deref(), kind::MESSAGE, None),
                Kind::Deleted { target, by } => {
                    self.erase.execute([room.number, signed(*target)])?;
                    (by, None, None, kind::DELETED, Some(signed(*target)))
                }
                Kind::Cleared { user, by } => (by, None, None, kind::CLEARED, Some(self.users.find_or_add(user)?)),
            };
            let columns = Columns { kind, user: self.users.find_or_add(user)?, nonce, text, target };
            last = entry.position();
            self.put(name, room, last, entry.at, columns)?;
        }
        Ok(Ok(last))
    }

    fn flaw_of(&mut self, room: Option<Room>, after: Position, entries: &[Entry]) -> Result<Option<Flaw>> {
        let (last, at) = room.map_or((Position::START, UnixMillis::default()), |room| (room.last, room.at));
        if last != after {
            return Ok(Some(Flaw { index: 0, why: Wrong::NotEmpty }));
        }
        let flaw = Order::behind(last, at).flaw_of(entries);
        let mut own = HashSet::new();
        for (index, entry) in entries.iter().enumerate().filter(|_| flaw.is_none()) {
            let Kind::Message { user, nonce: Some(nonce), .. } = &entry.kind else { continue };
            let mut is_double = !own.insert((user, nonce.0));
            if let (Some(room), Some(user)) = (room, self.users.find(user)?) {
                is_double |= self.nonces.find((room.number, user, nonce.0))?.is_some_and(|id| id > room.pruned.id);
            }
            if is_double {
                return Ok(Some(Flaw { index, why: Wrong::Nonce }));
            }
        }
        Ok(flaw)
    }

    /// Of a message whose nonce is stored.
    fn known(&mut self, room: i64, user: i64, id: u64, text: Option<&str>) -> Result<Verdict> {
        let (stored, tag): (Option<Box<str>>, i64) =
            self.text.query_row([room, signed(id)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let is_other = stored.is_some() && stored.as_deref() != text && !self.clears.has(room, user, id);
        Ok(if is_other {
            Verdict::Refused(Refusal::NonceReused)
        } else {
            Verdict::Known(Position { id, tag: tag_of(tag) })
        })
    }

    fn delete(
        &mut self,
        room: Option<Room>,
        target: u64,
        by: &Arc<str>,
        rights: Rights,
    ) -> Result<Result<(), Refusal>> {
        let Some(room) = room else { return Ok(Err(Refusal::NoSuchMessage)) };
        let found = params![room.number, signed(target), kind::MESSAGE];
        let Some(user) = self.entry.query_row(found, |row| row.get(0)).optional()? else {
            return Ok(Err(Refusal::NoSuchMessage));
        };
        if self.clears.has(room.number, user, target) {
            return Ok(Err(Refusal::NoSuchMessage));
        }
        if rights == Rights::Author && self.users.find(by)? != Some(user) {
            return Ok(Err(Refusal::NotYours));
        }
        self.texts.outdate(room.number, target - 1, target, None)?;
        self.erase.execute([room.number, signed(target)])?;
        Ok(Ok(()))
    }

    /// Reads a part of a room's history, with the entries of an open transaction.
    pub fn read(&mut self, name: &Arc<str>, range: Range, limit: u32) -> Result<Page> {
        self.clears.refresh()?;
        let Some(room) = self.rooms.find(name)? else {
            let past = match range {
                Range::After(position) if position != Position::START => Past::Other,
                _ => Past::Ours,
            };
            return Ok(Page { entries: vec![], last: Position::START, oldest: 0, past });
        };
        let past = match range {
            Range::After(position) => self.past(&room, position)?,
            Range::Last | Range::Before(_) => Past::Ours,
        };
        let limit = i64::from(limit.min(PAGE_MAX));
        let entries = match range {
            Range::After(_) if past != Past::Ours => vec![],
            Range::After(position) => self.entries(&room, Way::After(position.id), limit)?,
            Range::Before(id) => self.entries(&room, Way::Before(id), limit)?,
            Range::Last => self.entries(&room, Way::Before(u64::MAX), limit)?,
        };
        Ok(Page { entries, last: room.last, oldest: room.oldest(), past })
    }

    /// Does one step of a search.
    pub fn search(&mut self, name: &Arc<str>, words: &Words, before: Option<u64>, limit: u32) -> Result<Found> {
        self.clears.refresh()?;
        let Some(room) = self.rooms.find(name)? else { return Ok(Found { entries: vec![], next: None }) };
        let wanted = limit.clamp(1, PAGE_MAX) as usize;
        let mut lookup = Lookup::new(room, words, before, wanted, Budget::new(Instant::now()));
        let searched = self.texts.searched(room.number)?;
        self.search.run(&mut lookup, searched, |row| self.clears.has(room.number, row.user, row.id))?;
        let (rows, next) = lookup.end();
        let entries = rows.into_iter().map(|row| self.entry_of(room.number, row)).collect::<Result<_>>()?;
        Ok(Found { entries, next })
    }

    /// Erases a few messages of a clear that is under way, in the open transaction.
    pub fn erase_cleared(&mut self) -> Result<()> {
        if let Some(part) = self.clears.next_part() {
            self.texts.outdate(part.room, part.after, part.until, Some(part.user))?;
        }
        self.clears.step()
    }

    /// Lists the rooms.
    pub fn list(&mut self) -> Result<Vec<RoomFacts>> {
        self.rooms.list()
    }

    /// Whether a client at this position has the same past.
    fn past(&mut self, room: &Room, position: Position) -> Result<Past> {
        if position.id > 0 && position.id < room.rewritten {
            return Ok(Past::Other);
        }
        if position == room.pruned {
            return Ok(Past::Ours);
        }
        if position.id < room.pruned.id {
            return Ok(Past::Pruned);
        }
        let tag = self.tag.query_row([room.number, signed(position.id)], |row| row.get(0)).optional()?;
        Ok(if tag.map(tag_of) == Some(position.tag) { Past::Ours } else { Past::Other })
    }

    fn entries(&mut self, room: &Room, way: Way, limit: i64) -> Result<Vec<Entry>> {
        let (statement, from) = match way {
            Way::Before(id) => (&mut self.before, id),
            Way::After(id) => (&mut self.after, id),
        };
        let rows = statement.query_map(params![room.number, signed(from), limit], Stored::from_row)?;
        let mut rows = rows.collect::<Result<Vec<Stored>>>()?;
        if let Way::Before(_) = way {
            rows.reverse();
        }
        rows.into_iter().map(|row| self.entry_of(room.number, row)).collect()
    }

    fn entry_of(&mut self, room: i64, row: Stored) -> Result<Entry> {
        let user = self.users.name(row.user)?;
        let kind = match row.kind {
            kind::MESSAGE => {
                let text = row.text.filter(|_| !self.clears.has(room, row.user, row.id));
                Kind::Message { user, nonce: row.nonce.map(Nonce), text }
            }
            kind::DELETED => Kind::Deleted { target: unsigned(row.target.unwrap_or(0)), by: user },
            kind::CLEARED => Kind::Cleared { user: self.users.name(row.target.unwrap_or(0))?, by: user },
            unknown => return Err(Error::IntegralValueOutOfRange(1, unknown)),
        };
        Ok(Entry { id: row.id, tag: row.tag, at: row.at, kind })
    }

    /// Deletes a few of the oldest entries of a room, those that are not kept, in the open transaction.
    pub fn prune(&mut self, name: &Arc<str>, kept: Kept) -> Result<Step> {
        let Some(mut room) = self.rooms.find(name)? else { return Ok(Step::Done) };
        let is_out = |id: u64, at: UnixMillis| match kept {
            Kept::Last(count) => id.saturating_add(count) <= room.last.id,
            Kept::Since(since) => at < since,
        };
        let mut oldest = self.oldest.query(params![room.number, signed(room.pruned.id), PRUNED_PER_STEP])?;
        let (mut border, mut count) = (None, 0);
        while let Some(row) = oldest.next()? {
            let position = Position { id: unsigned(row.get(0)?), tag: tag_of(row.get(1)?) };
            if !is_out(position.id, UnixMillis::from_millis(unsigned(row.get(2)?))) {
                break;
            }
            if let Some(nonce) = row.get(4)? {
                self.nonces.remove((room.number, row.get(3)?, nonce), position.id)?;
            }
            (border, count) = (Some(position), count + 1);
        }
        drop(oldest);
        let Some(border) = border else { return Ok(Step::Done) };
        self.texts.outdate(room.number, room.pruned.id, border.id, None)?;
        self.prune.execute([room.number, signed(border.id)])?;
        room.pruned = border;
        self.rooms.change(name, room);
        Ok(if count < PRUNED_PER_STEP { Step::Done } else { Step::More })
    }
}

/// Which way a page goes from an id.
#[derive(Debug, Clone, Copy)]
enum Way {
    Before(u64),
    After(u64),
}

/// A row of `entries`, from its [`COLUMNS`].
pub(super) struct Stored {
    pub id: u64,
    pub kind: i64,
    pub tag: u32,
    pub at: UnixMillis,
    pub user: i64,
    pub nonce: Option<[u8; 16]>,
    pub text: Option<Box<str>>,
    pub target: Option<i64>,
}

impl Stored {
    pub fn from_row(row: &Row<'_>) -> Result<Stored> {
        Ok(Stored {
            id: unsigned(row.get(0)?),
            kind: row.get(1)?,
            tag: tag_of(row.get(2)?),
            at: UnixMillis::from_millis(unsigned(row.get(3)?)),
            user: row.get(4)?,
            nonce: row.get(5)?,
            text: row.get(TEXT_COLUMN)?,
            target: row.get(7)?,
        })
    }
}
