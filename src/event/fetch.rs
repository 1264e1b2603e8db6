//! One outbound request as the application sees it: what to ask for, what comes back, and why it may not.
//!
//! Redirects are followed by the client. What of a request goes into the next one is decided here ([`Fetch::redirected`]).

use crate::http::exchange::{Asking, ExchangeError, ResponseHead, Stage};
use crate::http::redirect::{self, Target};
use crate::http::url::{Url, UrlError};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One outbound request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// What to ask for.
    pub url: Url,
    /// A token (RFC 9110 section 9.1), as a rule one of the registered ones in upper case.
    pub method: Cow<'static, str>,
    /// Fields in the order in which they are sent. Which of ours they replace, and which are left out:
    /// [`encode_request`](crate::http::exchange::encode_request).
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// Empty: none.
    pub body: Vec<u8>,
    /// Ask for gzip and deflate, and take them off the response.
    pub decode: bool,
    /// Refuse addresses that are not public: set by a redirect, see [`Leads`].
    pub public_only: bool,
    /// Redirects that may be followed; 0: a redirect is a response like any other.
    pub redirects_max: u8,
    /// Redirects that were followed.
    pub redirects: u8,
    /// Where they may lead.
    pub leads: Leads,
    /// All of it must be done by then: queue, name, connect, TLS, redirects and the last byte of the response.
    pub deadline: Instant,
    /// How long that is from its beginning; only for the text of [`FetchError::Timeout`].
    pub within: Duration,
}

/// Where the redirects of a fetch may lead. Once they must lead to public addresses, all further ones must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    Anywhere,
    /// A response from a public address must not lead to one that is not.
    PublicFromPublic,
    /// Every host but this one must be public.
    PublicBut(String),
}

/// The side of the network on which a response was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Public,
    /// A private, loopback or otherwise special address.
    Private,
}

impl Fetch {
    /// A plain GET without redirects, done `within` this time from `now`.
    pub fn get(url: Url, now: Instant, within: Duration) -> Fetch {
        Fetch {
            url,
            method: "GET".into(),
            headers: Vec::new(),
            body: Vec::new(),
            decode: false,
            public_only: false,
            redirects_max: 0,
            redirects: 0,
            leads: Leads::Anywhere,
            deadline: now + within,
            within,
        }
    }

    /// The next fetch, if a response with this status and Location redirects this one; `None`: it is a response like any
    /// other. What of the request goes along: RFC 9110 section 15.4.
    ///
    /// # Errors
    /// The redirect cannot be followed.
    pub fn redirected(&self, status: u16, location: Option<&[u8]>, from: Side) -> Result<Option<Fetch>, FetchError> {
        if self.redirects_max == 0 {
            return Ok(None);
        }
        let url = match redirect::target(&self.url, status, location) {
            Target::None => return Ok(None),
            Target::Bad(why, location) => return Err(FetchError::BadLocation { location, why }),
            Target::To(_) if self.redirects >= self.redirects_max => {
                return Err(FetchError::TooManyRedirects { max: self.redirects_max });
            }
            Target::To(url) => url,
        };
        let mut next = self.clone();
        if !redirect::keeps_method(status, &self.method) {
            (next.method, next.body) = ("GET".into(), Vec::new());
            next.headers.retain(|(name, _)| !redirect::describes_body(name));
        }
        if !redirect::same_origin(&self.url, &url) {
            // A given Host means the site it was given for.
            next.headers.retain(|(name, _)| !redirect::is_credential(name) && !name.eq_ignore_ascii_case("Host"));
        }
        next.public_only |= match &self.leads {
            Leads::Anywhere => false,
            // Also on the same host: its name may mean another address by now.
            Leads::PublicFromPublic => from == Side::Public,
            Leads::PublicBut(host) => url.host != *host,
        };
        (next.url, next.redirects) = (url, self.redirects + 1);
        Ok(Some(next))
    }

    /// What its request says; `close`: on a connection that will not be used again.
    pub fn asking(&self, close: bool) -> Asking<'_> {
        Asking { method: &self.method, headers: &self.headers, body: &self.body, decode: self.decode, close }
    }

    /// Memory held for the request, bytes.
    pub fn held(&self) -> usize {
        let fields: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.url.host.len() + self.url.target.len() + fields + self.body.len()
    }

    /// Whether the response has no body, whatever its fields say.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Whether asking twice means the same as asking once (RFC 9110 section 9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE")
    }
}

/// Steps of one fetch, in order: any number of `Redirect`, `Head`, any number of `Body`, `Done`; or `Failed` at any point.
#[derive(Debug)]
pub enum Fetched<'a> {
    /// A redirect, and the URL at which the fetch goes on; `None`: it is not followed, and `Failed` says why.
    Redirect(ResponseHead<'a>, Journey, Option<&'a Url>),
    /// Final status and fields (1xx are swallowed), and how the fetch came there.
    Head(ResponseHead<'a>, Journey),
    /// The next piece of the body, transfer coding removed, and content coding where [`Fetch::decode`] was set.
    Body(&'a [u8]),
    /// The body is whole.
    Done,
    /// Nothing more will come.
    Failed(FetchError),
}

/// How a fetch came to the first byte of its response. A phase that did not happen is `None`: no name to look up, a kept
/// connection, no TLS. Times are those of the loop's turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journey {
    /// The address that was connected to.
    pub address: SocketAddr,
    /// From the question for the name to its addresses.
    pub dns: Option<Duration>,
    /// From there until an address was connected to.
    pub connect: Option<Duration>,
    /// From there to the end of the TLS handshake.
    pub tls: Option<Duration>,
    /// From the request to the first byte of the response, interim ones (1xx) included.
    pub first_byte: Duration,
}

