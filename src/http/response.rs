//! Responses: values to bytes (RFC 9112 sections 4 and 6).
//!
//! [`Response`] is what an application says, [`Terms`] is what its request asked for; [`encode_response`] makes the
//! head (Date, Server, framing, Connection) and the body out of both. Nothing here can fail: a field that could
//! split the head is left out.
//!
//! How the body is framed, from the status, the body and the terms:
//! ```text
//! 204, 304 ──▶ Whole, no length      HEAD ──▶ Whole, the framing fields of GET
//! bytes ─────▶ Whole, Content-Length  Blocks ──▶ Length(n), and the caller sends them
//! Stream(Some(n)) ──▶ Length(n)      Stream(None) ──▶ Chunked (1.1), UntilClose (1.0)
//! ```
//!
//! The pieces of a stream are written by the caller, as [`Sent`] says; 100 and 101 have encoders of their own.

use crate::blocks::Blocks;
use crate::http::url::encode_reference;
use std::borrow::Cow;

/// One response. Content-Length, Date, Server, Connection and Transfer-Encoding are added by the encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Empty: no Content-Type field.
    pub content_type: Cow<'static, str>,
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    pub body: Body,
}

/// The bytes behind the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Static(&'static [u8]),
    Owned(Vec<u8>),
    /// A long one, which is not copied.
    Blocks(Box<Blocks>),
    /// Comes piece by piece; its length where known. Unknown: chunked (1.1) or until close (1.0).
    Stream(Option<u64>),
}

impl Body {
    /// Bytes of a body that is here already; a stream has none yet.
    pub fn len(&self) -> usize {
        match self {
            Body::Static(bytes) => bytes.len(),
            Body::Owned(bytes) => bytes.len(),
            Body::Blocks(blocks) => blocks.len(),
            Body::Stream(_) => 0,
        }
    }

    /// Whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a request demands of its response; the connection keeps it until then, also for a late response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// HEAD: no body, but its framing fields.
    pub head: bool,
    /// The request was HTTP/1.0: no chunked coding, and keep-alive must be said.
    pub http_1_0: bool,
    /// The connection may serve another request after this response.
    pub keep_alive: bool,
}

/// What [`encode_response`] has promised to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// `false`: the response said `Connection: close`; close once it is flushed.
    pub keep_alive: bool,
    /// How the pieces of a stream, or the blocks of a body, must be written.
    pub body: BodyCoding,
}

/// How the bytes behind an encoded head are written (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyCoding {
    /// Nothing follows: the response is complete, or it must have no body and the pieces are dropped.
    Whole,
    /// Exactly this many bytes follow as they are; fewer means that the connection must be cut.
    Length(u64),
    /// Each piece goes through `encode_chunk`, the end is `encode_last`.
    Chunked,
    /// As they are; the end of the connection is the end of the body.
    UntilClose,
}

/// The interim response to `Expect: 100-continue` (RFC 9110 section 10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Response {
    /// A response with this body. An empty `content_type` means none.
    pub fn new(status: u16, content_type: impl Into<Cow<'static, str>>, body: Body) -> Response {
        Response { status, content_type: content_type.into(), headers: Vec::new(), body }
    }

    /// A short response in plain text, UTF-8. No browser may guess another type, because it may quote its request.
    pub fn text(status: u16, text: impl Into<Cow<'static, str>>) -> Response {
        let body = match text.into() {
            Cow::Borrowed(text) => Body::Static(text.as_bytes()),
            Cow::Owned(text) => Body::Owned(text.into_bytes()),
        };
        Response::new(status, "text/plain; charset=utf-8", body).header("X-Content-Type-Options", "nosniff")
    }

    /// A redirect (301, 302, 303, 307, 308) with a Location and a line of text for clients that do not follow. An owned
    /// location is percent-encoded where it is no URI reference.
    pub fn redirect(status: u16, location: impl Into<Cow<'static, str>>) -> Response {
        let location = match location.into() {
            Cow::Owned(text) => Cow::Owned(encode_reference(&text)),
            literal => literal,
        };
        Response::text(status, "See the Location field.\n").header("Location", location)
    }

    /// Adds one field. An owned value with CR, LF or NUL is never sent: it would end the field and begin another.
    pub fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Response {
        self.headers.push((name, value.into()));
        self
    }
}

/// `true` if the text can stand in a field without ending it (RFC 9110 section 5.5).
pub fn is_field_value(value: &str) -> bool {
    memchr::memchr3(b'\r', b'\n', 0, value.as_bytes()).is_none()
}

