//! One connection: where bytes and a socket meet.
//!
//! ```text
//! socket ── fill ──▶ the loop's read buffer ──▶ protocol ──▶ event
//! effect ──▶ outbox (or a room's feed, by the lane) ── flush ──▶ socket
//! ```
//!
//! What the kernel last said is stored (`readable`, `writable`, …); what the connection wants is computed from its
//! protocol's state. A connection owns no buffer while it is idle: an incomplete message waits in `kept`, what the
//! socket did not take waits in `outbox`, and both give their memory back.

pub mod http;

pub mod race;
pub mod slab;
pub mod timers;
pub mod upstream;
pub mod ws;

use crate::conn::timers::Timer;
use crate::id::ConnId;
use crate::net::outbox::Outbox;
use crate::net::{Ready, Stream, write_some};
use http::Http;
use std::io::{self, ErrorKind};
use upstream::Upstream;
use ws::Ws;

/// What is spoken on a connection.
pub enum Protocol<S> {
    Http(Http),
    Ws(Box<Ws>),
    Upstream(Box<Upstream<S>>),
    /// Our output is complete and shut; what the peer still sends is thrown away, this many bytes at most. Closing with
    /// unread input would make the kernel send RST, and that destroys the answer on its way.
    Discarding(usize),
}

/// One peer.
pub struct Connection<S> {
    /// `None` only for an upstream that waits for its turn, its name or its connect.
    pub stream: Option<S>,
    /// No short read, no `WouldBlock` and no end since the kernel last said so.
    pub readable: bool,
    /// The last write was taken whole, or the kernel has said so since.
    pub writable: bool,
    /// The kernel has announced the peer's FIN, so a short read does not mean that all was read.
    pub read_closed: bool,
    /// Reset, or shut both ways; what was received before may still be read.
    pub broken: bool,
    /// `read` has answered 0: the end of input, not of output.
    pub eof: bool,
    /// It did so without the goodbye that TLS demands: somebody may have cut what was before it.
    pub truncated: bool,
    /// `kept` may hold whole messages: parsing stopped for a reason of ours.
    pub unparsed: bool,
    /// The peer may still be sending what we refused: closing has to swallow that first.
    pub lingers: bool,
    /// In the ready queue, or on a list of those who wait to get there.
    pub queued: bool,
    /// In the list of those to be looked after at the end of the turn.
    pub touched: bool,
    /// In the list of the dead; freed before the flush, or in the next turn if it died in the flush.
    pub dead: bool,
    /// What of the whole buffer budget is booked for this connection, bytes.
    pub booked: u32,
    /// The unparsed rest of the last slice; empty while idle.
    pub kept: Vec<u8>,
    /// What the socket did not take; of a room member only what does not go by its lane.
    pub outbox: Outbox,
    /// The one deadline; its meaning is the protocol's.
    pub timer: Timer,
    pub protocol: Protocol<S>,
}

/// How a [`Connection::fill`] ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Filled {
    /// The buffer holds so many bytes, kept ones included.
    pub end: usize,
    /// So many of them are new.
    pub fresh: usize,
}

impl<S: Stream> Connection<S> {
    /// A connection that has just been accepted, or an upstream that has no stream yet.
    pub fn new(stream: Option<S>, protocol: Protocol<S>) -> Connection<S> {
        Connection {
            readable: false,
            writable: stream.is_some(),
            read_closed: false,
            broken: false,
            eof: false,
            truncated: false,
            unparsed: false,
            lingers: false,
            queued: false,
            touched: false,
            dead: false,
            booked: 0,
            kept: Vec::new(),
            outbox: Outbox::default(),
            timer: Timer::default(),
            stream,
            protocol,
        }
    }

    /// Notes what the kernel said. Edge-triggered: it says everything once.
    pub fn note(&mut self, ready: Ready) {
        self.readable |= ready.readable || ready.read_closed || ready.broken;
        self.writable |= ready.writable || ready.broken;
        self.read_closed |= ready.read_closed;
        self.broken |= ready.broken;
    }

