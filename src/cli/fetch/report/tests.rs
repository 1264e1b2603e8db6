use super::super::testing::{self, Bench};
use super::*;
use crate::event::{Effect, FetchError, Fetched, Url};

const SHARED: Notes = Notes::Redrawn { under_results: true, columns: 80 };
const APART: Notes = Notes::Redrawn { under_results: false, columns: 80 };

impl<E: Write> Report<Vec<u8>, E> {
    /// The bytes of standard output.
    pub fn results(&mut self) -> &mut Vec<u8> {
        self.results.get_mut()
    }
}

impl<O: Write> Report<O, Vec<u8>> {
    /// The bytes of standard error.
    pub fn notes(&mut self) -> &mut Vec<u8> {
        self.errors.get_mut()
    }
}

fn head() -> FinalHead {
    let headers = vec![("X".into(), b"y".to_vec())];
    FinalHead { status: 200, minor_version: 1, reason: "OK".into(), headers, journey: testing::journey() }
}

fn failed(bench: &mut Bench, slot: usize) -> Vec<Effect> {
    bench.tell(slot, Fetched::Failed(FetchError::Busy))
}

#[test]
fn progress_is_redrawn_ten_times_a_second() {
    let (mut bench, _) = Bench::start_with(&["--concurrency", "2", "a.test", "b.test", "c.test"], APART);
    bench.later(99);
    assert_eq!(bench.notes(), "", "a list that ends by now needs no line");
    bench.later(1);
    assert_eq!(bench.notes(), "0 of 3 done, 0 failed, 2 under way, 0.1 s");
    assert_eq!(bench.notes(), "", "nothing new within the turn");
    bench.later(99);
    bench.respond(0);
    assert_eq!(bench.notes(), "", "too soon");
    bench.later(1);
    assert_eq!(bench.notes(), "\r\x1b[K1 of 3 done, 0 failed, 2 under way, 0.2 s");
    failed(&mut bench, 0);
    let line = "\r\x1b[Kc.test: failed after 0.001 s: too many fetches are under way, try again in a moment\n";
    assert_eq!(bench.notes(), format!("{line}2 of 3 done, 1 failed, 1 under way, 0.2 s"));
    bench.respond(1);
    let now = bench.now;
    bench.list.close(now).expect("it can be written");
    let last = "\r\x1b[K3 targets in 0.200 s; their times add up to 0.400 s: doing them at once saved up to 0.200 s\n";
    assert_eq!(std::mem::take(bench.list.report.notes()), last.as_bytes());
}

#[test]
fn the_progress_line_never_wraps() {
    for (columns, line) in [
        (1, ""),
        (20, "0 of 1 done, 0 fail"),
        (41, "0 of 1 done, 0 failed, 1 under way, 0.1 "),
        (42, "0 of 1 done, 0 failed, 1 under way, 0.1 s"),
    ] {
        let (mut bench, _) = Bench::start_with(&["a.test"], Notes::Redrawn { under_results: true, columns });
        bench.later(100);
        assert_eq!(bench.notes(), line, "{columns} columns");
    }
}

#[test]
fn a_shared_terminal_gets_whole_lines_only() {
    let (mut bench, _) = Bench::start_with(&["a.test", "b.test"], Notes::Sparse);
    bench.later(1000);
    bench.respond(0);
    assert_eq!(bench.notes(), "");
    failed(&mut bench, 1);
    let notes = bench.notes();
    assert!(notes.starts_with("b.test: failed after 1.000 s: ") && notes.ends_with("moment\n"), "{notes:?}");
    let now = bench.now;
    bench.list.close(now).expect("it can be written");
    let last = "2 targets in 1.000 s; their times add up to 2.000 s: doing them at once saved up to 1.000 s\n";
    assert_eq!(bench.notes(), last);
}

#[test]
fn results_go_above_the_progress_line() {
    for (notes, erased) in [(SHARED, true), (APART, false)] {
        let (mut bench, _) = Bench::start_with(&["a.test", "b.test"], notes);
        bench.later(100);
        bench.notes();
        bench.respond(0);
        // Written before the turn ends, as results may be.
        let said = std::mem::take(bench.list.report.notes());
        assert_eq!(said == ERASE_LINE, erased, "{said:?}");
        let redrawn = if erased { "1 of 2 done, 0 failed, 1 under way, 0.1 s" } else { "" };
        assert_eq!(bench.notes(), redrawn);
        assert!(bench.results().starts_with("a.test: "));
    }
}

#[test]
fn no_note_follows_or_erases_the_end_of_a_body() {
    for (notes, ended) in [(SHARED, "hello\n"), (APART, "hello"), (Notes::Lines, "hello")] {
        let (mut bench, _) = Bench::start_with(&["--body", "a.test", "b.test"], notes);
        bench.head(0, testing::OK);
        bench.body(0, b"hello");
        bench.done(0);
        let results = bench.results();
        assert!(results.ends_with(&format!("\n\n{ended}")), "{results:?}");
        bench.respond(1);
        assert!(bench.results().trim_start_matches('\n').starts_with("b.test: "));
    }
}

#[test]
fn phases_after_redirects_are_of_the_last_request() {
    let outcome = |redirects| Outcome {
        redirects,
        head: Some(head()),
        url: Url::parse("http://a.test/y").ok(),
        ..Outcome::default()
    };
    for (redirects, line) in [
        (0, ""),
        (1, "  at http://a.test/y after 1 redirect; the phases are its own, the total is of all\n"),
        (2, "  at http://a.test/y after 2 redirects; the phases are its own, the total is of all\n"),
    ] {
        let mut report = Report::new(Style::Text, Notes::Lines, Vec::new(), Vec::new());
        report.ended("a.test", outcome(redirects)).expect("it can be written");
        let text = String::from_utf8(report.results.buffer().to_vec()).expect("text");
        assert!(text.ends_with(&format!(" ms, total 0.0 ms\n{line}HTTP/1.1 200 OK\nX: y\n\n")), "{text}");
    }
}

#[test]
fn starts_are_listed_for_short_lists_off_terminals() {
    let list = |n: usize| vec!["a.test"; n];
    let (mut bench, _) = Bench::start(&list(STARTS_MAX));
    assert_eq!(bench.notes().matches("Start fetching a.test\n").count(), STARTS_MAX);
    let (mut bench, _) = Bench::start(&list(STARTS_MAX + 1));
    assert_eq!(bench.notes(), "");
    let (mut bench, _) = Bench::start_with(&["a.test"], SHARED);
    assert!(!bench.notes().contains("Start"));
}

#[test]
fn a_turn_with_many_responses_is_one_write() {
    /// Counts the writes.
    struct Counted(usize);
    impl Write for Counted {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut report = Report::new(Style::Text, Notes::Lines, Counted(0), Counted(0));
    let (tally, now) = (Tally::default(), Instant::now());
    for n in 0..100 {
        report.started("a.test", &tally);
        let error = (n % 2 == 0).then(|| "it is away".to_owned());
        let outcome = Outcome { error, head: Some(head()), ..Outcome::default() };
        report.ended("a.test", outcome).expect("it counts");
    }
    report.flush(&tally, now, now).expect("it counts");
    assert_eq!((report.results.get_ref().0, report.errors.get_ref().0), (1, 1));
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    assert_eq!(visible("a\u{9b}31m\tü\u{85}".as_bytes()), "a\u{fffd}31m\tü\u{fffd}");
    assert_eq!(visible(b"a\xff"), "a\u{fffd}");
}
