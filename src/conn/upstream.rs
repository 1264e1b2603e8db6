//! One outbound request: a connection that we open.
//!
//! ```text
//! Queued ──▶ Placed ──▶ Resolving (a name only) ──▶ Connecting ──▶ Exchanging ──▶ Over
//!    └─────────┴──────────────┴────────────────────────┴──────────────┴── error or deadline ──▶ Over
//! TurnedAway ──▶ Over
//! ```
//!
//! It lies in the slab from the first moment, so that one id serves its deadline, its name's job and its events. It
//! belongs to an owner, who gets its news; when the owner goes, it goes.

use crate::event::{Fetch, FetchError};
use crate::id::ConnId;
use crate::proto::address::is_public;
use crate::proto::exchange::Exchange;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// The outbound state of one connection.
pub struct Upstream {
    pub owner: ConnId,
    pub fetch: Box<Fetch>,
    state: State,
    /// It has one of the places for running fetches.
    pub running: bool,
    pub exchange: Exchange,
    /// Addresses still to be tried, the next one last.
    addresses: Vec<SocketAddr>,
    /// The connect must be done by then.
    connect_until: Instant,
    /// Why the last address failed.
    pub failure: Option<(SocketAddr, String)>,
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
    Connecting(SocketAddr),
    /// The request is sent or being sent, the answer is being read.
    Exchanging,
    /// The owner has heard the end.
    Over,
}

impl Upstream {
    /// A fetch that waits for its turn.
    pub fn new(owner: ConnId, fetch: Box<Fetch>) -> Upstream {
        let (exchange, connect_until) = (Exchange::new(fetch.is_head(), fetch.decode), fetch.deadline);
        Upstream {
            owner,
            fetch,
            state: State::Queued,
            running: false,
            exchange,
            addresses: Vec::new(),
            connect_until,
            failure: None,
        }
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// There is no room to wait in.
    pub fn turn_away(&mut self) {
        self.state = State::TurnedAway;
    }

    /// Gets a place among those that run.
    pub fn place(&mut self) {
        (self.state, self.running) = (State::Placed, true);
    }

    /// Its name has been asked for.
    pub fn resolving(&mut self) {
        self.state = State::Resolving;
    }

    /// Its stream is on the way to `address`.
    pub fn connecting(&mut self, address: SocketAddr) {
        self.state = State::Connecting(address);
    }

    /// Its stream is there.
    pub fn connected(&mut self) {
        self.state = State::Exchanging;
    }

    /// It is over; answers whether it was not before.
    pub fn end(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Over) != State::Over
    }

