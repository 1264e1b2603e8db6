//! The history of the rooms: one contract for every store.
//!
//! A room's history is a sequence of [`Entry`]s with the ids 1, 2, 3 … without holes. Each has a *tag*, 32 random bits. A
//! [`Position`] names an entry by id and tag, so a history that was restored from a copy, rolled back or replaced shows:
//! the id is there again with another tag, or is absent.
//!
//! ```text
//! Command ──▶ Store ──▶ Outcome      for the connection that asked, and of each new entry one for every member
//! ```
//!
//! A store tells its outcomes in the order in which it did the work, and the entries of a room in the order of their ids.
//! It does not decide who may read or write. [`memory`] keeps the last entries in memory, on the loop itself; [`sqlite`]
//! keeps all in a file, on a thread of its own.

pub mod acts;
#[cfg(test)]
mod contract;
pub mod import;
pub mod memory;
#[cfg(feature = "history")]
pub mod sqlite;
pub mod tags;
pub mod words;

use crate::clock::UnixMillis;
use crate::id::ConnId;
pub use acts::{Act, Deed, Until, Whom};
pub use import::{Flaw, Wrong};
use std::fmt;
use std::sync::Arc;
use words::Words;

/// Ids stay below this, so that JavaScript's numbers hold them exactly.
pub const IDS_MAX: u64 = 1 << 53;
/// Entries of one page at most.
pub const PAGE_MAX: u32 = 200;
/// What the names begin with that take the place of forgotten ones, in front of a number. Nobody may log in with one.
pub const ANONYMOUS: &str = "forgotten-";

/// A place in the history of a room: the last entry that a client has. Written `ID.TAG`, the tag as 8 hexadecimal digits;
/// before the first entry `0.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Of the entry; 0 before the first one.
    pub id: u64,
    /// Of the entry; 0 before the first one.
    pub tag: u32,
}

impl Position {
    /// Before the first entry.
    pub const START: Position = Position { id: 0, tag: 0 };

    /// Parses `ID.TAG` as [`Position`] is written; `None` for any other spelling.
    pub fn parse(text: &str) -> Option<Position> {
        if text == "0.0" {
            return Some(Position::START);
        }
        let (id, tag) = text.split_once('.')?;
        let is_decimal = !id.starts_with('0') && id.bytes().all(|byte| byte.is_ascii_digit());
        let is_hex = tag.len() == 8 && tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_decimal || !is_hex {
            return None;
        }
        let id = id.parse().ok().filter(|&id| id < IDS_MAX)?;
        Some(Position { id, tag: u32::from_str_radix(tag, 16).ok()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            0 => f.write_str("0.0"),
            id => write!(f, "{id}.{:08x}", self.tag),
        }
    }
}

/// 128 random bits with which a client names its message, so that a message that is sent again is stored once. Written as
/// 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; 16]);

impl Nonce {
    /// Parses 32 hexadecimal digits, lower case.
    pub fn parse(text: &str) -> Option<Nonce> {
        let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_hex) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|bits| Nonce(bits.to_be_bytes()))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// One entry of a room's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3 … in each room, below [`IDS_MAX`].
    pub id: u64,
    /// 32 random bits.
    pub tag: u32,
    /// When it was stored; not before the entry in front of it.
    pub at: UnixMillis,
    pub kind: Kind,
}

impl Entry {
    /// Where a client is that has this entry.
    pub fn position(&self) -> Position {
        Position { id: self.id, tag: self.tag }
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A message; `text` is `None` when it was deleted. The entry stays, so that the sequence has no hole.
    Message { user: Arc<str>, nonce: Option<Nonce>, text: Option<Box<str>> },
    /// The message `target` was deleted.
    Deleted { target: u64, by: Arc<str> },
    /// All messages of `user` up to here were deleted.
    Cleared { user: Arc<str>, by: Arc<str> },
}

/// What a store is asked to do. `room` and `name` are names that were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Appends an entry. Yields [`Outcome::Appended`], and of a new entry [`Outcome::Entry`] behind it; or
    /// [`Outcome::Refused`].
    Append { room: Arc<str>, at: UnixMillis, draft: Draft },
    /// Reads a part of the history, at most `limit` entries ([`PAGE_MAX`]). Yields [`Outcome::Page`] or
    /// [`Outcome::Unread`].
    Read { room: Arc<str>, range: Range, limit: u32 },
    /// Searches the messages of a room, the newest first: those with a smaller id than `before`, if there is one. At most
    /// `limit` of them ([`PAGE_MAX`]) that have all the words. Yields [`Outcome::Found`] or [`Outcome::Unread`].
    Search { room: Arc<str>, words: Words, before: Option<u64>, limit: u32 },
    /// Lists all rooms that have a history. Yields [`Outcome::Rooms`] or [`Outcome::Unread`].
    ListRooms,
    /// Claims a name of a user, unless it or one that shares a look with it is claimed. A claim of the same name marks
    /// it as used `at` this time. `signer` stands for the secret of the cookies: claims under another one do not count.
    /// Yields [`Outcome::Claimed`] or [`Outcome::Unclaimed`].
    Claim { name: Arc<str>, looks: [Box<str>; 2], signer: u64, at: UnixMillis },
    /// Stores what an operator has done; `nonce` is only told back. [`Deed::Free`] removes the claim to the name. Yields
    /// [`Outcome::Recorded`], and behind it [`Outcome::Act`], or of an act that is an entry of the history as well
    /// ([`Act::draft`]) [`Outcome::Entry`]; or [`Outcome::Refused`].
    Record { act: Act, nonce: Option<Nonce> },
    /// Reads the last acts, at most `limit` ([`PAGE_MAX`]). Yields [`Outcome::Acts`] or [`Outcome::Unread`].
    ReadActs { limit: u32, nonce: Option<Nonce> },
    /// Takes a name out of the history: its entries get a name that nobody has. Every room with one of them gets a
    /// [`Kind::Cleared`], which is told with the real name and stored with the new one; positions in front of it are of
    /// another past from here on. Yields [`Outcome::Entry`] of each room and then [`Outcome::Forgotten`], when neither
    /// the name nor a text that was to be erased is in the store's files; or [`Outcome::Unchanged`].
    Forget { user: Arc<str>, texts: Texts, at: UnixMillis },
    /// Appends entries of another history to a room, with their ids, tags and times: all of them, or none. `after` is
    /// the position of the room's last entry; behind [`Position::START`] the room has to be new, and the first id may be
    /// any. Yields [`Outcome::Entry`] of each entry and then [`Outcome::Imported`]; or [`Outcome::NotImported`].
    Import { room: Arc<str>, after: Position, entries: Vec<Entry> },
}

