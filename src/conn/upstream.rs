//! One outbound request, and the connection that we open for it or have kept.
//!
//! ```text
//! Queued    Placed ──▶ Resolving (a name only) ──▶ Connecting ──▶ Securing (https) ──▶ Exchanging ──▶ Over
//! TurnedAway ─▶ Over │                                                                  ▲      │
//!                    └── error or deadline, from any state ──▶ Over          next fetch └─ Kept ◀┘ whole answer
//! ```
//!
//! It lies in the slab from the first moment, so that one id serves its deadline, its name and its events. It belongs
//! to an owner, who gets its news; when the owner goes, it goes. A kept connection belongs to nobody.

use crate::conn::race::Race;
use crate::event::{Fetch, FetchError, Journey};
use crate::id::ConnId;
use crate::proto::address::is_public;
use crate::proto::exchange::{Exchange, ExchangeError, Stage};
use crate::proto::redirect::same_origin;
use crate::proto::url::Scheme;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The outbound state of one connection.
pub struct Upstream<S> {
    pub owner: ConnId,
    /// What is asked for; of a kept connection, what it was used for last.
    pub fetch: Box<Fetch>,
    state: State,
    /// It has one of the places for running fetches.
    pub running: bool,
    pub exchange: Exchange,
    /// The connects under way, while there is no stream.
    pub race: Option<Box<Race<S>>>,
    /// It has carried an answer before, so its end may have come on the way.
    reused: bool,
    journey: Journey,
    phase_began: Instant,
}

/// How far a fetch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for one of `fetches_max` places.
    Queued,
    /// There was no room to wait in; its slice says so.
    TurnedAway,
    /// Has its place; its slice begins with the name.
    Placed,
    /// Its name is being looked up on the pool.
    Resolving,
    /// Its addresses race.
    Connecting,
    /// Connected; the TLS handshake is under way.
    Securing,
    /// The request is sent or being sent, the answer is being read.
    Exchanging,
    /// Its answer was whole, and the connection may carry another one.
    Kept,
    /// The owner has heard the end.
    Over,
}

impl<S> Upstream<S> {
    /// A fetch that waits for its turn.
    pub fn new(owner: ConnId, fetch: Box<Fetch>, state: State, now: Instant) -> Upstream<S> {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Upstream {
            owner,
            exchange: Exchange::new(fetch.is_head(), fetch.decode),
            fetch,
            state,
            running: state == State::Placed,
            race: None,
            reused: false,
            journey: Journey { address: nowhere, dns: None, connect: None, tls: None, first_byte: Duration::ZERO },
            phase_began: now,
        }
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its name has been asked for.
    pub fn resolve(&mut self, now: Instant) {
        (self.state, self.phase_began) = (State::Resolving, now);
    }

    /// The host's addresses are known: the race between them begins. Not all may take part in it.
    ///
    /// # Errors
    /// None may.
    pub fn connect(&mut self, mut addresses: Vec<SocketAddr>, now: Instant, until: Instant) -> Result<(), FetchError>
    where
        S: crate::rt::net::Stream,
    {
        if self.state == State::Resolving {
            self.journey.dns = Some(now.saturating_duration_since(self.phase_began));
        }
        addresses.retain(|address| !self.fetch.public_only || is_public(address.ip()));
        if addresses.is_empty() {
            return Err(FetchError::Forbidden { host: self.fetch.url.host.clone() });
        }
        self.race = Some(Box::new(Race::new(addresses, now, until.min(self.fetch.deadline))));
        (self.state, self.phase_began) = (State::Connecting, now);
        Ok(())
    }

    /// Its stream is there, and leads to `address`.
    pub fn connected(&mut self, address: SocketAddr, now: Instant) {
        self.race = None;
        self.journey.address = address;
        self.journey.connect = Some(now.saturating_duration_since(self.phase_began));
        (self.state, self.phase_began) = (State::Securing, now);
    }

    /// Its bytes may flow: the request goes out.
    pub fn exchange(&mut self, now: Instant) {
        if self.state == State::Securing && self.fetch.url.scheme == Scheme::Https {
            self.journey.tls = Some(now.saturating_duration_since(self.phase_began));
        }
        (self.state, self.phase_began) = (State::Exchanging, now);
    }

    /// Bytes of the answer have come.
    pub fn hear(&mut self, now: Instant) {
        if !self.exchange.has_begun() {
            self.journey.first_byte = now.saturating_duration_since(self.phase_began);
        }
    }

    /// How it came here.
    pub fn journey(&self) -> Journey {
        self.journey
    }

    /// It is over; answers whether it was not before.
    pub fn end(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Over) != State::Over
    }

    /// The answer is whole, and the connection waits for the next request.
    pub fn keep(&mut self) {
        self.state = State::Kept;
    }

    /// A kept connection gets its next request.
    pub fn reuse(&mut self, owner: ConnId, fetch: Box<Fetch>, now: Instant) {
        self.exchange = Exchange::new(fetch.is_head(), fetch.decode);
        self.journey = Journey { dns: None, connect: None, tls: None, ..self.journey };
        (self.owner, self.fetch, self.reused, self.running) = (owner, fetch, true, true);
        self.exchange(now);
    }

    /// Whether it is kept, and leads where `fetch` wants to go.
    pub fn suits(&self, fetch: &Fetch) -> bool {
        self.state == State::Kept
            && same_origin(&self.fetch.url, &fetch.url)
            && (!fetch.public_only || is_public(self.journey.address.ip()))
    }

    /// Whether the same request may be tried once more on another connection: the peer has closed a kept one, not a
    /// byte of an answer was seen, and asking twice does no harm (RFC 9110 section 9.2.2).
    pub fn may_retry(&self, error: &FetchError) -> bool {
        let closed =
            matches!(error, FetchError::Broken { .. } | FetchError::Protocol(ExchangeError::EarlyEof(Stage::Start)));
        self.reused && closed && !self.exchange.has_begun() && self.fetch.is_idempotent()
    }

    /// Memory held for the request, bytes; what a kept connection remembers of its last one is bounded by their number.
    pub fn held(&self) -> usize {
        if self.state == State::Kept {
            return 0;
        }
        let fields: usize = self.fetch.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.fetch.url.host.len() + self.fetch.url.target.len() + fields + self.fetch.body.len()
    }

    /// Whether bytes of the peer mean anything: an answer, or the end of a kept connection.
    pub fn is_read(&self) -> bool {
        matches!(self.state, State::Exchanging | State::Kept)
    }
}

#[cfg(test)]
mod tests;
