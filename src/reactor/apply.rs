//! Effects become bytes, deadlines, jobs and fetches, in the order in which the application named them.
//!
//! Applying an effect never raises an event. What has to be told later, such as a fetch that cannot start, goes into the
//! inbox, and the turn tells it.

use super::engine::{Engine, Life};
use super::jobs;
use crate::blocks::Blocks;
use crate::conn::closing::Closing;
use crate::conn::http::{Begun, Deadline, Ended};
use crate::conn::ws::Ws;
use crate::conn::{Connection, Protocol, Rest};
use crate::event::{Agreement, Body, Effect, Effects, Event, Job, Position, Response, StreamEnd};
use crate::http::response::{Switching, encode_switching};
use crate::id::{ConnId, FeedId};
use crate::net::Network;
use crate::ws::frame::{self, Opcode};
use crate::ws::session::{Kind, State};
use std::borrow::Cow;
use std::time::Instant;

impl<N: Network> Engine<N> {
    /// Applies and forgets all effects.
    pub fn apply(&mut self, effects: &mut Effects) {
        let Effects { list, bytes } = effects;
        // Where they lie: to move each one out costs 100 instructions (callgrind).
        for effect in list {
            match effect {
                Effect::Respond(id, response) => self.respond(*id, response),
                Effect::Piece(id, range) => self.stream_piece(*id, &bytes[range.clone()]),
                Effect::End(id, body) => self.stream_end(*id, *body),
                Effect::Upgrade { to, accept, subprotocol, compression, message_bytes_max } => {
                    self.upgrade(*to, accept, *subprotocol, *compression, *message_bytes_max);
                }
                Effect::Send(id, kind, range) => self.send_frame(*id, kind.opcode(), &bytes[range.clone()]),
                Effect::SendBlocks(id, kind, blocks) => self.send_blocks(*id, *kind, std::mem::take(blocks)),
                Effect::Close(id, code, reason) => self.close(*id, Some(*code), reason, Told::ByApp),
                Effect::Join(id, feed) => self.join(*id, *feed),
                Effect::Publish(feed, range) => self.publish(*feed, None, &bytes[range.clone()]),
                Effect::PublishAt(feed, position, range) => {
                    self.publish(*feed, Some(*position), &bytes[range.clone()]);
                }
                Effect::Sleep(id, until) => self.sleep(*id, *until),
                Effect::Alarm(at) => self.alarm = Some(*at),
                Effect::Quit => self.life = Life::Over,
                Effect::Fetch(..) | Effect::Run(..) | Effect::RunBlocking(..) | Effect::Store(..) => {
                    self.begin_work(std::mem::take(effect))
                }
                Effect::Nothing => {}
            }
        }
        effects.clear();
    }

    /// Work whose end comes as an event.
    fn begin_work(&mut self, effect: Effect) {
        match effect {
            Effect::Fetch(id, fetch) => {
                let (client, _, mut cx) = self.outbound();
                client.start(&mut cx, id, fetch);
            }
            Effect::Run(id, job) => self.run(id, job),
            Effect::Store(id, command) => self.history.submit(&mut self.conns, id, command, &self.limits),
            Effect::RunBlocking(id, work) => self.blocking.push_back((id, work)),
            _ => {}
        }
    }

    /// Writes the response to the request that is owed one. A late response, to no request, is dropped.
    pub fn respond(&mut self, id: ConnId, response: &mut Response) {
        log::trace!("{id:?} is sent the response {}", response.status);
        let (date, may_keep) = (self.clock.date(), matches!(self.life, Life::Serving));
        let written = self.output.write(&mut self.conns, &self.rooms, id, |conn, out| {
            let http = conn.http()?;
            http.terms.keep_alive &= may_keep;
            match http.respond(response, date, out) {
                Begun::NotOwed => None,
                Begun::Streaming => Some(Written::Head(http.fetch)),
                Begun::Whole { keep_alive } => Some(Written::Whole(conn.end_response(keep_alive))),
            }
        });
        match (written.flatten(), &mut response.body) {
            (Some(Written::Whole(rest)), _) => self.end_response(id, rest),
            (Some(Written::Head(fetch)), Body::Blocks(blocks)) => {
                let blocks = std::mem::take(&mut **blocks);
                self.respond_blocks(id, fetch, blocks);
            }
            _ => {}
        }
    }

