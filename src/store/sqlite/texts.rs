//! The index of the texts: an FTS5 table with the trigram tokenizer, in blocks of 16 entries of a room.
//!
//! One row of the index has the texts of a block. Common trigrams are named once for 16 messages, so the index takes 45
//! bytes a message instead of 85, a search walks through lists that are 8 times as short, and no search sees the rows of
//! another room. A search looks at the texts of each block that it finds ([`super::search`]), so the index may have more
//! than there is, but never less. That makes it cheap to keep:
//!
//! * New entries are indexed in quiet moments, whole blocks only. It takes 10 µs for each message, as long as it takes to
//!   store one. A search reads what is not indexed. `rooms.searched_id` says up to where a room is.
//! * A text that is erased puts its block on the list `stale`, which is one small row. A chore indexes the block again.
//! * FTS5 leaves the old trigrams in its segments until these are merged, which a chore does, in quiet moments too. With
//!   its `secure-delete` they would leave at once, at 2 to 10 ms for each message (measured with 200,000): 64 authors
//!   who delete what they say would stop the store.
//!
//! The index keeps no text (`content = ''`), no places of words (`detail = none`), and is given texts in lower case as
//! [`fold`] makes it, which is what a query is compared with.

use super::rooms::{signed, unsigned};
use crate::store::words::{Words, fold};
use rusqlite::{Connection, OptionalExtension, Result, Row, Statement, params};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Entries of one block. With 32 the index takes 34 bytes a message, and twice as many blocks are looked at in vain.
pub(super) const BLOCK: u64 = 16;
/// Bits of a number of the index that are for the block; the ones above are for the room.
const BLOCK_BITS: u32 = 40;
/// Rooms with larger numbers are not indexed, which would take over four million rooms.
const ROOMS_END: i64 = 1 << 22;
/// Entries with larger ids are not indexed, which would take seventeen trillion messages in one room.
const IDS_END: u64 = BLOCK << BLOCK_BITS;
/// Entries after which a quiet moment is used. Fewer are not worth a transaction of their own.
const QUIET_MIN: u64 = 1024;
/// Blocks and bytes of their texts, about, that are indexed in one step. A step takes about 3 ms.
const STEP_BLOCKS: usize = 32;
const STEP_BYTES: usize = 32 << 10;
/// Stale blocks that are indexed again in one step.
const STEP_STALE: i64 = 16;
/// Pages that one step of a merge writes, about. A step takes up to 7 ms. If FTS5 merges by itself (`automerge`), a step of
/// the index takes up to 29 ms.
const MERGE_PAGES: i64 = 32;
/// Time between two merges of all segments: it writes the whole index anew.
const MERGE_EVERY: Duration = Duration::from_secs(600);
/// Trigrams of a query that are looked up. Each is a list to walk through, and the texts are looked at anyway.
const TRIGRAMS_MAX: usize = 8;
/// The row of `stale` that is no block: old trigrams are to be merged away.
const MERGE: i64 = -1;

/// What the merge of all segments is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    /// Nothing is to be merged away.
    None,
    /// It has not begun.
    Waiting,
    /// Some steps are done.
    UnderWay,
}

/// Keeps the index.
pub(super) struct Texts<'c> {
    connection: &'c Connection,
    unsearched: Statement<'c>,
    bounds: Statement<'c>,
    read: Statement<'c>,
    insert: Statement<'c>,
    remove: Statement<'c>,
    mark: Statement<'c>,
    outdate: Statement<'c>,
    next_stale: Statement<'c>,
    put_stale: Statement<'c>,
    take_stale: Statement<'c>,
    merge: Statement<'c>,
    /// Rooms, by number, that may have blocks to index.
    behind: BTreeSet<i64>,
    /// Entries since the last run began.
    since: u64,
    /// Entries of the open transaction.
    appended: u64,
    is_running: bool,
    /// FTS5 may have segments to merge, which makes searches fast.
    has_segments: bool,
    /// Blocks wait in `stale`.
    has_stale: bool,
    merging: Merge,
    /// Not before this time.
    merge_from: Instant,
    /// The fields above may not be what is in the file: a transaction was rolled back.
    is_unsure: bool,
    document: String,
}

