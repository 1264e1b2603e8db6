//! One connection of the load, and its requests under way, oldest first.
//!
//! ```text
//! Free ── connect ──▶ Connecting ── writable ──▶ (Securing ── handshake ──▶) Open ── its end, or a failure ──▶ Free
//!              │           ▲
//!              └▶ Queued ──┘  the backlog of a Unix socket was full
//! ```
//!
//! A slot writes requests and reads responses; which request it gets, and when, is decided by the driver.

use super::times::{Sample, micros};
use super::trace;
use super::usual::{Meaning, Usual};
use crate::http::Limits;
use crate::http::exchange::{Exchange, ExchangeError, ExchangeEvent, Stage};
use crate::net::{Edge, Stream, write_some};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Instant;

/// Size of the read buffer, bytes; a head of a response has to fit in it.
const BUFFER_BYTES: usize = 64 << 10;

/// One kind of request that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub bytes: Vec<u8>,
    /// Its response has no body (RFC 9110 section 9.3.2).
    pub is_head: bool,
}

/// A request that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    /// Its index in the list of requests.
    pub request: usize,
    /// When it was due; without a schedule, when it began.
    pub due: Instant,
    /// When its connect began, or on a kept connection the request itself.
    pub began: Instant,
    /// When it was written.
    pub sent: Instant,
    /// Until it was connected, µs; 0 on a kept connection.
    pub connect: u64,
}

/// What a slot's socket is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Free,
    /// The connect is tried again a little later; no event tells when.
    Queued,
    Connecting,
    Securing,
    Open,
}

/// One connection, or the place for one.
pub struct Slot<S> {
    /// Tells the events of this connection from those of an earlier one in the same slot.
    pub generation: u32,
    pub state: State,
    pub stream: Option<S>,
    /// What the kernel said of input that is not read yet: it says so once, perhaps before the request is sent.
    pub edge: Edge,
    /// Since when it could have sent a request.
    pub idle_since: Instant,
    /// When its connect began.
    pub began: Instant,
    pub pending: VecDeque<Pending>,
    /// Requests of `pending` that are written whole.
    written: usize,
    /// Bytes of the next one that are written.
    at: usize,
    exchange: Exchange,
    /// Input that is no whole step yet.
    kept: Vec<u8>,
    /// Bytes of the body of this response.
    body: u64,
    first_byte: Option<Instant>,
    /// Status of this response, once its head is there.
    status: u16,
    /// The connection has carried a response before.
    is_reused: bool,
}

/// What a step over the input of a slot has shown.
#[derive(Debug)]
pub enum Step {
    /// A response is whole.
    Response(Pending, Response),
    /// The rest has not come yet.
    Partial,
    /// A kept connection was closed by its server, perhaps before it saw the request: that can be sent anew.
    Closed,
}

/// What the load has to know of a response.
#[derive(Debug, Clone, Copy)]
pub struct Response {
    pub status: u16,
    /// Bytes of its body.
    pub body: u64,
    /// The connection may carry another request.
    pub is_kept: bool,
    pub first_byte: Instant,
}

/// What all slots share for their input: the buffer that a read goes to, and what is known of responses.
pub struct Input {
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    limits: Limits,
    usual: Usual,
    /// The Server field of the first response.
    pub software: Option<String>,
    /// That of `-v`.
    verbosity: usize,
}

impl Input {
    /// An empty buffer. From a level of `verbosity` on, responses are shown.
    pub fn new(verbosity: usize) -> Input {
        let limits = Limits { response_body_bytes_max: u64::MAX, ..Limits::default() };
        let (buffer, usual) = (vec![0; BUFFER_BYTES], Usual::default());
        Input { buffer, at: 0, end: 0, limits, usual, software: None, verbosity }
    }
}

impl<S: Stream> Slot<S> {
    /// A slot without a connection.
    pub fn new(now: Instant) -> Slot<S> {
        Slot {
            generation: 0,
            state: State::Free,
            stream: None,
            edge: Edge::None,
            idle_since: now,
            began: now,
            pending: VecDeque::new(),
            written: 0,
            at: 0,
            exchange: Exchange::new(false, false),
            kept: Vec::new(),
            body: 0,
            first_byte: None,
            status: 0,
            is_reused: false,
        }
    }

