//! The border between the protocols and the application, on one page.
//!
//! [`Event`] goes in (a peer did something; it borrows the read buffer), [`Effects`] come out (what the server is to
//! do; they own what they name, or name a range of `bytes`). [`Job`] is work that would block, for the pool.
//! An application is an [`App`]: it holds no socket, is told the time, and is tested with values on both sides.

use crate::id::{ConnId, FeedId};
pub use crate::proto::exchange::{ExchangeError, ResponseHead};
pub use crate::proto::http::Request;
pub use crate::proto::response::{Body, Response};
pub use crate::proto::url::Url;
pub use crate::proto::ws_session::Kind;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// What a connection, a timer, a job or a fetch has to tell the application.
#[derive(Debug)]
pub enum Event<'a> {
    /// A whole request with its whole body. It is owed one [`Effect::Respond`] or [`Effect::Upgrade`], now or later;
    /// until then nothing more is read from this connection.
    Request(&'a Request<'a, 'a>, &'a [u8]),
    /// One whole WebSocket message; text is valid UTF-8.
    Message(Kind, &'a [u8]),
    /// The moment asked for by [`Effect::Sleep`].
    Woke,
    /// News of the fetch that this connection waits for.
    Fetched(Fetched<'a>),
    /// What a [`Job`] found.
    Finished(Finished),
    /// The connection is over: a WebSocket session ended, a peer left while it waited for an answer, or the server has
    /// answered in the application's stead (too late, pool full, drain). What is pending for it is void.
    Left,
    /// The server drains: no more leave lines, `/healthz` says so. About no connection.
    Draining,
}

/// Steps of one fetch, in order: `Head`, any number of `Body`, `Done`; or `Failed` at any point.
#[derive(Debug)]
pub enum Fetched<'a> {
    /// Final status and fields (1xx are swallowed).
    Head(&'a ResponseHead<'a, 'a>),
    /// The next piece of the body, transfer coding removed.
    Body(&'a [u8]),
    /// The body is whole.
    Done,
    /// Nothing more will come.
    Failed(FetchError),
}

/// Why a fetch ended early. `Display` is a sentence for people that names the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// The name could not be resolved, or the queue of the resolver is full.
    Resolve { host: String, why: String },
    /// Too many fetches wait already.
    Busy,
    /// Every address of a redirect's target is private, loopback or otherwise not public.
    Forbidden { host: String },
    /// No connection within the limit, or refused.
    Connect { address: String, why: String },
    /// Connected, but then reset or closed before the answer was whole.
    Broken { why: String },
    /// The answer is not HTTP or breaks a limit.
    Protocol(ExchangeError),
    /// No connection within `connect_within`.
    ConnectTimeout { after: Duration },
    /// Not done within the whole deadline, the time in the queue included.
    Timeout { after: Duration },
}

impl FetchError {
    /// The name is known, but has no address.
    pub fn no_address(host: String) -> FetchError {
        FetchError::Resolve { host, why: "it has no address".into() }
    }

    /// 504 where time ran out, 503 where the queue is full, else 502.
    pub fn status(&self) -> u16 {
        match self {
            FetchError::Busy => 503,
            FetchError::ConnectTimeout { .. } | FetchError::Timeout { .. } => 504,
            _ => 502,
        }
    }
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchError::Resolve { host, why } => write!(f, "the name {host} could not be resolved: {why}"),
            FetchError::Busy => write!(f, "too many fetches are under way, try again in a moment"),
            FetchError::Forbidden { host } => write!(f, "a redirect leads to {host}, which is not a public address"),
            FetchError::Connect { address, why } => write!(f, "no connection to {address}: {why}"),
            FetchError::Broken { why } => write!(f, "the connection broke before the answer was whole: {why}"),
            FetchError::Protocol(e) => write!(f, "the answer makes no sense: {e}"),
            FetchError::ConnectTimeout { after } => write!(f, "no connection within {} s", after.as_secs_f64()),
            FetchError::Timeout { after } => write!(f, "no complete answer within {} s", after.as_secs_f64()),
        }
    }
}

/// One outbound request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// What to ask for; http only.
    pub url: Url,
    /// Ask with HEAD instead of GET.
    pub head: bool,
    /// Fields besides Host and User-Agent, as they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// Refuse addresses that are not public: set for a redirect that leaves the configured host.
    pub public_only: bool,
    /// All of it must be done by then, time in the queue included.
    pub deadline: Instant,
    /// How long that was from its beginning; for the message when it has passed.
    pub within: Duration,
}

/// Work that would block: done on the pool ([`Effect::Run`]) or, with `--lab`, on the loop itself
/// ([`Effect::RunBlocking`]). It comes back as [`Event::Finished`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Reads one file of `--www`, at most `www_file_bytes_max`.
    ReadFile { path: PathBuf },
    /// Does nothing for a while; only ever run on the loop itself (`--lab`).
    Block(Duration),
    /// The whole fetch with blocking sockets; only ever run on the loop itself (`--lab`).
    FetchBlocking(Box<Fetch>),
}

