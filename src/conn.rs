//! One connection: where bytes and a socket meet.
//!
//! ```text
//! socket ── fill ──▶ read buffer ── step ──▶ event
//! effect ──▶ outbox (or a room's feed, from the member's cursor on) ── flush ──▶ socket
//! ```
//!
//! What the kernel last said is stored ([`Input`], `writable`, `broken`). What the connection wants is computed from the
//! state of its protocol. An idle connection owns no buffer: an incomplete message waits in `kept`, output that the
//! socket did not take waits in `outbox`, and both give their memory back.

pub mod closing;
pub mod encoding;
pub mod http;
pub mod table;
pub mod timers;
pub mod upstream;
pub mod ws;

use crate::clock::Now;
use crate::config::Limits;
use crate::event::{Fetched, Request};
use crate::feed::lane::Lane;
use crate::id::{ConnId, FeedId};
use crate::net::outbox::Outbox;
use crate::net::{Edge, Ready, Stream, write_some};
use crate::ws::deflate::Codec;
use crate::ws::frame::WsError;
use crate::ws::session::{Kind, Payload};
use closing::Closing;
use encoding::Encoding;
use http::{Http, LogLine};
use std::io::{self, ErrorKind};
use table::Marks;
use timers::Timer;
use upstream::{End, Upstream};
use ws::Ws;

/// What is spoken on a connection.
pub enum Protocol {
    Http(Http),
    Ws(Box<Ws>),
    Upstream(Box<Upstream>),
    /// Nothing any more: what the peer still sends is thrown away, at most this many bytes (see [`closing`]).
    Discarding(usize),
}

/// What is known about the socket's input. Readiness is edge-triggered: the kernel says everything once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The last read took all there was; an edge comes before there is more.
    Drained,
    /// There may be something to read.
    Readable,
    /// The kernel has announced the peer's FIN. Data may be in front of it, so a short read does not mean drained.
    Ending,
    /// `read` has returned 0. That is the end of input, not of output.
    Ended,
    /// The same, but TLS's close_notify is missing: the end may have been cut off (RFC 8446 section 6.1).
    Truncated,
}

impl Input {
    /// Whether a read may return something, the end of input included.
    pub fn is_readable(self) -> bool {
        matches!(self, Input::Readable | Input::Ending)
    }

    /// Whether nothing more will come.
    pub fn has_ended(self) -> bool {
        matches!(self, Input::Ended | Input::Truncated)
    }

    /// Whether the peer is known to have sent its last byte, read or not.
    pub fn has_fin(self) -> bool {
        !matches!(self, Input::Drained | Input::Readable)
    }
}

/// A connection's place among the readers of a room's feed.
pub struct Subscription {
    pub feed: FeedId,
    pub encoding: Encoding,
    /// Index in the room's list of members.
    pub index: u32,
    pub lane: Lane,
}

/// One peer.
pub struct Connection<S> {
    /// `None` only for an upstream that waits for its place, its name or its connect.
    pub stream: Option<S>,
    pub input: Input,
    /// The last write was taken whole, or the kernel has said so since.
    pub writable: bool,
    /// Reset, or shut in both directions. What was received before may still be read.
    pub broken: bool,
    /// `kept` may hold whole messages: parsing stopped although there was input.
    pub unparsed: bool,
    pub closing: Closing,
    /// Lists of the table that the connection is on.
    pub(in crate::conn) marks: Marks,
    /// Bytes booked for this connection in the budget of all buffers.
    pub(in crate::conn) booked: u32,
    /// Input that no step has used yet; empty while idle.
    pub kept: Vec<u8>,
    /// Output that the socket did not take; of a room's member without what its lane has.
    pub outbox: Outbox,
    /// The one deadline; the protocol says what it means.
    pub(in crate::conn) timer: Timer,
    pub subscription: Option<Subscription>,
    pub protocol: Protocol,
}

/// How a [`Connection::fill`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Bytes in the buffer, kept ones included.
    pub end: usize,
    /// Bytes of these that are new.
    pub fresh: usize,
}

/// What is left to do for a response that is complete.
pub struct Rest {
    /// The fetch that it waited for; it is not needed any more.
    pub fetch: ConnId,
    pub line: Option<Box<LogLine>>,
}

