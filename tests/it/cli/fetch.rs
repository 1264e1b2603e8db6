//! `squall fetch`: several sites at once, each one's head as it comes.

use super::run;
use crate::support::child::PROGRAM;
use crate::support::{Stub, ms};
use std::net::TcpListener;
use std::process::Command;

/// A site that answers after so many milliseconds.
fn after(wait: u64, status: &'static str) -> Stub {
    Stub::start(move |mut asked| {
        std::thread::sleep(ms(wait));
        asked.say(format!("HTTP/1.1 {status}\r\nX-Waited: {wait}\r\nContent-Length: 5\r\n\r\nhello"));
    })
}

/// Lines with their seconds masked.
fn masked(text: &str) -> String {
    let mask = |line: &str| match line.rsplit_once(": ") {
        Some((name, took)) if took.ends_with(" s") => format!("{name}: * s"),
        _ => line.to_owned(),
    };
    text.lines().map(mask).collect::<Vec<_>>().join("\n")
}

#[test]
fn all_start_at_once_and_are_printed_as_they_complete() {
    let (slow, fast) = (after(600, "200 OK"), after(0, "404 Not Found"));
    let (slow, url) = (slow.address.to_string(), format!("http://{}/path?q", fast.address));
    let (code, stdout, stderr) = run(&["fetch", &slow, &url]);
    assert_eq!(code, Some(0), "any answer is a success: {stderr}");
    assert_eq!(stderr, format!("Start fetching {slow}\nStart fetching {url}\n"));
    let expected = format!(
        "{url}: * s\nHTTP/1.1 404 Not Found\nX-Waited: 0\nContent-Length: 5\n\n\
         {slow}: * s\nHTTP/1.1 200 OK\nX-Waited: 600\nContent-Length: 5\n"
    );
    assert_eq!(masked(&stdout), expected);
    assert!(fast.requests()[0].starts_with(&format!("GET /path?q HTTP/1.1\r\nHost: {}\r\n", fast.address)));
}

#[test]
fn one_that_fails_is_named_with_its_reason_and_the_exit_code_is_1() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (good, broken) = (after(0, "500 Internal Server Error"), Stub::saying("HTTP/1.1 200 OK\r\nContent-"));
    let (good, broken) = (good.address.to_string(), broken.address.to_string());
    let (code, stdout, stderr) = run(&["fetch", &nobody, &good, &broken, "https://localhost/", "http://"]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("HTTP/1.1 500 Internal Server Error\n") && !stdout.contains(&nobody), "{stdout}");
    for (target, why) in [
        (nobody.as_str(), "Connection refused"),
        (broken.as_str(), "the connection was closed within the head"),
        ("https://localhost/", "https is not built in yet"),
        ("http://", ""),
    ] {
        assert!(stderr.contains(&format!("Start fetching {target}\n")), "{stderr}");
        let failed = stderr.lines().find(|line| line.starts_with(&format!("{target}: failed after ")));
        assert!(failed.is_some_and(|line| line.contains(why)), "{target}: {stderr}");
    }
}

#[test]
fn a_site_that_resets_whoever_connects_is_named_with_its_reason_at_once() {
    let stub = Stub::resetting();
    let target = stub.address.to_string();
    for _ in 0..2 {
        // Somebody who is never told of the end waits for ever, so the test has a limit: far below 20 s.
        let mut fetch = Command::new("timeout");
        fetch.args(["10", PROGRAM, "fetch"]).args(vec![&target; 200]);
        let ended = fetch.output().expect("the program starts");
        let stderr = String::from_utf8(ended.stderr).expect("text");
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        let failed: Vec<&str> = stderr.lines().filter(|line| line.contains(": failed after ")).collect();
        assert_eq!(failed.len(), 200, "{stderr}");
        for line in failed {
            assert!(["reset", "Broken pipe", "closed without"].iter().any(|why| line.contains(why)), "{line}");
        }
    }
}

#[test]
fn a_body_over_what_a_search_may_relay_is_no_failure() {
    let body = vec![b'x'; 9 << 20];
    let stub = Stub::saying([b"HTTP/1.1 200 OK\r\nContent-Length: 9437184\r\n\r\n", body.as_slice()].concat());
    let (code, stdout, stderr) = run(&["fetch", &stub.address.to_string()]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.ends_with("HTTP/1.1 200 OK\nContent-Length: 9437184\n\n"), "{stdout}");
}

#[test]
fn more_targets_than_the_soft_limit_of_open_files_are_fetched_at_once() {
    let stub = after(300, "200 OK");
    let mut fetch = Command::new("sh");
    fetch.args(["-c", "ulimit -Sn 64; exec \"$0\" \"$@\"", PROGRAM, "fetch"]);
    let ended = fetch.args(vec![stub.address.to_string(); 100]).output().expect("the program starts");
    let stderr = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert_eq!(String::from_utf8(ended.stdout).expect("text").matches("HTTP/1.1 200 OK").count(), 100);
}
