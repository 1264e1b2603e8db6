//! What the configuration says of the chat.

use super::allowance::Rate;
use super::join::Joining;
use super::moderation::{Rank, Settings};
use super::room::Room;
use super::v1::{self, Welcome};
use crate::config::Limits;
use crate::site::login::Passes;
use crate::site::room_name;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The limits of rooms and messages.
pub struct Rules {
    /// Bytes of a message's text.
    pub text_bytes_max: usize,
    /// Rooms at once.
    pub rooms_max: usize,
    /// Messages of a member.
    pub rate: Rate,
    /// Time between the end of a name's last connection and its leave, in `squall.v1`.
    pub grace: Duration,
    /// What signs invitations, if a new login needs one.
    pub invitations: Option<Rc<Passes>>,
    /// The only rooms, if they are given.
    fixed: Option<HashSet<Arc<str>>>,
}

impl Rules {
    /// The rules of these limits, with these rooms as the only ones; rates count from `now` on.
    ///
    /// # Errors
    /// A sentence about a room whose name is none.
    pub fn new(limits: &Limits, rooms: Option<&[String]>, now: Instant) -> Result<Rules, String> {
        let checked = |typed: &String| {
            let why = |_| format!("--rooms: {typed:?} is no name of a room: 1 to 64 letters, digits, - and _");
            room_name::check(typed).map_err(why)
        };
        Ok(Rules {
            text_bytes_max: limits.chat_text_bytes_max,
            rooms_max: limits.rooms_max,
            rate: Rate::new(limits.message_rate, limits.message_burst, now),
            grace: limits.presence_grace,
            invitations: None,
            fixed: rooms.map(|rooms| rooms.iter().map(checked).collect()).transpose()?,
        })
    }

    /// Whether there may be a room with this name.
    pub fn allows_room(&self, name: &str) -> bool {
        self.fixed.as_ref().is_none_or(|fixed| fixed.contains(name))
    }

    /// Appends the `welcome` of a newcomer called `name`.
    pub fn write_welcome(
        &self,
        room: &Room,
        (name, rank): (&str, Rank),
        settings: Settings,
        joining: &Joining,
        frame: &mut Vec<u8>,
    ) {
        let welcome = Welcome {
            room: &room.name,
            you: name,
            position: room.shown.unwrap_or_default(),
            members: &room.names(),
            count: room.count(),
            history: joining.history(),
            resumed: joining.is_resumed(),
            text_bytes_max: self.text_bytes_max,
            messages_per_second: self.rate.messages,
            burst: self.rate.burst,
            rank,
            settings,
        };
        v1::write_welcome(&welcome, frame);
    }
}
