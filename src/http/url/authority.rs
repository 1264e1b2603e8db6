//! Authorities: a host with an optional port (RFC 3986 section 3.2, RFC 9110 section 7.2).

use super::Scheme;
use crate::http::words::{set_of, span_in};
use std::net::Ipv6Addr;

/// A host with an optional port, as in a Host field. There is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A registered name, an IPv4 address, or an IPv6 address in brackets; never empty.
    pub host: &'a str,
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// `None`: the text is not an authority.
    pub fn parse(text: &'a str) -> Option<Authority<'a>> {
        let (length, port) = split(text.as_bytes())?;
        Some(Authority { host: &text[..length], port })
    }
}

/// Whether the text is a host with an optional port.
pub fn is_authority(text: impl AsRef<[u8]>) -> bool {
    split(text.as_ref()).is_some()
}

/// Whether an Origin field names the authority of a Host field. Letter case and the default port of the origin's scheme
/// make no difference. Nor does http or https, since a TLS proxy may stand in front. Other schemes and `null` never
/// match: their host is not a server.
pub fn same_authority(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    match (Scheme::parse(scheme), Authority::parse(authority), Authority::parse(host)) {
        (Some(scheme), Some(theirs), Some(ours)) => {
            let port = |authority: Authority| authority.port.unwrap_or(scheme.default_port());
            theirs.host.eq_ignore_ascii_case(ours.host) && port(theirs) == port(ours)
        }
        _ => false,
    }
}

/// The length of the host, and the port.
fn split(text: &[u8]) -> Option<(usize, Option<u16>)> {
    let host = if text.first() == Some(&b'[') { bracketed(text) } else { span_in(text, &HOST_BYTES) };
    let port = match text.get(host..)? {
        [] => None,
        [b':', digits @ ..] => parse_port(digits)?,
        _ => return None,
    };
    (host > 0).then_some((host, port))
}

/// The length of the IPv6 address at the front, brackets included; 0 if there is none.
fn bracketed(text: &[u8]) -> usize {
    let end = text.iter().position(|&byte| byte == b']').unwrap_or_default();
    let address = text.get(1..end).and_then(|address| str::from_utf8(address).ok());
    if address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) { end + 1 } else { 0 }
}

/// The bytes of a registered name (RFC 3986 section 3.2.2): unreserved and sub-delims. Not `%`: no host name is
/// percent-encoded in practice, and comparing one would need decoding.
static HOST_BYTES: [bool; 256] =
    set_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=");

/// Digits up to 65535, or none: `example.org:` is valid (RFC 3986 section 3.2.3).
fn parse_port(digits: &[u8]) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    let port = digits.iter().try_fold(0u16, |port, byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
        port.checked_mul(10)?.checked_add(digit)
    });
    port.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_hosts_with_an_optional_port() {
        for good in [
            "a",
            "A.example:8888",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:65535",
            "a:",
            "a:000080",
            "a:0000000000",
            "a_b~c",
            "a!$&'()*+,;=",
        ] {
            assert!(is_authority(good), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a:65536",
            "a:8o",
            "a:+8",
            "a:-1",
            "a:80:80",
            "a b",
            "u@a",
            "a/",
            "a?",
            "a#b",
            "a\\b",
            "\t",
            "a:4294967376",
            "a:99999999999",
            "[::1]:0999999",
        ] {
            assert!(!is_authority(bad), "{bad:?}");
        }
        for bad in
            ["[::1", "::1", "[::1]x", "[a]", "[]", "[::1]]", "a[::1]", "a%41", "a%zz", "bücher", "<a>", "a\"", "[::g]"]
        {
            assert!(!is_authority(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_origin_is_compared_by_its_authority() {
        for (origin, host) in [
            ("http://a", "a"),
            ("http://A:80", "a"),
            ("http://a", "A:80"),
            ("https://a:443", "a"),
            ("https://a", "a:443"),
            ("http://a:8888", "a:8888"),
            ("http://[::1]", "[::1]:80"),
            ("https://a:8888", "a:8888"),
        ] {
            assert!(same_authority(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "a"),
            ("null", "null"),
            ("", ""),
            ("http://", ""),
            ("http://a", "b"),
            ("http://a", "a:443"),
            ("https://a", "a:80"),
            ("http://a:8080", "a"),
            ("http://a.evil.example", "a"),
            ("http://evil.example/a", "a"),
            ("http://a@evil.example", "a"),
            ("capacitor://a", "a"),
            ("file://", ""),
            ("a", "a"),
        ] {
            assert!(!same_authority(origin, host), "{origin} {host}");
        }
    }
}
