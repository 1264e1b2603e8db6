//! The outbound HTTP client: requests, their places and their queue, and the connections that are kept for the next one.
//!
//! ```text
//! start ──▶ a place ──▶ a kept connection to that origin, or a new one (`dial`) ──▶ the response ──▶ its end
//!       └─▶ queue ──▲                     ▲                                                            │
//!           until one is free             └───── kept, if it is whole and may be used again ◀──────────┘
//! ```
//!
//! At most `fetches_max` run, and `origin_fetches_max` of them to one origin; `fetches_waiting_max` wait, each up to
//! `fetch_queue_within`. The owner is told exactly one end: `Done` or `Failed`. A redirect is followed in the same place, and
//! perhaps on the same connection. A kept connection that turns out to be closed, or that brings 408, is no business of
//! the owner: the request is asked once more on a new connection.

pub mod dial;
pub mod owners;
pub mod places;

use crate::config::Limits;
use crate::conn::table::Connections;
use crate::conn::upstream::{State, Upstream};
use crate::conn::{Connection, Input, Protocol};
use crate::event::{Event, Fetch, FetchError, Fetched, Inbox};
use crate::http::exchange::encode_request;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use crate::workers::names::{Names, Resolved};
use dial::{Dialled, Dialler};
use owners::Owners;
use places::Places;
use std::collections::VecDeque;
use std::io;
use std::time::Instant;

/// What every step needs besides its connections.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    pub limits: &'a Limits,
    /// The time of this turn.
    pub now: Instant,
}

/// The fetches that run, those that wait, and the connections that are kept.
pub struct Client {
    places: Places,
    waiting: VecDeque<ConnId>,
    /// Connections without a request, the one used last at the end.
    kept: Vec<ConnId>,
    owners: Owners,
    dialler: Dialler,
    /// No connection is kept any more.
    is_closing: bool,
}

impl Client {
    /// A client without fetches.
    pub fn new(names: Names) -> Client {
        Client {
            places: Places::default(),
            waiting: VecDeque::new(),
            kept: Vec::new(),
            owners: Owners::default(),
            dialler: Dialler { names },
            is_closing: false,
        }
    }

    /// Starts or queues a fetch for `owner`. One that it had before is dropped, and leaves its place to the new one.
    pub fn start<S: Stream>(&mut self, conns: &mut Connections<S>, owner: ConnId, fetch: Box<Fetch>, cx: Cx) {
        let had_place = self.drop_fetch_of(conns, owner);
        if self.places.is_free_for(&fetch.url, cx.limits) && (had_place || self.waiting.is_empty()) {
            return self.launch(conns, owner, fetch, Reusing::Allowed, cx);
        }
        let is_full = self.waiting.len() >= cx.limits.fetches_waiting_max;
        let until = fetch.deadline.min(cx.now + cx.limits.fetch_queue_within);
        let id = self.insert(conns, owner, fetch, if is_full { State::TurnedAway } else { State::Queued }, cx);
        if is_full {
            return conns.enqueue(id);
        }
        conns.set_deadline(id, until);
        self.waiting.push_back(id);
        // The request is held until then, and booked.
        conns.touch(id);
        // Those before it may all wait for an origin that is full, and this one for another.
        self.start_waiting(conns, cx);
    }

