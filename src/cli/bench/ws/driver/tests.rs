//! Connections: how they open, what is counted of them, how they end. What is said on them is tested in `talk`, and how
//! members resume in `resume`.

use super::*;
use crate::cli::bench::ws::opener::OPENING_MAX;
use crate::cli::bench::ws::opening::{CLOSED, CONNECT, HANDSHAKE, LOGIN, TIMEOUT};
use crate::cli::bench::ws::results::Ends;
use crate::testing::network::Dials;
use crate::ws::frame::Opcode;

mod resume;
mod run;
mod talk;

use run::{Run, accepting, frame};

const REFUSED: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_handshake_asks_for_what_the_flags_say() {
    let mut run = Run::new("--ws idle --subprotocol squall.v1 -C a=b -H X-Y:z -H Host:other.test -A me:secret");
    let request = run.request(0);
    assert!(request.starts_with("GET /room HTTP/1.1\r\nHost: other.test\r\nUpgrade: websocket\r\n"), "{request}");
    for field in [
        "Sec-WebSocket-Protocol: squall.v1",
        "Cookie: a=b",
        "X-Y:z",
        "Authorization: Basic bWU6c2VjcmV0",
        "Version: 13",
    ] {
        assert!(request.contains(&format!("{field}\r\n")), "{field}: {request}");
    }
    run.send(0, accepting(&request));
    assert_eq!(run.opened(), Some(1));
}

#[test]
fn each_handshake_has_a_key_of_its_own() {
    let mut run = Run::new("--ws idle -c 2");
    let [one, other] = [0, 1].map(|n| run.request(n));
    let key = |request: &str| request.lines().find(|line| line.starts_with("Sec-WebSocket-Key")).map(str::to_owned);
    assert!(key(&one).is_some() && key(&one) != key(&other), "{one}");
}

#[test]
fn what_does_not_open_is_counted_by_its_cause() {
    let mut run = Run::new("--ws idle -c 6");
    let requests: Vec<String> = (0..6).map(|n| run.request(n)).collect();
    run.send(0, REFUSED);
    run.send(1, accepting(&requests[0]));
    run.send(2, "SSH-2.0\r\n\r\n");
    run.pipe(3).borrow_mut().fin();
    run.report(3);
    run.later(3);
    run.send(4, accepting(&requests[4]));
    assert_eq!(run.opened(), None, "one is still to come");
    run.later(29_997);
    assert_eq!(run.opened(), Some(1));
    let results = run.end();
    assert_eq!((results.opened, results.refused), (1, [(503, 1)].into()));
    assert_eq!(results.failed, [(CLOSED, 1), (HANDSHAKE, 2), (TIMEOUT, 1)].into());
    assert_eq!((results.handshakes.count(), results.handshakes.max()), (1, 3000));
    assert_eq!(results.first_failure, Some(Trouble::Refused(503)));
}

#[test]
fn a_run_in_which_nothing_opens_is_over() {
    let run = Run::dialling("--ws echo -c 3", Dials::Refused);
    let results = run.end();
    assert_eq!((results.opened, results.failed), (0, [(CONNECT, 3)].into()));
}

#[test]
fn connections_are_opened_a_bounded_number_at_once() {
    let mut run = Run::new(&format!("--ws idle -c {}", OPENING_MAX + 1));
    assert_eq!(run.begun(), OPENING_MAX);
    run.accept(5);
    assert_eq!(run.begun(), OPENING_MAX + 1);
}

#[test]
fn frames_behind_the_response_are_read() {
    let mut run = Run::new("--ws idle");
    let response = accepting(&run.request(0));
    run.send(0, [response.as_bytes(), &frame(Opcode::Ping, "at once")].concat());
    assert_eq!(run.heard(0), ["pong at once"]);
}

#[test]
fn a_response_may_come_in_parts() {
    let response = accepting(&Run::new("--ws idle").request(0));
    for split in 1..response.len() {
        let mut run = Run::new("--ws idle");
        let response = accepting(&run.request(0));
        run.send(0, &response[..split]);
        assert_eq!(run.opened(), None);
        run.send(0, &response[split..]);
        assert_eq!(run.opened(), Some(1), "split at {split}");
    }
}

