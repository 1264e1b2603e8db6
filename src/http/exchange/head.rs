//! The head of a response: where it ends, and what it decides about everything behind it (RFC 9112 sections 4 to 9).
//!
//! Bytes go in, a [`ResponseHead`] comes out, with the machine for the body, its content coding and the fate of the
//! connection. Interim heads are looked through for their status and their end only.

use super::lines::{BAD_STATUS_LINE, Fields, Form, may_begin, status_line};
use super::{Asked, ExchangeError, INTERIM_MAX};
use crate::http::Limits;
use crate::http::body::{BodyReader, Framing, parse_length};
use crate::http::chunked::Grammar;
use crate::http::persistence::Persistence;
use crate::http::words::elements;
use memchr::memchr;

/// The head of a final response. It borrows the bytes of one call, or the exchange that has mended them.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'b> {
    /// 200 to 999; or 101, if that was asked for.
    pub status: u16,
    /// Of HTTP/1: 0 or 1; higher ones are read as 1.
    pub minor_version: u8,
    /// As it was sent; empty if it was not ASCII.
    pub reason: &'b str,
    /// All fields in order, values without the white space around them. Folded lines are one value.
    pub headers: Fields<'b>,
    /// Content-Length, unless a transfer coding overrides it. Also where no body follows: of HEAD, of 304. It counts
    /// the body as it is sent, with its content coding.
    pub length: Option<u64>,
    /// Interim responses (1xx) that came before it.
    pub interim: u8,
}

impl<'b> ResponseHead<'b> {
    /// The first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers.named(name).next()
    }
}

/// What becomes of the connection once the response is whole.
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
pub(super) struct Final<'b> {
    pub head: ResponseHead<'b>,
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
    asked: Asked,
    limits: &Limits,
) -> Result<(usize, Option<usize>), ExchangeError> {
    let mut start = 0;
    loop {
        let unfinished = &buf[start..];
        if !may_begin(unfinished) {
            return Err(ExchangeError::NotHttp);
        }
        let end = find_head_end(unfinished, seen);
        if end.unwrap_or(unfinished.len()) > limits.response_head_bytes_max {
            return Err(ExchangeError::HeadTooLong(limits.response_head_bytes_max));
        }
        let Some(end) = end else { return Ok((start, None)) };
        *seen = 0;
        match status_line(&unfinished[..end])?.status {
            101 if asked == Asked::Upgrade => return Ok((start, Some(start + end))),
            101 => return Err(ExchangeError::UnexpectedUpgrade),
            100..=199 if *interim == INTERIM_MAX => return Err(ExchangeError::TooManyInterim),
            100..=199 => *interim += 1,
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
            // The bytes behind this LF are not there yet.
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

/// Parses a final head of this form and decides where the body ends (RFC 9112 section 6.3).
pub(super) fn parse_head<'b>(
    bytes: &'b [u8],
    form: Form,
    interim: u8,
    asked: Asked,
    limits: &Limits,
) -> Result<Final<'b>, ExchangeError> {
    let line = status_line(bytes)?;
    let (status, minor_version, headers) = (line.status, line.minor_version, Fields::of(bytes));
    if status < 200 && !(status == 101 && asked == Asked::Upgrade) {
        return Err(BAD_STATUS_LINE);
    }
    let has_body = asked != Asked::Head && !matches!(status, 101 | 204 | 304);
    let mut said = Said::default();
    headers.for_each(|(name, value)| said.note(name, value));
    match said.error.take() {
        Some(error) if has_body => return Err(error),
        // A missing body has no end to find, but such a server is not trusted with another exchange.
        Some(_) => said = Said { is_doubtful: true, ..Said::default() },
        None => {}
    }
    let length = said.length.filter(|_| !said.is_chunked);
    let bytes_max = limits.response_body_bytes_max;
    let body = match (said.is_chunked, length) {
        _ if !has_body => BodyReader::new(Framing::None, bytes_max),
        (true, _) => BodyReader::with_grammar(Framing::Chunked, Grammar::Lenient, bytes_max),
        (false, Some(n)) if n > bytes_max => return Err(ExchangeError::BodyTooLarge(bytes_max)),
        (false, Some(n)) => BodyReader::new(Framing::Length(n), bytes_max),
        (false, None) => BodyReader::until_close(bytes_max),
    };
    let may_be_kept = || {
        let is_persistent = said.persistence.keeps_alive(minor_version == 0);
        form == Form::Strict && is_persistent && status != 101 && !said.is_end_doubtful(status, minor_version)
    };
    let fate = match body.ends_with_input() {
        true => Fate::UntilClose,
        false if may_be_kept() => Fate::Kept,
        false => Fate::Closed,
    };
    let coding = said.encoding.filter(|_| has_body && said.encodings == 1);
    let reason = str::from_utf8(line.reason).ok().filter(|reason| reason.is_ascii()).unwrap_or_default();
    let head = ResponseHead { status, minor_version, reason, headers, length, interim };
    Ok(Final { head, body, coding, fate })
}

/// What the fields of a head say to the client itself.
#[derive(Debug, Default)]
struct Said<'b> {
    is_chunked: bool,
    length: Option<u64>,
    /// The codings are not just `chunked`, once and alone: another reader may not see them.
    is_doubtful: bool,
    /// Why the end of a body cannot be known.
    error: Option<ExchangeError>,
    persistence: Persistence,
    encoding: Option<&'b [u8]>,
    encodings: usize,
}

impl<'b> Said<'b> {
    /// The length alone rules out most names.
    fn note(&mut self, name: &str, value: &'b [u8]) {
        let is = |expected: &str| name.eq_ignore_ascii_case(expected);
        let noted = match name.len() {
            10 if is("connection") => {
                self.persistence = elements(value).fold(self.persistence, Persistence::and);
                Ok(())
            }
            14 if is("content-length") => self.note_length(value),
            16 if is("content-encoding") => {
                (self.encoding, self.encodings) = (Some(value), self.encodings + 1);
                Ok(())
            }
            17 if is("transfer-encoding") => self.note_codings(value),
            _ => Ok(()),
        };
        self.error = self.error.take().or(noted.err());
    }

    /// `chunked` counts once; `identity`, which RFC 2616 had, and empty elements count for nothing.
    fn note_codings(&mut self, value: &[u8]) -> Result<(), ExchangeError> {
        self.is_doubtful |= self.is_chunked || !value.eq_ignore_ascii_case(b"chunked");
        for coding in elements(value) {
            match coding {
                _ if coding.eq_ignore_ascii_case(b"chunked") => self.is_chunked = true,
                _ if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") => {}
                _ => return Err(ExchangeError::UnknownCoding),
            }
        }
        Ok(())
    }

    /// A length that is said twice must be the same (RFC 9112 section 6.3).
    fn note_length(&mut self, value: &[u8]) -> Result<(), ExchangeError> {
        for value in elements(value) {
            let value = parse_length(value).ok_or(ExchangeError::BadLength)?;
            if self.length.replace(value).is_some_and(|before| before != value) {
                return Err(ExchangeError::BadLength);
            }
        }
        Ok(())
    }

    /// Whether another reader could find the end of this response elsewhere, so that what we take for the next one would
    /// be the rest of this one (RFC 9112 sections 6.1 and 11.1): an odd list of codings, a coding and a length at once,
    /// a coding where there was none yet, a body where there can be none.
    fn is_end_doubtful(&self, status: u16, minor_version: u8) -> bool {
        self.is_doubtful
            || match self.is_chunked {
                false => status == 204 && self.length.is_some_and(|n| n > 0),
                true => status == 204 || minor_version == 0 || self.length.is_some(),
            }
    }
}
