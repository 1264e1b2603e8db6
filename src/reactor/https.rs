//! https, as a server: the certificate, read at start and again on SIGHUP, and the plain listener beside it
//! (`--redirect-http`), which redirects to https and serves challenges of ACME. For the client: which authorities are trusted.
//!
//! TLS itself is a layer of the stream (`net::wire`), and nothing in a turn knows of it.

use super::Loop;
#[cfg(not(feature = "tls"))]
use crate::event::FetchError;
use crate::event::{App, Request, Response};
use crate::http::request::Method;
use crate::http::url::Authority;
#[cfg(feature = "tls")]
use crate::net::tls;
use std::path::{Path, PathBuf};

/// The way to https.
pub struct ToHttps {
    /// Where https is served.
    pub port: u16,
    /// Below this path an ACME client's challenges are served, if there is a `--www` that may hold them.
    pub challenges: Option<&'static str>,
}

impl ToHttps {
    /// Whether a request is for the application nevertheless: an http-01 challenge begins on port 80 (RFC 8555 section
    /// 8.3), and the certificate that https would need is what it is about. Only a path that has nothing to decode and
    /// no folder in it.
    fn lets_through(&self, request: &Request) -> bool {
        let token = request.path().strip_prefix('/').and_then(|path| path.strip_prefix(self.challenges?));
        let is_name = |token: &str| token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let is_file = token.is_some_and(|token| is_name(token) && !["", ".", ".."].contains(&token));
        is_file && matches!(request.method, Method::Get | Method::Head)
    }

    /// The response to a request that is sent to https; `None`: it is let through.
    pub fn redirect(&self, request: &Request) -> Option<Response> {
        (!self.lets_through(request)).then(|| self.response(request))
    }

    /// The same on https (308: also what is not GET). Host was checked by the parser; a request without one gets 400,
    /// for there is nowhere to send it.
    fn response(&self, request: &Request) -> Response {
        let Some(Authority { host, .. }) = Authority::parse(request.host()) else {
            return Response::text(400, "There is https here, and Host does not say under which name.\n");
        };
        let port = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
        let path = if request.path().starts_with('/') { request.path() } else { "/" };
        let query = if request.query().is_empty() { String::new() } else { format!("?{}", request.query()) };
        Response::redirect(308, format!("https://{host}{port}{path}{query}"))
    }
}

/// Where certificate and key are.
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl<A: App> Loop<A> {
    /// From now on the authorities whose certificates (PEM) are in this file are trusted for https, too.
    ///
    /// # Errors
    /// A sentence: the file holds no certificate, or this program has no TLS.
    pub fn trust(&mut self, ca_file: &Path) -> Result<(), String> {
        #[cfg(feature = "tls")]
        {
            let roots = tls::load_certificates(ca_file).map_err(|why| format!("--ca-file {why}"))?;
            let config = tls::client_config(&roots).map_err(|why| format!("--ca-file {}: {why}", ca_file.display()))?;
            self.server.network().trust(config);
            Ok(())
        }
        #[cfg(not(feature = "tls"))]
        Err(format!("--ca-file {}: {}", ca_file.display(), FetchError::NoTls))
    }

    /// The certificate and the key of the listeners that speak TLS. They are read now, and again on SIGHUP.
    ///
    /// # Errors
    /// A sentence: a file cannot be read, they do not belong together, or this program has no TLS.
    pub fn serve_tls(&mut self, files: TlsFiles) -> Result<(), String> {
        self.speak_tls(&files)?;
        self.tls = Some(files);
        Ok(())
    }

    /// Where the listeners that redirect to https send their peers.
    pub fn redirect_to_https(&mut self, to: ToHttps) {
        self.server.redirect_to_https(to);
    }

    /// From now on the listeners that speak TLS use the certificate and the key of these files.
    pub(super) fn speak_tls(&mut self, files: &TlsFiles) -> Result<(), String> {
        #[cfg(feature = "tls")]
        {
            let chain = tls::load_certificates(&files.cert).map_err(|why| format!("--tls-cert {why}"))?;
            let key = tls::load_key(&files.key).map_err(|why| format!("--tls-key {why}"))?;
            let config = tls::server_config(chain, key).map_err(|why| {
                format!("--tls-cert {}, --tls-key {}: {why}", files.cert.display(), files.key.display())
            })?;
            self.server.network().speak_tls(config);
            Ok(())
        }
        #[cfg(not(feature = "tls"))]
        Err(format!("--tls-cert {}, --tls-key {}: {}", files.cert.display(), files.key.display(), FetchError::NoTls))
    }

    /// Reads certificate and key anew, for connections that are accepted from here on. If they cannot be used, those of
    /// before stay.
    pub(super) fn reread_certificate(&mut self) {
        let Some(files) = self.tls.take() else { return };
        // A pipe may serve at start. Reading it now would block the loop until something is written.
        let pipe = [&files.cert, &files.key].into_iter().find(|path| path.exists() && !path.is_file());
        let read = match pipe {
            Some(path) => Err(format!("{} is not a file", path.display())),
            None => self.speak_tls(&files),
        };
        match read {
            Ok(()) => log::info!("certificate and key were read again"),
            Err(why) => log::error!("the certificate stays as it was: {why}"),
        }
        self.tls = Some(files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::http::request::parse_request;

    /// Status and Location for a request to port 80 of a server with https on `port`.
    fn response(port: u16, head: &str) -> (u16, Option<String>) {
        let request = parse_request(head.as_bytes(), &Limits::default()).expect("a request");
        let response = ToHttps { port, challenges: None }.response(&request);
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
            (443, "GET /\"{|}%41%?a[]=^`", "[::1]", "https://[::1]/%22%7B%7C%7D%41%25?a%5B%5D=%5E%60"),
            (443, "GET http://other.org:81/x?", "example.org", "https://other.org/x"),
        ] {
            let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(response(port, &head), (308, Some(location.to_owned())), "{line} {host}");
        }
    }

    #[test]
    fn a_challenge_is_not_redirected() {
        let lets_through = |line: &str, has_www: bool| {
            let head = format!("{line} HTTP/1.1\r\nHost: example.org\r\n\r\n");
            let request = parse_request(head.as_bytes(), &Limits::default()).expect("a request");
            ToHttps { port: 443, challenges: has_www.then_some(".well-known/acme-challenge/") }.lets_through(&request)
        };
        let path = "/.well-known/acme-challenge/";
        for line in ["GET {}a-B_9", "HEAD {}a-B_9", "GET {}a.txt", "GET http://example.org:81{}a?b=c", "GET {}a?b=c"] {
            let line = line.replace("{}", path);
            assert_eq!((lets_through(&line, true), lets_through(&line, false)), (true, false), "{line}");
        }
        for line in [
            "GET {}",
            "GET {}.",
            "GET {}..",
            "GET {}a/b",
            "GET {}a/",
            "GET {}/a",
            "GET {}%61",
            "GET {}..%2fa",
            "GET {}a:b",
            "GET /x{}a",
            "GET /{}a",
            "POST {}a",
            "OPTIONS {}a",
            "BREW {}a",
            "OPTIONS *",
            "GET /static/a",
        ] {
            assert!(!lets_through(&line.replace("{}", path), true), "{line}");
        }
    }

    #[test]
    fn who_names_no_host_is_sent_nowhere() {
        assert_eq!(response(443, "GET / HTTP/1.0\r\n\r\n"), (400, None));
    }
}
