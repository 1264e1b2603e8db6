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
    /// Seconds that are measured, without a number of requests
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["requests", "time_limit"], value_parser = |text: &str| parse_seconds(text, 0.001))]
    pub duration: Option<Duration>,
    /// Seconds of load before those that are measured
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = |text: &str| parse_seconds(text, 0.0))]
    pub warmup: Duration,
    /// Threads, a loop each; they share the connections and the requests
    #[arg(long, value_name = "N", default_value = "1", value_parser = count(1..=THREADS_MAX))]
    pub threads: usize,
    /// Requests a second on a schedule, which a server that is slow does not slow down
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Requests under way at once on each connection; for HTTP/1.1 with kept connections
    #[arg(long, value_name = "N", default_value = "1", requires = "http_1_1", conflicts_with = "rate", value_parser = count(1..=PIPELINE_MAX))]
    pub pipeline: usize,
    /// File of requests that are sent in turn: METHOD URL, fields, @BODY_FILE, and a blank line between them
    #[arg(long = "requests", value_name = "FILE", conflicts_with_all = ["post", "put", "method", "head"])]
    pub requests_file: Option<PathBuf>,
    /// Process of the server, whose CPU time and memory go into the report; repeatable
    #[arg(long = "pid", value_name = "PID", value_parser = count(1..=u32::MAX))]
    pub pids: Vec<usize>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1e8).contains(rate));
    rate.ok_or_else(|| "expected requests a second, from 0.001 to 100000000".into())
}
