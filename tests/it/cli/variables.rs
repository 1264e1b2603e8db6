//! Environment variables: blank ones count as unset, unknown ones are named.

use super::run_with;
use crate::support::child::PROGRAM;
use crate::support::{Child, Dir, Stub, get};
use std::process::Command;

/// Every variable that the help of `squall serve` names.
fn variables() -> Vec<String> {
    let (_, help, _) = super::run(&["serve", "--help"]);
    let names = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next());
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() >= 20, "{names:?}");
    names
}

#[test]
fn blank_variables_are_as_if_unset() {
    let names = variables();
    for value in ["", " ", "\t \n"] {
        let data = Dir::new();
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0"]).current_dir(data.path());
        command.envs(names.iter().map(|name| (name.as_str(), value)));
        let child = Child::run(command, data, 1);
        assert_eq!(get(child.address, "/plaintext").text(), "Hello, World!", "{value:?}");
        let stderr = child.last_words();
        assert!(!stderr.contains("WARN"), "{value:?}: {stderr}");
    }
}

#[test]
fn each_blank_variable_alone_is_as_if_unset() {
    for name in variables() {
        let data = Dir::new();
        let mut command = Command::new(PROGRAM);
        command.current_dir(data.path()).env(&name, "");
        if name != "SQUALL_LISTEN" {
            command.env("SQUALL_LISTEN", "127.0.0.1:0");
        }
        command.arg("serve");
        if name == "SQUALL_LISTEN" {
            // The default port may be taken: this line ends before it listens.
            command.args(["--redirect-http", "127.0.0.1:0"]);
            let (code, _, stderr) = run_with(command);
            assert!(code == Some(2) && stderr.contains("--tls-cert") && !stderr.contains("listen"), "{stderr}");
            continue;
        }
        let child = Child::run(command, data, 1);
        assert_eq!(get(child.address, "/plaintext").status, 200, "{name}");
    }
}

#[test]
fn a_blank_variable_is_unset_for_fetch_too() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for value in ["", "  "] {
        let mut command = Command::new(PROGRAM);
        command.args(["fetch", &stub.address.to_string()]).env("SQUALL_CA_FILE", value).env("SQUALL_TLS_CERT", value);
        let (code, stdout, stderr) = run_with(command);
        assert!(code == Some(0) && stdout.contains("HTTP/1.1 200 OK"), "{value:?}: {stderr}");
    }
}

#[test]
fn a_variable_with_a_value_still_counts() {
    let mut command = Command::new(PROGRAM);
    command.env("SQUALL_TLS_CERT", "x").env("SQUALL_TLS_KEY", "");
    let (code, _, stderr) = run_with(command);
    assert!(code == Some(2) && stderr.contains("--tls-key"), "half of a pair: {stderr}");
    let mut command = Command::new(PROGRAM);
    let (code, _, stderr) = run_with({
        command.env("SQUALL_SEARCH_MAX", " 7");
        command
    });
    assert!(code == Some(2) && stderr.contains("--search-max"), "{stderr}");
}

#[test]
fn a_wrong_variable_is_named_and_not_only_its_flag() {
    for (args, env, named) in [
        (&[][..], &[("SQUALL_LAG_MAX", "lots")][..], true),
        (&["serve"], &[("SQUALL_LAG_MAX", "lots")], true),
        (&["--lab"], &[("SQUALL_LAG_MAX", "lots"), ("SQUALL_WWW", "")], true),
        (&["serve"], &[("SQUALL_TLS_CERT", "x"), ("SQUALL_LAG_MAX", "1K")], true),
        (&["--lag-max", "lots"], &[("SQUALL_BUFFER_MAX", "1K")], false),
    ] {
        let mut command = Command::new(PROGRAM);
        command.args(args).envs(env.iter().copied());
        let (code, _, stderr) = run_with(command);
        assert!(code == Some(2) && stderr.starts_with("error: "), "{stderr}");
        assert_eq!(stderr.contains("SQUALL_LAG_MAX"), named, "{env:?}: {stderr}");
        assert!(!stderr.contains("SQUALL_WWW"), "{stderr}");
    }
}

#[test]
fn the_help_names_a_variable_that_is_blank() {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--help"]).env("SQUALL_TLS_CERT", "").env("SQUALL_LAB", " ");
    let (code, help, _) = run_with(command);
    assert!(code == Some(0) && help.contains("SQUALL_TLS_CERT") && help.contains("SQUALL_LAB"), "{help}");
}