/// What a [`Job`] found.
#[derive(Debug)]
pub enum Finished {
    /// Of [`Job::ReadFile`].
    File(std::io::Result<FileRead>),
    /// Of [`Job::Block`].
    Blocked,
    /// Of [`Job::FetchBlocking`].
    FetchedBlocking(Result<WholeAnswer, FetchError>),
}

/// An upstream's answer, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WholeAnswer {
    pub status: u16,
    /// Names as sent, values as bytes, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Transfer coding removed.
    pub body: Vec<u8>,
}

/// The bytes of a file and what conditional requests need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    pub bytes: Vec<u8>,
    pub modified: Option<SystemTime>,
}

/// One thing for the server to do. A range names bytes of [`Effects::bytes`]. An effect for a connection that is gone,
/// or that speaks something else, does nothing.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// The answer to the request under way. With [`Body::Stream`] the pieces follow as `Piece`, then `End`.
    Respond(ConnId, Response),
    /// The next bytes of a streamed body.
    Piece(ConnId, Range<usize>),
    /// The streamed body is whole; `false`: it broke off, so the connection must be cut to show it.
    End(ConnId, bool),
    /// 101 with this Sec-WebSocket-Accept; then a message may have so many bytes at most.
    Upgrade(ConnId, [u8; 28], usize),
    /// One message to one WebSocket.
    Send(ConnId, Kind, Range<usize>),
    /// Close a WebSocket with a code and a reason; it leaves its feed, and the session is over for the application.
    Close(ConnId, u16, &'static str),
    /// The connection becomes a reader of the feed, from here on.
    Join(ConnId, FeedId),
    /// One text message to every reader of the feed.
    Publish(FeedId, Range<usize>),
    /// [`Event::Woke`] at this time; only while a request waits for its answer.
    Sleep(ConnId, Instant),
    /// Start a fetch whose events go to this connection. When the connection goes, the fetch goes. One at a time: a
    /// second one takes the place of the first, whose events end without a word.
    Fetch(ConnId, Box<Fetch>),
    /// Run on the pool; [`Event::Finished`] goes to this connection.
    Run(ConnId, Job),
    /// Run on the loop itself, while everybody waits (`--lab`).
    RunBlocking(ConnId, Job),
    /// Leave the loop.
    Quit,
}

/// The effects of one event, in order. Reused for ever: no allocation per event once warm.
#[derive(Debug, Default)]
pub struct Effects {
    /// What to do, first to last.
    pub list: Vec<Effect>,
    /// What the ranges of the list name.
    pub bytes: Vec<u8>,
}

impl Effects {
    /// Lets `write` append to `bytes`; answers the range it wrote.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        start..self.bytes.len()
    }

    /// Queues one effect.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// The answer to the request under way.
    pub fn respond(&mut self, to: ConnId, response: Response) {
        self.list.push(Effect::Respond(to, response));
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }
}

/// What the server runs: the site, or the list of `squall fetch`.
pub trait App {
    /// Takes one event of connection `from` at time `now` and says what is to be done. Never blocks.
    fn on_event(&mut self, from: ConnId, event: Event<'_>, now: Instant, out: &mut Effects);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::exchange::Stage;

    #[test]
    fn each_failure_of_a_fetch_has_its_status_and_names_its_cause() {
        let (host, address) = (|| "a.test".to_owned(), || "192.0.2.1:80".to_owned());
        let (why, after) = (|| "because".to_owned(), Duration::from_millis(2500));
        for (error, status, text) in [
            (FetchError::Resolve { host: host(), why: why() }, 502, "the name a.test could not be resolved: because"),
            (FetchError::Busy, 503, "too many fetches are under way, try again in a moment"),
            (FetchError::Forbidden { host: host() }, 502, "a redirect leads to a.test, which is not a public address"),
            (FetchError::Connect { address: address(), why: why() }, 502, "no connection to 192.0.2.1:80: because"),
            (FetchError::Broken { why: why() }, 502, "the connection broke before the answer was whole: because"),
            (
                FetchError::Protocol(ExchangeError::EarlyEof(Stage::Head)),
                502,
                "the answer makes no sense: the connection was closed within the head",
            ),
            (FetchError::ConnectTimeout { after }, 504, "no connection within 2.5 s"),
            (FetchError::Timeout { after }, 504, "no complete answer within 2.5 s"),
        ] {
            assert_eq!((error.status(), error.to_string().as_str()), (status, text));
        }
    }

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
    fn an_effect_is_small() {
        assert!(size_of::<Effect>() <= 120, "{} bytes", size_of::<Effect>());
    }
}
