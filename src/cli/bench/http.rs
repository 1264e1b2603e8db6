//! A run of requests, with the report of `ab`.

use super::driver::{Driver, Rest};
use super::html::{Attributes, Html};
use super::load::{Aborted, Ended, Watch};
use super::own::{self, Used};
use super::plan::Prepared;
use super::processes::{Processes, Usage};
use super::record::{Record, Recorded};
use super::report::{Facts, Report};
use super::series::Outcomes;
use super::sockets::{FlagError, Sockets};
use super::summary::{Run, Schedule, Summary};
use super::tally::Tally;
use super::trace;
use super::view::{Goal, View};
use super::{banner, conclude, drive, files, last_lines, note, say};
use crate::config::BenchArgs;
use crate::http::url::Url;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

/// What is said if no response is whole for a while.
const HINT: &str =
    "No response is whole yet. If the server keeps connections and sends no length, use -k or --http1.1.";

/// Runs it, prints the report, and writes the files.
///
/// # Errors
/// The report or a file cannot be written, or the load cannot run.
pub fn run(args: &BenchArgs, prepared: Prepared) -> Result<ExitCode, String> {
    let goal = match prepared.requests {
        Some(requests) => Goal::Requests(requests),
        None => Goal::Time(args.load.duration.unwrap_or_default()),
    };
    let Prepared { url, plans, route, tls, facts, precision, processes, .. } = prepared;
    let (threads, attributes) = (plans.len(), attributes(args));
    let say = |text: &str| say(&args.output, text);
    let view = View::new(goal, args.quiet);
    // A server that keeps a connection may hold back an end that the load waits for.
    let view = if facts.keep_alive { view } else { view.with_hint(HINT) };
    let record = Record::new(&args.output, view, threads);
    let mut running = Running { record, tally: Tally::new(plans[0].wanted), processes, server_before: None };
    match attributes {
        None => say(&format!("{}\n{}", banner(), begin(args, &url, running.record.view.is_silent())))?,
        Some(_) => say(&format!("<p>\n {}<br>\n</p>\n<p>\n", banner().trim_end().replace('\n', "<br>\n ")))?,
    }
    route.note.iter().for_each(|line| note(&format!("squall bench: {line}")));
    if args.verbosity >= trace::TALK {
        trace::print(&trace::request(&plans[0].requests[0].bytes));
    }
    let shared = tls.clone();
    let make = move |n: usize, registry: mio::Registry, began: Instant| {
        Driver::new(plans[n].clone(), Sockets::new(registry, &route, n, shared.clone()), began)
    };
    let ended = drive(threads, precision, make, &mut running)?;
    let Running { record, tally, processes, server_before } = running;
    let server = server_before.zip(processes.usage()).map(|(before, after)| after.since(before));
    let is_silent = record.view.is_silent();
    let recorded = record.end(ended.took, tally.done());
    let limited = limits(&tally, &ended, &recorded, threads);
    if let Some(aborted) = &ended.aborted {
        limited.iter().for_each(|why| note(&format!("client-limited: {why}")));
        return Ok(explain(aborted, &tally));
    }
    if is_silent {
        say("..done\n")?;
    }
    let schedule = args.load.rate.map(|rate| Schedule::of_requests(rate, &tally, &ended.rests));
    let software = ended.rests.iter().find_map(|rest| rest.software.clone());
    let facts = Facts { took: ended.took, software, tls: tls.map_or_else(Vec::new, |tls| tls.rows()), ..facts };
    let report = Report { facts: &facts, tally: &tally, schedule: schedule.as_ref() };
    let Recorded { began, intervals, cpu, logged } = recorded;
    let run = Run {
        url: url.to_string(),
        connections: args.concurrency,
        threads,
        began,
        took: ended.took,
        schedule: schedule.clone(),
        intervals,
        cpu,
        server,
        limited,
    };
    let summary = Summary::of_requests(run, &tally);
    match &attributes {
        None => {
            let server = server_lines(server, tally.done(), ended.took);
            say(&format!("{report}{server}{}", last_lines(&summary, &args.output)))?;
        }
        Some(attributes) => {
            summary.limited.iter().for_each(|why| note(&format!("client-limited: {why}")));
            say(&Html { report: &report, attributes }.to_string())?;
        }
    }
    let written = write_files(args, &tally);
    let code = conclude(&args.output, &summary, ended.is_interrupted);
    written.and(logged).and(code)
}

