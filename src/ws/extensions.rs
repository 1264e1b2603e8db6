//! The Sec-WebSocket-Extensions field (RFC 6455 section 9.1): a list of names, each with parameters.

use crate::http::words::{TCHAR, span_in};

/// One element of the list.
#[derive(Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    pub name: &'a str,
    pub parameters: Vec<Parameter<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    pub name: &'a str,
    /// Without the quotes around it.
    pub value: Option<&'a str>,
}

/// Parses the value of one field. `None`: it breaks the grammar, and the handshake must fail. Elements may be empty,
/// since the list may be spread over several fields.
pub fn parse(value: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut rest = str::from_utf8(value).ok()?.trim_ascii();
    let mut extensions = Vec::new();
    while !rest.is_empty() {
        if !rest.starts_with(',') {
            let (extension, behind) = split_extension(rest)?;
            extensions.push(extension);
            rest = behind;
        }
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_ascii_start();
        }
    }
    Some(extensions)
}

fn split_extension(list: &str) -> Option<(Extension<'_>, &str)> {
    let (name, mut rest) = split_token(list)?;
    let mut parameters = Vec::new();
    while let Some(parameter) = rest.strip_prefix(';') {
        let (name, behind) = split_token(parameter.trim_ascii_start())?;
        let (value, behind) = match behind.strip_prefix('=').map(str::trim_ascii_start) {
            Some(value) => split_value(value).map(|(value, behind)| (Some(value), behind))?,
            None => (None, behind),
        };
        parameters.push(Parameter { name, value });
        rest = behind;
    }
    Some((Extension { name, parameters }, rest))
}

/// A token, or a token in quotes.
fn split_value(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let (value, behind) = quoted.split_once('"')?;
            // A backslash escapes the next character, which is a token character all the same.
            let is_token = !value.is_empty() && value.bytes().all(|byte| byte == b'\\' || TCHAR[usize::from(byte)]);
            is_token.then(|| (value, behind.trim_ascii_start()))
        }
        None => split_token(text),
    }
}

/// A token (RFC 9110 section 5.6.2), and the text behind it and behind the blanks that follow.
fn split_token(text: &str) -> Option<(&str, &str)> {
    let (token, behind) = text.split_at(span_in(text.as_bytes(), &TCHAR));
    (!token.is_empty()).then(|| (token, behind.trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension<'a>(name: &'a str, parameters: &[(&'a str, Option<&'a str>)]) -> Extension<'a> {
        let parameters = parameters.iter().map(|&(name, value)| Parameter { name, value }).collect();
        Extension { name, parameters }
    }

    #[test]
    fn a_list_has_names_with_parameters() {
        let value = b" permessage-deflate; a ; b=1;c = \"2\" ,, x-webkit,";
        let first = extension("permessage-deflate", &[("a", None), ("b", Some("1")), ("c", Some("2"))]);
        assert_eq!(parse(value), Some(vec![first, extension("x-webkit", &[])]));
        assert_eq!(parse(b"a;b=\"1\\0\""), Some(vec![extension("a", &[("b", Some("1\\0"))])]));
        for empty in ["", " ", ",", " , ,"] {
            assert_eq!(parse(empty.as_bytes()), Some(vec![]), "{empty:?}");
        }
    }

    #[test]
    fn a_broken_list_is_none() {
        for value in ["a b", "a;", "a;;b", "a;=1", "a;b=", "a;b=\"\"", "a;b=\"1", "a;b=\"1,2\"", "=", ";", "\"", "a\\b"]
        {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(parse(b"a;b=\"1\" 2"), None);
        assert_eq!(parse(b"\xff"), None);
    }
}
