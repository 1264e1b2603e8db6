//! One outbound request, and the connection that we open for it or have kept.
//!
//! ```text
//! Placed ─▶ Resolving (unless known) ─▶ Connecting ─▶ Securing (https) ─▶ Exchanging ─ whole response ─▶ Kept
//!                                                                             ▲                           │
//!                                                                             └─ next fetch, or redirect ─┘
//! Queued ─ a place is free ─▶ a new entry that is Placed, or one that is Kept
//! TurnedAway: the queue was full                    all but Kept ─ whole response, error, deadline ─▶ Over
//! ```
//!
//! A fetch is an entry of the table from its first moment, so one id serves its deadline, its name and its events. It
//! belongs to an owner, which gets its events. When the owner goes, the fetch goes. A kept connection has no owner.
//! When a fetch starts, and what its owner is told, is decided by `client`.

use super::{Input, Step};
use crate::config::Limits;
use crate::event::{Fetch, FetchError, Fetched, Journey, Reached, Side};
use crate::http::exchange::{Exchange, ExchangeError, ExchangeEvent, ResponseHead, Stage};
use crate::http::redirect::{BODY_BYTES_MAX, same_origin};
use crate::http::url::Scheme;
use crate::id::ConnId;
use crate::net::address::is_public;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The outbound state of one connection.
pub struct Upstream {
    /// The owner, which gets the events; none of a kept connection.
    pub owner: ConnId,
    /// What is asked for; of a kept connection, what it was used for last.
    pub fetch: Box<Fetch>,
    state: State,
    /// It has one of the `fetches_max` places.
    pub running: bool,
    /// Reads the response.
    pub exchange: Exchange,
    redirect: Redirect,
    /// It has carried a response before, so the peer may have closed it before our request was there.
    reused: bool,
    /// How it came so far; complete once the response begins.
    journey: Journey,
    /// When the phase that is being timed began.
    phase_began: Instant,
}

/// How far a fetch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for one of the `fetches_max` places.
    Queued,
    /// The queue was full; its slice says so.
    TurnedAway,
    /// Has its place; its slice begins with the name.
    Placed,
    /// Its name is being looked up, on a thread.
    Resolving,
    /// Its addresses race.
    Connecting,
    /// Connected; the TLS handshake is under way.
    Securing,
    /// The request is sent or being sent, the response is being read.
    Exchanging,
    /// Its response was whole, and the connection may carry another one.
    Kept,
    /// The owner has heard the end.
    Over,
}

/// Whether the response is a redirect.
#[derive(Debug)]
enum Redirect {
    /// It is for the owner; or its head has not come.
    No,
    /// It leads to this fetch, once its body is read; that many bytes were.
    To(Box<Fetch>, usize),
    /// It is not followed.
    Failed(FetchError),
}

/// How a response ended.
#[derive(Debug)]
pub enum End {
    /// It is whole. `is_quiet`: the request was sent, nothing came behind the response, and the connection is open.
    Whole { is_quiet: bool },
    /// The same of a redirect; or its body is too long to wait for, then it is not quiet.
    Redirect { is_quiet: bool },
    /// It never will be.
    Failed(FetchError),
    /// It is the server's 408 to a kept connection: ask once more, on a new one.
    AskAnew,
}

/// Why a body that ends with its connection is not whole: over TLS the sender says when it is done (RFC 8446 section
/// 6.1), so the end may have been cut off on the way.
const CUT_SHORT: &str = "it ended without a TLS close_notify";

