//! `squall bench`: load on a server. With http URLs it has the options and the report of `ab` (ApacheBench 2.3).
//!
//! ```text
//! flags ── plan ──▶ load: threads, each with a driver ── tallies ──▶ report ──▶ stdout
//!                                 │                 └──▶ record: view, seconds, log    └──▶ -g, -e, out: files
//!                               slots ── pace: which one sends a request, and when
//! ```

mod driver;
mod files;
mod html;
mod http;
mod load;
mod models;
mod out;
mod own;
mod pace;
mod plan;
mod processes;
mod record;
mod report;
mod request;
mod series;
mod slot;
mod sockets;
mod summary;
mod tally;
mod times;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "bench/tls/absent.rs"]
mod tls;
mod trace;
mod usual;
mod view;
mod ws;

use crate::config::BenchArgs;
use crate::config::bench_args::OutputArgs;
use load::{Ended, Load, Precision, Watch};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use summary::Summary;

/// The exit code of a run for which a condition of `--fail-if` holds.
const BROKEN: u8 = 3;

/// Runs what the flags ask for.
///
/// # Errors
/// The report cannot be written, or the load cannot run.
pub fn run(args: &BenchArgs) -> Result<ExitCode, String> {
    if args.version {
        return print(&banner()).map(|()| ExitCode::SUCCESS);
    }
    if args.usage {
        note(&BenchArgs::usage());
        return Ok(ExitCode::from(BenchArgs::USAGE));
    }
    if args.models.models.is_some() {
        return models::run(&args.models);
    }
    if let Some([old, new]) = args.output.compare.as_deref() {
        return match out::compare(old, new) {
            Ok(table) => print(&table).map(|()| ExitCode::SUCCESS),
            Err(why) => Ok(refused(&why)),
        };
    }
    if ws::is_asked_for(args) {
        return ws::run(args);
    }
    match out::check(written_files(args)).and_then(|()| plan::prepare(args)) {
        Ok(prepared) => http::run(args, prepared),
        Err(why) => Ok(refused(&why)),
    }
}

/// The first line of each report.
const PROGRAM: &str = concat!("This is squall bench, Version ", env!("CARGO_PKG_VERSION"), "\n");

/// What stands above the report of `ab`.
fn banner() -> String {
    format!("{PROGRAM}It takes the options of ApacheBench 2.3 and prints its report.\n")
}

/// Every file that a run writes, with its flag.
fn written_files(args: &BenchArgs) -> impl Iterator<Item = (&'static str, &Path)> {
    let of_ab = [("-g", &args.gnuplot), ("-e", &args.csv)];
    args.output.files().chain(of_ab.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?))))
}

/// Runs the threads of a load. SIGINT ends the run, a second one the program.
fn drive<L: Load>(
    threads: usize,
    precision: Precision,
    make: impl Fn(usize, mio::Registry, Instant) -> L + Send + Sync + 'static,
    watch: &mut impl Watch<L::Piece>,
) -> Result<Ended<L::Rest>, String>
where
    L::Piece: 'static,
    L::Rest: 'static,
{
    let interrupted = Arc::new(AtomicBool::new(false));
    let caught = signal_hook::flag::register_conditional_shutdown(libc::SIGINT, 1, interrupted.clone())
        .and_then(|_| signal_hook::flag::register(libc::SIGINT, interrupted.clone()));
    let ended = caught.and_then(|_| load::run(threads, precision, make, watch, &interrupted));
    ended.map_err(|why| format!("the load cannot run: {why}"))
}

/// What stands at the end of the report of every mode.
fn last_lines(summary: &Summary, output: &OutputArgs) -> String {
    let mut lines: String = summary.limited.iter().map(|why| format!("\nclient-limited: {why}\n")).collect();
    if io::stdout().is_terminal() && !output.takes_stdout() {
        lines += &out::draw(summary);
    }
    lines
}

/// Writes the files of a run, and judges it by the conditions.
fn conclude(output: &OutputArgs, summary: &Summary, is_interrupted: bool) -> Result<ExitCode, String> {
    let written = out::write(output, summary);
    let broken = out::conditions(output, summary);
    broken.iter().for_each(|line| note(line));
    written?;
    Ok(ExitCode::from(if broken.is_empty() { u8::from(is_interrupted) } else { BROKEN }))
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
