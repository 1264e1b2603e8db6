//! The driver: gives requests to slots, over non-blocking sockets, and counts what becomes of them.
//!
//! ```text
//!          next: a request is due ──▶ an idle slot ── connect, send ──▶ response ── kept ──▶ idle again
//!               ▲                                        │
//!               └── again: a kept connection was closed ─┘── a failure: counted once
//! ```
//!
//! Readiness and the clock come in as arguments, sockets come from a [`Network`]; so a test can play all of them. What
//! happened is counted in a [`Tally`], which the loop takes away once a second.

mod plan;

pub use plan::{Plan, Rest};

use super::load::{Aborted, Load};
use super::pace::Idle;
use super::slot::{Input, Pending, Slot, State, Step, sample};
use super::tally::{Failure, Tally};
use super::times::micros;
use crate::id::ConnId;
use crate::net::{Edge, Network, Ready, Stream, is_connected};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// Connects that may fail one after the other before the run ends, as in `ab`.
const FAILURES_MAX: usize = 10;
/// How soon connects are tried again that found the backlog of a Unix socket full.
const RETRY_AFTER: Duration = Duration::from_millis(1);
/// Distance of the looks for late responses; a limit of less than ten times that is looked at more often.
const SWEEP: Duration = Duration::from_millis(100);

/// The slots, and what has happened.
pub struct Driver<N: Network> {
    plan: Plan,
    network: N,
    slots: Vec<Slot<N::Stream>>,
    idle: Idle,
    input: Input,
    scratch: Vec<u8>,
    began: Instant,
    /// Requests that have begun, and the place of the next one in the list.
    begun: u64,
    next_request: usize,
    /// Requests that a closed connection has to leave to another one.
    again: VecDeque<Pending>,
    /// Connections that have more input than was read.
    unread: VecDeque<ConnId>,
    under_way: usize,
    failures: usize,
    next_sweep: Instant,
    /// Slots whose connects found the backlog of a Unix socket full, and those that came after them.
    queued: VecDeque<usize>,
    /// When the first of them is tried again.
    next_retry: Option<Instant>,
    is_warm: bool,
    done: u64,
    tally: Tally,
}

impl<N: Network> Driver<N> {
    /// A driver that has not begun.
    pub fn new(plan: Plan, network: N, now: Instant) -> Driver<N> {
        let slots: Vec<_> = std::iter::repeat_with(|| Slot::new(now)).take(plan.concurrency).collect();
        let tally = Tally::new(plan.wanted);
        Driver {
            network,
            idle: Idle::new(slots.len()),
            slots,
            input: Input::new(plan.verbosity),
            scratch: Vec::new(),
            began: now,
            begun: 0,
            next_request: 0,
            again: VecDeque::new(),
            unread: VecDeque::new(),
            under_way: 0,
            failures: 0,
            next_sweep: now,
            queued: VecDeque::new(),
            next_retry: None,
            is_warm: plan.warmup.is_zero(),
            done: 0,
            tally,
            plan,
        }
    }

    fn end(&self) -> Option<Instant> {
        self.plan.time_limit.and_then(|limit| self.began.checked_add(self.plan.warmup)?.checked_add(limit))
    }

    fn is_late(&self, now: Instant) -> bool {
        self.end().is_some_and(|end| now >= end)
    }

    /// When the next request is due for which a slot is idle.
    fn next_due(&self) -> Option<Instant> {
        let schedule = self.plan.schedule.filter(|_| !self.idle.is_empty() && self.begun < self.plan.requests_max)?;
        Some(if self.again.is_empty() { schedule.due(self.began, self.begun) } else { self.began })
    }

    /// The next request that is due.
    fn next(&mut self, now: Instant) -> Option<Pending> {
        if self.is_late(now) {
            return None;
        }
        if let Some(pending) = self.again.pop_front() {
            return Some(Pending { began: now, sent: now, connect: 0, ..pending });
        }
        if self.begun >= self.plan.requests_max {
            return None;
        }
        let due = self.plan.schedule.map_or(now, |schedule| schedule.due(self.began, self.begun));
        if due > now {
            return None;
        }
        let request = self.next_request;
        self.next_request = if request + 1 == self.plan.requests.len() { 0 } else { request + 1 };
        self.begun += 1;
        self.under_way += 1;
        Some(Pending { request, due, began: now, sent: now, connect: 0 })
    }

