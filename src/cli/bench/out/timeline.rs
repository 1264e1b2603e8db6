//! A run over time, in as many columns as there is room for.

use super::spread::{median, whole};
use crate::cli::bench::summary::Interval;

/// One or more intervals that follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Seconds from the beginning of the run.
    pub at: f64,
    pub seconds: f64,
    /// What has ended well, a second.
    pub rate: f64,
    /// What has failed, a second.
    pub failures: f64,
    /// The median of the medians, and the largest 99 %, µs; `None` if nothing has ended well.
    pub latency: Option<(f64, f64)>,
}

/// At most `most` columns; each but the last has the same number of intervals. A short rest at the end has none.
pub fn columns(intervals: &[Interval], most: usize) -> Vec<Column> {
    let intervals = whole(intervals);
    let group = intervals.len().div_ceil(most.max(1)).max(1);
    intervals.chunks(group).map(column).collect()
}

fn column(intervals: &[Interval]) -> Column {
    let seconds: f64 = intervals.iter().map(|interval| interval.length.as_secs_f64()).sum();
    let a_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let loud = intervals.iter().filter(|interval| interval.succeeded > 0);
    let medians = loud.clone().map(|interval| interval.p50 as f64).collect();
    let largest = loud.map(|interval| interval.p99).max();
    Column {
        at: intervals.first().map_or(0.0, |first| first.at.as_secs_f64()),
        seconds,
        rate: a_second(intervals.iter().map(|interval| interval.succeeded).sum()),
        failures: a_second(intervals.iter().map(|interval| interval.failed).sum()),
        latency: largest.map(|p99| (median(medians), p99 as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::loaded;
    use super::*;

    #[test]
    fn intervals_that_have_no_room_share_a_column() {
        let mut intervals = loaded().intervals;
        for (second, interval) in (0..).zip(&mut intervals) {
            (interval.succeeded, interval.p50, interval.p99) = (second, second * 10, second * 100);
        }
        let columns = columns(&intervals, 4);
        assert_eq!(columns.len(), 4);
        let first = Column { at: 0.0, seconds: 3.0, rate: 1.0, failures: 1.0, latency: Some((15.0, 200.0)) };
        let last = Column { at: 9.0, seconds: 1.0, rate: 9.0, failures: 1.0, latency: Some((90.0, 900.0)) };
        assert_eq!((columns[0], columns[3]), (first, last));
    }

    #[test]
    fn a_silent_column_has_no_latency() {
        let mut intervals = loaded().intervals;
        intervals[0].succeeded = 0;
        let first = columns(&intervals, 10)[0];
        assert_eq!((first.rate, first.latency), (0.0, None));
        assert_eq!(columns(&[], 10), []);
    }
}
