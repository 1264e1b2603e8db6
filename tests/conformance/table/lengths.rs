//! Content-Length (RFC 9110 section 8.6, RFC 9112 section 6.3).

use super::{FORM, MARKER, get, post};
use crate::case::{Case, must, should};

pub fn cases() -> Vec<Case> {
    [frames(), invalid(), doubled(), unfinished()].into_iter().flatten().collect()
}

/// The form, announced like this.
fn form(lines: &str) -> String {
    assert_eq!(FORM.len(), 26, "as the fields below say");
    post(lines, FORM)
}

fn frames() -> Vec<Case> {
    let inner = MARKER.len();
    vec![
        must(
            "9112 6.3",
            "behind Content-Length bytes the next request begins",
            form("Content-Length: 26\r\n"),
            "303 200 open",
        ),
        must("9110 5.1", "Content-Length has no letter case", form("CONTENT-LENGTH: 26\r\n"), "303 200 open"),
        must("9110 8.6", "leading zeros are part of the number", form("Content-Length: 00026\r\n"), "303 200 open"),
        must("9110 5.5", "a tab may stand before the number", form("Content-Length:\t26\r\n"), "303 200 open"),
        must("9110 5.5", "blanks may stand behind the number", form("Content-Length: 26 \t \r\n"), "303 200 open"),
        must(
            "9112 6.3",
            "without length and coding there is no body",
            post("", ""),
            "any 200 open | 411 close | 411 200 open",
        ),
        must("9112 6.3", "Content-Length: 0 is no body", post("Content-Length: 0\r\n", ""), "any 200 open"),
        must(
            "9112 9.3",
            "the body of a GET is read, or the connection closes",
            get("Content-Length: 5\r\n").replacen("\r\n\r\n", "\r\n\r\nhello", 1),
            "200 200 open | any close",
        ),
        must(
            "9112 9.3",
            "a request in the body of a GET is not answered",
            get(&format!("Content-Length: {inner}\r\n")).replacen("\r\n\r\n", &format!("\r\n\r\n{MARKER}"), 1),
            "200 200 open | any close",
        ),
        must(
            "9112 9.3",
            "a request in the body of a POST is not answered",
            post(&format!("Content-Length: {inner}\r\n"), MARKER),
            "any 200 open | any close",
        ),
        must(
            "9112 9.3",
            "the body of a request that is 404 is read, or the connection closes",
            format!("POST /nowhere HTTP/1.1\r\nHost: squall\r\nContent-Length: {inner}\r\n\r\n{MARKER}{MARKER}"),
            "404 200 open | 404 close",
        ),
        must(
            "9112 9.3",
            "the body of a request that is 405 is read, or the connection closes",
            format!("POST /plaintext HTTP/1.1\r\nHost: squall\r\nContent-Length: {inner}\r\n\r\n{MARKER}{MARKER}"),
            "405 200 open | 405 close",
        ),
        must(
            "9112 9.3",
            "the body of an unknown method is read, or the connection closes",
            format!("BREW /plaintext HTTP/1.1\r\nHost: squall\r\nContent-Length: {inner}\r\n\r\n{MARKER}{MARKER}"),
            "4xx 200 open | 4xx close | 501 200 open | 501 close",
        ),
        must(
            "9112 9.3",
            "the body of an OPTIONS is read, or the connection closes",
            format!("OPTIONS /plaintext HTTP/1.1\r\nHost: squall\r\nContent-Length: {inner}\r\n\r\n{MARKER}{MARKER}"),
            "any 200 open | any close",
        ),
        must(
            "9112 9.3",
            "the body of a HEAD is read, or the connection closes",
            format!("HEAD /plaintext HTTP/1.1\r\nHost: squall\r\nContent-Length: {inner}\r\n\r\n{MARKER}{MARKER}"),
            "any 200 open | any close",
        )
        .head_at(0),
    ]
}

