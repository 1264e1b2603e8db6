//! How a connection opens, and how a name logs in: connect, TLS, one request, one response.
//!
//! ```text
//! Connecting ── writable ──▶ Securing (wss, https) ── TLS is done ──▶ Asking ── head of the response ──▶ Opened, or not
//! ```

use super::connection::{Connection, Filled, Stage};
use crate::cli::bench::sockets::FlagError;
use crate::http::Limits;
use crate::http::exchange::{Exchange, ExchangeEvent, ResponseHead};
use crate::net::{self, Network, Stream};
use crate::ws::handshake::client::{self, HandshakeError, Key};
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::Instant;

/// A connection that is being opened.
pub struct Opening {
    began: Instant,
    step: Step,
    asks: Asks,
    request: Vec<u8>,
    exchange: Exchange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connecting,
    Securing,
    Asking,
}

/// What the request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Cookies.
    Login,
    /// A WebSocket.
    Handshake(Key),
}

/// What a connection is opened with.
pub struct Means<'a, N: Network> {
    pub network: &'a mut N,
    /// The host that TLS is for; `None`: there is no TLS.
    pub tls_host: Option<&'a str>,
    pub subprotocol: Option<&'a str>,
    pub buffer: &'a mut [u8],
    pub limits: &'a Limits,
}

/// How an opening has ended well.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The login gave these cookies, as they stand in a Cookie field. Its connection is of no further use.
    LoggedIn(String),
    /// The WebSocket is open, whose connect began then. In this part of the buffer are bytes that came behind the
    /// response.
    WebSocket { behind: Range<usize>, began: Instant },
}

/// Why a connection has not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server refuses, with this status.
    Refused(u16),
    /// The kind of failure, in a word, and what the system or the response says.
    Failed(&'static str, String),
}

/// The kinds of failures.
pub const CONNECT: &str = "connect";
pub const NO_ADDRESS: &str = "no_address";
pub const NO_PORT: &str = "no_port";
pub const NO_DESCRIPTOR: &str = "no_descriptor";
pub const TLS: &str = "tls";
pub const TIMEOUT: &str = "timeout";
pub const CLOSED: &str = "closed";
pub const HANDSHAKE: &str = "handshake";
pub const LOGIN: &str = "login";
pub const WELCOME: &str = "welcome";

impl Trouble {
    /// A connect has failed. What this program itself lacks has a kind of its own.
    pub fn connecting(error: &io::Error) -> Trouble {
        let kind = match (error.kind(), error.raw_os_error()) {
            _ if FlagError::of(error).is_some_and(|of_flag| of_flag.is_ours) => NO_ADDRESS,
            (ErrorKind::AddrNotAvailable, _) => NO_PORT,
            (_, Some(libc::EMFILE | libc::ENFILE)) => NO_DESCRIPTOR,
            _ => CONNECT,
        };
        Trouble::of(kind, error)
    }

    /// What to look at, as a question; `None` where the text says all.
    pub fn question(&self, logs_in: bool) -> Option<&'static str> {
        match self {
            Trouble::Refused(401 | 403) => (!logs_in).then_some("does it need --login?"),
            Trouble::Refused(429 | 500..) => None,
            Trouble::Refused(_) => Some("is the path a WebSocket?"),
            Trouble::Failed(CONNECT, _) => Some("is the server there?"),
            Trouble::Failed(CLOSED | TIMEOUT, _) => Some("does the port speak HTTP?"),
            Trouble::Failed(LOGIN, _) => Some("does --login take a name?"),
            Trouble::Failed(..) => None,
        }
    }

    /// A failure of this kind, told by the system.
    pub fn of(kind: &'static str, error: &io::Error) -> Trouble {
        Trouble::Failed(kind, error.to_string())
    }
}

impl Opening {
    /// Connecting has begun; this will be asked.
    pub fn new(asks: Asks, request: Vec<u8>, now: Instant) -> Opening {
        let exchange = match asks {
            Asks::Login => Exchange::new(false, false),
            Asks::Handshake(_) => Exchange::upgrade(),
        };
        Opening { began: now, step: Step::Connecting, asks, request, exchange }
    }

    /// Takes the opening of a connection as far as its socket allows; `None`: the next event takes it further.
    pub fn advance<N: Network>(
        connection: &mut Connection<N::Stream>,
        means: &mut Means<N>,
    ) -> Option<Result<Opened, Trouble>> {
        let Stage::Opening(mut opening) = std::mem::replace(&mut connection.stage, Stage::Closed) else { return None };
        let advanced = opening.advance_on(connection, means);
        if matches!(advanced, Ok(None)) {
            connection.stage = Stage::Opening(opening);
        }
        advanced.transpose()
    }

