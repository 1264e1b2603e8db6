//! The kernel's part: pipes, the network that gives them out, and what is said of them and when.
//!
//! A pipe is one connection, both ends. Somebody else plays the peer: puts bytes into `to_server`, takes those of
//! `to_peer`, gives `room` for more, and notes in `edge` what the kernel will have to say.

use squall::id::ConnId;
use squall::net::{Network, Ready, Source, Stream};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

/// EMFILE.
const NO_DESCRIPTOR: i32 = 24;
/// ENOSPC: the limit of watches is reached.
const NO_WATCH: i32 = 28;
/// What the kernel says of a connection that is no more.
pub const ALL: Ready = Ready { readable: true, writable: true, read_closed: true, broken: true };

/// xorshift64*: enough to be unpredictable, small enough to be here.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// How far the server's connect has come; a client that was accepted is connected.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connect {
    #[default]
    Done,
    /// To be decided after the peer has looked so often.
    Underway(usize, Verdict),
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Connected,
    Refused,
    /// It is never decided.
    Nothing,
}

/// One connection, both ends.
#[derive(Default)]
pub struct Pipe {
    pub id: Option<ConnId>,
    /// Where the server has connected to.
    pub address: Option<SocketAddr>,
    pub connect: Connect,
    pub to_server: VecDeque<u8>,
    pub to_peer: VecDeque<u8>,
    /// Bytes that the server has read, and written.
    pub read: usize,
    pub written: usize,
    pub peer_fin: bool,
    pub peer_reset: bool,
    pub server_fin: bool,
    pub server_reset: bool,
    pub server_gone: bool,
    /// What the kernel has to say and has not said.
    pub edge: Ready,
    /// Bytes that the next write may place; 0: would block, and an edge comes once the peer has read.
    pub room: usize,
    pub blocked: bool,
    /// Every request that came was whole and has its whole answer.
    pub idle: bool,
    /// While idle it has ended, or has said what nobody asked for.
    pub useless: bool,
    /// The server was told so.
    pub warned: bool,
}

impl Pipe {
    /// The peer sends.
    pub fn put(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.to_server.extend(bytes);
        self.edge.readable = true;
    }

    /// The peer says no more.
    pub fn fin(&mut self) {
        self.peer_fin = true;
        (self.edge.readable, self.edge.read_closed) = (true, true);
    }

    /// The peer hears and says no more. What it has said before may be lost.
    pub fn reset(&mut self, lose: bool) {
        (self.peer_fin, self.peer_reset, self.edge) = (true, true, ALL);
        if lose {
            self.to_server.clear();
        }
    }

    /// The peer has read: a write may place so many bytes.
    pub fn give_room(&mut self, room: usize) {
        self.room = room;
        if self.blocked && room > 0 {
            self.blocked = false;
            self.edge.writable = true;
        }
    }
}

pub type PipeRef = Rc<RefCell<Pipe>>;

#[derive(Default)]
pub struct World {
    pub pipes: Vec<PipeRef>,
    pub backlog: VecDeque<PipeRef>,
    /// Somebody has come to the listener, and the kernel has not said so.
    pub has_arrival: bool,
    /// Accepts that fail with EMFILE before the next one works.
    pub shortage: usize,
    /// Connected to by the server, and not yet taken over by a site.
    pub dialed: Vec<PipeRef>,
    /// Decides what becomes of a connect; without it nobody can be connected to.
    pub dice: Option<Dice>,
    /// Connects may fail, and so may the watch.
    pub faulty: bool,
    /// The server accepts no more.
    pub is_closed: bool,
    /// So many did, or will.
    pub failed: usize,
}

impl World {
    /// A client connects, and waits to be accepted.
    pub fn arrive(&mut self, pipe: &PipeRef) {
        self.backlog.push_back(pipe.clone());
        self.has_arrival = true;
    }

    fn dial(&mut self, to: SocketAddr) -> io::Result<SimStream> {
        let Some(dice) = &mut self.dice else { return Err(ErrorKind::ConnectionRefused.into()) };
        let fate = if self.faulty { dice.below(16) } else { usize::MAX };
        self.failed += (fate < 3) as usize;
        let verdict = match fate {
            0 => return Err(ErrorKind::ConnectionRefused.into()),
            1 => return Err(io::Error::from_raw_os_error(NO_DESCRIPTOR)),
            2 => Verdict::Refused,
            3 => Verdict::Nothing,
            _ => Verdict::Connected,
        };
        let connect = match dice.below(4) {
            0 if verdict == Verdict::Connected => Connect::Done,
            looks => Connect::Underway(looks, verdict),
        };
        let room = dice.below(3) * dice.below(500);
        let pipe = Pipe { address: Some(to), connect, room, ..Pipe::default() };
        let pipe = Rc::new(RefCell::new(pipe));
        self.pipes.push(pipe.clone());
        self.dialed.push(pipe.clone());
        Ok(SimStream(pipe))
    }
}

