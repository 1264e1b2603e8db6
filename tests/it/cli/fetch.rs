//! `squall fetch`: many targets at once, each one's response as it comes.

use super::run;
use crate::support::child::PROGRAM;
use crate::support::{Dir, PATIENCE, Stub, ms, refusing, wait_for};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// A site that responds after this many milliseconds.
fn after(wait: u64, status: &'static str) -> Stub {
    Stub::start(move |mut asked| {
        std::thread::sleep(ms(wait));
        asked.say(format!("HTTP/1.1 {status}\r\nX-Waited: {wait}\r\nContent-Length: 5\r\n\r\nhello"));
    })
}

/// A site that leads from `/` to `/there`, and gives that.
fn redirecting(status: u16, body: &'static [u8]) -> Stub {
    Stub::start(move |mut asked| match asked.target() {
        "/there" => asked.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"),
        _ => {
            asked.say(format!("HTTP/1.1 {status} Elsewhere\r\nLocation: /there\r\nConnection: close\r\n\r\n"));
            asked.say(body);
        }
    })
}

/// Results with their seconds masked and without the lines of the phases.
fn masked(text: &str) -> String {
    let mask = |line: &str| match line.rsplit_once(": ") {
        Some((name, took)) if took.ends_with(" s") => format!("{name}: * s"),
        _ => line.to_owned(),
    };
    text.lines().filter(|line| !line.starts_with("  ")).map(mask).collect::<Vec<_>>().join("\n")
}

/// Runs `squall fetch` with a text on standard input.
fn fetch_with(stdin: &[u8], args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(PROGRAM);
    command.arg("fetch").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // The program reads it first, or not at all; then a failed write does not matter.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin);
    let ended = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn a_host_in_another_script_is_fetched() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let port = stub.address.port();
    let (code, _, stderr) = run(&["fetch", &format!("\u{ff4c}ocalhost:{port}/\u{e4}#there")]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stub.requests()[0].starts_with(&format!("GET /%C3%A4 HTTP/1.1\r\nHost: localhost:{port}\r\n")));
    let (code, _, stderr) = run(&["fetch", "http://b\u{fc}cher.invalid/"]);
    assert!(code == Some(1) && stderr.contains("the name xn--bcher-kva.invalid could not be resolved"), "{stderr}");
}

#[test]
fn all_start_at_once_and_are_printed_as_they_complete() {
    let (slow, fast) = (after(600, "200 OK"), after(0, "404 Not Found"));
    let (slow, url) = (slow.address.to_string(), format!("http://{}/path?q", fast.address));
    let (code, stdout, stderr) = run(&["fetch", &slow, &url]);
    assert_eq!(code, Some(0), "any response is a success: {stderr}");
    let closing = stderr.strip_prefix(&format!("Start fetching {slow}\nStart fetching {url}\n2 targets in "));
    let parts = ["; their times add up to ", ": doing them at once saved up to "];
    assert!(
        closing.is_some_and(|line| parts.iter().all(|part| line.contains(part)) && line.lines().count() == 1),
        "{stderr}"
    );
    let expected = format!(
        "{url}: * s\nHTTP/1.1 404 Not Found\nX-Waited: 0\nContent-Length: 5\n\n\
         {slow}: * s\nHTTP/1.1 200 OK\nX-Waited: 600\nContent-Length: 5\n"
    );
    assert_eq!(masked(&stdout), expected);
    let request = fast.requests().remove(0);
    assert!(request.starts_with(&format!("GET /path?q HTTP/1.1\r\nHost: {}\r\n", fast.address)), "{request}");
    assert!(request.contains("\r\nAccept: */*\r\n"), "{request}");
}

