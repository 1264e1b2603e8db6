//! What follows from the state of one connection: output, closing, its deadline, its memory.
//!
//! `settle` is the one place where the state is looked at as a whole: behind the connection's slice, and at the
//! end of the turn if output was written for it elsewhere.

use super::apply::Told;
use super::engine::{Engine, Life};
use crate::conn::closing::{self, Closing, Next};
use crate::conn::http::Deadline;
use crate::conn::upstream::State;
use crate::conn::{Connection, Protocol};
use crate::event::{Event, FetchError, StreamEnd};
use crate::http::event_stream::COMMENT;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use crate::ws::frame::Opcode;
use std::time::Instant;

/// The close code and reason for a peer that sends no pong (RFC 6455 section 7.4.1: going away).
const SILENT: (u16, &str) = (1001, "no answer to pings");

impl<N: Network> Engine<N> {
    /// Sends what waits, takes the next step of closing, sets the deadline, books the memory.
    pub fn settle(&mut self, id: ConnId) {
        let Some(conn) = self.conns.living(id) else { return };
        // As nearly always behind a response: without this look a request costs 7 % more instructions (callgrind).
        if conn.is_at_rest() && matches!(self.life, Life::Serving) {
            if let Some(http) = conn.http() {
                http.deadline = Deadline::Idle;
                self.conns.set_deadline(id, self.clock.now + self.limits.idle_for);
            }
            return;
        }
        let waited = conn.unsent();
        if let Err(e) = conn.flush(self.limits.slice_bytes_max) {
            return self.on_socket_error(id, &e);
        }
        let progress = conn.unsent() < waited;
        match &conn.protocol {
            Protocol::Http(_) => self.settle_http(id, progress),
            Protocol::Ws(_) => self.settle_ws(id, progress),
            Protocol::Discarding(_) | Protocol::Upstream(_) => {}
        }
        self.book(id);
        let has_work = |conn: &Connection<_>| conn.has_output() || conn.has_input() && self.wants_input(conn, 0);
        if self.conns.get(id).is_some_and(|conn| !conn.is_dead() && has_work(conn)) {
            self.conns.enqueue(id);
        }
    }

    fn settle_http(&mut self, id: ConnId, progress: bool) {
        if self.is_done(id) {
            return self.conns.bury(id);
        }
        if self.rooms.flush_member(&mut self.conns, id, &self.limits) {
            self.cut(id);
        }
        self.advance_closing(id);
        self.set_http_deadline(id, progress);
        self.wake_upstream(id);
    }

