//! Versions (RFC 9110 section 2.5, RFC 9112 sections 2.3 and 9.3).

use super::{FORM, MARKER, TYPE};
use crate::case::{Case, must, should};

pub fn cases() -> Vec<Case> {
    [old(), minor(), major()].into_iter().flatten().collect()
}

fn get(version: &str, lines: &str) -> String {
    format!("GET /plaintext {version}\r\n{lines}\r\n{MARKER}")
}

fn old() -> Vec<Case> {
    let host = "Host: squall\r\n";
    vec![
        must("9112 9.3", "a connection of HTTP/1.0 closes behind its response", get("HTTP/1.0", host), "200 close"),
        must("9112 3.2", "a request of HTTP/1.0 needs no Host", get("HTTP/1.0", ""), "200 close"),
        should(
            "9112 9.3",
            "a connection of HTTP/1.0 stays if it asks for that",
            get("HTTP/1.0", "Host: squall\r\nConnection: keep-alive\r\n"),
            "200 200 open",
        )
        .field(0, "connection", "keep-alive"),
        should(
            "9112 9.3",
            "keep-alive has no letter case",
            get("HTTP/1.0", "Host: squall\r\nConnection: Keep-Alive\r\n"),
            "200 200 open",
        ),
        must(
            "9112 9.3",
            "close wins over keep-alive in HTTP/1.0",
            get("HTTP/1.0", "Host: squall\r\nConnection: keep-alive, close\r\n"),
            "200 close",
        ),
        must(
            "9112 9.3",
            "close in a second field wins over keep-alive in HTTP/1.0",
            get("HTTP/1.0", "Host: squall\r\nConnection: keep-alive\r\nConnection: close\r\n"),
            "200 close",
        ),
        must(
            "9112 6.1",
            "a response to HTTP/1.0 is not chunked",
            get("HTTP/1.0", host).replacen("/plaintext", "/", 1),
            "any close",
        )
        .no_field(0, "transfer-encoding"),
        must(
            "9112 6.1",
            "a response to HTTP/1.0 that says TE is not chunked",
            get("HTTP/1.0", "Host: squall\r\nTE: chunked\r\n").replacen("/plaintext", "/", 1),
            "any close",
        )
        .no_field(0, "transfer-encoding"),
        must(
            "9112 6.3",
            "a body of HTTP/1.0 has its length",
            format!("POST /login HTTP/1.0\r\n{TYPE}Content-Length: 26\r\n\r\n{FORM}"),
            "303 close",
        ),
        must(
            "9112 6.3",
            "two lengths that differ are 400 in HTTP/1.0 as well",
            format!("POST /login HTTP/1.0\r\n{TYPE}Content-Length: 26\r\nContent-Length: 27\r\n\r\n{FORM}"),
            "400 close",
        ),
        must(
            "9110 9.3.2",
            "HEAD of HTTP/1.0 has no body",
            get("HTTP/1.0", host).replacen("GET", "HEAD", 1),
            "200 close",
        )
        .head_at(0),
        must(
            "9110 15.2",
            "HTTP/1.0 gets no interim response",
            format!("POST /login HTTP/1.0\r\n{TYPE}Expect: 100-continue\r\nContent-Length: 26\r\n\r\n{FORM}"),
            "303 close",
        )
        .interims(0),
        must(
            "9110 7.8",
            "an Upgrade of HTTP/1.0 is ignored",
            get("HTTP/1.0", "Host: squall\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"),
            "200 close",
        ),
    ]
}

fn minor() -> Vec<Case> {
    let bad = |name, version| should("9112 2.3", name, get(version, "Host: squall\r\n"), "400 close | 505 close");
    vec![
        should("9110 2.5", "HTTP/1.2 is served as HTTP/1.1", get("HTTP/1.2", "Host: squall\r\n"), "200 200 open"),
        should("9110 2.5", "HTTP/1.9 is served as HTTP/1.1", get("HTTP/1.9", "Host: squall\r\n"), "200 200 open"),
        should("9110 2.5", "HTTP/1.2 needs a Host", get("HTTP/1.2", ""), "400 close"),
        bad("a minor version is one digit", "HTTP/1.10"),
        bad("a major version is one digit", "HTTP/01.1"),
        bad("a version has its point", "HTTP/11"),
        bad("a version has no comma", "HTTP/1,1"),
        bad("a version has no sign", "HTTP/+1.1"),
        bad("a version has its minor number", "HTTP/1."),
        bad("a version has no third number", "HTTP/1.1.1"),
        bad("the name of HTTP has a letter case", "http/1.1"),
        bad("the name of HTTP has no blank behind it", "HTTP /1.1"),
        bad("another protocol is not spoken", "HTTQ/1.1"),
        bad("a version has no NUL behind it", "HTTP/1.1\0"),
        bad("a minor version is no letter", "HTTP/1.x"),
    ]
}

fn major() -> Vec<Case> {
    let other = |name, wire: String| should("9110 15.6.6", name, wire, "505 close | 400 close").finish();
    vec![
        other("HTTP/2.0 is refused", get("HTTP/2.0", "Host: squall\r\n")),
        other("HTTP/3.0 is refused", get("HTTP/3.0", "Host: squall\r\n")),
        other("HTTP/0.9 in a request line is refused", get("HTTP/0.9", "Host: squall\r\n")),
        other("the preface of HTTP/2 is refused", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".into()),
        should(
            "9110 2.5",
            "the response to HTTP/2.0 is one of HTTP/1",
            get("HTTP/2.0", "Host: squall\r\n"),
            "any close",
        )
        .finish(),
    ]
}
