//! Two WebSocket sessions joined: messages in fragments, control frames between them, and Close.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use squall::ws::frame::{CONTROL_BYTES_MAX, Opcode, encode, encode_close, encode_masked};
use squall::ws::session::{Kind, Session, State};
use squall_fuzz::cuts::{Cuts, at_any_cut};
use squall_fuzz::ws::{Said, conversation};

const MESSAGE_BYTES_MAX: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let _ = converse(&mut Unstructured::new(data));
});

fn converse(u: &mut Unstructured) -> Result<()> {
    let sizes: [u8; 3] = u.arbitrary()?;
    let cuts = Cuts(&sizes);
    let (mut wire, mut said) = (Vec::new(), Vec::new());
    for _ in 0..u.int_in_range(0..=6)? {
        say_message(u, &mut wire, &mut said)?;
        for _ in 0..u.int_in_range(0..=2)? {
            say_control(u, &mut wire, &mut said)?;
        }
    }
    let closes = u.arbitrary()?;
    if closes {
        say_close(u, &mut wire, &mut said)?;
    }
    let hear = |session: fn(usize) -> Session, close_behind: usize| {
        move |wire: &[u8], cuts: Cuts| {
            conversation(wire, cuts, session(MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX, close_behind)
        }
    };
    let state = if closes { State::ClosedByPeer } else { State::Open };
    assert_eq!(at_any_cut(&wire, cuts, hear(Session::server, usize::MAX)), (said.clone(), state));

    // The server answers everything in its own way; the client has sent its Close by the time it hears of that one.
    let (responses, expected) = respond_to_all(&said);
    let (close_behind, state) = if closes { (expected.len() - 1, State::Done) } else { (usize::MAX, State::Open) };
    assert_eq!(at_any_cut(&responses, cuts, hear(Session::client, close_behind)), (expected, state));
    Ok(())
}

/// One message in any number of frames, cut anywhere, with control frames between them.
fn say_message(u: &mut Unstructured, wire: &mut Vec<u8>, said: &mut Vec<Said>) -> Result<()> {
    let (kind, bytes) = match u.arbitrary()? {
        true => (Kind::Text, u.arbitrary::<&str>()?.as_bytes()),
        false => (Kind::Binary, u.arbitrary::<&[u8]>()?),
    };
    // Lengths of 16 and of 64 bits need more than a fuzzer cares to write.
    let bytes = bytes.repeat(*u.choose(&[1, 1, 1, 20, 300])?);
    let (mut rest, mut opcode) = (bytes.as_slice(), kind.opcode());
    for _ in 0..u.int_in_range(0..=4)? {
        let (piece, behind) = rest.split_at(u.int_in_range(0..=rest.len())?);
        encode_masked(opcode, false, u.arbitrary()?, piece, wire);
        (rest, opcode) = (behind, Opcode::Continuation);
        for _ in 0..u.int_in_range(0..=2)? {
            say_control(u, wire, said)?;
        }
    }
    encode_masked(opcode, true, u.arbitrary()?, rest, wire);
    said.push(Said::Message(kind, bytes));
    Ok(())
}

fn say_control(u: &mut Unstructured, wire: &mut Vec<u8>, said: &mut Vec<Said>) -> Result<()> {
    let bytes: &[u8] = u.arbitrary()?;
    let bytes = &bytes[..bytes.len().min(CONTROL_BYTES_MAX)];
    let is_ping = u.arbitrary()?;
    encode_masked(if is_ping { Opcode::Ping } else { Opcode::Pong }, true, u.arbitrary()?, bytes, wire);
    said.push(if is_ping { Said::Ping(bytes.to_vec()) } else { Said::Pong(bytes.to_vec()) });
    Ok(())
}

/// A Close, and something behind it that must not be heard.
fn say_close(u: &mut Unstructured, wire: &mut Vec<u8>, said: &mut Vec<Said>) -> Result<()> {
    let code = *u.choose(&[None, Some(1000u16), Some(1001), Some(1014), Some(3000), Some(4999)])?;
    let mut reason: &str = if code.is_some() { u.arbitrary()? } else { "" };
    while reason.len() > CONTROL_BYTES_MAX - 2 {
        reason = &reason[..reason.char_indices().next_back().map_or(0, |(at, _)| at)];
    }
    let payload = [&code.map_or(vec![], |code| code.to_be_bytes().to_vec()), reason.as_bytes()].concat();
    encode_masked(Opcode::Close, true, u.arbitrary()?, &payload, wire);
    wire.extend_from_slice(u.arbitrary::<&[u8]>()?);
    said.push(Said::Close(code, reason.into()));
    Ok(())
}

/// The server's frames: every message back, a Pong for each Ping, a Close for a Close; and what that says.
fn respond_to_all(said: &[Said]) -> (Vec<u8>, Vec<Said>) {
    let (mut wire, mut responses) = (Vec::new(), Vec::new());
    for said in said {
        match said {
            Said::Message(kind, bytes) => encode(kind.opcode(), bytes, &mut wire),
            Said::Ping(bytes) => encode(Opcode::Pong, bytes, &mut wire),
            Said::Pong(bytes) => encode(Opcode::Ping, bytes, &mut wire),
            Said::Close(code, reason) => {
                encode_close(*code, str::from_utf8(reason).expect("checked before"), &mut wire);
            }
            Said::Wrong(error) => panic!("refused: {error}"),
        }
        responses.push(match said.clone() {
            Said::Ping(bytes) => Said::Pong(bytes),
            Said::Pong(bytes) => Said::Ping(bytes),
            other => other,
        });
    }
    (wire, responses)
}