    fn settle_ws(&mut self, id: ConnId, progress: bool) {
        if self.is_done(id) {
            return self.conns.bury(id);
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        let output_waits = !conn.is_flushed();
        if let Some(ws) = conn.ws().filter(|_| progress && output_waits) {
            // It reads, slowly: above high water nothing is read from it, and our ping waits behind what it is getting.
            ws.heard = self.clock.now;
        }
        if self.rooms.flush_member(&mut self.conns, id, &self.limits) {
            self.cut(id);
        }
        self.answer_ping(id);
        self.advance_closing(id);
    }

    /// Whether reading from this connection is of use now, given the bytes of output that wait in the reply buffer.
    pub fn wants_input(&self, conn: &Connection<N::Stream>, reply: usize) -> bool {
        let keeps_up =
            |owner| self.conns.get(owner).is_some_and(|owner| owner.outbox.unsent() < self.limits.high_water);
        conn.wants_input(reply, &self.limits)
            && match &conn.protocol {
                Protocol::Upstream(upstream) => upstream.owner.is_outside() || keeps_up(upstream.owner),
                _ => true,
            }
    }

    /// Whether the peer has left and nothing it sent can still be handled; while it waits for a search, or follows a room,
    /// its FIN alone means so. While draining, whether nothing is under way.
    pub fn is_done(&self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else { return false };
        // What it has sent before it went is still handed to the store.
        let awaits_store = matches!(&conn.protocol, Protocol::Ws(ws) if !ws.over && ws.awaits_store(&self.limits));
        let gone = conn.broken && !self.wants_input(conn, 0) && !awaits_store;
        match &conn.protocol {
            Protocol::Http(http) => {
                let is_between = http.is_between_requests() && matches!(conn.closing, Closing::No);
                let idle = is_between && conn.kept.is_empty() && conn.is_flushed() && !conn.input.is_readable();
                let waits = http.is_following() || self.conns.get(http.fetch).is_some();
                gone || conn.input.has_fin() && waits || idle && !matches!(self.life, Life::Serving)
            }
            Protocol::Ws(_) => gone,
            Protocol::Upstream(_) | Protocol::Discarding(_) => false,
        }
    }

    fn advance_closing(&mut self, id: ConnId) {
        let Some(conn) = self.conns.living(id) else { return };
        let windows = conn.ws().is_some_and(|ws| ws.has_own_machines());
        match closing::advance(conn, &self.limits) {
            Next::Wait => {}
            Next::Free => self.conns.bury(id),
            Next::Discard => {
                self.codecs.release(windows);
                self.conns.set_deadline(id, self.clock.now + self.limits.discard_for);
            }
        }
    }

    /// One deadline per connection: set when its meaning changes, and moved by progress where that counts.
    fn set_http_deadline(&mut self, id: ConnId, progress: bool) {
        let Some(Protocol::Http(http)) = self.conns.get(id).map(|conn| &conn.protocol) else { return };
        let fetched_by = match self.conns.get(http.fetch).map(|conn| &conn.protocol) {
            Some(Protocol::Upstream(upstream)) => Some(upstream.fetch.deadline),
            _ => None,
        };
        // A TLS handshake has the time of a head, from the accept on: a peer that drips it gains none.
        let Some(conn) = self.conns.living(id).filter(|conn| !conn.is_securing()) else { return };
        let output_waits = !conn.is_flushed();
        let Connection { protocol: Protocol::Http(http), kept, .. } = conn else { return };
        let deadline = http.deadline_wanted(kept, output_waits);
        // Idle starts anew with every response, or a busy connection would be closed `idle_for` after it came.
        if deadline != http.deadline || deadline == Deadline::Idle || deadline == Deadline::Writing && progress {
            http.deadline = deadline;
            // While a fetch is relayed, it is the fetch that has the deadline.
            let from = fetched_by.filter(|_| deadline == Deadline::Owed).unwrap_or(self.clock.now);
            self.conns.set_deadline(id, from + deadline.limit(&self.limits));
        }
    }

    /// Books what the connection holds. One that would cross the budget of all buffers is closed.
    fn book(&mut self, id: ConnId) {
        let held = |engine: &Self| engine.conns.booked() + engine.rooms.held();
        if self.conns.book(id) && held(self) > self.limits.buffer_bytes_max {
            log::warn!("buffers are full ({} bytes): {id:?} is closed", held(self));
            self.shed(id);
        }
    }

    /// Closes a connection for want of memory: 1013 or 503 where that can still be said.
    fn shed(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let may_speak = conn.outbox.is_empty();
        match &conn.protocol {
            Protocol::Ws(ws) if ws.is_open() && may_speak => self.close(id, Some(1013), "busy", Told::Later),
            Protocol::Http(http) if http.wants_input() && matches!(conn.closing, Closing::No) && may_speak => {
                self.refuse(id, 503, "The server's buffers are full. Try again in a moment.\n");
            }
            Protocol::Upstream(upstream) if upstream.state() != State::Kept => {
                let (client, _, mut cx) = self.outbound();
                client.fail(&mut cx, id, FetchError::Busy);
            }
            _ => self.conns.bury(id),
        }
    }

    /// A member lags too far behind its room.
    pub fn cut(&mut self, id: ConnId) {
        log::info!("{id:?} is more than {} bytes behind its room and is cut", self.limits.feed_bytes_max());
        match self.conns.get(id).map(|conn| &conn.protocol) {
            Some(Protocol::Http(_)) => self.cut_follower(id),
            _ => self.close(id, Some(1013), "too slow", Told::Later),
        }
    }

    /// Sends the pong for the latest ping, as soon as no output waits.
    pub fn answer_ping(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.outbox.is_empty() && conn.own_bytes() == 0) else {
            return;
        };
        if let Some(payload) = conn.ws().and_then(|ws| ws.ping.take()) {
            self.send_frame(id, Opcode::Pong, &payload);
        }
    }

