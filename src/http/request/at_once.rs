//! A head that lies whole at the front of what was read, and has nothing unusual about it, as nearly every one.
//!
//! It is told apart word by word, in one go. Whatever is unusual is left to
//! [`HeadScan`](super::HeadScan) and [`parse_request`](super::parse_request), which know what to say of it: nothing is
//! refused here, and what is accepted is what these two would have made of it.

use super::fields::{FieldLines, Fields};
use super::{Line, Method, Request, fields_max};
use crate::http::Limits;
use crate::http::words::{TCHAR, span, span_in};

/// Finds and parses such a head at the front of `buf`; returns its length in bytes, and the request.
///
/// `None`: it is not whole, or it is for others to look at: a method other than GET, HEAD and POST, a target that is
/// not a path in ASCII, a tab in a value, an empty line before the head, a limit that is exceeded, another minor
/// version, a mistake.
pub fn parse_at_once<'b>(buf: &'b [u8], limits: &Limits) -> Option<(usize, Request<'b>)> {
    let (line, behind_line) = usual_line(buf)?;
    let (mut fields, mut rest, mut left) = (Fields::default(), behind_line, fields_max(limits));
    while !rest.starts_with(b"\r\n") {
        let (name, value, behind) = usual_field(rest)?;
        fields.note(name, value).ok()?;
        (rest, left) = (behind, left.checked_sub(1)?);
    }
    let line_bytes = buf.len() - behind_line.len() - "\r\n".len();
    let end = buf.len() - rest.len() + "\r\n".len();
    let lines = FieldLines(&behind_line[..behind_line.len() - rest.len()]);
    if line_bytes > limits.request_line_bytes_max || end > limits.head_bytes_max {
        return None;
    }
    Some((end, fields.request(line, lines, limits).ok()?))
}

/// The request line, and what is behind it.
fn usual_line(buf: &[u8]) -> Option<(Line<'_>, &[u8])> {
    let (method, token, rest): (_, &[u8], _) = match buf {
        [b'G', b'E', b'T', b' ', rest @ ..] => (Method::Get, b"GET", rest),
        [b'H', b'E', b'A', b'D', b' ', rest @ ..] => (Method::Head, b"HEAD", rest),
        [b'P', b'O', b'S', b'T', b' ', rest @ ..] => (Method::Post, b"POST", rest),
        _ => return None,
    };
    if rest.first() != Some(&b'/') {
        return None;
    }
    let (path, behind) = rest.split_at(span(rest, |byte| byte.is_ascii_graphic() & (byte != b'?') & (byte != b'#')));
    let query = match behind.split_first() {
        Some((b'?', behind)) => Some(&behind[..span(behind, |byte| byte.is_ascii_graphic() & (byte != b'#'))]),
        _ => None,
    };
    let (target, rest) = rest.split_at(path.len() + query.map_or(0, |query| "?".len() + query.len()));
    let (version, rest) = rest.split_first_chunk()?;
    let is_1_1 = version == b" HTTP/1.1\r\n";
    if !is_1_1 && version != b" HTTP/1.0\r\n" {
        return None;
    }
    let query = query.unwrap_or_default();
    Some((Line { method, token, target, authority: None, path, query, http_1_0: !is_1_1 }, rest))
}

/// Name and value of the field whose line is first, and what is behind that line.
fn usual_field(lines: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = lines.split_at(span_in(lines, &TCHAR));
    if name.is_empty() {
        return None;
    }
    let rest = rest.strip_prefix(b":")?;
    let (value, rest) = rest.split_at(span(rest, |byte| (byte >= b' ') & (byte != 0x7f)));
    Some((name, value.trim_ascii(), rest.strip_prefix(b"\r\n")?))
}