    /// Gives the slot the requests that are due, as many as it may have. None is: it is idle.
    fn serve(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        match self.slots[n].state {
            State::Queued | State::Connecting | State::Securing => return Ok(()),
            State::Free => {
                if let Some(pending) = self.next(now) {
                    self.count_late(n, pending.due, now);
                    return self.connect(n, pending, now);
                }
            }
            State::Open => {
                while self.slots[n].pending.len() < self.plan.pipeline
                    && let Some(pending) = self.next(now)
                {
                    self.count_late(n, pending.due, now);
                    self.slots[n].push(pending, &self.plan.requests);
                }
            }
        }
        if self.slots[n].pending.is_empty() {
            self.idle.push(n);
        } else if self.slots[n].has_unsent() {
            return self.send(n, now);
        }
        Ok(())
    }

    /// A request begins on a slot that may have been idle: this program is late, if by itself.
    fn count_late(&mut self, n: usize, due: Instant, now: Instant) {
        if self.plan.schedule.is_some() {
            // Another slot may have been idle before this one ended its response.
            let other = self.idle.front().map(|n| &self.slots[n]).filter(|slot| slot.pending.is_empty());
            let own = self.slots[n].idle_since;
            let since = due.max(other.map_or(own, |slot| own.min(slot.idle_since)));
            self.tally.late.record(micros(now.saturating_duration_since(since)));
        }
    }

    fn connect(&mut self, n: usize, pending: Pending, now: Instant) -> Result<(), Aborted> {
        let slot = &mut self.slots[n];
        slot.begin(now);
        slot.push(pending, &self.plan.requests);
        if self.queued.is_empty() {
            return self.dial(n, now);
        }
        slot.state = State::Queued;
        self.queued.push_back(n);
        Ok(())
    }