impl<'c> Texts<'c> {
    /// Looks up what is to be done.
    pub fn new(connection: &'c Connection, now: Instant) -> Result<Texts<'c>> {
        let mut texts = Texts {
            connection,
            unsearched: connection.prepare(&format!(
                "SELECT number, last_id - max(searched_id, pruned_id) FROM rooms
                 WHERE last_id - max(searched_id, pruned_id) >= {BLOCK} AND number < {ROOMS_END}"
            ))?,
            bounds: connection.prepare("SELECT searched_id, pruned_id, last_id FROM rooms WHERE number = ?1")?,
            read: connection.prepare(
                "SELECT text FROM entries WHERE room = ?1 AND id > ?2 AND id <= ?3 AND text IS NOT NULL ORDER BY id",
            )?,
            insert: connection.prepare("INSERT INTO texts (rowid, text) VALUES (?1, ?2)")?,
            remove: connection.prepare("DELETE FROM texts WHERE rowid = ?1")?,
            mark: connection.prepare("UPDATE rooms SET searched_id = ?2 WHERE number = ?1")?,
            outdate: connection.prepare(&format!(
                "INSERT OR IGNORE INTO stale (block)
                 SELECT DISTINCT (?1 << {BLOCK_BITS}) + (id - 1) / {BLOCK} FROM entries
                 WHERE room = ?1 AND id > ?2 AND id <= ?3 AND (?4 IS NULL OR user = ?4) AND text IS NOT NULL
                 AND id <= (SELECT searched_id FROM rooms WHERE number = ?1)"
            ))?,
            next_stale: connection
                .prepare(&format!("SELECT block FROM stale WHERE block >= 0 ORDER BY block LIMIT {STEP_STALE}"))?,
            put_stale: connection.prepare("INSERT OR IGNORE INTO stale (block) VALUES (?1)")?,
            take_stale: connection.prepare("DELETE FROM stale WHERE block = ?1")?,
            merge: connection.prepare("INSERT INTO texts (texts, rank) VALUES ('merge', ?1)")?,
            behind: BTreeSet::new(),
            since: 0,
            appended: 0,
            is_running: false,
            has_segments: false,
            has_stale: false,
            merging: Merge::None,
            merge_from: now,
            is_unsure: true,
            document: String::new(),
        };
        texts.refresh()?;
        Ok(texts)
    }

    /// Looks up again what is to be done, after [`Texts::forget`].
    pub fn refresh(&mut self) -> Result<()> {
        if !self.is_unsure {
            return Ok(());
        }
        let rows = self.unsearched.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rooms = rows.collect::<Result<Vec<(i64, i64)>>>()?;
        self.since = rooms.iter().fold(0, |sum, &(_, entries)| sum.saturating_add(unsigned(entries)));
        self.behind = rooms.into_iter().map(|(room, _)| room).collect();
        let has = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, bool>(0));
        self.has_stale = has("SELECT EXISTS (SELECT * FROM stale WHERE block >= 0)")?;
        let has_merge = has("SELECT EXISTS (SELECT * FROM stale WHERE block < 0)")?;
        self.merging = if has_merge { Merge::Waiting } else { Merge::None };
        self.is_running = false;
        self.is_unsure = false;
        Ok(())
    }

    /// An entry was appended in the open transaction.
    pub fn add(&mut self) {
        self.appended += 1;
    }

    /// The transaction is committed; these rooms have changed.
    pub fn committed(&mut self, rooms: impl Iterator<Item = i64>) {
        self.behind.extend(rooms.filter(|&room| room < ROOMS_END));
        self.since += std::mem::take(&mut self.appended);
    }

    /// The open transaction was rolled back.
    pub fn forget(&mut self) {
        self.appended = 0;
        self.is_unsure = true;
    }

    /// The texts behind the id `after` and up to `until`, of one user or of all, are about to be erased in the open
    /// transaction.
    pub fn outdate(&mut self, room: i64, after: u64, until: u64, user: Option<i64>) -> Result<()> {
        let outdated = self.outdate.execute(params![room, signed(after), signed(until), user])?;
        self.has_stale |= outdated > 0;
        Ok(())
    }

    /// Whether blocks have texts in the index that were erased.
    pub fn has_stale(&self) -> bool {
        self.has_stale
    }

    /// Whether a quiet moment can be used.
    pub fn is_waiting(&self, now: Instant) -> bool {
        self.has_stale || self.has_segments || self.is_running || self.since >= QUIET_MIN || self.may_merge(now)
    }

    fn may_merge(&self, now: Instant) -> bool {
        self.merging != Merge::None && now >= self.merge_from
    }

    /// Does a step in the open transaction.
    pub fn step(&mut self, now: Instant) -> Result<()> {
        self.refresh()?;
        if self.has_stale {
            self.index_stale()
        } else if self.has_segments {
            self.has_segments = self.merge(MERGE_PAGES)?;
            Ok(())
        } else if self.is_running || self.since >= QUIET_MIN {
            self.index_new()
        } else if self.may_merge(now) {
            self.merge_old(now)
        } else {
            Ok(())
        }
    }

    /// The id up to which the room is in the index, a whole number of blocks.
    pub fn searched(&mut self, room: i64) -> Result<u64> {
        Ok(self.bounds.query_row([room], |row| row.get(0)).optional()?.map_or(0, unsigned))
    }

