//! The rooms: their feeds, the members that read them, and the flush at the end of the turn.
//!
//! A room is made at the first join and dropped with its last member. It has a feed of the same messages for each
//! encoding. Publishing appends one frame to each that has readers and touches no member. The flush then writes to each
//! writable member, in member order, the bytes from its cursor on: to the end of the feed, unless that is more than two
//! rounds may say. A member that is still behind goes on by itself, a slice a turn.
//!
//! The flush has a budget for each turn: a large room is flushed in several turns, and rooms take turns. It begins with
//! the first member and goes round. What is published meanwhile makes it go round once more, and a member that it reaches
//! late gets all of that in one write.
//!
//! Between two visits to the first member a room may publish about `said_bytes_max` bytes. Then its members are held: they
//! are not read until the flush comes to the first member again, and then they are read before all others.

use crate::config::Limits;
use crate::conn::encoding::Encoding;
use crate::conn::table::Connections;
use crate::conn::{Connection, Subscription};
use crate::feed::Feed;
use crate::feed::lane::Lane;
use crate::id::{ConnId, FeedId};
use crate::net::{Stream, write_some};
use std::collections::{HashMap, VecDeque};
use std::io;

/// Bytes that a write counts as besides those in it: it takes about as much time.
const WRITE_COST: usize = 4 << 10;

/// All rooms that have members.
#[derive(Default)]
pub struct Rooms {
    rooms: HashMap<FeedId, Room>,
    /// Rooms with something new for members that have not been visited since.
    dirty: VecDeque<FeedId>,
    /// Members found to lag too far, since the start.
    cut: u64,
}

#[derive(Default)]
struct Room {
    /// By the number of their encoding.
    feeds: [Feed; Encoding::ALL.len()],
    members: Vec<ConnId>,
    /// Index of the member that the flush visits next.
    next: usize,
    /// Members that this round of the flush has still to visit.
    left: usize,
    /// Bytes said since the flush came to the first member.
    said: usize,
}

/// One member's outcome of a visit by the flush.
enum Visit {
    Done,
    /// It would take more than a visit gives.
    More,
    /// Its socket has failed.
    Failed,
}

impl Room {
    fn feed(&self, encoding: Encoding) -> &Feed {
        &self.feeds[encoding as usize]
    }

    fn feed_mut(&mut self, encoding: Encoding) -> &mut Feed {
        &mut self.feeds[encoding as usize]
    }

    /// Whether the flush that is under way still comes to the member with this index.
    fn is_to_visit(&self, index: u32) -> bool {
        let (count, visited) = (self.members.len(), self.members.len() - self.left);
        self.left > 0 && (self.next + count - 1 - index as usize) % count >= visited
    }

    /// The index of the member that is visited now; the first one comes behind the last.
    fn next_index(&mut self) -> usize {
        let index = if self.next < self.members.len() { self.next } else { 0 };
        (self.next, self.left) = (index + 1, self.left - 1);
        index
    }

    /// Indices have changed, so a flush that is under way may not know which members it has visited.
    fn go_round_again(&mut self) {
        if self.left > 0 {
            self.left = self.members.len();
        }
    }
}

impl Rooms {
    /// Members of all rooms.
    pub fn members(&self) -> usize {
        self.rooms.values().map(|room| room.members.len()).sum()
    }

    /// Bytes that the feeds hold for members that have not got them yet.
    pub fn held(&self) -> usize {
        self.rooms.values().flat_map(|room| &room.feeds).map(Feed::held).sum()
    }

    /// Members found to lag too far, since the start.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Whether a flush has something to do.
    pub fn are_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The feed that a member reads.
    pub fn feed_of(&self, member: &Subscription) -> Option<&Feed> {
        self.rooms.get(&member.feed).map(|room| room.feed(member.encoding))
    }

    /// Whether the flush that is under way still comes to this member.
    pub fn comes_to(&self, member: &Subscription) -> bool {
        self.rooms.get(&member.feed).is_some_and(|room| room.is_to_visit(member.index))
    }

