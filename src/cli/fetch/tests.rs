use super::testing::{Bench, OK};
use super::*;
use crate::event::{FetchError, Fetched};

/// The targets that these effects fetch, each with its slot.
fn started(effects: &[Effect]) -> Vec<(usize, String)> {
    let start = |effect: &Effect| match effect {
        Effect::Fetch(owner, fetch) => (owner.slot(), fetch.url.host.clone()),
        other => panic!("{other:?}"),
    };
    effects.iter().map(start).collect()
}

#[test]
fn all_targets_start_at_once_and_are_named_as_given() {
    let (mut bench, effects) = Bench::start(&["a.test", "http://b.test:8080/x?y", "[::1]:8888", "https://c.test"]);
    let urls = ["http://a.test/", "http://b.test:8080/x?y", "http://[::1]:8888/", "https://c.test/"];
    let expected: Vec<Effect> = urls.iter().enumerate().map(|(n, url)| bench.fetches(n, url)).collect();
    assert_eq!(effects, expected);
    let lines = "Start fetching a.test\nStart fetching http://b.test:8080/x?y\nStart fetching [::1]:8888\n\
                 Start fetching https://c.test\n";
    assert_eq!((bench.notes().as_str(), bench.results().as_str()), (lines, ""));
}

#[test]
fn responses_are_printed_in_the_order_they_complete() {
    let (mut bench, _) = Bench::start(&["a.test", "b.test"]);
    assert_eq!(bench.head(0, OK), []);
    bench.later(250);
    bench.head(1, b"HTTP/1.0 404 Not Found\r\nX-Y: z\r\n\r\n");
    assert_eq!(bench.body(0, b"not printed"), []);
    assert_eq!(bench.results(), "", "a head is not a response");
    assert_eq!(bench.done(1), []);
    bench.later(1000);
    assert_eq!(bench.done(0), [Effect::Quit]);
    let phases = "  dns 1.2 ms, connect 10.0 ms, first byte 5.0 ms, total";
    let expected = format!(
        "b.test: 0.250 s\n{phases} 250.0 ms\nHTTP/1.0 404 Not Found\nX-Y: z\n\n\
         a.test: 1.250 s\n{phases} 1250.0 ms\nHTTP/1.1 200 OK\nServer: x\nX-Odd: \u{fffd}\n\n"
    );
    assert_eq!(bench.results(), expected);
    assert_eq!(bench.list.close(bench.now), Ok(ExitCode::SUCCESS), "any response will do");
}

#[test]
fn a_failure_is_reported_on_stderr_and_counts() {
    let (mut bench, _) = Bench::start(&["a.test", "b.test"]);
    bench.head(0, OK);
    bench.later(500);
    bench.notes();
    assert_eq!(bench.tell(0, Fetched::Failed(FetchError::Broken { why: "reset".into() })), []);
    let failed = "a.test: failed after 0.500 s: the connection broke before the response was whole: reset\n";
    assert_eq!((bench.notes().as_str(), bench.results().as_str()), (failed, ""));
    assert_eq!(bench.respond(1), [Effect::Quit]);
    assert!(bench.results().starts_with("b.test: 0.500 s\n"));
    assert_eq!(bench.list.close(bench.now), Ok(ExitCode::FAILURE));
}

#[test]
fn concurrency_is_bounded_and_deadlines_begin_at_starts() {
    let targets = ["a.test", "b.test", "c.test", "d.test"];
    let (mut bench, effects) = Bench::start(&[&["--concurrency", "2", "--max-time", "2"], &targets[..]].concat());
    assert_eq!(started(&effects), [(0, "a.test".into()), (1, "b.test".into())]);
    bench.later(1000);
    let next = bench.respond(1);
    assert_eq!(next, [bench.fetches(1, "http://c.test/")], "its deadline is two seconds from now");
    bench.later(500);
    assert_eq!(bench.respond(1), [bench.fetches(1, "http://d.test/")]);
    assert_eq!(bench.respond(0), [], "no target is left");
    let results = bench.results();
    for line in ["b.test: 1.000 s\n", "c.test: 0.500 s\n", "a.test: 1.500 s\n"] {
        assert!(results.contains(line), "{results}");
    }
    assert_eq!(bench.respond(1), [Effect::Quit]);
}