fn invalid() -> Vec<Case> {
    let refused = |name, lines: &str| must("9112 6.3", name, form(lines), "400 close");
    vec![
        refused("a plus sign is no digit", "Content-Length: +26\r\n"),
        refused("a minus sign is no digit", "Content-Length: -26\r\n"),
        refused("a length is not hexadecimal", "Content-Length: 0x1a\r\n"),
        refused("a length has no letters in it", "Content-Length: 26a\r\n"),
        refused("a length has no fraction", "Content-Length: 26.0\r\n"),
        refused("a length has no exponent", "Content-Length: 26e0\r\n"),
        refused("a length has no underscore", "Content-Length: 2_6\r\n"),
        refused("a length has no blank in it", "Content-Length: 2 6\r\n"),
        refused("a length has no parameter", "Content-Length: 26;a=b\r\n"),
        refused("a length is not quoted", "Content-Length: \"26\"\r\n"),
        refused("a length is not a word", "Content-Length: chunked\r\n"),
        refused("a length of nothing is none", "Content-Length:\r\n"),
        refused("digits of another script are none", "Content-Length: \u{662}\u{666}\r\n"),
        must(
            "9110 5.5",
            "a vertical tab before the number is not white space",
            form("Content-Length: \x0b26\r\n"),
            "400 close",
        ),
        must(
            "9110 8.6",
            "2^64 + 26 is not 26",
            form("Content-Length: 18446744073709551642\r\n"),
            "400 close | 413 close",
        ),
        must(
            "9110 8.6",
            "2^32 + 26 is not 26",
            form("Content-Length: 4294967322\r\n"),
            "close | 400 close | 413 open | 413 close",
        )
        .finish(),
        must(
            "9110 8.6",
            "2^63 + 26 is not 26, nor negative",
            form("Content-Length: 9223372036854775834\r\n"),
            "close | 400 close | 413 open | 413 close",
        )
        .finish(),
        must(
            "9110 8.6",
            "a length of 60 digits is not cut",
            form(&format!("Content-Length: 1{}26\r\n", "0".repeat(57))),
            "400 close | 413 close",
        ),
        must(
            "9112 5.1",
            "a blank before the colon of Content-Length is 400",
            form("Content-Length : 26\r\n"),
            "400 close",
        ),
        must(
            "9112 5.1",
            "a tab before the colon of Content-Length is 400",
            form("Content-Length\t: 26\r\n"),
            "400 close",
        ),
    ]
}

fn doubled() -> Vec<Case> {
    let refused = |name, lines: &str| must("9112 6.3", name, form(lines), "400 close");
    let either = |name, lines: &str| must("9110 8.6", name, form(lines), "400 close | 303 200 open");
    vec![
        refused("two lengths that differ are 400", "Content-Length: 26\r\nContent-Length: 27\r\n"),
        refused("two lengths that differ are 400, the other way round", "Content-Length: 0\r\nContent-Length: 26\r\n"),
        refused(
            "two lengths that differ are 400 with fields between",
            "Content-Length: 26\r\nX: y\r\ncontent-length: 5\r\n",
        ),
        refused("a list of two lengths is 400", "Content-Length: 26, 27\r\n"),
        refused(
            "a third length that differs is 400",
            "Content-Length: 26\r\nContent-Length: 26\r\nContent-Length: 2\r\n",
        ),
        refused("a second length that is none is 400", "Content-Length: 26\r\nContent-Length: x\r\n"),
        refused("a second length with a sign is 400", "Content-Length: 26\r\nContent-Length: +26\r\n"),
        refused("a second length of nothing is 400", "Content-Length: 26\r\nContent-Length:\r\n"),
        either("the same length twice is refused or read as one", "Content-Length: 26\r\nContent-Length: 26\r\n"),
        either("a list of the same length is refused or read as one", "Content-Length: 26, 26\r\n"),
        must("9112 6.3", "a list with another length behind 0 is 400", form("Content-Length: 0, 26\r\n"), "400 close"),
    ]
}

fn unfinished() -> Vec<Case> {
    let cut = |lines: &str, body: &str| {
        let whole = post(lines, body);
        whole[..whole.len() - MARKER.len()].to_owned()
    };
    let closes = "close | 400 close | 408 close";
    vec![
        must("9112 8", "a body that is cut by FIN is not acted upon", cut("Content-Length: 260\r\n", FORM), closes)
            .finish(),
        must("9112 8", "a body of which nothing came is not acted upon", cut("Content-Length: 26\r\n", ""), closes)
            .finish(),
        must("9112 8", "a body that lacks one byte is not acted upon", cut("Content-Length: 27\r\n", FORM), closes)
            .finish(),
        should(
            "9112 8",
            "a whole body with FIN behind it is answered",
            cut("Content-Length: 26\r\n", FORM),
            "303 close",
        )
        .finish(),
    ]
}
