//! One outbound request: a connection that we open.
//!
//! ```text
//! Queued ──▶ Resolving ──▶ Connecting ──▶ Exchanging ──▶ Over
//!    └─────────┴──────────────┴────────────────┴── error or deadline ──▶ Over
//! ```
//!
//! It lies in the slab from the first moment, so that one id serves its deadline, its name's job and its events. It
//! belongs to an owner, who gets its news; when the owner goes, it goes.

use crate::event::{Fetch, FetchError};
use crate::id::ConnId;
use crate::proto::exchange::Exchange;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// The outbound state of one connection.
pub struct Upstream {
    pub owner: ConnId,
    pub fetch: Box<Fetch>,
    pub state: State,
    /// It has one of the places for running fetches.
    pub running: bool,
    pub exchange: Exchange,
    /// Addresses still to be tried, the next one last.
    addresses: Vec<SocketAddr>,
    /// Name and connect must be done by then.
    pub connect_until: Option<Instant>,
    /// Why the last address failed.
    pub failure: Option<(SocketAddr, String)>,
}

/// How far a fetch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for one of `fetches_max` places.
    Queued,
    /// Its name is being looked up on the pool.
    Resolving,
    Connecting(SocketAddr),
    /// The request is sent or being sent, the answer is being read.
    Exchanging,
    /// The owner has heard the end.
    Over,
}

impl Upstream {
    /// A fetch that waits for its turn.
    pub fn new(owner: ConnId, fetch: Box<Fetch>) -> Upstream {
        let exchange = Exchange::new(fetch.head);
        Upstream {
            owner,
            fetch,
            state: State::Queued,
            running: false,
            exchange,
            addresses: Vec::new(),
            connect_until: None,
            failure: None,
        }
    }

    /// The address if the host is one already: no name has to be looked up.
    pub fn literal(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.fetch.url.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.fetch.url.port))
    }

    /// Takes the addresses to try, best first; answers whether any is left that may be tried.
    pub fn resolved(&mut self, addresses: Vec<SocketAddr>, is_allowed: impl Fn(IpAddr) -> bool) -> bool {
        self.addresses = addresses;
        self.addresses.retain(|address| !self.fetch.public_only || is_allowed(address.ip()));
        self.addresses.reverse();
        !self.addresses.is_empty()
    }

    /// The next address to try, and until when: an address that never answers leaves time for the others.
    pub fn next_address(&mut self, now: Instant) -> Option<(SocketAddr, Instant)> {
        let left = self.addresses.len() as u32;
        let address = self.addresses.pop()?;
        let until = self.connect_until.unwrap_or(self.fetch.deadline).min(self.fetch.deadline);
        Some((address, now + until.saturating_duration_since(now) / left))
    }

    /// Whether the answer may be read.
    pub fn is_exchanging(&self) -> bool {
        matches!(self.state, State::Exchanging)
    }

    /// Whether another address is left to try.
    pub fn has_more_addresses(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Why no address could be connected to.
    pub fn connect_failure(&mut self) -> FetchError {
        match self.failure.take() {
            Some((address, why)) => FetchError::Connect { address: address.to_string(), why },
            None => FetchError::Resolve { host: self.fetch.url.host.clone(), why: "it has no address".into() },
        }
    }
}
