//! The history in memory, on the loop itself: the last entries of each room, until the program ends.

mod claims;

use super::tags::Tags;
use super::{Command, Draft, Entry, Kind, Nonce, Outcome, PAGE_MAX, Page, Past, Position, Range, Refusal, Rights};
use super::{RoomFacts, Store};
use crate::clock::UnixMillis;
use crate::config::Limits;
use crate::id::ConnId;
use claims::Claims;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

/// Bytes, about, that the history of a room costs besides its entries.
const ROOM_BYTES: usize = 512;

/// The rooms and their entries. All of it is bounded: a room keeps its last entries, and when the rooms together have too
/// much, the one that was used least recently is forgotten.
pub struct Memory {
    rooms: HashMap<Arc<str>, Room>,
    /// The rooms by the time of their last use.
    used: BTreeMap<u64, Arc<str>>,
    /// Counts the uses.
    uses: u64,
    /// Bytes, about, of all rooms.
    bytes: usize,
    bytes_max: usize,
    keep: usize,
    /// The largest id of a room that was forgotten: ids never begin anew.
    forgotten: u64,
    tags: Tags,
    claims: Claims,
    outcomes: VecDeque<(ConnId, Outcome)>,
}

struct Room {
    /// The ids have no hole, so the entry with an id is found by its distance from the first.
    entries: VecDeque<Entry>,
    last: Position,
    /// The position in front of the first entry that is kept.
    pruned: Position,
    at: UnixMillis,
    /// The messages of the kept entries by user and nonce.
    nonces: HashMap<(Arc<str>, Nonce), u64>,
    used: u64,
    bytes: usize,
}

impl Memory {
    /// An empty history within the limits of the configuration.
    pub fn new(limits: &Limits, tags: Tags) -> Memory {
        Memory {
            rooms: HashMap::new(),
            used: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            bytes_max: limits.history_memory_bytes_max,
            keep: limits.history_memory_keep.max(1),
            forgotten: 0,
            tags,
            claims: Claims::new(limits.claims_max),
            outcomes: VecDeque::new(),
        }
    }

    fn append(&mut self, from: ConnId, name: Arc<str>, at: UnixMillis, draft: Draft) {
        let nonce = draft.nonce();
        self.uses += 1;
        let room = self.rooms.entry(name.clone()).or_insert_with(|| {
            self.bytes += ROOM_BYTES;
            let start = match self.forgotten {
                0 => Position::START,
                id => Position { id, tag: self.tags.next_tag() },
            };
            Room::new(start, self.uses)
        });
        self.used.remove(&room.used);
        room.used = self.uses;
        self.used.insert(room.used, name.clone());
        let before = room.bytes;
        let appended = match room.known(&draft) {
            Known::New => room.append(draft, at, self.tags.next_tag()),
            Known::As(id) => {
                self.outcomes.push_back((from, Outcome::Appended { room: name, nonce, id, is_new: false }));
                return;
            }
            Known::Wrong(why) => Err(why),
        };
        room.prune(self.keep);
        self.bytes = self.bytes + room.bytes - before;
        match appended {
            Ok(entry) => {
                let id = entry.id;
                self.outcomes.push_back((from, Outcome::Appended { room: name.clone(), nonce, id, is_new: true }));
                self.outcomes.push_back((ConnId::NONE, Outcome::Entry { room: name, entry }));
            }
            Err(why) => self.outcomes.push_back((from, Outcome::Refused { room: name, nonce, why })),
        }
        self.forget_unused();
    }

    /// Forgets the rooms that were used least recently while all together have too much. The last one stays.
    fn forget_unused(&mut self) {
        while self.bytes > self.bytes_max && self.rooms.len() > 1 {
            let Some((_, name)) = self.used.pop_first() else { return };
            if let Some(room) = self.rooms.remove(&name) {
                self.bytes -= room.bytes + ROOM_BYTES;
                self.forgotten = self.forgotten.max(room.last.id);
            }
        }
    }