    /// Reading or writing has failed: the peer is gone. The owner of a fetch is told why.
    pub fn on_socket_error(&mut self, id: ConnId, error: &std::io::Error) {
        if let Some(Protocol::Upstream(_)) = self.conns.get(id).map(|conn| &conn.protocol) {
            let (client, _, mut cx) = self.outbound();
            client.on_socket_error(&mut cx, id, error);
        } else {
            self.conns.bury(id);
        }
    }

    /// `read` has returned 0, and everything before it has been looked at.
    pub fn on_end_of_input(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        match &mut conn.protocol {
            // Half-close: what is owed is finished first. Half a request will never be whole.
            Protocol::Http(http) if http.wants_input() => {
                conn.kept = Vec::new();
                if matches!(conn.closing, Closing::No) {
                    conn.closing = Closing::Flushing;
                }
            }
            // Nothing more will be said, but what is owed still goes out.
            Protocol::Ws(ws) => {
                if !std::mem::replace(&mut ws.over, true) {
                    self.inbox.push_back((id, Event::Left));
                }
                self.conns.set_deadline(id, self.clock.now + self.limits.close_within);
                self.leave(id);
            }
            Protocol::Discarding(_) => self.conns.bury(id),
            Protocol::Upstream(upstream) if upstream.state() == State::Kept => self.conns.bury(id),
            Protocol::Http(_) | Protocol::Upstream(_) => {}
        }
    }

    /// The owner's output may have fallen below high water: its fetch may be read again.
    fn wake_upstream(&mut self, owner: ConnId) {
        let Some(Protocol::Http(http)) = self.conns.get(owner).map(|conn| &conn.protocol) else { return };
        let id = http.fetch;
        if self.conns.get(id).is_some_and(|conn| conn.has_input() && self.wants_input(conn, 0)) {
            self.conns.enqueue(id);
        }
    }

