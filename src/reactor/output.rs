//! Output of the connections that are served together, and the one decision where output for a connection goes.
//!
//! ```text
//! the connection is being served ──▶ reply buffer ── its batch is handled ──▶ one write each
//! it was served in this batch ─────▶ its part of the reply buffer is sent first, then as below
//! any other ───────────────────────▶ outbox, or behind its position in the room; touched, so it goes out this turn
//! ```
//!
//! So each connection gets its bytes in the order in which they were written for it, as if it had been served alone.

use super::rooms::Rooms;
use crate::blocks::Blocks;
use crate::conn::Connection;
use crate::conn::table::Connections;
use crate::id::ConnId;
use crate::net::Stream;
use std::ops::Range;

/// The reply buffer gives memory back when one large response has grown it to more than this, bytes.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// The reply buffer of a batch.
#[derive(Default)]
pub struct Output {
    reply: Vec<u8>,
    /// Connections of the batch that were served, and their parts of `reply`.
    unsent: Vec<(ConnId, Range<usize>)>,
    /// The connection that is being served, and where its part of `reply` begins.
    serving: Option<(ConnId, usize)>,
}

impl Output {
    /// From now on output for `id` goes to the reply buffer.
    pub fn begin(&mut self, id: ConnId) {
        self.serving = Some((id, self.reply.len()));
    }

    /// The slice of the connection that was being served is over.
    pub fn end(&mut self) {
        if let Some((id, start)) = self.serving.take()
            && start < self.reply.len()
        {
            self.unsent.push((id, start..self.reply.len()));
        }
    }

    /// Bytes of the reply buffer for the connection that is being served.
    pub fn reply_bytes(&self) -> usize {
        self.serving.map_or(0, |(_, start)| self.reply.len() - start)
    }

    /// Whether all output has left the reply buffer, and no connection is being served.
    pub fn is_idle(&self) -> bool {
        self.reply.is_empty() && self.unsent.is_empty() && self.serving.is_none()
    }

    /// Appends to the reply of the connection that is being served.
    pub fn reply(&mut self, bytes: &[u8]) {
        self.reply.extend_from_slice(bytes);
    }

    /// Lets `encode` write output for `id`. Returns what it returns; `None` if the connection is gone.
    pub fn write<S: Stream, R>(
        &mut self,
        conns: &mut Connections<S>,
        rooms: &Rooms,
        id: ConnId,
        encode: impl FnOnce(&mut Connection<S>, &mut Vec<u8>) -> R,
    ) -> Option<R> {
        let is_served = self.serving.is_some_and(|(serving, _)| serving == id);
        if !is_served && !self.unsent.is_empty() {
            self.send_of(conns, id);
        }
        let conn = conns.get_mut(id)?;
        // What is written in a member's own slice comes before all that the room has not sent yet.
        let waits_for_room = conn.subscription.as_ref().is_some_and(|member| {
            rooms.feed_of(member).is_some_and(|feed| !(is_served && member.lane.is_at_end(feed)))
        });
        let encoded = if waits_for_room {
            let mut frame = Vec::new();
            let encoded = encode(conn, &mut frame);
            if let Some(member) = &mut conn.subscription
                && let Some(feed) = rooms.feed_of(member)
            {
                member.lane.send(feed, frame);
            }
            encoded
        } else if is_served {
            return Some(encode(conn, &mut self.reply));
        } else {
            let mut outbox = std::mem::take(&mut conn.outbox);
            let encoded = outbox.write(|out| encode(conn, out));
            conn.outbox = outbox;
            encoded
        };
        if !is_served {
            conns.touch(id);
        }
        Some(encoded)
    }

    /// Appends `bytes` as they lie to what goes to `id`, which is in no room.
    pub fn write_blocks<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, bytes: Blocks) {
        self.send_of(conns, id);
        let Some(conn) = conns.get_mut(id) else { return };
        conn.outbox.append(bytes);
        if self.serving.is_none_or(|(serving, _)| serving != id) {
            conns.touch(id);
        }
    }

    /// Sends at once what the reply buffer has for `id`.
    pub fn send_of<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId) {
        if let Some((_, start)) = self.serving.filter(|&(serving, _)| serving == id) {
            send(conns, id, &self.reply[start..]);
            self.reply.truncate(start);
        } else if let Some(n) = self.unsent.iter().position(|&(served, _)| served == id) {
            let (_, part) = self.unsent.swap_remove(n);
            send(conns, id, &self.reply[part]);
        }
    }

    /// Sends everything, one write for each connection.
    pub fn send_all<S: Stream>(&mut self, conns: &mut Connections<S>) {
        for (id, part) in self.unsent.drain(..) {
            send(conns, id, &self.reply[part]);
        }
        self.reply.clear();
        self.reply.shrink_to(REPLY_BYTES_MAX);
    }
}

/// A failed write means that the peer is gone. Only HTTP and WebSocket have replies: no fetch hears of it.
fn send<S: Stream>(conns: &mut Connections<S>, id: ConnId, bytes: &[u8]) {
    log::trace!("{id:?} is written {} bytes", bytes.len());
    if !bytes.is_empty()
        && let Some(conn) = conns.get_mut(id)
        && conn.send(bytes).is_err()
    {
        conns.bury(id);
    }
}
