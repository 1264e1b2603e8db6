//! Whether entries of another history can be imported: the checks that every store makes before it stores one of them.

use super::{Entry, IDS_MAX, Kind, Position, Refusal};
use crate::clock::UnixMillis;
use std::fmt;

/// Why entries are not imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    /// Of the entry, from 0 on; the flaws of a room are those of its first entry.
    pub index: usize,
    pub why: Wrong,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The room has other entries than those that the import is to go on behind.
    NotEmpty,
    /// Its id is not that of the entry before plus 1: some are missing.
    Hole { before: u64 },
    /// Its id is not above that of the entry before.
    Double { before: u64 },
    /// Its time is before that of the entry in front of it.
    Backwards,
    /// It is about an entry that is not in front of it.
    Target,
    /// No entry can have its id.
    Id,
    /// Another message of its user has its nonce.
    Nonce,
    /// Nothing is stored now.
    Refused(Refusal),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::NotEmpty => f.write_str("the room has other entries: only a room that is new can be imported"),
            Wrong::Hole { before } => write!(f, "there is a hole: the id in front of it is {before}"),
            Wrong::Double { before } => write!(f, "its id was there before: the one in front of it is {before}"),
            Wrong::Backwards => f.write_str("its time is before that of the entry in front of it"),
            Wrong::Target => f.write_str("it deletes an entry that is not in front of it"),
            Wrong::Id => write!(f, "its id is not between 1 and {}", IDS_MAX - 1),
            Wrong::Nonce => f.write_str("another message of the same user has its nonce"),
            Wrong::Refused(Refusal::Busy) => f.write_str("the history is busy: try again in a moment"),
            Wrong::Refused(_) => {
                f.write_str("the history takes nothing now: the log of the server, or squall history check, says why")
            }
        }
    }
}

/// Checks entries in their order.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The id of the entry before; `None` at the beginning of a room.
    before: Option<u64>,
    at: UnixMillis,
}

impl Order {
    /// Behind the entry with this position, which was stored at this time.
    pub fn behind(last: Position, at: UnixMillis) -> Order {
        Order { before: (last != Position::START).then_some(last.id), at }
    }

    /// The next entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Wrong> {
        if entry.id == 0 || entry.id >= IDS_MAX {
            return Err(Wrong::Id);
        }
        match self.before {
            Some(before) if entry.id <= before => return Err(Wrong::Double { before }),
            Some(before) if entry.id > before + 1 => return Err(Wrong::Hole { before }),
            _ => {}
        }
        if entry.at < self.at {
            return Err(Wrong::Backwards);
        }
        if let Kind::Deleted { target, .. } = entry.kind
            && (target == 0 || target >= entry.id)
        {
            return Err(Wrong::Target);
        }
        *self = Order { before: Some(entry.id), at: entry.at };
        Ok(())
    }

    /// The first flaw of these entries.
    pub fn flaw_of(mut self, entries: &[Entry]) -> Option<Flaw> {
        entries.iter().enumerate().find_map(|(index, entry)| Some(Flaw { index, why: self.take(entry).err()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64, millis: u64, kind: Kind) -> Entry {
        Entry { id, tag: 1, at: UnixMillis::from_millis(millis), kind }
    }

    fn message(id: u64, millis: u64) -> Entry {
        entry(id, millis, Kind::Message { user: "ann".into(), nonce: None, text: None })
    }

    #[test]
    fn entries_follow_each_other() {
        let new = Order::behind(Position::START, UnixMillis::default());
        let behind = Order::behind(Position { id: 7, tag: 1 }, UnixMillis::from_millis(5));
        let deleted = |id, target| entry(id, 9, Kind::Deleted { target, by: "ann".into() });
        for (order, entries, flaw) in [
            (new, vec![], None),
            (new, vec![message(1, 0), message(2, 0), message(3, 1)], None),
            (new, vec![message(41, 9), message(42, 9), deleted(43, 42), deleted(44, 1)], None),
            (behind, vec![message(8, 5)], None),
            (new, vec![message(0, 0)], Some((0, Wrong::Id))),
            (new, vec![message(IDS_MAX, 0)], Some((0, Wrong::Id))),
            (new, vec![message(1, 0), message(3, 0)], Some((1, Wrong::Hole { before: 1 }))),
            (new, vec![message(1, 0), message(1, 0)], Some((1, Wrong::Double { before: 1 }))),
            (behind, vec![message(7, 5)], Some((0, Wrong::Double { before: 7 }))),
            (behind, vec![message(9, 5)], Some((0, Wrong::Hole { before: 7 }))),
            (behind, vec![message(8, 4)], Some((0, Wrong::Backwards))),
            (new, vec![message(1, 9), message(2, 8)], Some((1, Wrong::Backwards))),
            (new, vec![deleted(1, 1)], Some((0, Wrong::Target))),
            (behind, vec![deleted(8, 0)], Some((0, Wrong::Target))),
        ] {
            assert_eq!(order.flaw_of(&entries), flaw.map(|(index, why)| Flaw { index, why }), "{entries:?}");
        }
    }
}
