//! `--ws fanout`: a room whose every message is to reach every member, its sender too.
//!
//! Without `--rate` each sender says its next message when its last one has come back to it. With it, a [`Pace`] says
//! when, and the senders take turns. Times are µs since the load began.

use super::masks::Masks;
use super::order::{Fit, HeardOfSender, Order, disagreeing};
use super::pace::Pace;
use super::recorder::Recorder;
use super::stamp::{Stamp, Stamps};
use super::traffic::Heard;
use crate::cli::bench::times::Times;
use crate::ws::frame::{Opcode, encode_masked};
use std::collections::VecDeque;

/// Messages of one sender whose way to the last member is followed: the newest.
const FOLLOWED_MAX: usize = 4096;
/// No member, and no sender.
const NONE: u32 = u32::MAX;

/// What is said, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Speech {
    /// The bytes of a message; its stamp will be written over some of them.
    pub message: Vec<u8>,
    /// Where the stamp stands.
    pub stamp_at: usize,
    /// Messages a second in all; `None`: each sender waits for its own.
    pub rate: Option<f64>,
}

/// The room.
#[derive(Debug)]
pub struct Fanout {
    speech: Speech,
    stamps: Stamps,
    /// By slot: the member that counts there.
    member_of: Vec<u32>,
    members: Vec<Member>,
    senders: Vec<Sender>,
    /// What each member has heard of each sender: `senders` of them for each member.
    heard: Vec<HeardOfSender>,
    /// Messages that the present members have heard, each counted once for a member.
    heard_by_present: u64,
    present: u64,
    said: u64,
    foreign: u64,
    spread: Times,
    pace: Option<Pace>,
    /// The sender whose turn it is to send what is due.
    turn: usize,
}

/// One that reads, and was there when the first message was sent.
#[derive(Debug)]
struct Member {
    sender: u32,
    /// Messages that it has heard, each counted once.
    heard: u64,
    order: Order,
}

#[derive(Debug)]
struct Sender {
    slot: usize,
    counts: SenderCounts,
    followed: VecDeque<Followed>,
}

/// A message on its way.
#[derive(Debug, Clone, Copy)]
struct Followed {
    sent: u64,
    /// When its first member had it.
    first: u64,
    /// Members that have it.
    members: u32,
}

/// What has become of the messages of one sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderCounts {
    pub said: u32,
    /// Deliveries that did not come; known at the end.
    pub lost: u64,
    pub doubled: u64,
    pub out_of_order: u64,
}

/// What a room has shown, from its first message on.
#[derive(Debug, Clone)]
pub struct RoomResults {
    pub members: usize,
    pub senders: Vec<SenderCounts>,
    /// Deliveries that came, each counted once, and that were to come.
    pub received: u64,
    pub expected: u64,
    /// Members with another order than most of those that have heard the same.
    pub disagreeing: usize,
    /// Messages that are none of this run, or came before it.
    pub foreign: u64,
    /// From the first to the last member of a message.
    pub spread: Times,
    /// Ages of the messages that have not reached all members, of the newest ones, said since a member left last.
    pub open: Times,
}

impl Fanout {
    /// A room in which nothing was said yet. `run` is a random number.
    pub fn new(speech: Speech, run: u64) -> Fanout {
        Fanout {
            speech,
            stamps: Stamps::new(run),
            member_of: vec![],
            members: vec![],
            senders: vec![],
            heard: vec![],
            heard_by_present: 0,
            present: 0,
            said: 0,
            foreign: 0,
            spread: Times::default(),
            pace: None,
            turn: 0,
        }
    }

    /// The connections in these slots are the members that count; at most `senders` of them speak, spread evenly.
    pub fn begin(&mut self, slots: &[usize], senders: usize, now: u64) {
        let senders = senders.min(slots.len());
        self.member_of = vec![NONE; slots.iter().max().map_or(0, |slot| slot + 1)];
        for (n, &slot) in slots.iter().enumerate() {
            self.member_of[slot] = n as u32;
            self.members.push(Member { sender: NONE, heard: 0, order: Order::default() });
        }
        for n in 0..senders {
            let member = (2 * n + 1) * slots.len() / (2 * senders);
            self.members[member].sender = n as u32;
            let (counts, followed) = Default::default();
            self.senders.push(Sender { slot: slots[member], counts, followed });
        }
        self.present = slots.len() as u64;
        self.heard = vec![HeardOfSender::default(); slots.len() * senders];
        self.pace = self.speech.rate.map(|rate| Pace::new(rate, now));
    }

    /// How many speak.
    pub fn senders(&self) -> usize {
        self.senders.len()
    }

    /// The schedule, of a run with `--rate` that has begun.
    pub fn pace(&self) -> Option<&Pace> {
        self.pace.as_ref()
    }

    /// The same, to change it.
    pub fn pace_mut(&mut self) -> Option<&mut Pace> {
        self.pace.as_mut()
    }

    /// The slot of a sender.
    pub fn slot_of(&self, sender: usize) -> usize {
        self.senders[sender].slot
    }