    /// The body of a response whose head is written, as it lies.
    fn respond_blocks(&mut self, id: ConnId, fetch: ConnId, body: Blocks) {
        let http = self.conns.get_mut(id).and_then(Connection::http);
        if http.is_some_and(|http| http.takes_blocks(&body)) {
            self.client.cancel(&mut self.conns, id, fetch);
            self.output.write_blocks(&mut self.conns, id, body);
            self.stream_end(id, StreamEnd::Whole);
        }
    }

    /// The next piece of a streamed body.
    pub(super) fn stream_piece(&mut self, id: ConnId, piece: &[u8]) {
        self.output.write(&mut self.conns, &self.rooms, id, |conn, out| {
            if let Some(http) = conn.http() {
                http.encode_piece(piece, out);
            }
        });
    }

    /// The streamed body is whole, or it broke off: then cutting the connection is the only way to say so.
    pub(super) fn stream_end(&mut self, id: ConnId, mut body: StreamEnd) {
        let http = self.conns.get_mut(id).and_then(Connection::http);
        if http.is_some_and(|http| http.is_following()) && self.leave(id) > 0 {
            body = StreamEnd::Truncated;
        }
        let may_keep = matches!(self.life, Life::Serving);
        let ended = self.output.write(&mut self.conns, &self.rooms, id, |conn, out| {
            let http = conn.http()?;
            http.terms.keep_alive &= may_keep;
            match http.end_stream(body, out) {
                Ended::NotStreaming => None,
                Ended::Cut => Some(Written::Cut),
                Ended::Whole { keep_alive } => Some(Written::Whole(conn.end_response(keep_alive))),
            }
        });
        match ended.flatten() {
            Some(Written::Whole(rest)) => self.end_response(id, rest),
            Some(Written::Cut) => self.conns.bury(id),
            _ => {}
        }
    }

    /// A response is complete: its line is logged. A whole one (an error, HEAD, 204, 304) ends the fetch behind it, which
    /// may still be sending.
    fn end_response(&mut self, id: ConnId, rest: Rest) {
        if rest.fetch != ConnId::NONE {
            self.client.cancel(&mut self.conns, id, rest.fetch);
        }
        if let Some(line) = rest.line {
            self.log.write(line);
        }
    }

    /// A response of the server itself, without the application.
    pub fn respond_plainly(&mut self, id: ConnId, status: u16, text: impl Into<Cow<'static, str>>) {
        self.respond(id, &mut Response::text(status, text));
    }

    /// Refuses what is no request, or will never be a whole one. Nothing more of this connection is parsed.
    pub fn refuse(&mut self, id: ConnId, status: u16, text: impl Into<Cow<'static, str>>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Http(http) = &mut conn.protocol else { return };
        let line = self.log.line_of_no_request(http.peer, self.clock.date(), http.begun(&conn.kept));
        http.give_up(&conn.kept);
        http.owe(line);
        conn.kept = Vec::new();
        conn.closing = Closing::FlushingRefusal;
        self.respond_plainly(id, status, text);
    }

    /// Writes 101. From the next byte on the connection is a WebSocket.
    fn upgrade(
        &mut self,
        id: ConnId,
        accept: &[u8; 28],
        subprotocol: Option<&'static str>,
        compression: Option<Agreement>,
        message_bytes_max: usize,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(http) = conn.http().filter(|http| http.awaits_response()) else { return };
        let line = http.line.take();
        let compression = compression.map(|agreement| self.codecs.admit(agreement));
        let ws = Ws::new(message_bytes_max, compression, self.clock.now);
        let heartbeat = ws.next_heartbeat(self.clock.now, &self.limits);
        conn.protocol = Protocol::Ws(Box::new(ws));
        self.conns.set_deadline(id, heartbeat);
        let (extensions, date) = (compression.map(Agreement::to_field), self.clock.date());
        self.output.write(&mut self.conns, &self.rooms, id, |_, out| {
            let switching = Switching { accept, subprotocol, extensions: extensions.as_deref() };
            encode_switching(switching, date, out);
        });
        if let Some(mut line) = line {
            line.status = 101;
            self.log.write(line);
        }
    }

