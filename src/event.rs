//! The border between the protocols and the application, on one page; outbound requests have theirs in [`fetch`].
//!
//! An application is an [`App`]: it has a method for each kind of event, holds no socket, is told the time, and is tested
//! with values on both sides.
//!
//! A request, a message or a part of a response goes up at once, and borrows the read buffer. (A message of several reads
//! is put together first.) Anything else is an [`Event`], which waits in the [`Inbox`]. What the server is to do comes
//! down as [`Effects`]. They own what they name, or name a range of `bytes`.
//! [`Job`] is work that would block, for the pool.

pub mod fetch;

use crate::blocks::Blocks;
use crate::clock::Now;
pub use crate::http::exchange::{ExchangeError, ResponseHead};
pub use crate::http::request::Request;
pub use crate::http::response::{Body, Response};
pub use crate::http::url::Url;
use crate::id::{ConnId, FeedId};
use crate::password::{Hash, Password, Verdict};
pub use crate::store::{Command, Outcome, Position};
pub use crate::ws::deflate::Agreement;
pub use crate::ws::session::{Kind, Payload};
pub use fetch::{Fetch, FetchError, Fetched, Journey, Leads, Reached, Side};
use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What the server runs: the site, or the list of `squall fetch`. One method for each kind of event, which by default does
/// nothing; `from` is the connection or owner that the event is about, `now` the time of the turn. None may block.
pub trait App {
    /// A whole request with its whole body. It is owed one [`Effect::Respond`] or [`Effect::Upgrade`], now or later;
    /// until then nothing more is read from this connection.
    fn request(&mut self, from: ConnId, request: &Request<'_>, body: &[u8], now: Now, out: &mut Effects) {
        let _ = (from, request, body, now, out);
    }

    /// The same on a listener for the owner of the server, [`Service::Control`](crate::net::listeners::Service). By
    /// default there is nothing to ask for.
    fn control(&mut self, from: ConnId, request: &Request<'_>, body: &[u8], now: Now, out: &mut Effects) {
        let _ = (request, body, now);
        out.respond(from, Response::text(404, "There is nothing here.\n"));
    }

    /// One whole WebSocket message; text is valid UTF-8.
    fn message(&mut self, from: ConnId, kind: Kind, payload: Payload<'_>, now: Now, out: &mut Effects) {
        let _ = (from, kind, payload, now, out);
    }

    /// News of the fetch that this connection waits for.
    fn fetched(&mut self, from: ConnId, fetched: Fetched<'_>, now: Now, out: &mut Effects) {
        let _ = (from, fetched, now, out);
    }

    /// What a [`Job`] found.
    fn finished(&mut self, from: ConnId, finished: Finished, now: Now, out: &mut Effects) {
        let _ = (from, finished, now, out);
    }

    /// What the store has done: for the connection that asked, which may be gone, or for every member of a room.
    fn stored(&mut self, from: ConnId, outcome: Outcome, now: Now, out: &mut Effects) {
        let _ = (from, outcome, now, out);
    }

    /// The moment asked for by [`Effect::Sleep`], or about no connection by [`Effect::Alarm`].
    fn woke(&mut self, from: ConnId, now: Now, out: &mut Effects) {
        let _ = (from, now, out);
    }

    /// The connection is over: a WebSocket session ended, a peer left while it waited for a response, or the server has
    /// responded in the application's stead (too late, pool full, drain). What is pending for it is void.
    fn left(&mut self, from: ConnId, now: Now, out: &mut Effects) {
        let _ = (from, now, out);
    }

    /// The process stood still, for this long at most: what the peers did meanwhile comes all at once.
    fn stalled(&mut self, most: Duration) {
        let _ = most;
    }

    /// The server drains: no more leave lines, `/healthz` says so.
    fn draining(&mut self) {}
}

/// What the application is told later, because it is found where the application cannot be called. Each goes to a method
/// of [`App`].
#[derive(Debug)]
pub enum Event {
    /// To [`App::woke`].
    Woke,
    /// To [`App::fetched`], as [`Fetched::Failed`].
    FetchFailed(FetchError),
    /// To [`App::finished`].
    Finished(Finished),
    /// To [`App::stored`].
    Stored(Outcome),
    /// To [`App::left`].
    Left,
    /// To [`App::stalled`]. About no connection.
    Stalled(Duration),
    /// To [`App::draining`]. About no connection.
    Draining,
}

