//! Request heads: bytes to values (RFC 9110, RFC 9112 sections 2 to 6).
//!
//! ```text
//! bytes ── HeadScan::find_end ──▶ a whole head ── parse_request ──▶ Request, borrowing the bytes
//!   └───── parse_at_once, if nothing is unusual ──────────────────────▶
//! ```
//!
//! httparse splits the head; one loop over its fields then computes all that the server itself must know: host,
//! framing, keep-alive, Expect, Upgrade. Whatever two parsers might read differently is refused, because that is
//! how requests are smuggled: two framings, two hosts, a space before the colon, a folded line, a bare CR or LF.
//! Routes, cookies and bodies are decided elsewhere.

mod head_scan;

use crate::config::Limits;
pub use crate::proto::body::Framing;
use crate::proto::body::{Codings, parse_length};
use crate::proto::response::Terms;
use crate::proto::url::is_authority;
use crate::proto::words::first_of;
pub use head_scan::HeadScan;
use httparse::{Header, Status};
use memchr::{memchr, memchr2};
use std::fmt;

/// Room for one field, uninitialised: making a hundred of them costs nothing.
pub type Slot<'b> = std::mem::MaybeUninit<Header<'b>>;

/// Slots a caller hands in: `[const { Slot::uninit() }; SLOTS]`.
pub const SLOTS: usize = 100;

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
    /// Any other token; answer 501.
    Other,
}

/// One request head. It borrows the bytes (`'b`) and the slots (`'h`); plain shared references, so it is covariant.
#[derive(Debug, Clone, Copy)]
pub struct Request<'h, 'b> {
    pub method: Method,
    /// As it was sent.
    pub target: &'b str,
    /// The target before `?`, still percent-encoded; begins with `/`. `*` of `OPTIONS *`, empty for CONNECT.
    pub path: &'b str,
    /// The target behind `?`, still percent-encoded; empty if there is none.
    pub query: &'b str,
    /// What [`Request::host`] answers.
    authority: &'b [u8],
    pub http_1_0: bool,
    /// All fields in order, values without the white space around them.
    pub headers: &'h [Header<'b>],
    pub framing: Framing,
    /// The connection may serve another request after this one.
    pub keep_alive: bool,
    /// A body is announced, and the client waits for 100 before it sends it.
    pub expects_continue: bool,
    /// Upgrade lists `websocket`, Connection lists `upgrade`, and the version allows it.
    pub wants_upgrade: bool,
}

/// Why a request is refused. Answer [`status`](HttpError::status) and close: where the next one begins is unknown.
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
    /// The token in capitals; `-` for `Other`, whose name is not kept.
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

impl<'b> Request<'_, 'b> {
    /// The first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers_named(name).next()
    }

    /// All fields of this name, in any case, in order.
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The authority: of the target if that has one, else Host; empty on an HTTP/1.0 request without Host.
    pub fn host(&self) -> &'b str {
        // It is ASCII. Few ask, so not every request is made to prove it.
        str::from_utf8(self.authority).unwrap_or_default()
    }

    /// What the answer must keep to.
    pub fn terms(&self) -> Terms {
        Terms { head: self.method == Method::Head, http_1_0: self.http_1_0, keep_alive: self.keep_alive }
    }
}

impl HttpError {
    /// What to answer.
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

/// Parses one whole head, as [`HeadScan::find_end`] found it (RFC 9112 sections 2 to 6).
///
/// Fields go into `slots`, at most `head_fields_max` and as many as there are slots. The body, if any, starts
/// behind `head`.
///
/// # Errors
/// Any [`HttpError`]: answer its status and close; the connection's input must not be parsed again.
pub fn parse_request<'h, 'b>(
    head: &'b [u8],
    slots: &'h mut [Slot<'b>],
    limits: &Limits,
) -> Result<Request<'h, 'b>, HttpError> {
    let slots_max = slots.len().min(limits.head_fields_max);
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, &mut slots[..slots_max]) {
        Ok(Status::Complete(used)) if used == head.len() => understand(parsed, limits),
        Ok(_) => Err(HttpError::Malformed("the head does not end with its first empty line")),
        Err(e) => Err(refusal(e, head, slots_max)),
    }
}

