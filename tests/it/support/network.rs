//! A network in memory: the test plays the kernel and the peers.
//!
//! A [`Pipe`] is one connection, both ends. The test plays the peer: it puts bytes into `to_server`, takes those of
//! `to_peer`, and gives `room` for more. `edge` is what the kernel has to report and has not reported; a test may hand
//! it to the server ([`Pipe::report`]) or report what it likes.
#![allow(dead_code, reason = "a test program may need a part only")]

use super::dice::Dice;
use squall::id::ConnId;
use squall::net::listeners::Service;
use squall::net::{Arrival, Edge, Network, Ready, Source, Stream};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

pub const READABLE: Ready = Ready { input: Edge::Readable, writable: false, broken: false };
pub const WRITABLE: Ready = Ready { input: Edge::None, writable: true, broken: false };
/// The report of a connection that is broken.
pub const ALL: Ready = Ready { input: Edge::ReadClosed, writable: true, broken: true };

/// Progress of a connect of the server. A client that was accepted is connected.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connect {
    #[default]
    Done,
    /// Decided after this many looks of the peer.
    Underway(usize, Verdict),
    Failed(ErrorKind),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Connected,
    Refused,
    /// It is never decided.
    Nothing,
}

/// One connection, both ends.
#[derive(Default, Debug)]
pub struct Pipe {
    pub id: Option<ConnId>,
    /// Address that the server has connected to; or that a client comes from, where its test gives one.
    pub address: Option<SocketAddr>,
    pub connect: Connect,
    pub to_server: VecDeque<u8>,
    pub to_peer: VecDeque<u8>,
    /// Bytes that the server has read.
    pub read: usize,
    /// Calls of `read`.
    pub reads: usize,
    /// Bytes that the server has written.
    pub written: usize,
    /// Calls of `write` that took something.
    pub writes: usize,
    /// Results of the next reads: the most that one returns, or its error. After them, a read returns all there is.
    pub read_script: VecDeque<io::Result<usize>>,
    /// Results of the next writes, likewise.
    pub write_script: VecDeque<io::Result<usize>>,
    pub peer_fin: bool,
    pub peer_reset: bool,
    pub server_fin: bool,
    pub server_reset: bool,
    pub server_gone: bool,
    /// Readiness that the kernel has not reported yet.
    pub edge: Ready,
    /// Bytes that writes may place; 0: would block, and an edge comes once the peer has read.
    pub room: usize,
    pub blocked: bool,
    /// The TLS handshake is not done.
    pub securing: bool,
    /// Memory that the stream holds, bytes.
    pub held: usize,
    /// Every request that came was whole and has its whole response.
    pub idle: bool,
    /// While idle it has ended, or has sent what was not asked for.
    pub useless: bool,
    /// The server was told so: it may not write any more.
    pub warned: bool,
}

impl Pipe {
    /// A connection whose peer takes everything at once.
    pub fn roomy() -> Pipe {
        Pipe { room: usize::MAX, ..Pipe::default() }
    }

    /// The peer sends.
    pub fn put(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.to_server.extend(bytes);
        self.edge.input = self.edge.input.max(Edge::Readable);
    }

    /// The peer sends text.
    pub fn say(&mut self, text: impl AsRef<[u8]>) {
        self.put(text.as_ref().iter().copied());
    }

    /// The bytes that came and that the peer has not taken.
    pub fn heard(&self) -> Vec<u8> {
        self.to_peer.iter().copied().collect()
    }

    /// Takes what came, and counts from zero again.
    pub fn forget(&mut self) {
        self.to_peer.clear();
        (self.read, self.reads, self.written, self.writes) = (0, 0, 0, 0);
    }

    /// What the kernel reports now, if it has anything to report and the server watches this connection.
    pub fn report(&mut self) -> Option<(Source, Ready)> {
        let id = self.id?;
        let ready = std::mem::take(&mut self.edge);
        (ready != Ready::default()).then_some((Source::Connection(id), ready))
    }

    /// The peer sends FIN.
    pub fn fin(&mut self) {
        self.peer_fin = true;
        self.edge.input = Edge::ReadClosed;
    }

    /// The peer resets. What it has sent before may be lost.
    pub fn reset(&mut self, lose: bool) {
        (self.peer_fin, self.peer_reset, self.edge) = (true, true, ALL);
        if lose {
            self.to_server.clear();
        }
    }

    /// The peer has read: writes may place this many bytes.
    pub fn give_room(&mut self, room: usize) {
        self.room = room;
        if self.blocked && room > 0 {
            self.blocked = false;
            self.edge.writable = true;
        }
    }
}

pub type PipeRef = Rc<RefCell<Pipe>>;

