//! What a member of `squall.v1` wants, and whether it may.

use super::addresses::Addresses;
use super::commands::{self, Order};
use super::members::Member;
use super::moderation::{Moderation, Rank};
use super::names::Names;
use super::rules::Rules;
use super::v1::{self, Problem, Said};
use crate::clock::Now;
use crate::store::acts::Deed;
use crate::store::{Draft, Nonce, Rights};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is to be done.
pub enum Wanted {
    /// This is to be stored.
    Entry(Draft),
    Order(Order, Nonce),
}

/// Where messages are taken from: the allowance of their name, and that of their address.
pub struct Tolls<'a> {
    pub names: &'a mut Names,
    pub addresses: &'a mut Addresses,
}

impl Tolls<'_> {
    /// Takes one message.
    ///
    /// # Errors
    /// It comes too soon: the time until there is one.
    pub fn take(&mut self, name: &Arc<str>, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.names.take_message(name, now)?;
        self.addresses.take_message(address, now)
    }
}

/// Reads a frame of a member in this room, and takes what it costs of the member's allowances.
///
/// # Errors
/// Why it is not done, with the nonce if the frame has one.
pub fn read(
    frame: &[u8],
    member: &Member,
    room: &Arc<str>,
    mut tolls: Tolls,
    moderation: &mut Moderation,
    rules: &Rules,
    now: Now,
) -> Result<Wanted, (Problem, Option<Nonce>)> {
    let said = v1::parse(frame).map_err(|e| (Problem::Malformed, e.0))?;
    let (Said::Message { nonce, .. } | Said::Delete { nonce, .. } | Said::Command { nonce, .. }) = said;
    let wrong = |problem| (problem, Some(nonce));
    tolls.take(&member.name, member.address, now.instant).map_err(|wait| wrong(Problem::TooFast(wait)))?;
    let name = member.name.clone();
    match said {
        Said::Message { text, .. } | Said::Command { text, .. } if text.len() > rules.text_bytes_max => {
            Err(wrong(Problem::TooLong))
        }
        Said::Message { text, .. } if text.trim().is_empty() => Err(wrong(Problem::Empty)),
        Said::Message { text, .. } => {
            let turn = moderation.take_turn(&name, room, member.rank, now);
            turn.map_err(|bar| wrong(Problem::Barred(bar, now.wall)))?;
            Ok(Wanted::Entry(Draft::Message { user: name, nonce: Some(nonce), text: text.into() }))
        }
        // So that it is in the log of the operators.
        Said::Delete { id, .. } if member.rank == Rank::Operator => {
            Ok(Wanted::Order(Order::Do(Deed::Delete { id }), nonce))
        }
        Said::Delete { id, .. } => {
            let nonce = Some(nonce);
            Ok(Wanted::Entry(Draft::Deletion { target: id, by: name, rights: Rights::Author, nonce }))
        }
        Said::Command { text, .. } => match commands::parse(&text, now.wall) {
            Ok(Order::Do(_) | Order::Log) if member.rank != Rank::Operator => Err(wrong(Problem::NotOperator)),
            Ok(order) => Ok(Wanted::Order(order, nonce)),
            Err(why) => Err(wrong(Problem::Command(why))),
        },
    }
}