impl Upstream {
    /// A fetch at its beginning: queued, turned away, or with its place.
    pub fn new(owner: ConnId, fetch: Box<Fetch>, state: State, now: Instant) -> Upstream {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Upstream {
            owner,
            exchange: Exchange::new(fetch.is_head(), fetch.decode),
            redirect: Redirect::No,
            fetch,
            state,
            running: state == State::Placed,
            reused: false,
            journey: Journey { address: nowhere, dns: None, connect: None, tls: None, first_byte: Duration::ZERO },
            phase_began: now,
        }
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its name has been asked for.
    pub fn begin_resolving(&mut self, now: Instant) {
        (self.state, self.phase_began) = (State::Resolving, now);
    }

    /// The host's addresses are known. Returns those that this fetch may connect to, among which the race begins.
    ///
    /// # Errors
    /// `Forbidden`: only public addresses are allowed, and there is none.
    pub fn begin_connecting(&mut self, addresses: &[IpAddr], now: Instant) -> Result<Vec<SocketAddr>, FetchError> {
        if self.state == State::Resolving {
            self.journey.dns = Some(now.saturating_duration_since(self.phase_began));
        }
        let allowed = addresses.iter().filter(|&&address| !self.fetch.public_only || is_public(address));
        let allowed: Vec<_> = allowed.map(|&address| SocketAddr::new(address, self.fetch.url.port)).collect();
        if allowed.is_empty() {
            return Err(FetchError::Forbidden { host: self.fetch.url.host.clone() });
        }
        (self.state, self.phase_began) = (State::Connecting, now);
        Ok(allowed)
    }

    /// Its stream is there, and leads to `address`. Next is TLS, or for http at once the exchange.
    pub fn connected(&mut self, address: SocketAddr, now: Instant) {
        self.journey.address = address;
        self.journey.connect = Some(now.saturating_duration_since(self.phase_began));
        (self.state, self.phase_began) = (State::Securing, now);
    }

    /// Its bytes may flow: the request goes out.
    pub fn begin_exchange(&mut self, now: Instant) {
        if self.state == State::Securing && self.fetch.url.scheme == Scheme::Https {
            self.journey.tls = Some(now.saturating_duration_since(self.phase_began));
        }
        (self.state, self.phase_began) = (State::Exchanging, now);
    }

    /// Takes one step over the front of the response. `end` is what is known of the connection's input, `is_flushed`
    /// whether the request is with the kernel.
    pub fn step<'b>(
        &'b mut self,
        input: &'b [u8],
        end: Input,
        is_flushed: bool,
        limits: &Limits,
        now: Instant,
    ) -> (usize, Step<'b>) {
        if self.state == State::Kept {
            // Nothing was asked, so whatever comes has no meaning.
            return if input.is_empty() { (0, Step::Starved) } else { (input.len(), Step::Over) };
        }
        if let Redirect::Failed(error) = &self.redirect {
            return (0, Step::FetchEnd(End::Failed(error.clone())));
        }
        if !input.is_empty() && !self.exchange.has_begun() {
            self.journey.first_byte = now.saturating_duration_since(self.phase_began);
        }
        let (owner, journey, may_ask_anew) = (self.owner, self.journey, self.may_ask_anew());
        let has_ended = end.has_ended();
        let is_cut = end == Input::Truncated && self.exchange.ends_with_connection();
        let (used, event) = match self.exchange.receive(input, has_ended, &limits.http) {
            Ok(found) => found,
            Err(e) => return (0, Step::FetchEnd(End::Failed(FetchError::Protocol(e)))),
        };
        match event {
            None if used == 0 => (0, Step::Starved),
            None => (used, Step::Quiet),
            Some(ExchangeEvent::Head(head)) if may_ask_anew && is_idle_timeout(&head) => {
                (input.len(), Step::FetchEnd(End::AskAnew))
            }
            Some(ExchangeEvent::Head(head)) => {
                let from = if is_public(journey.address.ip()) { Side::Public } else { Side::Private };
                self.redirect = match self.fetch.redirected(head.status, head.header("location"), from) {
                    Ok(None) => return (used, Step::Fetched(owner, Fetched::Head(head, journey))),
                    Ok(Some(next)) => Redirect::To(Box::new(next), 0),
                    Err(error) => Redirect::Failed(error),
                };
                let next = if let Redirect::To(next, _) = &self.redirect { Some(&next.url) } else { None };
                (used, Step::Fetched(owner, Fetched::Redirect(head, journey, next)))
            }
            Some(ExchangeEvent::Body(piece)) => match &mut self.redirect {
                Redirect::To(_, bytes) => {
                    *bytes += piece.len();
                    let is_short = *bytes <= BODY_BYTES_MAX;
                    (used, if is_short { Step::Quiet } else { Step::FetchEnd(End::Redirect { is_quiet: false }) })
                }
                _ => (used, Step::Fetched(owner, Fetched::Body(piece))),
            },
            Some(ExchangeEvent::Done) if is_cut => {
                (0, Step::FetchEnd(End::Failed(FetchError::Broken { why: CUT_SHORT.into() })))
            }
            Some(ExchangeEvent::Done) => {
                let is_quiet = used == input.len() && !has_ended && is_flushed;
                let is_redirect = matches!(self.redirect, Redirect::To(..));
                (used, Step::FetchEnd(if is_redirect { End::Redirect { is_quiet } } else { End::Whole { is_quiet } }))
            }
        }
    }

