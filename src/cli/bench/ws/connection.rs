//! One connection of a load: its stream, and the bytes that are incomplete in either direction.

use super::opening::Opening;
use crate::id::ConnId;
use crate::net::outbox::Outbox;
use crate::net::{Edge, Ready, Stream, write_some};
use crate::ws::session::Session;
use std::io::{self, ErrorKind};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It takes part.
    Active,
    /// A member of the room that does not read.
    Slow,
    /// It is there, and does nothing.
    Other,
}

/// How far a connection has come.
pub enum Stage {
    Closed,
    /// Being connected, or logging in, or in the handshake.
    Opening(Box<Opening>),
    Open,
}

/// One connection.
pub struct Connection<S> {
    pub role: Role,
    pub stage: Stage,
    pub session: Session,
    /// Bytes of a message of the server, at most; a longer one breaks the rules of the load.
    message_bytes_max: usize,
    /// Tells the events of this connection from those of an earlier one in the same slot.
    generation: u32,
    stream: Option<S>,
    /// What the kernel said of input that is not read yet: it says so once.
    edge: Edge,
    /// The socket has room, as far as is known.
    is_writable: bool,
    unsent: Outbox,
    /// The front of a head, of a frame's header, or of a control frame.
    kept: Vec<u8>,
}

/// What one read has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Filled {
    /// The socket is drained.
    Nothing,
    /// `end` bytes are at the front of the buffer, the kept ones first; `fresh` of them are new.
    Bytes { end: usize, fresh: usize },
    /// The peer has sent its last byte before. The `end` bytes at the front of the buffer are those that were kept.
    Eof { end: usize },
}

impl<S: Stream> Connection<S> {
    /// A place for connections, one after the other. A message of the server has at most `message_bytes_max` bytes.
    pub fn new(role: Role, message_bytes_max: usize) -> Connection<S> {
        Connection {
            role,
            stage: Stage::Closed,
            session: Session::client(message_bytes_max),
            message_bytes_max,
            generation: 0,
            stream: None,
            edge: Edge::None,
            is_writable: false,
            unsent: Outbox::default(),
            kept: Vec::new(),
        }
    }

    /// The id of the next connection in this slot, which is not there yet.
    pub fn renew(&mut self, slot: usize) -> ConnId {
        self.close();
        // Generation 0 names what is no connection.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        ConnId::new(slot, self.generation)
    }

    /// The connection begins to open.
    pub fn open(&mut self, stream: S, opening: Opening) {
        (self.stream, self.stage) = (Some(stream), Stage::Opening(Box::new(opening)));
        self.session = Session::client(self.message_bytes_max);
    }

    /// The connection is gone: what was incomplete is dropped, and the socket closed.
    pub fn close(&mut self) {
        (self.stage, self.stream, self.edge, self.is_writable) = (Stage::Closed, None, Edge::None, false);
        (self.unsent, self.kept) = (Outbox::default(), Vec::new());
    }

    /// The same with a reset: the peer sees a cut line, and no port of ours stays in TIME_WAIT.
    pub fn cut(&mut self) {
        self.stream.iter().for_each(Stream::reset_on_drop);
        self.close();
    }

    /// Whether this names the connection that is there.
    pub fn is(&self, id: ConnId) -> bool {
        self.generation == id.generation()
    }

    /// Whether it can be spoken on.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Whether it is open, and nothing waits to be sent.
    pub fn is_idle(&self) -> bool {
        self.is_open() && self.unsent.is_empty()
    }

    /// Notes what the kernel says.
    pub fn note(&mut self, ready: Ready) {
        self.edge = self.edge.max(if ready.broken { Edge::ReadClosed } else { ready.input });
        self.is_writable |= ready.writable;
    }

    /// The stream itself, while the connection is being opened.
    pub fn stream(&mut self) -> &mut Option<S> {
        &mut self.stream
    }

    /// The TLS handshake is done. It may have brought bytes that no edge will tell of.
    pub fn secured(&mut self) {
        self.edge = self.edge.max(Edge::Readable);
    }

    /// Reads once into the buffer, behind what was kept.
    ///
    /// # Errors
    /// What the socket says: the connection is of no use.
    pub fn fill(&mut self, buffer: &mut [u8]) -> io::Result<Filled> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.edge > Edge::None) else { return Ok(Filled::Nothing) };
        let kept = self.kept.len();
        let fresh = loop {
            match stream.read(&mut buffer[kept..]) {
                Ok(fresh) => break fresh,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.edge = Edge::None;
                    return Ok(Filled::Nothing);
                }
                Err(e) => return Err(e),
            }
        };
        buffer[..kept].copy_from_slice(&self.kept);
        self.kept.clear();
        if fresh == 0 {
            return Ok(Filled::Eof { end: kept });
        }
        // On epoll a short read means that the socket is drained, unless the peer's FIN shares the edge (epoll(7)).
        if fresh < buffer.len() - kept && self.edge < Edge::ReadClosed && !stream.input_ended() {
            self.edge = Edge::None;
        }
        Ok(Filled::Bytes { end: kept + fresh, fresh })
    }

    /// Keeps the bytes that are incomplete for the next read.
    pub fn keep(&mut self, rest: &[u8]) {
        self.kept.extend_from_slice(rest);
    }

    /// Sends what the socket takes now, the rest when it has room.
    ///
    /// # Errors
    /// What the socket says: the connection is of no use.
    pub fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        while self.unsent.is_empty() && self.is_writable && !bytes.is_empty() {
            bytes = &bytes[write_some(stream, bytes, &mut self.is_writable)?..];
        }
        if !bytes.is_empty() {
            self.unsent.push(bytes);
        }
        Ok(())
    }

    /// Sends what waits, as much as the socket takes.
    ///
    /// # Errors
    /// What the socket says: the connection is of no use.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.is_writable) else { return Ok(()) };
        if stream.unsent() > 0 {
            stream.flush().or_else(|e| if e.kind() == ErrorKind::WouldBlock { Ok(()) } else { Err(e) })?;
            self.is_writable = stream.unsent() == 0;
        }
        while self.is_writable && !self.unsent.is_empty() {
            let sent = write_some(stream, self.unsent.next(), &mut self.is_writable)?;
            self.unsent.sent(sent);
        }
        Ok(())
    }
}
