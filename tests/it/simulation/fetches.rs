//! Fetches of browsers and of owners outside, over the simulated network.
//!
//! Checked in every turn: places, kept connections and deadlines; at rest: nobody waits while there is a place, and all
//! that the server counts is what the owners count. The loop is called only when the kernel has something to say or
//! when the time has come that the last turn named: a wake-up that is lost leaves a fetch behind.

use super::browsers::Browser;
use super::owners::{Book, HOUR, Owners};
use super::sites::{Line, ORIGINS, Seen, Weather};
use super::world::{Dice, Manner, SimNetwork, World, edges};
use squall::app::{Settings, Site};
use squall::config::Limits;
use squall::id::ConnId;
use squall::rt::net::{Ready, Source};
use squall::server::Server;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Steps in which things are begun; what is under way then comes to its end.
const ACTIVE_STEPS: usize = 300;
const STEPS_MAX: usize = 20_000;
const OWNERS: usize = 6;
const BROWSERS_MAX: usize = 6;

fn ms(n: usize) -> Duration {
    Duration::from_millis(n as u64)
}

fn limits(weather: Weather, dice: &mut Dice) -> Limits {
    let wild = weather == Weather::Wild;
    let limit = |short: usize| ms(if wild { short } else { HOUR });
    Limits {
        fetches_max: 3,
        origin_fetches_max: 2,
        fetches_waiting_max: if wild { 4 } else { 1000 },
        upstreams_kept_max: [2, 2, 2, 1, 0][dice.below(5)],
        upstream_idle_for: ms(20 + dice.below(300)),
        fetch_queue_within: limit(250),
        connect_within: limit(200),
        search_within: limit(1200),
        answer_within: limit(2000),
        write_stall: limit(1500),
        head_within: ms(HOUR),
        idle_for: ms(HOUR),
        high_water: 500 + dice.below(1500),
        slice_steps_max: 1 + dice.below(5),
        slice_bytes_max: 50 + dice.below(300),
        ..Limits::default()
    }
}

/// One run.
struct Run {
    seed: u64,
    weather: Weather,
    limits: Limits,
    dice: Dice,
    world: Rc<RefCell<World>>,
    server: Server<SimNetwork, Owners>,
    book: Rc<RefCell<Book>>,
    seen: Seen,
    lines: Vec<Line>,
    browsers: Vec<Browser>,
    now: Instant,
    /// When the last turn was, and how long it said to wait.
    last: Instant,
    wait: Option<Duration>,
}