    /// One long message to one peer. It goes out as it lies, unless it has to be compressed, or to wait for the room.
    fn send_blocks(&mut self, id: ConnId, kind: Kind, payload: Blocks) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let is_member = conn.subscription.is_some();
        let Some(ws) = conn.ws() else { return };
        let is_short = payload.len() <= self.limits.ws.deflate_bytes_max;
        if is_member || is_short && ws.session.agreement().is_some() {
            return self.send_frame(id, kind.opcode(), &payload.to_vec());
        }
        self.output.write(&mut self.conns, &self.rooms, id, |_, out| {
            frame::encode_start(kind.opcode(), payload.len(), out);
        });
        self.output.write_blocks(&mut self.conns, id, payload);
    }

    /// One frame to one peer.
    pub fn send_frame(&mut self, id: ConnId, opcode: Opcode, payload: &[u8]) {
        let codec = self.codecs.codec();
        self.output.write(&mut self.conns, &self.rooms, id, |conn, out| {
            if let Some(ws) = conn.ws() {
                ws.encode(opcode, payload, codec, out);
            }
        });
    }

    /// Ends a WebSocket session: puts Close behind the frame under way, unless it was sent before. What the room still had
    /// for this member is dropped. The peer's Close may take `close_within`.
    pub fn close(&mut self, id: ConnId, code: Option<u16>, reason: &str, told: Told) {
        self.leave(id);
        let Some(ws) = self.conns.get_mut(id).and_then(Connection::ws) else { return };
        let is_news = !std::mem::replace(&mut ws.over, true);
        if is_news && told == Told::Later {
            self.inbox.push_back((id, Event::Left));
        }
        if !matches!(ws.session.state(), State::Open | State::ClosedByPeer) {
            return;
        }
        ws.session.on_close_sent();
        ws.ping = None;
        self.conns.set_deadline(id, self.clock.now + self.limits.close_within);
        self.output.write(&mut self.conns, &self.rooms, id, |_, out| frame::encode_close(code, reason, out));
    }

    fn join(&mut self, id: ConnId, feed: FeedId) {
        self.leave(id);
        let encoding = match self.conns.get_mut(id).map(|conn| &mut conn.protocol) {
            Some(Protocol::Ws(ws)) => Some(ws.encoding()),
            Some(Protocol::Http(http)) => http.follow(),
            Some(Protocol::Upstream(_) | Protocol::Discarding(_)) | None => None,
        };
        let Some(encoding) = encoding else { return };
        self.rooms.join(&mut self.conns, id, feed, encoding);
        if self.conns.get_mut(id).and_then(Connection::http).is_some() {
            // The deadline of a response has another meaning from here on.
            self.conns.touch(id);
            if !matches!(self.life, Life::Serving) {
                self.end_follower(id);
            }
        }
    }

    /// The connection stops being a member of its room, if it is one. Returns the number of bytes that it will not get.
    pub fn leave(&mut self, id: ConnId) -> u64 {
        if self.conns.get(id).is_none_or(|conn| conn.subscription.is_none()) {
            return 0;
        }
        self.output.send_of(&mut self.conns, id);
        self.rooms.leave(&mut self.conns, id)
    }

    /// Appends one text message to the room's feeds.
    fn publish(&mut self, feed: FeedId, position: Option<Position>, text: &[u8]) {
        log::trace!("{feed:?} gets {} bytes", text.len());
        let codecs = &mut self.codecs;
        self.rooms.publish(feed, text.len(), |encoding, out| codecs.encode_text(encoding, position, text, out));
    }

    fn sleep(&mut self, id: ConnId, until: Instant) {
        if let Some(http) = self.conns.get_mut(id).and_then(Connection::http) {
            http.deadline = Deadline::Asleep;
            self.conns.set_deadline(id, until);
        }
    }

    /// Hands a job to the pool, or responds 503 if the pool's queue is full.
    fn run(&mut self, id: ConnId, job: Job) {
        let limits = self.limits.clone();
        if self.jobs.submit(move || (id, jobs::run(job, &limits))).is_err() {
            self.respond_plainly(id, 503, "Too much work is waiting. Try again in a moment.\n");
            self.inbox.push_back((id, Event::Left));
        }
    }
}

/// What was written of a response.
enum Written {
    /// Its head; it waits for this fetch, or for none.
    Head(ConnId),
    Whole(Rest),
    /// Its body broke off, and only a reset can say so.
    Cut,
}

/// Whether the application has to be told that a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It has said so itself.
    ByApp,
    /// [`Event::Left`] goes into the inbox.
    Later,
}