    fn read(&self, name: &str, range: Range, limit: usize) -> Page {
        let Some(room) = self.rooms.get(name) else {
            let past = match range {
                Range::After(position) if position != Position::START => Past::Other,
                _ => Past::Ours,
            };
            return Page { entries: vec![], last: Position::START, oldest: 0, past };
        };
        room.read(range, limit)
    }

    fn list(&self) -> Vec<RoomFacts> {
        let facts = |(name, room): (&Arc<str>, &Room)| RoomFacts { name: name.clone(), last: room.last, at: room.at };
        let mut rooms: Vec<RoomFacts> = self.rooms.iter().filter(|(_, room)| room.last.id > 0).map(facts).collect();
        rooms.sort_by(|one, other| one.name.cmp(&other.name));
        rooms
    }
}

impl Store for Memory {
    fn submit(&mut self, from: ConnId, command: Command) {
        match command {
            Command::Append { room, at, draft } => self.append(from, room, at, draft),
            Command::Read { room, range, limit } => {
                let page = self.read(&room, range, limit.min(PAGE_MAX) as usize);
                self.outcomes.push_back((from, Outcome::Page { room, page }));
            }
            Command::ListRooms => self.outcomes.push_back((from, Outcome::Rooms(self.list()))),
            Command::Claim { name, looks, signer, .. } => {
                let claim = self.claims.claim(&name, looks, signer);
                self.outcomes.push_back((from, Outcome::Claimed { name, claim }));
            }
            Command::Free { name, at } => {
                let had = self.claims.free(&name, at);
                self.outcomes.push_back((from, Outcome::Freed { name, at, had }));
            }
            Command::ListFreed { since } => {
                self.outcomes.push_back((from, Outcome::FreedNames(self.claims.freed(since))));
            }
        }
    }

    fn take(&mut self) -> Option<(ConnId, Outcome)> {
        self.outcomes.pop_front()
    }
}

/// Whether a draft is stored already.
enum Known {
    New,
    /// With this id.
    As(u64),
    Wrong(Refusal),
}

impl Room {
    fn new(start: Position, used: u64) -> Room {
        Room {
            entries: VecDeque::new(),
            last: start,
            pruned: start,
            at: UnixMillis::default(),
            nonces: HashMap::new(),
            used,
            bytes: 0,
        }
    }

    fn entry(&self, id: u64) -> Option<&Entry> {
        self.entries.get(self.index(id)?)
    }