/// Appends the head of a response to `out`, and its body unless that is a stream or lies in blocks.
///
/// `date` is an IMF-fixdate (RFC 9110 section 5.6.7). Content-Length is on every response but 204, 304 and
/// streams of unknown length; `Connection` is said only where it differs from what the request's version implies.
/// Not for 1xx: see [`CONTINUE`] and [`encode_switching`].
pub fn encode_response(r: &Response, terms: Terms, date: &[u8; 29], out: &mut Vec<u8>) -> Sent {
    debug_assert!(r.status >= 200, "an interim response has no framing");
    let bytes: &[u8] = match &r.body {
        Body::Static(bytes) => bytes,
        Body::Owned(bytes) => bytes,
        Body::Blocks(_) | Body::Stream(_) => b"",
    };
    let length = match r.body {
        Body::Stream(length) => length,
        _ => Some(r.body.len() as u64),
    };
    let bodiless = matches!(r.status, 204 | 304);
    // A body that ends with the connection; HEAD has none, so it may keep its connection.
    let until_close = length.is_none() && terms.http_1_0 && !terms.head && !bodiless;
    let keep_alive = terms.keep_alive && !until_close;

    out.reserve(512 + bytes.len());
    encode_status_line(r.status, out);
    encode_fields(r, date, out);
    match length {
        _ if bodiless => {}
        Some(length) => {
            out.extend_from_slice(b"\r\nContent-Length: ");
            encode_decimal(length, out);
        }
        None if terms.http_1_0 => {}
        None => out.extend_from_slice(b"\r\nTransfer-Encoding: chunked"),
    }
    match (keep_alive, terms.http_1_0) {
        (false, _) => out.extend_from_slice(b"\r\nConnection: close\r\n\r\n"),
        (true, true) => out.extend_from_slice(b"\r\nConnection: keep-alive\r\n\r\n"),
        (true, false) => out.extend_from_slice(b"\r\n\r\n"),
    }

    let body = match r.body {
        _ if terms.head || bodiless => BodyCoding::Whole,
        Body::Stream(Some(length)) => BodyCoding::Length(length),
        Body::Stream(None) if terms.http_1_0 => BodyCoding::UntilClose,
        Body::Stream(None) => BodyCoding::Chunked,
        Body::Blocks(_) => BodyCoding::Length(r.body.len() as u64),
        _ => {
            out.extend_from_slice(bytes);
            BodyCoding::Whole
        }
    };
    Sent { keep_alive, body }
}

/// From the value of Date on, every field but those of framing and connection; the last one is not ended yet.
fn encode_fields(r: &Response, date: &[u8; 29], out: &mut Vec<u8>) {
    out.extend_from_slice(date);
    if !r.content_type.is_empty() && is_trusted(&r.content_type) {
        out.extend_from_slice(b"\r\nContent-Type: ");
        out.extend_from_slice(r.content_type.as_bytes());
    }
    for (name, value) in r.headers.iter().filter(|(_, value)| is_trusted(value)) {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
    }
}

/// What the 101 of a WebSocket says.
#[derive(Debug, Clone, Copy)]
pub struct Switching<'a> {
    /// The value of Sec-WebSocket-Accept.
    pub accept: &'a [u8; 28],
    /// The one that was chosen of those offered; `None`: none was offered, or none was chosen.
    pub subprotocol: Option<&'static str>,
    /// The value of Sec-WebSocket-Extensions.
    pub extensions: Option<&'a str>,
}

/// Appends 101 (RFC 6455 section 4.2.2).
pub fn encode_switching(switching: Switching<'_>, date: &[u8; 29], out: &mut Vec<u8>) {
    let Switching { accept, subprotocol, extensions } = switching;
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nServer: squall\r\nDate: ");
    out.extend_from_slice(date);
    out.extend_from_slice(b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    out.extend_from_slice(accept);
    if let Some(subprotocol) = subprotocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(subprotocol.as_bytes());
    }
    if let Some(extensions) = extensions {
        out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
        out.extend_from_slice(extensions.as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// The reason phrase of a status (RFC 9110 section 15); "Unknown" for those squall has never heard of.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        511 => "Network Authentication Required",
        _ => "Unknown",
    }
}

/// Appends `n` in decimal digits.
fn encode_decimal(n: u64, out: &mut Vec<u8>) {
    if n >= 100 {
        encode_decimal(n / 100, out);
    }
    let [tens, ones] = [n / 10 % 10, n % 10].map(|digit| b'0' + digit as u8);
    if n >= 10 {
        out.extend_from_slice(&[tens, ones]);
    } else {
        out.push(ones);
    }
}

/// The same in every response: what follows the status line, up to the value of Date.
fn encode_status_line(status: u16, out: &mut Vec<u8>) {
    if status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\nServer: squall\r\nDate: ");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    encode_decimal(u64::from(status), out);
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\nServer: squall\r\nDate: ");
}

/// Literals of the program are trusted; a value that came from somewhere is looked at.
#[expect(clippy::ptr_arg, reason = "whether the text is borrowed is the question")]
fn is_trusted(value: &Cow<'static, str>) -> bool {
    matches!(value, Cow::Borrowed(_)) || is_field_value(value)
}

#[cfg(test)]
mod tests;
