//! What is common to the runs of all modes: they are shown, cut into seconds, logged, and timed.

use super::out::RunLog;
use super::own;
use super::series::{Outcomes, Series};
use super::summary::Interval;
use super::times::Times;
use super::view::View;
use crate::config::bench_args::OutputArgs;
use std::time::{Duration, SystemTime};

/// A run while it goes on.
pub struct Record<'a> {
    output: &'a OutputArgs,
    pub view: View,
    log: RunLog,
    series: Series,
    began: SystemTime,
    /// CPU time of this program when what is measured began.
    cpu_before: Option<Duration>,
}

/// What is known of a run besides its counts.
#[derive(Debug)]
pub struct Recorded {
    /// When what is measured began.
    pub began: SystemTime,
    pub intervals: Vec<Interval>,
    /// CPU time of this program; `None` where the system does not tell.
    pub cpu: Option<Duration>,
    /// Whether the log of `--hlog` could be written.
    pub logged: Result<(), String>,
}

impl<'a> Record<'a> {
    /// A run of `threads` threads is about to begin.
    pub fn new(output: &'a OutputArgs, view: View, threads: usize) -> Record<'a> {
        let (log, series) = (RunLog::default(), Series::new(threads));
        Record { output, view, log, series, began: SystemTime::now(), cpu_before: own::cpu_time() }
    }

    /// What is measured begins.
    pub fn begin(&mut self) {
        (self.began, self.cpu_before) = (SystemTime::now(), own::cpu_time());
        self.view.begin();
        self.log.begin(self.output, self.began);
    }

    /// What a thread has counted in an interval.
    pub fn piece(&mut self, interval: u64, latency: &Times, outcomes: Outcomes) {
        if let Some((interval, latency)) = self.series.add(interval, latency, outcomes) {
            self.view.interval(&interval);
            self.log.interval(interval, latency);
        }
    }

    /// The run is over; `done` requests have ended.
    pub fn end(mut self, took: Duration, done: u64) -> Recorded {
        let cpu = own::cpu_time().zip(self.cpu_before).map(|(after, before)| after.saturating_sub(before));
        for (interval, latency) in self.series.end(took) {
            self.log.interval(interval, latency);
        }
        self.view.end(done);
        let logged = self.log.end(took);
        Recorded { began: self.began, intervals: self.series.into_intervals(), cpu, logged }
    }
}
