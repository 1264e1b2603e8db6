use super::*;
use crate::cli::bench::pace::Schedule;
use crate::cli::bench::slot::Request;
use crate::cli::bench::tally::Wanted;
use crate::cli::bench::times::Times;
use crate::net::Source;
use crate::testing::network::{Dials, FakeNetwork, Pipe, WRITABLE};

mod securing;

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const WHOLE: &str = "HTTP/1.0 200 OK\r\nServer: demo\r\nContent-Length: 5\r\n\r\nhello";
const KEPT: &str = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";

struct Bench {
    driver: Driver<FakeNetwork>,
    network: FakeNetwork,
    now: Instant,
}

fn plan(requests: u64, concurrency: usize) -> Plan {
    Plan {
        address: ([127, 0, 0, 1], 80).into(),
        tls: None,
        requests: vec![Request { bytes: REQUEST.to_vec(), is_head: false }],
        keep_alive: false,
        requests_max: requests,
        concurrency,
        pipeline: 1,
        warmup: Duration::ZERO,
        time_limit: None,
        response_within: Duration::from_secs(30),
        schedule: None,
        goes_on: false,
        wanted: Wanted { samples: true, ..Wanted::default() },
        verbosity: 0,
    }
}

impl Bench {
    fn new(plan: Plan) -> Bench {
        let (network, now) = (FakeNetwork::default(), Instant::now());
        network.0.borrow_mut().dials = Dials::Connected(Pipe::roomy);
        let mut driver = Driver::new(plan, network.clone(), now);
        driver.start(now).expect("it begins");
        Bench { driver, network, now }
    }

    fn later(&mut self, millis: u64) -> &mut Bench {
        self.now += Duration::from_millis(millis);
        self
    }

    /// The loop looks at the clock.
    fn tick(&mut self) {
        self.driver.on_time(self.now).expect("it goes on");
    }

    /// The kernel reports what is new of the `n`th connection.
    fn report(&mut self, n: usize) -> Result<(), Aborted> {
        let reported = self.network.pipe(n).borrow_mut().report();
        let Some((Source::Connection(id), ready)) = reported else { return Ok(()) };
        self.driver.on_ready(id, ready, self.now)
    }

    /// The `n`th connection is there, and its request goes out.
    fn connect(&mut self, n: usize) {
        self.report(n).expect("it is connected");
        assert_eq!(self.network.pipe(n).borrow().heard(), REQUEST);
        self.network.pipe(n).borrow_mut().forget();
    }

    /// The server responds on it, and closes it if `fin`.
    fn respond(&mut self, n: usize, response: &str, fin: bool) -> Result<(), Aborted> {
        let pipe = self.network.pipe(n);
        pipe.borrow_mut().say(response);
        if fin {
            pipe.borrow_mut().fin();
        }
        self.report(n)
    }

    fn tally(&self) -> &Tally {
        &self.driver.tally
    }
}

#[test]
fn each_request_has_its_own_connection_and_times() {
    let mut bench = Bench::new(plan(2, 1));
    bench.later(3).connect(0);
    bench.later(4);
    bench.network.pipe(0).borrow_mut().say(&WHOLE[..10]);
    bench.report(0).expect("half a head");
    bench.later(5).respond(0, &WHOLE[10..], true).expect("a response");
    let [sample] = bench.tally().samples() else { panic!("one request is done") };
    let millis = [sample.connect, sample.wait, sample.total].map(|micros| micros / 1000);
    assert_eq!((millis, sample.processing() / 1000), ([3, 4, 12], 9));
    assert!(bench.network.pipe(0).borrow().server_gone && !bench.driver.is_over(bench.now));
    bench.connect(1);
    bench.respond(1, WHOLE, true).expect("a response");
    let tally = bench.tally();
    assert_eq!((tally.done(), tally.failures(), tally.kept, tally.not_2xx()), (2, 0, 0, 0));
    assert_eq!((bench.driver.input.software.as_deref(), tally.length, tally.body_bytes), (Some("demo"), Some(5), 10));
    assert_eq!((tally.received_bytes, tally.sent_bytes), (2 * WHOLE.len() as u64, 2 * REQUEST.len() as u64));
    assert!(bench.driver.is_over(bench.now));
}

