//! TLS over a byte stream: plaintext for us, ciphertext for the socket (RFC 8446; RFC 5246 for TLS 1.2), by rustls.
//!
//! ```text
//! stream ── receive ─▶ the reader's own buffer ── side ─▶ plaintext, to the front of that buffer
//!                      (front of a record: incoming)        (without room there: plain)
//! write ── side ─▶ outgoing ── send ─▶ stream
//! ```
//!
//! Handshake, then data both ways, each way until its close_notify. One type serves clients and servers, and streams
//! that block as well as those that say `WouldBlock`. Rustls' unbuffered interface does the cryptography and keeps no
//! bytes; an idle connection has no buffer here either.
//!
//! Refused: early data, client certificates, versions before TLS 1.2. `config` has the trusted certificates, `error`
//! the texts for people.

mod config;
mod error;
mod side;

pub use config::{client_config, explain_key, load_certificates, load_key, server_config};
pub use error::TlsError;

use crate::net::outbox::Outbox;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, CommonState, ServerConfig};
use side::{RECORD_BYTES_MAX, Side, Sinks, Step, ToSend};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

/// Room for ciphertext that is worth a system call, bytes.
const READ_BYTES_MIN: usize = 16 << 10;
/// Room for ciphertext where the reader's buffer is too small, bytes.
const READ_BYTES: usize = 32 << 10;
/// Plaintext encrypted for one send (four records), and unsent ciphertext at which `write` takes no more, bytes: enough
/// to fill a socket's buffer again when it has room.
const UNSENT_BYTES_MAX: usize = 64 << 10;
/// Ciphertext that one call may take without finding plaintext in it, bytes: a peer that sends tickets or key updates
/// as fast as they are read must not hold the loop. A handshake needs a few kilobytes.
const FRUITLESS_BYTES_MAX: usize = 1 << 20;

/// One end of a TLS connection over the byte stream `S`.
///
/// `read` gives plaintext. A short read and `WouldBlock` mean that the stream is drained and no plaintext waits here:
/// only the next event of the stream brings more, or, if [`TlsStream::input_ended`], the next read tells the end.
/// `Ok(0)` is the peer's close_notify. Errors follow the plaintext before them, and stay: `UnexpectedEof` for an end
/// without close_notify (many peers do that; the protocol above knows whether the data was complete), `InvalidData`
/// with a [`TlsError`], or the error of the stream.
///
/// `write` takes plaintext and sends at once. It takes less than it was given only when the stream is full; nothing is
/// `WouldBlock`. Ciphertext that the stream did not take stays here: see [`TlsStream::unsent`].
///
/// Both continue the handshake while it lasts.
pub struct TlsStream<S> {
    stream: S,
    side: Side,
    /// The front of an incomplete record or handshake message; nearly always empty.
    incoming: Vec<u8>,
    /// Plaintext for which the reader's buffer had no room.
    plain: Outbox,
    /// Ciphertext that the stream has not taken.
    outgoing: Outbox,
    /// How the input ended, once it has.
    end: Option<End>,
    /// Our close_notify is on its way: nothing may be written behind it.
    finished: bool,
}

/// How the input ended.
enum End {
    /// By close_notify.
    Closed,
    /// The stream ended without it, at the named moment. Any attacker on the path can do that.
    Cut(&'static str),
    /// We did not accept the peer's certificate or bytes, or the peer did not accept ours.
    Failed(rustls::Error),
    /// The stream failed.
    Broken(ErrorKind),
}

/// The result of a [`TlsStream::receive`].
struct Received {
    /// Bytes of ciphertext.
    bytes: usize,
    /// Plaintext at the front of the buffer, bytes; `plain` may have more.
    filled: usize,
    /// The stream did not fill the room.
    drained: bool,
}

impl<S: Read + Write> TlsStream<S> {
    /// The client of `host`: a name, or an IP address without brackets.
    ///
    /// # Errors
    /// `InvalidInput` if no certificate could be for `host`; `InvalidData` if there is no randomness.
    pub fn client(stream: S, host: &str, config: &Arc<ClientConfig>) -> io::Result<TlsStream<S>> {
        let unfit = |_| io::Error::new(ErrorKind::InvalidInput, format!("no certificate can be for the host {host:?}"));
        let name = ServerName::try_from(host).map_err(unfit)?.to_owned();
        let client = UnbufferedClientConnection::new(config.clone(), name).map_err(error::invalid_data)?;
        TlsStream::new(stream, Side::Client(client))
    }

    /// A server, before the client's first byte.
    ///
    /// # Errors
    /// `InvalidData` if the configuration contradicts itself.
    pub fn server(stream: S, config: &Arc<ServerConfig>) -> io::Result<TlsStream<S>> {
        let server = UnbufferedServerConnection::new(config.clone()).map_err(error::invalid_data)?;
        TlsStream::new(stream, Side::Server(server))
    }

