//! From the socket to events: one slice of one connection.
//!
//! A slice ends when the socket is drained, when the protocol wants no input (an answer is owed, output is above high
//! water), or when a budget is used up. In the last two cases the unparsed rest is kept and marked, so that whoever
//! ends the reason puts the connection back on the ready queue: no edge will.

use super::{Server, access};
use crate::conn::http::Step;
use crate::conn::upstream::{State, is_idle_timeout};
use crate::conn::{Connection, Filled, Protocol};
use crate::event::{App, Event, FetchError, Fetched};
use crate::http::exchange::ExchangeEvent;
use crate::http::response::CONTINUE;
use crate::id::ConnId;
use crate::net::Network;
use crate::ws::session::WsEvent;
use std::ops::Range;

/// Why a body that ends with its connection is not whole: over TLS a sender who is done says so (RFC 8446 section 6.1),
/// so somebody on the way may have cut it.
const CUT_SHORT: &str = "it ended without a TLS close_notify";

/// What one look at the front of the buffer gave.
enum Progress {
    /// So many bytes were used, perhaps none because a state changed: look again.
    Used(usize),
    /// More bytes are needed.
    Starved,
}

impl<N: Network, A: App> Server<N, A> {
    /// Handles what one connection has, within its budgets: what was read ahead and where that begins, and, if it
    /// `may_read`, what there is besides. Answers the work that was done.
    pub(super) fn read_slice(&mut self, id: ConnId, mut input: Option<(usize, Filled)>, may_read: bool) -> usize {
        let (mut bytes, mut work) = (0, 0);
        loop {
            if let Some((at, filled)) = input {
                bytes += filled.fresh;
                self.take_apart(id, at..at + filled.end, &mut work);
            }
            // Nearly always that was all.
            let has_more = may_read && self.conns.get(id).is_some_and(Connection::has_input) && self.wants_input(id);
            if !has_more || bytes >= self.limits.slice_bytes_max || !self.may_step(id, work) {
                return work;
            }
            let Some(conn) = self.conns.get_mut(id) else { return work };
            match conn.fill(&mut self.inbuf, self.limits.slice_bytes_max - bytes) {
                Ok(filled) => input = Some((0, filled)),
                Err(e) => {
                    self.on_socket_error(id, &e);
                    return work;
                }
            }
        }
    }

    /// Whether a slice with so much work behind it goes on; it ends early when enough was said in its room.
    fn may_step(&self, id: ConnId, work: usize) -> bool {
        work < self.limits.slice_bytes_max && self.busy_room(id).is_none()
    }

    /// Lets the protocol find everything in these bytes of the buffer, and keeps the rest. Work is counted in bytes: a
    /// step has its price, and what it makes comes on top.
    fn take_apart(&mut self, id: ConnId, input: Range<usize>, work: &mut usize) {
        let (mut at, end) = (input.start, input.end);
        let mut starved = false;
        while !starved && self.goes_on(id, at < end) && self.may_step(id, *work) {
            *work += self.step_cost;
            let answered = self.answered();
            let Some(conn) = self.conns.get_mut(id) else { return };
            let progress = match conn.protocol {
                Protocol::Http(_) => self.step_http(id, at, end),
                Protocol::Ws(_) => self.step_ws(id, at, end),
                Protocol::Upstream(_) => self.step_upstream(id, at, end, work),
                Protocol::Discarding(_) => self.step_discarding(id, end - at),
            };
            // What is inflated or deflated costs the slice as much as if it had come so long: a bomb is small on the wire.
            // So is what it is answered: a page is many times its request.
            *work += self.codec.take_work() + self.answered().saturating_sub(answered);
            match progress {
                Progress::Used(n) => at += n,
                Progress::Starved => starved = true,
            }
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        if at < end {
            conn.kept.extend_from_slice(&self.inbuf[at..end]);
        }
        conn.unparsed = !starved && (at < end || may_end(conn));
        if conn.eof && starved && !conn.dead {
            self.on_eof(id);
        }
    }

    /// Whether a step of the connection that is served has something to look at, bytes or an end, and its outcome is
    /// wanted. To be asked behind each read, too: over TLS that may have filled the socket.
    fn goes_on(&self, id: ConnId, are_bytes_left: bool) -> bool {
        self.conns
            .get(id)
            .is_some_and(|conn| (are_bytes_left || may_end(conn)) && self.is_wanted(conn, self.answered()))
    }

    fn step_http(&mut self, id: ConnId, at: usize, end: usize) -> Progress {
        let now = self.clocks();
        let Server { conns, inbuf, app, effects, limits, reply, access_log, to_https, date, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Http(http), stream, kept, .. }) = conns.get_mut(id) else {
            return Progress::Starved;
        };
        let to_https = to_https.as_ref().filter(|_| http.is_redirected);
        let mut found = http.next_at_once(&inbuf[at..end], limits);
        if matches!(found, (_, Step::Starved)) {
            found = http.next_event(&mut inbuf[at..end], limits);
        }
        // Where it lies: a request is too large to be moved about.
        match found {
            (_, Step::Starved) => Progress::Starved,
            (used, Step::Gathering(waits)) => {
                if waits {
                    reply.extend_from_slice(CONTINUE);
                }
                Progress::Used(used)
            }
            (used, Step::Request(ref request, body)) => {
                let line = access_log.as_ref().map(|_| access::line(stream.as_ref(), &date.text, request));
                if let Some(to) = to_https.filter(|to| !to.lets_through(request)) {
                    let mut elsewhere = to.response(request);
                    http.owe(line);
                    self.respond(id, &mut elsewhere);
                } else {
                    app.on_event(id, Event::Request(request, body), now, effects);
                    http.owe(line);
                    self.apply();
                }
                Progress::Used(used)
            }
            (_, Step::Refused(status, why)) => {
                // All of it counts as used: what follows means nothing. It is kept for a moment, for the log.
                kept.extend_from_slice(&inbuf[at..end]);
                self.refuse(id, status, why + "\n");
                Progress::Used(end - at)
            }
        }
    }

