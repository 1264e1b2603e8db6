//! The turn of the loop, and the only place that applies effects.
//!
//! ```text
//! wait ─▶ note readiness ─▶ accept ─▶ jobs ─▶ serve ─▶ timers ─▶ settle ─▶ reap ─▶ flush rooms ─▶ settle ─▶ wait …
//! ```
//!
//! Serving goes through those who are ready, batch by batch (`batch.rs`). The protocol of each finds events, within
//! budgets; an event goes to the application, whose effects are applied before the next one is looked for. Nothing is
//! freed inside: whoever is done is marked dead and reaped before the flush, so that its leave line goes out in the same
//! turn. The flush is one write per connection that somebody else wrote to and one per room member; what is long goes
//! out slice by slice, and a large room is flushed in several turns.
//! Who is in a TLS handshake is served behind the others, `handshakes_per_turn` of them.
//!
//! `turn` takes readiness as a list and time as an argument, so a test can play both. Only `run` touches the poll.

mod access;
mod apply;
mod audit;
mod batch;
mod blocking;
mod connects;
mod drain;
mod fetches;
pub mod https;
mod input;
mod output;
mod rooms;
mod run;
mod sessions;
pub mod stall;

pub use run::Loop;

use crate::clock::{Now, UnixTime};
use crate::config::Limits;
use crate::conn::http::Http;
use crate::conn::slab::Slab;
use crate::conn::timers::Timers;
use crate::conn::{Connection, Protocol};
use crate::event::{App, Effects, Event, Finished};
use crate::id::ConnId;
use crate::net::listeners::{Accepted, Acceptor};
use crate::net::{Network, Ready, Source, Stream};
use crate::reactor::stall::StallWatch;
use crate::workers::jobs::Jobs;
use crate::workers::line_log::LineLog;
use crate::workers::names::Names;
use crate::ws::deflate::Codec;
use batch::Served;
use fetches::Fetches;
use https::ToHttps;
use output::Date;
use rooms::Rooms;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The read buffer of the loop. A kept rest is at most one buffer, so it fits back where a batch begins; one that waits
/// for more is less than a head or a control frame, so there is room to read on.
const INBUF_BYTES: usize = 64 << 10;
/// The loop's own buffers give memory back when one large message has blown them up to more than this.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

/// The loop's state: everybody on it, and what is going on.
pub struct Server<N: Network, A: App> {
    network: N,
    app: A,
    limits: Limits,
    /// What a step of a protocol costs of a slice, as if it had made so many bytes.
    step_cost: usize,
    conns: Slab<Connection<N::Stream>>,
    acceptor: Acceptor,
    /// Connections that were accepted and are not gone; upstreams are not among them.
    inbound: usize,
    timers: Timers,
    /// Files; work that takes the time of a disk.
    jobs: Jobs<(ConnId, Finished)>,
    /// Names; they take the time of somebody else's server, and must not keep a file waiting.
    names: Names,
    jobs_ready: bool,
    rooms: Rooms,
    fetches: Fetches,
    /// Connections with something to do, in the order in which they came to it.
    ready: VecDeque<ConnId>,
    /// Of these, those in a TLS handshake that have found no room in this turn.
    handshakes: VecDeque<ConnId>,
    /// Connections that somebody else wrote to in this turn.
    touched: Vec<ConnId>,
    dead: Vec<ConnId>,
    inbuf: Vec<u8>,
    /// Those who are served together, in their order.
    batch: Vec<Served>,
    /// Answers to those of the batch that were served, one behind the other; sent when all of their part are.
    reply: Vec<u8>,
    /// Where in it the answers to the connection that is served begin.
    served_from: usize,
    effects: Effects,
    /// Compresses and inflates for everybody.
    codec: Codec,
    /// WebSockets that may keep windows of their own.
    windows: usize,
    serving: Option<ConnId>,
    date: Date,
    /// The clocks as this turn has read them.
    now: Instant,
    wall: UnixTime,
    stalls: StallWatch,
    /// Booked bytes of all connections; those of the feeds are added where it is compared.
    booked: usize,
    /// Until when what is under way may be finished.
    draining: Option<Instant>,
    /// That time is over, and the last words are being said.
    drain_overdue: bool,
    access_log: Option<LineLog>,
    /// With `--redirect-http`: the listener that only redirects.
    to_https: Option<ToHttps>,
    cut: u64,
    quit: bool,
}

