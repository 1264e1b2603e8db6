//! Where streams come from and what they can do: the kernel's (`kernel`, `wire`), or a test's.
//!
//! [`Network`] gives out [`Stream`]s and has them watched; what becomes ready comes back as a list of
//! ([`Source`], [`Ready`]). Sockets are registered once, for both directions, edge-triggered (epoll(7)).

pub mod address;
pub mod doors;
pub mod kernel;
pub mod listeners;
pub mod outbox;
pub mod socket;
#[cfg(feature = "tls")]
pub mod tls;
pub mod wire;

use crate::id::ConnId;
use listeners::Service;
use mio::Token;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};

/// A non-blocking byte stream.
pub trait Stream: Read + Write {
    /// Takes the handshake as far as the socket allows; `true` once bytes may flow, for TCP at once.
    ///
    /// # Errors
    /// The handshake has failed: the stream is of no use.
    fn secure(&mut self) -> io::Result<bool> {
        Ok(true)
    }
    /// Whether the handshake is not done yet; for TCP, it always is.
    fn is_securing(&self) -> bool {
        false
    }
    /// Bytes that were taken by `write` and still wait here for the socket; `flush` sends them.
    fn unsent(&self) -> usize {
        0
    }
    /// Memory held for input that is not whole and for output that waits, bytes.
    fn held(&self) -> usize {
        0
    }
    /// A read that is offered fewer bytes than these has to copy what it decrypts.
    fn wanted_room(&self) -> usize {
        0
    }
    /// Whether it is known how the input ends: the next read tells, and no event will call for it.
    fn input_ended(&self) -> bool {
        false
    }
    /// Tells the peer that this was all, where the stream has a word for it; FIN alone, which the drop sends, might be
    /// from an attacker (RFC 8446 section 6.1).
    fn say_goodbye(&mut self) {}
    /// Sends FIN behind what was written and the goodbye.
    fn shutdown_write(&mut self);
    /// Makes the drop a reset (SO_LINGER 0): only that gives the kernel's send buffer back at once.
    fn reset_on_drop(&self);
    /// The pending error of the socket (SO_ERROR): how a connect ended.
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    /// The other end; `NotConnected` while a connect is under way.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}

/// Writes once; returns the bytes taken, and notes in `writable` when the socket is full.
///
/// # Errors
/// What the socket says besides `WouldBlock` and `Interrupted`: the peer is gone.
pub fn write_some(stream: &mut impl Stream, bytes: &[u8], writable: &mut bool) -> io::Result<usize> {
    loop {
        return match stream.write(bytes) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                // A short write means that the send buffer is full, and its edge is still to come. So does ciphertext
                // that is left behind.
                *writable = n == bytes.len() && stream.unsent() == 0;
                Ok(n)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                *writable = false;
                Ok(0)
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => Err(e),
        };
    }
}

/// Whether a connect is done, of a stream that has become writable: that means that it is decided (connect(2), EINPROGRESS),
/// and only the peer's address tells that it is decided well. `false`: it is still under way.
///
/// # Errors
/// Why it failed: the pending error of the socket (SO_ERROR).
pub fn is_connected(stream: &impl Stream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotConnected => Ok(false),
        Err(e) => Err(e),
    }
}

/// A connection that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival<S> {
    pub stream: S,
    /// What its listener is for.
    pub service: Service,
    /// The address of the other end, as accept(2) returns it; `None` if it has none.
    pub peer: Option<IpAddr>,
}

/// What the loop needs of the world.
pub trait Network {
    type Stream: Stream;

    /// The next connection of listener number `listener`.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; a shortage of descriptors or memory (accept(2)); or one client's own failure.
    fn accept(&mut self, listener: usize) -> io::Result<Arrival<Self::Stream>>;
    /// Starts to connect; the stream becomes writable when that is decided.
    ///
    /// # Errors
    /// No descriptor, no route, or no permission (connect(2)).
    fn connect(&mut self, to: SocketAddr) -> io::Result<Self::Stream>;
    /// Puts TLS on a stream that has just been connected to `host`, a name or an address; [`Stream::secure`] drives it.
    ///
    /// # Errors
    /// This network has no TLS, or the host cannot stand in a certificate.
    fn encrypt(&mut self, _stream: Self::Stream, _host: &str) -> io::Result<Self::Stream> {
        Err(ErrorKind::Unsupported.into())
    }
    /// The handshake of a stream is done: what was agreed may be noted.
    fn secured(&mut self, _stream: &Self::Stream) {}
    /// From now on reports the readiness of `stream` under `id`.
    ///
    /// # Errors
    /// The kernel's limit of watches is reached (epoll_ctl(2)).
    fn watch(&mut self, stream: &mut Self::Stream, id: ConnId) -> io::Result<()>;
    /// How many listeners there are.
    fn listeners(&self) -> usize;
    /// Stops listening; clients in the backlog are refused.
    fn stop_listening(&mut self);
}

/// What became ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Connection(ConnId),
    Listener(usize),
    /// Threads have results.
    Jobs,
    /// A signal came.
    Signals,
}

/// What the kernel said of a source's input; a later one says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Edge {
    #[default]
    None,
    Readable,
    /// The peer's FIN is here, perhaps behind data (EPOLLRDHUP).
    ReadClosed,
}

/// What the kernel said of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    pub input: Edge,
    pub writable: bool,
    /// Reset, or both directions are shut.
    pub broken: bool,
}

// No connection has generation 0 (see `conn::table`), so the low half of the token names everything else.
const JOBS: usize = u32::MAX as usize;
const SIGNALS: usize = JOBS - 1;

impl Source {
    /// The token of mio for this source.
    pub fn token(self) -> Token {
        Token(match self {
            Source::Connection(id) => (id.generation as usize) << 32 | id.slot as usize,
            Source::Listener(n) => n,
            Source::Jobs => JOBS,
            Source::Signals => SIGNALS,
        })
    }

    /// The source that has this token.
    pub fn of(token: Token) -> Source {
        match (token.0 >> 32, token.0 & JOBS) {
            (0, JOBS) => Source::Jobs,
            (0, SIGNALS) => Source::Signals,
            (0, n) => Source::Listener(n),
            (generation, slot) => Source::Connection(ConnId::new(slot, generation as u32)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_survives_its_token() {
        let all = [
            Source::Connection(ConnId::new(0, 1)),
            Source::Connection(ConnId::new(77, u32::MAX)),
            Source::Listener(0),
            Source::Listener(9),
            Source::Jobs,
            Source::Signals,
        ];
        assert_eq!(all.map(|source| Source::of(source.token())), all);
    }
}
