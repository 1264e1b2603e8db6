//! Whether a history is as it should be: what SQLite knows of its pages, and what the tables say of each other.

use super::Reader;
use super::schema::kind;
use crate::store::PAGE_MAX;
use rusqlite::{ErrorCode, OptionalExtension, Row, params};

/// Sentences about faults, at most: a damaged file may have one for each entry.
const SAID_MAX: u64 = 100;

/// What was looked at, and what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    pub rooms: u64,
    pub entries: u64,
    pub nonces: u64,
    /// 0: the history is sound.
    pub faults: u64,
}

/// Checks the history; `say` gets a sentence for each fault, the first hundred of them. A page of entries or nonces is
/// one look at the file; the check of its pages by SQLite is one long look.
///
/// # Errors
/// A sentence that names the file: it cannot be read.
pub fn check(reader: &Reader, say: &mut dyn FnMut(&str)) -> Result<Checked, String> {
    let mut check = Check { reader, say, checked: Checked::default() };
    // Of a file whose pages are damaged the rest says nothing.
    if check.pages()? {
        check.rooms()?;
        check.strays()?;
        check.nonces()?;
        check.clears()?;
    }
    Ok(check.checked)
}

/// A check under way.
struct Check<'a> {
    reader: &'a Reader,
    say: &'a mut dyn FnMut(&str),
    checked: Checked,
}

/// An entry, and what other tables say about it in the same look.
struct Looked {
    id: i64,
    kind: i64,
    tag: i64,
    at: i64,
    nonce: Option<Vec<u8>>,
    has_text: bool,
    target: Option<i64>,
    has_user: bool,
    has_target_user: bool,
    /// The id that the table of nonces has for its nonce.
    known_as: Option<i64>,
    pruned: i64,
    indexed: i64,
}

impl Looked {
    fn from_row(row: &Row<'_>) -> Result<Looked, rusqlite::Error> {
        Ok(Looked {
            id: row.get(0)?,
            kind: row.get(1)?,
            tag: row.get(2)?,
            at: row.get(3)?,
            nonce: row.get(4)?,
            has_text: row.get(5)?,
            target: row.get(6)?,
            has_user: row.get(7)?,
            has_target_user: row.get(8)?,
            known_as: row.get(9)?,
            pruned: row.get(10)?,
            indexed: row.get(11)?,
        })
    }

    /// What is wrong with the entry itself.
    fn fault(&self) -> Option<&'static str> {
        let is_tag = i32::try_from(self.tag).is_ok();
        let has_target = self.target.is_some_and(|target| target >= 1 && target < self.id);
        match self.kind {
            _ if !is_tag => Some("its tag has more than 32 bits"),
            _ if !self.has_user => Some("its user has no name"),
            kind::MESSAGE if self.target.is_some() => Some("it is a message, and about another entry"),
            kind::MESSAGE if self.nonce.as_ref().is_some_and(|nonce| nonce.len() != 16) => {
                Some("its nonce does not have 128 bits")
            }
            kind::MESSAGE if self.nonce.is_some() && self.id <= self.indexed && self.known_as != Some(self.id) => {
                Some("its nonce is not known: sent again, it would be stored again")
            }
            kind::MESSAGE => None,
            _ if self.has_text || self.nonce.is_some() => Some("it is no message, and has a text or a nonce"),
            kind::DELETED if !has_target => Some("it deletes an entry that is not in front of it"),
            kind::CLEARED if !self.has_target_user => Some("it clears a user that has no name"),
            kind::DELETED | kind::CLEARED => None,
            _ => Some("its kind is unknown"),
        }
    }
}