/// What is there at the moment; a server at rest has zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Accepted connections that are not gone.
    pub connections: usize,
    /// Outbound fetches, queued ones included.
    pub fetches: usize,
    /// Outbound connections kept for the next fetch.
    pub kept: usize,
    /// Places taken by running fetches.
    pub fetches_running: usize,
    /// Threads whose look-up of a name hangs.
    pub names_stuck: usize,
    /// Readers of feeds.
    pub members: usize,
    /// Entries of the timer heap.
    pub timers: usize,
    /// Unfinished input and unsent output, bytes.
    pub booked: usize,
    /// Slow readers cut since the start.
    pub cut: u64,
}

impl<N: Network, A: App> Server<N, A> {
    /// A loop over `network` that runs `app`. `wake` ends the wait of whoever calls [`Server::turn`].
    ///
    /// # Panics
    /// If a limit for heads is not below the size of the read buffer, 64 KiB.
    pub fn new(network: N, app: A, limits: Limits, wake: Arc<dyn Fn() + Send + Sync>, now: Instant) -> Server<N, A> {
        let heads = limits.head_bytes_max.max(limits.upstream_head_bytes_max);
        assert!(heads < INBUF_BYTES, "a head must fit the read buffer");
        Server {
            acceptor: Acceptor::new(network.listeners()),
            codec: Codec::new(&limits),
            windows: 0,
            jobs: Jobs::new(limits.job_threads, limits.jobs_waiting_max, wake.clone()),
            names: Names::new(&limits, wake),
            network,
            app,
            step_cost: limits.slice_bytes_max.div_ceil(limits.slice_steps_max),
            limits,
            conns: Slab::default(),
            inbound: 0,
            timers: Timers::new(now),
            jobs_ready: false,
            rooms: Rooms::default(),
            fetches: Fetches::default(),
            ready: VecDeque::new(),
            handshakes: VecDeque::new(),
            touched: Vec::new(),
            dead: Vec::new(),
            inbuf: vec![0; INBUF_BYTES],
            batch: Vec::new(),
            reply: Vec::new(),
            served_from: 0,
            effects: Effects::default(),
            serving: None,
            date: Date::default(),
            now,
            wall: UnixTime::default(),
            stalls: StallWatch::default(),
            booked: 0,
            draining: None,
            drain_overdue: false,
            access_log: None,
            to_https: None,
            cut: 0,
            quit: false,
        }
    }

    /// One turn: does what readiness, jobs and time allow, and answers how long to wait for more (`None`: for ever).
    pub fn turn(&mut self, readiness: &[(Source, Ready)], now: Now) -> Option<Duration> {
        (self.now, self.wall) = (now.instant, now.wall);
        self.date.refresh(now.wall);
        self.notice_stall();
        for &(source, ready) in readiness {
            self.note(source, ready);
        }
        self.accept();
        self.finish_jobs();
        // Whoever comes back with work left is served in the next turn, behind all the others.
        let mut ready = self.ready.len();
        while ready > 0 && !self.ready.is_empty() {
            ready -= self.read_batch(ready);
            self.serve_batch();
        }
        // A burst of newcomers must not keep those waiting who are in.
        for _ in 0..self.limits.handshakes_per_turn.min(self.handshakes.len()) {
            let Some(id) = self.handshakes.pop_front() else { break };
            if let Some(conn) = self.conns.get_mut(id) {
                conn.queued = false;
                self.batch.push(Served::unread(id));
                self.serve_batch();
            }
        }
        // Behind serving: after a long turn, what has arrived in time must not be told that it is late.
        self.expire();
        self.look_after_touched();
        self.reap();
        self.flush_rooms();
        // Again, for the Close frames of those that the flush has cut. Whoever died in it is reaped in the next turn,
        // which `wait_time` starts at once.
        self.look_after_touched();
        self.drain_if_due();
        self.timers.sweep(self.conns.len(), |id| self.conns.get(id).map(|conn| conn.timer));
        let wait = self.wait_time();
        self.stalls.end(self.now, wait);
        wait
    }

