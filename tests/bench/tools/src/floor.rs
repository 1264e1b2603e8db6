//! The floor: what the kernel alone costs on this machine, for the bench to compare servers with.
//!
//! `floor ADDR:PORT`. What a connection is for is seen once, in its first bytes:
//!
//! ```text
//! GET /echo    a WebSocket whose messages come back, those of one read in one write
//! GET /chat/   a WebSocket in the room: what all say in a round of the poll is one buffer, one write for each member
//! GET /kept    HTTP/1.1 with `Connection: keep-alive` in the answer, as `ab -k` wants it
//! GET /close   one answer, and that was it
//! anything     HTTP/1.1, pipelined or not: a canned answer for each blank line, those of one read in one write
//! ```
//!
//! It parses nothing, has no routes, sessions, limits or deadlines, and is not for strangers.
#![forbid(unsafe_code)]

use base64::Engine;
use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sha1::{Digest, Sha1};
use slab::Slab;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

const LISTENER: Token = Token(usize::MAX);
/// A message must fit, with what was read before it.
const READ_BYTES: usize = 256 << 10;
/// Number of responses that lie ready in one piece.
const READY: usize = 256;
const BLANK: &[u8; 4] = b"\r\n\r\n";
/// RFC 6455 section 1.3.
const KEY_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing has come yet.
    New,
    /// HTTP; with the responses of this number.
    Http(usize),
    Echo,
    Room,
}

struct Peer {
    stream: TcpStream,
    kind: Kind,
    /// A head or frame that is not whole, or of HTTP the part of a blank line.
    begun: Vec<u8>,
    unsent: Vec<u8>,
}

impl Peer {
    /// Whether the peer is still there.
    fn send(&mut self, bytes: &[u8]) -> bool {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return true;
        }
        match self.stream.write(bytes) {
            Ok(n) => self.unsent.extend_from_slice(&bytes[n..]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => self.unsent.extend_from_slice(bytes),
            Err(_) => return false,
        }
        true
    }

    fn flush(&mut self) -> bool {
        let unsent = std::mem::take(&mut self.unsent);
        unsent.is_empty() || self.send(&unsent)
    }
}

/// The three kinds of responses, each as often as it may be wanted at once.
struct Answers {
    ready: [Vec<u8>; 3],
    made: Instant,
}

impl Answers {
    fn new() -> Answers {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let ready = ["", "Connection: keep-alive\r\n", "Connection: close\r\n"].map(|connection| {
            let head = format!("HTTP/1.1 200 OK\r\nServer: floor\r\nDate: {date}\r\n{connection}");
            format!("{head}Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!")
                .repeat(READY)
                .into_bytes()
        });
        Answers { ready, made: Instant::now() }
    }

    fn keep_the_date(&mut self) {
        if self.made.elapsed() >= Duration::from_secs(1) {
            *self = Answers::new();
        }
    }
}

const KEPT: usize = 1;
const CLOSE: usize = 2;

