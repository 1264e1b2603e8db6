//! The chunked coding itself (RFC 9112 section 7.1).

use super::{FORM, MARKER, form_chunked, post};
use crate::case::{Case, must, should};

const READ: &str = "303 200 open";

pub fn cases() -> Vec<Case> {
    [sizes(), bad_sizes(), line_ends(), extensions(), trailers(), unfinished()].into_iter().flatten().collect()
}

fn body(chunks: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", chunks)
}

/// The form in one chunk with this in the place of its size, which is 1a.
fn sized(size: &str) -> String {
    assert_eq!(FORM.len(), 0x1a);
    body(&format!("{size}\r\n{FORM}\r\n0\r\n\r\n"))
}

fn sizes() -> Vec<Case> {
    let letters: String = FORM.chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
    let (one, two) = FORM.split_at(10);
    vec![
        must("9112 7.1", "sizes are hexadecimal in lower case", sized("1a"), READ),
        must("9112 7.1", "sizes are hexadecimal in upper case", sized("1A"), READ),
        must("9112 7.1", "sizes may have leading zeros", sized("0000001a"), READ),
        must("9112 7.1", "chunks are joined", body(&format!("a\r\n{one}\r\n10\r\n{two}\r\n0\r\n\r\n")), READ),
        must("9112 7.1", "chunks may be of one byte", body(&format!("{letters}0\r\n\r\n")), READ),
        must("9112 7.1", "the last chunk may have many zeros", body(&format!("1a\r\n{FORM}\r\n00000\r\n\r\n")), READ),
        must("9112 7.1", "a body of no chunk is empty", body("0\r\n\r\n"), "any 200 open"),
        must("9112 7.1", "line ends within a chunk are data", body(&format!("1e\r\n{FORM}&\r\n\r\r\n0\r\n\r\n")), READ),
        must(
            "9112 7.1",
            "a last chunk within a chunk is data",
            body(&format!("20\r\n{FORM}&0\r\n\r\n\r\n0\r\n\r\n")),
            READ,
        ),
    ]
}

fn bad_sizes() -> Vec<Case> {
    let bad = |name, size: &str| should("9112 2.2", name, sized(size), "400 close").finish();
    let overflow = |name, size: &str| must("9112 7.1", name, sized(size), "close | 400 close | 413 close").finish();
    vec![
        bad("a chunk size has no 0x", "0x1a"),
        bad("a chunk size has no plus sign", "+1a"),
        bad("a chunk size has no minus sign", "-1a"),
        bad("a chunk size has no blank before it", " 1a"),
        bad("a chunk size has no letter past f", "1ag"),
        bad("a chunk size has no fraction", "1a.0"),
        bad("a chunk size has no underscore", "1_a"),
        bad("a chunk size has no comma", "1a,1a"),
        bad("a chunk size has no other number behind a blank", "1a 1a"),
        bad("a chunk size is there", ""),
        bad("a chunk size is no word", "chunk"),
        bad("a chunk size is not quoted", "\"1a\""),
        bad("a chunk size has no digits of another script", "\u{661}a"),
        bad("a chunk size has no NUL", "1a\0"),
        overflow("a chunk size of 2^64 + 26 is not 26", "1000000000000001a"),
        overflow("a chunk size of 2^32 + 26 is not 26", "10000001a"),
        overflow("a chunk size of 2^63 + 26 is not 26, nor negative", "800000000000001a"),
        overflow("a chunk size of 2^64 - 1 is not -1", "ffffffffffffffff"),
        overflow("a chunk size of 40 digits is not cut", &format!("1{}1a", "0".repeat(37))),
        must(
            "9112 7.1",
            "a last chunk of 2^64 is not the last",
            body("10000000000000000\r\n\r\n"),
            "close | 400 close | 413 close",
        )
        .finish(),
    ]
}

fn line_ends() -> Vec<Case> {
    let bad = |name, chunks: String| should("9112 2.2", name, body(&chunks), "400 close").finish();
    vec![
        bad("a chunk size ends in CRLF, not LF", format!("1a\n{FORM}\r\n0\r\n\r\n")),
        bad("a chunk size ends in CRLF, not CR", format!("1a\r{FORM}\r\n0\r\n\r\n")),
        bad("a chunk size ends in one CR", format!("1a\r\r\n{FORM}\r\n0\r\n\r\n")),
        bad("a chunk ends in CRLF, not LF", format!("1a\r\n{FORM}\n0\r\n\r\n")),
        bad("a chunk ends in CRLF, not CR", format!("1a\r\n{FORM}\r0\r\n\r\n")),
        bad("a chunk ends in CRLF, not in two other bytes", format!("1a\r\n{FORM}XX0\r\n\r\n")),
        bad("a chunk does not go on behind its size", format!("19\r\n{FORM}\r\n0\r\n\r\n")),
        bad("a chunk does not end before its size", format!("1b\r\n{FORM}\r\n0\r\n\r\n")),
        bad(
            "no empty line stands between chunks",
            format!("a\r\nusername=a\r\n\r\n10\r\n{}\r\n0\r\n\r\n", &FORM[10..]),
        ),
        bad("no empty line stands before the first chunk", format!("\r\n1a\r\n{FORM}\r\n0\r\n\r\n")),
        bad("the last chunk ends in CRLF, not LF", format!("1a\r\n{FORM}\r\n0\n\r\n")),
        bad("the last chunk is a line of its own", format!("1a\r\n{FORM}\r\n0GET / HTTP/1.1\r\n\r\n")),
    ]
}

