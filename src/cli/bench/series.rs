//! A run second by second, of all its threads.

use super::summary::Interval;
use super::times::Times;
use std::collections::BTreeMap;
use std::time::Duration;

/// Length of an interval.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Number of intervals that a thread has to be ahead of one that is closed without the others.
const BEHIND: u64 = 2;

/// The intervals of a run.
#[derive(Debug)]
pub struct Series {
    threads: usize,
    /// Intervals that may get more: threads are not in step, and some may have ended. At most [`BEHIND`] and one.
    open: BTreeMap<u64, Open>,
    /// The number of the first interval that is not closed.
    next: u64,
    complete: Vec<Interval>,
}

#[derive(Debug, Default)]
struct Open {
    threads: usize,
    latency: Times,
    outcomes: Outcomes,
}

/// How much has ended in a while, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub succeeded: u64,
    pub failed: u64,
}

impl Series {
    /// Of a run that begins with `threads` threads.
    pub fn new(threads: usize) -> Series {
        Series { threads, open: BTreeMap::new(), next: 0, complete: Vec::new() }
    }

    /// What a thread has counted in an interval. Returns the interval that is closed by that: this one, if all threads have
    /// told of it, or an earlier one. A thread that is far behind counts to the first one that is not closed.
    pub fn add(&mut self, interval: u64, latency: &Times, outcomes: Outcomes) -> Option<(Interval, Times)> {
        let interval = interval.max(self.next);
        let open = self.open.entry(interval).or_default();
        open.latency.add(latency);
        open.threads += 1;
        open.outcomes.succeeded += outcomes.succeeded;
        open.outcomes.failed += outcomes.failed;
        let is_told = open.threads == self.threads;
        let oldest = *self.open.keys().next()?;
        match oldest {
            _ if oldest + BEHIND <= interval => self.close(oldest),
            _ if is_told => self.close(interval),
            _ => None,
        }
    }

    /// The run is over: the intervals that are still open, the last one cut at the end of the run.
    pub fn end(&mut self, took: Duration) -> Vec<(Interval, Times)> {
        let open: Vec<u64> = self.open.keys().copied().collect();
        let mut rest: Vec<(Interval, Times)> = open.into_iter().filter_map(|n| self.close(n)).collect();
        // Among those that every thread has told of is the last one, too, if the threads were in step.
        let all = self.complete.iter_mut().chain(rest.iter_mut().map(|(interval, _)| interval));
        all.for_each(|interval| interval.cut_at(took));
        rest
    }

    /// All that are complete, in order.
    pub fn into_intervals(mut self) -> Vec<Interval> {
        self.complete.sort_by_key(|interval| interval.at);
        self.complete
    }

    fn close(&mut self, n: u64) -> Option<(Interval, Times)> {
        let Open { latency, outcomes: Outcomes { succeeded, failed }, .. } = self.open.remove(&n)?;
        self.next = self.next.max(n + 1);
        let [p50, p90, p99, p99_9] = [50.0, 90.0, 99.0, 99.9].map(|percent| latency.percentile(percent));
        let (at, length) = (start_of(n), INTERVAL);
        let interval = Interval { at, length, succeeded, failed, p50, p90, p99, p99_9 };
        self.complete.push(interval);
        Some((interval, latency))
    }
}

fn start_of(interval: u64) -> Duration {
    INTERVAL.saturating_mul(u32::try_from(interval).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::times::times;

    fn outcomes(succeeded: u64, failed: u64) -> Outcomes {
        Outcomes { succeeded, failed }
    }

    #[test]
    fn an_interval_is_complete_when_every_thread_has_told() {
        let mut series = Series::new(2);
        assert!(series.add(0, &times(&[1, 2]), outcomes(2, 0)).is_none());
        assert!(series.add(1, &times(&[9]), outcomes(1, 0)).is_none());
        let (interval, latency) = series.add(0, &times(&[3]), outcomes(0, 1)).expect("it is complete");
        assert_eq!((interval.succeeded, interval.failed, interval.p50, latency.count()), (2, 1, 2, 3));
        let last = series.end(Duration::from_millis(1250));
        assert_eq!((last.len(), last[0].0.at, last[0].0.length), (1, INTERVAL, INTERVAL / 4));
        assert_eq!(series.into_intervals().len(), 2);
    }

    #[test]
    fn the_last_interval_is_cut_even_if_every_thread_has_told() {
        let mut series = Series::new(1);
        assert!((0..2).all(|n| series.add(n, &times(&[1]), outcomes(1, 0)).is_some()));
        assert!(series.end(Duration::from_millis(1250)).is_empty());
        let lengths: Vec<Duration> = series.into_intervals().iter().map(|interval| interval.length).collect();
        assert_eq!(lengths, [INTERVAL, INTERVAL / 4]);
    }

    #[test]
    fn a_thread_that_has_ended_holds_nothing_up() {
        let mut series = Series::new(2);
        let one = Outcomes { succeeded: 1, failed: 0 };
        assert!(series.add(0, &times(&[1]), one).is_none() && series.add(1, &times(&[1]), one).is_none());
        let (interval, _) = series.add(2, &times(&[1]), one).expect("the first one is closed");
        assert_eq!((interval.at, series.open.len()), (Duration::ZERO, 2));
        // What comes too late is not lost.
        let (second, _) = series.add(0, &times(&[1]), one).expect("the second one is told");
        assert_eq!((second.at, second.succeeded), (INTERVAL, 2));
        assert_eq!(series.end(Duration::from_secs(3)).len(), 1);
    }
}
