//! Targets: their forms, percent-encoding, and ways out of the folder (RFC 9112 section 3.2, RFC 3986).

use super::{MARKER, ask};
use crate::case::{Case, Needs, must, should};

pub fn cases() -> Vec<Case> {
    [forms(), encoding(), ways_out()].into_iter().flatten().collect()
}

fn forms() -> Vec<Case> {
    let bad = |name, method, target| should("9112 3.2", name, ask(method, target), "400 close");
    vec![
        must("9112 3.2.1", "a query is not part of the path", ask("GET", "/plaintext?x=y"), "200 200 open"),
        must("9112 3.2.1", "a query may be empty", ask("GET", "/plaintext?"), "200 200 open"),
        must("3986 3.4", "a query may have question marks and slashes", ask("GET", "/plaintext?a?b/c"), "200 200 open"),
        must(
            "3986 3.3",
            "a path may have every character of a segment",
            ask("GET", "/a-._~!$&'()*+,;=:@b"),
            "404 200 open",
        ),
        must("9110 15.5.5", "a path that is not there is 404", ask("GET", "/nowhere"), "404 200 open"),
        should("9112 3.2.4", "the asterisk is for OPTIONS only", ask("GET", "*"), "400 close | 404 200 open"),
        bad("a target is not a bare word", "GET", "plaintext"),
        bad("a target has no fragment", "GET", "/plaintext#x"),
        bad("a target has no fragment behind its query", "GET", "/plaintext?x#y"),
        bad("a target is not a query alone", "GET", "?x=y"),
        bad("a target with a host needs its scheme", "GET", "squall:80"),
        must(
            "9112 3.2.1",
            "two slashes do not begin a host",
            ask("GET", "//other/plaintext"),
            "404 200 open | 400 close | 301 200 open",
        ),
        bad("a target has no quote", "GET", "/plaintext?\"x\""),
        bad("a target has no angle bracket", "GET", "/plaintext?<x>"),
        bad("a target has no backslash", "GET", "/plaintext?\\x"),
        bad("a target has no bar", "GET", "/plaintext?a|b"),
        bad("a target has no letter of Unicode", "GET", "/plaintext?\u{fc}"),
    ]
}

fn encoding() -> Vec<Case> {
    vec![
        should("9110 4.2.3", "an encoded letter is that letter", ask("GET", "/%70laintext"), "200 200 open"),
        should("9110 4.2.3", "an encoding has no letter case", ask("GET", "/%70l%61i%6E%74ext"), "200 200 open"),
        should("3986 2.4", "nothing is decoded twice", ask("GET", "/%2570laintext"), "404 200 open | 400 close"),
        should(
            "3986 2.2",
            "an encoded slash is no slash between segments",
            ask("GET", "/static%2F..%2Fplaintext"),
            "404 200 open | 400 close | 400 200 open",
        ),
        should(
            "3986 2.1",
            "a percent sign needs two digits",
            ask("GET", "/plaintext%zz"),
            "404 200 open | 400 close | 400 200 open",
        ),
        should(
            "3986 2.1",
            "a percent sign at the end needs two digits",
            ask("GET", "/plaintext%2"),
            "404 200 open | 400 close | 400 200 open",
        ),
        should(
            "3986 7.3",
            "an encoded NUL ends no name",
            ask("GET", "/plaintext%00"),
            "404 200 open | 400 close | 400 200 open",
        ),
        should(
            "3986 7.3",
            "an encoded NUL ends no name of a file",
            ask("GET", "/static/file.txt%00.html"),
            "404 200 open | 400 close | 400 200 open",
        ),
        should(
            "3986 2.5",
            "bytes that are no UTF-8 are no name of ours",
            ask("GET", "/%ff%fe"),
            "404 200 open | 400 close | 400 200 open",
        ),
        should(
            "3986 2.1",
            "an encoded line end stays in the target",
            ask("GET", "/%0d%0aSet-Cookie:x"),
            "404 200 open | 400 close | 400 200 open",
        )
        .no_field(0, "set-cookie"),
        should(
            "9110 17.4",
            "a decoded line end does not get into a Location",
            format!("GET /chat/?x=%0d%0aSet-Cookie:%20y=z HTTP/1.1\r\nHost: squall\r\n\r\n{MARKER}"),
            "any 200 open",
        )
        .no_field(0, "set-cookie"),
    ]
}

fn ways_out() -> Vec<Case> {
    let hidden = |name, target| {
        should("9110 17.3", name, ask("GET", target), "404 200 open | 403 200 open | 400 200 open | 400 close")
            .needs(Needs::Files)
    };
    vec![
        hidden("two dots lead out of no folder", "/static/../secret.txt"),
        hidden("encoded dots lead out of no folder", "/static/%2e%2e/secret.txt"),
        hidden("one encoded dot of two leads out of no folder", "/static/.%2E/secret.txt"),
        hidden("an encoded slash leads out of no folder", "/static/..%2fsecret.txt"),
        hidden("a backslash leads out of no folder", "/static/..\\secret.txt"),
        hidden("an encoded backslash leads out of no folder", "/static/..%5csecret.txt"),
        hidden("dots that are encoded twice lead out of no folder", "/static/%252e%252e/secret.txt"),
        hidden("dots in overlong UTF-8 lead out of no folder", "/static/%c0%ae%c0%ae/secret.txt"),
        hidden("dots behind a folder that is not there lead nowhere", "/static/nowhere/../../secret.txt"),
        hidden("many dots do not lead to the root", "/static/../../../../../../../../etc/passwd"),
        hidden("encoded dots do not lead to the root", "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
        hidden("two slashes do not begin at the root", "/static//etc/passwd"),
        hidden("an encoded slash does not begin at the root", "/static/%2fetc%2fpasswd"),
        hidden("dots in an absolute target lead out of no folder", "http://squall/static/../secret.txt"),
        hidden("dots behind a semicolon lead out of no folder", "/static/..;/secret.txt"),
        hidden("dots at the beginning lead nowhere", "/../secret.txt"),
    ]
}
