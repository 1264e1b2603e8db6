//! A storm whose members speak `squall.v1`: with what position they come back, and how that is counted.

use super::run::{Run, accepting, frame};
use super::*;
use crate::cli::bench::ws::opening::WELCOME;
use crate::cli::bench::ws::resume::ResumeCounts;

const STORM: &str = "--ws storm --subprotocol squall.v1";
const ENTRY_8: &str = r#"{"type":"message","id":8,"tag":"00000008","from":"ann","text":"hi"}"#;
const GAP: &str = r#"{"type":"gap","oldest":1,"reason":"other"}"#;

fn welcome(resumed: bool, position: &str, history: &str) -> String {
    format!(r#"{{"type":"welcome","position":"{position}","history":[{history}],"resumed":{resumed}}}"#)
}

/// A run whose members were all there, at entry 7, when they were cut.
fn stormy(flags: &str, members: usize) -> Run {
    let mut run = Run::open(&format!("{STORM} -c {members} {flags}"));
    assert_eq!(run.begun(), members, "not before each has its welcome");
    (0..members).for_each(|n| run.say(n, &welcome(false, "7.00000007", "")));
    run.later(0);
    assert_eq!(run.begun(), 2 * members, "all at once");
    run
}

#[test]
fn members_come_back_with_their_positions() {
    let mut run = Run::open(&format!("{STORM} -c 3"));
    // One has a later entry than the others have, and one has seen none.
    run.say(0, &welcome(false, "7.00000007", ""));
    run.say(1, &welcome(false, "7.00000007", ""));
    run.say(1, ENTRY_8);
    run.say(2, &welcome(false, "0.0", ""));
    run.later(0);
    assert!((0..3).all(|n| run.pipe(n).borrow().server_reset));
    for (n, since) in [(3, "7.00000007"), (4, "8.00000008"), (5, "0.0")] {
        let request = run.request(n);
        assert!(request.starts_with(&format!("GET /room?since={since} HTTP/1.1\r\n")), "{request}");
    }
}

#[test]
fn a_member_is_back_with_its_welcome() {
    let mut run = stormy("", 4);
    for n in 4..8 {
        run.later(10);
        run.accept(n);
    }
    run.later(0);
    assert!(!run.driver.is_over(run.now), "the handshakes are not the end");
    run.later(10).say(4, &welcome(true, "8.00000008", ENTRY_8));
    run.say(5, GAP);
    run.say(5, &welcome(false, "3.00000003", ""));
    run.say(6, &welcome(false, "3.00000003", ""));
    run.later(10).say(7, &welcome(true, "8.00000008", ""));
    run.later(0);
    assert!(run.driver.is_over(run.now));
    let results = run.end();
    assert_eq!((results.opened, results.cut, results.back), (4, 4, 4));
    assert_eq!(results.resume, Some(ResumeCounts { resumed: 1, gaps: 1, anew: 1, holes: 1 }));
    assert_eq!((results.handshakes.count(), results.latency.count(), results.latency.max()), (8, 4, 60_000));
}

#[test]
fn a_member_that_is_closed_before_its_welcome_tries_again() {
    let mut run = stormy("", 2);
    run.accept(2);
    run.accept(3);
    run.close(2, 1011);
    run.say(3, &welcome(true, "7.00000007", ""));
    run.close(3, 1001);
    run.later(0);
    assert_eq!((run.begun(), run.driver.is_over(run.now)), (4, false), "it waits before that");
    run.later(100);
    assert_eq!(run.begun(), 5, "the other one was back");
    let request = run.request(4);
    assert!(request.starts_with("GET /room?since=7.00000007 "), "{request}");
    run.send(4, [accepting(&request).into_bytes(), frame(Opcode::Text, welcome(true, "7.00000007", ""))].concat());
    run.later(0);
    let results = run.end();
    assert_eq!((results.back, results.ends.codes), (2, [(1001, 1), (1011, 1)].into()));
    assert_eq!(results.resume, Some(ResumeCounts { resumed: 2, ..ResumeCounts::default() }));
}

#[test]
fn a_storm_ends_at_its_time_without_those_that_get_no_welcome() {
    let mut run = stormy("--duration 4", 2);
    run.accept(2);
    run.accept(3);
    run.say(2, &welcome(true, "7.00000007", ""));
    let results = run.end();
    assert_eq!((results.cut, results.back, results.took), (2, 1, Duration::from_secs(4)));
}

#[test]
fn a_member_without_a_first_welcome_takes_no_part() {
    let mut run = Run::open(&format!("{STORM} -c 2 -s 3"));
    run.say(0, &welcome(false, "7.00000007", ""));
    run.later(2999);
    assert_eq!(run.begun(), 2);
    run.later(1);
    assert!(run.begun() == 3 && run.pipe(1).borrow().server_reset);
    run.accept(2);
    let results = run.end();
    assert_eq!((results.opened, results.cut, results.failed), (2, 1, [(WELCOME, 1)].into()));
}

#[test]
fn only_a_storm_of_squall_v1_waits_for_a_welcome() {
    for flags in ["--ws storm", "--ws storm --subprotocol other.v1", "--ws idle --subprotocol squall.v1"] {
        let mut run = Run::open(flags);
        run.later(0);
        let results = run.end();
        assert_eq!((results.opened, results.resume), (1, None), "{flags}");
    }
}