    /// A connect begins: events of earlier connections are not this one's.
    pub fn begin(&mut self, now: Instant) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        (self.state, self.edge, self.began, self.is_reused) = (State::Connecting, Edge::None, now, false);
    }

    /// The connection ends; its requests are returned.
    pub fn free(&mut self, now: Instant) -> VecDeque<Pending> {
        // As `ab` does; a server may log an end without it as an error.
        self.stream.iter_mut().for_each(Stream::say_goodbye);
        (self.stream, self.state, self.idle_since) = (None, State::Free, now);
        (self.written, self.at, self.body, self.first_byte) = (0, 0, 0, None);
        self.kept.clear();
        std::mem::take(&mut self.pending)
    }

    /// Puts TLS on the stream; its handshake begins.
    ///
    /// # Errors
    /// Those of `with`.
    pub fn encrypt(&mut self, with: impl FnOnce(S) -> io::Result<S>) -> io::Result<()> {
        self.stream = self.stream.take().map(with).transpose()?;
        self.state = State::Securing;
        Ok(())
    }

    /// The connection is there: the requests that wait for it know how long that took.
    pub fn opened(&mut self, now: Instant) {
        if self.state == State::Securing {
            // Plaintext may have come with the end of the handshake: no event calls for it.
            self.edge = self.edge.max(Edge::Readable);
        }
        self.state = State::Open;
        let connect = micros(now.saturating_duration_since(self.began));
        self.pending.iter_mut().for_each(|pending| pending.connect = connect);
    }

    /// Another request for this connection; `send` writes it.
    pub fn push(&mut self, pending: Pending, requests: &[Request]) {
        if self.pending.is_empty() {
            self.exchange = Exchange::new(requests[pending.request].is_head, false);
        }
        self.pending.push_back(pending);
    }

    /// Whether a request is not written whole, or waits as ciphertext.
    pub fn has_unsent(&self) -> bool {
        self.written < self.pending.len() || self.stream.as_ref().is_some_and(|stream| stream.unsent() > 0)
    }

    /// Writes the requests that are not written yet, in one piece as far as the socket takes it. Returns their bytes.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send(&mut self, requests: &[Request], scratch: &mut Vec<u8>, now: Instant) -> io::Result<usize> {
        let (mut sent, mut writable) = (0, true);
        let Some(stream) = &mut self.stream else { return Ok(0) };
        if stream.unsent() > 0 && stream.flush().is_err_and(|e| e.kind() == ErrorKind::WouldBlock) {
            return Ok(0);
        }
        while writable && self.written < self.pending.len() {
            let bytes = match self.pending.len() - self.written {
                1 => &requests[self.pending[self.written].request].bytes[self.at..],
                _ => {
                    scratch.clear();
                    let unsent = self.pending.iter().skip(self.written);
                    unsent.for_each(|pending| scratch.extend_from_slice(&requests[pending.request].bytes));
                    &scratch[self.at..]
                }
            };
            let taken = write_some(stream, bytes, &mut writable)?;
            sent += taken;
            self.at += taken;
            while let Some(pending) = self.pending.get_mut(self.written)
                && self.at >= requests[pending.request].bytes.len()
            {
                self.at -= requests[pending.request].bytes.len();
                self.written += 1;
                pending.sent = now;
            }
        }
        Ok(sent)
    }

    /// Reads once, behind the input that was kept. Returns the fresh bytes, 0 at the end of the input; a socket that is
    /// drained loses its edge.
    ///
    /// # Errors
    /// `WouldBlock`: there was nothing. `UnexpectedEof`: TLS was cut off within a response. Anything else: the connection
    /// is broken.
    pub fn fill(&mut self, input: &mut Input, now: Instant) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Err(ErrorKind::WouldBlock.into()) };
        let kept = self.kept.len();
        let fresh = loop {
            match stream.read(&mut input.buffer[kept..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                outcome => break outcome,
            }
        };
        if fresh.as_ref().is_err_and(|e| e.kind() == ErrorKind::WouldBlock) {
            self.edge = Edge::None;
        }
        let fresh = match fresh {
            // Between two responses an end of TLS without close_notify is as good as any.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof && self.first_byte.is_none() => 0,
            outcome => outcome?,
        };
        input.buffer[..kept].copy_from_slice(&self.kept);
        self.kept.clear();
        (input.at, input.end) = (0, kept + fresh);
        // On epoll a short read means drained, unless the peer's FIN shares the edge (epoll(7)).
        if input.end < input.buffer.len() && self.edge < Edge::ReadClosed && !stream.input_ended() {
            self.edge = Edge::None;
        }
        if fresh > 0 {
            self.first_byte.get_or_insert(now);
        }
        Ok(fresh)
    }

    /// Takes a step over what was read: to the end of a response, or of the input.
    ///
    /// # Errors
    /// The input is no response, or it ended within one.
    pub fn step(
        &mut self,
        input: &mut Input,
        requests: &[Request],
        is_eof: bool,
        now: Instant,
    ) -> Result<Step, ExchangeError> {
        if !self.awaits_response() {
            return Ok(if is_eof || input.at < input.end { Step::Closed } else { Step::Partial });
        }
        if !self.exchange.has_begun()
            && !is_eof
            && !self.pending.front().is_some_and(|pending| requests[pending.request].is_head)
            && let Some((used, body, meaning)) = input.usual.front(&input.buffer[input.at..input.end])
        {
            input.at += used;
            return Ok(self.response(meaning, body as u64, input, requests, now));
        }
        let head_at = input.at;
        let mut head_end = None;
        loop {
            match self.exchange.receive(&input.buffer[input.at..input.end], is_eof, &input.limits) {
                Ok((used, Some(ExchangeEvent::Head(head)))) => {
                    self.status = head.status;
                    let software = head.header("server").unwrap_or_default();
                    input.software.get_or_insert_with(|| String::from_utf8_lossy(software).into_owned());
                    if input.verbosity >= trace::TALK {
                        let shown = &input.buffer[head_at..input.end];
                        trace::print(&trace::response(input.verbosity, head.status, shown));
                    }
                    input.at += used;
                    head_end = Some(input.at);
                }
                Ok((used, Some(ExchangeEvent::Body(piece)))) => {
                    self.body += piece.len() as u64;
                    input.at += used;
                }
                Ok((used, Some(ExchangeEvent::Done))) => {
                    input.at += used;
                    let meaning = Meaning { status: self.status, is_kept: self.exchange.keeps_alive() && !is_eof };
                    // It lay here whole, with a known length: not chunked, and not until the end of the connection.
                    if let Some(head_end) = head_end
                        && self.body == (input.at - head_end) as u64
                        && !self.exchange.ends_with_connection()
                        // One that is known is not shown.
                        && input.verbosity < trace::TALK
                    {
                        input.usual.learn(&input.buffer[head_at..head_end], input.at - head_end, meaning);
                    }
                    return Ok(self.response(meaning, self.body, input, requests, now));
                }
                Ok((0, None)) => {
                    self.kept.extend_from_slice(&input.buffer[input.at..input.end]);
                    return Ok(Step::Partial);
                }
                Ok((used, None)) => input.at += used,
                Err(ExchangeError::EarlyEof(Stage::Start)) if self.is_reused => return Ok(Step::Closed),
                Err(error) => return Err(error),
            }
        }
    }

    /// The oldest request has its response.
    fn response(&mut self, meaning: Meaning, body: u64, input: &Input, requests: &[Request], now: Instant) -> Step {
        let Some(pending) = self.pending.pop_front() else { return Step::Partial };
        let has_more = input.at < input.end;
        let response = Response {
            status: meaning.status,
            body,
            // Bytes behind the last response were not asked for.
            is_kept: meaning.is_kept && self.edge < Edge::ReadClosed && (!has_more || self.written > 1),
            first_byte: self.first_byte.unwrap_or(now),
        };
        self.written = self.written.saturating_sub(1);
        (self.body, self.is_reused, self.first_byte) = (0, true, has_more.then_some(now));
        if let Some(next) = self.pending.front() {
            self.exchange = Exchange::new(requests[next.request].is_head, false);
        }
        Step::Response(pending, response)
    }

    /// Whether the request can be sent again on another connection: this one was kept, and no byte of a response has come.
    pub fn may_retry(&self) -> bool {
        self.is_reused && self.first_byte.is_none() && !self.exchange.has_begun()
    }

    /// Whether a response can come: a request is written.
    pub fn awaits_response(&self) -> bool {
        self.written > 0
    }
}

/// The times of a request whose response has ended, or never will.
pub fn sample(pending: &Pending, first_byte: Option<Instant>, now: Instant) -> Sample {
    let since = |earlier: Instant, later: Instant| micros(later.saturating_duration_since(earlier));
    Sample {
        began: pending.began,
        queued: since(pending.due, pending.began),
        connect: pending.connect,
        wait: first_byte.map_or(0, |at| since(pending.sent, at)),
        total: since(pending.began, now),
    }
}
