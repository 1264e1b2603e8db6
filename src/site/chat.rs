//! The room: who is in it, under which name, and what they may say.
//!
//! Presence is per name. The first connection of a name is announced to everybody, a further one only to itself; the
//! last one that goes is announced again. Names that look alike are never present together. Every line goes once into
//! the room's feed; who has read how far is the server's affair. Messages of connections that are in no room are echoes.
//!
//! ```text
//! NAME enter room     NAME:TEXT     NAME leave room
//! ```

use super::name::looks;
use crate::config::Limits;
use crate::event::{Effect, Effects, Kind, Payload};
use crate::id::{ConnId, FeedId};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Close codes, RFC 6455 section 7.4.1.
const UNSUPPORTED_DATA: u16 = 1003;
const POLICY_VIOLATION: u16 = 1008;
const TOO_BIG: u16 = 1009;

/// A longer stall earns members no more messages: the kernel's buffers would not have held them.
const ALLOWED_FOR_MAX: Duration = Duration::from_secs(600);

/// The one room of the plain protocol.
const LOBBY: FeedId = FeedId(0);

/// Members by slot, presence by name, each member's allowance.
pub struct Chat {
    /// By slot: a look-up costs no hash, and an idle member few bytes.
    members: Vec<Option<Member>>,
    /// How many connections each present name has.
    present: HashMap<Rc<str>, u32>,
    /// Looks of the present names, where they are not the name itself.
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
    /// What it shares with names that look like it; `None` if it is present already.
    looks: Option<[String; 2]>,
}

impl Claim {
    /// Whether no connection has entered under this name.
    pub fn is_first(&self) -> bool {
        self.looks.is_some()
    }
}

struct Member {
    generation: u32,
    name: Rc<str>,
    allowance: Allowance,
}

/// A token bucket: what a member may send at once, and when that was computed.
struct Allowance {
    messages: f32,
    /// Milliseconds since the room was made.
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

    /// A connection enters under the name of `claim`, and sees its own enter line once.
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
        if self.members.len() <= from.slot() {
            self.members.resize_with(from.slot() + 1, || None);
        }
        let allowance = Allowance { messages: self.burst as f32, at: millis(self.epoch, now) };
        self.members[from.slot()] = Some(Member { generation: from.generation(), name, allowance });
    }

    /// A message: to the room if its sender is in it, else back.
    pub fn on_message(&mut self, from: ConnId, kind: Kind, payload: Payload<'_>, now: Instant, out: &mut Effects) {
        let (rate, burst, text_bytes_max) = (self.rate, self.burst, self.text_bytes_max);
        let epoch = self.epoch;
        let Some(member) = self.member(from) else {
            return out.send(from, kind, payload);
        };
        if kind == Kind::Binary {
            return self.expel(from, UNSUPPORTED_DATA, "text only", out);
        }
        if rate > 0.0 && !member.allowance.take(millis(epoch, now), rate, burst) {
            return self.expel(from, POLICY_VIOLATION, "too fast", out);
        }
        let Some(text) = payload.contiguous().filter(|text| text.len() <= text_bytes_max) else {
            return self.expel(from, TOO_BIG, "too long", out);
        };
        let line = out.write(|line| write_line(line, &member.name, ":", text));
        out.push(Effect::Publish(LOBBY, line));
    }

    /// A connection is gone; if it was in the room, it leaves it.
    pub fn on_left(&mut self, from: ConnId, out: &mut Effects) {
        if self.member(from).is_none() {
            return;
        }
        let Some(member) = self.members[from.slot()].take() else { return };
        let Some(connections) = self.present.get_mut(&member.name) else { return };
        *connections -= 1;
        if *connections > 0 {
            return;
        }
        self.present.remove(&member.name);
        // Computed again: to keep them would cost each member its bytes.
        for look in looks(&member.name) {
            self.looks.remove(&*look);
        }
        if !self.draining {
            let line = out.write(|line| write_line(line, &member.name, " leave room", b""));
            out.push(Effect::Publish(LOBBY, line));
        }
    }

    /// The process stood still: what a member has said meanwhile, at its rate, comes all at once.
    pub fn allow_for(&mut self, stall: Duration) {
        let earned = stall.min(ALLOWED_FOR_MAX).as_secs_f64() * self.rate;
        for member in self.members.iter_mut().flatten() {
            member.allowance.messages += earned as f32;
        }
    }

    /// From now on nobody is told who leaves.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    fn expel(&mut self, from: ConnId, code: u16, reason: &'static str, out: &mut Effects) {
        out.push(Effect::Close(from, code, reason));
        self.on_left(from, out);
    }

    fn member(&mut self, id: ConnId) -> Option<&mut Member> {
        let member = self.members.get_mut(id.slot())?.as_mut()?;
        (member.generation == id.generation()).then_some(member)
    }
}

fn millis(epoch: Instant, now: Instant) -> u32 {
    // Wraps after 49 days, which costs a member one refill.
    now.saturating_duration_since(epoch).as_millis() as u32
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
