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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Url;
    use std::time::Duration;

    fn upstream(url: &str, now: Instant) -> Upstream {
        let url = Url::parse(url).expect("a URL");
        let within = Duration::from_secs(20);
        let fetch = Fetch { url, head: false, headers: vec![], public_only: false, deadline: now + within, within };
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
        upstream.connect_until = Some(now + Duration::from_secs(6));
        assert!(upstream.resolved(addresses(&["192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.2:80"]), |_| false));
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
        for connect_until in [None, Some(now + Duration::from_secs(60))] {
            let mut upstream = upstream("http://a.test/", now);
            upstream.connect_until = connect_until;
            upstream.resolved(addresses(&["192.0.2.1:80"]), |_| true);
            assert_eq!(upstream.next_address(now).expect("an address").1, upstream.fetch.deadline);
            upstream.resolved(addresses(&["192.0.2.1:80"]), |_| true);
            let late = upstream.fetch.deadline + Duration::from_secs(1);
            assert_eq!(upstream.next_address(late).expect("an address").1, late, "the time is over");
        }
    }

    #[test]
    fn a_redirect_that_left_its_host_is_tried_at_allowed_addresses_only() {
        let now = Instant::now();
        let mut upstream = upstream("http://a.test/", now);
        upstream.fetch.public_only = true;
        assert!(
            upstream
                .resolved(addresses(&["10.0.0.1:80", "1.1.1.1:80", "127.0.0.1:80"]), |ip| ip.to_string() == "1.1.1.1")
        );
        assert_eq!(upstream.next_address(now).expect("an address").0, addresses(&["1.1.1.1:80"])[0]);
        assert!(!upstream.has_more_addresses());
        assert!(!upstream.resolved(addresses(&["10.0.0.1:80"]), |_| false));
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
