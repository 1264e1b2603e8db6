//! Content codings: any bytes at any split, and what flate2 has compressed.
#![no_main]

use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, write};
use libfuzzer_sys::fuzz_target;
use squall::http::inflate::{InflateError, Inflater};
use squall::zlib::PIECE_BYTES_MAX;
use squall_fuzz::cuts::{Cuts, Next, at_any_cut, feed, take_plan};
use std::io::Write;

const BYTES_MAX: u64 = 200_000;

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, bytes)) = take_plan(data) else { return };
    let coding: &[u8] = if options & 1 == 0 { b"gzip" } else { b"Deflate" };
    if options & 2 == 0 {
        let result = at_any_cut(bytes, cuts, |wire, cuts| inflated(wire, cuts, coding, BYTES_MAX));
        assert!(result.is_err() || result.is_ok_and(|bytes| bytes.len() as u64 <= BYTES_MAX));
        return;
    }
    // Something longer than one piece, if that is wanted.
    let plain = bytes.repeat(1 + usize::from(options >> 4) * 40);
    let level = Compression::new(u32::from(options >> 2 & 3) * 3);
    let wire = match (options & 1, options & 16) {
        (0, _) => compressed(GzEncoder::new(Vec::new(), level), &plain, GzEncoder::finish),
        (_, 0) => compressed(ZlibEncoder::new(Vec::new(), level), &plain, ZlibEncoder::finish),
        // Bare data begins with anything, also with what looks like a head of zlib's: not when it is not stored.
        _ => compressed(DeflateEncoder::new(Vec::new(), Compression::best()), &plain, write::DeflateEncoder::finish),
    };
    let bytes_max = plain.len() as u64;
    assert_eq!(at_any_cut(&wire, cuts, |wire, cuts| inflated(wire, cuts, coding, bytes_max)), Ok(plain));
    if bytes_max > 0 {
        let short = at_any_cut(&wire, cuts, |wire, cuts| inflated(wire, cuts, coding, bytes_max - 1));
        assert_eq!(short, Err(InflateError::TooLarge(bytes_max - 1)));
    }
});

fn compressed<W: Write>(mut to: W, plain: &[u8], finish: impl FnOnce(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    to.write_all(plain).and_then(|()| finish(to)).expect("a Vec takes all")
}

fn inflated(wire: &[u8], cuts: Cuts, coding: &[u8], bytes_max: u64) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::for_coding(coding, bytes_max).expect("a coding that is known");
    let mut plain = Vec::new();
    let mut failed = None;
    feed(wire, cuts, |buf, _| match inflater.inflate(buf) {
        Ok(used) => {
            let piece = inflater.piece();
            assert!(piece.len() <= PIECE_BYTES_MAX);
            plain.extend_from_slice(piece);
            assert!(plain.len() as u64 <= bytes_max);
            let starved = used == 0 && piece.is_empty();
            assert!(!starved || buf.is_empty(), "it needs more only if it has used all");
            (used, if starved { Next::Starved } else { Next::Again })
        }
        Err(e) => {
            failed = Some(e);
            (0, Next::Over)
        }
    });
    failed.map_or_else(|| inflater.finish().map(|()| plain), Err)
}