impl Command {
    /// The outcome if it is not done: the one that would write is refused for this reason.
    pub fn refused(self, why: Refusal) -> Outcome {
        match self {
            Command::Append { room, draft, .. } => Outcome::Refused { room, nonce: draft.nonce(), why },
            Command::Record { act, nonce } => Outcome::Refused { room: act.room, nonce, why },
            Command::Claim { name, .. } => Outcome::Unclaimed { name, why },
            Command::Forget { .. } => Outcome::Unchanged(why),
            Command::Import { room, .. } => {
                Outcome::NotImported { room, flaw: Flaw { index: 0, why: Wrong::Refused(why) } }
            }
            Command::Read { .. } | Command::Search { .. } | Command::ListRooms | Command::ReadActs { .. } => {
                Outcome::Unread
            }
        }
    }
}

/// What becomes of the texts of a name that is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// They are erased, as by a clear.
    Erase,
    /// They stay, under the new name.
    Keep,
}

/// An entry without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// A message. One of the same user in the same room with the same nonce is not stored again.
    Message { user: Arc<str>, nonce: Option<Nonce>, text: Box<str> },
    /// Deletes the message `target`; `nonce` is only told back. With [`Rights::Author`] only a message of `by` itself.
    Deletion { target: u64, by: Arc<str>, rights: Rights, nonce: Option<Nonce> },
    /// Deletes all messages of `user`.
    Clear { user: Arc<str>, by: Arc<str> },
}

impl Draft {
    /// What its sender calls it.
    pub fn nonce(&self) -> Option<Nonce> {
        match self {
            Draft::Message { nonce, .. } | Draft::Deletion { nonce, .. } => *nonce,
            Draft::Clear { .. } => None,
        }
    }
}

/// Whose messages may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// One's own.
    Author,
    /// Every message.
    Operator,
}

/// A part of a room's history. Entries come in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The last ones.
    Last,
    /// The last ones with a smaller id.
    Before(u64),
    /// The first ones behind this position. [`Page::past`] says whether the position is one of this history; if not, the
    /// page has no entries.
    After(Position),
}

/// What a store has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// For the connection that asked: the entry is stored, at this position. It is not new if the same message was stored
    /// before.
    Appended { room: Arc<str>, nonce: Option<Nonce>, position: Position, is_new: bool },
    /// For the connection that asked: nothing was stored.
    Refused { room: Arc<str>, nonce: Option<Nonce>, why: Refusal },
    /// For every member of the room, about no connection: a new entry. Its id is that of the one before plus 1; the first
    /// one of a room that is imported may have any.
    Entry { room: Arc<str>, entry: Entry },
    /// For the connection that asked.
    Page { room: Arc<str>, page: Page },
    /// For the connection that asked.
    Found { room: Arc<str>, found: Found },
    /// For the connection that asked: in the order of their names.
    Rooms(Vec<RoomFacts>),
    /// For the connection that asked: the act is stored, and the entry that it has made is at this position.
    Recorded { nonce: Option<Nonce>, act: Act, entry: Option<Position> },
    /// About no connection: an act that is stored, and counts from now on.
    Act(Act),
    /// About no connection, before any other outcome: the acts that are in force when the store is opened, if there are
    /// any.
    InForce(Vec<Act>),
    /// For the connection that asked: the last acts, oldest first.
    Acts { nonce: Option<Nonce>, acts: Vec<Act> },
    /// For the connection that asked: the store cannot be read now.
    Unread,
    /// For the connection that asked: the claim is stored, or another one is in its way.
    Claimed { name: Arc<str>, claim: Claim },
    /// For the connection that asked: the claim was not stored.
    Unclaimed { name: Arc<str>, why: Refusal },
    /// For the connection that asked: the name is forgotten.
    Forgotten(Forgotten),
    /// For the connection that asked: nothing was forgotten.
    Unchanged(Refusal),
    /// For the connection that asked: all of the entries are stored; `last` is the position of the last one.
    Imported { room: Arc<str>, last: Position },
    /// For the connection that asked: none of the entries is stored.
    NotImported { room: Arc<str>, flaw: Flaw },
}

