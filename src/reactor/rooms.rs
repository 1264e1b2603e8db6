//! The feeds of the rooms, their readers, and the flush at the end of the turn.
//!
//! A room is made at the first Join and dropped with its last member. It has two feeds of the same messages: one as they
//! are, one with long ones compressed. Publishing appends one frame to each that has readers and touches nobody; the
//! flush then writes to each writable member, in member order, the bytes from its cursor on: to the end of the feed,
//! unless that is more than two rounds say. Who is still behind then goes on by itself, a slice a turn.
//!
//! A turn has a budget for that: a large room is flushed in several turns, and rooms take turns. The flush begins with
//! the first member and goes round: what is said meanwhile, whoever comes and whoever goes only let it go on, and whoever
//! it comes to late has all of that in one write. Each time it comes to the first member, the room may say so much more;
//! whoever would say more than that waits, in front of those who have just been heard.

use super::{Server, enqueue};
use crate::conn::ws::{Coding, Membership};
use crate::conn::{Connection, Protocol};
use crate::event::App;
use crate::feed::Feed;
use crate::feed::lane::Lane;
use crate::id::{ConnId, FeedId};
use crate::net::{Network, Stream, write_some};
use crate::ws::frame::{self, Opcode};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;

/// A write takes about as much time as so many more bytes in it.
const WRITE_COST: usize = 4 << 10;

