//! The feeds of the rooms, their readers, and the flush at the end of the turn.
//!
//! A room is made at the first Join and dropped with its last member. It has two feeds of the same messages: one as they
//! are, one with long ones compressed. Publishing appends one frame to each that has readers and touches nobody; the
//! flush then writes to each writable member, in member order, the bytes from its cursor to the end. A turn has a budget
//! for that: a large room is flushed in several turns, and its members say nothing more until all have been visited.

use super::Server;
use crate::conn::ws::{Coding, Membership};
use crate::conn::{Connection, Protocol};
use crate::event::App;
use crate::id::{ConnId, FeedId};
use crate::proto::ws_frame::{self, Opcode};
use crate::rt::feed::Feed;
use crate::rt::lane::Lane;
use crate::rt::net::{Network, Stream, write_some};
use std::collections::HashMap;
use std::io;
use std::ops::Range;

/// A write takes about as much time as so many more bytes in it.
const WRITE_COST: usize = 4 << 10;

/// All rooms that have members.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: HashMap<FeedId, Room>,
    /// Rooms with something new for members that have not been visited since.
    dirty: Vec<FeedId>,
    /// Bytes said since the last flush.
    said: usize,
    /// The last flush has used up its budget.
    is_behind: bool,
}

#[derive(Default)]
struct Room {
    plain: Feed,
    deflated: Feed,
    members: Vec<ConnId>,
    /// The flush goes round: the place of whom it visits next.
    next: usize,
    /// So many members have still to be visited.
    left: usize,
}

impl Room {
    fn feed(&self, coding: Coding) -> &Feed {
        match coding {
            Coding::Plain => &self.plain,
            Coding::Deflated => &self.deflated,
        }
    }

    fn feed_mut(&mut self, coding: Coding) -> &mut Feed {
        match coding {
            Coding::Plain => &mut self.plain,
            Coding::Deflated => &mut self.deflated,
        }
    }

    /// Whether the flush that is under way has something for the member at this place still.
    fn is_to_visit(&self, place: u32) -> bool {
        let (count, visited) = (self.members.len(), self.members.len() - self.left);
        self.left > 0 && (self.next + count - 1 - place as usize) % count >= visited
    }

    /// Members have changed their places, so a flush that is under way may not know whom it has visited.
    fn go_round_again(&mut self) {
        if self.left > 0 {
            self.left = self.members.len();
        }
    }
}

impl Rooms {
    /// Readers of all feeds.
    pub fn members(&self) -> usize {
        self.rooms.values().map(|room| room.members.len()).sum()
    }

    /// Bytes that the feeds hold for readers who have not got them yet.
    pub fn held(&self) -> usize {
        self.rooms.values().map(|room| room.plain.held() + room.deflated.held()).sum()
    }

    /// Whether something was published since the last flush.
    pub fn are_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Every room with the readers of its feeds, and its members, each at its place.
    pub fn iter(&self) -> impl Iterator<Item = (FeedId, usize, &[ConnId])> {
        let readers = |room: &Room| room.plain.readers() + room.deflated.readers();
        self.rooms.iter().map(move |(&id, room)| (id, readers(room), room.members.as_slice()))
    }

    /// The feed that a member reads.
    pub fn feed_of(&self, member: &Membership) -> Option<&Feed> {
        self.rooms.get(&member.feed).map(|room| room.feed(member.coding))
    }

    /// Whether the flush that is under way comes to this member still.
    pub fn comes_to(&self, member: &Membership) -> bool {
        self.rooms.get(&member.feed).is_some_and(|room| room.is_to_visit(member.place))
    }

    fn feed_of_mut(&mut self, member: &Membership) -> Option<&mut Feed> {
        self.rooms.get_mut(&member.feed).map(|room| room.feed_mut(member.coding))
    }

    fn mark(&mut self, id: FeedId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.left == 0 {
            self.dirty.push(id);
        }
        room.left = room.members.len();
    }
}

impl<N: Network, A: App> Server<N, A> {
    /// The connection becomes a reader of the feed, from here on.
    pub(super) fn join(&mut self, id: ConnId, feed: FeedId) {
        self.leave(id);
        let Some(Connection { protocol: Protocol::Ws(ws), .. }) = self.conns.get_mut(id) else { return };
        let room = self.rooms.rooms.entry(feed).or_default();
        let place = room.members.len() as u32;
        room.members.push(id);
        room.go_round_again();
        let coding = ws.coding();
        let lane = Lane::new(room.feed_mut(coding).join());
        ws.membership = Some(Membership { feed, coding, place, lane });
    }

    /// It stops being one; the rest of a frame that is under way still goes out.
    pub(super) fn leave(&mut self, id: ConnId) {
        let Some(Connection { protocol: Protocol::Ws(ws), outbox, .. }) = self.conns.get_mut(id) else { return };
        let Some(membership) = ws.membership.take() else { return };
        let Membership { feed: id, place, .. } = membership;
        if let Some(feed) = self.rooms.feed_of_mut(&membership) {
            outbox.push(&membership.lane.cut(feed));
        }
        self.vacate(id, place);
    }

    /// The member is gone with its socket.
    pub(super) fn forget_member(&mut self, membership: Membership) {
        let Membership { feed: id, place, .. } = membership;
        if let Some(feed) = self.rooms.feed_of_mut(&membership) {
            membership.lane.leave(feed);
        }
        self.vacate(id, place);
    }

    fn vacate(&mut self, feed: FeedId, place: u32) {
        let Some(room) = self.rooms.rooms.get_mut(&feed) else { return };
        room.members.swap_remove(place as usize);
        if let Some(&moved) = room.members.get(place as usize)
            && let Some(Connection { protocol: Protocol::Ws(ws), .. }) = self.conns.get_mut(moved)
            && let Some(membership) = &mut ws.membership
        {
            membership.place = place;
        }
        room.go_round_again();
        if room.members.is_empty() {
            self.rooms.rooms.remove(&feed);
        }
    }

