use super::*;

/// Everything the decoder says about a wire that arrives in two parts: the body, bytes used, the end reached.
fn decoded(wire: &[u8], split: usize) -> Result<(Vec<u8>, usize, bool), ChunkError> {
    decoded_by(&mut Decoder::default(), wire, split)
}

fn decoded_by(decoder: &mut Decoder, wire: &[u8], split: usize) -> Result<(Vec<u8>, usize, bool), ChunkError> {
    let (mut body, mut at) = (Vec::new(), 0);
    for end in [split, wire.len()] {
        loop {
            let (used, piece) = decoder.decode(&wire[at..end])?;
            at += used;
            match piece {
                Some(Piece::Data(bytes)) => {
                    assert!(!bytes.is_empty());
                    body.extend_from_slice(bytes);
                }
                Some(Piece::End) => return Ok((body, at, true)),
                None => break assert_eq!(at, end, "without a piece all is used"),
            }
        }
    }
    Ok((body, at, false))
}

fn refused(wire: &[u8]) -> ChunkError {
    let error = decoded(wire, 0).expect_err("refused");
    for split in 0..=wire.len() {
        assert_eq!(decoded(wire, split), Err(error), "split at {split}");
    }
    error
}

#[test]
fn chunks_are_joined_up_to_the_end_at_any_split() {
    let wire = b"4\r\nWiki\r\n7\r\npedia i\r\nB\r\nn \r\nchunks.\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    for split in 0..=wire.len() {
        let (body, used, ended) = decoded(wire, split).expect("valid");
        assert_eq!(body, b"Wikipedia in \r\nchunks.");
        assert_eq!((used, ended), (wire.len() - 16, true));
    }
}

#[test]
fn extensions_and_trailers_are_skipped_at_any_split() {
    let wire = b"3;name=\"va;lue\"\r\nabc\r\n0a \t; x\r\n0123456789\r\n000;last\r\nExpires: never\r\nX:\r\n\r\n";
    for split in 0..=wire.len() {
        assert_eq!(decoded(wire, split), Ok((b"abc0123456789".to_vec(), wire.len(), true)));
    }
}

#[test]
fn an_unfinished_body_is_not_an_error() {
    let wire = b"5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..wire.len() {
        let (_, used, ended) = decoded(&wire[..end], end / 2).expect("valid so far");
        assert_eq!((used, ended), (end, false));
    }
}

#[test]
fn done_is_repeated_and_uses_nothing() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(b"0\r\n\r\nrest"), Ok((5, Some(Piece::End))));
    assert_eq!(decoder.decode(b"rest"), Ok((0, Some(Piece::End))));
    assert_eq!(decoder.decode(b""), Ok((0, Some(Piece::End))));
}

#[test]
fn sizes_that_are_not_plain_hex_are_refused() {
    for size in ["", "0x5", "+5", "-5", " 5", "5 ", "5\t", "5,5", "5.", "g", "\u{664}", ";x", "5 5", "1_0", "\0"] {
        let wire = format!("{size}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(refused(wire.as_bytes()), ChunkError::BadSize, "{size:?}");
    }
}

#[test]
fn a_size_past_64_bits_is_refused() {
    assert_eq!(refused(b"10000000000000005\r\nhello\r\n"), ChunkError::SizeTooLarge);
    assert_eq!(refused(b"00000000000000005\r\nhello\r\n"), ChunkError::SizeTooLarge);
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(b"ffffFFFFffffFFFF\r\nab"), Ok((20, Some(Piece::Data(b"ab")))));
}

#[test]
fn line_ends_other_than_crlf_are_refused() {
    for wire in ["5;x\nhello\r\n", "5\rhello\r\n", "5\r\rhello", "5\r\nhello\n0\r\n", "5\r\nhello!\r\n", "5;\0\r\n"] {
        assert_eq!(refused(wire.as_bytes()), ChunkError::BadLineEnd, "{wire:?}");
    }
    for wire in ["0\r\n\n", "0\r\nA: b\n\r\n", "0\r\nA: b\rC: d\r\n\r\n", "0\r\n\rX", "0\r\nA: \0\r\n\r\n"] {
        assert_eq!(refused(wire.as_bytes()), ChunkError::BadLineEnd, "{wire:?}");
    }
    assert_eq!(refused(b"5\nhello\r\n0\r\n\r\n"), ChunkError::BadSize);
}

#[test]
fn extensions_are_bounded_by_chunk_and_by_body() {
    let chunk = |extension: u16| format!("1;{}\r\nx\r\n", "e".repeat(usize::from(extension)));
    let line_full = chunk(LINE_BYTES_MAX - 2);
    assert!(decoded(line_full.as_bytes(), 0).is_ok());
    assert_eq!(decoded(chunk(LINE_BYTES_MAX).as_bytes(), 9), Err(ChunkError::ExtensionsTooLong));
    let many = chunk(1023).repeat(usize::from(EXTENSION_BYTES_MAX) / 1024);
    assert!(decoded(many.as_bytes(), 0).is_ok());
    assert_eq!(decoded((many + "1;").as_bytes(), 0), Err(ChunkError::ExtensionsTooLong));
}