    /// Makes the connection a reader of the feed, from here on.
    pub fn join<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, feed: FeedId, encoding: Encoding) {
        let Some(conn) = conns.get_mut(id) else { return };
        let room = self.rooms.entry(feed).or_default();
        let index = room.members.len() as u32;
        room.members.push(id);
        room.go_round_again();
        let lane = Lane::new(room.feed_mut(encoding).join());
        conn.subscription = Some(Subscription { feed, encoding, index, lane });
    }

    /// The connection stops being a reader. What was said before still goes out, as far as the socket takes it, and in
    /// any case the rest of a frame that is under way. Returns the number of bytes that are dropped.
    pub fn leave<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId) -> u64 {
        if conns.get(id).is_none_or(|conn| conn.subscription.is_none()) {
            return 0;
        }
        // Without a budget: it happens once, and the lag has a limit.
        self.write_to(conns, id, usize::MAX);
        let Some(conn) = conns.get_mut(id) else { return 0 };
        let Some(member) = conn.subscription.take() else { return 0 };
        let mut dropped = 0;
        if let Some(room) = self.rooms.get_mut(&member.feed) {
            let feed = room.feed_mut(member.encoding);
            let behind = member.lane.behind(feed);
            let rest = member.lane.cut(feed);
            dropped = behind - rest.len() as u64;
            conn.outbox.push(&rest);
        }
        self.vacate(conns, member.feed, member.index);
        dropped
    }

    /// The member is gone with its socket.
    pub fn forget<S: Stream>(&mut self, conns: &mut Connections<S>, member: Subscription) {
        if let Some(room) = self.rooms.get_mut(&member.feed) {
            member.lane.leave(room.feed_mut(member.encoding));
        }
        self.vacate(conns, member.feed, member.index);
    }

    fn vacate<S: Stream>(&mut self, conns: &mut Connections<S>, feed: FeedId, index: u32) {
        let Some(room) = self.rooms.get_mut(&feed) else { return };
        room.members.swap_remove(index as usize);
        if let Some(&moved) = room.members.get(index as usize)
            && let Some(conn) = conns.get_mut(moved)
            && let Some(member) = &mut conn.subscription
        {
            member.index = index;
        }
        room.go_round_again();
        if room.members.is_empty() {
            self.rooms.remove(&feed);
            conns.release(feed);
        }
    }

    /// Appends one frame to each feed of the room that has readers. They get it at the end of the turn. `said` is its
    /// length in bytes before it was encoded.
    pub fn publish(&mut self, id: FeedId, said: usize, mut encode: impl FnMut(Encoding, &mut Vec<u8>)) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        for encoding in Encoding::ALL {
            room.feed_mut(encoding).append(|out| encode(encoding, out));
        }
        room.said += said;
        if room.left == 0 {
            room.next = 0;
            self.dirty.push_back(id);
        }
        room.left = room.members.len();
    }

    /// The room of this connection, if enough has been said there for now.
    pub fn busy_room<S>(&self, conn: &Connection<S>, limits: &Limits) -> Option<FeedId> {
        // Nearly always no room is dirty while a connection is served, and nothing is looked up.
        let member = conn.subscription.as_ref().filter(|_| self.are_dirty())?;
        // A peer whose input has ended can say nothing more, since the socket is only read when all whole messages are
        // handled. Its end does not wait.
        let is_busy = !conn.input.has_ended() && self.rooms.get(&member.feed)?.said >= limits.said_bytes_max;
        is_busy.then_some(member.feed)
    }

    /// Writes everything new to every member that can take it, within the budget of a turn. Returns the members that lag
    /// too far.
    pub fn flush<S: Stream>(&mut self, conns: &mut Connections<S>, limits: &Limits) -> Vec<ConnId> {
        // What two rounds say goes out in one visit.
        let (mut budget, most) = (limits.flush_bytes_max, limits.said_bytes_max.saturating_mul(2));
        let mut laggards = Vec::new();
        for _ in 0..self.dirty.len() {
            if budget == 0 {
                break;
            }
            // When the budget is used up, the room whose turn has not come is the first in the next flush.
            let Some(id) = self.dirty.pop_front() else { break };
            let Some(room) = self.rooms.get_mut(&id) else { continue };
            let mut came_round = false;
            while room.left > 0 && budget > 0 {
                let index = room.next_index();
                came_round |= index == 0;
                visit(conns, room, index, most, &mut budget);
            }
            if came_round {
                room.said = 0;
                conns.release(id);
            }
            if room.left > 0 {
                self.dirty.push_back(id);
            }
            // A room without laggards never searches for them, and others do once or twice a round.
            let may_lag = room.feeds.iter().any(|feed| feed.span() > limits.feed_bytes_max() as u64);
            if may_lag && (came_round || room.left == 0) {
                laggards.extend(self.laggards(conns, id, limits));
            }
        }
        self.cut += laggards.len() as u64;
        laggards
    }

    /// Sends what the room has for one member whose socket may have become writable. Returns whether it lags too far.
    pub fn flush_member<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, limits: &Limits) -> bool {
        let Some(member) = conns.get(id).and_then(|conn| conn.subscription.as_ref()) else { return false };
        // With news for all, it is flushed in member order at the end of the turn. Flushed first, a sender would send
        // its next message early, and that would wait for the whole pass (measured: 1.6 times the median delay).
        if self.comes_to(member) {
            return false;
        }
        if self.write_to(conns, id, limits.slice_bytes_max) >= limits.slice_bytes_max {
            conns.enqueue(id);
            return false;
        }
        let is_late = self.is_late(conns, id, limits);
        self.cut += u64::from(is_late);
        is_late
    }

    /// Returns the bytes of the room that were written; it may have more, if these are `most`.
    fn write_to<S: Stream>(&mut self, conns: &mut Connections<S>, id: ConnId, most: usize) -> usize {
        let Some(conn) = conns.living(id).filter(|conn| conn.writable) else { return 0 };
        let room = conn.subscription.as_ref().and_then(|member| self.rooms.get_mut(&member.feed));
        let Some(room) = room else { return 0 };
        flush_lane(conn, room, most).unwrap_or_else(|_| {
            conns.bury(id);
            0
        })
    }

    /// Whether a member is further behind its room than it may be.
    fn is_late<S: Stream>(&self, conns: &Connections<S>, id: ConnId, limits: &Limits) -> bool {
        let member = conns.get(id).and_then(|conn| conn.subscription.as_ref());
        let behind = member.and_then(|member| Some(member.lane.behind(self.feed_of(member)?)));
        behind.is_some_and(|behind| behind > limits.feed_bytes_max() as u64)
    }

    /// Members that lag too far. One that would take more has only not been visited yet, or waits for its next slice.
    fn laggards<S: Stream>(&self, conns: &Connections<S>, feed: FeedId, limits: &Limits) -> Vec<ConnId> {
        let Some(room) = self.rooms.get(&feed) else { return Vec::new() };
        let would_take_more = |conn: &Connection<_>| conn.writable && (room.left > 0 || conn.is_queued());
        let is_stuck = |id| conns.get(id).is_some_and(|conn| !would_take_more(conn));
        room.members.iter().copied().filter(|&id| is_stuck(id) && self.is_late(conns, id, limits)).collect()
    }

    /// Checks that members and connections name each other, and that a flush comes to every room with something to do.
    ///
    /// # Errors
    /// A sentence about the first thing that does not hold.
    pub fn audit<S: Stream>(&self, conns: &Connections<S>) -> Result<(), String> {
        for (&id, room) in &self.rooms {
            let has_more = room.left > 0 || room.said > 0 || conns.is_holding(id);
            if has_more && !self.dirty.contains(&id) {
                return Err(format!("{id:?} has something to do, and no flush will come to it"));
            }
            let readers: usize = room.feeds.iter().map(Feed::readers).sum();
            let members = room.members.len();
            if members == 0 || readers != members {
                return Err(format!("{id:?} has {readers} cursors for {members} members"));
            }
            for (index, &member) in room.members.iter().enumerate() {
                let subscription = conns.get(member).and_then(|conn| conn.subscription.as_ref());
                if subscription.is_none_or(|s| s.feed != id || s.index as usize != index) {
                    return Err(format!("{id:?} lists {member:?} at {index}, where it is not"));
                }
            }
        }
        let subscribed = conns.iter().filter(|(_, conn)| conn.subscription.is_some()).count();
        if subscribed != self.members() {
            return Err(format!("{subscribed} are in a room, {} are listed", self.members()));
        }
        Ok(())
    }
}

