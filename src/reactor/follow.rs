//! Responses whose body is what a room says (Server-Sent Events): members of a room that cannot speak.
//!
//! The room's flush writes to them as to every member. Nothing is read from them, so a peer shows that it is there only
//! by what it takes: at each look one that lacks nothing is sent a comment, and one that has taken nothing of what it
//! lacks since the last look is cut.

use super::engine::Engine;
use crate::conn::Connection;
use crate::event::{Event, StreamEnd};
use crate::http::event_stream::COMMENT;
use crate::id::ConnId;
use crate::net::{Network, Stream};

impl<N: Network> Engine<N> {
    /// The deadline of a response that follows a room: time for a look at it.
    pub(super) fn look_at_follower(&mut self, id: ConnId) {
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
    pub(super) fn cut_follower(&mut self, id: ConnId) {
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
