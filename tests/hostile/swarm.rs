//! Many hostile clients on one poll. Each sends as much as it is allowed to, over and over the same bytes if these are
//! fewer, and reads all or nothing.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// Most bytes that one visit moves each way; the rest waits until the others have been visited.
const VISIT_BYTES_MAX: usize = 64 << 10;
/// A pause in every turn. Server and attack may have a core each; the probe must get one of them when it wakes, or the
/// scheduler is measured.
const BREATH: Duration = Duration::from_micros(100);
/// Bytes kept of what a client reads; the rest is counted.
const KEPT_BYTES_MAX: usize = 256;
/// A connect that takes longer is an error.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server's FIN.
    Closed,
    /// A reset, or a write to a peer that is gone.
    Reset,
}

/// One client.
pub struct Peer {
    stream: TcpStream,
    /// What it sends, in a circle.
    out: Rc<[u8]>,
    /// Sent so far, bytes.
    pub sent: u64,
    /// Bytes that it may send in all.
    pub allowed: u64,
    /// It reads what comes.
    reads: bool,
    /// It sends FIN after the last byte of `allowed`.
    pub finishes: bool,
    finished: bool,
    /// The first bytes that it has read.
    pub got: Vec<u8>,
    /// Read so far, bytes.
    pub taken: u64,
    pub end: Option<End>,
}

/// All of them.
pub struct Swarm {
    poll: Poll,
    events: Events,
    pub peers: Slab<Peer>,
    /// Those whose last visit ended by its budget.
    again: Vec<usize>,
    buf: Vec<u8>,
}

impl Swarm {
    pub fn new() -> io::Result<Swarm> {
        Ok(Swarm {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            peers: Slab::new(),
            again: Vec::new(),
            buf: vec![0; 64 << 10],
        })
    }

    /// Connects one that sends `allowed` bytes of `out` and reads.
    pub fn connect(&mut self, address: SocketAddr, out: &Rc<[u8]>, allowed: u64) -> io::Result<usize> {
        let stream = std::net::TcpStream::connect_timeout(&address, CONNECT_WITHIN)?;
        stream.set_nodelay(true)?;
        self.adopt(stream, out, allowed)
    }

    /// The same with a connection that is there.
    pub fn adopt(&mut self, stream: std::net::TcpStream, out: &Rc<[u8]>, allowed: u64) -> io::Result<usize> {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let place = self.peers.vacant_entry();
        let key = place.key();
        self.poll.registry().register(&mut stream, Token(key), Interest::READABLE | Interest::WRITABLE)?;
        place.insert(Peer {
            stream,
            out: out.clone(),
            sent: 0,
            allowed,
            reads: true,
            finishes: false,
            finished: false,
            got: Vec::new(),
            taken: 0,
            end: None,
        });
        Ok(key)
    }

    /// This one reads nothing. Nor is it woken by what arrives: the kernel would charge that to the server's writes.
    pub fn deafen(&mut self, key: usize) -> io::Result<()> {
        let peer = &mut self.peers[key];
        peer.reads = false;
        self.poll.registry().reregister(&mut peer.stream, Token(key), Interest::WRITABLE)
    }

    /// Lets one send `more` bytes.
    pub fn allow(&mut self, key: usize, more: u64) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.allowed += more;
            self.visit(key);
        }
    }

    /// Lets one that has sent all it may send `out` once.
    pub fn repeat(&mut self, key: usize, out: &Rc<[u8]>) {
        if let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.sent == peer.allowed) {
            peer.out = out.clone();
            (peer.sent, peer.allowed) = (out.len() as u64, 2 * out.len() as u64);
            self.visit(key);
        }
    }

    /// Waits for readiness, `wait` at most, and visits all that are ready.
    pub fn turn(&mut self, wait: Duration) -> io::Result<()> {
        std::thread::sleep(BREATH);
        let wait = if self.again.is_empty() { wait } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(e) if e.kind() == ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        let mut ready = std::mem::take(&mut self.again);
        for event in &self.events {
            let key = event.token().0;
            ready.push(key);
            let hung_up = event.is_error() || event.is_read_closed() && event.is_write_closed();
            if let Some(peer) = self.peers.get_mut(key).filter(|peer| hung_up && !peer.reads) {
                peer.end = Some(End::Reset);
            }
        }
        ready.into_iter().for_each(|key| self.visit(key));
        Ok(())
    }

    /// Writes and reads, as far as it may and the socket allows.
    pub fn visit(&mut self, key: usize) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let wrote_all = peer.push();
        if !(peer.pull(&mut self.buf) && wrote_all) {
            self.again.push(key);
        }
    }

    /// Closes one in the ordinary way.
    pub fn close(&mut self, key: usize) {
        self.peers.try_remove(key);
    }

    /// Ends one with a reset.
    pub fn reset(&mut self, key: usize) {
        if let Some(peer) = self.peers.try_remove(key) {
            // It fails where the server was first, and then there is nothing to reset.
            let _ = SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// How many have come to such an end.
    pub fn ended(&self) -> usize {
        self.peers.iter().filter(|(_, peer)| peer.end.is_some()).count()
    }

    /// Those that have ended.
    pub fn ended_keys(&self) -> Vec<usize> {
        self.peers.iter().filter(|(_, peer)| peer.end.is_some()).map(|(key, _)| key).collect()
    }

    /// Bytes sent by all that are there.
    pub fn sent(&self) -> u64 {
        self.peers.iter().map(|(_, peer)| peer.sent).sum()
    }
}

impl Peer {
    /// Whether all that it may send is sent, or the socket is full: an event will come.
    fn push(&mut self) -> bool {
        let budget = self.sent + VISIT_BYTES_MAX as u64;
        while self.end.is_none() && self.sent < self.allowed {
            if self.sent >= budget {
                return false;
            }
            let from = (self.sent % self.out.len() as u64) as usize;
            let most = (self.allowed - self.sent).min((self.out.len() - from) as u64) as usize;
            match self.stream.write(&self.out[from..from + most]) {
                Ok(n) => self.sent += n as u64,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                Err(e) if e.kind() == ErrorKind::NotConnected => return true,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // What the server has said before is still to be read.
                Err(_) if self.reads => return true,
                Err(_) => self.end = Some(End::Reset),
            }
        }
        if self.finishes && !self.finished && self.end.is_none() {
            self.finished = true;
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        true
    }

    /// Whether the socket is drained.
    fn pull(&mut self, buf: &mut [u8]) -> bool {
        let budget = self.taken + VISIT_BYTES_MAX as u64;
        while self.reads && self.end.is_none() {
            if self.taken >= budget {
                return false;
            }
            match self.stream.read(buf) {
                Ok(0) => self.end = Some(End::Closed),
                Ok(n) => {
                    let room = KEPT_BYTES_MAX - self.got.len();
                    self.got.extend_from_slice(&buf[..n.min(room)]);
                    self.taken += n as u64;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.end = Some(End::Reset),
            }
        }
        true
    }

    /// Whether it would read, and nothing has come.
    pub fn is_waiting(&self) -> bool {
        self.reads && self.taken == 0 && self.end.is_none()
    }

    /// The status of the response whose head it has read.
    pub fn status(&self) -> Option<u16> {
        let rest = self.got.strip_prefix(b"HTTP/1.1 ")?;
        std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
    }
}
