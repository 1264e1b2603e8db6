//! The history in memory, on the loop itself: the last entries of each room, until the program ends.

use super::import::Order;
use super::tags::Tags;
use super::{ANONYMOUS, Command, Draft, Entry, Flaw, Forgotten, Kind, Nonce, Outcome, PAGE_MAX, Page, Past, Position};
use super::{Range, Refusal, Rights, RoomFacts, Store, Texts, Wrong};
use crate::clock::UnixMillis;
use crate::config::Limits;
use crate::id::ConnId;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
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
    /// The number of the last name that took the place of a forgotten one.
    anonymous: u64,
    tags: Tags,
    outcomes: VecDeque<(ConnId, Outcome)>,
}

struct Room {
    /// The ids have no hole, so the entry with an id is found by its distance from the first.
    entries: VecDeque<Entry>,
    last: Position,
    /// The position in front of the first entry that is kept.
    pruned: Position,
    /// Positions in front of this id are of another past: entries there were changed when a name was forgotten.
    rewritten: u64,
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
            anonymous: 0,
            tags,
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

    fn forget(&mut self, from: ConnId, user: &Arc<str>, texts: Texts, at: UnixMillis) {
        let has_user = |(name, room): (&Arc<str>, &Room)| room.has_user(user).then(|| name.clone());
        let mut names: Vec<Arc<str>> = self.rooms.iter().filter_map(has_user).collect();
        names.sort_unstable();
        if names.is_empty() {
            let nothing = Forgotten { rooms: 0, anonymous: None };
            return self.outcomes.push_back((from, Outcome::Forgotten(nothing)));
        }
        let anonymous = self.next_anonymous();
        let cleared = match texts {
            Texts::Erase => anonymous.clone(),
            // A name without messages, or what is kept would look cleared.
            Texts::Keep => self.next_anonymous(),
        };
        for name in &names {
            let Some(room) = self.rooms.get_mut(name) else { continue };
            let before = room.bytes;
            room.rename(user, &anonymous);
            let clear = Draft::Clear { user: cleared.clone(), by: cleared.clone() };
            if let Ok(entry) = room.append(clear, at, self.tags.next_tag()) {
                room.rewritten = entry.id;
                let entry = Entry { kind: Kind::Cleared { user: user.clone(), by: user.clone() }, ..entry };
                self.outcomes.push_back((ConnId::NONE, Outcome::Entry { room: name.clone(), entry }));
            }
            room.prune(self.keep);
            self.bytes = self.bytes + room.bytes - before;
        }
        self.outcomes
            .push_back((from, Outcome::Forgotten(Forgotten { rooms: names.len(), anonymous: Some(anonymous) })));
        self.forget_unused();
    }

    /// A name that no entry has.
    fn next_anonymous(&mut self) -> Arc<str> {
        loop {
            self.anonymous += 1;
            let name: Arc<str> = format!("{ANONYMOUS}{}", self.anonymous).into();
            if !self.rooms.values().any(|room| room.has_user(&name)) {
                return name;
            }
        }
    }

    fn import(&mut self, from: ConnId, name: Arc<str>, after: Position, entries: Vec<Entry>) {
        if let Some(flaw) = self.flaw_of(&name, after, &entries) {
            return self.outcomes.push_back((from, Outcome::NotImported { room: name, flaw }));
        }
        self.uses += 1;
        let start = entries.first().map_or(Position::START, |first| Position { id: first.id - 1, tag: 0 });
        let room = self.rooms.entry(name.clone()).or_insert_with(|| {
            self.bytes += ROOM_BYTES;
            Room::new(start, self.uses)
        });
        self.used.remove(&room.used);
        room.used = self.uses;
        self.used.insert(room.used, name.clone());
        let before = room.bytes;
        for entry in entries {
            room.add(entry.clone());
            self.outcomes.push_back((ConnId::NONE, Outcome::Entry { room: name.clone(), entry }));
        }
        let last = room.last;
        room.prune(self.keep);
        self.bytes = self.bytes + room.bytes - before;
        self.outcomes.push_back((from, Outcome::Imported { room: name, last }));
        self.forget_unused();
    }

    fn flaw_of(&self, name: &str, after: Position, entries: &[Entry]) -> Option<Flaw> {
        let room = self.rooms.get(name);
        let (last, at) = room.map_or((Position::START, UnixMillis::default()), |room| (room.last, room.at));
        if last != after {
            return Some(Flaw { index: 0, why: Wrong::NotEmpty });
        }
        let mut own = HashSet::new();
        let mut is_double = |entry: &Entry| match &entry.kind {
            Kind::Message { user, nonce: Some(nonce), .. } => {
                let key = (user.clone(), *nonce);
                room.is_some_and(|room| room.nonces.contains_key(&key)) || !own.insert(key)
            }
            _ => false,
        };
        let double = || entries.iter().position(&mut is_double).map(|index| Flaw { index, why: Wrong::Nonce });
        Order::behind(last, at).flaw_of(entries).or_else(double)
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
            Command::Forget { user, texts, at } => self.forget(from, &user, texts, at),
            Command::Import { room, after, entries } => self.import(from, room, after, entries),
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
            rewritten: 0,
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
        self.push(entry.clone());
        Ok(entry)
    }

    /// Appends an entry of another history, and does to older ones what it says.
    fn add(&mut self, entry: Entry) {
        match &entry.kind {
            Kind::Message { .. } => {}
            // Its target may be gone already.
            Kind::Deleted { target, by } => drop(self.delete(*target, by, Rights::Operator)),
            Kind::Cleared { user, .. } => self.clear(user),
        }
        self.at = entry.at;
        self.push(entry);
    }

    fn push(&mut self, entry: Entry) {
        if let Kind::Message { user, nonce: Some(nonce), .. } = &entry.kind {
            self.nonces.insert((user.clone(), *nonce), entry.id);
        }
        self.last = entry.position();
        self.bytes += bytes_of(&entry);
        self.entries.push_back(entry);
    }

    fn has_user(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| match &entry.kind {
            Kind::Message { user, .. } => **user == *name,
            Kind::Deleted { by, .. } => **by == *name,
            Kind::Cleared { user, by } => **user == *name || **by == *name,
        })
    }

    /// Another name in every entry of a user.
    fn rename(&mut self, old: &Arc<str>, new: &Arc<str>) {
        for entry in &mut self.entries {
            self.bytes -= bytes_of(entry);
            let names = match &mut entry.kind {
                Kind::Message { user, nonce, .. } => {
                    if let Some(nonce) = nonce.filter(|_| user == old)
                        && let Some(id) = self.nonces.remove(&(old.clone(), nonce))
                    {
                        self.nonces.insert((new.clone(), nonce), id);
                    }
                    [Some(user), None]
                }
                Kind::Deleted { by, .. } => [Some(by), None],
                Kind::Cleared { user, by } => [Some(user), Some(by)],
            };
            names.into_iter().flatten().filter(|name| *name == old).for_each(|name| *name = new.clone());
            self.bytes += bytes_of(entry);
        }
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
        if position.id > 0 && position.id < self.rewritten {
            return Past::Other;
        }
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
mod tests;
