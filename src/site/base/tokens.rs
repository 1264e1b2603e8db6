//! The tokens at the start of an HTML document, as far as [`super`] must distinguish them (HTML Standard, section
//! 13.2.5), read from bytes: markup is ASCII in every encoding but UTF-16.
//!
//! By hand: `html5gum` takes the end of its input for the end of the page and assumes UTF-8; `lol_html` brings a CSS
//! parser and writes tags before a later base is known.

use memchr::{memchr, memchr_iter};

/// One token in front of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Space, a comment, a doctype or another declaration.
    Nothing,
    Start(Tag<'a>),
    End(Tag<'a>),
    /// Any other text.
    Text,
}

/// A start tag or an end tag.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    name: &'a [u8],
    /// All bytes between the name and the end of the tag.
    attributes: &'a [u8],
}

impl<'a> Tag<'a> {
    /// The name as one of these, in lower case; `""` if it is none of them.
    pub fn among(&self, names: &[&'static str]) -> &'static str {
        names.iter().find(|name| self.name.eq_ignore_ascii_case(name.as_bytes())).copied().unwrap_or_default()
    }

    /// The value of the first attribute of this name, not decoded, without its quotes.
    pub fn attribute(&self, name: &str) -> Option<&'a [u8]> {
        let mut found = None;
        read_attributes(self.attributes, |given, value| {
            if given.eq_ignore_ascii_case(name.as_bytes()) {
                found.get_or_insert(value);
            }
        });
        found
    }
}

/// The first token and its length; `None` if it is incomplete. Text has length 0.
pub fn token(bytes: &[u8]) -> Option<(Token<'_>, usize)> {
    let nothing = |len| (Token::Nothing, len);
    match bytes {
        [] => None,
        [first, ..] if is_space(*first) => Some(nothing(span(bytes, is_space))),
        [b'<', b'!', ..] if b"<!--".starts_with(&bytes[..bytes.len().min(4)]) => comment_len(bytes).map(nothing),
        [b'<', b'!' | b'?', ..] => Some(nothing(memchr(b'>', bytes)? + 1)),
        [b'<', b'/', first, ..] if first.is_ascii_alphabetic() => {
            let (tag, len) = tag(&bytes[2..])?;
            Some((Token::End(tag), len + 2))
        }
        [b'<', b'/', _, ..] => Some(nothing(memchr(b'>', bytes)? + 1)),
        [b'<', first, ..] if first.is_ascii_alphabetic() => {
            let (tag, len) = tag(&bytes[1..])?;
            Some((Token::Start(tag), len + 1))
        }
        [b'<'] | [b'<', b'/'] => None,
        _ => Some((Token::Text, 0)),
    }
}

/// Length of the text in an element without markup, with its end tag; `None` if that is incomplete.
pub fn raw_text_len(bytes: &[u8], name: &str) -> Option<usize> {
    memchr_iter(b'<', bytes).find_map(|at| match token(&bytes[at..])? {
        (Token::End(tag), len) if tag.name.eq_ignore_ascii_case(name.as_bytes()) => Some(at + len),
        _ => None,
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// The number of such bytes in front.
fn span(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !is_one(byte)).unwrap_or(bytes.len())
}

/// A comment ends with `-->` or `--!>`; the dashes of the former may be those of `<!--`.
fn comment_len(bytes: &[u8]) -> Option<usize> {
    let is_end = |at: usize| {
        let inside = bytes.get(4..at).unwrap_or_default();
        at >= 4 && (bytes[2..at].ends_with(b"--") || inside.ends_with(b"--!"))
    };
    memchr_iter(b'>', bytes).find(|&at| is_end(at)).map(|at| at + 1)
}

/// A tag from its name on.
fn tag(bytes: &[u8]) -> Option<(Tag<'_>, usize)> {
    let (name, attributes) = bytes.split_at(span(bytes, |byte| !is_space(byte) && !b"/>".contains(&byte)));
    let len = read_attributes(attributes, |_, _| {})?;
    Some((Tag { name, attributes: &attributes[..len] }, name.len() + len))
}

/// Passes each attribute's name and value to `found`; returns the length up to the end of the tag, `>` included, if it
/// is complete.
fn read_attributes<'a>(bytes: &'a [u8], mut found: impl FnMut(&'a [u8], &'a [u8])) -> Option<usize> {
    let spaces = |at: usize| at + span(&bytes[at..], is_space);
    let mut at = 0;
    loop {
        at += span(&bytes[at..], |byte| is_space(byte) || byte == b'/');
        if *bytes.get(at)? == b'>' {
            return Some(at + 1);
        }
        // The first letter of a name may be any byte, even =.
        let rest = &bytes[at + 1..];
        let name = &bytes[at..][..1 + span(rest, |byte| !is_space(byte) && !b"/>=".contains(&byte))];
        let behind = spaces(at + name.len());
        if *bytes.get(behind)? != b'=' {
            found(name, b"");
            at = behind;
            continue;
        }
        let begin = spaces(behind + 1);
        let value = match *bytes.get(begin)? {
            quote @ (b'"' | b'\'') => {
                let value = &bytes[begin + 1..];
                let value = &value[..memchr(quote, value)?];
                at = begin + value.len() + 2;
                value
            }
            _ => {
                let value = &bytes[begin..][..span(&bytes[begin..], |byte| !is_space(byte) && byte != b'>')];
                at = begin + value.len();
                value
            }
        };
        found(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(text: &str) -> Option<usize> {
        token(text.as_bytes()).map(|(_, len)| len)
    }

    #[test]
    fn comments_and_declarations_end_where_the_standard_says() {
        for whole in [
            "<!---->",
            "<!-->",
            "<!--->",
            "<!-- a > b -- > --!x -->",
            "<!-- a --!>",
            "<!--!>-->",
            "<!--<!-- a -->",
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD\" '>",
            "<!>",
            "<![CDATA[ a >",
            "<?xml version=\"1.0\" encoding=\"gbk\"?>",
            "</>",
            "</ a>",
            "</1>",
            " \t\n\u{c}\r",
        ] {
            let bytes = format!("{whole}x");
            assert_eq!(token(bytes.as_bytes()), Some((Token::Nothing, whole.len())), "{whole}");
        }
        for text in ["x", "&amp;", "< a>", "<1>", "<>", "\0", "\u{a0}"] {
            assert_eq!(token(text.as_bytes()), Some((Token::Text, 0)), "{text}");
        }
    }

    #[test]
    fn a_tag_ends_behind_its_attributes() {
        for (whole, href) in [
            ("<a>", None),
            ("<A HREF=x>", Some("x")),
            ("<a href='>' class>", Some(">")),
            ("<a title=\"a>b\" href = \"x'y\" href=z>", Some("x'y")),
            ("<a/href=x/y/>", Some("x/y/")),
            ("<a href>", Some("")),
            ("<a href=>", Some("")),
            ("<a href=\"\">", Some("")),
            ("<a =href=x>", None),
            ("<a \"href=x>", None),
            ("<a\n\thref\n=\r\n'/'\n>", Some("/")),
            ("<a href=\"x\"href=y>", Some("x")),
            ("<a href=a\"b'c=d<e>", Some("a\"b'c=d<e")),
        ] {
            let bytes = format!("{whole}<b>");
            let Some((Token::Start(tag), len)) = token(bytes.as_bytes()) else { panic!("{whole}") };
            assert_eq!((tag.among(&["b", "a"]), len), ("a", whole.len()), "{whole}");
            assert_eq!(tag.attribute("href"), href.map(str::as_bytes), "{whole}");
        }
    }

    #[test]
    fn an_incomplete_token_is_none_at_every_cut() {
        for whole in
            ["<!-- > -- -->", "<!doctype html>", "<?x>", "</a b='>'>", "<base target=\"a>\" href = '/x' y>", "</>"]
        {
            for cut in 0..whole.len() {
                assert_eq!(len(&whole[..cut]), None, "{:?}", &whole[..cut]);
            }
            assert_eq!(len(whole), Some(whole.len()));
        }
    }

    #[test]
    fn raw_text_ends_at_its_own_end_tag_only() {
        let text = "a < b <p> </p> </titles> <base href=x> </TITLE\n x='>'>";
        assert_eq!(raw_text_len(format!("{text}<title></title>").as_bytes(), "title"), Some(text.len()));
        assert_eq!(raw_text_len(b"</style></titl", "title"), None);
        assert_eq!(raw_text_len(b"</title", "title"), None);
    }
}