/// Finds and parses a head that lies whole at the front of `buf`, as nearly every one does; so no byte is looked at
/// twice. Answers the bytes of the head, and what [`HeadScan::find_end`] and [`parse_request`] would have made of it.
///
/// `None`: it is not whole, or there is something about it that these two have to look at: an empty line before it, a
/// limit that is exceeded, another minor version, a mistake.
#[inline]
pub fn parse_at_once<'h, 'b>(
    buf: &'b [u8],
    slots: &'h mut [Slot<'b>],
    limits: &Limits,
) -> Option<(usize, Request<'h, 'b>)> {
    let slots_max = slots.len().min(limits.head_fields_max);
    let mut parsed = httparse::Request::new(&mut []);
    let Ok(Status::Complete(end)) = parsed.parse_with_uninit_headers(buf, &mut slots[..slots_max]) else { return None };
    // httparse takes an LF without CR: a line ends before each name, and two at the end of the head.
    let ends_well = |field: &Header| {
        let name = field.name.as_ptr().addr() - buf.as_ptr().addr();
        buf[..name].ends_with(b"\r\n")
    };
    let line = parsed.method?.len() + parsed.path?.len() + " HTTP/1.1".len() + 1;
    let is_usual = !matches!(buf.first(), Some(b'\r' | b'\n'))
        && parsed.headers.iter().all(ends_well)
        && buf[..end].ends_with(b"\r\n\r\n")
        && line <= limits.request_line_bytes_max
        && end <= limits.head_bytes_max;
    Some((end, understand(parsed, limits).ok()?)).filter(|_| is_usual)
}

/// What the server itself must know of a head that httparse has split.
#[inline]
fn understand<'h, 'b>(parsed: httparse::Request<'h, 'b>, limits: &Limits) -> Result<Request<'h, 'b>, HttpError> {
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(NOT_A_REQUEST_LINE);
    };
    let headers: &'h [Header<'b>] = parsed.headers;
    let method = Method::parse(method);
    let http_1_0 = minor == 0;

    let mut fields = Fields::default();
    for field in headers {
        fields.note(field)?;
    }
    let framing = fields.framing(http_1_0, limits)?;
    let (authority, path, query) = split_target(method, target)?;
    let authority = match (fields.host, authority) {
        (None, _) if !http_1_0 => return Err(HttpError::BadHost("an HTTP/1.1 request needs a Host field")),
        // The target's authority wins, but Host must be right nevertheless (RFC 9112 section 3.2.2).
        (_, Some(authority)) => authority.as_bytes(),
        (host, None) => host.unwrap_or_default(),
    };
    let body_follows = !matches!(framing, Framing::None | Framing::Length(0));
    Ok(Request {
        method,
        target,
        path,
        query,
        authority,
        http_1_0,
        headers,
        framing,
        keep_alive: !fields.close && (fields.keep_alive || !http_1_0),
        expects_continue: fields.expects_continue && body_follows && !http_1_0,
        wants_upgrade: fields.upgrade && fields.websocket && !http_1_0,
    })
}

const NOT_A_REQUEST_LINE: HttpError = HttpError::Malformed("the request line is not METHOD TARGET HTTP/1.1");

/// What the fields of one head say to the server itself.
#[derive(Default)]
struct Fields<'b> {
    host: Option<&'b [u8]>,
    length: Option<u64>,
    codings: Codings,
    close: bool,
    keep_alive: bool,
    /// Connection lists `upgrade`.
    upgrade: bool,
    /// Upgrade lists `websocket`.
    websocket: bool,
    expects_continue: bool,
}

