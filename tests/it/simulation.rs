//! The test plays the kernel: a simulated network and clock under the real server, seeded.
//!
//! Bytes are cut anywhere, writes are taken in part, readiness comes late, twice, reordered or for the dead, peers
//! vanish at any moment, time jumps, and in the middle of it the server may be told to drain: that is `support::network`
//! and `driver`. Over it, `members` chat; `fetches` are asked for by browsers and by owners outside, and answered by the
//! `sites`; `strangers` send everything that the site knows, in order and out of it. After every turn the server is
//! audited (`Server::audit`), and at the end nothing may be left.
//!
//! The remainder of a seed is its world. A failing seed is printed; `SQUALL_SEED=N` replays it, `SQUALL_SEEDS=FROM..TO`
//! runs others than CI does.

mod browsers;
mod driver;
mod fetches;
mod found;
mod members;
mod owners;
mod promises;
mod sites;
mod stalls;
mod strangers;
mod talk;

use std::io::Write;
use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

const SEEDS: u64 = 6_000;
const SEEDS_FULL: u64 = 200_000;
/// After this many failures the rest is not run: most will be of one kind.
const FAILURES_MAX: usize = 10;
/// A seed takes milliseconds; one that takes this long never ends.
const ENDLESS: Duration = Duration::from_secs(120);

/// Runs one seed; returns a hash of its transcript.
type Simulate = fn(u64) -> u64;

const WORLDS: [(&str, Simulate); 3] =
    [("members", members::simulate), ("fetches", fetches::simulate), ("strangers", strangers::simulate)];

fn world_of(seed: u64) -> (&'static str, Simulate) {
    WORLDS[(seed % WORLDS.len() as u64) as usize]
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn seeds() -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match (variable("SQUALL_SEED"), variable("SQUALL_SEEDS")) {
        (Some(seed), _) => number(&seed)..number(&seed) + 1,
        (None, Some(seeds)) => {
            let (from, to) = seeds.split_once("..").expect("FROM..TO");
            number(from)..number(to)
        }
        (None, None) => 0..if variable("FULL").is_some() { SEEDS_FULL } else { SEEDS },
    }
}

/// The seeds of one run, shared by all processors.
struct Work {
    next: AtomicU64,
    end: u64,
    passed: AtomicUsize,
    failed: AtomicUsize,
}

impl Work {
    /// Runs seeds until there is none left; `at` tells which.
    fn work(&self, at: &AtomicU64) {
        while self.failed.load(SeqCst) < FAILURES_MAX {
            let seed = self.next.fetch_add(1, SeqCst);
            if seed >= self.end {
                return;
            }
            at.store(seed, SeqCst);
            let (world, simulate) = world_of(seed);
            if catch_unwind(|| simulate(seed)).is_ok() {
                self.passed.fetch_add(1, SeqCst);
                continue;
            }
            self.failed.fetch_add(1, SeqCst);
            eprintln!("seed {seed}, {world}, fails; replay it: SQUALL_SEED={seed} cargo test --test it simulation");
        }
    }

    /// Runs all of them, and names those that never end.
    fn run(&self) {
        let at: Vec<_> = (0..thread::available_parallelism().map_or(2, usize::from)).map(|_| u64::MAX.into()).collect();
        let here = thread::current();
        thread::scope(|scope| {
            let mut workers = vec![];
            for at in &at {
                let here = here.clone();
                workers.push(scope.spawn(move || {
                    self.work(at);
                    here.unpark();
                }));
            }
            let mut last = (0, Instant::now());
            while workers.iter().any(|worker| !worker.is_finished()) {
                let count = self.passed.load(SeqCst) + self.failed.load(SeqCst);
                if count != last.0 {
                    last = (count, Instant::now());
                }
                if last.1.elapsed() > ENDLESS {
                    // Past the test's own output, which is shown only when the test ends.
                    let _ = writeln!(std::io::stderr(), "one of these seeds never ends: {at:?}");
                    std::process::exit(1);
                }
                thread::park_timeout(Duration::from_millis(100));
            }
        });
    }
}

/// The line of the table that `tests/run.sh` prints.
fn report(line: &str) {
    println!("{line}");
    if let Some(path) = variable("RESULTS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        writeln!(file.expect("the file of results"), "{line}").expect("a line fits");
    }
}

#[test]
fn every_seed_ends_with_nothing_left() {
    let seeds = seeds();
    let work = Work { next: seeds.start.into(), end: seeds.end, passed: 0.into(), failed: 0.into() };
    work.run();
    let (passed, failed) = (work.passed.into_inner(), work.failed.into_inner());
    report(&format!("simulation seeds: {passed} passed, {failed} failed"));
    assert_eq!(failed, 0);
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..30 {
        let (world, simulate) = world_of(seed);
        assert_eq!(simulate(seed), simulate(seed), "seed {seed}, {world}");
    }
}
