//! The lines of a response head, as curl and browsers read them (RFC 9112 sections 4 and 5).
//!
//! ```text
//! bytes ── judge ──▶ Strict, Loose: read where they lie
//!             └────▶ Uneven ── mend ──▶ a copy in which each field is one line
//! ```
//!
//! [`judge`] says how far a head is from the grammar. What readers disagree about in a dangerous way, NUL and a CR
//! within a line, is an error. The rest is read, but does not leave the connection usable.

use super::ExchangeError;
use crate::http::words::{TCHAR, span, span_in, value_span};
use memchr::{memchr, memchr_iter};

pub(super) const BAD_STATUS_LINE: ExchangeError = ExchangeError::Malformed("its status line makes no sense");
const BAD_CONTROL: ExchangeError = ExchangeError::Malformed("its head has a NUL or a bare CR in it");

/// How far a head is from the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Every reader sees the same in it.
    Strict,
    /// Bare LF, blanks before a colon, lines that are no fields, an odd status line: another reader may refuse it, or
    /// see other fields.
    Loose,
    /// Folded lines or control characters: to be [mended](mend) first.
    Uneven,
}

/// What the first line of a response says.
pub(super) struct StatusLine<'b> {
    pub status: u16,
    pub minor_version: u8,
    pub reason: &'b [u8],
}

/// The fields of a response head, in order; lines that are no fields are left out. An iterator that is copied goes on
/// from where it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    /// Those of a head, which begins with its status line and ends in an empty line.
    pub(super) fn of(head: &'b [u8]) -> Fields<'b> {
        Fields(head.get(first_line(head).len()..).unwrap_or_default())
    }

    /// The values of all fields of this name, in any case.
    pub fn named(self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        lines(self.0).filter_map(move |line| {
            // The first bytes rule out nearly all other lines.
            let (begin, _) = line.split_at_checked(name.len())?;
            let (found, value) = begin.eq_ignore_ascii_case(name.as_bytes()).then(|| field(line))??;
            (found.len() == name.len()).then_some(value)
        })
    }
}

impl<'b> Iterator for Fields<'b> {
    /// A name, and its value without the white space around it.
    type Item = (&'b str, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, rest) = self.0.split_at(memchr(b'\n', self.0)? + 1);
            self.0 = rest;
            if let Some(field) = field(line) {
                return Some(field);
            }
        }
    }
}

/// Whether these may be the first bytes of a response: `HTTP/1.` or `HTTP/2`, in any case. Some servers claim version
/// 2 in the words of version 1.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let is_protocol = bytes.iter().zip(b"HTTP/").all(|(byte, expected)| byte.eq_ignore_ascii_case(expected));
    let is_version = match bytes.get(5..).unwrap_or_default() {
        [] | [b'1' | b'2'] | [b'1', b'.', ..] | [b'2', b'.' | b' ', ..] => true,
        [..] => false,
    };
    is_protocol && is_version
}

/// Reads the first line of a head.
///
/// # Errors
/// `NotHttp`: another version. `Malformed`: no status of three digits.
pub(super) fn status_line(head: &[u8]) -> Result<StatusLine<'_>, ExchangeError> {
    let line = first_line(head).trim_ascii_end();
    let (version, rest) = line.split_at(memchr(b' ', line).unwrap_or(line.len()));
    let minor_version = match version.get("HTTP/".len()..).unwrap_or_default() {
        b"1.0" => 0,
        // Higher versions are read as the highest that is known (RFC 9110 section 2.5).
        [b'1', b'.', b'1'..=b'9'] | b"2" | b"2.0" => 1,
        _ => return Err(ExchangeError::NotHttp),
    };
    let rest = &rest[span(rest, |byte| byte == b' ')..];
    let Some((&[a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'], reason)) = rest.split_first_chunk() else {
        return Err(BAD_STATUS_LINE);
    };
    if reason.first().is_some_and(u8::is_ascii_digit) {
        return Err(BAD_STATUS_LINE);
    }
    let status = [a, b, c].iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
    Ok(StatusLine { status, minor_version, reason: reason.trim_ascii() })
}

/// How far this head is from the grammar.
///
/// # Errors
/// `Malformed`: NUL, or a CR within a line, where some readers begin another line and others do not.
pub(super) fn judge(head: &[u8]) -> Result<Form, ExchangeError> {
    let mut form = Form::Strict;
    for (n, line) in lines(head).enumerate() {
        let line = &line[..line.len() - 1];
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        if text.len() == line.len() {
            form = form.max(Form::Loose);
        }
        if value_span(text) < text.len() {
            form = form.max(judge_controls(text)?);
        }
        form = form.max(match n {
            0 if is_strict_status_line(text) => Form::Strict,
            // Behind the status line there is no field yet that could go on.
            2.. if is_continuation(text) => Form::Uneven,
            1.. if text.is_empty() || is_strict_field(text) => Form::Strict,
            _ => Form::Loose,
        });
    }
    Ok(form)
}

/// A copy of a head with one line for each field: a line that goes on is joined with a space (RFC 9112 section 5.2).
/// Control characters become `?`, which no reader takes for white space around a length or a coding.
pub(super) fn mend(head: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(head.len());
    for (n, line) in lines(head).enumerate() {
        // Not `trim_ascii`, which takes a form feed for white space.
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last + 1);
        let mut text = &line[..end];
        if n > 1 && is_continuation(line) {
            text = &text[text.iter().position(|byte| !is_blank(byte)).unwrap_or(0)..];
            mended.pop();
            mended.push(b' ');
        }
        mended.extend(text.iter().map(|&byte| if is_control(byte) { b'?' } else { byte }));
        mended.push(b'\n');
    }
    mended
}

/// The name and the value of a line, if it is a field. White space before the colon is not part of the name.
fn field(line: &[u8]) -> Option<(&str, &[u8])> {
    let (name, value) = line.split_at(memchr(b':', line)?);
    let name = name.trim_ascii_end();
    let is_token = !name.is_empty() && span_in(name, &TCHAR) == name.len();
    Some((str::from_utf8(name).ok().filter(|_| is_token)?, value[":".len()..].trim_ascii()))
}

fn is_strict_field(line: &[u8]) -> bool {
    let name = span_in(line, &TCHAR);
    name > 0 && line.get(name) == Some(&b':')
}

/// Whether a line continues the field of the line before it (obs-fold).
fn is_continuation(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// Each line with its LF.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b'\n', head).map(move |at| {
        let line = &head[start..=at];
        start = at + 1;
        line
    })
}

fn first_line(head: &[u8]) -> &[u8] {
    lines(head).next().unwrap_or(head)
}

fn is_control(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') | (byte == 0x7f)
}

/// The form of a line with control characters in it.
fn judge_controls(text: &[u8]) -> Result<Form, ExchangeError> {
    // A program that writes CR LF to a stream which makes CR LF of each LF sends CR CR LF.
    let inner = &text[..text.iter().rposition(|&byte| byte != b'\r').map_or(0, |last| last + 1)];
    match inner.iter().any(|byte| matches!(byte, 0 | b'\r')) {
        true => Err(BAD_CONTROL),
        false if inner.iter().any(|&byte| is_control(byte)) => Ok(Form::Uneven),
        false => Ok(Form::Loose),
    }
}

fn is_strict_status_line(line: &[u8]) -> bool {
    match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', rest @ ..] => {
            rest.first() != Some(&b' ') && matches!(rest.get(3), None | Some(b' '))
        }
        _ => false,
    }
}