    fn dial(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        let id = ConnId::new(n, self.slots[n].generation);
        let connected = self.network.connect(self.plan.address).and_then(|mut stream| {
            self.network.watch(&mut stream, id)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => {
                let slot = &mut self.slots[n];
                (slot.stream, slot.state) = (Some(stream), State::Connecting);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.slots[n].state = State::Queued;
                self.queued.push_front(n);
                self.next_retry = Some(now + RETRY_AFTER);
                Ok(())
            }
            Err(error) => self.not_connected(n, error, now),
        }
    }

    fn connected(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        let Some(stream) = &self.slots[n].stream else { return Ok(()) };
        match is_connected(stream) {
            Ok(false) => Ok(()),
            Err(error) => self.not_connected(n, error, now),
            Ok(true) => match &self.plan.tls {
                None => self.open(n, now),
                Some(host) => match self.slots[n].encrypt(|stream| self.network.encrypt(stream, host)) {
                    Ok(()) => self.secure(n, now),
                    Err(error) => self.not_connected(n, error, now),
                },
            },
        }
    }

    /// Takes the handshake as far as the socket allows.
    fn secure(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        let Some(stream) = &mut self.slots[n].stream else { return Ok(()) };
        let began = Instant::now();
        match stream.secure() {
            Ok(true) => {
                self.network.secured(stream);
                // Our own cryptography is a part of connecting. Without it, the time would count as one of waiting.
                self.open(n, now + began.elapsed())
            }
            Ok(false) => Ok(()),
            Err(error) => self.not_connected(n, error, now),
        }
    }

    /// Requests can be sent on the connection.
    fn open(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        self.failures = 0;
        self.slots[n].opened(now);
        self.serve(n, now)
    }

    /// A connect, or a handshake, has failed. Its request does not count as one that was done.
    fn not_connected(&mut self, n: usize, error: io::Error, now: Instant) -> Result<(), Aborted> {
        self.failures += 1;
        self.tally.not_connected(&error);
        if !self.plan.goes_on {
            let is_connected = self.slots[n].state == State::Securing;
            return Err(if is_connected { Aborted::Handshake(error) } else { Aborted::Socket(error) });
        }
        if self.failures > FAILURES_MAX {
            return Err(Aborted::Connecting(error));
        }
        self.tally.failed(Failure::Connect);
        self.under_way -= self.slots[n].free(now).len();
        self.serve(n, now)
    }

    fn send(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        match self.slots[n].send(&self.plan.requests, &mut self.scratch, now) {
            Ok(bytes) => {
                self.tally.sent(bytes);
                Ok(())
            }
            Err(error) => {
                if !self.slots[n].may_retry() {
                    self.tally.write_failed();
                }
                self.broke(n, error, now)
            }
        }
    }

    /// Reads and steps over what came. A socket that has more than a buffer is read on in the next turn, with the time of that
    /// turn; where the peer's FIN is here, what is left is bounded, and is read at once.
    fn receive(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        let generation = self.slots[n].generation;
        loop {
            let fresh = match self.slots[n].fill(&mut self.input, now) {
                Ok(fresh) => fresh,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // TLS was cut off within a response, which may be whole or not.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return self.fail(n, now),
                // Nothing was under way: a server may reset a connection that idles.
                Err(_) if self.slots[n].pending.is_empty() => return self.leave(n, now),
                Err(error) => return self.broke(n, error, now),
            };
            self.tally.received(fresh);
            loop {
                match self.slots[n].step(&mut self.input, &self.plan.requests, fresh == 0, now) {
                    Ok(Step::Partial) => break,
                    Ok(Step::Closed) => return self.leave(n, now),
                    Ok(Step::Response(pending, response)) => {
                        let is_kept = response.is_kept && self.plan.keep_alive;
                        let sample = sample(&pending, Some(response.first_byte), now);
                        self.tally.ended(sample, response.status, response.body, is_kept);
                        self.ended(n, now);
                        if !is_kept {
                            return self.leave(n, now);
                        }
                    }
                    Err(error) if fresh > 0 && !self.plan.goes_on => return Err(Aborted::NotHttp(error.to_string())),
                    Err(_) => return self.fail(n, now),
                }
            }
            match self.slots[n].edge {
                Edge::None => break,
                Edge::Readable => {
                    self.unread.push_back(ConnId::new(n, generation));
                    break;
                }
                Edge::ReadClosed => {}
            }
        }
        match self.slots[n].state {
            State::Open => self.serve(n, now),
            _ => Ok(()),
        }
    }

    /// Reads on where a turn has left input.
    fn read_on(&mut self, now: Instant) -> Result<(), Aborted> {
        for _ in 0..self.unread.len() {
            let Some(id) = self.unread.pop_front() else { break };
            let slot = &self.slots[id.slot()];
            if slot.generation == id.generation && slot.state == State::Open && slot.edge > Edge::None {
                self.receive(id.slot(), now)?;
            }
        }
        Ok(())
    }

    /// A request has ended.
    fn ended(&mut self, n: usize, now: Instant) {
        self.under_way -= 1;
        self.done += 1;
        self.slots[n].idle_since = now;
    }

    /// The connection is over; the requests that it still had go to others.
    fn leave(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        let left = self.slots[n].free(now);
        self.again.extend(left);
        self.serve(n, now)
    }

    /// Reading or writing has failed.
    fn broke(&mut self, n: usize, error: io::Error, now: Instant) -> Result<(), Aborted> {
        // Its server has closed a kept connection, perhaps before it saw the request.
        if self.slots[n].may_retry() {
            return self.leave(n, now);
        }
        if !self.plan.goes_on {
            return Err(Aborted::Socket(error));
        }
        self.fail(n, now)
    }

    /// The oldest request of a slot is done, and was a failure: counted once.
    fn fail(&mut self, n: usize, now: Instant) -> Result<(), Aborted> {
        if let Some(pending) = self.slots[n].pending.pop_front() {
            self.tally.failed(Failure::Receive);
            self.tally.ended_broken(sample(&pending, None, now));
            self.ended(n, now);
        }
        self.leave(n, now)
    }

    /// Tries the queued connects again, until the backlog is full again.
    fn retry(&mut self, now: Instant) -> Result<(), Aborted> {
        self.next_retry = None;
        while self.next_retry.is_none()
            && let Some(n) = self.queued.pop_front()
        {
            // It may have been too late for its request by now.
            if self.slots[n].state == State::Queued {
                self.dial(n, now)?;
            }
        }
        Ok(())
    }

    /// Ends the responses that take too long.
    fn sweep(&mut self, now: Instant) -> Result<(), Aborted> {
        self.next_sweep = now + SWEEP.min(self.plan.response_within / 10).max(Duration::from_millis(1));
        for n in 0..self.slots.len() {
            let oldest = self.slots[n].pending.front().map(|pending| pending.began);
            if oldest.is_some_and(|began| now.saturating_duration_since(began) >= self.plan.response_within) {
                if !self.plan.goes_on {
                    return Err(Aborted::Timeout);
                }
                self.fail(n, now)?;
            }
        }
        Ok(())
    }
}

impl<N: Network> Load for Driver<N> {
    type Piece = Tally;
    type Rest = Rest;

