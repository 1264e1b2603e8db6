//! What is too long (RFC 9110 sections 5.4 and 15.5, RFC 9112 section 3).

use super::{FORM, MARKER, ask, get, post};
use crate::case::{Case, must, should};

/// Or it is within the limits of that server.
const TARGET_TOO_LONG: &str = "414 close | 200 200 open";
const TOO_LONG: &str = "4xx close | 200 200 open";

pub fn cases() -> Vec<Case> {
    let target = |bytes: usize| format!("/plaintext?{}", "x".repeat(bytes - "/plaintext?".len()));
    let padded = |bytes: usize| {
        post(&format!("Content-Length: {}\r\n", bytes + FORM.len() + 3), &format!("{FORM}&x={}", "x".repeat(bytes)))
    };
    let many = format!("X: {}\r\n", "y".repeat(300)).repeat(220);
    vec![
        must("9112 3", "a target longer than any is 414, or served", ask("GET", &target(64 << 10)), TARGET_TOO_LONG),
        must(
            "9112 3",
            "a target longer than any is 414 before the line ends, or waited for",
            format!("GET {}", target(64 << 10)),
            "414 close | close",
        )
        .finish(),
        must("9112 3", "a target of a megabyte is 414, or served", ask("GET", &target(1 << 20)), TARGET_TOO_LONG),
        should(
            "9112 3",
            "a request line of 8,000 bytes is read",
            ask("GET", &target(8000 - "GET  HTTP/1.1".len())),
            "200 200 open",
        ),
        must(
            "9110 5.4",
            "a field of 65 KiB is refused with 4xx, or taken",
            get(&format!("X: {}\r\n", "y".repeat(65 << 10))),
            TOO_LONG,
        ),
        must("9110 5.4", "a head of 65 KiB in many fields is refused with 4xx, or taken", get(&many), TOO_LONG),
        must(
            "9110 5.4",
            "a field of 65 KiB is refused with 4xx before it ends, or waited for",
            format!("GET /plaintext HTTP/1.1\r\nHost: squall\r\nX: {}", "y".repeat(65 << 10)),
            "4xx close | close",
        )
        .finish(),
        must(
            "9110 5.4",
            "a name of 65 KiB is refused with 4xx, or taken",
            get(&format!("{}: y\r\n", "X".repeat(65 << 10))),
            TOO_LONG,
        ),
        must(
            "9110 5.4",
            "a Host of 65 KiB is refused with 4xx, or taken",
            format!("GET /plaintext HTTP/1.1\r\nHost: {}\r\n\r\n{MARKER}", "h".repeat(65 << 10)),
            TOO_LONG,
        ),
        should("6585 5", "a head that is too long is 431", get(&many), "431 close | 200 200 open"),
        should("9110 5.4", "a field of 4 KiB is read", get(&format!("X: {}\r\n", "y".repeat(4 << 10))), "200 200 open"),
        should("9110 5.4", "fifty fields are read", get(&"X: y\r\n".repeat(50)), "200 200 open"),
        should(
            "9110 15.5.14",
            "a body that is announced as too long is 413",
            post("Content-Length: 999999999999\r\n", FORM),
            "413 close",
        )
        .finish(),
        must("9112 6.3", "a body of 64 KiB is read", padded(64 << 10), "303 200 open"),
        must(
            "9112 7.1",
            "a chunk of 64 KiB is read",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("{:x}\r\n{FORM}&x={}\r\n0\r\n\r\n", FORM.len() + 3 + (64 << 10), "x".repeat(64 << 10)),
            ),
            "303 200 open",
        ),
        must(
            "9112 7.1",
            "a thousand chunks are read",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("1d\r\n{FORM}&x=\r\n{}0\r\n\r\n", "1\r\nx\r\n".repeat(1000)),
            ),
            "303 200 open",
        ),
        must(
            "9110 5.6.1",
            "a reasonable number of empty elements is ignored",
            get(&format!("Connection: {}close\r\n", ", ".repeat(20))),
            "200 close",
        ),
    ]
}
