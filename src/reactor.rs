//! The turn of the loop.
//!
//! ```text
//! wait ─▶ note readiness ─▶ accept ─▶ collect ─▶ serve ─▶ deadlines ─▶ settle ─▶ free ─▶ flush rooms ─▶ settle ─▶ wait …
//! ```
//!
//! Serving goes through the ready connections, batch by batch (`serve.rs`). The step of a protocol finds at most one event.
//! The event goes up to the application, whose effects come down (`apply.rs`) before the next step is taken. Applying
//! raises no event: what has to be told later goes into the inbox, and the turn tells it. Nothing is freed inside: a
//! connection that is done is marked dead, and freed before the flush, so that its leave line goes out in the same turn.
//!
//! [`Server::turn`] takes readiness as a list and the clock as an argument, so a test can play both. Only `run.rs`
//! touches the poll.

mod access;
mod apply;
mod audit;
mod batch;
mod blocking;
mod clock;
mod codecs;
mod engine;
mod history;
pub mod https;
mod jobs;
mod output;
mod results;
mod rooms;
pub mod run;
mod serve;
mod settle;
pub mod stall;

pub use run::Loop;

use crate::address::TrustedProxies;
use crate::clock::Now;
use crate::config::Limits;
use crate::conn::http::Http;
use crate::conn::{Connection, Protocol};
use crate::event::{App, Effects, Event};
use crate::id::ConnId;
use crate::net::listeners::{Accepted, Acceptor};
use crate::net::{Arrival, Network, Ready, Source, Stream};
use crate::store::Store;
use crate::workers::line_log::LineLog;
use access::AccessLog;
use apply::Told;
use batch::{Batch, READ_BUFFER_BYTES};
use engine::{Engine, Life};
use history::History;
use https::ToHttps;
use results::{FromThread, Results};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After the deadline of a drain, the last responses have this long to get out.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The loop's state: the application, and everything that serves it.
pub struct Server<N: Network, A: App> {
    app: A,
    /// What the application has said and is not done yet.
    effects: Effects,
    engine: Engine<N>,
    batch: Batch,
    acceptor: Acceptor,
    /// Where the listeners that redirect to https send their peers.
    to_https: Option<ToHttps>,
    proxies: TrustedProxies,
    results: Results,
}

/// What is there at the moment; a server at rest has zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Accepted connections that are not freed.
    pub connections: usize,
    /// Outbound fetches, queued ones included.
    pub fetches: usize,
    /// Outbound connections kept for the next fetch.
    pub kept: usize,
    /// Places taken by running fetches.
    pub fetches_running: usize,
    /// Threads whose look-up of a name hangs.
    pub names_stuck: usize,
    /// Members of rooms.
    pub members: usize,
    /// Entries of the heap of deadlines.
    pub timers: usize,
    /// Unfinished input and unsent output, bytes.
    pub booked: usize,
    /// Slow readers cut since the start.
    pub cut: u64,
}

impl<N: Network, A: App> Server<N, A> {
    /// A loop over `network` that runs `app`. `wake` ends the wait of the thread that calls [`Server::turn`].
    ///
    /// # Panics
    /// If a limit for heads is not below the size of the read buffer, 64 KiB.
    pub fn new(network: N, app: A, limits: Limits, wake: Arc<dyn Fn() + Send + Sync>, now: Instant) -> Server<N, A> {
        let heads = limits.http.head_bytes_max.max(limits.http.response_head_bytes_max);
        assert!(heads < READ_BUFFER_BYTES, "a head must fit the read buffer");
        let (sender, results) = results::results(&limits, wake);
        Server {
            app,
            effects: Effects::default(),
            acceptor: Acceptor::new(network.listeners()),
            engine: Engine::new(network, limits, &sender, now),
            batch: Batch::new(),
            to_https: None,
            proxies: TrustedProxies::default(),
            results,
        }
    }

