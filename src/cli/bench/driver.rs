//! The driver: a slot for each request under way, over non-blocking sockets.
//!
//! ```text
//! Free ── connect ──▶ Connecting ── writable ──▶ Sending ── all is written ──▶ Receiving ── whole ─┐
//!  ▲                                                ▲                                              │
//!  │                                                └──────── kept connection, more to send ◀──────┤
//!  └────────────── closed: nothing is left to send, the connection ended, or it failed ◀───────────┘
//! ```
//!
//! Readiness and the clock come in as arguments, sockets come from a [`Network`]; so a test can play all of them. A slot
//! has one deadline, that of its response. What happened is counted in a [`Tally`].

use super::tally::{Failure, Tally};
use super::times::{Sample, micros};
use super::usual::{Meaning, Usual};
use crate::http::Limits;
use crate::http::exchange::{Exchange, ExchangeEvent};
use crate::id::ConnId;
use crate::net::{Edge, Network, Ready, Stream, write_some};
use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Size of the read buffer, bytes; a head of a response has to fit in it.
const BUFFER_BYTES: usize = 64 << 10;
/// Connects that may fail one after the other before the run ends, as in `ab`.
const FAILURES_MAX: usize = 10;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    pub address: SocketAddr,
    /// The bytes of every request.
    pub request: Vec<u8>,
    pub has_body: bool,
    /// The request is HEAD: responses have no body.
    pub is_head: bool,
    pub keep_alive: bool,
    pub requests: usize,
    pub concurrency: usize,
    /// The run ends this long after its first connect; what is under way then does not count.
    pub time_limit: Option<Duration>,
    pub response_within: Duration,
    /// Errors of sockets, and what is no response, do not end the run.
    pub goes_on: bool,
    /// Responses may differ in length.
    pub may_vary: bool,
    /// The times of each request are wanted.
    pub keeps_samples: bool,
}

/// Why a run ended before all was done.
#[derive(Debug)]
pub enum Aborted {
    /// A socket failed, without `-r`.
    Socket(io::Error),
    /// Connecting failed several times.
    Connecting(io::Error),
    /// A response did not come in time.
    Timeout,
    /// What came is no response.
    NotHttp(String),
}

/// The slots, and what has happened.
pub struct Driver<N: Network> {
    plan: Plan,
    network: N,
    slots: Vec<Slot<N::Stream>>,
    buffer: Vec<u8>,
    limits: Limits,
    usual: Usual,
    begun: usize,
    began: Instant,
    failures: usize,
    tally: Tally,
}

/// One request under way.
struct Slot<S> {
    /// Tells the events of this connection from those of an earlier one in the same slot.
    generation: u32,
    stream: Option<S>,
    state: State,
    /// What the kernel said of input that is not read yet: it says so once, perhaps before the request is sent.
    edge: Edge,
    exchange: Exchange,
    /// An incomplete head.
    kept: Vec<u8>,
    began: Instant,
    connected: Instant,
    /// When the request was written.
    sent: Instant,
    first_byte: Option<Instant>,
    /// Bytes of the body of this response.
    body: u64,
    /// Bytes of this response.
    bytes: u64,
    /// The connection has carried a response before.
    is_reused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Connecting,
    /// This many bytes of the request are written.
    Sending(usize),
    Receiving,
}

impl<N: Network> Driver<N> {
    /// A driver that has not begun.
    pub fn new(plan: Plan, network: N, now: Instant) -> Driver<N> {
        let limits = Limits { response_body_bytes_max: u64::MAX, ..Limits::default() };
        let slot = || Slot {
            generation: 0,
            stream: None,
            state: State::Free,
            edge: Edge::None,
            exchange: Exchange::new(plan.is_head, false),
            kept: Vec::new(),
            began: now,
            connected: now,
            sent: now,
            first_byte: None,
            body: 0,
            bytes: 0,
            is_reused: false,
        };
        let slots = std::iter::repeat_with(slot).take(plan.concurrency).collect();
        let tally = Tally::new(plan.may_vary, plan.has_body, plan.keeps_samples);
        let (buffer, usual) = (vec![0; BUFFER_BYTES], Usual::default());
        Driver { plan, network, slots, buffer, limits, usual, begun: 0, began: now, failures: 0, tally }
    }

    /// Fills every slot.
    ///
    /// # Errors
    /// The run cannot go on.
    pub fn start(&mut self, now: Instant) -> Result<(), Aborted> {
        self.began = now;
        (0..self.slots.len()).try_for_each(|n| self.begin(n, now))
    }

    /// Takes what the kernel says of a slot's connection.
    ///
    /// # Errors
    /// The run cannot go on.
    pub fn on_ready(&mut self, id: ConnId, ready: Ready, now: Instant) -> Result<(), Aborted> {
        let n = id.slot();
        let Some(slot) = self.slots.get_mut(n).filter(|slot| slot.generation == id.generation) else { return Ok(()) };
        slot.edge = slot.edge.max(if ready.broken { Edge::ReadClosed } else { ready.input });
        if self.slots[n].state == State::Connecting && (ready.writable || ready.broken) {
            self.connected(n, now)?;
        }
        if matches!(self.slots[n].state, State::Sending(_)) && ready.writable {
            self.send(n, now)?;
        }
        if self.slots[n].state == State::Receiving && self.slots[n].edge > Edge::None {
            self.receive(n, now)?;
        }
        Ok(())
    }

