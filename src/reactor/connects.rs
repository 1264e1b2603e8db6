//! From a place to a request on its way: look up, connect, secure, ask.
//!
//! The states are those of `conn::upstream`. Names are looked up by `workers::names`, connects race (`conn::race`), TLS is
//! driven by the stream; each of the three has `connect_within`, and the deadline of the whole fetch stands above them.
//! A step is taken in the fetch's own slice, when its name is known, or when its timer fires. It ends in a wait for one
//! of these, in a request on its way, or in `fetch_over`. Reading the answer is `input`'s matter.

use super::Server;
use crate::conn::Protocol;
use crate::conn::upstream::State;
use crate::event::{App, FetchError};
use crate::http::exchange::encode_request;
use crate::http::url::Scheme;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use crate::workers::names::Answer;
use std::io;
use std::net::{IpAddr, SocketAddr};

impl<N: Network, A: App> Server<N, A> {
    /// The slice of a fetch whose request is not sent yet.
    pub(super) fn continue_connect(&mut self, id: ConnId) {
        let Some(upstream) = self.upstream(id) else { return };
        match upstream.state() {
            State::TurnedAway => self.fetch_failed(id, FetchError::Busy),
            State::Placed if upstream.fetch.url.scheme == Scheme::Https && !cfg!(feature = "tls") => {
                self.fetch_failed(id, FetchError::NoTls);
            }
            State::Placed => self.resolve(id),
            State::Connecting => self.race(id),
            State::Securing => self.secure(id),
            _ => {}
        }
    }

    /// Nothing came of it: the owner hears why.
    fn fetch_failed(&mut self, id: ConnId, error: FetchError) {
        self.fetch_over(id, Err(error), false);
    }

    /// Asks for the addresses of the host; a literal and a name in the cache are known at once.
    fn resolve(&mut self, id: ConnId) {
        let Server { conns, names, timers, now, limits, .. } = &mut *self;
        let Some(conn) = conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        let host = upstream.fetch.url.host.clone();
        match names.look_up(&host, id, *now) {
            Answer::Known(addresses) => self.on_addresses(id, &addresses),
            Answer::Failed(why) => self.fetch_failed(id, FetchError::Resolve { host, why }),
            Answer::Full => {
                let why = "too many names are being looked up".to_owned();
                self.fetch_failed(id, FetchError::Resolve { host, why });
            }
            Answer::Asked => {
                upstream.begin_resolving(*now);
                timers.set(id, &mut conn.timer, (*now + limits.connect_within).min(upstream.fetch.deadline));
            }
        }
    }

    /// A name has been looked up, for one of those who asked.
    pub(super) fn on_resolved(&mut self, id: ConnId, found: &Result<Vec<IpAddr>, String>) {
        let Some(upstream) = self.upstream(id) else { return };
        if upstream.state() != State::Resolving {
            return;
        }
        match found {
            Ok(addresses) => self.on_addresses(id, addresses),
            Err(why) => {
                let (host, why) = (upstream.fetch.url.host.clone(), why.clone());
                self.fetch_failed(id, FetchError::Resolve { host, why });
            }
        }
    }

    /// The race between the addresses begins.
    fn on_addresses(&mut self, id: ConnId, addresses: &[IpAddr]) {
        let (now, until) = (self.now, self.now + self.limits.connect_within);
        let Some(upstream) = self.upstream(id) else { return };
        let port = upstream.fetch.url.port;
        let addresses = addresses.iter().map(|&ip| SocketAddr::new(ip, port)).collect();
        match upstream.begin_connecting(addresses, now, until) {
            Ok(()) => self.race(id),
            Err(error) => self.fetch_failed(id, error),
        }
    }