#[test]
fn a_kept_connection_carries_all_requests() {
    let mut bench = Bench::new(Plan { keep_alive: true, ..plan(3, 1) });
    bench.connect(0);
    for _ in 0..2 {
        bench.later(1).respond(0, KEPT, false).expect("a response");
        assert_eq!(bench.network.pipe(0).borrow().heard(), REQUEST, "the next request, at once");
        bench.network.pipe(0).borrow_mut().forget();
    }
    bench.later(1).respond(0, KEPT, false).expect("a response");
    assert_eq!((bench.tally().done(), bench.tally().kept), (3, 3));
    assert!(bench.driver.is_over(bench.now) && bench.network.0.borrow().pipes.len() == 1);
    assert_eq!(bench.tally().samples()[1].connect, 0);
}

#[test]
fn a_kept_connection_that_its_server_closes_is_no_failure() {
    let mut bench = Bench::new(Plan { keep_alive: true, ..plan(2, 1) });
    bench.connect(0);
    bench.respond(0, KEPT, false).expect("a response");
    bench.respond(0, "", true).expect("a FIN");
    bench.connect(1);
    bench.respond(1, KEPT, false).expect("a response");
    assert_eq!((bench.tally().done(), bench.tally().failures()), (2, 0));
}

#[test]
fn a_body_and_its_fin_may_share_an_edge() {
    let mut bench = Bench::new(plan(1, 1));
    bench.connect(0);
    bench.respond(0, "HTTP/1.0 200 OK\r\n\r\nuntil the end", true).expect("a response");
    assert!(bench.driver.is_over(bench.now));
    assert_eq!(bench.tally().length, Some(13));
}

#[test]
fn a_reset_is_one_failure_or_the_end() {
    let mut bench = Bench::new(Plan { goes_on: true, ..plan(2, 1) });
    bench.connect(0);
    bench.network.pipe(0).borrow_mut().reset(false);
    bench.report(0).expect("it goes on");
    assert_eq!((bench.tally().receive_failures, bench.tally().failures(), bench.tally().done()), (1, 1, 1));
    bench.connect(1);
    let mut bench = Bench::new(plan(2, 1));
    bench.connect(0);
    bench.network.pipe(0).borrow_mut().reset(false);
    assert!(matches!(bench.report(0), Err(Aborted::Socket(error)) if error.kind() == ErrorKind::ConnectionReset));
}

#[test]
fn what_is_no_response_is_a_failure_or_the_end() {
    let mut bench = Bench::new(plan(2, 1));
    bench.connect(0);
    assert!(matches!(bench.respond(0, "220 smtp.test\r\n\r\n", false), Err(Aborted::NotHttp(_))));
    let mut bench = Bench::new(Plan { goes_on: true, ..plan(2, 1) });
    bench.connect(0);
    bench.respond(0, "220 smtp.test\r\n\r\n", false).expect("it goes on");
    assert_eq!((bench.tally().receive_failures, bench.tally().done()), (1, 1));
    bench.connect(1);
}

#[test]
fn a_response_that_is_cut_short_is_a_failure() {
    let mut bench = Bench::new(plan(2, 1));
    bench.connect(0);
    bench.respond(0, &WHOLE[..WHOLE.len() - 1], true).expect("half a response");
    assert_eq!((bench.tally().receive_failures, bench.tally().length_failures), (1, 0));
    bench.connect(1);
}

#[test]
fn another_length_is_a_failure_unless_lengths_may_vary() {
    for (may_vary, failures) in [(false, 1), (true, 0)] {
        let mut bench = Bench::new(Plan { wanted: Wanted { may_vary, ..Wanted::default() }, ..plan(2, 2) });
        bench.connect(0);
        bench.connect(1);
        bench.respond(0, WHOLE, true).expect("a response");
        bench.respond(1, "HTTP/1.0 404 No\r\nContent-Length: 1\r\n\r\nx", true).expect("a response");
        assert_eq!((bench.tally().length_failures, bench.tally().not_2xx()), (failures, 1));
    }
}

#[test]
fn a_late_response_ends_the_run_or_is_a_failure() {
    for goes_on in [false, true] {
        let mut bench = Bench::new(Plan { goes_on, ..plan(2, 1) });
        bench.connect(0);
        assert_eq!(bench.driver.due(), Some(bench.now + SWEEP), "when it looks");
        bench.later(29_900);
        bench.driver.on_time(bench.now).expect("there is time");
        bench.later(100);
        let outcome = bench.driver.on_time(bench.now);
        assert_eq!(outcome.is_ok(), goes_on);
        assert_eq!(bench.tally().receive_failures, u64::from(goes_on));
    }
}

