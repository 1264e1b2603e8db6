//! Host, and the authority of an absolute target (RFC 9110 section 7.2, RFC 9112 section 3.2).

use super::{FORM, MARKER, TYPE};
use crate::case::{Case, Needs, must, should};

/// Where the request ends is known nevertheless.
const REFUSED: &str = "400 close | 400 200 open";

pub fn cases() -> Vec<Case> {
    [valid(), invalid(), absolute()].into_iter().flatten().collect()
}

/// `GET /plaintext` with this field instead of Host, then the marker.
fn with(lines: &str) -> String {
    format!("GET /plaintext HTTP/1.1\r\n{lines}\r\n{MARKER}")
}

fn valid() -> Vec<Case> {
    let taken = |name, host: &str| must("9110 7.2", name, with(&format!("Host: {host}\r\n")), "200 200 open");
    // Valid by the grammar of RFC 3986, but a name that no server has.
    let either = |name, host: &str| {
        must(
            "9110 7.2",
            name,
            with(&format!("Host: {host}\r\n")),
            "200 200 open | 400 close | 421 200 open | 421 close",
        )
    };
    vec![
        taken("a Host may be a name", "squall"),
        taken("a Host may have a port", "squall:8888"),
        taken("a Host may have an empty port", "squall:"),
        taken("a Host may be an address", "127.0.0.1"),
        taken("a Host may be an address with a port", "127.0.0.1:80"),
        taken("a Host may be an address of IPv6", "[::1]"),
        taken("a Host may be an address of IPv6 with a port", "[2001:db8::1]:8888"),
        taken("a Host may have capitals", "SQUALL.Example"),
        taken("a Host may end in a dot", "squall.example."),
        either("a Host of nothing is served or refused", ""),
        either("a Host with other characters of a name is served or refused", "a_b~c!d$e&f"),
        either("a Host with an encoded letter is served or refused", "%73quall"),
        either("a Host with a port past 65535 is served or refused", "squall:99999"),
        either("a Host with an address of the future is served or refused", "[v1.x:y]"),
    ]
}

fn invalid() -> Vec<Case> {
    let refused = |name, host: &str| must("9112 3.2", name, with(&format!("Host: {host}\r\n")), REFUSED);
    vec![
        must("9112 3.2", "without Host a request of HTTP/1.1 is 400", with(""), REFUSED),
        must(
            "9112 3.2",
            "without Host a request with other fields is 400",
            with("Accept: */*\r\nConnection: keep-alive\r\n"),
            REFUSED,
        ),
        must("9112 3.2", "two Hosts are 400", with("Host: squall\r\nHost: other\r\n"), REFUSED),
        must("9112 3.2", "the same Host twice is 400", with("Host: squall\r\nHost: squall\r\n"), REFUSED),
        must(
            "9112 3.2",
            "two Hosts with a field between them are 400",
            with("Host: squall\r\nX: y\r\nhost: squall\r\n"),
            REFUSED,
        ),
        must("9112 3.2", "a second Host of nothing is 400", with("Host: squall\r\nHost:\r\n"), REFUSED),
        must(
            "9112 3.2",
            "two Hosts are 400 in HTTP/1.0 as well",
            with("Host: squall\r\nHost: other\r\n").replacen("/1.1", "/1.0", 1),
            REFUSED,
        ),
        refused("a Host has no blank in it", "squ all"),
        refused("a Host is no list", "squall, other"),
        refused("a Host has no path", "squall/plaintext"),
        refused("a Host has no scheme", "http://squall"),
        refused("a Host has no user", "user@squall"),
        refused("a Host has no query", "squall?x"),
        refused("a Host has no fragment", "squall#x"),
        refused("a Host has no backslash", "squall\\other"),
        refused("a Host has no quotes", "\"squall\""),
        refused("a Host has no angle brackets", "<squall>"),
        refused("a Host has no letters of Unicode", "squ\u{e4}ll"),
        refused("a Host has no broken encoding", "squ%zzall"),
        refused("a port is a number", "squall:http"),
        refused("a port has no sign", "squall:-80"),
        refused("a port has no letter behind it", "squall:80a"),
        refused("there is one port", "squall:80:81"),
        refused("a bracket is closed", "[::1"),
        refused("a bracket is opened", "::1]"),
        refused("an address of IPv6 has brackets", "::1"),
        refused("brackets hold an address", "[squall]"),
        refused("an address of IPv6 has hexadecimal digits", "[g::1]"),
        refused("nothing but a port stands behind a bracket", "[::1]x"),
        refused("a port behind a bracket is a number", "[::1]:x"),
        refused("nothing stands before a bracket", "x[::1]"),
        must("9110 5.5", "NUL in Host is refused", with("Host: squ\0all\r\n"), REFUSED),
    ]
}

