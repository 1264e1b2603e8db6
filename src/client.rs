//! The outbound HTTP client: requests, their places and their queue, and the connections that are kept for the next one.
//!
//! ```text
//! start ──▶ a place ──▶ a kept connection to that origin, or a new one (`dial`) ──▶ the response ──▶ its end
//!       └─▶ queue ──▲                     ▲                                                            │
//!           until one is free             └───── kept, if it is whole and may be used again ◀──────────┘
//! ```
//!
//! At most `fetches_max` run, and `origin_fetches_max` of them to one origin; `fetches_waiting_max` wait, each up to
//! `fetch_queue_within`. The owner is told at most one end, `Done` or `Failed`; none of a fetch that it has replaced. A redirect is followed in the same place, and
//! perhaps on the same connection. A kept connection that turns out to be closed, or that brings 408, is no business of
//! the owner: the request is asked once more on a new connection.

pub mod dial;
pub mod owners;
pub mod places;

use crate::config::Limits;
use crate::conn::table::Connections;
use crate::conn::upstream::{State, Upstream};
use crate::conn::{Connection, Input, Protocol};
use crate::event::{Event, Fetch, FetchError, Inbox};
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

/// What a step of the client touches besides its own state; where it may connect, the network comes beside it.
pub struct Cx<'a, S> {
    pub conns: &'a mut Connections<S>,
    /// The owner of a fetch that fails is told by the turn.
    pub inbox: &'a mut Inbox,
    pub limits: &'a Limits,
    /// The time of this turn.
    pub now: Instant,
}

/// The fetches that run, those that wait, and the connections that are kept.
pub struct Client<S> {
    places: Places,
    waiting: VecDeque<ConnId>,
    /// Connections without a request, the one used last at the end.
    kept: Vec<ConnId>,
    owners: Owners,
    dialler: Dialler<S>,
    /// No connection is kept any more.
    is_closing: bool,
}

impl<S: Stream> Client<S> {
    /// A client without fetches.
    pub fn new(names: Names) -> Client<S> {
        Client {
            places: Places::default(),
            waiting: VecDeque::new(),
            kept: Vec::new(),
            owners: Owners::default(),
            dialler: Dialler::new(names),
            is_closing: false,
        }
    }

    /// Starts or queues a fetch for `owner`. One that it had before is dropped, and leaves its place to the new one.
    pub fn start(&mut self, cx: &mut Cx<S>, owner: ConnId, fetch: Box<Fetch>) {
        let had_place = self.drop_fetch_of(cx, owner);
        if self.places.is_free_for(&fetch.url, cx.limits) && (had_place || self.waiting.is_empty()) {
            return self.launch(cx, owner, fetch, Reusing::Allowed);
        }
        let is_full = self.waiting.len() >= cx.limits.fetches_waiting_max;
        let until = fetch.deadline.min(cx.now + cx.limits.fetch_queue_within);
        let id = self.insert(cx, owner, fetch, if is_full { State::TurnedAway } else { State::Queued });
        if is_full {
            return cx.conns.enqueue(id);
        }
        cx.conns.set_deadline(id, until);
        self.waiting.push_back(id);
        // The request is held until then, and booked.
        cx.conns.touch(id);
        // Those before it may all wait for an origin that is full, and this one for another.
        self.start_waiting(cx);
    }

