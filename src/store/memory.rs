//! The history in memory, on the loop itself: the last entries of each room, until the program ends.

mod claims;

use super::acts::{Act, Deed, Effect, IN_FORCE_MAX, LOGGED_MAX};
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
    /// The last ones, oldest first.
    acts: VecDeque<Act>,
    /// The acts in force, by their keys.
    in_force: HashMap<String, Act>,
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
            acts: VecDeque::new(),
            in_force: HashMap::new(),
            claims: Claims::new(limits.claims_max),
            outcomes: VecDeque::new(),
        }
    }

    fn append(&mut self, from: ConnId, room: Arc<str>, at: UnixMillis, draft: Draft) {
        let nonce = draft.nonce();
        match self.add(&room, at, draft) {
            Ok(Added::New(entry)) => {
                let position = entry.position();
                self.outcomes
                    .push_back((from, Outcome::Appended { room: room.clone(), nonce, position, is_new: true }));
                self.outcomes.push_back((ConnId::NONE, Outcome::Entry { room, entry }));
            }
            Ok(Added::Before(position)) => {
                self.outcomes.push_back((from, Outcome::Appended { room, nonce, position, is_new: false }));
            }
            Err(why) => self.outcomes.push_back((from, Outcome::Refused { room, nonce, why })),
        }
    }

    fn add(&mut self, name: &Arc<str>, at: UnixMillis, draft: Draft) -> Result<Added, Refusal> {
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
        let added = match room.known(&draft) {
            Known::New => room.append(draft, at, self.tags.next_tag()).map(Added::New),
            Known::As(position) => Ok(Added::Before(position)),
            Known::Wrong(why) => Err(why),
        };
        room.prune(self.keep);
        self.bytes = self.bytes + room.bytes - before;
        self.forget_unused();
        added
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

    fn record(&mut self, from: ConnId, act: Act, nonce: Option<Nonce>) {
        let recorded = match act.draft() {
            Some(draft) => self.add(&act.room, act.at, draft).map(|added| match added {
                Added::New(entry) => Some(entry),
                Added::Before(_) => None,
            }),
            None => self.put_in_force(&act).map(|()| None),
        };
        let entry = match recorded {
            Ok(entry) => entry,
            Err(why) => return self.outcomes.push_back((from, Outcome::Refused { room: act.room, nonce, why })),
        };
        if self.acts.len() as u64 >= LOGGED_MAX {
            self.acts.pop_front();
        }
        if let Deed::Free { name, .. } = &act.deed {
            self.claims.free(name);
        }
        self.acts.push_back(act.clone());
        let position = entry.as_ref().map(Entry::position);
        self.outcomes.push_back((from, Outcome::Recorded { nonce, act: act.clone(), entry: position }));
        let for_all = match entry {
            Some(entry) => Outcome::Entry { room: act.room, entry },
            None => Outcome::Act(act),
        };
        self.outcomes.push_back((ConnId::NONE, for_all));
    }

    fn put_in_force(&mut self, act: &Act) -> Result<(), Refusal> {
        match act.effect() {
            Effect::Sets(key) => {
                if self.in_force.len() >= IN_FORCE_MAX {
                    self.in_force.retain(|_, old| !old.is_over(act.at));
                }
                if self.in_force.len() >= IN_FORCE_MAX && !self.in_force.contains_key(&key) {
                    return Err(Refusal::TooManyActs);
                }
                self.in_force.insert(key, act.clone());
            }
            Effect::Ends(key) => drop(self.in_force.remove(&key)),
            Effect::None => {}
        }
        Ok(())
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
            Command::Record { act, nonce } => self.record(from, act, nonce),
            Command::ReadActs { limit, nonce } => {
                let first = self.acts.len().saturating_sub(limit.min(PAGE_MAX) as usize);
                let acts = self.acts.range(first..).cloned().collect();
                self.outcomes.push_back((from, Outcome::Acts { nonce, acts }));
            }
            Command::Claim { name, looks, signer, .. } => {
                let claim = self.claims.claim(&name, looks, signer);
                self.outcomes.push_back((from, Outcome::Claimed { name, claim }));
            }
        }
    }

    fn take(&mut self) -> Option<(ConnId, Outcome)> {
        self.outcomes.pop_front()
    }
}

/// What became of a draft.
enum Added {
    New(Entry),
    /// It was stored before.
    Before(Position),
}

/// Whether a draft is stored already.
enum Known {
    New,
    As(Position),
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
        match self.entry(id) {
            Some(Entry { kind: Kind::Message { text: Some(stored), .. }, .. }) if stored != text => {
                Known::Wrong(Refusal::NonceReused)
            }
            Some(entry) => Known::As(entry.position()),
            None => Known::New,
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
    use crate::store::contract::{at, ids, message, read};

    /// Submits one command and returns its outcomes.
    fn submit(memory: &mut Memory, command: Command) -> Vec<Outcome> {
        memory.submit(ConnId::new(1, 1), command);
        std::iter::from_fn(|| memory.take()).map(|(_, outcome)| outcome).collect()
    }

    fn append(memory: &mut Memory, draft: Draft) -> Vec<Outcome> {
        submit(memory, Command::Append { room: "lobby".into(), at: at(1), draft })
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
