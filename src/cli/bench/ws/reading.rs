//! What has come on one connection: frames out of bytes, and what each of them calls for.

use super::connection::{Connection, Filled, Role};
use super::masks::Masks;
use super::recorder::Recorder;
use super::results::{End, Results};
use super::traffic::{Heard, Traffic};
use crate::http::Limits;
use crate::net::Stream;
use crate::ws::deflate::Codec;
use crate::ws::frame::{Opcode, encode_masked};
use crate::ws::session::WsEvent;
use std::ops::Range;

/// Size of the read buffer, bytes; a head of a response has to fit in it.
const BUFFER_BYTES: usize = 64 << 10;

/// What all connections share.
pub struct Tools {
    pub buffer: Vec<u8>,
    /// What is to be sent on the connection that is read.
    pub out: Vec<u8>,
    pub masks: Masks,
    /// Nothing is compressed, but a session wants one.
    codec: Codec,
    pub limits: Limits,
}

impl Tools {
    /// With these masking keys.
    pub fn new(masks: Masks) -> Tools {
        let codec = Codec::new(&crate::ws::Limits::default());
        Tools { buffer: vec![0; BUFFER_BYTES], out: Vec::new(), masks, codec, limits: Limits::default() }
    }
}

/// The reading of one connection, and what it changes.
pub struct Reading<'a> {
    pub slot: usize,
    /// µs since the load began.
    pub now: u64,
    /// A message that has come back calls for the next one.
    pub goes_on: bool,
    pub traffic: &'a mut Traffic,
    pub recorder: &'a mut Recorder,
    pub results: &'a mut Results,
    pub tools: &'a mut Tools,
}

impl Reading<'_> {
    /// Reads until the socket is drained, and sends in one write what that calls for. Returns how the connection has
    /// ended, if it has.
    pub fn read<S: Stream>(&mut self, connection: &mut Connection<S>) -> Option<End> {
        loop {
            let end = match connection.fill(&mut self.tools.buffer) {
                Ok(Filled::Bytes { end, fresh }) => {
                    self.note_read(fresh);
                    self.take(connection, 0..end)
                }
                Ok(Filled::Nothing) => return self.send(connection),
                Ok(Filled::Eof { .. }) => Some(End::WithoutClose),
                Err(_) => Some(End::Reset),
            };
            if end.is_some() {
                // What the messages before the end call for would be sent on the next connection that is read.
                self.tools.out.clear();
                return end;
            }
        }
    }

    /// Takes the frames in this part of the buffer; what is incomplete is kept for the next read.
    pub fn take<S: Stream>(&mut self, connection: &mut Connection<S>, bytes: Range<usize>) -> Option<End> {
        let Tools { buffer, out, masks, codec, .. } = &mut *self.tools;
        let (mut at, mut frames) = (bytes.start, 0);
        while at < bytes.end {
            let event = match connection.session.receive(&mut buffer[at..bytes.end], codec) {
                Ok((0, None)) => break,
                Ok((used, event)) => {
                    at += used;
                    event
                }
                Err(error) => {
                    close(Some(error.close_code()), masks, out);
                    let _ = connection.send(out);
                    out.clear();
                    return Some(End::Violation);
                }
            };
            let Some(event) = event else { continue };
            frames += 1;
            match event {
                WsEvent::Message(..) if connection.role != Role::Active => {}
                WsEvent::Message(kind, payload) => {
                    let heard = self.traffic.hear(self.slot, kind, &payload, self.now, self.recorder);
                    self.results.back += usize::from(heard == Heard::Back);
                    if heard == Heard::Own && self.goes_on {
                        self.traffic.say(self.slot, self.now, masks, out);
                        self.results.sent += u64::from(self.recorder.is_on());
                    }
                }
                WsEvent::Ping(payload) => {
                    encode_masked(Opcode::Pong, true, masks.key(), payload, out);
                    self.results.pings += 1;
                }
                WsEvent::Pong(_) => {}
                WsEvent::Close(code, _) => {
                    close(code, masks, out);
                    // It fails only if the server is gone, which does not matter any more.
                    let _ = connection.send(out);
                    out.clear();
                    return Some(End::Close(code));
                }
            }
        }
        connection.keep(&buffer[at..bytes.end]);
        self.results.full_reads += u64::from(frames > 1 && self.recorder.is_on());
        None
    }

    fn send<S: Stream>(&mut self, connection: &mut Connection<S>) -> Option<End> {
        let out = &mut self.tools.out;
        if out.is_empty() {
            return None;
        }
        if self.recorder.is_on() {
            self.results.sent_bytes += out.len() as u64;
        }
        let sent = connection.send(out);
        out.clear();
        sent.is_err().then_some(End::Reset)
    }

    fn note_read(&mut self, bytes: usize) {
        if self.recorder.is_on() {
            self.results.reads += 1;
            self.results.received_bytes += bytes as u64;
        }
    }
}

/// Appends a client's Close frame.
pub fn close(code: Option<u16>, masks: &mut Masks, out: &mut Vec<u8>) {
    let code = code.map(u16::to_be_bytes);
    encode_masked(Opcode::Close, true, masks.key(), code.as_ref().map_or(&[], |code| &code[..]), out);
}
