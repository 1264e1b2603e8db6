//! One slice of each connection that is ready, batch by batch.
//!
//! ```text
//! gather ─▶ a batch ─▶ serve each: read_slice ─▶ parse ─▶ step ─▶ event ─▶ application ─▶ effects ─▶ apply
//!                  └─▶ send its replies ─▶ settle each
//! ```
//!
//! A slice ends when the socket is drained, when the protocol wants no input (a response is owed, output is above high
//! water), or when a budget is used up. In the last two cases the unparsed rest is kept and marked, so that whatever ends
//! the reason puts the connection back on the ready queue: no edge will.

use super::Server;
use super::apply::Told;
use super::engine::{Engine, cx};
use crate::config::Limits;
use crate::conn::closing::Closing;
use crate::conn::http::Service;
use crate::conn::upstream::{End, State};
use crate::conn::{Connection, Filled, Protocol, Step};
use crate::event::{App, Event, Fetched};
use crate::http::response::CONTINUE;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use std::ops::Range;

impl<N: Network, A: App> Server<N, A> {
    /// Serves the connections that are ready, each one slice.
    pub(super) fn serve_ready(&mut self) {
        // A connection that queues itself again is served in the next turn, behind all the others.
        let mut left = self.engine.conns.ready();
        while left > 0 && self.engine.conns.ready() > 0 {
            left -= self.gather(left);
            self.serve_batch();
        }
        // A burst of handshakes must not keep waiting the connections that are established.
        for _ in 0..self.engine.limits.handshakes_per_turn.min(self.engine.conns.handshakes()) {
            let Some(id) = self.engine.conns.next_handshake() else { break };
            self.batch.push(id);
            self.serve_batch();
        }
    }

    /// Makes a batch of connections from the front of the ready queue, of its first `most` at most, and reads once from
    /// each. Returns how many have left the queue.
    ///
    /// A connection that may have more to read is the last: it reads on when the others were handled, over their bytes.
    /// So is an upstream that dials: it has nothing to read before it is served.
    fn gather(&mut self, most: usize) -> usize {
        let (mut taken, mut is_open) = (0, true);
        while is_open && taken < most {
            let Some(id) = self.engine.conns.peek_ready() else { break };
            if self.engine.conns.get(id).is_some_and(|conn| !self.batch.has_room(room_for(conn, &self.engine.limits))) {
                break;
            }
            self.engine.conns.next_ready();
            taken += 1;
            let Some(conn) = self.engine.conns.get(id).filter(|conn| !conn.is_dead()) else { continue };
            if let Some(feed) = self.engine.rooms.busy_room(conn, &self.engine.limits) {
                self.engine.conns.hold(id, feed);
                continue;
            }
            if conn.is_securing() {
                self.engine.conns.keep_for_handshake(id);
                continue;
            }
            if matches!(&conn.protocol, Protocol::Upstream(upstream) if upstream.state() != State::Exchanging) {
                is_open = false;
                self.batch.push(id);
            } else if conn.has_input() && self.engine.wants_input(id, conn) {
                let Some(conn) = self.engine.conns.get_mut(id) else { continue };
                match conn.fill(self.batch.free(), self.engine.limits.slice_bytes_max) {
                    Ok(filled) => {
                        log::trace!("{id:?} was read: {} bytes", filled.fresh);
                        is_open = !conn.has_input();
                        self.batch.push_read(id, filled);
                    }
                    Err(e) => self.engine.on_socket_error(id, &e),
                }
            } else {
                self.batch.push(id);
            }
            is_open &= self.batch.len() < self.engine.limits.batch_max;
        }
        taken
    }

    /// Serves the batch, part by part: handles the input of a part, sends its replies, and settles it. A part ends with
    /// the slice that makes a slice's worth of work, so a reply waits for about two at most.
    fn serve_batch(&mut self) {
        let (mut begun, count) = (0, self.batch.len());
        while begun < count {
            let (mut end, mut work) = (begun, 0);
            while end < count && work < self.engine.limits.slice_bytes_max {
                work += self.serve(end, end + 1 == count);
                end += 1;
            }
            self.engine.output.send_all(&mut self.engine.conns);
            for n in begun..end {
                self.engine.settle(self.batch.id(n));
            }
            self.tell();
            begun = end;
        }
        self.batch.clear();
    }

