//! Origins on the command line and in requests.

use crate::http::url::Authority;

/// Parses `scheme://host[:port]` into the form in which origins are compared (RFC 6454 section 6.2): lower case,
/// without the scheme's default port. For `--allow-origin` and for the Origin field of a request.
///
/// Any scheme is allowed: pages of apps and extensions have `capacitor://localhost` or `chrome-extension://ID`. The
/// host of a scheme without hosts, such as `file://`, is empty. Not by the `url` crate, which also accepts other
/// spellings of a host.
///
/// # Errors
/// A sentence, for anything else: a path, a user name, `null`.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let expected = || "expected SCHEME://HOST[:PORT], with nothing behind it".to_owned();
    let origin = text.to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://").ok_or_else(expected)?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let default_port = default_port(scheme);
    let (host, port) = match Authority::parse(authority) {
        Some(Authority { host, port }) if !authority.ends_with(':') => (host, port),
        None if authority.is_empty() && default_port.is_none() => ("", None),
        _ => return Err(expected()),
    };
    let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    match port {
        _ if !is_scheme || !is_host => Err(expected()),
        Some(port) if Some(port) != default_port => Ok(format!("{scheme}://{host}:{port}")),
        _ => Ok(format!("{scheme}://{host}")),
    }
}

/// The default port of a scheme (URL Standard, special schemes).
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_an_authority_in_one_form() {
        for (text, origin) in [
            ("http://a", "http://a"),
            ("HTTP://A.Example:80", "http://a.example"),
            ("https://a:443", "https://a"),
            ("https://a:0443", "https://a"),
            ("https://a:80", "https://a:80"),
            ("http://a_b:8888", "http://a_b:8888"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[2001:DB8::80]", "http://[2001:db8::80]"),
            ("file://", "file://"),
            ("FILE://", "file://"),
            ("Capacitor://localhost", "capacitor://localhost"),
            ("tauri://localhost:80", "tauri://localhost:80"),
            ("safari-web-extension://0AA3C1F4-0A1C", "safari-web-extension://0aa3c1f4-0a1c"),
            ("app+x.y://-", "app+x.y://-"),
            ("wss://a:443", "wss://a"),
            ("ftp://a:21", "ftp://a"),
        ] {
            assert_eq!(parse_origin(text).as_deref(), Ok(origin));
        }
        for text in [
            "",
            "null",
            "*",
            "a",
            "a:80",
            "//a",
            "http:a",
            "http:/a",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:+80",
            "http://a:65536",
            "http://a/",
            "http://a?b",
            "http://a#b",
            "http://a b",
            "http://u@a",
            "http://a:80:80",
            "http://[::1",
            "http://[a]",
            "http://bücher.example",
            "https://",
            "file:",
            "file:///",
            "file://:80",
            "://a",
            "1app://a",
            "a b://c",
            "a/b://c",
            "app://a/",
            "app://u@a",
            "app://a:65536",
            "blob:http://a",
            "data:,",
            "http://a,b",
        ] {
            assert!(parse_origin(text).is_err_and(|why| why.starts_with("expected ")), "{text}");
        }
    }
}
