//! What a response must have and must not have (RFC 9110 sections 6.6, 8 and 15, RFC 9112 sections 4 and 6).

use super::{FORM, MARKER, ask, post};
use crate::case::{Case, Needs, must, should};
use crate::response::Response;

pub fn cases() -> Vec<Case> {
    let dated = |name, wire: String, expected| must("9110 6.6.1", name, wire, expected).check(is_dated);
    vec![
        dated("200 has a date", ask("GET", "/plaintext"), "200 200 open"),
        dated("303 has a date", post("Content-Length: 26\r\n", FORM), "303 200 open"),
        dated("404 has a date", ask("GET", "/nowhere"), "404 200 open"),
        dated("405 has a date", ask("DELETE", "/plaintext"), "405 200 open | 405 close | 501 200 open | 501 close"),
        dated(
            "400 has a date",
            format!("GET /plaintext HTTP/1.1\r\nX : y\r\nHost: squall\r\n\r\n{MARKER}"),
            "400 close",
        ),
        dated("414 has a date", ask("GET", &format!("/{}", "x".repeat(64 << 10))), "4xx close | 404 200 open | close"),
        dated(
            "431 has a date",
            ask("GET", "/plaintext").replacen("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "y".repeat(64 << 10)), 1),
            "4xx close | 200 200 open | close",
        ),
        dated(
            "304 has a date",
            "GET /static/file.txt HTTP/1.1\r\nHost: squall\r\nIf-None-Match: *\r\n\r\n".into(),
            "304 open",
        )
        .needs(Needs::Files),
        must("9112 4", "a response of HTTP/1.1 begins with HTTP/1.1", ask("GET", "/plaintext"), "200 200 open").check(
            |responses| match responses.first() {
                Some(response) if !response.head.starts_with("HTTP/1.1 200 ") => {
                    Err(format!("{:?}", response.head.lines().next()))
                }
                _ => Ok(()),
            },
        ),
        should("9110 8.3", "a body has a type", ask("GET", "/plaintext"), "200 200 open").field(
            0,
            "content-type",
            "text/plain",
        ),
        should("9110 8.3", "a page has a type", ask("GET", "/"), "200 200 open").field(0, "content-type", "text/html"),
        should("9110 8.6", "a body that is known has its length", ask("GET", "/plaintext"), "200 200 open").field(
            0,
            "content-length",
            "13",
        ),
        should("9110 15.4.4", "303 says where to go", post("Content-Length: 26\r\n", FORM), "303 200 open")
            .field(0, "location", "/"),
        should("9110 15.5", "an error explains itself", ask("GET", "/nowhere"), "404 200 open").check(explains),
        should(
            "9110 15.5",
            "an error about a request that is none explains itself",
            format!("GET /plaintext HTTP/1.1\r\n\r\n{MARKER}"),
            "400 close",
        )
        .check(explains),
        must("9110 8.6", "204 has no length", ask("OPTIONS", "/plaintext"), "any 200 open | any close"),
        must("9110 6.6.1", "there is one date", ask("GET", "/plaintext"), "200 200 open").check(|responses| {
            let dates =
                responses.first().map_or(1, |response| response.head.to_ascii_lowercase().matches("\r\ndate:").count());
            if dates == 1 { Ok(()) } else { Err(format!("{dates} dates")) }
        }),
    ]
}

/// An IMF-fixdate, as a sender must write it (RFC 9110 section 5.6.7).
fn is_dated(responses: &[Response]) -> Result<(), String> {
    let Some(response) = responses.first() else { return Ok(()) };
    let Some(date) = response.field("date") else { return Err(format!("{} without Date", response.status)) };
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let is_fixdate = shape.len() == 29 && shape[3..].starts_with(", 00 ") && shape.ends_with(" 0000 00:00:00 GMT");
    if is_fixdate { Ok(()) } else { Err(format!("Date: {date}")) }
}

fn explains(responses: &[Response]) -> Result<(), String> {
    match responses.first() {
        Some(response) if response.body.is_empty() => Err(format!("{} without a body", response.status)),
        _ => Ok(()),
    }
}
