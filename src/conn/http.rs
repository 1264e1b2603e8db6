//! The server side of HTTP on one connection: requests in, one at a time, responses in their order.
//!
//! ```text
//! Head ── whole ────────▶ Owed ── whole response ──▶ Head
//!   └─ body missing ─▶ Body ─┘ └── head of a stream ──▶ Streaming ── end ──▶ Head
//!
//! Head, Body ── refused ──▶ Owed          Owed ── Upgrade ──▶ not HTTP any more
//! Streaming ── Join ──▶ Following ── end ──▶ Head
//! ```
//!
//! While a response is owed nothing is parsed, so pipelined requests keep their order. A request borrows the read buffer.
//! Only a body that comes in pieces, and the head before it, are copied. How the connection ends after its last response
//! is told in [`closing`](super::closing).

use super::Step;
use super::encoding::Encoding;
use crate::blocks::Blocks;
use crate::config::Limits;
use crate::event::StreamEnd;
use crate::http::body::BodyReader;
use crate::http::chunked::{Piece, encode_chunk, encode_last};
use crate::http::request::{Framing, HeadScan, HttpError, Request, parse_at_once, parse_request, serve_as_1_1};
use crate::http::response::{BodyCoding, Response, Terms, encode_response};
use crate::id::ConnId;
use crate::net::listeners::Service;
use std::net::IpAddr;
use std::time::Duration;

/// The HTTP state of one connection.
pub struct Http {
    phase: Phase,
    scan: HeadScan,
    /// What the request that is owed a response asked for.
    pub terms: Terms,
    /// What the deadline stands for.
    pub deadline: Deadline,
    /// The upstream whose response this connection waits for or relays.
    pub fetch: ConnId,
    /// What its listener is for.
    pub service: Service,
    /// The address of the other end, if it has one.
    pub peer: Option<IpAddr>,
    /// The line of the request under way, if there is an access log.
    pub line: Option<Box<LogLine>>,
}

/// Where in the exchange of messages the connection is.
#[derive(Debug)]
enum Phase {
    /// Between two requests, or in a head.
    Head,
    /// The head is whole, the body is not.
    Body(Box<Gathered>),
    /// The application owes a response.
    Owed,
    /// The head of the response is out, its body comes in pieces.
    Streaming(BodyCoding),
    /// The same, and the body is what a room says.
    Following(Box<Following>),
}

/// A body that is the log of a room.
#[derive(Debug)]
struct Following {
    coding: BodyCoding,
    /// What the peer lacked began here when it was last looked at; `None`: it lacked nothing.
    place: Option<u64>,
}

impl Phase {
    /// How the body is written that comes in pieces.
    fn coding(&mut self) -> Option<&mut BodyCoding> {
        match self {
            Phase::Streaming(coding) => Some(coding),
            Phase::Following(following) => Some(&mut following.coding),
            Phase::Head | Phase::Body(_) | Phase::Owed => None,
        }
    }
}

/// A request that did not arrive in one piece.
#[derive(Debug)]
pub struct Gathered {
    head: Vec<u8>,
    body: Vec<u8>,
    reader: BodyReader,
}

/// What the deadline of this connection means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Kept alive, nothing under way.
    Idle,
    /// From the first byte of a head to its end.
    Head,
    /// From the end of a head to the end of its body.
    Body,
    /// The application sleeps: the deadline wakes it.
    Asleep,
    /// The application works or fetches.
    Owed,
    /// Unsent output: since the peer last took some.
    Writing,
    /// The response follows a room: until it is looked at.
    Following,
}

/// One line of the access log, before its status and size are known.
#[derive(Debug)]
pub struct LogLine {
    /// The address of the client; of what is no request, that of the peer.
    pub client: Option<IpAddr>,
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    pub status: u16,
    pub bytes: u64,
}

/// How far a response got with its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// No request is owed one: nothing was written.
    NotOwed,
    /// It is whole. `keep_alive`: the connection may serve another request.
    Whole { keep_alive: bool },
    /// Its body follows.
    Streaming,
}

/// How a streamed body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There was none.
    NotStreaming,
    /// All that was promised is written. `keep_alive`: the connection may serve another request.
    Whole { keep_alive: bool },
    /// It broke off, and only a reset can say so: a FIN would be the end of the body.
    Cut,
}

impl Http {
    /// A connection from `peer` to a listener that is for `service`.
    pub fn new(service: Service, peer: Option<IpAddr>) -> Http {
        Http {
            phase: Phase::Head,
            scan: HeadScan::default(),
            terms: Terms { head: false, http_1_0: false, keep_alive: false },
            deadline: Deadline::Idle,
            fetch: ConnId::NONE,
            service,
            peer,
            line: None,
        }
    }

