//! The connections that read their past before they enter or follow a room.
//!
//! Only some of them read at once, since each holds what it has read until it enters: after a restart all members come
//! back in one moment. The others stand in line.

use super::entrance::Newcomer;
use super::join::Next;
use crate::id::ConnId;
use std::collections::{HashMap, VecDeque};

/// Newcomers that read at once. Each may hold a history of 1 MiB and a page.
const READING_MAX: usize = 32;

/// All newcomers.
#[derive(Default)]
pub struct Newcomers {
    all: HashMap<ConnId, Newcomer>,
    /// Those that stand in line, and what they want first. One that has gone meanwhile is still in it.
    line: VecDeque<(ConnId, Next)>,
    reading: usize,
}

impl Newcomers {
    /// A newcomer stands in line.
    pub fn insert(&mut self, id: ConnId, newcomer: Newcomer, first: Next) {
        self.all.insert(id, newcomer);
        self.line.push_back((id, first));
    }

    /// The next one in line, if it may read now.
    pub fn next_reader(&mut self) -> Option<(ConnId, Next)> {
        while self.reading < READING_MAX {
            let (id, first) = self.line.pop_front()?;
            if let Some(newcomer) = self.all.get_mut(&id) {
                newcomer.is_reading = true;
                self.reading += 1;
                return Some((id, first));
            }
        }
        None
    }

    /// A newcomer has entered or gone.
    pub fn remove(&mut self, id: ConnId) -> Option<Newcomer> {
        let newcomer = self.all.remove(&id)?;
        self.reading -= usize::from(newcomer.is_reading);
        Some(newcomer)
    }

    /// The newcomer with this id.
    pub fn get(&self, id: ConnId) -> Option<&Newcomer> {
        self.all.get(&id)
    }

    /// The same.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Newcomer> {
        self.all.get_mut(&id)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::chat::join::{Joining, Since};
    use crate::site::chat::room::Dialect;

    #[test]
    fn some_read_at_once_and_the_others_stand_in_line() {
        let mut newcomers = Newcomers::default();
        let id = |n| ConnId::new(n, 1);
        for n in 0..READING_MAX + 3 {
            let (joining, first) = Joining::since(Since::Nothing, Dialect::V1);
            newcomers.insert(id(n), Newcomer { room: 0, name: "ann".into(), joining, is_reading: false }, first);
        }
        let reading: Vec<ConnId> = std::iter::from_fn(|| newcomers.next_reader()).map(|(id, _)| id).collect();
        assert!(reading.into_iter().eq((0..READING_MAX).map(id)));
        assert!(newcomers.remove(id(READING_MAX)).is_some(), "one in line goes");
        assert!(newcomers.next_reader().is_none());
        assert!(newcomers.remove(id(5)).is_some() && newcomers.remove(id(5)).is_none());
        assert_eq!(newcomers.next_reader().map(|(id, _)| id), Some(id(READING_MAX + 1)));
        assert!(newcomers.next_reader().is_none() && !newcomers.is_empty());
    }
}
