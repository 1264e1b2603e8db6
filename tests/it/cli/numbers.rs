//! Numbers and addresses on the command line, and what is said of those that cannot be meant.

use super::run;
use crate::support::{Child, Client, get};

#[test]
fn bytes_may_have_a_unit() {
    for [buffers, lag] in [["256M", "4M"], ["1G", "512k"], ["64MiB", "64KiB"], ["4G", "1GiB"], ["268435456", "1"]] {
        let child = Child::start(&["--buffer-max", buffers, "--lag-max", lag], &[]);
        assert_eq!(get(child.address, "/plaintext").status, 200, "{buffers} {lag}");
    }
    let child = Child::start(&[], &[("SQUALL_BUFFER_MAX", "100K"), ("SQUALL_LAG_MAX", "10k")]);
    assert_eq!(get(child.address, "/plaintext").status, 200);
}

#[test]
fn a_unit_is_counted() {
    let head = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 5000\r\n\r\n";
    for (most, is_too_much) in [("1K", true), ("1000K", false)] {
        let child = Child::start(&["--buffer-max", most], &[]);
        let mut client = Client::connect(child.address);
        client.send(format!("{head}{}", "x".repeat(2_000)));
        match is_too_much {
            true => assert_eq!(client.response().status, 503, "{most}"),
            false => {
                client.send("x".repeat(3_000));
                assert_eq!(client.response().status, 400, "{most}: the form has no name");
            }
        }
    }
}

#[test]
fn impossible_byte_counts_are_refused_with_a_sentence() {
    for flag in ["--buffer-max", "--lag-max"] {
        for bad in
            ["", "0", "0K", "-1", "+5", "1.5G", "256 M", "256MB", "M", "1KK", "0x10", "1_000", "１", "1e6", "many"]
        {
            let (code, _, stderr) = run(&[&format!("{flag}={bad}")]);
            let said = code == Some(2) && stderr.contains(flag) && stderr.contains("such as 1048576, 512K, 256M or 4G");
            assert!(said && !stderr.contains("invalid digit"), "{flag} {bad}: {stderr}");
        }
        for large in ["99999999999999999999", "18446744073709551615", "9999999G", "18014398509481984K"] {
            let (code, _, stderr) = run(&[flag, large]);
            assert!(code == Some(2) && stderr.contains("1024G"), "{flag} {large}: {stderr}");
        }
    }
    let (code, _, stderr) = run(&["fetch", "--body-max", "64MB", "a.test"]);
    assert!(code == Some(2) && stderr.contains("such as 1048576"), "{stderr}");
}

#[test]
fn an_impossible_count_is_refused_with_a_sentence() {
    for args in [
        &["--search-max", "many"][..],
        &["--search-max", "1K"],
        &["--search-max", ""],
        &["--upstream-idle", "-"],
        &["--max-connections", "0"],
        &["--max-connections", "99999999999999999999"],
        &["fetch", "--concurrency", "all", "a.test"],
        &["fetch", "--redirects", "x", "a.test"],
    ] {
        let (code, _, stderr) = run(args);
        assert!(code == Some(2) && stderr.contains("expected a whole number from "), "{args:?}: {stderr}");
    }
}

#[test]
fn a_name_that_is_not_found_is_said_to_be_one() {
    for name in ["nosuch.invalid:8888", "no-such-host.invalid:0", "999.1.1.1:80"] {
        let (code, _, stderr) = run(&["--listen", name]);
        let host = name.split(':').next().unwrap();
        let said = code == Some(2) && stderr.contains(host) && stderr.contains("was not found");
        assert!(said && !stderr.contains("expected ADDRESS:PORT"), "{name}: {stderr}");
    }
    let tls = ["--tls-cert", "x", "--tls-key", "x"];
    let (code, _, stderr) = run(&[&["--redirect-http", "nosuch.invalid:80"][..], &tls].concat());
    assert!(code == Some(2) && stderr.contains("was not found"), "{stderr}");
}

#[test]
fn an_address_of_no_form_is_refused_for_its_form() {
    for form in [
        "nonsense",
        "8888",
        ":8888",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:+80",
        "127.0.0.1:65536",
        "[::1]",
        "[::1:8888",
        "http://127.0.0.1:8888",
        "*:8888",
        "a b:80",
        "unix:/run/squall.sock",
    ] {
        let (code, _, stderr) = run(&["--listen", form]);
        assert!(code == Some(2) && stderr.contains("expected ADDRESS:PORT"), "{form}: {stderr}");
    }
}

#[test]
fn a_name_with_an_address_is_listened_on() {
    let data = crate::support::Dir::new();
    let mut command = std::process::Command::new(crate::support::child::PROGRAM);
    command.args(["--listen", "localhost:0", "--data-dir", data.arg()]);
    let child = Child::run(command, data, 1);
    assert!(child.address.ip().is_loopback());
    assert_eq!(get(child.address, "/plaintext").status, 200);
}

#[test]
fn more_connections_than_open_files_are_warned_about() {
    let warned = |limit: u32, args: &[&str]| {
        let child = Child::with_open_files(limit, args);
        let stderr = child.last_words();
        let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("WARN")).collect();
        assert!(lines.len() <= 1, "{stderr}");
        lines.first().is_some_and(|line| line.contains("open files"))
    };
    assert!(warned(1000, &["--max-connections", "1001"]));
    assert!(warned(1000, &["--max-connections", "100000"]));
    assert!(warned(1000, &["--max-connections", "900"]), "searches need some, too");
    assert!(!warned(1000, &["--max-connections", "900", "--search-max", "10", "--upstream-idle", "10"]));
    assert!(!warned(1000, &["--max-connections", "500"]));
    assert!(!warned(1000, &[]));
    assert!(warned(1000, &["--search-max", "2000"]));
}