    /// The address if the host is one already: no name has to be looked up.
    pub fn literal(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.fetch.url.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.fetch.url.port))
    }

    /// Takes the addresses to try, best first, all by `connect_until`; answers whether any may be tried.
    pub fn take_addresses(&mut self, addresses: Vec<SocketAddr>, connect_until: Instant) -> bool {
        self.connect_until = connect_until.min(self.fetch.deadline);
        self.addresses = addresses;
        self.addresses.retain(|address| !self.fetch.public_only || is_public(address.ip()));
        self.addresses.reverse();
        !self.addresses.is_empty()
    }

    /// The next address to try, and until when: an address that never answers leaves time for the others.
    pub fn next_address(&mut self, now: Instant) -> Option<(SocketAddr, Instant)> {
        let left = self.addresses.len() as u32;
        let address = self.addresses.pop()?;
        Some((address, now + self.connect_until.saturating_duration_since(now) / left))
    }

    /// Memory held for the request, bytes.
    pub fn held(&self) -> usize {
        let fields: usize = self.fetch.headers.iter().map(|(_, value)| value.len()).sum();
        self.fetch.url.host.len() + self.fetch.url.target.len() + fields
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
            None => FetchError::no_address(self.fetch.url.host.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Url;
    use std::time::Duration;

    fn upstream(url: &str, now: Instant) -> Upstream {
        let url = Url::parse(url).expect("a URL");
        let fetch = Fetch::get(url, now, Duration::from_secs(20));
        Upstream::new(ConnId::new(0, 1), Box::new(fetch))
    }

    fn addresses(of: &[&str]) -> Vec<SocketAddr> {
        of.iter().map(|address| address.parse().expect("an address")).collect()
    }

    #[test]
    fn a_host_that_is_an_address_needs_no_resolver() {
        let literal = |url| upstream(url, Instant::now()).literal();
        assert_eq!(literal("http://127.0.0.1:8080/"), Some(([127, 0, 0, 1], 8080).into()));
        assert_eq!(literal("http://[::1]/"), "[::1]:80".parse().ok());
        assert_eq!(literal("http://localhost/"), None);
        assert_eq!(literal("http://127.1.example/"), None);
    }

    #[test]
    fn addresses_are_tried_in_order_and_share_the_time_that_is_left() {
        let now = Instant::now();
        let mut upstream = upstream("http://a.test/", now);
        let all = addresses(&["192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.2:80"]);
        assert!(upstream.take_addresses(all, now + Duration::from_secs(6)));
        let mut next = |at| {
            let next = upstream.next_address(now + Duration::from_secs(at));
            (next.map(|(address, until)| (address.to_string(), until - now)), upstream.has_more_addresses())
        };
        let tried = |address: &str, until| Some((address.to_owned(), Duration::from_secs(until)));
        assert_eq!(next(0), (tried("192.0.2.1:80", 2), true));
        assert_eq!(next(0), (tried("[2001:db8::1]:80", 3), true), "refused at once");
        assert_eq!(next(3), (tried("192.0.2.2:80", 6), false));
        assert_eq!(next(6), (None, false));
    }

    #[test]
    fn a_connect_never_outlives_its_fetch() {
        let now = Instant::now();
        let mut upstream = upstream("http://a.test/", now);
        upstream.take_addresses(addresses(&["192.0.2.1:80"]), now + Duration::from_secs(60));
        assert_eq!(upstream.next_address(now).expect("an address").1, upstream.fetch.deadline);
        upstream.take_addresses(addresses(&["192.0.2.1:80"]), now + Duration::from_secs(60));
        let late = upstream.fetch.deadline + Duration::from_secs(1);
        assert_eq!(upstream.next_address(late).expect("an address").1, late, "the time is over");
    }

    #[test]
    fn a_redirect_that_left_its_host_is_tried_at_public_addresses_only() {
        let now = Instant::now();
        let mut upstream = upstream("http://a.test/", now);
        upstream.fetch.public_only = true;
        assert!(upstream.take_addresses(addresses(&["10.0.0.1:80", "1.1.1.1:80", "127.0.0.1:80"]), now));
        assert_eq!(upstream.next_address(now).expect("an address").0, addresses(&["1.1.1.1:80"])[0]);
        assert!(!upstream.has_more_addresses());
        assert!(!upstream.take_addresses(addresses(&["10.0.0.1:80"]), now));
        assert!(upstream.next_address(now).is_none());
    }

    #[test]
    fn the_last_failure_is_the_one_that_is_told() {
        let mut upstream = upstream("http://a.test/", Instant::now());
        let nameless = FetchError::Resolve { host: "a.test".into(), why: "it has no address".into() };
        assert_eq!(upstream.connect_failure(), nameless);
        upstream.failure = Some((([192, 0, 2, 1], 80).into(), "refused".into()));
        let refused = FetchError::Connect { address: "192.0.2.1:80".into(), why: "refused".into() };
        assert_eq!(upstream.connect_failure(), refused);
    }

    #[test]
    fn only_a_connected_fetch_is_read_from() {
        let mut upstream = upstream("http://a.test/", Instant::now());
        let connecting = State::Connecting(([192, 0, 2, 1], 80).into());
        for (state, is_read) in [
            (State::Queued, false),
            (State::TurnedAway, false),
            (State::Placed, false),
            (State::Resolving, false),
            (connecting, false),
            (State::Exchanging, true),
            (State::Over, false),
        ] {
            upstream.state = state;
            assert_eq!(upstream.is_exchanging(), is_read, "{state:?}");
        }
    }
}
