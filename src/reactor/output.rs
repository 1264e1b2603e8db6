//! From answers to the socket, and what follows from it: closing, deadlines, bookkeeping.
//!
//! [`Server::settle`] is the one place where a connection's state is looked at as a whole: behind its slice,
//! and at the end of the turn for those that somebody else wrote to.

use super::{Server, access, enqueue};
use crate::blocks::Blocks;
use crate::clock::UnixTime;
use crate::conn::http::Clock;
use crate::conn::upstream::State;
use crate::conn::{Connection, Protocol};
use crate::event::{App, Event, FetchError};
use crate::http::response::{Body, BodyCoding, Response, encode_response};
use crate::id::ConnId;
use crate::net::{Network, Stream};
use crate::ws::frame::Opcode;
use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;
use std::time::Instant;

impl<N: Network, A: App> Server<N, A> {
    /// Appends `bytes` to what goes to `id`, as they lie.
    pub(super) fn output_blocks(&mut self, id: ConnId, bytes: Blocks) {
        let is_served = self.is_served(id);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if is_served {
            conn.outbox.push(&self.reply[self.served_from..]);
            self.reply.truncate(self.served_from);
        }
        conn.outbox.append(bytes);
        self.touch(id);
    }

    /// Lets `encode` write output for `id`: into the reply if it is being served, else into its outbox.
    pub(super) fn output<R>(&mut self, id: ConnId, encode: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        if self.is_served(id) {
            return Some(encode(&mut self.reply));
        }
        self.touch(id);
        Some(self.conns.get_mut(id)?.outbox.write(encode))
    }

    /// Answers the request that is owed one; a late answer to nobody is dropped.
    pub(super) fn respond(&mut self, id: ConnId, response: &mut Response) {
        if self.begin_answer(id, response)
            && let Body::Blocks(blocks) = &mut response.body
        {
            self.stream_blocks(id, std::mem::take(blocks));
        }
    }

