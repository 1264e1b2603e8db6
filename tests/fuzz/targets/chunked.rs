//! The chunked coding, against a second reading of it that needs all bytes at once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::http::body::{BodyError, BodyReader};
use squall::http::chunked::{encode_chunk, encode_last};
use squall::http::request::Framing;
use squall_fuzz::cuts::{WHOLE, at_any_cut, take_plan};
use squall_fuzz::http::body;

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, wire)) = take_plan(data) else { return };
    let bytes_max = if options & 1 == 0 { u64::MAX } else { u64::from(options) };
    let reader = BodyReader::new(Framing::Chunked, bytes_max);
    let heard = at_any_cut(wire, cuts, |wire, cuts| body(wire, cuts, reader));
    match &heard {
        Ok((bytes, true, used)) => {
            assert!(bytes.len() as u64 <= bytes_max && bytes.len() < *used);
            assert_eq!(read_at_once(wire), Some((bytes.clone(), *used)));
            check_encoding(bytes, options);
        }
        Ok((_, false, used)) => {
            assert_eq!((*used, read_at_once(wire)), (wire.len(), None), "the end is still to come");
        }
        // Sizes, extensions and trailers have limits that the other reading does not know.
        Err(BodyError::TooLarge(_)) => assert!(bytes_max < u64::MAX),
        Err(BodyError::Chunk(_)) => {}
    }
});

/// The body at the front of `wire`, and the bytes it takes there; `None` if it is wrong or not whole.
fn read_at_once(wire: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut rest = wire;
    let mut body = Vec::new();
    loop {
        let line = take_line(&mut rest)?;
        let size = line.split(|byte| b"; \t".contains(byte)).next()?;
        let size = usize::from_str_radix(str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let (data, behind) = rest.split_at_checked(size)?;
        body.extend_from_slice(data);
        rest = behind.strip_prefix(b"\r\n")?;
    }
    while !take_line(&mut rest)?.is_empty() {}
    Some((body, wire.len() - rest.len()))
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let at = rest.windows(2).position(|two| two == b"\r\n")?;
    let line = &rest[..at];
    *rest = &rest[at + 2..];
    Some(line)
}

/// What is encoded in chunks of any size is read as it was.
fn check_encoding(bytes: &[u8], size: u8) {
    let mut wire = Vec::new();
    bytes.chunks(1 + usize::from(size)).for_each(|chunk| encode_chunk(chunk, &mut wire));
    encode_last(&mut wire);
    let reader = BodyReader::new(Framing::Chunked, bytes.len() as u64);
    assert_eq!(body(&wire, WHOLE, reader), Ok((bytes.to_vec(), true, wire.len())));
}