    /// Gives a fetch its place: on a kept connection, or on a new one, which begins in its own slice.
    fn launch<S: Stream>(
        &mut self,
        conns: &mut Connections<S>,
        owner: ConnId,
        fetch: Box<Fetch>,
        reusing: Reusing,
        cx: Cx,
    ) {
        self.places.take(&fetch.url);
        log::trace!("{owner:?} fetches {}", fetch.url);
        let kept = if reusing == Reusing::Allowed { self.take_kept(conns, &fetch) } else { None };
        if let Some(id) = kept {
            self.owners.adopt(conns, owner, id, fetch.deadline, cx);
            if let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) {
                upstream.reuse(owner, fetch, cx.now);
            }
            return send_request(conns, id, cx);
        }
        let id = self.insert(conns, owner, fetch, State::Placed, cx);
        conns.enqueue(id);
    }

    /// A new entry in the table, with its deadline and its owner; it has no stream yet.
    fn insert<S: Stream>(
        &mut self,
        conns: &mut Connections<S>,
        owner: ConnId,
        fetch: Box<Fetch>,
        state: State,
        cx: Cx,
    ) -> ConnId {
        let deadline = fetch.deadline;
        let upstream = Upstream::new(owner, fetch, state, cx.now);
        let id = conns.insert(Connection::new(None, Protocol::Upstream(Box::new(upstream))), deadline);
        self.owners.adopt(conns, owner, id, deadline, cx);
        id
    }

    /// Takes the next step of dialling, in the slice of a connection that is not there yet.
    pub fn advance<N: Network>(
        &mut self,
        conns: &mut Connections<N::Stream>,
        network: &mut N,
        inbox: &mut Inbox,
        id: ConnId,
        cx: Cx,
    ) {
        let dialled = self.dialler.advance(conns, network, id, cx);
        self.dialled(conns, inbox, id, dialled, cx);
    }

    /// A thread has looked up a name.
    pub fn take_name<N: Network>(
        &mut self,
        conns: &mut Connections<N::Stream>,
        network: &mut N,
        inbox: &mut Inbox,
        resolved: Resolved,
        cx: Cx,
    ) {
        let (askers, found) = self.dialler.names.take(resolved, cx.now);
        for id in askers {
            let dialled = self.dialler.resolved(conns, network, id, &found, cx);
            self.dialled(conns, inbox, id, dialled, cx);
        }
    }

    fn dialled<S: Stream>(
        &mut self,
        conns: &mut Connections<S>,
        inbox: &mut Inbox,
        id: ConnId,
        dialled: Dialled,
        cx: Cx,
    ) {
        match dialled {
            Dialled::Waiting => {}
            Dialled::Connected => send_request(conns, id, cx),
            Dialled::Failed(error) => self.fail(conns, inbox, id, error, cx),
        }
    }

    /// The deadline of an upstream: all of a fetch, its wait in the queue, or one of its phases has taken too long; the
    /// next connect of a race is due; or a kept connection has been idle for long enough.
    pub fn on_deadline<N: Network>(
        &mut self,
        conns: &mut Connections<N::Stream>,
        network: &mut N,
        inbox: &mut Inbox,
        id: ConnId,
        cx: Cx,
    ) {
        let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) else { return };
        let state = upstream.state();
        if state == State::Resolving {
            self.dialler.names.forget(id, &upstream.fetch.url.host, true);
        }
        let dialled = match state {
            State::Kept => return conns.bury(id),
            _ if cx.now >= upstream.fetch.deadline => {
                let (after, reached) = (upstream.fetch.within, upstream.reached());
                Dialled::Failed(FetchError::Timeout { after, reached })
            }
            State::Queued => Dialled::Failed(FetchError::QueueTimeout { after: cx.limits.fetch_queue_within }),
            _ => self.dialler.on_deadline(conns, network, id, cx),
        };
        self.dialled(conns, inbox, id, dialled, cx);
    }

    /// Reading or writing has failed.
    pub fn on_socket_error<S: Stream>(
        &mut self,
        conns: &mut Connections<S>,
        inbox: &mut Inbox,
        id: ConnId,
        error: &io::Error,
        cx: Cx,
    ) {
        let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) else { return };
        let failure = match upstream.state() {
            State::Kept => return conns.bury(id),
            State::Securing => dial::tls_failed(upstream, error),
            _ => FetchError::Broken { why: error.to_string() },
        };
        self.fail(conns, inbox, id, failure, cx);
    }

    /// A fetch has failed: it is asked once more where that is allowed, or its owner will be told why.
    pub fn fail<S: Stream>(
        &mut self,
        conns: &mut Connections<S>,
        inbox: &mut Inbox,
        id: ConnId,
        error: FetchError,
        cx: Cx,
    ) {
        let Some(upstream) = conns.living(id).and_then(Connection::upstream) else { return };
        if upstream.may_retry(&error) {
            return self.ask_anew(conns, id, cx);
        }
        if upstream.may_follow(&error) {
            return self.follow(conns, id, false, cx);
        }
        let (owner, was_queued) = (upstream.owner, upstream.state() == State::Queued);
        if !upstream.end() {
            return;
        }
        if was_queued {
            self.waiting.retain(|&waiting| waiting != id);
        }
        conns.bury(id);
        inbox.push_back((owner, Event::Fetched(Fetched::Failed(error))));
    }

    /// The response was a redirect, and no more is read of it: the next fetch takes over the place of this one, and
    /// perhaps the connection.
    pub fn follow<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, is_quiet: bool, cx: Cx) {
        let Some(next) = conns.living(id).and_then(Connection::upstream).and_then(Upstream::take_next) else { return };
        let Some(owner) = self.finish(conns, id, is_quiet, cx.limits) else { return };
        self.start(conns, owner, next, cx);
        self.release(conns, id, owner, cx);
    }

    /// The response is whole; returns its owner, which is to be told now. Until [`Client::release`] the fetch has its place:
    /// another one, which the owner asks for when it is told, takes that over, and perhaps the connection.
    pub fn finish<S: Stream>(
        &mut self,
        conns: &mut Connections<S>,
        id: ConnId,
        is_quiet: bool,
        limits: &Limits,
    ) -> Option<ConnId> {
        let may_keep = is_quiet && !self.is_closing && limits.upstreams_kept_max > 0;
        let upstream = conns.living(id)?.upstream()?;
        let owner = upstream.owner;
        if !upstream.end() {
            return None;
        }
        if may_keep && upstream.exchange.keeps_alive() {
            upstream.keep();
            self.kept.push(id);
        } else {
            conns.bury(id);
        }
        Some(owner)
    }

    /// The owner has been told the end. Unless it has gone on with this very connection, that is now kept for others.
    pub fn release<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, owner: ConnId, cx: Cx) {
        let Some(upstream) = conns.living(id).and_then(Connection::upstream) else { return };
        if upstream.state() != State::Kept {
            return;
        }
        upstream.owner = ConnId::NOBODY;
        conns.set_deadline(id, cx.now + cx.limits.upstream_idle_for);
        self.owners.disown(conns, owner, id);
        self.give_up_place(conns, id);
        self.start_waiting(conns, cx);
        while self.kept.len() > cx.limits.upstreams_kept_max {
            conns.bury(self.kept.remove(0));
        }
    }

    /// Asks once more, on a new connection: this one ended, or was given up by its server, before the request was there.
    pub fn ask_anew<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, cx: Cx) {
        let Some(upstream) = conns.get_mut(id).and_then(Connection::upstream) else { return };
        let (owner, fetch) = (upstream.owner, upstream.fetch.clone());
        self.drop_fetch_of(conns, owner);
        self.launch(conns, owner, fetch, Reusing::Forbidden, cx);
    }

    /// Ends the owner's fetch without telling it; returns whether that had a place.
    fn drop_fetch_of<S: Stream>(&mut self, conns: &mut Connections<S>, owner: ConnId) -> bool {
        let id = self.owners.fetch_of(conns, owner);
        let upstream = conns.get_mut(id).and_then(Connection::upstream);
        let Some(upstream) = upstream.filter(|upstream| upstream.owner == owner) else { return false };
        let is_kept = upstream.state() == State::Kept;
        let had_place = self.give_up_place(conns, id);
        self.owners.disown(conns, owner, id);
        if !is_kept {
            conns.bury(id);
        }
        had_place
    }

    /// Frees the place of a fetch; returns whether it had one.
    fn give_up_place<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId) -> bool {
        let upstream = conns.get_mut(id).and_then(Connection::upstream);
        let Some(upstream) = upstream.filter(|upstream| upstream.running) else { return false };
        upstream.running = false;
        self.places.free(&upstream.fetch.url);
        true
    }

    /// Gives free places to fetches that wait, in their order as far as their origins have room.
    fn start_waiting<S: Stream>(&mut self, conns: &mut Connections<S>, cx: Cx) {
        let mut at = 0;
        while !self.places.are_full(cx.limits) {
            let Some(&id) = self.waiting.get(at) else { return };
            let Some(upstream) = conns.living(id).and_then(Connection::upstream) else {
                // It was dropped, and must not come back although it is not freed yet.
                self.waiting.remove(at);
                continue;
            };
            if !self.places.is_free_for(&upstream.fetch.url, cx.limits) {
                at += 1;
                continue;
            }
            self.waiting.remove(at);
            // Its entry was only its place in the queue: it has no stream, and goes on under another id.
            if let Some(Connection { protocol: Protocol::Upstream(upstream), .. }) = conns.remove(id) {
                self.launch(conns, upstream.owner, upstream.fetch, Reusing::Allowed, cx);
            }
        }
    }

    /// Of the kept connections that lead where this fetch goes and from which nothing came, the one used last: the
    /// others may grow old.
    fn take_kept<S: Stream>(&mut self, conns: &mut Connections<S>, fetch: &Fetch) -> Option<ConnId> {
        let suits = |&id: &ConnId| {
            let conn = conns.get(id).filter(|conn| !conn.is_dead() && conn.input == Input::Drained && !conn.broken);
            conn.is_some_and(|conn| matches!(&conn.protocol, Protocol::Upstream(upstream) if upstream.suits(fetch)))
        };
        let at = self.kept.iter().rposition(suits)?;
        let id = self.kept.remove(at);
        // While the end of its last response is being told, it still has an owner and a place.
        let owner = conns.get_mut(id)?.upstream()?.owner;
        self.give_up_place(conns, id);
        self.owners.disown(conns, owner, id);
        Some(id)
    }

    /// A connection of ours was freed: its place is free.
    pub fn gone<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, upstream: Upstream<S>, cx: Cx) {
        match upstream.state() {
            State::Queued => self.waiting.retain(|&waiting| waiting != id),
            State::Kept => self.kept.retain(|&kept| kept != id),
            State::Resolving => self.dialler.names.forget(id, &upstream.fetch.url.host, false),
            _ => {}
        }
        if upstream.running {
            self.places.free(&upstream.fetch.url);
        }
        self.owners.disown(conns, upstream.owner, id);
        self.start_waiting(conns, cx);
    }

    /// The owner is gone, or has its whole response: what it waited for is dropped.
    pub fn cancel<S: Stream>(&mut self, conns: &mut Connections<S>, owner: ConnId, id: ConnId) {
        let upstream = conns.get_mut(id).and_then(Connection::upstream);
        if upstream.is_some_and(|upstream| upstream.owner == owner && upstream.state() != State::Kept) {
            conns.bury(id);
        }
    }

    /// The server drains: closes the connections that are kept, and keeps none from now on.
    pub fn close<S: Stream>(&mut self, conns: &mut Connections<S>) {
        self.is_closing = true;
        for id in std::mem::take(&mut self.kept) {
            conns.bury(id);
        }
    }

    /// Connections that are kept.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Fetches that have a place.
    pub fn running(&self) -> usize {
        self.places.running()
    }

    /// Threads whose look-up of a name hangs.
    pub fn names_stuck(&self) -> usize {
        self.dialler.names.stuck()
    }

    /// Checks places, queue and kept connections, and that owners and their fetches name each other.
    ///
    /// # Errors
    /// A sentence about the first thing that does not hold.
    pub fn audit<S: Stream>(&self, conns: &Connections<S>, limits: &Limits) -> Result<(), String> {
        let times = |list: &mut dyn Iterator<Item = &ConnId>, id| list.filter(|&&listed| listed == id).count();
        let mut places = Places::default();
        for (id, conn) in conns.iter() {
            let Protocol::Upstream(upstream) = &conn.protocol else { continue };
            let (state, owner) = (upstream.state(), upstream.owner);
            if upstream.running {
                places.take(&upstream.fetch.url);
            }
            let listed = [times(&mut self.waiting.iter(), id), times(&mut self.kept.iter(), id)];
            let expected = [usize::from(state == State::Queued), usize::from(state == State::Kept)];
            // Until it is freed, a dead one may still be listed.
            if !conn.is_dead() && listed != expected {
                return Err(format!("{id:?} is {state:?}, and waits and is kept {listed:?} times"));
            }
            if conn.is_dead() || state == State::Kept {
                continue;
            }
            let owned = self.owners.fetch_of(conns, owner);
            if owned != id {
                return Err(format!("{id:?}: its owner {owner:?} waits for {owned:?}"));
            }
            if state == State::Queued && !conns.has_dead() && self.places.is_free_for(&upstream.fetch.url, limits) {
                return Err(format!("{id:?} waits for a place, and there is one"));
            }
        }
        if self.kept.iter().any(|&id| conns.get(id).is_none()) || self.is_closing && !self.kept.is_empty() {
            return Err(format!("{:?} are kept", self.kept));
        }
        if places != self.places || places.running() > limits.fetches_max {
            return Err(format!("{places:?} are taken, {:?} are counted", self.places));
        }
        for (owner, id) in self.owners.outside() {
            let upstream = conns.get(id).map(|conn| &conn.protocol);
            if !matches!(upstream, Some(Protocol::Upstream(upstream)) if upstream.owner == owner) {
                return Err(format!("{owner:?} waits for {id:?}, whose owner it is not"));
            }
        }
        Ok(())
    }
}

/// Whether a fetch may go on a kept connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reusing {
    Allowed,
    Forbidden,
}

/// The request goes out at the end of this turn. The response has what is left of the time of the whole.
fn send_request<S: Stream>(conns: &mut Connections<S>, id: ConnId, cx: Cx) {
    let Some(Connection { protocol: Protocol::Upstream(upstream), outbox, .. }) = conns.get_mut(id) else { return };
    let (fetch, close) = (&upstream.fetch, cx.limits.upstreams_kept_max == 0);
    outbox.write(|out| encode_request(&fetch.url, &fetch.asking(close), out));
    let deadline = fetch.deadline;
    conns.set_deadline(id, deadline);
    conns.touch(id);
}
