//! The server side of HTTP on one connection: requests in, one at a time, answers in their order.
//!
//! ```text
//! Head ── whole ────────▶ Owed ── whole answer ──▶ Head, or Closing
//!   └─ body missing ─▶ Body ─┘ └── streamed head ──▶ Streaming ── End ──▶ Head, or Closing
//!
//! Head, Body ── refused ──▶ Owed ──▶ Closing          Owed ── Upgrade ──▶ not HTTP any more
//! Head, Body ── end of input ──▶ Closing
//! ```
//!
//! While an answer is owed nothing is parsed, so pipelined requests keep their order. The request borrows the loop's
//! buffer; only a body that comes in pieces, and the head before it, are copied.

use crate::config::Limits;
use crate::http::body::BodyReader;
use crate::http::chunked::{Piece, encode_chunk, encode_last};
use crate::http::request::{Framing, HeadScan, HttpError, Request, parse_at_once, parse_request};
use crate::http::response::{BodyCoding, Terms};
use crate::id::ConnId;
use std::time::Duration;

/// The HTTP state of one connection.
pub struct Http {
    phase: Phase,
    scan: HeadScan,
    /// Of the request that is owed an answer.
    pub terms: Terms,
    /// What the timer stands for.
    pub clock: Clock,
    /// The upstream whose answer this connection waits for or relays.
    pub fetch: ConnId,
    /// The timer is the application's: it ends a sleep.
    pub asleep: bool,
    /// It came to the plain listener of a server that speaks https: it is only told where to go.
    pub is_redirected: bool,
    /// Only with an access log: the line of the request under way.
    pub line: Option<Box<LogLine>>,
}

/// Where in the exchange of messages the connection is.
#[derive(Debug)]
pub enum Phase {
    /// Between two requests, or in a head.
    Head,
    /// The head is whole, the body is not.
    Body(Box<Gathered>),
    /// The application owes an answer.
    Owed,
    /// The answer's head is out, its body comes in pieces.
    Streaming(BodyCoding),
    /// The last answer is on its way.
    Closing,
}

/// A request that did not arrive in one piece.
#[derive(Debug)]
pub struct Gathered {
    head: Vec<u8>,
    body: Vec<u8>,
    reader: BodyReader,
}

/// What a deadline of this connection means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Kept alive, nothing under way.
    Idle,
    /// From the first byte of a head to its end.
    Head,
    /// From the end of a head to the end of its body.
    Body,
    /// The application works, sleeps or fetches.
    Owed,
    /// Unsent output: since the peer last took some.
    Writing,
}

/// One line of the access log, before its status and size are known.
#[derive(Debug)]
pub struct LogLine {
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    pub status: u16,
    pub bytes: u64,
}

/// What the input led to.
#[derive(Debug)]
pub enum Step<'b> {
    /// Read more.
    Starved,
    /// Bytes were used, nothing to tell yet; `true`: the peer waits for `100 Continue`.
    Gathering(bool),
    Request(Request<'b>, &'b [u8]),
    /// To be answered with this status and sentence; nothing more is parsed.
    Refused(u16, String),
}

impl Default for Http {
    fn default() -> Http {
        Http {
            phase: Phase::Head,
            scan: HeadScan::default(),
            terms: Terms { head: false, http_1_0: false, keep_alive: false },
            clock: Clock::Idle,
            fetch: ConnId::NOBODY,
            asleep: false,
            is_redirected: false,
            line: None,
        }
    }
}

