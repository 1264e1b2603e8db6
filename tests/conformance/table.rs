//! The table, by theme. It was written from RFC 9110, 9112, 6455 and 3986 and from what is published about request
//! smuggling; where an RFC leaves a choice, all of it is in the pattern.
//!
//! A case that could be read in two ways has a marker after it: one more request, so that the number of responses tells
//! where the server thinks that the first one ended.

mod chunks;
mod codings;
mod conditions;
mod connection;
mod expect;
mod fields;
mod heads;
mod hosts;
mod lengths;
mod limits;
mod lines;
mod methods;
mod pipelining;
mod ranges;
mod responses;
mod targets;
mod upgrades;
mod versions;

use crate::case::Case;

/// The marker: if it is answered, that is one 200 more.
const MARKER: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n";
/// A body that `POST /login` takes: 303. Without it, or with half of it, 400.
const FORM: &str = "username=ann&next=%2Fplain";
/// What that body is.
const TYPE: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Every case.
pub fn all() -> Vec<Case> {
    let themes = [
        lengths::cases,
        codings::cases,
        chunks::cases,
        lines::cases,
        heads::cases,
        fields::cases,
        hosts::cases,
        targets::cases,
        methods::cases,
        versions::cases,
        expect::cases,
        upgrades::cases,
        connection::cases,
        pipelining::cases,
        conditions::cases,
        ranges::cases,
        responses::cases,
        limits::cases,
    ];
    themes.iter().flat_map(|cases| cases()).collect()
}

/// `GET /plaintext` with these lines, then the marker.
fn get(lines: &str) -> String {
    format!("GET /plaintext HTTP/1.1\r\nHost: squall\r\n{lines}\r\n{MARKER}")
}

/// Any first line, Host and nothing else, then the marker.
fn ask(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: squall\r\n\r\n{MARKER}")
}

/// `POST /login` with these lines and this body, then the marker.
fn post(lines: &str, body: &str) -> String {
    format!("POST /login HTTP/1.1\r\nHost: squall\r\n{TYPE}{lines}\r\n{body}{MARKER}")
}

/// The form as one chunk and the last one, for `post`.
fn form_chunked() -> String {
    format!("{:x}\r\n{FORM}\r\n0\r\n\r\n", FORM.len())
}
