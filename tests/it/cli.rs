//! The program as it is started by people: flags, lines, exit codes.

#[cfg(feature = "bench")]
mod bench;
#[cfg(feature = "bench")]
mod bench_files;
#[cfg(feature = "bench")]
mod bench_sockets;
#[cfg(all(feature = "bench", feature = "tls"))]
mod bench_tls;
#[cfg(feature = "bench")]
mod bench_ws;
mod cookie;
mod fetch;
#[cfg(feature = "history")]
mod history;
mod log_file;
#[cfg(feature = "bench")]
mod models;
mod numbers;
mod operator;
mod secrets;
mod variables;
mod verify;

use crate::support::child::PROGRAM;
use crate::support::{Child, Client, Dir, PATIENCE, Site, Stub, get, login, ms, wait_for};
use squall::config::Limits;
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;

/// Runs the program to its end.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(PROGRAM);
    command.args(args);
    run_with(command)
}

/// Runs a command to its end: exit code, standard output, standard error. One that goes on and on is ended.
fn run_with(mut command: Command) -> (Option<i32>, String, String) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let (pid, (tell, told)) = (child.id().to_string(), channel());
    std::thread::spawn(move || tell.send(child.wait_with_output().expect("it ends")));
    let output = told.recv_timeout(PATIENCE).or_else(|_| {
        let _ = Command::new("kill").args(["-s", "KILL", &pid]).status();
        told.recv()
    });
    let Output { status, stdout, stderr } = output.expect("it has ended");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn every_listener_has_a_line_with_the_port_it_got() {
    let data = Dir::new();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--data-dir", data.arg()]);
    let child = Child::run(command, data, 2);
    let [first, second] = child.addresses[..] else { panic!("two lines") };
    assert!(first.port() != 0 && second.port() != 0 && first != second);
    for address in [first, second] {
        assert_eq!(get(address, "/plaintext").text(), "Hello, World!");
    }
}

#[test]
fn a_listener_may_have_an_address_of_ipv6() {
    if let Err(e) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        eprintln!("skipped: this machine allows no listener on ::1: {e}");
        return;
    }
    let data = Dir::new();
    let mut command = Command::new(PROGRAM);
    command.args(["--listen", "[::1]:0", "--data-dir", data.arg()]);
    // A reader of the line takes `[::1]:PORT` out of it.
    let child = Child::run(command, data, 1);
    assert!(child.address.is_ipv6() && child.address.port() != 0, "{}", child.address);
    assert_eq!(get(child.address, "/plaintext").text(), "Hello, World!");
    let field = format!("Host: {0}\r\nOrigin: http://{0}\r\n", child.address);
    let wire = crate::support::frames::handshake("/echo", "").replace("Host: squall\r\n", &field);
    assert_eq!(Client::connect(child.address).ask(wire).status, 101, "its own origin");
}

