//! What one client knows of one room.

use super::list::{Fit, How, List};
use super::names::{Name, Place};
use super::sends::Sends;

/// A client in a room.
pub struct View {
    pub user: Name,
    pub sends: Sends,
    is_connected: bool,
    expected: Expected,
    list: List,
    /// Lists that were replaced, each with the number of forks before.
    replaced: Vec<(usize, List)>,
    /// Where the client was told that the history is another one now.
    forks: Vec<Place>,
}

/// What the next welcome has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// There must be none.
    Nothing,
    /// The first list, or one in place of another after a gap.
    List { is_after_gap: bool },
    /// What was missed.
    Rest,
}

impl View {
    /// A client that has not connected.
    pub fn new(user: Name) -> View {
        View {
            user,
            sends: Sends::default(),
            is_connected: false,
            expected: Expected::Nothing,
            list: List::default(),
            replaced: Vec::new(),
            forks: Vec::new(),
        }
    }

    /// The client connects; `since` is the id of the position from which it wants to go on.
    pub fn connected(&mut self, since: Option<u64>, place: Place) {
        self.is_connected = true;
        self.expected = match since {
            None => Expected::List { is_after_gap: false },
            Some(_) => Expected::Rest,
        };
        match (since, self.list.last()) {
            (None, _) => self.replace(List::default()),
            // It knew less when it wrote down where it is: it will be shown the rest again.
            (Some(id), last) if last.is_none_or(|last| id < last) => self.replace(List::behind(id, place)),
            // What is in front of its position and was not shown to it is a hole.
            (Some(id), _) => self.list.claim(id, How::Live, place),
        }
    }

    /// The connection has ended.
    pub fn disconnected(&mut self) {
        self.is_connected = false;
    }

    /// The client is told that its list is to be replaced; `is_fork` if the history is another one now.
    pub fn gap(&mut self, is_fork: bool, place: Place) {
        self.replace(List::default());
        self.expected = Expected::List { is_after_gap: true };
        if is_fork {
            self.forks.push(place);
        }
    }

    /// A welcome begins. Returns what is wrong with its coming.
    pub fn welcome(&mut self, is_resumed: bool) -> Option<&'static str> {
        let wrong = match (self.expected, is_resumed) {
            (Expected::Rest, true) | (Expected::List { .. }, false) => None,
            (Expected::Rest, false) => Some("asked to resume, and got another history without a gap"),
            (Expected::List { is_after_gap: false }, true) => Some("resumed, though it did not ask for that"),
            (Expected::List { is_after_gap: true }, true) => Some("resumed after a gap"),
            (Expected::Nothing, _) => Some("a second welcome"),
        };
        self.expected = Expected::Nothing;
        if !is_resumed {
            self.replace(List::default());
        }
        wrong
    }

    /// The client was told that its list ends here. Returns whether it does not have more than that.
    pub fn ends_with(&mut self, position: u64, how: How, place: Place) -> bool {
        self.list.claim(position, how, place);
        self.list.last() == Some(position)
    }

    /// Whether the client waits for the welcome that follows a gap.
    pub fn is_in_gap(&self) -> bool {
        self.expected == Expected::List { is_after_gap: true }
    }

    /// The client gets an entry, which is `variant` of its id.
    pub fn add(&mut self, id: u64, variant: u32, how: How, place: Place) -> Fit {
        self.list.add(id, variant, how, place)
    }

    /// The number of times that the client was told of another history.
    pub fn fork(&self) -> usize {
        self.forks.len()
    }

    /// Where the client was told of another history.
    pub fn forks(&self) -> &[Place] {
        &self.forks
    }

    /// The list of a client that is connected at the end of its journal.
    pub fn list_at_end(&self) -> Option<&List> {
        self.is_connected.then_some(&self.list)
    }

    /// The last id that the client has.
    pub fn last(&self) -> Option<u64> {
        self.list.last()
    }

    /// Every list that the client has had, each with the number of forks before.
    pub fn lists(&self) -> impl Iterator<Item = (usize, &List)> {
        let now = (self.forks.len(), &self.list);
        self.replaced.iter().map(|(fork, list)| (*fork, list)).chain([now])
    }

    fn replace(&mut self, list: List) {
        let old = std::mem::replace(&mut self.list, list);
        self.sends.forget_ahead();
        if !old.is_empty() {
            self.replaced.push((self.forks.len(), old));
        }
    }
}
