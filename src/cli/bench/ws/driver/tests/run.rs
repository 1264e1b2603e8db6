//! A run whose network and clock the test plays, and the server's end of its connections.

use super::super::Driver;
use crate::cli::bench::load::Load;
use crate::cli::bench::ws::masks::Masks;
use crate::cli::bench::ws::phase::Phase;
use crate::cli::bench::ws::results::Results;
use crate::cli::bench::ws::testing::planned;
use crate::http::Limits;
use crate::http::request::parse_request;
use crate::net::Source;
use crate::testing::network::{Dials, FakeNetwork, Pipe, PipeRef};
use crate::ws::deflate::Codec;
use crate::ws::frame::{Opcode, encode, encode_close};
use crate::ws::handshake;
use crate::ws::session::{Kind, Payload, Session, WsEvent};
use std::time::{Duration, Instant};

/// A run whose network and clock the test plays.
pub struct Run {
    pub driver: Driver<FakeNetwork>,
    pub network: FakeNetwork,
    pub now: Instant,
}

impl Run {
    /// A run that has begun, to `ws://127.0.0.1:9/room` with these flags.
    pub fn new(flags: &str) -> Run {
        Run::dialling(flags, Dials::Connected(Pipe::roomy))
    }

    pub fn dialling(flags: &str, dials: Dials) -> Run {
        let plan = planned(&format!("{flags} ws://127.0.0.1:9/room")).expect("a plan");
        let (network, now) = (FakeNetwork::default(), Instant::now());
        network.0.borrow_mut().dials = dials;
        let mut driver = Driver::new(plan, network.clone(), Masks::seeded(1), now);
        driver.start(now).expect("it begins");
        Run { driver, network, now }
    }

    /// The same with all connections open.
    pub fn open(flags: &str) -> Run {
        let mut run = Run::new(flags);
        run.accept_all();
        run
    }

    /// How many connections have opened, once no more will.
    pub fn opened(&self) -> Option<usize> {
        let is_opening = matches!(self.driver.phase, Phase::LoggingIn | Phase::Opening | Phase::Resting(_));
        (!is_opening).then_some(self.driver.results.opened)
    }

    pub fn pipe(&self, n: usize) -> PipeRef {
        self.network.pipe(n)
    }

    /// Connections that were begun.
    pub fn begun(&self) -> usize {
        self.network.0.borrow().pipes.len()
    }

    /// The clock goes on, and what is due is done.
    pub fn later(&mut self, millis: u64) -> &mut Run {
        self.now += Duration::from_millis(millis);
        self.driver.on_time(self.now).expect("it goes on");
        self
    }

    /// The kernel reports what is new of the `n`th connection.
    pub fn report(&mut self, n: usize) {
        let reported = self.pipe(n).borrow_mut().report();
        if let Some((Source::Connection(id), ready)) = reported {
            self.driver.on_ready(id, ready, self.now).expect("it goes on");
        }
    }

    /// The request that has come on the `n`th connection.
    pub fn request(&mut self, n: usize) -> String {
        self.report(n);
        let request = String::from_utf8(self.pipe(n).borrow().heard()).expect("a head is text");
        self.pipe(n).borrow_mut().forget();
        request
    }

    /// The server sends these bytes on the `n`th connection.
    pub fn send(&mut self, n: usize, bytes: impl AsRef<[u8]>) {
        self.pipe(n).borrow_mut().say(bytes);
        self.report(n);
    }

    /// The server accepts the handshake that has come.
    pub fn accept(&mut self, n: usize) {
        let response = accepting(&self.request(n));
        self.send(n, response);
    }

    pub fn accept_all(&mut self) {
        let mut n = 0;
        while self.opened().is_none() {
            self.accept(n);
            n += 1;
        }
    }

    /// The server says a text.
    pub fn say(&mut self, n: usize, text: &str) {
        self.send(n, frame(Opcode::Text, text));
    }

    /// The server sends Close.
    pub fn close(&mut self, n: usize, code: u16) {
        let mut wire = Vec::new();
        encode_close(Some(code), "", &mut wire);
        self.send(n, wire);
    }

    /// What the client has said on the `n`th connection.
    pub fn heard(&mut self, n: usize) -> Vec<String> {
        let bytes = self.pipe(n).borrow().heard();
        self.pipe(n).borrow_mut().forget();
        said(bytes)
    }

    /// The run goes on until it is over.
    pub fn end(mut self) -> Results {
        for _ in 0..10_000 {
            if self.driver.is_over(self.now) {
                return self.driver.finish(self.now);
            }
            let due = self.driver.due().expect("something is due, or it would never end");
            self.now = self.now.max(due);
            self.driver.on_time(self.now).expect("it goes on");
        }
        panic!("it does not end");
    }
}

/// One whole frame of a server.
pub fn frame(opcode: Opcode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut wire = Vec::new();
    encode(opcode, payload.as_ref(), &mut wire);
    wire
}

/// The response that accepts a handshake.
pub fn accepting(request: &str) -> String {
    let request = parse_request(request.as_bytes(), &Limits::default()).expect("a request");
    let accept = handshake::check(&request).expect("a handshake");
    let accept = str::from_utf8(&accept).expect("text");
    let protocol = request.headers_named("sec-websocket-protocol").next();
    let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {}\r\n", String::from_utf8_lossy(name)));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{}\
         Sec-WebSocket-Accept: {accept}\r\n\r\n",
        protocol.unwrap_or_default()
    )
}

/// The frames of a client in words: a text is itself, others have their name before them.
fn said(mut bytes: Vec<u8>) -> Vec<String> {
    let (mut session, mut codec) = (Session::server(1 << 20), Codec::new(&crate::ws::Limits::default()));
    let (mut at, mut all) = (0, vec![]);
    while at < bytes.len() {
        let (used, event) = session.receive(&mut bytes[at..], &mut codec).expect("frames of a client");
        assert!(used > 0, "whole frames");
        let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
        all.extend(event.map(|event| match event {
            WsEvent::Message(Kind::Text, Payload::Read(payload)) => text(payload),
            WsEvent::Message(_, payload) => format!("binary {}", text(&payload.to_vec())),
            WsEvent::Ping(payload) => format!("ping {}", text(payload)),
            WsEvent::Pong(payload) => format!("pong {}", text(payload)),
            WsEvent::Close(code, _) => format!("close {}", code.unwrap_or(0)),
        }));
        at += used;
    }
    all
}