#[test]
fn trailers_are_bounded() {
    let wire = |n: u16| format!("0\r\n{}\r\n\r\n", "A: bcdef\r\n".repeat(usize::from(n)));
    assert!(decoded(wire(TRAILER_BYTES_MAX / 8).as_bytes(), 0).is_ok_and(|(_, _, ended)| ended));
    assert_eq!(decoded(wire(TRAILER_BYTES_MAX / 8 + 1).as_bytes(), 0), Err(ChunkError::TrailersTooLong));
}

#[test]
fn what_is_encoded_is_decoded() {
    let body: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let mut wire = Vec::new();
    let mut rest = body.as_slice();
    for size in [0, 1, 9, 10, 15, 16, 17, 255, 256, 4096, 65_535] {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        encode_chunk(piece, &mut wire);
        rest = behind;
    }
    encode_last(&mut wire);
    assert_eq!(decoded(&wire, 0), Ok((body, wire.len(), true)));
    wire.clear();
    encode_chunk(b"0123456789abcdefXYZ", &mut wire);
    assert_eq!(wire, b"13\r\n0123456789abcdefXYZ\r\n");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_decoded_the_same_at_any_split(wire in r"([0-3]{1,2}[;a]?\r?\n[a\r\n]{0,4}){0,6}") {
        let expected = decoded(wire.as_bytes(), 0);
        for split in 0..wire.len() {
            proptest::prop_assert_eq!(&decoded(wire.as_bytes(), split), &expected);
        }
    }
}

#[test]
fn a_decoder_is_small() {
    assert_eq!(size_of::<Decoder>(), 16);
    for error in [ChunkError::BadSize, ChunkError::BadLineEnd, ChunkError::SizeTooLarge] {
        assert!(error.to_string().contains("chunk"));
    }
}

/// What the lenient grammar makes of a wire at any split: the body, and whether a strict reader would refuse it.
fn lenient(wire: &str) -> Result<(String, bool), ChunkError> {
    let at = |split| {
        let mut decoder = Decoder::new(Grammar::Lenient);
        let (body, used, ended) = decoded_by(&mut decoder, wire.as_bytes(), split)?;
        assert!(ended && used == wire.len(), "{wire:?}");
        Ok((String::from_utf8(body).expect("text"), decoder.is_doubtful()))
    };
    let expected = at(0);
    for split in 0..=wire.len() {
        assert_eq!(at(split), expected, "{wire:?} split at {split}");
    }
    expected
}

#[test]
fn lenient_is_padded_sizes_and_bare_lf() {
    for wire in ["5 \r\nhello\r\n0\r\n\r\n", "5\nhello\n0 \t\n\n", "5;a\nhello\r\n0\r\nA: b\nC: d\r\n\n"] {
        assert_eq!(lenient(wire), Ok(("hello".into(), true)), "{wire:?}");
        assert!(decoded(wire.as_bytes(), 0).is_err(), "{wire:?}");
    }
    let strict = "5 ;a=\"b\"\r\nhello\r\n000\r\nA: b\r\n\r\n";
    assert_eq!(lenient(strict), Ok(("hello".into(), false)));
}

#[test]
fn lenient_refuses_what_readers_do_not_agree_on() {
    for size in ["", " 5", "0x5", "+5", "-5", "5 5", "5 x", "g", "5,"] {
        assert_eq!(lenient(&format!("{size}\r\nhello\r\n0\r\n\r\n")), Err(ChunkError::BadSize), "{size:?}");
    }
    assert_eq!(lenient("00000000000000005\nhello"), Err(ChunkError::SizeTooLarge));
    for wire in ["5\rhello", "5\r\r\nhello", "5\r\nhello0\r\n", "5;a\rb\r\n", "5;\0\n", "0\r\nA: \0\n", "0\n\rA"] {
        assert_eq!(lenient(wire), Err(ChunkError::BadLineEnd), "{wire:?}");
    }
    let long = format!("1{}\n", " ".repeat(usize::from(LINE_BYTES_MAX)));
    assert_eq!(decoded_by(&mut Decoder::new(Grammar::Lenient), long.as_bytes(), 0), Err(ChunkError::ExtensionsTooLong));
}

#[test]
fn only_the_last_line_end_may_be_missing() {
    let wire = "5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..wire.len() {
        let mut decoder = Decoder::new(Grammar::Lenient);
        decoded_by(&mut decoder, &wire.as_bytes()[..end], 0).expect("valid so far");
        let lacks_it = ["0\r\n", "b\r\n", "\r\n\r"].iter().any(|last| wire[..end].ends_with(last));
        assert_eq!(decoder.lacks_last_line_end(), lacks_it, "{:?}", &wire[..end]);
    }
}

proptest::proptest! {
    #[test]
    fn lenient_reads_what_strict_reads_and_more(wire in r"([0-3]{1,2} ?[;a]?\r?\n[a\r\n]{0,4}){0,6}") {
        let by = |grammar, split| {
            let mut decoder = Decoder::new(grammar);
            (decoded_by(&mut decoder, wire.as_bytes(), split), decoder.is_doubtful())
        };
        let (strict, lenient) = (by(Grammar::Strict, 0), by(Grammar::Lenient, 0));
        if strict.0.is_ok() {
            proptest::prop_assert_eq!(&lenient, &strict);
        }
        for split in 0..wire.len() {
            proptest::prop_assert_eq!(&by(Grammar::Lenient, split), &lenient);
        }
    }
}
