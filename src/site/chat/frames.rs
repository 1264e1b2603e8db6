//! Text frames for one member or for all, and the reason of a Close.

use super::moderation::Bar;
use super::room::{Dialect, Room};
use crate::event::{Effect, Effects, Kind};
use crate::id::ConnId;
use crate::store::Refusal;

/// One text message to one connection.
pub fn send(to: ConnId, out: &mut Effects, write: impl FnOnce(&mut Vec<u8>)) {
    let text = out.write(write);
    out.push(Effect::Send(to, Kind::Text, text));
}

/// One line to all members of the plain protocol.
pub fn say(room: &Room, out: &mut Effects, write: impl FnOnce(&mut Vec<u8>)) {
    let line = out.write(write);
    out.push(Effect::Publish(room.feed(Dialect::Plain), line));
}

/// The reason of a Close for a message that was lost.
pub fn not_stored(why: Refusal) -> &'static str {
    match why {
        Refusal::Busy => "too many messages wait to be stored",
        _ => "the message cannot be stored",
    }
}

/// The reason of a Close for a message that its author may not write.
pub fn barred(bar: Bar) -> &'static str {
    match bar {
        Bar::Muted(_) => "muted",
        Bar::Locked => "locked",
        Bar::Slow(_) => "slow mode",
    }
}
