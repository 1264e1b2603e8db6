//! The loop around the server: it has its turn when the kernel has something to report, or at the time that the last
//! turn named. So a lost wake-up leaves work undone. After every turn the server is audited.
//!
//! Time never goes back, but may stand still, and may jump: then every deadline between is late.

use crate::support::dice::Dice;
use crate::support::network::{FakeNetwork, Manner, World, edges};
use squall::clock::{Now, UnixMillis};
use squall::config::Limits;
use squall::event::App;
use squall::net::{Ready, Source};
use squall::reactor::Server;
use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a drain may take after its deadline, for the last words.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// As a hash sees it, the Date of every response.
const NO_DATE: &[u8; 29] = b"Thu, 01 Jan 1970 00:00:00 GMT";

pub fn ms(n: usize) -> Duration {
    Duration::from_millis(n as u64)
}

/// What the wall clock shows at the beginning of a run, in seconds since 1970: the same in all, so that cookies are.
pub const BEGUN_AT: u64 = 1_800_000_000;

/// A server, its world, and its time.
pub struct Driver<A: App> {
    pub world: Rc<RefCell<World>>,
    pub server: Server<FakeNetwork, A>,
    pub limits: Limits,
    pub now: Instant,
    /// When the last turn was, and how long it said to wait.
    pub last: Instant,
    pub wait: Option<Duration>,
    /// After a jump in time, which the server takes for a stall: no peer is judged late until then.
    pub patient_until: Option<Instant>,
    begun: Instant,
    transcript: DefaultHasher,
    /// When the drain must come to its last words, and then to its end.
    drained_by: Option<Instant>,
    over_by: Option<Instant>,
}

impl<A: App> Driver<A> {
    pub fn new(world: World, app: A, limits: Limits, now: Instant) -> Driver<A> {
        let world = Rc::new(RefCell::new(world));
        let server = Server::new(FakeNetwork(world.clone()), app, limits.clone(), Arc::new(|| ()), now);
        Driver {
            world,
            server,
            limits,
            now,
            last: now,
            wait: Some(Duration::ZERO),
            patient_until: None,
            begun: now,
            transcript: DefaultHasher::new(),
            drained_by: None,
            over_by: None,
        }
    }

    /// Time passes, up to `most`, and then the kernel reports; returns whether the loop had its turn.
    pub fn step(&mut self, dice: &mut Dice, most: Duration, manner: Manner) -> bool {
        let list = edges(&self.world, dice, manner);
        self.now += ms(dice.below(most.as_millis() as usize));
        let is_due = self.wait.is_some_and(|wait| self.now >= self.last + wait);
        let has_turn = is_due || !list.is_empty();
        if has_turn {
            self.turn(&list);
        }
        has_turn
    }

    /// The thread of a store has woken the loop.
    pub fn wake(&mut self) {
        self.turn(&[(Source::Jobs, Ready::default())]);
    }

    /// Waits until the time that the last turn has named; returns whether there was one.
    pub fn wait(&mut self) -> bool {
        self.now = self.now.max(self.last + self.wait.unwrap_or_default());
        self.wait.is_some()
    }

    pub fn turn(&mut self, list: &[(Source, Ready)]) {
        assert!(!self.server.is_over());
        if self.wait.is_some_and(|wait| self.now >= self.last + wait + self.limits.stall_min) {
            let until = self.now + (self.now - self.last).min(self.limits.stall_grace);
            self.patient_until = self.patient_until.max(Some(until));
        }
        self.last = self.now;
        let wall = UnixMillis::from_millis(BEGUN_AT * 1000 + (self.now - self.begun).as_millis() as u64);
        self.wait = self.server.turn(list, Now { instant: self.now, wall });
        self.check_drain();
        self.audit();
        (self.now - self.begun, self.wait).hash(&mut self.transcript);
        for &(source, ready) in list {
            let who = if let Source::Connection(id) = source { Some(id) } else { None };
            (who, ready.input as u8, ready.writable, ready.broken).hash(&mut self.transcript);
        }
    }

    /// A signal came with the last turn: the first one drains, the second one ends it.
    pub fn drain(&mut self) {
        self.server.drain(self.last);
        self.wait = Some(Duration::ZERO);
        let is_second = self.drained_by.replace(self.last + self.limits.drain_within).is_some();
        assert!(!is_second || self.server.is_over(), "the second signal does not end it");
        self.audit();
    }

    fn audit(&self) {
        if let Err(why) = self.server.audit() {
            panic!("{why}");
        }
        let (counts, limits) = (self.server.counts(), &self.limits);
        assert!(counts.connections <= limits.connections_max, "{counts:?}");
        assert!(counts.kept <= limits.upstreams_kept_max, "{counts:?}");
        assert!(counts.members <= counts.connections, "{counts:?}");
    }

    fn check_drain(&mut self) {
        let Some(drained_by) = self.drained_by.filter(|_| !self.server.is_over()) else { return };
        if self.over_by.is_none() && self.now >= drained_by {
            self.over_by = Some(self.now + LAST_WORDS);
        }
        let next = self.over_by.unwrap_or(drained_by);
        assert!(self.now < next, "it drains longer than it may");
        assert!(self.wait.is_some_and(|wait| self.now + wait <= next), "the end of the drain is not waited for");
    }

    /// What the peers have got and all that happened, in one number. Dates are those of the machine, and not in it.
    pub fn transcript<'a>(&self, got: impl Iterator<Item = &'a [u8]>) -> u64 {
        let mut hasher = self.transcript.clone();
        for got in got {
            let mut got = got.to_vec();
            let fields: Vec<_> = got.windows(6).enumerate().filter(|(_, six)| six == b"Date: ").collect();
            let dates: Vec<_> = fields.into_iter().map(|(at, _)| at + 6).collect();
            for at in dates {
                let end = got.len().min(at + NO_DATE.len());
                got[at..end].copy_from_slice(&NO_DATE[..end - at]);
            }
            got.hash(&mut hasher);
        }
        for pipe in &self.world.borrow().pipes {
            let pipe = pipe.borrow();
            (pipe.read, pipe.written, pipe.server_fin, pipe.server_reset, pipe.server_gone).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Nothing is left: no connection, no fetch, no member, no timer, no byte.
    pub fn assert_empty(&self) {
        let counts = self.server.counts();
        let expected = squall::reactor::Counts { cut: counts.cut, ..Default::default() };
        assert_eq!(counts, expected);
        assert!(self.world.borrow().pipes.iter().all(|pipe| pipe.borrow().server_gone), "a stream was not dropped");
    }
}