#[test]
fn a_port_in_use_says_what_to_do_and_ends_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = Dir::new();
    let (code, stdout, stderr) = run(&["--listen", &address, "--data-dir", data.arg()]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    for part in [address.as_str(), "in use", "--listen", "another port"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn a_full_standard_error_does_not_change_the_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    for args in [&["--listen", &taken][..], &["--www", "/no/such"], &["fetch", "http://"], &["fetch", "--no-such"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
        let mut squall = Command::new(PROGRAM);
        let status = squall.args(args).stdout(Stdio::null()).stderr(full).status().expect("it runs");
        assert_eq!(status.code(), run(args).0, "{args:?}");
    }
}

#[test]
fn an_address_of_another_host_ends_with_1() {
    let data = Dir::new();
    let (code, _, stderr) = run(&["--listen", "192.0.2.1:0", "--data-dir", data.arg()]);
    assert!(code == Some(1) && stderr.contains("no such address"), "{stderr}");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for args in [
        &["--no-such-flag"][..],
        &["--listen", "nonsense"],
        &["--listen", "127.0.0.1"],
        &["--search-max", "0"],
        &["--keep-alive", "-1"],
        &["--keep-alive", "0.9"],
        &["--keep-alive", "soon"],
        &["--allow-origin", "null"],
        &["--allow-origin", "friend.example"],
        &["--allow-origin", "https://friend.example/"],
        &["--allow-origin", "https://friend.example,friend://friend.example/"],
        &["--message-rate", "fast"],
        &["--search-url", "http://localhost/"],
        &["--search-url", "http://localhost/?a={}&b={}"],
        &["--search-url", "nonsense {}"],
        &["--search-url", "http://{}.localhost/"],
        &["--search-url", "http://localhost:{}/"],
        &["--search-url", "http:///{}"],
        &["--cookie-secure", "never"],
        &["no-such-command"],
        &["fetch"],
    ] {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
}

#[test]
fn help_names_units_defaults_and_environment_variables() {
    let (code, help, _) = run(&["serve", "--help"]);
    assert_eq!(code, Some(0));
    for part in [
        "--listen",
        "SQUALL_LISTEN",
        "[default: 127.0.0.1:8888]",
        "--keep-alive",
        "Seconds",
        "[default: 15]",
        "--lag-max",
        "Bytes",
        "[default: 4M]",
        "--message-rate",
        "a second",
        "[default: ./squall-data]",
        "--search-url",
        "{}",
        "--max-connections",
        "[default: 256]",
        "--access-log",
        "--allow-origin",
        "--drain",
        "--lab",
    ] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert_eq!(run(&["--help"]).0, Some(0));
    assert_eq!(run(&["--version"]).1, format!("squall {}\n", env!("CARGO_PKG_VERSION")));
    assert!(run(&["fetch", "--help"]).1.contains("HOST|URL"));
}

#[test]
fn flags_are_variables_too_and_lists_have_commas() {
    let data = Dir::new();
    let mut command = Command::new(PROGRAM);
    command.env("SQUALL_LISTEN", "127.0.0.1:0,127.0.0.1:0").env("SQUALL_DATA_DIR", data.arg());
    command.env("SQUALL_LAB", "true").env("SQUALL_ALLOW_ORIGIN", "http://a.example,http://b.example");
    let child = Child::run(command, data, 2);
    assert_eq!(get(child.address, "/block?seconds=0").status, 200);
    for (name, status) in [("a", 303), ("b", 303), ("c", 403)] {
        let field = format!("Origin: http://{name}.example\r\n");
        assert_eq!(crate::support::client::post_login(child.address, name, &field).status, status);
    }
}

#[test]
fn a_flag_without_a_value_is_on_or_off_in_the_environment() {
    let status = |value: &str, command: &str| {
        let data = Dir::new();
        let mut program = Command::new(PROGRAM);
        program.args([command, "--listen", "127.0.0.1:0", "--data-dir", data.arg()]);
        program.env("SQUALL_LAB", value).env("SQUALL_ALLOW_PRIVATE", value);
        get(Child::run(program, data, 1).address, "/block?seconds=0").status
    };
    for (value, wanted) in
        [("1", 200), ("true", 200), ("yes", 200), ("on", 200), ("0", 404), ("false", 404), ("no", 404), ("off", 404)]
    {
        assert_eq!(status(value, "serve"), wanted, "{value}");
    }
    let mut program = Command::new(PROGRAM);
    let Output { status, stderr, .. } = program.env("SQUALL_LAB", "perhaps").output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.code() == Some(2) && stderr.contains("perhaps"), "{stderr}");
}

#[test]
fn allowed_origin_may_be_written_in_any_form() {
    let child = Child::start(&["--allow-origin", "HTTPS://Friend.Example:443"], &[]);
    for (name, origin, status) in [
        ("ann", "https://friend.example", 303),
        ("bob", "https://FRIEND.example:443", 303),
        ("eve", "http://friend.example", 403),
        ("eve", "https://friend.example:444", 403),
        ("eve", "null", 403),
    ] {
        let field = format!("Origin: {origin}\r\n");
        assert_eq!(crate::support::client::post_login(child.address, name, &field).status, status, "{origin}");
    }
}

#[test]
fn secret_is_made_once_and_readable_by_its_owner_only() {
    let data = Dir::new();
    let start = || {
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", data.path().join("new").to_str().unwrap()]);
        Child::run(command, Dir::new(), 1)
    };
    let child = start();
    let file = data.path().join("new/cookie-secret");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = std::fs::read(&file).unwrap();
    let digits = secret.strip_suffix(b"\n").unwrap_or(&secret);
    assert_eq!(digits.len(), 64);
    assert!(digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));

    let cookie = login(child.address, "ann");
    drop(child);
    let child = start();
    assert_eq!(std::fs::read(&file).unwrap(), secret);
    let ask = format!("GET /chat/ HTTP/1.1\r\nHost: squall\r\nCookie: {cookie}\r\n\r\n");
    assert_eq!(Client::connect(child.address).ask(ask).status, 200, "the cookie outlives the process");
}

#[test]
fn secret_file_is_shared_and_its_last_line_end_ignored() {
    let dir = Dir::new();
    dir.write("plain", "a secret that is shared");
    dir.write("line", "a secret that is shared\n");
    let [plain, line] = ["plain", "line"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
    let first = Child::start(&["--cookie-secret-file", &plain], &[]);
    let second = Child::start(&["--cookie-secret-file", &line], &[]);
    let cookie = login(first.address, "ann");
    let ask = format!("GET /chat/ HTTP/1.1\r\nHost: squall\r\nCookie: {cookie}\r\n\r\n");
    assert_eq!(Client::connect(second.address).ask(ask).status, 200);

    let missing = dir.path().join("missing");
    let (code, _, stderr) = run(&["--listen", "127.0.0.1:0", "--cookie-secret-file", missing.to_str().unwrap()]);
    assert!(code == Some(1) && stderr.contains("missing"), "{stderr}");
}

#[test]
fn broken_template_is_named_and_ends_with_1() {
    let www = Dir::new();
    www.write("pages/index.html", "{% if %}");
    let data = Dir::new();
    let (code, _, stderr) = run(&["--listen", "127.0.0.1:0", "--data-dir", data.arg(), "--www", www.arg()]);
    assert!(code == Some(1) && stderr.contains("index.html"), "{stderr}");
}

#[test]
fn responses_are_logged_in_the_combined_format() {
    let dir = Dir::new();
    let log = dir.path().join("access.log");
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let flag = stub.flag();
    let child = Child::start(&["--access-log", log.to_str().unwrap(), &flag[0], &flag[1]], &[]);
    let mut client = Client::connect(child.address);
    let fields = "Host: squall\r\nUser-Agent: me \"quoted\"\r\nReferer: http://squall/\r\n";
    client.ask(format!("GET /plaintext?a=%20b HTTP/1.1\r\n{fields}\r\n"));
    client.send("HEAD /nowhere HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client.head();
    client.ask("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    client.ask("nonsense\r\n\r\n");

    let lines = wait_for("four lines", || {
        let text = std::fs::read_to_string(&log).ok()?;
        (text.lines().count() == 4).then_some(text)
    });
    let lines: Vec<&str> = lines.lines().collect();
    let without_time: Vec<String> = lines
        .iter()
        .map(|line| {
            let (before, rest) = line.split_once('[').expect("a time");
            let (time, after) = rest.split_once(']').expect("its end");
            // 24/Nov/2026:10:53:20 +0000
            assert!(time.len() == 26 && time.ends_with(" +0000") && time.as_bytes()[2] == b'/', "{time}");
            format!("{before}[]{after}")
        })
        .collect();
    assert_eq!(
        without_time,
        [
            "127.0.0.1 - - [] \"GET /plaintext?a=%20b HTTP/1.1\" 200 13 \"http://squall/\" \"me \\\"quoted\\\"\"",
            "127.0.0.1 - - [] \"HEAD /nowhere HTTP/1.0\" 404 0 \"-\" \"-\"",
            "127.0.0.1 - - [] \"GET /search?wd=x HTTP/1.1\" 200 5 \"-\" \"-\"",
            lines_of_nonsense(&without_time),
        ]
    );
}

/// The line of what was no request: its status is 400, its size that of the text.
fn lines_of_nonsense(lines: &[String]) -> &str {
    assert!(
        lines[3].starts_with("127.0.0.1 - - [] \"nonsense\" 400 ") && lines[3].ends_with(" \"-\" \"-\""),
        "{}",
        lines[3]
    );
    &lines[3]
}

#[test]
fn an_unknown_method_is_logged_as_it_came() {
    let dir = Dir::new();
    let log = dir.path().join("access.log");
    let child = Child::start(&["--access-log", log.to_str().unwrap()], &[]);
    let mut client = Client::connect(child.address);
    let long = "X".repeat(4_000);
    for method in ["BREW", "get", "PROPFIND", "!#$%&'*+-.^_`|~", "CONNECT", long.as_str()] {
        let target = if method == "CONNECT" { "squall:80" } else { "/plaintext" };
        assert_eq!(
            client.ask(format!("{method} {target} HTTP/1.1\r\nHost: squall:80\r\n\r\n")).status,
            501,
            "{method}"
        );
    }
    let text = wait_for("six lines", || {
        let text = std::fs::read_to_string(&log).ok()?;
        (text.lines().count() == 6).then_some(text)
    });
    for begin in
        ["\"BREW /plaintext", "\"get /", "\"PROPFIND /", "\"!#$%&'*+-.^_`|~ /", "\"CONNECT squall:80 ", "\"XXXX"]
    {
        assert!(text.contains(begin), "{begin}: {text}");
    }
    assert!(text.lines().all(|line| line.len() < 3 << 10 && line.contains(" 501 ")), "{text}");
}

#[test]
fn responses_of_the_server_itself_are_logged_too() {
    let dir = Dir::new();
    let log = dir.path().join("access.log");
    let limits = Limits { body_within: ms(50), ..Limits::default() };
    let site = Site::start(limits, &["--buffer-max", "1000", "--access-log", log.to_str().unwrap()]);
    let post =
        |n: usize| format!("POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 5000\r\n\r\n{}", "x".repeat(n));
    assert_eq!(Client::connect(site.address).ask(post(10)).status, 408);
    assert_eq!(Client::connect(site.address).ask(post(2000)).status, 503);
    let handshake = crate::support::frames::handshake("/echo", "");
    assert_eq!(Client::connect(site.address).ask(handshake).status, 101);
    wait_for("three lines", || {
        let text = std::fs::read_to_string(&log).ok()?;
        [" 408 ", " 503 ", "\"GET /echo HTTP/1.1\" 101 "].iter().all(|part| text.contains(part)).then_some(())
    });
}

#[test]
fn the_access_log_may_be_standard_error() {
    let child = Child::start(&["--access-log", "-"], &[]);
    get(child.address, "/plaintext");
    wait_for("the line", || child.stderr().contains("\"GET /plaintext HTTP/1.1\" 200 13 ").then_some(()));
}
