//! One outbound request as the application sees it: what to ask for, what comes back, and why it may not.

use crate::http::exchange::{Asking, ExchangeError, ResponseHead, Stage};
use crate::http::url::Url;
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
    /// Refuse addresses that are not public: set for a redirect that leaves its site.
    pub public_only: bool,
    /// All of it must be done by then: queue, name, connect, TLS and the last byte of the response.
    pub deadline: Instant,
    /// How long that is from its beginning; only for the text of [`FetchError::Timeout`].
    pub within: Duration,
}

impl Fetch {
    /// A plain GET, done `within` this time from `now`.
    pub fn get(url: Url, now: Instant, within: Duration) -> Fetch {
        Fetch {
            url,
            method: "GET".into(),
            headers: Vec::new(),
            body: Vec::new(),
            decode: false,
            public_only: false,
            deadline: now + within,
            within,
        }
    }

    /// What its request says; `close`: on a connection that will not be used again.
    pub fn asking(&self, close: bool) -> Asking<'_> {
        Asking { method: &self.method, headers: &self.headers, body: &self.body, decode: self.decode, close }
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

/// Steps of one fetch, in order: `Head`, any number of `Body`, `Done`; or `Failed` at any point.
#[derive(Debug)]
pub enum Fetched<'a> {
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
    Answer(Stage),
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
            FetchError::Broken { why } => write!(f, "the connection broke before the answer was whole: {why}"),
            FetchError::Protocol(e @ ExchangeError::EarlyEof(_)) => write!(f, "the answer is not whole: {e}"),
            FetchError::Protocol(e) if e.is_limit() => write!(f, "the answer is refused: {e}"),
            FetchError::Protocol(e) => write!(f, "the answer makes no sense: {e}"),
            FetchError::Timeout { after, reached } => {
                write!(f, "no complete answer within {} s: ", after.as_secs_f64())?;
                f.write_str(match reached {
                    Reached::Queue => "too many fetches were under way",
                    Reached::Name => "the name was still being looked up",
                    Reached::Connect => "the connection was not there yet",
                    Reached::Handshake => "the TLS handshake was still under way",
                    Reached::Answer(Stage::Start) => "nothing came",
                    Reached::Answer(Stage::Head) => "its head was still coming",
                    Reached::Answer(Stage::Body) => "its body was still coming",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_of_a_fetch_has_its_status_and_names_its_cause() {
        let (host, address) = (|| "a.test".to_owned(), || "192.0.2.1:80".to_owned());
        let (why, after) = (|| "because".to_owned(), Duration::from_millis(2500));
        for (error, status, text) in [
            (FetchError::Resolve { host: host(), why: why() }, 502, "the name a.test could not be resolved: because"),
            (FetchError::ResolveTimeout { host: host(), after }, 504, "the name a.test was not resolved within 2.5 s"),
            (FetchError::Busy, 503, "too many fetches are under way, try again in a moment"),
            (
                FetchError::QueueTimeout { after },
                503,
                "too many fetches are under way: no place became free within 2.5 s",
            ),
            (FetchError::Forbidden { host: host() }, 502, "a redirect leads to a.test, which is not a public address"),
            (FetchError::Connect { address: address(), why: why() }, 502, "no connection to 192.0.2.1:80: because"),
            (FetchError::ConnectTimeout { after }, 504, "no connection within 2.5 s"),
            (FetchError::NoTls, 502, "this program was built without https (its feature is `tls`)"),
            (FetchError::Tls { host: host(), why: why() }, 502, "no secure connection to a.test: because"),
            (FetchError::TlsTimeout { host: host(), after }, 504, "no secure connection to a.test within 2.5 s"),
            (FetchError::Broken { why: why() }, 502, "the connection broke before the answer was whole: because"),
            (
                FetchError::Protocol(ExchangeError::EarlyEof(Stage::Head)),
                502,
                "the answer is not whole: the connection was closed within the head",
            ),
            (FetchError::Protocol(ExchangeError::NotHttp), 502, "the answer makes no sense: it is not HTTP/1"),
            (
                FetchError::Protocol(ExchangeError::HeadTooLong(9)),
                502,
                "the answer is refused: its head is longer than 9 bytes",
            ),
        ] {
            assert_eq!((error.status(), error.to_string().as_str()), (status, text));
        }
        for (reached, text) in [
            (Reached::Queue, "too many fetches were under way"),
            (Reached::Name, "the name was still being looked up"),
            (Reached::Connect, "the connection was not there yet"),
            (Reached::Handshake, "the TLS handshake was still under way"),
            (Reached::Answer(Stage::Start), "nothing came"),
            (Reached::Answer(Stage::Head), "its head was still coming"),
            (Reached::Answer(Stage::Body), "its body was still coming"),
        ] {
            let error = FetchError::Timeout { after, reached };
            let text = format!("no complete answer within 2.5 s: {text}");
            assert_eq!((error.status(), error.to_string()), (504, text));
        }
    }

    #[test]
    fn only_what_may_be_asked_twice_is_idempotent() {
        let url = Url::parse("http://a.test/").expect("a URL");
        let fetch = Fetch::get(url, Instant::now(), Duration::from_secs(1));
        assert!(fetch.is_idempotent() && !fetch.is_head());
        assert!(Fetch { method: "HEAD".into(), ..fetch.clone() }.is_head());
        assert!(!Fetch { method: "POST".into(), ..fetch.clone() }.is_idempotent());
        assert!(!Fetch { method: "get".into(), ..fetch }.is_idempotent(), "a method is case-sensitive");
    }
}
