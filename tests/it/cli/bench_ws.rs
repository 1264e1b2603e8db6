//! `squall bench --ws`: the command line, and runs against the site.

use super::run;
use crate::support::child::PROGRAM;
#[cfg(feature = "tls")]
use crate::support::tls_client::{certified, flags};
use crate::support::{Dir, Site, Stub, ms};
use squall::config::Limits;
use std::process::{Command, Stdio};

/// Runs `squall bench -q` with these flags on a path of the site.
fn bench(site: &Site, flags: &str, path: &str) -> (Option<i32>, String, String) {
    let url = format!("ws://{}{path}", site.address);
    let words: Vec<&str> = flags.split_whitespace().collect();
    run(&[&["bench", "-q"], &words[..], &[url.as_str()]].concat())
}

/// The same for a run that has to go well: its report.
#[track_caller]
fn report(site: &Site, flags: &str, path: &str) -> String {
    let (code, report, stderr) = bench(site, flags, path);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{flags}: {report}");
    report
}

/// The number behind a label.
#[track_caller]
fn value(report: &str, label: &str) -> f64 {
    let line = report.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
    let line = line.unwrap_or_else(|| panic!("no {label}: {report}"));
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{label}:{line}"))
}

/// A room in which members may say as much as they like.
fn room() -> Site {
    Site::start(Limits::default(), &["--message-rate", "0"])
}

/// Flags that log a name in for each connection.
fn login(site: &Site) -> String {
    format!("--login http://{}/login", site.address)
}

#[test]
fn wrong_command_lines_give_one_line_and_code_22() {
    for (flags, says) in [
        ("ws://127.0.0.1:9/", "a WebSocket needs --ws echo"),
        ("--ws shout ws://127.0.0.1:9/", "invalid value 'shout'"),
        ("--ws echo http://127.0.0.1:9/", "begins with ws:// or wss://"),
        ("--ws echo ws://", "ws://: the URL has no host"),
        ("--ws echo -n 3 ws://127.0.0.1:9/", "cannot be used with"),
        ("--ws echo --http1.1 ws://127.0.0.1:9/", "cannot be used with"),
        ("--ws echo -T text/plain ws://127.0.0.1:9/", "cannot be used with"),
        ("--ws echo -v 2 ws://127.0.0.1:9/", "cannot be used with"),
        ("--ws echo --in-flight 0 ws://127.0.0.1:9/", "expected a whole number"),
        ("--ws echo --message-bytes 1KB ws://127.0.0.1:9/", "expected bytes"),
        ("--ws fanout --slow many ws://127.0.0.1:9/", "expected percent"),
        ("--ws fanout -c 2 --senders 3 ws://127.0.0.1:9/", "--senders 3 is more than the 2 members"),
        ("--ws idle --connect-rate 0 ws://127.0.0.1:9/", "expected connections a second"),
        ("--ws idle --pid 0 ws://127.0.0.1:9/", "expected a whole number"),
        ("--ws idle --login nowhere ws://127.0.0.1:9/", "--login nowhere: "),
        ("--senders 3 http://127.0.0.1:9/", "required arguments"),
    ] {
        let words: Vec<&str> = flags.split_whitespace().collect();
        let (code, stdout, stderr) = run(&[&["bench"], &words[..]].concat());
        assert_eq!((code, stdout.as_str()), (Some(22), ""), "{flags}: {stderr}");
        assert!(stderr.starts_with("squall bench: ") && stderr.contains(says), "{flags}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{flags}: {stderr}");
    }
}

#[test]
fn echoes_come_back_and_are_timed() {
    let site = Site::with_defaults();
    let report = report(&site, "--ws echo -c 8 --in-flight 3 --message-bytes 1000 --duration 0.3", "/echo");
    assert!(
        report.starts_with("This is squall bench, Version ") && report.contains("\nWebSocket Mode:         echo\n")
    );
    assert_eq!(
        ["Opened connections", "Messages under way", "Lost messages", "Different messages"].map(|l| value(&report, l)),
        [8.0, 24.0, 0.0, 0.0]
    );
    let (count, took) = (value(&report, "Round trips"), value(&report, "Time taken for tests"));
    assert!(count >= 24.0 && (0.3..5.0).contains(&took), "{report}");
    assert!((value(&report, "Round trips per second") - count / took).abs() < count / took / 100.0, "{report}");
    assert!(value(&report, "Total received") >= count * 1004.0, "{report}");
    assert!(report.contains("\nLatency by percentile\n  p50 "), "{report}");
}

