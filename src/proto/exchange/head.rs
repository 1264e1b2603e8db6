//! The head of an answer: where it ends, and what it decides about everything behind it (RFC 9112 sections 4 to 9).
//!
//! Bytes go in, a [`ResponseHead`] comes out, with the machine for the body, its content coding and the fate of the
//! connection. Interim heads are looked through for their end only.

use super::{ExchangeError, INTERIM_MAX, Slot};
use crate::config::Limits;
use crate::proto::body::{BodyReader, Codings, Framing, parse_length};
use httparse::{Header, ParserConfig, Status};
use memchr::{memchr, memchr_iter};

/// The first bytes of every answer.
const PROTOCOL: &[u8] = b"HTTP/1.";

const BAD_STATUS_LINE: ExchangeError = ExchangeError::Malformed("its status line makes no sense");

/// The head of a final answer. It borrows the bytes (`'b`) and the slots (`'h`) of one call.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'h, 'b> {
    /// 200 to 999.
    pub status: u16,
    /// Of HTTP/1: 0 or 1.
    pub minor_version: u8,
    /// As it was sent; empty if it was not ASCII.
    pub reason: &'b str,
    /// All fields in order, values without the white space around them.
    pub headers: &'h [Header<'b>],
    /// Content-Length, unless a transfer coding overrides it. Also where no body follows: of HEAD, of 304. It counts
    /// the body as it is sent, with its content coding.
    pub length: Option<u64>,
}

impl<'b> ResponseHead<'_, 'b> {
    /// The first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        fields(self.headers, name).next()
    }
}

/// What becomes of the connection once the answer is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may carry another exchange.
    Kept,
    /// It may not.
    Closed,
    /// Its end is the end of the body.
    UntilClose,
}

/// A final head and what it decides.
pub(super) struct Final<'h, 'b> {
    pub head: ResponseHead<'h, 'b>,
    pub body: BodyReader,
    /// The one Content-Encoding of the body, if there is a body.
    pub coding: Option<&'b [u8]>,
    pub fate: Fate,
}

/// Where the final head begins and ends, past any interim ones; without an end: where the unfinished one begins.
pub(super) fn find_final_head(
    buf: &[u8],
    seen: &mut usize,
    interim: &mut u8,
    limits: &Limits,
) -> Result<(usize, Option<usize>), ExchangeError> {
    let mut start = 0;
    loop {
        let unfinished = &buf[start..];
        if !unfinished.starts_with(&PROTOCOL[..PROTOCOL.len().min(unfinished.len())]) {
            return Err(ExchangeError::NotHttp);
        }
        let end = find_head_end(unfinished, seen);
        if end.unwrap_or(unfinished.len()) > limits.upstream_head_bytes_max {
            return Err(ExchangeError::HeadTooLong(limits.upstream_head_bytes_max));
        }
        let Some(end) = end else { return Ok((start, None)) };
        *seen = 0;
        match unfinished.get(PROTOCOL.len() + 1..PROTOCOL.len() + 5) {
            Some(b" 101") => return Err(ExchangeError::UnexpectedUpgrade),
            Some([b' ', b'1', b'0'..=b'9', b'0'..=b'9']) if *interim == INTERIM_MAX => {
                return Err(ExchangeError::TooManyInterim);
            }
            Some([b' ', b'1', b'0'..=b'9', b'0'..=b'9']) => *interim += 1,
            _ => return Ok((start, Some(start + end))),
        }
        start += end;
    }
}

/// The end of the first empty line, looked for only in bytes not seen yet. A line ends in LF, with CR or without.
fn find_head_end(buf: &[u8], seen: &mut usize) -> Option<usize> {
    while let Some(found) = memchr(b'\n', &buf[*seen..]) {
        let line = *seen + found + 1;
        match buf[line..] {
            [b'\n', ..] => return Some(line + 1),
            [b'\r', b'\n', ..] => return Some(line + 2),
            // What is behind this LF is not there yet.
            [] | [b'\r'] => {
                *seen = line - 1;
                return None;
            }
            _ => *seen = line,
        }
    }
    *seen = buf.len();
    None
}