#[test]
fn a_response_that_is_cut_short_is_counted_as_closed() {
    let mut run = Run::new("--ws idle -c 4");
    for (n, front) in ["HTTP/1.1 101", "HTTP/1.1 101 S\r\n", "HTTP/1.1 101 S\r\nUpgrade: w"].into_iter().enumerate() {
        run.request(n);
        run.send(n, front);
        run.pipe(n).borrow_mut().fin();
        run.report(n);
    }
    // The bytes and the end come at once.
    run.request(3);
    run.pipe(3).borrow_mut().say("HTTP/1.1 101 S\r\n");
    run.pipe(3).borrow_mut().fin();
    run.report(3);
    assert_eq!((run.opened(), run.end().failed), (Some(0), [(CLOSED, 4)].into()));
}

#[test]
fn pings_are_answered_and_closes_too() {
    let mut run = Run::open("--ws idle -c 4");
    run.send(0, frame(Opcode::Ping, "are you there"));
    run.send(0, frame(Opcode::Pong, ""));
    assert_eq!(run.heard(0), ["pong are you there"]);
    run.close(0, 1001);
    assert_eq!(run.heard(0), ["close 1001"]);
    assert!(run.pipe(0).borrow().server_gone && !run.pipe(0).borrow().server_reset);
    run.send(1, frame(Opcode::Close, ""));
    assert_eq!(run.heard(1), ["close 0"]);
    run.pipe(2).borrow_mut().reset(false);
    run.report(2);
    run.send(3, [0xff, 0]);
    assert_eq!(run.heard(3), ["close 1002"]);
    let results = run.end();
    assert_eq!((results.pings, results.opened), (1, 4));
    assert_eq!(results.ends, Ends { codes: [(1001, 1), (1005, 1)].into(), without_close: 0, resets: 1, violations: 1 });
}

#[test]
fn an_end_without_a_close_is_told_from_a_reset() {
    let mut run = Run::open("--ws idle");
    run.pipe(0).borrow_mut().fin();
    run.report(0);
    let results = run.end();
    assert_eq!((results.ends.without_close, results.ends.total()), (1, 1));
}

#[test]
fn at_the_end_each_connection_gets_a_close_and_a_reset() {
    let mut run = Run::open("--ws idle -c 2");
    let pipes = [0, 1].map(|n| run.pipe(n));
    pipes.iter().for_each(|pipe| pipe.borrow_mut().forget());
    run.later(9_999);
    assert!(!run.driver.is_over(run.now));
    let results = run.end();
    assert!(pipes.iter().all(|pipe| pipe.borrow().server_reset && pipe.borrow().written == 8));
    assert_eq!(results.ends.total(), 0, "that is no disconnect");
}

#[test]
fn a_run_that_is_interrupted_ends_with_what_it_has() {
    let mut run = Run::open("--ws echo --message-bytes 8");
    run.later(1500).say(0, "00000000");
    let pipe = run.pipe(0);
    let results = run.driver.finish(run.now);
    assert!(pipe.borrow().server_reset);
    assert_eq!((results.latency.count(), results.took), (1, Duration::from_millis(1500)));
    assert_eq!(results.echo.map(|counts| counts.under_way), Some(1));
}

#[test]
fn a_run_that_is_interrupted_while_it_opens_says_how_long_that_took() {
    let mut run = Run::new("--ws idle -c 3");
    run.later(50);
    run.accept(0);
    let results = run.driver.finish(run.now);
    assert_eq!((results.opened, results.opening), (1, Duration::from_millis(50)));
}

#[test]
fn a_watched_idle_run_measures_what_most_connections_cost() {
    let mut run = Run::new(&format!("--ws idle -c 10 --pid {}", std::process::id()));
    assert_eq!(run.begun(), 5, "the first ones, before the rest");
    (0..5).for_each(|n| run.accept(n));
    assert_eq!((run.begun(), run.opened()), (5, None));
    run.later(300);
    assert_eq!(run.begun(), 10);
    run.later(20);
    (5..10).for_each(|n| run.accept(n));
    let results = run.end();
    assert_eq!((results.opened, results.opening), (10, Duration::from_millis(20)));
    let used = results.server.expect("this process exists");
    assert!(used.opened == 5 && used.memory_after > 0, "{used:?}");
}