#[test]
fn a_response_is_shown_before_slower_ones_arrive() {
    let (silent, fast) = (Stub::start(|mut asked| _ = asked.wait_for_the_end()), after(0, "200 OK"));
    let mut command = Command::new(PROGRAM);
    command.args(["fetch", &silent.address.to_string(), &fast.address.to_string()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.starts_with(&format!("{}: ", fast.address)), "{first}");
    child.kill().expect("it still waits for the other");
    child.wait().expect("it ends");
}

#[test]
fn a_failed_target_is_named_and_ends_with_1() {
    let (_socket, refusing) = refusing();
    let refusing = refusing.to_string();
    let (good, broken) = (after(0, "500 Internal Server Error"), Stub::saying("HTTP/1.1 200 OK\r\nContent-"));
    let (good, broken) = (good.address.to_string(), broken.address.to_string());
    let secure = format!("https://{refusing}/");
    let (code, stdout, stderr) = run(&["fetch", &refusing, &good, &broken, &secure, "http://"]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("HTTP/1.1 500 Internal Server Error\n") && !stdout.contains(&refusing), "{stdout}");
    for (target, why) in [
        (refusing.as_str(), "Connection refused"),
        (broken.as_str(), "the connection was closed within the head"),
        (&secure, ""),
        ("http://", "has no host"),
    ] {
        assert!(stderr.contains(&format!("Start fetching {target}\n")), "{stderr}");
        let failed = stderr.lines().find(|line| line.starts_with(&format!("{target}: failed after ")));
        assert!(failed.is_some_and(|line| line.contains(why)), "{target}: {stderr}");
    }
}

#[test]
fn a_resetting_site_is_named_with_its_reason_at_once() {
    let stub = Stub::resetting();
    let target = stub.address.to_string();
    for _ in 0..2 {
        // A fetch that is never told of the end would wait 20 s: the limit of the test is far below.
        let mut fetch = Command::new("timeout");
        fetch.args(["10", PROGRAM, "fetch", "--concurrency", "200"]).args(vec![&target; 200]);
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
fn long_body_fails_only_if_it_is_kept() {
    let body = vec![b'x'; 9 << 20];
    let stub = Stub::saying([b"HTTP/1.1 200 OK\r\nContent-Length: 9437184\r\n\r\n", body.as_slice()].concat());
    let target = stub.address.to_string();
    let (code, stdout, stderr) = run(&["fetch", &target]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.ends_with("HTTP/1.1 200 OK\nContent-Length: 9437184\n\n"), "{stdout}");
    let (code, stdout, _) = run(&["fetch", "--body", &target]);
    assert_eq!((code, stdout.len() > body.len()), (Some(0), true));
    let (code, stdout, stderr) = run(&["fetch", "--body", "--body-max", "9437183", &target]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("its body is longer than 9437183 bytes"), "{stderr}");
}

#[test]
fn targets_beyond_the_soft_limit_of_files_run_at_once() {
    let stub = after(300, "200 OK");
    let mut fetch = Command::new("sh");
    fetch.args(["-c", "ulimit -Sn 64; exec \"$0\" \"$@\"", PROGRAM, "fetch"]);
    let ended = fetch.args(vec![stub.address.to_string(); 100]).output().expect("the program starts");
    let stderr = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert_eq!(String::from_utf8(ended.stdout).expect("text").matches("HTTP/1.1 200 OK").count(), 100);
}

#[test]
fn targets_beyond_the_hard_limit_of_files_take_turns() {
    let stub = after(0, "200 OK");
    let mut fetch = Command::new("sh");
    fetch.args(["-c", "ulimit -Hn 64; exec \"$0\" \"$@\"", PROGRAM, "fetch"]);
    let ended = fetch.args(vec![stub.address.to_string(); 200]).output().expect("the program starts");
    let stderr = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert_eq!(String::from_utf8(ended.stdout).expect("text").matches("HTTP/1.1 200 OK").count(), 200);
}

/// A site that counts its connections, and responds when there are enough at once, or after a while.
fn crowd(wanted: usize) -> (Stub, Arc<AtomicUsize>) {
    let (most, now) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let seen = most.clone();
    let stub = Stub::start(move |mut asked| {
        let here = now.fetch_add(1, SeqCst) + 1;
        seen.fetch_max(here, SeqCst);
        let until = std::time::Instant::now() + PATIENCE;
        while seen.load(SeqCst) < wanted && std::time::Instant::now() < until {
            std::thread::sleep(ms(1));
        }
        now.fetch_sub(1, SeqCst);
        asked.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    (stub, most)
}

#[test]
fn concurrency_limits_a_list_on_standard_input() {
    let (stub, most) = crowd(8);
    let list: String = (0..300).map(|n| format!("http://{}/{n}\n{}", stub.address, ["\n", "# x\n"][n % 2])).collect();
    let (code, stdout, stderr) = fetch_with(list.as_bytes(), &["--concurrency", "8", "-"]);
    assert_eq!((code, stdout.matches("HTTP/1.1 200 OK\n").count()), (Some(0), 300), "{stderr}");
    assert_eq!(most.load(SeqCst), 8);
    assert!(stderr.starts_with("300 targets in ") && stderr.lines().count() == 1, "{stderr}");
    let mut asked: Vec<usize> = stub
        .requests()
        .iter()
        .map(|request| request.split(['/', ' ']).nth(2).and_then(|n| n.parse().ok()).expect("a number"))
        .collect();
    asked.sort_unstable();
    assert!(asked.into_iter().eq(0..300), "each once");
}

#[test]
fn sequential_is_one_after_the_other() {
    let (stub, most) = crowd(1);
    let targets = vec![stub.address.to_string(); 5];
    let line: Vec<&str> = ["fetch", "--sequential"].into_iter().chain(targets.iter().map(String::as_str)).collect();
    let (code, _, stderr) = run(&line);
    assert_eq!((code, most.load(SeqCst)), (Some(0), 1));
    let last = stderr.lines().last().expect("a line");
    assert!(last.starts_with("5 targets one after the other in ") && last.ends_with(" s"), "{stderr}");
}

#[test]
fn time_is_counted_for_each_target_from_its_own_start() {
    let silent = Stub::start(|mut asked| _ = asked.wait_for_the_end());
    let targets = [silent.address.to_string(), format!("http://{}/2", silent.address)];
    let (code, _, stderr) = run(&["fetch", "--sequential", "--max-time", "0.2", &targets[0], &targets[1]]);
    assert_eq!(code, Some(1));
    for target in targets {
        let failed = stderr.lines().find(|line| line.starts_with(&format!("{target}: failed after 0.")));
        assert!(
            failed.is_some_and(|line| line.ends_with("s: no complete response within 0.2 s: nothing came")),
            "{stderr}"
        );
    }
}

#[test]
fn a_request_is_what_the_flags_make_of_it() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let stub = Stub::start({
        let bodies = bodies.clone();
        move |mut asked| {
            let mut body = vec![0; 3];
            asked.stream.read_exact(&mut body).expect("three bytes");
            bodies.lock().expect("no thread panics with it").push(String::from_utf8(body).expect("text"));
            asked.say("HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    let target = stub.address.to_string();
    let (code, _, stderr) = fetch_with(b"c=d", &["--data", "@-", "-H", "X-Mine:  yes", &target]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, ..) = run(&["fetch", "--method", "PUT", "--data", "a=b", "-H", "content-type: text/plain", &target]);
    assert_eq!(code, Some(0));
    let requests = stub.requests();
    assert!(requests[0].starts_with("POST / HTTP/1.1\r\n") && requests[1].starts_with("PUT / HTTP/1.1\r\n"));
    for field in ["X-Mine: yes", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 3"] {
        assert!(requests[0].contains(&format!("\r\n{field}\r\n")), "{}", requests[0]);
    }
    assert!(requests[1].contains("\r\ncontent-type: text/plain\r\n") && !requests[1].contains("form"));
    assert_eq!(*bodies.lock().expect("no thread panics with it"), ["c=d", "a=b"]);
}

#[test]
fn redirects_are_followed_and_said() {
    for body in [&b""[..], &[b'x'; 100], &[b'x'; 1 << 20]] {
        let stub = redirecting(302, body);
        let (code, stdout, stderr) = run(&["fetch", "--body", &stub.address.to_string()]);
        assert_eq!(code, Some(0), "{} bytes: {stderr}", body.len());
        let at = format!("\n  at http://{}/there after 1 redirect; the phases are its own, ", stub.address);
        assert!(stdout.contains(&at) && stdout.contains("\nHTTP/1.1 200 OK\n"), "{stdout}");
        assert!(stdout.ends_with("\n\nthere"), "{stdout}");
    }
    let stub = redirecting(302, b"moved");
    let (code, stdout, _) = run(&["fetch", "--redirects", "0", &stub.address.to_string()]);
    assert_eq!((code, stdout.contains("HTTP/1.1 302 Elsewhere\nLocation: /there\n")), (Some(0), true));
    let stub = Stub::saying("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    let (code, _, stderr) = run(&["fetch", &stub.address.to_string()]);
    assert!(code == Some(1) && stderr.contains("it redirects more than 5 times"), "{stderr}");
    assert_eq!(stub.requests().len(), 6);
}

#[test]
fn credentials_stay_with_their_origin() {
    let there = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let location = format!("HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", there.address);
    let here = Stub::saying(location);
    let fields = ["-H", "Authorization: Basic c2VjcmV0", "-H", "Cookie: a=secret", "-H", "X-Other: y"];
    let (code, ..) = run(&[&["fetch"], &fields[..], &[&here.address.to_string()]].concat());
    assert_eq!(code, Some(0));
    let (first, second) = (here.requests().remove(0), there.requests().remove(0));
    assert!(first.contains("Basic c2VjcmV0") && first.contains("a=secret"), "{first}");
    assert!(second.contains("X-Other: y") && !second.contains("Authorization") && !second.contains("Cookie"));
}

#[test]
fn bodies_are_printed_byte_for_byte_or_written_to_files() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let stub = Stub::saying([b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", bytes.as_slice()].concat());
    let broken = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf");
    let (url, dir) = (format!("http://{}/a/b.bin", stub.address), Dir::new());
    let ended = Command::new(PROGRAM).args(["fetch", "--body", &url]).output().expect("the program starts");
    assert!(ended.stdout.ends_with(&[b"\n\n", bytes.as_slice()].concat()));
    let output = format!("{}/new/bodies", dir.arg());
    let (code, stdout, _) = run(&["fetch", "--output", &output, &url, &broken.address.to_string()]);
    assert_eq!(code, Some(1));
    let file = format!("001-127.0.0.1-{}-a-b.bin", stub.address.port());
    assert!(stdout.contains(&format!("\n  100000 bytes in {output}/{file}\n")), "{stdout}");
    assert_eq!(std::fs::read(format!("{output}/{file}")).expect("a file"), bytes);
    assert_eq!(std::fs::read_dir(&output).expect("a directory").count(), 1, "half a body leaves no file");
}

#[test]
fn with_fail_a_status_of_400_is_a_failure() {
    let (good, bad) = (after(0, "200 OK"), after(0, "404 Not Found"));
    let (code, stdout, stderr) = run(&["fetch", "--fail", &good.address.to_string(), &bad.address.to_string()]);
    assert_eq!((code, stdout.matches("HTTP/1.1").count()), (Some(1), 1));
    assert!(stderr.contains("s: the response is 404 Not Found\n"), "{stderr}");
}

#[test]
fn json_has_one_line_per_target() {
    let (good, (_socket, refusing)) = (after(0, "200 OK"), refusing());
    let (good, refusing) = (good.address.to_string(), refusing.to_string());
    let (code, stdout, stderr) = run(&["fetch", "--json", "--body", &good, &refusing]);
    assert_eq!((code, stdout.lines().count()), (Some(1), 2), "{stdout}{stderr}");
    for line in stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let is_good = line["target"] == good;
        assert_eq!((line["ok"] == is_good, line["error"].is_null()), (true, is_good), "{line}");
        if is_good {
            assert_eq!((&line["status"], &line["body"], &line["bytes"]), (&200.into(), &"hello".into(), &5.into()));
            assert_eq!(line["headers"][0], serde_json::json!(["X-Waited", "0"]));
            assert!(line["ms"]["total"].as_f64() >= line["ms"]["first_byte"].as_f64(), "{line}");
        }
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_before_any_fetch() {
    let stub = after(0, "200 OK");
    let target = stub.address.to_string();
    for args in [
        &["-H", "no colon"][..],
        &["-H", "Connection: close"],
        &["--method", "two words"],
        &["--data", "@/no/such/file"],
        &["--data", "@-", "-"],
        &["--max-time", "0"],
        &["--output", "/dev/null/x"],
        &["--output", "/dev/null"],
        &["--ca-file", "/no/such/file"],
        &["--insecure"],
    ] {
        let (code, stdout, stderr) = fetch_with(b"", &[args, &[&target]].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
    let why = |stdin: &[u8], args: &[&str]| match fetch_with(stdin, args) {
        (Some(2), _, stderr) => stderr,
        ended => panic!("{ended:?}"),
    };
    assert_eq!(why(b"", &["--output", "/dev/null", &target]), "error: --output /dev/null is not a directory\n");
    assert!(why(b"", &["--ca-file", "/no/such/file", &target]).starts_with("error: --ca-file /no/such/file"));
    assert_eq!(why(b"\xff\n", &["-", &target]), "error: line 1 of the list is not UTF-8\n");
    assert_eq!(stub.requests().len(), 0);
}

#[test]
fn an_empty_list_succeeds_with_a_note() {
    for list in ["", "# nothing today\n", "\u{feff}\r\n"] {
        let (code, stdout, stderr) = fetch_with(list.as_bytes(), &["-"]);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", "the list is empty\n"), "{list:?}");
    }
}

#[test]
fn the_authorities_to_trust_may_be_named_by_the_environment() {
    let mut command = Command::new(PROGRAM);
    let ended = command.args(["fetch", "127.0.0.1:1"]).env("SQUALL_CA_FILE", "/no/such/file").output();
    let ended = ended.expect("the program starts");
    let stderr = String::from_utf8(ended.stderr).expect("text");
    assert!(ended.status.code() == Some(2) && stderr.starts_with("error: --ca-file /no/such/file"), "{stderr}");
}

#[test]
fn a_reader_that_has_gone_ends_the_fetches() {
    let (asked, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let silent = Stub::start({
        let (begun, over) = (asked.clone(), ended.clone());
        move |mut asked| {
            begun.fetch_add(1, SeqCst);
            // Long before this site loses its patience.
            over.fetch_add(usize::from(asked.wait_for_the_end()), SeqCst);
        }
    });
    let answered = AtomicUsize::new(0);
    let stub = Stub::start(move |mut here| {
        let nth = answered.fetch_add(1, SeqCst) + 1;
        wait_for("the other request", || (asked.load(SeqCst) >= nth).then_some(()));
        here.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let mut command = Command::new(PROGRAM);
    command.args(["fetch", &stub.address.to_string(), &silent.address.to_string()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(1) && !stderr.contains("squall:"), "{stderr}");
    assert!(!stderr.contains("targets in") && !stderr.contains("failed"), "{stderr}");
    wait_for("the end of the other fetch", || (ended.load(SeqCst) == 1).then_some(()));

    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let output = command.stdout(full).output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("squall: standard output: No space left"), "{stderr}");
    wait_for("the end of the other fetch", || (ended.load(SeqCst) == 2).then_some(()));
}

#[test]
fn wrong_server_variable_does_not_stop_a_fetch() {
    let stub = after(0, "200 OK");
    let fetch = |command: &str, target: &str| {
        let mut program = Command::new(PROGRAM);
        let ended = program.args([command, target]).env("SQUALL_LISTEN", "nonsense").output();
        ended.expect("the program starts").status.code()
    };
    assert_eq!(fetch("fetch", &stub.address.to_string()), Some(0));
    assert_eq!(fetch("serve", "--lab"), Some(2), "it is the server's own");
}

#[test]
fn folded_and_foreign_lines_are_read_as_browsers_do() {
    let stub = Stub::saying(
        "http/1.1 200 Fine\r\nPHP Warning:  x already loaded\r\nA: b\r\n\tc\r\nESC: \x1b[31m\r\n\
         Transfer-Encoding: identity\r\n\r\nhello",
    );
    let (code, stdout, stderr) = run(&["fetch", "--body", &stub.address.to_string()]);
    assert_eq!(code, Some(0), "{stderr}");
    let expected = "HTTP/1.1 200 Fine\nA: b c\nESC: ?[31m\nTransfer-Encoding: identity\n\nhello";
    assert_eq!(masked(&stdout), format!("{}: * s\n{expected}", stub.address));
}
