//! Leaving in peace, on SIGTERM or SIGINT.

use super::ASK;
use crate::support::frames::{Said, handshake};
use crate::support::{Child, Client, Site, WsClient, get, wait_for};
use squall::config::Limits;
use std::net::TcpStream;

/// Waits until the child does not listen any more.
fn gone(child: &Child) {
    wait_for("the listener to go", || TcpStream::connect(child.address).is_err().then_some(()));
}

#[test]
fn drain_finishes_requests_and_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let mut child = Child::start(&[], &[]);
        let mut idle = Client::connect(child.address);
        assert_eq!(idle.ask(ASK).status, 200);
        let mut asleep = Client::connect(child.address);
        asleep.send(format!("GET /sleep?seconds=0.5 HTTP/1.1\r\nHost: squall\r\n\r\n{ASK}"));
        let mut half = Client::connect(child.address);
        half.send("GET /healthz HTTP/1.1\r\nHost: squall\r\n");
        let mut echo = WsClient::echo(child.address);
        // All of them have been seen once a response to a later request is there.
        assert_eq!(get(child.address, "/healthz").text(), "ok\n");

        child.signal(signal);
        idle.closed();
        assert_eq!(echo.heard(), Said::Close(Some(1001), "server restarts".into()));
        gone(&child);
        let health = half.ask("\r\n");
        assert_eq!((health.status, health.field("connection")), (503, Some("close")));
        let slept = asleep.response();
        assert_eq!((slept.status, slept.field("connection")), (200, Some("close")));
        asleep.closed();
        drop((echo, half));
        assert_eq!(child.ended().code(), Some(0), "{}", child.stderr());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut child = Child::start(&[], &[]);
    let mut asleep = Client::connect(child.address);
    asleep.send("GET /sleep?seconds=60 HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!(get(child.address, "/plaintext").status, 200);
    child.signal("TERM");
    gone(&child);
    child.signal("TERM");
    child.ended();
    asleep.closed();
}

#[test]
fn a_waiting_request_gets_503_at_the_drain_deadline() {
    let mut child = Child::start(&["--drain", "0.3"], &[]);
    let mut asleep = Client::connect(child.address);
    asleep.send("GET /sleep?seconds=60 HTTP/1.1\r\nHost: squall\r\n\r\n");
    let mut silent = Client::connect(child.address);
    silent.send("GET / HT");
    assert_eq!(get(child.address, "/plaintext").status, 200);
    child.signal("TERM");
    let response = asleep.response();
    assert_eq!((response.status, response.field("connection")), (503, Some("close")));
    assert_eq!(response.text(), "The server is shutting down.\n");
    silent.closed();
    assert_eq!(child.ended().code(), Some(0));
}

#[test]
fn drain_without_connections_ends_at_once() {
    let mut child = Child::start(&["--drain", "3600"], &[]);
    assert_eq!(get(child.address, "/plaintext").status, 200);
    child.signal("TERM");
    assert_eq!(child.ended().code(), Some(0));
}

#[test]
fn websocket_without_close_reply_ends_with_the_drain() {
    let mut child = Child::start(&["--drain", "0.3"], &[]);
    let mut echo = WsClient::echo(child.address);
    child.signal("TERM");
    assert_eq!(echo.heard(), Said::Close(Some(1001), "server restarts".into()));
    assert_eq!(child.ended().code(), Some(0));
}

#[test]
fn upgrade_while_draining_is_503() {
    for path in ["/echo", "/chat/"] {
        let ask = handshake(path, "");
        let site = Site::start(Limits::default(), &["--drain", "3600"]);
        let (begin, end) = ask.split_at(ask.len() / 2);
        let mut client = Client::connect(site.address);
        client.send(begin);
        site.wait_until("the first half", |c| c.booked > 0);
        site.drain();
        wait_for("the drain", || TcpStream::connect(site.address).is_err().then_some(()));
        let response = client.ask(end);
        assert_eq!((response.status, response.field("connection")), (503, Some("close")), "{path}");
        client.closed();
        wait_for("the end of the loop", || site.is_over().then_some(()));
    }
}
