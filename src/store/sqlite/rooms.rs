//! The rows of the rooms.

use crate::clock::UnixMillis;
use crate::store::{Position, RoomFacts};
use rusqlite::{Connection, OptionalExtension, Result, Row, Statement, params};
use std::collections::HashMap;
use std::sync::Arc;

/// Rooms whose rows are kept in memory between batches; over it all are forgotten, and read again.
const CACHED_MAX: usize = 4096;
/// Rooms of one list at most: a list is made in one go on the store's thread, which takes a millisecond for a thousand.
const LISTED_MAX: i64 = 10_000;

/// A room as its row says, with the entries of the open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub number: i64,
    /// Of the last entry.
    pub last: Position,
    /// Time of the last entry.
    pub at: UnixMillis,
    /// In front of the first entry that is kept.
    pub pruned: Position,
    /// Positions in front of this id are of another past.
    pub rewritten: u64,
}

impl Room {
    /// The id of the first entry that is kept; 0 if there is none.
    pub fn oldest(&self) -> u64 {
        if self.last.id > self.pruned.id { self.pruned.id + 1 } else { 0 }
    }

    /// From the columns number, last_id, last_tag, last_at, pruned_id, pruned_tag, rewritten_id.
    pub fn from_row(row: &Row<'_>) -> Result<Room> {
        Ok(Room {
            number: row.get(0)?,
            last: Position { id: unsigned(row.get(1)?), tag: tag_of(row.get(2)?) },
            at: UnixMillis::from_millis(unsigned(row.get(3)?)),
            pruned: Position { id: unsigned(row.get(4)?), tag: tag_of(row.get(5)?) },
            rewritten: unsigned(row.get(6)?),
        })
    }
}

/// Finds rooms, and writes what has changed of them, once for each transaction.
pub(super) struct Rooms<'c> {
    find: Statement<'c>,
    insert: Statement<'c>,
    update: Statement<'c>,
    list: Statement<'c>,
    name: Statement<'c>,
    next: Statement<'c>,
    cached: HashMap<Arc<str>, Room>,
    /// Changed in the open transaction.
    changed: Vec<Arc<str>>,
}

impl<'c> Rooms<'c> {
    pub fn new(connection: &'c Connection) -> Result<Rooms<'c>> {
        let columns = "number, last_id, last_tag, last_at, pruned_id, pruned_tag, rewritten_id";
        Ok(Rooms {
            find: connection.prepare(&format!("SELECT {columns} FROM rooms WHERE name = ?1"))?,
            insert: connection.prepare("INSERT INTO rooms (name) VALUES (?1) RETURNING number")?,
            update: connection.prepare(
                "UPDATE rooms SET last_id = ?2, last_tag = ?3, last_at = ?4, pruned_id = ?5, pruned_tag = ?6,
                                  rewritten_id = ?7
                 WHERE number = ?1",
            )?,
            list: connection.prepare(&format!(
                "SELECT {columns}, name FROM rooms WHERE last_id > 0 ORDER BY name LIMIT {LISTED_MAX}"
            ))?,
            name: connection.prepare("SELECT name FROM rooms WHERE number = ?1")?,
            next: connection.prepare("SELECT number, name FROM rooms WHERE number > ?1 ORDER BY number LIMIT 1")?,
            cached: HashMap::new(),
            changed: vec![],
        })
    }

    /// The room with this name, if it has a row.
    pub fn find(&mut self, name: &Arc<str>) -> Result<Option<Room>> {
        if let Some(room) = self.cached.get(name) {
            return Ok(Some(*room));
        }
        let found = self.find.query_row([&**name], Room::from_row).optional()?;
        if let Some(room) = found {
            self.cached.insert(name.clone(), room);
        }
        Ok(found)
    }

    /// Makes the row of a room that has none.
    pub fn add(&mut self, name: &Arc<str>) -> Result<Room> {
        let number = self.insert.query_row([&**name], |row| row.get(0))?;
        let start = Position::START;
        let room = Room { number, last: start, at: UnixMillis::default(), pruned: start, rewritten: 0 };
        self.cached.insert(name.clone(), room);
        Ok(room)
    }

    /// Puts a changed room in the place of the old one; [`Rooms::write`] writes it.
    pub fn change(&mut self, name: &Arc<str>, room: Room) {
        match self.cached.get_mut(name) {
            Some(cached) => *cached = room,
            None => _ = self.cached.insert(name.clone(), room),
        }
        if !self.changed.contains(name) {
            self.changed.push(name.clone());
        }
    }

    /// Writes the rows of the rooms that the open transaction has changed.
    pub fn write(&mut self) -> Result<()> {
        for name in &self.changed {
            let Some(room) = self.cached.get(name) else { continue };
            self.update.execute(params![
                room.number,
                signed(room.last.id),
                room.last.tag as i32,
                signed(room.at.millis()),
                signed(room.pruned.id),
                room.pruned.tag as i32,
                signed(room.rewritten),
            ])?;
        }
        Ok(())
    }

    /// The transaction is committed: the rooms that it has changed, with their names.
    pub fn committed(&mut self) -> Vec<(Arc<str>, Room)> {
        let changed = std::mem::take(&mut self.changed);
        let rooms = changed.into_iter().filter_map(|name| self.cached.get(&name).map(|&room| (name, room))).collect();
        if self.cached.len() > CACHED_MAX {
            self.cached.clear();
        }
        rooms
    }

    /// Forgets what is in memory: a transaction was rolled back.
    pub fn forget(&mut self) {
        self.cached.clear();
        self.changed.clear();
    }

    /// The name of the room with this number.
    pub fn name(&mut self, number: i64) -> Result<Arc<str>> {
        self.name.query_row([number], |row| row.get(0))
    }

    /// Number and name of the room behind that with this number.
    pub fn next(&mut self, number: i64) -> Result<Option<(i64, Arc<str>)>> {
        self.next.query_row([number], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    /// The rooms that have entries or had some, by name.
    pub fn list(&mut self) -> Result<Vec<RoomFacts>> {
        self.write()?;
        let facts = |row: &Row<'_>| {
            let room = Room::from_row(row)?;
            Ok(RoomFacts { name: row.get(7)?, last: room.last, at: room.at })
        };
        self.list.query_map([], facts)?.collect()
    }
}

/// For a column. Ids and times are far below the limit of a signed number.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// From a column; a negative number, which squall never writes, counts as 0.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// From a column: a tag is written as a signed number of 32 bits, which takes 4 bytes at most.
pub(super) fn tag_of(number: i64) -> u32 {
    number as u32
}
