use super::super::testing::{Bench, Dir, OK};
use super::*;
use crate::event::{Effect, FetchError, Leads};
use std::process::ExitCode;

fn broken() -> Fetched<'static> {
    Fetched::Failed(FetchError::Broken { why: "reset".into() })
}

#[test]
fn redirects_are_counted_and_the_last_url_is_told() {
    let (mut bench, _) = Bench::start(&["a.test/x"]);
    assert_eq!(bench.redirect(0, Some("http://a.test/y?z#f")), []);
    bench.later(200);
    assert_eq!(bench.respond(0), [Effect::Quit]);
    let expected = "a.test/x: 0.200 s\n  dns 1.2 ms, connect 10.0 ms, first byte 5.0 ms, total 200.0 ms\n  \
                    at http://a.test/y?z#f after 1 redirect; the phases are its own, the total is of all\nHTTP/1.1 200 OK\n";
    assert!(bench.results().starts_with(expected));
}

#[test]
fn a_failure_behind_a_redirect_names_its_url() {
    let (mut bench, _) = Bench::start(&["a.test"]);
    bench.redirect(0, Some("http://a.test/y"));
    assert_eq!(bench.tell(0, broken()), [Effect::Quit]);
    let notes = bench.notes();
    assert!(notes.ends_with("whole: reset at http://a.test/y after 1 redirect\n"), "{notes}");
}

#[test]
fn a_redirect_that_is_not_followed_is_reported_with_its_head() {
    let (mut bench, _) = Bench::start(&["--json", "--body", "a.test"]);
    bench.redirect(0, Some("http://a.test/y"));
    assert_eq!(bench.redirect(0, None), []);
    let many = FetchError::TooManyRedirects { max: 1 };
    assert_eq!(bench.tell(0, Fetched::Failed(many)), [Effect::Quit], "its body does not matter");
    let line: serde_json::Value = serde_json::from_str(&bench.results()).expect("an object");
    let facts =
        ["error", "status", "headers", "redirects", "url", "address", "body"].map(|name| line[name].to_string());
    let expected = [
        "\"it redirects more than 1 times\"",
        "302",
        "[[\"Location\",\"x\"]]",
        "1",
        "\"http://a.test/y\"",
        "\"192.0.2.1:80\"",
        "null",
    ];
    assert_eq!(facts, expected);
    assert_eq!(bench.list.close(bench.now), Ok(ExitCode::FAILURE));
}

#[test]
fn with_no_redirects_the_redirect_is_the_response() {
    let (mut bench, _) = Bench::start(&["--redirects", "0", "a.test"]);
    assert_eq!(bench.fetch("http://a.test/").redirects_max, 0);
    assert_eq!(bench.head(0, b"HTTP/1.1 302 Elsewhere\r\nLocation: http://b.test/\r\n\r\n"), []);
    assert_eq!(bench.done(0), [Effect::Quit]);
    let results = bench.results();
    assert!(results.ends_with("HTTP/1.1 302 Elsewhere\nLocation: http://b.test/\n\n"), "{results}");
    assert_eq!(bench.list.close(bench.now), Ok(ExitCode::SUCCESS));
}

#[test]
fn redirects_from_public_sites_stay_public_unless_allowed() {
    for (flags, leads) in [(&[][..], Leads::PublicFromPublic), (&["--allow-private"], Leads::Anywhere)] {
        let (bench, _) = Bench::start(&[flags, &["a.test"]].concat());
        let fetch = bench.fetch("http://a.test/");
        assert_eq!((fetch.leads, fetch.redirects_max, fetch.public_only), (leads, 5, false));
    }
}

#[test]
fn with_fail_a_status_of_400_or_more_is_a_failure() {
    let dir = Dir::new();
    for (status, fails) in [(399, false), (400, true), (404, true), (599, true)] {
        let (mut bench, _) = Bench::start(&["--fail", "--body", "--output", dir.arg(), "a.test"]);
        bench.head(0, format!("HTTP/1.1 {status} Well\r\n\r\n").as_bytes());
        bench.body(0, b"body");
        assert_eq!(bench.done(0), [Effect::Quit]);
        let (notes, results) = (bench.notes(), bench.results());
        assert_eq!(notes.contains(&format!("a.test: failed after 0.000 s: the response is {status} Well\n")), fails);
        assert_eq!(results.is_empty(), fails, "{results}");
        assert_eq!(bench.list.close(bench.now) == Ok(ExitCode::FAILURE), fails);
    }
    assert_eq!(dir.names(), ["001-a.test"], "of the one that did not fail");
}

