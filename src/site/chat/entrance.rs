//! How connections come into rooms.

use super::join::{Joining, Since};
use super::moderation::Rank;
use super::names::Claim;
use std::net::IpAddr;
use std::sync::Arc;

/// How a connection enters.
pub struct Entrance {
    pub claim: Claim,
    pub rank: Rank,
    /// Of its client, if it is known.
    pub address: Option<IpAddr>,
    /// A name that was checked.
    pub room: Arc<str>,
    pub manner: Manner,
}

/// The protocol of a connection, and what it wants to know of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// The last messages, of this number.
    Plain {
        history: u32,
    },
    V1(Since),
}

/// How a response comes to follow a room.
pub struct Reading {
    /// A name that was checked.
    pub room: Arc<str>,
    pub name: Arc<str>,
    /// Of its client, if it is known.
    pub address: Option<IpAddr>,
    /// What the client has.
    pub since: Since,
}

/// A response that follows a room, or reads what it has missed before.
pub struct Reader {
    /// The number of its room.
    pub room: usize,
    pub name: Arc<str>,
    /// Of its client, if it is known.
    pub address: Option<IpAddr>,
    pub is_following: bool,
}

/// Whether a connection may enter a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The room is there, or may be made.
    Free,
    /// There are others only (`--rooms`).
    NoSuchRoom,
    /// It would be made, and there are too many (`--rooms-max`).
    TooManyRooms,
}

/// A connection that has not entered its room yet.
pub struct Newcomer {
    /// The number of its room.
    pub room: usize,
    pub name: Arc<str>,
    pub joining: Joining,
    /// It does not stand in line any more.
    pub is_reading: bool,
}
