//! What the flags ask for, as the plans of the threads. Everything that can be wrong before a request is sent is found here.

use super::driver::Plan;
use super::load::Precision;
use super::out;
use super::pace::Schedule;
use super::processes::Processes;
use super::report::Facts;
use super::request;
use super::sockets;
use super::sockets::route::{self, Route};
use super::summary;
use super::tally::Wanted;
use super::tls::Tls;
use super::trace;
use crate::config::BenchArgs;
use crate::http::url::{Authority, Scheme, Url};
use std::sync::Arc;
use std::time::Duration;

/// Requests without `-n` beside `-t`, at most.
const REQUESTS_WITH_TIME: usize = 50_000;

/// A run that is about to begin.
pub struct Prepared {
    pub url: Url,
    /// The plan of each thread.
    pub plans: Vec<Plan>,
    pub route: Route,
    /// Of https.
    pub tls: Option<Arc<Tls>>,
    pub facts: Facts,
    pub precision: Precision,
    /// Those of the server that are watched.
    pub processes: Processes,
    /// Requests in all; `None` until the time is over.
    pub requests: Option<usize>,
}

/// Reads the flags.
///
/// # Errors
/// A line that says what to do.
pub fn prepare(args: &BenchArgs) -> Result<Prepared, String> {
    let text = args.url.as_deref().ok_or("there is no URL: give one, such as http://127.0.0.1:8888/")?;
    // As with `ab`, a URL without a scheme is http.
    let authority_end = text.find(['/', '?']).map_or(text.len(), |at| (at + 2).min(text.len()));
    let whole = if text.get(..authority_end).is_some_and(|front| front.contains("://")) {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&whole).map_err(|e| format!("{text}: {e}"))?;
    let tls = tls(args, url.scheme == Scheme::Https, &url.host)?;
    if args.verbosity >= trace::TALK && args.output.takes_stdout() {
        return Err(format!("-v {} prints on standard output, where a file goes: name another one", args.verbosity));
    }
    let load = &args.load;
    let default = if args.time_limit.is_some() { REQUESTS_WITH_TIME } else { 1 };
    let requests = load.duration.is_none().then(|| args.requests.unwrap_or(default));
    if let Some(requests) = requests.filter(|&requests| args.concurrency > requests) {
        return Err(format!("-c {} is more than the {requests} requests of -n", args.concurrency));
    }
    if load.threads > args.concurrency {
        return Err(format!("--threads {} is more than the {} connections of -c", load.threads, args.concurrency));
    }
    if !load.warmup.is_zero() && load.duration.is_none() {
        return Err("--warmup needs a time that is measured: give --duration SECONDS instead of -n".into());
    }
    sockets::enough_files(args.concurrency)?;
    out::check_figures(&args.output, &summary::figure_names(!load.pids.is_empty()))?;
    let (sent, sends_bodies) = request::all(args, &url)?;
    let (host, port) = args.proxy.as_ref().map_or((url.host.as_str(), url.port), |(host, port)| (host, *port));
    let route = route::find(&args.sockets, host, port)?;
    let may_vary = args.may_vary || load.requests_file.is_some();
    let plan = Plan {
        address: route.address,
        tls: tls.as_ref().map(|tls| tls.host().to_owned()),
        requests: sent,
        keep_alive: args.keep_alive || args.http_1_1,
        requests_max: 0,
        concurrency: 0,
        pipeline: load.pipeline,
        warmup: load.warmup,
        time_limit: load.duration.or(args.time_limit),
        response_within: args.response_within,
        schedule: None,
        goes_on: args.go_on,
        wanted: Wanted { may_vary, samples: args.gnuplot.is_some(), uncorrected: load.rate.is_some() },
        verbosity: args.verbosity,
    };
    let facts = Facts {
        host: url.host.clone(),
        port: url.port,
        path: url.target.clone(),
        concurrency: args.concurrency,
        keep_alive: plan.keep_alive,
        may_vary,
        sends_bodies,
        software: None,
        tls: Vec::new(),
        took: Duration::ZERO,
        percentages: !args.no_percentages,
        confidence: !args.no_confidence,
    };
    let share = |n: usize, all: usize| all / load.threads + usize::from(n < all % load.threads);
    let schedule = |n| load.rate.map(|rate| Schedule { rate, first: n as u64, stride: load.threads as u64 });
    let of_thread = |n: usize| Plan {
        requests_max: requests.map_or(u64::MAX, |requests| share(n, requests) as u64),
        concurrency: share(n, args.concurrency),
        schedule: schedule(n),
        ..plan.clone()
    };
    let precision = if load.rate.is_some() { Precision::Micros } else { Precision::Millis };
    let plans = (0..load.threads).map(of_thread).collect();
    Ok(Prepared { plans, route, tls, url, facts, precision, processes: Processes::new(&load.pids)?, requests })
}

/// How connections to `host` speak TLS, if they do. Flags that are wrong are refused anyway. As with `ab`, the Host of `-H`
/// is the name of the server.
///
/// # Errors
/// A sentence about the flag that is wrong.
pub fn tls(args: &BenchArgs, is_secure: bool, host: &str) -> Result<Option<Arc<Tls>>, String> {
    if !is_secure && !args.tls.is_given() {
        return Ok(None);
    }
    let given = request::given_host(args);
    let given = given.map(|host| Authority::parse(host).map_or(host, |authority| authority.host));
    let tls = Tls::new(&args.tls, given.unwrap_or(host), args.verbosity)?;
    Ok(is_secure.then(|| Arc::new(tls)))
}
