//! How connections end, and that no response is lost by it. A client that is closed without close_notify fails.

use super::{ASK, Secure, child, connect, serves};
use crate::support::client::patient;
use crate::support::frames::{BINARY, Said, frame};
use crate::support::tls_client::{any_client, certified, close_notify, open, secure, shake_hands};
use crate::support::{Client, Dir, Site, Stub, ms, wait_for};
use socket2::SockRef;
use squall::config::Limits;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A directory for `--www` with a file of this length, and its bytes.
fn large_file(bytes: usize) -> (Dir, Vec<u8>) {
    let www = Dir::new();
    let content: Vec<u8> = (0..bytes).map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect();
    www.write("static/large.bin", &content);
    (www, content)
}

const LARGE: &str = "GET /static/large.bin HTTP/1.1\r\nHost: squall\r\n\r\n";

#[test]
fn client_gets_its_response_after_its_close_notify() {
    let site = Secure::with_defaults();
    for request in [ASK, "GET /sleep?seconds=0.1 HTTP/1.1\r\nHost: squall\r\n\r\n"] {
        for shuts in [false, true] {
            let mut client = connect(site.address);
            client.send(request);
            close_notify(&mut client.stream);
            if shuts {
                client.stream.sock.shutdown(Shutdown::Write).unwrap();
            }
            assert_eq!(client.response().status, 200);
            client.closed();
        }
    }
    site.wait_until_empty();
}

#[test]
fn client_gets_its_response_after_its_fin() {
    let site = Secure::with_defaults();
    let mut client = connect(site.address);
    client.send(ASK.repeat(3));
    client.stream.sock.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        assert_eq!(client.response().status, 200);
    }
    client.closed();
    site.wait_until_empty();
}

#[test]
fn a_client_that_closes_or_resets_leaves_nothing() {
    let site = Secure::with_defaults();
    let sleep = "GET /sleep?seconds=60 HTTP/1.1\r\nHost: squall\r\n\r\n";
    // A FIN alone is a half-close, and a sleeping request is owed its response.
    for (request, resets) in
        [("", false), ("", true), ("GET /", false), ("GET /", true), (ASK, false), (ASK, true), (sleep, true)]
    {
        let mut client = connect(site.address);
        client.send(request);
        site.wait_until("it", |c| c.connections == 1);
        if resets {
            SockRef::from(&client.stream.sock).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(client);
        site.wait_until_empty();
    }
}

#[test]
fn every_kind_of_last_response_is_followed_by_close_notify() {
    let site = Secure::with_defaults();
    for request in [
        "GET /plaintext HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n",
        "GET /plaintext HTTP/1.0\r\n\r\n",
        "GET /sleep?seconds=0.01 HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "no request at all\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 99999999\r\n\r\nusername=",
    ] {
        let mut client = connect(site.address);
        client.send(request);
        client.response();
        client.closed();
        drop(client);
    }
    site.wait_until_empty();
}

#[test]
fn a_large_response_arrives_at_a_client_that_reads_slowly() {
    let (www, content) = large_file(6 << 20);
    let site = Secure::start(Limits::default(), &["--www", www.arg()]);
    let stream = patient(site.address);
    SockRef::from(&stream).set_recv_buffer_size(32 << 10).unwrap();
    let mut tls = secure(stream, &any_client());
    shake_hands(&mut tls).unwrap();
    let mut client = Client::over(tls);
    // Behind it another one, which must wait for it.
    client.send(format!("{LARGE}{ASK}"));
    site.wait_until("a response that waits", |c| c.booked > 1 << 20);
    let length: usize = client.head().field("content-length").expect("a length").parse().unwrap();
    assert_eq!(length, content.len());
    let mut at = 0;
    while at < length {
        let n = length.min(at + 100_000) - at;
        assert!(client.take(n) == content[at..at + n], "behind {at}");
        at += n;
        std::thread::sleep(ms(2));
    }
    assert_eq!(client.response().text(), "Hello, World!");
    site.wait_until("nothing booked", |c| c.booked == 0);
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let (www, _) = large_file(16 << 20);
    let limits = Limits { write_stall: ms(300), ..Limits::default() };
    let site = Secure::start(limits, &["--www", www.arg(), "--keep-alive", "3600"]);
    let mut client = connect(site.address);
    client.send(LARGE);
    site.wait_until("a response that waits", |c| c.booked > 0);
    site.wait_until_empty();
    drop(client);
}

#[test]
fn deaf_client_is_not_read_from() {
    let site = Secure::with_defaults();
    let mut client = connect(site.address);
    client.stream.sock.set_write_timeout(Some(ms(300))).unwrap();
    let many = ASK.repeat(1000);
    let mut sent = 0;
    while let Ok(n) = client.stream.write(many.as_bytes()) {
        sent += n;
        assert!(sent < 200 << 20, "the server takes everything");
    }
    let booked = site.counts().booked;
    assert!(booked < 1 << 20, "{booked} bytes are held");
    drop(client);
    site.wait_until_empty();
}

#[test]
fn truncated_body_ends_without_close_notify() {
    for version in ["1.1", "1.0"] {
        let (tell, told) = channel();
        let told = Mutex::new(told);
        let stub = Stub::start(move |mut asked| {
            asked.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n");
            let _ = told.lock().expect("no thread panics with it").recv();
        });
        let flag = stub.flag();
        let site = Secure::start(Limits::default(), &flag.each_ref().map(String::as_str));
        let mut client = connect(site.address);
        client.send(format!("GET /search?wd=x HTTP/{version}\r\nHost: squall\r\n\r\n"));
        assert_eq!(client.head().status, 200);
        if version == "1.1" {
            assert_eq!(client.take(3), b"9\r\n");
        }
        assert_eq!(client.take(9), b"only this");
        tell.send(()).unwrap();
        match client.rest_until_reset() {
            // The last chunk is missing, which says it.
            Ok(rest) => assert_eq!((version, &rest[..]), ("1.1", &b"\r\n"[..])),
            // Nothing but the end of the connection could have ended this one.
            Err(e) => {
                assert!(matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) && version == "1.0")
            }
        }
        site.wait_until("no connection", |c| c.connections == 0);
    }
}

