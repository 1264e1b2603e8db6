//! Numbers as people read them.

use crate::cli::bench::times::Times;
use crate::config::bench_args::Statistic;

/// A number with at most `decimals` decimals, without zeros at its end: `1.25`, `3`.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A time in the unit that suits it: `950 µs`, `31.2 ms`, `1.5 s`.
pub fn time(micros: f64) -> String {
    match micros {
        ..999.9995 => format!("{} µs", number(micros, 3)),
        ..999_999.5 => format!("{} ms", number(micros / 1e3, 3)),
        _ => format!("{} s", number(micros / 1e6, 3)),
    }
}

/// A part of the whole, 1 for all of it, as a percentage.
pub fn share(share: f64) -> String {
    format!("{} %", number(share * 100.0, 4))
}

/// Milliseconds of microseconds.
pub fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// The statistic of some times, µs.
pub fn statistic(times: &Times, statistic: Statistic) -> f64 {
    match statistic {
        Statistic::Min => times.min() as f64,
        Statistic::Mean => times.mean(),
        Statistic::Deviation => times.deviation(),
        Statistic::Max => times.max() as f64,
        Statistic::Percentile(percent) => times.percentile(percent) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_unit_that_suits_it() {
        for (micros, text) in [
            (0.0, "0 µs"),
            (950.0, "950 µs"),
            (999.9996, "1 ms"),
            (1000.0, "1 ms"),
            (31_200.0, "31.2 ms"),
            (999_999.0, "999.999 ms"),
            (999_999.7, "1 s"),
            (1_234_567.0, "1.235 s"),
            (3.6e9, "3600 s"),
        ] {
            assert_eq!(time(micros), text, "{micros}");
        }
    }

    #[test]
    fn zeros_at_the_end_are_left_out() {
        assert_eq!(
            [number(1.0, 3), number(100.0, 0), number(1.2346, 3), number(-0.0001, 2)],
            ["1", "100", "1.235", "0"]
        );
        assert_eq!([share(0.001), share(1.0), share(0.123_456_7)], ["0.1 %", "100 %", "12.3457 %"]);
    }
}
