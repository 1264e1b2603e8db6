//! Lines of the access log: the combined format of Apache and nginx.
//!
//! The first and the last part of a line are made while the request is there, the middle when its answer is complete.
//! What a peer sends is escaped, so that no request can forge a line.

use super::Server;
use crate::conn::http::LogLine;
use crate::event::{App, Request};
use crate::net::{Network, Stream};
use crate::workers::line_log::LineLog;
use std::io::Write;

/// Of one field of a line, escaped: the queue of the log is bounded in lines.
const FIELD_BYTES_MAX: usize = 1 << 10;

impl<N: Network, A: App> Server<N, A> {
    /// From now on every answer is a line of `log`.
    pub fn log_to(&mut self, log: LineLog) {
        self.access_log = Some(log);
    }

    /// A rotation has renamed the file of the log: opens it again.
    pub(super) fn reopen_log(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// Completes and queues the line of one answer.
    pub(super) fn log_line(&self, line: Option<Box<LogLine>>) {
        let (Some(log), Some(mut line)) = (&self.access_log, line) else { return };
        let mut text = std::mem::take(&mut line.before);
        let _ = write!(text, " {} {} ", line.status, line.bytes);
        text.extend_from_slice(&line.after);
        log.line(text);
    }
}

/// The line of a request, without status and size. `date` is the text of the Date field.
pub(super) fn line<S: Stream>(stream: Option<&S>, date: &[u8; 29], request: &Request) -> Box<LogLine> {
    let mut before = begin(stream, date);
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
    Box::new(LogLine { before, after, status: 0, bytes: 0 })
}

/// The line of something that is no request, or not a whole one; of what there is, its first line is shown.
pub(super) fn line_of_no_request<S: Stream>(stream: Option<&S>, date: &[u8; 29], begun: &[u8]) -> Box<LogLine> {
    let mut before = begin(stream, date);
    let first = begun.trim_ascii_start().split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    before.push(b'"');
    escape(if first.is_empty() { b"-" } else { first }, &mut before);
    before.push(b'"');
    Box::new(LogLine { before, after: b"\"-\" \"-\"".to_vec(), status: 0, bytes: 0 })
}

/// Address and time: of `Tue, 24 Nov 2026 10:53:20 GMT` the log wants `24/Nov/2026:10:53:20 +0000`.
fn begin<S: Stream>(stream: Option<&S>, date: &[u8; 29]) -> Vec<u8> {
    let mut text = Vec::with_capacity(160);
    match stream.and_then(|stream| stream.peer_addr().ok()) {
        Some(peer) => write!(text, "{}", peer.ip()).expect("a Vec takes everything"),
        None => text.push(b'-'),
    }
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
        let text = begin::<crate::net::wire::Wire>(None, b"Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(text, b"- - - [14/Nov/2023:22:13:20 +0000] ");
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