    /// Ends the responses that take too long.
    ///
    /// # Errors
    /// One does, and the run cannot go on.
    pub fn on_time(&mut self, now: Instant) -> Result<(), Aborted> {
        for n in 0..self.slots.len() {
            if self.slots[n].state != State::Free && now >= self.slots[n].began + self.plan.response_within {
                if !self.plan.goes_on {
                    return Err(Aborted::Timeout);
                }
                self.fail(n, Failure::Receive, now)?;
            }
        }
        Ok(())
    }

    /// When the first response is late, or the time of the run is over.
    pub fn due(&self) -> Option<Instant> {
        let busy = self.slots.iter().filter(|slot| slot.state != State::Free);
        let response = busy.map(|slot| slot.began + self.plan.response_within).min();
        let end = self.plan.time_limit.map(|limit| self.began + limit);
        [response, end].into_iter().flatten().min()
    }

    /// Whether all is done, or the time is over.
    pub fn is_over(&self, now: Instant) -> bool {
        self.is_late(now) || self.slots.iter().all(|slot| slot.state == State::Free)
    }

    /// What has happened so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What has happened.
    pub fn into_tally(self) -> Tally {
        self.tally
    }

    fn is_late(&self, now: Instant) -> bool {
        self.plan.time_limit.is_some_and(|limit| now >= self.began + limit)
    }

