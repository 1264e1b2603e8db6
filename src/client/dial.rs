//! Dialling: from a fetch that has its place to a connection that a request can be sent on.
//!
//! ```text
//! Placed ── look up ──▶ Resolving (unless known) ── addresses ──▶ Connecting ── the first wins ──▶ Securing (https)
//!
//! addresses, families in turn ──▶ one connect ── refused, or 250 ms later ──▶ the next one beside it …
//!                                     └── the first that is connected wins, the others are dropped
//! ```
//!
//! Names are looked up by [`Names`], addresses race (Happy Eyeballs, RFC 8305), TLS is driven by the stream. Each of the
//! three may take `connect_within`, and the deadline of the whole fetch stands above them. A step is taken in the
//! connection's own slice, when its name is known, or at its deadline.

use super::Cx;
use crate::conn::upstream::{State, Upstream};
use crate::conn::{Connection, Input, Protocol};
use crate::event::FetchError;
use crate::http::url::Scheme;
use crate::id::ConnId;
use crate::net::{Network, Stream, is_connected};
use crate::workers::names::{Answer, Found, Names, Resolved};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// What a step of dialling led to.
#[derive(Debug)]
pub enum Dialled {
    /// Waits for the name, the socket or the deadline; or there was nothing to do.
    Waiting,
    /// The request can be sent.
    Connected,
    /// No address could be connected to, or what answered is not the host.
    Failed(FetchError),
}

/// Looks up names, connects, and secures connections.
pub struct Dialler<S> {
    names: Names,
    /// The connects of fetches that have no stream yet.
    races: HashMap<ConnId, Race<S>>,
}

impl<S: Stream> Dialler<S> {
    /// One that dials nothing yet.
    pub fn new(names: Names) -> Dialler<S> {
        Dialler { names, races: HashMap::new() }
    }

    /// The next step of a connection that is not there yet.
    pub fn advance(&mut self, cx: &mut Cx<S>, network: &mut impl Network<Stream = S>, id: ConnId) -> Dialled {
        let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
        match upstream.state() {
            State::TurnedAway => Dialled::Failed(FetchError::Busy),
            State::Placed if upstream.fetch.url.scheme == Scheme::Https && !cfg!(feature = "tls") => {
                Dialled::Failed(FetchError::NoTls)
            }
            State::Placed => self.look_up(cx, network, id),
            State::Connecting => self.race(cx, network, id),
            State::Securing => secure(cx, id),
            _ => Dialled::Waiting,
        }
    }

    /// Asks for the addresses of the host. A literal and a name in the cache are known at once.
    fn look_up(&mut self, cx: &mut Cx<S>, network: &mut impl Network<Stream = S>, id: ConnId) -> Dialled {
        let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
        let host = &upstream.fetch.url.host;
        match self.names.look_up(host, id, cx.now) {
            Answer::Known(addresses) => self.connect(cx, network, id, &addresses),
            Answer::Failed(why) => Dialled::Failed(FetchError::Resolve { host: host.clone(), why }),
            Answer::Full => {
                let why = "too many names are being looked up".to_owned();
                Dialled::Failed(FetchError::Resolve { host: host.clone(), why })
            }
            Answer::Asked => {
                upstream.begin_resolving(cx.now);
                let until = upstream.phase_deadline(cx.now, cx.limits);
                cx.conns.set_deadline(id, until);
                Dialled::Waiting
            }
        }
    }

    /// Takes the result of a thread: the connections that have asked for the name, and what was found.
    pub fn take_name(&mut self, resolved: Resolved, now: Instant) -> (Vec<ConnId>, Found) {
        self.names.take(resolved, now)
    }

    /// A name has been looked up, for one of those that asked.
    pub fn resolved(
        &mut self,
        cx: &mut Cx<S>,
        network: &mut impl Network<Stream = S>,
        id: ConnId,
        found: &Found,
    ) -> Dialled {
        let upstream = cx.conns.get_mut(id).and_then(Connection::upstream);
        let Some(upstream) = upstream.filter(|upstream| upstream.state() == State::Resolving) else {
            return Dialled::Waiting;
        };
        match found {
            Ok(addresses) => self.connect(cx, network, id, addresses),
            Err(why) => {
                Dialled::Failed(FetchError::Resolve { host: upstream.fetch.url.host.clone(), why: why.clone() })
            }
        }
    }

