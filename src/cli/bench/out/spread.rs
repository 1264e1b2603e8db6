//! How much a figure differs from second to second of a run.

use crate::cli::bench::summary::{Interval, Summary};

/// Fewer values than this have no spread.
const LEAST: usize = 4;

/// The lower and the upper quartile of some values, or `None` of too few. Between two values it interpolates.
pub fn quartiles(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    (values.len() >= LEAST).then(|| (quantile(&values, 0.25), quantile(&values, 0.75)))
}

/// The value in the middle of sorted ones; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * sorted.len().saturating_sub(1) as f64;
    let [low, high] = [at.floor(), at.ceil()].map(|index| sorted.get(index as usize).copied().unwrap_or(0.0));
    low + (high - low) * (at - at.floor())
}

/// The intervals without a short rest at the end, which is too short for a rate.
pub fn whole(intervals: &[Interval]) -> &[Interval] {
    let longest = intervals.iter().map(|interval| interval.length).max().unwrap_or_default();
    match intervals {
        [before @ .., last] if last.length * 2 < longest => before,
        all => all,
    }
}

/// The figures of the whole intervals of a run.
pub fn of_intervals(summary: &Summary, figure: impl Fn(&Interval) -> f64) -> Vec<f64> {
    whole(&summary.intervals).iter().map(figure).collect()
}

/// The same of those in which something has ended well: only they have a latency.
pub fn of_latencies(summary: &Summary, figure: impl Fn(&Interval) -> u64) -> Vec<f64> {
    let values = of_intervals(summary, |interval| if interval.succeeded > 0 { figure(interval) as f64 } else { -1.0 });
    values.into_iter().filter(|&value| value >= 0.0).collect()
}

/// What has ended well in an interval, a second.
pub fn rate(interval: &Interval) -> f64 {
    let seconds = interval.length.as_secs_f64();
    if seconds > 0.0 { interval.succeeded as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::samples::loaded;
    use super::*;
    use std::time::Duration;

    #[test]
    fn quartiles_interpolate_and_need_four_values() {
        assert_eq!(quartiles(vec![4.0, 1.0, 3.0, 2.0]), Some((1.75, 3.25)));
        assert_eq!(quartiles(vec![1.0, 2.0, 3.0]), None);
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![1.0, 2.0]), median(vec![])), (2.0, 1.5, 0.0));
    }

    #[test]
    fn a_short_rest_and_a_silent_second_are_left_out() {
        let mut run = loaded();
        run.intervals[9].length = Duration::from_millis(100);
        run.intervals[3].succeeded = 0;
        let rates = of_intervals(&run, rate);
        assert_eq!((rates.len(), rates[3], rates[4]), (9, 0.0, 99.0));
        assert_eq!(of_latencies(&run, |interval| interval.p50), vec![1000.0; 8]);
    }
}
