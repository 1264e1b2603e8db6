//! The connections that an operator's act closes.

use super::v1::Problem;
use crate::clock::UnixMillis;
use crate::store::acts::{Act, Deed, Until, Whom};
use std::net::IpAddr;

/// A kick or a ban.
#[derive(Debug, Clone, Copy)]
pub enum Expulsion<'a> {
    /// From one room; the name may come back.
    Kick { name: &'a str },
    /// From all rooms.
    Ban { whom: &'a Whom, until: Until },
}

impl<'a> Expulsion<'a> {
    /// What this act closes; `None`: nothing.
    pub fn of(act: &'a Act) -> Option<Expulsion<'a>> {
        match &act.deed {
            Deed::Kick { name } => Some(Expulsion::Kick { name }),
            Deed::Ban { whom, until } => Some(Expulsion::Ban { whom, until: *until }),
            _ => None,
        }
    }

    /// Whether it closes a connection with this name and address; `is_there`: it is in the room of the act.
    pub fn is_for(&self, name: &str, address: Option<IpAddr>, is_there: bool) -> bool {
        match self {
            Expulsion::Kick { name: kicked } => is_there && *kicked == name,
            Expulsion::Ban { whom: Whom::Name(banned), .. } => **banned == *name,
            Expulsion::Ban { whom: Whom::Network(network), .. } => {
                address.is_some_and(|address| network.contains(address))
            }
        }
    }

    /// What a member of `squall.v1` is told before its Close.
    pub fn problem(&self, now: UnixMillis) -> Problem {
        match self {
            Expulsion::Kick { .. } => Problem::Kicked,
            Expulsion::Ban { until, .. } => Problem::Banned(*until, now),
        }
    }

    /// The reason of the Close.
    pub fn reason(&self) -> &'static str {
        match self {
            Expulsion::Kick { .. } => "kicked",
            Expulsion::Ban { .. } => "banned",
        }
    }
}
