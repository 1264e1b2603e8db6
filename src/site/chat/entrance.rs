//! How connections come into rooms.

use super::join::{Joining, Since};
use super::names::Claim;
use crate::site::context::{Standing, User};
use std::sync::Arc;

/// How a connection enters.
pub struct Entrance {
    pub claim: Claim,
    /// A name that was checked.
    pub room: Arc<str>,
    pub manner: Manner,
    pub rank: Rank,
}

/// What a member may do besides talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    Member,
    /// Its name is an operator's, and its password was typed.
    Operator,
}

impl Rank {
    /// The rank of this user.
    pub fn of(user: &User) -> Rank {
        match user.standing {
            Standing::Operator(_) => Rank::Operator,
            Standing::Guest | Standing::Named(_) => Rank::Member,
        }
    }
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
