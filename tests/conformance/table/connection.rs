//! Connection, staying and closing (RFC 9110 section 7.6.1, RFC 9112 section 9).

use super::{FORM, MARKER, get, post};
use crate::case::{Case, must, should};

pub fn cases() -> Vec<Case> {
    [stays(), closes(), half_closed()].into_iter().flatten().collect()
}

fn stays() -> Vec<Case> {
    // A server may close whenever it likes (RFC 9112 section 9.5).
    let stays = |section, name, lines: &str| should(section, name, get(lines), "200 200 open");
    vec![
        should("9112 9.3", "a connection of HTTP/1.1 stays", get(""), "200 200 open"),
        should(
            "9112 9.3",
            "a connection of HTTP/1.1 that asks to stay stays",
            get("Connection: keep-alive\r\n"),
            "200 200 open",
        ),
        should(
            "9112 9.3",
            "a connection stays behind 404",
            format!("GET /nowhere HTTP/1.1\r\nHost: squall\r\n\r\n{MARKER}"),
            "404 200 open",
        ),
        stays("9110 7.6.1", "an unknown option is ignored", "Connection: x-frobnicate\r\n"),
        stays("9110 7.6.1", "an option that only begins like close is another one", "Connection: closed\r\n"),
        stays("9110 7.6.1", "an option that only ends like close is another one", "Connection: x-close\r\n"),
        stays("9110 5.6.1", "a Connection of nothing is no option", "Connection:\r\n"),
        stays("9110 5.6.1", "empty elements of Connection are ignored", "Connection: , ,keep-alive,, \r\n"),
        stays("9110 7.6.1", "Connection may name a field of this request", "X: y\r\nConnection: X\r\n"),
        stays("9110 7.6.1", "Proxy-Connection is not Connection", "Proxy-Connection: close\r\n"),
        stays("9110 5.1", "Keep-Alive is not Connection", "Keep-Alive: timeout=0, max=0\r\n"),
        must("9110 7.6.1", "Connection cannot take Host away", get("Connection: Host\r\n"), "200 200 open | 400 close"),
        must(
            "9110 7.6.1",
            "Connection cannot take Content-Length away",
            post("Content-Length: 26\r\nConnection: Content-Length\r\n", FORM),
            "303 200 open | 400 close",
        ),
    ]
}

fn closes() -> Vec<Case> {
    let closes = |section, name, lines: &str| must(section, name, get(lines), "200 close");
    vec![
        closes("9112 9.6", "close closes, and nothing behind it is answered", "Connection: close\r\n"),
        closes("9110 7.6.1", "close has no letter case", "Connection: CLOSE\r\n"),
        closes("9110 5.6.1", "close may be the last of a list", "Connection: keep-alive, close\r\n"),
        closes("9110 5.6.1", "close may be the first of a list", "Connection: close, keep-alive\r\n"),
        closes("9110 5.6.1", "close may stand between others without a blank", "Connection: a,close,b\r\n"),
        closes("9110 5.6.1", "close may stand behind empty elements", "Connection: ,, close\r\n"),
        closes("9110 5.3", "close may stand in a second field", "Connection: keep-alive\r\nConnection: close\r\n"),
        closes(
            "9110 5.3",
            "close may stand in the first of two fields",
            "Connection: close\r\nConnection: keep-alive\r\n",
        ),
        closes("9110 5.5", "close may stand behind a tab", "Connection:\tclose\t\r\n"),
        should("9112 9.6", "a response to close says close", get("Connection: close\r\n"), "200 close").field(
            0,
            "connection",
            "close",
        ),
        must(
            "9112 9.6",
            "close with a body behind it closes",
            post("Content-Length: 26\r\nConnection: close\r\n", FORM),
            "303 close | 400 close",
        ),
        must(
            "9112 9.6",
            "close with 404 closes",
            format!("GET /nowhere HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n{MARKER}"),
            "404 close",
        ),
        must(
            "9112 9.6",
            "close with HEAD closes",
            format!("HEAD /plaintext HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n{MARKER}"),
            "200 close",
        )
        .head_at(0),
        should(
            "9112 9.6",
            "a response behind which the connection closes says so",
            format!("GET /plaintext\r\n\r\n{MARKER}"),
            "400 close",
        )
        .field(0, "connection", "close"),
    ]
}

fn half_closed() -> Vec<Case> {
    vec![
        should("9112 9.6", "a request with FIN behind it is answered", MARKER, "200 close").finish(),
        should("9112 9.6", "three requests with FIN behind them are answered", MARKER.repeat(3), "200 200 200 close")
            .finish(),
        should(
            "9112 9.6",
            "a request with FIN behind its body is answered",
            post("Content-Length: 26\r\n", FORM),
            "303 200 close",
        )
        .finish(),
        must(
            "9112 8",
            "a request with FIN in the next one is answered alone",
            format!("{MARKER}GET /plain"),
            "200 close | 200 400 close | 200 408 close",
        )
        .finish(),
        should(
            "9112 9.6",
            "a request for something slow with FIN behind it is answered",
            format!("GET /static/file.txt HTTP/1.1\r\nHost: squall\r\n\r\n{MARKER}"),
            "any 200 close",
        )
        .finish(),
    ]
}