fn extensions() -> Vec<Case> {
    let read = |name, extension: &str| must("9112 7.1.1", name, sized(&format!("1a{extension}")), READ);
    let either =
        |name, extension: &str| must("9112 7.1.1", name, sized(&format!("1a{extension}")), "400 close | 303 200 open");
    let bad = |name, extension: &str| should("9112 2.2", name, sized(&format!("1a{extension}")), "400 close").finish();
    vec![
        read("an extension is ignored", ";a"),
        read("an extension with a value is ignored", ";a=b"),
        read("an extension with a quoted value is ignored", ";a=\"b c\""),
        read("a semicolon in a quoted value begins nothing", ";a=\"b;c\""),
        read("an escaped quote does not end a quoted value", ";a=\"b\\\"c\""),
        read("several extensions are ignored", ";a=b;c;d=\"e\""),
        read("an extension of a hundred bytes is ignored", &format!(";a={}", "b".repeat(97))),
        read("a blank before an extension is read over", " ;a=b"),
        read("blanks around an extension are read over", "\t; a = b"),
        read("an extension may look like a size", ";1=ffff"),
        must(
            "9112 7.1.1",
            "an extension of the last chunk is ignored",
            body(&format!("1a\r\n{FORM}\r\n0;a=b\r\n\r\n")),
            READ,
        ),
        either("an extension without a name is refused or ignored", ";"),
        either("an extension that is no token is refused or ignored", ";a=b=c"),
        bad("an extension has its semicolon", " a=b"),
        bad("an extension does not end in LF", ";a\n"),
        bad("an extension has no bare LF in it", ";a\nx"),
        bad("an extension has no bare CR in it", ";a\rx"),
        bad("an extension has no NUL in it", ";a\0x"),
        should("9112 7.1.1", "extensions are limited", sized(&format!("1a;a={}", "b".repeat(32 << 10))), "4xx close"),
        should(
            "9112 7.1.1",
            "extensions of all chunks together are limited",
            body(&format!("1;a={}\r\nx\r\n", "b".repeat(1000)).repeat(40)),
            "4xx close",
        )
        .finish(),
    ]
}

fn trailers() -> Vec<Case> {
    let behind = |trailers: &str| body(&format!("1a\r\n{FORM}\r\n0\r\n{trailers}\r\n"));
    let inert = |name, trailers: &str| must("9110 6.5.1", name, behind(trailers), "303 200 open | 400 close");
    vec![
        must("9112 7.1.2", "a trailer is read over", behind("Expires: never\r\n"), READ),
        must("9112 7.1.2", "several trailers are read over", behind("A: b\r\nC: d\r\nE:\r\n"), READ),
        inert("a Content-Length in the trailers frames nothing", "Content-Length: 41\r\n"),
        inert("a Transfer-Encoding in the trailers frames nothing", "Transfer-Encoding: chunked\r\n"),
        inert("a Connection in the trailers closes nothing", "Connection: close\r\n"),
        inert("a Host in the trailers is no second Host", "Host: other\r\n"),
        inert("an Expect in the trailers is no expectation", "Expect: miracles\r\n"),
        must(
            "9110 6.6.2",
            "announced trailers are nothing else",
            post(
                "Transfer-Encoding: chunked\r\nTrailer: X\r\n",
                &form_chunked().replacen("0\r\n\r\n", "0\r\nX: y\r\n\r\n", 1),
            ),
            READ,
        ),
        should("9112 2.2", "a trailer does not end in LF", behind("A: b\n"), "400 close").finish(),
        should(
            "9112 2.2",
            "the trailers do not end in LF",
            body(&format!("1a\r\n{FORM}\r\n0\r\nA: b\r\n\n")),
            "400 close",
        )
        .finish(),
        must(
            "9112 2.2",
            "a trailer has no bare CR in it, or it is a blank",
            behind("A: b\rc\r\n"),
            "400 close | 303 200 open",
        )
        .finish(),
        must(
            "9110 5.4",
            "trailers are limited, or taken",
            behind(&format!("A: {}\r\n", "b".repeat(40 << 10))),
            "4xx close | 303 200 open",
        ),
    ]
}

fn unfinished() -> Vec<Case> {
    let cut = |chunks: String| {
        let whole = body(&chunks);
        whole[..whole.len() - MARKER.len()].to_owned()
    };
    let closes = "close | 400 close | 408 close";
    vec![
        must("9112 8", "without the last chunk a body is not whole", cut(format!("1a\r\n{FORM}\r\n")), closes).finish(),
        must(
            "9112 8",
            "without the last empty line a body is not whole",
            cut(format!("1a\r\n{FORM}\r\n0\r\n")),
            closes,
        )
        .finish(),
        must("9112 8", "within a chunk a body is not whole", cut(format!("1a\r\n{}", &FORM[..20])), closes).finish(),
        must("9112 8", "within a size a body is not whole", cut("1".into()), closes).finish(),
        must(
            "9112 8",
            "within the trailers a body is not whole",
            cut(format!("1a\r\n{FORM}\r\n0\r\nA: b\r\n")),
            closes,
        )
        .finish(),
        should("9112 8", "a whole body of chunks with FIN behind it is answered", cut(form_chunked()), "303 close")
            .finish(),
    ]
}
