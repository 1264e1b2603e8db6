//! The members of all rooms, and those that have gone with messages under way.

use super::moderation::Rank;
use super::room::Dialect;
use crate::id::ConnId;
use std::net::IpAddr;
use std::sync::Arc;

/// Connections that an operator's `/who` lists.
const LINES_MAX: usize = 200;

/// The members, by the slot of their connection: 10,000 idle ones take 35 bytes less each than in a map.
#[derive(Default)]
pub struct Members {
    slots: Vec<Option<Member>>,
}

/// A connection in a room, or about to enter it.
pub struct Member {
    /// Of its connection: the slot may have another one by now.
    generation: u32,
    /// The number of its room.
    pub room: u32,
    pub name: Arc<str>,
    pub dialect: Dialect,
    pub rank: Rank,
    /// Of its client, if it is known.
    pub address: Option<IpAddr>,
    /// Its messages that wait to be stored.
    pub unstored: u16,
}

/// What is known of a new member besides its name and its room.
pub struct Traits {
    pub dialect: Dialect,
    pub rank: Rank,
    /// Of its client, if it is known.
    pub address: Option<IpAddr>,
}

/// A member whose connection has gone, and whose last messages are still to be shown.
pub struct Leaver {
    /// The number of its room.
    pub room: usize,
    pub name: Arc<str>,
    pub dialect: Dialect,
    /// Its messages that wait to be stored.
    pub unstored: u16,
    /// The id of its last message that is stored.
    pub last: u64,
}

impl Members {
    /// A connection is a member from here on.
    pub fn insert(&mut self, id: ConnId, room: usize, name: Arc<str>, traits: Traits) {
        let Traits { dialect, rank, address } = traits;
        let (generation, room) = (id.generation(), room as u32);
        let member = Member { generation, room, name, dialect, rank, address, unstored: 0 };
        if self.slots.len() <= id.slot() {
            self.slots.resize_with(id.slot() + 1, || None);
        }
        self.slots[id.slot()] = Some(member);
    }

    /// The member of this connection, if it is one.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Member> {
        self.slots.get_mut(id.slot())?.as_mut().filter(|member| member.generation == id.generation())
    }

    /// The connection is no member any more.
    pub fn remove(&mut self, id: ConnId) -> Option<Member> {
        self.slots.get_mut(id.slot())?.take_if(|member| member.generation == id.generation())
    }

    /// The members for which this holds. It looks at each of them: about 2 ms for 100,000.
    pub fn find(&self, is_meant: impl Fn(&Member) -> bool) -> Vec<(ConnId, Dialect)> {
        let members = self.slots.iter().enumerate().filter_map(|(slot, member)| Some((slot, member.as_ref()?)));
        let found = members.filter(|(_, member)| is_meant(member));
        found.map(|(slot, member)| (ConnId::new(slot, member.generation), member.dialect)).collect()
    }

    /// A line for each connection in a room, with name and address, in the order of their names; at most `LINES_MAX`.
    pub fn lines(&self, room: u32) -> Vec<String> {
        let members = self.slots.iter().flatten().filter(|member| member.room == room).take(LINES_MAX);
        let mut lines: Vec<String> = members
            .map(|member| match member.address {
                Some(address) => format!("{} {address}", member.name),
                None => member.name.to_string(),
            })
            .collect();
        lines.sort_unstable();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_small() {
        let entry = size_of::<Option<Member>>();
        assert!(entry <= 48, "{entry} bytes");
    }
}
