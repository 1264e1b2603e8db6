//! One scenario on one server: warm up, remember the base line, attack while well-behaved clients go on, and check that
//! all is as before.

use crate::dice::Dice;
use crate::probe::{Kind, Probe};
use crate::scenarios::{Needs, Scenario};
use crate::server::{Program, Server};
use crate::upstream::Upstream;
use squall::reactor::Counts;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// p99 of the probes: at most this many times the p99 without an attack, or [`P99_ALWAYS_GOOD`].
const P99_TIMES: u32 = 3;
/// A p99 that passes in any case, if the server had a CPU to itself. One turn serves every ready connection a slice, so
/// 4 to 10 ms are usual here; Node and Tornado have 130 ms and more. The attackers and the probes share two CPUs with the
/// server, and a test machine has other work, too. So the limit is multiplied by the time the server's work took to the
/// time it would have taken on a CPU of its own ([`Schedule::slowdown_since`](crate::server::Schedule::slowdown_since)):
/// 1.5 to 3 beside two busy loops.
const P99_ALWAYS_GOOD: Duration = Duration::from_millis(20);
/// A machine with other work to do spoils a p99, hardly five in a row.
const TRIES: usize = 5;
const IDLE_FOR: Duration = Duration::from_millis(600);
/// Bytes by which memory may stay higher.
const MEMORY_KEPT_MAX: u64 = 8 << 20;
/// At this growth an attack is called off, and the server has failed, bytes.
const MEMORY_GROWTH_MAX: u64 = 512 << 20;
/// Time that the server has to come back to the base line.
const BACK_WITHIN: Duration = Duration::from_secs(20);
/// Time that an attack may take.
const ATTACK_WITHIN: Duration = Duration::from_secs(60);
/// Entries of connections that are gone stay in the heap of timers until they are due or until there are this many
/// (`conn::timers` sweeps it then).
const STALE_TIMERS_MAX: usize = 1024;
/// The longest deadline of a connection, and the time to notice it.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(45);
const POLL_EVERY: Duration = Duration::from_millis(10);

/// How large an attack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// To have everything used once that is kept for ever.
    WarmUp,
    Full,
}

impl Size {
    /// `full`, or a twentieth of it.
    pub fn of(self, full: usize) -> usize {
        match self {
            Size::WarmUp => full.div_ceil(20),
            Size::Full => full,
        }
    }
}

/// What an attack works with.
pub struct Stage {
    pub server: Server,
    pub address: SocketAddr,
    pub dice: Dice,
    /// The search site.
    pub upstream: Option<Upstream>,
    /// Whether the server is squall: it has a login and a search.
    pub is_squall: bool,
    /// Whether it has WebSockets.
    pub has_sockets: bool,
    probes: Vec<Probe>,
    faults: Vec<String>,
    base: Base,
    deadline: Instant,
    looked: Instant,
}

/// What there was before the attack.
#[derive(Default, Clone, Copy)]
struct Base {
    counts: Counts,
    descriptors: usize,
    memory: u64,
}

/// What came of a scenario.
pub struct Outcome {
    pub faults: Vec<String>,
    pub figures: String,
    /// Still running, without a connection, and with what it had open at its start.
    pub server: Option<(Server, usize)>,
}

/// Plays one scenario.
pub fn play(scenario: &Scenario, program: &Program, seed: u64, has_sockets: bool) -> Outcome {
    let began = Instant::now();
    let mut outcome = match Stage::set(scenario, program, seed, has_sockets) {
        Ok((mut stage, descriptors)) => {
            let figures = stage.play(scenario);
            let Stage { server, faults, probes, .. } = stage;
            drop(probes);
            Outcome { faults, figures, server: Some((server, descriptors)) }
        }
        Err(e) => Outcome { faults: vec![e.to_string()], figures: String::new(), server: None },
    };
    outcome.figures += &format!("; {:.1} s", began.elapsed().as_secs_f64());
    outcome
}

