//! Conditional requests for a file (RFC 9110 section 13).
//!
//! The tag is not known beforehand, so `*` stands for "it exists" and `"none"` for a tag that it does not have. The
//! file is of [`MODIFIED`].

use super::MARKER;
use crate::case::{Case, Needs, must, should};
use crate::response::Response;

/// When `/static/file.txt` was written last.
const MODIFIED: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
const AFTER: &str = "Wed, 15 Nov 2023 00:00:00 GMT";

/// A server may close after an error.
const FAILS: &str = "412 200 open | 412 close";

pub fn cases() -> Vec<Case> {
    let cases = [if_none_match(), if_modified_since(), if_match(), if_unmodified_since(), others()];
    cases.into_iter().flatten().map(|case| case.needs(Needs::Files)).collect()
}

fn file(method: &str, lines: &str) -> String {
    format!("{method} /static/file.txt HTTP/1.1\r\nHost: squall\r\n{lines}\r\n{MARKER}")
}

fn get(lines: &str) -> String {
    file("GET", lines)
}

fn if_none_match() -> Vec<Case> {
    let absent = |name, lines: &str| must("9110 13.1.2", name, get(lines), "200 200 open");
    vec![
        must(
            "9110 13.1.2",
            "If-None-Match: * of a file that is there is 304",
            get("If-None-Match: *\r\n"),
            "304 200 open",
        ),
        must("9110 13.1.2", "HEAD with If-None-Match: * is 304", file("HEAD", "If-None-Match: *\r\n"), "304 200 open")
            .head_at(0),
        absent("a tag that the file does not have is answered with the file", "If-None-Match: \"none\"\r\n"),
        absent("a weak tag that the file does not have is answered with the file", "If-None-Match: W/\"none\"\r\n"),
        absent(
            "a list of tags that the file does not have is answered with the file",
            "If-None-Match: \"a\", W/\"b\", \"c,d\"\r\n",
        ),
        absent("a quoted asterisk is a tag", "If-None-Match: \"*\"\r\n"),
        must(
            "9110 13.1.3",
            "If-None-Match that does not match wins over If-Modified-Since",
            get(&format!("If-None-Match: \"none\"\r\nIf-Modified-Since: {AFTER}\r\n")),
            "200 200 open",
        ),
        must(
            "9110 13.1.3",
            "If-None-Match that matches wins over If-Modified-Since",
            get(&format!("If-Modified-Since: {BEFORE}\r\nIf-None-Match: *\r\n")),
            "304 200 open",
        ),
        must(
            "9110 15.4.5",
            "304 has the tag, the date and the caching of 200",
            format!("GET /static/file.txt HTTP/1.1\r\nHost: squall\r\n\r\n{}", get("If-None-Match: *\r\n")),
            "200 304 200 open",
        )
        .check(says_what_200_says),
        must("9110 15.4.5", "304 has no body", get("If-None-Match: *\r\n"), "304 200 open"),
        must(
            "9110 13.2.1",
            "what is not there is 404 whatever If-None-Match says",
            get("If-None-Match: *\r\n").replacen("file.txt", "nowhere.txt", 1),
            "404 200 open",
        ),
    ]
}

fn if_modified_since() -> Vec<Case> {
    let since =
        |name, date: &str| must("9110 13.1.3", name, get(&format!("If-Modified-Since: {date}\r\n")), "200 200 open");
    vec![
        should(
            "9110 13.1.3",
            "a file that is as old is 304",
            get(&format!("If-Modified-Since: {MODIFIED}\r\n")),
            "304 200 open",
        ),
        should(
            "9110 13.1.3",
            "a file that is older is 304",
            get(&format!("If-Modified-Since: {AFTER}\r\n")),
            "304 200 open",
        ),
        since("a file that is newer is answered with the file", BEFORE),
        should(
            "9110 5.6.7",
            "a date of RFC 850 is a date",
            get("If-Modified-Since: Tuesday, 14-Nov-23 22:13:20 GMT\r\n"),
            "304 200 open",
        ),
        should(
            "9110 5.6.7",
            "a date of asctime is a date",
            get("If-Modified-Since: Tue Nov 14 22:13:20 2023\r\n"),
            "304 200 open",
        ),
        since("a date that is none is ignored", "yesterday"),
        since("a date of nothing is ignored", ""),
        since("a number is no date", "1700000000"),
        since("a date with another month is none", "Tue, 14 Foo 2123 22:13:20 GMT"),
        must(
            "9110 13.1.3",
            "two dates are none",
            get(&format!("If-Modified-Since: {AFTER}\r\nIf-Modified-Since: {BEFORE}\r\n")),
            "200 200 open | 400 200 open | 400 close",
        ),
        should("9110 8.8.2", "a file says when it was modified", get(""), "200 200 open").field(
            0,
            "last-modified",
            MODIFIED,
        ),
        should("9110 8.8.3", "a file has a tag", get(""), "200 200 open").field(0, "etag", "\""),
    ]
}

