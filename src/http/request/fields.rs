//! The fields of a head: lines `NAME: VALUE` (RFC 9112 section 5), and what they say to the server itself.

use super::{HttpError, Line, Request};
use crate::http::Limits;
use crate::http::body::{Codings, Framing, parse_length};
use crate::http::persistence::Persistence;
use crate::http::url::is_authority;
use crate::http::words::elements;

/// The fields of one head, as their lines lie there: few of them are ever asked for. They are well-formed: a parser has
/// read them. An iterator that is copied goes on from where it is.
#[derive(Debug, Clone, Copy)]
pub struct FieldLines<'b>(
    /// Each line with its CRLF, the empty one left out.
    pub(super) &'b [u8],
);

impl<'b> Iterator for FieldLines<'b> {
    /// A name, and its value without the white space around it.
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let colon = memchr::memchr(b':', self.0)?;
        let (name, rest) = self.0.split_at(colon);
        let end = memchr::memchr(b'\r', rest)?;
        self.0 = rest.get(end + "\r\n".len()..).unwrap_or_default();
        Some((name, rest[":".len()..end].trim_ascii()))
    }
}

impl DoubleEndedIterator for FieldLines<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let before_end = self.0.strip_suffix(b"\r\n")?;
        let (rest, last) = self.0.split_at(memchr::memrchr(b'\n', before_end).map_or(0, |at| at + 1));
        self.0 = rest;
        FieldLines(last).next()
    }
}

/// What the fields of one head say to the server itself.
#[derive(Default)]
pub(super) struct Fields<'b> {
    host: Option<&'b [u8]>,
    length: Option<u64>,
    codings: Codings,
    persistence: Persistence,
    /// Connection lists `upgrade`.
    lists_upgrade: bool,
    /// Upgrade lists `websocket`.
    lists_websocket: bool,
    expects_continue: bool,
}

impl<'b> Fields<'b> {
    /// Takes one field into account.
    pub fn note(&mut self, name: &[u8], value: &'b [u8]) -> Result<(), HttpError> {
        // Nearly always written so.
        if name == b"Host" { self.note_host(value) } else { self.note_other(name, value) }
    }

    /// Most names are told apart by their length alone.
    fn note_other(&mut self, name: &[u8], value: &'b [u8]) -> Result<(), HttpError> {
        let is = |expected: &[u8]| name.eq_ignore_ascii_case(expected);
        match name.len() {
            4 if is(b"host") => self.note_host(value)?,
            6 if is(b"expect") => {
                for expectation in elements(value).filter(|element| !element.is_empty()) {
                    if !is_word("100-continue")(expectation) {
                        return Err(HttpError::UnknownExpectation);
                    }
                    self.expects_continue = true;
                }
            }
            7 if is(b"upgrade") => self.lists_websocket |= elements(value).any(is_word("websocket")),
            10 if is(b"connection") => self.note_connection(value),
            14 if is(b"content-length") => self.note_length(value)?,
            17 if is(b"transfer-encoding") => {
                let codings = self.codings.and(value);
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
            self.persistence = self.persistence.and(element);
            self.lists_upgrade |= is_word("upgrade")(element);
        }
    }

    /// Twice is refused even if both agree (RFC 9112 section 6.3 leaves the choice): no honest client sends it.
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

    /// The request of this line, when all of its fields are noted.
    pub fn request(self, line: Line<'b>, fields: FieldLines<'b>, limits: &Limits) -> Result<Request<'b>, HttpError> {
        let Line { method, token, target, authority, path, query, http_1_0 } = line;
        let framing = self.framing(http_1_0, limits)?;
        let authority = match (self.host, authority) {
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
            client: None,
            fields,
            framing,
            persistence: self.persistence,
            expects_continue: self.expects_continue && has_body && !http_1_0,
            wants_upgrade: self.lists_upgrade && self.lists_websocket && !http_1_0,
        })
    }
}

fn is_word(word: &str) -> impl Fn(&[u8]) -> bool {
    move |element| element.eq_ignore_ascii_case(word.as_bytes())
}