#[test]
fn a_login_brings_a_cookie_to_each_connection() {
    let mut run = Run::new("--ws idle -c 3 --login http://127.0.0.1:8/login --logins 2");
    for n in [0, 1] {
        let request = run.request(n);
        assert!(request.starts_with("POST /login HTTP/1.1\r\nHost: 127.0.0.1:8\r\n"), "{request}");
        assert!(request.ends_with(&format!("\r\n\r\nusername=bench-abcdef-{}", n + 1)), "{request}");
        run.send(n, format!("HTTP/1.1 303 See Other\r\nSet-Cookie: user={n}; Path=/\r\nSet-Cookie: b=c\r\n\r\n"));
        assert!(run.pipe(n).borrow().server_gone);
    }
    for (n, cookies) in [(2, "user=0; b=c"), (3, "user=1; b=c"), (4, "user=0; b=c")] {
        let request = run.request(n);
        assert!(request.contains(&format!("\r\nCookie: {cookies}\r\n")), "{request}");
        run.send(n, accepting(&request));
    }
    let results = run.end();
    assert_eq!((results.logins, results.opened), (2, 3));
}

#[test]
fn a_connection_without_its_login_is_not_opened() {
    let mut run = Run::new("--ws idle -c 3 --login http://127.0.0.1:8/login");
    let responses = [
        "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
    ];
    for (n, response) in responses.into_iter().enumerate() {
        run.request(n);
        run.send(n, response);
    }
    run.accept(3);
    let results = run.end();
    assert_eq!((results.logins, results.opened, results.failed), (1, 1, [(LOGIN, 2)].into()));
    assert_eq!(results.first_failure, Some(Trouble::Failed(LOGIN, "the login is refused with status 409".into())));
}

#[test]
fn a_storm_cuts_all_and_waits_until_they_are_back() {
    let mut run = Run::open("--ws storm -c 4");
    assert!((0..4).all(|n| run.pipe(n).borrow().server_reset), "cut, as soon as all are there");
    assert_eq!(run.begun(), 8);
    for n in 4..7 {
        run.later(10);
        run.accept(n);
    }
    run.request(7);
    run.send(7, REFUSED);
    assert_eq!(run.begun(), 8, "it waits before it tries again");
    run.later(100);
    assert_eq!(run.begun(), 9);
    run.accept(8);
    assert!(run.driver.is_over(run.now));
    let results = run.end();
    assert_eq!((results.cut, results.back, results.refused.clone()), (4, 4, [(503, 1)].into()));
    let back = &results.latency;
    assert_eq!((back.percentile(50.0) / 1000, back.max()), (20, 130_000));
}

#[test]
fn a_storm_ends_at_its_time_with_those_that_are_back() {
    let mut run = Run::open("--ws storm -c 2");
    run.accept(2);
    let results = run.end();
    assert_eq!((results.cut, results.back, results.took), (2, 1, Duration::from_secs(10)));
}

#[test]
fn others_are_opened_first_and_elsewhere() {
    let mut run = Run::new("--ws echo -c 1 --others 2 --others-path /quiet");
    let targets = [0, 1, 2].map(|n| {
        let request = run.request(n);
        run.send(n, accepting(&request));
        request.split(' ').nth(1).map(str::to_owned)
    });
    assert_eq!(targets.each_ref().map(Option::as_deref), [Some("/quiet"), Some("/quiet"), Some("/room")]);
    assert_eq!([0, 1, 2].map(|n| run.heard(n).len()), [0, 0, 1], "only one takes part");
}

#[test]
fn an_event_of_an_earlier_connection_changes_nothing() {
    let mut run = Run::open("--ws storm -c 1");
    let old = run.pipe(0).borrow().id.expect("it is watched");
    run.driver.on_ready(old, crate::testing::network::ALL, run.now).expect("nothing");
    run.accept(1);
    assert!(run.driver.is_over(run.now));
    assert_eq!(run.end().ends.total(), 0);
}