#[test]
fn no_request_begins_after_the_time_limit() {
    let mut bench = Bench::new(Plan { time_limit: Some(Duration::from_secs(1)), ..plan(100, 1) });
    bench.connect(0);
    bench.later(999).respond(0, WHOLE, true).expect("a response");
    bench.connect(1);
    bench.later(1).respond(1, WHOLE, true).expect("a response");
    assert!(bench.driver.is_over(bench.now));
    assert_eq!((bench.tally().done(), bench.network.0.borrow().pipes.len()), (2, 2));
}

#[test]
fn eleven_failed_connects_end_a_run_that_goes_on() {
    let (network, now) = (FakeNetwork::default(), Instant::now());
    let mut driver = Driver::new(Plan { goes_on: true, ..plan(100, 1) }, network.clone(), now);
    assert!(matches!(driver.start(now), Err(Aborted::Connecting(_))));
    assert_eq!((driver.tally.connect_failures, driver.tally.done()), (10, 0));
    let mut driver = Driver::new(plan(1, 1), network, now);
    assert!(matches!(driver.start(now), Err(Aborted::Socket(_))));
}

#[test]
fn a_request_that_the_socket_takes_in_parts_is_sent_whole() {
    let mut bench = Bench::new(plan(1, 1));
    bench.network.pipe(0).borrow_mut().give_room(5);
    bench.report(0).expect("it is connected");
    bench.network.pipe(0).borrow_mut().give_room(100);
    bench.report(0).expect("there is room");
    assert_eq!(bench.network.pipe(0).borrow().heard(), REQUEST);
}

#[test]
fn a_response_may_come_before_the_request_is_sent() {
    let mut bench = Bench::new(plan(1, 1));
    bench.network.pipe(0).borrow_mut().give_room(5);
    bench.report(0).expect("it is connected");
    bench.respond(0, WHOLE, false).expect("it waits for the request");
    assert_eq!(bench.tally().done(), 0);
    bench.network.pipe(0).borrow_mut().give_room(100);
    bench.report(0).expect("there is room");
    assert_eq!((bench.tally().done(), bench.tally().failures()), (1, 0));
}

#[test]
fn a_kept_connection_with_a_fin_behind_the_response_is_left() {
    let mut bench = Bench::new(Plan { keep_alive: true, ..plan(2, 1) });
    bench.connect(0);
    bench.respond(0, KEPT, true).expect("a response");
    assert!(bench.network.pipe(0).borrow().server_gone && bench.network.pipe(0).borrow().heard().is_empty());
    bench.connect(1);
}

#[test]
fn an_event_of_an_earlier_connection_changes_nothing() {
    let mut bench = Bench::new(plan(2, 1));
    bench.connect(0);
    let old = bench.network.pipe(0).borrow().id.expect("it is watched");
    bench.respond(0, WHOLE, true).expect("a response");
    bench.driver.on_ready(old, WRITABLE, bench.now).expect("nothing");
    assert!(bench.network.pipe(1).borrow().heard().is_empty());
}

/// Runs the driver for `millis` milliseconds beside a server that responds at once, but not during `stall`. Returns what
/// was counted, and what was left at the end.
fn run_with_stall(plan: Plan, stall: std::ops::Range<u64>, millis: u64) -> (Tally, Rest) {
    let mut bench = Bench::new(plan);
    let began = bench.now;
    for at in 0..=millis {
        bench.now = began + Duration::from_millis(at);
        bench.driver.on_time(bench.now).expect("it goes on");
        let mut responded = true;
        while responded && !stall.contains(&at) {
            responded = false;
            let pipes = bench.network.0.borrow().pipes.len();
            for n in 0..pipes {
                bench.report(n).expect("it goes on");
                let heard = bench.network.pipe(n).borrow().heard().len();
                for _ in 0..heard / REQUEST.len() {
                    bench.network.pipe(n).borrow_mut().say(KEPT);
                    responded = true;
                }
                bench.network.pipe(n).borrow_mut().forget();
                bench.report(n).expect("it goes on");
            }
        }
    }
    let tally = bench.driver.take();
    (tally, bench.driver.finish(bench.now))
}

fn rate(per_second: f64, requests: u64, concurrency: usize) -> Plan {
    let schedule = Some(Schedule { rate: per_second, first: 0, stride: 1 });
    let wanted = Wanted { uncorrected: true, ..Wanted::default() };
    Plan { schedule, wanted, keep_alive: true, ..plan(requests, concurrency) }
}

/// The same times by value.
fn times(millis: impl IntoIterator<Item = u64>) -> Times {
    let mut times = Times::default();
    millis.into_iter().for_each(|millis| times.record(millis * 1000));
    times
}

