//! Lines of the access log: the combined format of Apache and nginx.
//!
//! The first and the last part of a line are made while the request is there, the middle when its response is complete.
//! What a peer sends is escaped, so that no request can forge a line.

use crate::conn::http::LogLine;
use crate::event::Request;
use crate::workers::line_log::LineLog;
use std::io::Write;
use std::net::IpAddr;

/// Bytes of one field of a line, escaped: the queue of the log is bounded in lines.
const FIELD_BYTES_MAX: usize = 1 << 10;

/// The access log, if there is one.
#[derive(Default)]
pub struct AccessLog(Option<LineLog>);

impl AccessLog {
    /// A log that writes to these lines.
    pub fn to(lines: LineLog) -> AccessLog {
        AccessLog(Some(lines))
    }

    /// Opens the file again: a rotation has renamed it.
    pub fn reopen(&self) {
        if let Some(log) = &self.0 {
            log.reopen();
        }
    }

    /// The line of a request, without status and size. `date` is the text of the Date field.
    pub fn line(&self, date: &[u8; 29], request: &Request) -> Option<Box<LogLine>> {
        self.0.is_some().then(|| line_of(date, request))
    }

    /// The line of something that is no request, or not a whole one; of what there is, its first line is shown.
    pub fn line_of_no_request(&self, peer: Option<IpAddr>, date: &[u8; 29], begun: &[u8]) -> Option<Box<LogLine>> {
        self.0.as_ref()?;
        let mut before = begin(date);
        let first = begun.trim_ascii_start().split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
        before.push(b'"');
        escape(if first.is_empty() { b"-" } else { first }, &mut before);
        before.push(b'"');
        let after = b"\"-\" \"-\"".to_vec();
        Some(Box::new(LogLine { client: peer, before, after, status: 0, bytes: 0 }))
    }

    /// Completes and queues the line of one response.
    #[expect(clippy::boxed_local, reason = "a connection holds it in a box")]
    pub fn write(&self, line: Box<LogLine>) {
        let Some(log) = &self.0 else { return };
        let mut text = line.client.map_or_else(|| "-".to_owned(), |client| client.to_string()).into_bytes();
        text.extend_from_slice(&line.before);
        let _ = write!(text, " {} {} ", line.status, line.bytes);
        text.extend_from_slice(&line.after);
        log.line(text);
    }
}

fn line_of(date: &[u8; 29], request: &Request) -> Box<LogLine> {
    let mut before = begin(date);
    let version = if request.http_1_0 { "HTTP/1.0" } else { "HTTP/1.1" };
    before.push(b'"');
    escape(request.method_token().as_bytes(), &mut before);
    before.push(b' ');
    escape(request.target().as_bytes(), &mut before);
    let _ = write!(before, " {version}\"");
    let mut after = Vec::new();
    for name in ["referer", "user-agent"] {
        if !after.is_empty() {
            after.push(b' ');
        }
        after.push(b'"');
        escape(request.header(name).unwrap_or(b"-"), &mut after);
        after.push(b'"');
    }
    Box::new(LogLine { client: request.client.copied(), before, after, status: 0, bytes: 0 })
}

/// The time: of `Tue, 24 Nov 2026 10:53:20 GMT` the log wants `24/Nov/2026:10:53:20 +0000`.
fn begin(date: &[u8; 29]) -> Vec<u8> {
    let mut text = Vec::with_capacity(160);
    let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
    for part in [b" - - [", day, b"/", month, b"/", year, b":", time, b" +0000] "] {
        text.extend_from_slice(part);
    }
    text
}

/// As Apache does: a backslash in front of quote and backslash, `\xHH` for what is not printable ASCII. What would take
/// more than [`FIELD_BYTES_MAX`] is cut.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let full = out.len() + FIELD_BYTES_MAX;
    for &byte in bytes {
        if out.len() >= full {
            return;
        }
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x20..=0x7e => out.push(byte),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_combined_format() {
        let text = begin(b"Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(text, b" - - [14/Nov/2023:22:13:20 +0000] ");
    }

    #[test]
    fn a_field_is_cut_where_it_would_fill_the_log() {
        let mut out = Vec::new();
        escape(&[0xff; 10_000], &mut out);
        assert!((FIELD_BYTES_MAX..FIELD_BYTES_MAX + 4).contains(&out.len()), "{}", out.len());
    }

    #[test]
    fn a_peer_cannot_forge_a_line_or_leave_its_quotes() {
        let mut out = Vec::new();
        escape(b"a\"b\\c\r\nd\xe5", &mut out);
        assert_eq!(out, br#"a\"b\\c\x0d\x0ad\xe5"#);
    }
}
