//! Sessions that have agreed on permessage-deflate.

use super::super::super::deflate::negotiate;
use super::super::super::frame::encode_compressed;
use super::*;
use crate::blocks::BLOCK_BYTES;
use crate::testing::dice::Dice;

const SHARED: &str = "; server_no_context_takeover; client_no_context_takeover";

fn agreement(parameters: &str) -> Agreement {
    let offer = format!("permessage-deflate{parameters}");
    negotiate([offer.as_bytes()].into_iter(), false).expect("an agreement")
}

fn session(parameters: &str, limit: usize) -> Session {
    Session::server(limit).compressed_by(Some(agreement(parameters)))
}

/// Sets RSV1 of a frame.
fn flagged(mut frame: Vec<u8>) -> Vec<u8> {
    frame[0] |= 0x40;
    frame
}

/// What a server hears of `frames`, kept windows or not; the same however they are split.
fn heard_up_to(limit: usize, parameters: &str, frames: &[Vec<u8>]) -> Vec<Said> {
    let wire = frames.concat();
    let said = hear_in_pieces(session(parameters, limit), &[&wire]);
    for split in (0..wire.len()).step_by(1 + wire.len() / 500) {
        let pieces = [&wire[..split], &wire[split..]];
        assert_eq!(hear_in_pieces(session(parameters, limit), &pieces), said, "split at {split}");
    }
    let bytes = wire.chunks(1).collect::<Vec<_>>();
    assert_eq!(hear_in_pieces(session(parameters, limit), &bytes), said, "byte by byte");
    said
}

fn heard(parameters: &str, frames: &[Vec<u8>]) -> Vec<Said> {
    heard_up_to(LIMIT, parameters, frames)
}

/// The payload of one compressed message, without its tail.
fn deflated(message: &[u8], level: u32) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::new(level), false);
    let mut out = Vec::with_capacity(message.len() + message.len() / 8 + 1000);
    compress.compress_vec(message, &mut out, flate2::FlushCompress::Sync).expect("it compresses");
    assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xff, 0xff]);
    out
}

#[test]
fn the_examples_of_the_rfc_are_heard() {
    // RFC 7692 sections 7.2.3.1 to 7.2.3.4.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(heard(SHARED, &[flagged(last(Text, hello))]), [text("Hello")]);
    assert_eq!(heard(SHARED, &[flagged(more(Text, &hello[..3])), last(Continuation, &hello[3..])]), [text("Hello")]);
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(heard("", &[flagged(last(Text, hello)), flagged(last(Text, again))]), [text("Hello"), text("Hello")]);
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(heard(SHARED, &[flagged(last(Text, stored))]), [text("Hello")]);
    // Section 7.2.3.4: a final block; 7.2.3.5: two blocks.
    let finished = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(heard(SHARED, &[flagged(last(Text, finished))]), [text("Hello")]);
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(heard(SHARED, &[flagged(last(Text, two))]), [text("Hello")]);
}

#[test]
fn a_final_block_without_padding_ends_a_message_too() {
    let finished = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for parameters in ["", SHARED] {
        let frames = [flagged(last(Text, finished)), flagged(last(Text, finished)), flagged(last(Text, [0x00]))];
        assert_eq!(heard(parameters, &frames), [text("Hello"), text("Hello"), text("")]);
    }
}

#[test]
fn an_empty_compressed_message_keeps_the_window() {
    let hello = deflated(b"Hello", 6);
    for parameters in ["", SHARED] {
        let frames = [
            flagged(last(Text, "")),
            flagged(last(Text, &hello)),
            flagged(more(Text, "")),
            last(Continuation, ""),
            flagged(last(Text, &hello)),
        ];
        assert_eq!(heard(parameters, &frames), [text(""), text("Hello"), text(""), text("Hello")], "{parameters}");
    }
}

#[test]
fn compressed_and_plain_messages_and_control_frames_mix() {
    let long: String = "hello ".repeat(100);
    let compressed = deflated(long.as_bytes(), 6);
    let (start, end) = compressed.split_at(5);
    let frames = [
        last(Text, "plain"),
        flagged(more(Text, start)),
        last(Ping, "?"),
        more(Continuation, ""),
        last(Continuation, end),
        last(Binary, "plain"),
        flagged(more(Binary, "")),
        last(Continuation, &compressed),
    ];
    let said = [text("plain"), Said::Ping(b"?".into()), text(&long), binary(b"plain"), binary(long.as_bytes())];
    assert_eq!(heard(SHARED, &frames), said);
}

