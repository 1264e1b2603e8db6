//! Short values in place of texts, so that memory grows with the number of messages and not with their length.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::rc::Rc;

/// A line of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its index among the journals.
    pub file: u32,
    /// From 1.
    pub line: u32,
}

/// The name of a room, a client or a user: an index in [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

/// Stands for a text that is only compared: the first half of its SHA-256, so that no two texts are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Of a text.
    pub fn of(text: &str) -> Digest {
        let mut half = [0; 16];
        half.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
        Digest(half)
    }
}

/// Every name that the journals have, once.
#[derive(Default)]
pub struct Names {
    by_text: HashMap<Rc<str>, Name>,
    texts: Vec<Rc<str>>,
}

impl Names {
    /// The name with this text. There are at most 4,294,967,295; later ones count as the last.
    pub fn name(&mut self, text: &str) -> Name {
        if let Some(&name) = self.by_text.get(text) {
            return name;
        }
        let name = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Rc<str> = text.into();
        self.texts.push(text.clone());
        self.by_text.insert(text, name);
        name
    }

    /// The text of a name, for a terminal: without control characters.
    pub fn show(&self, name: Name) -> String {
        plain(self.texts.get(name.0 as usize).map_or("", |text| text))
    }

    /// The text of a name as JSON.
    pub fn json(&self, name: Name) -> Value {
        self.texts.get(name.0 as usize).map_or(Value::Null, |text| Value::String(text.to_string()))
    }
}

/// A text from outside for a terminal, which control characters could change.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
