//! Bodies whose content coding is taken off.

use super::*;
use crate::http::inflate::testing::{bare, gzip, zlib};
use crate::zlib::PIECE_BYTES_MAX;

/// How a response says where its body ends.
#[derive(Debug, Clone, Copy)]
enum Framed {
    Length,
    /// In chunks of this many bytes.
    Chunks(usize),
    UntilClose,
}

const FRAMED: [Framed; 4] = [Framed::Length, Framed::Chunks(1), Framed::Chunks(7), Framed::UntilClose];

fn response(fields: &str, body: &[u8], framed: Framed) -> Vec<u8> {
    let mut wire = format!("HTTP/1.1 200 OK\r\n{fields}").into_bytes();
    match framed {
        Framed::Length => {
            wire.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            wire.extend_from_slice(body);
        }
        Framed::Chunks(size) => {
            wire.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            body.chunks(size).for_each(|chunk| crate::http::chunked::encode_chunk(chunk, &mut wire));
            crate::http::chunked::encode_last(&mut wire);
        }
        Framed::UntilClose => {
            wire.extend_from_slice(b"\r\n");
            wire.extend_from_slice(body);
        }
    }
    wire
}

/// Reads at every split with decoding.
fn decoded_with(wire: &[u8], limits: &Limits) -> Result<Response, ExchangeError> {
    let expected = read_split(wire, 0, Exchange::new(false, true), limits);
    for split in 0..=wire.len() {
        assert_eq!(read_split(wire, split, Exchange::new(false, true), limits), expected, "split at {split}");
    }
    expected
}

fn decoded(wire: &[u8]) -> Result<Vec<u8>, ExchangeError> {
    decoded_with(wire, &Limits::default()).map(|response| response.body)
}

const TEXT: &[u8] = b"to be, or not to be, that is the question: whether to be or not to be";

#[test]
fn a_coding_is_taken_off_however_the_body_is_framed() {
    for framed in FRAMED {
        for (coding, body) in [
            ("gzip", gzip(TEXT)),
            ("X-GZip", gzip(TEXT)),
            ("deflate", zlib(TEXT)),
            ("deflate", bare(TEXT)),
            ("gzip", [gzip(&TEXT[..20]), gzip(b""), gzip(&TEXT[20..])].concat()),
            ("gzip", [gzip(TEXT), b"\0\0".to_vec()].concat()),
            ("deflate", [zlib(TEXT), b"\r\n".to_vec()].concat()),
        ] {
            let wire = response(&format!("Content-Encoding: {coding}\r\n"), &body, framed);
            let got = decoded_with(&wire, &Limits::default()).expect("valid");
            assert_eq!((got.body.as_slice(), got.used), (TEXT, wire.len()), "{coding} {framed:?}");
            assert_eq!(got.kept, !matches!(framed, Framed::UntilClose));
        }
    }
}

#[test]
fn content_length_counts_compressed_bytes() {
    let body = gzip(TEXT);
    let wire = [response("Content-Encoding: gzip\r\n", &body, Framed::Length), b"HTTP/1.1 ".to_vec()].concat();
    let got = decoded_with(&wire, &Limits::default()).expect("valid");
    assert_eq!((got.length, got.used, got.body.as_slice()), (Some(body.len() as u64), wire.len() - 9, TEXT));
}

#[test]
fn other_codings_and_several_of_them_are_passed_through() {
    let body = gzip(TEXT);
    for fields in [
        "",
        "Content-Encoding: br\r\n",
        "Content-Encoding: identity\r\n",
        "Content-Encoding:\r\n",
        "Content-Encoding: gzip, gzip\r\n",
        "Content-Encoding: gzip\r\nContent-Encoding: identity\r\n",
        "Content-Encoding: gzip;q=1\r\n",
    ] {
        assert_eq!(decoded(&response(fields, &body, Framed::Length)), Ok(body.clone()), "{fields:?}");
    }
    let wire = response("Content-Encoding: gzip\r\n", &body, Framed::Length);
    let plain = read_split(&wire, 0, Exchange::new(false, false), &Limits::default());
    assert_eq!(plain.map(|response| response.body), Ok(body), "unless asked for");
}

