//! What a member of `squall.v1` wants, and whether it may.

use super::commands::{self, Order};
use super::members::Member;
use super::moderation::{Moderation, Rank};
use super::rules::Rules;
use super::v1::{self, Problem, Said};
use crate::clock::Now;
use crate::store::acts::Deed;
use crate::store::{Draft, Nonce, Rights};
use std::sync::Arc;

/// What is to be done.
pub enum Wanted {
    /// This is to be stored.
    Entry(Draft),
    Order(Order, Nonce),
}

/// Reads a frame of a member in this room, and takes what it costs of the member's allowances.
///
/// # Errors
/// Why it is not done, with the nonce if the frame has one.
pub fn read(
    frame: &[u8],
    member: &mut Member,
    room: &Arc<str>,
    moderation: &mut Moderation,
    rules: &Rules,
    now: Now,
) -> Result<Wanted, (Problem, Option<Nonce>)> {
    let said = v1::parse(frame).map_err(|e| (Problem::Malformed, e.0))?;
    let (Said::Message { nonce, .. } | Said::Delete { nonce, .. } | Said::Command { nonce, .. }) = said;
    let wrong = |problem| (problem, Some(nonce));
    member.allowance.take(&rules.rate, now.instant).map_err(|wait| wrong(Problem::TooFast(wait)))?;
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
