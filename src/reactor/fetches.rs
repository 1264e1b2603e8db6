//! Outbound requests: their place, their turn, their end, and the connections that are kept for the next one.
//!
//! ```text
//! Effect::Fetch ──▶ a place ──▶ a kept connection to that origin, or a new one (`connects`) ──▶ the answer ──▶ its end
//!       └─▶ queue ────▲                     ▲                                                                      │
//!           until one is free               └────────── kept, if it is whole and may be used again ◀───────────────┘
//! ```
//!
//! At most `fetches_max` run, and `origin_fetches_max` of them to one origin; `fetches_waiting_max` wait, each up to
//! `fetch_queue_within`. The owner hears exactly one end: `Done` or `Failed`. A kept connection that turns out to be
//! closed, or that gives 408, is not the owner's affair: the request is asked once more on a new one.

use super::{Server, enqueue};
use crate::conn::http::Clock;
use crate::conn::upstream::{State, Upstream};
use crate::conn::{Connection, Protocol};
use crate::event::{App, Event, Fetch, FetchError, Fetched};
use crate::http::url::{Scheme, Url};
use crate::id::ConnId;
use crate::net::Network;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Who runs, who waits, and who is kept.
#[derive(Default)]
pub(super) struct Fetches {
    pub running: usize,
    pub running_at: HashMap<Origin, usize>,
    pub waiting: VecDeque<ConnId>,
    /// Connections without a request, the one used last at the end.
    pub kept: Vec<ConnId>,
    /// The fetches of owners that are no connections.
    pub of_outside: HashMap<ConnId, ConnId>,
}

/// Where a connection leads (RFC 9110 section 4.3.1).
pub(super) type Origin = (Scheme, String, u16);

pub(super) fn origin(url: &Url) -> Origin {
    (url.scheme, url.host.clone(), url.port)
}

impl<N: Network, A: App> Server<N, A> {
    /// Starts or queues a fetch for `owner`. One that it had before (a redirect) is dropped, and leaves its place to
    /// the new one.
    pub(super) fn fetch(&mut self, owner: ConnId, fetch: Box<Fetch>) {
        let had_place = self.drop_fetch_of(owner);
        if self.is_place_for(&fetch.url) && (had_place || self.fetches.waiting.is_empty()) {
            return self.launch(owner, fetch, true);
        }
        let is_full = self.fetches.waiting.len() >= self.limits.fetches_waiting_max;
        let until = fetch.deadline.min(self.now + self.limits.fetch_queue_within);
        let id = self.insert_upstream(owner, fetch, if is_full { State::TurnedAway } else { State::Queued });
        let Some(conn) = self.conns.get_mut(id) else { return };
        if is_full {
            return enqueue(&mut self.ready, conn, id);
        }
        self.timers.set(id, &mut conn.timer, until);
        self.fetches.waiting.push_back(id);
        // What it is to ask is held until then, and booked.
        self.touch(id);
        // Those before it may all wait for an origin that is full, and this one for another.
        self.start_waiting_fetches();
    }

    /// Gives a fetch its place: on a kept connection, or on a new one. That one begins in its own slice, since it may
    /// fail at once, which is an event, and this may be called while effects are applied.
    fn launch(&mut self, owner: ConnId, fetch: Box<Fetch>, may_reuse: bool) {
        self.fetches.running += 1;
        *self.fetches.running_at.entry(origin(&fetch.url)).or_default() += 1;
        let kept = if may_reuse { self.take_kept(&fetch) } else { None };
        if let Some(id) = kept {
            self.adopt(owner, id, fetch.deadline);
            if let Some(conn) = self.conns.get_mut(id)
                && let Protocol::Upstream(upstream) = &mut conn.protocol
            {
                upstream.reuse(owner, fetch, self.now);
            }
            return self.send_request(id);
        }
        let id = self.insert_upstream(owner, fetch, State::Placed);
        if let Some(conn) = self.conns.get_mut(id) {
            enqueue(&mut self.ready, conn, id);
        }
    }

    /// A new entry in the slab, with its deadline and its owner; it has no stream yet.
    fn insert_upstream(&mut self, owner: ConnId, fetch: Box<Fetch>, state: State) -> ConnId {
        let deadline = fetch.deadline;
        let upstream = Upstream::new(owner, fetch, state, self.now);
        let id = self.conns.insert(Connection::new(None, Protocol::Upstream(Box::new(upstream))));
        if let Some(conn) = self.conns.get_mut(id) {
            self.timers.set(id, &mut conn.timer, deadline);
        }
        self.adopt(owner, id, deadline);
        id
    }

