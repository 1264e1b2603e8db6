//! Field names and values (RFC 9110 section 5, RFC 9112 section 5).

use super::{MARKER, get};
use crate::case::{Case, must, should};

pub fn cases() -> Vec<Case> {
    [names(), values()].into_iter().flatten().collect()
}

fn names() -> Vec<Case> {
    let spaced = |name, line: &str| must("9112 5.1", name, get(line), "400 close | 400 200 open");
    let bad = |name, line: &str| should("9112 2.2", name, get(line), "400 close");
    vec![
        spaced("a blank before the colon is 400", "X : y\r\n"),
        spaced("a tab before the colon is 400", "X\t: y\r\n"),
        spaced("two blanks before the colon are 400", "X  : y\r\n"),
        spaced("a blank before the colon of Connection is 400", "Connection : close\r\n"),
        must(
            "9112 5.1",
            "a blank before the colon of Host is 400",
            format!("GET /plaintext HTTP/1.1\r\nHost : squall\r\n\r\n{MARKER}"),
            "400 close",
        ),
        bad("a name is there", ": y\r\n"),
        bad("a field has its colon", "Xy\r\n"),
        bad("a name has no blank in it", "X Y: z\r\n"),
        bad("a name has no bracket", "X(Y): z\r\n"),
        bad("a name has no at sign", "X@Y: z\r\n"),
        bad("a name has no slash", "X/Y: z\r\n"),
        bad("a name has no quote", "\"X\": z\r\n"),
        bad("a name has no letter of Unicode", "\u{dc}: z\r\n"),
        bad("a name has no control", "X\x01: z\r\n"),
        bad("a name has no DEL", "X\x7f: z\r\n"),
        bad("a name has no NUL", "X\0: z\r\n"),
        must(
            "9110 5.6.2",
            "a name may have every character of a token",
            get("!#$%&'*+-.^_`|~09aZ: y\r\n"),
            "200 200 open",
        ),
        must(
            "9110 5.1",
            "Host has no letter case",
            format!("GET /plaintext HTTP/1.1\r\nhOST: squall\r\n\r\n{MARKER}"),
            "200 200 open",
        ),
        should("9110 5.1", "an unknown field is ignored", get("Frobnicate: yes\r\n"), "200 200 open"),
        must(
            "9110 5.3",
            "the order of different fields means nothing",
            format!("GET /plaintext HTTP/1.1\r\nX: y\r\nAccept: */*\r\nHost: squall\r\n\r\n{MARKER}"),
            "200 200 open",
        ),
    ]
}

fn values() -> Vec<Case> {
    let nul = |name, line: &str| must("9110 5.5", name, get(line), "400 close | 200 200 open");
    let taken = |section, name, line: &str| must(section, name, get(line), "200 200 open");
    vec![
        nul("NUL in a value is refused or a blank", "X: y\0z\r\n"),
        nul("NUL at the end of a value is refused or a blank", "X: y\0\r\n"),
        nul("NUL as a value is refused or a blank", "X: \0\r\n"),
        nul("another control in a value is refused or kept", "X: y\x01z\r\n"),
        nul("DEL in a value is refused or kept", "X: y\x7fz\r\n"),
        taken("9110 5.5", "a value may be empty", "X:\r\n"),
        taken("9110 5.5", "a value may be white space, which is empty", "X: \t \r\n"),
        taken("9110 5.5", "a value may have a tab in it", "X: y\tz\r\n"),
        taken("9110 5.5", "a value may have colons in it", "X: y: z:\r\n"),
        should("9110 5.5", "bytes above 127 in a value are opaque", get("X: \u{fc}\u{4e2d}\r\n"), "200 200 open"),
        must("9110 5.6.4", "a value may have an unclosed quote", get("X: \"y\r\n"), "200 200 open | 400 close"),
        must("9110 5.5", "white space around a value is not of it", get("Connection: \t close \t\r\n"), "200 close"),
        taken(
            "9110 12.5.1",
            "an Accept of nothing that is here does not break the connection",
            "Accept-Language: tlh\r\n",
        ),
        taken("9110 12.5.3", "an Accept-Encoding that is empty is plain", "Accept-Encoding:\r\n")
            .no_field(0, "content-encoding"),
        should(
            "9110 12.5.3",
            "where no coding is acceptable, none is used",
            get("Accept-Encoding: identity;q=0, *;q=0\r\n"),
            "200 200 open",
        )
        .no_field(0, "content-encoding"),
        taken(
            "9110 10.1.4",
            "TE asks for nothing that must be done",
            "TE: trailers, deflate;q=0.5\r\nConnection: TE\r\n",
        ),
        taken("9110 11.6.2", "unrequested credentials change nothing", "Authorization: Basic eDp5\r\n"),
        taken("9110 7.6.2", "Max-Forwards means nothing to GET", "Max-Forwards: 0\r\n"),
        taken("9110 7.6.3", "Via means nothing to an origin server", "Via: 1.0 fred, 1.1 p.example.com\r\n"),
    ]
}
