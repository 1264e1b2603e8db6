//! Outbound requests: their turn, their name, their connect, their end.
//!
//! A fetch is a connection of the slab from the start. At most `fetches_max` run; the others wait in order, up to
//! their own deadline. Names are looked up on the pool and come back by the fetch's id, connects are retried address
//! by address, and the owner hears exactly one end: `Done` or `Failed`.

use super::{Done, Server, enqueue};
use crate::conn::http::Clock;
use crate::conn::upstream::{State, Upstream};
use crate::conn::{Connection, Protocol};
use crate::event::{App, Event, Fetch, FetchError, Fetched};
use crate::id::ConnId;
use crate::proto::exchange::encode_request;
use crate::rt::net::{Network, Stream};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

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
    /// Queues a fetch for `owner`. One that it had before (a redirect) is dropped, and leaves its place to the new one.
    pub(super) fn fetch(&mut self, owner: ConnId, fetch: Box<Fetch>) {
        let deadline = fetch.deadline;
        let id = self.conns.insert(Connection::new(None, Protocol::Upstream(Box::new(Upstream::new(owner, fetch)))));
        let Some(conn) = self.conns.get_mut(id) else { return };
        self.timers.set(id, &mut conn.timer, deadline);
        let previous = self.adopt(owner, id, deadline);
        let has_place = self.give_up_place(previous);
        self.bury(previous);
        let may_start = has_place || self.fetches.waiting.is_empty() && self.fetches.running < self.limits.fetches_max;
        if may_start {
            self.start_fetch(id);
        } else if self.fetches.waiting.len() < self.limits.fetches_waiting_max {
            self.fetches.waiting.push_back(id);
        } else if let Some(conn) = self.conns.get_mut(id)
            && let Protocol::Upstream(upstream) = &mut conn.protocol
        {
            upstream.turn_away();
            enqueue(&mut self.ready, conn, id);
        }
    }

    /// The owner's answer now waits for this fetch; answers which one it waited for before.
    fn adopt(&mut self, owner: ConnId, id: ConnId, deadline: Instant) -> ConnId {
        let Some(conn) = self.conns.get_mut(owner) else { return ConnId::NOBODY };
        let Protocol::Http(http) = &mut conn.protocol else { return ConnId::NOBODY };
        // Its end comes as an event; this is only for the case that no event ever came.
        self.timers.set(owner, &mut conn.timer, deadline + self.limits.answer_within);
        http.clock = Clock::Owed;
        std::mem::replace(&mut http.fetch, id)
    }

    /// Frees the place of a fetch, if it has one.
    fn give_up_place(&mut self, id: ConnId) -> bool {
        let Some(Protocol::Upstream(upstream)) = self.conns.get_mut(id).map(|conn| &mut conn.protocol) else {
            return false;
        };
        let had_place = std::mem::take(&mut upstream.running);
        self.fetches.running -= had_place as usize;
        had_place
    }

    /// Gives a fetch its place. What follows may fail at once, and failing is an event: it happens in its own slice.
    fn start_fetch(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.dead) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        upstream.place();
        self.fetches.running += 1;
        enqueue(&mut self.ready, conn, id);
    }

    /// Gives free places to those who wait.
    fn start_waiting_fetches(&mut self) {
        while self.fetches.running < self.limits.fetches_max {
            let Some(id) = self.fetches.waiting.pop_front() else { return };
            self.start_fetch(id);
        }
    }

    /// The slice of a fetch whose connection is not there yet.
    pub(super) fn continue_connect(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        match upstream.state() {
            State::TurnedAway => self.fetch_over(id, Err(FetchError::Busy)),
            State::Placed => match upstream.literal() {
                Some(address) => self.on_addresses(id, vec![address]),
                None => self.resolve(id),
            },
            State::Connecting(address) if conn.writable => self.check_connect(id, address),
            _ => {}
        }
    }

    fn resolve(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        upstream.resolving();
        let until = (self.now + self.limits.connect_within).min(upstream.fetch.deadline);
        self.timers.set(id, &mut conn.timer, until);
        let (host, port) = (upstream.fetch.url.host.clone(), upstream.fetch.url.port);
        let asked = host.clone();
        let look_up = move || (id, Done::Resolved((asked.as_str(), port).to_socket_addrs().map(Iterator::collect)));
        if self.names.submit(look_up).is_err() {
            let why = "too many names are being looked up".to_owned();
            self.fetch_over(id, Err(FetchError::Resolve { host, why }));
        }
    }

    /// The name has been looked up.
    pub(super) fn on_resolved(&mut self, id: ConnId, addresses: io::Result<Vec<SocketAddr>>) {
        let Some(Protocol::Upstream(upstream)) = self.conns.get(id).map(|conn| &conn.protocol) else { return };
        if upstream.state() != State::Resolving {
            return;
        }
        let host = upstream.fetch.url.host.clone();
        match addresses {
            Ok(addresses) if addresses.is_empty() => self.fetch_over(id, Err(FetchError::no_address(host))),
            Ok(addresses) => self.on_addresses(id, addresses),
            Err(e) => self.fetch_over(id, Err(FetchError::Resolve { host, why: e.to_string() })),
        }
    }

    fn on_addresses(&mut self, id: ConnId, addresses: Vec<SocketAddr>) {
        let connect_until = self.now + self.limits.connect_within;
        let Some(Protocol::Upstream(upstream)) = self.conns.get_mut(id).map(|conn| &mut conn.protocol) else { return };
        if upstream.take_addresses(addresses, connect_until) {
            return self.connect_next(id);
        }
        let host = upstream.fetch.url.host.clone();
        self.fetch_over(id, Err(FetchError::Forbidden { host }));
    }

    fn connect_next(&mut self, id: ConnId) {
        loop {
            let Some(conn) = self.conns.get_mut(id) else { return };
            let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
            let Some((address, until)) = upstream.next_address(self.now) else {
                let failure = upstream.connect_failure();
                return self.fetch_over(id, Err(failure));
            };
            upstream.connecting(address);
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
                upstream.connected();
                self.timers.set(id, &mut conn.timer, upstream.fetch.deadline);
                conn.outbox.write(|out| encode_request(&upstream.fetch.url, &upstream.fetch.asking(true), out));
            }
            Err(e) if e.kind() == ErrorKind::NotConnected => conn.writable = false,
            Err(e) => {
                upstream.failure = Some((address, e.to_string()));
                self.connect_next(id);
            }
        }
    }

    /// The deadline of a fetch: of its name, of its connect to one address, or of all of it.
    pub(super) fn on_fetch_deadline(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        if self.now >= upstream.fetch.deadline {
            let after = upstream.fetch.within;
            return self.fetch_over(id, Err(FetchError::Timeout { after }));
        }
        match upstream.state() {
            State::Connecting(_) if upstream.has_more_addresses() => self.connect_next(id),
            State::Resolving | State::Connecting(_) => {
                let after = self.limits.connect_within;
                self.fetch_over(id, Err(FetchError::ConnectTimeout { after }));
            }
            _ => {}
        }
    }

    /// Tells the owner the end, once, and frees the connection.
    pub(super) fn fetch_over(&mut self, id: ConnId, end: Result<(), FetchError>) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.dead) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        if !upstream.end() {
            return;
        }
        let owner = upstream.owner;
        self.bury(id);
        self.tell(owner, Event::Fetched(end.map_or_else(Fetched::Failed, |()| Fetched::Done)));
    }

    /// A fetch was reaped: its place is free.
    pub(super) fn on_upstream_gone(&mut self, id: ConnId, had_place: bool, owner: ConnId) {
        if had_place {
            self.fetches.running -= 1;
        } else {
            self.fetches.waiting.retain(|&waiting| waiting != id);
        }
        if let Some(Protocol::Http(http)) = self.conns.get_mut(owner).map(|conn| &mut conn.protocol)
            && http.fetch == id
        {
            http.fetch = ConnId::NOBODY;
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
