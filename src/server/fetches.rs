//! Outbound requests: their turn, their name, their connect, their end.
//!
//! A fetch is a connection of the slab from the start. At most `fetches_max` run; the others wait in order, up to
//! their own deadline. Names are looked up on the pool and come back by the fetch's id, connects are retried address
//! by address, and the owner hears exactly one end: `Done` or `Failed`.

use super::{Done, Server, enqueue};
use crate::conn::upstream::{State, Upstream};
use crate::conn::{Connection, Protocol};
use crate::event::{App, Event, Fetch, FetchError, Fetched};
use crate::id::ConnId;
use crate::proto::address::is_public;
use crate::proto::exchange::encode_request;
use crate::rt::net::{Network, Stream};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

/// Who runs and who waits.
#[derive(Default)]
pub(super) struct Fetches {
    running: usize,
    waiting: VecDeque<ConnId>,
}

impl Fetches {
    /// Places taken.
    pub fn running(&self) -> usize {
        self.running
    }
}

impl<N: Network, A: App> Server<N, A> {
    /// Queues a fetch for `owner`; one that it had before is dropped.
    pub(super) fn fetch(&mut self, owner: ConnId, fetch: Box<Fetch>) {
        let deadline = fetch.deadline;
        let id = self.conns.insert(Connection::new(None, Protocol::Upstream(Box::new(Upstream::new(owner, fetch)))));
        let Some(conn) = self.conns.get_mut(id) else { return };
        self.timers.set(id, &mut conn.timer, deadline);
        if let Some(conn) = self.conns.get_mut(owner)
            && let Protocol::Http(http) = &mut conn.protocol
        {
            // Its end comes as an event; this is only for the case that no event ever came.
            self.timers.set(owner, &mut conn.timer, deadline + self.limits.answer_within);
            let previous = std::mem::replace(&mut http.fetch, id);
            self.bury(previous);
        }
        if self.fetches.waiting.len() < self.limits.fetches_waiting_max {
            self.fetches.waiting.push_back(id);
            self.start_waiting_fetches();
        } else if let Some(conn) = self.conns.get_mut(id) {
            enqueue(&mut self.ready, conn, id);
        }
    }

