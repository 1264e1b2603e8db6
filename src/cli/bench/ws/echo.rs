//! `--ws echo`: messages go to the server and have to come back as they are.
//!
//! The messages of a connection differ in their first bytes, which count them in hexadecimal digits; so a lost or doubled
//! echo is seen. A message from a file is sent as it is.

use super::masks::Masks;
use super::recorder::Recorder;
use super::stamp::write_hex;
use super::traffic::Heard;
use crate::ws::frame::encode_masked;
use crate::ws::session::{Kind, Payload};
use std::collections::VecDeque;

/// Digits of the number in front of a message, at most.
const DIGITS_MAX: usize = 8;

/// The echoes of all connections.
#[derive(Debug)]
pub struct Echo {
    /// The message, with the number that was written into it last.
    message: Vec<u8>,
    /// Its first bytes that are digits of its number.
    digits: usize,
    kind: Kind,
    /// Messages under way on each connection.
    in_flight: usize,
    /// By slot.
    lanes: Vec<Lane>,
    counts: EchoCounts,
}

/// What has become of the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EchoCounts {
    pub sent: u64,
    /// Sent, and not back yet.
    pub under_way: u64,
    /// Messages that came and were no echo of the one that was due.
    pub different: u64,
    /// Under way on connections that have ended.
    pub lost: u64,
}

/// One connection.
#[derive(Debug, Default)]
struct Lane {
    /// When the messages that are under way were sent, µs since the load began.
    sent: VecDeque<u64>,
    /// Messages that have come back.
    back: u64,
}

impl Echo {
    /// The echoes of `connections` connections, each with `in_flight` messages under way.
    pub fn new(connections: usize, in_flight: usize, message: EchoMessage) -> Echo {
        let (message, digits) = match message {
            EchoMessage::File(bytes) => (bytes, 0),
            EchoMessage::Length(bytes) => (vec![b'-'; bytes], bytes.min(DIGITS_MAX)),
        };
        let kind = if str::from_utf8(&message).is_ok() { Kind::Text } else { Kind::Binary };
        let lanes = std::iter::repeat_with(Lane::default).take(connections).collect();
        Echo { message, digits, kind, in_flight, lanes, counts: EchoCounts::default() }
    }

    /// Messages that are to be under way on each connection.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What has become of the messages.
    pub fn counts(&self) -> EchoCounts {
        self.counts
    }

    /// Appends the next message of a connection.
    pub fn say(&mut self, slot: usize, micros: u64, masks: &mut Masks, out: &mut Vec<u8>) {
        let lane = &mut self.lanes[slot];
        write_hex(lane.back + lane.sent.len() as u64, &mut self.message[..self.digits]);
        lane.sent.push_back(micros);
        encode_masked(self.kind.opcode(), true, masks.key(), &self.message, out);
        self.counts.sent += 1;
        self.counts.under_way += 1;
    }

    /// A message has come.
    pub fn hear(&mut self, slot: usize, kind: Kind, payload: &Payload, micros: u64, recorder: &mut Recorder) -> Heard {
        let lane = &mut self.lanes[slot];
        if lane.back == 0 && lane.sent.is_empty() {
            // Nothing was sent yet: the server announces something.
            return Heard::Nothing;
        }
        write_hex(lane.back, &mut self.message[..self.digits]);
        let is_due = kind == self.kind && is_equal(payload, &self.message);
        let Some(sent) = lane.sent.front().copied().filter(|_| is_due) else {
            self.counts.different += 1;
            recorder.fail();
            return Heard::Nothing;
        };
        lane.sent.pop_front();
        lane.back += 1;
        self.counts.under_way -= 1;
        recorder.record(micros.saturating_sub(sent));
        Heard::Own
    }

    /// The connection has ended.
    pub fn gone(&mut self, slot: usize) {
        let lost = std::mem::take(&mut self.lanes[slot].sent).len() as u64;
        self.counts.under_way -= lost;
        self.counts.lost += lost;
    }
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EchoMessage {
    /// These bytes.
    File(Vec<u8>),
    /// Bytes of a message.
    Length(usize),
}

fn is_equal(payload: &Payload, message: &[u8]) -> bool {
    match payload {
        Payload::Read(bytes) => *bytes == message,
        Payload::Assembled(blocks) if blocks.len() != message.len() => false,
        Payload::Assembled(blocks) => {
            let mut rest = message;
            blocks.iter().all(|block| {
                let (piece, behind) = rest.split_at(block.len());
                rest = behind;
                piece == block
            })
        }
    }
}