/// What one step over the front of the input found. The number of bytes used comes beside it.
#[derive(Debug)]
pub enum Step<'b> {
    /// More bytes are needed.
    Starved,
    /// Nothing to tell yet; look at the rest.
    Quiet,
    /// HTTP: the peer waits for `100 Continue`.
    ExpectsContinue,
    /// HTTP: a request and its body.
    Request(Request<'b>, &'b [u8]),
    /// HTTP: the status and the sentence to refuse the input with. Nothing behind it is parsed.
    Refused(u16, String),
    /// WebSocket: a whole message.
    Message(Kind, Payload<'b>),
    /// WebSocket: a ping; its payload is in [`Ws::ping`].
    Ping,
    /// WebSocket: the peer's Close, with its code.
    Closed(Option<u16>),
    /// WebSocket: a frame that breaks a rule. Nothing behind it is parsed.
    Violation(WsError),
    /// Client: a part of the response for the owner of the fetch.
    Fetched(ConnId, Fetched<'b>),
    /// Client: the response has ended.
    FetchEnd(End),
    /// Nothing is expected any more: free the connection.
    Over,
}

impl<S: Stream> Connection<S> {
    /// A connection that has just been accepted, or an upstream that has no stream yet.
    pub fn new(stream: Option<S>, protocol: Protocol) -> Connection<S> {
        Connection {
            input: Input::Drained,
            writable: stream.is_some(),
            broken: false,
            unparsed: false,
            closing: Closing::No,
            marks: Marks::default(),
            booked: 0,
            kept: Vec::new(),
            outbox: Outbox::default(),
            timer: Timer::default(),
            subscription: None,
            stream,
            protocol,
        }
    }

    /// Notes what the kernel said.
    pub fn note(&mut self, ready: Ready) {
        self.input = match self.input {
            Input::Ended | Input::Truncated => self.input,
            _ if ready.input == Edge::ReadClosed => Input::Ending,
            Input::Drained if ready.input == Edge::Readable || ready.broken => Input::Readable,
            same => same,
        };
        self.writable |= ready.writable || ready.broken;
        self.broken |= ready.broken;
    }

    /// Puts the kept bytes into `shared`, and behind them what one read of at most `most` bytes (or a few TLS records)
    /// returns. If whole messages may be among the kept bytes, these come alone.
    ///
    /// # Errors
    /// What the socket says besides `WouldBlock` and `Interrupted`: the connection is dead.
    pub fn fill(&mut self, shared: &mut [u8], most: usize) -> io::Result<Filled> {
        let kept = self.kept.len();
        shared[..kept].copy_from_slice(&self.kept);
        self.kept = Vec::new();
        // The kept bytes first: a read may say that the peer has reset, and then they would be lost.
        let reads = !std::mem::take(&mut self.unparsed) && self.input.is_readable();
        let Some(stream) = self.stream.as_mut().filter(|_| reads) else { return Ok(Filled { end: kept, fresh: 0 }) };
        let room = &mut shared[kept..];
        let most = room.len().min(most.max(stream.wanted_room()));
        let room = &mut room[..most];
        if room.is_empty() {
            return Ok(Filled { end: kept, fresh: 0 });
        }
        let fresh = loop {
            match stream.read(room) {
                Ok(0) => {
                    self.input = Input::Ended;
                    break 0;
                }
                // A short read means that the socket was drained (epoll(7)), unless a FIN stands behind the data.
                Ok(n) => {
                    if !matches!(self.input, Input::Ending) && n < room.len() && !stream.input_ended() {
                        self.input = Input::Drained;
                    }
                    break n;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.input = Input::Drained;
                    break 0;
                }
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                    self.input = Input::Truncated;
                    break 0;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        };
        Ok(Filled { end: kept + fresh, fresh })
    }

    /// Takes one step over the front of `input`: the bytes used, and what they mean.
    pub fn step<'b>(
        &'b mut self,
        input: &'b mut [u8],
        codec: &mut Codec,
        limits: &Limits,
        now: Now,
    ) -> (usize, Step<'b>) {
        let (end, is_flushed) = (self.input, matches!(self.protocol, Protocol::Upstream(_)) && self.is_flushed());
        match &mut self.protocol {
            Protocol::Http(http) => http.step(input, limits),
            Protocol::Ws(ws) => ws.step(input, codec, now.instant),
            Protocol::Upstream(upstream) => upstream.step(input, end, is_flushed, limits, now.instant),
            Protocol::Discarding(left) => closing::discard(left, input.len()),
        }
    }

    /// Whether reading is of use now, given the bytes of output that wait outside the outbox: a pure function of states.
    /// Of an upstream, how far its owner lags is the client's business.
    pub fn wants_input(&self, reply: usize, limits: &Limits) -> bool {
        if !matches!(self.closing, Closing::No) || self.marks.is_dead {
            return false;
        }
        match &self.protocol {
            // The next request waits until the responses before it are with the kernel: a client that does not read
            // cannot go on asking.
            Protocol::Http(http) => http.wants_input() && self.is_flushed() && reply < limits.high_water,
            Protocol::Ws(ws) => {
                ws.wants_input(limits) && self.outbox.unsent() + self.own_bytes() + reply < limits.high_water
            }
            Protocol::Upstream(upstream) => upstream.is_read(),
            Protocol::Discarding(_) => true,
        }
    }

    /// Whether a step may find something without another byte: that the input has ended, or that a body is whole.
    pub fn may_end(&self) -> bool {
        let in_body = match &self.protocol {
            Protocol::Http(http) => http.is_in_body(),
            Protocol::Upstream(_) => true,
            Protocol::Ws(_) | Protocol::Discarding(_) => false,
        };
        self.input.has_ended() || in_body
    }

    /// Writes `reply` behind what waits; the unsent tail goes to the outbox.
    ///
    /// # Errors
    /// As [`Connection::flush`].
    pub fn send(&mut self, reply: &[u8]) -> io::Result<()> {
        let mut rest = reply;
        if self.outbox.is_empty() && self.writable {
            let Some(stream) = self.stream.as_mut() else { return Ok(()) };
            rest = &reply[write_some(stream, reply, &mut self.writable)?..];
        }
        if !rest.is_empty() {
            self.outbox.push(rest);
        }
        Ok(())
    }

    /// Sends what waits in the outbox, as far as the socket takes it, at most `most` bytes.
    ///
    /// # Errors
    /// The peer is gone: the connection is dead.
    pub fn flush(&mut self, most: usize) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if self.writable && stream.unsent() > 0 {
            match stream.flush() {
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.writable = false,
                outcome => outcome?,
            }
        }
        let mut left = most;
        while self.writable && !self.outbox.is_empty() && left > 0 {
            let next = self.outbox.next();
            let sent = write_some(stream, &next[..next.len().min(left)], &mut self.writable)?;
            self.outbox.sent(sent);
            left -= sent;
        }
        Ok(())
    }

    /// Whether all output is with the kernel.
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty() && self.stream.as_ref().is_none_or(|stream| stream.unsent() == 0)
    }

    /// Bytes that the kernel has not taken yet; of TLS, some of them count as ciphertext.
    pub fn unsent(&self) -> usize {
        self.outbox.unsent() + self.stream.as_ref().map_or(0, Stream::unsent)
    }

    /// Whether its TLS handshake is still under way.
    pub fn is_securing(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_securing)
    }

    /// Whether nothing is under way and nothing waits in either direction: a look at its state could only move its
    /// deadline.
    pub fn is_at_rest(&self) -> bool {
        let speaks = match &self.protocol {
            Protocol::Http(http) => http.is_between_requests() && http.fetch == ConnId::NONE,
            Protocol::Ws(ws) => ws.is_at_rest() && self.subscription.is_none(),
            Protocol::Upstream(_) | Protocol::Discarding(_) => false,
        };
        let is_calm = matches!((self.input, self.closing), (Input::Drained, Closing::No));
        let is_stirred = self.broken || self.unparsed || !is_calm;
        let is_waiting = !self.kept.is_empty() || !self.is_flushed() || self.is_securing();
        speaks && !is_stirred && !is_waiting && !self.is_dead() && self.held() == self.booked as usize
    }

    /// Whether there is something to write that the socket would take.
    pub fn has_output(&self) -> bool {
        self.writable && !self.outbox.is_empty()
    }

    /// Whether there is something to read, from the socket or from what was kept.
    pub fn has_input(&self) -> bool {
        self.unparsed || self.input.is_readable()
    }

    /// Bytes of messages for this member alone that its lane holds.
    pub fn own_bytes(&self) -> usize {
        self.subscription.as_ref().map_or(0, |subscription| subscription.lane.own_bytes())
    }

    /// Bytes of unfinished input and unsent output. A feed is counted with its room.
    pub fn held(&self) -> usize {
        let inside = match &self.protocol {
            Protocol::Http(http) => http.held(),
            Protocol::Ws(ws) => ws.held(),
            Protocol::Upstream(upstream) => upstream.held(),
            Protocol::Discarding(_) => 0,
        };
        let stream = self.stream.as_ref().map_or(0, Stream::held);
        inside + self.own_bytes() + self.kept.len() + self.outbox.held() + stream
    }

    /// Bytes booked for it in the budget of all buffers.
    pub fn booked(&self) -> usize {
        self.booked as usize
    }

    /// Whether it is to be freed; it is served and written to no more.
    pub fn is_dead(&self) -> bool {
        self.marks.is_dead
    }

    /// Whether it waits for a turn for its input.
    pub fn is_queued(&self) -> bool {
        self.marks.is_queued
    }

    /// Whether a list of the table brings it a turn: one for input, or a look at its state.
    pub fn is_listed(&self) -> bool {
        self.marks.is_queued || self.marks.is_touched
    }

    /// A response is complete; without keep-alive it was the last one. Returns what is left to do for it.
    pub fn end_response(&mut self, keep_alive: bool) -> Rest {
        if !keep_alive && matches!(self.closing, Closing::No) {
            self.closing = Closing::Flushing;
        }
        match &mut self.protocol {
            Protocol::Http(http) => {
                Rest { fetch: std::mem::replace(&mut http.fetch, ConnId::NONE), line: http.line.take() }
            }
            _ => Rest { fetch: ConnId::NONE, line: None },
        }
    }

    /// Its HTTP state, if that is spoken.
    pub fn http(&mut self) -> Option<&mut Http> {
        match &mut self.protocol {
            Protocol::Http(http) => Some(http),
            _ => None,
        }
    }

    /// Its WebSocket state, if that is spoken.
    pub fn ws(&mut self) -> Option<&mut Ws> {
        match &mut self.protocol {
            Protocol::Ws(ws) => Some(ws),
            _ => None,
        }
    }

    /// Its state as a client, if it is one that we opened.
    pub fn upstream(&mut self) -> Option<&mut Upstream> {
        match &mut self.protocol {
            Protocol::Upstream(upstream) => Some(upstream),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
