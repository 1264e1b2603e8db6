use super::*;
use crate::cli::bench::ws::testing::planned;

const URL: &str = "ws://127.0.0.1:9/room?a=b";

fn plan(flags: &str) -> Plan {
    planned(&format!("{flags} {URL}")).unwrap_or_else(|why| panic!("{flags}: {why}"))
}

#[test]
fn urls_of_websockets_are_those_of_http_with_another_scheme() {
    for (url, host, port, target, is_tls) in [
        ("ws://a.test", "a.test", 80, "/", false),
        ("WS://127.0.0.1:81/x?y", "127.0.0.1", 81, "/x?y", false),
        ("wss://[::1]/", "::1", 443, "/", true),
    ] {
        let parsed = parse_url(url).unwrap_or_else(|why| panic!("{url}: {why}"));
        assert_eq!((parsed.host.as_str(), parsed.port, parsed.target.as_str()), (host, port, target), "{url}");
        assert_eq!(parsed.scheme == Scheme::Https, is_tls);
        assert!(is_websocket(url));
    }
    assert!(!is_websocket("http://a.test/") && !is_websocket("a.test"));
}

#[test]
fn flags_without_a_meaning_are_refused() {
    for (flags, says) in [
        ("ws://127.0.0.1:9/", "needs --ws echo"),
        ("--ws echo http://127.0.0.1:9/", "begins with ws:// or wss://"),
        ("--ws echo", "there is no URL"),
        ("--ws echo ws://", "host"),
        ("--ws shout ws://127.0.0.1:9/", "echo, fanout, idle, storm"),
        ("--ws echo -n 5 ws://127.0.0.1:9/", "cannot be used with"),
        ("--ws echo -k ws://127.0.0.1:9/", "cannot be used with"),
        ("--ws echo --threads 2 ws://127.0.0.1:9/", "cannot be used with"),
        ("--in-flight 2 http://127.0.0.1:9/", "required arguments were not provided"),
        ("--ws idle --in-flight 2 ws://127.0.0.1:9/", "--in-flight goes with --ws echo"),
        ("--ws storm --message-bytes 9 ws://127.0.0.1:9/", "--message-bytes goes with --ws echo or fanout"),
        ("--ws idle --message /dev/null ws://127.0.0.1:9/", "--message goes with --ws echo or fanout"),
        ("--ws echo --senders 2 ws://127.0.0.1:9/", "--senders goes with --ws fanout"),
        ("--ws echo --rate 2 ws://127.0.0.1:9/", "--rate goes with --ws fanout"),
        ("--ws echo --slow 2 ws://127.0.0.1:9/", "--slow goes with --ws fanout"),
        ("--ws fanout -c 3 --senders 4 ws://127.0.0.1:9/", "--senders 4 is more than the 3 members"),
        ("--ws fanout --slow 99 -c 10 ws://127.0.0.1:9/", "--slow leaves none of the 10"),
        ("--ws fanout --slow 100 ws://127.0.0.1:9/", "expected percent"),
        ("--ws fanout --message-bytes 32 ws://127.0.0.1:9/", "less than a stamp of 33"),
        ("--ws fanout -c 15000 --senders 15000 ws://127.0.0.1:9/", "pairs: give fewer"),
        ("--ws echo --message-bytes 65M ws://127.0.0.1:9/", "is more than 67108864"),
        ("--ws echo --message-bytes 64M --in-flight 17 ws://127.0.0.1:9/", "would be under way"),
        ("--ws fanout --message-bytes 32M -c 33 --senders 33 ws://127.0.0.1:9/", "would be under way"),
        ("--ws echo --message /none/such ws://127.0.0.1:9/", "/none/such: No such file"),
        ("--ws echo --message /dev/null ws://127.0.0.1:9/", "is empty"),
        ("--ws echo --message a --message-bytes 2 ws://127.0.0.1:9/", "cannot be used with"),
        ("--ws idle --logins 2 --login http://127.0.0.1:9/ ws://127.0.0.1:9/", "--logins 2 is more than the 1"),
        ("--ws idle --logins 1 ws://127.0.0.1:9/", "required arguments were not provided"),
        ("--ws idle --login ftp://a.test/ ws://127.0.0.1:9/", "--login ftp://a.test/"),
        ("--ws idle --pid 4294967295 ws://127.0.0.1:9/", "there is no such process"),
        ("--ws idle --subprotocol a,b ws://127.0.0.1:9/", "expected a name"),
        ("--ws idle -H Upgrade:h2c ws://127.0.0.1:9/", "-H upgrade: the handshake has this field itself"),
        ("--ws idle -H Sec-WebSocket-Key:x ws://127.0.0.1:9/", "the handshake has this field itself"),
        ("--ws idle --others 1 --others-path http://b.test/ ws://127.0.0.1:9/", "is not a path"),
    ] {
        let why = planned(flags).expect_err(flags);
        assert!(why.contains(says), "{flags}: {why}");
    }
}

#[test]
fn slow_members_are_spread_and_others_come_first() {
    let plan = plan("--ws fanout -c 10 --slow 30 --others 2");
    let letters: String = (0..plan.all())
        .map(|slot| match plan.role(slot) {
            Role::Other => 'o',
            Role::Slow => 's',
            Role::Active => '.',
        })
        .collect();
    assert_eq!(letters, "oo...s..s..s");
}

#[test]
fn names_of_a_run_are_told_apart_from_those_of_others() {
    let plan = plan("--ws idle -c 3 --login http://127.0.0.1:8/login");
    let login = plan.login.as_ref().expect("a login");
    let request = String::from_utf8(login.request(2)).expect("text");
    assert!(request.ends_with("username=bench-abcdef-3") && request.contains("\r\nConnection: close\r\n"), "{request}");
    assert!(request.contains("\r\nContent-Type: application/x-www-form-urlencoded\r\n"), "{request}");
}

#[test]
fn a_run_takes_ten_seconds_or_what_it_is_given() {
    let seconds = Duration::from_secs;
    let timing = |flags: &str| plan(flags).timing;
    let usual = Timing { warmup: Duration::ZERO, duration: seconds(10), rate: None, connect_rate: None };
    assert_eq!(timing("--ws idle"), usual);
    assert_eq!(timing("--ws idle -t 3"), Timing { duration: seconds(3), ..usual });
    let given = Timing { warmup: seconds(2), duration: seconds(4), rate: Some(5.0), connect_rate: Some(0.5) };
    assert_eq!(timing("--ws fanout --warmup 2 --duration 4 --rate 5 --connect-rate 0.5"), given);
}

#[test]
fn what_is_no_text_is_echoed_as_binary_and_not_said_in_a_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("message");
    std::fs::write(&path, [0xff, 0xfe]).expect("a file");
    let flags = |mode: &str| format!("--ws {mode} --message {} {URL}", path.display());
    let echo = planned(&flags("echo")).expect("a plan");
    assert_eq!(echo.message, Message::Echo(EchoMessage::File(vec![0xff, 0xfe])));
    assert!(planned(&flags("fanout")).is_err_and(|why| why.contains("not UTF-8")));
}