    /// Puts the kept bytes into `shared`, and behind them what the socket has: one read, of `most` bytes or a
    /// few TLS records. If whole
    /// messages may be among the kept ones, they come alone.
    ///
    /// # Errors
    /// What the socket says besides `WouldBlock` and `Interrupted`: the connection is dead.
    pub fn fill(&mut self, shared: &mut [u8], most: usize) -> io::Result<Filled> {
        let kept = self.kept.len();
        shared[..kept].copy_from_slice(&self.kept);
        self.kept = Vec::new();
        // What is here comes first: a read may say that the peer has reset, and that would be the end of it.
        let reads = !std::mem::take(&mut self.unparsed) && self.readable && !self.eof;
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
                    self.eof = true;
                    self.readable = false;
                    break 0;
                }
                // A short read means that the socket was drained (epoll(7)), unless a FIN stands behind the data.
                Ok(n) => {
                    self.readable = n == room.len() || self.read_closed || stream.input_ended();
                    break n;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    (self.readable, self.read_closed) = (false, false);
                    break 0;
                }
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                    (self.eof, self.truncated, self.readable) = (true, true, false);
                    break 0;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        };
        Ok(Filled { end: kept + fresh, fresh })
    }

    /// Writes `reply` behind whatever waits; the unsent tail becomes the outbox.
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

    /// Sends what waits in the outbox, as far as the socket takes it, `most` bytes at most.
    ///
    /// # Errors
    /// The peer is gone: the connection is dead.
    pub fn flush(&mut self, most: usize) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if self.writable && stream.unsent() > 0 {
            flush_stream(stream, &mut self.writable)?;
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

    /// Whether everything that was written is with the kernel.
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty() && self.stream.as_ref().is_none_or(|stream| stream.unsent() == 0)
    }

    /// Bytes that the kernel has not taken yet; of TLS, some of them count as ciphertext.
    pub fn unsent(&self) -> usize {
        self.outbox.unsent() + self.stream.as_ref().map_or(0, Stream::unsent)
    }

    /// Whether its TLS handshake is still under way.
    #[inline]
    pub fn is_securing(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_securing)
    }

    /// Whether no message is under way and nothing waits in either direction: to settle it could only wind up its clock.
    pub fn is_at_rest(&self) -> bool {
        let speaks = match &self.protocol {
            Protocol::Http(http) => http.is_between_requests() && http.fetch == ConnId::NOBODY,
            Protocol::Ws(ws) => ws.is_at_rest(),
            Protocol::Upstream(_) | Protocol::Discarding(_) => false,
        };
        let is_stirred = self.readable | self.read_closed | self.broken | self.eof | self.unparsed | self.dead;
        let is_waiting = !self.kept.is_empty() || !self.is_flushed() || self.is_securing();
        speaks && !is_stirred && !is_waiting && self.held() == self.booked as usize
    }

    /// Whether there is something to write that the socket would take.
    pub fn has_output(&self) -> bool {
        self.writable && !self.outbox.is_empty()
    }

    /// Whether there is something to read, from the socket or from what was kept.
    pub fn has_input(&self) -> bool {
        self.unparsed || self.readable && !self.eof
    }

    /// Unfinished input and unsent output of this connection, bytes; feeds are counted with their room.
    pub fn held(&self) -> usize {
        let inside = match &self.protocol {
            Protocol::Http(http) => http.held(),
            Protocol::Ws(ws) => ws.held(),
            Protocol::Upstream(upstream) => upstream.held(),
            Protocol::Discarding(_) => 0,
        };
        inside + self.kept.len() + self.outbox.held() + self.stream.as_ref().map_or(0, Stream::held)
    }
}

/// Sends what the stream itself still holds, and notes in `writable` when the socket is full.
fn flush_stream(stream: &mut impl Stream, writable: &mut bool) -> io::Result<()> {
    match stream.flush() {
        Err(e) if e.kind() == ErrorKind::WouldBlock => *writable = false,
        outcome => outcome?,
    }
    Ok(())
}

#[cfg(test)]
mod tests;