    /// Takes one step over the front of `buf`.
    pub fn step<'b>(&'b mut self, buf: &'b [u8], limits: &Limits) -> (usize, Step<'b>) {
        match self.phase {
            Phase::Head => self.head(buf, limits),
            Phase::Body(_) => self.body(buf, limits),
            Phase::Owed | Phase::Streaming(_) | Phase::Following(_) => (0, Step::Starved),
        }
    }

    fn head<'b>(&mut self, buf: &'b [u8], limits: &Limits) -> (usize, Step<'b>) {
        // The short way for a head that lies there whole and has nothing unusual: a quarter fewer instructions a request.
        if self.scan.is_idle()
            && let Some((end, request)) = parse_at_once(buf, &limits.http)
        {
            return self.on_head(request, buf.split_at(end), limits);
        }
        let end = match self.scan.find_end(buf, &limits.http) {
            Ok(Some(end)) => end,
            Ok(None) => return (0, Step::Starved),
            Err(e) => return (0, refused(e)),
        };
        let (head, rest) = buf.split_at(end);
        match parse_request(head, &limits.http) {
            Ok(request) => self.on_head(request, (head, rest), limits),
            Err(e @ HttpError::UnknownVersion) => match serve_as_1_1(head) {
                Some(copy) => self.on_copy(copy, rest, limits),
                None => (end, refused(e)),
            },
            Err(e) => (end, refused(e)),
        }
    }

    /// A request whose head is there, and whose body may be.
    fn on_head<'b>(
        &mut self,
        request: Request<'b>,
        (head, rest): (&'b [u8], &'b [u8]),
        limits: &Limits,
    ) -> (usize, Step<'b>) {
        self.terms = request.terms();
        match request.framing {
            Framing::None => (head.len(), Step::Request(request, &[])),
            Framing::Length(n) if n <= rest.len() as u64 => {
                let body = &rest[..n as usize];
                (head.len() + body.len(), Step::Request(request, body))
            }
            framing => {
                let waits = request.expects_continue() && rest.is_empty();
                (head.len(), self.begin_body(head.to_vec(), framing, waits, limits))
            }
        }
    }

    /// The same with a head that had to be changed, so that it cannot be borrowed.
    fn on_copy<'b>(&mut self, head: Vec<u8>, rest: &[u8], limits: &Limits) -> (usize, Step<'b>) {
        let used = head.len();
        let (framing, waits) = match parse_request(&head, &limits.http) {
            Ok(request) => {
                self.terms = request.terms();
                (request.framing, request.expects_continue() && rest.is_empty())
            }
            Err(e) => return (used, refused(e)),
        };
        (used, self.begin_body(head, framing, waits, limits))
    }

    /// The body is still to come, or the head is a copy.
    fn begin_body<'b>(&mut self, head: Vec<u8>, framing: Framing, waits: bool, limits: &Limits) -> Step<'b> {
        let reader = BodyReader::new(framing, limits.http.body_bytes_max as u64);
        self.phase = Phase::Body(Box::new(Gathered { head, body: Vec::new(), reader }));
        if waits { Step::ExpectsContinue } else { Step::Quiet }
    }

    fn body<'b>(&'b mut self, buf: &[u8], limits: &Limits) -> (usize, Step<'b>) {
        let Phase::Body(gathered) = &mut self.phase else { return (0, Step::Starved) };
        match gathered.reader.receive(buf) {
            Ok((0, None)) => (0, Step::Starved),
            Ok((used, None)) => (used, Step::Quiet),
            Ok((used, Some(Piece::Data(data)))) => {
                gathered.body.extend_from_slice(data);
                (used, Step::Quiet)
            }
            Ok((used, Some(Piece::End))) => match parse_request(&gathered.head, &limits.http) {
                Ok(request) => (used, Step::Request(request, &gathered.body)),
                Err(e) => (used, refused(e)),
            },
            Err(e) => (0, Step::Refused(e.status(), e.to_string())),
        }
    }

    /// A request has gone to the application; from now on it owes a response.
    pub fn owe(&mut self, line: Option<Box<LogLine>>) {
        self.phase = Phase::Owed;
        self.line = line;
    }

    /// The request under way will never be whole. Its response goes by what is known of it, not by the request before.
    pub fn give_up(&mut self, kept: &[u8]) {
        self.terms.head = self.begun(kept).trim_ascii_start().starts_with(b"HEAD ");
        self.terms.keep_alive = false;
    }

    /// Writes the head of the response that is owed, and its body unless that follows.
    pub fn respond(&mut self, response: &Response, date: &[u8; 29], out: &mut Vec<u8>) -> Begun {
        if !self.awaits_response() {
            return Begun::NotOwed;
        }
        let sent = encode_response(response, self.terms, date, out);
        if self.deadline == Deadline::Asleep {
            self.deadline = Deadline::Owed;
        }
        if let Some(line) = &mut self.line {
            line.status = response.status;
            line.bytes = if self.terms.head { 0 } else { response.body.len() as u64 };
        }
        self.terms.keep_alive = sent.keep_alive;
        match sent.body {
            BodyCoding::Whole => {
                self.phase = Phase::Head;
                Begun::Whole { keep_alive: sent.keep_alive }
            }
            coding => {
                self.phase = Phase::Streaming(coding);
                Begun::Streaming
            }
        }
    }

    /// Writes the next bytes of a streamed body as its head has promised them. What exceeds a promised length is dropped.
    pub fn encode_piece(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(coding) = self.phase.coding() else { return };
        if let Some(line) = &mut self.line {
            line.bytes += bytes.len() as u64;
        }
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

    /// Takes note of a body that goes out as it lies, in blocks, if that is what the head has promised.
    pub fn takes_blocks(&mut self, body: &Blocks) -> bool {
        match &mut self.phase {
            Phase::Streaming(BodyCoding::Length(left)) if *left == body.len() as u64 => {
                *left = 0;
                true
            }
            _ => false,
        }
    }

    /// Writes the end of a streamed body.
    pub fn end_stream(&mut self, body: StreamEnd, out: &mut Vec<u8>) -> Ended {
        let Some(&mut coding) = self.phase.coding() else { return Ended::NotStreaming };
        let is_whole = body == StreamEnd::Whole;
        if !is_whole && coding == BodyCoding::UntilClose {
            return Ended::Cut;
        }
        if is_whole && coding == BodyCoding::Chunked {
            encode_last(out);
        }
        let is_complete = is_whole && !matches!(coding, BodyCoding::Length(1..));
        self.phase = Phase::Head;
        Ended::Whole { keep_alive: self.terms.keep_alive && is_complete }
    }

    /// From now on the body under way is what a room says. Returns the encoding of the room's log; `None`: no body of
    /// unknown length is under way.
    pub fn follow(&mut self) -> Option<Encoding> {
        let coding = *self.phase.coding()?;
        let encoding = match coding {
            BodyCoding::Chunked => Encoding::EventChunks,
            BodyCoding::UntilClose => Encoding::Events,
            BodyCoding::Whole | BodyCoding::Length(_) => return None,
        };
        self.phase = Phase::Following(Box::new(Following { coding, place: None }));
        Some(encoding)
    }

    /// Whether the body under way is what a room says.
    pub fn is_following(&self) -> bool {
        matches!(self.phase, Phase::Following(_))
    }

    /// Notes where begins what the peer lacks of its room. Returns whether it was the same the last time.
    pub fn has_stood_still(&mut self, place: Option<u64>) -> bool {
        let Phase::Following(following) = &mut self.phase else { return false };
        let before = std::mem::replace(&mut following.place, place);
        place.is_some() && before == place
    }

    /// Whether more input is of use now.
    pub fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Head | Phase::Body(_))
    }

    /// Whether the head of a request is whole, and its body may still have to come.
    pub fn is_in_body(&self) -> bool {
        matches!(self.phase, Phase::Body(_))
    }

    /// Whether the application has not responded yet.
    pub fn awaits_response(&self) -> bool {
        matches!(self.phase, Phase::Owed)
    }

    /// Whether the response is not whole yet.
    pub fn is_responding(&self) -> bool {
        matches!(self.phase, Phase::Owed | Phase::Streaming(_) | Phase::Following(_))
    }

    /// Whether no request and no response is under way.
    pub fn is_between_requests(&self) -> bool {
        matches!(self.phase, Phase::Head)
    }

    /// Whether only the end of the connection can be the end of the body under way.
    pub fn ends_with_connection(&self) -> bool {
        match &self.phase {
            Phase::Streaming(coding) => *coding == BodyCoding::UntilClose,
            Phase::Following(following) => following.coding == BodyCoding::UntilClose,
            Phase::Head | Phase::Body(_) | Phase::Owed => false,
        }
    }

    /// What the deadline should stand for: a pure function of the state.
    pub fn deadline_wanted(&self, kept: &[u8], output_waits: bool) -> Deadline {
        match self.phase {
            Phase::Owed if self.deadline == Deadline::Asleep => Deadline::Asleep,
            Phase::Owed => Deadline::Owed,
            Phase::Following(_) => Deadline::Following,
            _ if output_waits => Deadline::Writing,
            Phase::Streaming(_) => Deadline::Owed,
            Phase::Body(_) => Deadline::Body,
            // Empty lines before a request are no head.
            Phase::Head if !kept.is_empty() && !self.scan.is_idle() => Deadline::Head,
            Phase::Head => Deadline::Idle,
        }
    }

    /// The bytes of the request under way, given those that are kept: for the log.
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

impl Deadline {
    /// Time that the state may last. A sleep and a fetch set a deadline of their own.
    pub fn limit(self, limits: &Limits) -> Duration {
        match self {
            Deadline::Idle => limits.idle_for,
            Deadline::Head => limits.head_within,
            Deadline::Body => limits.body_within,
            Deadline::Writing => limits.write_stall,
            Deadline::Following => limits.ping_every,
            Deadline::Asleep | Deadline::Owed => limits.response_within,
        }
    }
}

fn refused(error: HttpError) -> Step<'static> {
    Step::Refused(error.status(), error.to_string())
}

#[cfg(test)]
mod tests;
