use super::testing::{bare, bare_at, gzip, zlib};
use super::*;
use crate::zlib::PIECE_BYTES_MAX;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::Write;

/// What comes out of `wire` in parts of this many bytes.
fn inflated_by(coding: &str, wire: &[u8], size: usize, bytes_max: u64) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::for_coding(coding.as_bytes(), bytes_max).expect("known");
    let mut out = Vec::new();
    for part in wire.chunks(size) {
        let mut at = 0;
        loop {
            let used = inflater.inflate(&part[at..])?;
            at += used;
            assert!(inflater.piece().len() <= PIECE_BYTES_MAX);
            out.extend_from_slice(inflater.piece());
            if used == 0 && inflater.piece().is_empty() {
                break assert_eq!(at, part.len(), "starved only of what is not there");
            }
        }
    }
    inflater.finish().map(|()| out)
}

/// The same in parts of any size.
fn inflated(coding: &str, wire: &[u8]) -> Result<Vec<u8>, InflateError> {
    let expected = inflated_by(coding, wire, wire.len().max(1), u64::MAX);
    for size in 1..=wire.len().min(100) {
        assert_eq!(inflated_by(coding, wire, size, u64::MAX), expected, "in parts of {size} bytes");
    }
    expected
}

fn broken(why: &'static str) -> Result<Vec<u8>, InflateError> {
    Err(InflateError::Broken(why))
}

#[test]
fn each_coding_is_taken_off_in_parts_of_any_size() {
    for text in [b"".as_slice(), b"a", b"hello hello hello hello hello", &[0; 100_000]] {
        let text = text.to_vec();
        assert_eq!(inflated("gzip", &gzip(&text)), Ok(text.clone()));
        assert_eq!(inflated(" X-GZIP ", &gzip(&text)), Ok(text.clone()));
        assert_eq!(inflated("deflate", &zlib(&text)), Ok(text.clone()));
        for level in [Compression::none(), Compression::fast(), Compression::best()] {
            assert_eq!(
                inflated("deflate", &bare_at(&text, level)),
                Ok(text.clone()),
                "without a zlib header, {level:?}"
            );
        }
    }
}

#[test]
fn codings_that_are_not_known_have_no_inflater() {
    for coding in ["", "br", "zstd", "compress", "identity", "gzip, gzip", "gzip,", "gzipped", "x-deflate"] {
        assert!(Inflater::for_coding(coding.as_bytes(), 1).is_none(), "{coding:?}");
    }
    assert_eq!(CODINGS, Some("gzip, deflate"));
}

#[test]
fn the_members_of_a_gzip_file_are_one_body() {
    let wire = [gzip(b"one "), gzip(b""), gzip(b"two "), gzip(&[b'x'; 40_000])].concat();
    assert_eq!(inflated("gzip", &wire), Ok([b"one two ".as_slice(), &[b'x'; 40_000]].concat()));
}

#[test]
fn a_member_may_end_with_a_full_piece() {
    for length in PIECE_BYTES_MAX - 2..=PIECE_BYTES_MAX + 2 {
        for level in [Compression::none(), Compression::best()] {
            let mut to = GzEncoder::new(Vec::new(), level);
            let member = to.write_all(&vec![7; length]).and_then(|()| to.finish()).expect("a Vec takes all");
            let wire = [member.as_slice(), &gzip(b"next")].concat();
            for split in member.len() - 12..=member.len() + 2 {
                let got = inflated_by("gzip", &wire, split, u64::MAX).expect("valid");
                assert_eq!((got.len(), &got[length..]), (length + 4, b"next".as_slice()), "{length} {split}");
            }
        }
    }
}

#[test]
fn everything_that_a_gzip_header_may_hold_is_skipped() {
    let builder = GzBuilder::new().extra([1, 2, 3]).filename("a").comment("b").mtime(1);
    let mut to = builder.write(Vec::new(), Compression::fast());
    let wire = to.write_all(b"hello").and_then(|()| to.finish()).expect("a Vec takes all");
    assert_eq!(inflated("gzip", &wire), Ok(b"hello".to_vec()));
}

#[test]
fn an_empty_body_is_whole_and_a_partial_one_truncated() {
    for (coding, wire) in [
        ("gzip", gzip(b"hello")),
        ("deflate", zlib(b"hello")),
        ("deflate", bare(b"hello")),
        ("gzip", [gzip(b""), gzip(b"hello")].concat()),
    ] {
        assert_eq!(inflated(coding, b""), Ok(vec![]));
        let member_end = gzip(b"").len();
        for end in 1..wire.len() {
            let whole = coding == "gzip" && end == member_end && wire.len() > 2 * member_end;
            let expected = if whole { Ok(vec![]) } else { Err(InflateError::Truncated) };
            assert_eq!(inflated(coding, &wire[..end]), expected, "{coding} {end}");
        }
    }
}