#[test]
fn a_blank_level_of_the_log_is_the_default() {
    for value in ["", " "] {
        let child = Child::start(&[], &[("RUST_LOG", value), ("SQUALL_LIFTEN", "x")]);
        let stderr = child.last_words();
        assert!(stderr.contains("WARN"), "{value:?}: {stderr}");
    }
}

/// As `src/doc/reading.md` shows it.
#[test]
fn trace_prints_the_way_of_a_request() {
    let child = Child::start(&[], &[("RUST_LOG", "squall=trace")]);
    assert_eq!(get(child.address, "/plaintext").status, 200);
    let stderr = child.last_words();
    let mut rest = stderr.as_str();
    for words in [
        "turn begins with 1 events of the kernel",
        "Connection(#0.1) is Ready { input: Readable",
        "#0.1 was read: ",
        "#0.1 requests GET /plaintext",
        "#0.1 is sent the response 200",
        "#0.1 is written ",
        "turn ends, to wait for ",
    ] {
        let at = rest.find(words).unwrap_or_else(|| panic!("{words:?} does not follow in {stderr}"));
        rest = &rest[at + words.len()..];
    }
}

/// The lines about variables that a server says at its start.
fn warnings(env: &[(&str, &str)]) -> Vec<String> {
    let stderr = Child::start(&[], env).last_words();
    stderr.lines().filter(|line| line.contains("WARN")).map(str::to_owned).collect()
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest() {
    for (name, nearest) in [
        ("SQUALL_LISEN", "SQUALL_LISTEN"),
        ("SQUALL_TLS_CERTIFICATE", "SQUALL_TLS_CERT"),
        ("SQUALL_MAX_CONNECTION", "SQUALL_MAX_CONNECTIONS"),
        ("SQUALL_COOKIE_SECRET", "SQUALL_COOKIE_SECRET_FILE"),
        ("squall_lag_max", "SQUALL_LAG_MAX"),
        ("Squall_Lag_Max", "SQUALL_LAG_MAX"),
    ] {
        let lines = warnings(&[(name, "x")]);
        assert!(lines.len() == 1 && lines[0].contains(name) && lines[0].contains(nearest), "{name}: {lines:?}");
    }
    let lines = warnings(&[("SQUALL_ZZZZZZ", "x")]);
    assert!(lines.len() == 1 && lines[0].contains("SQUALL_ZZZZZZ") && !lines[0].contains("SQUALL_L"), "{lines:?}");
    let lines = warnings(&[("SQUALL_A\nB\x1b[31m", "x")]);
    assert!(lines.len() == 1 && !lines[0].contains('\x1b'), "one line without escapes: {lines:?}");
}

#[test]
fn variables_that_are_not_ours_are_not_named() {
    for name in ["SQUALLS_LISTEN", "MYSQUALL_X", "SQUALL", "LISTEN", "SQUALL_BLANK"] {
        let value = if name == "SQUALL_BLANK" { " " } else { "x" };
        assert_eq!(warnings(&[(name, value)]), Vec::<String>::new(), "{name}");
    }
    // What Kubernetes sets in every container beside a Service named squall.
    let links = [
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("SQUALL_SERVICE_HOST", "10.0.0.2"),
        ("SQUALL_SERVICE_PORT", "8888"),
        ("SQUALL_SERVICE_PORT_HTTP", "8888"),
        ("SQUALL_PORT", "tcp://10.0.0.2:8888"),
        ("SQUALL_PORT_8888_TCP", "tcp://10.0.0.2:8888"),
        ("SQUALL_PORT_8888_TCP_ADDR", "10.0.0.2"),
    ];
    assert_eq!(warnings(&links), Vec::<String>::new());
    assert_eq!(warnings(&[("SQUALL_PORT", "8888")]).len(), 1, "a port was meant by it");
}

#[test]
fn fetch_names_an_unknown_variable_too() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let mut command = Command::new(PROGRAM);
    command.args(["fetch", &stub.address.to_string()]).env("SQUALL_CAFILE", "x");
    let (code, _, stderr) = run_with(command);
    assert!(code == Some(0) && stderr.contains("SQUALL_CA_FILE"), "{stderr}");
}
