use super::*;
use crate::cli::bench::ws::echo::EchoCounts;
use crate::cli::bench::ws::meter::ServerUse;
use crate::cli::bench::ws::opening::Trouble;
use crate::cli::bench::ws::results::End;
use crate::cli::bench::ws::testing::planned;
use std::time::SystemTime;

fn plan(flags: &str) -> Plan {
    planned(&format!("{flags} ws://127.0.0.1:9/room")).expect("a plan")
}

fn times(values: impl IntoIterator<Item = u64>) -> Times {
    let mut times = Times::default();
    values.into_iter().for_each(|value| times.record(value));
    times
}

/// Ten connections that opened within a tenth of a second, and one that did not; what was measured took two seconds.
fn opened() -> Results {
    let mut results = Results::new();
    (results.opened, results.opening, results.took) = (10, Duration::from_millis(100), Duration::from_secs(2));
    results.handshakes = times([[1000; 5], [2000; 5]].concat());
    results.not_opened(Trouble::Refused(503));
    results
}

fn summary(plan: &Plan, results: Results) -> Summary {
    let recorded = Recorded { began: SystemTime::now(), intervals: vec![], cpu: None, logged: Ok(()) };
    into_summary(plan, results, recorded, vec![])
}

#[track_caller]
fn has_lines(report: &str, lines: &[&str]) {
    for line in lines {
        assert!(report.lines().any(|found| found == *line), "{line:?} is not in\n{report}");
    }
}

fn figure(summary: &Summary, name: &str) -> Option<f64> {
    summary.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
}

#[test]
fn values_stand_from_column_25_on() {
    for mode in ["echo", "idle", "storm"] {
        let report = report(&plan(&format!("--ws {mode} --pid {}", std::process::id())), &opened());
        for line in report.lines().filter(|line| line.contains(": ") && !line.starts_with(' ')) {
            let (label, value) = line.split_at(24);
            assert!(label.trim_end().ends_with(':') && !value.starts_with(' '), "{line:?}");
        }
    }
    has_lines(
        &report(&plan("--ws idle -c 11"), &opened()),
        &[
            "WebSocket Mode:         idle",
            "Document Path:          /room",
            "Connections:            11",
            "Opened connections:     10",
            "Refused connections:    1",
            "   (503: 1)",
            "Failed connections:     0",
            "First failure:          the server refuses with status 503",
            "Connects per second:    100.00 [#/sec]",
            "Handshake p50:          1.000 [ms]",
            "Handshake max:          2.000 [ms]",
            "Time taken for tests:   0.100 seconds",
        ],
    );
}

#[test]
fn echoes_are_counted_a_second() {
    let (plan, mut results) = (plan("--ws echo -c 11 --in-flight 2"), opened());
    results.latency = times(1..=100);
    results.echo = Some(EchoCounts { sent: 110, under_way: 3, different: 1, lost: 4 });
    results.ends.note(End::Close(Some(1001)));
    results.ends.note(End::Reset);
    has_lines(
        &report(&plan, &results),
        &[
            "Messages under way:     22",
            "Round trips:            100",
            "Round trips per second: 50.00 [#/sec]",
            "Different messages:     1",
            "Lost messages:          7",
            "Closed connections:     2",
            "   (1001: 1, reset: 1)",
            "  p100          0.100 ms",
        ],
    );
    let summary = summary(&plan, results);
    assert_eq!((summary.mode, summary.succeeded, summary.took), ("ws-echo", 100, Duration::from_secs(2)));
    assert_eq!(summary.failures, [("refused", 1), ("disconnected", 2), ("lost", 7), ("different", 1)]);
    assert_eq!((summary.statuses.as_slice(), summary.latency.max()), (&[(101, 10), (503, 1)][..], 100));
    assert_eq!(figure(&summary, "round_trips_per_second"), Some(50.0));
}

#[test]
fn a_room_shows_its_reach_and_its_faulty_senders() {
    let (plan, mut results) = (plan("--ws fanout -c 10 --slow 20 --senders 2"), opened());
    results.sent = 20;
    results.latency = times(1..=150);
    results.slow_ends.note(End::Close(Some(1013)));
    results.slow_open = 1;
    let faulty = SenderCounts { said: 10, lost: 8, doubled: 1, out_of_order: 2 };
    results.room = Some(RoomResults {
        members: 8,
        senders: vec![SenderCounts { said: 10, ..SenderCounts::default() }, faulty],
        received: 152,
        expected: 160,
        disagreeing: 3,
        foreign: 5,
        spread: times([40, 60]),
        open: times([]),
    });
    results.server =
        Some(ServerUse { cpu: Duration::from_millis(300), memory_before: 1, memory_after: 4096, opened: 0 });
    has_lines(
        &report(&plan, &results),
        &[
            "Members that read:      8",
            "Slow members:           2",
            "   (1013: 1, still open: 1)",
            "Sent per second:        10.00 [#/sec]",
            "Messages delivered:     150",
            "Delivered per second:   75.00 [#/sec]",
            "Reach:                  0.950000",
            "Lost messages:          8",
            "   (sender 2: lost 8, doubled 1, out of order 2)",
            "Disagreeing members:    3",
            "Other messages:         5",
            "First to last max:      0.060 [ms]",
            "CPU per delivery:       2000.000 [us]",
            "Server CPU:             15.0 [%]",
            "Server memory:          4096 bytes",
        ],
    );
    let summary = summary(&plan, results);
    let names = ["reach", "lost", "disagreeing_members", "spread_max_us", "slow_members_cut", "server_cpu_us"];
    let expected = [0.95, 8.0, 3.0, 60.0, 1.0, 2000.0].map(Some);
    assert_eq!(names.map(|name| figure(&summary, name)), expected);
}

