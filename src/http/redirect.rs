//! Where a response redirects to, and what may go along (RFC 9110 section 15.4).
//!
//! Input is the URL that was asked, a status and a Location; output is another [`Url`], or why there is none. The
//! functions behind it decide what of the first request goes into the next one.
//! Not here: how many redirects are followed, and which addresses they may lead to.

use crate::http::url::{Url, UrlError};
use percent_encoding::{AsciiSet, percent_encode};
use std::borrow::Cow;

/// The body of a redirect is read to its end, so that its connection can be used again; one that has more than this
/// to say, bytes, is left at once: a new connection is cheaper.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// What the status and the Location of a response lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: another status, or no Location.
    None,
    To(Url),
    /// To something that cannot be fetched: why, and the Location as it was sent.
    Bad(UrlError, String),
}

/// Resolves the Location of a response against the `url` that was asked. 301, 302, 303, 307 and 308 redirect; 300 and
/// 304 do not, whatever fields they have.
pub fn target(url: &Url, status: u16, location: Option<&[u8]>) -> Target {
    let Some(location) = location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308)) else {
        return Target::None;
    };
    // Bytes that are not UTF-8 mean something to their server only, so it gets back the very same ones.
    let location = match std::str::from_utf8(location) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => percent_encode(location, &AsciiSet::EMPTY).into(),
    };
    match url.resolve(&location) {
        // A Location without a fragment keeps that of the URL that was asked (Fetch Standard, HTTP-redirect fetch).
        Ok(led) => Target::To(Url { fragment: led.fragment.or_else(|| url.fragment.clone()), ..led }),
        Err(e) => Target::Bad(e, location.into_owned()),
    }
}

/// Whether a redirect with this status is asked with the same method and body; else with GET and without one.
///
/// 303 says so, but for GET and HEAD. For 301 and 302 every browser turns POST into GET, and the RFC allows it. 307
/// and 308 exist to forbid it.
pub fn keeps_method(status: u16, method: &str) -> bool {
    match status {
        303 => matches!(method, "GET" | "HEAD"),
        301 | 302 => method != "POST",
        _ => true,
    }
}

/// Whether both have the same scheme, host and port (RFC 6454 section 5).
pub fn same_origin(a: &Url, b: &Url) -> bool {
    (a.scheme, &a.host, a.port) == (b.scheme, &b.host, b.port)
}

