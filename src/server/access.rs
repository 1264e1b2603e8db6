//! Lines of the access log: the combined format of Apache and nginx.
//!
//! The first and the last part of a line are made while the request is there, the middle when its answer is complete.
//! What a peer sends is escaped, so that no request can forge a line.

use super::Server;
use crate::conn::http::LogLine;
use crate::event::{App, Request};
use crate::rt::line_log::LineLog;
use crate::rt::net::{Network, Stream};
use std::io::Write;
use std::time::SystemTime;

impl<N: Network, A: App> Server<N, A> {
    /// From now on every answer is a line of `log`.
    pub fn log_to(&mut self, log: LineLog) {
        self.access_log = Some(log);
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

/// The line of a request, without status and size.
pub(super) fn line<S: Stream>(stream: Option<&S>, request: &Request) -> Box<LogLine> {
    let mut before = begin(stream);
    let version = if request.http_1_0 { "HTTP/1.0" } else { "HTTP/1.1" };
    let _ = write!(before, "\"{} ", request.method.as_str());
    escape(request.target.as_bytes(), &mut before);
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

/// The line of something that is no request.
pub(super) fn bad_line<S: Stream>(stream: Option<&S>) -> Box<LogLine> {
    let mut before = begin(stream);
    before.extend_from_slice(b"\"-\"");
    Box::new(LogLine { before, after: b"\"-\" \"-\"".to_vec(), status: 0, bytes: 0 })
}

fn begin<S: Stream>(stream: Option<&S>) -> Vec<u8> {
    let mut text = Vec::with_capacity(160);
    match stream.and_then(|stream| stream.peer_addr().ok()) {
        Some(peer) => write!(text, "{}", peer.ip()),
        None => write!(text, "-"),
    }
    .and_then(|()| write!(text, " - - [{}] ", clf_time(SystemTime::now())))
    .expect("a Vec takes everything");
    text
}

/// `24/Nov/2026:10:53:20 +0000`, from the field by field equal HTTP date `Tue, 24 Nov 2026 10:53:20 GMT`.
fn clf_time(at: SystemTime) -> String {
    let date = httpdate::fmt_http_date(at);
    format!("{}/{}/{}:{} +0000", &date[5..7], &date[8..11], &date[12..16], &date[17..25])
}

/// As Apache does: quote, backslash and everything that is not printable ASCII becomes `\xHH`.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
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
    use std::time::Duration;

    #[test]
    fn the_time_is_that_of_the_combined_format() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(clf_time(at), "14/Nov/2023:22:13:20 +0000");
    }

    #[test]
    fn a_peer_cannot_forge_a_line_or_leave_its_quotes() {
        let mut out = Vec::new();
        escape(b"a\"b\\c\r\nd\xe5", &mut out);
        assert_eq!(out, br#"a\"b\\c\x0d\x0ad\xe5"#);
    }
}
