//! The WebSocket side of one connection: a session, perhaps a place in a room, and the heartbeat.
//!
//! The session (`proto::ws_session`) turns bytes into messages; output is encoded by the server into the reply, the
//! outbox or the lane. While output waits, only the latest ping is answered (RFC 6455 section 5.5.3).

use crate::config::Limits;
use crate::id::FeedId;
use crate::proto::ws_session::{Session, State};
use crate::rt::lane::Lane;
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

/// A place among the readers of a feed.
pub struct Membership {
    pub feed: FeedId,
    /// Index in the room's list of members.
    pub place: u32,
    pub lane: Lane,
}

impl Ws {
    /// A session that begins now.
    pub fn new(message_bytes_max: usize, now: Instant) -> Ws {
        Ws { session: Session::server(message_bytes_max), heard: now, membership: None, over: false, ping: None }
    }

    /// Whether more input is of use: the peer may still speak, and takes what we say.
    pub fn wants_input(&self, high_water: usize) -> bool {
        let own = self.membership.as_ref().map_or(0, |m| m.lane.own_bytes());
        own < high_water && matches!(self.session.state(), State::Open | State::ClosedByUs)
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
