//! Everything that serves the application, without the application: what it cannot reach, it cannot call. So applying an
//! effect, settling a connection or a failure on the way never raises an event; what has to be told goes into the inbox.

use super::access::AccessLog;
use super::clock::Clock;
use super::codecs::Codecs;
use super::history::History;
use super::output::Output;
use super::results::{FromThread, Sender};
use super::rooms::Rooms;
use crate::client::{Client, Cx};
use crate::config::Limits;
use crate::conn::table::Connections;
use crate::conn::{Connection, Protocol};
use crate::event::{Blocking, Event, Finished, Inbox};
use crate::id::{ConnId, FeedId};
use crate::net::Network;
use crate::store::memory::Memory;
use crate::store::tags::Tags;
use crate::workers::jobs::Jobs;
use crate::workers::names::Names;
use std::collections::VecDeque;
use std::time::Instant;

/// Connections, rooms, fetches and threads, and what effects do to them (`apply.rs`, `settle.rs`).
pub(super) struct Engine<N: Network> {
    pub network: N,
    pub limits: Limits,
    pub conns: Connections<N::Stream>,
    pub output: Output,
    pub rooms: Rooms,
    pub client: Client<N::Stream>,
    /// Files; work that takes the time of a disk.
    pub jobs: Jobs<(ConnId, Finished)>,
    /// Work that will block the loop, at most one piece for each connection.
    pub blocking: VecDeque<(ConnId, Blocking)>,
    /// What the application has to be told.
    pub inbox: Inbox,
    pub history: History,
    /// When the application wants to be woken, about no connection.
    pub alarm: Option<Instant>,
    pub codecs: Codecs,
    pub clock: Clock,
    pub log: AccessLog,
    pub life: Life,
}

/// How far the server is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Serving,
    /// Stopped accepting; what is under way may be finished until then.
    Draining(Instant),
    /// The drain took too long; the last responses may get out until then.
    LastWords(Instant),
    /// The application has quit, or the drain is over.
    Over,
}

impl<N: Network> Engine<N> {
    /// An engine without connections. Its threads hand over to `sender`.
    pub fn new(network: N, limits: Limits, sender: &Sender, now: Instant) -> Engine<N> {
        let (of_jobs, of_names) = (sender.clone(), sender.clone());
        let names = Names::new(&limits, move |resolved| of_names.send(FromThread::Name(resolved)));
        let hand_over = move |(id, finished)| of_jobs.send(FromThread::Job(id, finished));
        Engine {
            network,
            conns: Connections::new(now),
            output: Output::default(),
            rooms: Rooms::default(),
            client: Client::new(names),
            jobs: Jobs::new(limits.job_threads, limits.jobs_waiting_max, hand_over),
            blocking: VecDeque::new(),
            inbox: Inbox::new(),
            history: History::new(Box::new(Memory::new(&limits, Tags::from_system()))),
            alarm: None,
            codecs: Codecs::new(&limits),
            clock: Clock::new(now),
            log: AccessLog::default(),
            life: Life::Serving,
            limits,
        }
    }

    /// The client, where it may connect, and what it touches besides.
    pub fn outbound(&mut self) -> (&mut Client<N::Stream>, &mut N, Cx<'_, N::Stream>) {
        let Engine { client, network, conns, inbox, limits, clock, .. } = self;
        (client, network, Cx { conns, inbox, limits, now: clock.now })
    }

    /// Takes the next step of dialling, if this is a connection of ours that is not there yet.
    pub fn advance_dialling(&mut self, id: ConnId) {
        if matches!(self.conns.get(id).map(|conn| &conn.protocol), Some(Protocol::Upstream(_))) {
            let (client, network, mut cx) = self.outbound();
            client.advance(&mut cx, network, id);
        }
    }

    /// The next event for the application.
    pub fn next_event(&mut self) -> Option<(ConnId, Event)> {
        self.inbox.pop_front().or_else(|| {
            let (id, outcome) = self.history.take(&mut self.conns, &self.limits)?;
            Some((id, Event::Stored(outcome)))
        })
    }

    /// What keeps a member from being read: enough was said in its room, or too much waits for the store.
    pub fn busy(&self, conn: &Connection<N::Stream>) -> Option<FeedId> {
        self.rooms.busy_room(conn, &self.limits).or_else(|| self.history.busy(conn, &self.limits))
    }

    /// Takes the next work that will block the loop. What waits for it may be gone meanwhile, or have a response.
    pub fn next_blocking(&mut self) -> Option<(ConnId, Blocking)> {
        while let Some((id, work)) = self.blocking.pop_front() {
            if self.conns.living(id).and_then(Connection::http).is_some_and(|http| http.awaits_response()) {
                return Some((id, work));
            }
        }
        None
    }

    /// Whether the next turn has something to do that no event and no deadline of a connection announces.
    pub fn has_work(&self) -> bool {
        self.rooms.are_dirty() || !self.blocking.is_empty() || self.history.has_more()
    }

    /// Whether the loop has come to its end: the application has quit, or the drain is complete.
    pub fn is_over(&self) -> bool {
        match self.life {
            Life::Serving => false,
            Life::Draining(_) | Life::LastWords(_) => self.conns.is_empty(),
            Life::Over => true,
        }
    }
}
