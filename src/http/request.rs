//! Request heads: bytes to values (RFC 9110, RFC 9112 sections 2 to 6).
//!
//! ```text
//! bytes ── parse_at_once ──▶ Request, borrowing the bytes
//!   └─ unusual, not whole ── HeadScan::find_end ──▶ a whole head ── parse_request ──▶ Request
//! ```
//!
//! What the server itself must know is computed from the fields on the way: host, framing, keep-alive, Expect, Upgrade.
//! What is unusual is judged by httparse. Whatever two parsers might read differently is refused, because that is
//! how requests are smuggled: two framings, two hosts, a space before the colon, a folded line, a bare CR or LF.
//! Routes, cookies and bodies are decided elsewhere.

mod at_once;
mod fields;
mod head_scan;

use crate::http::Limits;
pub use crate::http::body::Framing;
use crate::http::persistence::Persistence;
use crate::http::response::Terms;
use crate::http::url::{Scheme, is_authority};
pub use at_once::parse_at_once;
pub use fields::FieldLines;
use fields::Fields;
pub use head_scan::HeadScan;
use httparse::Status;
use memchr::{memchr, memchr2};
use std::fmt;
use std::mem::MaybeUninit;
use std::net::IpAddr;

/// Fields that httparse gets room for, at most, whatever `head_fields_max` is.
const FIELDS_MAX: usize = 100;

/// What is asked for (RFC 9110 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
    Options,
    Trace,
    Connect,
    /// Any other token; the response is 501.
    Other,
}

/// One request head. It borrows the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Request<'b> {
    pub method: Method,
    token: &'b [u8],
    target: &'b [u8],
    path: &'b [u8],
    query: &'b [u8],
    authority: &'b [u8],
    pub http_1_0: bool,
    /// The address of the client, which the server sets: that of the peer, or what a trusted proxy says. `None` from a
    /// parser, and if the peer has none. Borrowed: a request of more than 128 bytes costs 200 instructions more
    /// (callgrind), because it is moved by calls of memcpy.
    pub client: Option<&'b IpAddr>,
    /// All fields in order.
    pub fields: FieldLines<'b>,
    pub framing: Framing,
    persistence: Persistence,
    expects_continue: bool,
    wants_upgrade: bool,
}

/// Why a request is refused. Respond with [`status`](HttpError::status) and close: where the next request begins is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpError {
    /// Not a request by the grammar; the text says where (400).
    Malformed(&'static str),
    /// The body has two ends, or none (400).
    Ambiguous(&'static str),
    /// Host is missing, there twice, or not an authority (400).
    BadHost(&'static str),
    /// The body is longer than this many bytes (413).
    BodyTooLarge(usize),
    /// The request line is longer than this many bytes (414).
    LineTooLong(usize),
    /// An Expect that is not `100-continue` (417).
    UnknownExpectation,
    /// The head is longer than this many bytes (431).
    HeadTooLong(usize),
    /// There are more than this many fields (431).
    TooManyFields(usize),
    /// A transfer coding besides `chunked` (501).
    UnknownCoding,
    /// A version whose major number is not 1 (505).
    UnknownVersion,
}

impl Method {
    /// The token in capitals; `-` for `Other`, whose token is [`Request::method_token`].
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Patch => "PATCH",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Connect => "CONNECT",
            Method::Other => "-",
        }
    }

    fn parse(token: &str) -> Method {
        match token.as_bytes() {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"DELETE" => Method::Delete,
            b"PATCH" => Method::Patch,
            b"OPTIONS" => Method::Options,
            b"TRACE" => Method::Trace,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        }
    }
}

