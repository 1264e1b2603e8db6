//! Serving https: the certificate, read again on SIGHUP, and the one plain listener that only redirects.
//!
//! TLS itself is a layer of the stream (`rt::wire`); nothing in a turn knows of it.

use super::Server;
use crate::event::{App, Request, Response};
use crate::rt::net::Network;

/// What the plain listener says to everybody.
pub(super) struct ToHttps {
    /// The number of that listener.
    pub listener: usize,
    /// Where https is served.
    pub port: u16,
}

impl ToHttps {
    /// The same on https (308: also what is not GET). Host was checked by the parser; a request without one gets 400,
    /// for there is nowhere to send it.
    pub fn response(&self, request: &Request) -> Response {
        let Some(host) = host_of(request.host) else {
            return Response::text(400, "There is https here, and Host does not say under which name.\n");
        };
        let port = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
        let path = if request.path.starts_with('/') { request.path } else { "/" };
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        Response::redirect(308, format!("https://{host}{port}{path}{query}"))
    }
}

impl<N: Network, A: App> Server<N, A> {
    /// From now on whoever comes to this listener is sent to https on `port`, and gets nothing else.
    pub(super) fn redirect_to_https(&mut self, listener: usize, port: u16) {
        self.to_https = Some(ToHttps { listener, port });
    }
}

/// A Host without its port; `None` where it is empty.
fn host_of(authority: &str) -> Option<&str> {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::proto::http::{SLOTS, Slot, parse_request};

    /// Status and Location for a request to port 80 of a server with https on `port`.
    fn answer(port: u16, head: &str) -> (u16, Option<String>) {
        let mut slots = [const { Slot::uninit() }; SLOTS];
        let request = parse_request(head.as_bytes(), &mut slots, &Limits::default()).expect("a request");
        let response = ToHttps { listener: 1, port }.response(&request);
        let location = response.headers.iter().find(|(name, _)| *name == "Location");
        (response.status, location.map(|(_, value)| value.to_string()))
    }

    #[test]
    fn the_same_place_is_on_https() {
        for (port, line, host, location) in [
            (443, "GET /a?b=c", "example.org", "https://example.org/a?b=c"),
            (443, "POST /login", "example.org:80", "https://example.org/login"),
            (8443, "HEAD /", "Example.org:8080", "https://Example.org:8443/"),
            (8443, "GET /", "[::1]:8080", "https://[::1]:8443/"),
            (443, "GET /", "[::1]", "https://[::1]/"),
            (443, "GET /", "example.org:", "https://example.org/"),
            (443, "OPTIONS *", "example.org", "https://example.org/"),
            (443, "GET http://other.org:81/x?", "example.org", "https://other.org/x"),
        ] {
            let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(answer(port, &head), (308, Some(location.to_owned())), "{line} {host}");
        }
    }

    #[test]
    fn who_names_no_host_is_sent_nowhere() {
        assert_eq!(answer(443, "GET / HTTP/1.0\r\n\r\n"), (400, None));
    }
}
