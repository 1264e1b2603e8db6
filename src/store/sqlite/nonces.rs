//! Which messages are stored already: the ids of the messages by room, user and nonce.
//!
//! Nonces are random, so an index of them has no place where new ones are: each would write a page of its own to the log,
//! and to the file at the next checkpoint (measured with a million messages: 1.2 pages for each message, 18,000 messages a
//! second instead of 110,000). So new ones stay in memory until they are many, and then go into their table in order, a
//! few behind each batch. After a crash they are read again from the entries behind `rooms.indexed_id`.

use super::rooms::{signed, unsigned};
use crate::store::Nonce;
use rusqlite::{Connection, OptionalExtension, Result, Row, Statement, params};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Entries after which a quiet moment is used. Fewer are not worth a transaction of their own.
const QUIET_MIN: usize = 1024;
/// Nonces put into the table in one step, in a quiet moment. A step takes about 3 ms.
const PER_STEP: usize = 500;
/// Rooms whose entries have been looked at; over it, while all nonces are in the table, they are forgotten.
const LOADED_MAX: usize = 4096;

/// Room, user (by their numbers) and nonce of a message.
pub(super) type Key = (i64, i64, [u8; 16]);

/// One piece of a run, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    /// Put the nonce of this message into the table.
    Nonce(Key, u64),
    /// All nonces of this room are in the table up to this id.
    Room(i64, u64),
}

/// Finds messages by their nonces.
pub(super) struct Nonces<'c> {
    find: Statement<'c>,
    insert: Statement<'c>,
    remove: Statement<'c>,
    bounds: Statement<'c>,
    tail: Statement<'c>,
    mark: Statement<'c>,
    /// Those that are not in the table, with their ids.
    fresh: HashMap<Key, u64>,
    /// Of the open transaction.
    added: Vec<Key>,
    /// Entries of the open transaction, also those without a nonce.
    appended: usize,
    /// Entries since the last run began.
    since: usize,
    /// Rooms whose nonces are all in the table or fresh.
    loaded: HashSet<i64>,
    /// Rooms with entries behind their `indexed_id`, with their last ids.
    touched: BTreeMap<i64, u64>,
    /// The run under way: from `done` on it is still to be done, up to `tried` by the open transaction.
    run: Vec<Item>,
    done: usize,
    tried: usize,
    /// Entries after which a run begins.
    run_min: usize,
}