impl<'b> Request<'b> {
    /// The first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers_named(name).next()
    }

    /// All fields of this name, in any case, in order.
    pub fn headers_named(&self, name: &str) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        self.fields.filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The method as it was sent, also where it is [`Method::Other`].
    pub fn method_token(&self) -> &'b str {
        text(self.token)
    }

    /// The target as it was sent.
    pub fn target(&self) -> &'b str {
        text(self.target)
    }

    /// The target before `?`, still percent-encoded; begins with `/`. `*` of `OPTIONS *`, empty for CONNECT.
    pub fn path(&self) -> &'b str {
        text(self.path)
    }

    /// The same in bytes.
    pub fn path_bytes(&self) -> &'b [u8] {
        self.path
    }

    /// The target behind `?`, still percent-encoded; empty if there is none.
    pub fn query(&self) -> &'b str {
        text(self.query)
    }

    /// The authority: of the target if that has one, else Host; empty on an HTTP/1.0 request without Host.
    pub fn host(&self) -> &'b str {
        text(self.authority)
    }

    /// Whether the connection may serve another request after this one.
    pub fn keeps_alive(&self) -> bool {
        self.persistence.keeps_alive(self.http_1_0)
    }

    /// Whether a body is announced, and the client waits for 100 before it sends it.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether Upgrade lists `websocket`, Connection lists `upgrade`, and the version allows it.
    pub fn wants_upgrade(&self) -> bool {
        self.wants_upgrade
    }

    /// What the response must keep to.
    pub fn terms(&self) -> Terms {
        Terms { head: self.method == Method::Head, http_1_0: self.http_1_0, keep_alive: self.keeps_alive() }
    }
}

impl HttpError {
    /// The status to respond with.
    pub fn status(self) -> u16 {
        match self {
            HttpError::Malformed(_) | HttpError::Ambiguous(_) | HttpError::BadHost(_) => 400,
            HttpError::BodyTooLarge(_) => 413,
            HttpError::LineTooLong(_) => 414,
            HttpError::UnknownExpectation => 417,
            HttpError::HeadTooLong(_) | HttpError::TooManyFields(_) => 431,
            HttpError::UnknownCoding => 501,
            HttpError::UnknownVersion => 505,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Malformed(why) | HttpError::Ambiguous(why) | HttpError::BadHost(why) => f.write_str(why),
            HttpError::BodyTooLarge(max) => write!(f, "the body is longer than {max} bytes"),
            HttpError::LineTooLong(max) => write!(f, "the request line is longer than {max} bytes"),
            HttpError::UnknownExpectation => f.write_str("the only expectation met here is 100-continue"),
            HttpError::HeadTooLong(max) => write!(f, "the head of the request is longer than {max} bytes"),
            HttpError::TooManyFields(max) => write!(f, "the request has more than {max} header fields"),
            HttpError::UnknownCoding => f.write_str("the only transfer coding known here is chunked"),
            HttpError::UnknownVersion => f.write_str("the only version spoken here is HTTP/1"),
        }
    }
}

impl std::error::Error for HttpError {}

/// Parses one whole head, as [`HeadScan::find_end`] found it (RFC 9112 sections 2 to 6). The body, if any, starts behind
/// `head`.
///
/// # Errors
/// Any [`HttpError`]: respond with its status and close; the connection's input must not be parsed again.
pub fn parse_request<'b>(head: &'b [u8], limits: &Limits) -> Result<Request<'b>, HttpError> {
    let fields_max = fields_max(limits);
    let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let (token, target, minor) = match parsed.parse_with_uninit_headers(head, &mut slots[..fields_max]) {
        Ok(Status::Complete(used)) if used == head.len() => match (parsed.method, parsed.path, parsed.version) {
            (Some(token), Some(target), Some(minor)) => (token, target, minor),
            _ => return Err(NOT_A_REQUEST_LINE),
        },
        Ok(_) => return Err(HttpError::Malformed("the head does not end with its first empty line")),
        Err(e) => return Err(refusal(e, head, fields_max)),
    };
    let method = Method::parse(token);
    let (authority, path, query) = split_target(method, target)?;
    let line = Line {
        method,
        token: token.as_bytes(),
        target: target.as_bytes(),
        authority: authority.map(str::as_bytes),
        path: path.as_bytes(),
        query: query.as_bytes(),
        http_1_0: minor == 0,
    };
    let mut fields = Fields::default();
    for field in parsed.headers.iter() {
        fields.note(field.name.as_bytes(), field.value)?;
    }
    let lines = field_lines(head);
    debug_assert!(lines.eq(parsed.headers.iter().map(|field| (field.name.as_bytes(), field.value))));
    fields.request(line, lines, limits)
}

