use super::super::frame::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX, encode, encode_close, encode_masked};
use super::*;
use crate::ws::Limits;
use Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
use proptest::prelude::*;

const LIMIT: usize = 1000;

/// An event that owns what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Wrong(WsError),
}

fn codec() -> Codec {
    Codec::new(&Limits::default())
}

fn text(text: &str) -> Said {
    Said::Message(Kind::Text, text.into())
}

fn binary(bytes: &[u8]) -> Said {
    Said::Message(Kind::Binary, bytes.into())
}

fn frame_with(fin: bool, opcode: Opcode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_masked(opcode, fin, [0x37, 0xfa, 0x21, 0x3d], payload.as_ref(), &mut out);
    out
}

/// A client's last, or only, frame.
fn last(opcode: Opcode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame_with(true, opcode, payload)
}

/// A client's frame that others follow.
fn more(opcode: Opcode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame_with(false, opcode, payload)
}

/// Plays the connection: hands on what a read brought, keeps what the session leaves, until an error.
fn hear(session: &mut Session, kept: &mut Vec<u8>, read: &[u8], said: &mut Vec<Said>) {
    kept.extend_from_slice(read);
    let mut at = 0;
    while at < kept.len() {
        let (used, event) = match session.receive(&mut kept[at..], &mut codec()) {
            Ok(step) => step,
            Err(error) => {
                kept.clear();
                return said.push(Said::Wrong(error));
            }
        };
        match event {
            Some(WsEvent::Message(kind, payload)) => said.push(Said::Message(kind, payload.to_vec())),
            Some(WsEvent::Ping(bytes)) => said.push(Said::Ping(bytes.into())),
            Some(WsEvent::Pong(bytes)) => said.push(Said::Pong(bytes.into())),
            Some(WsEvent::Close(code, why)) => said.push(Said::Close(code, str::from_utf8(why).unwrap().into())),
            None if used == 0 => break,
            None => {}
        }
        at += used;
    }
    kept.drain(..at);
    assert!(kept.len() < HEADER_BYTES_MAX + CONTROL_BYTES_MAX, "only a header or a control frame is left unread");
}

fn hear_in_pieces(mut session: Session, pieces: &[&[u8]]) -> Vec<Said> {
    let (mut kept, mut said) = (Vec::new(), Vec::new());
    for piece in pieces {
        hear(&mut session, &mut kept, piece, &mut said);
    }
    said
}

/// What a server hears of `frames`; the same however they are split.
fn heard(frames: &[Vec<u8>]) -> Vec<Said> {
    let wire = frames.concat();
    let server = || Session::server(LIMIT);
    let said = hear_in_pieces(server(), &[&wire]);
    for split in 0..wire.len() {
        assert_eq!(hear_in_pieces(server(), &[&wire[..split], &wire[split..]]), said, "split at {split}");
    }
    assert_eq!(hear_in_pieces(server(), &wire.chunks(1).collect::<Vec<_>>()), said, "byte by byte");
    said
}

fn refused(frames: &[Vec<u8>]) -> WsError {
    match heard(frames)[..] {
        [.., Said::Wrong(error)] => error,
        ref said => panic!("nothing wrong with {said:?}"),
    }
}

fn protocol(why: &'static str) -> WsError {
    WsError::Protocol(why)
}

#[test]
fn the_examples_of_the_rfc_are_heard() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(heard(&[hello.to_vec()]), [text("Hello")]);
    let unmasked = b"\x81\x05Hello\x01\x03Hel\x80\x02lo\x89\x05Hello";
    let said = hear_in_pieces(Session::client(LIMIT), &[unmasked]);
    assert_eq!(said, [text("Hello"), text("Hello"), Said::Ping(b"Hello".to_vec())]);
    let masked_pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(heard(&[masked_pong.to_vec()]), [Said::Pong(b"Hello".to_vec())]);
}