#[test]
fn a_message_may_come_from_a_file() {
    let (site, dir) = (Site::with_defaults(), Dir::new());
    dir.write("message", [0, 255, 7]);
    let flags = format!("--ws echo --duration 0.1 --message {}/message", dir.arg());
    let report = report(&site, &flags, "/echo");
    assert!(value(&report, "Message length") == 3.0 && value(&report, "Different messages") == 0.0, "{report}");
    assert!(value(&report, "Round trips") > 0.0, "{report}");
}

#[test]
fn a_room_delivers_every_message_to_every_member() {
    let site = room();
    let flags = format!(
        "--ws fanout -c 30 --senders 3 --warmup 0.1 --duration 0.4 --pid {} {}",
        std::process::id(),
        login(&site)
    );
    let report = report(&site, &flags, "/chat/");
    let zeros = ["Lost messages", "Doubled messages", "Out of order", "Disagreeing members", "Closed connections"];
    assert_eq!(zeros.map(|label| value(&report, label)), [0.0; 5], "{report}");
    assert_eq!((value(&report, "Reach"), value(&report, "Members that read")), (1.0, 30.0));
    assert!(report.contains("\nLogins:                 30 of 30\n"), "{report}");
    let (sent, delivered) = (value(&report, "Messages sent"), value(&report, "Messages delivered"));
    // What was sent before the measured time is delivered within it, and the other way round: one message a sender.
    assert!(sent > 0.0 && (delivered - 30.0 * sent).abs() <= 2.0 * 3.0 * 30.0, "{report}");
    assert!(value(&report, "First to last p50") <= value(&report, "First to last max"), "{report}");
    assert!(value(&report, "CPU per delivery") > 0.0 && value(&report, "Server memory") > 0.0, "{report}");
    assert!(value(&report, "Other messages") >= 30.0, "each member is told that it enters: {report}");
}

#[test]
fn a_run_goes_into_files_and_is_judged_by_conditions() {
    let (site, dir) = (room(), Dir::new());
    let flags =
        format!("--ws fanout -c 5 --duration 1.3 --json {}/run.json --hlog {0}/run.hlog {}", dir.arg(), login(&site));
    let conditions = format!("{flags} --fail-if reach<1 --fail-if errors>0 --fail-if disagreeing_members>0");
    report(&site, &conditions, "/chat/");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
    let json: serde_json::Value = serde_json::from_str(&read("run.json")).expect("JSON");
    assert_eq!((&json["mode"], &json["figures"]["reach"]["value"]), (&"ws-fanout".into(), &1.0.into()));
    assert_eq!(json["intervals"].as_array().map(Vec::len), Some(2));
    assert_eq!(read("run.hlog").lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count(), 2);
    let (code, _, stderr) = bench(&site, &format!("{flags} --fail-if reach>0.5"), "/chat/");
    assert_eq!((code, stderr.lines().count()), (Some(3), 1), "{stderr}");
}

#[test]
fn a_room_may_be_spoken_to_on_a_schedule() {
    let site = room();
    let flags = format!("--ws fanout -c 4 --senders 2 --rate 200 --duration 0.5 --logins 1 {}", login(&site));
    let report = report(&site, &flags, "/chat/");
    assert_eq!((value(&report, "Reach"), value(&report, "Schedule")), (1.0, 200.0));
    assert!(report.contains("\nLogins:                 1 of 1\n"), "{report}");
    let (sent, never) = (value(&report, "Messages sent"), value(&report, "Never sent"));
    assert!((99.0..=101.0).contains(&(sent + never)), "{report}");
    assert!(report.contains("\nLate starts: ") && report.contains("\nOpen at the end:        0\n"), "{report}");
    assert!(report.contains("from due    from sending"), "{report}");
}