/// What became of a claim to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The name belongs to the one that has claimed it now.
    New,
    /// The name was claimed before, or one that looks like it.
    Taken,
}

/// What became of a name that was to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Rooms with entries of that name.
    pub rooms: usize,
    /// The name in their place; `None` if the history has no such name.
    pub anonymous: Option<Arc<str>>,
}

impl Outcome {
    /// Whether it is told about no connection: to every member of a room, or to the whole chat.
    pub fn is_for_all(&self) -> bool {
        matches!(self, Outcome::Entry { .. } | Outcome::Act(_) | Outcome::InForce(_))
    }
}

/// Why an entry was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The disk is full or fails, or the store's files are gone. May be tried again later.
    Storage,
    /// Too many appends wait. May be tried again in a moment.
    Busy,
    /// The nonce names a message with another text.
    NonceReused,
    /// There is no such message, or it was deleted before.
    NoSuchMessage,
    /// The message is another user's.
    NotYours,
    /// As many acts are in force as can be.
    TooManyActs,
}

/// A part of a room's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of their ids, without holes.
    pub entries: Vec<Entry>,
    /// Of the last entry of the room when the page was read.
    pub last: Position,
    /// The id of the oldest entry that is kept; 0 if there is none.
    pub oldest: u64,
    /// Of a [`Range::After`]; [`Past::Ours`] for any other range.
    pub past: Past,
}

/// What one step of a search has found. A step has a limit of work, so it may end before it has found enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Messages that have all the words, the newest first.
    pub entries: Vec<Entry>,
    /// The search goes on before this id, which is smaller than that of the step; `None` if it is at its end.
    pub next: Option<u64>,
}

/// Whether a client's position is one of this history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// It is: the client has what every other one has up to there.
    Ours,
    /// The entries behind it are not kept any more.
    Pruned,
    /// There is no such entry, or it has another tag: the history was restored from a copy, lost its end or was replaced.
    Other,
}

/// A room that has a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomFacts {
    pub name: Arc<str>,
    /// Of its last entry.
    pub last: Position,
    /// When that was stored.
    pub at: UnixMillis,
}

/// A store. No method waits: what blocks is done on a thread of the store's own, which wakes the loop when it has outcomes.
pub trait Store {
    /// Takes a command. If too many wait, its outcome says so.
    fn submit(&mut self, from: ConnId, command: Command);

    /// The turn is about to end: a store with a thread hands over what was submitted, all at once.
    fn flush(&mut self) {}

    /// The next outcome, and the connection that asked; [`ConnId::NONE`] for one that is
    /// [for all](Outcome::is_for_all).
    fn take(&mut self) -> Option<(ConnId, Outcome)>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_written() {
        for (position, text) in [
            (Position::START, "0.0"),
            (Position { id: 1, tag: 0 }, "1.00000000"),
            (Position { id: 4711, tag: 0x9f3a_01c2 }, "4711.9f3a01c2"),
            (Position { id: IDS_MAX - 1, tag: u32::MAX }, "9007199254740991.ffffffff"),
        ] {
            assert_eq!((position.to_string().as_str(), Position::parse(text)), (text, Some(position)));
        }
        let wrong = [
            "",
            "0",
            ".",
            "0.",
            "0.00000000",
            "1.0",
            "01.00000000",
            "+1.00000000",
            "1.9F3A01C2",
            "1.+f3a01c2",
            "1.123456789",
            "9007199254740992.00000000",
            "99999999999999999999999.00000000",
            "-1.00000000",
            " 1.00000000",
            "１.00000000",
        ];
        assert!(wrong.iter().all(|text| Position::parse(text).is_none()), "{wrong:?}");
    }

    #[test]
    fn nonces_are_read_as_they_are_written() {
        let text = "00112233445566778899aabbccddeeff";
        let nonce = Nonce::parse(text).expect("32 digits");
        assert_eq!((nonce.0[0], nonce.0[15], nonce.to_string().as_str()), (0, 0xff, text));
        let wrong = ["", "00", "00112233445566778899AABBCCDDEEFF", "+0112233445566778899aabbccddeeff", &"0".repeat(33)];
        assert!(wrong.iter().all(|text| Nonce::parse(text).is_none()));
    }
}
