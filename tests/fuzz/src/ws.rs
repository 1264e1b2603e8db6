//! Transcripts of WebSocket sessions.

use super::cuts::{Cuts, Next, feed};
use squall::blocks::BLOCK_BYTES;
use squall::ws::Limits;
use squall::ws::deflate::Codec;
use squall::ws::frame::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX, WsError};
use squall::ws::session::{Kind, Session, State, WsEvent};
use squall::zlib::PIECE_BYTES_MAX;

/// What a peer has said, without the bytes it borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    /// It broke a rule; the last thing that is heard.
    Wrong(WsError),
}

impl Said {
    fn new(event: WsEvent) -> Said {
        match event {
            WsEvent::Message(kind, payload) => Said::Message(kind, payload.to_vec()),
            WsEvent::Ping(bytes) => Said::Ping(bytes.to_vec()),
            WsEvent::Pong(bytes) => Said::Pong(bytes.to_vec()),
            WsEvent::Close(code, reason) => Said::Close(code, reason.to_vec()),
        }
    }

    /// What every event promises by itself.
    fn check(&self, message_bytes_max: usize) {
        match self {
            Said::Message(kind, bytes) => {
                assert!(bytes.len() <= message_bytes_max);
                assert!(*kind == Kind::Binary || str::from_utf8(bytes).is_ok());
            }
            Said::Ping(bytes) | Said::Pong(bytes) => assert!(bytes.len() <= CONTROL_BYTES_MAX),
            Said::Close(_, reason) => assert!(reason.len() <= CONTROL_BYTES_MAX - 2 && str::from_utf8(reason).is_ok()),
            Said::Wrong(error) => assert!(matches!(error.close_code(), 1002 | 1007 | 1009)),
        }
    }
}

/// What a compressed message may hold besides itself: an inflater that is lent to it.
const INFLATER_BYTES_MAX: usize = 64 << 10;

/// What `session` hears of `wire`, and its state then. Our Close is sent after `close_behind` events.
pub fn conversation(
    wire: &[u8],
    cuts: Cuts,
    session: Session,
    message_bytes_max: usize,
    close_behind: usize,
) -> (Vec<Said>, State) {
    let mut session = session;
    let mut codec = Codec::new(&Limits::default());
    // What grows is doubled, up to a block.
    let room_max = message_bytes_max + message_bytes_max.min(BLOCK_BYTES);
    let held_max = room_max + session.agreement().map_or(0, |_| INFLATER_BYTES_MAX);
    let mut said = Vec::new();
    feed(wire, cuts, |buf, _| {
        if said.len() == close_behind && matches!(session.state(), State::Open) {
            session.on_close_sent();
        }
        let (given, was) = (buf.len(), session.state());
        let (used, heard) = match session.receive(buf, &mut codec) {
            Ok((used, event)) => (used, event.map(Said::new)),
            // After an error everything is swallowed; the state says so.
            Err(e) => (0, Some(Said::Wrong(e))),
        };
        let is_last_word = matches!(heard, Some(Said::Close(..) | Said::Wrong(_)));
        assert_eq!(session.state() != was, is_last_word, "from {was:?} to {:?}", session.state());
        assert!(session.buffered() <= held_max, "{} bytes held", session.buffered());
        assert!(codec.take_work() <= 2 * PIECE_BYTES_MAX, "one step does not inflate for ever");
        match heard {
            Some(heard) => {
                heard.check(message_bytes_max);
                said.push(heard);
                (used, Next::Again)
            }
            None if matches!(session.state(), State::ClosedByPeer | State::Done) => {
                assert_eq!(used, given, "what follows the last word is swallowed");
                (used, Next::Over)
            }
            None if used > 0 => (used, Next::Again),
            None => {
                assert!(given < HEADER_BYTES_MAX + CONTROL_BYTES_MAX, "{given} bytes wait for more");
                (0, Next::Starved)
            }
        }
    });
    (said, session.state())
}
