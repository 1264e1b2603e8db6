//! `squall bench`: the command line, and a run against the site.

use super::{run, run_with};
use crate::support::child::PROGRAM;
use crate::support::{Dir, Site, Stub};
use squall::config::Limits;
use std::process::Command;

#[test]
fn wrong_command_lines_give_one_line_and_code_22() {
    for (args, says) in [
        (vec![], "there is no URL"),
        (vec!["-n", "x", "http://a.test/"], "expected a whole number"),
        (vec!["-n", "0", "http://a.test/"], "expected a whole number"),
        (vec!["-n", "-1", "http://a.test/"], "unexpected argument '-1'"),
        (vec!["-c", "0", "http://a.test/"], "expected a whole number"),
        (vec!["-c", "3", "-n", "2", "http://a.test/"], "-c 3 is more than the 2 requests"),
        (vec!["-t", "-1", "http://a.test/"], "unexpected argument '-1'"),
        (vec!["-t", "no", "http://a.test/"], "expected seconds"),
        (vec!["-Z", "none", "http://a.test/"], "unexpected argument '-Z'"),
        (vec!["-p", "/none/such", "http://a.test/"], "/none/such: No such file"),
        (vec!["-p", "a", "-u", "b", "http://a.test/"], "cannot be used with"),
        (vec!["-i", "-p", "a", "http://a.test/"], "cannot be used with"),
        (vec!["-m", "a b", "http://a.test/"], "expected a method"),
        (vec!["-H", "no colon", "http://a.test/"], "expected NAME: VALUE"),
        (vec!["-H", "X: a\r\nY: b", "http://a.test/"], "cannot have a line end"),
        (vec!["-C", "a\nb", "http://a.test/"], "cannot have a line end"),
        (vec!["ftp://a.test/"], "ftp"),
        (vec!["a.test"], "a.test"),
        (vec!["https://a.test/"], "https"),
        (vec!["http://a.test/", "http://b.test/"], "unexpected argument 'http://b.test/'"),
    ] {
        let (code, stdout, stderr) = run(&[&["bench"], &args[..]].concat());
        assert_eq!((code, stdout.as_str()), (Some(22), ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("squall bench: ") && stderr.contains(says), "{args:?}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
    }
}

#[test]
fn called_by_the_name_of_ab_it_is_squall_bench() {
    let dir = Dir::new();
    let link = dir.path().join("ab");
    std::os::unix::fs::symlink(PROGRAM, &link).expect("a link");
    let mut command = Command::new(&link);
    command.arg("-V");
    let (code, stdout, _) = run_with(command);
    assert!(code == Some(0) && stdout.starts_with("This is squall bench, Version "), "{stdout}");
    let mut command = Command::new(&link);
    command.arg("-h");
    let (code, stdout, stderr) = run_with(command);
    assert_eq!((code, stdout.as_str()), (Some(22), ""));
    assert!(stderr.contains("-n <REQUESTS>"), "{stderr}");
}

#[test]
fn a_run_against_the_site_is_reported() {
    let site = Site::start(Limits::default(), &[]);
    let url = format!("http://{}/plaintext", site.address);
    for (kept, flags) in [(false, vec!["-n", "200", "-c", "8"]), (true, vec!["-k", "-n", "200", "-c", "8"])] {
        let (code, stdout, stderr) = run(&[&["bench"], &flags[..], &[url.as_str()]].concat());
        assert_eq!(code, Some(0), "{stderr}");
        for line in
            ["Server Software:        squall\n", "Document Length:        13 bytes\n", "Failed requests:        0\n"]
        {
            assert!(stdout.contains(line), "{line}: {stdout}");
        }
        assert!(
            stdout.contains("Complete requests:      200\n") && stdout.contains("HTML transferred:       2600 bytes\n")
        );
        assert_eq!(stdout.contains("Keep-Alive requests:    200\n"), kept, "{stdout}");
        assert_eq!(stderr, "Completed 100 requests\nCompleted 200 requests\nFinished 200 requests\n");
    }
}

#[test]
fn every_cookie_is_sent_in_one_field() {
    let stub = Stub::saying("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    let (code, _, stderr) = run(&["bench", "-C", "a=b", "-C", "c=d", &format!("http://{}/", stub.address)]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stub.requests()[0].contains("\r\nCookie: a=b; c=d\r\n"), "{:?}", stub.requests());
}

#[test]
fn a_time_limit_ends_a_run_with_its_report() {
    let site = Site::start(Limits::default(), &[]);
    let (code, stdout, stderr) =
        run(&["bench", "-q", "-t", "0.2", "-k", &format!("http://{}/plaintext", site.address)]);
    assert_eq!(code, Some(0), "{stderr}");
    let took = stdout.lines().find_map(|line| line.strip_prefix("Time taken for tests:")).expect("a report");
    let seconds: f64 = took.trim().split(' ').next().and_then(|seconds| seconds.parse().ok()).expect("seconds");
    assert!((0.2..5.0).contains(&seconds) || stdout.contains("Complete requests:      50000\n"), "{stdout}");
}

#[test]
fn http_1_1_keeps_its_connection_and_reads_chunks() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let (code, stdout, stderr) = run(&["bench", "--http1.1", &format!("http://{}/", stub.address)]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("Document Length:        5 bytes\n"), "{stdout}");
    let request = &stub.requests()[0];
    assert!(request.starts_with("GET / HTTP/1.1\r\nHost: ") && !request.contains("Connection"), "{request}");
}
