//! WebSocket sessions: the switch from HTTP, frames out, heartbeat, and closing: by the peer, by the application, by
//! the server.

use super::Server;
use crate::blocks::Blocks;
use crate::conn::ws::Ws;
use crate::conn::{Connection, Protocol};
use crate::event::{Agreement, App, Event};
use crate::http::response::encode_switching;
use crate::id::ConnId;
use crate::net::{Network, Stream};
use crate::ws::frame::{self, Opcode};
use crate::ws::session::{Kind, State};
use std::ops::Range;

/// A peer that answers no ping for so long is gone (RFC 6455 section 7.4.1: going away).
const SILENT: (u16, &str) = (1001, "no answer to pings");

impl<N: Network, A: App> Server<N, A> {
    /// Answers 101; from the next byte on the connection is a WebSocket.
    pub(super) fn upgrade(
        &mut self,
        id: ConnId,
        accept: &[u8; 28],
        compression: Option<Agreement>,
        message_bytes_max: usize,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Http(http) = &mut conn.protocol else { return };
        if !http.awaits_answer() {
            return;
        }
        let mut line = http.line.take();
        let is_full = self.windows >= self.limits.deflate_windows_max;
        let compression = compression.map(|agreement| if is_full { agreement.to_shared() } else { agreement });
        let ws = Ws::new(message_bytes_max, compression, self.now);
        self.windows += usize::from(ws.has_own_machines());
        self.timers.set(id, &mut conn.timer, ws.next_heartbeat(self.now, &self.limits));
        conn.protocol = Protocol::Ws(Box::new(ws));
        let date = self.date.text;
        let extensions = compression.map(Agreement::to_field);
        self.output(id, |out| encode_switching(accept, extensions.as_deref(), &date, out));
        if let Some(line) = &mut line {
            line.status = 101;
        }
        self.log_line(line);
    }

    /// One message to one peer.
    pub(super) fn send_message(&mut self, id: ConnId, kind: Kind, payload: Range<usize>) {
        let bytes = std::mem::take(&mut self.effects.bytes);
        self.send_frame(id, kind.opcode(), &bytes[payload]);
        self.effects.bytes = bytes;
    }

    /// The same with a long one. It goes out as it lies, unless it has to be compressed, or to wait for the words of a room.
    pub(super) fn send_blocks(&mut self, id: ConnId, kind: Kind, payload: Blocks) {
        let Some(Protocol::Ws(ws)) = self.conns.get(id).map(|conn| &conn.protocol) else { return };
        let is_short = payload.len() <= self.limits.deflate_bytes_max;
        if ws.membership.is_some() || is_short && ws.session.agreement().is_some() {
            return self.send_frame(id, kind.opcode(), &payload.to_vec());
        }
        self.output(id, |out| frame::encode_start(kind.opcode(), payload.len(), out));
        self.output_blocks(id, payload);
    }

    /// One frame to one peer. A room member's own frames keep their place among those of the room.
    pub(super) fn send_frame(&mut self, id: ConnId, opcode: Opcode, payload: &[u8]) {
        let is_served = self.is_served(id);
        let Server { conns, rooms, codec, reply, .. } = &mut *self;
        let Some(Connection { protocol: Protocol::Ws(ws), outbox, .. }) = conns.get_mut(id) else { return };
        let deflated = if opcode.is_control() { None } else { ws.session.deflate(payload, codec) };
        let encode = |out: &mut Vec<u8>| match deflated {
            Some(deflated) => frame::encode_compressed(opcode, deflated, out),
            None => frame::encode(opcode, payload, out),
        };
        if let Some(member) = &mut ws.membership
            && let Some(feed) = rooms.feed_of(member)
            // What it is answered in its own slice comes before all that the room has not said yet.
            && !(is_served && member.lane.is_at_end(feed))
        {
            let mut frame = Vec::with_capacity(payload.len() + frame::HEADER_BYTES_MAX);
            encode(&mut frame);
            member.lane.send(feed, &frame);
        } else if is_served {
            encode(reply);
        } else {
            outbox.write(encode);
        }
        self.touch(id);
    }

    /// The peer has sent Close: answers it, and the session is over.
    pub(super) fn on_peer_close(&mut self, id: ConnId, code: Option<u16>) {
        self.send_close(id, code, "");
        self.session_over(id);
    }

    /// The application closes; it needs not be told.
    pub(super) fn close_for_app(&mut self, id: ConnId, code: u16, reason: &str) {
        if let Some(Protocol::Ws(ws)) = self.conns.get_mut(id).map(|conn| &mut conn.protocol) {
            ws.over = true;
        }
        self.send_close(id, Some(code), reason);
    }

    /// The server closes; the application is told.
    pub(super) fn close_session(&mut self, id: ConnId, code: u16, reason: &str) {
        self.send_close(id, Some(code), reason);
        self.session_over(id);
    }

    /// Puts Close behind the frame under way, unless it was sent before. What the room still had for this member is
    /// dropped. The peer's Close has `close_within` to come.
    fn send_close(&mut self, id: ConnId, code: Option<u16>, reason: &str) {
        self.leave(id);
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Ws(ws) = &mut conn.protocol else { return };
        if !matches!(ws.session.state(), State::Open | State::ClosedByPeer) {
            return;
        }
        ws.session.on_close_sent();
        ws.ping = None;
        self.timers.set(id, &mut conn.timer, self.now + self.limits.close_within);
        self.output(id, |out| frame::encode_close(code, reason, out));
    }

    /// Tells the application, once.
    pub(super) fn session_over(&mut self, id: ConnId) {
        let Some(Protocol::Ws(ws)) = self.conns.get_mut(id).map(|conn| &mut conn.protocol) else { return };
        if !std::mem::replace(&mut ws.over, true) {
            self.tell(id, Event::Left);
        }
    }

    /// Answers the latest ping, as soon as no output waits.
    pub(super) fn answer_waiting_ping(&mut self, id: ConnId) {
        let Some(Connection { protocol: Protocol::Ws(ws), outbox, .. }) = self.conns.get_mut(id) else { return };
        if !outbox.is_empty() || ws.membership.as_ref().is_some_and(|m| m.lane.own_bytes() > 0) {
            return;
        }
        let Some(payload) = ws.ping.take() else { return };
        self.send_frame(id, Opcode::Pong, &payload);
    }

    /// The timer of a session: time to ping, or the end of patience with a silent or closing peer.
    pub(super) fn on_heartbeat(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Protocol::Ws(ws) = &mut conn.protocol else { return };
        if !ws.is_open() || conn.eof {
            // It has not answered our Close, or not taken what it asked for, so it may not be reading: only a reset frees
            // what the kernel still holds.
            if let Some(stream) = &conn.stream {
                stream.reset_on_drop();
            }
            return self.bury(id);
        }
        if ws.silent_for(self.now) >= self.limits.silent_for {
            return self.close_session(id, SILENT.0, SILENT.1);
        }
        let next = ws.next_heartbeat(self.now, &self.limits);
        self.timers.set(id, &mut conn.timer, next);
        self.send_frame(id, Opcode::Ping, &[]);
    }
}