#[test]
fn concurrent_bodies_are_printed_whole_behind_their_heads() {
    let (mut bench, _) = Bench::start(&["--body", "a.test", "b.test", "c.test"]);
    for piece in [&b"one\n"[..], b"two"] {
        for slot in 0..3 {
            if piece == b"one\n" {
                bench.head(slot, b"HTTP/1.1 200 OK\r\n\r\n");
            }
            assert_eq!(bench.body(slot, piece), []);
        }
    }
    bench.tell(1, broken());
    bench.done(2);
    bench.done(0);
    let results = bench.results();
    let answers: Vec<&str> = results.split("test: 0.000 s\n").skip(1).collect();
    assert!(answers[0].ends_with("HTTP/1.1 200 OK\n\none\ntwo\na."), "{results}");
    assert!(answers[1].ends_with("HTTP/1.1 200 OK\n\none\ntwo"), "the last byte is the body's: {results}");
    assert_eq!(answers.len(), 2, "half a body is not printed");
}

#[test]
fn files_get_their_names_when_bodies_are_whole() {
    let dir = Dir::new();
    let (mut bench, _) = Bench::start(&["--output", dir.arg(), "a.test/x.png", "b.test"]);
    for slot in 0..2 {
        assert_eq!(bench.head(slot, OK), []);
        assert_eq!(bench.body(slot, b"half"), []);
    }
    assert_eq!(dir.names(), ["001-a.test-x.png.part", "002-b.test.part"]);
    bench.body(0, b" and half");
    assert_eq!(bench.done(0), []);
    assert_eq!(bench.tell(1, broken()), [Effect::Quit]);
    assert_eq!(dir.names(), ["001-a.test-x.png"], "a broken one is gone");
    assert_eq!(dir.read("001-a.test-x.png"), b"half and half");
    let results = bench.results();
    assert!(results.contains(&format!("\n  13 bytes in {}/001-a.test-x.png\nHTTP/1.1", dir.arg())), "{results}");
    assert!(!results.contains("half"), "{results}");
}

#[test]
fn a_redirected_body_is_in_the_file_of_the_given_target() {
    let dir = Dir::new();
    let (mut bench, _) = Bench::start(&["--output", dir.arg(), "a.test/x"]);
    bench.redirect(0, Some("http://b.test/y"));
    assert_eq!(dir.names(), [""; 0], "a redirect has no file");
    bench.head(0, OK);
    bench.body(0, b"there");
    bench.done(0);
    assert_eq!((dir.names(), dir.read("001-a.test-x")), (vec!["001-a.test-x".to_owned()], b"there".to_vec()));
}

#[test]
fn an_unwritable_file_ends_its_target_only() {
    let dir = Dir::new();
    let gone = dir.path().join("gone");
    let line = ["--sequential", "--output", gone.to_str().expect("text"), "a.test", "b.test"];
    let (mut bench, _) = Bench::start(&line);
    assert_eq!(bench.head(0, OK), [bench.fetches(0, "http://b.test/")], "this drops the first fetch");
    let notes = bench.notes();
    assert!(notes.contains("gone/001-a.test.part cannot be written: No such file"), "{notes}");
    std::fs::create_dir(&gone).expect("a directory");
    bench.head(0, OK);
    std::fs::create_dir(gone.join("002-b.test")).expect("its name is taken");
    assert_eq!(bench.done(0), [Effect::Quit]);
    let notes = bench.notes();
    assert!(notes.contains("gone/002-b.test cannot be written: "), "{notes}");
    assert_eq!(bench.list.tally.failed, 2);
}

#[test]
fn an_aborted_list_leaves_no_partial_file() {
    let dir = Dir::new();
    let (mut bench, _) = Bench::start(&["--output", dir.arg(), "a.test"]);
    bench.head(0, OK);
    assert_eq!(dir.names(), ["001-a.test.part"]);
    drop(bench);
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn json_reports_responses_and_failures() {
    let (mut bench, _) = Bench::start(&["--json", "--body", "a.test", "b.test", "ftp://c.test"]);
    bench.redirect(0, Some("http://d.test/"));
    bench.head(0, OK);
    bench.body(0, b"hello");
    bench.done(0);
    bench.head(1, OK);
    bench.body(1, b"half");
    bench.tell(1, broken());
    let results = bench.results();
    let lines: Vec<serde_json::Value> =
        results.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let facts = |line: &serde_json::Value| {
        ["target", "url", "ok", "status", "redirects", "bytes", "body"].map(|name| line[name].to_string()).join(" ")
    };
    assert_eq!(facts(&lines[0]), "\"ftp://c.test\" null false null 0 0 null");
    assert_eq!(facts(&lines[1]), "\"a.test\" \"http://d.test/\" true 200 1 5 \"hello\"");
    assert_eq!(facts(&lines[2]), "\"b.test\" \"http://b.test/\" false 200 0 4 null");
    assert_eq!(lines.len(), 3);
    assert!(!bench.notes().contains("failed"), "it is told once");
}
