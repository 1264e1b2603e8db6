//! `squall bench --ws MODE`: load on a WebSocket server.
//!
//! ```text
//! flags ── plan ──▶ driver ── fleet ── opener, opening ──▶ connection ──▶ network
//!                     │ └──── reading ──▶ traffic: echo, fanout (stamp, order, pace), resume
//!                     └──────────────────▶ results ──▶ report, summary
//! ```

mod connection;
mod driver;
mod echo;
mod fanout;
mod fleet;
mod masks;
mod meter;
mod nothing;
mod opener;
mod opening;
mod order;
mod pace;
mod phase;
mod plan;
mod reading;
mod recorder;
mod report;
mod results;
mod resume;
mod stamp;
#[cfg(test)]
mod testing;
mod traffic;

use super::load::{Aborted, Precision, Watch};
use super::own::{self, Used};
use super::record::{Record, Recorded};
use super::sockets::{self, Sockets};
use super::view::{Goal, View};
use super::{PROGRAM, conclude, drive, last_lines, note, out, refused, say, written_files};
use crate::config::BenchArgs;
use crate::config::bench_args::WsMode;
use driver::Driver;
use masks::Masks;
use opening::{NO_DESCRIPTOR, NO_PORT};
use plan::Plan;
use recorder::Counted;
use report::{figure_names, into_summary, report};
use results::Results;
use std::process::ExitCode;
use std::time::Instant;

/// Whether these flags are about WebSocket.
pub fn is_asked_for(args: &BenchArgs) -> bool {
    args.ws.mode.is_some() || args.url.as_deref().is_some_and(plan::is_websocket)
}

/// Runs the load, prints the report, and writes the files.
///
/// # Errors
/// The report or a file cannot be written, or the load cannot run.
pub fn run(args: &BenchArgs) -> Result<ExitCode, String> {
    let mut masks = Masks::new()?;
    let plan = out::check(written_files(args))
        .and_then(|()| Plan::new(args, masks.number()))
        .and_then(|plan| sockets::enough_files(plan.all()).map(|()| plan));
    let plan = plan.and_then(|plan| out::check_figures(&args.output, &figure_names(&plan)).map(|()| plan));
    let plan = match plan {
        Ok(plan) => plan,
        Err(why) => return Ok(refused(&why)),
    };
    let goal = Goal::Time(plan.timing.duration);
    let mut running = Running { record: Record::new(&args.output, View::new(goal, args.quiet), 1) };
    say(&args.output, &format!("{PROGRAM}Benchmarking {} (be patient)\n\n", plan.server.url.host))?;
    let has_schedule = plan.timing.rate.is_some() || plan.timing.connect_rate.is_some();
    let precision = if has_schedule { Precision::Micros } else { Precision::Millis };
    plan.server.route.note.iter().for_each(|line| note(&format!("squall bench: {line}")));
    let of_thread = plan.clone();
    let make = move |n, registry: mio::Registry, now: Instant| {
        let sockets = Sockets::new(registry, &of_thread.server.route, n, of_thread.tls.clone());
        Driver::new(of_thread.clone(), sockets, masks.clone(), now)
    };
    // There is one thread: all members of a room are counted together.
    let ended = drive(1, precision, make, &mut running)?;
    let Some(results) = ended.rests.into_iter().next() else {
        return Err(stopped(ended.aborted));
    };
    let mut recorded = running.record.end(results.took, results.latency.count());
    if plan.mode == WsMode::Idle {
        // What is measured is the opening, and CPU time is recorded behind it.
        recorded.cpu = None;
    }
    let text = report(&plan, &results);
    let limited = limits(&plan, &results, &recorded);
    let logged = recorded.logged.clone();
    let nothing = nothing::why(&plan, &results);
    let summary = into_summary(&plan, results, recorded, limited);
    say(&args.output, &format!("{text}{}", last_lines(&summary, &args.output)))?;
    if summary.succeeded == 0 {
        note(&format!("squall bench: {nothing}"));
    }
    let code = conclude(&args.output, &summary, ended.is_interrupted || summary.succeeded == 0);
    logged.and(code)
}

/// The line about a load that has no results.
fn stopped(aborted: Option<Aborted>) -> String {
    use Aborted::{Connecting, Handshake, NotHttp, Poll, Socket, Timeout};
    match aborted {
        Some(Poll(e) | Socket(e) | Handshake(e) | Connecting(e)) => format!("the load cannot go on: {e}"),
        Some(NotHttp(why)) => format!("the load cannot go on: {why}"),
        Some(Timeout) | None => "the load cannot go on".into(),
    }
}

/// A run while it goes on.
struct Running<'a> {
    record: Record<'a>,
}

impl Watch<Option<Counted>> for Running<'_> {
    fn begin(&mut self) {
        self.record.begin();
        if !self.record.view.is_silent() {
            note("The connections are open: what is measured begins");
        }
    }

    fn piece(&mut self, interval: u64, counted: Option<Counted>) {
        if let Some(Counted { latency, outcomes }) = counted {
            self.record.piece(interval, &latency, outcomes);
        }
    }

    fn look(&mut self, done: u64) {
        self.record.view.look(done);
    }
}

/// Each reason for which this program was the limit.
fn limits(plan: &Plan, results: &Results, recorded: &Recorded) -> Vec<String> {
    let lacks = |kind: &str| results.failed.get(kind).copied().unwrap_or_default();
    own::limits(&Used {
        cpu: recorded.cpu,
        threads: 1,
        took: report::took(plan, results),
        no_port: lacks(NO_PORT),
        no_descriptor: lacks(NO_DESCRIPTOR),
        late_p99: results.schedule.as_ref().map_or(0, |schedule| schedule.late.percentile(99.0)),
    })
}