    /// One turn: does what readiness, threads and time allow. Returns how long to wait for more (`None`: for ever).
    pub fn turn(&mut self, readiness: &[(Source, Ready)], now: Now) -> Option<Duration> {
        self.begin(now);
        log::trace!("turn begins with {} events of the kernel", readiness.len());
        for &(source, ready) in readiness {
            self.note(source, ready);
        }
        self.accept();
        self.collect();
        self.serve_ready();
        // Here, so that the disk works while the rooms are written.
        self.engine.history.flush();
        self.wake_app();
        // Behind serving: after a long turn, what has arrived in time must not be judged late.
        while let Some(id) = self.engine.conns.next_due(self.engine.clock.now) {
            self.engine.on_deadline(id);
            self.tell();
        }
        self.settle_touched();
        self.free_dead();
        for laggard in self.engine.rooms.flush(&mut self.engine.conns, &self.engine.limits) {
            self.engine.cut(laggard);
        }
        self.tell();
        // Again, for the Close frames of members that the flush has cut. A connection that died in it is freed in the
        // next turn, which starts at once.
        self.settle_touched();
        self.end_drain();
        self.engine.conns.sweep();
        self.engine.history.flush();
        let wait = self.wait();
        self.engine.clock.end(wait);
        log::trace!("turn ends, to wait for {wait:?}");
        wait
    }

    /// Whether the loop has come to its end: the application has quit, or the drain is complete.
    pub fn is_over(&self) -> bool {
        self.engine.is_over()
    }

