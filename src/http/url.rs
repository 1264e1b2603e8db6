//! URLs and their parts: parse, resolve, encode, decode, compare (URL Standard, RFC 3986, RFC 9110 section 4.2).
//!
//! [`Url`] is where a fetch goes: http or https, always with a host, a port and a target that can stand in a request
//! line. The functions behind it work on the texts that requests and forms bring: authorities, paths, queries.

mod absolute;

pub use absolute::{Scheme, Url, UrlError};

use crate::http::words::{set_of, span_in};
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_decode_str, percent_encode_byte, utf8_percent_encode,
};
use std::net::Ipv6Addr;

/// Everything but unreserved (RFC 3986 section 2.3).
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `true` if the text is a host with an optional port, as in a Host field: a registered name, an IPv4 address or an
/// IPv6 address in brackets; no user name (RFC 9110 section 7.2). An empty host is none.
pub fn is_authority(text: impl AsRef<[u8]>) -> bool {
    let text = text.as_ref();
    let host = if text.first() == Some(&b'[') { address_in_brackets(text) } else { span_in(text, &HOST_BYTES) };
    host > 0 && (host == text.len() || text[host] == b':' && is_port(&text[host + 1..]))
}

/// How many bytes an IPv6 address and the brackets around it are in front of these; 0 if there is none.
fn address_in_brackets(text: &[u8]) -> usize {
    let end = text.iter().position(|&byte| byte == b']').unwrap_or_default();
    let address = text.get(1..end).and_then(|address| str::from_utf8(address).ok());
    if address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) { end + 1 } else { 0 }
}

/// What a registered name is made of (RFC 3986 section 3.2.2): unreserved and sub-delims. Not `%`: nobody's name is
/// percent-encoded, and to compare such a host one would have to decode it. A table, because every request has a Host.
static HOST_BYTES: [bool; 256] =
    set_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=");

/// Digits up to 65535, or none at all: `example.org:` is valid (RFC 3986 section 3.2.3).
fn is_port(text: &[u8]) -> bool {
    let zeros = if text.len() > 5 { text.iter().take_while(|&&byte| byte == b'0').count() } else { 0 };
    let digits = &text[zeros..];
    if digits.len() > 5 {
        return false;
    }
    let value = digits.iter().try_fold(0, |value, byte| {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        (digit <= 9).then_some(10 * value + digit)
    });
    value.is_some_and(|value| value <= u32::from(u16::MAX))
}

/// Whether two hex digits are behind every `%`.
fn is_well_encoded(bytes: &[u8]) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    memchr::memchr_iter(b'%', bytes).all(|at| is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)))
}

/// Whether an Origin field names the authority of a Host field: letter case and the default port of the Origin's
/// scheme make no difference, nor does http or https (a TLS proxy may stand in front). Other schemes and `null` never
/// do: their host is no server.
pub fn same_authority(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority| {
        let authority = str::strip_suffix(authority, default_port).unwrap_or(authority);
        authority.strip_suffix(':').unwrap_or(authority)
    };
    let (authority, host) = (bare(authority), bare(host));
    !authority.is_empty() && authority.eq_ignore_ascii_case(host)
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