/// What a step came to.
#[derive(PartialEq, Eq)]
enum Step {
    /// The loop had its turn.
    Turn,
    /// There was no reason for one, but somebody has something more to do.
    Busy,
    /// Nothing will ever happen, unless a deadline comes.
    Rest,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut dice = Dice::new(seed);
        let weather = [Weather::Calm, Weather::Stale, Weather::Wild, Weather::Wild][seed as usize % 4];
        let (limits, now) = (limits(weather, &mut dice), Instant::now());
        let faulty = weather == Weather::Wild;
        let world = World { dice: Some(Dice::new(seed ^ 3 << 32)), faulty, ..World::default() };
        let world = Rc::new(RefCell::new(world));
        let settings = Settings {
            secret: b"simulated".to_vec(),
            cookie_secure: false,
            allow_origin: vec![],
            www: None,
            search_url: format!("http://{}/s?wd={{}}", ORIGINS[0]),
            allow_private: true,
            lab: false,
        };
        let site = Site::new(settings, &limits, (now, SystemTime::now())).expect("sound settings");
        let book = Rc::new(RefCell::new(Book::new(seed, weather, limits.clone())));
        let app = Owners { site, book: book.clone() };
        let server = Server::new(SimNetwork(world.clone()), app, limits.clone(), Arc::new(|| ()), now);
        let (seen, wait) = (Seen::new(seed, weather), Some(Duration::ZERO));
        let (lines, browsers) = (vec![], vec![]);
        Run { seed, weather, limits, dice, world, server, book, seen, lines, browsers, now, last: now, wait }
    }

    fn begin_something(&mut self) {
        let owner = ConnId::outside(self.dice.below(OWNERS));
        let is_free = !self.book.borrow().live.contains_key(&owner);
        if self.dice.one_in(5) && (is_free || self.dice.one_in(5)) {
            // What begins outside any turn begins at the time of the last one, and has a turn of its own.
            let now = self.last;
            self.server.start(|app, out| app.ask(owner, now, out));
            self.turn(&[]);
        }
        let present = self.browsers.iter().filter(|browser| !browser.gone).count();
        if present < BROWSERS_MAX && self.dice.one_in(25) {
            let browser = Browser::new(&mut self.book.borrow_mut(), &mut self.dice);
            let mut world = self.world.borrow_mut();
            world.backlog.push_back(browser.pipe.clone());
            world.shortage += (self.weather == Weather::Wild && self.dice.one_in(5)) as usize;
            self.browsers.push(browser);
        }
    }

    /// Everybody does something, then the kernel speaks, then the loop has its turn, if there is a reason.
    fn step(&mut self, is_active: bool) -> Step {
        if is_active {
            self.begin_something();
        }
        let (dice, mortal) = (&mut self.dice, is_active && self.weather == Weather::Wild);
        let mut busy = false;
        for browser in &mut self.browsers {
            busy |= browser.act(dice, mortal);
        }
        self.lines.extend(self.world.borrow_mut().dialed.drain(..).map(Line::new));
        for line in &mut self.lines {
            busy |= line.act(dice, &mut self.seen);
        }
        self.lines.retain(|line| !line.pipe.borrow().server_gone);
        self.check_sites();
        let manner = match self.weather {
            _ if !is_active => Manner::Prompt,
            Weather::Wild => Manner::Whimsical,
            _ => Manner::Late,
        };
        let list = edges(&self.world, &mut self.dice, manner);
        let speaks = |&(source, _): &(Source, Ready)| source != Source::Listener(0);
        let clients_wait = !self.world.borrow().backlog.is_empty();
        self.now += ms(self.dice.below(if self.weather == Weather::Wild { 20 } else { 3 }));
        let is_due = self.wait.is_some_and(|wait| self.now >= self.last + wait);
        if is_due || clients_wait || list.iter().any(speaks) {
            self.turn(&list);
            return Step::Turn;
        }
        if busy || is_active { Step::Busy } else { Step::Rest }
    }

    fn turn(&mut self, list: &[(Source, Ready)]) {
        let before = std::mem::replace(&mut self.last, self.now);
        self.wait = self.server.turn(list, self.now);
        let (counts, book) = (self.server.counts(), self.book.borrow());
        assert!(counts.fetches_running <= self.limits.fetches_max, "{counts:?}");
        assert!(counts.kept <= self.limits.upstreams_kept_max, "{counts:?}");
        let deadline = book.first_deadline();
        assert!(deadline.is_none_or(|deadline| deadline > before), "a deadline has passed, and nobody heard of it");
        if self.wait == Some(Duration::ZERO) {
            return;
        }
        assert_eq!(counts.fetches, book.live.len(), "{counts:?}");
        assert_eq!(counts.fetches_running, book.runnable(), "{counts:?}");
        if let Some(deadline) = deadline {
            assert!(self.wait.is_some_and(|wait| self.now + wait <= deadline), "a deadline is not waited for");
        }
    }

    /// No origin has more requests under way than it may have.
    fn check_sites(&self) {
        let mut busy = HashMap::<_, usize>::new();
        for line in self.lines.iter().filter(|line| line.is_busy()) {
            *busy.entry(line.pipe.borrow().address).or_default() += 1;
        }
        assert!(busy.values().all(|&n| n <= self.limits.origin_fetches_max), "{busy:?}");
    }

    /// What is under way ends: by itself, or where something was spoiled, by its deadline.
    fn settle(&mut self) {
        self.book.borrow_mut().open = false;
        for _ in 0..STEPS_MAX {
            if self.step(false) == Step::Rest {
                if self.book.borrow().live.is_empty() {
                    return;
                }
                assert!(self.weather == Weather::Wild, "a wake-up was lost");
                self.now = self.last + self.wait.expect("a deadline");
            }
        }
        panic!("the simulation does not come to rest: {:?}", self.server.counts());
    }

    fn check(&self) {
        for browser in &self.browsers {
            browser.check(self.seed, self.weather != Weather::Wild);
        }
        let book = self.book.borrow();
        assert!(book.done > 0 || self.weather == Weather::Wild);
        assert!(book.unconnected <= self.world.borrow().failed, "a connect failed for no reason");
        assert!(book.broken <= self.seen.spoiled, "a connection broke for no reason");
    }

    /// Everybody leaves, and nothing is left.
    fn leave(&mut self) {
        self.browsers.iter_mut().for_each(Browser::leave);
        for _ in 0..STEPS_MAX {
            if self.step(false) == Step::Rest {
                let Some(wait) = self.wait else { break };
                self.now = self.last + wait;
            }
        }
        assert_eq!(self.server.counts(), Default::default());
        assert!(self.world.borrow().pipes.iter().all(|pipe| pipe.borrow().server_gone), "a stream was not dropped");
    }
}

/// One run.
pub fn simulate(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..ACTIVE_STEPS {
        run.step(true);
    }
    run.settle();
    run.check();
    run.leave();
}