    fn start(&mut self, now: Instant) -> Result<(), Aborted> {
        (self.began, self.next_sweep) = (now, now + SWEEP.min(self.plan.response_within / 10));
        (0..self.slots.len()).try_for_each(|n| self.serve(n, now))
    }

    fn on_ready(&mut self, id: ConnId, ready: Ready, now: Instant) -> Result<(), Aborted> {
        let n = id.slot();
        let Some(slot) = self.slots.get_mut(n).filter(|slot| slot.generation == id.generation) else { return Ok(()) };
        slot.edge = slot.edge.max(if ready.broken { Edge::ReadClosed } else { ready.input });
        if slot.state == State::Connecting && (ready.writable || ready.broken) {
            self.connected(n, now)?;
        } else if slot.state == State::Securing {
            self.secure(n, now)?;
        } else if slot.state == State::Open && ready.writable && slot.has_unsent() {
            self.send(n, now)?;
        }
        let slot = &self.slots[n];
        let may_read = slot.awaits_response() || slot.pending.is_empty();
        match slot.state == State::Open && slot.generation == id.generation && may_read && slot.edge > Edge::None {
            true => self.receive(n, now),
            false => Ok(()),
        }
    }

    fn on_time(&mut self, now: Instant) -> Result<(), Aborted> {
        if !self.is_warm && now >= self.began + self.plan.warmup {
            self.is_warm = true;
            self.done = 0;
            self.tally.take();
        }
        self.read_on(now)?;
        if now >= self.next_sweep {
            self.sweep(now)?;
        }
        if self.next_retry.is_some_and(|at| now >= at) {
            self.retry(now)?;
        }
        while !self.is_late(now)
            && self.next_due().is_some_and(|due| due <= now)
            && let Some(n) = self.idle.pop()
        {
            self.serve(n, now)?;
        }
        Ok(())
    }

    fn measures_since(&self) -> Option<Instant> {
        self.is_warm.then(|| self.began + self.plan.warmup)
    }

    fn due(&self) -> Option<Instant> {
        let warm = (!self.is_warm).then(|| self.began + self.plan.warmup);
        if !self.unread.is_empty() {
            return Some(self.began);
        }
        [Some(self.next_sweep), self.next_retry, self.end(), warm, self.next_due()].into_iter().flatten().min()
    }

    fn is_over(&self, now: Instant) -> bool {
        self.is_late(now) || self.begun >= self.plan.requests_max && self.under_way == 0
    }

    fn done(&self) -> u64 {
        self.done
    }

    fn take(&mut self) -> Tally {
        let counted = self.tally.take();
        // The warm-up of a run that ended in it does not count.
        if self.is_warm { counted } else { Tally::new(self.plan.wanted) }
    }

    fn finish(self, now: Instant) -> Rest {
        let end = self.end().unwrap_or(now).min(now);
        let due = self.plan.schedule.map_or(0, |schedule| schedule.due_before(self.began, end));
        let mut rest = Rest { software: self.input.software, ..Rest::default() };
        rest.never_sent = due.min(self.plan.requests_max).saturating_sub(self.begun) + self.again.len() as u64;
        for pending in self.slots.iter().flat_map(|slot| &slot.pending) {
            rest.open.record(micros(end.saturating_duration_since(pending.due)));
        }
        rest
    }
}

#[cfg(test)]
mod tests;
