//! The WebSocket side of one connection: a session and its heartbeat.
//!
//! The session (`ws::session`) turns bytes into messages. While output waits, only the latest ping is answered (RFC 6455
//! section 5.5.3).

use super::Step;
use super::encoding::Encoding;
use crate::config::Limits;
use crate::ws::deflate::{Agreement, Codec};
use crate::ws::frame::{self, Opcode};
use crate::ws::session::{Session, State, WsEvent};
use std::time::{Duration, Instant};

/// The WebSocket state of one connection.
pub struct Ws {
    pub session: Session,
    /// When the peer last sent anything.
    pub heard: Instant,
    /// The application has been told, or has said itself, that the session is over.
    pub over: bool,
    /// Its messages that wait to be stored.
    pub unstored: u16,
    /// The latest ping, until it is answered.
    pub ping: Option<Box<[u8]>>,
}

impl Ws {
    /// A session that begins now.
    pub fn new(message_bytes_max: usize, compression: Option<Agreement>, now: Instant) -> Ws {
        let session = Session::server(message_bytes_max).compressed_by(compression);
        Ws { session, heard: now, over: false, unstored: 0, ping: None }
    }

    /// Takes one step over the front of `input`.
    pub fn step<'b>(&mut self, input: &'b mut [u8], codec: &mut Codec, now: Instant) -> (usize, Step<'b>) {
        self.heard = now;
        let bytes = input.len();
        match self.session.receive(input, codec) {
            Ok((0, None)) => (0, Step::Starved),
            Ok((used, Some(WsEvent::Close(code, _)))) => (used, Step::Closed(code)),
            Ok((used, None | Some(WsEvent::Pong(_)))) => (used, Step::Quiet),
            // The session is over for the application: it wants to know nothing more.
            Ok((used, _)) if self.over => (used, Step::Quiet),
            Ok((used, Some(WsEvent::Message(kind, payload)))) => (used, Step::Message(kind, payload)),
            Ok((used, Some(WsEvent::Ping(payload)))) => {
                self.ping = Some(payload.into());
                (used, Step::Ping)
            }
            Err(error) => (bytes, Step::Violation(error)),
        }
    }

    /// Encodes one message, or a control frame, compressed as was agreed.
    pub fn encode(&mut self, opcode: Opcode, payload: &[u8], codec: &mut Codec, out: &mut Vec<u8>) {
        let deflated = if opcode.is_control() { None } else { self.session.deflate(payload, codec) };
        match deflated {
            Some(deflated) => frame::encode_compressed(opcode, deflated, out),
            None => frame::encode(opcode, payload, out),
        }
    }

    /// The encoding of a room's log that suits the peer.
    pub fn encoding(&self) -> Encoding {
        match self.session.agreement() {
            Some(agreement) if agreement.is_broadcast() => Encoding::DeflatedFrames,
            _ => Encoding::Frames,
        }
    }

    /// Whether it counts among the sessions that hold machines of their own to compress with.
    pub fn has_own_machines(&self) -> bool {
        self.session.agreement().is_some_and(Agreement::has_own_machines)
    }

    /// Whether more input is of use: the peer may still speak, and not too many of its messages wait to be stored.
    pub fn wants_input(&self, limits: &Limits) -> bool {
        matches!(self.session.state(), State::Open | State::ClosedByUs) && !self.awaits_store(limits)
    }

    /// Whether so many of its messages wait to be stored that it is not read.
    pub fn awaits_store(&self, limits: &Limits) -> bool {
        self.unstored >= limits.unstored_max
    }

    /// Whether it is open and owes no pong.
    pub fn is_at_rest(&self) -> bool {
        self.is_open() && self.ping.is_none()
    }

    /// Neither side has sent Close.
    pub fn is_open(&self) -> bool {
        self.session.state() == State::Open
    }

    /// Both Close frames are through, or the peer broke a rule and has been told: only the socket is left to close.
    pub fn is_finished(&self) -> bool {
        self.session.state() == State::Done
    }

    /// Bytes of an unfinished message.
    pub fn held(&self) -> usize {
        self.session.buffered()
    }

    /// When the peer is looked at next: for a ping, or because it has been silent for too long.
    pub fn next_heartbeat(&self, now: Instant, limits: &Limits) -> Instant {
        (now + limits.ping_every).min(self.heard + limits.silent_for)
    }

    /// Time since the peer last sent anything.
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::deflate::Codec;
    use crate::ws::frame::{Opcode, encode_masked};

    fn codec() -> Codec {
        Codec::new(&crate::ws::Limits::default())
    }

    fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        encode_masked(opcode, true, [1, 2, 3, 4], payload, &mut wire);
        wire
    }

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Ws>() <= 72, "{} bytes", size_of::<Ws>());
    }

    #[test]
    fn the_next_heartbeat_is_a_ping_or_the_end_of_patience() {
        let limits = Limits::default();
        let start = Instant::now();
        let mut ws = Ws::new(100, None, start);
        let seconds = |s| start + Duration::from_secs(s);
        assert_eq!(ws.next_heartbeat(start, &limits), seconds(30));
        assert_eq!(ws.next_heartbeat(seconds(30), &limits), seconds(60));
        assert_eq!(ws.next_heartbeat(seconds(60), &limits), seconds(75));
        assert_eq!((ws.silent_for(start), ws.silent_for(seconds(75))), (Duration::ZERO, limits.silent_for));
        ws.heard = seconds(59);
        assert_eq!(ws.next_heartbeat(seconds(60), &limits), seconds(90));
        assert_eq!(ws.silent_for(seconds(60)), Duration::from_secs(1));
    }

    #[test]
    fn a_session_wants_input_until_the_peer_has_closed() {
        let mut ws = Ws::new(100, None, Instant::now());
        assert!(ws.wants_input(&Limits::default()) && !ws.is_finished());
        ws.session.on_close_sent();
        assert!(ws.wants_input(&Limits::default()) && !ws.is_finished(), "the peer's Close is still to come");
        ws.session.receive(&mut frame(Opcode::Close, &1000u16.to_be_bytes()), &mut codec()).expect("a Close");
        assert!(!ws.wants_input(&Limits::default()) && ws.is_finished());
        let mut ws = Ws::new(100, None, Instant::now());
        ws.session.receive(&mut frame(Opcode::Close, b""), &mut codec()).expect("a Close");
        assert!(!ws.wants_input(&Limits::default()) && !ws.is_finished(), "ours is still to be sent");
    }

    #[test]
    fn an_unfinished_message_is_counted() {
        let mut ws = Ws::new(100, None, Instant::now());
        assert_eq!(ws.held(), 0);
        let mut wire = frame(Opcode::Text, b"hello world");
        let cut = wire.len() - 6;
        let (used, event) = ws.session.receive(&mut wire[..cut], &mut codec()).expect("half a frame");
        assert_eq!((used, event), (cut, None));
        assert!(ws.held() >= 5, "{}", ws.held());
    }
}