#[test]
fn where_there_is_no_body_nothing_is_taken_off() {
    let wire = response("Content-Encoding: gzip\r\n", b"", Framed::Length);
    assert_eq!(decoded(&wire), Ok(vec![]), "nothing is compressed to nothing");
    for framed in FRAMED {
        assert_eq!(decoded(&response("Content-Encoding: deflate\r\n", b"", framed)), Ok(vec![]), "{framed:?}");
    }
    for (status, head) in [("200 OK", true), ("204 No Content", false), ("304 Not Modified", false)] {
        let wire = format!("HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\nx");
        let got = read_split(wire.as_bytes(), 0, Exchange::new(head, true), &Limits::default()).expect("valid");
        assert_eq!((got.body.len(), got.used, got.kept), (0, wire.len() - 1, true), "{status}");
    }
}

#[test]
fn a_broken_or_cut_coding_is_an_error_in_any_framing() {
    let whole = gzip(TEXT);
    let mut wrong = whole.clone();
    wrong[whole.len() - 5] ^= 1;
    for (body, error) in [
        (&whole[..whole.len() - 1], InflateError::Truncated),
        (&whole[..1], InflateError::Truncated),
        (&wrong, InflateError::Broken("incorrect data check")),
        (TEXT, InflateError::Broken("incorrect header check")),
    ] {
        for framed in FRAMED {
            let wire = response("Content-Encoding: gzip\r\n", body, framed);
            assert_eq!(decoded(&wire), Err(ExchangeError::Coding(error)), "{framed:?}");
        }
    }
    let wire = response("Content-Encoding: gzip\r\n", &whole, Framed::Length);
    assert_eq!(decoded(&wire[..wire.len() - 1]), Err(ExchangeError::EarlyEof(Stage::Body)));
}

#[test]
fn a_bomb_costs_one_piece_of_memory_and_ends_at_the_limit() {
    let body = gzip(&vec![0; 4 << 20]);
    let wire = response("Content-Encoding: gzip\r\n", &body, Framed::Length);
    let limits = Limits { inflated_bytes_max: 1 << 20, ..Limits::default() };
    let mut exchange = Exchange::new(false, true);
    let (mut at, mut inflated) = (0, 0);
    let error = loop {
        match exchange.receive(&wire[at..], false, &limits) {
            Ok((used, event)) => {
                at += used;
                if let Some(ExchangeEvent::Body(piece)) = event {
                    assert!(piece.len() <= PIECE_BYTES_MAX);
                    inflated += piece.len();
                }
            }
            Err(e) => break e,
        }
    };
    assert_eq!((error, inflated), (ExchangeError::Coding(InflateError::TooLarge(1 << 20)), 1 << 20));
    assert!(at < wire.len() / 2, "what is not used yet waits in the buffer: {at} of {}", wire.len());
    let roomy = Limits { inflated_bytes_max: 4 << 20, ..Limits::default() };
    let got = read_split(&wire, 100, Exchange::new(false, true), &roomy).expect("just as large as it may be");
    assert_eq!(got.body.len(), 4 << 20);
}

#[test]
fn what_compressed_bytes_stand_for_comes_without_further_input() {
    let body = gzip(&[7; 3 * PIECE_BYTES_MAX]);
    let wire = response("Content-Encoding: gzip\r\n", &body, Framed::Length);
    // All but the last bytes of the checksum are there, and no more will come for a while.
    let (mut exchange, mut at, mut inflated) = (Exchange::new(false, true), 0, 0);
    loop {
        let result = exchange.receive(&wire[at..wire.len() - 4], false, &Limits::default());
        let (used, event) = result.expect("valid");
        at += used;
        match event {
            Some(ExchangeEvent::Body(piece)) => inflated += piece.len(),
            None if used == 0 => break,
            _ => {}
        }
    }
    assert_eq!((at, inflated), (wire.len() - 4, 3 * PIECE_BYTES_MAX));
}

proptest::proptest! {
    #[test]
    fn any_body_comes_out_as_it_went_in(
        pieces in proptest::collection::vec((proptest::collection::vec(0u8..4, 0..300), 1usize..400), 0..5),
        coding in 0usize..3,
        chunk in 1usize..60,
        framing in 0usize..3,
    ) {
        let body: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let (name, coded) = [("gzip", gzip(&body)), ("deflate", zlib(&body)), ("deflate", bare(&body))][coding].clone();
        let framed = [Framed::Length, Framed::Chunks(chunk), Framed::UntilClose][framing];
        let wire = response(&format!("Content-Encoding: {name}\r\n"), &coded, framed);
        for split in (0..=wire.len()).step_by(1 + wire.len() / 16) {
            let got = read_split(&wire, split, Exchange::new(false, true), &Limits::default());
            let got = got.map(|response| response.body.len() == body.len() && response.body == body);
            proptest::prop_assert_eq!(got, Ok(true), "split at {}", split);
        }
    }
}
