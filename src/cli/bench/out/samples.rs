//! Runs for the tests of what is made of them.

use crate::cli::bench::summary::{Figure, Interval, Schedule, Summary};
use crate::cli::bench::times::Times;
use crate::config::bench_args::Condition;
use std::time::{Duration, UNIX_EPOCH};

/// As on the command line.
pub fn condition(text: &str) -> Condition {
    text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// Each value, repeated by its count.
pub fn times(values: &[(u64, u64)]) -> Times {
    let mut times = Times::default();
    values.iter().for_each(|&(micros, count)| (0..count).for_each(|_| times.record(micros)));
    times
}

/// A run of ten seconds: 1,000 requests, of which 10 fail and 90 get status 503.
pub fn loaded() -> Summary {
    let interval = |second: u64| Interval {
        at: Duration::from_secs(second),
        length: Duration::from_secs(1),
        succeeded: 99,
        failed: 1,
        p50: 1_000,
        p90: 1_500,
        p99: 31_199,
        p99_9: 40_000,
    };
    Summary {
        mode: "http",
        url: "http://a.test:8888/b?c=1&d=\"<2>\"".into(),
        connections: 8,
        threads: 2,
        began: UNIX_EPOCH + Duration::from_millis(1_795_510_395_250),
        took: Duration::from_secs(10),
        succeeded: 990,
        failures: vec![("connect", 4), ("receive", 6)],
        statuses: vec![(200, 900), (503, 90)],
        received_bytes: 123_456,
        sent_bytes: 45_678,
        latency: times(&[(250, 90), (1_000, 500), (1_500, 380), (31_199, 18), (40_000, 2)]),
        waiting: Some(times(&[(200, 590), (900, 400)])),
        schedule: None,
        figures: vec![
            Figure { name: "reach", value: 0.995, unit: "" },
            Figure { name: "handshake", value: 6.0, unit: "ms" },
        ],
        intervals: (0..10).map(interval).collect(),
        cpu: Some(Duration::from_millis(500)),
        limited: vec!["this program used 97 % of a core".into()],
    }
}

/// The same with `--rate`.
pub fn scheduled() -> Summary {
    let schedule = Schedule {
        rate: 102.5,
        uncorrected: times(&[(250, 900), (2_000, 90)]),
        late: times(&[(5, 900), (40, 90)]),
        never_sent: 25,
        open: times(&[(3_000_000, 1)]),
    };
    Summary { schedule: Some(schedule), ..loaded() }
}

/// A run in which nothing has ended.
pub fn silent() -> Summary {
    Summary {
        succeeded: 0,
        failures: vec![],
        statuses: vec![],
        received_bytes: 0,
        latency: Times::default(),
        waiting: None,
        figures: vec![],
        intervals: vec![],
        cpu: None,
        limited: vec![],
        ..loaded()
    }
}