    /// How far it has come, for people.
    pub fn reached(&self) -> Reached {
        match self.state {
            State::Queued | State::TurnedAway => Reached::Queue,
            State::Placed | State::Resolving => Reached::Name,
            State::Connecting => Reached::Connect,
            State::Securing => Reached::Handshake,
            State::Exchanging | State::Kept | State::Over => Reached::Response(self.exchange.stage()),
        }
    }

    /// When the phase that begins now has taken too long.
    pub fn phase_deadline(&self, now: Instant, limits: &Limits) -> Instant {
        (now + limits.connect_within).min(self.fetch.deadline)
    }

    /// Takes the fetch that the response leads to, if it is a redirect.
    pub fn take_next(&mut self) -> Option<Box<Fetch>> {
        match std::mem::replace(&mut self.redirect, Redirect::No) {
            Redirect::To(next, _) => Some(next),
            _ => None,
        }
    }

    /// Whether a redirect was read, and its target is to be fetched although reading has failed now: where it leads is
    /// known, and how its body ends does not matter. Without any time left it does.
    pub fn may_follow(&self, error: &FetchError) -> bool {
        matches!(self.redirect, Redirect::To(..)) && !matches!(error, FetchError::Timeout { .. })
    }

    /// The fetch is over; returns whether it was not before, so that its owner is told one end.
    pub fn end(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Over) != State::Over
    }

    /// The connection waits for the next request.
    pub fn keep(&mut self) {
        // Only its origin is of use from now on.
        (self.fetch.headers, self.fetch.body) = (Vec::new(), Vec::new());
        self.state = State::Kept;
    }

    /// A kept connection gets its next request.
    pub fn reuse(&mut self, owner: ConnId, fetch: Box<Fetch>, now: Instant) {
        (self.exchange, self.redirect) = (Exchange::new(fetch.is_head(), fetch.decode), Redirect::No);
        self.journey = Journey { dns: None, connect: None, tls: None, ..self.journey };
        (self.owner, self.fetch, self.reused, self.running) = (owner, fetch, true, true);
        self.begin_exchange(now);
    }

    /// Whether it is kept, and leads where `fetch` wants to go.
    pub fn suits(&self, fetch: &Fetch) -> bool {
        self.state == State::Kept
            && same_origin(&self.fetch.url, &fetch.url)
            && (!fetch.public_only || is_public(self.journey.address.ip()))
    }

    /// Whether the same request may be tried once more on another connection: the peer has closed a kept one, and not
    /// a byte of a response was seen.
    pub fn may_retry(&self, error: &FetchError) -> bool {
        let closed =
            matches!(error, FetchError::Broken { .. } | FetchError::Protocol(ExchangeError::EarlyEof(Stage::Start)));
        closed && !self.exchange.has_begun() && self.may_ask_anew()
    }

    /// Whether the request may have met the end of a kept connection, and asking twice does no harm (RFC 9110 section
    /// 9.2.2).
    pub fn may_ask_anew(&self) -> bool {
        self.reused && self.fetch.is_idempotent()
    }

    /// Memory held for the request, bytes. That of a kept connection does not count: their number bounds it.
    pub fn held(&self) -> usize {
        if self.state == State::Kept {
            return 0;
        }
        let next = if let Redirect::To(next, _) = &self.redirect { next.held() } else { 0 };
        self.fetch.held() + next
    }

    /// Whether bytes of the peer mean anything: a response, or the end of a kept connection.
    pub fn is_read(&self) -> bool {
        matches!(self.state, State::Exchanging | State::Kept)
    }
}

/// Whether a server says with this head that nothing was asked on a kept connection for too long: 408 (RFC 9110 section
/// 15.5.9), which may cross the next request on its way. An interim response before it belongs to that request.
pub fn is_idle_timeout(head: &ResponseHead) -> bool {
    head.status == 408 && head.interim == 0
}

#[cfg(test)]
mod tests;
