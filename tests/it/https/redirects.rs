//! `--redirect-http`: the one plain listener redirects every request to https, and does nothing else.

use super::{ASK, connect, serves};
use crate::support::child::PROGRAM;
use crate::support::frames::handshake;
use crate::support::tls_client::{certified, flags};
use crate::support::{Child, Client, Dir};
use std::net::SocketAddr;
use std::process::Command;

/// A server with its plain listener, and where that is.
fn start(args: &[&str]) -> (Child, SocketAddr, Dir) {
    let (files, data) = (certified(), Dir::new());
    let mut command = Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--redirect-http", "127.0.0.1:0", "--data-dir", data.arg()]);
    command.args(flags(&files)).args(args);
    let child = Child::run(command, data, 2);
    let plain = child.addresses[1];
    (child, plain, files)
}

#[test]
fn everything_is_sent_to_the_same_place_on_https() {
    let (child, plain, _files) = start(&[]);
    let port = child.address.port();
    // All of it on one connection.
    let mut client = Client::connect(plain);
    for (line, host, location) in [
        ("GET /", "localhost", format!("https://localhost:{port}/")),
        ("GET /a/b?c=d&e", "localhost:80", format!("https://localhost:{port}/a/b?c=d&e")),
        ("DELETE /plaintext", "127.0.0.1", format!("https://127.0.0.1:{port}/plaintext")),
        ("BREW //evil.example/", "[::1]:99", format!("https://[::1]:{port}//evil.example/")),
        ("OPTIONS *", "a.example", format!("https://a.example:{port}/")),
        ("GET http://b.example:81/x", "b.example:81", format!("https://b.example:{port}/x")),
    ] {
        let response = client.ask(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!((response.status, response.field("location")), (308, Some(location.as_str())), "{line} {host}");
        assert_eq!(response.field("strict-transport-security"), None);
        assert_eq!(response.field("set-cookie"), None);
    }
    client.send("HEAD /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.head();
    assert_eq!(head.status, 308);
    let post = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\nusername=ann";
    let response = client.ask(post);
    assert_eq!((response.status, response.field("set-cookie")), (308, None));
    let upgrade = client.ask(handshake("/echo", "").replace("Host: squall", "Host: localhost"));
    let location = format!("https://localhost:{port}/echo");
    assert_eq!((upgrade.status, upgrade.field("location")), (308, Some(location.as_str())));
    assert_eq!(upgrade.field("upgrade"), None);
    // And where it leads, there is what was asked for.
    serves(&mut connect(child.address));
}

#[test]
fn pipelined_requests_are_redirected_in_their_order() {
    let (_child, plain, _files) = start(&[]);
    let wire: String = (0..500).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    let mut client = Client::connect(plain);
    client.send(wire);
    for n in 0..500 {
        let response = client.response();
        assert!(response.field("location").is_some_and(|to| to.ends_with(&format!("/{n}"))), "{n}");
    }
}

#[test]
fn an_invalid_host_is_not_redirected() {
    let (_child, plain, _files) = start(&[]);
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: <b>\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ] {
        let mut client = Client::connect(plain);
        let response = client.ask(head);
        assert_eq!((response.status, response.field("location")), (400, None), "{head:?}");
    }
}

#[test]
fn a_path_cannot_leave_the_host_or_the_line() {
    let (child, plain, _files) = start(&[]);
    let port = child.address.port();
    for path in ["/%0d%0aSet-Cookie:%20a=b", "/.evil.example/", "/@evil.example/", "//evil.example/%5c", "/a?b?c/d"] {
        let response = Client::connect(plain).ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let location = format!("https://localhost:{port}{path}");
        assert_eq!((response.status, response.field("location")), (308, Some(location.as_str())));
    }
}

#[test]
fn plain_port_refuses_tls_and_ends_with_the_drain() {
    let (mut child, plain, _files) = start(&[]);
    let mut confused = Client::connect(plain);
    confused.send(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n");
    assert!(confused.rest().starts_with(b"HTTP/1.1 400 "));
    drop(confused);
    let mut idle = Client::connect(plain);
    idle.ask(ASK);
    child.signal("TERM");
    idle.closed();
    assert_eq!(child.ended().code(), Some(0));
}