/// The same head with `HTTP/1.1`, if its version is `HTTP/1.2` to `HTTP/1.9`: a server serves a higher minor version as
/// its own (RFC 9110 section 2.5), and httparse refuses it.
pub fn serve_as_1_1(head: &[u8]) -> Option<Vec<u8>> {
    let start = head.len() - head.trim_ascii_start().len();
    let end = start + memchr(b'\r', &head[start..])?;
    let line = &head[start..end];
    let is_higher =
        line[..line.len().saturating_sub(1)].ends_with(b" HTTP/1.") && matches!(line.last(), Some(b'2'..=b'9'));
    is_higher.then(|| {
        let mut served = head.to_vec();
        served[end - 1] = b'1';
        served
    })
}

/// How many fields a head may have.
fn fields_max(limits: &Limits) -> usize {
    limits.head_fields_max.min(FIELDS_MAX)
}

/// The fields of a head that is well-formed.
fn field_lines(head: &[u8]) -> FieldLines<'_> {
    let begun = head.trim_ascii_start();
    let line = memchr(b'\n', begun).map_or(0, |at| at + 1);
    FieldLines(begun.get(line..begun.len() - "\r\n".len()).unwrap_or_default())
}

/// A request line, its target taken apart.
struct Line<'b> {
    method: Method,
    token: &'b [u8],
    target: &'b [u8],
    /// If the target names it.
    authority: Option<&'b [u8]>,
    path: &'b [u8],
    query: &'b [u8],
    http_1_0: bool,
}

const NOT_A_REQUEST_LINE: HttpError = HttpError::Malformed("the request line is not METHOD TARGET HTTP/1.1");

/// The four forms of a target (RFC 9112 section 3.2): its authority if it names one, its path and its query.
fn split_target(method: Method, target: &str) -> Result<(Option<&str>, &str, &str), HttpError> {
    if method == Method::Connect {
        if !is_authority(target) || !target.contains(':') {
            return Err(HttpError::Malformed("the target of CONNECT is not HOST:PORT"));
        }
        return Ok((Some(target), "", ""));
    }
    if target.starts_with('/') {
        let (path, query) = split_query(target)?;
        return Ok((None, path, query));
    }
    if target == "*" && method == Method::Options {
        return Ok((None, "*", ""));
    }
    let Some((_, rest)) = target.split_once("://").filter(|(scheme, _)| Scheme::parse(scheme).is_some()) else {
        return Err(HttpError::Malformed("the target is neither a path nor an http URL"));
    };
    let (authority, rest) = rest.split_at(memchr2(b'/', b'?', rest.as_bytes()).unwrap_or(rest.len()));
    if !is_authority(authority) {
        return Err(HttpError::BadHost("the authority of the target is not a host with an optional port"));
    }
    let (path, query) = split_query(rest)?;
    // OPTIONS about the server as a whole, in absolute form (RFC 9112 section 3.2.4).
    let whole = if method == Method::Options && rest.is_empty() { "*" } else { "/" };
    Ok((Some(authority), if path.is_empty() { whole } else { path }, query))
}

fn split_query(target: &str) -> Result<(&str, &str), HttpError> {
    if memchr(b'#', target.as_bytes()).is_some() {
        return Err(HttpError::Malformed("the target has a fragment"));
    }
    Ok(target.split_once('?').unwrap_or((target, "")))
}

/// What was found to be UTF-8. Few ask for it, so not every request is made to prove that again.
fn text(part: &[u8]) -> &str {
    str::from_utf8(part).unwrap_or_default()
}

/// Says what httparse did not like, in words for the client.
#[cold]
fn refusal(error: httparse::Error, head: &[u8], fields_max: usize) -> HttpError {
    match error {
        httparse::Error::TooManyHeaders => HttpError::TooManyFields(fields_max),
        httparse::Error::HeaderName => {
            HttpError::Malformed("a line is not a field: NAME: VALUE, no space before the colon")
        }
        httparse::Error::HeaderValue => HttpError::Malformed("a field has a control character in its value"),
        httparse::Error::Version if names_a_version(head) => HttpError::UnknownVersion,
        _ => NOT_A_REQUEST_LINE,
    }
}

/// Whether the third word of the request line is a version at all, such as that of HTTP/2's preface.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|&byte| byte == b'\r').next().unwrap_or_default();
    let third = line.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
    match third.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
