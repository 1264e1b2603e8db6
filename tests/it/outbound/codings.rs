//! Compressed bodies that are damaged, cut, or far larger than they look.

use super::ways::End::{Arrives, Fails};
use super::ways::Play::Http;
use super::ways::{Way, hold, way};
use crate::support::stub::Asked;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;
use std::sync::LazyLock;

pub const WAYS: &[Way] = &[
    way("sends a gzip bomb", Http(bomb), Fails(LARGE)).decoded(),
    way("sends a bomb of deflate", Http(deflate_bomb), Fails(LARGE)).decoded(),
    way("sends a damaged gzip body", Http(damaged), Fails("coding is broken: invalid ")).decoded(),
    way("calls plain text gzip", Http(plain), Fails("coding is broken: incorrect header check")).decoded(),
    way("sends a gzip body with a wrong checksum", Http(wrong_checksum), Fails("incorrect data check")).decoded(),
    way("sends a gzip body with a wrong length", Http(wrong_length), Fails("incorrect length check")).decoded(),
    way("sends garbage behind a gzip body", Http(garbage_behind), Arrives("hello")).decoded(),
    way("cuts a gzip body within its data", Http(cut_data), Fails(CUT)).decoded(),
    way("cuts a gzip body within its checksum", Http(cut_checksum), Fails(CUT)).decoded(),
    way("compresses", Http(|asked| says(asked, "gzip", &gzip(b"hello"))), Arrives("hello")).decoded(),
    way("deflates", Http(|asked| says(asked, "deflate", &zlib(b"hello"))), Arrives("hello")).decoded(),
    way("deflates without a zlib head", Http(raw_deflate), Arrives("hello")).decoded(),
    way("compresses nothing", Http(|asked| says(asked, "gzip", b"")), Arrives("")).decoded(),
];

const LARGE: &str = "its body is longer than 65536 bytes when inflated";
const CUT: &str = "its gzip or deflate coding ends too early";

/// Far more than `response_body_bytes_max`, in a thousandth of it.
const BOMB_BYTES: usize = 16 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).and_then(|()| to.finish()).expect("a Vec takes all")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).and_then(|()| to.finish()).expect("a Vec takes all")
}

/// A whole response with this body in this coding.
fn says(mut asked: Asked, coding: &str, body: &[u8]) {
    assert!(asked.request.to_ascii_lowercase().contains("accept-encoding: gzip"), "{}", asked.request);
    asked.say(format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len()));
    asked.say(body);
    hold(&mut asked.stream);
}

/// `hello` in gzip with some of its bytes turned over.
fn turned(at: impl Fn(usize) -> std::ops::Range<usize>) -> Vec<u8> {
    let mut body = gzip(&b"hello".repeat(100));
    let range = at(body.len());
    body[range].iter_mut().for_each(|byte| *byte ^= 0xff);
    body
}

static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| gzip(&vec![0; BOMB_BYTES]));
static DEFLATE_BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| zlib(&vec![0; BOMB_BYTES]));

/// Compresses the bombs: on a busy machine that may take longer than a fetch.
pub fn prepare() {
    LazyLock::force(&BOMB);
    LazyLock::force(&DEFLATE_BOMB);
}

fn bomb(asked: Asked) {
    says(asked, "gzip", &BOMB);
}

fn deflate_bomb(asked: Asked) {
    says(asked, "deflate", &DEFLATE_BOMB);
}

fn damaged(asked: Asked) {
    says(asked, "gzip", &turned(|_| 10..14));
}

fn plain(asked: Asked) {
    says(asked, "gzip", b"hello, this is no gzip at all");
}

/// The first bytes of a gzip body, in a response that is whole.
fn cuts(asked: Asked, but: usize) {
    let body = gzip(&b"hello".repeat(100));
    says(asked, "gzip", &body[..body.len() - but]);
}

fn cut_data(asked: Asked) {
    cuts(asked, 9);
}

fn cut_checksum(asked: Asked) {
    cuts(asked, 5);
}

fn wrong_checksum(asked: Asked) {
    says(asked, "gzip", &turned(|len| len - 8..len - 4));
}

fn wrong_length(asked: Asked) {
    says(asked, "gzip", &turned(|len| len - 4..len));
}

fn garbage_behind(asked: Asked) {
    says(asked, "gzip", &[gzip(b"hello").as_slice(), b"and more"].concat());
}

fn raw_deflate(asked: Asked) {
    let mut to = DeflateEncoder::new(Vec::new(), Compression::best());
    let body = to.write_all(b"hello").and_then(|()| to.finish()).expect("a Vec takes all");
    says(asked, "deflate", &body);
}
