//! The request line (RFC 9112 section 3), and what is none.

use super::{MARKER, ask};
use crate::case::{Case, must, should};

pub fn cases() -> Vec<Case> {
    [words(), garbage()].into_iter().flatten().collect()
}

/// A whole head with this first line, then the marker.
fn line(line: &str) -> String {
    format!("{line}\r\nHost: squall\r\n\r\n{MARKER}")
}

fn words() -> Vec<Case> {
    // White space of any kind between the words may be accepted (RFC 9112 section 3).
    let lenient = |name, text: &str| must("9112 3", name, line(text), "400 close | 200 200 open");
    let bad = |name, text: &str| should("9112 3", name, line(text), "400 close");
    vec![
        must("9112 3", "a request line is three words", ask("GET", "/plaintext"), "200 200 open")
            .body(0, "Hello, World!"),
        lenient("two blanks behind the method are refused or one", "GET  /plaintext HTTP/1.1"),
        lenient("two blanks before the version are refused or one", "GET /plaintext  HTTP/1.1"),
        lenient("a tab behind the method is refused or a blank", "GET\t/plaintext HTTP/1.1"),
        lenient("a tab before the version is refused or a blank", "GET /plaintext\tHTTP/1.1"),
        lenient("a blank at the end of the line is refused or nothing", "GET /plaintext HTTP/1.1 "),
        lenient("a blank before the line is refused or nothing", " GET /plaintext HTTP/1.1"),
        lenient("a vertical tab between words is refused or a blank", "GET\x0b/plaintext HTTP/1.1"),
        bad("a request line has a version", "GET /plaintext"),
        bad("a request line has a target", "GET HTTP/1.1"),
        bad("a request line has a method", "/plaintext HTTP/1.1"),
        bad("a request line has no fourth word", "GET /plaintext HTTP/1.1 x"),
        bad("a target has no blank in it", "GET /plain text HTTP/1.1"),
        bad("a method is a token: no comma", "GET,POST /plaintext HTTP/1.1"),
        bad("a method is a token: no bracket", "GET[] /plaintext HTTP/1.1"),
        bad("a method is a token: no letter of Unicode", "G\u{c9}T /plaintext HTTP/1.1"),
        must(
            "9112 2.2",
            "a bare CR within the line is refused",
            line("GET /plain\rtext HTTP/1.1"),
            "400 close | 404 200 open",
        ),
        must(
            "9112 2.2",
            "a bare CR in the place of a blank is refused or a blank",
            line("GET\r/plaintext HTTP/1.1"),
            "400 close | 200 200 open",
        ),
        must(
            "9112 2.2",
            "a bare CR at the end of the line is refused or a blank",
            line("GET /plaintext HTTP/1.1\r"),
            "400 close | 200 200 open",
        ),
        should("9112 2.2", "NUL in a target is refused", line("GET /plaintext\0 HTTP/1.1"), "400 close"),
        should("9112 2.2", "NUL in a method is refused", line("GE\0T /plaintext HTTP/1.1"), "400 close"),
        should("9112 2.2", "a control in a target is refused", line("GET /plaintext\x01 HTTP/1.1"), "400 close"),
        should("9112 2.2", "DEL in a target is refused", line("GET /plaintext\x7f HTTP/1.1"), "400 close"),
    ]
}

fn garbage() -> Vec<Case> {
    let bad = |name, bytes: &[u8]| should("9112 2.2", name, bytes.to_vec(), "400 close").finish();
    vec![
        bad("a TLS handshake is no request", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n"),
        bad("words are no request", b"hello there\r\n\r\n"),
        bad("the greeting of SSH is no request", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        bad("a request of HTTP/0.9 is none of HTTP/1.1", b"GET /plaintext\r\n\r\n"),
        bad("a response is no request", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        bad("a field is no request line", b"Host: squall\r\n\r\n"),
        bad("bytes above 127 are no request", b"\x80\x81\xfe\xff \xff \xff\r\n\r\n"),
        must("9112 9.6", "who says nothing and ends is owed nothing", "", "close").finish(),
        must(
            "9112 8",
            "half a request line is not answered as a request",
            "GET /plaintext HT",
            "close | 400 close | 408 close",
        )
        .finish(),
        must(
            "9110 5.4",
            "half a head is not acted upon",
            "GET /plaintext HTTP/1.1\r\nHost: squall\r\n",
            "close | 400 close | 408 close",
        )
        .finish(),
        must(
            "9110 5.4",
            "a head without its last LF is not acted upon",
            "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r",
            "close | 400 close | 408 close",
        )
        .finish(),
    ]
}