    fn new(stream: S, side: Side) -> io::Result<TlsStream<S>> {
        let (incoming, plain, outgoing) = Default::default();
        let mut tls = TlsStream { stream, side, incoming, plain, outgoing, end: None, finished: false };
        // Encodes a client's hello.
        tls.seal(ToSend::Nothing)?;
        Ok(tls)
    }

    /// Continues the handshake as far as the stream allows. `Ok(true)`: application bytes may flow, and those that came
    /// with the end of the handshake are here, so read before waiting for an event. `Ok(false)`: the stream would
    /// block; call again at its next event.
    ///
    /// # Errors
    /// As `read`; the alert that tells the peer is sent or `unsent`.
    pub fn secure(&mut self) -> io::Result<bool> {
        // Errors of a send are ignored: a read reports them, too, after the bytes before them.
        let _ = self.send();
        let mut bytes = 0;
        while self.side.is_handshaking() {
            if let Some(end) = &self.end {
                return end.result().map(|_| false);
            }
            let Some(received) = self.receive(&mut []) else { return Ok(false) };
            self.count_fruitless(&mut bytes, received.bytes);
        }
        Ok(true)
    }

    /// Whether the handshake is incomplete: no application byte has passed.
    pub fn is_securing(&self) -> bool {
        self.side.is_handshaking()
    }

    /// Size of a reader's buffer, bytes, from which on no other buffer is needed.
    pub fn wanted_room(&self) -> usize {
        RECORD_BYTES_MAX + self.incoming.len() + READ_BYTES_MIN
    }

    /// Memory of the buffers, bytes; 0 unless a record is incomplete, or something waits for the reader or the stream.
    pub fn held(&self) -> usize {
        self.incoming.capacity() + self.plain.held() + self.outgoing.held()
    }

    /// Ciphertext that the stream has not taken yet, bytes; `flush` sends it.
    pub fn unsent(&self) -> usize {
        self.outgoing.unsent()
    }

    /// Whether the end of the input is known: a read that finds no more plaintext returns it without an event.
    pub fn input_ended(&self) -> bool {
        self.end.is_some()
    }

    /// What the handshake has agreed, once it is done.
    pub fn agreed(&self) -> &CommonState {
        self.side.state()
    }

    /// The stream below.
    pub fn inner(&self) -> &S {
        &self.stream
    }

    /// The stream below, to register it. Reading or writing there breaks the connection.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Tells the peer that nothing more will be written (RFC 8446 section 6.1), to be followed by FIN once nothing is
    /// `unsent`. Reading goes on. Before the end of the handshake and after an error nothing is sent.
    pub fn close_notify(&mut self) {
        if !self.finished && !self.side.is_handshaking() && self.failure().is_none() {
            self.finished = true;
            // It fails only where nothing can be sent any more.
            let _ = self.seal(ToSend::CloseNotify);
        }
        let _ = self.send();
    }

    /// Reads from the stream once and decrypts. The plaintext goes to the front of `buf` if that is large enough to
    /// hold the ciphertext, too, else to `plain`. `None`: the stream would block.
    fn receive(&mut self, buf: &mut [u8]) -> Option<Received> {
        if buf.len() >= self.wanted_room() {
            return self.receive_behind(RECORD_BYTES_MAX, buf);
        }
        self.receive_behind(0, &mut vec![0; self.incoming.len() + READ_BYTES])
    }

    /// [`TlsStream::receive`] with `work` cut in two: plaintext in front, ciphertext from `front` on. Since a record is
    /// longer than its plaintext, an offset of one record is enough for all of it.
    fn receive_behind(&mut self, front: usize, work: &mut [u8]) -> Option<Received> {
        let kept = front + self.incoming.len();
        let bytes = self.read_stream(&mut work[kept..])?;
        let drained = kept + bytes < work.len();
        if self.end.is_some() {
            return Some(Received { bytes, filled: 0, drained });
        }
        work[front..kept].copy_from_slice(&self.incoming);
        let (mut at, end, mut filled) = (front, kept + bytes, 0);
        let failed = loop {
            let (done, rest) = work.split_at_mut(at);
            let room = if front > 0 { &mut done[filled..] } else { &mut [] };
            let mut sinks = Sinks::new(room, &mut self.plain, &mut self.outgoing, ToSend::Nothing);
            let (used, step) = self.side.step(&mut rest[..end - at], &mut sinks);
            at += used;
            filled += sinks.filled;
            match step {
                Ok(Step::Data) if at == end && !self.side.has_unsent() => break None,
                Ok(Step::More | Step::Data) => {}
                Ok(Step::Idle) => break None,
                // What follows is ignored (RFC 8446 section 6.1).
                Ok(Step::Closed) => (at, self.end) = (end, Some(End::Closed)),
                Err(error) => break Some(error),
            }
        };
        self.incoming = work[at..end].to_vec();
        if let Some(error) = failed {
            self.fail(error);
        }
        let _ = self.send();
        Some(Received { bytes, filled, drained })
    }