    /// The sender in a slot.
    pub fn sender_in(&self, slot: usize) -> Option<usize> {
        let member = self.members.get(*self.member_of.get(slot)? as usize)?;
        (member.sender != NONE).then_some(member.sender as usize)
    }

    /// The sender that is to send what is due now, and when it was due; `None`: nothing is, or no slot has room.
    pub fn due_now(&mut self, now: u64, has_room: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
        let pace = self.pace.as_mut()?;
        let due = pace.due().filter(|due| *due <= now)?;
        let count = self.senders.len();
        let turns = (0..count).map(|n| (self.turn + n) % count);
        let Some(sender) = turns.into_iter().find(|&sender| has_room(self.senders[sender].slot)) else {
            pace.hold_up(now);
            return None;
        };
        self.turn = (sender + 1) % count;
        pace.send(due, now);
        Some((sender, due))
    }

    /// Appends the next message of a sender, which was due at `due`.
    pub fn say(&mut self, sender: usize, due: u64, now: u64, masks: &mut Masks, out: &mut Vec<u8>) {
        let Speech { message, stamp_at, .. } = &mut self.speech;
        let Sender { counts, followed, .. } = &mut self.senders[sender];
        let stamp = Stamp { sender: sender as u32, number: counts.said, at: due };
        self.stamps.write(stamp, &mut message[*stamp_at..]);
        encode_masked(Opcode::Text, true, masks.key(), message, out);
        counts.said += 1;
        self.said += 1;
        if followed.len() == FOLLOWED_MAX {
            followed.pop_front();
        }
        followed.push_back(Followed { sent: now, first: 0, members: 0 });
    }

    /// A message has come to a slot.
    pub fn hear(&mut self, slot: usize, text: &[u8], now: u64, recorder: &mut Recorder) -> Heard {
        if self.members.is_empty() {
            // Nothing was said yet: the room announces its members.
            self.foreign += 1;
        }
        let Some(&member) = self.member_of.get(slot).filter(|member| **member != NONE) else { return Heard::Nothing };
        let senders = self.senders.len();
        let stamp = self.stamps.find(text).and_then(|stamp| {
            let sender = self.senders.get_mut(stamp.sender as usize)?;
            (stamp.number < sender.counts.said).then_some((stamp, sender))
        });
        let Some((Stamp { sender: from, number, at }, sender)) = stamp else {
            self.foreign += 1;
            return Heard::Nothing;
        };
        let of_sender = &mut self.heard[member as usize * senders + from as usize];
        let member = &mut self.members[member as usize];
        member.order.note(from, number);
        match of_sender.take(number) {
            Fit::Newer => {}
            Fit::OutOfOrder => sender.counts.out_of_order += 1,
            Fit::Doubled => {
                sender.counts.doubled += 1;
                return Heard::Nothing;
            }
        }
        member.heard += 1;
        self.heard_by_present += 1;
        recorder.record(now.saturating_sub(at));
        let from_the_end = (sender.counts.said - number) as usize;
        let place = sender.followed.len().checked_sub(from_the_end);
        let followed = place.and_then(|place| sender.followed.get_mut(place));
        if let Some(followed) = followed {
            if let Some(pace) = self.pace.as_mut().filter(|_| recorder.is_on()) {
                pace.delivered(now.saturating_sub(followed.sent));
            }
            if followed.members == 0 {
                followed.first = now;
            }
            followed.members += 1;
            if u64::from(followed.members) == self.present && recorder.is_on() {
                self.spread.record(now.saturating_sub(followed.first));
            }
        }
        if member.sender == from { Heard::Own } else { Heard::Other }
    }

    /// The connection in a slot has ended.
    pub fn gone(&mut self, slot: usize) {
        let member = self.member_of.get(slot).copied().unwrap_or(NONE);
        if let Some(member) = self.members.get(member as usize) {
            self.present -= 1;
            self.heard_by_present -= member.heard;
            // Whether it is one of the members that have a message is not known, so no one can tell who is the last.
            self.senders.iter_mut().for_each(|sender| sender.followed.clear());
        }
    }

    /// Whether the members that are there have heard all that was said.
    pub fn is_settled(&self) -> bool {
        self.heard_by_present == self.said * self.present
    }

    /// What the room has shown.
    pub fn results(&self, now: u64) -> RoomResults {
        let mut senders: Vec<SenderCounts> = self.senders.iter().map(|sender| sender.counts).collect();
        let members = self.members.len();
        for heard in self.heard.chunks(self.senders.len().max(1)) {
            for (sender, heard) in senders.iter_mut().zip(heard) {
                sender.lost += u64::from(sender.said - heard.count());
            }
        }
        let mut open = Times::default();
        let followed = self.senders.iter().flat_map(|sender| &sender.followed);
        let missing = followed.filter(|followed| u64::from(followed.members) < self.present);
        missing.for_each(|followed| open.record(now.saturating_sub(followed.sent)));
        RoomResults {
            members,
            senders,
            received: self.members.iter().map(|member| member.heard).sum(),
            expected: self.said * members as u64,
            disagreeing: disagreeing(self.members.iter().map(|member| member.order)),
            foreign: self.foreign,
            spread: self.spread.clone(),
            open,
        }
    }
}