    /// The race between the addresses begins.
    fn connect(
        &mut self,
        cx: &mut Cx<S>,
        network: &mut impl Network<Stream = S>,
        id: ConnId,
        addresses: &[IpAddr],
    ) -> Dialled {
        let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
        match upstream.begin_connecting(addresses, cx.now) {
            Ok(addresses) => {
                let until = upstream.phase_deadline(cx.now, cx.limits);
                self.races.insert(id, Race::new(addresses, cx.now, until));
                self.race(cx, network, id)
            }
            Err(error) => Dialled::Failed(error),
        }
    }

    /// Looks which address is connected, and starts the connect that is due.
    fn race(&mut self, cx: &mut Cx<S>, network: &mut impl Network<Stream = S>, id: ConnId) -> Dialled {
        let (Some(conn), Some(race)) = (cx.conns.get_mut(id), self.races.get_mut(&id)) else { return Dialled::Waiting };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return Dialled::Waiting };
        loop {
            if let Some(winner) = race.winner() {
                conn.writable = true;
                if !winner.alone {
                    // What the kernel has said may have been about another stream: the next read has to tell.
                    (conn.input, conn.broken) = (Input::Ending, false);
                }
                conn.stream = Some(winner.stream);
                upstream.connected(winner.address, cx.now);
                self.races.remove(&id);
                return connected(cx, network, id);
            }
            if race.is_idle() {
                // Whatever the kernel has said was about those that have failed.
                (conn.input, conn.writable, conn.broken) = (Input::Drained, false, false);
            }
            let Some(address) = race.next(cx.now) else { break };
            let started = network.connect(address).and_then(|mut stream| {
                network.watch(&mut stream, id)?;
                Ok(stream)
            });
            match started {
                Ok(stream) => race.started(address, stream, cx.now, cx.limits.connect_stagger),
                Err(error) => race.failed(address, error),
            }
        }
        if race.is_lost() {
            return Dialled::Failed(race.failure(&upstream.fetch.url.host));
        }
        let due = race.due();
        cx.conns.set_deadline(id, due);
        Dialled::Waiting
    }

    /// A phase has taken too long, or the next connect of a race is due.
    pub fn on_deadline(&mut self, cx: &mut Cx<S>, network: &mut impl Network<Stream = S>, id: ConnId) -> Dialled {
        let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) else { return Dialled::Waiting };
        let (host, after) = (upstream.fetch.url.host.clone(), cx.limits.connect_within);
        match upstream.state() {
            State::Resolving => Dialled::Failed(FetchError::ResolveTimeout { host, after }),
            State::Connecting if !self.is_late(id, cx.now) => self.race(cx, network, id),
            State::Connecting => Dialled::Failed(FetchError::ConnectTimeout { after }),
            State::Securing => Dialled::Failed(FetchError::TlsTimeout { host, after }),
            _ => Dialled::Waiting,
        }
    }

    /// Whether the race of a connection has taken too long; else its deadline is that of the next connect.
    pub fn is_late(&self, id: ConnId, now: Instant) -> bool {
        self.races.get(&id).is_none_or(|race| race.is_late(now))
    }

    /// Whether addresses race for a connection.
    pub fn is_racing(&self, id: ConnId) -> bool {
        self.races.contains_key(&id)
    }

    /// A connection does not wait for a name or a connect any more. `late`: its time is over (see [`Names::forget`]).
    pub fn forget(&mut self, id: ConnId, host: &str, late: bool) {
        self.races.remove(&id);
        self.names.forget(id, host, late);
    }

    /// Threads whose look-up of a name hangs.
    pub fn names_stuck(&self) -> usize {
        self.names.stuck()
    }
}