#[test]
fn rsv1_is_for_the_first_frame_of_an_agreed_message_only() {
    let refused = [Said::Wrong(protocol("reserved bit set"))];
    assert_eq!(hear_in_pieces(Session::server(LIMIT), &[&flagged(last(Text, [0]))]), refused);
    for frame in [flagged(last(Ping, "")), flagged(last(Close, "")), flagged(last(Continuation, ""))] {
        assert_eq!(heard(SHARED, &[frame]), refused);
    }
    assert_eq!(heard(SHARED, &[flagged(more(Text, [0])), flagged(last(Continuation, ""))]), refused);
    assert_eq!(heard(SHARED, &[flagged(flagged(vec![0x21 | 0x80, 0x80, 0, 0, 0, 0]))]), refused, "RSV2");
}

#[test]
fn what_is_not_deflate_is_broken_data() {
    for payload in [&[0x06][..], &[0xff; 20], &[0x00, 0x05, 0x00, 0x05, 0x00], b"hello"] {
        for parameters in ["", SHARED] {
            let said = heard(parameters, &[flagged(last(Binary, payload))]);
            assert_eq!(said, [Said::Wrong(WsError::NotDeflate)], "{payload:x?}");
        }
    }
    // A distance that leads back behind a window that was not kept.
    let frames = [flagged(last(Text, deflated(b"Hello", 6))), flagged(last(Text, [0xf2, 0x00, 0x11, 0x00, 0x00]))];
    assert_eq!(heard(SHARED, &frames), [text("Hello"), Said::Wrong(WsError::NotDeflate)]);
}

#[test]
fn text_is_checked_as_it_is_inflated() {
    let wrong = [Said::Wrong(WsError::NotUtf8)];
    assert_eq!(heard(SHARED, &[flagged(last(Text, deflated(b"ab\xff", 6)))]), wrong);
    assert_eq!(heard(SHARED, &[flagged(more(Text, deflated(b"ab\xc0", 6)))]), wrong, "before the message ends");
    assert_eq!(heard(SHARED, &[flagged(last(Text, deflated("水".as_bytes().split_at(2).0, 6)))]), wrong);
    assert_eq!(heard(SHARED, &[flagged(last(Binary, deflated(b"\xff", 6)))]), [binary(b"\xff")]);
}