    /// What is there now.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.engine.conns.accepted(),
            fetches: self.engine.conns.len() - self.engine.conns.accepted() - self.engine.client.kept(),
            kept: self.engine.client.kept(),
            fetches_running: self.engine.client.running(),
            names_stuck: self.engine.client.names_stuck(),
            members: self.engine.rooms.members(),
            timers: self.engine.conns.timers(),
            booked: self.engine.conns.booked() + self.engine.rooms.held(),
            cut: self.engine.rooms.cut(),
        }
    }

    /// The application.
    pub fn app(&self) -> &A {
        &self.app
    }

    /// The network, to give it certificates.
    #[cfg(feature = "tls")]
    pub(super) fn network(&mut self) -> &mut N {
        &mut self.engine.network
    }

    /// The history of the rooms goes to this store instead of the memory. What is in force there counts before the first
    /// connection.
    pub fn keep_history(&mut self, store: Box<dyn Store>) {
        self.engine.history = History::new(store);
        self.engine.history.begin(&self.engine.limits);
        self.tell();
    }

    /// From now on every response is a line of `log`.
    pub fn log_to(&mut self, log: LineLog) {
        self.engine.log = AccessLog::to(log);
    }

    /// A rotation has renamed the file of the access log: opens it again.
    pub(super) fn reopen_log(&self) {
        self.engine.log.reopen();
    }

    /// From now on these proxies say from which address a request is.
    pub fn trust_proxies(&mut self, proxies: TrustedProxies) {
        self.proxies = proxies;
    }

    /// Where the listeners that redirect to https send their peers; of the application they serve nothing but challenges.
    pub fn redirect_to_https(&mut self, to: ToHttps) {
        self.to_https = Some(to);
    }

    /// Lets the application start something on its own account, outside any event.
    pub fn start(&mut self, begin: impl FnOnce(&mut A, &mut Effects)) {
        begin(&mut self.app, &mut self.effects);
        self.engine.apply(&mut self.effects);
        self.tell();
    }

    /// Reads the clocks, and notices when this turn comes much too late.
    fn begin(&mut self, now: Now) {
        self.engine.history.begin(&self.engine.limits);
        if let Some(stall) = self.engine.clock.begin(now, &self.engine.limits) {
            log::warn!(
                "the loop stood still for {:.1} s or more: a handler blocked it, or the process was stopped",
                stall.least.as_secs_f64()
            );
            self.engine.inbox.push_back((ConnId::NONE, Event::Stalled(stall.most)));
            self.tell();
        }
    }

    /// Wakes the application when its alarm is due.
    fn wake_app(&mut self) {
        if self.engine.alarm.is_some_and(|at| at <= self.engine.clock.now) {
            self.engine.alarm = None;
            self.engine.inbox.push_back((ConnId::NONE, Event::Woke));
            self.tell();
        }
    }

    fn note(&mut self, source: Source, ready: Ready) {
        log::trace!("{source:?} is {ready:?}");
        match source {
            Source::Connection(id) => self.engine.conns.note(id, ready),
            Source::Listener(n) => self.acceptor.note(n),
            Source::Jobs => self.results.note_wake(),
            Source::Signals => {}
        }
    }

    /// Accepts connections, within the budget of a turn.
    fn accept(&mut self) {
        if !matches!(self.engine.life, Life::Serving) {
            return;
        }
        for _ in 0..self.engine.limits.accepts_per_turn {
            let accepted = self.engine.conns.accepted();
            match self.acceptor.next(&mut self.engine.network, accepted, &self.engine.limits, self.engine.clock.now) {
                Accepted::One(arrival) => self.welcome(arrival),
                Accepted::Nothing => return,
                Accepted::Shortage => {
                    log::warn!("out of descriptors or kernel memory: new clients wait in the backlog meanwhile");
                    return;
                }
            }
        }
    }

    /// A connection was accepted: it has the time of a head to send something.
    fn welcome(&mut self, Arrival { stream, service, peer }: Arrival<N::Stream>) {
        let conn = Connection::new(Some(stream), Protocol::Http(Http::new(service, peer)));
        let id = self.engine.conns.insert(conn, self.engine.clock.now + self.engine.limits.head_within);
        let stream = self.engine.conns.get_mut(id).and_then(|conn| conn.stream.as_mut());
        log::trace!("{id:?} was accepted");
        if let Some(Err(e)) = stream.map(|stream| self.engine.network.watch(stream, id)) {
            log::error!("a connection cannot be watched: {e}");
            self.engine.conns.bury(id);
        }
    }

    /// Takes the results of threads, within the budget of a turn, and what the store has done.
    fn collect(&mut self) {
        self.tell();
        for _ in 0..self.engine.limits.results_per_turn {
            let Some(result) = self.results.take() else { return };
            match result {
                FromThread::Job(id, finished) => self.engine.inbox.push_back((id, Event::Finished(finished))),
                FromThread::Name(resolved) => {
                    let (client, network, mut cx) = self.engine.outbound();
                    client.take_name(&mut cx, network, resolved);
                }
            }
            self.tell();
            // A file is a large response: it is booked, and what is too much is freed, before the next one is taken.
            self.settle_touched();
            self.free_dead();
        }
    }

    /// Settles the connections that were written to outside their own slice, once a turn.
    fn settle_touched(&mut self) {
        // It ends because a connection is on the list once, and again only after new output for it.
        while let Some(id) = self.engine.conns.next_touched() {
            self.engine.settle(id);
            self.tell();
        }
    }

    /// Frees the dead. What the application says about one may make others dead; they are freed in the same go.
    fn free_dead(&mut self) {
        while let Some((id, conn)) = self.engine.conns.next_dead() {
            self.free(id, conn);
            self.tell();
        }
    }

    fn free(&mut self, id: ConnId, mut conn: Connection<N::Stream>) {
        log::trace!("{id:?} is freed");
        // The socket closes before the application hears of it: a client in the backlog may have its descriptor.
        close(&mut conn);
        self.acceptor.descriptor_freed(self.engine.clock.now);
        if let Some(member) = conn.subscription {
            self.engine.rooms.forget(&mut self.engine.conns, member);
        }
        let is_untold = match conn.protocol {
            Protocol::Upstream(upstream) => {
                let (client, _, mut cx) = self.engine.outbound();
                return client.gone(&mut cx, id, *upstream);
            }
            Protocol::Http(http) => {
                self.engine.client.cancel(&mut self.engine.conns, id, http.fetch);
                let is_responding = http.is_responding();
                if let Some(line) = http.line.filter(|line| line.status > 0) {
                    self.engine.log.write(line);
                }
                is_responding
            }
            Protocol::Ws(ws) => {
                self.engine.codecs.release(ws.has_own_machines());
                !ws.over
            }
            Protocol::Discarding(_) => false,
        };
        if is_untold {
            self.engine.inbox.push_back((id, Event::Left));
        }
    }

    /// Begins to drain: stops accepting, closes idle connections, responds to what is under way, and closes WebSockets
    /// with 1001. Called again, ends the loop.
    pub fn drain(&mut self, now: Instant) {
        self.engine.clock.now = now;
        if !matches!(self.engine.life, Life::Serving) {
            self.engine.life = Life::Over;
            return;
        }
        log::info!("draining; connections: {}", self.engine.conns.accepted());
        self.engine.life = Life::Draining(now + self.engine.limits.drain_within);
        self.engine.network.stop_listening();
        self.engine.client.close(&mut self.engine.conns);
        self.engine.inbox.push_back((ConnId::NONE, Event::Draining));
        self.tell();
        for id in self.engine.conns.ids() {
            let Some(conn) = self.engine.conns.get(id) else { continue };
            match &conn.protocol {
                Protocol::Http(http) if http.is_following() => self.engine.end_follower(id),
                Protocol::Http(_) => self.engine.conns.touch(id),
                Protocol::Ws(_) => self.engine.close(id, Some(1001), "server restarts", Told::Later),
                Protocol::Upstream(_) | Protocol::Discarding(_) => {}
            }
            self.tell();
        }
        self.settle_touched();
        self.free_dead();
    }

    /// At the deadline of a drain a request that still waits gets 503, and every other connection is freed.
    fn end_drain(&mut self) {
        let now = self.engine.clock.now;
        match self.engine.life {
            Life::Draining(until) if until <= now => self.engine.life = Life::LastWords(now + LAST_WORDS),
            Life::LastWords(until) if until <= now => {
                self.engine.life = Life::Over;
                return;
            }
            _ => return,
        }
        for id in self.engine.conns.ids() {
            let Some(conn) = self.engine.conns.get(id) else { continue };
            match &conn.protocol {
                Protocol::Http(http) if http.awaits_response() => {
                    self.engine.respond_plainly(id, 503, "The server is shutting down.\n");
                    self.engine.inbox.push_back((id, Event::Left));
                    self.tell();
                }
                _ => self.engine.conns.bury(id),
            }
        }
        self.settle_touched();
        self.free_dead();
    }

    fn wait(&self) -> Option<Duration> {
        let now = self.engine.clock.now;
        if self.results.may_have_more() || self.engine.has_work() || self.engine.is_over() {
            return Some(Duration::ZERO);
        }
        let own = match self.engine.life {
            Life::Serving => self.acceptor.next_in(self.engine.conns.accepted(), &self.engine.limits, now),
            Life::Draining(until) | Life::LastWords(until) => Some(until.saturating_duration_since(now)),
            Life::Over => Some(Duration::ZERO),
        };
        let alarm = self.engine.alarm.map(|at| at.saturating_duration_since(now));
        [self.engine.conns.wait(now), own, alarm].into_iter().flatten().min()
    }

    /// Checks what has to hold between two turns: the lists and what is on them, the sums, the rooms, the fetches, the
    /// deadlines, and that no connection at rest has something to do.
    ///
    /// # Errors
    /// A sentence about the first thing that does not hold: a bug of this crate, never of a peer.
    pub fn audit(&self) -> Result<(), String> {
        audit::audit(self)
    }
}

/// Drops the stream. Where the end of the connection would look like the end of a body, only a reset tells the truth:
/// while such a body is streamed, and while the last of a response waits here.
fn close<S: Stream>(conn: &mut Connection<S>) {
    let is_flushed = conn.is_flushed();
    let Some(mut stream) = conn.stream.take() else { return };
    match &conn.protocol {
        Protocol::Http(http) if http.ends_with_connection() || !is_flushed => stream.reset_on_drop(),
        _ => stream.say_goodbye(),
    }
}