const SHARES: [f64; 8] = [0.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 100.0];

#[test]
fn a_stall_counts_for_every_request_that_is_due_in_it() {
    // Request 10 is due at 100 ms, and 49 more until the server goes on at 600 ms.
    let (tally, rest) = run_with_stall(rate(100.0, 100, 1), 100..600, 1000);
    let expected = times((0..50).map(|_| 0).chain((1..=50).map(|n| n * 10)));
    assert_eq!(SHARES.map(|p| tally.total.percentile(p)), SHARES.map(|p| expected.percentile(p)));
    let closed = times((0..99).map(|_| 0).chain([500]));
    assert_eq!(SHARES.map(|p| tally.uncorrected.percentile(p)), SHARES.map(|p| closed.percentile(p)));
    assert_eq!((tally.done(), tally.late.max(), rest.never_sent, rest.open.count()), (100, 0, 0, 0));
}

#[test]
fn a_stall_at_the_end_does_not_vanish() {
    let plan = Plan { time_limit: Some(Duration::from_secs(1)), ..rate(100.0, u64::MAX, 2) };
    // Nothing is sent behind the end, though a connection is idle and a request is due.
    assert_eq!(run_with_stall(plan.clone(), 0..0, 1500).0.done(), 100);
    let (tally, rest) = run_with_stall(plan, 500..2000, 1500);
    // Due before 500 ms; two are open; 48 more are due before the end at 1,000 ms.
    assert_eq!((tally.done(), rest.open.count(), rest.never_sent), (50, 2, 48));
    assert_eq!((rest.open.median() / 1000, rest.open.max() / 1000), (490, 500));
}

#[test]
fn a_due_request_goes_to_any_idle_connection() {
    let mut bench = Bench::new(rate(1000.0, 100, 2));
    bench.connect(0);
    // The first connection is stuck; every further request goes to the second one.
    for n in 1..5 {
        bench.later(1).tick();
        if n == 1 {
            bench.report(1).expect("it is connected");
        }
        assert_eq!(bench.network.pipe(1).borrow().heard(), REQUEST, "request {n}");
        bench.network.pipe(1).borrow_mut().forget();
        bench.respond(1, KEPT, false).expect("a response");
    }
    assert_eq!((bench.tally().done(), bench.network.pipe(0).borrow().heard().len()), (4, 0));
}

#[test]
fn a_reset_of_a_kept_connection_is_no_failure() {
    let mut bench = Bench::new(Plan { keep_alive: true, ..plan(2, 1) });
    bench.connect(0);
    bench.respond(0, KEPT, false).expect("a response");
    bench.network.pipe(0).borrow_mut().reset(false);
    bench.report(0).expect("the request is sent again");
    bench.connect(1);
    bench.respond(1, KEPT, false).expect("a response");
    assert_eq!((bench.tally().done(), bench.tally().failures()), (2, 0));
}

#[test]
fn a_long_response_is_read_turn_by_turn_with_the_time_of_each() {
    let mut bench = Bench::new(plan(1, 1));
    bench.connect(0);
    let body = 150_000;
    let response = format!("HTTP/1.0 200 OK\r\nContent-Length: {body}\r\n\r\n{}", "x".repeat(body));
    bench.respond(0, &response, false).expect("it goes on");
    let mut turns = 0;
    while bench.tally().done() == 0 && turns < 10 {
        assert!(bench.driver.due().is_some_and(|due| due <= bench.now), "it does not wait");
        bench.later(1).tick();
        turns += 1;
    }
    assert_eq!((turns, bench.tally().total.max()), (2, 2000), "three buffers of 64 KiB");
    assert!(bench.driver.is_over(bench.now));
}

#[test]
fn a_run_that_ends_in_its_warm_up_has_counted_nothing() {
    let warmup = Duration::from_secs(1);
    let mut bench = Bench::new(Plan { keep_alive: true, warmup, time_limit: Some(warmup), ..plan(u64::MAX, 1) });
    bench.connect(0);
    bench.respond(0, KEPT, false).expect("a response");
    assert_eq!((bench.driver.measures_since(), bench.driver.take().done()), (None, 0));
}

