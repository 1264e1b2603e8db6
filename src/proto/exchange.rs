//! The client's side of one exchange: a request out, an answer in (RFC 9112).
//!
//! ```text
//! Head ─ 1xx ─▶ Head ─ final head ─▶ Body ─ its end ─▶ Done
//! ```
//!
//! One request a connection, with `Connection: close`. Input is the front of a byte slice; output is the bytes used
//! and at most one [`ExchangeEvent`]. Reading is lenient where it can do no harm (bare LF, white space), and strict
//! where the end of the body is at stake. Redirects, deadlines and the socket are decided elsewhere.

use crate::config::Limits;
use crate::proto::body::{BodyError, BodyReader, Codings, Framing, parse_length};
use crate::proto::chunked::{ChunkError, Piece};
use crate::proto::http::Slot;
use crate::proto::response::is_field_value;
use crate::proto::url::Url;
use httparse::{Header, ParserConfig, Status};
use memchr::memchr;
use std::borrow::Cow;
use std::fmt;

/// Interim answers (1xx) before the final one; a server could send them for ever.
const INTERIM_MAX: u8 = 16;

/// The first bytes of every answer.
const PROTOCOL: &[u8] = b"HTTP/1.";

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
    /// Content-Length, unless a transfer coding overrides it. Also where no body follows: of HEAD, of 304.
    pub length: Option<u64>,
}

impl<'b> ResponseHead<'_, 'b> {
    /// The first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }
}

/// One step of an answer, in order: `Head`, any number of `Body`, `Done`.
#[derive(Debug, Clone, Copy)]
pub enum ExchangeEvent<'h, 'a> {
    Head(ResponseHead<'h, 'a>),
    /// The next bytes of the body, never none, transfer coding removed.
    Body(&'a [u8]),
    /// The answer is whole; what follows it on this connection is not looked at.
    Done,
}

/// How far an answer had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not a byte of it was there.
    Start,
    Head,
    Body,
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeError {
    /// The connection ended there.
    EarlyEof(Stage),
    /// It does not begin with HTTP/1.
    NotHttp,
    /// The head breaks the grammar; the text says where.
    Malformed(&'static str),
    /// The body has two lengths, or one that is no number.
    BadLength,
    /// A transfer coding other than `chunked`; none was asked for.
    UnknownCoding,
    /// The chunked coding is broken.
    Chunk(ChunkError),
    /// 101, which was not asked for.
    UnexpectedUpgrade,
    /// More interim answers than anybody needs.
    TooManyInterim,
    /// The head has more than this many bytes.
    HeadTooLong(usize),
    /// The head has more fields than there are slots.
    TooManyFields(usize),
    /// The body has, or announces, more than this many bytes.
    BodyTooLarge(u64),
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExchangeError::EarlyEof(Stage::Start) => f.write_str("the connection was closed without an answer"),
            ExchangeError::EarlyEof(Stage::Head) => f.write_str("the connection was closed within the head"),
            ExchangeError::EarlyEof(Stage::Body) => f.write_str("the connection was closed before the body was whole"),
            ExchangeError::NotHttp => f.write_str("it is not HTTP/1"),
            ExchangeError::Malformed(why) => f.write_str(why),
            ExchangeError::BadLength => f.write_str("its Content-Length is not one number"),
            ExchangeError::UnknownCoding => f.write_str("it has a transfer coding other than chunked"),
            ExchangeError::Chunk(e) => e.fmt(f),
            ExchangeError::UnexpectedUpgrade => f.write_str("it switches protocols, which was not asked for"),
            ExchangeError::TooManyInterim => write!(f, "more than {INTERIM_MAX} interim answers came"),
            ExchangeError::HeadTooLong(max) => write!(f, "its head is longer than {max} bytes"),
            ExchangeError::TooManyFields(max) => write!(f, "it has more than {max} header fields"),
            ExchangeError::BodyTooLarge(max) => write!(f, "its body is longer than {max} bytes"),
        }
    }
}

impl std::error::Error for ExchangeError {}

impl From<BodyError> for ExchangeError {
    fn from(error: BodyError) -> ExchangeError {
        match error {
            BodyError::Chunk(e) => ExchangeError::Chunk(e),
            BodyError::TooLarge(max) => ExchangeError::BodyTooLarge(max),
        }
    }
}

/// What a request says besides its URL.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// A token; anything else becomes GET.
    pub method: &'a str,
    pub headers: &'a [(Cow<'static, str>, String)],
    pub body: &'a [u8],
    /// gzip and deflate are welcome.
    pub decode: bool,
    /// Say that the connection will not be used again.
    pub close: bool,
}

