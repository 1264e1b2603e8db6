//! Fetches of browsers and of owners outside, over the simulated network.
//!
//! Checked after every turn: every deadline is waited for and kept, and all that the server counts is what the owners
//! count. In fair weather every fetch succeeds; in any, it has one end, and a failure has its reason.

use super::browsers::Browser;
use super::driver::{Driver, ms};
use super::owners::{Book, HOUR};
use super::sites::{Line, ORIGINS, Seen, Weather};
use super::strangers::settings;
use crate::support::dice::Dice;
use crate::support::network::{Dials, Manner, World};
use crate::support::watched::Watched;
use squall::config::Limits;
use squall::id::ConnId;
use squall::site::Site;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Steps in which things are begun; what is under way then comes to its end.
const ACTIVE_STEPS: usize = 300;
const STEPS_MAX: usize = 20_000;
const OWNERS: usize = 6;
const BROWSERS_MAX: usize = 6;

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
        response_within: limit(2000),
        write_stall: limit(1500),
        head_within: ms(HOUR),
        idle_for: ms(HOUR),
        high_water: 500 + dice.below(1500),
        slice_steps_max: 1 + dice.below(5),
        slice_bytes_max: [50 + dice.below(300), 32 << 10][dice.below(2)],
        batch_max: 1 + dice.below(16),
        drain_within: ms(dice.below(1500)),
        ..Limits::default()
    }
}