#[test]
fn senders_that_never_get_their_own_messages_are_told_apart() {
    let (plan, mut results) = (plan("--ws fanout -c 2"), opened());
    let counts = SenderCounts { said: 1, lost: 1, ..SenderCounts::default() };
    results.room = Some(RoomResults {
        members: 2,
        senders: vec![counts],
        received: 1,
        expected: 2,
        disagreeing: 0,
        foreign: 0,
        spread: times([]),
        open: times([]),
    });
    assert!(report(&plan, &results).contains("\nNo sender has got its own message back"));
}

#[test]
fn idle_connections_cost_what_was_used_behind_the_first_ones() {
    let (plan, mut results) = (plan(&format!("--ws idle -c 11 --pid {}", std::process::id())), opened());
    results.server =
        Some(ServerUse { cpu: Duration::from_micros(50), memory_before: 1000, memory_after: 2000, opened: 5 });
    has_lines(
        &report(&plan, &results),
        &[
            "Connects per second:    50.00 [#/sec]",
            "CPU per handshake:      10.000 [us]",
            "Memory per connection:  200 bytes",
        ],
    );
    let summary = summary(&plan, results);
    assert_eq!(figure(&summary, "memory_per_connection_bytes"), Some(200.0));
    assert_eq!((summary.mode, summary.succeeded, summary.took), ("ws-idle", 10, Duration::from_millis(100)));
}

#[test]
fn a_storm_says_when_how_many_were_back() {
    let (plan, mut results) = (plan("--ws storm -c 10"), opened());
    (results.cut, results.back, results.latency) = (10, 6, times((1..=6).map(|n| n * 100)));
    has_lines(
        &report(&plan, &results),
        &[
            "Cut connections:        10",
            "Back connections:       6",
            "Back 50%:               0.500 [ms]",
            "Back 99%:               never",
        ],
    );
    let summary = summary(&plan, results);
    assert_eq!(summary.failures, [("refused", 1), ("not_back", 4)]);
    assert_eq!((figure(&summary, "back_50_us"), figure(&summary, "back_100_us")), (Some(500.0), None));
}

#[test]
fn a_storm_of_squall_v1_says_how_many_have_resumed() {
    let (plan, mut results) = (plan("--ws storm -c 10 --subprotocol squall.v1"), opened());
    (results.cut, results.back, results.latency) = (10, 9, times(1..=9));
    results.resume = Some(ResumeCounts { resumed: 5, gaps: 1, anew: 0, holes: 3 });
    has_lines(&report(&plan, &results), &["Resumed connections:    5", "   (gap: 1, with holes: 3)"]);
    let summary = summary(&plan, results);
    assert_eq!(summary.failures, [("refused", 1), ("holes", 3), ("not_back", 1)]);
    let figures = ["resumed", "gaps", "anew", "holes", "not_resumed"].map(|name| figure(&summary, name));
    assert_eq!(figures, [5.0, 1.0, 0.0, 3.0, 5.0].map(Some));
}

#[test]
fn the_names_of_figures_are_known_before_the_run() {
    let pid = format!("--pid {}", std::process::id());
    for mode in ["echo", "fanout", "fanout --slow 50", "idle", "storm", "storm --subprotocol squall.v1"] {
        for pid in ["", &pid] {
            let (plan, mut results) = (plan(&format!("--ws {mode} -c 10 {pid}")), opened());
            match plan.mode {
                WsMode::Echo => results.echo = Some(EchoCounts::default()),
                WsMode::Fanout => results.room = Some(room()),
                WsMode::Idle => {}
                WsMode::Storm => (results.cut, results.back, results.latency) = (1, 1, times([1])),
            }
            results.resume = plan.resumes().then(ResumeCounts::default);
            let used = ServerUse { cpu: Duration::ZERO, memory_before: 0, memory_after: 0, opened: 0 };
            results.server = (!pid.is_empty()).then_some(used);
            let made: Vec<&str> = summary(&plan, results).figures.iter().map(|figure| figure.name).collect();
            assert_eq!(figure_names(&plan), made, "{mode} {pid}");
        }
    }
}

/// One in which nothing was said.
fn room() -> RoomResults {
    RoomResults {
        members: 0,
        senders: vec![],
        received: 0,
        expected: 0,
        disagreeing: 0,
        foreign: 0,
        spread: times([]),
        open: times([]),
    }
}
