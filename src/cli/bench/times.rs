//! The times of requests: each one's own, and all of them by value, in a histogram of fixed size.
//!
//! Times are whole microseconds. A [`Times`] keeps three digits of each: exact up to 2,047 µs, within 0.1 % above. Every
//! percentile, the median among them, follows one rule: the smallest time that this share of all does not exceed.
//! (`ab` has three rules.) Means and deviations are exact.

use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// The longest time that is told from longer ones, µs: an hour.
pub const LONGEST: u64 = 3_600_000_000;
/// Digits that are kept of a time.
const DIGITS: u8 = 3;

/// The times of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it began: the connect, or the request on a kept connection.
    pub began: Instant,
    /// From the moment when it was due to its last beginning; without a schedule 0, unless it was sent again.
    pub queued: u64,
    /// Until it was connected; 0 on a kept connection.
    pub connect: u64,
    /// From the request, when it was sent, to the first byte of the response.
    pub wait: u64,
    /// From the beginning to the end of the response.
    pub total: u64,
}

impl Sample {
    /// From the moment when it was due to the end of the response.
    pub fn latency(&self) -> u64 {
        self.queued.saturating_add(self.total)
    }

    /// From the connect to the end of the response.
    pub fn processing(&self) -> u64 {
        self.total.saturating_sub(self.connect)
    }
}

/// Whole microseconds, as many as a report can show.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Any number of times, in 190 KiB.
#[derive(Debug, Clone)]
pub struct Times {
    histogram: Histogram<u64>,
    sum: u128,
    squares: u128,
    /// The longest; the histogram knows three digits of it.
    longest: u64,
}

impl Default for Times {
    fn default() -> Times {
        let histogram = Histogram::new_with_max(LONGEST, DIGITS).expect("the bounds are those of the crate");
        Times { histogram, sum: 0, squares: 0, longest: 0 }
    }
}

impl Times {
    /// One more time; one that is longer than an hour counts as an hour.
    pub fn record(&mut self, micros: u64) {
        let micros = micros.min(LONGEST);
        self.histogram.saturating_record(micros);
        self.sum += u128::from(micros);
        self.squares += u128::from(micros) * u128::from(micros);
        self.longest = self.longest.max(micros);
    }

    /// The times of another list as well.
    pub fn add(&mut self, other: &Times) {
        if other.count() == 0 {
            return;
        }
        // Equal bounds: it cannot fail.
        let _ = self.histogram.add(&other.histogram);
        self.sum += other.sum;
        self.squares += other.squares;
        self.longest = self.longest.max(other.longest);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// How many are longer than this.
    pub fn longer_than(&self, micros: u64) -> u64 {
        self.histogram.count_between(micros + 1, LONGEST)
    }

    /// The smallest time that `percent` of all, 0 to 100, do not exceed; 0 of none.
    pub fn percentile(&self, percent: f64) -> u64 {
        match percent {
            _ if self.count() == 0 => 0,
            ..=0.0 => self.min(),
            // Of the times that the histogram does not tell apart, this is the longest; the longest of all is exact.
            _ => self.histogram.value_at_quantile(percent / 100.0).min(self.longest),
        }
    }

    /// The time in the middle.
    pub fn median(&self) -> u64 {
        self.percentile(50.0)
    }

    /// The shortest.
    pub fn min(&self) -> u64 {
        self.histogram.min()
    }

    /// The longest.
    pub fn max(&self) -> u64 {
        self.longest
    }

    /// The mean; 0 of none.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count().max(1) as f64
    }

    /// The deviation of a sample (n - 1); 0 of one.
    pub fn deviation(&self) -> f64 {
        let (count, sum) = (self.count() as f64, self.sum as f64);
        let apart = self.squares as f64 - sum * sum / count.max(1.0);
        if count < 2.0 { 0.0 } else { (apart.max(0.0) / (count - 1.0)).sqrt() }
    }

    /// The counts by value, for files of its format.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

/// These times, µs.
#[cfg(test)]
pub fn times(values: &[u64]) -> Times {
    let mut times = Times::default();
    values.iter().for_each(|&value| times.record(value));
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_percentages_follow_one_rule() {
        let seven = times(&[130, 10, 30, 50, 70, 90, 110]);
        assert_eq!((seven.median(), seven.percentile(50.0), seven.min(), seven.max()), (70, 70, 10, 130));
        let four = times(&[4, 1, 3, 2]);
        assert_eq!([50.0, 75.0, 76.0, 99.0].map(|percent| four.percentile(percent)), [2, 3, 4, 4]);
        let hundred = times(&(1..=100).collect::<Vec<_>>());
        assert_eq!([0.0, 1.0, 99.0, 99.99, 100.0].map(|percent| hundred.percentile(percent)), [1, 1, 99, 100, 100]);
        assert_eq!((times(&[7]).median(), times(&[]).median()), (7, 0));
    }

    #[test]
    fn mean_and_deviation_are_those_of_a_sample() {
        let some = times(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!((some.mean(), (some.deviation() * 1000.0).round()), (5.0, 2138.0));
        assert_eq!((times(&[3]).deviation(), times(&[]).mean()), (0.0, 0.0));
    }

    #[test]
    fn the_longest_time_of_all_is_exact_and_has_a_bound() {
        let long = times(&[1, 1_234_567]);
        assert_eq!((long.percentile(100.0), long.percentile(99.0)), (1_234_567, 1_234_567));
        let endless = times(&[u64::MAX]);
        assert_eq!((endless.max(), endless.percentile(50.0), endless.mean()), (LONGEST, LONGEST, LONGEST as f64));
    }

    #[test]
    fn times_above_a_bound_are_counted() {
        let some = times(&[1000, 1001, 2000, u64::MAX]);
        assert_eq!((some.longer_than(1000), some.longer_than(0), times(&[]).longer_than(0)), (3, 4, 0));
    }

    #[test]
    fn two_lists_make_one() {
        let mut all = times(&[1, 2]);
        all.add(&times(&[3, 4]));
        assert_eq!((all.count(), all.mean(), all.max()), (4, 2.5, 4));
    }
}