fn absolute() -> Vec<Case> {
    let get = |target: &str, lines: &str| format!("GET {target} HTTP/1.1\r\n{lines}\r\n{MARKER}");
    let login = |target: &str, host: &str, origin: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n{TYPE}Content-Length: 26\r\n\r\n{FORM}{MARKER}"
        )
    };
    let host = "Host: squall\r\n";
    vec![
        must("9112 3.2.2", "a target may be absolute", get("http://squall/plaintext", host), "200 200 open")
            .body(0, "Hello, World!"),
        must(
            "9112 3.2.2",
            "the scheme of an absolute target has no letter case",
            get("HTTP://squall/plaintext", host),
            "200 200 open",
        ),
        must(
            "9112 3.2.2",
            "the host of an absolute target has no letter case",
            get("http://SQUALL/plaintext", host),
            "200 200 open",
        ),
        must(
            "9112 3.2.2",
            "an absolute target may have a port",
            get("http://squall:8888/plaintext", "Host: squall:8888\r\n"),
            "200 200 open",
        ),
        must("9112 3.2.2", "an absolute target without a path means /", get("http://squall", host), "any 200 open"),
        must(
            "9112 3.2.2",
            "an absolute target without a path may have a query",
            get("http://squall?x=y", host),
            "any 200 open",
        ),
        must(
            "9112 3.2.2",
            "another Host beside an absolute target is ignored",
            get("http://squall/plaintext", "Host: other\r\n"),
            "200 200 open",
        ),
        must(
            "9112 3.2",
            "an absolute target needs a Host nevertheless",
            get("http://squall/plaintext", ""),
            "400 close",
        ),
        must(
            "9112 3.2",
            "an absolute target with two Hosts is 400",
            get("http://squall/plaintext", "Host: squall\r\nHost: other\r\n"),
            REFUSED,
        ),
        must(
            "9112 3.2",
            "an absolute target with a Host that is none is 400",
            get("http://squall/plaintext", "Host: a b\r\n"),
            REFUSED,
        ),
        must(
            "9112 3.2.2",
            "the host of an absolute target is who is asked",
            login("http://squall/login", "other", "http://squall"),
            "303 200 open",
        )
        .needs(Needs::Origin),
        must(
            "9112 3.2.2",
            "the Host beside an absolute target is not who is asked",
            login("http://squall/login", "other", "http://other"),
            "403 200 open",
        )
        .needs(Needs::Origin),
        must(
            "9110 4.2.1",
            "an http target without a host is refused",
            get("http:///plaintext", host),
            "4xx close | 4xx 200 open",
        ),
        should(
            "9110 4.2.4",
            "an absolute target with a user is refused",
            get("http://user:word@squall/plaintext", host),
            "400 close",
        ),
        should(
            "9112 3.2",
            "a port of an absolute target is a number",
            get("http://squall:x/plaintext", host),
            "400 close",
        ),
        should(
            "9112 3.2",
            "a bracket of an absolute target is closed",
            get("http://[::1/plaintext", host),
            "400 close",
        ),
        should(
            "9110 7.4",
            "a target of another scheme is not served",
            get("ftp://squall/plaintext", host),
            "4xx close | 4xx 200 open",
        ),
    ]
}