    fn index(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.pruned.id + 1)?).ok()
    }

    fn known(&self, draft: &Draft) -> Known {
        let Draft::Message { user, nonce: Some(nonce), text } = draft else { return Known::New };
        let Some(&id) = self.nonces.get(&(user.clone(), *nonce)) else { return Known::New };
        match self.entry(id).map(|entry| &entry.kind) {
            Some(Kind::Message { text: Some(stored), .. }) if stored != text => Known::Wrong(Refusal::NonceReused),
            _ => Known::As(id),
        }
    }

    /// Appends an entry, and does to older ones what it says.
    fn append(&mut self, draft: Draft, at: UnixMillis, tag: u32) -> Result<Entry, Refusal> {
        let kind = match draft {
            Draft::Message { user, nonce, text } => Kind::Message { user, nonce, text: Some(text) },
            Draft::Deletion { target, by, rights, .. } => {
                self.delete(target, &by, rights)?;
                Kind::Deleted { target, by }
            }
            Draft::Clear { user, by } => {
                self.clear(&user);
                Kind::Cleared { user, by }
            }
        };
        // A clock that is set back must not turn the order of the days around.
        self.at = self.at.max(at);
        let entry = Entry { id: self.last.id + 1, tag, at: self.at, kind };
        if let Kind::Message { user, nonce: Some(nonce), .. } = &entry.kind {
            self.nonces.insert((user.clone(), *nonce), entry.id);
        }
        self.last = entry.position();
        self.bytes += bytes_of(&entry);
        self.entries.push_back(entry.clone());
        Ok(entry)
    }

    fn delete(&mut self, target: u64, by: &str, rights: Rights) -> Result<(), Refusal> {
        let index = self.index(target).ok_or(Refusal::NoSuchMessage)?;
        match self.entries.get_mut(index).map(|entry| &mut entry.kind) {
            Some(Kind::Message { user, text: Some(_), .. }) if rights == Rights::Author && **user != *by => {
                Err(Refusal::NotYours)
            }
            Some(Kind::Message { text: text @ Some(_), .. }) => {
                self.bytes -= text.take().map_or(0, |text| text.len());
                Ok(())
            }
            _ => Err(Refusal::NoSuchMessage),
        }
    }

    fn clear(&mut self, name: &str) {
        for entry in &mut self.entries {
            if let Kind::Message { user, text, .. } = &mut entry.kind
                && **user == *name
            {
                self.bytes -= text.take().map_or(0, |text| text.len());
            }
        }
    }

    /// Forgets the oldest entries, as far as there are more than `keep`.
    fn prune(&mut self, keep: usize) {
        while self.entries.len() > keep {
            let Some(entry) = self.entries.pop_front() else { return };
            self.pruned = entry.position();
            self.bytes -= bytes_of(&entry);
            if let Kind::Message { user, nonce: Some(nonce), .. } = entry.kind {
                self.nonces.remove(&(user, nonce));
            }
        }
    }

    fn read(&self, range: Range, limit: usize) -> Page {
        let count = self.entries.len();
        // Bounds of what is asked for, as indices.
        let (first, end, past) = match range {
            Range::Last => (count.saturating_sub(limit), count, Past::Ours),
            Range::Before(id) => {
                let end =
                    id.checked_sub(self.pruned.id + 1).map_or(0, |n| usize::try_from(n).unwrap_or(count).min(count));
                (end.saturating_sub(limit), end, Past::Ours)
            }
            Range::After(position) => match self.past(position) {
                Past::Ours => {
                    let first = usize::try_from(position.id - self.pruned.id).unwrap_or(count);
                    (first, count.min(first.saturating_add(limit)), Past::Ours)
                }
                past => (0, 0, past),
            },
        };
        let oldest = self.entries.front().map_or(0, |entry| entry.id);
        Page { entries: self.entries.range(first..end).cloned().collect(), last: self.last, oldest, past }
    }

    /// Whether a client at this position has the same past.
    fn past(&self, position: Position) -> Past {
        if position == self.pruned {
            return Past::Ours;
        }
        if position.id < self.pruned.id {
            return Past::Pruned;
        }
        match self.entry(position.id) {
            Some(entry) if entry.tag == position.tag => Past::Ours,
            _ => Past::Other,
        }
    }
}

