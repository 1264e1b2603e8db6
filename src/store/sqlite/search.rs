//! Searching the messages of a room, the newest first: what is not indexed is read as it is, and of the rest the blocks
//! that the index names.
//!
//! A search is done in steps, and the loop's side asks for each. So however long a history is, a step looks at a few
//! thousand texts ([`Budget`]) and says where the next one begins. FTS5 cannot be stopped while it looks for the first
//! block: that takes up to 10 ms for each million messages in the file.

use super::history::{Stored, TEXT_COLUMN};
use super::rooms::{Room, signed, unsigned};
use super::texts::{BLOCK, block_of, expression, key};
use crate::store::words::{Budget, Words};
use rusqlite::{Connection, Result, Statement, params};

/// The statements of a search.
pub(super) struct Search<'c> {
    blocks: Statement<'c>,
    entries: Statement<'c>,
}

/// One step of a search.
pub(super) struct Lookup<'a> {
    room: Room,
    words: &'a Words,
    budget: Budget,
    wanted: usize,
    /// All entries from this id on were looked at.
    at: u64,
    found: Vec<Stored>,
    buffer: String,
}

impl<'a> Lookup<'a> {
    /// For at most `wanted` messages with ids smaller than `before`.
    pub fn new(room: Room, words: &'a Words, before: Option<u64>, wanted: usize, budget: Budget) -> Lookup<'a> {
        let at = before.unwrap_or(u64::MAX).min(room.last.id + 1);
        Lookup { room, words, budget, wanted, at, found: vec![], buffer: String::new() }
    }

    /// The messages, the newest first, and the id before which the search goes on.
    pub fn end(self) -> (Vec<Stored>, Option<u64>) {
        let next = (self.at > self.first()).then_some(self.at);
        (self.found, next)
    }

    /// The id of the first entry that is kept.
    fn first(&self) -> u64 {
        self.room.pruned.id + 1
    }

    fn is_over(&self) -> bool {
        self.found.len() >= self.wanted || self.budget.is_spent() || self.at <= self.first()
    }
}

impl<'c> Search<'c> {
    pub fn new(connection: &'c Connection, columns: &str) -> Result<Search<'c>> {
        Ok(Search {
            blocks: connection.prepare(
                "SELECT rowid FROM texts WHERE texts MATCH ?1 AND rowid >= ?2 AND rowid < ?3 ORDER BY rowid DESC",
            )?,
            // Entries without a text as well: to pass them is work, too.
            entries: connection.prepare(&format!(
                "SELECT {columns} FROM entries WHERE room = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC"
            ))?,
        })
    }

    /// Does the step. The room is indexed up to the id `searched`; messages that `is_gone` says so of are not found.
    pub fn run(&mut self, lookup: &mut Lookup<'_>, searched: u64, is_gone: impl Fn(&Stored) -> bool) -> Result<()> {
        let Some(expression) = expression(lookup.words) else {
            return look(&mut self.entries, lookup, lookup.first(), &is_gone);
        };
        look(&mut self.entries, lookup, lookup.first().max(searched + 1), &is_gone)?;
        if lookup.is_over() {
            return Ok(());
        }
        // All that is left is indexed.
        let number = lookup.room.number;
        let (low, high) = ((lookup.first() - 1) / BLOCK, (lookup.at - 2) / BLOCK);
        let mut blocks = self.blocks.query(params![expression, key(number, low), key(number, high) + 1])?;
        while let Some(row) = blocks.next()? {
            let before_block = block_of(row.get(0)?) * BLOCK;
            lookup.at = lookup.at.min(before_block + BLOCK + 1);
            look(&mut self.entries, lookup, lookup.first().max(before_block + 1), &is_gone)?;
            if lookup.is_over() {
                return Ok(());
            }
        }
        lookup.at = lookup.first();
        Ok(())
    }
}

/// Looks at the entries before `lookup.at`, down to the id `first`.
fn look(
    entries: &mut Statement<'_>,
    lookup: &mut Lookup<'_>,
    first: u64,
    is_gone: impl Fn(&Stored) -> bool,
) -> Result<()> {
    let mut rows = entries.query(params![lookup.room.number, signed(first), signed(lookup.at)])?;
    while !lookup.is_over()
        && let Some(row) = rows.next()?
    {
        let text = row.get_ref(TEXT_COLUMN)?.as_str_or_null().ok().flatten().unwrap_or_default();
        lookup.budget.take(text.len());
        if lookup.words.match_text(text, &mut lookup.buffer) {
            let entry = Stored::from_row(row)?;
            if !is_gone(&entry) {
                lookup.found.push(entry);
            }
        }
        lookup.at = unsigned(row.get(0)?);
    }
    Ok(())
}
