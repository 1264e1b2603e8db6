//! Ranges of a file (RFC 9110 section 14). A server may ignore them; one that does not must keep to the rules.

use super::MARKER;
use crate::case::{Case, Needs, must, should};
use crate::response::Response;

/// What is in `/static/file.txt`.
const FILE: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

pub fn cases() -> Vec<Case> {
    let get = |lines: &str| file("GET", lines);
    let range =
        |name, range: &str| must("9110 14.2", name, get(&format!("Range: {range}\r\n")), "200 200 open | 206 200 open");
    let ignored =
        |name, range: &str| must("9110 14.2", name, get(&format!("Range: {range}\r\n")), "200 200 open").body(0, FILE);
    let cases = vec![
        range("the first byte is that byte, or the whole file", "bytes=0-0")
            .check(|responses| part(responses, "bytes 0-0/36", "0")),
        range("a range is that range, or the whole file", "bytes=10-12")
            .check(|responses| part(responses, "bytes 10-12/36", "abc")),
        range("an open range goes to the end, or is the whole file", "bytes=33-")
            .check(|responses| part(responses, "bytes 33-35/36", "xyz")),
        range("a suffix is the end, or the whole file", "bytes=-3")
            .check(|responses| part(responses, "bytes 33-35/36", "xyz")),
        range("a range past the end ends with the file, or is the whole file", "bytes=33-99")
            .check(|responses| part(responses, "bytes 33-35/36", "xyz")),
        range("a suffix longer than the file is the file", "bytes=-99")
            .check(|responses| part(responses, "bytes 0-35/36", FILE)),
        range("several ranges come in parts, or as the whole file", "bytes=0-1,34-35").check(several),
        must(
            "9110 14.2",
            "a range behind the end is 416, or the whole file",
            get("Range: bytes=36-\r\n"),
            "200 200 open | 416 200 open",
        ),
        should(
            "9110 15.5.17",
            "416 says how long the file is",
            get("Range: bytes=99-\r\n"),
            "200 200 open | 416 200 open",
        )
        .check(|responses| match responses.first() {
            Some(response) if response.status == 416 && response.field("content-range") != Some("bytes */36") => {
                Err(format!("Content-Range: {:?}", response.field("content-range")))
            }
            _ => Ok(()),
        }),
        ignored("an unknown unit is ignored", "lines=0-0"),
        must(
            "9110 14.2",
            "a range that is none is refused or ignored",
            get("Range: bytes=x-y\r\n"),
            "200 200 open | 416 200 open | 400 200 open | 400 close",
        ),
        must(
            "9110 14.2",
            "a range of nothing is refused or ignored",
            get("Range:\r\n"),
            "200 200 open | 416 200 open | 400 200 open | 400 close",
        ),
        must(
            "9110 14.1.1",
            "a range that ends before it begins is no range",
            get("Range: bytes=3-2\r\n"),
            "200 200 open | 416 200 open | 400 200 open | 400 close",
        ),
        must("9110 14.2", "a range means nothing to HEAD", file("HEAD", "Range: bytes=0-0\r\n"), "200 200 open")
            .head_at(0),
        must(
            "9110 14.2",
            "a range of what is not there is 404",
            get("Range: bytes=0-0\r\n").replacen("file.txt", "nowhere.txt", 1),
            "404 200 open",
        ),
        must(
            "9110 13.2.2",
            "a condition is looked at before the range",
            get("Range: bytes=0-0\r\nIf-None-Match: *\r\n"),
            "304 200 open",
        ),
        must(
            "9110 13.1.5",
            "If-Range with another tag makes the range void",
            get("Range: bytes=0-0\r\nIf-Range: \"none\"\r\n"),
            "200 200 open",
        )
        .body(0, FILE),
        must(
            "9110 13.1.5",
            "If-Range with another date makes the range void",
            get("Range: bytes=0-0\r\nIf-Range: Tue, 14 Nov 2023 22:13:19 GMT\r\n"),
            "200 200 open",
        )
        .body(0, FILE),
        must("9110 13.1.5", "If-Range without Range means nothing", get("If-Range: \"none\"\r\n"), "200 200 open")
            .body(0, FILE),
        should(
            "9110 17.15",
            "a thousand ranges do not multiply the file",
            get(&format!("Range: bytes={}0-0\r\n", "0-,".repeat(999))),
            "200 200 open | 206 200 open | 416 200 open | 400 200 open",
        )
        .check(|responses| {
            let bytes = responses.first().map_or(0, |response| response.body.len());
            if bytes > 10 * FILE.len() { Err(format!("{bytes} bytes")) } else { Ok(()) }
        }),
    ];
    cases.into_iter().map(|case| case.needs(Needs::Files)).collect()
}

fn file(method: &str, lines: &str) -> String {
    format!("{method} /static/file.txt HTTP/1.1\r\nHost: squall\r\n{lines}\r\n{MARKER}")
}

/// The whole file with 200, or exactly this part with 206.
fn part(responses: &[Response], content_range: &str, part: &str) -> Result<(), String> {
    let Some(response) = responses.first() else { return Ok(()) };
    let body = String::from_utf8_lossy(&response.body);
    match response.status {
        200 if body == FILE => Ok(()),
        206 if body == part && response.field("content-range") == Some(content_range) => Ok(()),
        status => Err(format!("{status}, Content-Range {:?}, {body:?}", response.field("content-range"))),
    }
}

fn several(responses: &[Response]) -> Result<(), String> {
    let Some(response) = responses.first() else { return Ok(()) };
    let content_type = response.field("content-type").unwrap_or_default();
    match response.status {
        200 if response.body == FILE.as_bytes() => Ok(()),
        206 if content_type.starts_with("multipart/byteranges") && response.field("content-range").is_none() => Ok(()),
        status => Err(format!("{status} with {content_type}")),
    }
}