    /// Gives free places to those who wait. Called whenever a place or a waiter may have come.
    fn start_waiting_fetches(&mut self) {
        while self.fetches.running < self.limits.fetches_max {
            let Some(id) = self.fetches.waiting.pop_front() else { return };
            let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.dead) else { continue };
            let Protocol::Upstream(upstream) = &mut conn.protocol else { continue };
            upstream.state = State::Resolving;
            upstream.running = true;
            upstream.connect_until = Some(self.now + self.limits.connect_within);
            self.fetches.running += 1;
            // What follows may fail at once, and failing is an event: it happens in the fetch's own slice.
            enqueue(&mut self.ready, conn, id);
        }
    }

    /// The slice of a fetch whose connection is not there yet.
    pub(super) fn continue_connect(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        match upstream.state {
            // Served while still queued: there was no room to wait in.
            State::Queued => self.fetch_over(id, Err(FetchError::Busy)),
            State::Resolving => match upstream.literal() {
                Some(address) => self.resolved(id, Ok(vec![address])),
                None => self.resolve(id),
            },
            State::Connecting(address) => self.check_connect(id, address),
            State::Exchanging | State::Over => {}
        }
    }

    fn resolve(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        // Marks that the name is under way: this slice must not ask twice.
        conn.writable = false;
        let (host, port) = (upstream.fetch.url.host.clone(), upstream.fetch.url.port);
        if let Some(until) = upstream.connect_until {
            self.timers.set(id, &mut conn.timer, until.min(upstream.fetch.deadline));
        }
        let look_up = {
            let host = host.clone();
            move || (id, Done::Resolved((host.as_str(), port).to_socket_addrs().map(Iterator::collect)))
        };
        if self.jobs.submit(look_up).is_err() {
            let why = "too many names are being looked up".to_owned();
            self.fetch_over(id, Err(FetchError::Resolve { host, why }));
        }
    }

    /// The name has been looked up.
    pub(super) fn resolved(&mut self, id: ConnId, addresses: io::Result<Vec<SocketAddr>>) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.dead) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        if upstream.state != State::Resolving {
            return;
        }
        let host = upstream.fetch.url.host.clone();
        let failure = match addresses {
            Ok(addresses) if addresses.is_empty() => FetchError::Resolve { host, why: "it has no address".into() },
            Ok(addresses) => match upstream.resolved(addresses, is_public) {
                true => return self.connect_next(id),
                false => FetchError::Forbidden { host },
            },
            Err(e) => FetchError::Resolve { host, why: e.to_string() },
        };
        self.fetch_over(id, Err(failure));
    }

    fn connect_next(&mut self, id: ConnId) {
        let now = self.now;
        loop {
            let Some(conn) = self.conns.get_mut(id) else { return };
            let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
            let Some((address, until)) = upstream.next_address(now) else {
                let failure = upstream.connect_failure();
                return self.fetch_over(id, Err(failure));
            };
            upstream.state = State::Connecting(address);
            let connected = self.network.connect(address).and_then(|mut stream| {
                self.network.watch(&mut stream, id)?;
                Ok(stream)
            });
            match connected {
                Ok(stream) => {
                    conn.stream = Some(stream);
                    (conn.readable, conn.writable, conn.broken) = (false, false, false);
                    self.timers.set(id, &mut conn.timer, until);
                    return;
                }
                Err(e) => upstream.failure = Some((address, e.to_string())),
            }
        }
    }

    /// Writable after a connect means: it is decided (connect(2), EINPROGRESS).
    fn check_connect(&mut self, id: ConnId, address: SocketAddr) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        let Some(stream) = &conn.stream else { return };
        let outcome = match stream.take_error() {
            Ok(None) => stream.peer_addr().map(|_| ()),
            Ok(Some(e)) | Err(e) => Err(e),
        };
        match outcome {
            Ok(()) => {
                upstream.state = State::Exchanging;
                self.timers.set(id, &mut conn.timer, upstream.fetch.deadline);
                conn.outbox.write(|out| {
                    encode_request(upstream.fetch.head, &upstream.fetch.url, &upstream.fetch.headers, out);
                });
            }
            Err(e) if e.kind() == ErrorKind::NotConnected => conn.writable = false,
            Err(e) => {
                upstream.failure = Some((address, e.to_string()));
                self.connect_next(id);
            }
        }
    }

    /// The deadline of a fetch: of its connect to one address, or of all of it.
    pub(super) fn fetch_deadline(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        if self.now >= upstream.fetch.deadline {
            let after = upstream.fetch.within;
            return self.fetch_over(id, Err(FetchError::Timeout { after }));
        }
        match upstream.state {
            State::Connecting(_) if upstream.has_more_addresses() => self.connect_next(id),
            State::Resolving | State::Connecting(_) => {
                let after = self.limits.connect_within;
                self.fetch_over(id, Err(FetchError::ConnectTimeout { after }));
            }
            State::Queued | State::Exchanging | State::Over => {}
        }
    }

    /// Tells the owner the end, once, and frees the connection.
    pub(super) fn fetch_over(&mut self, id: ConnId, end: Result<(), FetchError>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        if upstream.state == State::Over || conn.dead {
            return;
        }
        upstream.state = State::Over;
        let owner = upstream.owner;
        self.bury(id);
        self.tell(owner, Event::Fetched(end.map_or_else(Fetched::Failed, |()| Fetched::Done)));
    }

    /// A fetch was reaped: its place is free.
    pub(super) fn upstream_gone(&mut self, id: ConnId, was_running: bool, owner: ConnId) {
        if was_running {
            self.fetches.running -= 1;
        } else {
            self.fetches.waiting.retain(|&waiting| waiting != id);
        }
        if let Some(Protocol::Http(http)) = self.conns.get_mut(owner).map(|conn| &mut conn.protocol)
            && http.fetch == id
        {
            http.fetch = ConnId::outside(0);
        }
        self.start_waiting_fetches();
    }

    /// The owner's output may have fallen below high water: its fetch may be read again.
    pub(super) fn wake_upstream(&mut self, owner: ConnId) {
        let Some(Protocol::Http(http)) = self.conns.get(owner).map(|conn| &conn.protocol) else { return };
        let id = http.fetch;
        if !id.is_outside()
            && self.wants_input(id)
            && let Some(conn) = self.conns.get_mut(id)
            && conn.has_input()
        {
            enqueue(&mut self.ready, conn, id);
        }
    }
}
