//! The history in numbers.

use super::Reader;
use super::rooms::unsigned;
use super::schema::kind;
use super::watch::log_of;
use crate::clock::UnixMillis;
use rusqlite::OptionalExtension;

/// Rows counted in one look at the file. It takes some milliseconds.
const ROWS_PER_LOOK: i64 = 50_000;

/// What `squall history stats` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Rooms that have or had entries.
    pub rooms: u64,
    /// Names in the history.
    pub users: u64,
    pub entries: u64,
    /// Messages, with those that were deleted.
    pub messages: u64,
    /// Messages that have no text any more.
    pub deleted: u64,
    /// Bytes of the database.
    pub file_bytes: u64,
    /// Bytes of its write-ahead log.
    pub log_bytes: u64,
    /// Time of the first and the last entry that is kept.
    pub times: Option<(UnixMillis, UnixMillis)>,
}

/// Counts.
///
/// # Errors
/// A sentence that names the file.
pub fn figures(reader: &Reader) -> Result<Figures, String> {
    let number = |sql| reader.said(|connection| connection.query_row(sql, [], |row| row.get(0)).map(unsigned));
    let time = |sql| {
        let found = reader.said(|connection| connection.query_row(sql, [], |row| row.get(0)).optional());
        found
            .map(|millis: Option<Option<i64>>| millis.flatten().map(|millis| UnixMillis::from_millis(unsigned(millis))))
    };
    let bytes = |path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut figures = Figures {
        rooms: number("SELECT count(*) FROM rooms WHERE last_id > 0")?,
        users: number("SELECT count(*) FROM users")?,
        file_bytes: bytes(reader.file.clone()),
        log_bytes: bytes(log_of(&reader.file)),
        ..Figures::default()
    };
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE kind = {0}), count(*) FILTER (WHERE kind = {0} AND text IS NULL)
         FROM entries WHERE number > ?1 AND number <= ?1 + {ROWS_PER_LOOK}",
        kind::MESSAGE
    );
    let last: i64 = reader.said(|connection| {
        connection.query_row("SELECT coalesce(max(number), 0) FROM entries", [], |row| row.get(0))
    })?;
    for from in (0..last).step_by(ROWS_PER_LOOK as usize) {
        let counts = reader.said(|connection| {
            let mut count = connection.prepare(&sql)?;
            count.query_row([from], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
        })?;
        let [entries, messages, deleted] = counts.map(unsigned);
        figures.entries += entries;
        figures.messages += messages;
        figures.deleted += deleted;
    }
    // Times do not run backwards in a room.
    let oldest = "SELECT min((SELECT at FROM entries WHERE room = rooms.number ORDER BY id LIMIT 1)) FROM rooms";
    let newest = "SELECT max((SELECT at FROM entries WHERE room = rooms.number ORDER BY id DESC LIMIT 1)) FROM rooms";
    figures.times = time(oldest)?.zip(time(newest)?);
    Ok(figures)
}
