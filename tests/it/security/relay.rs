//! The site that a search asks, as an enemy: where it sends us, and what it wants our browsers to take for ours.

use super::{ask, encoded, post};
use crate::support::{Response, Site, Stub};
use squall::config::Limits;
use std::io::Write;

/// A server whose search site this is.
fn asking(stub: &Stub, args: &[&str]) -> Site {
    let flag = stub.flag();
    Site::start(Limits::default(), &[&[flag[0].as_str(), flag[1].as_str()], args].concat())
}

/// A site that redirects to `http://WORDS/`.
fn redirecting() -> Stub {
    Stub::start(|mut asked| {
        let words = asked.target().strip_prefix("/s?wd=").expect("our own search").to_owned();
        let host = percent_encoding::percent_decode_str(&words).decode_utf8_lossy().into_owned();
        asked.say(format!("HTTP/1.1 302 Found\r\nLocation: http://{host}/\r\nContent-Length: 0\r\n\r\n"));
    })
}

#[test]
fn no_spelling_of_a_private_address_is_met() {
    let (stub, inside) = (redirecting(), Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"));
    let port = inside.address.port();
    let site = asking(&stub, &["--lab"]);
    for host in [
        "127.0.0.2",
        "127.2",
        "2130706434",
        "0x7f000002",
        "0x7f.0.0.2",
        "0177.0.0.2",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001::7f00:1]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00::1]",
        "[ff02::1]",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.257",
        "\u{2460}\u{2461}\u{2466}.0.0.2",
        "%31%32%37.2",
        "\u{ff4c}ocalhost",
        "127\u{3002}2",
        "/127.2",
        "127.0.0.2\\@a.test",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        for way in ["search", "search-sync"] {
            let response = ask(site.address, &format!("GET /{way}?wd={}", encoded(format!("{host}:{port}"))), "");
            assert_eq!(response.status, 502, "{way} {host}: {}", response.text());
            assert!(response.text().contains("which is not a public address"), "{way} {host}: {}", response.text());
        }
    }
    for host in ["127.0.0.1%00", "u@127.0.0.1", "[::1%25lo]", "[127.0.0.1]", "127.0.0.1.0.1"] {
        let response = ask(site.address, &format!("GET /search?wd={}", encoded(host)), "");
        assert!(
            response.status == 502 && response.text().contains("the site redirects to"),
            "{host}: {}",
            response.text()
        );
    }
    assert_eq!(inside.met(), 0);
}

/// The raw response of the other site, relayed.
#[track_caller]
fn relayed(response: &'static [u8]) -> Response {
    let stub = Stub::saying(response);
    ask(asking(&stub, &[]).address, "GET /search?wd=x", "")
}

#[test]
fn a_field_with_a_line_end_in_it_is_not_relayed() {
    for field in [&b"Content-Language: en\rSet-Cookie: a=b"[..], b"Content-Language: e\0n"] {
        let response = [b"HTTP/1.1 200 OK\r\n", field, b"\r\nContent-Length: 0\r\n\r\n"].concat();
        assert_eq!(relayed(response.leak()).status, 502, "{}", field.escape_ascii());
    }
    for response in [
        &b"HTTP/1.1 200 OK\r\nContent-Language: en\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Language: en\r\n Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Language: e\x1bn\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nSet-Cookie : a=b\nContent-Language: \xff\xfe\nContent-Length: 0\n\n",
    ] {
        let response = relayed(response);
        assert_eq!((response.status, response.field("set-cookie")), (200, None), "{}", response.head);
        assert!(!response.head.contains('\x1b'), "{}", response.head);
    }
}

#[test]
fn relayed_scripts_and_styles_do_not_run() {
    for kind in [
        "text/javascript",
        "application/javascript; charset=utf-8",
        "text/css",
        "multipart/x-mixed-replace; boundary=x",
        "text/html, text/javascript",
    ] {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 8\r\n\r\nalert(1)");
        let response = relayed(response.leak().as_bytes());
        assert_eq!(response.field("content-type"), Some("application/octet-stream"), "{kind}");
        assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.field("content-security-policy"), Some("sandbox; frame-ancestors 'self'"));
    }
}

/// A stored block of deflate, over and over: many zeros in few bytes are for the browser to unfold, not for us.
#[test]
fn a_compressed_response_is_relayed_as_it_is() {
    let bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff".repeat(1000);
    let stub = Stub::start(move |mut asked| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len());
        asked.say([head.as_bytes(), &bomb].concat());
    });
    for way in ["search", "search-sync"] {
        let response = ask(asking(&stub, &["--lab"]).address, &format!("GET /{way}?wd=x"), "");
        assert_eq!((response.status, response.body.len()), (200, 10_000), "{way}");
        assert_eq!(response.field("content-encoding"), Some("gzip"));
    }
    assert!(stub.requests().iter().all(|request| request.contains("\r\nAccept-Encoding: identity\r\n")));
}

#[test]
fn a_compressed_request_is_never_inflated() {
    let site = Site::with_defaults();
    let response = post(site.address, "/login", "Content-Encoding: gzip\r\n", "\x1f\x08username=ann");
    assert_eq!((response.status, response.field("set-cookie")), (415, None));
    let fields = "Transfer-Encoding: gzip, chunked\r\n";
    assert_eq!(ask(site.address, "POST /login", fields).status, 501);
}

#[test]
fn a_response_without_end_is_cut() {
    let stub = Stub::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\n\r\n");
        while asked.stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    });
    let limits = Limits {
        http: squall::http::Limits { response_body_bytes_max: 1 << 20, ..Default::default() },
        ..Limits::default()
    };
    let flag = stub.flag();
    let site = Site::start(limits, &[&flag[0], &flag[1]]);
    let mut client = crate::support::Client::connect(site.address);
    client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    let rest = client.rest();
    assert!(rest.len() < 2 << 20 && !rest.ends_with(b"\r\n0\r\n\r\n"), "{} bytes, and a whole response", rest.len());
}