/// One run.
struct Run {
    seed: u64,
    weather: Weather,
    dice: Dice,
    driver: Driver<Watched<Book>>,
    book: Rc<RefCell<Book>>,
    seen: Seen,
    lines: Vec<Line>,
    browsers: Vec<Browser>,
    drains: bool,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut dice = Dice::new(seed);
        let weather = [Weather::Calm, Weather::Stale, Weather::Wild, Weather::Wild][seed as usize % 4];
        let (limits, now) = (limits(weather, &mut dice), Instant::now());
        let faulty = weather == Weather::Wild;
        let world = World { dials: Dials::Drawn { dice: Dice::new(seed ^ 3 << 32), faulty }, ..World::default() };
        let settings = settings(format!("http://{}/s?wd={{}}", ORIGINS[0]));
        let site = Site::new(settings, &limits, now).expect("sound settings");
        let book = Rc::new(RefCell::new(Book::new(seed, weather, limits.clone())));
        let app = Watched::new(site, &book);
        let driver = Driver::new(world, app, limits, now);
        let (seen, lines, browsers) = (Seen::new(seed, weather), vec![], vec![]);
        Run { seed, weather, dice, driver, book, seen, lines, browsers, drains: false }
    }

    fn begin_something(&mut self) {
        let owner = ConnId::outside(self.dice.below(OWNERS));
        let is_free = !self.book.borrow().live.contains_key(&owner);
        if self.dice.one_in(5) && (is_free || self.dice.one_in(5)) && !self.drains {
            // What begins outside any turn begins at the time of the last one, and has a turn of its own.
            let now = self.driver.last;
            self.driver.server.start(|_, out| self.book.borrow_mut().begin(owner, now, out));
            self.driver.turn(&[]);
            self.check_turn(now);
        }
        let present = self.browsers.iter().filter(|browser| !browser.gone).count();
        if present < BROWSERS_MAX && self.dice.one_in(25) {
            let browser = Browser::new(&mut self.book.borrow_mut(), self.weather == Weather::Wild, &mut self.dice);
            let mut world = self.driver.world.borrow_mut();
            world.arrive(&browser.pipe);
            world.shortage += (self.weather == Weather::Wild && self.dice.one_in(5)) as usize;
            self.browsers.push(browser);
        }
        if self.weather == Weather::Wild && self.dice.one_in(300) {
            self.driver.now += ms(self.dice.below(2 * HOUR));
        }
    }

    /// All peers act, then the loop has its turn, if there is a reason; returns whether anything goes on.
    fn step(&mut self, is_active: bool) -> bool {
        if is_active {
            self.begin_something();
        }
        let (dice, mortal) = (&mut self.dice, is_active && self.weather == Weather::Wild);
        let mut busy = is_active;
        for browser in &mut self.browsers {
            busy |= browser.act(dice, mortal);
        }
        self.lines.extend(self.driver.world.borrow_mut().dialed.drain(..).map(Line::new));
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
        let before = self.driver.last;
        let most = ms(if self.weather == Weather::Wild { 20 } else { 3 });
        let has_turn = self.driver.step(&mut self.dice, most, manner);
        if has_turn {
            self.check_turn(before);
        }
        has_turn || busy
    }

    /// All that the server counts is what the owners count. `before`: when the turn before was.
    fn check_turn(&self, before: Instant) {
        let (counts, book) = (self.driver.server.counts(), self.book.borrow());
        let (now, wait) = (self.driver.now, self.driver.wait);
        if self.drains {
            // After its deadline the application is told nothing any more.
            return;
        }
        let deadline =
            book.first_deadline().map(|deadline| deadline.max(self.driver.patient_until.unwrap_or(deadline)));
        assert!(deadline.is_none_or(|deadline| deadline > before), "a deadline has passed without a word");
        if wait == Some(Duration::ZERO) {
            return;
        }
        assert_eq!(counts.fetches, book.live.len(), "{counts:?}");
        assert!(book.may_run(counts.fetches_running), "{counts:?}");
        if let Some(deadline) = deadline {
            assert!(wait.is_some_and(|wait| now + wait <= deadline), "a deadline is not waited for");
        }
    }

    /// No origin has more requests under way than it may have.
    fn check_sites(&self) {
        let mut busy = HashMap::<_, usize>::new();
        for line in self.lines.iter().filter(|line| line.is_busy()) {
            *busy.entry(line.pipe.borrow().address).or_default() += 1;
        }
        assert!(busy.values().all(|&n| n <= self.driver.limits.origin_fetches_max), "{busy:?}");
    }

    /// What is under way ends: by itself, or where something was spoiled, by its deadline.
    fn settle(&mut self) {
        self.book.borrow_mut().open = false;
        for _ in 0..STEPS_MAX {
            if self.driver.server.is_over() {
                return;
            }
            if !self.step(false) {
                if self.book.borrow().live.is_empty() {
                    return;
                }
                assert!(self.weather == Weather::Wild, "a wake-up was lost");
                assert!(self.driver.wait(), "no deadline");
            }
        }
        panic!("the simulation does not come to rest: {:?}", self.driver.server.counts());
    }

    fn check(&self) {
        for browser in &self.browsers {
            browser.check(self.seed, self.weather != Weather::Wild);
        }
        let book = self.book.borrow();
        assert!(book.done > 0 || self.weather == Weather::Wild);
        assert!(book.unconnected <= self.driver.world.borrow().failed, "a connect failed for no reason");
        assert!(book.broken <= self.seen.spoiled, "a connection broke for no reason");
    }

    /// All peers leave, and nothing is left.
    fn leave(&mut self) {
        self.browsers.iter_mut().for_each(Browser::leave);
        for _ in 0..STEPS_MAX {
            if self.driver.server.is_over() {
                return;
            }
            if !self.step(false) && !self.driver.wait() {
                break;
            }
        }
        self.driver.assert_empty();
    }
}

/// One run.
pub fn simulate(seed: u64) -> u64 {
    let mut run = Run::new(seed);
    let may_drain = run.weather == Weather::Wild && run.dice.one_in(3);
    let drains_at = if may_drain { run.dice.below(ACTIVE_STEPS) } else { usize::MAX };
    for step in 0..ACTIVE_STEPS {
        if step == drains_at {
            (run.drains, run.book.borrow_mut().open) = (true, false);
            run.driver.drain();
        }
        if run.driver.server.is_over() {
            break;
        }
        run.step(true);
    }
    run.settle();
    run.browsers.iter_mut().for_each(Browser::read_all);
    run.check();
    run.leave();
    run.driver.transcript(run.browsers.iter().map(Browser::got))
}
