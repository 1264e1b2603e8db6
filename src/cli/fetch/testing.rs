//! The test bench of the list: a list and its clock, its outputs in memory, and a directory.

use super::notes::Notes;
use super::plan::Plan;
use super::report::{Report, Style};
use super::{FetchList, slots_for};
use crate::clock::{Now, UnixMillis};
use crate::config::{Cli, Command, FetchArgs};
use crate::event::{App, Effect, Effects, Fetch, Fetched, Journey, ResponseHead, Url};
use crate::http::exchange::{Exchange, ExchangeEvent};
use crate::id::ConnId;
use clap::Parser;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nX-Odd:  \xff \r\n\r\n";

/// The parsed arguments of `squall fetch`.
pub fn args(line: &[&str]) -> FetchArgs {
    match Cli::parse_from(["squall", "fetch"].iter().chain(line)).command {
        Some(Command::Fetch(args)) => *args,
        other => panic!("{other:?}"),
    }
}

/// A journey to an address that is not public.
pub fn journey() -> Journey {
    Journey {
        address: ([192, 0, 2, 1], 80).into(),
        dns: Some(Duration::from_micros(1250)),
        connect: Some(Duration::from_millis(10)),
        tls: None,
        first_byte: Duration::from_millis(5),
    }
}

/// Parses a head and passes it on.
pub fn with_head<T>(head: &[u8], take: impl FnOnce(&ResponseHead) -> T) -> T {
    match Exchange::new(false, false).receive(head, false, &crate::http::Limits::default()) {
        Ok((_, Some(ExchangeEvent::Head(head)))) => take(&head),
        other => panic!("the test writes a head: {other:?}"),
    }
}

/// A turn at this time; no list reads the wall clock.
pub fn at(instant: Instant) -> Now {
    Now { instant, wall: UnixMillis::default() }
}

/// A list, its plan and the time.
pub struct Bench {
    pub list: FetchList<Vec<u8>, Vec<u8>>,
    pub plan: Plan,
    pub now: Instant,
}

impl Bench {
    /// The list of these arguments, and its effects at the start.
    pub fn start(line: &[&str]) -> (Bench, Vec<Effect>) {
        Bench::start_with(line, Notes::Lines)
    }

    pub fn start_with(line: &[&str], notes: Notes) -> (Bench, Vec<Effect>) {
        let (args, now) = (args(line), Instant::now());
        let plan = Plan::new(&args, args.data.clone().unwrap_or_default().into_bytes());
        let style = if args.json { Style::Json } else { Style::Text };
        let report = Report::new(style, notes, Vec::new(), Vec::new());
        let concurrency = if args.sequential { 1 } else { args.concurrency };
        let slots = slots_for(concurrency.min(args.targets.len()), u64::MAX);
        let list = FetchList::new(args.targets, slots, plan.clone(), report, now);
        let mut bench = Bench { list, plan, now };
        let mut out = Effects::default();
        bench.list.start(now, &mut out);
        (bench, out.list)
    }

    pub fn tell(&mut self, slot: usize, fetched: Fetched) -> Vec<Effect> {
        let mut out = Effects::default();
        self.list.fetched(ConnId::outside(slot), fetched, at(self.now), &mut out);
        out.list
    }

    pub fn head(&mut self, slot: usize, head: &[u8]) -> Vec<Effect> {
        with_head(head, |head| self.tell(slot, Fetched::Head(*head, journey())))
    }

    /// A redirect that leads to `url`, or is not followed.
    pub fn redirect(&mut self, slot: usize, url: Option<&str>) -> Vec<Effect> {
        let url = url.map(|url| Url::parse(url).expect("a URL"));
        let head = b"HTTP/1.1 302 Elsewhere\r\nLocation: x\r\n\r\n";
        with_head(head, |head| self.tell(slot, Fetched::Redirect(*head, journey(), url.as_ref())))
    }

    pub fn body(&mut self, slot: usize, piece: &[u8]) -> Vec<Effect> {
        self.tell(slot, Fetched::Body(piece))
    }

    pub fn done(&mut self, slot: usize) -> Vec<Effect> {
        self.tell(slot, Fetched::Done)
    }

    /// A whole response without a body.
    pub fn respond(&mut self, slot: usize) -> Vec<Effect> {
        assert_eq!(self.head(slot, OK), []);
        self.done(slot)
    }

    pub fn later(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// The end of a turn.
    pub fn flush(&mut self) -> Vec<Effect> {
        let mut out = Effects::default();
        self.list.flush(self.now, &mut out);
        out.list
    }

    /// Standard output since the last call.
    pub fn results(&mut self) -> String {
        self.flush();
        String::from_utf8_lossy(&std::mem::take(self.list.report.results())).into_owned()
    }

    /// Standard error since the last call.
    pub fn notes(&mut self) -> String {
        self.flush();
        String::from_utf8(std::mem::take(self.list.report.notes())).expect("text")
    }

    /// A plain request for this URL that starts now.
    pub fn fetch(&self, url: &str) -> Fetch {
        self.plan.fetch(Url::parse(url).expect("a URL"), self.now)
    }

    /// The effect that starts it.
    pub fn fetches(&self, slot: usize, url: &str) -> Effect {
        fetches(slot, self.fetch(url))
    }
}

pub fn fetches(slot: usize, fetch: Fetch) -> Effect {
    Effect::Fetch(ConnId::outside(slot), Box::new(fetch))
}

/// A temporary directory of a test.
pub struct Dir(TempDir);

impl Dir {
    pub fn new() -> Dir {
        Dir(TempDir::with_prefix("squall-fetch-").expect("a temporary directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path as an argument.
    pub fn arg(&self) -> &str {
        self.path().to_str().expect("the path is text")
    }

    /// Names in it, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("it is there");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).expect("a file")
    }
}