    fn index_new(&mut self) -> Result<()> {
        if !self.is_running {
            (self.is_running, self.since) = (true, 0);
        }
        self.has_segments = true;
        let (mut blocks, mut bytes) = (0, 0);
        // Room by room, in the order of their numbers: FTS5 writes a segment each time that a number is not larger than
        // the one before.
        while let Some(&room) = self.behind.first() {
            let row = |row: &Row<'_>| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?), unsigned(row.get(2)?)));
            let bounds = self.bounds.query_row([room], row).optional()?;
            let (searched, pruned, last) = bounds.unwrap_or_default();
            let begin = searched.max(pruned / BLOCK * BLOCK);
            let mut end = begin;
            while last.min(IDS_END).saturating_sub(end) >= BLOCK && blocks < STEP_BLOCKS && bytes < STEP_BYTES {
                bytes += self.index(room, end / BLOCK)?;
                blocks += 1;
                end += BLOCK;
            }
            if end > begin {
                self.mark.execute([room, signed(end)])?;
            }
            if blocks >= STEP_BLOCKS || bytes >= STEP_BYTES {
                return Ok(());
            }
            self.behind.pop_first();
        }
        self.is_running = false;
        Ok(())
    }

    /// Puts a block into the index; returns the bytes of its texts.
    fn index(&mut self, room: i64, block: u64) -> Result<usize> {
        self.document.clear();
        let range = params![room, signed(block * BLOCK), signed((block + 1) * BLOCK)];
        let mut rows = self.read.query(range)?;
        while let Some(row) = rows.next()? {
            if let Ok(text) = row.get_ref(0)?.as_str() {
                fold_for_index(text, &mut self.document);
                self.document.push('\n');
            }
        }
        if !self.document.is_empty() {
            self.insert.execute(params![key(room, block), self.document])?;
        }
        Ok(self.document.len())
    }

    fn index_stale(&mut self) -> Result<()> {
        let keys = self.next_stale.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>>>()?;
        for &key in &keys {
            self.remove.execute([key])?;
            self.index(key >> BLOCK_BITS, block_of(key))?;
            self.take_stale.execute([key])?;
        }
        if keys.is_empty() {
            self.has_stale = false;
        } else {
            self.put_stale.execute([MERGE])?;
            (self.merging, self.has_segments) = (Merge::Waiting, true);
        }
        Ok(())
    }

    fn merge_old(&mut self, now: Instant) -> Result<()> {
        // A negative number begins with all segments, also with one alone (FTS5, section 6.9).
        let pages = if self.merging == Merge::Waiting { -MERGE_PAGES } else { MERGE_PAGES };
        self.merging = Merge::UnderWay;
        if !self.merge(pages)? {
            self.take_stale.execute([MERGE])?;
            (self.merging, self.merge_from) = (Merge::None, now + MERGE_EVERY);
        }
        Ok(())
    }

    /// Merges segments, if there is something to merge; returns whether there was.
    fn merge(&mut self, pages: i64) -> Result<bool> {
        let before = self.connection.total_changes();
        self.merge.execute([pages])?;
        // One change is the command itself (FTS5, section 6.8).
        Ok(self.connection.total_changes() - before >= 2)
    }
}

/// What FTS5 is asked for: the blocks that have these trigrams of the words. `None` if no word has three characters.
pub(super) fn expression(words: &Words) -> Option<String> {
    let mut trigrams = vec![];
    for word in words.iter() {
        let mut folded = String::new();
        fold_for_index(word, &mut folded);
        let starts: Vec<usize> = folded.char_indices().map(|(at, _)| at).chain([folded.len()]).collect();
        trigrams.push(starts.windows(4).map(|at| folded[at[0]..at[3]].replace('"', "\"\"")).collect::<Vec<_>>());
    }
    let count: usize = trigrams.iter().map(Vec::len).sum();
    // All, or some that are evenly spread.
    let step = count.div_ceil(TRIGRAMS_MAX).max(1);
    let picked = trigrams.iter().flatten().step_by(step).map(|trigram| format!("\"{trigram}\""));
    let picked: Vec<String> = picked.collect();
    (!picked.is_empty()).then(|| picked.join(" AND "))
}

/// The tokenizer takes a NUL for the end.
fn fold_for_index(text: &str, into: &mut String) {
    if text.contains('\0') {
        fold(&text.replace('\0', "\n"), into);
    } else {
        fold(text, into);
    }
}

/// The number of a block in the index.
pub(super) fn key(room: i64, block: u64) -> i64 {
    (room << BLOCK_BITS) + signed(block)
}

/// The block of a number in the index.
pub(super) fn block_of(key: i64) -> u64 {
    unsigned(key & ((1 << BLOCK_BITS) - 1))
}
