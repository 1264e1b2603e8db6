//! `squall fetch`: many targets at once, by the loop and the outbound client of the server.
//!
//! ```text
//! flags, stdin ── input, plan ──▶ targets ──▶ slot ── trip ──▶ outcome ── report ──▶ stdout, stderr
//!                                              ▲                  │
//!                                              └── next target ───┘
//! ```
//!
//! The list is an [`App`] whose loop has no listener. Each of the `--concurrency` slots has one target under way and
//! owns its fetch: the next fetch of a slot drops the rest of the one before. A
//! response is reported when it is complete, so the order is that of the sites' speed. No step looks at more than one
//! target.

mod input;
mod json;
mod notes;
mod part;
mod plan;
mod report;
mod trip;

use crate::clock::Now;
use crate::config::{FetchArgs, Limits};
use crate::event::{App, Effect, Effects, Fetched, Url};
use crate::http::{self, url::UrlError};
use crate::id::ConnId;
use crate::reactor::Loop;
use input::Input;
use notes::Notes;
use plan::Plan;
use report::{REDRAWN_EVERY, Report, Style, Tally};
use rlimit::Resource;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Instant;
use trip::{Next, Outcome, Trip};

/// Threads that look up names, at most: they wait for other machines, not for this one.
const NAME_THREADS_MAX: usize = 64;
/// Descriptors of a slot: its connection, one kept for later, and its file or a second attempt to connect.
const FILES_PER_SLOT: u64 = 3;
/// Descriptors of the program itself.
const FILES_RESERVED: u64 = 32;

/// Fetches all targets; success if each gave an HTTP response (with `--fail`: one below 400), 2 for bad usage.
///
/// # Errors
/// The loop cannot be made or fails, or results cannot be written.
pub fn run(args: &FetchArgs) -> Result<ExitCode, String> {
    let (targets, plan) = match prepare(args) {
        Ok(prepared) => prepared,
        Err(why) => return Ok(refused(&why)),
    };
    let concurrency = if args.sequential { 1 } else { args.concurrency };
    let open_files = rlimit::getrlimit(Resource::NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let slots = slots_for(concurrency.min(targets.len()), open_files);
    let notes = Notes::of_this_program();
    let style = if args.json { Style::Json } else { Style::Text };
    let report = Report::new(style, notes, io::stdout(), io::stderr());
    let limits = limits(args, slots);
    let list = FetchList::new(targets, slots, plan, report, Instant::now());
    let mut running = Loop::new(&[], list, limits)?;
    if let Some(path) = &args.ca_file
        && let Err(why) = running.trust(path)
    {
        return Ok(refused(&why));
    }
    running.server().start(|list, out| list.start(Instant::now(), out));
    // The progress line goes on without events.
    let most = matches!(notes, Notes::Redrawn { .. }).then_some(REDRAWN_EVERY);
    while running.once(most).map_err(|e| format!("the kernel's poll failed: {e}"))? {
        running.server().start(|list, out| list.flush(Instant::now(), out));
        // The flush quits when results cannot be written.
        if running.server().is_over() {
            break;
        }
    }
    let mut ended = Ok(ExitCode::FAILURE);
    running.server().start(|list, _| ended = list.close(Instant::now()));
    ended
}

/// Reports bad usage: nothing has been fetched.
fn refused(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {why}");
    ExitCode::from(2)
}

/// Everything that can fail before there is a loop.
fn prepare(args: &FetchArgs) -> Result<(Vec<String>, Plan), String> {
    let Input { targets, data } = Input::read(args, io::stdin().lock())?;
    if let Some(dir) = &args.output {
        std::fs::create_dir_all(dir).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => format!("--output {} is not a directory", dir.display()),
            _ => format!("--output {}: {e}", dir.display()),
        })?;
    }
    Ok((targets, Plan::new(args, data)))
}

/// The number of slots for which `open_files` descriptors suffice, at least one.
fn slots_for(wanted: usize, open_files: u64) -> usize {
    let most = open_files.saturating_sub(FILES_RESERVED) / FILES_PER_SLOT;
    wanted.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
}

/// The list is bounded by its slots; bodies that are not kept have no limit.
fn limits(args: &FetchArgs, slots: usize) -> Limits {
    let keeps_bodies = args.body || args.output.is_some();
    let body_bytes_max = if keeps_bodies { args.body_max as u64 } else { u64::MAX };
    Limits {
        fetches_max: slots,
        // In one turn all may end and be followed by others, before the client has freed their slots.
        fetches_waiting_max: slots,
        fetch_queue_within: args.max_time,
        upstreams_kept_max: slots,
        // The caller has chosen what is held: the number of slots and the size of bodies.
        buffer_bytes_max: usize::MAX,
        http: http::Limits {
            response_body_bytes_max: body_bytes_max,
            inflated_bytes_max: body_bytes_max,
            ..http::Limits::default()
        },
        name_threads: slots.min(NAME_THREADS_MAX),
        name_threads_max: 2 * NAME_THREADS_MAX,
        names_waiting_max: slots,
        ..Limits::default()
    }
}

