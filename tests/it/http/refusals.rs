//! What is refused, with which status, and how soon.

use super::{ASK, PLAINTEXT};
use crate::support::client::{exchange, transcript};
use crate::support::{Client, Response, Site, get, ms};
use squall::config::Limits;
use std::time::Duration;

/// The response to bytes after which the server must close.
#[track_caller]
fn refused(site: &Site, wire: impl AsRef<[u8]>) -> Response {
    let mut client = Client::connect(site.address);
    let response = client.ask(wire);
    assert_eq!(response.field("connection"), Some("close"));
    client.finish();
    client.closed();
    response
}

#[test]
fn unknown_path_404_wrong_method_405_unknown_method_501() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    let mut ask = |method: &str, target: &str| {
        let response = client.ask(format!("{method} {target} HTTP/1.1\r\nHost: squall\r\n\r\n"));
        (response.status, response.field("allow").map(str::to_owned))
    };
    let get = Some("GET, HEAD, OPTIONS".to_owned());
    let login = Some("GET, HEAD, POST, OPTIONS".to_owned());
    assert_eq!(ask("GET", "/nowhere"), (404, None));
    assert_eq!(ask("DELETE", "/nowhere"), (404, None));
    assert_eq!(ask("POST", "/plaintext"), (405, get.clone()));
    assert_eq!(ask("PUT", "/login"), (405, login.clone()));
    assert_eq!(ask("GET", "/logout"), (405, Some("POST, OPTIONS".into())));
    assert_eq!(ask("BREW", "/plaintext"), (501, None));
    assert_eq!(ask("get", "/plaintext"), (501, None), "methods have a case");
    assert_eq!(ask("OPTIONS", "*"), (204, login.clone()));
    assert_eq!(ask("OPTIONS", "/plaintext"), (204, get));
    assert_eq!(ask("OPTIONS", "/login"), (204, login));
}

#[test]
fn an_error_of_the_application_closes_nothing() {
    let site = Site::with_defaults();
    let wire = format!("GET /nowhere HTTP/1.1\r\nHost: squall\r\n\r\n{ASK}");
    let mut client = Client::connect(site.address);
    client.send(wire);
    assert_eq!(client.response().status, 404);
    assert_eq!(transcript(&client.take(PLAINTEXT.len() + 28)), PLAINTEXT);
}

#[test]
fn sleep_takes_seconds_from_0_to_60() {
    let site = Site::with_defaults();
    for bad in ["-1", "61", "x", "", "NaN", "inf", "1e9"] {
        assert_eq!(get(site.address, &format!("/sleep?seconds={bad}")).status, 400, "{bad:?}");
    }
    assert_eq!(get(site.address, "/sleep?seconds=0.05").status, 200);
}

