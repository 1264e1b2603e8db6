//! Kept connections: which ones are asked again, and what happens on those that the site has closed meanwhile.

use super::{Fetcher, limits};
use crate::support::stub::read_head;
use crate::support::{PATIENCE, Stub, wait_for};
use squall::config::Limits;
use squall::event::Fetch;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A site that gives the same response to every request, on a connection that it keeps.
fn keeping(response: &'static str) -> Stub {
    Stub::raw(move |mut stream| while responses(&mut stream, response) {})
}

/// One request and its response; `false`: no request came.
fn responses(stream: &mut TcpStream, response: &str) -> bool {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_nodelay(true);
    let Some(head) = read_head(stream) else { return false };
    let length = head
        .to_ascii_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.split("\r\n").next().and_then(|n| n.parse().ok()).expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).is_ok() && stream.write_all(response.as_bytes()).is_ok()
}

/// A client that keeps connections longer than any test lasts.
fn client() -> Fetcher {
    Fetcher::new(Limits { upstream_idle_for: PATIENCE, ..limits() })
}

fn url(stub: &Stub) -> String {
    format!("http://{}/", stub.address)
}

/// Fetches twice, one after the other; returns the number of connections.
fn connections_for_two(response: &'static str) -> usize {
    let (stub, mut fetcher) = (keeping(response), client());
    for _ in 0..2 {
        assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"), "{response}");
    }
    stub.met()
}

#[test]
fn connection_is_reused_only_after_a_clear_end() {
    for response in [
        HELLO,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        assert_eq!(connections_for_two(response), 1, "{response:?}");
    }
    for response in [
        // Bytes after the response would be taken for the next one.
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloworld",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
        // Of two lengths the site may mean the other one (RFC 9112 section 6.3).
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        assert_eq!(connections_for_two(response), 2, "{response:?}");
    }
}

/// A site whose first connection responds once and then does `leave`, before the next request or when it has come; all
/// others respond.
fn leaving(leave: fn(TcpStream)) -> Stub {
    let met = AtomicUsize::new(0);
    Stub::raw(move |mut stream| {
        if met.fetch_add(1, SeqCst) > 0 {
            while responses(&mut stream, HELLO) {}
        } else if responses(&mut stream, HELLO) {
            leave(stream);
        }
    })
}

fn resets_when_asked(mut stream: TcpStream) {
    read_head(&mut stream);
    super::ways::reset(stream);
}

fn closes_when_asked(mut stream: TcpStream) {
    read_head(&mut stream);
}

#[test]
fn closed_kept_connection_is_replaced_unnoticed() {
    for leave in [drop, super::ways::reset] {
        let (stub, mut fetcher) = (leaving(leave), client());
        for _ in 0..2 {
            // No turn of the loop in between: it cannot know yet.
            assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"));
            wait_for("the site to leave", || (stub.open() == 0 || stub.met() == 2).then_some(()));
        }
        assert_eq!(stub.met(), 2);
    }
}

#[test]
fn request_on_a_dying_connection_is_retried_once() {
    for leave in [closes_when_asked, resets_when_asked] {
        let (stub, mut fetcher) = (leaving(leave), client());
        for _ in 0..2 {
            assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"));
        }
        assert_eq!(stub.met(), 2);
        let counts = fetcher.running.counts();
        assert_eq!((counts.fetches, counts.fetches_running, counts.kept), (0, 0, 1));
    }
}

#[test]
fn a_request_is_tried_twice_at_most() {
    // The first response is the only one: every other request meets a reset.
    let met = AtomicUsize::new(0);
    let stub = Stub::raw(move |mut stream| {
        if met.fetch_add(1, SeqCst) == 0 {
            responses(&mut stream, HELLO);
        }
        read_head(&mut stream);
        super::ways::reset(stream);
    });
    let mut fetcher = client();
    assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"));
    let why = fetcher.fetch(&url(&stub), |fetch| fetch).unwrap_err();
    assert!(why.contains("Connection reset by peer"), "{why}");
    assert_eq!(stub.met(), 2);
}

