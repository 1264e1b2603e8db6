//! What a request took, and what all of them say: means, deviations, medians, percentages.
//!
//! Times are microseconds. Every percentage of a list, the median among them, follows one rule: of n values in their
//! order, p percent are reached by the k-th with k = n·p/100 rounded up; where n·p/100 is whole, by the mean of that one
//! and the next. So the median of an even number is the mean of the two in the middle. (`ab` has three rules.)

use std::time::{Duration, Instant};

/// The times of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it began: the connect, or the request on a kept connection.
    pub began: Instant,
    /// Until it was connected; 0 on a kept connection.
    pub connect: u64,
    /// From the request, when it was sent, to the first byte of the response.
    pub wait: u64,
    /// From the beginning to the end of the response.
    pub total: u64,
}

impl Sample {
    /// From the connect to the end of the response.
    pub fn processing(&self) -> u64 {
        self.total.saturating_sub(self.connect)
    }
}

/// Whole microseconds, as many as a report can show.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// One column of times, in order.
#[derive(Debug)]
pub struct Column {
    sorted: Vec<u64>,
}

impl Column {
    /// The times that `of` takes out of the samples.
    pub fn new(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> Column {
        let mut sorted: Vec<u64> = samples.iter().map(of).collect();
        sorted.sort_unstable();
        Column { sorted }
    }

    /// The value that `percent` of all, 0 to 100, do not exceed; 0 of none.
    pub fn percentile(&self, percent: u32) -> f64 {
        self.reached_by(u64::from(percent) * 100)
    }

    /// The same for a share in ten-thousandths.
    pub fn reached_by(&self, share: u64) -> f64 {
        let (Some(&first), Some(&last)) = (self.sorted.first(), self.sorted.last()) else { return 0.0 };
        let share = self.sorted.len() as u64 * share.min(10_000);
        let at = (share / 10_000) as usize;
        match (share % 10_000, at) {
            (0, 0) => first as f64,
            (0, _) if at == self.sorted.len() => last as f64,
            (0, _) => (self.sorted[at - 1] as f64 + self.sorted[at] as f64) / 2.0,
            _ => self.sorted[at] as f64,
        }
    }

    /// The value in the middle.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The smallest.
    pub fn min(&self) -> f64 {
        self.percentile(0)
    }

    /// The largest.
    pub fn max(&self) -> f64 {
        self.percentile(100)
    }

    /// The mean; 0 of none.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.sorted.iter().map(|&value| value as f64).sum();
        sum / self.sorted.len().max(1) as f64
    }

    /// The deviation of a sample (n - 1); 0 of one.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.sorted.iter().map(|&value| (value as f64 - mean).powi(2)).sum();
        if self.sorted.len() < 2 { 0.0 } else { (squares / (self.sorted.len() - 1) as f64).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[u64]) -> Column {
        let began = Instant::now();
        let sample = |&total| Sample { began, connect: 0, wait: 0, total };
        Column::new(&values.iter().map(sample).collect::<Vec<_>>(), |sample| sample.total)
    }

    #[test]
    fn median_and_percentages_follow_one_rule() {
        let seven = column(&[130, 10, 30, 50, 70, 90, 110]);
        assert_eq!((seven.median(), seven.percentile(50), seven.min(), seven.max()), (70.0, 70.0, 10.0, 130.0));
        let four = column(&[4, 1, 3, 2]);
        assert_eq!(
            (four.median(), four.percentile(75), four.percentile(76), four.percentile(99)),
            (2.5, 3.5, 4.0, 4.0)
        );
        let hundred = column(&(1..=100).collect::<Vec<_>>());
        assert_eq!((hundred.percentile(99), hundred.percentile(100), hundred.percentile(1)), (99.5, 100.0, 1.5));
        assert_eq!((column(&[7]).median(), column(&[]).median()), (7.0, 0.0));
    }

    #[test]
    fn mean_and_deviation_are_those_of_a_sample() {
        let some = column(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!((some.mean(), (some.deviation() * 1000.0).round()), (5.0, 2138.0));
        assert_eq!((column(&[3]).deviation(), column(&[]).mean()), (0.0, 0.0));
    }
}