    /// The slot gets the next request, on a new connection; none is left: it stays free.
    fn begin(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        if self.begun >= self.plan.requests || self.is_late(now) {
            return Ok(());
        }
        self.begun += 1;
        let slot = &mut self.slots[n];
        slot.generation = slot.generation.checked_add(1).unwrap_or(1);
        (slot.began, slot.state, slot.edge, slot.is_reused) = (now, State::Connecting, Edge::None, false);
        let id = ConnId::new(n, slot.generation);
        let connected = self.network.connect(self.plan.address).and_then(|mut stream| {
            self.network.watch(&mut stream, id)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => {
                self.slots[n].stream = Some(stream);
                Ok(())
            }
            Err(error) => self.not_connected(n, error, now),
        }
    }

    fn connected(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        let Some(stream) = &self.slots[n].stream else { return Ok(()) };
        match stream.take_error().map(|error| error.map_or_else(|| stream.peer_addr().map(drop), Err)) {
            Ok(Ok(())) => {
                self.failures = 0;
                self.slots[n].connected = now;
                self.ask(n);
                Ok(())
            }
            Ok(Err(error)) if error.kind() == ErrorKind::NotConnected => Ok(()),
            Ok(Err(error)) | Err(error) => self.not_connected(n, error, now),
        }
    }

    /// A connect has failed. Its request does not count as one that was done.
    fn not_connected(&mut self, n: usize, error: io::Error, now: Instant) -> Result<(), Aborted> {
        self.failures += 1;
        if !self.plan.goes_on {
            return Err(Aborted::Socket(error));
        }
        if self.failures > FAILURES_MAX {
            return Err(Aborted::Connecting(error));
        }
        self.tally.failed(Failure::Connect);
        self.free(n);
        self.begin(n, now)
    }

    /// The slot's connection is there, and gets its request.
    fn ask(&mut self, n: usize) {
        let slot = &mut self.slots[n];
        slot.exchange = Exchange::new(self.plan.is_head, false);
        (slot.state, slot.first_byte, slot.body, slot.bytes) = (State::Sending(0), None, 0, 0);
        slot.kept.clear();
    }

    fn send(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        let slot = &mut self.slots[n];
        let (State::Sending(mut at), Some(stream)) = (slot.state, &mut slot.stream) else { return Ok(()) };
        let mut writable = true;
        while writable && at < self.plan.request.len() {
            match write_some(stream, &self.plan.request[at..], &mut writable) {
                Ok(written) => at += written,
                Err(error) => {
                    self.tally.write_failed();
                    return self.broke(n, error, now);
                }
            }
        }
        slot.state = State::Sending(at);
        if at == self.plan.request.len() {
            (slot.state, slot.sent) = (State::Receiving, now);
            self.tally.sent(self.plan.request.len());
        }
        Ok(())
    }

    /// Reads until the socket is drained. On epoll a short read means that, unless the peer's FIN shares the edge.
    fn receive(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        loop {
            let slot = &mut self.slots[n];
            let Some(stream) = slot.stream.as_mut() else { return Ok(()) };
            let kept = slot.kept.len();
            self.buffer[..kept].copy_from_slice(&slot.kept);
            slot.kept.clear();
            let fresh = match stream.read(&mut self.buffer[kept..]) {
                Ok(fresh) => fresh,
                Err(error) => {
                    slot.kept.extend_from_slice(&self.buffer[..kept]);
                    match error.kind() {
                        ErrorKind::WouldBlock => {
                            slot.edge = Edge::None;
                            return Ok(());
                        }
                        ErrorKind::Interrupted => continue,
                        _ => return self.broke(n, error, now),
                    }
                }
            };
            if fresh > 0 {
                slot.first_byte.get_or_insert(now);
                slot.bytes += fresh as u64;
                self.tally.received(fresh);
            }
            let is_drained = fresh < self.buffer.len() - kept && slot.edge < Edge::ReadClosed;
            if is_drained {
                slot.edge = Edge::None;
            }
            if self.parse(n, kept + fresh, fresh == 0, now)? || is_drained {
                return Ok(());
            }
        }
    }

    /// Steps over the first `end` bytes of the buffer. Returns whether the slot's response is over.
    fn parse(&mut self, n: usize, end: usize, is_eof: bool, now: Instant) -> Result<bool, Aborted> {
        let is_whole_in_buffer = self.slots[n].bytes == end as u64 && !is_eof;
        if is_whole_in_buffer && let Some((body, Meaning { is_2xx, is_kept })) = self.usual.is(&self.buffer[..end]) {
            self.slots[n].body = body as u64;
            self.tally.status(is_2xx);
            self.done(n, is_kept && self.plan.keep_alive, now)?;
            return Ok(true);
        }
        let (mut at, mut head_end, mut is_2xx) = (0, 0, false);
        loop {
            let slot = &mut self.slots[n];
            match slot.exchange.receive(&self.buffer[at..end], is_eof, &self.limits) {
                Ok((used, Some(ExchangeEvent::Head(head)))) => {
                    is_2xx = (200..300).contains(&head.status);
                    self.tally.status(is_2xx);
                    self.tally.software(head.header("server"));
                    at += used;
                    head_end = at;
                }
                Ok((used, Some(ExchangeEvent::Body(piece)))) => {
                    slot.body += piece.len() as u64;
                    at += used;
                }
                Ok((used, Some(ExchangeEvent::Done))) => {
                    let is_kept = slot.exchange.keeps_alive() && at + used == end && !is_eof;
                    let body = end - head_end;
                    // Not chunked, and not until the end of the connection.
                    if is_whole_in_buffer && slot.body == body as u64 && !slot.exchange.ends_with_connection() {
                        self.usual.learn(&self.buffer[..head_end], body, Meaning { is_2xx, is_kept });
                    }
                    self.done(n, is_kept && self.plan.keep_alive, now)?;
                    return Ok(true);
                }
                Ok((0, None)) => {
                    slot.kept.extend_from_slice(&self.buffer[at..end]);
                    return Ok(false);
                }
                Ok((used, None)) => at += used,
                // A kept connection that ends without a byte was closed by its server: the request is sent anew.
                Err(_) if is_eof && slot.is_reused && slot.bytes == 0 => {
                    self.begun -= 1;
                    self.free(n);
                    self.begin(n, now)?;
                    return Ok(true);
                }
                Err(_) if is_eof || self.plan.goes_on => {
                    self.fail(n, Failure::Receive, now)?;
                    return Ok(true);
                }
                Err(error) => return Err(Aborted::NotHttp(error.to_string())),
            }
        }
    }

    /// The response is whole.
    fn done(&mut self, n: usize, is_kept: bool, now: Instant) -> Result<(), Aborted> {
        let slot = &self.slots[n];
        // Its server may have closed it behind the response.
        let is_kept = is_kept && slot.edge < Edge::ReadClosed;
        self.tally.ended(sample(slot, now), slot.body, is_kept);
        if is_kept && self.begun < self.plan.requests && !self.is_late(now) {
            self.begun += 1;
            let slot = &mut self.slots[n];
            (slot.began, slot.connected, slot.is_reused) = (now, now, true);
            self.ask(n);
            return self.send(n, now);
        }
        self.free(n);
        self.begin(n, now)
    }

    /// Reading or writing has failed.
    fn broke(&mut self, n: usize, error: io::Error, now: Instant) -> Result<(), Aborted> {
        if !self.plan.goes_on {
            return Err(Aborted::Socket(error));
        }
        self.fail(n, Failure::Receive, now)
    }

    /// The request of a slot is done, and was a failure: counted once.
    fn fail(&mut self, n: usize, failure: Failure, now: Instant) -> Result<(), Aborted> {
        self.tally.failed(failure);
        self.tally.ended_broken(sample(&self.slots[n], now));
        self.free(n);
        self.begin(n, now)
    }

    fn free(&mut self, n: usize) {
        let slot = &mut self.slots[n];
        (slot.stream, slot.state) = (None, State::Free);
    }
}

fn sample<S>(slot: &Slot<S>, now: Instant) -> Sample {
    Sample {
        began: slot.began,
        connect: micros(slot.connected.saturating_duration_since(slot.began)),
        wait: slot.first_byte.map_or(0, |at| micros(at.saturating_duration_since(slot.sent))),
        total: micros(now.saturating_duration_since(slot.began)),
    }
}

#[cfg(test)]
mod tests;