    /// Whether the loop has come to its end: the application quit, or the drain is complete.
    pub fn is_over(&self) -> bool {
        self.quit || self.draining.is_some() && self.conns.is_empty()
    }

    /// What is there now.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.inbound,
            fetches: self.conns.len() - self.inbound - self.fetches.kept.len(),
            kept: self.fetches.kept.len(),
            fetches_running: self.fetches.running,
            names_stuck: self.names.stuck(),
            members: self.rooms.members(),
            timers: self.timers.len(),
            booked: self.booked + self.rooms.held(),
            cut: self.cut,
        }
    }

    /// Both clocks, as this turn has read them.
    fn clocks(&self) -> Now {
        Now { instant: self.now, wall: self.wall }
    }

    /// The application.
    pub fn app(&self) -> &A {
        &self.app
    }

    /// The network, to give it certificates.
    #[cfg(feature = "tls")]
    pub(super) fn network(&mut self) -> &mut N {
        &mut self.network
    }

    /// Lets the application start something on its own account, outside any event.
    pub fn start(&mut self, begin: impl FnOnce(&mut A, &mut Effects)) {
        begin(&mut self.app, &mut self.effects);
        self.apply();
    }

    /// Says when this turn comes much too late, and has the application make allowances for it.
    fn notice_stall(&mut self) {
        if let Some(stall) = self.stalls.begin(self.now, &self.limits) {
            log::warn!(
                "the loop stood still for {:.1} s or more: a handler blocked it, or the process was stopped",
                stall.least.as_secs_f64()
            );
            self.tell(ConnId::NOBODY, Event::Stalled(stall.most));
        }
    }

    fn note(&mut self, source: Source, ready: Ready) {
        match source {
            Source::Connection(id) => {
                if let Some(conn) = self.conns.get_mut(id) {
                    conn.note(ready);
                    enqueue(&mut self.ready, conn, id);
                }
            }
            Source::Listener(n) => self.acceptor.note(n),
            Source::Jobs => self.jobs_ready = true,
            Source::Signals => {}
        }
    }

    fn accept(&mut self) {
        if self.draining.is_some() {
            return;
        }
        for _ in 0..self.limits.accepts_per_turn {
            match self.acceptor.next(&mut self.network, self.inbound, &self.limits, self.now) {
                Accepted::Stream(stream, listener) => self.welcome(stream, listener),
                Accepted::Nothing => return,
                Accepted::Shortage => {
                    log::warn!("out of descriptors or kernel memory: new clients wait in the backlog meanwhile");
                    return;
                }
            }
        }
    }

    /// A connection was accepted: it is in the slab, and has the time of a head to say something.
    fn welcome(&mut self, stream: N::Stream, listener: usize) {
        let is_redirected = self.to_https.as_ref().is_some_and(|to| to.listener == listener);
        let mut http = Http::default();
        http.is_redirected = is_redirected;
        let id = self.conns.insert(Connection::new(Some(stream), Protocol::Http(http)));
        self.inbound += 1;
        let Some(conn) = self.conns.get_mut(id) else { return };
        self.timers.set(id, &mut conn.timer, self.now + self.limits.head_within);
        let watched = conn.stream.as_mut().map(|stream| self.network.watch(stream, id));
        if let Some(Err(e)) = watched {
            log::error!("a connection cannot be watched: {e}");
            self.bury(id);
        }
    }

    fn finish_jobs(&mut self) {
        if !self.jobs_ready {
            return;
        }
        for _ in 0..self.limits.results_per_turn {
            if let Some((id, finished)) = self.jobs.next_result() {
                self.tell(id, Event::Finished(finished));
            } else if let Some((askers, found)) = self.names.next_result(self.now) {
                askers.into_iter().for_each(|id| self.on_resolved(id, &found));
            } else {
                self.jobs_ready = false;
                return;
            }
            // A file is a large answer: it is booked, and whoever is too much is freed, before the next one is taken.
            self.look_after_touched();
            self.reap();
        }
    }

    /// Hands an event that borrows nothing of ours to the application and does what it says.
    fn tell(&mut self, id: ConnId, event: Event<'_>) {
        self.app.on_event(id, event, self.clocks(), &mut self.effects);
        self.apply();
    }

    fn expire(&mut self) {
        while let Some((id, at)) = self.timers.pop(self.now) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            if self.timers.fires(id, at, &mut conn.timer) && !conn.dead {
                self.on_deadline(id);
            }
        }
    }

    /// What somebody else's slice, a job or a timer wrote, goes out here: once a turn.
    fn look_after_touched(&mut self) {
        let mut n = 0;
        // By index: settling one may touch others. It ends because a connection is on the list once, and again only
        // after new output for it.
        while let Some(&id) = self.touched.get(n) {
            n += 1;
            if let Some(conn) = self.conns.get_mut(id) {
                conn.touched = false;
                self.settle(id);
            }
        }
        self.touched.clear();
    }

    /// Marks a connection; it is freed by [`Server::reap`].
    fn bury(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.dead) {
            conn.dead = true;
            self.dead.push(id);
        }
    }

    /// Frees the dead. What the application says about one may make others dead; they are reaped in the same go.
    fn reap(&mut self) {
        while let Some(id) = self.dead.pop() {
            let Some(mut conn) = self.conns.remove(id) else { continue };
            self.booked -= conn.booked as usize;
            // The socket closes before anybody hears of it: whoever waits in the backlog may have its descriptor.
            close(&mut conn);
            self.acceptor.descriptor_freed(self.now);
            let untold = match conn.protocol {
                Protocol::Upstream(upstream) => {
                    self.on_upstream_gone(id, *upstream);
                    continue;
                }
                Protocol::Http(mut http) => {
                    self.cancel_fetch(id, http.fetch);
                    self.log_line(http.line.take().filter(|line| line.status > 0));
                    http.is_answering()
                }
                Protocol::Ws(mut ws) => {
                    self.windows -= usize::from(ws.has_own_machines());
                    if let Some(membership) = ws.membership.take() {
                        self.forget_member(membership);
                    }
                    !ws.over
                }
                Protocol::Discarding(_) => false,
            };
            self.inbound -= 1;
            if untold {
                self.tell(id, Event::Left);
            }
        }
    }

    fn wait_time(&self) -> Option<Duration> {
        let idle = !self.jobs_ready
            && self.ready.is_empty()
            && self.handshakes.is_empty()
            && self.dead.is_empty()
            && self.touched.is_empty()
            && !self.rooms.are_dirty();
        if !idle || self.is_over() {
            return Some(Duration::ZERO);
        }
        let accept =
            if self.draining.is_some() { None } else { self.acceptor.next_in(self.inbound, &self.limits, self.now) };
        let drain = self.draining.map(|until| until.saturating_duration_since(self.now));
        [self.timers.next_in(self.now), accept, drain].into_iter().flatten().min()
    }
}

/// Drops the stream. Where the end of the connection would look like the end of a body, only a reset tells the truth:
/// while it streams, and while the last of it waits here.
fn close<S: Stream>(conn: &mut Connection<S>) {
    let is_flushed = conn.is_flushed();
    let Some(mut stream) = conn.stream.take() else { return };
    match &conn.protocol {
        Protocol::Http(http) if http.ends_with_connection() || !is_flushed => stream.reset_on_drop(),
        _ => stream.say_goodbye(),
    }
}

/// Puts a connection at the back of the ready queue, once.
fn enqueue<S>(ready: &mut VecDeque<ConnId>, conn: &mut Connection<S>, id: ConnId) {
    if !conn.queued {
        conn.queued = true;
        ready.push_back(id);
    }
}

fn shrink(scratch: &mut Vec<u8>) {
    if scratch.capacity() > SCRATCH_BYTES_MAX {
        scratch.shrink_to(SCRATCH_BYTES_MAX);
    }
}