/// Parses a final head and decides where the body ends (RFC 9112 section 6.3).
pub(super) fn parse_head<'h, 'b>(
    bytes: &'b [u8],
    asked_head: bool,
    slots: &'h mut [Slot<'b>],
    limits: &Limits,
) -> Result<Final<'h, 'b>, ExchangeError> {
    let slots_max = slots.len();
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .parse_response_with_uninit_headers(&mut parsed, bytes, slots);
    match status {
        Ok(Status::Complete(used)) if used == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(ExchangeError::TooManyFields(slots_max)),
        Err(httparse::Error::Version) => return Err(ExchangeError::NotHttp),
        Err(httparse::Error::HeaderName) => return Err(ExchangeError::Malformed("a line of its head is not a field")),
        Err(httparse::Error::HeaderValue) => {
            return Err(ExchangeError::Malformed("a field has a control character in its value"));
        }
        _ => return Err(BAD_STATUS_LINE),
    }
    let (Some(minor_version), Some(status @ 200..)) = (parsed.version, parsed.code) else {
        return Err(BAD_STATUS_LINE);
    };
    let headers: &'h [Header<'b>] = parsed.headers;

    let (codings, announced) = framing_fields(headers)?;
    let length = announced.filter(|_| codings == Codings::Absent);
    let bytes_max = limits.upstream_body_bytes_max;
    let has_body = !asked_head && !matches!(status, 204 | 304);
    let body = match (codings, length) {
        _ if !has_body => BodyReader::new(Framing::None, bytes_max),
        (Codings::Chunked, _) => BodyReader::new(Framing::Chunked, bytes_max),
        (Codings::Other | Codings::OtherThenChunked, _) => return Err(ExchangeError::UnknownCoding),
        (Codings::Absent, Some(n)) if n > bytes_max => return Err(ExchangeError::BodyTooLarge(bytes_max)),
        (Codings::Absent, Some(n)) => BodyReader::new(Framing::Length(n), bytes_max),
        (Codings::Absent, None) => BodyReader::until_close(bytes_max),
    };
    let may_be_kept = || {
        is_persistent(minor_version, headers)
            && !is_end_doubtful(status, minor_version, codings, announced)
            && is_strict(bytes)
    };
    let fate = match body.ends_with_input() {
        true => Fate::UntilClose,
        false if may_be_kept() => Fate::Kept,
        false => Fate::Closed,
    };
    let coding = one(fields(headers, "content-encoding")).filter(|_| has_body);
    let head = ResponseHead { status, minor_version, reason: parsed.reason.unwrap_or_default(), headers, length };
    Ok(Final { head, body, coding, fate })
}

/// The transfer codings, and the length, which must be the same where it is said twice (RFC 9112 section 6.3).
fn framing_fields(headers: &[Header]) -> Result<(Codings, Option<u64>), ExchangeError> {
    let mut codings = Codings::Absent;
    let mut length = None;
    for field in headers {
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            codings = codings.and(field.value).ok_or(ExchangeError::UnknownCoding)?;
        } else if field.name.eq_ignore_ascii_case("content-length") {
            for value in field.value.split(|&byte| byte == b',') {
                let value = parse_length(value.trim_ascii()).ok_or(ExchangeError::BadLength)?;
                if length.replace(value).is_some_and(|before| before != value) {
                    return Err(ExchangeError::BadLength);
                }
            }
        }
    }
    Ok((codings, length))
}

/// Whether the server wants to keep the connection (RFC 9112 section 9.3). `close` outweighs `keep-alive`.
fn is_persistent(minor_version: u8, headers: &[Header]) -> bool {
    let says = |option: &[u8]| {
        fields(headers, "connection")
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|said| said.trim_ascii().eq_ignore_ascii_case(option))
    };
    !says(b"close") && (minor_version > 0 || says(b"keep-alive"))
}

/// Whether another reader could find the end of this answer elsewhere, so that what we take for the next one would be
/// the rest of this one (RFC 9112 sections 6.1 and 11.1): a coding and a length at once, a coding where there was none
/// yet, a body where there can be none.
fn is_end_doubtful(status: u16, minor_version: u8, codings: Codings, length: Option<u64>) -> bool {
    match codings {
        Codings::Absent => status == 204 && length.is_some_and(|n| n > 0),
        _ => status == 204 || minor_version == 0 || length.is_some(),
    }
}

/// Whether a head is written as the RFC says. A field that only a lenient reader sees, behind a bare LF or with a space
/// before its colon, may be somebody else's words in a server's mouth.
fn is_strict(head: &[u8]) -> bool {
    let mut start = 0;
    memchr_iter(b'\n', head).all(|at| {
        let line = &head[start..at];
        start = at + 1;
        let name = &line[..memchr(b':', line).unwrap_or(0)];
        line.ends_with(b"\r") && !name.ends_with(b" ") && !name.ends_with(b"\t")
    })
}

/// The values of all fields of this name, in any case.
fn fields<'b>(headers: &[Header<'b>], name: &str) -> impl Iterator<Item = &'b [u8]> {
    headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// The only item.
fn one<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}