fn if_match() -> Vec<Case> {
    let fails = |name, lines: &str| must("9110 13.1.1", name, get(lines), FAILS);
    vec![
        must("9110 13.1.1", "If-Match: * of a file that is there is the file", get("If-Match: *\r\n"), "200 200 open"),
        fails("If-Match with a tag that the file does not have is 412", "If-Match: \"none\"\r\n"),
        fails("If-Match with a list that does not have its tag is 412", "If-Match: \"a\", \"b\"\r\n"),
        fails("If-Match with a quoted asterisk is 412", "If-Match: \"*\"\r\n"),
        must("9110 13.1.1", "HEAD with If-Match that fails is 412", file("HEAD", "If-Match: \"none\"\r\n"), FAILS)
            .head_at(0),
        must(
            "9110 13.2.2",
            "If-Match is looked at before If-None-Match",
            get("If-None-Match: *\r\nIf-Match: \"none\"\r\n"),
            FAILS,
        ),
        must(
            "9110 13.1.4",
            "If-Match that holds wins over If-Unmodified-Since",
            get(&format!("If-Match: *\r\nIf-Unmodified-Since: {BEFORE}\r\n")),
            "200 200 open",
        ),
        must(
            "9110 13.2.2",
            "If-Match that holds is followed by If-None-Match",
            get("If-Match: *\r\nIf-None-Match: *\r\n"),
            "304 200 open",
        ),
        must(
            "9110 13.2.1",
            "what is not there is 404 whatever If-Match says",
            get("If-Match: \"none\"\r\n").replacen("file.txt", "nowhere.txt", 1),
            "404 200 open",
        ),
    ]
}

fn if_unmodified_since() -> Vec<Case> {
    let since =
        |name, date: &str| must("9110 13.1.4", name, get(&format!("If-Unmodified-Since: {date}\r\n")), "200 200 open");
    vec![
        must(
            "9110 13.1.4",
            "a file that was modified since is 412",
            get(&format!("If-Unmodified-Since: {BEFORE}\r\n")),
            FAILS,
        ),
        since("a file that is as old as it may be is the file", MODIFIED),
        since("a file that is older than it may be is the file", AFTER),
        since("an unmodified since a date that is none is ignored", "yesterday"),
        must(
            "9110 13.1.4",
            "HEAD of a file that was modified since is 412",
            file("HEAD", &format!("If-Unmodified-Since: {BEFORE}\r\n")),
            FAILS,
        )
        .head_at(0),
        must(
            "9110 13.2.2",
            "If-Unmodified-Since is looked at before If-None-Match",
            get(&format!("If-None-Match: *\r\nIf-Unmodified-Since: {BEFORE}\r\n")),
            FAILS,
        ),
        must(
            "9110 13.2.2",
            "If-Unmodified-Since is looked at before If-Modified-Since",
            get(&format!("If-Modified-Since: {AFTER}\r\nIf-Unmodified-Since: {BEFORE}\r\n")),
            FAILS,
        ),
    ]
}

fn others() -> Vec<Case> {
    vec![
        must(
            "9110 13.2.1",
            "conditions mean nothing to OPTIONS",
            file("OPTIONS", "If-Match: \"none\"\r\n"),
            "200 200 open | 204 200 open | 405 200 open | 501 200 open",
        ),
        must(
            "9110 13.2.1",
            "conditions mean nothing to a method that is not allowed",
            file("DELETE", "If-None-Match: *\r\n"),
            "405 200 open | 501 200 open | 405 close | 501 close",
        ),
        must(
            "9110 13.2.1",
            "conditions mean nothing where the response is 404",
            format!("GET /nowhere HTTP/1.1\r\nHost: squall\r\nIf-Unmodified-Since: {BEFORE}\r\n\r\n{MARKER}"),
            "404 200 open",
        ),
    ]
}

fn says_what_200_says(responses: &[Response]) -> Result<(), String> {
    let [whole, same, ..] = responses else { return Ok(()) };
    for name in ["etag", "cache-control", "expires", "vary", "content-location"] {
        let is_time = name == "expires";
        let (before, behind) = (whole.field(name), same.field(name));
        if before != behind && !(is_time && behind.is_some()) {
            return Err(format!("{name} of 200 is {before:?}, of 304 {behind:?}"));
        }
    }
    if same.field("date").is_none() { Err("304 without Date".into()) } else { Ok(()) }
}