#[test]
fn messages_of_all_sizes_and_kinds_come_in_order() {
    let long = "x".repeat(300);
    let frames = [last(Text, ""), last(Binary, ""), last(Text, "水"), last(Binary, b"\xff\0"), last(Text, &long)];
    assert_eq!(heard(&frames), [text(""), binary(b""), text("水"), binary(b"\xff\0"), text(&long)]);
}

#[test]
fn fragments_make_one_message_also_empty_ones() {
    let frames = [more(Text, ""), more(Continuation, "hel"), more(Continuation, ""), last(Continuation, "lo")];
    assert_eq!(heard(&frames), [text("hello")]);
    assert_eq!(heard(&[more(Binary, ""), last(Continuation, "")]), [binary(b"")]);
    assert_eq!(
        heard(&[more(Binary, b"\xff"), last(Continuation, b"\xfe"), last(Text, "a")]),
        [binary(b"\xff\xfe"), text("a")]
    );
}

#[test]
fn a_ping_between_two_fragments_leaves_the_message_alone() {
    let frames = [more(Text, "hel"), last(Ping, "?"), last(Pong, ""), last(Continuation, "lo")];
    assert_eq!(heard(&frames), [Said::Ping(b"?".to_vec()), Said::Pong(vec![]), text("hello")]);
}

#[test]
fn a_character_may_lie_across_fragments() {
    let crab = "🦀".as_bytes();
    let frames = [more(Text, &crab[..1]), more(Continuation, &crab[1..3]), last(Continuation, &crab[3..])];
    assert_eq!(heard(&frames), [text("🦀")]);
}

#[test]
fn fragments_without_a_beginning_or_an_end_are_refused() {
    assert_eq!(refused(&[last(Continuation, "x")]), protocol("continuation without a message"));
    assert_eq!(refused(&[more(Continuation, "x")]), protocol("continuation without a message"));
    let ended = [more(Text, "a"), last(Continuation, "b"), last(Continuation, "c")];
    assert_eq!(heard(&ended), [text("ab"), Said::Wrong(protocol("continuation without a message"))]);
    let inside = protocol("new message inside a fragmented one");
    assert_eq!(refused(&[more(Text, "a"), last(Text, "b")]), inside);
    assert_eq!(refused(&[more(Binary, "a"), more(Binary, "b")]), inside);
}

#[test]
fn what_a_frame_may_not_be_is_refused_behind_what_was_right() {
    let mut reserved = last(Text, "x");
    reserved[0] |= 0x40;
    assert_eq!(heard(&[last(Text, "ok"), reserved]), [text("ok"), Said::Wrong(protocol("reserved bit set"))]);
    let mut opcode = last(Text, "x");
    opcode[0] |= 0x03;
    assert_eq!(refused(&[opcode]), protocol("reserved opcode"));
    let mut ping = last(Ping, "x");
    ping[0] &= 0x7f;
    assert_eq!(refused(&[ping]), protocol("fragmented control frame"));
}

#[test]
fn a_message_is_sent_with_its_opcode() {
    assert_eq!([Kind::Text.opcode(), Kind::Binary.opcode()], [Text, Binary]);
}

#[test]
fn a_client_masks_and_a_server_does_not() {
    let mut unmasked = Vec::new();
    encode(Text, b"hello", &mut unmasked);
    assert_eq!(refused(&[unmasked]), protocol("frame of a client without a mask"));
    let said = hear_in_pieces(Session::client(LIMIT), &[&last(Text, "hello")]);
    assert_eq!(said, [Said::Wrong(protocol("frame of a server with a mask"))]);
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    assert_eq!(refused(&[last(Text, b"ok \xed\xa0\x80")]), WsError::NotUtf8);
    assert_eq!(refused(&[more(Text, b"\xf4"), last(Continuation, b"\x90\x80\x80")]), WsError::NotUtf8);
    assert_eq!(refused(&[last(Text, &"水".as_bytes()[..2])]), WsError::NotUtf8, "cut at the end of a frame");
    assert_eq!(refused(&[more(Text, &"水".as_bytes()[..2]), last(Continuation, "")]), WsError::NotUtf8);
    assert_eq!(heard(&[last(Binary, b"\xff"), last(Text, "a")]), [binary(b"\xff"), text("a")]);
    assert_eq!(heard(&[more(Binary, b"\xe6"), last(Continuation, b"\xff")]), [binary(b"\xe6\xff")]);
}