/// Whether this field identifies the user: not sent on when a redirect leaves the origin. Any letter case.
pub fn is_credential(name: &str) -> bool {
    ["Authorization", "Cookie", "Proxy-Authorization"].iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// Whether this field is about the body of a request: not sent on where the method, and with it the body, is not kept.
/// Any letter case.
pub fn describes_body(name: &str) -> bool {
    ["Content-Type", "Content-Encoding", "Content-Language", "Content-Location"]
        .iter()
        .any(|field| name.eq_ignore_ascii_case(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn leads_to(status: u16, location: &str) -> Target {
        target(&url("https://a.test:8443/b/c?d"), status, Some(location.as_bytes()))
    }

    #[test]
    fn a_location_is_resolved_against_what_was_asked() {
        for (location, expected) in [
            ("http://b.test/x#y", "http://b.test/x#y"),
            ("//b.test/x", "https://b.test/x"),
            ("/x?y#z", "https://a.test:8443/x?y#z"),
            ("../x", "https://a.test:8443/x"),
            ("?x", "https://a.test:8443/b/c?x"),
            ("#x", "https://a.test:8443/b/c?d#x"),
            ("", "https://a.test:8443/b/c?d"),
            ("/中 文", "https://a.test:8443/%E4%B8%AD%20%E6%96%87"),
        ] {
            for status in [301, 302, 303, 307, 308] {
                assert_eq!(leads_to(status, location), Target::To(url(expected)), "{status} {location:?}");
            }
        }
    }

    /// RFC 9110 section 10.2.2.
    #[test]
    fn a_fragment_is_kept_over_a_redirect_without_one() {
        let asked = url("http://a.test/x#mine");
        for (location, expected) in [
            ("/y", "http://a.test/y#mine"),
            ("http://b.test/", "http://b.test/#mine"),
            ("", "http://a.test/x#mine"),
            ("/y#", "http://a.test/y#"),
            ("/y#theirs", "http://a.test/y#theirs"),
            ("#theirs", "http://a.test/x#theirs"),
        ] {
            assert_eq!(target(&asked, 302, Some(location.as_bytes())), Target::To(url(expected)), "{location:?}");
        }
    }

    /// Each expectation is what `new URL(location, base)` of a browser gives.
    #[test]
    fn a_location_is_read_as_the_url_standard_says() {
        for (location, expected) in [
            ("https:///b.test/x", "https://b.test/x"),
            ("///b.test/x", "https://b.test/x"),
            (" /\t/\n\\/b.test/x", "https://b.test/x"),
            ("http:/b.test/x", "http://b.test/x"),
            ("https:/x", "https://a.test:8443/x"),
            ("https:x", "https://a.test:8443/b/x"),
            ("http:b.test", "http://b.test/"),
            ("\\\\b.test\\x", "https://b.test/x"),
            ("/\\b.test/x", "https://b.test/x"),
            ("\\x", "https://a.test:8443/x"),
            ("/x\\y?\\", "https://a.test:8443/x/y?\\"),
            (" \t/x\r\ny\tz ", "https://a.test:8443/xyz"),
            ("ht\ntp://b.te\tst/", "http://b.test/"),
            ("/x/%2e%2E/y/%2e", "https://a.test:8443/y/"),
            ("//127.1/", "https://127.0.0.1/"),
            ("//0x7f000001/", "https://127.0.0.1/"),
            ("//0177.0.0.01/", "https://127.0.0.1/"),
            ("//2130706433/", "https://127.0.0.1/"),
            ("//%31%32%37.1/", "https://127.0.0.1/"),
            ("//\u{2460}\u{2461}\u{2466}.0.0.1/", "https://127.0.0.1/"),
            ("//[::127.0.0.1]/", "https://[::7f00:1]/"),
            ("//b\u{fc}cher.test/", "https://xn--bcher-kva.test/"),
            ("//B\u{dc}CHER\u{3002}test/", "https://xn--bcher-kva.test/"),
            ("//\u{4e2d}\u{6587}.test:81/\u{6587}", "https://xn--fiq228c.test:81/%E6%96%87"),
            ("//@b.test/", "https://b.test/"),
            ("/|{}^`\"?|{}^`\"'", "https://a.test:8443/|%7B%7D^%60%22?|{}^`%22%27"),
        ] {
            match leads_to(302, location) {
                Target::To(url) => assert_eq!(url.to_string(), expected, "{location:?}"),
                other => panic!("{location:?} leads to {other:?}"),
            }
        }
    }

    #[test]
    fn other_statuses_and_a_missing_location_lead_nowhere() {
        for status in [200, 201, 300, 304, 305, 306, 309, 404] {
            assert_eq!(leads_to(status, "http://b.test/"), Target::None, "{status}");
        }
        assert_eq!(target(&url("http://a.test/"), 302, None), Target::None);
    }

    #[test]
    fn a_location_that_cannot_be_fetched_is_told_with_its_reason() {
        for (location, why) in [
            ("ftp://b.test/", UrlError::UnknownScheme("ftp".into())),
            ("javascript:alert(1)", UrlError::UnknownScheme("javascript".into())),
            ("http://", UrlError::NoHost),
            ("http://me:secret@b.test/", UrlError::UserInfo),
            ("//b.test:0/", UrlError::BadPort),
        ] {
            assert_eq!(leads_to(302, location), Target::Bad(why, location.into()), "{location:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_go_back_as_they_came() {
        let latin = target(&url("http://a.test/"), 302, Some(b"/caf\xe9?%20"));
        assert_eq!(latin, Target::To(url("http://a.test/caf%E9?%20")));
        let bad = target(&url("http://a.test/"), 302, Some(b"ftp://b.test/\xff"));
        assert_eq!(bad, Target::Bad(UrlError::UnknownScheme("ftp".into()), "ftp://b.test/%FF".into()));
    }

    #[test]
    fn the_status_says_whether_the_method_is_kept() {
        for (status, kept) in [
            (301, ["GET", "HEAD", "PUT", "DELETE"].as_slice()),
            (302, &["GET", "HEAD", "PUT", "DELETE"]),
            (303, &["GET", "HEAD"]),
            (307, &["GET", "HEAD", "PUT", "DELETE", "POST"]),
            (308, &["GET", "HEAD", "PUT", "DELETE", "POST"]),
        ] {
            for method in ["GET", "HEAD", "PUT", "DELETE", "POST"] {
                assert_eq!(keeps_method(status, method), kept.contains(&method), "{status} {method}");
            }
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let here = url("https://a.test/x");
        assert!(same_origin(&here, &url("https://A.test:443/y?z")));
        for elsewhere in ["http://a.test/x", "http://a.test:443/x", "https://a.test:444/x", "https://b.a.test/x"] {
            assert!(!same_origin(&here, &url(elsewhere)), "{elsewhere}");
        }
    }

    #[test]
    fn fields_that_stay_behind_are_known_in_any_case() {
        for name in ["Authorization", "authorization", "COOKIE", "Proxy-Authorization"] {
            assert!(is_credential(name) && !describes_body(name), "{name}");
        }
        for name in ["Content-Type", "content-type", "CONTENT-ENCODING", "Content-Language", "Content-Location"] {
            assert!(describes_body(name) && !is_credential(name), "{name}");
        }
        for name in ["Accept", "Set-Cookie", "User-Agent", "X-Authorization", "Content-Length-Hint", ""] {
            assert!(!is_credential(name) && !describes_body(name), "{name}");
        }
    }
}
