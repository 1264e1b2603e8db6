//! Transfer-Encoding, alone and with Content-Length: CL.TE, TE.CL and TE.TE (RFC 9112 sections 6.1, 6.3 and 11.2).

use super::{FORM, MARKER, form_chunked, get, post};
use crate::case::{Case, must, should};

/// Refused, or read as chunked; never ignored.
const REFUSED_OR_READ: &str = "400 close | 501 close | 303 200 open";
const REFUSED: &str = "400 close | 501 close";
/// Refused, or the field is not this field: then the chunks are no request.
const REFUSED_OR_ANOTHER_FIELD: &str = "400 close | any 400 close";

pub fn cases() -> Vec<Case> {
    [chunked(), spellings(), lists(), with_length(), elsewhere()].into_iter().flatten().collect()
}

/// The form in chunks, announced like this.
fn form(lines: &str) -> String {
    post(lines, &form_chunked())
}

fn chunked() -> Vec<Case> {
    let read = |section, name, line: &str| must(section, name, form(line), "303 200 open");
    vec![
        read("9112 7.1", "a chunked body is read", "Transfer-Encoding: chunked\r\n"),
        read("9112 7", "codings have no letter case", "Transfer-Encoding: CHUNKED\r\n"),
        read("9112 7", "codings have no letter case, whatever the mixture", "Transfer-Encoding: chunKed\r\n"),
        read("9110 5.1", "Transfer-Encoding has no letter case", "tRANSFER-eNCODING: chunked\r\n"),
        read("9112 5", "no blank is needed behind the colon", "Transfer-Encoding:chunked\r\n"),
        read("9112 5", "a tab may stand behind the colon", "Transfer-Encoding:\tchunked\r\n"),
        read("9112 5", "blanks may stand behind chunked", "Transfer-Encoding: chunked \t\r\n"),
        must(
            "9112 9.3",
            "a chunked body of a GET is read, or the connection closes",
            get("Transfer-Encoding: chunked\r\n").replacen("\r\n\r\n", "\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1),
            "200 200 open | any close",
        ),
        must(
            "9112 9.3",
            "a request in a chunk is not answered",
            post("Transfer-Encoding: chunked\r\n", &format!("{:x}\r\n{MARKER}\r\n0\r\n\r\n", MARKER.len())),
            "any 200 open | any close",
        ),
    ]
}

fn spellings() -> Vec<Case> {
    let te = |name, line: &str, expected| must("9112 6.3", name, form(line), expected);
    vec![
        te("xchunked is not chunked", "Transfer-Encoding: xchunked\r\n", REFUSED),
        te("chunkedx is not chunked", "Transfer-Encoding: chunkedx\r\n", REFUSED),
        te("chunk is not chunked", "Transfer-Encoding: chunk\r\n", REFUSED),
        te("a quoted chunked is not chunked", "Transfer-Encoding: \"chunked\"\r\n", REFUSED),
        te("chunked in other quotes is not chunked", "Transfer-Encoding: 'chunked'\r\n", REFUSED),
        te("chunked behind a colon is not chunked", "Transfer-Encoding: :chunked\r\n", REFUSED),
        te("chunked behind a vertical tab is not chunked", "Transfer-Encoding: \x0bchunked\r\n", REFUSED),
        te("chunked behind a form feed is not chunked", "Transfer-Encoding: \x0cchunked\r\n", REFUSED),
        te("chunked behind a space of Unicode is not chunked", "Transfer-Encoding: \u{a0}chunked\r\n", REFUSED),
        te("chunked with a letter of Unicode is not chunked", "Transfer-Encoding: chun\u{212a}ed\r\n", REFUSED),
        te("chunked with a control behind it is not chunked", "Transfer-Encoding: chunked\x01\r\n", REFUSED),
        must(
            "9110 5.5",
            "chunked with NUL before it is refused or read",
            form("Transfer-Encoding: \0chunked\r\n"),
            REFUSED_OR_READ,
        ),
        must(
            "9110 5.5",
            "chunked with NUL behind it is refused or read",
            form("Transfer-Encoding: chunked\0\r\n"),
            REFUSED_OR_READ,
        ),
        must(
            "9112 5.1",
            "a blank before the colon of Transfer-Encoding is 400",
            form("Transfer-Encoding : chunked\r\n"),
            "400 close",
        ),
        must(
            "9112 5.1",
            "a tab before the colon of Transfer-Encoding is 400",
            form("Transfer-Encoding\t: chunked\r\n"),
            "400 close",
        ),
        must(
            "9112 5.2",
            "a folded Transfer-Encoding is refused or read",
            form("Transfer-Encoding:\r\n chunked\r\n"),
            REFUSED_OR_READ,
        ),
        must(
            "9112 5.2",
            "a Transfer-Encoding that is folded into another field is not one",
            form("X: y\r\n Transfer-Encoding: chunked\r\n"),
            REFUSED_OR_ANOTHER_FIELD,
        ),
        must(
            "9112 2.2",
            "a Transfer-Encoding behind a bare CR is not one",
            form("X: y\rTransfer-Encoding: chunked\r\n"),
            REFUSED_OR_ANOTHER_FIELD,
        ),
        must(
            "9112 2.2",
            "a Transfer-Encoding behind a bare LF is refused or read",
            form("X: y\nTransfer-Encoding: chunked\r\n"),
            REFUSED_OR_READ,
        ),
        should("9112 7", "chunked has no parameters", form("Transfer-Encoding: chunked;q=1\r\n"), REFUSED),
        should(
            "9110 5.1",
            "Transfer_Encoding is another field",
            form("Transfer_Encoding: chunked\r\n"),
            REFUSED_OR_ANOTHER_FIELD,
        ),
        should(
            "9110 5.1",
            "X-Transfer-Encoding is another field",
            form("X-Transfer-Encoding: chunked\r\n"),
            REFUSED_OR_ANOTHER_FIELD,
        ),
        should(
            "9110 5.1",
            "Content-Transfer-Encoding is another field",
            form("Content-Transfer-Encoding: chunked\r\n"),
            REFUSED_OR_ANOTHER_FIELD,
        ),
    ]
}

fn lists() -> Vec<Case> {
    let te = |name, line: &str, expected| must("9112 6.3", name, form(line), expected);
    vec![
        te("a coding without chunked behind it is 400", "Transfer-Encoding: gzip\r\n", REFUSED),
        te("chunked that is not the last coding is 400", "Transfer-Encoding: chunked, gzip\r\n", REFUSED),
        te(
            "chunked that is not the last of two fields is 400",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            REFUSED,
        ),
        te(
            "chunked before identity is not the last coding",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            REFUSED,
        ),
        te("identity is no coding that ends a body", "Transfer-Encoding: identity\r\n", REFUSED),
        te("codings without a comma are none", "Transfer-Encoding: x chunked\r\n", REFUSED),
        te("codings with a semicolon between are none", "Transfer-Encoding: gzip;chunked\r\n", REFUSED),
        should(
            "9112 6.1",
            "an unknown coding before chunked is refused",
            form("Transfer-Encoding: x, chunked\r\n"),
            REFUSED,
        ),
        should(
            "9112 6.1",
            "an unknown coding in a field before is refused",
            form("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n"),
            REFUSED,
        ),
        should(
            "9112 6.1",
            "a coding that is not known is 501",
            form("Transfer-Encoding: gzip, chunked\r\n"),
            "501 close",
        ),
        must("9112 6.1", "chunked twice is refused", form("Transfer-Encoding: chunked, chunked\r\n"), REFUSED),
        must(
            "9112 6.1",
            "chunked in two fields is refused",
            form("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            "400 close | 501 close | 303 200 open",
        ),
        must(
            "9112 6.3",
            "identity before chunked is refused or read",
            form("Transfer-Encoding: identity, chunked\r\n"),
            REFUSED_OR_READ,
        ),
        must(
            "9110 5.6.1",
            "an empty element before chunked is refused or left out",
            form("Transfer-Encoding: , chunked\r\n"),
            REFUSED_OR_READ,
        ),
        must(
            "9110 5.6.1",
            "an empty element behind chunked is refused or left out",
            form("Transfer-Encoding: chunked,\r\n"),
            REFUSED_OR_READ,
        ),
        must(
            "9112 6.3",
            "a Transfer-Encoding of nothing is refused, or no coding",
            form("Transfer-Encoding:\r\n"),
            "400 close | 501 close | any 400 close",
        ),
        must(
            "9112 6.3",
            "an empty Transfer-Encoding before the right one is refused or left out",
            form("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"),
            REFUSED_OR_READ,
        ),
    ]
}

fn with_length() -> Vec<Case> {
    // Whatever is made of it: one response, and the connection closes.
    let one = "any close";
    let inside = format!("0\r\n\r\n{MARKER}");
    let chunk = format!("{:x}\r\n{FORM}\r\n0\r\n\r\n", FORM.len());
    let both = |name, lines: String, body: &str| must("9112 6.1", name, post(&lines, body), one);
    vec![
        both(
            "length and chunked: the connection closes",
            format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", chunk.len()),
            &chunk,
        ),
        both(
            "chunked and length: the connection closes",
            format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunk.len()),
            &chunk,
        ),
        both(
            "CL.TE: a request behind the last chunk, within the length",
            format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", inside.len()),
            &inside,
        ),
        both(
            "TE.CL: a request in a chunk, behind the length",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".into(),
            &format!("{:x}\r\n{MARKER}\r\n0\r\n\r\n", MARKER.len()),
        ),
        both("CL.TE with a length of 0", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n".into(), &chunk),
        both(
            "CL.TE with lower-case names",
            format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with an upper-case coding",
            format!("Content-Length: {}\r\nTransfer-Encoding: CHUNKED\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with two lengths",
            format!("Content-Length: {0}\r\nContent-Length: {0}\r\nTransfer-Encoding: chunked\r\n", inside.len()),
            &inside,
        ),
        both("CL.TE with a length that is none", "Content-Length: x\r\nTransfer-Encoding: chunked\r\n".into(), &inside),
        both(
            "CL.TE with an unknown coding",
            format!("Content-Length: {}\r\nTransfer-Encoding: xchunked\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with identity",
            format!("Content-Length: {}\r\nTransfer-Encoding: identity\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with chunked behind another coding",
            format!("Content-Length: {}\r\nTransfer-Encoding: gzip, chunked\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with chunked before another coding",
            format!("Content-Length: {}\r\nTransfer-Encoding: chunked, gzip\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with a blank before the colon",
            format!("Content-Length: {}\r\nTransfer-Encoding : chunked\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with chunked in a second field",
            format!("Content-Length: {}\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with chunked in a first field",
            format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", inside.len()),
            &inside,
        ),
        both(
            "CL.TE with a vertical tab before chunked",
            format!("Content-Length: {}\r\nTransfer-Encoding: \x0bchunked\r\n", inside.len()),
            &inside,
        ),
        must(
            "9112 5.2",
            "CL.TE with a folded coding",
            post(&format!("Content-Length: {}\r\nTransfer-Encoding:\r\n chunked\r\n", inside.len()), &inside),
            one,
        ),
        must(
            "9112 6.1",
            "a GET with length and chunked: the connection closes",
            get(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", inside.len())).replacen(
                "\r\n\r\n",
                &format!("\r\n\r\n{inside}"),
                1,
            ),
            one,
        ),
    ]
}

fn elsewhere() -> Vec<Case> {
    let old = |lines: &str, body: &str| {
        let wire = post(lines, body).replacen("HTTP/1.1", "HTTP/1.0", 1);
        wire.replacen("\r\n", "\r\nConnection: keep-alive\r\n", 1)
    };
    let length = form_chunked().len();
    vec![
        must(
            "9112 6.1",
            "chunked in HTTP/1.0 closes the connection",
            old("Transfer-Encoding: chunked\r\n", &form_chunked()),
            "any close",
        ),
        must(
            "9112 6.1",
            "chunked with a length in HTTP/1.0 closes the connection",
            old(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &form_chunked()),
            "any close",
        ),
        must(
            "9112 6.1",
            "an unknown coding in HTTP/1.0 closes the connection",
            old("Transfer-Encoding: x\r\n", &form_chunked()),
            "any close",
        ),
    ]
}
