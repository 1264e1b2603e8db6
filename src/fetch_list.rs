//! `squall fetch`: several hosts at once, on the same loop and the same outbound machine as the search.
//!
//! The list is an [`App`] whose loop listens nowhere. Every target starts at once; each answer is printed when it is
//! complete, so the order is that of the sites' speed. Results go to standard output, progress to standard error.

use crate::config::Limits;
use crate::event::{App, Effect, Effects, Event, Fetch, Fetched, Url};
use crate::id::ConnId;
use crate::proto::url::Scheme;
use crate::server::Loop;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A target may take so long in all.
const WITHIN: Duration = Duration::from_secs(20);

/// Fetches all targets; success if each gave an HTTP answer, whatever its status.
///
/// # Errors
/// The loop cannot be made or fails.
pub fn run(targets: &[String]) -> Result<ExitCode, String> {
    let list = FetchList::new(targets, Instant::now(), io::stdout(), io::stderr());
    let limits = Limits { fetches_max: usize::MAX, fetches_waiting_max: usize::MAX, ..Limits::default() };
    let mut running = Loop::new(&[], list, limits)?;
    running.server().start(|list, out| list.start(out));
    running.run().map_err(|e| format!("the kernel's poll failed: {e}"))?;
    Ok(if running.server().app().failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The targets and what became of them.
struct FetchList<O, E> {
    targets: Vec<Target>,
    left: usize,
    failed: usize,
    begun: Instant,
    results: O,
    progress: E,
}

struct Target {
    /// As given.
    name: String,
    /// Status line and fields, once they are there.
    head: Vec<u8>,
    over: bool,
}

impl<O: Write, E: Write> FetchList<O, E> {
    fn new(targets: &[String], now: Instant, results: O, progress: E) -> FetchList<O, E> {
        let target = |name: &String| Target { name: name.clone(), head: Vec::new(), over: false };
        let targets: Vec<Target> = targets.iter().map(target).collect();
        FetchList { left: targets.len(), targets, failed: 0, begun: now, results, progress }
    }

    fn start(&mut self, out: &mut Effects) {
        for n in 0..self.targets.len() {
            let name = self.targets[n].name.clone();
            self.say(|to| writeln!(to, "Start fetching {name}"));
            match url_of(&name) {
                Ok(url) => {
                    let headers = vec![("Accept", "*/*".to_owned())];
                    let deadline = self.begun + WITHIN;
                    let fetch = Fetch { url, head: false, headers, public_only: false, deadline, within: WITHIN };
                    out.push(Effect::Fetch(ConnId::outside(n), Box::new(fetch)));
                }
                Err(why) => self.over(n, Err(why), self.begun, out),
            }
        }
    }

    fn over(&mut self, n: usize, outcome: Result<(), String>, now: Instant, out: &mut Effects) {
        let target = &mut self.targets[n];
        if std::mem::replace(&mut target.over, true) {
            return;
        }
        let took = now.saturating_duration_since(self.begun).as_secs_f64();
        let printed = match outcome {
            Ok(()) => {
                let head = std::mem::take(&mut target.head);
                let name = &target.name;
                write!(self.results, "{name}: {took:.3} s\n{}\n", String::from_utf8_lossy(&head))
            }
            Err(why) => {
                self.failed += 1;
                writeln!(self.progress, "{}: failed after {took:.3} s: {why}", target.name)
            }
        };
        self.left -= 1;
        // Nobody reads any more (a closed pipe): there is nothing left to do.
        if self.left == 0 || printed.is_err() {
            out.push(Effect::Quit);
        }
    }

    fn say(&mut self, what: impl FnOnce(&mut E) -> io::Result<()>) {
        // Progress is a courtesy: a closed standard error must not end the fetches.
        let _ = what(&mut self.progress);
    }
}

impl<O: Write, E: Write> App for FetchList<O, E> {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, now: Instant, out: &mut Effects) {
        let Event::Fetched(fetched) = event else { return };
        let n = from.slot();
        match fetched {
            Fetched::Head(head) => {
                let text = &mut self.targets[n].head;
                let _ = writeln!(text, "HTTP/1.{} {} {}", head.minor_version, head.status, head.reason);
                for field in head.headers {
                    let _ = write!(text, "{}: ", field.name);
                    text.extend_from_slice(field.value);
                    text.push(b'\n');
                }
            }
            Fetched::Body(_) => {}
            Fetched::Done => self.over(n, Ok(()), now, out),
            Fetched::Failed(e) => self.over(n, Err(e.to_string()), now, out),
        }
    }
}

/// A URL as it is, a host as the root of its site.
fn url_of(target: &str) -> Result<Url, String> {
    let url = if target.contains("://") { Url::parse(target) } else { Url::parse(&format!("http://{target}/")) };
    match url {
        Ok(url) if url.scheme == Scheme::Https => Err("https is not built in yet".into()),
        Ok(url) => Ok(url),
        Err(e) => Err(e.to_string()),
    }
}
