//! `squall bench --models`: the three server models of the course, and squall itself, under the same load.
//!
//! ```text
//! for each handler, number of connections and server:   start ─▶ load, and watch /proc beside it ─▶ kill ─▶ a row
//! all rows ─▶ what one sees ─▶ picture
//! ```
//!
//! The models themselves are in `src/cli/models.rs`.

mod picture;
mod reading;
mod server;
mod table;
mod watch;

use super::driver::{Driver, Plan};
use super::load::{self, Aborted, Precision, Watch};
use super::own::{self, Used};
use super::slot::Request;
use super::sockets::Sockets;
use super::sockets::route::Route;
use super::tally::{Tally, Wanted};
use super::{note, print};
use crate::cli::models::{PROCESSES_MAX, THREADS_MAX};
use crate::config::ModelsFlags;
use server::Server;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use watch::{Needs, watch};

/// The exit code of a program that Ctrl-C has ended, as shells have it.
const INTERRUPTED: u8 = 130;

/// Less CPU time than that is not told: the kernel counts it in hundredths of a second.
const CPU_LEAST: Duration = Duration::from_millis(50);

/// A server that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Process,
    Thread,
    Loop,
    Squall,
}

impl Subject {
    const ALL: [Subject; 4] = [Subject::Process, Subject::Thread, Subject::Loop, Subject::Squall];

    /// In the table, and for `squall model`.
    fn name(self) -> &'static str {
        match self {
            Subject::Process => "process",
            Subject::Thread => "thread",
            Subject::Loop => "loop",
            Subject::Squall => "squall",
        }
    }
}

/// What is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handler {
    /// The response comes at once.
    Plain,
    /// It comes after 10 ms.
    Wait,
}

impl Handler {
    const ALL: [Handler; 2] = [Handler::Plain, Handler::Wait];

    /// The models' path.
    fn name(self) -> &'static str {
        match self {
            Handler::Plain => "/",
            Handler::Wait => "/wait",
        }
    }

    /// The path of a server; squall has other ones.
    fn path(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Handler::Plain, Subject::Squall) => "/plaintext",
            (Handler::Wait, Subject::Squall) => "/sleep?seconds=0.01",
            _ => self.name(),
        }
    }
}

/// One measurement.
#[derive(Debug, Clone)]
struct Cell {
    handler: Handler,
    connections: usize,
    subject: Subject,
    load: Load,
    /// The peaks; `None` where there is no /proc.
    needs: Option<Needs>,
}

/// What the clients saw.
#[derive(Debug, Clone)]
struct Load {
    took: Duration,
    /// Responses of 2xx that came whole.
    done: u64,
    /// Connections that failed, responses that broke off, other statuses.
    failed: u64,
    p50: Duration,
    p99: Duration,
    /// Why the load ended before its time.
    ended: Option<String>,
    /// Why this program, and not the server, was the limit.
    limited: Vec<String>,
}

impl Cell {
    /// Responses a second.
    fn rate(&self) -> f64 {
        self.load.done as f64 / self.load.took.as_secs_f64().max(1e-9)
    }

    /// CPU time of the server for each response; `None` if it used too little to tell.
    fn cpu_each(&self) -> Option<Duration> {
        let needs = self.needs.filter(|needs| self.load.done > 0 && needs.cpu >= CPU_LEAST)?;
        Some(needs.cpu.div_f64(self.load.done as f64))
    }

    /// Whether the server had as many workers as it allows, so that further clients waited.
    fn is_full(&self) -> bool {
        let Some(needs) = self.needs else { return false };
        match self.subject {
            Subject::Process => needs.processes > PROCESSES_MAX,
            Subject::Thread => needs.threads > THREADS_MAX,
            Subject::Loop | Subject::Squall => false,
        }
    }

    /// Whether some connections got less than two responses, so that the slowest are missing from the p99.
    fn is_short(&self) -> bool {
        self.load.done < 2 * self.connections as u64
    }
}

