//! Who may come in, and when.
//!
//! Listeners are edge-triggered: a listener that was ready stays so until an accept says `WouldBlock`. Three things
//! end a round before that: the budget of the turn, the gate (`connections_max`), and a lack of descriptors (EMFILE).
//! In all three the clients stay in the backlog, and accepting goes on by itself: next turn, when the gate opens a
//! little below the limit, or on a timer and whenever a descriptor was given back.

use crate::config::Limits;
use crate::rt::net::Network;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// The state of all listeners.
#[derive(Debug)]
pub struct Acceptor {
    ready: Vec<bool>,
    gate_open: bool,
    retry_at: Option<Instant>,
}

/// How one attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted<S> {
    Stream(S),
    /// Nothing more now.
    Nothing,
    /// The process has no descriptor left; said once per shortage.
    OutOfDescriptors,
}

impl Acceptor {
    /// For `listeners` listeners; all are tried at once, as what came before the first wait brings no edge.
    pub fn new(listeners: usize) -> Acceptor {
        Acceptor { ready: vec![true; listeners], gate_open: true, retry_at: None }
    }

    /// Listener number `n` has somebody waiting.
    pub fn note(&mut self, n: usize) {
        if let Some(ready) = self.ready.get_mut(n) {
            *ready = true;
        }
    }

    /// A descriptor was given back, so it is worth trying at once.
    pub fn descriptor_freed(&mut self, now: Instant) {
        if self.retry_at.is_some() {
            self.retry_at = Some(now);
        }
    }

    /// Accepts one connection, given how many there are.
    pub fn next<N: Network>(
        &mut self,
        network: &mut N,
        living: usize,
        limits: &Limits,
        now: Instant,
    ) -> Accepted<N::Stream> {
        if !self.may_accept(living, limits) || self.retry_at.is_some_and(|at| at > now) {
            return Accepted::Nothing;
        }
        while let Some(n) = self.ready.iter().position(|&ready| ready) {
            match network.accept(n) {
                Ok(stream) => {
                    self.retry_at = None;
                    return Accepted::Stream(stream);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.ready[n] = false,
                Err(e) if is_shortage(&e) => {
                    let first = self.retry_at.is_none();
                    // No further edge will come for the clients in the backlog: a timer has to bring us back here.
                    self.retry_at = Some(now + limits.accept_retry);
                    return if first { Accepted::OutOfDescriptors } else { Accepted::Nothing };
                }
                // One client gave up before it was accepted (ECONNABORTED): on to the next.
                Err(_) => {}
            }
        }
        self.retry_at = None;
        Accepted::Nothing
    }

    /// How soon accepting must go on without any event: zero when a budget ended the round.
    pub fn next_in(&self, living: usize, limits: &Limits, now: Instant) -> Option<Duration> {
        if !self.ready.contains(&true) || living >= self.gate(limits) {
            return None;
        }
        Some(self.retry_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now)))
    }

    fn may_accept(&mut self, living: usize, limits: &Limits) -> bool {
        self.gate_open = living < self.gate(limits);
        self.gate_open
    }

    /// Closed at the limit, it opens a sixteenth lower: at the limit itself it would flap with every departure.
    fn gate(&self, limits: &Limits) -> usize {
        let max = limits.connections_max;
        if self.gate_open { max } else { (max - max / 16).max(1) }
    }
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM: the same clients can be accepted later (accept(2)).
fn is_shortage(e: &io::Error) -> bool {
    const SHORTAGES: [i32; 4] = [24, 23, if cfg!(target_os = "linux") { 105 } else { 55 }, 12];
    e.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}