    /// The outbound state of `id`, if it is that of a fetch or of a kept connection.
    pub(super) fn upstream(&mut self, id: ConnId) -> Option<&mut Upstream<N::Stream>> {
        match &mut self.conns.get_mut(id)?.protocol {
            Protocol::Upstream(upstream) => Some(upstream),
            _ => None,
        }
    }

    /// The owner's answer now waits for this fetch.
    fn adopt(&mut self, owner: ConnId, id: ConnId, deadline: Instant) {
        if owner.is_outside() {
            self.fetches.of_outside.insert(owner, id);
        } else if let Some(conn) = self.conns.get_mut(owner)
            && let Protocol::Http(http) = &mut conn.protocol
        {
            // Its end comes as an event; this is only for the case that no event ever came.
            self.timers.set(owner, &mut conn.timer, deadline + self.limits.answer_within);
            (http.clock, http.fetch) = (Clock::Owed, id);
        }
    }

    /// When the fetch `id` must be over, if it is one.
    pub(super) fn fetch_deadline(&mut self, id: ConnId) -> Option<Instant> {
        self.upstream(id).map(|upstream| upstream.fetch.deadline)
    }

    /// The owner waits for `id` no longer.
    fn disown(&mut self, owner: ConnId, id: ConnId) {
        if owner.is_outside() {
            if self.fetches.of_outside.get(&owner) == Some(&id) {
                self.fetches.of_outside.remove(&owner);
            }
        } else if let Some(Protocol::Http(http)) = self.conns.get_mut(owner).map(|conn| &mut conn.protocol)
            && http.fetch == id
        {
            http.fetch = ConnId::NOBODY;
        }
    }

    /// Ends the owner's fetch without a word; answers whether it had a place.
    pub(super) fn drop_fetch_of(&mut self, owner: ConnId) -> bool {
        let id = match self.conns.get(owner).map(|conn| &conn.protocol) {
            Some(Protocol::Http(http)) => http.fetch,
            _ => self.fetches.of_outside.get(&owner).copied().unwrap_or(ConnId::NOBODY),
        };
        let Some(upstream) = self.upstream(id).filter(|upstream| upstream.owner == owner) else { return false };
        let is_kept = upstream.state() == State::Kept;
        let had_place = self.give_up_place(id);
        self.disown(owner, id);
        if !is_kept {
            self.bury(id);
        }
        had_place
    }

    /// Whether one more may run, and one more to this origin.
    pub(super) fn is_place_for(&self, url: &Url) -> bool {
        let limits = &self.limits;
        let at_origin = self.fetches.running_at.get(&origin(url)).copied().unwrap_or_default();
        self.fetches.running < limits.fetches_max && at_origin < limits.origin_fetches_max
    }

    /// Frees the place of a fetch, if it has one.
    fn give_up_place(&mut self, id: ConnId) -> bool {
        let Some(upstream) = self.upstream(id).filter(|upstream| upstream.running) else { return false };
        upstream.running = false;
        let origin = origin(&upstream.fetch.url);
        self.place_is_free(origin);
        true
    }