impl<'c> Nonces<'c> {
    /// A run begins after `run_min` entries; the memory is about 150 bytes for each.
    pub fn new(connection: &'c Connection, run_min: usize) -> Result<Nonces<'c>> {
        Ok(Nonces {
            find: connection.prepare("SELECT id FROM nonces WHERE room = ?1 AND user = ?2 AND nonce = ?3")?,
            // Not of an entry that was pruned meanwhile.
            insert: connection.prepare(
                "INSERT INTO nonces (room, user, nonce, id)
                 SELECT room, user, nonce, id FROM entries WHERE room = ?1 AND id = ?2 AND nonce IS NOT NULL
                 ON CONFLICT (room, user, nonce) DO UPDATE SET id = excluded.id",
            )?,
            remove: connection
                .prepare("DELETE FROM nonces WHERE room = ?1 AND user = ?2 AND nonce = ?3 AND id = ?4")?,
            bounds: connection.prepare("SELECT indexed_id, last_id FROM rooms WHERE number = ?1")?,
            tail: connection
                .prepare("SELECT user, nonce, id FROM entries WHERE room = ?1 AND id > ?2 AND nonce IS NOT NULL")?,
            mark: connection.prepare("UPDATE rooms SET indexed_id = ?2 WHERE number = ?1")?,
            fresh: HashMap::new(),
            added: vec![],
            appended: 0,
            since: 0,
            loaded: HashSet::new(),
            touched: BTreeMap::new(),
            run: vec![],
            done: 0,
            tried: 0,
            run_min,
        })
    }

    /// The id of the message, which may have been pruned.
    pub fn find(&mut self, (room, user, nonce): Key) -> Result<Option<u64>> {
        self.load(room)?;
        if let Some(&id) = self.fresh.get(&(room, user, nonce)) {
            return Ok(Some(id));
        }
        let found: Option<i64> = self.find.query_row(params![room, user, nonce], |row| row.get(0)).optional()?;
        Ok(found.map(unsigned))
    }

    /// An entry was appended in the open transaction.
    pub fn add(&mut self, room: i64, user: i64, nonce: Option<&Nonce>, id: u64) {
        self.appended += 1;
        if let Some(nonce) = nonce {
            self.fresh.insert((room, user, nonce.0), id);
            self.added.push((room, user, nonce.0));
        }
    }

    /// This message is about to be pruned, in the open transaction. If its nonce is still in memory, it does not get into
    /// the table any more.
    pub fn remove(&mut self, (room, user, nonce): Key, id: u64) -> Result<()> {
        self.remove.execute(params![room, user, nonce, signed(id)]).map(drop)
    }

    /// Does a part of the run, twice as fast as entries are appended, in the transaction that appends them.
    pub fn follow(&mut self) -> Result<()> {
        self.work(2 * self.appended)
    }

    /// Whether a quiet moment can be used.
    pub fn is_waiting(&self) -> bool {
        !self.run.is_empty() || self.since >= QUIET_MIN
    }

    /// Whether any nonce is not in the table.
    pub fn is_behind(&self) -> bool {
        !self.run.is_empty() || self.since > 0
    }

    /// Does a step in the open transaction, which appends nothing.
    pub fn step(&mut self) -> Result<()> {
        if self.run.is_empty() {
            self.begin();
        }
        self.work(PER_STEP)
    }

    /// The transaction is committed; these are the rooms that it has changed, with their last ids.
    pub fn committed(&mut self, rooms: impl Iterator<Item = (i64, u64)>) {
        self.touched.extend(rooms);
        self.since += std::mem::take(&mut self.appended);
        self.added.clear();
        for item in &self.run[self.done..self.tried] {
            if let Item::Nonce(key, id) = item
                && self.fresh.get(key) == Some(id)
            {
                self.fresh.remove(key);
            }
        }
        self.done = self.tried;
        if self.done < self.run.len() {
            return;
        }
        (self.done, self.tried) = (0, 0);
        self.run.clear();
        if self.since >= self.run_min {
            self.begin();
        } else if self.touched.is_empty() && self.loaded.len() > LOADED_MAX {
            self.loaded.clear();
        }
    }

    /// Forgets what the open transaction did: it was rolled back.
    pub fn forget(&mut self) {
        for key in self.added.drain(..) {
            self.fresh.remove(&key);
        }
        self.appended = 0;
        self.tried = self.done;
    }

    /// Reads what is not in the table of a room that was not asked for since the start.
    fn load(&mut self, room: i64) -> Result<()> {
        if self.loaded.contains(&room) {
            return Ok(());
        }
        let bounds = self.bounds.query_row([room], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((indexed, last)) = bounds
            && indexed < last
        {
            let row = |row: &Row<'_>| Ok(((room, row.get(0)?, row.get(1)?), unsigned(row.get(2)?)));
            for found in self.tail.query_map([room, indexed], row)? {
                let (key, id) = found?;
                self.fresh.insert(key, id);
            }
            self.touched.insert(room, unsigned(last));
            self.since += usize::try_from(last.saturating_sub(indexed)).unwrap_or(0);
        }
        self.loaded.insert(room);
        Ok(())
    }

    /// Begins a run with all that is not in the table.
    fn begin(&mut self) {
        self.run = self.fresh.iter().map(|(&key, &id)| Item::Nonce(key, id)).collect();
        self.run.extend(std::mem::take(&mut self.touched).into_iter().map(|(room, last)| Item::Room(room, last)));
        // A room behind its nonces.
        let order = |item: &Item| match *item {
            Item::Nonce((room, user, nonce), _) => (room, 0, user, nonce),
            Item::Room(room, _) => (room, 1, 0, [0; 16]),
        };
        self.run.sort_unstable_by_key(order);
        self.since = 0;
    }

    fn work(&mut self, most: usize) -> Result<()> {
        let end = self.run.len().min(self.tried.saturating_add(most));
        for item in &self.run[self.tried..end] {
            match *item {
                Item::Nonce((room, ..), id) => self.insert.execute([room, signed(id)])?,
                Item::Room(room, last) => self.mark.execute([room, signed(last)])?,
            };
        }
        self.tried = end;
        Ok(())
    }
}
