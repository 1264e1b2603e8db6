//! Which origins may open WebSockets and post forms (RFC 6454).

use super::language::Localized;
use crate::config::parse_origin;
use crate::event::Request;
use crate::http::request::Method;
use crate::http::url::same_authority;

/// The allowed origins besides the server's own.
pub struct Origins {
    allowed: Vec<String>,
}

impl Origins {
    /// `allowed` as [`parse_origin`] writes them.
    pub fn new(allowed: Vec<String>) -> Origins {
        Origins { allowed }
    }

    /// Checks that a request comes from one of our pages or from no page at all.
    ///
    /// # Errors
    /// What was compared.
    pub fn check(&self, request: &Request) -> Result<(), Localized> {
        for origin in request.headers_named("origin").map(String::from_utf8_lossy) {
            match parse_origin(&origin) {
                Ok(parsed) if same_authority(&parsed, request.host()) || self.allowed.contains(&parsed) => {}
                Err(_) if origin == "null" && is_own_form(request) => {}
                _ => return Err(Localized::new("why_origin", [&origin, &request.host()])),
            }
        }
        Ok(())
    }
}

/// Whether a browser says that a form without an origin is from one of our own pages. Under the policy `no-referrer`,
/// which a proxy may add, the Origin of a form is `null` (Fetch Standard, "append a request Origin header"); that of a
/// WebSocket never is. No script can set Sec-Fetch-Site, and for a sandboxed page it is `cross-site`.
fn is_own_form(request: &Request) -> bool {
    let mut sites = request.headers_named("sec-fetch-site").peekable();
    request.method == Method::Post && sites.peek().is_some() && sites.all(|site| site == b"same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::with_request;

    fn is_ours(line: &str, fields: &[&str]) -> bool {
        with_request(line, fields, |request| Origins::new(vec!["app://x".into()]).check(request).is_ok())
    }

    #[test]
    fn every_origin_must_be_ours_or_allowed() {
        assert!(is_ours("GET /", &[]), "no browser page");
        assert!(is_ours("GET /", &["Origin: https://squall.test"]) && is_ours("GET /", &["Origin: app://x"]));
        assert!(!is_ours("GET /", &["Origin: app://y"]));
        assert!(!is_ours("GET /", &["Origin: http://squall.test", "Origin: http://evil.test"]));
    }

    #[test]
    fn a_null_origin_is_ours_for_a_form_of_our_page_only() {
        let (null, same, cross) = ("Origin: null", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site");
        assert!(is_ours("POST /login", &[null, same]));
        for (line, fields) in [
            ("POST /login", &[null][..]),
            ("POST /login", &[null, cross]),
            ("POST /login", &[null, same, cross]),
            ("GET /echo", &[null, same]),
        ] {
            assert!(!is_ours(line, fields), "{line} {fields:?}");
        }
    }
}