    /// One slice of the n-th connection of the batch. Returns the work that was done, in bytes.
    fn serve(&mut self, n: usize, is_last: bool) -> usize {
        let id = self.batch.id(n);
        let ahead = self.batch.take_ahead(n);
        let Some(conn) = self.engine.conns.get(id).filter(|conn| !conn.is_dead()) else { return 0 };
        // Others of the batch may have made its room busy after it was read.
        if let Some((range, _)) = &ahead
            && let Some(feed) = self.engine.rooms.busy_room(conn, &self.engine.limits)
            && !conn.is_queued()
        {
            let range = range.clone();
            if let Some(conn) = self.engine.conns.get_mut(id) {
                conn.kept.extend_from_slice(&self.batch.buffer[range]);
                conn.unparsed = true;
            }
            self.engine.conns.hold(id, feed);
            return 0;
        }
        if matches!(conn.protocol, Protocol::Upstream(_)) {
            let cx = cx(&self.engine.limits, &self.engine.clock);
            self.engine.client.advance(
                &mut self.engine.conns,
                &mut self.engine.network,
                &mut self.engine.inbox,
                id,
                cx,
            );
        }
        self.engine.output.begin(id);
        let work = self.read_slice(id, ahead, is_last);
        self.engine.output.end();
        self.tell();
        work
    }

    /// Handles what was read ahead, and, if it `may_read`, what the socket has besides: while there is use for it, and
    /// budget. Returns the work that was done.
    fn read_slice(&mut self, id: ConnId, mut input: Option<(Range<usize>, usize)>, may_read: bool) -> usize {
        let (mut bytes, mut work) = (0, 0);
        loop {
            if let Some((range, fresh)) = input {
                bytes += fresh;
                self.parse(id, range, &mut work);
            }
            // Nearly always that was all.
            let Some(conn) = self.engine.conns.get(id).filter(|conn| may_read && conn.has_input()) else { return work };
            if bytes >= self.engine.limits.slice_bytes_max
                || !self.engine.wants_input(id, conn)
                || !self.may_step(conn, work)
            {
                return work;
            }
            let Some(conn) = self.engine.conns.get_mut(id) else { return work };
            match conn.fill(&mut self.batch.buffer, self.engine.limits.slice_bytes_max - bytes) {
                Ok(Filled { end, fresh }) => input = Some((0..end, fresh)),
                Err(e) => {
                    self.engine.on_socket_error(id, &e);
                    return work;
                }
            }
        }
    }

    /// Whether a slice with this much work behind it goes on. It ends early when enough was said in the room.
    fn may_step(&self, conn: &Connection<N::Stream>, work: usize) -> bool {
        work < self.engine.limits.slice_bytes_max && self.engine.rooms.busy_room(conn, &self.engine.limits).is_none()
    }

    /// Steps over this part of the read buffer until it is used up, and keeps the rest. Work is counted in bytes: a step
    /// has its price, and what it makes comes on top.
    fn parse(&mut self, id: ConnId, range: Range<usize>, work: &mut usize) {
        let (mut at, end, mut is_starved) = (range.start, range.end, false);
        let step_cost = self.engine.limits.slice_bytes_max.div_ceil(self.engine.limits.slice_steps_max);
        while let Some(conn) = self.engine.conns.get(id)
            && !is_starved
            && (at < end || conn.may_end())
            && self.engine.wants_input(id, conn)
            && self.may_step(conn, *work)
        {
            let replied = self.engine.output.reply_bytes(id);
            let used = self.step(id, at..end, work);
            // What is inflated or deflated costs the slice as much as if it had come at that length: a bomb is small on
            // the wire. So does a response: a page is many times its request.
            let made = self.engine.output.reply_bytes(id).saturating_sub(replied);
            *work += step_cost + self.engine.codecs.codec().take_work() + made;
            match used {
                Some(used) => at += used,
                None => is_starved = true,
            }
        }
        let Some(conn) = self.engine.conns.get_mut(id) else { return };
        if at < end {
            conn.kept.extend_from_slice(&self.batch.buffer[at..end]);
        }
        conn.unparsed = !is_starved && (at < end || conn.may_end());
        if conn.input.has_ended() && is_starved && !conn.is_dead() {
            self.engine.on_end_of_input(id);
        }
    }