    fn advance_on<N: Network>(
        &mut self,
        connection: &mut Connection<N::Stream>,
        means: &mut Means<N>,
    ) -> Result<Option<Opened>, Trouble> {
        if self.step == Step::Connecting && is_connected(connection)? {
            if let Some(host) = means.tls_host
                && let Some(stream) = connection.stream().take()
            {
                let stream = means.network.encrypt(stream, host).map_err(|e| Trouble::of(TLS, &e))?;
                *connection.stream() = Some(stream);
            }
            self.step = Step::Securing;
        }
        if self.step == Step::Securing
            && let Some(stream) = connection.stream()
            && stream.secure().map_err(|e| Trouble::of(TLS, &e))?
        {
            if means.tls_host.is_some() {
                means.network.secured(stream);
                connection.secured();
            }
            self.step = Step::Asking;
            connection.send(&self.request).map_err(|e| Trouble::of(CLOSED, &e))?;
        }
        if self.step != Step::Asking {
            return Ok(None);
        }
        connection.flush().map_err(|e| Trouble::of(CLOSED, &e))?;
        loop {
            let (end, is_eof) = match connection.fill(means.buffer).map_err(|e| Trouble::of(CLOSED, &e))? {
                Filled::Nothing => return Ok(None),
                Filled::Eof { end } => (end, true),
                Filled::Bytes { end, .. } => (end, false),
            };
            if let Some(opened) = self.read(&means.buffer[..end], is_eof, connection, means)? {
                return Ok(Some(opened));
            }
        }
    }

    /// Looks for the head of the response, which alone decides.
    fn read<N: Network>(
        &mut self,
        bytes: &[u8],
        is_eof: bool,
        connection: &mut Connection<N::Stream>,
        means: &Means<N>,
    ) -> Result<Option<Opened>, Trouble> {
        let mut at = 0;
        loop {
            match self.exchange.receive(&bytes[at..], is_eof, means.limits) {
                Ok((used, Some(ExchangeEvent::Head(head)))) => {
                    let opened = match self.asks {
                        Asks::Login => Opened::LoggedIn(cookies(&head)?),
                        Asks::Handshake(key) => {
                            client::check(&head, &key, means.subprotocol)?;
                            Opened::WebSocket { behind: at + used..bytes.len(), began: self.began }
                        }
                    };
                    return Ok(Some(opened));
                }
                Ok((0, _)) => {
                    connection.keep(&bytes[at..]);
                    return Ok(None);
                }
                Ok((used, _)) => at += used,
                Err(error) if is_eof => return Err(Trouble::Failed(CLOSED, error.to_string())),
                Err(error) => return Err(Trouble::Failed(HANDSHAKE, error.to_string())),
            }
        }
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Refused(status) => write!(f, "the server refuses with status {status}"),
            Trouble::Failed(_, said) => f.write_str(said),
        }
    }
}

impl From<HandshakeError> for Trouble {
    fn from(error: HandshakeError) -> Trouble {
        match error {
            HandshakeError::Status(status) => Trouble::Refused(status),
            HandshakeError::Broken(_) => Trouble::Failed(HANDSHAKE, error.to_string()),
        }
    }
}

/// Whether the connect is done.
fn is_connected<S: Stream>(connection: &mut Connection<S>) -> Result<bool, Trouble> {
    let Some(stream) = connection.stream() else { return Ok(false) };
    net::is_connected(stream).map_err(|e| Trouble::connecting(&e))
}

/// The cookies that a login sets.
fn cookies(head: &ResponseHead) -> Result<String, Trouble> {
    if !(200..400).contains(&head.status) {
        return Err(Trouble::Failed(LOGIN, format!("the login is refused with status {}", head.status)));
    }
    let pair = |field: &[u8]| {
        let pair = field.split(|&byte| byte == b';').next().unwrap_or_default();
        String::from_utf8(pair.trim_ascii().to_vec()).ok()
    };
    let cookies: Vec<String> = head.headers.named("set-cookie").filter_map(pair).collect();
    match cookies.is_empty() {
        true => Err(Trouble::Failed(LOGIN, format!("the login sets no cookie, with status {}", head.status))),
        false => Ok(cookies.join("; ")),
    }
}