    /// Appends one text message to the room's feeds; their readers get it at the end of the turn.
    pub(super) fn publish(&mut self, feed: FeedId, text: Range<usize>) {
        let Server { rooms, effects, codec, .. } = &mut *self;
        let Some(room) = rooms.rooms.get_mut(&feed) else { return };
        let text = &effects.bytes[text];
        room.plain.append(|out| ws_frame::encode(Opcode::Text, text, out));
        room.deflated.append(|out| match codec.deflate(text) {
            Some(deflated) => ws_frame::encode_compressed(Opcode::Text, deflated, out),
            None => ws_frame::encode(Opcode::Text, text, out),
        });
        rooms.said += text.len();
        rooms.mark(feed);
    }

    /// Whether rooms have enough to write: their members are not heard for the rest of this turn.
    pub(super) fn rooms_are_busy(&self) -> bool {
        self.rooms.is_behind || self.rooms.said >= self.limits.said_bytes_max
    }

    /// Whether the connection is one of a room, and has to wait for that.
    pub(super) fn waits_for_room(&self, id: ConnId) -> bool {
        let is_member =
            |conn: &Connection<N::Stream>| matches!(&conn.protocol, Protocol::Ws(ws) if ws.membership.is_some());
        self.rooms_are_busy() && self.conns.get(id).is_some_and(is_member)
    }

    /// Writes everything new to every member that can take it, as far as the budget of a turn goes, and cuts those that
    /// lag too far.
    pub(super) fn flush_rooms(&mut self) {
        let mut budget = self.limits.flush_bytes_max;
        for id in std::mem::take(&mut self.rooms.dirty) {
            let Some(room) = self.rooms.rooms.get_mut(&id) else { continue };
            while room.left > 0 && budget > 0 {
                room.left -= 1;
                let place = if room.next < room.members.len() { room.next } else { 0 };
                room.next = place + 1;
                let member = room.members[place];
                let Some(conn) = self.conns.get_mut(member) else { continue };
                if conn.writable && !conn.dead {
                    match flush_lane(conn, (&mut room.plain, &mut room.deflated)) {
                        Ok(0) => {}
                        Ok(written) => budget = budget.saturating_sub(written + WRITE_COST),
                        Err(_) => {
                            conn.dead = true;
                            self.dead.push(member);
                        }
                    }
                }
                // No edge comes when everything was taken: a ping that waited for this flush is answered behind it, and
                // who was above high water may be read again.
                let held_back = conn.has_input() && !conn.queued;
                if !conn.touched && (held_back || matches!(&conn.protocol, Protocol::Ws(ws) if ws.ping.is_some())) {
                    conn.touched = true;
                    self.touched.push(member);
                }
            }
            if room.left > 0 {
                self.rooms.dirty.push(id);
            }
            if room.plain.held().max(room.deflated.held()) > self.limits.feed_bytes_max() {
                self.cut_slow_readers(id);
            }
        }
        (self.rooms.said, self.rooms.is_behind) = (0, budget == 0);
    }

    /// Sends what the room has for one member whose socket may have become writable.
    pub(super) fn flush_member(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.writable && !conn.dead) else { return };
        let Protocol::Ws(ws) = &conn.protocol else { return };
        let Some((feed, place)) = ws.membership.as_ref().map(|m| (m.feed, m.place)) else { return };
        // With news for all, it is flushed in member order at the end of the turn. Flushed first, a sender would send
        // its next message early, and that would wait for the whole pass (measured: 1.6 times the median delay).
        let Some(room) = self.rooms.rooms.get_mut(&feed).filter(|room| !room.is_to_visit(place)) else { return };
        if flush_lane(conn, (&mut room.plain, &mut room.deflated)).is_err() {
            self.bury(id);
        }
    }

    /// Looked for only when the feed as a whole holds too much, so a room without laggards never searches.
    fn cut_slow_readers(&mut self, feed: FeedId) {
        let Some(room) = self.rooms.rooms.get(&feed) else { return };
        let behind_max = self.limits.feed_bytes_max();
        let slow = |&id: &ConnId| {
            let Some(Connection { protocol: Protocol::Ws(ws), .. }) = self.conns.get(id) else { return false };
            let behind = ws.membership.as_ref().map_or(0, |m| m.lane.behind(room.feed(m.coding)));
            behind > behind_max as u64
        };
        let slow: Vec<ConnId> = room.members.iter().copied().filter(slow).collect();
        for id in slow {
            log::info!("{id:?} is more than {behind_max} bytes behind its room and is cut");
            self.cut += 1;
            self.close_session(id, 1013, "too slow");
        }
    }
}

/// Writes until the member has everything or its socket is full; one write where the feed's bytes are contiguous.
/// Answers how many bytes of the feed that were.
fn flush_lane<S: Stream>(conn: &mut Connection<S>, (plain, deflated): (&mut Feed, &mut Feed)) -> io::Result<usize> {
    let mut written = 0;
    conn.flush()?;
    let Connection { stream: Some(stream), writable, outbox, protocol: Protocol::Ws(ws), .. } = conn else {
        return Ok(0);
    };
    let Some(membership) = &mut ws.membership else { return Ok(0) };
    let feed = match membership.coding {
        Coding::Plain => plain,
        Coding::Deflated => deflated,
    };
    while *writable && outbox.is_empty() {
        let bytes = membership.lane.next(feed);
        if bytes.is_empty() {
            break;
        }
        let sent = write_some(stream, bytes, writable)?;
        membership.lane.sent(feed, sent);
        written += sent;
    }
    Ok(written)
}
