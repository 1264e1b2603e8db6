//! Request heads: bytes to values (RFC 9110, RFC 9112 sections 2 to 6).
//!
//! ```text
//! bytes ── HeadScan::find_end ──▶ a whole head ── parse_request ──▶ Request, borrowing the bytes
//! ```
//!
//! What the server itself must know is computed from the fields on the way: host, framing, keep-alive, Expect, Upgrade.
//! What two parsers might read differently is refused, because that is how requests are smuggled: two framings, two
//! hosts, a space before the colon, a folded line, a bare CR or LF. Routes, cookies and bodies are decided elsewhere.

mod fields;
mod head_scan;
mod line;

use crate::http::Limits;
pub use crate::http::body::Framing;
use crate::http::persistence::Persistence;
use crate::http::response::Terms;
pub use fields::FieldLines;
use fields::Noted;
pub use head_scan::HeadScan;
use line::Line;
use std::fmt;

/// The method (RFC 9110 section 9).
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
    /// All fields in order.
    pub fields: FieldLines<'b>,
    pub framing: Framing,
    persistence: Persistence,
    expects_continue: bool,
    wants_upgrade: bool,
}

/// Why a request is refused. Respond with its [`status`](HttpError::status) and close: where the next request begins is
/// unknown.
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

    fn parse(token: &[u8]) -> Method {
        match token {
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
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
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
    /// The status of the response.
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
    let blank = head.iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count();
    let (line, rest) = Line::parse(&head[blank..])?;
    let Line { method, token, target, authority, path, query, http_1_0 } = line;
    let fields = rest.strip_suffix(b"\r\n").ok_or(HttpError::Malformed("the head has no empty line at its end"))?;
    let noted = Noted::parse(fields, limits.head_fields_max)?;
    let framing = noted.framing(http_1_0, limits.body_bytes_max)?;
    let authority = match (noted.host, authority) {
        (None, _) if !http_1_0 => return Err(HttpError::BadHost("an HTTP/1.1 request needs a Host field")),
        // The target's authority wins, but Host must be right nevertheless (RFC 9112 section 3.2.2).
        (_, Some(authority)) => authority,
        (host, None) => host.unwrap_or_default(),
    };
    let has_body = !matches!(framing, Framing::None | Framing::Length(0));
    Ok(Request {
        method,
        token,
        target,
        path,
        query,
        authority,
        http_1_0,
        fields: FieldLines(fields),
        framing,
        persistence: noted.persistence,
        expects_continue: noted.expects_continue && has_body && !http_1_0,
        wants_upgrade: noted.lists_upgrade && noted.lists_websocket && !http_1_0,
    })
}

/// Bytes that the parser found to be UTF-8. Checked where they are used: to prove it for each request costs more.
fn text(part: &[u8]) -> &str {
    str::from_utf8(part).unwrap_or_default()
}

#[cfg(test)]
mod tests;
