//! All connections: the slab, the work lists with the marks that say which connection is on them, the deadlines, and the
//! budget of all buffers.
//!
//! ```text
//! enqueue ─▶ ready ─────────▶ a turn for input        touch ─▶ touched ─▶ a look at its state, at the end of the turn
//!             │  ▲                                    bury  ─▶ dead ────▶ freed
//!        hold │  │ release                            set_deadline ─▶ heap ─▶ next_due
//!             ▼  │
//!            held   (and `handshakes`: a few of them each turn)
//! ```
//!
//! A connection is on at most one of `ready`, `handshakes` and `held`, and at most once on each of the other lists. A mark
//! in the connection says so, and only this file changes marks and lists.

use super::slab::Slab;
use super::timers::{Timer, Timers};
use super::{Connection, Protocol};
use crate::id::{ConnId, FeedId};
use crate::net::Stream;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The lists that a connection is on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::conn) struct Marks {
    /// On `ready`, `handshakes` or `held`.
    is_queued: bool,
    is_touched: bool,
    pub is_dead: bool,
}

impl Marks {
    pub fn is_queued(self) -> bool {
        self.is_queued
    }

    pub fn is_listed(self) -> bool {
        self.is_queued || self.is_touched
    }
}

/// All connections, accepted ones and our own.
pub struct Connections<S> {
    slab: Slab<Connection<S>>,
    /// Connections that were accepted; upstreams are not among them.
    accepted: usize,
    timers: Timers,
    /// Connections with something to do, first come first served.
    ready: VecDeque<ConnId>,
    /// Ready connections in a TLS handshake, of which only a few are served in one turn.
    handshakes: VecDeque<ConnId>,
    /// Ready connections that are not read until something has been done.
    held: HashMap<FeedId, VecDeque<ConnId>>,
    touched: VecDeque<ConnId>,
    dead: Vec<ConnId>,
    /// Bytes booked by all connections.
    booked: usize,
}

impl<S: Stream> Connections<S> {
    /// A table without connections, whose time starts now.
    pub fn new(now: Instant) -> Connections<S> {
        Connections {
            slab: Slab::default(),
            accepted: 0,
            timers: Timers::new(now),
            ready: VecDeque::new(),
            handshakes: VecDeque::new(),
            held: HashMap::new(),
            touched: VecDeque::new(),
            dead: Vec::new(),
            booked: 0,
        }
    }

    /// Takes a connection in, with its first deadline.
    pub fn insert(&mut self, conn: Connection<S>, deadline: Instant) -> ConnId {
        self.accepted += usize::from(!matches!(conn.protocol, Protocol::Upstream(_)));
        let id = self.slab.insert(conn);
        self.set_deadline(id, deadline);
        id
    }

    /// The connection of this id, if it is still there.
    #[inline]
    pub fn get(&self, id: ConnId) -> Option<&Connection<S>> {
        self.slab.get(id)
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection<S>> {
        self.slab.get_mut(id)
    }

    /// The connection of this id, unless it is to be freed.
    #[inline]
    pub fn living(&mut self, id: ConnId) -> Option<&mut Connection<S>> {
        self.slab.get_mut(id).filter(|conn| !conn.marks.is_dead)
    }

    /// All of them, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection<S>)> {
        self.slab.iter()
    }

    /// The ids of all.
    pub fn ids(&self) -> Vec<ConnId> {
        self.slab.iter().map(|(id, _)| id).collect()
    }

    /// Connections in the table.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Connections that were accepted and are not freed.
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// Puts a connection at the back of the ready queue, if it is not queued.
    #[inline]
    pub fn enqueue(&mut self, id: ConnId) {
        if let Some(conn) = self.slab.get_mut(id)
            && !conn.marks.is_queued
        {
            conn.marks.is_queued = true;
            self.ready.push_back(id);
        }
    }

    /// Length of the ready queue.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// The front of the ready queue.
    pub fn peek_ready(&self) -> Option<ConnId> {
        self.ready.front().copied()
    }

    /// Takes the front of the ready queue.
    pub fn next_ready(&mut self) -> Option<ConnId> {
        let id = self.ready.pop_front()?;
        if let Some(conn) = self.slab.get_mut(id) {
            conn.marks.is_queued = false;
        }
        Some(id)
    }

    /// Keeps a connection that was taken from the ready queue for one of this turn's handshakes.
    pub fn keep_for_handshake(&mut self, id: ConnId) {
        if self.mark_queued(id) {
            self.handshakes.push_back(id);
        }
    }

    /// Takes the handshake that waits longest.
    pub fn next_handshake(&mut self) -> Option<ConnId> {
        let id = self.handshakes.pop_front()?;
        if let Some(conn) = self.slab.get_mut(id) {
            conn.marks.is_queued = false;
        }
        Some(id)
    }

