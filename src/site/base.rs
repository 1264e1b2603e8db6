//! The base element of a relayed page: it makes the relative URLs of the page lead to the page's own site.
//!
//! [`Opening`] holds the start of an HTML page until the page's own base is known, and where the element can be
//! inserted without changing anything else:
//!
//! * Of all base elements the first one with an href counts. It is resolved against the address of the document, which
//!   here is ours (HTML Standard, section 4.2.3). So the page's own base is searched for, to the end of its head, and the
//!   element has that base, resolved against the URL that the page came from.
//! * The element comes as late as possible: before the first tag that uses a URL, else at the end of the head. So a
//!   byte-order mark and a doctype stay in front, a page without a doctype gets none (quirks mode), and `<meta charset>`
//!   stays within the first 1,024 bytes, which is all that a browser searches for it. If the element would push it out,
//!   that tag is repeated in front of the element.
//! * UTF-16 is not changed: ASCII bytes mean something else there.
//!
//! A base in the body or behind [`HELD_BYTES_MAX`] is not found; the page's URL counts then. A base behind tags that
//! use URLs, which the standard forbids, counts for those tags, too.

mod tokens;

use crate::http::url::Url;
use percent_encoding::{AsciiSet, percent_encode};
use std::borrow::Cow;
use std::ops::Range;
use tokens::{Tag, Token, raw_text_len, token};

/// Bytes of a page that are held and searched, at most.
pub const HELD_BYTES_MAX: usize = 16 << 10;
/// Bytes that a browser searches for `<meta charset>` (HTML Standard, section 13.2.3.2).
const CHARSET_WITHIN: usize = 1024;
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The start of a page, until its base element is inserted.
#[derive(Debug)]
pub struct Opening {
    /// The URL that the page came from.
    url: Url,
    held: Vec<u8>,
    /// Bytes of `held` that have been parsed.
    at: usize,
    /// Offset of the first tag that uses a URL.
    insert_at: Option<usize>,
    /// Of the page's own base element, not decoded.
    href: Option<Vec<u8>>,
    /// The tag that names the encoding, or the byte-order mark.
    charset: Option<Range<usize>>,
}

/// Every tag of a head except templates, whose content is inert.
const HEAD_TAGS: [&str; 10] =
    ["html", "head", "title", "meta", "base", "script", "style", "noframes", "link", "noscript"];

/// What one token means.
enum Step {
    /// It belongs to the head and has this length.
    Head(usize),
    /// It is incomplete.
    Partial,
    /// The head ends before it.
    Body,
}

impl Opening {
    /// The start of an HTML page from `url`.
    pub fn new(url: Url) -> Opening {
        Opening { url, held: Vec::new(), at: 0, insert_at: None, href: None, charset: None }
    }

    /// Takes the next piece of the page. Once the element can be inserted, all of the page so far is written to `out`
    /// with it, and the number of added bytes is returned; the rest of the page is relayed as it is.
    pub fn read(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let (held, rest) = piece.split_at(piece.len().min(HELD_BYTES_MAX - self.held.len()));
        self.held.extend_from_slice(held);
        if !self.parse() && self.held.len() < HELD_BYTES_MAX {
            return None;
        }
        let added = self.write(out);
        out.extend_from_slice(rest);
        Some(added)
    }

    /// The page has ended: as [`Opening::read`].
    pub fn end(&mut self, out: &mut Vec<u8>) -> usize {
        if self.held.is_empty() { 0 } else { self.write(out) }
    }

    /// Parses the tokens so far; returns whether further ones make no difference.
    fn parse(&mut self) -> bool {
        if self.at == 0 {
            // The mark may be the only sign of the encoding, and it can come in pieces.
            if self.held.len() < UTF_8_MARK.len() {
                return false;
            }
            if self.held.starts_with(UTF_8_MARK) {
                (self.at, self.charset) = (UTF_8_MARK.len(), Some(0..UTF_8_MARK.len()));
            }
            if is_utf_16(&self.held) {
                return true;
            }
        }
        loop {
            match self.step() {
                Step::Head(len) => self.at += len,
                Step::Partial => return false,
                Step::Body => return true,
            }
            // A tag that names the encoding may still come.
            if self.href.is_some() && (self.charset.is_some() || self.at >= CHARSET_WITHIN) {
                return true;
            }
        }
    }

