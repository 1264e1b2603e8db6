//! The rooms that have members, or work under way.

use super::room::Room;
use slab::Slab;
use std::collections::HashMap;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// Rooms by their numbers. A number is used again when its room is gone.
#[derive(Default)]
pub struct Rooms {
    slots: Slab<Room>,
    numbers: HashMap<Arc<str>, usize>,
}

impl Rooms {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// The number of the room with this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The same; without such a room, that of a new one.
    pub fn find_or_make(&mut self, name: Arc<str>) -> usize {
        if let Some(number) = self.find(&name) {
            return number;
        }
        let place = self.slots.vacant_entry();
        let number = place.key();
        place.insert(Room::new(name.clone(), number));
        self.numbers.insert(name, number);
        number
    }

    /// The room with this number, if it is still there.
    pub fn get_mut(&mut self, number: usize) -> Option<&mut Room> {
        self.slots.get_mut(number)
    }

    /// Forgets a room that nothing needs any more.
    pub fn drop_if_unused(&mut self, number: usize) {
        if self.slots.get(number).is_some_and(Room::is_unused) {
            let room = self.slots.remove(number);
            self.numbers.remove(&room.name);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Room> {
        self.slots.iter().map(|(_, room)| room)
    }
}

impl Index<usize> for Rooms {
    type Output = Room;

    fn index(&self, number: usize) -> &Room {
        &self.slots[number]
    }
}

impl IndexMut<usize> for Rooms {
    fn index_mut(&mut self, number: usize) -> &mut Room {
        &mut self.slots[number]
    }
}
