//! `squall bench`: load on an HTTP server, with the options and the report of `ab` (ApacheBench 2.3).
//!
//! ```text
//! flags ── request ──▶ bytes ──▶ driver ── tally ──▶ report ──▶ stdout
//!                                  ▲  │                  └────▶ -g, -e: files
//!                            poll ─┘  └─▶ progress: stderr
//! ```

mod driver;
mod files;
mod html;
mod own;
mod report;
mod request;
mod sockets;
mod summary;
mod tally;
mod times;
mod usual;

use crate::config::BenchArgs;
use crate::http::url::{Scheme, Url};
use crate::net::kernel::readiness;
use crate::net::{Ready, Source};
use driver::{Aborted, Driver, Plan};
use html::{Attributes, Html};
use mio::{Events, Poll};
use report::{Facts, Report};
use sockets::Sockets;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::net::ToSocketAddrs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};
use tally::Tally;

/// Requests without `-n` beside `-t`, at most.
const REQUESTS_WITH_TIME: usize = 50_000;
/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;
/// Requests up to which there are no lines about the progress.
const SILENT_UP_TO: usize = 150;

/// Runs the load and prints the report.
///
/// # Errors
/// The report cannot be written.
pub fn run(args: &BenchArgs) -> Result<ExitCode, String> {
    if args.version {
        return print(BANNER).map(|()| ExitCode::SUCCESS);
    }
    if args.usage {
        note(&BenchArgs::usage());
        return Ok(ExitCode::from(BenchArgs::USAGE));
    }
    let (url, plan) = match prepare(args) {
        Ok(prepared) => prepared,
        Err(why) => return Ok(refused(&why)),
    };
    let is_silent = args.quiet || plan.requests <= SILENT_UP_TO;
    let attributes = attributes(args);
    match attributes {
        None => print(&format!("{BANNER}\n{}", begin(args, &url, is_silent)))?,
        Some(_) => print(&format!("<p>\n {}<br>\n</p>\n<p>\n", BANNER.trim_end().replace('\n', "<br>\n ")))?,
    }
    let (facts, every) = (facts(args, &url, &plan), (plan.requests / 10).max(100));
    let progress = Progress { every: if is_silent { usize::MAX } else { every }, next: every };
    let cpu_before = own::cpu_time();
    let (tally, took, aborted) = match drive(plan, progress, args) {
        Ok(ended) => ended,
        Err(why) => return Err(format!("the kernel's poll failed: {why}")),
    };
    if let Some(aborted) = aborted {
        return Ok(explain(&aborted, &tally));
    }
    match is_silent {
        true => print("..done\n")?,
        false => note(&format!("Finished {} requests", tally.done())),
    }
    let report = Report { facts: &Facts { took, ..facts }, tally: &tally };
    match &attributes {
        None => print(&report.to_string())?,
        Some(attributes) => print(&Html { report: &report, attributes }.to_string())?,
    }
    let cpu = own::cpu_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    if let Some(line) = own::line(cpu, took).filter(|_| attributes.is_none()) {
        print(&format!("\n{line}"))?;
    }
    write_files(args, &tally)?;
    Ok(ExitCode::SUCCESS)
}

const BANNER: &str = concat!(
    "This is squall bench, Version ",
    env!("CARGO_PKG_VERSION"),
    "\nIt takes the options of ApacheBench 2.3 and prints its report.\n"
);

/// Everything that can be wrong before a request is sent.
fn prepare(args: &BenchArgs) -> Result<(Url, Plan), String> {
    let text = args.url.as_deref().ok_or("there is no URL: give one, such as http://127.0.0.1:8888/")?;
    let url = Url::parse(text).map_err(|e| format!("{text}: {e}"))?;
    if url.scheme == Scheme::Https {
        return Err("https is not measured yet: give an http URL".into());
    }
    let requests = args.requests.unwrap_or(if args.time_limit.is_some() { REQUESTS_WITH_TIME } else { 1 });
    if args.concurrency > requests {
        return Err(format!("-c {} is more than the {requests} requests of -n", args.concurrency));
    }
    let body = match args.post.as_ref().or(args.put.as_ref()) {
        Some(path) => std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?,
        None => Vec::new(),
    };
    let (host, port) = args.proxy.as_ref().map_or((url.host.as_str(), url.port), |(host, port)| (host, *port));
    let addresses = (host, port).to_socket_addrs();
    let address = addresses.map_err(|e| format!("{host}: {e}"))?.next();
    let plan = Plan {
        address: address.ok_or_else(|| format!("{host} has no address"))?,
        request: request::encode(args, &url, &body),
        has_body: request::has_body(args),
        is_head: args.head || args.method.as_deref() == Some("HEAD"),
        keep_alive: args.keep_alive || args.http_1_1,
        requests,
        concurrency: args.concurrency,
        time_limit: args.time_limit,
        response_within: args.response_within,
        goes_on: args.go_on,
        may_vary: args.may_vary,
        keeps_samples: args.gnuplot.is_some(),
    };
    Ok((url, plan))
}

