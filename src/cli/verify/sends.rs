//! What a client sent to a room, and what became of it.

use super::entry::{Content, Entry, Facts};
use super::names::{Digest, Place};
use std::collections::HashMap;

/// What one client sent to one room, by nonce.
#[derive(Default)]
pub struct Sends {
    by_nonce: HashMap<Digest, Send>,
    /// Counts the sends that have a place in the order.
    orders: u64,
    /// Acknowledged, but not yet shown to the client: id and nonce.
    ahead: Vec<(u64, Digest)>,
}

/// A message or deletion that was sent, perhaps several times.
pub struct Send {
    pub content: Content,
    /// Its place among the sends of the client: that of the first time, or of the first time after a refusal.
    pub order: u64,
    /// Of the first time.
    pub place: Place,
    pub stored: Option<Stored>,
    times: u32,
    refusals: u32,
    is_refused: bool,
}

/// That something is stored, as the client was told.
#[derive(Clone, Copy)]
pub struct Stored {
    pub id: u64,
    pub place: Place,
    /// The number of forks that the client was told of before.
    pub fork: usize,
    /// The client resumed in front of this entry, and it was not there any more.
    pub is_undone: bool,
}

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// What the client did not know, or knew.
    Sound,
    /// Another id than before.
    Second,
    /// Nothing was sent with this nonce.
    Unsent,
}

impl Send {
    /// Whether every time it was sent it was refused.
    pub fn is_always_refused(&self) -> bool {
        self.refusals >= self.times
    }
}

impl Sends {
    /// The client sends, perhaps again. With a nonce that was used for something else, the first one counts.
    pub fn sent(&mut self, nonce: Digest, content: Content, place: Place) {
        let new = Send { content, order: self.orders, place, stored: None, times: 0, refusals: 0, is_refused: true };
        let send = self.by_nonce.entry(nonce).or_insert(new);
        send.times = send.times.saturating_add(1);
        if send.is_refused {
            send.is_refused = false;
            send.order = self.orders;
            self.orders += 1;
        }
    }

    /// What was sent is stored with this id. `last` is the last id that the client has been shown.
    pub fn acked(&mut self, nonce: Digest, id: u64, fork: usize, last: Option<u64>, place: Place) -> Ack {
        let Some(send) = self.by_nonce.get_mut(&nonce) else { return Ack::Unsent };
        if send.stored.is_some_and(|stored| stored.fork == fork && !stored.is_undone && stored.id != id) {
            return Ack::Second;
        }
        send.stored = Some(Stored { id, place, fork, is_undone: false });
        if last.is_none_or(|last| last < id) {
            self.ahead.push((id, nonce));
        }
        Ack::Sound
    }

    /// What was sent is not stored. Returns whether anything was sent.
    pub fn refused(&mut self, nonce: Digest) -> bool {
        let Some(send) = self.by_nonce.get_mut(&nonce) else { return false };
        send.refusals = send.refusals.saturating_add(1);
        send.is_refused = true;
        true
    }

    /// The client has been shown everything up to `last`.
    pub fn shown(&mut self, last: Option<u64>) {
        self.ahead.retain(|&(id, _)| last.is_none_or(|last| last < id));
    }

    /// The client resumed in front of these entries. What was acknowledged and is not among them is undone.
    pub fn resumed(&mut self, entries: &[Entry]) {
        for (id, nonce) in self.ahead.drain(..) {
            let Some(send) = self.by_nonce.get_mut(&nonce) else { continue };
            let sent = Facts::untagged(send.content);
            let is_there = entries.iter().any(|entry| entry.id == id && entry.facts.difference(sent).is_none());
            if let Some(stored) = &mut send.stored
                && stored.id == id
            {
                stored.is_undone = !is_there;
            }
        }
    }

    /// The list of the client begins anew.
    pub fn forget_ahead(&mut self) {
        self.ahead.clear();
    }

    /// All of them by nonce, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Digest, &Send)> {
        self.by_nonce.iter()
    }
}
