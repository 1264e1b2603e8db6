//! A site that misbehaves, and what our client makes of it: every misbehaviour has a name, ends in time with a text of
//! its own, and leaves nothing behind.
//!
//! The client is a loop that listens nowhere, with an application that fetches on its own account. Connecting has 1 s,
//! and so has the handshake of TLS. A fetch that is to be late has 0.6 s; any other has enough time that only the site
//! ends it, however busy the machine is.

mod bodies;
#[cfg(feature = "deflate")]
mod codings;
mod connections;
mod heads;
mod redirects;
mod reuse;
mod ways;

#[cfg(feature = "tls")]
mod tls;

use crate::support::{PATIENCE, descriptors, is_alone, ms, wait_for};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Effect, Effects, Fetch, FetchError, Fetched, Url};
use squall::id::ConnId;
use squall::reactor::{Counts, Loop};
use std::time::{Duration, Instant};
use ways::{End, Played, Way};

/// Deadline of a fetch that is to be late.
const WITHIN: Duration = ms(600);
/// Deadline of any other.
const LONG: Duration = Duration::from_secs(5);
const HEAD_BYTES_MAX: usize = 4096;
const BODY_BYTES_MAX: u64 = 65_536;

fn limits() -> Limits {
    Limits {
        connect_within: ms(1000),
        upstream_idle_for: ms(100),
        http: squall::http::Limits {
            response_head_bytes_max: HEAD_BYTES_MAX,
            response_body_bytes_max: BODY_BYTES_MAX,
            inflated_bytes_max: BODY_BYTES_MAX,
            ..Default::default()
        },
        ..Limits::default()
    }
}

/// All ways that this build can be told to go.
fn all_ways() -> Vec<&'static Way> {
    #[cfg(feature = "deflate")]
    codings::prepare();
    let tables: &[&[Way]] = &[
        connections::WAYS,
        heads::WAYS,
        bodies::WAYS,
        #[cfg(feature = "deflate")]
        codings::WAYS,
        #[cfg(feature = "tls")]
        tls::WAYS,
    ];
    tables.iter().copied().flatten().collect()
}

/// Writes down what became of the fetches, by number.
#[derive(Default)]
struct Recorder(Vec<Told>);

#[derive(Debug, Default)]
struct Told {
    status: Option<u16>,
    body: Vec<u8>,
    /// More than one is a bug.
    ends: Vec<Result<(), FetchError>>,
    at: Option<Instant>,
}

impl App for Recorder {
    fn fetched(&mut self, from: ConnId, fetched: Fetched<'_>, now: Now, _: &mut Effects) {
        let told = &mut self.0[from.slot()];
        assert!(told.ends.is_empty(), "something comes behind the end: {told:?}");
        match fetched {
            Fetched::Redirect(..) => {}
            Fetched::Head(head, _) => assert_eq!(told.status.replace(head.status), None, "a second head"),
            Fetched::Body(piece) => told.body.extend_from_slice(piece),
            Fetched::Done => told.ends.push(Ok(())),
            Fetched::Failed(why) => told.ends.push(Err(why)),
        }
        told.at = (!told.ends.is_empty()).then_some(now.instant);
    }
}

/// The client: a loop in the test's own thread.
struct Fetcher {
    running: Loop<Recorder>,
}

impl Fetcher {
    fn new(limits: Limits) -> Fetcher {
        let running = Loop::new(&[], Recorder::default(), limits).unwrap_or_else(|e| panic!("{e}"));
        #[cfg(feature = "tls")]
        let running = tls::trusting(running);
        Fetcher { running }
    }

    /// Starts a fetch; returns its number.
    fn start(&mut self, url: &str, change: impl FnOnce(Fetch) -> Fetch) -> usize {
        let url = Url::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
        let fetch = change(Fetch::get(url, Instant::now(), LONG));
        let mut n = 0;
        self.running.server().start(|recorder, out| {
            n = recorder.0.len();
            recorder.0.push(Told::default());
            out.push(Effect::Fetch(ConnId::outside(n), Box::new(fetch)));
        });
        n
    }

    fn told(&mut self, n: usize) -> &Told {
        &self.running.server().app().0[n]
    }