#[test]
fn a_bomb_costs_one_piece_of_memory() {
    let bomb = deflated(&vec![0; 64 << 20], 9);
    assert!(bomb.len() < 70_000);
    for parameters in ["", SHARED] {
        for limit in [1000, 100_000, 16 << 20] {
            let (mut session, mut codec) = (session(parameters, limit), codec());
            let (mut wire, mut at) = (flagged(last(Binary, &bomb)), 0);
            let error = loop {
                match session.receive(&mut wire[at..], &mut codec) {
                    Ok((used, None)) => at += used,
                    Ok(said) => panic!("{said:?}"),
                    Err(error) => break error,
                }
                let made = codec.take_work();
                assert!(made <= 2 * PIECE_BYTES_MAX, "{made} bytes in one step");
                assert!(session.buffered() <= limit + 2 * BLOCK_BYTES, "{}", session.buffered());
            };
            assert_eq!(error, WsError::TooBig);
            assert_eq!(session.buffered(), 0);
        }
    }
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_not_a_byte_longer() {
    let most: Vec<u8> = (0..LIMIT).map(|i| (i * i % 251) as u8).collect();
    for level in [0, 1, 9] {
        assert_eq!(heard(SHARED, &[flagged(last(Binary, deflated(&most, level)))]), [binary(&most)], "level {level}");
        let longer = [&most[..], b"x"].concat();
        let said = heard(SHARED, &[flagged(last(Binary, deflated(&longer, level)))]);
        assert_eq!(said, [Said::Wrong(WsError::TooBig)], "level {level}");
    }
}

#[test]
fn of_two_faults_in_one_piece_the_first_is_told_issue_4() {
    for (wrong, error) in [(10, WsError::NotUtf8), (LIMIT - 1, WsError::NotUtf8), (LIMIT, WsError::TooBig)] {
        let mut text = vec![b'a'; LIMIT + 100];
        text[wrong] = 0xff;
        assert_eq!(heard(SHARED, &[flagged(last(Text, deflated(&text, 6)))]), [Said::Wrong(error)], "at {wrong}");
    }
}

#[test]
fn compressed_bytes_that_give_nothing_have_a_limit_too() {
    let empty = [0, 0, 0, 0xff, 0xff].repeat(100);
    let frames: Vec<_> = std::iter::once(flagged(more(Text, &empty)))
        .chain(std::iter::repeat_n(more(Continuation, &empty), 20))
        .collect();
    assert_eq!(heard(SHARED, &frames), [Said::Wrong(WsError::TooBig)]);
    let mut header = vec![0xc2, 0xfe, 0x04, 0xa6, 0, 0, 0, 0];
    assert_eq!(session(SHARED, LIMIT).receive(&mut header, &mut codec()), Err(WsError::TooBig), "1190 bytes for 1000");
}

#[test]
fn any_text_comes_through_in_pieces_larger_than_a_step() {
    let limit = 1 << 20;
    for message in [Dice::new(1).noise(200_000), vec![7; 500_000]] {
        for level in [0, 1, 9] {
            let mut frames = vec![flagged(more(Binary, ""))];
            frames.extend(deflated(&message, level).chunks(30_000).map(|piece| more(Continuation, piece)));
            frames.push(last(Continuation, ""));
            let wire = frames.concat();
            for size in [wire.len(), 10_000, 4096, 999] {
                let pieces: Vec<_> = wire.chunks(size).collect();
                assert!(hear_in_pieces(session(SHARED, limit), &pieces) == [binary(&message)], "{level} {size}");
            }
        }
    }
}

#[test]
fn sessions_share_one_inflater_which_is_counted_while_lent() {
    let hello = deflated("hello ".repeat(50).as_bytes(), 6);
    let (mut one, mut other, mut codec) = (session(SHARED, LIMIT), session(SHARED, LIMIT), codec());
    assert_eq!(one.agreement().map(Agreement::to_field), Some(format!("permessage-deflate{SHARED}")));
    let mut half = flagged(more(Text, &hello[..6]));
    one.receive(&mut half, &mut codec).expect("a half");
    assert!(one.buffered() > 40_000, "it holds an inflater: {}", one.buffered());
    let mut whole = flagged(last(Text, &hello));
    let (used, event) = other.receive(&mut whole, &mut codec).expect("a whole one");
    assert_eq!((used, matches!(event, Some(WsEvent::Message(..)))), (6 + hello.len(), true));
    assert_eq!(other.buffered(), 0);
    let mut again = flagged(last(Text, &hello));
    assert!(matches!(other.receive(&mut again, &mut codec), Ok((_, Some(WsEvent::Message(..))))), "it serves again");
    let mut rest = last(Continuation, &hello[6..]);
    let event = one.receive(&mut rest, &mut codec).expect("the rest").1;
    let Some(WsEvent::Message(Kind::Text, payload)) = event else { panic!("no text: {event:?}") };
    assert_eq!(payload.to_vec(), "hello ".repeat(50).as_bytes());
    assert_eq!(one.buffered(), 0);
}

#[test]
fn after_our_close_nothing_is_inflated_any_more() {
    let mut session = session("", LIMIT);
    session.receive(&mut flagged(more(Text, deflated(b"hello", 6))), &mut codec()).expect("a beginning");
    session.on_close_sent();
    assert_eq!(session.buffered(), 0);
    let mut said = Vec::new();
    let wire = [last(Continuation, [0xff; 50]), flagged(last(Text, [0xff; 50])), last(Close, "")].concat();
    hear(&mut session, &mut Vec::new(), &wire, &mut said);
    assert_eq!(said, [Said::Close(None, String::new())]);
}

#[test]
fn our_close_inside_a_compressed_character_is_no_error() {
    let mut session = session("", LIMIT);
    let cut = deflated(&"水".as_bytes()[..2], 6);
    session.receive(&mut flagged(more(Text, cut)), &mut codec()).expect("a beginning");
    session.on_close_sent();
    let mut said = Vec::new();
    hear(&mut session, &mut Vec::new(), &[last(Continuation, [0]), last(Close, "")].concat(), &mut said);
    assert_eq!(said, [Said::Close(None, String::new())]);
}

/// Sends messages from one session's deflater to a client that agreed on the same; returns the size of each
/// frame.
fn sent(parameters: &str, messages: &[&[u8]]) -> Vec<usize> {
    let (mut server, mut codec) = (session(parameters, 1 << 20), codec());
    let theirs = agreement(parameters);
    // To the client, what the server sends is what it receives.
    let mirrored = Agreement { client: theirs.server, server: theirs.client, shared: false };
    let mut client = Session::client(2 << 20).compressed_by(Some(mirrored));
    let mut sizes = vec![];
    for message in messages {
        let mut wire = Vec::new();
        match server.deflate(message, &mut codec) {
            Some(deflated) => encode_compressed(Binary, deflated, &mut wire),
            None => encode(Binary, message, &mut wire),
        }
        sizes.push(wire.len());
        let mut said = Vec::new();
        hear(&mut client, &mut Vec::new(), &wire, &mut said);
        assert!(said == [binary(message)], "{parameters}: {} bytes", message.len());
    }
    sizes
}

#[test]
fn what_a_session_deflates_its_peer_inflates() {
    let noise = Dice::new(1).noise(5000);
    let words = "the quick brown fox jumps over the lazy dog ".repeat(30);
    let messages =
        [&b""[..], b"short", words.as_bytes(), words.as_bytes(), &noise, &noise, &[0; 300_000], words.as_bytes()];
    for server in ["", "; server_no_context_takeover"] {
        for bits in 9..=15 {
            sent(&format!("{server}; server_max_window_bits={bits}"), &messages);
        }
    }
}

#[test]
fn a_kept_window_saves_what_was_said_before() {
    let words: String = (0..40).map(|i| format!("word{} ", i * 7919 % 1000)).collect();
    let kept = sent("", &[words.as_bytes(), words.as_bytes()]);
    assert!(kept[1] < kept[0] / 5, "{kept:?}");
    let shared = sent(SHARED, &[words.as_bytes(), words.as_bytes()]);
    assert_eq!((shared[0], shared[1]), (kept[0], kept[0]));
}

#[test]
fn short_long_and_dense_messages_are_sent_as_they_are() {
    let (mut codec, limits) = (codec(), Limits::default());
    let noise = Dice::new(1).noise(500);
    assert!(codec.deflate(&vec![0; limits.deflate_bytes_min]).is_some());
    assert!(codec.deflate(&vec![0; limits.deflate_bytes_min - 1]).is_none());
    assert!(codec.deflate(&vec![0; limits.deflate_bytes_max]).is_some());
    assert!(codec.deflate(&vec![0; limits.deflate_bytes_max + 1]).is_none());
    assert!(codec.deflate(&noise).is_none());
    let small = agreement("; server_max_window_bits=9").to_shared();
    let mut session = Session::server(LIMIT).compressed_by(Some(small));
    assert!(session.deflate(&[0; 500], &mut codec).is_none(), "the deflater of all has too large a window");
}

#[test]
fn a_message_that_grows_is_sent_uncompressed() {
    let noise = Dice::new(1).noise(500);
    let forgetful = sent("; server_no_context_takeover; server_max_window_bits=10", &[&noise]);
    assert_eq!(forgetful, [4 + noise.len()]);
}

#[test]
fn an_empty_message_is_never_compressed_whatever_the_limit() {
    let mut codec = Codec::new(&Limits { deflate_bytes_min: 0, ..Limits::default() });
    let mut session = session("", LIMIT);
    for _ in 0..2 {
        assert_eq!(session.deflate(b"", &mut codec), None);
    }
    assert_eq!(codec.deflate(b""), None);
}

#[test]
fn a_stream_that_ends_counts_as_work() {
    let ends = [3, 0].repeat(1000);
    for parameters in ["", "; client_max_window_bits=9", SHARED] {
        let (mut session, mut codec) = (session(parameters, 16 << 10), codec());
        let mut wire = flagged(last(Binary, &ends));
        let said = session.receive(&mut wire, &mut codec).expect("no bytes in a thousand streams").1;
        assert!(matches!(said, Some(WsEvent::Message(Kind::Binary, payload)) if payload.is_empty()));
        assert!(codec.take_work() >= 100_000, "{parameters}");
    }
}

proptest! {
    #[test]
    fn any_payload_in_any_pieces_says_the_same(
        message in prop::collection::vec(prop::sample::select(vec![b'a', b'b', 0xff, 0xc3]), 0..400),
        kind in prop::sample::select(vec![Text, Binary]),
        flip in prop::option::of(any::<prop::sample::Index>()),
        cut in any::<prop::sample::Index>(),
        keeps in any::<bool>(),
    ) {
        let mut payload = deflated(&message, 6);
        if let Some(flip) = flip {
            let bit = flip.index(8 * payload.len());
            payload[bit / 8] ^= 1 << (bit % 8);
        }
        let (start, end) = payload.split_at(cut.index(payload.len() + 1));
        let parameters = if keeps { "" } else { SHARED };
        let frames = [flagged(more(kind, start)), last(Continuation, end), flagged(last(kind, &payload))];
        heard(parameters, &frames);
    }
}