impl Event {
    /// What kind it is, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Woke => "woke",
            Event::FetchFailed(_) => "fetch failed",
            Event::Finished(_) => "finished",
            Event::Stored(_) => "stored",
            Event::Left => "left",
            Event::Stalled(_) => "stalled",
            Event::Draining => "draining",
        }
    }
}

/// Events that wait to be told, each with the connection or owner that it is about. The turn tells them.
pub type Inbox = VecDeque<(ConnId, Event)>;

/// Work that would block, for the pool ([`Effect::Run`]). It comes back by [`App::finished`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Reads one file of `--www`, at most `www_file_bytes_max`.
    ReadFile { path: PathBuf },
    /// Computes the hash of a password.
    CheckPassword { hash: Arc<Hash>, password: Password },
}

/// Work that does block, on the loop itself, which stops every connection ([`Effect::RunBlocking`], `--lab`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocking {
    /// Does nothing for a while, then [`Event::Finished`].
    Sleep(Duration),
    /// The whole fetch: its events come one after the other, and what they led to is done when it is over.
    Fetch(Box<Fetch>),
}

/// What a [`Job`] found, or that [`Blocking`] work is done.
#[derive(Debug)]
pub enum Finished {
    /// Of [`Job::ReadFile`].
    File(std::io::Result<FileRead>),
    /// Of [`Job::CheckPassword`].
    Password(Verdict),
    /// Of [`Blocking::Sleep`].
    Blocked,
}

/// The bytes of a file and what conditional requests need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    pub bytes: Blocks,
    pub modified: Option<SystemTime>,
}

/// One thing for the server to do. A range names bytes of [`Effects::bytes`]. An effect for a connection that is gone,
/// or that speaks something else, does nothing.
#[derive(Debug, Default, PartialEq)]
pub enum Effect {
    /// Does nothing: what is left of an effect that was taken out of its list.
    #[default]
    Nothing,
    /// The response to the request under way. With [`Body::Stream`] the pieces follow as `Piece`, then `End`.
    Respond(ConnId, Response),
    /// The next bytes of a streamed body.
    Piece(ConnId, Range<usize>),
    /// The end of the streamed body. What its feed still had for it, and the socket does not take, is dropped.
    End(ConnId, StreamEnd),
    /// 101 with this Sec-WebSocket-Accept; then messages may be compressed as agreed, and have at most
    /// `message_bytes_max` bytes. The subprotocol is one that the client has offered
    /// ([`choose_subprotocol`](crate::ws::handshake::choose_subprotocol)).
    Upgrade {
        to: ConnId,
        accept: [u8; 28],
        subprotocol: Option<&'static str>,
        compression: Option<Agreement>,
        message_bytes_max: usize,
    },
    /// One message to one WebSocket.
    Send(ConnId, Kind, Range<usize>),
    /// The same with a long message, which is not copied.
    SendBlocks(ConnId, Kind, Blocks),
    /// Close a WebSocket with a code and a reason; it leaves its feed, and the session is over for the application.
    Close(ConnId, u16, &'static str),
    /// The connection becomes a reader of the feed, from here on: a WebSocket, or a response with [`Body::Stream`] of
    /// unknown length, which then gets each message as a Server-Sent Event, until `End`.
    Join(ConnId, FeedId),
    /// One text message to every reader of the feed.
    Publish(FeedId, Range<usize>),
    /// The same; a Server-Sent Event has this id, with which its client resumes.
    PublishAt(FeedId, Position, Range<usize>),
    /// A command for the store; [`App::stored`] is called with its outcome. A WebSocket with too many of them is not
    /// read meanwhile.
    Store(ConnId, Command),
    /// [`App::woke`] at this time; only while a request waits for its response.
    Sleep(ConnId, Instant),
    /// [`App::woke`] about [`ConnId::NONE`] at this time. There is one alarm: this one takes the place of the one before.
    Alarm(Instant),
    /// Start a fetch whose events go to this connection. When the connection goes, the fetch goes. One at a time: a
    /// second one takes the place of the first, of which no further event comes.
    Fetch(ConnId, Box<Fetch>),
    /// Run on the pool; [`App::finished`] is called for this connection.
    Run(ConnId, Job),
    /// Run on the loop itself, while every connection waits (`--lab`); one at a time for a connection, which waits for it.
    RunBlocking(ConnId, Blocking),
    /// Leave the loop.
    Quit,
}

/// How a streamed body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    Whole,
    /// It broke off, so the connection must be cut to show it.
    Truncated,
}