    /// One read of the stream, whose end is noted; `None`: it would block.
    fn read_stream(&mut self, room: &mut [u8]) -> Option<usize> {
        loop {
            match self.stream.read(room) {
                Ok(0) if self.side.is_handshaking() => self.end = Some(End::Cut("closed within the TLS handshake")),
                Ok(0) => self.end = Some(End::Cut("closed without close_notify")),
                Ok(n) => return Some(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => self.end = Some(End::Broken(e.kind())),
            }
            return Some(0);
        }
    }

    /// Counts the ciphertext that one call took without finding plaintext, and ends the connection above the maximum.
    fn count_fruitless(&mut self, bytes: &mut usize, more: usize) {
        *bytes += more;
        if *bytes > FRUITLESS_BYTES_MAX && self.end.is_none() {
            self.fail(rustls::Error::General("the peer sends and sends, but no data".into()));
        }
    }

    /// Encrypts what rustls itself has to send, then `what`; both go to `outgoing`.
    fn seal(&mut self, what: ToSend<'_>) -> io::Result<()> {
        loop {
            let mut sinks = Sinks::new(&mut [], &mut self.plain, &mut self.outgoing, what);
            // Rustls must see the front of an incomplete message again.
            let (used, step) = self.side.step(&mut self.incoming, &mut sinks);
            self.incoming.drain(..used);
            match step {
                Ok(Step::More | Step::Data) => {}
                Ok(Step::Idle) => return Ok(()),
                Ok(Step::Closed) => self.end = Some(End::Closed),
                Err(error) => {
                    self.fail(error.clone());
                    let _ = self.send();
                    return Err(error::invalid_data(error));
                }
            }
        }
    }

    /// Notes a fatal error and leaves the alert for the peer in `outgoing`.
    fn fail(&mut self, error: rustls::Error) {
        // Rustls must see no more input, and encodes a queued alert without.
        while self.side.has_unsent() {
            let mut sinks = Sinks::new(&mut [], &mut self.plain, &mut self.outgoing, ToSend::Nothing);
            if self.side.step(&mut [], &mut sinks).1.is_err() {
                break;
            }
        }
        self.incoming = Vec::new();
        let spoke_tls = !self.side.is_handshaking();
        self.end = Some(End::Failed(if spoke_tls { error::behind_handshake(error) } else { error }));
    }

    /// The end of the input, if it forbids writing, too.
    fn failure(&self) -> Option<&End> {
        self.end.as_ref().filter(|end| matches!(end, End::Failed(_) | End::Broken(_)))
    }

    /// Sends the unsent ciphertext. `Ok(false)`: the stream is full.
    fn send(&mut self) -> io::Result<bool> {
        while !self.outgoing.is_empty() {
            match self.stream.write(self.outgoing.next()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.outgoing.sent(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}

impl End {
    /// What every further read returns.
    fn result(&self) -> io::Result<usize> {
        match self {
            End::Closed => Ok(0),
            End::Cut(when) => Err(io::Error::new(ErrorKind::UnexpectedEof, *when)),
            End::Failed(error) => Err(error::invalid_data(error.clone())),
            End::Broken(kind) => Err((*kind).into()),
        }
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.side.is_handshaking() {
            let _ = self.send();
        }
        let (mut filled, mut bytes, mut drained) = (0, 0, false);
        loop {
            while filled < buf.len() && !self.plain.is_empty() {
                let waiting = self.plain.next();
                let n = waiting.len().min(buf.len() - filled);
                buf[filled..filled + n].copy_from_slice(&waiting[..n]);
                self.plain.sent(n);
                filled += n;
            }
            if filled == buf.len() || filled > 0 && (drained || self.end.is_some()) {
                return Ok(filled);
            }
            if let Some(end) = &self.end {
                return end.result();
            }
            let Some(received) = self.receive(&mut buf[filled..]) else {
                return if filled > 0 { Ok(filled) } else { Err(ErrorKind::WouldBlock.into()) };
            };
            filled += received.filled;
            drained = received.drained;
            if filled == 0 && self.plain.is_empty() {
                self.count_fruitless(&mut bytes, received.bytes);
            }
        }
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.side.is_handshaking() && !self.secure()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        if let Some(failure) = self.failure() {
            return failure.result();
        }
        if self.finished {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.unsent() >= UNSENT_BYTES_MAX {
            self.send()?;
        }
        let mut taken = 0;
        while taken < bytes.len() && self.unsent() < UNSENT_BYTES_MAX {
            let piece = &bytes[taken..bytes.len().min(taken + UNSENT_BYTES_MAX)];
            self.seal(ToSend::Data(piece))?;
            taken += piece.len();
            self.send()?;
        }
        if taken == 0 && !bytes.is_empty() { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Sends the unsent ciphertext; `WouldBlock` if the stream does not take it all.
    fn flush(&mut self) -> io::Result<()> {
        if self.send()? { self.stream.flush() } else { Err(ErrorKind::WouldBlock.into()) }
    }
}

#[cfg(test)]
mod tests;
