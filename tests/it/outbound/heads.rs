//! Heads that are none, that have no end, or that say two things at once.

use super::ways::End::{Arrives, Fails};
use super::ways::Play::{Closes, Http, Raw, Says};
use super::ways::{LATE_HEAD, Way, for_ever, hold, way};
use crate::support::ms;
use crate::support::stub::Asked;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// A head with these lines, and a body that would fit some of them.
macro_rules! ok {
    ($fields:literal) => {
        concat!("HTTP/1.1 200 OK\r\n", $fields, "\r\n\r\nhello")
    };
}

pub const WAYS: &[Way] = &[
    // Not HTTP/1.
    way("speaks SSH", Raw(speaks_first), Fails(NOT_HTTP)),
    way("speaks HTTP/0.9", Closes("<html>hello</html>"), Fails(NOT_HTTP)),
    way("speaks HTTP/2", Says("\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"), Fails(NOT_HTTP)),
    way("calls itself HTTP/3", Says("HTTP/3.0 200 OK\r\n\r\n"), Fails(NOT_HTTP)),
    way("calls itself HTTP/2", Says("HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"), Arrives("hello")),
    way("calls itself HTTP/1.2", Says("HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello"), Arrives("hello")),
    way("writes its protocol small", Says("http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), Arrives("hello")),
    way("speaks another protocol's HTTP", Says("ICY 200 OK\r\n\r\n"), Fails(NOT_HTTP)),
    // The status line.
    way("has letters for a status", Says("HTTP/1.1 abc\r\n\r\n"), Fails(STATUS)),
    way("has four digits of a status", Says("HTTP/1.1 2000 OK\r\n\r\n"), Fails(STATUS)),
    way("has status 000", Says("HTTP/1.1 000 OK\r\n\r\n"), Fails(STATUS)),
    // Its fields.
    way("has a field without a colon", Says(ok!("no field\r\nContent-Length: 5")), Arrives("hello")),
    way("has a space in a name", Says(ok!("PHP Warning:  x already loaded\r\nContent-Length: 5")), Arrives("hello")),
    way("has a field without a name", Says(ok!(": x\r\nContent-Length: 5")), Arrives("hello")),
    way("folds a line", Says(ok!("A: b\r\n c: d\r\nContent-Length: 5")), Arrives("hello")),
    way("splits a head by a bare CR", Says(ok!("A: b\rSet-Cookie: c")), Fails(CONTROL)),
    way("has NUL in a value", Says(ok!("A: b\0c")), Fails(CONTROL)),
    way("has an escape sequence in a value", Says(ok!("A: \x1b[31m\r\nContent-Length: 5")), Arrives("hello")),
    // Without an end.
    way("has one field that never ends", Http(endless_field), Fails(LONG)),
    way("has a status line that never ends", Http(endless_reason), Fails(LONG)),
    way("has more fields than the head may have bytes", Http(endless_fields), Fails(LONG)),
    way("has five hundred fields", Http(many_fields), Arrives("hello")),
    way("closes within its status line", Closes("HTTP/1.1 200 O"), Fails(EARLY)),
    way("closes within its fields", Closes("HTTP/1.1 200 OK\r\nA: b\r\n"), Fails(EARLY)),
    way("stops within its head", Says("HTTP/1.1 200 OK\r\nA: b\r\n"), Fails(LATE_HEAD)),
    way("drips its head", Http(drips), Fails(LATE_HEAD)),
    // Interim responses.
    way("switches protocols unasked", Says("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), Fails(SWITCHES)),
    way("says 100 for ever", Http(continues_for_ever), Fails(INTERIM)),
    way("hints, and then says nothing", Says("HTTP/1.1 103 Early Hints\r\n\r\n"), Fails(LATE_HEAD)),
    way("closes behind a hint", Closes("HTTP/1.1 103 Early Hints\r\n\r\n"), Fails(EARLY)),
    way("hints, and then answers", Says(HINTS), Arrives("hello")),
    // Where the body ends.
    way("has a negative length", Says(ok!("Content-Length: -5")), Fails(LENGTH)),
    way("has a length with a sign", Says(ok!("Content-Length: +5")), Fails(LENGTH)),
    way("has a length in hexadecimal", Says(ok!("Content-Length: 0x5")), Fails(LENGTH)),
    way("has an empty length", Says(ok!("Content-Length: ")), Fails(LENGTH)),
    way("has two lengths", Says(ok!("Content-Length: 5\r\nContent-Length: 6")), Fails(LENGTH)),
    way("has a list of lengths", Says(ok!("Content-Length: 5, 6")), Fails(LENGTH)),
    way("has the same length twice", Says(ok!("Content-Length: 5\r\nContent-Length: 5")), Arrives("hello")),
    way("has a transfer coding of its own", Says(ok!("Transfer-Encoding: sponge")), Fails(CODING)),
    way("compresses in the transfer", Says(ok!("Transfer-Encoding: gzip, chunked")), Fails(CODING)),
    way("codes behind the chunks", Says(ok!("Transfer-Encoding: chunked, gzip")), Fails(CODING)),
    way(
        "has a transfer coding that is none",
        Says(ok!("Transfer-Encoding: identity\r\nContent-Length: 5")),
        Arrives("hello"),
    ),
];

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const NOT_HTTP: &str = "it is not HTTP/1";
const STATUS: &str = "its status line makes no sense";
const LONG: &str = "its head is longer than 4096 bytes";
const EARLY: &str = "the connection was closed within the head";
const SWITCHES: &str = "it switches protocols, which was not asked for";
const INTERIM: &str = "more than 16 interim responses came";
const CONTROL: &str = "its head has a NUL or a bare CR in it";
const LENGTH: &str = "its Content-Length is not one number";
const CODING: &str = "it has a transfer coding other than chunked";

/// Like an SSH server, it sends a greeting before any request.
fn speaks_first(mut stream: TcpStream) {
    let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
    hold(&mut stream);
}

fn endless_field(mut asked: Asked) {
    for_ever(&mut asked, "HTTP/1.1 200 OK\r\nA: ", "aaaaaaaaaa", Duration::ZERO);
}

fn endless_reason(mut asked: Asked) {
    for_ever(&mut asked, "HTTP/1.1 200 ", "OK and ", Duration::ZERO);
}

fn many_fields(mut asked: Asked) {
    asked.say(format!("HTTP/1.1 200 OK\r\n{}Content-Length: 5\r\n\r\nhello", "A: b\r\n".repeat(500)));
    hold(&mut asked.stream);
}

fn endless_fields(mut asked: Asked) {
    for_ever(&mut asked, "HTTP/1.1 200 OK\r\n", "A: b\r\n", Duration::ZERO);
}

fn drips(mut asked: Asked) {
    for_ever(&mut asked, "HTTP/1.1 200 OK\r\nA: ", "a", ms(20));
}

fn continues_for_ever(mut asked: Asked) {
    for_ever(&mut asked, "", "HTTP/1.1 100 Continue\r\n\r\n", Duration::ZERO);
}