/// Bytes of memory that [`Effects::bytes`] keeps for the next event.
const BYTES_KEPT_MAX: usize = 1 << 20;

/// The effects of one event, in order. Reused for ever: no allocation per event once warm.
#[derive(Debug, Default)]
pub struct Effects {
    /// What to do, first to last.
    pub list: Vec<Effect>,
    /// What the ranges of the list name.
    pub bytes: Vec<u8>,
}

impl Effects {
    /// Lets `write` append to `bytes`; returns the range it wrote.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        start..self.bytes.len()
    }

    /// Queues one effect.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// The response to the request under way.
    pub fn respond(&mut self, to: ConnId, response: Response) {
        self.list.push(Effect::Respond(to, response));
    }

    /// One message to one WebSocket. A long one that can be handed on is not copied.
    pub fn send(&mut self, to: ConnId, kind: Kind, payload: Payload<'_>) {
        let effect = match payload {
            Payload::Assembled(blocks) if blocks.contiguous().is_none() => Effect::SendBlocks(to, kind, blocks),
            short => {
                let bytes = short.contiguous().unwrap_or_default();
                Effect::Send(to, kind, self.write(|out| out.extend_from_slice(bytes)))
            }
        };
        self.list.push(effect);
    }

    /// Drops the response to `to`, and what there is of its body, if it is still in the list; returns whether it was.
    pub fn take_back(&mut self, to: ConnId) -> bool {
        let is_there = self.list.iter().any(|effect| matches!(effect, Effect::Respond(id, _) if *id == to));
        if is_there {
            self.list.retain(|effect| !matches!(effect, Effect::Respond(id, _) | Effect::Piece(id, _) if *id == to));
        }
        is_there
    }

    /// Forgets list and bytes when they are applied. Keeps the memory, unless one large message has grown it.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
        if self.bytes.capacity() > BYTES_KEPT_MAX {
            self.bytes.shrink_to(BYTES_KEPT_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_name_their_bytes_by_range_and_keep_their_memory() {
        let mut effects = Effects::default();
        assert_eq!(effects.write(|out| out.extend_from_slice(b"hello")), 0..5);
        assert_eq!(effects.write(|_| {}), 5..5);
        assert_eq!(effects.write(|out| out.extend_from_slice(b" world")), 5..11);
        let (id, at) = (ConnId::new(0, 1), Instant::now());
        effects.push(Effect::Sleep(id, at));
        effects.respond(id, Response::text(200, "ok"));
        assert_eq!(effects.list, [Effect::Sleep(id, at), Effect::Respond(id, Response::text(200, "ok"))]);
        let (list, bytes) = (effects.list.capacity(), effects.bytes.capacity());
        effects.clear();
        assert!(effects.list.is_empty() && effects.bytes.is_empty());
        assert_eq!((effects.list.capacity(), effects.bytes.capacity()), (list, bytes));
    }

    #[test]
    fn a_response_is_taken_back_with_its_pieces_only() {
        let [mine, other] = [0, 1].map(|n| ConnId::new(n, 1));
        let mut effects = Effects::default();
        for to in [mine, other] {
            effects.respond(to, Response::new(200, "", Body::Stream(None)));
            effects.push(Effect::Piece(to, 0..1));
        }
        assert!(effects.take_back(mine) && !effects.take_back(mine));
        let left = [Effect::Respond(other, Response::new(200, "", Body::Stream(None))), Effect::Piece(other, 0..1)];
        assert_eq!(effects.list, left);
        effects.push(Effect::Piece(mine, 0..1));
        assert!(!effects.take_back(mine), "its head was sent");
        assert_eq!(effects.list.len(), 3);
    }

    #[test]
    fn an_effect_is_small() {
        assert!(size_of::<Effect>() <= 120, "{} bytes", size_of::<Effect>());
    }
}