/// The line before the first request; with no lines about the progress, its end comes when all is done.
fn begin(args: &BenchArgs, url: &Url, is_silent: bool) -> String {
    let through = args.proxy.as_ref().map(|(host, port)| format!(" [through {host}:{port}]"));
    let end = if is_silent { "..." } else { "\n" };
    format!("Benchmarking {}{} (be patient){end}", url.host, through.unwrap_or_default())
}

/// How the table looks, if the report is one.
fn attributes(args: &BenchArgs) -> Option<Attributes> {
    let is_wanted = args.html || args.table.is_some() || args.row.is_some() || args.cell.is_some();
    is_wanted.then(|| Attributes {
        table: args.table.clone().unwrap_or_default(),
        row: args.row.clone().unwrap_or_default(),
        cell: args.cell.clone().unwrap_or_else(|| "bgcolor=white".into()),
    })
}

fn facts(args: &BenchArgs, url: &Url, plan: &Plan) -> Facts {
    Facts {
        host: url.host.clone(),
        port: url.port,
        path: url.target.clone(),
        concurrency: plan.concurrency,
        keep_alive: plan.keep_alive,
        may_vary: plan.may_vary,
        took: Duration::ZERO,
        percentages: !args.no_percentages,
        confidence: !args.no_confidence,
    }
}

/// When the next line about the progress is due.
struct Progress {
    every: usize,
    next: usize,
}

type Ended = (Tally, Duration, Option<Aborted>);

/// The loop: waits, and hands the driver what the kernel says.
fn drive(plan: Plan, mut progress: Progress, args: &BenchArgs) -> io::Result<Ended> {
    let mut poll = Poll::new()?;
    let sockets = Sockets::new(poll.registry().try_clone()?, args.from, args.buffer_bytes);
    let (mut events, began) = (Events::with_capacity(EVENTS_MAX), Instant::now());
    let mut driver = Driver::new(plan, sockets, began);
    let mut aborted = driver.start(began).err();
    while aborted.is_none() && !driver.is_over(Instant::now()) {
        let wait = driver.due().map(|due| due.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, wait) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        let mut take = |(source, ready): (Source, Ready)| match source {
            Source::Connection(id) => driver.on_ready(id, ready, Instant::now()),
            _ => Ok(()),
        };
        aborted =
            events.iter().map(readiness).try_for_each(&mut take).and_then(|()| driver.on_time(Instant::now())).err();
        while progress.every < usize::MAX && driver.tally().done() >= progress.next {
            note(&format!("Completed {} requests", progress.next));
            progress.next += progress.every;
        }
    }
    let took = began.elapsed();
    Ok((driver.into_tally(), took, aborted))
}

/// The text of a system's error as `ab` has it: `Connection refused (111)`.
fn text_of(error: &io::Error) -> String {
    error.to_string().replace("(os error ", "(")
}

/// Says why the run has ended early; returns its exit code.
fn explain(aborted: &Aborted, tally: &Tally) -> ExitCode {
    let (why, code) = match aborted {
        Aborted::Socket(e) => (format!("apr_socket_recv: {}", text_of(e)), e.raw_os_error().unwrap_or(1)),
        Aborted::Connecting(e) => (
            format!("Test aborted after 10 failures\n\napr_socket_connect(): {}", text_of(e)),
            e.raw_os_error().unwrap_or(1),
        ),
        Aborted::Timeout => ("apr_pollset_poll: The timeout specified has expired (70007)".into(), 1),
        Aborted::NotHttp(why) => (format!("the response makes no sense: {why}"), 1),
    };
    note(&why);
    if tally.done() > 0 {
        note(&format!("Total of {} requests completed", tally.done()));
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn write_files(args: &BenchArgs, tally: &Tally) -> Result<(), String> {
    let now = (Instant::now(), SystemTime::now());
    let create = |path: &Path| File::create(path).map(BufWriter::new);
    let failed = |path: &Path, e: io::Error| format!("{}: {e}", path.display());
    if let Some(path) = &args.csv {
        let written =
            create(path).and_then(|mut out| files::write_csv(&mut out, &tally.total).and_then(|()| out.flush()));
        written.map_err(|e| failed(path, e))?;
    }
    if let Some(path) = &args.gnuplot {
        let written = create(path)
            .and_then(|mut out| files::write_gnuplot(&mut out, tally.samples(), now).and_then(|()| out.flush()));
        written.map_err(|e| failed(path, e))?;
    }
    Ok(())
}

/// Reports bad usage: no request was sent.
fn refused(why: &str) -> ExitCode {
    note(&format!("squall bench: {why}"));
    ExitCode::from(BenchArgs::USAGE)
}

fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
        _ => Ok(()),
    }
}

/// A line on standard error; a closed one is no error.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