impl Http {
    /// Takes the next step over the front of `buf`; answers the bytes used.
    pub fn next_event<'b>(&'b mut self, buf: &'b mut [u8], limits: &Limits) -> (usize, Step<'b>) {
        match self.phase {
            Phase::Head => self.next_head(buf, limits),
            Phase::Body(_) => self.next_body(buf, limits),
            Phase::Owed | Phase::Streaming(_) | Phase::Closing => (0, Step::Starved),
        }
    }

    /// The same if a head lies whole at the front, as it nearly always does. `Starved`: ask [`Http::next_event`].
    /// Not inlined: what it needs would crowd out what its caller needs.
    #[inline(never)]
    pub fn next_at_once<'b>(&mut self, buf: &'b [u8], limits: &Limits) -> (usize, Step<'b>) {
        let may_be_usual = matches!(self.phase, Phase::Head) && self.scan.is_idle();
        let usual = if may_be_usual { parse_at_once(buf, limits) } else { None };
        match usual {
            Some((end, request)) => self.on_head(request, buf.split_at(end), limits),
            None => (0, Step::Starved),
        }
    }

    fn next_head<'b>(&'b mut self, buf: &'b mut [u8], limits: &Limits) -> (usize, Step<'b>) {
        let end = match self.scan.find_end(buf, limits) {
            Ok(Some(end)) => end,
            Ok(None) => return (0, Step::Starved),
            Err(e) => return (0, refused(e)),
        };
        let (head, rest) = buf.split_at(end);
        match parse_request(head, limits) {
            Ok(request) => self.on_head(request, (head, rest), limits),
            Err(e) => (end, refused(e)),
        }
    }

    /// A request whose head is there, and whose body may be. Inlined, so that the request is made where it stays.
    #[inline(always)]
    fn on_head<'b>(
        &mut self,
        request: Request<'b>,
        (head, rest): (&'b [u8], &'b [u8]),
        limits: &Limits,
    ) -> (usize, Step<'b>) {
        let end = head.len();
        self.terms = request.terms();
        match request.framing {
            Framing::None => (end, Step::Request(request, &[])),
            Framing::Length(n) if n <= rest.len() as u64 => {
                let body = &rest[..n as usize];
                (end + body.len(), Step::Request(request, body))
            }
            framing => {
                let waits = request.expects_continue() && rest.is_empty();
                let reader = BodyReader::new(framing, limits.body_bytes_max as u64);
                self.phase = Phase::Body(Box::new(Gathered { head: head.to_vec(), body: Vec::new(), reader }));
                (end, Step::Gathering(waits))
            }
        }
    }

    fn next_body<'b>(&'b mut self, buf: &[u8], limits: &Limits) -> (usize, Step<'b>) {
        let Phase::Body(gathered) = &mut self.phase else { return (0, Step::Starved) };
        match gathered.reader.receive(buf) {
            Ok((0, None)) => (0, Step::Starved),
            Ok((used, None)) => (used, Step::Gathering(false)),
            Ok((used, Some(Piece::Data(data)))) => {
                gathered.body.extend_from_slice(data);
                (used, Step::Gathering(false))
            }
            Ok((used, Some(Piece::End))) => match parse_request(&gathered.head, limits) {
                Ok(request) => (used, Step::Request(request, &gathered.body)),
                Err(e) => (used, refused(e)),
            },
            Err(e) => (0, Step::Refused(e.status(), e.to_string())),
        }
    }

    /// A request has gone to the application; from now on it owes an answer.
    pub fn owe(&mut self, line: Option<Box<LogLine>>) {
        self.phase = Phase::Owed;
        self.line = line;
    }

    /// What there is of a request will never be a whole one: an answer goes by what is known of it, and not by the
    /// terms of the request before.
    pub fn give_up(&mut self, kept: &[u8]) {
        self.terms.head = self.begun(kept).trim_ascii_start().starts_with(b"HEAD ");
        self.terms.keep_alive = false;
    }

    /// Whether more input is of use now; output above high water is the caller's affair.
    pub fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Head | Phase::Body(_))
    }

    /// Whether the head of a request is whole, and its body may still have to come.
    pub fn is_in_body(&self) -> bool {
        matches!(self.phase, Phase::Body(_))
    }

    /// Whether the application has not answered yet.
    pub fn awaits_answer(&self) -> bool {
        matches!(self.phase, Phase::Owed)
    }

    /// Whether the answer is not whole yet.
    pub fn is_answering(&self) -> bool {
        matches!(self.phase, Phase::Owed | Phase::Streaming(_))
    }

    /// Whether the answer's head is out, and its body is not whole.
    pub fn is_streaming(&self) -> bool {
        matches!(self.phase, Phase::Streaming(_))
    }

    /// Whether nothing is under way: no request, no answer.
    pub fn is_between_requests(&self) -> bool {
        matches!(self.phase, Phase::Head)
    }

    /// Whether the last answer is out, or on its way to the socket.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// The head of a streamed answer is out; its pieces follow in this coding.
    pub fn stream(&mut self, coding: BodyCoding) {
        self.phase = Phase::Streaming(coding);
    }

    /// The next bytes of a streamed body, as its head has promised them; what exceeds a promised length is dropped.
    pub fn encode_piece(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Phase::Streaming(coding) = &mut self.phase else { return };
        match coding {
            BodyCoding::Chunked => encode_chunk(bytes, out),
            BodyCoding::UntilClose => out.extend_from_slice(bytes),
            BodyCoding::Length(left) => {
                let n = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                out.extend_from_slice(&bytes[..n]);
                *left -= n as u64;
            }
            BodyCoding::Whole => {}
        }
    }

    /// Counts a piece that goes out as it is, of a body whose length was promised; `false`: it must not go out.
    pub fn count_piece(&mut self, length: usize) -> bool {
        let Phase::Streaming(BodyCoding::Length(left)) = &mut self.phase else { return false };
        let rest = left.checked_sub(length as u64);
        *left = rest.unwrap_or(*left);
        rest.is_some()
    }

    /// The end of a streamed body; answers whether everything that was promised has been written.
    pub fn encode_end(&mut self, out: &mut Vec<u8>) -> bool {
        match self.phase {
            Phase::Streaming(BodyCoding::Chunked) => encode_last(out),
            Phase::Streaming(BodyCoding::Length(left)) => return left == 0,
            _ => {}
        }
        true
    }

    /// Whether only the end of the connection can be the end of the body under way.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.phase, Phase::Streaming(BodyCoding::UntilClose))
    }

    /// The answer is complete.
    pub fn answered(&mut self, keep_alive: bool) {
        self.phase = if keep_alive { Phase::Head } else { Phase::Closing };
        self.fetch = ConnId::NOBODY;
    }

    /// What the timer should stand for: a pure function of the state.
    pub fn clock_wanted(&self, kept: &[u8], output_waits: bool) -> Clock {
        match self.phase {
            Phase::Owed => Clock::Owed,
            _ if output_waits => Clock::Writing,
            Phase::Streaming(_) => Clock::Owed,
            Phase::Body(_) => Clock::Body,
            // Empty lines before a request are no head.
            Phase::Head if !kept.is_empty() && !self.scan.is_idle() => Clock::Head,
            Phase::Head | Phase::Closing => Clock::Idle,
        }
    }

    /// What there is of the request under way, given what is kept: for the log.
    pub fn begun<'a>(&'a self, kept: &'a [u8]) -> &'a [u8] {
        match &self.phase {
            Phase::Body(gathered) => &gathered.head,
            _ => kept,
        }
    }

    /// Memory held for an unfinished request and for its line in the log, bytes.
    pub fn held(&self) -> usize {
        let line = self.line.as_ref().map_or(0, |line| line.before.len() + line.after.len());
        match &self.phase {
            Phase::Body(gathered) => gathered.head.len() + gathered.body.capacity() + line,
            _ => line,
        }
    }
}

impl Clock {
    /// How long the state may last. A sleep or a fetch has a time of its own, and says so by setting `Owed` itself.
    pub fn limit(self, limits: &Limits) -> Duration {
        match self {
            Clock::Idle => limits.idle_for,
            Clock::Head => limits.head_within,
            Clock::Body => limits.body_within,
            Clock::Writing => limits.write_stall,
            Clock::Owed => limits.answer_within,
        }
    }
}

fn refused(error: HttpError) -> Step<'static> {
    Step::Refused(error.status(), error.to_string())
}

#[cfg(test)]
mod tests;
