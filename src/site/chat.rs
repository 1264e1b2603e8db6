//! The room: its members, their names, and what they may send.
//!
//! Presence is per name. The first connection of a name is announced to all members, a further one only to itself; the
//! leave of the last one is announced again. Names that look alike are never present together. Every line is appended
//! once to the room's feed; how far each member has read is the server's affair. A WebSocket outside the room is an
//! echo.
//!
//! ```text
//! NAME enter room     NAME:TEXT     NAME leave room
//! ```

use super::context::User;
use super::name::looks;
use super::pages::{Page, Pages};
use crate::config::Limits;
use crate::event::{Effect, Effects, Kind, Payload, Response};
use crate::id::{ConnId, FeedId};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Close codes, RFC 6455 section 7.4.1.
const UNSUPPORTED_DATA: u16 = 1003;
const POLICY_VIOLATION: u16 = 1008;
const TOO_BIG: u16 = 1009;

/// A longer stall earns members no more messages: the kernel's buffers could not have held them.
const ALLOWED_FOR_MAX: Duration = Duration::from_secs(600);

/// The one room of the plain protocol.
const LOBBY: FeedId = FeedId(0);

/// The members, and the names that are present.
pub struct Chat {
    /// By the slot of their connection: 10,000 idle members take 35 bytes less each than in a map.
    members: Vec<Option<Member>>,
    /// Connections of each present name.
    present: HashMap<Rc<str>, u32>,
    /// Looks of the present names, except a name itself.
    looks: HashSet<Box<str>>,
    text_bytes_max: usize,
    rate: f64,
    burst: f64,
    epoch: Instant,
    draining: bool,
}

/// A name under which a connection may enter now.
pub struct Claim {
    name: Rc<str>,
    /// Its looks; `None` if the name is present already.
    looks: Option<[String; 2]>,
}

impl Claim {
    /// Whether no connection has entered under this name.
    pub fn is_first(&self) -> bool {
        self.looks.is_some()
    }
}

struct Member {
    /// Of its connection: the slot may have another one by now.
    generation: u32,
    name: Rc<str>,
    allowance: Allowance,
}

/// A token bucket.
struct Allowance {
    /// Messages that the member may send at once.
    messages: f32,
    /// When `messages` was computed, milliseconds since the room was made.
    at: u32,
}

impl Chat {
    /// An empty room at time `now`.
    pub fn new(limits: &Limits, now: Instant) -> Chat {
        Chat {
            members: Vec::new(),
            present: HashMap::new(),
            looks: HashSet::new(),
            text_bytes_max: limits.chat_text_bytes_max,
            rate: limits.message_rate,
            burst: limits.message_burst,
            epoch: now,
            draining: false,
        }
    }

    /// The chat page for a user that may enter, else the way to the login.
    pub fn page(&self, user: &User, pages: &Pages) -> Response {
        // A name that looks like that of a member cannot enter, so the login has to change it.
        match user.name.as_ref().is_some_and(|name| self.claim(name).is_some()) {
            true => pages.render(&Page::Chat, user, 200),
            false => Response::redirect(303, "/login?next=/chat/").header("Cache-Control", "no-store"),
        }
    }

    /// The claim to a name; `None` while another name that looks like it is present.
    pub fn claim(&self, name: &str) -> Option<Claim> {
        if let Some((known, _)) = self.present.get_key_value(name) {
            return Some(Claim { name: known.clone(), looks: None });
        }
        let looks = looks(name);
        let is_used = |look: &str| self.present.contains_key(look) || self.looks.contains(look);
        let is_taken = self.looks.contains(name) || looks.iter().any(|look| is_used(look));
        (!is_taken).then(|| Claim { name: name.into(), looks: Some(looks) })
    }

