//! The fields of a head: lines `NAME: VALUE` (RFC 9112 section 5), and what they say to the server itself.

use super::HttpError;
use crate::http::body::{Codings, Framing, parse_length};
use crate::http::persistence::Persistence;
use crate::http::url::is_authority;
use crate::http::words::{TCHAR, elements, span_in, value_span};

const NOT_A_FIELD: HttpError = HttpError::Malformed("a line is not a field: NAME: VALUE, no space before the colon");
const BAD_VALUE: HttpError = HttpError::Malformed("a field has a control character in its value");

/// The fields of one head. They are split again when asked for, since few of them are. Their lines are well-formed. A
/// copy of the iterator goes on from where the original is.
#[derive(Debug, Clone, Copy)]
pub struct FieldLines<'b>(
    /// Each line with its CRLF, the empty one left out.
    pub(super) &'b [u8],
);

impl<'b> Iterator for FieldLines<'b> {
    /// A name, and its value without the white space around it.
    type Item = Field<'b>;

    fn next(&mut self) -> Option<Self::Item> {
        let colon = memchr::memchr(b':', self.0)?;
        let (name, rest) = self.0.split_at(colon);
        let end = memchr::memchr(b'\r', rest)?;
        self.0 = rest.get(end + "\r\n".len()..).unwrap_or_default();
        Some((name, rest[":".len()..end].trim_ascii()))
    }
}

/// A name and a value.
type Field<'b> = (&'b [u8], &'b [u8]);

/// The first field, and the lines behind it.
fn split_field(lines: &[u8]) -> Result<(Field<'_>, &[u8]), HttpError> {
    let (name, rest) = lines.split_at(span_in(lines, &TCHAR));
    let rest = rest.strip_prefix(b":").filter(|_| !name.is_empty()).ok_or(NOT_A_FIELD)?;
    let (value, rest) = rest.split_at(value_span(rest));
    Ok(((name, value.trim_ascii()), rest.strip_prefix(b"\r\n").ok_or(BAD_VALUE)?))
}

/// What the fields of one head say to the server itself.
#[derive(Default)]
pub(super) struct Noted<'b> {
    pub host: Option<&'b [u8]>,
    length: Option<u64>,
    codings: Codings,
    pub persistence: Persistence,
    /// Connection lists `upgrade`.
    pub lists_upgrade: bool,
    /// Upgrade lists `websocket`.
    pub lists_websocket: bool,
    pub expects_continue: bool,
}

impl<'b> Noted<'b> {
    /// Parses the field lines of a head, each with its CRLF.
    pub fn parse(lines: &'b [u8], fields_max: usize) -> Result<Noted<'b>, HttpError> {
        let mut noted = Noted::default();
        let (mut rest, mut count) = (lines, 0);
        while !rest.is_empty() {
            let ((name, value), behind) = split_field(rest)?;
            count += 1;
            if count > fields_max {
                return Err(HttpError::TooManyFields(fields_max));
            }
            noted.note(name, value)?;
            rest = behind;
        }
        Ok(noted)
    }

    /// Takes one field into account. The length alone rules out most names.
    fn note(&mut self, name: &[u8], value: &'b [u8]) -> Result<(), HttpError> {
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
    pub fn framing(&self, http_1_0: bool, body_bytes_max: usize) -> Result<Framing, HttpError> {
        match (self.codings, self.length) {
            (Codings::Absent, None) => Ok(Framing::None),
            (Codings::Absent, Some(n)) if n > body_bytes_max as u64 => Err(HttpError::BodyTooLarge(body_bytes_max)),
            (Codings::Absent, Some(n)) => Ok(Framing::Length(n)),
            (_, Some(_)) => Err(HttpError::Ambiguous("there are both Content-Length and Transfer-Encoding")),
            _ if http_1_0 => Err(HttpError::Ambiguous("HTTP/1.0 has no Transfer-Encoding")),
            (Codings::Chunked, None) => Ok(Framing::Chunked),
            (Codings::OtherThenChunked, None) => Err(HttpError::UnknownCoding),
            (Codings::Other, None) => Err(HttpError::Ambiguous("the last transfer coding is not chunked")),
        }
    }
}

fn is_word(word: &str) -> impl Fn(&[u8]) -> bool {
    move |element| element.eq_ignore_ascii_case(word.as_bytes())
}
