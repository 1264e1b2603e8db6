//! Bodies to be inflated, for tests.

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;

/// In the coding `gzip`.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).and_then(|()| to.finish()).expect("a Vec takes all")
}

/// In the coding `deflate`, as the RFC has it.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).and_then(|()| to.finish()).expect("a Vec takes all")
}

/// In the coding `deflate`, as some servers have it: without zlib's head and checksum.
pub fn bare(bytes: &[u8]) -> Vec<u8> {
    bare_at(bytes, Compression::best())
}

/// The same at any level, of which `none` gives stored blocks.
pub fn bare_at(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut to = DeflateEncoder::new(Vec::new(), level);
    to.write_all(bytes).and_then(|()| to.finish()).expect("a Vec takes all")
}