    /// Handshakes that wait.
    pub fn handshakes(&self) -> usize {
        self.handshakes.len()
    }

    /// Lets a connection that was taken from the ready queue wait, unread, until `release` of the same key.
    pub fn hold(&mut self, id: ConnId, until: FeedId) {
        if self.mark_queued(id) {
            self.held.entry(until).or_default().push_back(id);
        }
    }

    /// Connections that were held come before all that are ready, in their order: else a busy sender would be served
    /// again before them.
    pub fn release(&mut self, until: FeedId) {
        let Some(held) = self.held.remove(&until) else { return };
        held.into_iter().rev().for_each(|id| self.ready.push_front(id));
    }

    /// Whether a connection is held under this key.
    pub fn is_holding(&self, until: FeedId) -> bool {
        self.held.contains_key(&until)
    }

    fn mark_queued(&mut self, id: ConnId) -> bool {
        let conn = self.slab.get_mut(id).filter(|conn| !conn.marks.is_queued);
        conn.map(|conn| conn.marks.is_queued = true).is_some()
    }

    /// Has the state of a connection looked at before the turn ends, once: output was written for it outside its own
    /// slice, or a response is complete and the next pipelined request may be parsed. No edge will say so.
    #[inline]
    pub fn touch(&mut self, id: ConnId) {
        if let Some(conn) = self.slab.get_mut(id)
            && !conn.marks.is_touched
        {
            conn.marks.is_touched = true;
            self.touched.push_back(id);
        }
    }

    /// Takes the next connection to look at.
    pub fn next_touched(&mut self) -> Option<ConnId> {
        let id = self.touched.pop_front()?;
        if let Some(conn) = self.slab.get_mut(id) {
            conn.marks.is_touched = false;
        }
        Some(id)
    }

    /// Marks a connection to be freed; it is served and written to no more.
    pub fn bury(&mut self, id: ConnId) {
        if let Some(conn) = self.slab.get_mut(id).filter(|conn| !conn.marks.is_dead) {
            conn.marks.is_dead = true;
            self.dead.push(id);
        }
    }

    /// Takes the next dead connection out of the table.
    pub fn next_dead(&mut self) -> Option<(ConnId, Connection<S>)> {
        while let Some(id) = self.dead.pop() {
            if let Some(conn) = self.remove(id) {
                return Some((id, conn));
            }
        }
        None
    }

    /// Takes a connection out at once.
    pub fn remove(&mut self, id: ConnId) -> Option<Connection<S>> {
        let conn = self.slab.remove(id)?;
        self.booked -= conn.booked as usize;
        self.accepted -= usize::from(!matches!(conn.protocol, Protocol::Upstream(_)));
        Some(conn)
    }

    /// Moves the deadline of a connection.
    #[inline]
    pub fn set_deadline(&mut self, id: ConnId, at: Instant) {
        if let Some(conn) = self.slab.get_mut(id) {
            self.timers.set(id, &mut conn.timer, at);
        }
    }

    /// The next connection whose deadline has passed.
    pub fn next_due(&mut self, now: Instant) -> Option<ConnId> {
        while let Some((id, at)) = self.timers.pop(now) {
            if let Some(conn) = self.slab.get_mut(id)
                && self.timers.fires(id, at, &mut conn.timer)
                && !conn.marks.is_dead
            {
                return Some(id);
            }
        }
        None
    }

    /// When the deadline of a connection passes; `None` if it has none.
    pub fn deadline(&self, conn: &Connection<S>) -> Option<Instant> {
        self.timers.due(&conn.timer)
    }

    /// Entries of the heap of deadlines.
    pub fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Drops deadlines of connections that are gone, when there are many.
    pub fn sweep(&mut self) {
        self.timers.sweep(self.slab.len(), |id| self.slab.get(id).map(|conn| conn.timer));
    }

    /// Books what a connection holds now; returns whether that is more than before.
    pub fn book(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.slab.get_mut(id).filter(|conn| !conn.marks.is_dead) else { return false };
        let (held, before) = (conn.held(), conn.booked as usize);
        conn.booked = u32::try_from(held).unwrap_or(u32::MAX);
        self.booked = self.booked - before + conn.booked as usize;
        held > before
    }

    /// Bytes booked by all connections.
    pub fn booked(&self) -> usize {
        self.booked
    }

