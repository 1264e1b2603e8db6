//! permessage-deflate: any payload at any split, and what a session deflates its peer inflates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::ws::Limits;
use squall::ws::deflate::{Agreement, Codec, negotiate};
use squall::ws::frame::{Opcode, encode, encode_compressed};
use squall::ws::session::{Kind, Session};
use squall_fuzz::cuts::{Cuts, at_any_cut, take_plan};
use squall_fuzz::ws::{Said, conversation};

const OFFERS: [&str; 8] = [
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9; server_no_context_takeover",
    "permessage-deflate; client_max_window_bits=15",
    "x, permessage-deflate; server_max_window_bits=\"12\"",
];

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, bytes)) = take_plan(data) else { return };
    if options & 1 == 0 {
        let offer = OFFERS[usize::from(options >> 1 & 7)];
        let agreement = negotiate([offer.as_bytes()].into_iter(), false).expect("an offer that can be met");
        match options >> 4 & 3 {
            0 => check_any_bytes(bytes, cuts, agreement, options),
            1 => check_any_bytes(bytes, cuts, agreement.to_shared(), options),
            2 => check_deflated(bytes, cuts, agreement),
            _ => check_deflated(bytes, cuts, agreement.to_shared()),
        }
    } else {
        check_offer(bytes);
    }
});

/// Frames as they come from any peer, with our Close somewhere.
fn check_any_bytes(wire: &[u8], cuts: Cuts, agreement: Agreement, options: u8) {
    let limit = [300, 70_000][usize::from(options >> 6 & 1)];
    let close_behind = if options >> 7 == 0 { usize::MAX } else { 1 };
    at_any_cut(wire, cuts, |wire, cuts| {
        conversation(wire, cuts, Session::server(limit).compressed_by(Some(agreement)), limit, close_behind)
    });
}

/// Messages from one session to its peer; where frames are for all, from the codec to another session as well.
fn check_deflated(bytes: &[u8], cuts: Cuts, agreement: Agreement) {
    let limits = Limits { deflate_bytes_min: 1, ..Limits::default() };
    let mut codec = Codec::new(&limits);
    let mut server = Session::server(1 << 20).compressed_by(Some(agreement));
    let (mut wire, mut said) = (Vec::new(), Vec::new());
    let (mut to_all, mut told_all) = (Vec::new(), Vec::new());
    for (n, piece) in bytes.split(|&byte| byte == b'\n').take(8).enumerate() {
        let message = piece.repeat(1 + n * 20);
        match server.deflate(&message, &mut codec) {
            Some(deflated) => encode_compressed(Opcode::Binary, deflated, &mut wire),
            None => encode(Opcode::Binary, &message, &mut wire),
        }
        if let Some(deflated) = codec.deflate(&message) {
            assert!(deflated.len() < message.len());
            encode_compressed(Opcode::Binary, deflated, &mut to_all);
            told_all.push(Said::Message(Kind::Binary, message.clone()));
        }
        said.push(Said::Message(Kind::Binary, message));
    }
    // What the server sends is what its client receives.
    let mirrored = Agreement { client: agreement.server, server: agreement.client, ..agreement };
    let hear = |wire: &[u8], cuts: Cuts| {
        let client = Session::client(1 << 20).compressed_by(Some(mirrored));
        conversation(wire, cuts, client, 1 << 20, usize::MAX).0
    };
    assert_eq!(at_any_cut(&wire, cuts, hear), said);
    if agreement.is_broadcast() {
        assert_eq!(at_any_cut(&to_all, cuts, hear), told_all);
    }
}

/// What is agreed on is an offer that leads to the same.
fn check_offer(value: &[u8]) {
    for shared in [false, true] {
        let Some(agreement) = negotiate([value].into_iter(), shared) else { continue };
        for bits in [agreement.client.window_bits, agreement.server.window_bits].into_iter().flatten() {
            assert!((9..=15).contains(&bits));
        }
        assert!(!shared || !agreement.has_own_machines());
        assert_eq!(negotiate([agreement.to_field().as_bytes()].into_iter(), shared), Some(agreement));
    }
}
