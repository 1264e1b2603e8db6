//! From the socket to events: one slice of one connection.
//!
//! A slice ends when the socket is drained, when the protocol wants no input (an answer is owed, output is above high
//! water), or when a budget is used up. In the last two cases the unparsed rest is kept and marked, so that whoever
//! ends the reason puts the connection back on the ready queue: no edge will.

use super::{Server, access};
use crate::conn::http::{Phase, Step};
use crate::conn::{Connection, Protocol};
use crate::event::{App, Event, FetchError, Fetched};
use crate::id::ConnId;
use crate::proto::exchange::ExchangeEvent;
use crate::proto::http::SLOTS;
use crate::proto::response::CONTINUE;
use crate::proto::ws_frame::Opcode;
use crate::proto::ws_session::WsEvent;
use crate::rt::net::Network;
use std::mem::MaybeUninit;

/// What one look at the front of the buffer gave.
enum Progress {
    /// So many bytes were used, perhaps none because a state changed: look again.
    Used(usize),
    /// More bytes are needed.
    Starved,
}

impl<N: Network, A: App> Server<N, A> {
    /// Reads and handles what one connection has, within its budgets.
    pub(super) fn read_slice(&mut self, id: ConnId) {
        let (mut bytes, mut events) = (0, 0);
        while self.wants_input(id) {
            let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.has_input()) else { return };
            if bytes >= self.limits.slice_bytes_max || events >= self.limits.slice_events_max {
                return;
            }
            match conn.fill(&mut self.inbuf) {
                Ok(filled) => {
                    bytes += filled.fresh;
                    self.take_apart(id, filled.end, &mut events);
                }
                Err(e) => {
                    self.input_broke(id, &e);
                    return;
                }
            }
        }
    }

    /// Lets the protocol find everything in the first `end` bytes of the buffer, and keeps the rest.
    fn take_apart(&mut self, id: ConnId, end: usize, events: &mut usize) {
        let mut at = 0;
        let mut starved = false;
        while !starved && self.wants_input(id) && *events < self.limits.slice_events_max {
            *events += 1;
            let Some(conn) = self.conns.get_mut(id) else { return };
            let progress = match conn.protocol {
                Protocol::Http(_) => self.step_http(id, at, end),
                Protocol::Ws(_) => self.step_ws(id, at, end),
                Protocol::Upstream(_) => self.step_upstream(id, at, end),
                Protocol::Draining(_) => self.step_draining(id, end - at),
            };
            match progress {
                Progress::Used(n) => at += n,
                Progress::Starved => starved = true,
            }
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        if at < end {
            conn.kept.extend_from_slice(&self.inbuf[at..end]);
        }
        conn.unparsed = !starved && (at < end || conn.eof);
        if conn.eof && starved && !conn.dead {
            self.input_ended(id);
        }
    }

    fn step_http(&mut self, id: ConnId, at: usize, end: usize) -> Progress {
        let Server { conns, inbuf, app, effects, limits, reply, now, access_log, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Http(http), stream, .. }) = conns.get_mut(id) else {
            return Progress::Starved;
        };
        let mut slots = [const { MaybeUninit::uninit() }; SLOTS];
        let (used, step) = http.next_event(&mut inbuf[at..end], &mut slots, limits);
        let refused = match step {
            Step::Starved => return Progress::Starved,
            Step::Gathering(waits) => {
                if waits {
                    reply.extend_from_slice(CONTINUE);
                }
                return Progress::Used(used);
            }
            Step::Request(request, body) => {
                let line = access_log.as_ref().map(|_| access::line(stream.as_ref(), &request));
                app.on_event(id, Event::Request(&request, body), *now, effects);
                http.owe(line);
                None
            }
            Step::Refused(status, why) => Some((status, why)),
        };
        match refused {
            None => self.apply(),
            Some((status, why)) => self.refuse(id, status, why),
        }
        Progress::Used(used)
    }

    /// Answers an error of the protocol; nothing more of this connection is parsed.
    fn refuse(&mut self, id: ConnId, status: u16, why: String) {
        let line =
            self.access_log.as_ref().map(|_| access::bad_line(self.conns.get(id).and_then(|c| c.stream.as_ref())));
        if let Some(conn) = self.conns.get_mut(id)
            && let Protocol::Http(http) = &mut conn.protocol
        {
            http.terms.keep_alive = false;
            http.owe(line);
            conn.lingers = true;
        }
        self.respond_plainly(id, status, why + "\n");
    }

    fn step_ws(&mut self, id: ConnId, at: usize, end: usize) -> Progress {
        let Server { conns, inbuf, app, effects, now, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Ws(ws), outbox, .. }) = conns.get_mut(id) else {
            return Progress::Starved;
        };
        ws.heard = *now;
        let received = ws.session.receive(&mut inbuf[at..end]);
        let used = match received {
            Ok((0, None)) => return Progress::Starved,
            Ok((used, None)) => used,
            Ok((used, Some(WsEvent::Message(kind, bytes)))) => {
                if !ws.over {
                    app.on_event(id, Event::Message(kind, bytes), *now, effects);
                }
                ws.session.release();
                self.apply();
                used
            }
            Ok((used, Some(WsEvent::Ping(payload)))) => {
                let clogged = !outbox.is_empty() || ws.membership.as_ref().is_some_and(|m| m.lane.own_bytes() > 0);
                if ws.over {
                } else if clogged {
                    ws.ping = Some(payload.into());
                } else {
                    let payload = effects.write(|out| out.extend_from_slice(payload));
                    self.send_frame(id, Opcode::Pong, payload);
                    self.effects.bytes.clear();
                }
                used
            }
            Ok((used, Some(WsEvent::Pong(_)))) => used,
            Ok((used, Some(WsEvent::Close(code, _)))) => {
                self.peer_closed(id, code);
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

    fn step_upstream(&mut self, id: ConnId, at: usize, end: usize) -> Progress {
        let Server { conns, inbuf, app, effects, limits, now, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Upstream(upstream), eof, .. }) = conns.get_mut(id) else {
            return Progress::Starved;
        };
        let mut slots = [const { MaybeUninit::uninit() }; SLOTS];
        let owner = upstream.owner;
        let (used, fetched) = match upstream.exchange.receive(&inbuf[at..end], *eof, &mut slots, limits) {
            Ok((0, None)) => return Progress::Starved,
            Ok((used, None)) => return Progress::Used(used),
            Ok((used, Some(ExchangeEvent::Head(head)))) => {
                app.on_event(owner, Event::Fetched(Fetched::Head(&head)), *now, effects);
                (used, None)
            }
            Ok((used, Some(ExchangeEvent::Body(piece)))) => {
                app.on_event(owner, Event::Fetched(Fetched::Body(piece)), *now, effects);
                (used, None)
            }
            Ok((used, Some(ExchangeEvent::Done))) => (used, Some(Ok(()))),
            Err(e) => (0, Some(Err(e))),
        };
        match fetched {
            None => self.apply(),
            Some(end) => self.fetch_over(id, end.map_err(FetchError::Protocol)),
        }
        Progress::Used(used)
    }

    fn step_draining(&mut self, id: ConnId, bytes: usize) -> Progress {
        if bytes == 0 {
            return Progress::Starved;
        }
        if let Some(Protocol::Draining(left)) = self.conns.get_mut(id).map(|conn| &mut conn.protocol) {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                self.bury(id);
            }
        }
        Progress::Used(bytes)
    }

    /// Whether reading from this connection is of use now: a pure function of states.
    pub(super) fn wants_input(&self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id).filter(|conn| !conn.dead) else { return false };
        let reply = if self.serving == Some(id) { self.reply.len() } else { 0 };
        let calm = conn.outbox.unsent() + reply < self.limits.high_water;
        match &conn.protocol {
            Protocol::Http(http) => calm && http.wants_input(),
            Protocol::Ws(ws) => calm && ws.wants_input(self.limits.high_water),
            Protocol::Upstream(upstream) => upstream.is_exchanging() && self.owner_keeps_up(upstream.owner),
            Protocol::Draining(_) => true,
        }
    }

    fn owner_keeps_up(&self, owner: ConnId) -> bool {
        owner.is_outside() || self.conns.get(owner).is_some_and(|conn| conn.outbox.unsent() < self.limits.high_water)
    }

    /// `read` answered 0 and everything before it has been looked at.
    fn input_ended(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        match &mut conn.protocol {
            // Half-close: what is owed is finished first. Half a request will never be whole.
            Protocol::Http(http) => match http.phase {
                Phase::Head | Phase::Body(_) => {
                    conn.kept = Vec::new();
                    http.answered(false);
                }
                _ => {}
            },
            Protocol::Ws(_) | Protocol::Draining(_) => self.bury(id),
            Protocol::Upstream(_) => {}
        }
    }

    fn input_broke(&mut self, id: ConnId, error: &std::io::Error) {
        match self.conns.get(id).map(|conn| &conn.protocol) {
            Some(Protocol::Upstream(_)) => {
                let why = error.to_string();
                self.fetch_over(id, Err(FetchError::Broken { why }));
            }
            _ => self.bury(id),
        }
    }
}