#[test]
fn draining_finishes_requests_and_sends_close_notify() {
    let files = certified();
    let mut child = child(&files, &[]);
    let mut idle = connect(child.address);
    serves(&mut idle);
    let mut asleep = connect(child.address);
    asleep.send(format!("GET /sleep?seconds=0.5 HTTP/1.1\r\nHost: squall\r\n\r\n{ASK}"));
    let mut half = connect(child.address);
    half.send("GET /healthz HTTP/1.1\r\nHost: squall\r\n");
    let mut echo = open(child.address, "/echo", "");
    let mut hello = Client::connect(child.address);
    hello.send([0x16, 3, 1]);
    serves(&mut connect(child.address));

    child.signal("TERM");
    idle.closed();
    hello.closed();
    assert_eq!(echo.heard(), Said::Close(Some(1001), "server restarts".into()));
    wait_for("the listener to go", || TcpStream::connect(child.address).is_err().then_some(()));
    let health = half.ask("\r\n");
    assert_eq!((health.status, health.field("connection")), (503, Some("close")));
    half.closed();
    let slept = asleep.response();
    assert_eq!((slept.status, slept.field("connection")), (200, Some("close")));
    asleep.closed();
    drop((echo, half, asleep));
    assert_eq!(child.ended().code(), Some(0), "{}", child.stderr());
}

#[test]
fn waiting_request_gets_503_and_close_notify_at_drain_end() {
    let files = certified();
    let mut child = child(&files, &["--drain", "0.3"]);
    let mut asleep = connect(child.address);
    asleep.send("GET /sleep?seconds=60 HTTP/1.1\r\nHost: squall\r\n\r\n");
    serves(&mut connect(child.address));
    child.signal("TERM");
    assert_eq!(asleep.response().status, 503);
    asleep.closed();
    assert_eq!(child.ended().code(), Some(0));
}

#[test]
fn echo_arrives_after_the_peer_sends_close_notify() {
    let site = Secure::with_defaults();
    let mut echo = open(site.address, "/echo", "");
    let bytes = vec![7; 3 << 20];
    echo.send(frame(BINARY, &bytes));
    close_notify(&mut echo.client.stream);
    assert!(echo.heard() == Said::Binary(bytes));
    echo.client.closed();
    site.wait_until_empty();
}

/// What a client sees that does not know close_notify from a cut: the same bytes.
#[test]
fn unread_input_does_not_destroy_the_last_response() {
    let site: &Site = &Secure::with_defaults();
    for _ in 0..20 {
        let mut client = connect(site.address);
        client.send("GET /\n and more that is not read");
        for _ in 0..20 {
            // The server may be done with us by now.
            let _ = client.stream.write_all(&[b'x'; 10_000]);
        }
        let mut response = vec![];
        let _ = client.stream.read_to_end(&mut response);
        assert!(response.starts_with(b"HTTP/1.1 400 "), "{:?}", String::from_utf8_lossy(&response));
    }
}