struct Floor {
    peers: Slab<Peer>,
    members: Vec<usize>,
    answers: Answers,
    /// What is read.
    input: Vec<u8>,
    /// Echoes of one read.
    echoes: Vec<u8>,
    /// What was said in the room in this round.
    said: Vec<u8>,
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).and_then(|address| address.parse::<SocketAddr>().ok());
    let address = address.ok_or_else(|| io::Error::other("floor ADDR:PORT"))?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    let mut listener = TcpListener::from_std(socket.into());
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut floor = Floor {
        peers: Slab::new(),
        members: Vec::new(),
        answers: Answers::new(),
        input: vec![0; READ_BYTES],
        echoes: Vec::new(),
        said: Vec::new(),
    };
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        floor.answers.keep_the_date();
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener, &poll),
                Token(id) => floor.visit(id, event.is_readable(), event.is_writable()),
            }
        }
        floor.tell_the_room();
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.set_nodelay(true);
            let slot = self.peers.vacant_entry();
            let both = Interest::READABLE | Interest::WRITABLE;
            if poll.registry().register(&mut stream, Token(slot.key()), both).is_ok() {
                slot.insert(Peer { stream, kind: Kind::New, begun: Vec::new(), unsent: Vec::new() });
            }
        }
    }

    fn visit(&mut self, id: usize, readable: bool, writable: bool) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let mut alive = !writable || peer.flush();
        while alive && readable {
            let begun = self.peers[id].begun.len();
            self.input[..begun].copy_from_slice(&self.peers[id].begun);
            match self.peers[id].stream.read(&mut self.input[begun..]) {
                Ok(0) => alive = false,
                Ok(n) => {
                    self.peers[id].begun.clear();
                    alive = self.take(id, begun + n);
                    // A short read has drained the socket; the next bytes bring an event.
                    if begun + n < self.input.len() {
                        break;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => alive = false,
            }
        }
        if !alive && self.peers.remove(id).kind == Kind::Room {
            self.members.retain(|&member| member != id);
        }
    }

    /// The first `n` bytes of the input are this peer's; whether it stays.
    fn take(&mut self, id: usize, n: usize) -> bool {
        let (peer, bytes) = (&mut self.peers[id], &self.input[..n]);
        match peer.kind {
            Kind::New if bytes.starts_with(b"GET /echo") || bytes.starts_with(b"GET /chat/") => {
                if !bytes.ends_with(BLANK) {
                    peer.begun.extend_from_slice(bytes);
                    return true;
                }
                if bytes.starts_with(b"GET /echo") {
                    peer.kind = Kind::Echo;
                } else {
                    peer.kind = Kind::Room;
                    self.members.push(id);
                }
                let accepted = handshake(bytes);
                peer.send(accepted.as_bytes())
            }
            Kind::New => {
                peer.kind = Kind::Http(match &bytes[..bytes.len().min(8)] {
                    b"GET /kep" => KEPT,
                    b"GET /clo" => CLOSE,
                    _ => 0,
                });
                self.take(id, n)
            }
            Kind::Http(which) => {
                let (mut heads, used) = count_heads(bytes);
                peer.begun.extend_from_slice(&bytes[used..]);
                let (ready, wanted) = (&self.answers.ready[which], heads);
                while heads > 0 {
                    let together = heads.min(READY);
                    if !peer.send(&ready[..ready.len() / READY * together]) {
                        return false;
                    }
                    heads -= together;
                }
                which != CLOSE || wanted == 0
            }
            Kind::Echo => {
                self.echoes.clear();
                let Some(used) = unmask(bytes, &mut self.echoes) else { return false };
                peer.begun.extend_from_slice(&bytes[used..]);
                self.echoes.is_empty() || peer.send(&self.echoes)
            }
            Kind::Room => {
                let Some(used) = unmask(bytes, &mut self.said) else { return false };
                peer.begun.extend_from_slice(&bytes[used..]);
                true
            }
        }
    }

    fn tell_the_room(&mut self) {
        if self.said.is_empty() {
            return;
        }
        let (peers, said) = (&mut self.peers, &self.said);
        self.members.retain(|&id| {
            let alive = peers[id].send(said);
            if !alive {
                peers.remove(id);
            }
            alive
        });
        self.said.clear();
    }
}

/// How many blank lines there are, and how many bytes are done with; the rest may begin the next blank line.
fn count_heads(bytes: &[u8]) -> (usize, usize) {
    let (mut heads, mut used) = (0, 0);
    for at in memmem::find_iter(bytes, BLANK) {
        (heads, used) = (heads + 1, at + BLANK.len());
    }
    (heads, used.max(bytes.len().saturating_sub(BLANK.len() - 1)))
}

/// The answer to a WebSocket handshake (RFC 6455 section 4.2.2).
fn handshake(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
    let hash = Sha1::digest(format!("{key}{KEY_GUID}"));
    let accept = base64::engine::general_purpose::STANDARD.encode(hash);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Puts every whole data frame into `out` as a server's frame, and gives the bytes used; `None`: a Close frame, or one
/// that never fits.
fn unmask(bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let frame = &bytes[at..];
        let (head, length) = match *frame {
            [_, n, ..] if n & 0x7f < 126 => (2, (n & 0x7f) as usize),
            [_, n, a, b, ..] if n & 0x7f == 126 => (4, u16::from_be_bytes([a, b]) as usize),
            [_, n, 0, 0, 0, 0, a, b, c, d, ..] if n & 0x7f == 127 => (10, u32::from_be_bytes([a, b, c, d]) as usize),
            _ => return Some(at),
        };
        if frame[0] & 0xf == 8 || head + 4 + length > READ_BYTES {
            return None;
        }
        let Some(payload) = frame.get(head + 4..head + 4 + length) else { return Some(at) };
        if frame[0] & 8 == 0 {
            out.push(frame[0]);
            out.push(frame[1] & 0x7f);
            out.extend_from_slice(&frame[2..head]);
            let mask: [u8; 4] = frame[head..head + 4].try_into().expect("they are four");
            let begin = out.len();
            out.extend_from_slice(payload);
            unmask_words(&mut out[begin..], mask);
        }
        at += head + 4 + length;
    }
}

fn unmask_words(payload: &mut [u8], mask: [u8; 4]) {
    let once = u64::from(u32::from_ne_bytes(mask));
    let twice = once << 32 | once;
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let clear = u64::from_ne_bytes((&*word).try_into().expect("they are eight")) ^ twice;
        word.copy_from_slice(&clear.to_ne_bytes());
    }
    words.into_remainder().iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}
