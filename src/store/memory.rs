//! The history in memory, on the loop itself: the last entries of each room, until the program ends.

mod claims;
mod room;
#[cfg(test)]
mod tests;

use super::acts::{Act, Deed, Effect, IN_FORCE_MAX, LOGGED_MAX};
use super::import::Order;
use super::tags::Tags;
use super::{
    ANONYMOUS, Command, Draft, Entry, Flaw, Forgotten, Found, Kind, Nonce, Outcome, PAGE_MAX, Page, Past, Position,
};
use super::{Range, Refusal, RoomFacts, Store, Texts, Wrong};
use crate::clock::UnixMillis;
use crate::config::Limits;
use crate::id::ConnId;
use claims::Claims;
use room::{Known, Room};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
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
    /// The last ones, oldest first.
    acts: VecDeque<Act>,
    /// The acts in force, by their keys.
    in_force: HashMap<String, Act>,
    claims: Claims,
    outcomes: VecDeque<(ConnId, Outcome)>,
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

    fn forget(&mut self, from: ConnId, user: &Arc<str>, texts: Texts, at: UnixMillis) {
        let has_user = |(name, room): (&Arc<str>, &Room)| room.has_user(user).then(|| name.clone());
        let mut names: Vec<Arc<str>> = self.rooms.iter().filter_map(has_user).collect();
        names.sort_unstable();
        self.claims.free(user);
        self.acts.retain(|act| act.deed.parts().subject != **user);
        self.in_force.retain(|_, act| act.deed.parts().subject != **user);
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
            Command::Search { room, words, before, limit } => {
                let found = self.rooms.get(&room).map(|room| room.search(&words, before, limit));
                let found = found.unwrap_or(Found { entries: vec![], next: None });
                self.outcomes.push_back((from, Outcome::Found { room, found }));
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
            Command::Forget { user, texts, at } => self.forget(from, &user, texts, at),
            Command::Import { room, after, entries } => self.import(from, room, after, entries),
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
