//! All connections: their slots, the work lists with the marks that say which connection is on them, the deadlines, and
//! the budget of all buffers.
//!
//! A look-up with a [`ConnId`] returns `None` once that connection is gone, also when its slot has a new one. So an event
//! of the kernel, a timer, a job's result or a room's member list may keep the id of a connection that is gone.
//!
//! ```text
//! enqueue ─▶ ready ─────────▶ a turn for input        touch ─▶ touched ─▶ a look at its state, at the end of the turn
//!             │  ▲                                    bury  ─▶ dead ────▶ freed
//!        hold │  │ release                            set_deadline ─▶ heap ─▶ next_due
//!             ▼  │
//!          on_hold  (and `handshakes`: a few of them each turn)
//! ```
//!
//! A connection is on at most one of `ready`, `handshakes` and `on_hold`, and at most once on each of the other lists. A mark
//! in the connection says so, and only this file changes marks and lists.

use super::timers::{Timer, Timers};
use super::{Connection, Protocol};
use crate::id::{ConnId, FeedId};
use crate::net::{Ready, Stream};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The lists that a connection is on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::conn) struct Marks {
    /// On `ready`, `handshakes` or `on_hold`.
    pub is_queued: bool,
    pub is_touched: bool,
    pub is_dead: bool,
}

/// A connection, and the generation that its id must have.
struct Slot<S> {
    generation: u32,
    conn: Connection<S>,
}

/// All connections, accepted ones and our own.
pub struct Connections<S> {
    slots: slab::Slab<Slot<S>>,
    /// The generation given last: no id is valid for a later tenant of its slot, until 2³² tenants later.
    generation: u32,
    /// Connections that were accepted; upstreams are not among them.
    accepted: usize,
    timers: Timers,
    /// Connections with something to do, first come first served.
    ready: VecDeque<ConnId>,
    /// Ready connections in a TLS handshake, of which only a few are served in one turn.
    handshakes: VecDeque<ConnId>,
    /// Ready connections that are not read until something has been done.
    on_hold: HashMap<FeedId, VecDeque<ConnId>>,
    touched: VecDeque<ConnId>,
    dead: Vec<ConnId>,
    /// Bytes booked by all connections.
    booked: usize,
}

impl<S: Stream> Connections<S> {
    /// A table without connections, whose time starts now.
    pub fn new(now: Instant) -> Connections<S> {
        Connections {
            slots: slab::Slab::new(),
            generation: 0,
            accepted: 0,
            timers: Timers::new(now),
            ready: VecDeque::new(),
            handshakes: VecDeque::new(),
            on_hold: HashMap::new(),
            touched: VecDeque::new(),
            dead: Vec::new(),
            booked: 0,
        }
    }

    /// Takes a connection in, with its first deadline.
    pub fn insert(&mut self, conn: Connection<S>, deadline: Instant) -> ConnId {
        self.accepted += usize::from(!matches!(conn.protocol, Protocol::Upstream(_)));
        // Generation 0 is skipped: it marks names outside the table.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        let generation = self.generation;
        let id = ConnId::new(self.slots.insert(Slot { generation, conn }), generation);
        self.set_deadline(id, deadline);
        id
    }

    /// The connection of this id, if it is still there.
    pub fn get(&self, id: ConnId) -> Option<&Connection<S>> {
        let slot = self.slots.get(id.slot as usize)?;
        (slot.generation == id.generation).then_some(&slot.conn)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection<S>> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        (slot.generation == id.generation).then_some(&mut slot.conn)
    }

    /// The connection of this id, unless it is to be freed.
    pub fn living(&mut self, id: ConnId) -> Option<&mut Connection<S>> {
        self.get_mut(id).filter(|conn| !conn.marks.is_dead)
    }