/// What becomes of a connect of the server.
#[derive(Default)]
pub enum Dials {
    #[default]
    Refused,
    /// It is done at once, by a pipe like this.
    Connected(fn() -> Pipe),
    /// It takes its time; if `faulty`, some fail, and so do some watches.
    Drawn { dice: Dice, faulty: bool },
}

/// Results of the next accepts of a listener; after them an accept would block.
pub type Backlog = VecDeque<io::Result<PipeRef>>;

pub struct World {
    /// Connections in the order in which they were accepted or begun.
    pub pipes: Vec<PipeRef>,
    /// One for each listener.
    pub backlogs: Vec<Backlog>,
    /// What each listener is for; the application, where none is given.
    pub services: Vec<Service>,
    /// A client has connected, and the kernel has not reported it.
    pub has_arrival: bool,
    /// Accepts that fail with EMFILE before the next one works.
    pub shortage: usize,
    pub dials: Dials,
    /// Begun by the server, and not yet taken over by a site.
    pub dialed: Vec<PipeRef>,
    /// The server accepts no more.
    pub is_closed: bool,
    /// Connects and watches that did fail, or will.
    pub failed: usize,
}

impl Default for World {
    fn default() -> World {
        World {
            pipes: vec![],
            backlogs: vec![Backlog::default()],
            services: vec![],
            has_arrival: false,
            shortage: 0,
            dials: Dials::default(),
            dialed: vec![],
            is_closed: false,
            failed: 0,
        }
    }
}

impl World {
    /// A client connects, and waits to be accepted.
    pub fn arrive(&mut self, pipe: &PipeRef) {
        self.backlogs[0].push_back(Ok(pipe.clone()));
        self.has_arrival = true;
    }

    /// Streams that the server has not dropped.
    pub fn living(&self) -> usize {
        self.pipes.iter().filter(|pipe| !pipe.borrow().server_gone).count()
    }

    fn dial(&mut self, to: SocketAddr) -> io::Result<FakeStream> {
        let address = Some(to);
        let pipe = match &mut self.dials {
            Dials::Refused => return Err(ErrorKind::ConnectionRefused.into()),
            Dials::Connected(pipe) => Pipe { address, ..pipe() },
            Dials::Drawn { dice, faulty } => {
                let fate = if *faulty { dice.below(16) } else { usize::MAX };
                self.failed += (fate < 3) as usize;
                let verdict = match fate {
                    0 => return Err(ErrorKind::ConnectionRefused.into()),
                    1 => return Err(io::Error::from_raw_os_error(libc::EMFILE)),
                    2 => Verdict::Refused,
                    3 => Verdict::Nothing,
                    _ => Verdict::Connected,
                };
                let connect = match dice.below(4) {
                    0 if verdict == Verdict::Connected => Connect::Done,
                    looks => Connect::Underway(looks, verdict),
                };
                let room = dice.below(3) * dice.below(500);
                Pipe { address, connect, room, ..Pipe::default() }
            }
        };
        let pipe = Rc::new(RefCell::new(pipe));
        self.pipes.push(pipe.clone());
        self.dialed.push(pipe.clone());
        Ok(FakeStream(pipe))
    }

    /// Whether the watch of a stream fails.
    fn fails_watch(&mut self) -> bool {
        match &mut self.dials {
            Dials::Drawn { dice, faulty: true } => dice.one_in(40),
            _ => false,
        }
    }
}

/// The server's end of a pipe.
#[derive(Debug)]
pub struct FakeStream(pub PipeRef);

