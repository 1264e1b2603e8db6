//! What a way to misbehave is: a name, how the site plays it, and what the client must make of it.

use super::WITHIN;
use crate::support::stub::Asked;
use crate::support::{PATIENCE, Stub, wait_for};
use squall::event::Fetch;
use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What is said of a response that is not whole in [`WITHIN`].
const LATE: &str = "no complete response within 0.6 s";
/// And how far it has come.
pub const SILENT: &str = "no complete response within 0.6 s: nothing came";
pub const LATE_HEAD: &str = "no complete response within 0.6 s: its head was still coming";
pub const LATE_BODY: &str = "no complete response within 0.6 s: its body was still coming";

/// Texts that several ways share, because to a client they are the same thing: time that ran out says only how far
/// the response had come, a reset has no reason, and what is not HTTP is not HTTP in many ways.
pub const SHARED: &[&str] = &[
    LATE_HEAD,
    LATE_BODY,
    "Connection reset by peer",
    "it is not HTTP/1",
    "its status line makes no sense",
    "its head has a NUL or a bare CR in it",
    "its head is longer than 4096 bytes",
    "its Content-Length is not one number",
    "it has a transfer coding other than chunked",
    "the connection was closed without a response",
    "the connection was closed within the head",
    "the connection was closed before the body was whole",
    "its body is longer than 65536 bytes",
    "its body is longer than 65536 bytes when inflated",
    "its gzip or deflate coding ends too early",
    "a chunk size is not a hexadecimal number",
    "a chunk does not end in CR LF",
    "the chunk extensions are too long",
    "the trailer section is too long",
    "the certificate is from an unknown issuer",
    "the certificate is not for 127.0.0.1",
    "no secure connection to 127.0.0.1 within 1 s",
    "closed within the TLS handshake",
];

/// Whether this is said when time has run out.
pub fn is_late(why: &str) -> bool {
    why.starts_with(LATE)
}

/// One way to misbehave.
pub struct Way {
    /// Goes on after "a site that".
    pub name: &'static str,
    play: Play,
    ask: Ask,
    pub end: End,
}

/// What the site does.
#[derive(Clone, Copy)]
pub enum Play {
    /// Sends this as the response, and waits until the client hangs up: its error must not need our end.
    Says(&'static str),
    /// Sends this as the response, and closes.
    Closes(&'static str),
    /// Does this after the head of a request.
    Http(fn(Asked)),
    /// Does this with every connection.
    Raw(fn(TcpStream)),
    /// The same, and is asked over https.
    #[cfg(feature = "tls")]
    RawTls(fn(TcpStream)),
    /// Is no site at all.
    Absent(fn() -> Absent),
}

/// An address where no site is, and what keeps it so.
pub struct Absent {
    pub url: String,
    pub kept: Box<dyn Any>,
}

/// What the client must make of it.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// The error has this in its text.
    Fails(&'static str),
    /// It is harmless: this body arrives.
    Arrives(&'static str),
}

/// What the client asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Get,
    Decoded,
    PublicOnly,
}

/// A site that a way is being played by.
pub struct Played {
    pub url: String,
    site: Option<Stub>,
    _kept: Box<dyn Any>,
}

/// A row of a table.
pub const fn way(name: &'static str, play: Play, end: End) -> Way {
    Way { name, play, ask: Ask::Get, end }
}

impl Way {
    /// The client takes the content coding off.
    #[cfg(feature = "deflate")]
    pub const fn decoded(self) -> Way {
        Way { ask: Ask::Decoded, ..self }
    }

    /// The client was led here by another site's redirect.
    pub const fn led_here(self) -> Way {
        Way { ask: Ask::PublicOnly, ..self }
    }

    /// What the client asks for, from `now` on.
    pub fn asking(&self, fetch: Fetch, now: Instant) -> Fetch {
        let is_late = matches!(self.end, End::Fails(why) if is_late(why));
        let within = if is_late { WITHIN } else { fetch.within };
        let (decode, public_only) = (self.ask == Ask::Decoded, self.ask == Ask::PublicOnly);
        Fetch { decode, public_only, within, deadline: now + within, ..fetch }
    }

    /// Begins to play.
    pub fn play(&self) -> Played {
        let (scheme, site) = match self.play {
            Play::Says(text) => (
                "http",
                Stub::start(move |mut asked| {
                    asked.say(text);
                    hold(&mut asked.stream);
                }),
            ),
            Play::Closes(text) => ("http", Stub::saying(text)),
            Play::Http(play) => ("http", Stub::start(play)),
            Play::Raw(play) => ("http", Stub::raw(play)),
            #[cfg(feature = "tls")]
            Play::RawTls(play) => ("https", Stub::raw(play)),
            Play::Absent(make) => {
                let Absent { url, kept } = make();
                return Played { url, site: None, _kept: kept };
            }
        };
        Played { url: format!("{scheme}://{}/", site.address), site: Some(site), _kept: Box::new(()) }
    }
}

impl Played {
    /// Waits until the client has closed all its connections to the site.
    #[track_caller]
    pub fn wait_until_left(&self, name: &str) {
        wait_for(name, || self.site.as_ref().is_none_or(|site| site.open() == 0).then_some(()));
    }
}

/// Waits for the client to hang up, for ever: a client that does not is seen by [`Played::wait_until_left`].
pub fn hold(stream: &mut TcpStream) {
    let _ = stream.set_read_timeout(None);
    let mut buf = [0; 1024];
    while let Ok(1..) = stream.read(&mut buf) {}
}

/// Says `begin`, then `again` and again with a pause between, until the client hangs up.
pub fn for_ever(asked: &mut Asked, begin: &str, again: &str, pause: Duration) {
    asked.say(begin);
    let _ = asked.stream.set_write_timeout(Some(PATIENCE * 2));
    while asked.stream.write_all(again.as_bytes()).is_ok() {
        std::thread::sleep(pause);
    }
}

/// Resets the connection.
pub fn reset(stream: TcpStream) {
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}