#[test]
fn a_long_request_line_is_414_before_the_head_ends() {
    let site = Site::with_defaults();
    assert_eq!(refused(&site, format!("GET /{}", "x".repeat(8192))).status, 414);
    let fits = format!("GET /{} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n", "x".repeat(8192 - 14));
    assert!(exchange(site.address, fits).starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_long_head_or_a_hundred_and_one_fields_are_431() {
    let site = Site::with_defaults();
    let start = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n";
    assert_eq!(refused(&site, format!("{start}A: {}", "x".repeat(16384))).status, 431, "before it is complete");
    let fields = |n: usize| format!("{start}{}\r\n", "A: b\r\n".repeat(n - 1));
    assert_eq!(refused(&site, fields(101)).status, 431);
    assert_eq!(Client::connect(site.address).ask(fields(100)).status, 200);
}

#[test]
fn a_body_over_the_limit_is_413_at_once() {
    let http = squall::http::Limits { body_bytes_max: 1000, ..Default::default() };
    let site = Site::start(Limits { http, ..Limits::default() }, &[]);
    let head = "POST /login HTTP/1.1\r\nHost: squall\r\n";
    assert_eq!(refused(&site, format!("{head}Content-Length: 1001\r\n\r\n")).status, 413);
    assert_eq!(refused(&site, format!("{head}Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n")).status, 413);
    // The size of a chunk is a promise; what counts is what has come.
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let (whole, rest) = ("x".repeat(1000), "x".repeat(501));
    for body in
        [format!("3e8\r\n{whole}\r\n1\r\nx"), format!("fffff\r\n{whole}x"), format!("1f5\r\n{rest}\r\n1f5\r\n{rest}")]
    {
        assert_eq!(refused(&site, format!("{chunked}{body}")).status, 413);
    }
    let fits = format!("{head}Content-Length: 1000\r\n\r\nusername=ann&{}", "x".repeat(987));
    assert_eq!(Client::connect(site.address).ask(fits).status, 303);
}

#[test]
fn another_expectation_is_417() {
    let site = Site::with_defaults();
    let wire = "POST /login HTTP/1.1\r\nHost: squall\r\nExpect: miracles\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(refused(&site, wire).status, 417);
}

#[test]
fn a_head_or_body_that_does_not_come_in_time_is_408() {
    let site = Site::start(Limits { head_within: ms(100), body_within: ms(100), ..Limits::default() }, &[]);
    let post = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 12\r\n\r\nuser";
    for half in [&ASK[..1], &ASK[..30], &ASK[..ASK.len() - 1], post] {
        let response = refused(&site, half);
        assert_eq!(
            (response.status, response.text().as_str()),
            (408, "The request did not arrive in time.\n"),
            "{half:?}"
        );
    }
    // Nothing at all is not half a request: such a connection is idle.
    let mut idle = Client::connect(site.address);
    assert_eq!(refused(&site, &ASK[..1]).status, 408);
    assert_eq!(idle.ask(ASK).status, 200);
}

#[test]
fn a_slow_trickle_does_not_wind_the_clock_of_a_head() {
    let site = Site::start(Limits { head_within: ms(200), ..Limits::default() }, &[]);
    let mut client = Client::connect(site.address);
    let until = std::time::Instant::now() + Duration::from_secs(10);
    client.send("GET /");
    while client.is_quiet() {
        assert!(std::time::Instant::now() < until, "no end");
        client.send("x");
        std::thread::sleep(ms(10));
    }
    assert_eq!(client.response().status, 408);
}

#[test]
fn a_bare_lf_or_cr_is_400_at_once() {
    let site = Site::with_defaults();
    for wire in ["\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: squall\n", "GET / HTTP/1.1\r\nA: b\rc"] {
        assert_eq!(refused(&site, wire).status, 400, "{wire:?}");
    }
    assert_eq!(refused(&site, "\r\n".repeat(513)).status, 400, "too many empty lines");
}

#[test]
fn ambiguous_requests_are_400() {
    let site = Site::with_defaults();
    let post = "POST /login HTTP/1.1\r\nHost: squall\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length:\r\n",
        "Content-Length : 5\r\n",
        " Content-Length: 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "A: b\r\n folded\r\n",
        "A b\r\n",
        "A: \x00\r\n",
    ] {
        let response = refused(&site, format!("{post}{fields}\r\n0\r\n\r\nGET /plaintext HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(response.status, 400, "{fields:?}");
    }
    assert_eq!(refused(&site, format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n")).status, 501);
    let old = "POST /login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(refused(&site, old).status, 400);
}

#[test]
fn chunks_that_are_not_chunks_are_400() {
    let site = Site::with_defaults();
    let head = "POST /login HTTP/1.1\r\nHost: squall\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in
        ["x\r\n", "\r\n", "-1\r\n", "5\nhello", "5\r\nhelloX", "5\r\nhello\n", "ffffffffffffffff1\r\n", " 5\r\n"]
    {
        let response = refused(&site, format!("{head}{body}"));
        assert!(matches!(response.status, 400 | 413), "{body:?}: {}", response.status);
    }
}

#[test]
fn malformed_requests_are_refused() {
    let site = Site::with_defaults();
    for (wire, status) in [
        ("GET / HTTP/2.0\r\nHost: squall\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET /\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: squall\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET nowhere HTTP/1.1\r\nHost: squall\r\n\r\n", 400),
        ("GET /#x HTTP/1.1\r\nHost: squall\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n", 400),
    ] {
        assert_eq!(refused(&site, wire).status, status, "{wire:?}");
    }
    // Nothing after a refusal is read.
    let wire = format!("GET /\r\n\r\n{ASK}");
    assert_eq!(refused(&site, wire).status, 400);
}