/// The flush writes to one member.
fn visit<S: Stream>(conns: &mut Connections<S>, room: &mut Room, index: usize, most: usize, budget: &mut usize) {
    let id = room.members[index];
    let Some(conn) = conns.get_mut(id) else { return };
    let visit = match conn.writable && !conn.is_dead() {
        false => Visit::Done,
        true => match flush_lane(conn, room, most) {
            Ok(0) => Visit::Done,
            Ok(written) => {
                log::trace!("{id:?} is written {written} bytes of its room");
                *budget = budget.saturating_sub(written + WRITE_COST);
                if written >= most { Visit::More } else { Visit::Done }
            }
            Err(_) => Visit::Failed,
        },
    };
    // No edge comes when everything was taken. A ping that waited for this flush is answered behind it, a member that was
    // above high water may be read again, and one with more to be sent than a slice goes on.
    let held_back = (conn.has_input() || conn.has_output()) && !conn.is_queued();
    let owes_pong = conn.ws().is_some_and(|ws| ws.ping.is_some());
    match visit {
        Visit::Done if !held_back && !owes_pong => {}
        Visit::Done => conns.touch(id),
        Visit::More => conns.enqueue(id),
        Visit::Failed => conns.bury(id),
    }
}

/// Writes until the member has everything, its socket is full, or `most` bytes are gone; one write where the feed's bytes
/// are contiguous. Returns the bytes of the feed that were written.
fn flush_lane<S: Stream>(conn: &mut Connection<S>, room: &mut Room, most: usize) -> io::Result<usize> {
    let mut written = 0;
    if !conn.is_flushed() {
        conn.flush(most)?;
    }
    let Connection { stream: Some(stream), writable, outbox, subscription: Some(member), .. } = conn else {
        return Ok(0);
    };
    let feed = room.feed_mut(member.encoding);
    while *writable && outbox.is_empty() && written < most && !member.lane.is_at_end(feed) {
        let bytes = member.lane.next(feed);
        let sent = write_some(stream, &bytes[..bytes.len().min(most - written)], writable)?;
        member.lane.sent(feed, sent);
        written += sent;
    }
    Ok(written)
}