    fn step_ws(&mut self, id: ConnId, at: usize, end: usize) -> Progress {
        let now = self.clocks();
        let Server { conns, inbuf, app, effects, codec, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Ws(ws), .. }) = conns.get_mut(id) else {
            return Progress::Starved;
        };
        ws.heard = now.instant;
        let received = ws.session.receive(&mut inbuf[at..end], codec);
        let used = match received {
            Ok((0, None)) => return Progress::Starved,
            Ok((used, None)) => used,
            Ok((used, Some(WsEvent::Message(kind, payload)))) => {
                if !ws.over {
                    app.on_event(id, Event::Message(kind, payload), now, effects);
                }
                self.apply();
                used
            }
            Ok((used, Some(WsEvent::Ping(payload)))) => {
                if !ws.over {
                    ws.ping = Some(payload.into());
                    self.answer_waiting_ping(id);
                }
                used
            }
            Ok((used, Some(WsEvent::Pong(_)))) => used,
            Ok((used, Some(WsEvent::Close(code, _)))) => {
                self.on_peer_close(id, code);
                used
            }
            Err(error) => {
                self.close_session(id, error.close_code(), error.reason());
                if let Some(conn) = self.conns.get_mut(id) {
                    conn.lingers = true;
                }
                // Whatever follows a broken frame means nothing.
                end - at
            }
        };
        Progress::Used(used)
    }

    fn step_upstream(&mut self, id: ConnId, at: usize, end: usize, work: &mut usize) -> Progress {
        let now = self.clocks();
        let Server { conns, inbuf, app, effects, limits, .. } = &mut *self;
        let Some(conn) = conns.get_mut(id) else { return Progress::Starved };
        let is_flushed = conn.is_flushed();
        let Connection { protocol: Protocol::Upstream(upstream), eof, truncated, .. } = conn else {
            return Progress::Starved;
        };
        if upstream.state() == State::Kept {
            // Nobody has asked: whatever it says, it has no meaning.
            if at < end {
                self.bury(id);
            }
            return Progress::Starved;
        }
        if at < end {
            upstream.hear(now.instant);
        }
        let (owner, journey, may_ask_anew) = (upstream.owner, upstream.journey(), upstream.may_ask_anew());
        let (used, fetched) = match upstream.exchange.receive(&inbuf[at..end], *eof, limits) {
            Ok((0, None)) => return Progress::Starved,
            Ok((used, None)) => return Progress::Used(used),
            Ok((_, Some(ExchangeEvent::Head(head)))) if may_ask_anew && is_idle_timeout(&head) => {
                self.ask_anew(id);
                return Progress::Used(end - at);
            }
            Ok((used, Some(ExchangeEvent::Head(head)))) => {
                app.on_event(owner, Event::Fetched(Fetched::Head(&head, journey)), now, effects);
                (used, None)
            }
            Ok((used, Some(ExchangeEvent::Body(piece)))) => {
                *work += piece.len().saturating_sub(used);
                app.on_event(owner, Event::Fetched(Fetched::Body(piece)), now, effects);
                (used, None)
            }
            // Where the end of the connection is the end of the body, only close_notify tells that it was meant to be.
            Ok((used, Some(ExchangeEvent::Done))) => match *truncated && upstream.exchange.ends_with_connection() {
                true => (0, Some(Err(FetchError::Broken { why: CUT_SHORT.into() }))),
                false => {
                    let quiet = at + used == end && !*eof && is_flushed;
                    (used, Some(Ok(quiet && upstream.exchange.keeps_alive())))
                }
            },
            Err(e) => (0, Some(Err(FetchError::Protocol(e)))),
        };
        match fetched {
            None => self.apply(),
            Some(Ok(reusable)) => self.fetch_over(id, Ok(()), reusable),
            Some(Err(error)) => self.fetch_over(id, Err(error), false),
        }
        Progress::Used(used)
    }

    fn step_discarding(&mut self, id: ConnId, bytes: usize) -> Progress {
        if bytes == 0 {
            return Progress::Starved;
        }
        if let Some(Protocol::Discarding(left)) = self.conns.get_mut(id).map(|conn| &mut conn.protocol) {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                self.bury(id);
            }
        }
        Progress::Used(bytes)
    }

    /// Whether reading from this connection is of use now: a pure function of states.
    pub(super) fn wants_input(&self, id: ConnId) -> bool {
        let reply = if self.serving == Some(id) { self.answered() } else { 0 };
        self.conns.get(id).is_some_and(|conn| self.is_wanted(conn, reply))
    }

    /// The same, while so many bytes of answers wait besides what is in its outbox.
    #[inline]
    fn is_wanted(&self, conn: &Connection<N::Stream>, reply: usize) -> bool {
        let calm = conn.outbox.unsent() + reply < self.limits.high_water;
        !conn.dead
            && match &conn.protocol {
                // A further request waits until the answers before it are with the kernel: who does not read cannot go on
                // asking.
                Protocol::Http(http) => calm && conn.is_flushed() && http.wants_input(),
                Protocol::Ws(ws) => calm && ws.wants_input(self.limits.high_water),
                Protocol::Upstream(upstream) => upstream.is_read() && self.owner_keeps_up(upstream.owner),
                Protocol::Discarding(_) => true,
            }
    }

    fn owner_keeps_up(&self, owner: ConnId) -> bool {
        owner.is_outside() || self.conns.get(owner).is_some_and(|conn| conn.outbox.unsent() < self.limits.high_water)
    }

    /// `read` answered 0 and everything before it has been looked at.
    fn on_eof(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        match &mut conn.protocol {
            // Half-close: what is owed is finished first. Half a request will never be whole.
            Protocol::Http(http) if http.wants_input() => {
                conn.kept = Vec::new();
                http.answered(false);
            }
            // Nothing more will be said, but what is owed still goes out.
            Protocol::Ws(_) => {
                self.timers.set(id, &mut conn.timer, self.now + self.limits.close_within);
                self.leave(id);
                self.session_over(id);
            }
            Protocol::Discarding(_) => self.bury(id),
            Protocol::Upstream(upstream) if upstream.state() == State::Kept => self.bury(id),
            Protocol::Http(_) | Protocol::Upstream(_) => {}
        }
    }

    /// Reading or writing has failed: the peer is gone. The owner of a fetch is told why.
    pub(super) fn on_socket_error(&mut self, id: ConnId, error: &std::io::Error) {
        match self.conns.get(id).map(|conn| &conn.protocol) {
            Some(Protocol::Upstream(upstream)) => match upstream.state() {
                State::Kept => self.bury(id),
                State::Securing => self.on_tls_error(id, error),
                _ => {
                    let why = error.to_string();
                    self.fetch_over(id, Err(FetchError::Broken { why }), false);
                }
            },
            _ => self.bury(id),
        }
    }
}

/// Whether a step may tell something without another byte: that the input has ended, or a body is whole.
fn may_end<S>(conn: &Connection<S>) -> bool {
    let in_body = match &conn.protocol {
        Protocol::Http(http) => http.is_in_body(),
        Protocol::Upstream(_) => true,
        Protocol::Ws(_) | Protocol::Discarding(_) => false,
    };
    conn.eof || in_body
}