    /// Looks who is connected, and starts the connect that is due.
    fn race(&mut self, id: ConnId) {
        let Server { conns, network, timers, now, limits, .. } = &mut *self;
        let Some(conn) = conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        let Some(race) = &mut upstream.race else { return };
        loop {
            if let Some(winner) = race.winner() {
                conn.writable = true;
                if !winner.alone {
                    // What the kernel has said may have been about another stream: the next read has to tell.
                    (conn.readable, conn.read_closed, conn.broken) = (true, true, false);
                }
                conn.stream = Some(winner.stream);
                upstream.connected(winner.address, *now);
                return self.on_connected(id);
            }
            if race.is_nobody_running() {
                // Whatever the kernel has said was about those that have failed.
                (conn.readable, conn.writable, conn.read_closed, conn.broken) = (false, false, false, false);
            }
            let Some(address) = race.next(*now) else { break };
            let connected = network.connect(address).and_then(|mut stream| {
                network.watch(&mut stream, id)?;
                Ok(stream)
            });
            match connected {
                Ok(stream) => race.started(address, stream, *now, limits.connect_stagger),
                Err(error) => race.failed(address, error),
            }
        }
        if race.is_lost() {
            let failure = race.failure(&upstream.fetch.url.host);
            return self.fetch_failed(id, failure);
        }
        timers.set(id, &mut conn.timer, race.due());
    }

    /// A connect has won: the request goes out, or behind a TLS handshake for https.
    fn on_connected(&mut self, id: ConnId) {
        let Server { conns, network, timers, now, limits, .. } = &mut *self;
        let Some(conn) = conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        if upstream.fetch.url.scheme == Scheme::Http {
            upstream.begin_exchange(*now);
            return self.send_request(id);
        }
        let Some(stream) = conn.stream.take() else { return };
        match network.encrypt(stream, &upstream.fetch.url.host) {
            Ok(stream) => {
                conn.stream = Some(stream);
                timers.set(id, &mut conn.timer, (*now + limits.connect_within).min(upstream.fetch.deadline));
                self.secure(id);
            }
            Err(error) => self.on_tls_error(id, &error),
        }
    }

    /// Takes the TLS handshake as far as the socket allows.
    fn secure(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        let Some(stream) = &mut conn.stream else { return };
        match stream.secure() {
            Ok(true) => {
                // The server may have said more than the handshake needs, and TLS has it: no edge will tell.
                (conn.readable, conn.writable) = (true, stream.unsent() == 0);
                upstream.begin_exchange(self.now);
                self.send_request(id);
            }
            Ok(false) => (conn.readable, conn.writable) = (false, false),
            Err(error) => self.on_tls_error(id, &error),
        }
    }

    /// The handshake has failed, here or when its last words were to be sent.
    pub(super) fn on_tls_error(&mut self, id: ConnId, error: &io::Error) {
        let Some(upstream) = self.upstream(id) else { return };
        let (host, why) = (upstream.fetch.url.host.clone(), error.to_string());
        self.fetch_failed(id, FetchError::Tls { host, why });
    }

    /// The request goes out at the end of this turn, on a new connection or a kept one; the answer has the time that is
    /// left of the whole.
    pub(super) fn send_request(&mut self, id: ConnId) {
        let close = self.limits.upstreams_kept_max == 0;
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        let fetch = &upstream.fetch;
        conn.outbox.write(|out| encode_request(&fetch.url, &fetch.asking(close), out));
        self.timers.set(id, &mut conn.timer, fetch.deadline);
        self.touch(id);
    }

    /// The timer of an upstream: all of a fetch, its wait in the queue, or one of its phases has taken too long; the
    /// next connect of a race is due; or a kept connection has been idle long enough.
    pub(super) fn on_fetch_deadline(&mut self, id: ConnId) {
        let Server { conns, names, limits, now, .. } = &mut *self;
        let Some(Protocol::Upstream(upstream)) = conns.get(id).map(|conn| &conn.protocol) else { return };
        let (state, host) = (upstream.state(), upstream.fetch.url.host.clone());
        if state == State::Resolving {
            names.forget(id, &host, true);
        }
        let after = limits.connect_within;
        let error = match state {
            State::Kept => return self.bury(id),
            _ if *now >= upstream.fetch.deadline => {
                FetchError::Timeout { after: upstream.fetch.within, reached: upstream.reached() }
            }
            State::Queued => FetchError::QueueTimeout { after: limits.fetch_queue_within },
            State::Resolving => FetchError::ResolveTimeout { host, after },
            State::Connecting if upstream.race.as_ref().is_some_and(|race| !race.is_late(*now)) => {
                return self.race(id);
            }
            State::Connecting => FetchError::ConnectTimeout { after },
            State::Securing => FetchError::TlsTimeout { host, after },
            State::TurnedAway | State::Placed | State::Exchanging | State::Over => return,
        };
        self.fetch_failed(id, error);
    }
}