    /// The deadline of a connection has passed.
    pub fn on_deadline(&mut self, id: ConnId) {
        if let Some(until) = self.clock.patient_until()
            && self.is_judged(id)
        {
            return self.grant_time(id, until);
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        let (output_waits, is_securing) = (!conn.is_flushed(), conn.is_securing());
        match &mut conn.protocol {
            // What it stood for has ended in this very turn. Settling sets it anew.
            Protocol::Http(http) if !is_securing && http.deadline != http.deadline_wanted(&conn.kept, output_waits) => {
                self.conns.touch(id);
            }
            Protocol::Http(http) if http.deadline == Deadline::Asleep => {
                http.deadline = Deadline::Owed;
                self.conns.set_deadline(id, self.clock.now + self.limits.response_within);
                self.inbox.push_back((id, Event::Woke));
            }
            Protocol::Http(http) if http.awaits_response() => {
                http.terms.keep_alive = false;
                self.respond_plainly(id, 503, "The response took too long.\n");
                self.inbox.push_back((id, Event::Left));
            }
            Protocol::Http(http) if http.deadline == Deadline::Following => self.look_at_follower(id),
            Protocol::Http(http) if matches!(http.deadline, Deadline::Head | Deadline::Body) => {
                self.refuse(id, 408, "The request did not arrive in time.\n");
            }
            Protocol::Http(_) | Protocol::Discarding(_) => self.conns.bury(id),
            Protocol::Ws(_) => self.on_heartbeat(id),
            Protocol::Upstream(_) => {
                let (client, network, mut cx) = self.outbound();
                client.on_deadline(&mut cx, network, id);
            }
        }
    }

    /// The deadline of a session: time to ping, or a peer that has been silent or closing for too long.
    fn on_heartbeat(&mut self, id: ConnId) {
        let is_held = self.conns.get(id).is_some_and(|conn| self.busy(conn).is_some());
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Ws(ws) = &mut conn.protocol else { return };
        let awaits_store = ws.awaits_store(&self.limits);
        if is_held || awaits_store {
            // It is not read, so its pongs are not seen.
            ws.heard = self.clock.now;
        }
        if !ws.is_open() || conn.input.has_ended() && !awaits_store {
            // It has not answered our Close, or not taken what it asked for, so it may not be reading: only a reset frees
            // what the kernel still holds.
            if let Some(stream) = &conn.stream {
                stream.reset_on_drop();
            }
            return self.conns.bury(id);
        }
        if ws.silent_for(self.clock.now) >= self.limits.silent_for {
            return self.close(id, Some(SILENT.0), SILENT.1, Told::Later);
        }
        let next = ws.next_heartbeat(self.clock.now, &self.limits);
        self.conns.set_deadline(id, next);
        self.send_frame(id, Opcode::Ping, &[]);
    }

    /// Whether the deadline of this connection judges its peer late. Other deadlines wake something of ours.
    fn is_judged(&self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else { return false };
        match &conn.protocol {
            Protocol::Http(http) => http.deadline != Deadline::Asleep,
            Protocol::Ws(ws) => {
                let is_silent = ws.silent_for(self.clock.now) >= self.limits.silent_for;
                !ws.is_open() || conn.input.has_ended() || is_silent
            }
            Protocol::Upstream(upstream) => match upstream.state() {
                State::Kept => false,
                State::Connecting => self.client.is_late(id, self.clock.now),
                _ => true,
            },
            Protocol::Discarding(_) => true,
        }
    }

    /// After a stall: the deadline moves, and a WebSocket is asked for a sign of life.
    fn grant_time(&mut self, id: ConnId, until: Instant) {
        self.conns.set_deadline(id, until);
        let Some(conn) = self.conns.get(id) else { return };
        if matches!(&conn.protocol, Protocol::Ws(ws) if ws.is_open() && !conn.input.has_ended()) {
            self.send_frame(id, Opcode::Ping, &[]);
        }
    }

    /// The deadline of a response that follows a room (Server-Sent Events). Nothing is read from its peer, which shows that
    /// it is there only by what it takes: one that lacks nothing is sent a comment, and one that has taken nothing of
    /// what it lacks since the last look is cut.
    fn look_at_follower(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let room = conn.subscription.as_ref().and_then(|member| Some((member, self.rooms.feed_of(member)?)));
        let Some((member, feed)) = room else { return self.conns.bury(id) };
        let unsent = conn.unsent() as u64 + member.lane.behind(feed);
        // How far the peer has come: it moves with every byte that is taken.
        let place = (unsent > 0).then(|| feed.end().wrapping_sub(unsent));
        let Some(http) = self.conns.get_mut(id).and_then(Connection::http) else { return };
        if http.has_stood_still(place) {
            return self.cut_follower(id);
        }
        let next = if place.is_some() { self.limits.write_stall } else { self.limits.ping_every };
        self.conns.set_deadline(id, self.clock.now + next);
        if place.is_none() {
            self.stream_piece(id, COMMENT);
        }
    }

    /// The peer does not read: only a reset frees what the kernel holds for it, and shows that the body is not whole.
    fn cut_follower(&mut self, id: ConnId) {
        if let Some(stream) = self.conns.get(id).and_then(|conn| conn.stream.as_ref()) {
            stream.reset_on_drop();
        }
        self.conns.bury(id);
    }

    /// The server drains: the body ends here, in the application's stead.
    pub(super) fn end_follower(&mut self, id: ConnId) {
        self.stream_end(id, StreamEnd::Whole);
        // Of a connection that was cut instead, the application is told when it is freed.
        if self.conns.get_mut(id).and_then(Connection::http).is_some_and(|http| !http.is_responding()) {
            self.inbox.push_back((id, Event::Left));
        }
    }
}
