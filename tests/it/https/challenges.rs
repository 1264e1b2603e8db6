//! ACME http-01 (RFC 8555 section 8.3): `DIR/.well-known/acme-challenge/` of `--www`, on the site and on the plain
//! listener beside it.

use super::connect;
use crate::support::child::PROGRAM;
use crate::support::tls_client::{certified, flags};
use crate::support::{Child, Client, Dir, get};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::process::Command;

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const KEY: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

/// A folder as certbot and lego leave it, and files beside it that are not served.
fn webroot() -> Dir {
    let www = Dir::new();
    www.write(&format!(".well-known/acme-challenge/{TOKEN}"), KEY);
    www.write(".well-known/acme-challenge/test.txt", "test");
    www.write(".well-known/acme-challenge/deep/er", "deeper");
    www.write(".well-known/security.txt", "secret");
    www.write("secret.txt", "secret");
    www.write("static/inside.txt", "inside");
    www
}

/// A server with https, its plain listener, and where that is.
fn start(www: &Dir) -> (Child, SocketAddr, Dir) {
    let (files, data) = (certified(), Dir::new());
    let mut command = Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--redirect-http", "127.0.0.1:0", "--data-dir", data.arg()]);
    command.args(flags(&files)).args(["--www", www.arg()]);
    let child = Child::run(command, data, 2);
    let plain = child.addresses[1];
    (child, plain, files)
}

#[test]
fn a_challenge_is_served_on_every_listener() {
    let www = webroot();
    let path = format!("/.well-known/acme-challenge/{TOKEN}");
    let site = Child::start(&["--www", www.arg()], &[]);
    let (secure, plain, _files) = start(&www);
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for response in [get(site.address, &path), connect(secure.address).ask(&ask), Client::connect(plain).ask(&ask)] {
        assert_eq!((response.status, response.text().as_str()), (200, KEY));
        assert_eq!(response.field("content-type"), Some("application/octet-stream"));
        assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.field("set-cookie"), None);
    }
    // An address of the target's own (RFC 9112 section 3.2.2), HEAD, and a new file between two requests.
    let mut client = Client::connect(plain);
    let absolute = client.ask(format!("GET http://localhost{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(absolute.text(), KEY);
    client.send(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(client.head().status, 200);
    www.write(".well-known/acme-challenge/next", "another");
    assert_eq!(
        client.ask("GET /.well-known/acme-challenge/next HTTP/1.1\r\nHost: localhost\r\n\r\n").text(),
        "another"
    );
    assert_eq!(client.ask("GET /.well-known/acme-challenge/gone HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 404);
}

#[test]
fn beside_a_challenge_the_plain_listener_redirects() {
    let www = webroot();
    let (secure, plain, _files) = start(&www);
    let port = secure.address.port();
    let mut client = Client::connect(plain);
    for target in [
        "GET /",
        "GET /.well-known/acme-challenge/",
        "GET /.well-known/acme-challenge",
        "GET /.well-known/acme-challenge/deep/er",
        "GET /.well-known/acme-challenge/../security.txt",
        "GET /.well-known/acme-challenge/..",
        "GET /.well-known/acme-challenge/%2e%2e/security.txt",
        "GET /.well-known/acme-challenge//test.txt",
        "GET /.well-known/security.txt",
        "GET /.WELL-KNOWN/acme-challenge/test.txt",
        "GET /static/inside.txt",
        "GET /static/../.well-known/acme-challenge/test.txt",
        "GET /login",
        "POST /.well-known/acme-challenge/test.txt",
        "PUT /.well-known/acme-challenge/test.txt",
        "OPTIONS /.well-known/acme-challenge/test.txt",
    ] {
        let path = target.split(' ').nth(1).unwrap();
        let response = client.ask(format!("{target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let location = format!("https://localhost:{port}{path}");
        assert_eq!((response.status, response.field("location")), (308, Some(location.as_str())), "{target}");
    }
}

#[test]
fn a_challenge_stays_within_its_folder() {
    let www = webroot();
    let outside = Dir::new();
    outside.write("shared", "shared");
    symlink(outside.path().join("shared"), www.path().join(".well-known/acme-challenge/link")).unwrap();
    let site = Child::start(&["--www", www.arg()], &[]);
    for target in [
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge",
        "/.well-known/acme-challenge/deep",
        "/.well-known/acme-challenge/deep/er",
        "/.well-known/acme-challenge/deep%2fer",
        "/.well-known/acme-challenge/../security.txt",
        "/.well-known/acme-challenge/%2e%2e/security.txt",
        "/.well-known/acme-challenge/..%2fsecurity.txt",
        "/.well-known/acme-challenge/..%2f..%2fsecret.txt",
        "/.well-known/acme-challenge/..%5csecurity.txt",
        "/.well-known/acme-challenge/../../secret.txt",
        "/.well-known/acme-challenge//etc/passwd",
        "/.well-known/acme-challenge/%2fetc%2fpasswd",
        "/.well-known/acme-challenge/test.txt/",
        "/.well-known/acme-challenge/test.txt%00",
        "/.well-known/acme-challenge/.",
        "/.well-known/security.txt",
        "/.well-known/",
        "/static/../.well-known/acme-challenge/test.txt",
        "/static/.well-known/acme-challenge/test.txt",
    ] {
        let response = get(site.address, target);
        assert_eq!(response.status, 404, "{target}");
        assert!(!response.text().contains("secret") && !response.text().contains("deeper"), "{target}");
    }
    assert_eq!(get(site.address, "/.well-known/acme-challenge/t%65st.txt").text(), "test");
    assert_eq!(get(site.address, "/.well-known/acme-challenge/link").text(), "shared", "as below /static/");
    let wire = "POST /.well-known/acme-challenge/test.txt HTTP/1.1\r\nHost: squall\r\nContent-Length: 0\r\n\r\n";
    let refused = Client::connect(site.address).ask(wire);
    assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn without_www_a_challenge_is_404_and_redirected() {
    let path = format!("/.well-known/acme-challenge/{TOKEN}");
    assert_eq!(get(Child::start(&[], &[]).address, &path).status, 404);
    let (files, data) = (certified(), Dir::new());
    let mut command = Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--redirect-http", "127.0.0.1:0", "--data-dir", data.arg()]);
    let child = Child::run(
        {
            command.args(flags(&files));
            command
        },
        data,
        2,
    );
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(Client::connect(child.addresses[1]).ask(ask).status, 308);
}