#[test]
fn any_order_of_ends_fetches_each_target_once() {
    for order in 0..24 {
        let line = ["--concurrency", "3", "a", "b", "c", "d", "e", "f", "g"];
        let (mut bench, effects) = Bench::start(&line);
        let (mut busy, mut seen) = (vec![0, 1, 2], started(&effects));
        let mut order = order;
        while !busy.is_empty() {
            let slot = busy.remove(order % busy.len());
            order = order / 2 + 1;
            let failed = order % 3 == 0;
            let effects = match failed {
                true => bench.tell(slot, Fetched::Failed(FetchError::Busy)),
                false => bench.respond(slot),
            };
            match effects.as_slice() {
                [Effect::Quit] => assert!(busy.is_empty()),
                [] => assert!(!busy.is_empty()),
                _ => {
                    assert_eq!(started(&effects)[0].0, slot);
                    busy.push(slot);
                    seen.extend(started(&effects));
                }
            }
            assert!(busy.len() <= 3);
        }
        let names: String = seen.into_iter().map(|(_, name)| name).collect();
        assert_eq!((names.as_str(), bench.list.tally.done), ("abcdefg", 7));
    }
}

#[test]
fn a_target_ends_once() {
    let (mut bench, _) = Bench::start(&["a.test", "b.test"]);
    assert_eq!(bench.tell(0, Fetched::Failed(FetchError::Busy)), []);
    assert_eq!(bench.tell(0, Fetched::Failed(FetchError::Busy)), []);
    assert_eq!(bench.body(0, b"late"), []);
    assert_eq!(bench.done(0), []);
    assert_eq!((bench.list.tally.done, bench.list.tally.failed), (1, 1));
    assert_eq!(bench.tell(7, Fetched::Done), [], "there is no such slot");
}

#[test]
fn a_malformed_target_fails_and_the_others_go_on() {
    for (target, why) in [("ftp://a.test/", "ftp"), ("", "host"), ("a b", "host"), ("a.test:99999", "port")] {
        let (mut bench, effects) = Bench::start(&[target]);
        assert_eq!(effects, [Effect::Quit], "{target}: there is nothing to wait for");
        let notes = bench.notes();
        assert!(notes.starts_with(&format!("Start fetching {target}\n{target}: failed after 0.000 s: ")), "{notes}");
        assert!(notes.contains(why), "{notes}");
        assert_eq!((bench.list.tally.failed, bench.results().as_str()), (1, ""));
    }
    let (bench, effects) = Bench::start(&["--sequential", "x://", "y://", "b.test"]);
    assert_eq!(effects, [bench.fetches(0, "http://b.test/")]);
}

#[test]
fn a_list_without_targets_is_over_at_once() {
    let plan = Plan::new(&testing::args(&["-"]), Vec::new());
    let report = Report::new(Style::Text, Notes::Lines, Vec::new(), Vec::new());
    let (now, mut out) = (Instant::now(), Effects::default());
    let mut list = FetchList::new(Vec::new(), slots_for(0, 1024), plan, report, now);
    list.start(now, &mut out);
    assert_eq!(out.list, [Effect::Quit]);
    assert_eq!(list.close(now), Ok(ExitCode::SUCCESS));
    assert_eq!(String::from_utf8_lossy(list.report.notes()), "the list is empty\n");
}

#[test]
fn the_last_line_tells_the_time_saved() {
    let close = |line: &[&str]| {
        let (mut bench, _) = Bench::start(line);
        bench.later(1000);
        bench.respond(0);
        if !line.contains(&"--sequential") {
            bench.later(250);
            bench.respond(1);
        }
        bench.notes();
        let now = bench.now;
        let ended = bench.list.close(now);
        (bench.notes(), ended)
    };
    let saved = "2 targets in 1.250 s; their times add up to 2.250 s: doing them at once saved up to 1.000 s\n";
    assert_eq!(close(&["a.test", "b.test"]), (saved.into(), Ok(ExitCode::SUCCESS)));
    let (sequential, code) = close(&["--sequential", "a.test", "b.test"]);
    assert_eq!(sequential, "2 targets one after the other in 1.000 s\n");
    assert_eq!(code, Ok(ExitCode::FAILURE), "one has no response");
    assert_eq!(close(&["--sequential", "a.test"]).0, "", "one alone has nothing to compare with");
}