#[test]
fn a_post_is_not_sent_twice() {
    let post = |fetch| Fetch { method: "POST".into(), body: b"once".to_vec(), ..fetch };
    let (stub, mut fetcher) = (leaving(resets_when_asked), client());
    assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"));
    let why = fetcher.fetch(&url(&stub), post).unwrap_err();
    assert!(why.contains("the connection broke before the response was whole"), "{why}");
    assert_eq!(stub.met(), 1);
}

#[test]
fn a_begun_response_is_not_requested_again() {
    let (stub, mut fetcher) = (
        leaving(|mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le");
        }),
        client(),
    );
    assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"));
    let why = fetcher.fetch(&url(&stub), |fetch| fetch).unwrap_err();
    assert!(why.contains("the connection was closed within the head"), "{why}");
    assert_eq!(stub.met(), 1);
}

#[test]
fn an_unrequested_response_is_dropped() {
    // It comes after the first response, when the connection is kept already.
    let (tell, told) = channel::<()>();
    let (told, met) = (Mutex::new(told), AtomicUsize::new(0));
    let stub = Stub::raw(move |mut stream| {
        let is_first = met.fetch_add(1, SeqCst) == 0;
        if responses(&mut stream, HELLO) && is_first {
            told.lock().expect("one at a time").recv().expect("it is told");
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        }
        super::ways::hold(&mut stream);
    });
    let mut fetcher = client();
    assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"));
    assert_eq!(fetcher.running.counts().kept, 1);
    tell.send(()).expect("the site waits for it");
    fetcher.turn_until("the client to see it", |fetcher| fetcher.running.counts().kept == 0);
    assert_eq!(fetcher.fetch(&url(&stub), |fetch| fetch).as_deref(), Ok("hello"));
    assert_eq!(stub.met(), 2);
}

const TIMED_OUT: &str = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow";

/// A site that responds to the first request of its first connection, and to every further request of that one, or of
/// all, with `late`.
fn timing_out(late: &'static str, everywhere: bool) -> Stub {
    let met = AtomicUsize::new(0);
    Stub::raw(move |mut stream| {
        let is_first = met.fetch_add(1, SeqCst) == 0;
        if is_first {
            responses(&mut stream, HELLO);
        }
        while responses(&mut stream, if is_first || everywhere { late } else { HELLO }) {}
    })
}

/// What comes of a second fetch, after one that leaves a kept connection, and the connections that both took.
fn second_of(stub: &Stub, method: &'static str) -> (Result<String, String>, usize) {
    let mut fetcher = client();
    assert_eq!(fetcher.fetch(&url(stub), |fetch| fetch).as_deref(), Ok("hello"));
    let second = fetcher.fetch(&url(stub), |fetch| Fetch { method: method.into(), ..fetch });
    (second, stub.met())
}

#[test]
fn a_408_on_a_kept_connection_is_asked_again_once() {
    assert_eq!(second_of(&timing_out(TIMED_OUT, false), "GET"), (Ok("hello".into()), 2));
    assert_eq!(second_of(&timing_out(TIMED_OUT, false), "PUT"), (Ok("hello".into()), 2));
    assert_eq!(second_of(&timing_out("http/1.0 408\n\n", false), "DELETE"), (Ok("hello".into()), 2));
    assert_eq!(second_of(&timing_out(TIMED_OUT, true), "GET"), (Ok("slow".into()), 2), "it is asked twice at most");
}

#[test]
fn a_408_is_final_where_a_retry_may_do_harm() {
    assert_eq!(second_of(&timing_out(TIMED_OUT, false), "POST"), (Ok("slow".into()), 1));
    assert_eq!(second_of(&timing_out(TIMED_OUT, false), "PATCH"), (Ok("slow".into()), 1));
    let hinted = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 408 Late\r\nContent-Length: 4\r\n\r\nslow";
    assert_eq!(second_of(&timing_out(hinted, false), "GET"), (Ok("slow".into()), 1), "it had begun to answer");
    let unavailable = "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow";
    assert_eq!(second_of(&timing_out(unavailable, false), "GET"), (Ok("slow".into()), 1));
    let new = keeping(TIMED_OUT);
    assert_eq!(client().fetch(&url(&new), |fetch| fetch), Ok("slow".into()));
    assert_eq!(new.met(), 1, "on a new connection it is about this request");
}