#[derive(Clone)]
pub struct SimStream(PipeRef);

impl Read for SimStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        assert_eq!(pipe.connect, Connect::Done, "read before the connect was decided");
        let n = buf.len().min(pipe.to_server.len());
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

impl Write for SimStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        assert_eq!(pipe.connect, Connect::Done, "written before the connect was decided");
        assert!(!pipe.warned, "asked on a connection that was known to be of no use");
        pipe.idle = false;
        if pipe.peer_reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(pipe.room);
        pipe.to_peer.extend(&bytes[..n]);
        pipe.room -= n;
        pipe.written += n;
        pipe.blocked = n < bytes.len();
        if n == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(n) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for SimStream {
    fn shutdown_write(&mut self) {
        self.0.borrow_mut().server_fin = true;
    }

    fn reset_on_drop(&self) {
        self.0.borrow_mut().server_reset = true;
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok((self.0.borrow().connect == Connect::Refused).then(|| ErrorKind::ConnectionRefused.into()))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        let pipe = self.0.borrow();
        match pipe.connect {
            Connect::Done => Ok(pipe.address.unwrap_or_else(|| ([127, 0, 0, 1], 1).into())),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.server_gone = true;
        // Closed with unread input, the kernel sends a reset: it overtakes what the peer has not read.
        if pipe.server_reset || !pipe.to_server.is_empty() {
            pipe.to_peer.clear();
        }
    }
}

pub struct SimNetwork(pub Rc<RefCell<World>>);

impl Network for SimNetwork {
    type Stream = SimStream;

    fn accept(&mut self, _: usize) -> io::Result<SimStream> {
        let mut world = self.0.borrow_mut();
        assert!(!world.is_closed, "accepted while draining");
        if world.shortage > 0 && !world.backlog.is_empty() {
            world.shortage -= 1;
            return Err(io::Error::from_raw_os_error(NO_DESCRIPTOR));
        }
        let pipe = world.backlog.pop_front().ok_or(ErrorKind::WouldBlock)?;
        world.pipes.push(pipe.clone());
        Ok(SimStream(pipe))
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<SimStream> {
        self.0.borrow_mut().dial(to)
    }

    fn watch(&mut self, stream: &mut SimStream, id: ConnId) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        if world.faulty && world.dice.as_mut().is_some_and(|dice| dice.one_in(40)) {
            world.failed += stream.0.borrow().address.is_some() as usize;
            return Err(io::Error::from_raw_os_error(NO_WATCH));
        }
        drop(world);
        let mut pipe = stream.0.borrow_mut();
        pipe.id = Some(id);
        pipe.edge.readable |= !pipe.to_server.is_empty();
        pipe.edge.writable |= pipe.address.is_some() && pipe.connect == Connect::Done;
        Ok(())
    }

    fn listeners(&self) -> usize {
        1
    }

    fn stop_listening(&mut self) {
        self.0.borrow_mut().is_closed = true;
    }
}

/// How the kernel speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Everything that is to say.
    Prompt,
    /// Only what is to say, some of it later.
    Late,
    /// Some of it later, some for no reason, some to the dead.
    Whimsical,
}

/// Collects the edges that the kernel has for us, in any order.
pub fn edges(world: &Rc<RefCell<World>>, dice: &mut Dice, manner: Manner) -> Vec<(Source, Ready)> {
    let mut list = vec![];
    let all = manner == Manner::Prompt;
    let has_arrival = world.borrow().has_arrival;
    if has_arrival && (all || dice.one_in(3)) || manner == Manner::Whimsical && dice.one_in(50) {
        world.borrow_mut().has_arrival = false;
        list.push((Source::Listener(0), Ready { readable: true, ..Ready::default() }));
    }
    for pipe in &world.borrow().pipes {
        let mut pipe = pipe.borrow_mut();
        if pipe.edge != Ready::default() && (all || dice.one_in(2)) {
            let ready = std::mem::take(&mut pipe.edge);
            pipe.warned |= pipe.idle && pipe.useless && ready.readable;
            list.extend(pipe.id.map(|id| (Source::Connection(id), ready)));
        } else if manner == Manner::Whimsical && dice.one_in(50) {
            // A spurious wake-up; for a connection that is gone, a stale token.
            let ready = Ready { readable: dice.one_in(2), writable: dice.one_in(2), ..Ready::default() };
            list.extend(pipe.id.map(|id| (Source::Connection(id), ready)));
        }
    }
    for n in (1..list.len()).rev() {
        list.swap(n, dice.below(n + 1));
    }
    list
}
