//! The store of the rooms' history, and how much may wait for it.
//!
//! A WebSocket with too many unstored messages is not read, and when too many wait in all, no member is read. An outcome
//! that ends such a wait puts the connections back on the ready queue, since no edge comes.

use crate::config::Limits;
use crate::conn::Connection;
use crate::conn::table::Connections;
use crate::event::{Command, Outcome};
use crate::id::{ConnId, FeedId};
use crate::net::Stream;
use crate::store::Store;

/// The key under which members are held while too many commands wait. No room has it.
const HELD: FeedId = FeedId(u32::MAX);

/// The store and the commands that wait for it.
pub struct History {
    store: Box<dyn Store>,
    /// Commands whose outcomes have not been taken.
    waiting: usize,
    /// Outcomes that may still be taken in this turn.
    left: usize,
}

impl History {
    /// Nothing waits for this store.
    pub fn new(store: Box<dyn Store>) -> History {
        History { store, waiting: 0, left: 0 }
    }

    /// A turn begins: it may take the outcomes of a turn.
    pub fn begin(&mut self, limits: &Limits) {
        self.left = limits.outcomes_per_turn;
    }

    /// Hands a command to the store.
    pub fn submit<S: Stream>(&mut self, conns: &mut Connections<S>, from: ConnId, command: Command, limits: &Limits) {
        let weight = weight(&command, limits);
        if let Some(ws) = conns.get_mut(from).and_then(Connection::ws) {
            ws.unstored = ws.unstored.saturating_add(weight);
        }
        self.waiting += 1;
        self.store.submit(from, command);
    }

    /// The store hands over what was submitted, if it has a thread.
    pub fn flush(&mut self) {
        self.store.flush();
    }

    /// The next outcome, within the budget of the turn.
    pub fn take<S: Stream>(&mut self, conns: &mut Connections<S>, limits: &Limits) -> Option<(ConnId, Outcome)> {
        if self.left == 0 {
            return None;
        }
        let (id, outcome) = self.store.take()?;
        self.left = self.left.saturating_sub(price(&outcome));
        if outcome.is_for_all() {
            return Some((id, outcome));
        }
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting <= limits.commands_waiting_max / 2 {
            conns.release(HELD);
        }
        if let Some(ws) = conns.get_mut(id).and_then(Connection::ws) {
            let is_read = !matches!(
                outcome,
                Outcome::Appended { .. }
                    | Outcome::Refused { .. }
                    | Outcome::Recorded { .. }
                    | Outcome::Claimed { .. }
                    | Outcome::Unclaimed { .. }
            );
            let was_unread = ws.awaits_store(limits);
            ws.unstored = ws.unstored.saturating_sub(if is_read { limits.unstored_max } else { 1 });
            if was_unread {
                conns.enqueue(id);
            }
        }
        Some((id, outcome))
    }

    /// Whether outcomes may be left over for the next turn.
    pub fn has_more(&self) -> bool {
        self.left == 0
    }

    /// What a member is held for while too many commands wait; `None` if it may be read.
    pub fn busy<S>(&self, conn: &Connection<S>, limits: &Limits) -> Option<FeedId> {
        // A peer whose input has ended says nothing more, and its end does not wait.
        let is_busy =
            self.waiting >= limits.commands_waiting_max && conn.subscription.is_some() && !conn.input.has_ended();
        is_busy.then_some(HELD)
    }

    /// Checks that members which are held will be released.
    ///
    /// # Errors
    /// A sentence if not.
    pub fn audit<S: Stream>(&self, conns: &Connections<S>) -> Result<(), String> {
        match conns.is_holding(HELD) && self.waiting == 0 {
            true => Err("members are held for the store, and nothing waits for it".into()),
            false => Ok(()),
        }
    }
}

/// What an outcome takes of the budget of a turn. The entries of a page are encoded, and are a large frame.
fn price(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Page { page, .. } => 1 + 4 * page.entries.len(),
        Outcome::Found { found, .. } => 1 + 4 * found.entries.len(),
        Outcome::Rooms(rooms) => 1 + rooms.len(),
        Outcome::Acts { acts, .. } | Outcome::InForce(acts) => 1 + acts.len(),
        _ => 1,
    }
}

/// What a command counts among those of its connection: one that reads keeps it from being read until its outcome.
fn weight(command: &Command, limits: &Limits) -> u16 {
    match command {
        Command::Append { .. } | Command::Record { .. } | Command::Claim { .. } => 1,
        _ => limits.unstored_max,
    }
}