#[test]
fn a_wrong_byte_is_found_before_the_frame_is_whole() {
    let wire = last(Text, b"\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80 and more");
    let at = 6 + 6; // header, then the bytes up to f4
    let mut session = Session::server(LIMIT);
    let (mut kept, mut said) = (Vec::new(), Vec::new());
    for byte in &wire[..=at - 1] {
        hear(&mut session, &mut kept, &[*byte], &mut said);
    }
    assert_eq!(said, [], "f4 may still become a character");
    hear(&mut session, &mut kept, &wire[at..at + 1], &mut said);
    assert_eq!(said, [Said::Wrong(WsError::NotUtf8)], "90 behind it cannot");
}

#[test]
fn the_longest_message_passes_and_one_byte_more_does_not() {
    let most = vec![b'x'; LIMIT];
    assert_eq!(heard(&[last(Binary, &most)]), [binary(&most)]);
    let halves = [more(Binary, &most[..500]), more(Continuation, &most[500..]), last(Continuation, "")];
    assert_eq!(heard(&halves), [binary(&most)]);
    assert_eq!(refused(&[last(Binary, vec![0; LIMIT + 1])]), WsError::TooBig);
    assert_eq!(refused(&[more(Text, &most[..600]), last(Continuation, &most[..401])]), WsError::TooBig);
}

#[test]
fn too_big_is_said_when_the_header_says_so() {
    let mut session = Session::server(LIMIT);
    let mut header = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(session.receive(&mut header, &mut codec()), Err(WsError::TooBig));
    let mut session = Session::server(usize::MAX);
    assert_eq!(
        session.receive(&mut header, &mut codec()),
        Ok((14, None)),
        "a length that nothing could hold allocates nothing"
    );
    assert_eq!(session.buffered(), 0);
}

#[test]
fn a_close_frame_carries_nothing_or_a_code_and_a_reason() {
    assert_eq!(heard(&[last(Close, "")]), [Said::Close(None, String::new())]);
    assert_eq!(heard(&[last(Close, b"\x03\xe8")]), [Said::Close(Some(1000), String::new())]);
    assert_eq!(heard(&[last(Close, b"\x03\xe9going")]), [Said::Close(Some(1001), "going".into())]);
    let longest = [&b"\x03\xe8"[..], &[b'x'; 123]].concat();
    assert_eq!(heard(&[last(Close, longest)]), [Said::Close(Some(1000), "x".repeat(123))]);
    assert_eq!(refused(&[last(Close, b"\x03")]), protocol("close code cut in half"));
    assert_eq!(refused(&[last(Close, b"\x03\xe8\xff")]), WsError::NotUtf8);
}

#[test]
fn only_codes_that_may_be_sent_are_taken() {
    for code in 0..=u16::MAX {
        let good = [1000..=1003, 1007..=1014, 3000..=4999].iter().any(|codes| codes.contains(&code));
        let said = hear_in_pieces(Session::server(LIMIT), &[&last(Close, code.to_be_bytes())]);
        match good {
            true => assert_eq!(said, [Said::Close(Some(code), String::new())]),
            false => assert_eq!(said, [Said::Wrong(protocol("close code that may not be sent"))]),
        }
    }
}

#[test]
fn nothing_counts_behind_a_close() {
    let frames = [more(Text, "half a mess"), last(Close, b"\x03\xe8"), last(Text, "late"), vec![0xff; 9]];
    assert_eq!(heard(&frames), [Said::Close(Some(1000), String::new())]);
}