    /// Parses one token.
    fn step(&mut self) -> Step {
        let rest = &self.held[self.at..];
        let Some((token, len)) = token(rest) else { return Step::Partial };
        let raw = |name| raw_text_len(&rest[len..], name).map_or(Step::Partial, |text| Step::Head(len + text));
        match token {
            Token::Nothing => Step::Head(len),
            Token::Text => Step::Body,
            Token::End(tag) => match tag.among(&["head", "body", "html", "br"]) {
                "head" => {
                    self.insert_at.get_or_insert(self.at);
                    Step::Head(len)
                }
                // Others have no meaning in a head.
                "" => Step::Head(len),
                _ => Step::Body,
            },
            Token::Start(tag) => match tag.among(&HEAD_TAGS) {
                "html" | "head" => Step::Head(len),
                "title" => raw("title"),
                "meta" => {
                    if names_charset(&tag) {
                        self.charset.get_or_insert(self.at..self.at + len);
                    } else if is_pragma(&tag) {
                        self.insert_at.get_or_insert(self.at);
                    }
                    Step::Head(len)
                }
                "base" => {
                    if let Some(href) = tag.attribute("href") {
                        self.href.get_or_insert_with(|| href.to_owned());
                        self.insert_at.get_or_insert(self.at);
                    }
                    Step::Head(len)
                }
                name @ ("script" | "style" | "noframes") => {
                    self.insert_at.get_or_insert(self.at);
                    raw(name)
                }
                // Nothing runs in a relayed page, so the content of a noscript counts.
                "link" | "noscript" => {
                    self.insert_at.get_or_insert(self.at);
                    Step::Head(len)
                }
                _ => Step::Body,
            },
        }
    }

    /// Writes what is held with the element; returns the number of added bytes.
    fn write(&mut self, out: &mut Vec<u8>) -> usize {
        let held = std::mem::take(&mut self.held);
        if is_utf_16(&held) {
            out.extend_from_slice(&held);
            return 0;
        }
        let element = base_element(&self.href());
        let (before, behind) = held.split_at(self.insert_at.unwrap_or(self.at));
        let is_pushed_out = |charset: &Range<usize>| {
            charset.start >= before.len()
                && charset.end <= CHARSET_WITHIN
                && charset.end + element.len() > CHARSET_WITHIN
        };
        let charset = &held[self.charset.clone().filter(is_pushed_out).unwrap_or_default()];
        for part in [before, charset, element.as_bytes(), behind] {
            out.extend_from_slice(part);
        }
        charset.len() + element.len()
    }

    /// The base of the page: its own, else its URL.
    fn href(&self) -> String {
        let here = self.url.to_string();
        let Some(href) = &self.href else { return here };
        // Bytes of an encoding other than UTF-8 go back to the server unchanged.
        let text = match std::str::from_utf8(href) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => percent_encode(href, &AsciiSet::EMPTY).into(),
        };
        match self.url.join(&without_references(&text)) {
            Ok(url) if !["data", "javascript"].contains(&url.scheme()) => url.into(),
            // Such a base is ignored (HTML Standard, "set the frozen base URL").
            _ => here,
        }
    }
}

/// `<base href="…">` with this URL.
pub fn base_element(url: &str) -> String {
    let mut html = String::with_capacity(url.len() + 32);
    html.push_str("<base href=\"");
    for c in url.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            c => html.push(c),
        }
    }
    html.push_str("\">");
    html
}

/// Whether a page is UTF-16: it has the mark, or a zero byte, since HTML begins with ASCII.
fn is_utf_16(page: &[u8]) -> bool {
    matches!(page, [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, ..] | [_, 0, ..])
}

/// Whether a charset of Content-Type means UTF-16 (Encoding Standard, section 4.2). Lower case.
pub fn is_utf_16_label(charset: &str) -> bool {
    let labels = ["csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff", "unicodefffe"];
    let label = charset.trim_matches(['"', ' ', '\t']);
    labels.contains(&label) || label.starts_with("utf-16")
}

/// Whether a meta tag names the encoding of the page.
fn names_charset(meta: &Tag) -> bool {
    let value = |name| meta.attribute(name).map(|value| value.to_ascii_lowercase()).unwrap_or_default();
    meta.attribute("charset").is_some()
        || value("http-equiv") == b"content-type" && value("content").windows(7).any(|part| part == b"charset")
}

/// Whether a meta tag holds a URL, or restricts base elements behind it.
fn is_pragma(meta: &Tag) -> bool {
    let pragma = meta.attribute("http-equiv").unwrap_or_default();
    ["refresh", "content-security-policy"].iter().any(|name| pragma.eq_ignore_ascii_case(name.as_bytes()))
}

/// The value of an attribute with the character references of URLs decoded.
fn without_references(value: &str) -> Cow<'_, str> {
    let mut parts = value.split('&');
    let first = parts.next().unwrap_or_default();
    let mut text = Cow::Borrowed(first);
    for part in parts {
        let decoded = part.split_once(';').and_then(|(name, rest)| Some((referenced(name)?, rest)));
        let (c, rest) = decoded.unwrap_or(('&', part));
        text.to_mut().push(c);
        text.to_mut().push_str(rest);
    }
    text
}

fn referenced(name: &str) -> Option<char> {
    let numbered = |digits, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "lt" => Some('<'),
        "gt" => Some('>'),
        _ => match name.strip_prefix('#')? {
            digits if digits.starts_with(['x', 'X']) => numbered(&digits[1..], 16),
            digits => numbered(digits, 10),
        },
    }
}

#[cfg(test)]
mod tests;