    /// A connection enters under the name of `claim`, and gets its own enter line once.
    pub fn enter(&mut self, from: ConnId, claim: Claim, now: Instant, out: &mut Effects) {
        let (name, is_first) = (claim.name, claim.looks.is_some());
        *self.present.entry(name.clone()).or_insert(0) += 1;
        let looks = claim.looks.into_iter().flatten().filter(|look| **look != *name);
        self.looks.extend(looks.map(String::into_boxed_str));
        let line = out.write(|line| write_line(line, &name, " enter room", b""));
        out.push(Effect::Join(from, LOBBY));
        out.push(match is_first {
            true => Effect::Publish(LOBBY, line),
            false => Effect::Send(from, Kind::Text, line),
        });
        let allowance = Allowance { messages: self.burst as f32, at: millis(self.epoch, now) };
        if self.members.len() <= from.slot() {
            self.members.resize_with(from.slot() + 1, || None);
        }
        self.members[from.slot()] = Some(Member { generation: from.generation(), name, allowance });
    }

    /// Publishes the message of a member; sends any other back.
    pub fn on_message(&mut self, from: ConnId, kind: Kind, payload: Payload<'_>, now: Instant, out: &mut Effects) {
        let Some(member) = member_mut(&mut self.members, from) else {
            return out.send(from, kind, payload);
        };
        if kind == Kind::Binary {
            return self.expel(from, UNSUPPORTED_DATA, "text only", out);
        }
        if self.rate > 0.0 && !member.allowance.take(millis(self.epoch, now), self.rate, self.burst) {
            return self.expel(from, POLICY_VIOLATION, "too fast", out);
        }
        let Some(text) = payload.contiguous().filter(|text| text.len() <= self.text_bytes_max) else {
            return self.expel(from, TOO_BIG, "too long", out);
        };
        let line = out.write(|line| write_line(line, &member.name, ":", text));
        out.push(Effect::Publish(LOBBY, line));
    }

    /// The connection has ended; a member leaves the room.
    pub fn on_left(&mut self, from: ConnId, out: &mut Effects) {
        if member_mut(&mut self.members, from).is_none() {
            return;
        }
        let Some(member) = self.members[from.slot()].take() else { return };
        let Some(connections) = self.present.get_mut(&member.name) else { return };
        *connections -= 1;
        if *connections > 0 {
            return;
        }
        self.present.remove(&member.name);
        // Computed again: to store them would cost memory for each name.
        for look in looks(&member.name) {
            self.looks.remove(&*look);
        }
        if !self.draining {
            let line = out.write(|line| write_line(line, &member.name, " leave room", b""));
            out.push(Effect::Publish(LOBBY, line));
        }
    }

    /// The process stood still: the messages that members sent meanwhile, at their rate, come all at once.
    pub fn on_stalled(&mut self, stall: Duration) {
        let earned = stall.min(ALLOWED_FOR_MAX).as_secs_f64() * self.rate;
        for member in self.members.iter_mut().flatten() {
            member.allowance.messages += earned as f32;
        }
    }

    /// From now on no leave is announced.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    fn expel(&mut self, from: ConnId, code: u16, reason: &'static str, out: &mut Effects) {
        out.push(Effect::Close(from, code, reason));
        self.on_left(from, out);
    }
}

fn millis(epoch: Instant, now: Instant) -> u32 {
    // Wraps after 49 days; then a member misses one refill.
    now.saturating_duration_since(epoch).as_millis() as u32
}

/// The member of this connection, if it is one.
fn member_mut(members: &mut [Option<Member>], id: ConnId) -> Option<&mut Member> {
    members.get_mut(id.slot())?.as_mut().filter(|member| member.generation == id.generation())
}

impl Allowance {
    /// Takes one message if there is one.
    fn take(&mut self, at: u32, rate: f64, burst: f64) -> bool {
        let earned = f64::from(at.wrapping_sub(self.at)) / 1000.0 * rate;
        // What a stall has earned stays above the burst until it is used.
        let left = f64::from(self.messages);
        let messages = (left + earned).min(burst.max(left));
        self.at = at;
        self.messages = (messages - 1.0).max(0.0) as f32;
        messages >= 1.0
    }
}

fn write_line(line: &mut Vec<u8>, name: &str, middle: &str, text: &[u8]) {
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(middle.as_bytes());
    line.extend_from_slice(text);
}

#[cfg(test)]
mod tests;
