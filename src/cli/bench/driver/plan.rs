//! What a driver is to do, and what it leaves.

use crate::cli::bench::pace::Schedule;
use crate::cli::bench::slot::Request;
use crate::cli::bench::tally::Wanted;
use crate::cli::bench::times::Times;
use std::net::SocketAddr;
use std::time::Duration;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    pub address: SocketAddr,
    /// With https, the name of the server for the handshake.
    pub tls: Option<String>,
    /// The requests, sent in turn; at least one.
    pub requests: Vec<Request>,
    pub keep_alive: bool,
    /// Requests in all; `u64::MAX` stands for no limit.
    pub requests_max: u64,
    pub concurrency: usize,
    /// Requests under way on one connection.
    pub pipeline: usize,
    /// The beginning of the run that is not counted.
    pub warmup: Duration,
    /// The run ends this long after the warm-up; what is under way then does not count.
    pub time_limit: Option<Duration>,
    pub response_within: Duration,
    /// When requests are due; else as soon as a connection is idle.
    pub schedule: Option<Schedule>,
    /// Errors of sockets, and what is no response, do not end the run.
    pub goes_on: bool,
    pub wanted: Wanted,
    /// That of `-v`.
    pub verbosity: usize,
}

/// What the end of a run leaves behind.
#[derive(Debug, Default)]
pub struct Rest {
    /// Requests that were due and were not sent.
    pub never_sent: u64,
    /// Ages of the requests that were under way.
    pub open: Times,
    /// The Server field of the first response.
    pub software: Option<String>,
}
