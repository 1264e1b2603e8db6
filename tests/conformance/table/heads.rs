//! Lines of a head and their ends: empty lines, bare CR and LF, folded lines (RFC 9112 sections 2.2 and 5.2).

use super::{FORM, MARKER, get, post};
use crate::case::{Case, must, should};

const REFUSED_OR_TAKEN: &str = "400 close | 200 200 open";

pub fn cases() -> Vec<Case> {
    [empty_lines(), line_ends(), folds(), leading()].into_iter().flatten().collect()
}

fn empty_lines() -> Vec<Case> {
    vec![
        should("9112 2.2", "an empty line before a request is ignored", format!("\r\n{MARKER}"), "200 open"),
        should(
            "9112 2.2",
            "an empty line behind a body is ignored",
            post("Content-Length: 26\r\n", &format!("{FORM}\r\n")),
            "303 200 open",
        ),
        should(
            "9112 2.2",
            "an empty line between two requests is ignored",
            format!("{MARKER}\r\n{MARKER}"),
            "200 200 open",
        ),
        must(
            "9112 2.2",
            "three empty lines before a request are ignored or refused",
            format!("\r\n\r\n\r\n{MARKER}"),
            "200 open | 400 close",
        ),
        must("9112 2.2", "an LF before a request is ignored or refused", format!("\n{MARKER}"), "200 open | 400 close"),
        must("9112 2.2", "a CR before a request is refused, or a blank", format!("\r{MARKER}"), "400 close | 200 open"),
        must(
            "9112 2.2",
            "a blank line that is not empty is refused or ignored",
            format!(" \r\n{MARKER}"),
            "400 close | 200 open",
        ),
        should("9112 2.2", "empty lines do not go on for ever", "\r\n".repeat(700), "400 close | close").finish(),
    ]
}

fn line_ends() -> Vec<Case> {
    let all_lf = MARKER.replace("\r\n", "\n");
    vec![
        must("9112 2.2", "a head of lines that end in LF is refused or taken", all_lf, "400 close | 200 open"),
        must(
            "9112 2.2",
            "a request line that ends in LF is refused or taken",
            MARKER.replacen("\r\n", "\n", 1),
            "400 close | 200 open",
        ),
        must(
            "9112 2.2",
            "a field that ends in LF is refused or taken",
            get("X: y\r\n").replacen("y\r\n", "y\n", 1),
            REFUSED_OR_TAKEN,
        ),
        must(
            "9112 2.2",
            "a head that ends in LF LF is refused or taken",
            MARKER.replacen("\r\n\r\n", "\n\n", 1),
            "400 close | 200 open",
        ),
        must(
            "9112 2.2",
            "a head that ends in CRLF LF is refused or taken",
            MARKER.replacen("\r\n\r\n", "\r\n\n", 1),
            "400 close | 200 open",
        ),
        must(
            "9112 2.2",
            "a head that ends in LF CRLF is refused or taken",
            MARKER.replacen("\r\n\r\n", "\n\r\n", 1),
            "400 close | 200 open",
        ),
        must("9112 2.2", "a bare CR in a value is refused or a blank", get("X: y\rz\r\n"), REFUSED_OR_TAKEN),
        must("9112 2.2", "a bare CR at the end of a value is refused or a blank", get("X: y\r\r\n"), REFUSED_OR_TAKEN),
        must("9112 2.2", "a bare CR in a name is refused", get("X\rY: z\r\n"), "400 close"),
        must(
            "9112 2.2",
            "a bare CR before a name is refused, or the line is left out",
            get("\rX: y\r\n"),
            REFUSED_OR_TAKEN,
        ),
        must(
            "9112 2.2",
            "CR CR does not end a head",
            format!("GET /plaintext HTTP/1.1\r\nHost: squall\r\r{MARKER}"),
            "400 close | 200 open | 200 200 open",
        )
        .finish(),
        must(
            "9112 2.2",
            "a request behind a bare CR in a value is not one",
            get(&format!("X: y\r{}", MARKER.replace("\r\n", "\r"))).replacen("\rGET", "\r\rGET", 1),
            "400 close | 200 200 open",
        ),
        must(
            "9112 2.2",
            "a second Host behind a bare CR does not count",
            get("X: y\rHost: other\r\n"),
            REFUSED_OR_TAKEN,
        ),
    ]
}

fn folds() -> Vec<Case> {
    vec![
        must("9112 5.2", "a folded value is refused or joined", get("X: y\r\n z\r\n"), REFUSED_OR_TAKEN),
        must("9112 5.2", "a value folded with a tab is refused or joined", get("X: y\r\n\tz\r\n"), REFUSED_OR_TAKEN),
        must("9112 5.2", "a fold of blanks alone is refused or joined", get("X: y\r\n  \r\n"), REFUSED_OR_TAKEN),
        must("9112 5.2", "a value folded twice is refused or joined", get("X: y\r\n z\r\n a\r\n"), REFUSED_OR_TAKEN),
        must(
            "9112 5.2",
            "a folded Content-Length is refused or read",
            post("Content-Length:\r\n 26\r\n", FORM),
            "400 close | 303 200 open",
        ),
        must(
            "9112 5.2",
            "a Content-Length that goes on in a fold is 400",
            post("Content-Length: 2\r\n 6\r\n", FORM),
            "400 close",
        ),
        must(
            "9112 5.2",
            "a Host that goes on in a fold is 400",
            format!("GET /plaintext HTTP/1.1\r\nHost: squall\r\n other\r\n\r\n{MARKER}"),
            "400 close",
        ),
        must(
            "9112 5.2",
            "a folded Connection is refused or read",
            get("Connection:\r\n close\r\n"),
            "400 close | 200 close",
        ),
        must(
            "9112 5.2",
            "a Content-Length in a fold is not one",
            post("X: y\r\n Content-Length: 26\r\n", FORM),
            "400 close | any 400 close",
        ),
    ]
}

fn leading() -> Vec<Case> {
    let behind_line = |lines: &str| format!("GET /plaintext HTTP/1.1\r\n{lines}\r\n{MARKER}");
    vec![
        must(
            "9112 2.2",
            "a blank before the first field: refused, or the line is left out",
            behind_line(" X: y\r\nHost: squall\r\n"),
            REFUSED_OR_TAKEN,
        ),
        must(
            "9112 2.2",
            "a tab before the first field: refused, or the line is left out",
            behind_line("\tX: y\r\nHost: squall\r\n"),
            REFUSED_OR_TAKEN,
        ),
        must("9112 2.2", "a Host behind a blank is refused or left out", behind_line(" Host: squall\r\n"), "400 close"),
        must(
            "9112 2.2",
            "a Content-Length behind a blank is refused or left out",
            format!("POST /login HTTP/1.1\r\n Content-Length: 26\r\nHost: squall\r\n\r\n{FORM}{MARKER}"),
            "400 close | any 400 close",
        ),
        must(
            "9112 2.2",
            "a Transfer-Encoding behind a blank is refused or left out",
            format!("POST /login HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: squall\r\n\r\n0\r\n\r\n{MARKER}"),
            "400 close | any 400 close",
        ),
    ]
}
