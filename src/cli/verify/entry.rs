//! What is compared of an entry.

use super::names::{Digest, Name};
use std::collections::{HashMap, HashSet};

/// An entry as a journal has it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub id: u64,
    /// Of a message of the reader's own.
    pub nonce: Option<Digest>,
    pub facts: Facts,
}

/// What all clients must agree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// `None` in a chat without tags.
    pub tag: Option<Digest>,
    pub content: Content,
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// `text` is `None` when it was deleted.
    Message {
        from: Name,
        text: Option<Digest>,
    },
    Deleted {
        by: Name,
        target: u64,
    },
    Cleared {
        by: Name,
        user: Name,
    },
}

impl Content {
    /// Whether this is a message without its text.
    pub fn is_textless(self) -> bool {
        matches!(self, Content::Message { text: None, .. })
    }

    /// What differs, if both cannot be one entry. A message without its text may be any of its sender.
    fn difference(self, other: Content) -> Option<&'static str> {
        match (self, other) {
            (Content::Message { from, .. }, Content::Message { from: other, .. }) if from != other => Some("sender"),
            (Content::Message { text: Some(one), .. }, Content::Message { text: Some(other), .. }) if one != other => {
                Some("text")
            }
            (Content::Message { .. }, Content::Message { .. }) => None,
            (one, other) if one == other => None,
            _ => Some("content"),
        }
    }
}

impl Facts {
    /// Facts of a message of which no tag is known.
    pub fn untagged(content: Content) -> Facts {
        Facts { tag: None, content }
    }

    /// What differs, if both cannot be one entry.
    pub fn difference(self, other: Facts) -> Option<&'static str> {
        // The content first: a reader can see it.
        let has_other_tag = || self.tag.is_some() && other.tag.is_some() && self.tag != other.tag;
        self.content.difference(other.content).or_else(|| has_other_tag().then_some("tag"))
    }

    /// Takes over what the other one knows.
    pub fn complete(&mut self, other: Facts) {
        self.tag = self.tag.or(other.tag);
        if self.content.is_textless() {
            self.content = other.content;
        }
    }
}

/// What the deletions in a history have removed.
#[derive(Default)]
pub struct Removed {
    targets: HashSet<u64>,
    /// The last clearing of each user.
    cleared: HashMap<Name, u64>,
}

impl Removed {
    /// By the deletions among these entries.
    pub fn by(entries: impl Iterator<Item = (u64, Content)>) -> Removed {
        let mut removed = Removed::default();
        for (id, content) in entries {
            match content {
                Content::Message { .. } => {}
                Content::Deleted { target, .. } => {
                    removed.targets.insert(target);
                }
                Content::Cleared { user, .. } => {
                    let last = removed.cleared.entry(user).or_insert(id);
                    *last = id.max(*last);
                }
            }
        }
        removed
    }

    /// Whether the message with this id, from this user, is among them.
    pub fn has(&self, id: u64, from: Name) -> bool {
        self.targets.contains(&id) || self.cleared.get(&from).is_some_and(|&cleared| id < cleared)
    }
}

/// The ids of messages that have their text, though a deletion among the entries has removed them.
pub fn ghosts(entries: impl Iterator<Item = (u64, Content)> + Clone) -> Vec<u64> {
    let removed = Removed::by(entries.clone());
    let is_ghost = |(id, content): &(u64, Content)| match *content {
        Content::Message { from, text: Some(_) } => removed.has(*id, from),
        _ => false,
    };
    entries.filter(is_ghost).map(|(id, _)| id).collect()
}
