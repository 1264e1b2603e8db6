//! https and wss inward: the same server, and TLS in between. The clients are rustls' own, on sockets that wait.

mod certificates;
mod challenges;
mod endings;
mod handshakes;
mod leftovers;
mod memory;
mod pem;
mod redirects;
mod sockets;

use crate::support::client::post_login;
use crate::support::tls_client::{self, Tls, any_client, certified, client_of, connect, connect_as, flags};
use crate::support::{Child, Client, Dir, Site, Stub};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion};
use squall::config::Limits;
use std::ops::Deref;
use std::sync::Arc;

const ASK: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n";

/// A server that speaks https, in a thread.
struct Secure {
    site: Site,
    _files: Dir,
}

impl Secure {
    fn start(limits: Limits, args: &[&str]) -> Secure {
        let files = certified();
        let tls = flags(&files);
        let all: Vec<&str> = tls.iter().map(String::as_str).chain(args.iter().copied()).collect();
        Secure { site: Site::start(limits, &all), _files: files }
    }

    fn with_defaults() -> Secure {
        Secure::start(Limits::default(), &[])
    }
}

impl Deref for Secure {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// The program itself, speaking https.
fn child(files: &Dir, args: &[&str]) -> Child {
    let tls = flags(files);
    let all: Vec<&str> = tls.iter().map(String::as_str).chain(args.iter().copied()).collect();
    Child::start(&all, &[])
}

/// Its server still responds.
#[track_caller]
fn serves(client: &mut Client<Tls>) {
    assert_eq!(client.ask(ASK).text(), "Hello, World!");
}

#[test]
fn https_serves_the_same_as_http() {
    let site = Secure::with_defaults();
    let mut client = connect(site.address);
    for (path, status, begin) in [
        ("/", 200, "<!doctype html>"),
        ("/plaintext", 200, "Hello, World!"),
        ("/static/squall.css", 200, ""),
        ("/healthz", 200, "ok\n"),
        ("/sleep?seconds=0.01", 200, "<!doctype html>"),
        ("/nothing", 404, ""),
    ] {
        let response = client.ask(format!("GET {path} HTTP/1.1\r\nHost: squall\r\n\r\n"));
        assert!(
            response.status == status && response.text().to_lowercase().starts_with(&begin.to_lowercase()),
            "{path}"
        );
        assert_eq!(response.field("strict-transport-security"), None);
    }
    client.send("HEAD /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!(client.head().field("content-length"), Some("13"));
    serves(&mut client);
    drop(client);
    site.wait_until_empty();
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let site = Secure::with_defaults();
    let mut client = connect(site.address);
    let paths = ["/plaintext", "/healthz", "/sleep?seconds=0.01", "/static/squall.css"];
    let wire: String = paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: squall\r\n\r\n")).collect();
    // More than a record holds.
    client.send(wire.repeat(100));
    let lengths: Vec<usize> = (0..4).map(|_| client.response().body.len()).collect();
    assert_eq!(lengths[..2], [13, 3]);
    for _ in 1..100 {
        let again: Vec<usize> = (0..4).map(|_| client.response().body.len()).collect();
        assert_eq!(again, lengths);
    }
}

#[test]
fn a_large_form_arrives_and_one_byte_more_is_refused() {
    let site = Secure::with_defaults();
    for (length, status) in [(1 << 20, 303), ((1 << 20) + 1, 413)] {
        let mut client = connect(site.address);
        let head = format!("POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: {length}\r\n\r\nusername=ann&pad=");
        client.send(head);
        client.send("x".repeat(length - 17));
        assert_eq!(client.response().status, status);
    }
}

#[test]
fn cookie_is_secure_on_tls_and_by_flag() {
    let is_secure = |cookie: &str| cookie.split("; ").any(|attribute| attribute == "Secure");
    let site = Secure::with_defaults();
    let login = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 12\r\n\r\nusername=ann";
    let logout = "POST /logout HTTP/1.1\r\nHost: squall\r\nContent-Length: 0\r\n\r\n";
    let mut client = connect(site.address);
    for request in [login, logout] {
        let response = client.ask(request);
        assert_eq!(response.status, 303);
        assert!(response.field("set-cookie").is_some_and(is_secure), "{}", response.head);
    }
    for (args, secure) in [(&[][..], false), (&["--cookie-secure", "always"], true)] {
        let site = Site::start(Limits::default(), args);
        let cookie = post_login(site.address, "ann", "");
        assert_eq!(cookie.field("set-cookie").map(is_secure), Some(secure), "{args:?}");
    }
}

#[test]
fn both_versions_and_http_1_by_name_or_without_one() {
    let site = Secure::with_defaults();
    for (version, number) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (names, agreed) in [
            (&[][..], None),
            (&["http/1.1"], Some("http/1.1")),
            (&["h2", "http/1.1"], Some("http/1.1")),
            (&["http/1.0", "http/1.1"], Some("http/1.1")),
            (&["http/1.0"], Some("http/1.0")),
        ] {
            let mut config = client_of(&[version]);
            config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
            let mut client = connect_as(site.address, &Arc::new(config));
            serves(&mut client);
            let conn = &client.stream.conn;
            assert_eq!(conn.protocol_version(), Some(number));
            assert_eq!(conn.alpn_protocol(), agreed.map(str::as_bytes), "{names:?}");
        }
    }
}

#[test]
fn http_2_only_client_is_told_that_there_is_none() {
    let site = Secure::with_defaults();
    let mut config = client_of(rustls::DEFAULT_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut tls = tls_client::secure(crate::support::client::patient(site.address), &Arc::new(config));
    let why = tls_client::shake_hands(&mut tls).expect_err("no common protocol").to_string();
    assert!(why.contains("NoApplicationProtocol"), "{why}");
    site.wait_until_empty();
}

#[test]
fn a_second_connection_resumes_the_session_of_the_first() {
    let site = Secure::with_defaults();
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_of(&[version]));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut client = connect_as(site.address, &config);
            // In TLS 1.3 the tickets come with the first response.
            serves(&mut client);
            assert_eq!(client.stream.conn.handshake_kind(), Some(kind), "{:?}", version.version);
        }
        let mut stranger = connect_as(site.address, &any_client());
        serves(&mut stranger);
        assert_eq!(stranger.stream.conn.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn a_search_is_relayed() {
    let page = "x".repeat(300_000);
    let stub = Stub::saying(format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{page}"));
    let flag = stub.flag();
    let site = Secure::start(Limits::default(), &flag.each_ref().map(String::as_str));
    let mut client = connect(site.address);
    let response = client.ask("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!((response.status, response.field("transfer-encoding")), (200, Some("chunked")));
    assert!(response.text() == page);
    serves(&mut client);
    // To HTTP/1.0 the end of the connection is the end of the body, and close_notify tells it from a cut.
    let mut old = connect(site.address);
    let response = old.ask("GET /search?wd=x HTTP/1.0\r\nHost: squall\r\n\r\n");
    assert!(response.status == 200 && response.text() == page);
    drop((client, old));
    site.wait_until("no connection", |c| c.connections == 0);
}
