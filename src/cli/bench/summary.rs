//! What a run has shown, whatever it spoke: files, conditions and comparisons are made of this.

use super::driver::Rest;
use super::processes::Usage;
use super::tally::Tally;
use super::times::Times;
use std::time::{Duration, SystemTime};

/// The figures of one run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// `http`, `ws-echo`, `ws-fanout`, `ws-idle` or `ws-storm`.
    pub mode: &'static str,
    pub url: String,
    pub connections: usize,
    pub threads: usize,
    pub began: SystemTime,
    /// The time that is measured: without the warm-up.
    pub took: Duration,
    /// Requests, round trips or deliveries that have ended well.
    pub succeeded: u64,
    /// What has failed, by cause.
    pub failures: Vec<(&'static str, u64)>,
    /// Responses by status, in order.
    pub statuses: Vec<(u16, u64)>,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// How long it took: with `--rate` from the moment when it was due, else from the moment when it began.
    pub latency: Times,
    /// From the request, when it was sent, to the first byte of the response; `None` where a mode has no responses.
    pub waiting: Option<Times>,
    /// Of a run with `--rate`.
    pub schedule: Option<Schedule>,
    /// What a mode shows besides.
    pub figures: Vec<Figure>,
    pub intervals: Vec<Interval>,
    /// CPU time of this program, in its own code and in the kernel; `None` where the system does not tell.
    pub cpu: Option<Duration>,
    /// Each reason for which this program, and not the server, was the limit.
    pub limited: Vec<String>,
}

/// How a run kept to the rate that was asked for.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Requests a second that were asked for.
    pub rate: f64,
    /// Latency as a closed loop has it: from the moment when the request was sent.
    pub uncorrected: Times,
    /// How late this program itself sent a request for which a connection was idle.
    pub late: Times,
    /// Requests that were due and were not sent, because no connection was idle.
    pub never_sent: u64,
    /// Ages, at the end of the run, of the requests whose responses were still to come.
    pub open: Times,
}

/// One named figure of a mode, such as `reach`.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// In letters, digits and `_`: the name in JSON, and in conditions.
    pub name: &'static str,
    pub value: f64,
    /// Empty for a count or a share.
    pub unit: &'static str,
}

/// A second of the run; the last one may be shorter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// From the beginning of the measured time to the beginning of this.
    pub at: Duration,
    pub length: Duration,
    pub succeeded: u64,
    pub failed: u64,
    /// Latency, µs.
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl Interval {
    /// Cuts the interval at the end of the run, which took the time `took`.
    pub fn cut_at(&mut self, took: Duration) {
        self.length = self.length.min(took.saturating_sub(self.at));
    }
}

impl Schedule {
    /// How the requests of all threads kept to it.
    pub fn of_requests(rate: f64, tally: &Tally, rests: &[Rest]) -> Schedule {
        let (uncorrected, late) = (tally.uncorrected.clone(), tally.late.clone());
        let mut schedule = Schedule { rate, uncorrected, late, never_sent: 0, open: Times::default() };
        for rest in rests {
            schedule.never_sent += rest.never_sent;
            schedule.open.add(&rest.open);
        }
        schedule
    }
}

/// What is known of a run of requests besides its counts.
pub struct Run {
    pub url: String,
    pub connections: usize,
    pub threads: usize,
    pub began: SystemTime,
    pub took: Duration,
    pub schedule: Option<Schedule>,
    pub intervals: Vec<Interval>,
    pub cpu: Option<Duration>,
    /// What the watched processes of the server have used: CPU time of the measured time, memory at its end.
    pub server: Option<Usage>,
    pub limited: Vec<String>,
}

impl Summary {
    /// Of a run of requests.
    pub fn of_requests(run: Run, tally: &Tally) -> Summary {
        let failures = [
            ("connect", tally.connect_failures),
            ("receive", tally.receive_failures),
            ("length", tally.length_failures),
        ];
        let mut statuses = tally.statuses.clone();
        statuses.sort_unstable();
        Summary {
            mode: "http",
            url: run.url,
            connections: run.connections,
            threads: run.threads,
            began: run.began,
            took: run.took,
            succeeded: tally.done().saturating_sub(tally.receive_failures + tally.length_failures),
            failures: failures.into_iter().filter(|(_, count)| *count > 0).collect(),
            statuses,
            received_bytes: tally.received_bytes,
            sent_bytes: tally.sent_bytes,
            latency: tally.total.clone(),
            waiting: Some(tally.waiting.clone()),
            schedule: run.schedule,
            figures: run.server.map_or_else(Vec::new, |used| server_figures(used, tally.done())),
            intervals: run.intervals,
            cpu: run.cpu,
            limited: run.limited,
        }
    }

    /// What has failed, in all.
    pub fn failed(&self) -> u64 {
        self.failures.iter().map(|(_, count)| count).sum()
    }

    /// Responses whose status is one of those.
    pub fn responses(&self, is_meant: impl Fn(u16) -> bool) -> u64 {
        self.statuses.iter().filter(|(status, _)| is_meant(*status)).map(|(_, count)| count).sum()
    }

    /// What has ended, well or not.
    pub fn done(&self) -> u64 {
        self.succeeded + self.failed()
    }

    /// What has ended well, a second; 0 of no time.
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.succeeded as f64 / seconds } else { 0.0 }
    }
}

/// The names of the figures of a run of requests: those of the server, if it is watched.
pub fn figure_names(watches_server: bool) -> Vec<&'static str> {
    let names = if watches_server { &["server_cpu_us", "server_memory_bytes"][..] } else { &[] };
    names.to_vec()
}

/// CPU time and memory of the server, for `done` requests. Their names are those of [`figure_names`].
fn server_figures(used: Usage, done: u64) -> Vec<Figure> {
    let each = used.cpu.as_secs_f64() * 1e6 / done.max(1) as f64;
    vec![
        Figure { name: "server_cpu_us", value: each, unit: "us" },
        Figure { name: "server_memory_bytes", value: used.memory as f64, unit: "bytes" },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_figures_are_known_before_the_run() {
        let made: Vec<&str> = server_figures(Usage::default(), 1).iter().map(|figure| figure.name).collect();
        assert_eq!((figure_names(true), figure_names(false)), (made, vec![]));
    }
}