impl<'b> Fields<'b> {
    /// Takes one field into account. Most names are told apart by their length alone.
    fn note(&mut self, field: &Header<'b>) -> Result<(), HttpError> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            // Nearly always written so.
            4 if field.name == "Host" || is("host") => self.note_host(field.value)?,
            6 if is("expect") => {
                for expectation in elements(field.value).filter(|element| !element.is_empty()) {
                    if !is_token("100-continue")(expectation) {
                        return Err(HttpError::UnknownExpectation);
                    }
                    self.expects_continue = true;
                }
            }
            7 if is("upgrade") => self.websocket |= elements(field.value).any(is_token("websocket")),
            10 if is("connection") => self.note_connection(field.value),
            14 if is("content-length") => self.note_length(field.value)?,
            17 if is("transfer-encoding") => {
                let codings = self.codings.and(field.value);
                self.codings = codings.ok_or(HttpError::Ambiguous("chunked must be the last coding, and only once"))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn note_host(&mut self, value: &'b [u8]) -> Result<(), HttpError> {
        if !is_authority(value) {
            return Err(HttpError::BadHost("the Host field is not a host with an optional port"));
        }
        if self.host.replace(value).is_some() {
            return Err(HttpError::BadHost("there are two Host fields"));
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for element in elements(value) {
            self.close |= is_token("close")(element);
            self.keep_alive |= is_token("keep-alive")(element);
            self.upgrade |= is_token("upgrade")(element);
        }
    }

    /// Twice is refused even if both agree (RFC 9112 section 6.3 leaves the choice): nobody honest sends it.
    fn note_length(&mut self, value: &[u8]) -> Result<(), HttpError> {
        let length = parse_length(value).ok_or(HttpError::Ambiguous("Content-Length is not one decimal number"))?;
        if self.length.replace(length).is_some() {
            return Err(HttpError::Ambiguous("there are two Content-Length fields"));
        }
        Ok(())
    }

    /// RFC 9112 section 6.3, with every choice taken towards refusing.
    fn framing(&self, http_1_0: bool, limits: &Limits) -> Result<Framing, HttpError> {
        match (self.codings, self.length) {
            (Codings::Absent, None) => Ok(Framing::None),
            (Codings::Absent, Some(n)) if n > limits.body_bytes_max as u64 => {
                Err(HttpError::BodyTooLarge(limits.body_bytes_max))
            }
            (Codings::Absent, Some(n)) => Ok(Framing::Length(n)),
            (_, Some(_)) => Err(HttpError::Ambiguous("there are both Content-Length and Transfer-Encoding")),
            _ if http_1_0 => Err(HttpError::Ambiguous("HTTP/1.0 has no Transfer-Encoding")),
            (Codings::Chunked, None) => Ok(Framing::Chunked),
            (Codings::OtherThenChunked, None) => Err(HttpError::UnknownCoding),
            (Codings::Other, None) => Err(HttpError::Ambiguous("the last transfer coding is not chunked")),
        }
    }
}

/// The elements of a comma-separated field (RFC 9110 section 5.6.1).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

fn is_token(token: &str) -> impl Fn(&[u8]) -> bool {
    move |element| element.eq_ignore_ascii_case(token.as_bytes())
}

/// The four forms of a target (RFC 9112 section 3.2): its authority if it names one, its path and its query.
#[inline]
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
    let scheme = ["http://", "https://"]
        .iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let Some(scheme) = scheme else {
        return Err(HttpError::Malformed("the target is neither a path nor an http URL"));
    };
    let rest = &target[scheme.len()..];
    let (authority, rest) = rest.split_at(memchr2(b'/', b'?', rest.as_bytes()).unwrap_or(rest.len()));
    if !is_authority(authority) {
        return Err(HttpError::BadHost("the authority of the target is not a host with an optional port"));
    }
    let (path, query) = split_query(rest)?;
    // OPTIONS about the server as a whole, in absolute form (RFC 9112 section 3.2.4).
    let whole = if method == Method::Options && rest.is_empty() { "*" } else { "/" };
    Ok((Some(authority), if path.is_empty() { whole } else { path }, query))
}

#[inline]
fn split_query(target: &str) -> Result<(&str, &str), HttpError> {
    let Some(at) = first_of(target.as_bytes(), [b'?', b'#']) else { return Ok((target, "")) };
    let (path, query) = (&target[..at], &target[at + 1..]);
    if target.as_bytes()[at] == b'#' || memchr(b'#', query.as_bytes()).is_some() {
        return Err(HttpError::Malformed("the target has a fragment"));
    }
    Ok((path, query))
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
