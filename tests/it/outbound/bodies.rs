//! Bodies that end too early, too late or never, and chunks that are none.

use super::ways::End::{Arrives, Fails};
use super::ways::Play::{Closes, Http, Says};
use super::ways::{LATE_BODY, Way, for_ever, way};
use crate::support::ms;
use crate::support::stub::Asked;
use std::time::Duration;

/// A response in chunks.
macro_rules! chunked {
    ($chunks:literal) => {
        concat!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", $chunks)
    };
}

/// A response with a length.
macro_rules! length {
    ($length:literal, $body:literal) => {
        concat!("HTTP/1.1 200 OK\r\nContent-Length: ", $length, "\r\n\r\n", $body)
    };
}

const EARLY: &str = "the connection was closed before the body was whole";
const SIZE: &str = "a chunk size is not a hexadecimal number";
const DIGITS: &str = "a chunk size has more than 16 digits";
const LINE_END: &str = "a chunk does not end in CR LF";
const EXTENSIONS: &str = "the chunk extensions are too long";
const TRAILERS: &str = "the trailer section is too long";
const LARGE: &str = "its body is longer than 65536 bytes";

pub const WAYS: &[Way] = &[
    // Chunks.
    way("has a chunk size that is no number", Says(chunked!("g\r\nhello\r\n")), Fails(SIZE)),
    way("has a chunk of negative size", Says(chunked!("-5\r\nhello\r\n")), Fails(SIZE)),
    way("has a chunk size with a prefix", Says(chunked!("0x5\r\nhello\r\n")), Fails(SIZE)),
    way("has no chunk size", Says(chunked!("\r\nhello\r\n")), Fails(SIZE)),
    way("chunks in name only", Says(chunked!("<html>hello</html>")), Fails(SIZE)),
    way("has a chunk size of 17 digits", Says(chunked!("10000000000000005\r\nhello\r\n")), Fails(DIGITS)),
    way("has a chunk longer than its size", Says(chunked!("5\r\nhelloworld\r\n0\r\n\r\n")), Fails(LINE_END)),
    way("ends a chunk size in a bare CR", Says(chunked!("5\rhello\r\n0\r\n\r\n")), Fails(LINE_END)),
    way("ends a chunk size in a bare LF", Says(chunked!("5\nhello\n0\n\n")), Arrives("hello")),
    way("ends a chunk in a bare LF", Says(chunked!("5\r\nhello\n0\r\n\r\n")), Arrives("hello")),
    way("pads its chunk sizes with blanks", Says(chunked!("5   \r\nhello\r\n0   \r\n\r\n")), Arrives("hello")),
    way("chunks twice", Says(TWICE), Arrives("hello")),
    way("ends with its last chunk", Closes(chunked!("5\r\nhello\r\n0\r\n")), Arrives("hello")),
    way("has a chunk extension that never ends", Http(endless_extension), Fails(EXTENSIONS)),
    way("has an extension on every small chunk", Http(extended_chunks), Fails(EXTENSIONS)),
    way("has a trailer that never ends", Http(endless_trailer), Fails(TRAILERS)),
    way("has trailers that never end", Http(endless_trailers), Fails(TRAILERS)),
    way("has no last chunk", Closes(chunked!("5\r\nhello\r\n")), Fails(EARLY)),
    way("closes within a chunk size", Closes(chunked!("5")), Fails(EARLY)),
    way("closes within a chunk", Closes(chunked!("5\r\nhel")), Fails(EARLY)),
    way("closes within its trailers", Closes(chunked!("5\r\nhello\r\n0\r\nA: b")), Fails(EARLY)),
    way("announces a chunk of 16 EiB", Http(endless_chunk), Fails(LARGE)),
    way("sends chunks for ever", Http(endless_chunks), Fails(LARGE)),
    way("stops within a chunk", Says(chunked!("5\r\nhel")), Fails(LATE_BODY)),
    way("drips chunks of one byte", Http(drips_chunks), Fails(LATE_BODY)),
    // A length.
    way("closes before its body", Closes(length!("5", "")), Fails(EARLY)),
    way("closes within its body", Closes(length!("10", "hello")), Fails(EARLY)),
    way("stops within its body", Says(length!("10", "hello")), Fails(LATE_BODY)),
    way("drips its body", Http(drips), Fails(LATE_BODY)),
    way("announces a body over the limit", Says(length!("65537", "")), Fails(LARGE)),
    way("announces a body of 16 EiB", Says(length!("18446744073709551616", "")), Fails(LARGE)),
    way("has a body longer than its length", Says(length!("5", "helloworld")), Arrives("hello")),
    // Until the end of the connection.
    way("sends a body without a length for ever", Http(endless_body), Fails(LARGE)),
    way("never ends a body that its end would end", Says("HTTP/1.1 200 OK\r\n\r\nhello"), Fails(LATE_BODY)),
    // No body, and two ways to end one.
    way("has a body where there may be none", Says(NO_CONTENT), Arrives("")),
    way("has chunks and a length", Says(BOTH), Arrives("hello")),
];

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello";
const BOTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const TWICE: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn endless_extension(mut asked: Asked) {
    for_ever(&mut asked, &format!("{CHUNKED}5;a="), "aaaaaaaaaa", Duration::ZERO);
}

fn extended_chunks(mut asked: Asked) {
    for_ever(&mut asked, CHUNKED, &format!("1;{}\r\nx\r\n", "a".repeat(1000)), Duration::ZERO);
}

fn endless_trailer(mut asked: Asked) {
    for_ever(&mut asked, &format!("{CHUNKED}0\r\nA: "), "aaaaaaaaaa", Duration::ZERO);
}

fn endless_trailers(mut asked: Asked) {
    for_ever(&mut asked, &format!("{CHUNKED}0\r\n"), "A: b\r\n", Duration::ZERO);
}

fn endless_chunk(mut asked: Asked) {
    for_ever(&mut asked, &format!("{CHUNKED}ffffffffffffffff\r\n"), &"x".repeat(1000), Duration::ZERO);
}

fn endless_chunks(mut asked: Asked) {
    for_ever(&mut asked, CHUNKED, &format!("3e8\r\n{}\r\n", "x".repeat(1000)), Duration::ZERO);
}

fn endless_body(mut asked: Asked) {
    for_ever(&mut asked, HEAD, &"x".repeat(1000), Duration::ZERO);
}

fn drips_chunks(mut asked: Asked) {
    for_ever(&mut asked, CHUNKED, "1\r\nx\r\n", ms(20));
}

fn drips(mut asked: Asked) {
    for_ever(&mut asked, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", "x", ms(20));
}