    /// Turns the loop until it is `so`.
    #[track_caller]
    fn turn_until(&mut self, what: &str, mut so: impl FnMut(&mut Fetcher) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(Instant::now() < until, "waited too long for {what}: {:?}", self.running.counts());
            self.running.once(Some(ms(10))).expect("the poll works");
        }
    }

    #[track_caller]
    fn wait_for_the_end_of(&mut self, n: usize, name: &str) {
        self.turn_until(name, |fetcher| !fetcher.told(n).ends.is_empty());
    }

    /// Turns the loop until nothing is left of any fetch: no socket, no place, no byte. Entries of the timer heap may
    /// stay until they are due.
    #[track_caller]
    fn turn_until_empty(&mut self, after: &str) {
        self.turn_until(after, |fetcher| {
            let counts = fetcher.running.counts();
            counts == Counts { cut: counts.cut, timers: counts.timers, ..Counts::default() }
        });
    }

    #[track_caller]
    fn turn_until_no_timer_is_left(&mut self) {
        self.turn_until("the last timer", |fetcher| fetcher.running.counts().timers == 0);
    }

    /// One whole fetch: its body, or why not.
    #[track_caller]
    fn fetch(&mut self, url: &str, change: impl FnOnce(Fetch) -> Fetch) -> Result<String, String> {
        let n = self.start(url, change);
        self.wait_for_the_end_of(n, url);
        let told = self.told(n);
        let body = String::from_utf8_lossy(&told.body).into_owned();
        told.ends[0].clone().map(|()| body).map_err(|why| why.to_string())
    }

    /// Goes a way that is being played.
    fn go(&mut self, way: &'static Way, played: Played) -> Going {
        let begun = Instant::now();
        let n = self.start(&played.url, |fetch| way.asking(fetch, begun));
        Going { way, n, played, begun }
    }
}

/// A way that has been begun.
struct Going {
    way: &'static Way,
    n: usize,
    played: Played,
    begun: Instant,
}

impl Going {
    /// What was told at the end, if it is as it should be; else what is wrong.
    fn ended(&self, told: &Told) -> Result<String, String> {
        let Going { way, begun, .. } = self;
        let said = match &told.ends[0] {
            Ok(()) => Ok(String::from_utf8_lossy(&told.body).into_owned()),
            Err(why) => Err(why.to_string()),
        };
        let took = told.at.expect("it has ended") - *begun;
        match (&said, way.end) {
            (Err(_), End::Fails(why)) if ways::is_late(why) && took < WITHIN => {
                Err(format!("{}: after {took:?} only", way.name))
            }
            (Ok(body), End::Arrives(expected)) if body == expected => Ok(body.clone()),
            (Err(why), End::Fails(expected)) if why.contains(expected) => Ok(why.clone()),
            _ => Err(format!("a site that {}: {:?} was expected, but: {said:?}", way.name, way.end)),
        }
    }
}

/// Fails with all that went wrong, not with the first.
#[track_caller]
fn none_of(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all_ways().len(), wrong.join("\n"));
}

#[test]
fn each_misbehaviour_has_its_own_text() {
    let ways = all_ways();
    let failing = ways.iter().filter(|way| matches!(way.end, End::Fails(_))).count();
    assert!(failing >= 40, "{failing}");
    for (n, way) in ways.iter().enumerate() {
        assert!(!ways[..n].iter().any(|before| before.name == way.name), "two ways are called: {}", way.name);
        let End::Fails(text) = way.end else { continue };
        let same = |other: &Way| matches!(other.end, End::Fails(other) if other.contains(text));
        let others: Vec<&str> = ways.iter().filter(|other| same(other)).map(|other| other.name).collect();
        assert!(others.len() == 1 || ways::SHARED.contains(&text), "{text}: said of sites that {others:?}");
    }
}

#[test]
fn each_misbehaviour_alone_leaves_nothing() {
    if !is_alone("outbound::each_misbehaviour_alone_leaves_nothing") {
        return;
    }
    let mut fetcher = Fetcher::new(limits());
    let mut wrong = Vec::new();
    // The first round opens what stays open, such as the resolver's threads.
    let mut baseline = 0;
    for way in [connections::WAYS.first().expect("there is one")].into_iter().chain(all_ways()) {
        let going = fetcher.go(way, way.play());
        fetcher.wait_for_the_end_of(going.n, way.name);
        match going.ended(fetcher.told(going.n)) {
            Ok(said) => println!("{}: {said}", way.name),
            Err(why) => wrong.push(why),
        }
        fetcher.turn_until_empty(way.name);
        going.played.wait_until_left(way.name);
        drop(going);
        if baseline == 0 {
            baseline = descriptors("self");
        }
        wait_for(way.name, || (descriptors("self") <= baseline).then_some(()));
    }
    fetcher.turn_until_no_timer_is_left();
    none_of(wrong);
}

#[test]
fn all_misbehaviours_at_once_leave_nothing() {
    let mut fetcher = Fetcher::new(limits());
    // All are there before the first is asked: the time of a fetch that is to be late runs from its beginning.
    let played: Vec<(&Way, Played)> = all_ways().into_iter().map(|way| (way, way.play())).collect();
    let all: Vec<Going> = played.into_iter().map(|(way, played)| fetcher.go(way, played)).collect();
    for going in &all {
        fetcher.wait_for_the_end_of(going.n, going.way.name);
    }
    none_of(all.iter().filter_map(|going| going.ended(fetcher.told(going.n)).err()).collect());
    fetcher.turn_until_empty("all ways");
    fetcher.turn_until_no_timer_is_left();
    for going in &all {
        going.played.wait_until_left(going.way.name);
    }
}