#[test]
fn slow_members_are_cut_and_counted_apart() {
    // With time for its Close, a slow member finds it in the end; without, it is reset before.
    for (close_within, cut) in [(5_000, "1013: 2"), (50, "reset: 2")] {
        let limits = Limits { close_within: ms(close_within), ..Limits::default() };
        let site = Site::start(limits, &["--message-rate", "0", "--lag-max", "64K"]);
        let flags = "--ws fanout -b 4096 -c 10 --slow 20 --message-bytes 4000 --duration 1 --logins 1";
        let report = report(&site, &format!("{flags} {}", login(&site)), "/chat/");
        assert_eq!((value(&report, "Slow members"), value(&report, "Members that read")), (2.0, 8.0));
        assert_eq!((value(&report, "Reach"), value(&report, "Closed connections")), (1.0, 0.0), "{report}");
        assert!(report.contains(&format!("   ({cut}, still open: 0)\n")), "{report}");
    }
}

#[test]
fn idle_connections_are_held_and_their_server_is_measured() {
    let (site, dir) = (Site::with_defaults(), Dir::new());
    let flags = format!("--ws idle -c 40 --duration 0.2 --pid {} --json {}/run.json", std::process::id(), dir.arg());
    let report = report(&site, &flags, "/echo");
    assert_eq!((value(&report, "Opened connections"), value(&report, "Failed connections")), (40.0, 0.0));
    assert!(value(&report, "Connects per second") > 0.0 && value(&report, "CPU per handshake") >= 0.0, "{report}");
    assert!(value(&report, "Handshake p50") <= value(&report, "Handshake max"), "{report}");
    assert!(report.contains("\nMemory per connection:  "), "{report}");
    let json = std::fs::read(dir.path().join("run.json")).expect("a file");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert!(json["cpu_seconds"].is_null(), "that of the hold says nothing of the opening: {json}");
}

#[test]
fn after_a_storm_all_are_back() {
    let site = Site::with_defaults();
    let report = report(&site, "--ws storm -c 50 --duration 8", "/echo");
    assert_eq!((value(&report, "Cut connections"), value(&report, "Back connections")), (50.0, 50.0));
    let [half, most, all] = ["Back 50%", "Back 99%", "Back 100%"].map(|label| value(&report, label));
    assert!(0.0 < half && half <= most && most <= all && all <= 8000.0, "{report}");
}

#[test]
fn members_of_the_chat_resume_after_a_storm() {
    let (site, dir) = (room(), Dir::new());
    report(&site, &format!("--ws fanout -c 2 --duration 0.1 {}", login(&site)), "/chat/?room=storm");
    let speech = format!("--ws fanout -c 2 --rate 200 --warmup 0.1 --duration 1 {}", login(&site));
    let storm = format!(
        "--ws storm --subprotocol squall.v1 -c 20 --warmup 0.3 --duration 8 --json {}/run.json --fail-if resumed<20 \
         --fail-if errors>0 {}",
        dir.arg(),
        login(&site)
    );
    // Another load speaks all the while, so entries are missed and have to come.
    let report = std::thread::scope(|scope| {
        let speaks = scope.spawn(|| report(&site, &speech, "/chat/?room=storm"));
        let report = report(&site, &storm, "/chat/?room=storm&since=1.deadbeef");
        speaks.join().expect("no panic");
        report
    });
    let counts = ["Cut connections", "Back connections", "Resumed connections"].map(|label| value(&report, label));
    assert_eq!(counts, [20.0; 3], "{report}");
    let json = std::fs::read(dir.path().join("run.json")).expect("a file");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["figures"]["not_resumed"]["value"], 0.0, "{json}");
}

#[test]
fn a_rate_of_connects_holds_in_the_opening_and_in_a_storm() {
    let site = Site::with_defaults();
    let report = report(&site, "--ws storm -c 20 --connect-rate 50 --duration 8", "/echo");
    assert_eq!((value(&report, "Opened connections"), value(&report, "Back connections")), (20.0, 20.0));
    // The last of 20 begins after 19 of 50 parts of a second, less what a busy loop makes up for.
    let rate = value(&report, "Connects per second");
    assert!(rate <= 20.0 / 0.36 && value(&report, "Back 100%") >= 360.0, "{report}");
}

