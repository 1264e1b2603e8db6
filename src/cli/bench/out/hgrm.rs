//! The file of `--hdr`: latency by percentile, as `outputPercentileDistribution` of HdrHistogram prints it.
//!
//! The times are milliseconds, as in wrk2 and as the usual plotters expect. The levels come closer to 100 % in halves: five
//! steps to 50 %, five to 75 %, five to 87.5 %. All figures are those of the histogram, which knows three digits, so the
//! mean and the largest time may differ a little from the report.

use crate::cli::bench::times::Times;
use std::fmt::Write;

/// Steps in each half.
const STEPS: f64 = 5.0;
/// Microseconds of a millisecond.
const SCALE: f64 = 1000.0;

/// The whole file.
pub fn text(times: &Times) -> String {
    let histogram = times.histogram();
    let all = histogram.len();
    let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    // A String takes everything.
    let mut row = |value: u64, level: f64, count: u64| {
        let _ = match level {
            100.0 => writeln!(out, "{:12.3} {:.12} {count:10}", value as f64 / SCALE, 1.0),
            _ => {
                let (share, rest) = (level / 100.0, 1.0 / (1.0 - level / 100.0));
                writeln!(out, "{:12.3} {} {count:10} {rest:14.2}", value as f64 / SCALE, half_up(share))
            }
        };
    };
    let (mut level, mut count) = (0.0, 0);
    for step in histogram.iter_recorded() {
        count += step.count_at_value();
        // The last value has one row for the next level and one for 100 %.
        if count == all {
            row(step.value_iterated_to(), level, count);
            row(step.value_iterated_to(), 100.0, count);
            break;
        }
        let reached = 100.0 * count as f64 / all as f64;
        while level <= reached && level < 100.0 {
            row(step.value_iterated_to(), level, count);
            level = next(level);
        }
    }
    let (mean, deviation, max) = (histogram.mean() / SCALE, histogram.stdev() / SCALE, histogram.max() as f64 / SCALE);
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(out, "#[Max     = {max:12.3}, Total count    = {all:12}]");
    // Both counts follow from the bounds of the histogram: as many values to a bucket as three digits need.
    let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", histogram.buckets(), 2048);
    out
}

/// The next level, percent.
fn next(level: f64) -> f64 {
    let halves = ((100.0 / (100.0 - level)).ln() / 2_f64.ln()).floor() + 1.0;
    level + 100.0 / (STEPS * halves.exp2())
}

/// Twelve decimals of a number below 1, rounded as Java does it: the shortest decimals that stand for the number, half up.
/// Rust rounds the exact value, which differs in the last digit.
fn half_up(share: f64) -> String {
    let shortest = format!("{share}");
    let digits = shortest.strip_prefix("0.").unwrap_or("0");
    let (kept, rest) = digits.split_at(digits.len().min(12));
    let kept = format!("{kept:0<12}").parse::<u64>().unwrap_or(0);
    let up = u64::from(rest.starts_with(|first: char| first >= '5'));
    let (whole, decimals) = ((kept + up) / 1_000_000_000_000, (kept + up) % 1_000_000_000_000);
    format!("{whole}.{decimals:012}")
}

#[cfg(test)]
mod tests {
    use super::super::samples::times;
    use super::*;

    /// The values of the files in `tests/hdr`, which its Percentiles.java has made.
    fn values(count: u64) -> Times {
        let mut times = Times::default();
        for i in 0..count {
            let value = 80 + i * i % 7_919;
            times.record(match i {
                _ if i % 50_000 == 49_999 => 900_000 + i * 10,
                _ if i % 1_000 == 999 => value * 40 + i,
                _ => value,
            });
        }
        times
    }

    #[test]
    fn the_file_equals_that_of_hdr_histogram() {
        for (count, expected) in [
            (0, include_str!("../../../../tests/hdr/0.hgrm")),
            (1, include_str!("../../../../tests/hdr/1.hgrm")),
            (300_000, include_str!("../../../../tests/hdr/300000.hgrm")),
            (7_000_000, include_str!("../../../../tests/hdr/7000000.hgrm")),
        ] {
            let text = text(&values(count));
            for (line, expected) in text.lines().zip(expected.lines()) {
                assert_eq!(line, expected, "of {count}");
            }
            assert_eq!(text, expected, "of {count}");
        }
    }

    #[test]
    fn equal_times_have_two_rows() {
        let text = text(&times(&[(1_500, 10)]));
        let rows: Vec<&str> = text.lines().skip(2).take_while(|line| !line.starts_with('#')).collect();
        assert_eq!(
            rows,
            ["       1.500 0.000000000000         10           1.00", "       1.500 1.000000000000         10"]
        );
    }
}