/// All rooms that have members.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: HashMap<FeedId, Room>,
    /// Rooms with something new for members that have not been visited since.
    dirty: VecDeque<FeedId>,
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
    /// Bytes said since it came to the first one.
    said: usize,
    /// Members with something to do who wait until it comes round again; they count as queued.
    unheard: VecDeque<ConnId>,
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

    /// The place of the member that is visited now; the first one comes behind the last.
    fn visit(&mut self) -> usize {
        let place = if self.next < self.members.len() { self.next } else { 0 };
        (self.next, self.left) = (place + 1, self.left - 1);
        place
    }

    /// It has come round: whoever had to wait comes before all that are ready, or who says much would be heard before
    /// them again.
    fn hear_again(&mut self, ready: &mut VecDeque<ConnId>) {
        self.said = 0;
        while let Some(id) = self.unheard.pop_back() {
            ready.push_front(id);
        }
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

    /// Members who wait until they are heard again.
    pub fn unheard(&self) -> impl Iterator<Item = &ConnId> {
        self.rooms.values().flat_map(|room| &room.unheard)
    }

    /// A room with members to visit, or to hear again, that no flush would come to: a bug.
    pub fn forgotten(&self) -> Option<FeedId> {
        let has_more = |room: &Room| room.left > 0 || room.said > 0 || !room.unheard.is_empty();
        let mut waiting = self.rooms.iter().filter(|(_, room)| has_more(room));
        waiting.find(|(id, _)| !self.dirty.contains(id)).map(|(&id, _)| id)
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
            room.next = 0;
            self.dirty.push_back(id);
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

    /// It stops being one. What was said before still goes out, as far as the socket takes it, and the rest of a frame
    /// that is under way in any case.
    pub(super) fn leave(&mut self, id: ConnId) {
        if !matches!(self.conns.get(id).map(|conn| &conn.protocol), Some(Protocol::Ws(ws)) if ws.membership.is_some()) {
            return;
        }
        self.send_answers_of(id);
        // Without a budget: it happens once, and its lag has a limit.
        self.write_to_member(id, usize::MAX);
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
        if room.members.is_empty()
            && let Some(room) = self.rooms.rooms.remove(&feed)
        {
            self.ready.extend(room.unheard);
        }
    }

    /// Appends one text message to the room's feeds; their readers get it at the end of the turn.
    pub(super) fn publish(&mut self, feed: FeedId, text: Range<usize>) {
        let Server { rooms, effects, codec, .. } = &mut *self;
        let Some(room) = rooms.rooms.get_mut(&feed) else { return };
        let text = &effects.bytes[text];
        room.plain.append(|out| frame::encode(Opcode::Text, text, out));
        room.deflated.append(|out| match codec.deflate(text) {
            Some(deflated) => frame::encode_compressed(Opcode::Text, deflated, out),
            None => frame::encode(Opcode::Text, text, out),
        });
        room.said += text.len();
        rooms.mark(feed);
    }

    /// The room that it is a member of, if enough has been said there for now.
    #[inline]
    pub(super) fn busy_room(&self, id: ConnId) -> Option<FeedId> {
        // Nearly always no room is dirty while somebody is served, and nothing is looked up.
        if self.rooms.are_dirty() { self.busy_dirty_room(id) } else { None }
    }

    fn busy_dirty_room(&self, id: ConnId) -> Option<FeedId> {
        let Connection { protocol: Protocol::Ws(ws), eof, .. } = self.conns.get(id)? else { return None };
        let feed = ws.membership.as_ref()?.feed;
        // Whose input has ended can say nothing more, since `fill` only reads on when all that was whole is handled: the
        // end itself does not wait.
        (!eof && self.rooms.rooms.get(&feed)?.said >= self.limits.said_bytes_max).then_some(feed)
    }

    /// Lets it wait until its room may say more, if that is busy.
    pub(super) fn waits_for_room(&mut self, id: ConnId) -> bool {
        let room = self.busy_room(id).and_then(|feed| self.rooms.rooms.get_mut(&feed));
        room.map(|room| room.unheard.push_back(id)).is_some()
    }

    /// Writes everything new to every member that can take it, as far as the budget of a turn goes, and cuts those that
    /// lag too far.
    pub(super) fn flush_rooms(&mut self) {
        // What two rounds say goes out in one visit.
        let (mut budget, most) = (self.limits.flush_bytes_max, self.limits.said_bytes_max.saturating_mul(2));
        for _ in 0..self.rooms.dirty.len() {
            if budget == 0 {
                break;
            }
            // When the budget is used up, whose turn has not come is the first in the next flush.
            let Some(id) = self.rooms.dirty.pop_front() else { break };
            let Some(room) = self.rooms.rooms.get_mut(&id) else { continue };
            let mut came_round = false;
            while room.left > 0 && budget > 0 {
                let place = room.visit();
                came_round |= place == 0;
                let member = room.members[place];
                let Some(conn) = self.conns.get_mut(member) else { continue };
                if conn.writable && !conn.dead {
                    match flush_lane(conn, (&mut room.plain, &mut room.deflated), most) {
                        Ok(0) => {}
                        Ok(written) => {
                            budget = budget.saturating_sub(written + WRITE_COST);
                            if written >= most {
                                enqueue(&mut self.ready, conn, member);
                            }
                        }
                        Err(_) => {
                            conn.dead = true;
                            self.dead.push(member);
                        }
                    }
                }
                // No edge comes when everything was taken: a ping that waited for this flush is answered behind it, who
                // was above high water may be read again, and who has more to be sent than a slice goes on.
                let held_back = (conn.has_input() || conn.has_output()) && !conn.queued;
                if !conn.touched && (held_back || matches!(&conn.protocol, Protocol::Ws(ws) if ws.ping.is_some())) {
                    conn.touched = true;
                    self.touched.push(member);
                }
            }
            if came_round {
                room.hear_again(&mut self.ready);
            }
            if room.left > 0 {
                self.rooms.dirty.push_back(id);
            }
            let has_laggards = room.plain.span().max(room.deflated.span()) > self.limits.feed_bytes_max() as u64;
            if has_laggards && (came_round || room.left == 0) {
                self.cut_slow_readers(id);
            }
        }
    }

    /// Sends what the room has for one member whose socket may have become writable.
    pub(super) fn flush_member(&mut self, id: ConnId) {
        let Some(Connection { protocol: Protocol::Ws(ws), .. }) = self.conns.get(id) else { return };
        // With news for all, it is flushed in member order at the end of the turn. Flushed first, a sender would send
        // its next message early, and that would wait for the whole pass (measured: 1.6 times the median delay).
        if ws.membership.as_ref().is_some_and(|membership| !self.rooms.comes_to(membership)) {
            let most = self.limits.slice_bytes_max;
            let written = self.write_to_member(id, most);
            if written >= most
                && let Some(conn) = self.conns.get_mut(id)
            {
                enqueue(&mut self.ready, conn, id);
            } else if self.is_late(id) {
                self.cut(id);
            }
        }
    }

    /// Answers how many bytes of the room that were; it may have more, if these are `most`.
    fn write_to_member(&mut self, id: ConnId, most: usize) -> usize {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.writable && !conn.dead) else { return 0 };
        let Protocol::Ws(ws) = &conn.protocol else { return 0 };
        let Some(room) = ws.membership.as_ref().and_then(|m| self.rooms.rooms.get_mut(&m.feed)) else { return 0 };
        flush_lane(conn, (&mut room.plain, &mut room.deflated), most).unwrap_or_else(|_| {
            self.bury(id);
            0
        })
    }

    /// Whether a member is further behind its room than it may be.
    fn is_late(&self, id: ConnId) -> bool {
        let Some(Connection { protocol: Protocol::Ws(ws), .. }) = self.conns.get(id) else { return false };
        let Some(membership) = &ws.membership else { return false };
        let behind = self.rooms.feed_of(membership).map_or(0, |feed| membership.lane.behind(feed));
        behind > self.limits.feed_bytes_max() as u64
    }

    /// Looked for only when the feed as a whole reaches back too far, so a room without laggards never searches, and then
    /// once or twice a round. Who would take more has only not been visited yet, or waits for its next slice.
    fn cut_slow_readers(&mut self, feed: FeedId) {
        let Some(room) = self.rooms.rooms.get(&feed) else { return };
        let would_take_more = |conn: &Connection<_>| conn.writable && (room.left > 0 || conn.queued);
        let slow = |&id: &ConnId| self.conns.get(id).is_some_and(|conn| !would_take_more(conn)) && self.is_late(id);
        let slow: Vec<ConnId> = room.members.iter().copied().filter(slow).collect();
        slow.into_iter().for_each(|id| self.cut(id));
    }

    fn cut(&mut self, id: ConnId) {
        log::info!("{id:?} is more than {} bytes behind its room and is cut", self.limits.feed_bytes_max());
        self.cut += 1;
        self.close_session(id, 1013, "too slow");
    }
}

/// Writes until the member has everything, its socket is full or `most` bytes are gone; one write where the feed's bytes
/// are contiguous. Answers how many bytes of the feed that were.
fn flush_lane<S: Stream>(
    conn: &mut Connection<S>,
    (plain, deflated): (&mut Feed, &mut Feed),
    most: usize,
) -> io::Result<usize> {
    let mut written = 0;
    if !conn.is_flushed() {
        conn.flush(most)?;
    }
    let Connection { stream: Some(stream), writable, outbox, protocol: Protocol::Ws(ws), .. } = conn else {
        return Ok(0);
    };
    let Some(membership) = &mut ws.membership else { return Ok(0) };
    let feed = match membership.coding {
        Coding::Plain => plain,
        Coding::Deflated => deflated,
    };
    while *writable && outbox.is_empty() && written < most && !membership.lane.is_at_end(feed) {
        let bytes = membership.lane.next(feed);
        let sent = write_some(stream, &bytes[..bytes.len().min(most - written)], writable)?;
        membership.lane.sent(feed, sent);
        written += sent;
    }
    Ok(written)
}
