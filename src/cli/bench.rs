//! `squall bench`: load on an HTTP server, with the options and the report of `ab` (ApacheBench 2.3).
//!
//! ```text
//! flags ── plan ──▶ load: threads, each with a driver ── tallies ──▶ report ──▶ stdout
//!                                 │                 └──▶ view: stderr     └────▶ -g, -e, out: files
//!                               slots ── pace: which one sends a request, and when
//! ```

mod driver;
mod files;
mod html;
mod load;
mod out;
mod own;
mod pace;
mod plan;
mod report;
mod request;
mod series;
mod slot;
mod sockets;
mod summary;
mod tally;
mod times;
mod usual;
mod view;

use crate::config::BenchArgs;
use crate::config::bench_args::OutputArgs;
use crate::http::url::Url;
use driver::{Driver, Rest};
use html::{Attributes, Html};
use load::{Aborted, Ended, Watch};
use out::RunLog;
use own::Used;
use plan::{Prepared, prepare};
use report::{Facts, Report, Schedules};
use series::Series;
use sockets::Sockets;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};
use summary::{Run, Summary};
use tally::Tally;
use view::{Goal, View};

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
    if let Some([old, new]) = args.output.compare.as_deref() {
        return match out::compare(old, new) {
            Ok(table) => print(&table).map(|()| ExitCode::SUCCESS),
            Err(why) => Ok(refused(&why)),
        };
    }
    let prepared = match out::check(&args.output).and_then(|()| prepare(args)) {
        Ok(prepared) => prepared,
        Err(why) => return Ok(refused(&why)),
    };
    let goal = match prepared.requests {
        Some(requests) => Goal::Requests(requests),
        None => Goal::Time { warmup: args.load.warmup, measured: args.load.duration.unwrap_or_default() },
    };
    let threads = prepared.plans.len();
    let attributes = attributes(args);
    let say = |text: &str| say(&args.output, text);
    let mut shown = Shown {
        output: &args.output,
        log: RunLog::default(),
        view: View::new(goal, args.quiet),
        series: Series::new(threads),
        tally: Tally::new(prepared.plans[0].wanted),
        cpu_before: own::cpu_time(),
    };
    match attributes {
        None => say(&format!("{BANNER}\n{}", begin(args, &prepared.url, shown.view.is_silent())))?,
        Some(_) => say(&format!("<p>\n {}<br>\n</p>\n<p>\n", BANNER.trim_end().replace('\n', "<br>\n ")))?,
    }
    let (facts, url, began) = (prepared.facts.clone(), prepared.url.to_string(), SystemTime::now());
    let ended = drive(prepared, args, &mut shown).map_err(|why| format!("the load cannot run: {why}"))?;
    let cpu = own::cpu_time().zip(shown.cpu_before).map(|(after, before)| after.saturating_sub(before));
    for (interval, latency) in shown.series.end(ended.took) {
        shown.log.interval(interval, latency);
    }
    let Shown { view, series, tally, log, .. } = shown;
    let logged = log.end(ended.took);
    view.end(tally.done());
    let Tally { no_port, no_descriptor, .. } = tally;
    let late_p99 = tally.late.percentile(99.0);
    let limited = own::limits(&Used { cpu, threads, took: ended.took, no_port, no_descriptor, late_p99 });
    if let Some(aborted) = &ended.aborted {
        limited.iter().for_each(|why| note(&format!("client-limited: {why}")));
        return Ok(explain(aborted, &tally));
    }
    if view.is_silent() {
        say("..done\n")?;
    }
    let schedules = Schedules::of(&ended.rests);
    let software = ended.rests.iter().find_map(|rest| rest.software.clone());
    let report = Report { facts: &Facts { took: ended.took, software, ..facts }, tally: &tally, schedules: &schedules };
    let run = Run {
        url,
        connections: args.concurrency,
        threads,
        began,
        rate: args.load.rate,
        ended: &ended,
        intervals: series.into_intervals(),
        cpu,
        limited,
    };
    let summary = Summary::of_requests(run, &tally, &schedules);
    match &attributes {
        None => say(&format!("{report}{}", last_lines(&summary, &args.output)))?,
        Some(attributes) => say(&Html { report: &report, attributes }.to_string())?,
    }
    let written = [write_files(args, &tally), out::write(&args.output, &summary), logged];
    let broken = out::conditions(&args.output, &summary);
    broken.iter().for_each(|line| note(line));
    written.into_iter().collect::<Result<(), String>>()?;
    Ok(ExitCode::from(if broken.is_empty() { u8::from(ended.is_interrupted) } else { BROKEN }))
}

/// The exit code of a run for which a condition of `--fail-if` holds.
const BROKEN: u8 = 3;

/// What stands below all lines of `ab`.
fn last_lines(summary: &Summary, output: &OutputArgs) -> String {
    let mut lines: String = summary.limited.iter().map(|why| format!("\nclient-limited: {why}\n")).collect();
    if io::stdout().is_terminal() && !output.takes_stdout() {
        lines += &out::draw(summary);
    }
    lines
}

/// What becomes of the counts of the threads while they run.
struct Shown<'a> {
    output: &'a OutputArgs,
    log: RunLog,
    view: View,
    series: Series,
    tally: Tally,
    /// CPU time of this program when what is measured began.
    cpu_before: Option<Duration>,
}

impl Watch<Tally> for Shown<'_> {
    fn begin(&mut self) {
        self.cpu_before = own::cpu_time();
        self.log.begin(self.output, SystemTime::now());
    }

    fn piece(&mut self, interval: u64, counted: Tally) {
        let failed = counted.receive_failures + counted.length_failures;
        if let Some((interval, latency)) = self.series.add(interval, &counted.total, failed) {
            self.view.interval(&interval);
            self.log.interval(interval, latency);
        }
        self.tally.add(counted);
    }

    fn look(&mut self, done: u64) {
        self.view.look(done);
    }
}

const BANNER: &str = concat!(
    "This is squall bench, Version ",
    env!("CARGO_PKG_VERSION"),
    "\nIt takes the options of ApacheBench 2.3 and prints its report.\n"
);

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

/// Runs the threads. SIGINT ends the run, a second one the program.
fn drive(prepared: Prepared, args: &BenchArgs, shown: &mut Shown<'_>) -> io::Result<Ended<Rest>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_shutdown(libc::SIGINT, 1, interrupted.clone())?;
    signal_hook::flag::register(libc::SIGINT, interrupted.clone())?;
    let Prepared { plans, precision, .. } = prepared;
    let (threads, from, buffer_bytes) = (plans.len(), args.from, args.buffer_bytes);
    let make = move |n: usize, registry: mio::Registry, began: Instant| {
        Driver::new(plans[n].clone(), Sockets::new(registry, from, buffer_bytes), began)
    };
    load::run(threads, precision, make, shown, &interrupted)
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
        Aborted::Poll(e) => (format!("the kernel's poll failed: {}", text_of(e)), 1),
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

/// The report goes to standard output, unless a file goes there.
fn say(output: &OutputArgs, text: &str) -> Result<(), String> {
    if output.takes_stdout() {
        let _ = io::stderr().write_all(text.as_bytes());
        return Ok(());
    }
    print(text)
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