/// Appends a GET or HEAD for `url`: Host, User-Agent, the given fields, `Connection: close`. A field that could split
/// the head is left out.
pub fn encode_request(url: &Url, asking: &Asking, out: &mut Vec<u8>) {
    let Asking { method, headers, .. } = *asking;
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(url.target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(url.authority().as_bytes());
    out.extend_from_slice(concat!("\r\nUser-Agent: squall/", env!("CARGO_PKG_VERSION"), "\r\n").as_bytes());
    for (name, value) in headers.iter().filter(|(_, value)| is_field_value(value)) {
        for part in [name.as_ref(), ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    if asking.close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads one answer, at any split of its bytes.
#[derive(Debug)]
pub struct Exchange {
    /// The request was HEAD: no body, whatever the fields say.
    head: bool,
    state: State,
    /// The body of this answer ends with the connection.
    until_close: bool,
}

#[derive(Debug)]
enum State {
    Head {
        /// Bytes of the unfinished head in which its end is not.
        seen: usize,
        interim: u8,
    },
    Body(BodyReader),
    Done,
}

impl Exchange {
    /// Awaits the answer to a request, which was HEAD or not; `decode`: takes gzip and deflate off its body.
    pub fn new(head: bool, _decode: bool) -> Exchange {
        Exchange { head, state: State::Head { seen: 0, interim: 0 }, until_close: false }
    }

    /// Whether a byte of an answer has been seen.
    pub fn has_begun(&self) -> bool {
        !matches!(self.state, State::Head { seen: 0, interim: 0 })
    }

    /// Whether only the end of the connection is the end of the body.
    pub fn ends_with_connection(&self) -> bool {
        self.until_close
    }

    /// After `Done`: whether the connection may carry another exchange (RFC 9112 section 9.3).
    pub fn keeps_alive(&self) -> bool {
        !self.until_close
    }

    /// Takes one step from the front of `buf`: the bytes used and an event. `eof`: nothing will follow `buf`.
    ///
    /// An event or bytes used: call again with what is behind them, even if that is nothing. Neither: read more.
    /// With `eof` there is always an event or an error. After `Done` every call answers `Done` and uses nothing.
    ///
    /// # Errors
    /// [`ExchangeError`]; close, and do not use the exchange again. `EarlyEof` says how far the answer had come.
    pub fn receive<'h, 'a>(
        &mut self,
        buf: &'a [u8],
        eof: bool,
        slots: &'h mut [Slot<'a>],
        limits: &Limits,
    ) -> Result<(usize, Option<ExchangeEvent<'h, 'a>>), ExchangeError> {
        match &mut self.state {
            State::Head { seen, interim } => {
                let (start, end) = find_final_head(buf, seen, interim, limits)?;
                let Some(end) = end else {
                    return match eof {
                        false => Ok((start, None)),
                        true if start == buf.len() && *interim == 0 => Err(ExchangeError::EarlyEof(Stage::Start)),
                        true => Err(ExchangeError::EarlyEof(Stage::Head)),
                    };
                };
                let (head, body) = parse_head(&buf[start..end], self.head, slots, limits)?;
                self.until_close = body.ends_with_input();
                self.state = State::Body(body);
                Ok((end, Some(ExchangeEvent::Head(head))))
            }
            State::Body(body) => {
                let (used, piece) = body.receive(buf)?;
                match piece {
                    Some(Piece::Data(bytes)) => return Ok((used, Some(ExchangeEvent::Body(bytes)))),
                    Some(Piece::End) => {}
                    None if !eof => return Ok((used, None)),
                    None if body.ends_with_input() => {}
                    None => return Err(ExchangeError::EarlyEof(Stage::Body)),
                }
                self.state = State::Done;
                Ok((used, Some(ExchangeEvent::Done)))
            }
            State::Done => Ok((0, Some(ExchangeEvent::Done))),
        }
    }
}

/// Where the final head begins and ends, past any interim ones; without an end: where the unfinished one begins.
fn find_final_head(
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
fn parse_head<'h, 'b>(
    bytes: &'b [u8],
    asked_head: bool,
    slots: &'h mut [Slot<'b>],
    limits: &Limits,
) -> Result<(ResponseHead<'h, 'b>, BodyReader), ExchangeError> {
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

    let (codings, length) = framing_fields(headers)?;
    let head = ResponseHead { status, minor_version, reason: parsed.reason.unwrap_or_default(), headers, length };
    let bytes_max = limits.upstream_body_bytes_max;
    let body = match (codings, length) {
        _ if asked_head || matches!(status, 204 | 304) => BodyReader::new(Framing::None, bytes_max),
        (Codings::Chunked, _) => BodyReader::new(Framing::Chunked, bytes_max),
        (Codings::Other | Codings::OtherThenChunked, _) => return Err(ExchangeError::UnknownCoding),
        (Codings::Absent, Some(n)) if n > bytes_max => return Err(ExchangeError::BodyTooLarge(bytes_max)),
        (Codings::Absent, Some(n)) => BodyReader::new(Framing::Length(n), bytes_max),
        (Codings::Absent, None) => BodyReader::until_close(bytes_max),
    };
    Ok((head, body))
}

const BAD_STATUS_LINE: ExchangeError = ExchangeError::Malformed("its status line makes no sense");

/// The transfer codings and the length that counts. A coding overrides a length, which is harmless on a connection
/// that closes; a length that is said twice must be the same (RFC 9112 section 6.3).
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
    Ok((codings, length.filter(|_| codings == Codings::Absent)))
}

#[cfg(test)]
mod tests;