/// A connect has won: http is done, https goes on with TLS.
fn connected<N: Network>(cx: &mut Cx<N::Stream>, network: &mut N, id: ConnId) -> Dialled {
    let Some(conn) = cx.conns.get_mut(id) else { return Dialled::Waiting };
    let Protocol::Upstream(upstream) = &mut conn.protocol else { return Dialled::Waiting };
    if upstream.fetch.url.scheme == Scheme::Http {
        upstream.begin_exchange(cx.now);
        return Dialled::Connected;
    }
    let Some(stream) = conn.stream.take() else { return Dialled::Waiting };
    match network.encrypt(stream, &upstream.fetch.url.host) {
        Ok(stream) => {
            conn.stream = Some(stream);
            let until = upstream.phase_deadline(cx.now, cx.limits);
            cx.conns.set_deadline(id, until);
            secure(cx, id)
        }
        Err(error) => Dialled::Failed(tls_failed(upstream, &error)),
    }
}

/// Takes the TLS handshake as far as the socket allows.
fn secure<S: Stream>(cx: &mut Cx<S>, id: ConnId) -> Dialled {
    let Some(conn) = cx.conns.get_mut(id) else { return Dialled::Waiting };
    let (Protocol::Upstream(upstream), Some(stream)) = (&mut conn.protocol, &mut conn.stream) else {
        return Dialled::Waiting;
    };
    match stream.secure() {
        Ok(true) => {
            // The server may have said more than the handshake needs, and TLS has it: no edge will tell.
            if conn.input == Input::Drained {
                conn.input = Input::Readable;
            }
            conn.writable = stream.unsent() == 0;
            upstream.begin_exchange(cx.now);
            Dialled::Connected
        }
        Ok(false) => {
            (conn.input, conn.writable) = (Input::Drained, false);
            Dialled::Waiting
        }
        Err(error) => Dialled::Failed(tls_failed(upstream, &error)),
    }
}

/// The handshake has failed, here or when its last words were to be sent.
pub fn tls_failed(upstream: &Upstream, error: &io::Error) -> FetchError {
    FetchError::Tls { host: upstream.fetch.url.host.clone(), why: error.to_string() }
}

/// Which address of a host is connected first. A slow connect goes on while the next one runs. All of them are watched
/// under the id of one fetch, and looked at whenever that has an event: there are few.
struct Race<S> {
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
struct Winner<S> {
    address: SocketAddr,
    stream: S,
    /// No other connect ran beside it, so all that the kernel has said is about this stream.
    alone: bool,
}

impl<S: Stream> Race<S> {
    /// A race between `addresses`, the best first; it must be decided by `until`.
    fn new(addresses: Vec<SocketAddr>, now: Instant, until: Instant) -> Race<S> {
        let mut left = in_turn(addresses);
        left.reverse();
        Race { left, running: Vec::new(), crowded: false, next_at: now, until, failure: None }
    }

    /// The address whose connect is to start now, if there is one; to be followed by `started` or `failed`.
    fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        if !self.running.is_empty() && now < self.next_at {
            return None;
        }
        self.left.pop()
    }

    /// A connect has begun; the next one waits for it this long.
    fn started(&mut self, address: SocketAddr, stream: S, now: Instant, stagger: Duration) {
        self.crowded = !self.running.is_empty();
        self.running.push((address, stream));
        self.next_at = now + stagger;
    }

    /// A connect could not even begin.
    fn failed(&mut self, address: SocketAddr, error: io::Error) {
        self.failure = Some((address, error));
    }

    /// Drops those that have failed, and takes out the first that is connected.
    fn winner(&mut self) -> Option<Winner<S>> {
        let mut n = 0;
        while let Some((_, stream)) = self.running.get(n) {
            match is_connected(stream) {
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
    fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// No connect runs, and none is left to start.
    fn is_lost(&self) -> bool {
        self.running.is_empty() && self.left.is_empty()
    }

    /// When to look again though nothing has happened: the next start, or the end.
    fn due(&self) -> Instant {
        if self.left.is_empty() { self.until } else { self.next_at.min(self.until) }
    }

    /// Whether the time is over.
    fn is_late(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// Why it was lost: what the last address said.
    fn failure(&mut self, host: &str) -> FetchError {
        match self.failure.take() {
            Some((address, e)) => FetchError::Connect { address: address.to_string(), why: e.to_string() },
            None => FetchError::no_address(host.to_owned()),
        }
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