    /// The head of an answer, with its body if that lies together; `false`: none is owed.
    fn begin_answer(&mut self, id: ConnId, response: &Response) -> bool {
        let is_served = self.is_served(id);
        let Server { conns, reply, date, draining, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Http(http), outbox, .. }) = conns.get_mut(id) else { return false };
        if !http.awaits_answer() {
            return false;
        }
        http.terms.keep_alive &= draining.is_none();
        http.asleep = false;
        let (terms, date) = (http.terms, &date.text);
        let sent = match is_served {
            true => encode_response(response, terms, date, reply),
            false => outbox.write(|out| encode_response(response, terms, date, out)),
        };
        http.terms.keep_alive = sent.keep_alive;
        if let Some(line) = &mut http.line {
            line.status = response.status;
            line.bytes = if terms.head { 0 } else { response.body.len() as u64 };
        }
        if sent.body == BodyCoding::Whole {
            let (line, fetch) = (http.line.take(), http.fetch);
            http.answered(sent.keep_alive);
            // A whole answer (an error, HEAD, 204, 304) ends the search behind it, which may still be sending.
            if fetch != ConnId::NOBODY {
                self.cancel_fetch(id, fetch);
            }
            if line.is_some() {
                self.log_line(line);
            }
        } else {
            http.stream(sent.body);
        }
        self.touch(id);
        true
    }

    /// An answer of the server itself, without the application.
    pub(super) fn respond_plainly(&mut self, id: ConnId, status: u16, text: impl Into<Cow<'static, str>>) {
        self.respond(id, &mut Response::text(status, text));
    }

    /// The next piece of a streamed body.
    pub(super) fn stream_piece(&mut self, id: ConnId, range: Range<usize>) {
        let is_served = self.is_served(id);
        let Server { conns, reply, effects, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Http(http), outbox, .. }) = conns.get_mut(id) else { return };
        let piece = &effects.bytes[range];
        if let Some(line) = &mut http.line {
            line.bytes += piece.len() as u64;
        }
        if is_served {
            http.encode_piece(piece, reply);
        } else {
            outbox.write(|out| http.encode_piece(piece, out));
            self.touch(id);
        }
    }

    /// The whole body of an answer whose head is out. It was counted with the head.
    fn stream_blocks(&mut self, id: ConnId, body: Blocks) {
        let Some(Connection { protocol: Protocol::Http(http), .. }) = self.conns.get_mut(id) else { return };
        let fetch = http.fetch;
        if http.count_piece(body.len()) {
            self.cancel_fetch(id, fetch);
            self.output_blocks(id, body);
            self.stream_end(id, true);
        }
    }

    /// The streamed body is whole, or it broke off: then cutting the connection is the only way to say so.
    pub(super) fn stream_end(&mut self, id: ConnId, whole: bool) {
        let (is_served, draining) = (self.is_served(id), self.draining.is_some());
        let Server { conns, reply, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Http(http), outbox, .. }) = conns.get_mut(id) else { return };
        if !http.is_streaming() {
            return;
        }
        if !whole && http.ends_with_connection() {
            // The end of the connection would be the end of this body; its reaper resets it instead.
            return self.bury(id);
        }
        let complete =
            whole && if is_served { http.encode_end(reply) } else { outbox.write(|out| http.encode_end(out)) };
        let line = http.line.take();
        http.answered(http.terms.keep_alive && complete && !draining);
        self.log_line(line);
        self.touch(id);
    }

    /// Has the connection looked after at the end of the turn, once; after an answer the next pipelined request may
    /// be parsed, and no edge will say so.
    pub(super) fn touch(&mut self, id: ConnId) {
        if self.serving == Some(id) {
            return;
        }
        if let Some(conn) = self.conns.get_mut(id)
            && !conn.touched
        {
            conn.touched = true;
            self.touched.push(id);
        }
    }

    /// Sends what waits, draws the conclusions of the state, sets the deadline, books the memory.
    pub(super) fn settle(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.dead) else { return };
        // As it is nearly always behind an answer.
        if conn.is_at_rest() && self.draining.is_none() {
            if let Protocol::Http(http) = &mut conn.protocol {
                http.clock = Clock::Idle;
                self.timers.set(id, &mut conn.timer, self.now + self.limits.idle_for);
            }
            return;
        }
        let waited = conn.unsent();
        if let Err(e) = conn.flush(self.limits.slice_bytes_max) {
            return self.on_socket_error(id, &e);
        }
        let (progress, output_waits) = (conn.unsent() < waited, !conn.is_flushed());
        if let Protocol::Ws(ws) = &mut conn.protocol
            && progress
            && output_waits
        {
            // It reads, slowly: above high water we read nothing from it, and our ping waits behind what it is getting.
            ws.heard = self.now;
        }
        if self.is_done(id) {
            return self.bury(id);
        }
        self.flush_member(id);
        self.answer_waiting_ping(id);
        self.finish_closing(id);
        self.wind_clock(id, progress);
        self.book(id);
        let goes_on = |conn: &Connection<_>| conn.has_output() || conn.has_input() && self.wants_input(id);
        if self.conns.get(id).is_some_and(|conn| !conn.dead && goes_on(conn))
            && let Some(conn) = self.conns.get_mut(id)
        {
            enqueue(&mut self.ready, conn, id);
        }
        self.wake_upstream(id);
    }

    /// Whether the peer has left and nothing it sent can still be handled; while it waits for a search, its FIN alone
    /// means so. While draining, whether nothing is under way.
    pub(super) fn is_done(&self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else { return false };
        let gone = conn.broken && !self.wants_input(id);
        match &conn.protocol {
            // While a search waits or streams, a FIN means that nobody waits for it any more.
            Protocol::Http(http) => {
                let idle = http.is_between_requests() && conn.kept.is_empty() && conn.is_flushed();
                gone || conn.read_closed && self.conns.get(http.fetch).is_some()
                    || idle && !conn.readable && self.draining.is_some()
            }
            Protocol::Ws(_) | Protocol::Discarding(_) => gone,
            Protocol::Upstream(_) => false,
        }
    }

    /// Closes in the way that lets the last answer arrive: shut our half, then throw away what still comes.
    fn finish_closing(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let closing = match &conn.protocol {
            Protocol::Http(http) => http.is_closing(),
            Protocol::Ws(ws) => ws.is_finished() || conn.eof,
            Protocol::Upstream(_) | Protocol::Discarding(_) => false,
        };
        if !closing || !conn.is_flushed() {
            return;
        }
        let quiet = !conn.readable && conn.kept.is_empty() && !conn.lingers;
        if quiet || conn.eof {
            return self.bury(id);
        }
        if let Some(stream) = &mut conn.stream {
            stream.shutdown_write();
        }
        conn.kept = Vec::new();
        let before = std::mem::replace(&mut conn.protocol, Protocol::Discarding(self.limits.discard_bytes_max));
        if let Protocol::Ws(ws) = before {
            self.windows -= usize::from(ws.has_own_machines());
        }
        self.timers.set(id, &mut conn.timer, self.now + self.limits.discard_for);
    }

    /// One deadline per connection: set when its meaning changes, and wound up by progress where that counts.
    fn wind_clock(&mut self, id: ConnId, progress: bool) {
        let Some(Protocol::Http(http)) = self.conns.get(id).map(|conn| &conn.protocol) else { return };
        let fetch = http.fetch;
        let fetched_by = self.fetch_deadline(fetch);
        let Server { conns, timers, limits, now, .. } = &mut *self;
        let Some(conn) = conns.get_mut(id).filter(|conn| !conn.dead) else { return };
        let output_waits = !conn.is_flushed();
        let Connection { protocol: Protocol::Http(http), timer, kept, stream, .. } = conn else { return };
        // A TLS handshake has the time of a head, from the accept on: whoever drips it gains none.
        if stream.as_ref().is_some_and(Stream::is_securing) {
            return;
        }
        let clock = http.clock_wanted(kept, output_waits);
        // Idle starts anew with every answer, or a busy connection would be closed so long after it came.
        if clock != http.clock || clock == Clock::Idle || clock == Clock::Writing && progress {
            http.clock = clock;
            // While a fetch is relayed, it is the fetch that has the deadline.
            let from = fetched_by.filter(|_| clock == Clock::Owed).unwrap_or(*now);
            timers.set(id, timer, from + clock.limit(limits));
        }
    }

    /// Books what the connection holds; whoever would cross the budget of all is closed.
    fn book(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.dead) else { return };
        let held = conn.held();
        if held == conn.booked as usize {
            return;
        }
        let grows = held > conn.booked as usize;
        self.booked = self.booked - conn.booked as usize + held;
        conn.booked = u32::try_from(held).unwrap_or(u32::MAX);
        if grows && self.booked + self.rooms.held() > self.limits.buffer_bytes_max {
            log::warn!("buffers are full ({} bytes): {id:?} is closed", self.booked + self.rooms.held());
            self.shed(id);
        }
    }

    /// Closes a connection for want of memory: 1013 or 503 where that can still be said.
    fn shed(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        match &conn.protocol {
            Protocol::Ws(ws) if ws.is_open() && conn.outbox.is_empty() => self.close_session(id, 1013, "busy"),
            Protocol::Http(http) if http.wants_input() && conn.outbox.is_empty() => {
                self.refuse(id, 503, "The server's buffers are full. Try again in a moment.\n");
            }
            Protocol::Upstream(upstream) if upstream.state() != State::Kept => {
                self.fetch_over(id, Err(FetchError::Busy), false);
            }
            _ => self.bury(id),
        }
    }

    /// Answers what is no request, or will never be a whole one; nothing more of this connection is parsed.
    pub(super) fn refuse(&mut self, id: ConnId, status: u16, text: impl Into<Cow<'static, str>>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Http(http) = &mut conn.protocol else { return };
        let line = self.access_log.as_ref().map(|_| {
            let begun = http.begun(&conn.kept);
            access::line_of_no_request(conn.stream.as_ref(), &self.date.text, begun)
        });
        http.give_up(&conn.kept);
        http.owe(line);
        conn.kept = Vec::new();
        conn.lingers = true;
        self.respond_plainly(id, status, text);
    }

    /// The deadline of `id` has passed.
    pub(super) fn on_deadline(&mut self, id: ConnId) {
        if let Some(until) = self.stalls.patient_until(self.now)
            && self.is_judged(id)
        {
            return self.grant_time(id, until);
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        let (output_waits, is_securing) = (!conn.is_flushed(), conn.is_securing());
        match &mut conn.protocol {
            // What it stood for has ended in this very turn; settling winds it up again.
            Protocol::Http(http) if !is_securing && http.clock != http.clock_wanted(&conn.kept, output_waits) => {
                self.touch(id);
            }
            Protocol::Http(http) if http.awaits_answer() && http.asleep => {
                http.asleep = false;
                self.timers.set(id, &mut conn.timer, self.now + self.limits.answer_within);
                self.tell(id, Event::Woke);
            }
            Protocol::Http(http) if http.awaits_answer() => {
                http.terms.keep_alive = false;
                self.respond_plainly(id, 503, "The answer took too long.\n");
                self.tell(id, Event::Left);
            }
            Protocol::Http(http) if matches!(http.clock, Clock::Head | Clock::Body) => {
                self.refuse(id, 408, "The request did not arrive in time.\n");
            }
            Protocol::Http(_) | Protocol::Discarding(_) => self.bury(id),
            Protocol::Ws(_) => self.on_heartbeat(id),
            Protocol::Upstream(_) => self.on_fetch_deadline(id),
        }
    }

    /// Whether the deadline of this connection ends the patience with a peer. The other ones wake something of ours.
    fn is_judged(&self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else { return false };
        match &conn.protocol {
            Protocol::Http(http) => !(http.awaits_answer() && http.asleep),
            Protocol::Ws(ws) => !ws.is_open() || conn.eof || ws.silent_for(self.now) >= self.limits.silent_for,
            Protocol::Upstream(upstream) => match upstream.state() {
                State::Kept => false,
                State::Connecting => upstream.race.as_ref().is_none_or(|race| race.is_late(self.now)),
                _ => true,
            },
            Protocol::Discarding(_) => true,
        }
    }

    /// After a stall: the deadline moves, and a WebSocket is asked for a sign of life.
    fn grant_time(&mut self, id: ConnId, until: Instant) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        self.timers.set(id, &mut conn.timer, until);
        if matches!(&conn.protocol, Protocol::Ws(ws) if ws.is_open() && !conn.eof) {
            self.send_frame(id, Opcode::Ping, &[]);
        }
    }
}

/// The Date field, made once a second.
pub(super) struct Date {
    pub text: [u8; 29],
    of: Option<UnixTime>,
}

impl Default for Date {
    fn default() -> Date {
        Date { text: [b' '; 29], of: None }
    }
}

impl Date {
    pub fn refresh(&mut self, now: UnixTime) {
        if self.of != Some(now) {
            self.of = Some(now);
            // Into its place: `to_string` would allocate.
            let _ = write!(&mut self.text[..], "{now}");
        }
    }
}