#[test]
fn what_the_server_refuses_is_counted_and_said() {
    let site = Site::with_defaults();
    let (code, report, stderr) = bench(&site, "--ws idle -c 3", "/chat/");
    assert_eq!(
        (code, stderr.as_str()),
        (Some(1), "squall bench: no connection opened: the server refuses with status 401: does it need --login?\n")
    );
    assert!(!report.contains("Handshake p50"), "{report}");
    assert!(report.contains("\nRefused connections:    3\n   (401: 3)\n"), "{report}");
    let (code, report, _) = bench(&site, "--ws idle --subprotocol other.v1", "/echo");
    assert!(code == Some(1) && report.contains("\nFailed connections:     1\n   (handshake: 1)\n"), "{report}");
    assert!(
        report.contains("First failure:          the response opens no WebSocket: Sec-WebSocket-Protocol"),
        "{report}"
    );
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let (code, report, stderr) = run(&["bench", "-q", "--ws", "echo", &format!("ws://{}/", stub.address)]);
    assert!(code == Some(1) && report.contains("   (200: 1)\n") && !report.contains("  p100 "), "{report}");
    assert!(stderr.ends_with(" status 200: is the path a WebSocket?\n"), "{stderr}");
}

#[test]
fn a_server_that_stops_closes_with_its_code() {
    let site = Site::with_defaults();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bench(&site, "--ws idle -c 5 --duration 2", "/echo"));
        site.wait_until("five connections", |counts| counts.connections == 5);
        site.drain();
        let (code, report, _) = running.join().expect("no panic");
        assert!(code == Some(0) && report.contains("\nClosed connections:     5\n   (1001: 5)\n"), "{report}");
    });
}

#[test]
fn others_are_beside_those_that_take_part() {
    let site = Site::with_defaults();
    let report = report(&site, "--ws echo -c 2 --others 20 --others-path /echo?quiet --duration 0.1", "/echo");
    assert_eq!((value(&report, "Connections"), value(&report, "Opened connections")), (22.0, 22.0));
    assert!(value(&report, "Messages under way") == 2.0 && value(&report, "Round trips") > 0.0, "{report}");
}

#[cfg(feature = "tls")]
#[test]
fn a_wss_url_is_loaded_through_tls() {
    let files = certified();
    let flags = flags(&files);
    let site = Site::start(Limits::default(), &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let address = site.address;
    let modes = [
        ("echo --in-flight 4 --message-bytes 100K".to_owned(), "echo", "Round trips"),
        (format!("fanout --rate 5 --login https://{address}/login"), "chat/", "Messages delivered"),
        ("storm".to_owned(), "echo", "Back connections"),
    ];
    for (mode, path, counted) in modes {
        let url = format!("wss://{address}/{path}");
        let line = format!("bench -q --ws {mode} -c 6 --duration 0.5 {url}");
        let (code, report, stderr) = run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{mode}: {report}");
        assert!(report.contains("\nSSL/TLS Protocol:       TLSv1.3,"), "{report}");
        assert!(value(&report, "Opened connections") == 6.0 && value(&report, counted) >= 6.0, "{report}");
    }
    let (code, report, _) = bench(&site, "--ws idle", "/echo");
    assert!(code == Some(1) && value(&report, "Opened connections") == 0.0, "ws:// to a port of TLS: {report}");
}

#[test]
fn an_interrupt_ends_a_run_with_its_report() {
    let site = Site::with_defaults();
    let mut command = Command::new(PROGRAM);
    command.args([
        "bench",
        "-q",
        "--ws",
        "echo",
        "-c",
        "2",
        "--duration",
        "3600",
        &format!("ws://{}/echo", site.address),
    ]);
    let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    site.wait_until("two connections", |counts| counts.connections == 2);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    let output = child.wait_with_output().expect("it ends");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(interrupted.success() && output.status.code() == Some(1), "{:?}: {report}", output.status);
    assert!(report.contains("\nOpened connections:     "), "{report}");
}
