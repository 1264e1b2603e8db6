//! Flags of `squall bench` that `ab` does not have: how much load, and when.

use crate::config::numbers::{count, parse_seconds};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Threads, at most.
const THREADS_MAX: u32 = 256;
/// Requests under way on one connection, at most: more than a kernel's buffers hold.
const PIPELINE_MAX: u32 = 4096;

/// The amount of load, and its times.
#[derive(Args, Debug, Clone)]
pub struct LoadArgs {
    /// Time to measure, instead of -n: seconds, or with a unit 500ms, 10s, 2m
    #[arg(long, value_name = "TIME", conflicts_with_all = ["requests", "time_limit"], value_parser = |text: &str| parse_time(text, 0.001))]
    pub duration: Option<Duration>,
    /// Time of load before that, which is not counted
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = |text: &str| parse_time(text, 0.0))]
    pub warmup: Duration,
    /// Threads, a loop each; they share the connections and the requests
    #[arg(long, value_name = "N", default_value = "1", value_parser = count(1..=THREADS_MAX))]
    pub threads: usize,
    /// Requests (with --ws fanout: messages) a second, on a schedule that does not wait for the server
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Requests under way on each connection; needs --http1.1, and is not for --rate
    #[arg(long, value_name = "N", default_value = "1", requires = "http_1_1", conflicts_with = "rate", value_parser = count(1..=PIPELINE_MAX))]
    pub pipeline: usize,
    /// File of requests that are sent in turn: METHOD URL, fields, @BODY_FILE, and a blank line between them
    #[arg(long = "requests", value_name = "FILE", conflicts_with_all = ["post", "put", "method", "head"])]
    pub requests_file: Option<PathBuf>,
    /// Process of the server, whose CPU time and memory go into the report; repeatable
    #[arg(long = "pid", value_name = "PID", value_parser = count(1..=u32::MAX))]
    pub pids: Vec<usize>,
}

/// Seconds, or a number with a unit. At most a day.
fn parse_time(text: &str, least: f64) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let with_unit = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let Some((number, unit)) = with_unit else { return parse_seconds(text, least) };
    let seconds = number.parse::<f64>().map_err(|_| "expected a time, such as 10, 500ms or 2m".to_owned())?;
    parse_seconds(&(seconds * unit).to_string(), least)
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1e8).contains(rate));
    rate.ok_or_else(|| "expected requests a second, from 0.001 to 100000000".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_have_a_unit() {
        for (text, millis) in [("1.5", 1500), ("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(parse_time(text, 0.001), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "ms", "1d", "-1s", "NaNs", "25h", "0s", "1e999m"] {
            assert!(parse_time(text, 0.001).is_err(), "{text}");
        }
    }
}