    /// Gives a fetch its place: on a kept connection, or on a new one, which begins in its own slice.
    fn launch(&mut self, cx: &mut Cx<S>, owner: ConnId, fetch: Box<Fetch>, reusing: Reusing) {
        self.places.take(&fetch.url);
        log::trace!("{owner:?} fetches {}", fetch.url);
        let kept = if reusing == Reusing::Allowed { self.take_kept(cx, &fetch) } else { None };
        if let Some(id) = kept {
            self.owners.adopt(cx, owner, id, fetch.deadline);
            if let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) {
                upstream.reuse(owner, fetch, cx.now);
            }
            return send_request(cx, id);
        }
        let id = self.insert(cx, owner, fetch, State::Placed);
        cx.conns.enqueue(id);
    }

    /// A new entry in the table, with its deadline and its owner; it has no stream yet.
    fn insert(&mut self, cx: &mut Cx<S>, owner: ConnId, fetch: Box<Fetch>, state: State) -> ConnId {
        let deadline = fetch.deadline;
        let upstream = Upstream::new(owner, fetch, state, cx.now);
        let id = cx.conns.insert(Connection::new(None, Protocol::Upstream(Box::new(upstream))), deadline);
        self.owners.adopt(cx, owner, id, deadline);
        id
    }

    /// Takes the next step of dialling, in the slice of a connection that is not there yet.
    pub fn advance(&mut self, cx: &mut Cx<S>, network: &mut impl Network<Stream = S>, id: ConnId) {
        let dialled = self.dialler.advance(cx, network, id);
        self.dialled(cx, id, dialled);
    }

    /// A thread has looked up a name.
    pub fn take_name(&mut self, cx: &mut Cx<S>, network: &mut impl Network<Stream = S>, resolved: Resolved) {
        let (askers, found) = self.dialler.take_name(resolved, cx.now);
        for id in askers {
            let dialled = self.dialler.resolved(cx, network, id, &found);
            self.dialled(cx, id, dialled);
        }
    }

    fn dialled(&mut self, cx: &mut Cx<S>, id: ConnId, dialled: Dialled) {
        match dialled {
            Dialled::Waiting => {}
            Dialled::Connected => send_request(cx, id),
            Dialled::Failed(error) => self.fail(cx, id, error),
        }
    }

    /// The deadline of an upstream: all of a fetch, its wait in the queue, or one of its phases has taken too long; the
    /// next connect of a race is due; or a kept connection has been idle for long enough.
    pub fn on_deadline(&mut self, cx: &mut Cx<S>, network: &mut impl Network<Stream = S>, id: ConnId) {
        let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) else { return };
        let state = upstream.state();
        if state == State::Resolving {
            self.dialler.forget(id, &upstream.fetch.url.host, true);
        }
        let dialled = match state {
            State::Kept => return cx.conns.bury(id),
            _ if cx.now >= upstream.fetch.deadline => {
                let (after, reached) = (upstream.fetch.within, upstream.reached());
                Dialled::Failed(FetchError::Timeout { after, reached })
            }
            State::Queued => Dialled::Failed(FetchError::QueueTimeout { after: cx.limits.fetch_queue_within }),
            _ => self.dialler.on_deadline(cx, network, id),
        };
        self.dialled(cx, id, dialled);
    }

    /// Reading or writing has failed.
    pub fn on_socket_error(&mut self, cx: &mut Cx<S>, id: ConnId, error: &io::Error) {
        let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) else { return };
        let failure = match upstream.state() {
            State::Kept => return cx.conns.bury(id),
            State::Securing => dial::tls_failed(upstream, error),
            _ => FetchError::Broken { why: error.to_string() },
        };
        self.fail(cx, id, failure);
    }

    /// A fetch has failed: it is asked once more where that is allowed, or its owner will be told why.
    pub fn fail(&mut self, cx: &mut Cx<S>, id: ConnId, error: FetchError) {
        let Some(upstream) = cx.conns.living(id).and_then(Connection::upstream) else { return };
        if upstream.may_retry(&error) {
            return self.ask_anew(cx, id);
        }
        if upstream.may_follow(&error) {
            return self.follow(cx, id, false);
        }
        let (owner, was_queued) = (upstream.owner, upstream.state() == State::Queued);
        if !upstream.end() {
            return;
        }
        if was_queued {
            self.waiting.retain(|&waiting| waiting != id);
        }
        cx.conns.bury(id);
        cx.inbox.push_back((owner, Event::FetchFailed(error)));
    }

    /// The response was a redirect, and no more is read of it: the next fetch takes over the place of this one, and
    /// perhaps the connection.
    pub fn follow(&mut self, cx: &mut Cx<S>, id: ConnId, is_quiet: bool) {
        let Some(next) = cx.conns.living(id).and_then(Connection::upstream).and_then(Upstream::take_next) else {
            return;
        };
        let Some(owner) = self.finish(cx, id, is_quiet) else { return };
        self.start(cx, owner, next);
        self.release(cx, id, owner);
    }

    /// The response is whole; returns its owner, which is to be told now. Until [`Client::release`] the fetch has its place:
    /// another one, which the owner asks for when it is told, takes that over, and perhaps the connection.
    pub fn finish(&mut self, cx: &mut Cx<S>, id: ConnId, is_quiet: bool) -> Option<ConnId> {
        let may_keep = is_quiet && !self.is_closing && cx.limits.upstreams_kept_max > 0;
        let upstream = cx.conns.living(id)?.upstream()?;
        let owner = upstream.owner;
        if !upstream.end() {
            return None;
        }
        if may_keep && upstream.exchange.keeps_alive() {
            upstream.keep();
            self.kept.push(id);
        } else {
            cx.conns.bury(id);
        }
        Some(owner)
    }

    /// The owner has been told the end. Unless it has gone on with this very connection, that is now kept for others.
    pub fn release(&mut self, cx: &mut Cx<S>, id: ConnId, owner: ConnId) {
        let Some(upstream) = cx.conns.living(id).and_then(Connection::upstream) else { return };
        if upstream.state() != State::Kept {
            return;
        }
        upstream.owner = ConnId::NONE;
        cx.conns.set_deadline(id, cx.now + cx.limits.upstream_idle_for);
        self.owners.disown(cx.conns, owner, id);
        self.give_up_place(cx, id);
        self.start_waiting(cx);
        while self.kept.len() > cx.limits.upstreams_kept_max {
            cx.conns.bury(self.kept.remove(0));
        }
    }

    /// Asks once more, on a new connection: this one ended, or was given up by its server, before the request was there.
    pub fn ask_anew(&mut self, cx: &mut Cx<S>, id: ConnId) {
        let Some(upstream) = cx.conns.get_mut(id).and_then(Connection::upstream) else { return };
        let (owner, fetch) = (upstream.owner, upstream.fetch.clone());
        self.drop_fetch_of(cx, owner);
        self.launch(cx, owner, fetch, Reusing::Forbidden);
    }

    /// Ends the owner's fetch without telling it; returns whether that had a place.
    fn drop_fetch_of(&mut self, cx: &mut Cx<S>, owner: ConnId) -> bool {
        let id = self.owners.fetch_of(cx.conns, owner);
        let upstream = cx.conns.get_mut(id).and_then(Connection::upstream);
        let Some(upstream) = upstream.filter(|upstream| upstream.owner == owner) else { return false };
        let is_kept = upstream.state() == State::Kept;
        let had_place = self.give_up_place(cx, id);
        self.owners.disown(cx.conns, owner, id);
        if !is_kept {
            cx.conns.bury(id);
        }
        had_place
    }

    /// Frees the place of a fetch; returns whether it had one.
    fn give_up_place(&mut self, cx: &mut Cx<S>, id: ConnId) -> bool {
        let upstream = cx.conns.get_mut(id).and_then(Connection::upstream);
        let Some(upstream) = upstream.filter(|upstream| upstream.running) else { return false };
        upstream.running = false;
        self.places.free(&upstream.fetch.url);
        true
    }

    /// Gives free places to fetches that wait, in their order as far as their origins have room.
    fn start_waiting(&mut self, cx: &mut Cx<S>) {
        let mut at = 0;
        while !self.places.are_full(cx.limits) {
            let Some(&id) = self.waiting.get(at) else { return };
            let Some(upstream) = cx.conns.living(id).and_then(Connection::upstream) else {
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
            if let Some(Connection { protocol: Protocol::Upstream(upstream), .. }) = cx.conns.remove(id) {
                self.launch(cx, upstream.owner, upstream.fetch, Reusing::Allowed);
            }
        }
    }

    /// Of the kept connections that lead where this fetch goes and from which nothing came, the one used last: the
    /// others may grow old.
    fn take_kept(&mut self, cx: &mut Cx<S>, fetch: &Fetch) -> Option<ConnId> {
        let suits = |&id: &ConnId| {
            let conn = cx.conns.get(id).filter(|conn| !conn.is_dead() && conn.input == Input::Drained && !conn.broken);
            conn.is_some_and(|conn| matches!(&conn.protocol, Protocol::Upstream(upstream) if upstream.suits(fetch)))
        };
        let at = self.kept.iter().rposition(suits)?;
        let id = self.kept.remove(at);
        // While the end of its last response is being told, it still has an owner and a place.
        let owner = cx.conns.get_mut(id)?.upstream()?.owner;
        self.give_up_place(cx, id);
        self.owners.disown(cx.conns, owner, id);
        Some(id)
    }

    /// A connection of ours was freed: its place is free.
    pub fn gone(&mut self, cx: &mut Cx<S>, id: ConnId, upstream: Upstream) {
        match upstream.state() {
            State::Queued => self.waiting.retain(|&waiting| waiting != id),
            State::Kept => self.kept.retain(|&kept| kept != id),
            _ => self.dialler.forget(id, &upstream.fetch.url.host, false),
        }
        if upstream.running {
            self.places.free(&upstream.fetch.url);
        }
        self.owners.disown(cx.conns, upstream.owner, id);
        self.start_waiting(cx);
    }

    /// The owner is gone, or has its whole response: what it waited for is dropped.
    pub fn cancel(&mut self, conns: &mut Connections<S>, owner: ConnId, id: ConnId) {
        let upstream = conns.get_mut(id).and_then(Connection::upstream);
        if upstream.is_some_and(|upstream| upstream.owner == owner && upstream.state() != State::Kept) {
            conns.bury(id);
        }
    }

    /// The server drains: closes the connections that are kept, and keeps none from now on.
    pub fn close(&mut self, conns: &mut Connections<S>) {
        self.is_closing = true;
        for id in std::mem::take(&mut self.kept) {
            conns.bury(id);
        }
    }

    /// Whether the race of a connection has taken too long; else its deadline is that of the next connect.
    pub fn is_late(&self, id: ConnId, now: Instant) -> bool {
        self.dialler.is_late(id, now)
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
        self.dialler.names_stuck()
    }

    /// Checks places, queue and kept connections, and that owners and their fetches name each other.
    ///
    /// # Errors
    /// A sentence about the first thing that does not hold.
    pub fn audit(&self, conns: &Connections<S>, limits: &Limits) -> Result<(), String> {
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
            if self.dialler.is_racing(id) != (state == State::Connecting) {
                return Err(format!("{id:?} is {state:?}, and it races: {}", self.dialler.is_racing(id)));
            }
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
fn send_request<S: Stream>(cx: &mut Cx<S>, id: ConnId) {
    let Some(Connection { protocol: Protocol::Upstream(upstream), outbox, .. }) = cx.conns.get_mut(id) else { return };
    let (fetch, close) = (&upstream.fetch, cx.limits.upstreams_kept_max == 0);
    outbox.write(|out| encode_request(&fetch.url, &fetch.asking(close), out));
    let deadline = fetch.deadline;
    cx.conns.set_deadline(id, deadline);
    cx.conns.touch(id);
}
