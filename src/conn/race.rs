//! Which address of a host is connected first: Happy Eyeballs (RFC 8305).
//!
//! ```text
//! addresses, families in turn ──▶ one connect ── refused, or 250 ms later ──▶ the next one beside it …
//!                                     └── the first that is connected wins, the others are dropped
//! ```
//!
//! A slow connect goes on while the next one runs. All of them are watched under the id of one fetch, and looked at
//! whenever that has an event: there are few. Connecting itself is done by `client::dial`, which has the network and the deadlines.

use crate::event::FetchError;
use crate::net::Stream;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connects to one host.
pub struct Race<S> {
    /// Addresses still to be tried, the next one last.
    left: Vec<SocketAddr>,
    /// Connects under way, in the order in which they began.
    running: Vec<(SocketAddr, S)>,
    /// Two connects have run at once since there was none.
    crowded: bool,
    /// When the next one starts although others are under way.
    next_at: Instant,
    /// When all of it has taken too long.
    until: Instant,
    /// The last that failed.
    failure: Option<(SocketAddr, io::Error)>,
}

/// A connection that has won.
pub struct Winner<S> {
    pub address: SocketAddr,
    pub stream: S,
    /// No other connect ran beside it, so all that the kernel has said is about this stream.
    pub alone: bool,
}

impl<S: Stream> Race<S> {
    /// A race between `addresses`, the best first; it must be decided by `until`.
    pub fn new(addresses: Vec<SocketAddr>, now: Instant, until: Instant) -> Race<S> {
        let mut left = in_turn(addresses);
        left.reverse();
        Race { left, running: Vec::new(), crowded: false, next_at: now, until, failure: None }
    }

    /// The address whose connect is to start now, if there is one; to be followed by `started` or `failed`.
    pub fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        if !self.running.is_empty() && now < self.next_at {
            return None;
        }
        self.left.pop()
    }

    /// A connect has begun; the next one waits for it this long.
    pub fn started(&mut self, address: SocketAddr, stream: S, now: Instant, stagger: Duration) {
        self.crowded = !self.running.is_empty();
        self.running.push((address, stream));
        self.next_at = now + stagger;
    }

    /// A connect could not even begin.
    pub fn failed(&mut self, address: SocketAddr, error: io::Error) {
        self.failure = Some((address, error));
    }

    /// Drops those that have failed, and takes out the first that is connected.
    pub fn winner(&mut self) -> Option<Winner<S>> {
        let mut n = 0;
        while let Some((_, stream)) = self.running.get(n) {
            match connected(stream) {
                Ok(false) => n += 1,
                Ok(true) => {
                    let (address, stream) = self.running.swap_remove(n);
                    return Some(Winner { address, stream, alone: !self.crowded });
                }
                Err(error) => self.failure = Some((self.running.remove(n).0, error)),
            }
        }
        None
    }

    /// No connect runs.
    pub fn is_nobody_running(&self) -> bool {
        self.running.is_empty()
    }

    /// No connect runs, and none is left to start.
    pub fn is_lost(&self) -> bool {
        self.running.is_empty() && self.left.is_empty()
    }

    /// When to look again though nothing has happened: the next start, or the end.
    pub fn due(&self) -> Instant {
        if self.left.is_empty() { self.until } else { self.next_at.min(self.until) }
    }

    /// Whether the time is over.
    pub fn is_late(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// Why it was lost: what the last address said.
    pub fn failure(&mut self, host: &str) -> FetchError {
        match self.failure.take() {
            Some((address, e)) => FetchError::Connect { address: address.to_string(), why: e.to_string() },
            None => FetchError::no_address(host.to_owned()),
        }
    }
}

/// Writable after a connect means that it is decided (connect(2), EINPROGRESS); only the peer's address tells that it
/// is decided well.
fn connected(stream: &impl Stream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotConnected => Ok(false),
        Err(e) => Err(e),
    }
}

/// Families in turn, beginning with that of the first address; each in its own order (RFC 8305 section 4). The order
/// of getaddrinfo is that of RFC 6724, which tries all of one family first.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests;