    /// How long to wait for more: not at all while a list has a connection.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let is_idle =
            self.ready.is_empty() && self.handshakes.is_empty() && self.touched.is_empty() && self.dead.is_empty();
        if is_idle { self.timers.next_in(now) } else { Some(Duration::ZERO) }
    }

    /// Whether a dead connection waits to be freed.
    pub fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    /// Checks that every mark stands for one place on its list, and that the sums agree with the connections.
    ///
    /// # Errors
    /// A sentence about the first thing that does not hold.
    pub fn audit(&self) -> Result<(), String> {
        let queued = count(self.ready.iter().chain(&self.handshakes).chain(self.held.values().flatten()));
        let (touched, dead) = (count(&self.touched), count(&self.dead));
        for (id, Connection { marks, .. }) in self.slab.iter() {
            for (name, list, mark) in [
                ("queued", &queued, marks.is_queued),
                ("touched", &touched, marks.is_touched),
                ("dead", &dead, marks.is_dead),
            ] {
                let times = list.get(&id).copied().unwrap_or_default();
                if times != usize::from(mark) {
                    return Err(format!("{id:?} is marked {name}: {mark}, and on the list {times} times"));
                }
            }
        }
        let accepted = self.slab.iter().filter(|(_, conn)| !matches!(conn.protocol, Protocol::Upstream(_))).count();
        if accepted != self.accepted {
            return Err(format!("{accepted} connections were accepted, {} are counted", self.accepted));
        }
        let booked: usize = self.slab.iter().map(|(_, conn)| conn.booked as usize).sum();
        if booked != self.booked {
            return Err(format!("{booked} bytes are booked, {} are counted", self.booked));
        }
        let living = self.slab.iter().filter(|(_, conn)| !conn.marks.is_dead);
        match self.timers.unarmed(living.map(|(id, conn): (_, &Connection<S>)| (id, &conn.timer as &Timer))) {
            Some(id) => Err(format!("{id:?} lives and has no deadline")),
            None => Ok(()),
        }
    }
}

fn count<'a>(ids: impl IntoIterator<Item = &'a ConnId>) -> HashMap<ConnId, usize> {
    let mut times = HashMap::new();
    for &id in ids {
        *times.entry(id).or_default() += 1;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::super::http::{Http, Service};
    use super::*;
    use crate::net::wire::Wire;

    fn table() -> (Connections<Wire>, ConnId) {
        let now = Instant::now();
        let mut conns = Connections::new(now);
        let id = conns.insert(Connection::new(None, Protocol::Http(Http::new(Service::Site))), now);
        (conns, id)
    }

    fn marks(conns: &mut Connections<Wire>, id: ConnId) -> &mut Marks {
        &mut conns.get_mut(id).expect("it is there").marks
    }

    #[test]
    fn a_connection_is_on_each_list_once() {
        let (mut conns, id) = table();
        for _ in 0..3 {
            conns.enqueue(id);
            conns.touch(id);
            conns.bury(id);
        }
        assert_eq!((conns.ready(), conns.audit()), (1, Ok(())));
        assert_eq!((conns.next_ready(), conns.next_ready()), (Some(id), None));
        assert_eq!((conns.next_touched(), conns.next_touched()), (Some(id), None));
        assert_eq!(conns.next_dead().map(|(dead, _)| dead), Some(id));
        assert!(conns.next_dead().is_none() && conns.is_empty() && conns.accepted() == 0);
    }

    #[test]
    fn held_connections_come_first_in_their_order() {
        let (mut conns, first) = table();
        let now = Instant::now();
        let mut more = || conns.insert(Connection::new(None, Protocol::Http(Http::new(Service::Site))), now);
        let (second, third) = (more(), more());
        conns.hold(first, FeedId(7));
        conns.hold(second, FeedId(7));
        conns.enqueue(third);
        conns.enqueue(first);
        assert_eq!((conns.ready(), conns.is_holding(FeedId(7)), conns.audit()), (1, true, Ok(())));
        conns.release(FeedId(7));
        let order = [conns.next_ready(), conns.next_ready(), conns.next_ready(), conns.next_ready()];
        assert_eq!(order, [Some(first), Some(second), Some(third), None]);
    }

    #[test]
    fn a_mark_or_a_sum_that_is_wrong_is_found() {
        type Spoil = fn(&mut Connections<Wire>, ConnId);
        let all: [(Spoil, &str); 6] = [
            (|conns, id| marks(conns, id).is_queued = true, "is marked queued: true, and on the list 0 times"),
            (|conns, id| conns.ready.push_back(id), "is marked queued: false, and on the list 1 times"),
            (|conns, id| marks(conns, id).is_dead = true, "is marked dead: true, and on the list 0 times"),
            (|conns, _| conns.accepted += 1, "1 connections were accepted, 2 are counted"),
            (|conns, _| conns.booked += 1, "0 bytes are booked, 1 are counted"),
            (|conns, id| conns.get_mut(id).expect("it is there").timer = Timer::default(), "lives and has no deadline"),
        ];
        for (spoil, why) in all {
            let (mut conns, id) = table();
            assert_eq!(conns.audit(), Ok(()));
            spoil(&mut conns, id);
            let said = conns.audit().expect_err(why);
            assert!(said.contains(why), "{said}, instead of: {why}");
        }
    }
}