    fn place_is_free(&mut self, origin: Origin) {
        self.fetches.running -= 1;
        if let Some(count) = self.fetches.running_at.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                self.fetches.running_at.remove(&origin);
            }
        }
    }

    /// Gives free places to those who wait, in their order as far as their origins have room.
    fn start_waiting_fetches(&mut self) {
        let mut at = 0;
        while self.fetches.running < self.limits.fetches_max {
            let Some(&id) = self.fetches.waiting.get(at) else { return };
            let waits = self.conns.get(id).filter(|conn| !conn.dead).map(|conn| &conn.protocol);
            let Some(Protocol::Upstream(upstream)) = waits else {
                // It was dropped, and must not come back although it is not reaped yet.
                self.fetches.waiting.remove(at);
                continue;
            };
            if !self.is_place_for(&upstream.fetch.url) {
                at += 1;
                continue;
            }
            self.fetches.waiting.remove(at);
            // Its entry was only its place in the queue: it has no stream, and goes on under another id.
            let Some(conn) = self.conns.remove(id) else { continue };
            self.booked -= conn.booked as usize;
            if let Protocol::Upstream(upstream) = conn.protocol {
                self.launch(upstream.owner, upstream.fetch, true);
            }
        }
    }

    /// Of the kept connections that lead where this fetch goes and from which nothing came, the one used last: the
    /// others may grow old.
    fn take_kept(&mut self, fetch: &Fetch) -> Option<ConnId> {
        let conns = &self.conns;
        let suits = |&id: &ConnId| {
            conns.get(id).is_some_and(|conn| {
                let quiet = !conn.dead && !conn.readable && !conn.read_closed && !conn.broken;
                quiet && matches!(&conn.protocol, Protocol::Upstream(upstream) if upstream.suits(fetch))
            })
        };
        let at = self.fetches.kept.iter().rposition(suits)?;
        let id = self.fetches.kept.remove(at);
        // While the end of its last answer is being told, it still has an owner and a place.
        let owner = self.upstream(id)?.owner;
        self.give_up_place(id);
        self.disown(owner, id);
        Some(id)
    }

    /// Tells the owner the end, once, and keeps or frees the connection. `reusable`: the answer is whole, nothing is
    /// behind it, and the peer lets the connection be used again.
    pub(super) fn fetch_over(&mut self, id: ConnId, end: Result<(), FetchError>, reusable: bool) {
        let may_keep = reusable && self.draining.is_none() && self.limits.upstreams_kept_max > 0;
        if self.conns.get(id).is_none_or(|conn| conn.dead) {
            return;
        }
        let Some(upstream) = self.upstream(id) else { return };
        let owner = upstream.owner;
        if let Err(error) = &end
            && upstream.may_retry(error)
        {
            return self.ask_anew(id);
        }
        let was_queued = upstream.state() == State::Queued;
        if !upstream.end() {
            return;
        }
        if was_queued {
            self.fetches.waiting.retain(|&waiting| waiting != id);
        }
        let Some(upstream) = self.upstream(id) else { return };
        if may_keep {
            upstream.keep();
            self.fetches.kept.push(id);
        } else {
            self.bury(id);
        }
        // It still has its place: a redirect, which the owner asks for now, takes it over.
        self.tell(owner, Event::Fetched(end.map_or_else(Fetched::Failed, |()| Fetched::Done)));
        if may_keep {
            self.settle_kept(id, owner);
        }
    }

    /// Asks once more, on a new connection: this one ended, or was given up by its server, before the request was there.
    pub(super) fn ask_anew(&mut self, id: ConnId) {
        let Some(upstream) = self.upstream(id) else { return };
        let (owner, fetch) = (upstream.owner, upstream.fetch.clone());
        self.drop_fetch_of(owner);
        self.launch(owner, fetch, false);
    }

    /// The owner has heard the end, and may have gone on with this very connection.
    fn settle_kept(&mut self, id: ConnId, owner: ConnId) {
        let idle_until = self.now + self.limits.upstream_idle_for;
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Upstream(upstream) = &mut conn.protocol else { return };
        if upstream.state() != State::Kept {
            return;
        }
        upstream.owner = ConnId::NOBODY;
        self.timers.set(id, &mut conn.timer, idle_until);
        self.disown(owner, id);
        self.give_up_place(id);
        self.start_waiting_fetches();
        while self.fetches.kept.len() > self.limits.upstreams_kept_max {
            let oldest = self.fetches.kept.remove(0);
            self.bury(oldest);
        }
    }

    /// A fetch was reaped: its place is free.
    pub(super) fn on_upstream_gone(&mut self, id: ConnId, upstream: Upstream<N::Stream>) {
        match upstream.state() {
            State::Queued => self.fetches.waiting.retain(|&waiting| waiting != id),
            State::Kept => self.fetches.kept.retain(|&kept| kept != id),
            State::Resolving => self.names.forget(id, &upstream.fetch.url.host, false),
            _ => {}
        }
        if upstream.running {
            self.place_is_free(origin(&upstream.fetch.url));
        }
        self.disown(upstream.owner, id);
        self.start_waiting_fetches();
    }

    /// The owner is gone, or has its whole answer: what it waited for is dropped.
    pub(super) fn cancel_fetch(&mut self, owner: ConnId, id: ConnId) {
        if self.upstream(id).is_some_and(|upstream| upstream.owner == owner && upstream.state() != State::Kept) {
            self.bury(id);
        }
    }

    /// Closes what is kept: nobody will ask any more.
    pub(super) fn drop_kept(&mut self) {
        for id in std::mem::take(&mut self.fetches.kept) {
            self.bury(id);
        }
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