#[test]
fn an_idle_connection_may_be_reset() {
    let mut bench = Bench::new(rate(100.0, 2, 1));
    bench.connect(0);
    bench.respond(0, KEPT, false).expect("a response");
    bench.network.pipe(0).borrow_mut().reset(false);
    bench.report(0).expect("it goes on");
    bench.later(10).tick();
    bench.connect(1);
    bench.respond(1, KEPT, false).expect("a response");
    assert_eq!((bench.tally().done(), bench.tally().failures()), (2, 0));
}

#[test]
fn lateness_is_that_of_this_program_only() {
    let mut bench = Bench::new(rate(100.0, 10, 1));
    bench.connect(0);
    bench.respond(0, KEPT, false).expect("a response");
    // The connection is idle when request 1 is due at 10 ms, and the loop comes 3 ms later.
    bench.later(13).tick();
    assert_eq!(bench.tally().late.max(), 3000);
    // Request 2 is due at 20 ms, when the connection is busy: it begins at once when that is over.
    bench.network.pipe(0).borrow_mut().forget();
    bench.later(20).respond(0, KEPT, false).expect("a response");
    assert_eq!((bench.tally().late.count(), bench.tally().late.max()), (3, 3000));
}

#[test]
fn a_slot_that_takes_a_request_from_an_idle_one_hides_no_lateness() {
    let mut bench = Bench::new(rate(100.0, 10, 2));
    bench.connect(0);
    // Both are idle or nearly so; the loop was stopped from 10 ms, when request 1 was due, until 30 ms.
    bench.later(30).respond(0, KEPT, false).expect("a response, and the next request");
    assert_eq!(bench.tally().late.max() / 1000, 20);
}

#[test]
fn pipelined_requests_share_a_write_and_keep_their_order() {
    let mut bench = Bench::new(Plan { keep_alive: true, pipeline: 3, ..plan(5, 1) });
    bench.report(0).expect("it is connected");
    assert_eq!(bench.network.pipe(0).borrow().heard(), REQUEST.repeat(3));
    bench.network.pipe(0).borrow_mut().forget();
    bench.later(1).respond(0, &[KEPT, KEPT, &KEPT[..20]].concat(), false).expect("two responses");
    assert_eq!((bench.tally().done(), bench.network.pipe(0).borrow().heard().len()), (2, 2 * REQUEST.len()));
    bench.later(1).respond(0, &[&KEPT[20..], KEPT, KEPT].concat(), false).expect("three responses");
    assert_eq!((bench.tally().done(), bench.tally().failures(), bench.tally().kept), (5, 0, 5));
    assert!(bench.driver.is_over(bench.now));
}

#[test]
fn pipelined_requests_behind_a_close_are_sent_again() {
    let mut bench = Bench::new(Plan { keep_alive: true, pipeline: 2, ..plan(2, 1) });
    bench.report(0).expect("it is connected");
    bench.respond(0, WHOLE, true).expect("a response, and the end");
    bench.connect(1);
    bench.respond(1, WHOLE, true).expect("a response");
    assert_eq!((bench.tally().done(), bench.tally().failures()), (2, 0));
    assert!(bench.driver.is_over(bench.now));
}

#[test]
fn what_comes_before_the_end_of_the_warm_up_is_not_counted() {
    let warmup = Duration::from_secs(1);
    let mut bench = Bench::new(Plan { keep_alive: true, warmup, time_limit: Some(warmup), ..plan(u64::MAX, 1) });
    bench.connect(0);
    bench.respond(0, KEPT, false).expect("a response");
    assert_eq!(bench.tally().done(), 1);
    bench.later(1000).tick();
    assert_eq!((bench.tally().done(), bench.driver.done()), (0, 0));
    bench.later(999).respond(0, KEPT, false).expect("a response");
    assert!(bench.tally().done() == 1 && !bench.driver.is_over(bench.now));
    bench.later(1);
    assert!(bench.driver.is_over(bench.now));
}

#[test]
fn requests_of_a_list_are_sent_in_turn() {
    let request = |path: &str| Request { bytes: format!("GET {path} HTTP/1.0\r\n\r\n").into_bytes(), is_head: false };
    let requests = vec![request("/a"), request("/b")];
    let mut bench = Bench::new(Plan { requests, keep_alive: true, ..plan(3, 1) });
    for path in ["/a", "/b", "/a"] {
        bench.report(0).expect("it goes on");
        let heard = bench.network.pipe(0).borrow().heard().to_vec();
        assert!(heard.starts_with(format!("GET {path} ").as_bytes()), "{path}");
        bench.network.pipe(0).borrow_mut().forget();
        bench.respond(0, KEPT, false).expect("a response");
    }
    assert!(bench.driver.is_over(bench.now));
}
