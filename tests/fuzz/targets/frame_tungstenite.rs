//! The same bytes to a session of ours and to one of tungstenite's: the same messages, or both refuse.
//!
//! Differences that are allowed, each because RFC 6455 has it our way or leaves it open:
//! * We refuse a length that is not in its shortest form, or has its top bit set (section 5.2 says MUST); in a control
//!   frame any longer form says more than 125 bytes.
//! * We refuse close codes that no peer may send (section 7.4); tungstenite reads some as 1002, others as they are. It does
//!   not know 1014, which IANA has registered since, and reads it as 1002.
//! * We refuse at the first byte that shows a fault (section 8.1 allows it); tungstenite waits for the whole frame.
//! * Behind our Close or error nothing counts; tungstenite goes on reading until the connection ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::ws::frame::WsError;
use squall::ws::session::{Kind, Session};
use squall_fuzz::cuts::take_plan;
use squall_fuzz::ws::{Said, conversation};
use std::io::{self, Read, Write};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

const MESSAGE_BYTES_MAX: usize = 1000;

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, wire)) = take_plan(data) else { return };
    let (session, role) = match options & 1 {
        0 => (Session::server(MESSAGE_BYTES_MAX), Role::Server),
        _ => (Session::client(MESSAGE_BYTES_MAX), Role::Client),
    };
    let (mut ours, _) = conversation(wire, cuts, session, MESSAGE_BYTES_MAX, usize::MAX);
    if let Some(Said::Close(code @ Some(1014), reason)) = ours.last_mut() {
        (*code, *reason) = (Some(1002), b"Protocol violation".to_vec());
    }
    let (theirs, they_refuse) = tungstenite(wire, role);

    let (last, before) = match ours.split_last() {
        Some((Said::Wrong(error), before)) => (Some(error), before),
        _ => (None, ours.as_slice()),
    };
    let (same, more) = theirs.split_at(before.len().min(theirs.len()));
    assert_eq!(before, same, "we have heard more");
    match last {
        // They may have read on, or be waiting, where we have seen enough.
        Some(WsError::Protocol(
            "length not in its shortest form"
            | "control frame longer than 125 bytes"
            | "close code that may not be sent",
        )) => {}
        Some(error) => assert!(more.is_empty(), "we refuse ({error}) what they take: {more:?}"),
        None => {
            assert!(more.is_empty(), "they have heard more: {more:?}");
            assert!(!they_refuse || matches!(before.last(), Some(Said::Close(..))), "they refuse what we take");
        }
    }
});

/// What tungstenite hears, and whether it refuses the rest.
fn tungstenite(wire: &[u8], role: Role) -> (Vec<Said>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .read_buffer_size(4096);
    let mut peer = WebSocket::from_raw_socket(Wire(wire), role, Some(config));
    let mut heard = Vec::new();
    loop {
        heard.push(match peer.read() {
            Ok(Message::Text(text)) => Said::Message(Kind::Text, text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => Said::Message(Kind::Binary, bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Said::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Said::Pong(bytes.to_vec()),
            Ok(Message::Close(close)) => {
                let reason = close.as_ref().map_or("", |close| close.reason.as_str());
                heard.push(Said::Close(close.as_ref().map(|close| close.code.into()), reason.into()));
                return (heard, false);
            }
            Ok(Message::Frame(_)) => unreachable!("reading gives no bare frames"),
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => return (heard, false),
            Err(_) => return (heard, true),
        });
    }
}

/// A connection that brings these bytes, then nothing for now, and takes everything.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            read => read,
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