/// A run while it goes on.
struct Running<'a> {
    record: Record<'a>,
    tally: Tally,
    processes: Processes,
    /// What the server had used when what is measured began.
    server_before: Option<Usage>,
}

impl Watch<Tally> for Running<'_> {
    fn begin(&mut self) {
        self.record.begin();
        self.server_before = self.processes.usage();
    }

    fn piece(&mut self, interval: u64, counted: Tally) {
        // Connects that failed have no time.
        let ended_badly = counted.receive_failures + counted.length_failures;
        let succeeded = counted.total.count().saturating_sub(ended_badly);
        let outcomes = Outcomes { succeeded, failed: counted.failures() };
        self.record.piece(interval, &counted.total, outcomes);
        self.tally.add(counted);
    }

    fn look(&mut self, done: u64) {
        self.record.view.look(done);
    }
}

/// CPU time and memory of the watched processes of the server, for `done` requests in the time `took`.
fn server_lines(used: Option<Usage>, done: u64, took: Duration) -> String {
    let Some(Usage { cpu, memory }) = used else { return String::new() };
    let each = cpu.as_secs_f64() * 1e6 / done.max(1) as f64;
    let share = cpu.as_secs_f64() * 100.0 / took.as_secs_f64().max(f64::MIN_POSITIVE);
    let rows = [
        ("CPU per request:", format!("{each:.3} [us]")),
        ("Server CPU:", format!("{share:.1} [%]")),
        ("Server memory:", format!("{memory} bytes")),
    ];
    let lines = rows.iter().map(|(label, value)| format!("{label:<24}{value}\n"));
    format!("\n{}", lines.collect::<String>())
}

/// Each reason for which this program was the limit.
fn limits(tally: &Tally, ended: &Ended<Rest>, recorded: &Recorded, threads: usize) -> Vec<String> {
    let Tally { no_port, no_descriptor, .. } = *tally;
    let late_p99 = tally.late.percentile(99.0);
    own::limits(&Used { cpu: recorded.cpu, threads, took: ended.took, no_port, no_descriptor, late_p99 })
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

/// The text of a system's error as `ab` has it: `Connection refused (111)`.
fn text_of(error: &io::Error) -> String {
    error.to_string().replace("(os error ", "(")
}

/// Says why the run has ended early; returns its exit code.
fn explain(aborted: &Aborted, tally: &Tally) -> ExitCode {
    let of_flag = match aborted {
        Aborted::Socket(e) | Aborted::Connecting(e) => FlagError::of(e),
        _ => None,
    };
    let of_flag = of_flag.map(|e| (format!("squall bench: {e}"), e.errno));
    let (why, code) = of_flag.unwrap_or_else(|| match aborted {
        Aborted::Socket(e) => (format!("apr_socket_recv: {}", text_of(e)), e.raw_os_error().unwrap_or(1)),
        Aborted::Handshake(e) => (format!("SSL handshake failed: {}", text_of(e)), 1),
        Aborted::Connecting(e) => (
            format!("Test aborted after 10 failures\n\napr_socket_connect(): {}", text_of(e)),
            e.raw_os_error().unwrap_or(1),
        ),
        Aborted::Timeout => ("apr_pollset_poll: The timeout specified has expired (70007)".into(), 1),
        Aborted::Poll(e) => (format!("the kernel's poll failed: {}", text_of(e)), 1),
        Aborted::NotHttp(why) => (format!("the response makes no sense: {why}"), 1),
    });
    note(&why);
    if tally.done() > 0 {
        note(&format!("Total of {} requests completed", tally.done()));
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn write_files(args: &BenchArgs, tally: &Tally) -> Result<(), String> {
    let now = (Instant::now(), SystemTime::now());
    let create = |path: &Path| File::create(path).map(BufWriter::new);
    let failed = |flag: &str, path: &Path, e: io::Error| format!("{flag} {}: {e}", path.display());
    if let Some(path) = &args.csv {
        let written =
            create(path).and_then(|mut out| files::write_csv(&mut out, &tally.total).and_then(|()| out.flush()));
        written.map_err(|e| failed("-e", path, e))?;
    }
    if let Some(path) = &args.gnuplot {
        let written = create(path)
            .and_then(|mut out| files::write_gnuplot(&mut out, tally.samples(), now).and_then(|()| out.flush()));
        written.map_err(|e| failed("-g", path, e))?;
    }
    Ok(())
}