/// Bytes, about, that an entry takes, its place among the nonces included.
fn bytes_of(entry: &Entry) -> usize {
    let own = match &entry.kind {
        Kind::Message { user, text, .. } => user.len() + text.as_ref().map_or(0, |text| text.len()),
        Kind::Deleted { by, .. } => by.len(),
        Kind::Cleared { user, by } => user.len() + by.len(),
    };
    2 * size_of::<Entry>() + own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(keep: usize) -> Memory {
        Memory::new(&Limits { history_memory_keep: keep, ..Limits::default() }, Tags::new(7))
    }

    fn message(user: &str, nonce: Option<u8>, text: &str) -> Draft {
        Draft::Message { user: user.into(), nonce: nonce.map(|n| Nonce([n; 16])), text: text.into() }
    }

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(millis)
    }

    /// Submits one command and returns its outcomes.
    fn submit(memory: &mut Memory, command: Command) -> Vec<Outcome> {
        memory.submit(ConnId::new(1, 1), command);
        std::iter::from_fn(|| memory.take()).map(|(_, outcome)| outcome).collect()
    }

    fn append(memory: &mut Memory, draft: Draft) -> Vec<Outcome> {
        submit(memory, Command::Append { room: "lobby".into(), at: at(1), draft })
    }

    fn read(memory: &mut Memory, range: Range, limit: u32) -> Page {
        match submit(memory, Command::Read { room: "lobby".into(), range, limit }).pop() {
            Some(Outcome::Page { page, .. }) => page,
            other => panic!("a page was expected: {other:?}"),
        }
    }

    fn ids(page: &Page) -> Vec<u64> {
        page.entries.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn a_message_is_acknowledged_and_then_shown() {
        let mut memory = memory(10);
        memory.submit(
            ConnId::new(1, 1),
            Command::Append { room: "lobby".into(), at: at(5), draft: message("ann", None, "hi") },
        );
        let (from, appended) = memory.take().expect("it is acknowledged");
        assert_eq!(from, ConnId::new(1, 1));
        assert_eq!(appended, Outcome::Appended { room: "lobby".into(), nonce: None, id: 1, is_new: true });
        let (from, Outcome::Entry { entry, .. }) = memory.take().expect("it is shown") else { panic!("an entry") };
        assert_eq!((from, entry.id, entry.at), (ConnId::NONE, 1, at(5)));
        assert_eq!(entry.kind, Kind::Message { user: "ann".into(), nonce: None, text: Some("hi".into()) });
    }

    #[test]
    fn a_message_sent_again_is_stored_once() {
        let mut memory = memory(10);
        append(&mut memory, message("ann", Some(1), "hi"));
        let again = append(&mut memory, message("ann", Some(1), "hi"));
        let (room, nonce): (Arc<str>, _) = ("lobby".into(), Some(Nonce([1; 16])));
        assert_eq!(again, [Outcome::Appended { room: room.clone(), nonce, id: 1, is_new: false }]);
        let other = append(&mut memory, message("ann", Some(1), "ho"));
        assert_eq!(other, [Outcome::Refused { room, nonce, why: Refusal::NonceReused }]);
        assert_eq!(append(&mut memory, message("bob", Some(1), "hi")).len(), 2, "another user's nonce is another one");
        assert_eq!(ids(&read(&mut memory, Range::Last, 10)), [1, 2]);
    }

    #[test]
    fn pages_are_cut_from_either_end() {
        let mut memory = memory(5);
        for _ in 0..8 {
            append(&mut memory, message("ann", None, "hi"));
        }
        for (range, limit, expected) in [
            (Range::Last, 2, &[7, 8][..]),
            (Range::Last, 100, &[4, 5, 6, 7, 8]),
            (Range::Before(7), 2, &[5, 6]),
            (Range::Before(4), 2, &[]),
            (Range::Before(0), 2, &[]),
            (Range::Before(u64::MAX), 1, &[8]),
        ] {
            let page = read(&mut memory, range, limit);
            assert_eq!((ids(&page), page.oldest, page.last.id), (expected.to_vec(), 4, 8), "{range:?}");
        }
    }

    #[test]
    fn a_position_is_compared_by_its_tag() {
        let mut memory = memory(5);
        let positions: Vec<Position> = (0..8)
            .map(|_| match append(&mut memory, message("ann", None, "hi")).pop() {
                Some(Outcome::Entry { entry, .. }) => entry.position(),
                other => panic!("an entry was expected: {other:?}"),
            })
            .collect();
        let mut after = |position| {
            let page = read(&mut memory, Range::After(position), 3);
            (ids(&page), page.past)
        };
        assert_eq!(after(positions[5]), (vec![7, 8], Past::Ours));
        assert_eq!(after(positions[7]), (vec![], Past::Ours));
        assert_eq!(after(positions[2]), (vec![4, 5, 6], Past::Ours), "exactly at the border of what is kept");
        assert_eq!(after(positions[1]), (vec![], Past::Pruned));
        assert_eq!(after(Position::START), (vec![], Past::Pruned));
        assert_eq!(after(Position { tag: positions[5].tag ^ 1, ..positions[5] }), (vec![], Past::Other));
        assert_eq!(after(Position { id: 9, tag: 0 }), (vec![], Past::Other));
        let elsewhere = Command::Read { room: "empty".into(), range: Range::After(Position::START), limit: 5 };
        let page = Page { entries: vec![], last: Position::START, oldest: 0, past: Past::Ours };
        assert_eq!(submit(&mut memory, elsewhere), [Outcome::Page { room: "empty".into(), page }]);
    }

    #[test]
    fn a_deleted_text_is_gone_and_its_entry_stays() {
        let mut memory = memory(10);
        append(&mut memory, message("ann", None, "secret"));
        let delete = |target, by: &str, rights| Draft::Deletion { target, by: by.into(), rights, nonce: None };
        let refused = |outcomes: Vec<Outcome>| match outcomes[..] {
            [Outcome::Refused { why, .. }] => Some(why),
            _ => None,
        };
        assert_eq!(refused(append(&mut memory, delete(1, "bob", Rights::Author))), Some(Refusal::NotYours));
        assert_eq!(refused(append(&mut memory, delete(2, "ann", Rights::Author))), Some(Refusal::NoSuchMessage));
        assert_eq!(refused(append(&mut memory, delete(0, "ann", Rights::Author))), Some(Refusal::NoSuchMessage));
        assert_eq!(append(&mut memory, delete(1, "bob", Rights::Operator)).len(), 2);
        assert_eq!(refused(append(&mut memory, delete(1, "ann", Rights::Author))), Some(Refusal::NoSuchMessage));
        let page = read(&mut memory, Range::Last, 10);
        assert_eq!(page.entries[0].kind, Kind::Message { user: "ann".into(), nonce: None, text: None });
        assert_eq!(page.entries[1].kind, Kind::Deleted { target: 1, by: "bob".into() });
        append(&mut memory, message("ann", None, "more"));
        assert_eq!(append(&mut memory, Draft::Clear { user: "ann".into(), by: "bob".into() }).len(), 2);
        let texts = read(&mut memory, Range::Last, 10)
            .entries
            .into_iter()
            .filter(|entry| matches!(&entry.kind, Kind::Message { text: Some(_), .. }));
        assert_eq!(texts.count(), 0);
    }

    #[test]
    fn times_never_run_backwards() {
        let mut memory = memory(10);
        for millis in [5, 3, 9] {
            submit(
                &mut memory,
                Command::Append { room: "lobby".into(), at: at(millis), draft: message("ann", None, "hi") },
            );
        }
        let times: Vec<u64> =
            read(&mut memory, Range::Last, 10).entries.iter().map(|entry| entry.at.millis()).collect();
        assert_eq!(times, [5, 5, 9]);
    }

    #[test]
    fn what_is_kept_has_a_limit_in_bytes() {
        let limits = Limits { history_memory_bytes_max: 20_000, ..Limits::default() };
        let mut memory = Memory::new(&limits, Tags::new(7));
        for n in 0..100 {
            let draft = message("ann", Some(n), &"x".repeat(1000));
            submit(&mut memory, Command::Append { room: format!("room {n}").into(), at: at(1), draft });
            assert!(memory.bytes <= 20_000 && memory.used.len() == memory.rooms.len());
        }
        let left = memory.list();
        assert!(left.len() > 5 && left.iter().any(|room| &*room.name == "room 99"));
        for _ in 0..100 {
            append(&mut memory, message("ann", None, &"x".repeat(1000)));
        }
        assert_eq!(memory.list().len(), 1, "a room that is used is kept, whatever it has");
        memory.rooms.values_mut().for_each(|room| room.prune(0));
        assert_eq!(memory.rooms.values().map(|room| room.bytes + room.nonces.len()).sum::<usize>(), 0);
    }

    #[test]
    fn ids_go_on_behind_those_of_a_forgotten_room() {
        let limits = Limits { history_memory_bytes_max: 3000, ..Limits::default() };
        let mut memory = Memory::new(&limits, Tags::new(7));
        for _ in 0..5 {
            append(&mut memory, message("ann", None, "hi"));
        }
        let last = read(&mut memory, Range::Last, 1).last;
        let elsewhere = message("ann", None, &"x".repeat(3000));
        submit(&mut memory, Command::Append { room: "other".into(), at: at(1), draft: elsewhere });
        assert_eq!(read(&mut memory, Range::Last, 10).entries, [], "the lobby is forgotten");
        append(&mut memory, message("ann", None, "hi"));
        let page = read(&mut memory, Range::Last, 10);
        assert_eq!((ids(&page), page.oldest), (vec![6], 6));
        assert_eq!(read(&mut memory, Range::After(last), 10).past, Past::Other);
    }
}