#[test]
fn nothing_counts_behind_an_error() {
    let mut session = Session::server(LIMIT);
    assert!(session.receive(&mut last(Continuation, "x"), &mut codec()).is_err());
    assert_eq!(session.receive(&mut last(Text, "late"), &mut codec()), Ok((10, None)));
}

#[test]
fn the_close_handshake_can_be_begun_by_either_side() {
    let mut peer_first = Session::server(LIMIT);
    assert_eq!(peer_first.state(), State::Open);
    assert!(peer_first.receive(&mut last(Close, ""), &mut codec()).is_ok());
    assert_eq!(peer_first.state(), State::ClosedByPeer);
    peer_first.on_close_sent();
    assert_eq!(peer_first.state(), State::Done);

    let mut we_first = Session::server(LIMIT);
    we_first.on_close_sent();
    we_first.on_close_sent();
    assert_eq!(we_first.state(), State::ClosedByUs);
    assert!(we_first.receive(&mut last(Close, ""), &mut codec()).is_ok());
    assert_eq!(we_first.state(), State::Done);
    we_first.on_close_sent();
    assert_eq!(we_first.state(), State::Done);
}

#[test]
fn an_error_is_a_last_word_like_a_close() {
    let mut session = Session::server(LIMIT);
    assert!(session.receive(&mut last(Continuation, ""), &mut codec()).is_err());
    assert_eq!(session.state(), State::ClosedByPeer);

    let mut closing = Session::server(LIMIT);
    closing.on_close_sent();
    assert!(closing.receive(&mut last(Continuation, ""), &mut codec()).is_err());
    assert_eq!(closing.state(), State::Done);
}

#[test]
fn after_our_close_only_the_peers_is_heard() {
    let frames = [last(Text, "a"), last(Ping, "b"), more(Text, "c"), last(Continuation, "d"), last(Close, b"\x03\xe8")];
    let wire = frames.concat();
    for split in 0..wire.len() {
        let mut session = Session::server(LIMIT);
        session.on_close_sent();
        let said = hear_in_pieces(session, &[&wire[..split], &wire[split..]]);
        assert_eq!(said, [Said::Close(Some(1000), String::new())]);
    }
}

#[test]
fn a_whole_frame_is_borrowed_and_an_assembled_one_handed_over() {
    let mut session = Session::server(LIMIT);
    let (used, event) = session.receive(&mut last(Text, "whole"), &mut codec()).map(|(n, e)| (n, e.is_some())).unwrap();
    assert_eq!((used, event, session.buffered()), (11, true, 0));

    session.receive(&mut more(Text, "in "), &mut codec()).unwrap();
    assert!(session.buffered() >= 3, "a message under way stays");
    let mut wire = [last(Ping, "?"), last(Continuation, "two")].concat();
    let (used, _) = session.receive(&mut wire, &mut codec()).unwrap();
    let (_, event) = session.receive(&mut wire[used..], &mut codec()).unwrap();
    assert_eq!(session.buffered(), 0);
    assert_eq!(event, Some(WsEvent::Message(Kind::Text, Payload::Assembled("in two".into()))));
}

#[test]
fn text_behind_our_close_is_judged_alike_at_any_split() {
    let wire = last(Text, b"\xce");
    for split in 0..=wire.len() {
        let mut session = Session::server(LIMIT);
        session.on_close_sent();
        let said = hear_in_pieces(session, &[&wire[..split], &wire[split..]]);
        assert_eq!(said, [Said::Wrong(WsError::NotUtf8)], "split at {split}");
    }
}

#[test]
fn an_idle_session_is_small_and_holds_no_heap() {
    assert!(size_of::<Session>() <= 32, "{} bytes", size_of::<Session>());
    let mut session = Session::server(LIMIT);
    session.receive(&mut more(Text, "half"), &mut codec()).unwrap();
    session.receive(&mut last(Close, ""), &mut codec()).unwrap();
    assert_eq!(session.buffered(), 0, "nothing is kept of a message that can never be whole");
}

