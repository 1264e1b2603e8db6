//! One slice of each connection that is ready, batch by batch.
//!
//! ```text
//! gather ─▶ a batch ─▶ serve each: parse ─▶ step ─▶ event ─▶ application ─▶ effects ─▶ apply
//!                  └─▶ send its replies ─▶ settle each
//! ```
//!
//! A slice ends when the socket is drained, when the protocol wants no input (a response is owed, output is above high
//! water), or when a budget is used up. In the last two cases the rest is kept, and marked as `unparsed`. The kernel
//! reports no edge for it, so what ends the wait, a response for example, puts the connection back on the ready queue.

use super::Server;
use super::apply::Told;
use super::batch::Slice;
use super::engine::Engine;
use crate::config::Limits;
use crate::conn::closing::Closing;
use crate::conn::upstream::{End, State};
use crate::conn::{Connection, Filled, Protocol, Step};
use crate::event::{App, Event, Fetched};
use crate::http::response::CONTINUE;
use crate::id::ConnId;
use crate::net::listeners::Service;
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
        let Server { engine, batch, .. } = self;
        let (mut taken, mut is_open) = (0, true);
        while is_open && taken < most {
            let Some(id) = engine.conns.next_ready() else { break };
            taken += 1;
            let Some(conn) = engine.conns.get(id).filter(|conn| !conn.is_dead()) else { continue };
            if !batch.has_room(room_for(conn, &engine.limits)) {
                engine.conns.put_back(id);
                return taken - 1;
            }
            if let Some(feed) = engine.busy(conn) {
                engine.conns.hold(id, feed);
            } else if conn.is_securing() {
                engine.conns.keep_for_handshake(id);
            } else if matches!(&conn.protocol, Protocol::Upstream(upstream) if upstream.state() != State::Exchanging) {
                is_open = false;
                batch.push(id);
            } else if conn.has_input() && engine.wants_input(conn, 0) {
                let Some(conn) = engine.conns.get_mut(id) else { continue };
                match conn.fill(batch.free(), engine.limits.slice_bytes_max) {
                    Ok(filled) => {
                        log::trace!("{id:?} was read: {} bytes", filled.fresh);
                        is_open = !conn.has_input();
                        batch.push_read(id, filled);
                    }
                    Err(e) => engine.on_socket_error(id, &e),
                }
            } else {
                batch.push(id);
            }
            is_open &= batch.len() < engine.limits.batch_max;
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

    /// One slice of the n-th connection of the batch: handles what was read ahead, and, of the last connection, what the
    /// socket has besides. Returns the work that was done: bytes, a step's price, and what the step made.
    fn serve(&mut self, n: usize, is_last: bool) -> usize {
        let Slice { id, mut ahead } = self.batch.take(n);
        if ahead.is_none() {
            self.engine.advance_dialling(id);
        }
        self.engine.output.begin(id);
        let (mut bytes, mut work) = (0, 0);
        loop {
            if let Some((range, fresh)) = ahead.take() {
                bytes += fresh;
                self.parse(id, range, &mut work);
            }
            // Nearly always that was all.
            let has_more = |conn: &Connection<_>| conn.has_input() && self.may_step(conn, work);
            if !is_last
                || bytes >= self.engine.limits.slice_bytes_max
                || !self.engine.conns.get(id).is_some_and(has_more)
            {
                break;
            }
            let Some(conn) = self.engine.conns.get_mut(id) else { break };
            match conn.fill(&mut self.batch.buffer, self.engine.limits.slice_bytes_max - bytes) {
                Ok(Filled { end, fresh }) => ahead = Some((0..end, fresh)),
                Err(e) => {
                    self.engine.on_socket_error(id, &e);
                    break;
                }
            }
        }
        self.engine.output.end();
        self.tell();
        work
    }

    /// Whether the connection that is being served takes another step: it wants input, has not made a slice's worth of
    /// work, and not enough was said in its room.
    fn may_step(&self, conn: &Connection<N::Stream>, work: usize) -> bool {
        let Engine { output, limits, .. } = &self.engine;
        work < limits.slice_bytes_max
            && self.engine.wants_input(conn, output.reply_bytes())
            && self.engine.busy(conn).is_none()
    }

    /// Steps over this part of the read buffer until it is used up, and keeps the rest.
    fn parse(&mut self, id: ConnId, Range { start, end }: Range<usize>, work: &mut usize) {
        let step_cost = self.engine.limits.slice_bytes_max.div_ceil(self.engine.limits.slice_steps_max);
        let (mut at, mut is_starved) = (start, false);
        while let Some(conn) = self.engine.conns.get(id) {
            if at == end && !conn.may_end() {
                return;
            }
            if is_starved || !self.may_step(conn, *work) {
                break;
            }
            let replied = self.engine.output.reply_bytes();
            match self.step(id, at..end, work) {
                Some(used) => at += used,
                None => is_starved = true,
            }
            // What is inflated or deflated costs the slice as much as if it had come at that length: a bomb is small on
            // the wire. So does a response: a page is many times its request.
            let made = self.engine.output.reply_bytes().saturating_sub(replied);
            *work += step_cost + self.engine.codecs.codec().take_work() + made;
        }
        let Some(conn) = self.engine.conns.get_mut(id) else { return };
        if at < end {
            conn.kept.extend_from_slice(&self.batch.buffer[at..end]);
        }
        conn.unparsed = !is_starved && (at < end || conn.may_end());
        // Others of the batch have made its room busy since it was read: it waits as if it had not been.
        let Some(conn) = self.engine.conns.get(id) else { return };
        if at == start
            && conn.unparsed
            && let Some(feed) = self.engine.busy(conn)
        {
            return self.engine.conns.hold(id, feed);
        }
        if conn.input.has_ended() && is_starved && !conn.is_dead() {
            self.engine.on_end_of_input(id);
        }
    }

    /// One step: an event goes up to the application, its effects come down. Returns the bytes used; `None`: more are
    /// needed. This is the only place that calls the application with borrowed input.
    fn step(&mut self, id: ConnId, range: Range<usize>, work: &mut usize) -> Option<usize> {
        let (now, bytes) = (self.engine.clock.both(), range.len());
        let Server { app, effects, engine, batch, to_https, proxies, .. } = &mut *self;
        let Engine { conns, limits, codecs, log, clock, .. } = engine;
        let conn = conns.get_mut(id)?;
        let service = conn.http().map_or(Service::Site, |http| http.service);
        let to_https = to_https.as_ref().filter(|_| service == Service::Redirect);
        let mut client = conn.http().and_then(|http| http.peer);
        // Matched where it lies: a request that is moved costs 54 instructions (callgrind).
        let mut stepped = conn.step(&mut batch.buffer[range.clone()], codecs.codec(), limits, now);
        let used = stepped.0;
        match stepped.1 {
            Step::Starved => return None,
            Step::Quiet => {}
            Step::ExpectsContinue => self.engine.output.reply(CONTINUE),
            Step::Request(ref mut request, body) => {
                if let Some(address) = client.as_mut().filter(|_| !proxies.is_empty()) {
                    *address = proxies.client(*address, request.headers_named("x-forwarded-for").rev());
                }
                request.client = client.as_ref();
                log::trace!("{id:?} requests {} {}", request.method_token(), request.target());
                let line = log.line(clock.date(), request);
                let redirect = to_https.and_then(|to| to.redirect(request));
                match service {
                    Service::Control => app.control(id, request, body, now, effects),
                    _ if redirect.is_none() => app.request(id, request, body, now, effects),
                    _ => {}
                }
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
                app.message(id, kind, payload, now, effects);
                self.engine.apply(&mut self.effects);
                // A store in memory is done already: as in a room without a store, the message is said before the next.
                self.tell();
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
                app.fetched(owner, fetched, now, effects);
                self.engine.apply(&mut self.effects);
            }
            Step::FetchEnd(end) => self.end_fetch(id, end),
            Step::Over => conns.bury(id),
        }
        Some(used)
    }

    /// A response to a fetch has ended.
    fn end_fetch(&mut self, id: ConnId, end: End) {
        let (client, _, mut cx) = self.engine.outbound();
        let is_quiet = match end {
            End::Whole { is_quiet } => is_quiet,
            End::Redirect { is_quiet } => return client.follow(&mut cx, id, is_quiet),
            End::Failed(error) => return client.fail(&mut cx, id, error),
            End::AskAnew => return client.ask_anew(&mut cx, id),
        };
        let Some(owner) = client.finish(&mut cx, id, is_quiet) else { return };
        self.app.fetched(owner, Fetched::Done, self.engine.clock.both(), &mut self.effects);
        self.engine.apply(&mut self.effects);
        let (client, _, mut cx) = self.engine.outbound();
        client.release(&mut cx, id, owner);
    }

    /// Tells the application what waits in the inbox, and what the store has done.
    pub(super) fn tell(&mut self) {
        while let Some((id, event)) = self.engine.next_event() {
            log::trace!("{id:?} is told: {}", event.name());
            let Server { app, effects, engine, .. } = &mut *self;
            let now = engine.clock.both();
            match event {
                Event::Woke => app.woke(id, now, effects),
                Event::FetchFailed(error) => app.fetched(id, Fetched::Failed(error), now, effects),
                Event::Finished(finished) => app.finished(id, finished, now, effects),
                Event::Stored(outcome) => app.stored(id, outcome, now, effects),
                Event::Left => app.left(id, now, effects),
                Event::Stalled(most) => app.stalled(most),
                Event::Draining => app.draining(),
            }
            self.engine.apply(&mut self.effects);
        }
    }
}

/// Bytes of the read buffer that a connection may fill at once.
fn room_for<S: Stream>(conn: &Connection<S>, limits: &Limits) -> usize {
    let wanted = conn.stream.as_ref().map_or(0, Stream::wanted_room);
    conn.kept.len() + limits.slice_bytes_max.max(wanted)
}
