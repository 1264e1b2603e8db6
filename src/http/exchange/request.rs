//! The bytes of one request (RFC 9112 section 3): the request line, the caller's fields, and those of the client itself.
//!
//! Framing and the connection's fate are ours: a caller's fields about them are left out, and so is every field that
//! could end the head. So the bytes are always exactly one request.

use crate::http::inflate;
use crate::http::response::is_field_value;
use crate::http::url::Url;
use crate::http::words::is_token;
use std::borrow::Cow;

/// What a request says besides its URL.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// A token; anything else becomes GET.
    pub method: &'a str,
    /// In the order in which they are sent.
    pub headers: &'a [(Cow<'static, str>, String)],
    pub body: &'a [u8],
    /// gzip and deflate are welcome, if this program can take them off.
    pub decode: bool,
    /// Say that the connection will not be used again.
    pub close: bool,
}

/// Fields that only the client itself sends: they frame the request, decide about the connection, or ask for more than
/// one final response. A caller's are left out; the command line refuses them.
pub const OURS: [&str; 5] = ["Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade"];

/// Appends one request, head and body.
///
/// In this order: Host, User-Agent, the given fields, Accept-Encoding (with `decode`), Content-Length (with a body, and
/// for POST, PUT and PATCH), `Connection: close` (with `close`). A given Host, User-Agent or Accept-Encoding takes the
/// place of ours, the first given Host that of the others. Left out: a name that is no token, a value that could split
/// the head, and Content-Length, Transfer-Encoding, Connection, Expect and Upgrade.
pub fn encode_request(url: &Url, asking: &Asking, out: &mut Vec<u8>) {
    let method = if is_token(asking.method) { asking.method } else { "GET" };
    let given = asking.headers.iter().map(|(name, value)| (name.as_ref(), value.as_str())).filter(may_be_sent);
    let find = |wanted: &str| given.clone().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);

    for part in [method, " ", &url.target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    match find("Host") {
        Some(host) => field("Host", host, out),
        None => field("Host", &url.authority(), out),
    }
    if find("User-Agent").is_none() {
        field("User-Agent", concat!("squall/", env!("CARGO_PKG_VERSION")), out);
    }
    for (name, value) in given.clone().filter(|(name, _)| !name.eq_ignore_ascii_case("Host")) {
        field(name, value, out);
    }
    if let Some(codings) = inflate::CODINGS.filter(|_| asking.decode && find("Accept-Encoding").is_none()) {
        field("Accept-Encoding", codings, out);
    }
    if !asking.body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        field("Content-Length", &asking.body.len().to_string(), out);
    }
    if asking.close {
        field("Connection", "close", out);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(asking.body);
}