#[test]
fn sixteen_mebibytes_come_in_many_fragments_and_in_one() {
    let limit = 16 << 20;
    let message: Vec<u8> = (0..limit).map(|i| b' ' + (i % 90) as u8).collect();
    let many: Vec<Vec<u8>> = (message.chunks(1000).map(|piece| more(Continuation, piece))).collect();
    let mut many = [more(Text, ""), many.concat(), last(Continuation, "")].concat();
    let mut one = last(Text, &message);
    for wire in [&mut many, &mut one] {
        let mut session = Session::server(limit);
        let (mut at, mut events) = (0, 0);
        while at < wire.len() {
            let end = wire.len().min(at + (64 << 10));
            let (used, event) = session.receive(&mut wire[at..end], &mut codec()).unwrap();
            if let Some(event) = event {
                assert!(matches!(event, WsEvent::Message(Kind::Text, payload) if payload.to_vec() == message));
                events += 1;
            }
            assert!(session.buffered() <= limit, "memory grows to the limit, not past it");
            at += used;
        }
        assert_eq!(events, 1);
    }
}

#[test]
fn a_client_and_a_server_say_goodbye_over_two_vecs() {
    let (mut client, mut server) = (Session::client(LIMIT), Session::server(LIMIT));
    let mut to_server =
        [more(Text, "hel"), last(Ping, "?"), last(Continuation, "lo"), last(Close, b"\x0f\xa0")].concat();
    client.on_close_sent();
    let mut to_client = Vec::new();
    let mut at = 0;
    while at < to_server.len() {
        let (used, event) = server.receive(&mut to_server[at..], &mut codec()).unwrap();
        match event {
            Some(WsEvent::Message(_, payload)) => encode(Text, &payload.to_vec(), &mut to_client),
            Some(WsEvent::Ping(bytes)) => encode(Pong, bytes, &mut to_client),
            Some(WsEvent::Close(code, _)) => encode_close(code, "bye", &mut to_client),
            _ => {}
        }
        at += used;
    }
    server.on_close_sent();
    assert_eq!(to_client, b"\x8a\x01?\x81\x05hello\x88\x05\x0f\xa0bye");
    let mut said = Vec::new();
    hear(&mut client, &mut Vec::new(), &to_client, &mut said);
    assert_eq!(said, [Said::Close(Some(4000), "bye".into())]);
    assert_eq!((client.state(), server.state()), (State::Done, State::Done));
}

/// A client's frame, usually a sensible one.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop::sample::select(vec![Continuation, Continuation, Text, Text, Binary, Ping, Pong]);
    let payload =
        prop_oneof!["[a-zß水🦀]{0,50}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..300)];
    (opcode, any::<bool>(), payload).prop_map(|(opcode, fin, mut payload)| {
        if opcode.is_control() {
            payload.truncate(CONTROL_BYTES_MAX);
        }
        frame_with(fin || opcode.is_control(), opcode, payload)
    })
}

proptest! {
    #[test]
    fn any_frames_in_any_pieces_say_the_same(
        frames in prop::collection::vec(any_frame(), 0..12),
        flip in prop::option::of(any::<prop::sample::Index>()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut wire = frames.concat();
        if let (Some(flip), false) = (flip, wire.is_empty()) {
            let bit = flip.index(8 * wire.len());
            wire[bit / 8] ^= 1 << (bit % 8);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).chain([0, wire.len()]).collect();
        cuts.sort();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]).collect();
        let whole = hear_in_pieces(Session::server(LIMIT), &[&wire]);
        prop_assert_eq!(hear_in_pieces(Session::server(LIMIT), &pieces), whole);
    }
}

#[cfg(feature = "deflate")]
mod compressed;
