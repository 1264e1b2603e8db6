//! The request line: method, target, version (RFC 9112 section 3).

use super::{HttpError, Method};
use crate::http::url::{Scheme, is_authority};
use crate::http::words::{TCHAR, span, span_in};
use memchr::{memchr, memchr2};

const NOT_A_REQUEST_LINE: HttpError = HttpError::Malformed("the request line is not METHOD TARGET HTTP/1.1");

/// A request line, with its target split into its parts.
pub(super) struct Line<'b> {
    pub method: Method,
    pub token: &'b [u8],
    pub target: &'b [u8],
    /// Only of a target that names it.
    pub authority: Option<&'b [u8]>,
    pub path: &'b [u8],
    pub query: &'b [u8],
    pub http_1_0: bool,
}

impl<'b> Line<'b> {
    /// Parses the line at the front of a head; returns the bytes behind its CRLF as well.
    pub fn parse(head: &'b [u8]) -> Result<(Line<'b>, &'b [u8]), HttpError> {
        let (token, rest) = split_word(head, span_in(head, &TCHAR))?;
        let (target, rest) = split_word(rest, span(rest, |byte| (byte > b' ') & (byte != 0x7f)))?;
        if !target.is_ascii() && str::from_utf8(target).is_err() {
            return Err(NOT_A_REQUEST_LINE);
        }
        let (version, rest) = rest.split_at(span(rest, |byte| byte != b'\r'));
        let http_1_0 = match version {
            b"HTTP/1.0" => true,
            // A server serves a higher minor version as its own (RFC 9110 section 2.5).
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => false,
            _ if names_a_version(version) => return Err(HttpError::UnknownVersion),
            _ => return Err(NOT_A_REQUEST_LINE),
        };
        let method = Method::parse(token);
        let (authority, path, query) = split_target(method, target)?;
        let fields = rest.strip_prefix(b"\r\n").ok_or(NOT_A_REQUEST_LINE)?;
        Ok((Line { method, token, target, authority, path, query, http_1_0 }, fields))
    }
}

/// The first `length` bytes, which must be followed by one space, and the rest.
fn split_word(line: &[u8], length: usize) -> Result<(&[u8], &[u8]), HttpError> {
    match line.split_at(length) {
        (word, [b' ', rest @ ..]) if !word.is_empty() => Ok((word, rest)),
        _ => Err(NOT_A_REQUEST_LINE),
    }
}

/// Whether this is a version at all, such as that of HTTP/2's preface.
fn names_a_version(word: &[u8]) -> bool {
    match word.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// The authority of a target if it names one, its path and its query.
type Parts<'b> = (Option<&'b [u8]>, &'b [u8], &'b [u8]);

/// Splits a target in one of its four forms (RFC 9112 section 3.2).
fn split_target(method: Method, target: &[u8]) -> Result<Parts<'_>, HttpError> {
    if method == Method::Connect {
        if !is_authority(target) || !target.contains(&b':') {
            return Err(HttpError::Malformed("the target of CONNECT is not HOST:PORT"));
        }
        return Ok((Some(target), b"", b""));
    }
    if target.starts_with(b"/") {
        let (path, query) = split_query(target)?;
        return Ok((None, path, query));
    }
    if target == b"*" && method == Method::Options {
        return Ok((None, b"*", b""));
    }
    let Some(rest) = split_scheme(target) else {
        return Err(HttpError::Malformed("the target is neither a path nor an http URL"));
    };
    let (authority, rest) = rest.split_at(memchr2(b'/', b'?', rest).unwrap_or(rest.len()));
    if !is_authority(authority) {
        return Err(HttpError::BadHost("the authority of the target is not a host with an optional port"));
    }
    let (path, query) = split_query(rest)?;
    // OPTIONS about the server as a whole, in absolute form (RFC 9112 section 3.2.4).
    let whole: &[u8] = if method == Method::Options && rest.is_empty() { b"*" } else { b"/" };
    Ok((Some(authority), if path.is_empty() { whole } else { path }, query))
}

/// The target behind `http://` or `https://`.
fn split_scheme(target: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = target.split_at(memchr(b':', target)?);
    Scheme::parse(str::from_utf8(scheme).ok()?)?;
    rest.strip_prefix(b"://")
}

fn split_query(target: &[u8]) -> Result<(&[u8], &[u8]), HttpError> {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
    let (path, rest) = target.split_at(end);
    match rest {
        [] => Ok((path, b"")),
        [b'?', query @ ..] if !query.contains(&b'#') => Ok((path, query)),
        _ => Err(HttpError::Malformed("the target has a fragment")),
    }
}
