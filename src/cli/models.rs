//! The three server models of the course: a process for each request, a thread for each request, an event loop.
//! `squall model loop --listen 127.0.0.1:9000` starts one, and `squall bench --models` compares them.
//!
//! ```text
//! process   accept ─▶ start a process ─┐
//! thread    accept ─▶ start a thread ──┴─▶ read ─▶ parse ─▶ sleep ─▶ write ─▶ close       each step may block
//! loop      poll ─▶ each connection that is ready or due: its next steps, none of which blocks ─▶ poll …
//! ```
//!
//! All of them serve `/` at once and `/wait` after 10 ms, as if it had asked a database, and one request for each
//! connection: a process for each *request* cannot keep one. `crate::http` parses and encodes.
//!
//! A process or a thread holds the state of its request as every function does: in its local variables, and in the place
//! where it blocks. The loop has one stack for all connections, so its `State` holds both as a value.

use crate::clock::Now;
use crate::http::Limits;
use crate::http::request::{HeadScan, Method, parse_request};
use crate::http::response::{Response, Terms, encode_response};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// What `/wait` waits.
const WAIT: Duration = Duration::from_millis(10);
/// Time for a client to send its request, and again to take its response.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time until the next try, where no event says when it is worth one.
const RETRY: Duration = Duration::from_millis(1);
/// Workers, or connections of the loop, at once. Further clients wait in the backlog.
pub(super) const PROCESSES_MAX: usize = 256;
pub(super) const THREADS_MAX: usize = 1024;
const CONNECTIONS_MAX: usize = 10_000;
/// Bytes that are read behind a request before the connection is cut.
const DISCARDED_MAX: usize = 1 << 20;

/// A request that is still arriving.
#[derive(Default)]
struct Incoming(Vec<u8>, HeadScan);

impl Incoming {
    /// Takes the next bytes, however the request was cut. Once its head is whole: the response, and the wait before it.
    fn add(&mut self, bytes: &[u8]) -> Option<(Duration, Vec<u8>)> {
        let Incoming(head, scan) = self;
        head.extend_from_slice(bytes);
        let limits = Limits::default();
        let request = match scan.find_end(head, &limits) {
            Ok(None) => return None,
            Ok(Some(end)) => parse_request(&head[..end], &limits),
            Err(error) => Err(error),
        };
        let (wait, response) = match request.map(|request| request.path()) {
            Ok("/") => (Duration::ZERO, Response::text(200, "Hello, World!")),
            Ok("/wait") => (WAIT, Response::text(200, "That took 10 ms.\n")),
            Ok(_) => (Duration::ZERO, Response::text(404, "There are / and /wait.\n")),
            Err(error) => (Duration::ZERO, Response::text(error.status(), format!("{error}\n"))),
        };
        let is_head = request.is_ok_and(|request| request.method == Method::Head);
        let (mut date, mut out) = ([b' '; 29], Vec::new());
        let _ = write!(&mut date[..], "{}", Now::read().wall.whole());
        encode_response(&response, Terms { head: is_head, http_1_0: false, keep_alive: false }, &date, &mut out);
        Some((wait, out))
    }
}

/// Model 1: a process for each request. It is this program, started with the connection as its standard input, as inetd
/// does. (A fork that starts no program would cost less; Rust has no safe one.)
pub(super) fn process_per_request(listener: TcpListener) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let start = |socket| Command::new(&program).args(["model", "request"]).stdin(OwnedFd::from(socket)).spawn();
    // A process that has ended is a zombie until its parent has asked for its exit code (waitpid(2)).
    start_for_each(&listener, PROCESSES_MAX, start, |child| !matches!(child.try_wait(), Ok(None)))
}

/// Model 2: a thread for each request.
pub(super) fn thread_per_request(listener: TcpListener) -> io::Result<()> {
    let start = |socket| thread::Builder::new().spawn(move || drop(serve(socket)));
    start_for_each(&listener, THREADS_MAX, start, |thread| thread.is_finished())
}

/// Accepts for ever, and starts a worker for each connection, `max` at once.
fn start_for_each<W>(
    listener: &TcpListener,
    max: usize,
    start: impl Fn(TcpStream) -> io::Result<W>,
    has_ended: impl Fn(&mut W) -> bool,
) -> ! {
    let mut workers = Vec::new();
    loop {
        workers.retain_mut(|worker| !has_ended(worker));
        let worker = match workers.len() < max {
            true => listener.accept().and_then(|(socket, _)| start(socket)),
            false => Err(ErrorKind::QuotaExceeded.into()),
        };
        match worker {
            Ok(worker) => workers.push(worker),
            // No descriptor, process or thread is left (EMFILE, EAGAIN), until a worker ends.
            Err(_) => thread::sleep(RETRY),
        }
    }
}