    /// One step: an event goes up to the application, its effects come down. Returns the bytes used; `None`: more are
    /// needed. This is the only place that calls the application with borrowed input.
    fn step(&mut self, id: ConnId, range: Range<usize>, work: &mut usize) -> Option<usize> {
        let (now, bytes) = (self.engine.clock.both(), range.len());
        let Server { app, effects, engine, batch, to_https, .. } = &mut *self;
        let Engine { conns, limits, codecs, log, clock, .. } = engine;
        let conn = conns.get_mut(id)?;
        let to_https = to_https.as_ref().filter(|_| conn.http().is_some_and(|http| http.service == Service::Redirect));
        let (used, step) = conn.step(&mut batch.buffer[range.clone()], codecs.codec(), limits, now);
        match step {
            Step::Starved => return None,
            Step::Quiet => {}
            Step::ExpectsContinue => self.engine.output.reply(CONTINUE),
            Step::Request(ref request, body) => {
                log::trace!("{id:?} requests {} {}", request.method_token(), request.target());
                let line = log.line(clock.date(), request);
                let redirect = to_https.and_then(|to| to.redirect(request));
                if redirect.is_none() {
                    app.on_event(id, Event::Request(request, body), now, effects);
                }
                let line = line.map(|line| line.from_peer(conn.stream.as_ref()));
                if let Some(http) = conn.http() {
                    http.owe(line);
                }
                match redirect {
                    Some(mut response) => self.engine.respond(id, &mut response),
                    None => self.engine.apply(&mut self.effects),
                }
            }
            Step::Refused(status, why) => {
                // All of it counts as used: what follows means nothing. It is kept for a moment, for the log.
                conn.kept.extend_from_slice(&batch.buffer[range]);
                self.engine.refuse(id, status, why + "\n");
                return Some(bytes);
            }
            Step::Message(kind, payload) => {
                log::trace!("{id:?} says {} bytes", payload.len());
                app.on_event(id, Event::Message(kind, payload), now, effects);
                self.engine.apply(&mut self.effects);
            }
            Step::Ping => self.engine.answer_ping(id),
            Step::Closed(code) => self.engine.close(id, code, "", Told::Later),
            Step::Violation(error) => {
                conn.closing = Closing::FlushingRefusal;
                self.engine.close(id, Some(error.close_code()), error.reason(), Told::Later);
            }
            Step::Fetched(owner, fetched) => {
                log::trace!("{id:?} brings a part of the response for {owner:?}");
                if let Fetched::Body(piece) = fetched {
                    *work += piece.len().saturating_sub(used);
                }
                app.on_event(owner, Event::Fetched(fetched), now, effects);
                self.engine.apply(&mut self.effects);
            }
            Step::FetchEnd(end) => self.end_fetch(id, end),
            Step::Over => conns.bury(id),
        }
        Some(used)
    }

    /// A response to a fetch has ended.
    fn end_fetch(&mut self, id: ConnId, end: End) {
        let Engine { client, conns, inbox, limits, clock, .. } = &mut self.engine;
        let is_quiet = match end {
            End::Whole { is_quiet } => is_quiet,
            End::Failed(error) => return client.fail(conns, inbox, id, error, cx(limits, clock)),
            End::AskAnew => return client.ask_anew(conns, id, cx(limits, clock)),
        };
        let Some(owner) = client.finish(conns, id, is_quiet, limits) else { return };
        self.app.on_event(owner, Event::Fetched(Fetched::Done), clock.both(), &mut self.effects);
        self.engine.apply(&mut self.effects);
        let Engine { client, conns, limits, clock, .. } = &mut self.engine;
        client.release(conns, id, owner, cx(limits, clock));
    }

    /// Tells the application what waits in the inbox.
    pub(super) fn tell(&mut self) {
        while let Some((id, event)) = self.engine.inbox.pop_front() {
            log::trace!("{id:?} is told: {}", event.name());
            self.app.on_event(id, event, self.engine.clock.both(), &mut self.effects);
            self.engine.apply(&mut self.effects);
        }
    }
}

/// Bytes of the read buffer that a connection may fill at once.
fn room_for<S: Stream>(conn: &Connection<S>, limits: &Limits) -> usize {
    let wanted = conn.stream.as_ref().map_or(0, Stream::wanted_room);
    conn.kept.len() + limits.slice_bytes_max.max(wanted)
}