    /// All of them, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection<S>)> {
        self.slots.iter().map(|(slot, Slot { generation, conn })| (ConnId::new(slot, *generation), conn))
    }

    /// The ids of all.
    pub fn ids(&self) -> Vec<ConnId> {
        self.iter().map(|(id, _)| id).collect()
    }

    /// Connections in the table.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Connections that were accepted and are not freed.
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// Notes what the kernel said of a connection, and gives it a turn for its input.
    pub fn note(&mut self, id: ConnId, ready: Ready) {
        let Some(conn) = self.get_mut(id) else { return };
        conn.note(ready);
        if !std::mem::replace(&mut conn.marks.is_queued, true) {
            self.ready.push_back(id);
        }
    }

    /// Puts a connection at the back of the ready queue, if it is not queued.
    pub fn enqueue(&mut self, id: ConnId) {
        if self.mark_queued(id) {
            self.ready.push_back(id);
        }
    }

    /// Length of the ready queue.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Puts a connection that was taken from the ready queue back to its front.
    pub fn put_back(&mut self, id: ConnId) {
        if self.mark_queued(id) {
            self.ready.push_front(id);
        }
    }

    /// Takes the front of the ready queue.
    pub fn next_ready(&mut self) -> Option<ConnId> {
        let id = self.ready.pop_front()?;
        if let Some(conn) = self.get_mut(id) {
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
        if let Some(conn) = self.get_mut(id) {
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
            self.on_hold.entry(until).or_default().push_back(id);
        }
    }

    /// Connections that were held come before all that are ready, in their order: else a busy sender would be served
    /// again before them.
    pub fn release(&mut self, until: FeedId) {
        let Some(waiting) = self.on_hold.remove(&until) else { return };
        waiting.into_iter().rev().for_each(|id| self.ready.push_front(id));
    }

    /// Whether a connection is held under this key.
    pub fn is_holding(&self, until: FeedId) -> bool {
        self.on_hold.contains_key(&until)
    }

    fn mark_queued(&mut self, id: ConnId) -> bool {
        self.get_mut(id).is_some_and(|conn| !std::mem::replace(&mut conn.marks.is_queued, true))
    }

    /// Has the state of a connection looked at before the turn ends, once: output was written for it outside its own
    /// slice, or a response is complete and the next pipelined request may be parsed. No edge will say so.
    pub fn touch(&mut self, id: ConnId) {
        if let Some(conn) = self.get_mut(id)
            && !std::mem::replace(&mut conn.marks.is_touched, true)
        {
            self.touched.push_back(id);
        }
    }

    /// Takes the next connection to look at.
    pub fn next_touched(&mut self) -> Option<ConnId> {
        let id = self.touched.pop_front()?;
        if let Some(conn) = self.get_mut(id) {
            conn.marks.is_touched = false;
        }
        Some(id)
    }

    /// Marks a connection to be freed; it is served and written to no more.
    pub fn bury(&mut self, id: ConnId) {
        if let Some(conn) = self.get_mut(id).filter(|conn| !conn.marks.is_dead) {
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
        self.get(id)?;
        let Slot { conn, .. } = self.slots.remove(id.slot as usize);
        self.booked -= conn.booked as usize;
        self.accepted -= usize::from(!matches!(conn.protocol, Protocol::Upstream(_)));
        Some(conn)
    }

    /// Moves the deadline of a connection.
    pub fn set_deadline(&mut self, id: ConnId, at: Instant) {
        if let Some(slot) = self.slots.get_mut(id.slot as usize)
            && slot.generation == id.generation
        {
            self.timers.set(id, &mut slot.conn.timer, at);
        }
    }

    /// The next connection whose deadline has passed.
    pub fn next_due(&mut self, now: Instant) -> Option<ConnId> {
        while let Some((id, at)) = self.timers.pop(now) {
            if let Some(Slot { generation, conn }) = self.slots.get_mut(id.slot as usize)
                && *generation == id.generation
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
        let timer_of = |id: ConnId| {
            let slot = self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
            Some(slot.conn.timer)
        };
        self.timers.sweep(self.slots.len(), timer_of);
    }

    /// Books what a connection holds now; returns whether that is more than before.
    pub fn book(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.get_mut(id).filter(|conn| !conn.marks.is_dead) else { return false };
        let (held, before) = (conn.held(), conn.booked as usize);
        let booked = u32::try_from(held).unwrap_or(u32::MAX);
        conn.booked = booked;
        self.booked = self.booked - before + booked as usize;
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
        let queued = count(self.ready.iter().chain(&self.handshakes).chain(self.on_hold.values().flatten()));
        let (touched, dead) = (count(&self.touched), count(&self.dead));
        for (id, Connection { marks, .. }) in self.iter() {
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
        let accepted = self.iter().filter(|(_, conn)| !matches!(conn.protocol, Protocol::Upstream(_))).count();
        if accepted != self.accepted {
            return Err(format!("{accepted} connections were accepted, {} are counted", self.accepted));
        }
        let booked: usize = self.iter().map(|(_, conn)| conn.booked as usize).sum();
        if booked != self.booked {
            return Err(format!("{booked} bytes are booked, {} are counted", self.booked));
        }
        let living = self.iter().filter(|(_, conn)| !conn.marks.is_dead);
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
    use super::super::http::Http;
    use super::*;
    use crate::net::listeners::Service;
    use crate::net::wire::Wire;

    fn table() -> (Connections<Wire>, ConnId) {
        let now = Instant::now();
        let mut conns = Connections::new(now);
        let id = conns.insert(Connection::new(None, Protocol::Http(Http::new(Service::Site, None))), now);
        (conns, id)
    }

    fn marks(conns: &mut Connections<Wire>, id: ConnId) -> &mut Marks {
        &mut conns.get_mut(id).expect("it is there").marks
    }

    #[test]
    fn an_id_names_no_connection_once_its_own_is_gone() {
        let (mut conns, first) = table();
        assert!(conns.remove(first).is_some() && conns.get(first).is_none());
        let now = Instant::now();
        let second = conns.insert(Connection::new(None, Protocol::Http(Http::new(Service::Site, None))), now);
        assert_eq!(second.slot(), first.slot());
        assert!(conns.get(first).is_none() && conns.get_mut(first).is_none() && conns.get(second).is_some());
        assert!(conns.remove(first).is_none());
        assert_eq!(conns.len(), 1);
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
        let mut more = || conns.insert(Connection::new(None, Protocol::Http(Http::new(Service::Site, None))), now);
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
