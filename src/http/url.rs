//! URLs and their parts: parse, resolve, encode, decode, compare (URL Standard, RFC 3986, RFC 9110 section 4.2).
//!
//! [`Url`] is where a fetch goes: http or https, always with a host, a port and a target that can stand in a request
//! line. The functions behind it work on the texts that requests and forms bring: authorities, paths, queries.

mod absolute;
mod authority;

pub use absolute::{Scheme, Url, UrlError};
pub use authority::{Authority, is_authority, same_authority};

use crate::http::words::set_of;
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_decode_str, percent_encode_byte, utf8_percent_encode,
};

/// Everything but unreserved (RFC 3986 section 2.3).
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether two hex digits are behind every `%`.
fn is_well_encoded(bytes: &[u8]) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    memchr::memchr_iter(b'%', bytes).all(|at| is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)))
}

/// Whether a redirect to this text stays on this site in every browser: one `/`, then neither `/` nor `\`, no
/// backslash and no control character anywhere (browsers read `\` as `/` and drop tabs and line ends).
pub fn is_local_path(next: &str) -> bool {
    next.starts_with('/') && !next.starts_with("//") && !next.contains(|c: char| c == '\\' || c.is_control())
}

/// Percent-encodes all but unreserved characters; a space becomes `%20`.
pub fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, NOT_UNRESERVED).to_string()
}

/// Puts percent-encoded `words` in the place of the one `{}` of a template; `None` if there is none, or two.
pub fn insert_words(template: &str, words: &str) -> Option<String> {
    let (before, behind) = template.split_once("{}")?;
    (!behind.contains("{}")).then(|| format!("{before}{}{behind}", encode_component(words)))
}

/// The target of a request with this parameter in its query, which replaces those of the same name; the others stay.
pub fn with_parameter(target: &str, name: &str, value: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_other = |part: &&str| {
        let other = part.split('=').next().unwrap_or_default();
        !part.is_empty() && percent_decode_str(other).ne(name.bytes())
    };
    let ours = format!("{}={}", encode_component(name), encode_component(value));
    let parts: Vec<&str> = query.split('&').filter(is_other).chain([ours.as_str()]).collect();
    format!("{path}?{}", parts.join("&"))
}

/// Decodes the path of a request into the name of a file, without the `/` in front: `/static/a%20b` is `static/a b`.
///
/// `None` for what no file of ours is called by: a broken `%`, bytes that are not UTF-8, NUL, a backslash, and
/// segments that are empty (but for a last one), `.` or `..`. So the result stays inside the folder it is joined to.
pub fn decode_path(path: &str) -> Option<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if !is_well_encoded(path.as_bytes()) {
        return None;
    }
    let decoded = percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let plain = !decoded.contains(['\0', '\\']) && !decoded.starts_with('/') && !decoded.contains("//");
    (plain && decoded.split('/').all(|segment| segment != "." && segment != "..")).then_some(decoded)
}

/// A query, or a body in `application/x-www-form-urlencoded`, whose names and values are UTF-8 once they are decoded.
///
/// Other bytes are refused, not replaced: with U+FFFD in their place, two names in another encoding would be one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Form<'a>(&'a [u8]);

/// A name or a value of a form is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUtf8;

impl<'a> Form<'a> {
    /// # Errors
    /// Any of its names and values is not UTF-8.
    pub fn parse(form: &'a [u8]) -> Result<Form<'a>, NotUtf8> {
        // `&` and `=` are ASCII, so the whole is UTF-8 if and only if each part is.
        percent_decode(form).decode_utf8().map(|_| Form(form)).map_err(|_| NotUtf8)
    }

    /// The last value of this name, decoded; `+` is a space.
    pub fn value(&self, name: &str) -> Option<String> {
        let values = form_urlencoded::parse(self.0).filter(|(key, _)| key == name);
        values.last().map(|(_, value)| value.into_owned())
    }
}

/// Percent-encodes what a URI reference cannot hold (RFC 3986 section 4.1), such as a Location (RFC 9110 section
/// 10.2.2): characters beyond ASCII, blanks, quotes, brackets outside of the host, a `%` that encodes nothing, and a
/// second `#`. What is encoded already stays.
pub fn encode_reference(reference: &str) -> String {
    let mut encoded = String::with_capacity(reference.len());
    let host_end = match reference.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => {
            reference.len() - rest.len() + rest.find(['/', '?', '#']).unwrap_or(rest.len())
        }
        _ => 0,
    };
    let mut has_fragment = false;
    for (at, byte) in reference.bytes().enumerate() {
        let fits = match byte {
            b'%' => is_well_encoded(&reference.as_bytes()[at..reference.len().min(at + 3)]),
            b'#' => !std::mem::replace(&mut has_fragment, true),
            b'[' | b']' => at < host_end,
            _ => REFERENCE_BYTES[usize::from(byte)],
        };
        match fits {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(percent_encode_byte(byte)),
        }
    }
    encoded
}

/// Unreserved and reserved characters (RFC 3986 sections 2.2 and 2.3), without `#`, `[` and `]`.
static REFERENCE_BYTES: [bool; 256] =
    set_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?@!$&'()*+,;=");

#[cfg(test)]
mod tests;
