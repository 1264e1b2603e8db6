use super::*;
use crate::site::testing::{settings, with_request};

fn router() -> Router {
    Router::new(&Settings { lab: true, ..settings() })
}

/// The route of a request line, or what there is instead, as text.
fn find(line: &str) -> String {
    with_request(line, &[], |request| match router().find(request) {
        Found::Route(route, path) => format!("{route:?} {path}"),
        found => format!("{found:?}"),
    })
}

#[test]
fn routes_are_found_by_decoded_path_and_method() {
    for (line, found) in [
        ("GET /", "Index "),
        ("HEAD /chat/?x=y", "Chat "),
        ("GET /%63hat", "ChatWithoutSlash /chat"),
        ("POST /login", "Login "),
        ("GET /static/a%20b", "Static /static/a b"),
        ("GET /favicon.ico", "Static /favicon.ico"),
        ("GET /.well-known/acme-challenge/x", "Static /.well-known/acme-challenge/x"),
        ("OPTIONS *", "Options(\"GET, HEAD, POST, OPTIONS\")"),
        ("OPTIONS /logout", "Options(\"POST, OPTIONS\")"),
        ("GET /logout", "WrongMethod(\"POST, OPTIONS\")"),
        ("TRACE /echo", "WrongMethod(\"GET, HEAD, OPTIONS\")"),
        ("BREW /", "UnknownMethod"),
        ("CONNECT squall.test:80", "UnknownMethod"),
        ("GET /nowhere", "Nothing"),
        ("GET /static/%2e%2e/x", "Nothing"),
    ] {
        assert_eq!(find(line), found, "{line}");
    }
}