#[test]
fn a_wrong_checksum_or_length_is_found() {
    let turned = |mut wire: Vec<u8>, from_end: usize| {
        let at = wire.len() - from_end;
        wire[at] ^= 1;
        wire
    };
    for from_end in 5..=8 {
        assert_eq!(inflated("gzip", &turned(gzip(b"hello"), from_end)), broken("incorrect data check"));
    }
    for from_end in 1..=4 {
        assert_eq!(inflated("gzip", &turned(gzip(b"hello"), from_end)), broken("incorrect length check"));
        assert_eq!(inflated("deflate", &turned(zlib(b"hello"), from_end)), broken("incorrect data check"));
    }
}

#[test]
fn data_in_another_format_is_refused() {
    assert_eq!(inflated("gzip", b"<html>hello</html>"), broken("incorrect header check"));
    assert_eq!(inflated("gzip", &zlib(b"hello")), broken("incorrect header check"));
    assert_eq!(inflated("deflate", &gzip(b"hello")), broken("invalid data"));
    assert_eq!(inflated("deflate", b"x\x00hello"), broken("incorrect header check"));
    assert_eq!(inflated("deflate", b"\x78\xbb\x00\x00\x00\x01abc"), broken("it needs a dictionary"));
}

#[test]
fn what_follows_the_end_is_ignored() {
    let long = [7; 100];
    for behind in
        [b"\0".as_slice(), b"\0\0\0\0", b"\n", b"junk", b"\x1fjunk", b"\x1f\x8bjunk", b"\x1f\x1f\x8b\x08", &long]
    {
        for (coding, body) in [("gzip", gzip(b"hello")), ("deflate", zlib(b"hello")), ("deflate", bare(b"hello"))] {
            let wire = [body.as_slice(), behind].concat();
            assert_eq!(inflated(coding, &wire), Ok(b"hello".to_vec()), "{coding} {behind:?}");
        }
    }
    assert_eq!(inflated("deflate", &[zlib(b"hello"), zlib(b"hello")].concat()), Ok(b"hello".to_vec()));
    let padded = [gzip(b"hello "), gzip(b"world"), b"junk".to_vec(), gzip(b"!")].concat();
    assert_eq!(inflated("gzip", &padded), Ok(b"hello world".to_vec()));
}

#[test]
fn a_further_member_must_be_right_and_whole() {
    let with = |second: &[u8]| inflated("gzip", &[gzip(b"hello").as_slice(), second].concat());
    let second = gzip(b"world");
    for end in 1..second.len() {
        assert_eq!(with(&second[..end]), Err(InflateError::Truncated), "{end} bytes");
    }
    let mut wrong = second.clone();
    wrong[second.len() - 1] ^= 1;
    assert_eq!(with(&wrong), broken("incorrect length check"));
    assert_eq!(with(b"\x1f\x8b\x08\xe0........"), broken("invalid data"), "unknown flags");
}

#[test]
fn more_than_the_limit_is_refused_in_all_members_together() {
    let wire = [gzip(&[0; 60_000]), gzip(&[0; 40_000])].concat();
    for size in [1, 7, wire.len()] {
        assert_eq!(inflated_by("gzip", &wire, size, 100_000).map(|out| out.len()), Ok(100_000));
        assert_eq!(inflated_by("gzip", &wire, size, 99_999), Err(InflateError::TooLarge(99_999)));
    }
}

#[test]
fn empty_input_makes_no_output() {
    let mut inflater = Inflater::for_coding(b"gzip", 1).expect("known");
    assert_eq!((inflater.inflate(b""), inflater.piece()), (Ok(0), b"".as_slice()));
    assert_eq!(inflater.finish(), Ok(()));
}

#[test]
fn errors_are_sentences() {
    for (error, text) in [
        (InflateError::Broken("x"), "its gzip or deflate coding is broken: x"),
        (InflateError::Truncated, "its gzip or deflate coding ends too early"),
        (InflateError::TooLarge(5), "its body is longer than 5 bytes when inflated"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_inflate_the_same_in_parts_of_any_size(
        text in proptest::collection::vec(0u8..3, 0..80),
        at in 0usize..100,
        flip in 1u8..=255,
        coding in 0usize..3,
    ) {
        let (name, mut wire) =
            [("gzip", gzip(&text)), ("deflate", zlib(&text)), ("deflate", bare(&text))][coding].clone();
        let at = at % wire.len();
        wire[at] ^= flip;
        let _ = inflated(name, &wire);
    }
}