/// How far a fetch had come when its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It waited for its place.
    Queue,
    Name,
    Connect,
    /// That of TLS.
    Handshake,
    /// The request was on its way, and this much of a response had come.
    Response(Stage),
}

/// Why a fetch ended early. `Display` is a sentence for people that names the cause. `after` is the limit that has
/// passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// The name could not be resolved, or the queue of the resolver is full.
    Resolve { host: String, why: String },
    /// The name was not resolved within `connect_within`.
    ResolveTimeout { host: String, after: Duration },
    /// `fetches_waiting_max` wait already, or all buffers are full.
    Busy,
    /// No place became free within `fetch_queue_within`.
    QueueTimeout { after: Duration },
    /// Every address of a redirect's target is private, loopback or otherwise not public.
    Forbidden { host: String },
    /// Every address that was tried has failed (connect(2)); this is the last one that did, and why.
    Connect { address: String, why: String },
    /// No connection within `connect_within`.
    ConnectTimeout { after: Duration },
    /// https, and this program was built without it.
    NoTls,
    /// The TLS handshake failed: a certificate that is not accepted, another protocol, an early end.
    Tls { host: String, why: String },
    /// The TLS handshake was not done within `connect_within`.
    TlsTimeout { host: String, after: Duration },
    /// Connected, but then reset, or closed without close_notify where only that is the end of the response.
    Broken { why: String },
    /// The response is not HTTP, breaks a limit, or ends too early.
    Protocol(ExchangeError),
    /// The response redirects once more than `max` times.
    TooManyRedirects { max: u8 },
    /// The response redirects to something that cannot be fetched.
    BadLocation { location: String, why: UrlError },
    /// Not done by [`Fetch::deadline`]; `reached` is how far it had come.
    Timeout { after: Duration, reached: Reached },
}

impl FetchError {
    /// The name is known, but has no address.
    pub fn no_address(host: String) -> FetchError {
        FetchError::Resolve { host, why: "it has no address".into() }
    }

    /// 504 where time ran out, 503 where the queue is full, else 502.
    pub fn status(&self) -> u16 {
        match self {
            FetchError::Busy | FetchError::QueueTimeout { .. } => 503,
            FetchError::ResolveTimeout { .. }
            | FetchError::ConnectTimeout { .. }
            | FetchError::TlsTimeout { .. }
            | FetchError::Timeout { .. } => 504,
            _ => 502,
        }
    }
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchError::Resolve { host, why } => write!(f, "the name {host} could not be resolved: {why}"),
            FetchError::ResolveTimeout { host, after } => {
                write!(f, "the name {host} was not resolved within {} s", after.as_secs_f64())
            }
            FetchError::Busy => write!(f, "too many fetches are under way, try again in a moment"),
            FetchError::QueueTimeout { after } => {
                write!(f, "too many fetches are under way: no place became free within {} s", after.as_secs_f64())
            }
            FetchError::Forbidden { host } => write!(f, "a redirect leads to {host}, which is not a public address"),
            FetchError::Connect { address, why } => write!(f, "no connection to {address}: {why}"),
            FetchError::ConnectTimeout { after } => write!(f, "no connection within {} s", after.as_secs_f64()),
            FetchError::NoTls => write!(f, "this program was built without https (its feature is `tls`)"),
            FetchError::Tls { host, why } => write!(f, "no secure connection to {host}: {why}"),
            FetchError::TlsTimeout { host, after } => {
                write!(f, "no secure connection to {host} within {} s", after.as_secs_f64())
            }
            FetchError::Broken { why } => write!(f, "the connection broke before the response was whole: {why}"),
            FetchError::Protocol(e @ ExchangeError::EarlyEof(_)) => write!(f, "the response is not whole: {e}"),
            FetchError::Protocol(e) if e.is_limit() => write!(f, "the response is refused: {e}"),
            FetchError::Protocol(e) => write!(f, "the response makes no sense: {e}"),
            FetchError::TooManyRedirects { max } => write!(f, "it redirects more than {max} times"),
            FetchError::BadLocation { location, why } => write!(f, "it redirects to {location}: {why}"),
            FetchError::Timeout { after, reached } => {
                write!(f, "no complete response within {} s: ", after.as_secs_f64())?;
                f.write_str(match reached {
                    Reached::Queue => "too many fetches were under way",
                    Reached::Name => "the name was still being looked up",
                    Reached::Connect => "the connection was not there yet",
                    Reached::Handshake => "the TLS handshake was still under way",
                    Reached::Response(Stage::Start) => "nothing came",
                    Reached::Response(Stage::Head) => "its head was still coming",
                    Reached::Response(Stage::Body) => "its body was still coming",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