impl Stage {
    fn set(scenario: &Scenario, program: &Program, seed: u64, has_sockets: bool) -> std::io::Result<(Stage, usize)> {
        let mut flags: Vec<String> = scenario.flags.iter().map(|&flag| flag.to_owned()).collect();
        let upstream = if scenario.needs == Needs::Search { Some(Upstream::start()?) } else { None };
        if let Some(upstream) = &upstream {
            flags.extend([
                "--allow-private".into(),
                "--search-url".into(),
                format!("http://{}/?q={{}}", upstream.address),
            ]);
        }
        let server = Server::start(program, &flags, scenario.open_files)?;
        let (address, descriptors) = (server.address, server.descriptors());
        let mut probes = vec![Probe::start(Kind::Plaintext, address)?];
        if scenario.needs == Needs::Sockets {
            probes.push(Probe::start(Kind::Echo, address)?);
        }
        let now = Instant::now();
        let stage = Stage {
            server,
            address,
            dice: Dice::new(seed),
            upstream,
            is_squall: !matches!(program, Program::Other(_)),
            has_sockets,
            probes,
            faults: Vec::new(),
            base: Base::default(),
            deadline: now,
            looked: now,
        };
        Ok((stage, descriptors))
    }

    fn play(&mut self, scenario: &Scenario) -> String {
        self.base = self.look();
        self.attack(scenario, Size::WarmUp);
        if !self.faults.is_empty() {
            return "did not get past the warm-up".into();
        }
        self.settle();
        let before = self.look();
        let mut said = String::new();
        for _ in 0..TRIES {
            self.base = before;
            self.measure(IDLE_FOR);
            let idle = self.p99s();
            self.begin();
            let scheduled = self.server.schedule();
            let figures = self.attack(scenario, Size::Full);
            let during = self.p99s();
            let slowdown = self.server.schedule().slowdown_since(scheduled);
            let peak = self.server.memory_peak().saturating_sub(before.memory);
            self.check(peak <= scenario.growth_max, || {
                format!("memory rose by {} of {}", mib(peak), mib(scenario.growth_max))
            });
            self.compare(before);
            let kept = self.server.memory() as i64 - before.memory as i64;
            let mib_kept = kept as f64 / f64::from(1 << 20);
            said = format!(
                "{figures}; p99 {}, slowed {slowdown:.1} times; memory {} at most, {mib_kept:+.1} MiB after",
                shown(&idle, &during),
                mib(peak)
            );
            if !self.faults.is_empty() || judge(&idle, &during, slowdown) {
                return said;
            }
        }
        self.check(false, || format!("others waited too long, {TRIES} times in a row"));
        said
    }

    fn attack(&mut self, scenario: &Scenario, size: Size) -> String {
        self.deadline = Instant::now() + ATTACK_WITHIN;
        let outcome = (scenario.attack)(self, size);
        outcome.unwrap_or_else(|e| {
            self.faults.push(e.to_string());
            String::new()
        })
    }

    /// Notes a fault unless `good`.
    pub fn check(&mut self, good: bool, fault: impl FnOnce() -> String) {
        if !good {
            self.faults.push(fault());
        }
    }