impl PartialEq for FakeStream {
    fn eq(&self, other: &FakeStream) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Read for FakeStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        assert_eq!(pipe.connect, Connect::Done, "read before the connect was decided");
        pipe.reads += 1;
        let most = pipe.read_script.pop_front().unwrap_or(Ok(usize::MAX))?;
        let n = buf.len().min(pipe.to_server.len()).min(most);
        // The `Read` of a deque may stop at its inner border: a short read means that the socket is drained.
        for (to, from) in buf.iter_mut().zip(pipe.to_server.drain(..n)) {
            *to = from;
        }
        pipe.read += n;
        match n {
            0 if pipe.peer_reset => Err(ErrorKind::ConnectionReset.into()),
            0 if !pipe.peer_fin => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for FakeStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        assert_eq!(pipe.connect, Connect::Done, "written before the connect was decided");
        assert!(!pipe.warned, "asked on a connection that was known to be of no use");
        pipe.idle = false;
        let most = pipe.write_script.pop_front().unwrap_or(Ok(usize::MAX))?;
        if pipe.peer_reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(pipe.room).min(most);
        pipe.to_peer.extend(&bytes[..n]);
        pipe.room -= n;
        pipe.written += n;
        pipe.writes += (n > 0) as usize;
        pipe.blocked = n < bytes.len();
        if n == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(n) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for FakeStream {
    fn is_securing(&self) -> bool {
        self.0.borrow().securing
    }

    fn held(&self) -> usize {
        self.0.borrow().held
    }

    fn shutdown_write(&mut self) {
        self.0.borrow_mut().server_fin = true;
    }

    fn reset_on_drop(&self) {
        self.0.borrow_mut().server_reset = true;
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(match self.0.borrow().connect {
            Connect::Failed(why) => Some(why.into()),
            _ => None,
        })
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        let pipe = self.0.borrow();
        match pipe.connect {
            Connect::Done => Ok(pipe.address.unwrap_or_else(|| ([127, 0, 0, 1], 1).into())),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.server_gone = true;
        // Closed with unread input, the kernel sends a reset: it overtakes what the peer has not read.
        if pipe.server_reset || !pipe.to_server.is_empty() {
            pipe.to_peer.clear();
        }
    }
}

#[derive(Clone, Default)]
pub struct FakeNetwork(pub Rc<RefCell<World>>);

impl FakeNetwork {
    /// The `n`th connection.
    pub fn pipe(&self, n: usize) -> PipeRef {
        self.0.borrow().pipes[n].clone()
    }
}

impl Network for FakeNetwork {
    type Stream = FakeStream;

    fn accept(&mut self, listener: usize) -> io::Result<Arrival<FakeStream>> {
        let mut world = self.0.borrow_mut();
        assert!(!world.is_closed, "accepted while draining");
        if world.shortage > 0 && !world.backlogs[listener].is_empty() {
            world.shortage -= 1;
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let pipe = world.backlogs[listener].pop_front().ok_or(ErrorKind::WouldBlock)??;
        world.pipes.push(pipe.clone());
        let service = world.services.get(listener).copied().unwrap_or_default();
        let stream = FakeStream(pipe);
        let peer = stream.peer_addr().ok().map(|address| address.ip());
        Ok(Arrival { stream, service, peer })
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<FakeStream> {
        self.0.borrow_mut().dial(to)
    }

    fn watch(&mut self, stream: &mut FakeStream, id: ConnId) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        if world.fails_watch() {
            world.failed += stream.0.borrow().address.is_some() as usize;
            // The limit of watches is reached (epoll_ctl(2)).
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        drop(world);
        let mut pipe = stream.0.borrow_mut();
        pipe.id = Some(id);
        if !pipe.to_server.is_empty() {
            pipe.edge.input = pipe.edge.input.max(Edge::Readable);
        }
        pipe.edge.writable |= pipe.address.is_some() && pipe.connect == Connect::Done;
        Ok(())
    }

    fn listeners(&self) -> usize {
        self.0.borrow().backlogs.len()
    }

    fn stop_listening(&mut self) {
        self.0.borrow_mut().is_closed = true;
    }
}

/// How the kernel reports readiness.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// All of it, at once.
    Prompt,
    /// Some of it later.
    Late,
    /// Some of it later, some without reason, some for connections that are gone.
    Whimsical,
}

/// What the kernel reports, in any order.
pub fn edges(world: &Rc<RefCell<World>>, dice: &mut Dice, manner: Manner) -> Vec<(Source, Ready)> {
    let mut list = vec![];
    let all = manner == Manner::Prompt;
    let has_arrival = world.borrow().has_arrival;
    if has_arrival && (all || dice.one_in(3)) || manner == Manner::Whimsical && dice.one_in(50) {
        world.borrow_mut().has_arrival = false;
        list.push((Source::Listener(0), READABLE));
    }
    for pipe in &world.borrow().pipes {
        let mut pipe = pipe.borrow_mut();
        if pipe.edge != Ready::default() && (all || dice.one_in(2)) {
            let ready = std::mem::take(&mut pipe.edge);
            pipe.warned |= pipe.idle && pipe.useless && ready.input > Edge::None;
            list.extend(pipe.id.map(|id| (Source::Connection(id), ready)));
        } else if manner == Manner::Whimsical && dice.one_in(50) {
            // A spurious wake-up; for a connection that is gone, a stale token.
            let input = if dice.one_in(2) { Edge::Readable } else { Edge::None };
            let ready = Ready { input, writable: dice.one_in(2), ..Ready::default() };
            list.extend(pipe.id.map(|id| (Source::Connection(id), ready)));
        }
    }
    for n in (1..list.len()).rev() {
        list.swap(n, dice.below(n + 1));
    }
    list
}
