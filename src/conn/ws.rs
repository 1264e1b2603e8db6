//! The WebSocket side of one connection: a session, perhaps a place in a room, and the heartbeat.
//!
//! The session (`ws::session`) turns bytes into messages; output is encoded by the server into the reply, the
//! outbox or the lane. While output waits, only the latest ping is answered (RFC 6455 section 5.5.3).

use crate::config::Limits;
use crate::feed::lane::Lane;
use crate::id::FeedId;
use crate::ws::deflate::Agreement;
use crate::ws::session::{Session, State};
use std::time::{Duration, Instant};

/// The WebSocket state of one connection.
pub struct Ws {
    pub session: Session,
    /// When the peer last sent anything.
    pub heard: Instant,
    pub membership: Option<Membership>,
    /// The application has been told, or has said itself, that the session is over.
    pub over: bool,
    /// The latest ping that came while output was waiting.
    pub ping: Option<Box<[u8]>>,
}

/// Which of its two feeds a member of a room reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    /// Long messages are compressed, once for everybody.
    Deflated,
}

/// A place among the readers of a feed.
pub struct Membership {
    pub feed: FeedId,
    pub coding: Coding,
    /// Index in the room's list of members.
    pub place: u32,
    pub lane: Lane,
}

impl Ws {
    /// A session that begins now.
    pub fn new(message_bytes_max: usize, compression: Option<Agreement>, now: Instant) -> Ws {
        let session = Session::server(message_bytes_max).compressed_by(compression);
        Ws { session, heard: now, membership: None, over: false, ping: None }
    }

    /// The feed that suits the peer.
    pub fn coding(&self) -> Coding {
        match self.session.agreement() {
            Some(agreement) if agreement.is_broadcast() => Coding::Deflated,
            _ => Coding::Plain,
        }
    }

    /// Whether it counts among the sessions that hold machines of their own to compress with.
    pub fn has_own_machines(&self) -> bool {
        self.session.agreement().is_some_and(Agreement::has_own_machines)
    }

    /// Whether more input is of use: the peer may still speak, and takes what we say.
    pub fn wants_input(&self, high_water: usize) -> bool {
        let own = self.membership.as_ref().map_or(0, |m| m.lane.own_bytes());
        own < high_water && matches!(self.session.state(), State::Open | State::ClosedByUs)
    }

    /// It is open, in no room, and owes no pong.
    pub fn is_at_rest(&self) -> bool {
        self.is_open() && self.membership.is_none() && self.ping.is_none()
    }

    /// Neither side has sent Close.
    pub fn is_open(&self) -> bool {
        self.session.state() == State::Open
    }

    /// Both Close frames are through, or the peer broke a rule and has been told: only the socket is left to close.
    pub fn is_finished(&self) -> bool {
        self.session.state() == State::Done
    }

    /// Memory held for an unfinished message and for output of its own, bytes.
    pub fn held(&self) -> usize {
        self.session.buffered() + self.membership.as_ref().map_or(0, |m| m.lane.own_bytes())
    }

    /// When to look after the peer next: the next ping, or the end of its patience.
    pub fn next_heartbeat(&self, now: Instant, limits: &Limits) -> Instant {
        (now + limits.ping_every).min(self.heard + limits.silent_for)
    }

    /// How long the peer has been silent.
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Feed;
    use crate::ws::deflate::Codec;
    use crate::ws::frame::{Opcode, encode_masked};

    fn codec() -> Codec {
        Codec::new(&Limits::default())
    }

    fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        encode_masked(opcode, true, [1, 2, 3, 4], payload, &mut wire);
        wire
    }

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Ws>() <= 104, "{} bytes", size_of::<Ws>());
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
        assert!(ws.wants_input(1) && !ws.is_finished());
        ws.session.on_close_sent();
        assert!(ws.wants_input(1) && !ws.is_finished(), "the peer's Close is still to come");
        ws.session.receive(&mut frame(Opcode::Close, &1000u16.to_be_bytes()), &mut codec()).expect("a Close");
        assert!(!ws.wants_input(1) && ws.is_finished());
        let mut ws = Ws::new(100, None, Instant::now());
        ws.session.receive(&mut frame(Opcode::Close, b""), &mut codec()).expect("a Close");
        assert!(!ws.wants_input(1) && !ws.is_finished(), "ours is still to be sent");
    }

    #[test]
    fn a_member_that_takes_nothing_is_not_read_from() {
        let mut feed = Feed::new();
        let mut ws = Ws::new(100, None, Instant::now());
        let mut lane = Lane::new(feed.join());
        lane.send(&feed, b"12345678");
        ws.membership = Some(Membership { feed: FeedId(0), coding: Coding::Plain, place: 0, lane });
        assert!(ws.wants_input(9) && !ws.wants_input(8));
        assert_eq!(ws.held(), 8);
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