fn may_be_sent((name, value): &(&str, &str)) -> bool {
    is_token(name) && is_field_value(value) && !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = concat!("User-Agent: squall/", env!("CARGO_PKG_VERSION"), "\r\n");
    const PLAIN: Asking = Asking { method: "GET", headers: &[], body: b"", decode: false, close: false };

    fn request(asking: &Asking) -> String {
        let url = Url::parse("http://Example.com:8080/s?wd=a%20b#x").expect("a URL");
        let mut out = Vec::new();
        encode_request(&url, asking, &mut out);
        String::from_utf8(out).expect("tests ask in text")
    }

    fn with_headers(asking: Asking, headers: &[(&'static str, &str)]) -> String {
        let headers: Vec<_> = headers.iter().map(|&(name, value)| (name.into(), value.to_owned())).collect();
        request(&Asking { headers: &headers, ..asking })
    }

    #[test]
    fn a_request_names_its_target_its_host_and_us() {
        assert_eq!(request(&PLAIN), format!("GET /s?wd=a%20b HTTP/1.1\r\nHost: example.com:8080\r\n{AGENT}\r\n"));
        let mut out = Vec::new();
        let url = Url::parse("http://[::1]").expect("a URL");
        encode_request(&url, &Asking { method: "HEAD", ..PLAIN }, &mut out);
        assert!(out.starts_with(b"HEAD / HTTP/1.1\r\nHost: [::1]\r\n"));
    }

    #[test]
    fn fields_stand_in_one_order() {
        let asking = Asking { method: "PUT", body: b"hi", decode: true, close: true, ..PLAIN };
        let coding = if cfg!(feature = "deflate") { "Accept-Encoding: gzip, deflate\r\n" } else { "" };
        let expected = format!(
            "PUT /s?wd=a%20b HTTP/1.1\r\nHost: example.com:8080\r\n{AGENT}b: 2\r\nA: 1\r\n{coding}\
             Content-Length: 2\r\nConnection: close\r\n\r\nhi"
        );
        assert_eq!(with_headers(asking, &[("b", "2"), ("A", "1")]), expected);
    }

    #[test]
    fn a_given_field_takes_the_place_of_ours() {
        let given = [("X", "y"), ("hOST", "other.test"), ("user-agent", "me"), ("Accept-encoding", "br")];
        let expected = "GET /s?wd=a%20b HTTP/1.1\r\nHost: other.test\r\nX: y\r\nuser-agent: me\r\n\
                        Accept-encoding: br\r\n\r\n";
        assert_eq!(with_headers(Asking { decode: true, ..PLAIN }, &given), expected);
        let twice = with_headers(PLAIN, &[("Host", "a.test"), ("Host", "b.test")]);
        assert_eq!(twice, format!("GET /s?wd=a%20b HTTP/1.1\r\nHost: a.test\r\n{AGENT}\r\n"));
    }

    #[test]
    fn a_field_that_could_split_the_head_is_left_out() {
        let evil = [
            ("X", "a\r\nEvil: b"),
            ("X", "a\n\n"),
            ("X", "a\0"),
            ("Evil: b\r\nX", "a"),
            ("", "a"),
            ("X ", "a"),
            ("X:", "a"),
            ("Ü", "a"),
            ("Host", "a\r\nEvil: b"),
            ("User-Agent", "\n"),
        ];
        assert_eq!(with_headers(PLAIN, &evil), request(&PLAIN));
    }

    #[test]
    fn framing_and_the_connection_are_not_up_to_the_caller() {
        let theirs = [
            ("content-length", "100"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "keep-alive, upgrade"),
            ("EXPECT", "100-continue"),
            ("upgrade", "h2c"),
        ];
        for asking in [PLAIN, Asking { method: "POST", body: b"ab", ..PLAIN }] {
            assert_eq!(with_headers(asking, &theirs), request(&asking));
        }
    }

    #[test]
    fn a_length_is_said_with_a_body_and_where_one_is_expected() {
        for (method, body, length) in [
            ("GET", "", None),
            ("HEAD", "", None),
            ("DELETE", "", None),
            ("GET", "abc", Some("3")),
            ("DELETE", "abc", Some("3")),
            ("POST", "", Some("0")),
            ("PUT", "", Some("0")),
            ("PATCH", "0123456789", Some("10")),
        ] {
            let request = request(&Asking { method, body: body.as_bytes(), ..PLAIN });
            let (head, rest) = request.split_once("\r\n\r\n").expect("a head");
            let said = head.split_once("\r\nContent-Length: ").map(|(_, value)| value);
            assert_eq!((said, rest), (length, body), "{method}");
        }
    }

    #[test]
    fn a_method_is_a_token_or_get() {
        for method in ["OPTIONS", "purge", "M-SEARCH", "X!#$%&'*+-.^_`|~9"] {
            assert!(request(&Asking { method, ..PLAIN }).starts_with(&format!("{method} /s?")), "{method}");
        }
        for method in ["", "GET /evil HTTP/1.1\r\nX:", "PO ST", "POST\n", "GÉT", "a,b"] {
            assert!(request(&Asking { method, ..PLAIN }).starts_with("GET /s?"), "{method:?}");
        }
    }
}