/// The targets, and those under way.
struct FetchList<O: Write, E: Write> {
    targets: Vec<String>,
    /// The index of a slot is the owner of its fetches.
    slots: Vec<Option<Trip>>,
    plan: Plan,
    tally: Tally,
    began: Instant,
    report: Report<O, E>,
    /// Results could not be written, which ends the list.
    broken: Option<io::Error>,
}

impl<O: Write, E: Write> FetchList<O, E> {
    fn new(targets: Vec<String>, slots: usize, plan: Plan, report: Report<O, E>, now: Instant) -> FetchList<O, E> {
        let tally = Tally { targets: targets.len(), ..Tally::default() };
        let slots = std::iter::repeat_with(|| None).take(slots).collect();
        FetchList { targets, slots, plan, tally, began: now, report, broken: None }
    }

    /// Gives every slot its first target.
    fn start(&mut self, now: Instant, out: &mut Effects) {
        for slot in 0..self.slots.len() {
            self.fill(slot, now, out);
        }
    }

    /// Gives a free slot the next target; a malformed one ends at once.
    fn fill(&mut self, slot: usize, now: Instant, out: &mut Effects) {
        while let Some(target) = self.targets.get(self.tally.started)
            && self.broken.is_none()
        {
            let n = self.tally.started;
            self.tally.started += 1;
            self.report.started(target, &self.tally);
            match url_of(target) {
                Ok(url) => {
                    let file_name = self.plan.output.is_some().then(|| part::file_name(n, self.targets.len(), &url));
                    self.slots[slot] = Some(Trip::new(n, url.clone(), file_name, now));
                    out.push(Effect::Fetch(ConnId::outside(slot), Box::new(self.plan.fetch(url, now))));
                    return;
                }
                Err(e) => self.ended(n, Outcome { error: Some(e.to_string()), ..Outcome::default() }),
            }
        }
        if self.broken.is_some() || self.tally.done == self.targets.len() {
            out.push(Effect::Quit);
        }
    }

    fn ended(&mut self, n: usize, outcome: Outcome) {
        self.tally.done += 1;
        self.tally.failed += usize::from(outcome.error.is_some());
        self.tally.took += outcome.took;
        if let Err(e) = self.report.ended(&self.targets[n], outcome) {
            self.broken = Some(e);
        }
    }

    /// The end of a turn.
    fn flush(&mut self, now: Instant, out: &mut Effects) {
        if let Err(e) = self.report.flush(&self.tally, self.began, now) {
            self.broken = Some(e);
            out.push(Effect::Quit);
        }
    }

    /// Writes the last line; returns the exit code.
    ///
    /// # Errors
    /// Results could not be written. A reader that has ended, as of `| head`, is no error.
    fn close(&mut self, now: Instant) -> Result<ExitCode, String> {
        let took = now.saturating_duration_since(self.began);
        let closed = match self.broken.take() {
            Some(e) => Err(e),
            None => self.report.close(&self.tally, took, self.slots.len() == 1),
        };
        match closed {
            Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
            _ if self.tally.done == self.targets.len() && self.tally.failed == 0 => Ok(ExitCode::SUCCESS),
            _ => Ok(ExitCode::FAILURE),
        }
    }
}

impl<O: Write, E: Write> App for FetchList<O, E> {
    /// Takes one step of the fetch of a slot.
    fn fetched(&mut self, from: ConnId, fetched: Fetched<'_>, now: Now, out: &mut Effects) {
        let Some(slot) = self.slots.get_mut(from.slot()) else { return };
        let Some(trip) = slot else { return };
        let end = match trip.on_fetched(fetched, &self.plan) {
            Next::Wait => return,
            Next::Over(end) => end,
        };
        if let Some(trip) = slot.take() {
            self.ended(trip.target(), trip.end(end, now.instant));
            self.fill(from.slot(), now.instant, out);
        }
    }
}

/// Parses a URL, or a host over http, perhaps with a port and a path.
fn url_of(target: &str) -> Result<Url, UrlError> {
    // `localhost:8888` parses as a scheme, too.
    let has_scheme = target.split_once(':').is_some_and(|(_, rest)| rest.starts_with("//"));
    match Url::parse(target) {
        Err(UrlError::NoScheme) => Url::parse(&format!("http://{target}")),
        Err(UrlError::UnknownScheme(_)) if !has_scheme => Url::parse(&format!("http://{target}")),
        read => read,
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