/// A connection from its first byte to its last. Any line may block.
pub(super) fn serve(mut socket: TcpStream) -> io::Result<()> {
    let (mut incoming, mut buffer, until) = (Incoming::default(), [0; 4096], Instant::now() + PATIENCE);
    let (wait, response) = loop {
        let n = read(&mut socket, &mut buffer, until)?;
        if let Some(whole) = incoming.add(&buffer[..n]) {
            break whole;
        }
    };
    thread::sleep(wait);
    let until = Instant::now() + PATIENCE;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(&response)?;
    socket.shutdown(Shutdown::Write)?;
    // A close with unread input sends a reset, which may destroy the response on its way: read on until the client closes.
    loop {
        read(&mut socket, &mut buffer, until)?;
    }
}

/// Reads once, and waits for that until `until` at the latest.
fn read(socket: &mut TcpStream, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
    let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    socket.set_read_timeout(Some(left.ok_or(ErrorKind::TimedOut)?))?;
    some(socket.read(buffer)?)
}

/// No bytes are the end of the connection.
fn some(bytes: usize) -> io::Result<usize> {
    if bytes > 0 { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Model 3: one thread, which blocks in `poll` only.
pub(super) fn event_loop(listener: TcpListener) -> io::Result<()> {
    const LISTENER: Token = Token(usize::MAX);
    listener.set_nonblocking(true)?;
    let (mut poll, mut listener) = (Poll::new()?, mio::net::TcpListener::from_std(listener));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut events, mut may_accept) = (Events::with_capacity(1024), true);
    let mut connections: Slab<Connection> = Slab::new();
    loop {
        let retry = may_accept.then(|| Instant::now() + RETRY);
        let until = connections.iter().map(|(_, connection)| connection.deadline).chain(retry).min();
        // mio rounds up to milliseconds. Rounded down, the loop would spin through the last one.
        match poll.poll(&mut events, until.map(|until| until.saturating_duration_since(Instant::now()))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => may_accept = true,
                Token(key) if connections[key].advance() == ErrorKind::WouldBlock => {}
                Token(key) => _ = connections.remove(key),
            }
        }
        // This looks at every connection. With many that idle, a heap of deadlines costs less: src/conn/timers.rs.
        let now = Instant::now();
        connections.retain(|_, it| now < it.deadline || it.advance() == ErrorKind::WouldBlock);

        // The kernel says once that clients wait (edge-triggered), so accept until none does. If something else ends this,
        // the limit or a lack of descriptors (EMFILE), no event will call for the rest: `may_accept` stays set.
        while may_accept && connections.len() < CONNECTIONS_MAX {
            match listener.accept() {
                Ok((mut socket, _)) => {
                    let (slot, both) = (connections.vacant_entry(), Interest::READABLE | Interest::WRITABLE);
                    if poll.registry().register(&mut socket, Token(slot.key()), both).is_ok() {
                        let state = State::Reading(Incoming::default());
                        slot.insert(Connection { socket, state, deadline: Instant::now() + PATIENCE });
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => may_accept = false,
                Err(_) => break,
            }
        }
    }
}

/// What the loop remembers of a connection.
struct Connection {
    socket: mio::net::TcpStream,
    state: State,
    /// When a wait is over, or the client was too slow.
    deadline: Instant,
}

/// The places where [`serve`] blocks, with its local variables there.
enum State {
    Reading(Incoming),
    /// The response is not due yet.
    Waiting(Vec<u8>),
    /// This many bytes of the response are written.
    Writing(Vec<u8>, usize),
    /// This many bytes were read behind the request.
    Closing(usize),
}

impl Connection {
    /// Goes on until the socket would block: an event tells what has come since then, and tells it once. Returns
    /// `WouldBlock`, or why the connection has ended.
    fn advance(&mut self) -> ErrorKind {
        loop {
            if let Err(error) = self.step() {
                return error.kind();
            }
        }
    }

    /// The next step of what [`serve`] does. `WouldBlock`: the kernel, or the clock, will say when it is possible.
    fn step(&mut self) -> io::Result<()> {
        let (now, mut buffer) = (Instant::now(), [0; 4096]);
        match &mut self.state {
            State::Waiting(_) if now < self.deadline => return Err(ErrorKind::WouldBlock.into()),
            State::Waiting(response) => {
                self.state = State::Writing(std::mem::take(response), 0);
                self.deadline = now + PATIENCE;
            }
            _ if now >= self.deadline => return Err(ErrorKind::TimedOut.into()),
            State::Reading(incoming) => {
                let n = some(self.socket.read(&mut buffer)?)?;
                if let Some((wait, response)) = incoming.add(&buffer[..n]) {
                    self.state = State::Waiting(response);
                    self.deadline = now + wait;
                }
            }
            State::Writing(response, written) => {
                *written += some(self.socket.write(&response[*written..])?)?;
                if *written == response.len() {
                    self.socket.shutdown(Shutdown::Write)?;
                    self.state = State::Closing(0);
                }
            }
            // A client that sends for ever would have the loop for itself.
            State::Closing(DISCARDED_MAX..) => return Err(ErrorKind::FileTooLarge.into()),
            State::Closing(discarded) => *discarded += some(self.socket.read(&mut buffer)?)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