/// Measures all of it, and prints it.
///
/// # Errors
/// A server does not start, or the table or the picture cannot be written.
pub fn run(flags: &ModelsFlags) -> Result<ExitCode, String> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let taken = signal_hook::flag::register(signal, interrupted.clone());
        taken.map_err(|e| format!("signals cannot be taken: {e}"))?;
    }
    let picture = flags.models.as_ref().and_then(Option::as_ref);
    if let Some(path) = picture {
        // A minute before it is written: whether it can be.
        let opened = File::options().write(true).create(true).truncate(false).open(path);
        opened.map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let mut cells: Vec<Cell> = Vec::new();
    print(&table::head())?;
    for handler in Handler::ALL {
        for &connections in &flags.models_connections {
            for subject in Subject::ALL {
                let cell = measure(handler, connections, subject, flags.models_seconds, &interrupted)?;
                if interrupted.load(Relaxed) {
                    note("squall bench: interrupted");
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                print(&table::row(&cell, cells.last()))?;
                cells.push(cell);
            }
        }
    }
    let seen = reading::lines(&cells);
    print(&table::notes(&cells))?;
    print(&seen.iter().map(|line| format!("\n{}", table::wrapped(line))).collect::<String>())?;
    if let Some(path) = picture {
        std::fs::write(path, picture::draw(&cells, &seen)).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One cell of the table, with a server of its own.
fn measure(
    handler: Handler,
    connections: usize,
    subject: Subject,
    seconds: Duration,
    interrupted: &AtomicBool,
) -> Result<Cell, String> {
    let server = Server::start(subject)?;
    let (alive, until) = channel();
    let group = server.group();
    let (load, needs) = std::thread::scope(|scope| {
        let watcher = scope.spawn(move || watch(group, &until));
        let load = load(server.address, handler.path(subject), connections, seconds, interrupted);
        // The end of the channel is the end of the watch.
        drop(alive);
        (load, watcher.join())
    });
    let load = load.map_err(|e| format!("--models: the load cannot run: {e}"))?;
    Ok(Cell { handler, connections, subject, load, needs: needs.ok().flatten() })
}

/// Requests `path` over `connections` connections for the time `seconds`, each request on a new connection.
fn load(
    address: SocketAddr,
    path: &str,
    connections: usize,
    seconds: Duration,
    interrupted: &AtomicBool,
) -> io::Result<Load> {
    let bytes = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").into_bytes();
    let plan = Plan {
        address,
        tls: None,
        requests: vec![Request { bytes, is_head: false }],
        keep_alive: false,
        requests_max: u64::MAX,
        concurrency: connections,
        pipeline: 1,
        warmup: Duration::ZERO,
        time_limit: Some(seconds),
        response_within: seconds * 2,
        schedule: None,
        goes_on: true,
        wanted: Wanted { may_vary: true, ..Wanted::default() },
        verbosity: 0,
    };
    let make = move |n, registry: mio::Registry, began: Instant| {
        Driver::new(plan.clone(), Sockets::new(registry, &Route::to(address), n, None), began)
    };
    let mut counted = Counted(Tally::default());
    let cpu_before = own::cpu_time();
    let ended = load::run(1, Precision::Millis, make, &mut counted, interrupted)?;
    let cpu = own::cpu_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let Counted(tally) = counted;
    let Tally { no_port, no_descriptor, .. } = tally;
    Ok(Load {
        took: ended.took,
        done: tally.statuses.iter().map(|(_, count)| count).sum::<u64>() - tally.not_2xx(),
        failed: tally.failures() + tally.not_2xx(),
        p50: Duration::from_micros(tally.total.percentile(50.0)),
        p99: Duration::from_micros(tally.total.percentile(99.0)),
        ended: ended.aborted.map(|why| match why {
            Aborted::Socket(e) | Aborted::Connecting(e) | Aborted::Handshake(e) | Aborted::Poll(e) => e.to_string(),
            Aborted::Timeout => "a response did not come in time".into(),
            Aborted::NotHttp(why) => why,
        }),
        limited: own::limits(&Used { cpu, threads: 1, took: ended.took, no_port, no_descriptor, late_p99: 0 }),
    })
}

/// The counts of a load.
struct Counted(Tally);

impl Watch<Tally> for Counted {
    fn begin(&mut self) {}

    fn piece(&mut self, _: u64, counted: Tally) {
        self.0.add(counted);
    }

    fn look(&mut self, _: u64) {}
}

/// A measurement of a second, for tests.
#[cfg(test)]
fn sample(handler: Handler, connections: usize, subject: Subject, done: u64) -> Cell {
    let load = Load {
        took: Duration::from_secs(1),
        done,
        failed: 0,
        p50: Duration::from_millis(10),
        p99: Duration::from_millis(20),
        ended: None,
        limited: Vec::new(),
    };
    let needs = Needs { memory: 3 << 20, processes: 1, threads: 1, cpu: Duration::from_millis(500) };
    Cell { handler, connections, subject, load, needs: Some(needs) }
}