#[test]
fn slots_are_bounded_by_descriptors() {
    assert_eq!(slots_for(100, 1024), 100);
    assert_eq!(slots_for(10_000, 1024), (1024 - 32) / 3);
    assert_eq!(slots_for(10_000, u64::MAX), 10_000);
    assert_eq!((slots_for(100, 10), slots_for(0, 1024)), (1, 1), "never none");
}

#[test]
fn bodies_have_a_limit_only_where_they_are_kept() {
    let limit = |line: &[&str]| {
        let limits = limits(&testing::args(line), 7);
        assert_eq!((limits.fetches_max, limits.fetches_waiting_max), (7, 7));
        assert_eq!(limits.http.response_body_bytes_max, limits.http.inflated_bytes_max);
        limits.http.response_body_bytes_max
    };
    assert_eq!(limit(&["--body-max", "5", "a.test"]), u64::MAX);
    assert_eq!(limit(&["--body", "a.test"]), 64 << 20);
    assert_eq!(limit(&["--output", "x", "--body-max", "5", "a.test"]), 5);
}

/// A closed pipe, or a full disk.
struct Closed(ErrorKind);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn list_to<O: Write, E: Write>(results: O, errors: E) -> (FetchList<O, E>, Instant) {
    let (plan, now) = (Plan::new(&testing::args(&["x"]), Vec::new()), Instant::now());
    let report = Report::new(Style::Text, Notes::Lines, results, errors);
    let targets = ["a.test", "b.test"].map(str::to_owned).into();
    (FetchList::new(targets, 2, plan, report, now), now)
}

/// The list after the response of its first target and the end of the turn.
fn after_one_answer<O: Write, E: Write>(results: O, errors: E) -> (FetchList<O, E>, Vec<Effect>, Instant) {
    let ((mut list, now), mut out) = (list_to(results, errors), Effects::default());
    list.start(now, &mut out);
    out.list.clear();
    testing::with_head(OK, |head| {
        let head = Fetched::Head(*head, testing::journey());
        list.fetched(ConnId::outside(0), head, testing::at(now), &mut out);
    });
    list.fetched(ConnId::outside(0), Fetched::Done, testing::at(now), &mut out);
    list.flush(now, &mut out);
    (list, out.list, now)
}

#[test]
fn closed_results_end_the_fetches_closed_notes_do_not() {
    let (mut list, effects, now) = after_one_answer(Closed(ErrorKind::BrokenPipe), Vec::new());
    assert_eq!(effects, [Effect::Quit]);
    assert_eq!(list.close(now), Ok(ExitCode::FAILURE), "a closed pipe is no error");
    let (mut list, effects, now) = after_one_answer(Closed(ErrorKind::StorageFull), Vec::new());
    assert_eq!(effects, [Effect::Quit]);
    assert!(list.close(now).is_err_and(|why| why.starts_with("standard output: ")));
    let (_, effects, _) = after_one_answer(Vec::new(), Closed(ErrorKind::BrokenPipe));
    assert_eq!(effects, []);
}

#[test]
fn a_target_is_a_url_or_a_host_in_any_spelling() {
    for (target, url) in [
        ("a.test", "http://a.test/"),
        ("a.test:8080/b?c", "http://a.test:8080/b?c"),
        ("localhost:8888", "http://localhost:8888/"),
        ("127.1:8888/x", "http://127.0.0.1:8888/x"),
        ("[::1]:8888/x", "http://[::1]:8888/x"),
        ("a.test/?from=http://b.test/", "http://a.test/?from=http://b.test/"),
        ("//a.test/x", "http://a.test/x"),
        ("bücher.test/ß", "http://xn--bcher-kva.test/%C3%9F"),
        ("https://例子.test", "https://xn--fsqu00a.test/"),
        ("HTTPS:/a.test#b", "https://a.test/#b"),
        ("http:\\\\a.test\\b", "http://a.test/b"),
    ] {
        assert_eq!(url_of(target).map(|url| url.to_string()).as_deref(), Ok(url), "{target}");
    }
    for (target, why) in [
        ("ftp://a.test/", UrlError::UnknownScheme("ftp".into())),
        ("me@a.test", UrlError::UserInfo),
        ("mailto:me@a.test", UrlError::UserInfo),
        ("a.test:0", UrlError::BadPort),
        ("", UrlError::NoHost),
    ] {
        assert_eq!(url_of(target), Err(why), "{target}");
    }
}
