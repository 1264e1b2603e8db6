//! A second connection, which only reads: what commands look at while a server writes, or without one.
//!
//! Each call is one statement, and so one short look at the file. A look that lasts keeps the store from emptying its log.

use super::history::Stored;
use super::open::{self, FILE};
use super::rooms::Room;
use super::schema::kind;
use crate::clock::UnixMillis;
use crate::store::{Entry, Kind, Nonce, PAGE_MAX, Position};
use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns of a [`RoomRow`].
const ROOM: &str = "number, last_id, last_tag, last_at, pruned_id, pruned_tag, rewritten_id, name";

/// A history that is read.
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) file: PathBuf,
}

/// A room, as it is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    pub name: Arc<str>,
    /// Of the last entry.
    pub last: Position,
    /// Time of the last entry.
    pub at: UnixMillis,
    /// Entries that are kept.
    pub entries: u64,
    number: i64,
}

impl RoomRow {
    fn from_row(row: &Row<'_>) -> Result<RoomRow, Error> {
        let room = Room::from_row(row)?;
        let entries = room.last.id.saturating_sub(room.pruned.id);
        Ok(RoomRow { name: row.get(7)?, last: room.last, at: room.at, entries, number: room.number })
    }
}

impl Reader {
    /// Opens the history in this directory.
    ///
    /// # Errors
    /// A sentence that names the file: there is none, or why it cannot be read.
    pub fn open(directory: &Path) -> Result<Reader, String> {
        Reader::open_file(&directory.join(FILE))
    }

    /// Opens this file, which may be a copy.
    ///
    /// # Errors
    /// As of [`Reader::open`].
    pub fn open_file(file: &Path) -> Result<Reader, String> {
        Ok(Reader { connection: open::open_to_read(file)?, file: file.to_owned() })
    }

    /// The rooms behind this name in their order, a page of them; the first ones behind the empty name.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn rooms(&self, after: &str) -> Result<Vec<RoomRow>, String> {
        let sql = format!("SELECT {ROOM} FROM rooms WHERE name > ?1 AND last_id > 0 ORDER BY name LIMIT {PAGE_MAX}");
        self.said(|connection| connection.prepare(&sql)?.query_map([after], RoomRow::from_row)?.collect())
    }

    /// The room with this name, if it has or had entries.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn room(&self, name: &str) -> Result<Option<RoomRow>, String> {
        let sql = format!("SELECT {ROOM} FROM rooms WHERE name = ?1 AND last_id > 0");
        self.said(|connection| connection.prepare(&sql)?.query_row([name], RoomRow::from_row).optional())
    }

    /// The entries behind the one with this id, a page of them. What is cleared and not erased yet has no text.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn entries(&self, room: &RoomRow, after: u64) -> Result<Vec<Entry>, String> {
        let sql = format!(
            "SELECT e.id, e.kind, e.tag, e.at, e.user, e.nonce,
                    CASE WHEN EXISTS (SELECT 1 FROM clears c
                                      WHERE c.room = e.room AND c.user = e.user AND c.done < e.id AND e.id <= c.until)
                         THEN NULL ELSE e.text END,
                    e.target, u.name, t.name
             FROM entries e
             LEFT JOIN users u ON u.number = e.user
             LEFT JOIN users t ON t.number = e.target AND e.kind = {}
             WHERE e.room = ?1 AND e.id > ?2 ORDER BY e.id LIMIT {PAGE_MAX}",
            kind::CLEARED
        );
        let after = super::rooms::signed(after);
        self.said(|connection| connection.prepare(&sql)?.query_map(params![room.number, after], entry_of)?.collect())
    }

    /// What a look at the file yields.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn said<T>(&self, look: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, String> {
        look(&self.connection).map_err(|e| open::sentence(&self.file, &e))
    }
}

fn entry_of(row: &Row<'_>) -> Result<Entry, Error> {
    let stored = Stored::from_row(row)?;
    let user = row.get(8)?;
    let kind = match stored.kind {
        kind::MESSAGE => Kind::Message { user, nonce: stored.nonce.map(Nonce), text: stored.text },
        kind::DELETED => Kind::Deleted { target: super::rooms::unsigned(stored.target.unwrap_or(0)), by: user },
        kind::CLEARED => Kind::Cleared { user: row.get(9)?, by: user },
        unknown => return Err(Error::IntegralValueOutOfRange(1, unknown)),
    };
    Ok(Entry { id: stored.id, tag: stored.tag, at: stored.at, kind })
}