impl Check<'_> {
    fn fault(&mut self, what: &str) {
        self.checked.faults += 1;
        match self.checked.faults {
            1..=SAID_MAX => (self.say)(what),
            faults if faults == SAID_MAX + 1 => (self.say)("there are more faults"),
            _ => {}
        }
    }

    /// What SQLite finds in its pages. Returns whether that is nothing.
    fn pages(&mut self) -> Result<bool, String> {
        let found = self.reader.said(|connection| {
            let mut check = connection.prepare(&format!("PRAGMA quick_check({SAID_MAX})"))?;
            let found = check.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<String>, _>>();
            // With some faults it does not get to its end.
            match found {
                Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(vec![e.to_string()]),
                found => found,
            }
        })?;
        let faults: Vec<&String> = found.iter().filter(|line| *line != "ok").collect();
        faults.iter().for_each(|line| self.fault(&format!("the database: {line}")));
        Ok(faults.is_empty())
    }

    fn rooms(&mut self) -> Result<(), String> {
        let (sql, mut number) = ("SELECT number, name FROM rooms WHERE number > ?1 ORDER BY number LIMIT 1", 0);
        loop {
            let next = self.reader.said(|connection| {
                let mut next = connection.prepare(sql)?;
                next.query_map([number], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?.next().transpose()
            })?;
            let Some((next, name)) = next else { return Ok(()) };
            number = next;
            self.checked.rooms += 1;
            self.entries(number, &name)?;
            self.ends(number, &name)?;
        }
    }

    fn entries(&mut self, room: i64, name: &str) -> Result<(), String> {
        let sql = format!(
            "SELECT e.id, e.kind, e.tag, e.at, e.nonce, e.text IS NOT NULL, e.target, u.number IS NOT NULL,
                    t.number IS NOT NULL, n.id, r.pruned_id, r.indexed_id
             FROM entries e JOIN rooms r ON r.number = e.room
             LEFT JOIN users u ON u.number = e.user
             LEFT JOIN users t ON t.number = e.target
             LEFT JOIN nonces n ON n.room = e.room AND n.user = e.user AND n.nonce = e.nonce
             WHERE e.room = ?1 AND e.id > ?2 ORDER BY e.id LIMIT {PAGE_MAX}"
        );
        let (mut before, mut at) = (0, 0);
        loop {
            let page: Vec<Looked> = self.reader.said(|connection| {
                let mut page = connection.prepare(&sql)?;
                page.query_map(params![room, before], Looked::from_row)?.collect()
            })?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in page {
                // Entries may be pruned while others are looked at.
                let expected = before.max(entry.pruned).saturating_add(1);
                if entry.id > expected {
                    self.fault(&format!("{name}: the entries {expected} to {} are missing", entry.id - 1));
                }
                if entry.id <= entry.pruned {
                    self.fault(&format!("{name}, entry {}: it is there, and counts as pruned", entry.id));
                }
                if entry.at < at {
                    self.fault(&format!("{name}, entry {}: its time is before that of the one in front", entry.id));
                }
                if let Some(fault) = entry.fault() {
                    self.fault(&format!("{name}, entry {}: {fault}", entry.id));
                }
                (before, at) = (entry.id, entry.at);
                self.checked.entries += 1;
            }
        }
    }

    /// Whether the row of a room says of its entries what they are.
    fn ends(&mut self, room: i64, name: &str) -> Result<(), String> {
        let sql = "SELECT last_id = coalesce((SELECT max(id) FROM entries WHERE room = rooms.number), pruned_id),
                          last_id = pruned_id OR EXISTS (SELECT 1 FROM entries WHERE room = rooms.number AND id = last_id
                                                         AND tag = last_tag AND at = last_at),
                          pruned_id <= last_id AND indexed_id <= last_id AND rewritten_id <= last_id
                   FROM rooms WHERE number = ?1";
        let [is_last, is_same, is_in_order] = self.reader.said(|connection| {
            let mut ends = connection.prepare(sql)?;
            ends.query_row([room], |row| Ok([row.get::<_, bool>(0)?, row.get(1)?, row.get(2)?]))
        })?;
        for (is_so, fault) in [
            (is_last, "the last entry is not the one that the room names"),
            (is_same || !is_last, "the last entry has another tag or time than the room says"),
            (is_in_order, "the room names entries behind its last one"),
        ] {
            if !is_so {
                self.fault(&format!("{name}: {fault}"));
            }
        }
        Ok(())
    }

    /// Entries of rooms that are not there.
    fn strays(&mut self) -> Result<(), String> {
        let sql = "SELECT e.room, r.number IS NOT NULL FROM entries e LEFT JOIN rooms r ON r.number = e.room
                   WHERE e.room > ?1 ORDER BY e.room LIMIT 1";
        let mut room = i64::MIN;
        loop {
            let next: Option<(i64, bool)> = self.reader.said(|connection| {
                connection.query_row(sql, [room], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })?;
            let Some((next, is_there)) = next else { return Ok(()) };
            if !is_there {
                self.fault(&format!("there are entries of a room number {next}, which is not there"));
            }
            room = next;
        }
    }

    /// Whether each nonce in the table is that of the entry that it names.
    fn nonces(&mut self) -> Result<(), String> {
        let sql = format!(
            "SELECT n.room, n.user, n.nonce, n.id, coalesce(e.user = n.user AND e.nonce = n.nonce, 0)
             FROM nonces n LEFT JOIN entries e ON e.room = n.room AND e.id = n.id
             WHERE (n.room, n.user, n.nonce) > (?1, ?2, ?3)
             ORDER BY n.room, n.user, n.nonce LIMIT {PAGE_MAX}"
        );
        let mut after: (i64, i64, Vec<u8>) = (i64::MIN, i64::MIN, vec![]);
        loop {
            let page = self.reader.said(|connection| {
                let mut page = connection.prepare(&sql)?;
                let row = |row: &Row<'_>| {
                    Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get::<_, i64>(3)?, row.get::<_, bool>(4)?))
                };
                page.query_map(params![after.0, after.1, after.2], row)?.collect::<Result<Vec<_>, _>>()
            })?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, id, is_its) in page {
                if !is_its {
                    self.fault(&format!(
                        "a nonce of room number {} names the entry {id}, which does not have it",
                        key.0
                    ));
                }
                self.checked.nonces += 1;
                after = key;
            }
        }
    }

    /// Whether what is still to be erased can be.
    fn clears(&mut self) -> Result<(), String> {
        let sql = "SELECT count(*) FROM clears c LEFT JOIN rooms r ON r.number = c.room
                   LEFT JOIN users u ON u.number = c.user
                   WHERE r.number IS NULL OR u.number IS NULL OR c.done > c.until OR c.until > r.last_id";
        let wrong: i64 = self.reader.said(|connection| connection.query_row(sql, [], |row| row.get(0)))?;
        if wrong > 0 {
            self.fault(&format!("clears under way: {wrong} of them name no room, no user or no entry"));
        }
        Ok(())
    }
}
