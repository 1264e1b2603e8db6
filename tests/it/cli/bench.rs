//! `squall bench`: the command line, and a run against the site.

use super::{run, run_with};
use crate::support::child::PROGRAM;
use crate::support::{Dir, Site, Stub};
use squall::config::Limits;
use std::process::Command;

/// Longer than the path of a Unix socket may be.
const LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
);

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
        (vec!["-f", "TLS1.1", "http://a.test/"], "has only TLS1.2, TLS1.3 or ALL"),
        (vec!["-f", "TLS9", "http://a.test/"], "expected TLS1.2, TLS1.3 or ALL"),
        (vec!["-v", "much", "http://a.test/"], "expected a whole number"),
        (vec!["-v", "2", "--json", "-", "http://127.0.0.1/"], "-v 2 prints on standard output"),
        (vec!["-B", "a.test", "http://a.test/"], "invalid IP address"),
        (vec!["-B", "::1", "http://127.0.0.1/"], "127.0.0.1 has no address that can be reached from ::1"),
        (vec!["-B", "127.0.0.1,::1", "http://127.0.0.1/"], "-B has addresses of IPv4 and of IPv6"),
        (vec!["--resolve", "a.test:80", "http://a.test/"], "expected HOST:PORT:ADDRESS"),
        (vec!["--unix", "a", "-B", "127.0.0.1", "http://a.test/"], "cannot be used with"),
        (vec!["--unix", LONG, "http://a.test/"], "--unix xxx"),
        (vec!["-p", "/none/such", "http://a.test/"], "-p /none/such: No such file"),
        (vec!["-p", "a", "-u", "b", "http://a.test/"], "cannot be used with"),
        (vec!["-i", "-p", "a", "http://a.test/"], "cannot be used with"),
        (vec!["-m", "a b", "http://a.test/"], "expected a method"),
        (vec!["-H", "no colon", "http://a.test/"], "expected NAME: VALUE"),
        (vec!["-H", "X: a\r\nY: b", "http://a.test/"], "cannot have a line end"),
        (vec!["-C", "a\nb", "http://a.test/"], "cannot have a line end"),
        (vec!["--duration", "0", "http://a.test/"], "expected seconds"),
        (vec!["--duration", "1", "-n", "1", "http://a.test/"], "cannot be used with"),
        (vec!["--rate", "0", "http://a.test/"], "expected requests a second"),
        (vec!["--threads", "2", "http://a.test/"], "--threads 2 is more than the 1 connections"),
        (vec!["--warmup", "1", "http://a.test/"], "--warmup needs a time"),
        (vec!["--pipeline", "2", "http://a.test/"], "--http1.1"),
        (vec!["-u", "/none/such", "http://a.test/"], "-u /none/such: No such file"),
        (vec!["--requests", "/none/such", "http://a.test/"], "--requests /none/such: No such file"),
        (vec!["-c", "4000000000", "-n", "4000000000", "http://a.test/"], "the limit of open files"),
        (vec!["ftp://a.test/"], "ftp"),
        (vec!["a.test"], "a.test"),
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
fn the_last_of_a_repeated_flag_counts_and_a_url_may_have_no_scheme() {
    let stub = Stub::saying("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    let url = format!("{}/a", stub.address);
    let (code, stdout, stderr) = run(&["bench", "-n", "5", "-n", "2", "-k", "-k", "-H", "A: 1", "-H", "B: 2", &url]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("Complete requests:      2\n"), "{stdout}");
    assert!(stub.requests()[0].contains("\r\nA: 1\r\nB: 2\r\n"), "{:?}", stub.requests());
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

#[test]
fn a_rate_is_kept_and_reported_by_several_threads() {
    let site = Site::start(Limits::default(), &[]);
    let url = format!("http://{}/plaintext", site.address);
    let (code, stdout, stderr) = run(&[
        "bench",
        "-q",
        "-k",
        "-c",
        "4",
        "--threads",
        "2",
        "--rate",
        "500",
        "--duration",
        "1",
        "--warmup",
        "0.2",
        &url,
    ]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let figure = |label: &str| {
        let line =
            stdout.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_else(|| panic!("{label}: {stdout}"));
        line.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).expect("a number")
    };
    assert!((450.0..=501.0).contains(&figure("Complete requests:")), "{stdout}");
    assert_eq!((figure("Schedule:"), figure("Failed requests:")), (500.0, 0.0));
    assert!(stdout.contains("from due    from sending") && stdout.contains("\nLate starts:"), "{stdout}");
}

#[test]
fn a_file_of_requests_is_sent_in_turn() {
    let (stub, dir) = (Stub::saying("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), Dir::new());
    let (list, body) = (dir.path().join("list"), dir.path().join("body"));
    std::fs::write(&list, "GET /a\nX: y\n\nPOST /b\nContent-Type: text/x\n@body\n").expect("a file");
    std::fs::write(&body, "hello").expect("a file");
    let url = format!("http://{}/", stub.address);
    let list = list.to_str().expect("a path");
    let (code, stdout, stderr) = run(&["bench", "-n", "3", "--requests", list, &url]);
    assert_eq!(code, Some(0), "{stderr}");
    let requests = stub.requests();
    assert!(requests[0].starts_with("GET /a HTTP/1.0\r\nX: y\r\n"), "{requests:?}");
    assert!(
        requests[1].starts_with("POST /b HTTP/1.0\r\nContent-length: 5\r\nContent-Type: text/x\r\n"),
        "{requests:?}"
    );
    assert!(requests[2].starts_with("GET /a "), "{requests:?}");
    assert!(stdout.contains("Document Length:        Variable\n"), "{stdout}");
}

#[test]
fn an_interrupted_run_prints_its_report() {
    let site = Site::start(Limits::default(), &[]);
    let url = format!("http://{}/plaintext", site.address);
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "-q", "-k", "--duration", "60", &url]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    let output = child.wait_with_output().expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(interrupted.success() && output.status.code() == Some(1), "{:?}: {stdout}", output.status);
    assert!(stdout.contains("\nRequests per second:    "), "{stdout}");
}

#[test]
fn a_load_without_a_response_says_so_after_two_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let (code, _, stderr) = run(&["bench", "--duration", "2.5", &url]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("No response is whole yet.").count(), 1, "{stderr}");
    let (_, _, stderr) = run(&["bench", "-q", "--duration", "2.5", &url]);
    assert_eq!(stderr, "");
}

#[test]
fn a_run_that_a_reset_ends_says_how_much_was_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        for is_whole in [true, true, false] {
            let (mut peer, _) = listener.accept().expect("a connection");
            let mut head = [0; 1024];
            let _ = std::io::Read::read(&mut peer, &mut head);
            match is_whole {
                true => drop(std::io::Write::write_all(&mut peer, b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")),
                false => drop(socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO))),
            }
        }
    });
    let (code, _, stderr) = run(&["bench", "-n", "10", &url]);
    server.join().expect("it has served");
    assert_eq!(code, Some(104), "{stderr}");
    assert!(stderr.contains("Connection reset by peer (104)\nTotal of 2 requests completed\n"), "{stderr}");
}
