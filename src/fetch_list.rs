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
/// Threads that look up names: they wait for other machines, not for this one.
const NAME_THREADS_MAX: usize = 64;

/// Fetches all targets; success if each gave an HTTP answer, whatever its status.
///
/// # Errors
/// The loop cannot be made or fails.
pub fn run(targets: &[String]) -> Result<ExitCode, String> {
    let list = FetchList::new(targets, Instant::now(), io::stdout(), io::stderr());
    // The list is as long as its caller wants, all of it at once, and no body is kept: only heads are.
    let limits = Limits {
        fetches_max: usize::MAX,
        upstream_body_bytes_max: u64::MAX,
        name_threads: targets.len().min(NAME_THREADS_MAX),
        names_waiting_max: usize::MAX,
        ..Limits::default()
    };
    let mut running = Loop::new(&[], list, limits)?;
    running.server().start(|list, out| list.start(out));
    running.run().map_err(|e| format!("the kernel's poll failed: {e}"))?;
    Ok(running.server().app().exit_code())
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

    fn exit_code(&self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FetchError;
    use crate::proto::exchange::{Exchange, ExchangeEvent};
    use crate::proto::http::{SLOTS, Slot};

    /// A list at a moment, with its output in memory.
    struct Bench {
        list: FetchList<Vec<u8>, Vec<u8>>,
        now: Instant,
    }

    impl Bench {
        fn new(targets: &[&str]) -> (Bench, Vec<Effect>) {
            let (targets, now) = (targets.iter().map(|&target| target.to_owned()).collect::<Vec<_>>(), Instant::now());
            let mut list = FetchList::new(&targets, now, Vec::new(), Vec::new());
            let mut out = Effects::default();
            list.start(&mut out);
            (Bench { list, now }, out.list)
        }

        fn tell(&mut self, n: usize, fetched: Fetched) -> Vec<Effect> {
            let mut out = Effects::default();
            self.list.on_event(ConnId::outside(n), Event::Fetched(fetched), self.now, &mut out);
            out.list
        }

        fn head(&mut self, n: usize, head: &[u8]) -> Vec<Effect> {
            let mut slots = [const { Slot::uninit() }; SLOTS];
            match Exchange::new(false).receive(head, false, &mut slots, &Limits::default()) {
                Ok((_, Some(ExchangeEvent::Head(head)))) => self.tell(n, Fetched::Head(&head)),
                other => panic!("the test writes a head: {other:?}"),
            }
        }

        fn later(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }

        fn results(&self) -> String {
            String::from_utf8_lossy(&self.list.results).into_owned()
        }

        fn progress(&self) -> &str {
            std::str::from_utf8(&self.list.progress).expect("text")
        }
    }

    fn fetch(bench: &Bench, n: usize, url: &str) -> Effect {
        let headers = vec![("Accept", "*/*".to_owned())];
        let deadline = bench.now + WITHIN;
        let url = Url::parse(url).expect("a URL");
        let fetch = Fetch { url, head: false, headers, public_only: false, deadline, within: WITHIN };
        Effect::Fetch(ConnId::outside(n), Box::new(fetch))
    }

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nX-Odd:  \xff \r\n\r\n";

    #[test]
    fn all_targets_start_at_once_and_are_named_as_given() {
        let (bench, effects) = Bench::new(&["a.test", "http://b.test:8080/x?y", "[::1]:8888"]);
        let urls = ["http://a.test/", "http://b.test:8080/x?y", "http://[::1]:8888/"];
        let expected: Vec<Effect> = urls.iter().enumerate().map(|(n, url)| fetch(&bench, n, url)).collect();
        assert_eq!(effects, expected);
        let lines = "Start fetching a.test\nStart fetching http://b.test:8080/x?y\nStart fetching [::1]:8888\n";
        assert_eq!((bench.progress(), bench.results().as_str()), (lines, ""));
    }

    #[test]
    fn answers_are_printed_in_the_order_in_which_they_complete() {
        let (mut bench, _) = Bench::new(&["a.test", "b.test"]);
        assert_eq!(bench.head(0, OK), []);
        bench.later(250);
        bench.head(1, b"HTTP/1.0 404 Not Found\r\nLocation: /x\r\n\r\n");
        assert_eq!(bench.tell(0, Fetched::Body(b"not printed")), []);
        assert_eq!(bench.results(), "", "a head is not an answer");
        assert_eq!(bench.tell(1, Fetched::Done), []);
        bench.later(1000);
        assert_eq!(bench.tell(0, Fetched::Done), [Effect::Quit]);
        let expected = "b.test: 0.250 s\nHTTP/1.0 404 Not Found\nLocation: /x\n\n\
                        a.test: 1.250 s\nHTTP/1.1 200 OK\nServer: x\nX-Odd: \u{fffd}\n\n";
        assert_eq!(bench.results(), expected);
        assert_eq!(bench.list.exit_code(), ExitCode::SUCCESS, "any answer will do");
    }

    #[test]
    fn a_failure_is_told_on_progress_with_its_reason_and_counts() {
        let (mut bench, _) = Bench::new(&["a.test", "b.test"]);
        bench.head(0, OK);
        bench.later(500);
        assert_eq!(bench.tell(0, Fetched::Failed(FetchError::Broken { why: "reset".into() })), []);
        bench.head(1, OK);
        assert_eq!(bench.tell(1, Fetched::Done), [Effect::Quit]);
        let failed = "a.test: failed after 0.500 s: the connection broke before the answer was whole: reset\n";
        assert!(bench.progress().ends_with(failed), "{}", bench.progress());
        assert!(!bench.results().contains("a.test") && bench.results().starts_with("b.test: 0.500 s\n"));
        assert_eq!(bench.list.exit_code(), ExitCode::FAILURE);
    }

    #[test]
    fn a_target_ends_once() {
        let (mut bench, _) = Bench::new(&["a.test", "b.test"]);
        assert_eq!(bench.tell(0, Fetched::Failed(FetchError::Busy)), []);
        assert_eq!(bench.tell(0, Fetched::Failed(FetchError::Busy)), []);
        assert_eq!(bench.tell(0, Fetched::Done), []);
        assert_eq!((bench.list.left, bench.list.failed), (1, 1));
    }

    #[test]
    fn what_is_no_http_url_fails_without_a_fetch() {
        for (target, why) in [
            ("https://a.test/", "https is not built in yet"),
            ("ftp://a.test/", "ftp"),
            ("", "host"),
            ("a b", "host"),
            ("a.test:99999", "port"),
        ] {
            let (bench, effects) = Bench::new(&[target]);
            assert_eq!(effects, [Effect::Quit], "{target}: there is nothing to wait for");
            assert!(
                bench.progress().starts_with(&format!("Start fetching {target}\n{target}: failed after 0.000 s: "))
            );
            assert!(bench.progress().contains(why), "{}", bench.progress());
            assert_eq!((bench.list.failed, bench.results().as_str()), (1, ""));
        }
        let (bench, effects) = Bench::new(&["https://a.test/", "b.test"]);
        assert_eq!(effects, [fetch(&bench, 1, "http://b.test/")], "the others go on");
    }

    /// A pipe whose reader is gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn closed_results_end_the_fetches_and_closed_progress_does_not() {
        let targets = ["a.test".to_owned(), "b.test".to_owned()];
        let (now, mut out) = (Instant::now(), Effects::default());
        let mut list = FetchList::new(&targets, now, Vec::new(), Closed);
        list.start(&mut out);
        assert_eq!(out.list.len(), 2);
        let mut list = FetchList::new(&targets, now, Closed, Vec::new());
        let (done, mut out) = (Event::Fetched(Fetched::Done), Effects::default());
        list.on_event(ConnId::outside(0), done, now, &mut out);
        assert_eq!(out.list, [Effect::Quit]);
    }
}
