//! The history of one room in memory.

use super::super::words::{Budget, Words};
use super::super::{Draft, Entry, Found, Kind, Nonce, PAGE_MAX, Page, Past, Position, Range, Refusal, Rights};
use crate::clock::UnixMillis;
use std::collections::{HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;
use std::time::Instant;

/// The last entries of a room.
pub(super) struct Room {
    /// The ids have no hole, so the entry with an id is found by its distance from the first.
    pub(super) entries: VecDeque<Entry>,
    pub(super) last: Position,
    /// The position in front of the first entry that is kept.
    pub(super) pruned: Position,
    /// Positions in front of this id are of another past: entries there were changed when a name was forgotten.
    pub(super) rewritten: u64,
    pub(super) at: UnixMillis,
    /// The messages of the kept entries by user and nonce.
    pub(super) nonces: HashMap<(Arc<str>, Nonce), u64>,
    pub(super) used: u64,
    pub(super) bytes: usize,
}

/// Whether a draft is stored already.
pub(super) enum Known {
    New,
    As(Position),
    Wrong(Refusal),
}

impl Room {
    pub(super) fn new(start: Position, used: u64) -> Room {
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

    pub(super) fn entry(&self, id: u64) -> Option<&Entry> {
        self.entries.get(self.index(id)?)
    }

    fn index(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.pruned.id + 1)?).ok()
    }

    pub(super) fn known(&self, draft: &Draft) -> Known {
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
    pub(super) fn append(&mut self, draft: Draft, at: UnixMillis, tag: u32) -> Result<Entry, Refusal> {
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
    pub(super) fn add(&mut self, entry: Entry) {
        match &entry.kind {
            Kind::Message { .. } => {}
            // Its target may be gone already.
            Kind::Deleted { target, by } => drop(self.delete(*target, by, Rights::Operator)),
            Kind::Cleared { user, .. } => self.clear(user),
        }
        self.at = entry.at;
        self.push(entry);
    }

    pub(super) fn push(&mut self, entry: Entry) {
        if let Kind::Message { user, nonce: Some(nonce), .. } = &entry.kind {
            self.nonces.insert((user.clone(), *nonce), entry.id);
        }
        self.last = entry.position();
        self.bytes += bytes_of(&entry);
        self.entries.push_back(entry);
    }

    pub(super) fn has_user(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| match &entry.kind {
            Kind::Message { user, .. } => **user == *name,
            Kind::Deleted { by, .. } => **by == *name,
            Kind::Cleared { user, by } => **user == *name || **by == *name,
        })
    }

    /// Another name in every entry of a user.
    pub(super) fn rename(&mut self, old: &Arc<str>, new: &Arc<str>) {
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

    pub(super) fn clear(&mut self, name: &str) {
        for entry in &mut self.entries {
            if let Kind::Message { user, text, .. } = &mut entry.kind
                && **user == *name
            {
                self.bytes -= text.take().map_or(0, |text| text.len());
            }
        }
    }

    /// Forgets the oldest entries, as far as there are more than `keep`.
    pub(super) fn prune(&mut self, keep: usize) {
        while self.entries.len() > keep {
            let Some(entry) = self.entries.pop_front() else { return };
            self.pruned = entry.position();
            self.bytes -= bytes_of(&entry);
            if let Kind::Message { user, nonce: Some(nonce), .. } = entry.kind {
                self.nonces.remove(&(user, nonce));
            }
        }
    }

    pub(super) fn read(&self, range: Range, limit: usize) -> Page {
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

    pub(super) fn search(&self, words: &Words, before: Option<u64>, limit: u32) -> Found {
        let end = self.index(before.unwrap_or(u64::MAX)).unwrap_or(0).min(self.entries.len());
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let (mut entries, mut buffer, mut budget) = (vec![], String::new(), Budget::new(Instant::now()));
        for (index, entry) in self.entries.range(..end).enumerate().rev() {
            let mut bytes = 0;
            if let Kind::Message { text: Some(text), .. } = &entry.kind {
                bytes = text.len();
                if words.match_text(text, &mut buffer) {
                    entries.push(entry.clone());
                }
            }
            budget.take(bytes);
            if entries.len() == limit || budget.is_spent() {
                return Found { entries, next: (index > 0).then_some(entry.id) };
            }
        }
        Found { entries, next: None }
    }

    /// Whether a client at this position has the same past.
    pub(super) fn past(&self, position: Position) -> Past {
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