    /// Whether an attack is to go on: its time is not over, and the server lives and has not grown out of all bounds.
    pub fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        if now > self.deadline {
            self.check(false, || format!("not done in {} s", ATTACK_WITHIN.as_secs()));
            return false;
        }
        if now.duration_since(self.looked) > 5 * POLL_EVERY {
            self.looked = now;
            let lives = self.server.lives();
            self.check(lives, || "the server ended".into());
            let small = self.server.memory().saturating_sub(self.base.memory) < MEMORY_GROWTH_MAX;
            self.check(small, || format!("memory grew by more than {}: called off", mib(MEMORY_GROWTH_MAX)));
        }
        self.faults.is_empty()
    }

    /// Polls until `found`, for as long as the attack may go on.
    pub fn wait_until(&mut self, mut found: impl FnMut(&mut Stage) -> bool) -> bool {
        while self.goes_on() {
            if found(self) {
                return true;
            }
            std::thread::sleep(POLL_EVERY);
        }
        false
    }

    /// The well-behaved clients pause until [`Stage::resume`].
    pub fn pause(&self) {
        self.probes.iter().for_each(Probe::pause);
    }

    pub fn resume(&self) {
        self.probes.iter().for_each(Probe::resume);
    }

    /// Forgets what others had to wait so far.
    pub fn begin(&self) {
        self.probes.iter().for_each(Probe::begin);
    }

    /// Lets others go on for a while.
    fn measure(&self, during: Duration) {
        self.begin();
        std::thread::sleep(during);
    }

    fn p99s(&mut self) -> Vec<(Duration, usize)> {
        let mut measured = Vec::new();
        for probe in &self.probes {
            match probe.p99() {
                Ok(p99) => measured.push(p99),
                Err(fault) => self.faults.push(fault),
            }
        }
        measured
    }

    fn look(&mut self) -> Base {
        let counts = self.server.counts().unwrap_or_default();
        Base { counts, descriptors: self.server.descriptors(), memory: self.server.memory() }
    }

    /// After the warm-up: until only the probes are there, and nothing moves any more.
    fn settle(&mut self) {
        let probes = self.probes.len();
        let until = Instant::now() + BACK_WITHIN;
        let (mut last, mut same) = (self.look(), 0);
        while same < 10 && Instant::now() < until {
            std::thread::sleep(2 * POLL_EVERY);
            let now = self.look();
            let empty = now.counts == Counts::default() || now.counts.connections == probes && now.counts.fetches == 0;
            let is_same = empty && now.descriptors == last.descriptors && now.memory == last.memory;
            same = if is_same { same + 1 } else { 0 };
            last = now;
        }
    }

    /// After the attack: everything is back, or a fault says what is not.
    fn compare(&mut self, base: Base) {
        let until = Instant::now() + if self.is_squall { BACK_WITHIN } else { BACK_WITHIN / 4 };
        loop {
            let now = self.look();
            let counts = |c: Counts| [c.connections, c.fetches, c.fetches_running, c.kept, c.members, c.booked];
            let timers = now.counts.timers <= base.counts.timers + 2 * base.counts.connections + STALE_TIMERS_MAX;
            let same = counts(now.counts) == counts(base.counts) && timers && now.descriptors == base.descriptors;
            let small = now.memory <= base.memory + MEMORY_KEPT_MAX;
            if same && small {
                return;
            }
            if Instant::now() > until {
                let known = self.is_squall;
                let what = |base: &Base| {
                    let counts = if known { format!("{:?}, ", base.counts) } else { String::new() };
                    format!("{counts}{} descriptors, {}", base.descriptors, mib(base.memory))
                };
                return self.check(false, || format!("not back at the base line: {}, was {}", what(&now), what(&base)));
            }
            std::thread::sleep(POLL_EVERY);
        }
    }
}

/// After a while without a connection nothing at all must be left. Returns a fault for what is.
pub fn forget(server: &mut Server, descriptors: usize) -> Option<String> {
    let until = Instant::now() + FORGOTTEN_WITHIN;
    loop {
        let (mut counts, open) = (server.counts().unwrap_or_default(), server.descriptors());
        counts.cut = 0;
        if counts == Counts::default() && open == descriptors {
            return None;
        }
        if Instant::now() > until {
            return Some(format!("long after, there are still {counts:?} and {open} of {descriptors} descriptors"));
        }
        std::thread::sleep(5 * POLL_EVERY);
    }
}

fn judge(idle: &[(Duration, usize)], during: &[(Duration, usize)], slowdown: f64) -> bool {
    let limit = |idle: Duration| (idle * P99_TIMES).max(P99_ALWAYS_GOOD.mul_f64(slowdown));
    idle.iter().zip(during).all(|(idle, during)| during.0 <= limit(idle.0))
}

pub fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// `plaintext 0.2 → 0.9 ms, echo 0.2 → 1.1 ms`.
fn shown(idle: &[(Duration, usize)], during: &[(Duration, usize)]) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let pair = |(idle, during): (&(Duration, usize), &(Duration, usize))| {
        format!("{:.1} → {:.1} ms ({})", ms(idle.0), ms(during.0), during.1)
    };
    idle.iter().zip(during).map(pair).collect::<Vec<_>>().join(", ")
}
