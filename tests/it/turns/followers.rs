//! Responses that follow a room: Server-Sent Events.

use crate::support::at;
use crate::support::frames::TEXT;
use crate::support::network::{ALL, FakeNetwork, Pipe, PipeRef};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Body, Effect, Effects, Request, Response, StreamEnd};
use squall::id::{ConnId, FeedId};
use squall::net::{Ready, Source};
use squall::reactor::Server;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROOM: FeedId = FeedId(7);

/// `GET /` follows the room or, with Upgrade, becomes a WebSocket in it; `POST /say` says its body there; `POST /end`
/// ends all responses that follow.
#[derive(Default)]
struct News {
    followers: Vec<ConnId>,
    left: Rc<RefCell<Vec<ConnId>>>,
}

impl App for News {
    fn request(&mut self, from: ConnId, request: &Request<'_>, body: &[u8], _: Now, out: &mut Effects) {
        match request.path() {
            "/" if request.wants_upgrade() => {
                let (accept, message_bytes_max) = ([b'a'; 28], 100);
                let (subprotocol, compression) = (None, None);
                out.push(Effect::Upgrade { to: from, accept, subprotocol, compression, message_bytes_max });
                out.push(Effect::Join(from, ROOM));
            }
            "/" => {
                out.respond(from, Response::new(200, "text/event-stream", Body::Stream(None)));
                out.push(Effect::Join(from, ROOM));
                self.followers.push(from);
            }
            "/say" => {
                let text = out.write(|bytes| bytes.extend_from_slice(body));
                out.push(Effect::Publish(ROOM, text));
                out.respond(from, Response::text(200, "said"));
            }
            _ => {
                let ends = self.followers.drain(..).map(|id| Effect::End(id, StreamEnd::Whole));
                out.list.extend(ends);
                out.respond(from, Response::text(200, "ended"));
            }
        }
    }

    fn left(&mut self, from: ConnId, _: Now, _: &mut Effects) {
        self.left.borrow_mut().push(from);
    }
}

struct Stage {
    server: Server<FakeNetwork, News>,
    network: FakeNetwork,
    left: Rc<RefCell<Vec<ConnId>>>,
    now: Instant,
    speaker: PipeRef,
}

impl Stage {
    fn new(limits: Limits) -> Stage {
        let (network, now, left) = (FakeNetwork::default(), Instant::now(), Rc::default());
        let app = News { left: Rc::clone(&left), ..News::default() };
        let server = Server::new(network.clone(), app, limits, Arc::new(|| {}), now);
        let mut stage = Stage { server, network, left, now, speaker: PipeRef::default() };
        stage.speaker = stage.connect(Pipe::roomy());
        stage
    }

    fn connect(&mut self, pipe: Pipe) -> PipeRef {
        let pipe = PipeRef::new(RefCell::new(pipe));
        self.network.0.borrow_mut().arrive(&pipe);
        self.turn(&[(Source::Listener(0), super::READABLE)]);
        pipe
    }

    /// A peer that has asked with this request line.
    fn ask(&mut self, line: &str, pipe: Pipe) -> PipeRef {
        let peer = self.connect(pipe);
        peer.borrow_mut().say(format!("{line}\r\nHost: squall\r\n\r\n"));
        self.report();
        peer
    }

    /// A peer that follows, behind the head of its response.
    fn follow(&mut self) -> PipeRef {
        let peer = self.ask("GET / HTTP/1.1", Pipe::roomy());
        peer.borrow_mut().forget();
        peer
    }

    fn post(&mut self, path: &str, body: &str) {
        let length = body.len();
        let request = format!("POST {path} HTTP/1.1\r\nHost: squall\r\nContent-Length: {length}\r\n\r\n{body}");
        self.speaker.borrow_mut().say(request);
        self.report();
        self.speaker.borrow_mut().forget();
    }

    /// The kernel reports all there is to report.
    fn report(&mut self) {
        let pipes = self.network.0.borrow().pipes.clone();
        let all: Vec<_> = pipes.iter().filter_map(|pipe| pipe.borrow_mut().report()).collect();
        self.turn(&all);
    }

    fn turn(&mut self, readiness: &[(Source, Ready)]) {
        let mut wait = self.server.turn(readiness, at(self.now));
        self.server.audit().unwrap_or_else(|why| panic!("{why}"));
        while wait == Some(Duration::ZERO) && !self.server.is_over() {
            wait = self.server.turn(&[], at(self.now));
            self.server.audit().unwrap_or_else(|why| panic!("{why}"));
        }
    }

    /// Time passes, with a turn whenever the loop asks for one.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            let wait = self.server.turn(&[], at(self.now)).unwrap_or(time).max(Duration::from_millis(1));
            self.now = until.min(self.now + wait);
            self.turn(&[]);
        }
    }
}

fn heard(peer: &PipeRef) -> String {
    String::from_utf8(peer.borrow().heard()).expect("text")
}

fn id(peer: &PipeRef) -> ConnId {
    peer.borrow().id.expect("it was accepted")
}

/// The chunk of an event with this text, of one line.
fn chunk(text: &str) -> String {
    format!("{:x}\r\ndata: {text}\n\n\r\n", text.len() + 8)
}

#[test]
fn a_response_follows_a_room_chunk_by_chunk() {
    let mut stage = Stage::new(Limits::default());
    stage.post("/say", "before");
    let peer = stage.ask("GET / HTTP/1.1", Pipe::roomy());
    let head = heard(&peer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
    peer.borrow_mut().forget();
    let socket = stage.ask("GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade", Pipe::roomy());
    socket.borrow_mut().forget();
    stage.post("/say", "one");
    stage.post("/say", "two\nlines");
    let events = format!("{}17\r\ndata: two\ndata: lines\n\n\r\n", chunk("one"));
    assert_eq!(heard(&peer), events);
    assert_eq!(socket.borrow().heard()[..5], [0x80 | TEXT, 3, b'o', b'n', b'e'], "the same room, other encodings");
    assert_eq!((stage.server.counts().members, peer.borrow().writes), (2, 2));
}

#[test]
fn behind_its_end_the_connection_is_kept() {
    let mut stage = Stage::new(Limits::default());
    let peer = stage.follow();
    peer.borrow_mut().say("GET /say HTTP/1.1\r\nHost: squall\r\n\r\n");
    stage.post("/say", "one");
    assert_eq!(heard(&peer), chunk("one"), "the next request waits");
    peer.borrow_mut().forget();
    stage.post("/end", "");
    assert!(heard(&peer).starts_with("0\r\n\r\nHTTP/1.1 200 OK\r\n"), "{}", heard(&peer));
    assert!(heard(&peer).ends_with("said"), "{}", heard(&peer));
    assert_eq!((stage.server.counts().members, stage.left.borrow().len()), (0, 0));
}

#[test]
fn a_response_without_chunks_ends_with_its_connection() {
    let mut stage = Stage::new(Limits::default());
    let peer = stage.ask("GET / HTTP/1.0", Pipe::roomy());
    assert!(!heard(&peer).contains("chunked"), "{}", heard(&peer));
    peer.borrow_mut().forget();
    stage.post("/say", "one");
    stage.post("/end", "");
    assert_eq!(heard(&peer), "data: one\n\n");
    assert!(peer.borrow().server_gone && !peer.borrow().server_reset);
}

#[test]
fn a_quiet_room_is_a_comment_now_and_then() {
    let limits = Limits::default();
    let (every, response_within) = (limits.ping_every, limits.response_within);
    let mut stage = Stage::new(limits);
    let peer = stage.follow();
    stage.pass(every - Duration::from_secs(1));
    assert_eq!(heard(&peer), "");
    stage.pass(Duration::from_secs(2));
    assert_eq!(heard(&peer), "3\r\n:\n\n\r\n");
    stage.pass(2 * every.max(response_within));
    assert!(heard(&peer).len() >= 16 && !peer.borrow().server_gone, "{}", heard(&peer));
    peer.borrow_mut().forget();
    stage.speaker = stage.connect(Pipe::roomy());
    stage.post("/say", "one");
    assert_eq!(heard(&peer), chunk("one"));
}

#[test]
fn a_drain_ends_the_body() {
    let mut stage = Stage::new(Limits::default());
    let (peer, old) = (stage.follow(), stage.ask("GET / HTTP/1.0", Pipe::roomy()));
    stage.post("/say", "one");
    old.borrow_mut().forget();
    stage.server.drain(stage.now);
    stage.turn(&[]);
    assert_eq!((heard(&peer), heard(&old)), (chunk("one") + "0\r\n\r\n", String::new()));
    assert!(peer.borrow().server_gone && old.borrow().server_gone && !old.borrow().server_reset);
    assert_eq!(*stage.left.borrow(), [id(&peer), id(&old)], "each was told once");
    assert!(stage.server.is_over());
}

#[test]
fn a_body_that_a_drain_cannot_end_is_cut_off() {
    let mut stage = Stage::new(Limits::default());
    let peer = stage.follow();
    peer.borrow_mut().room = 10;
    stage.post("/say", "one");
    stage.post("/say", "two");
    stage.server.drain(stage.now);
    peer.borrow_mut().give_room(1000);
    stage.report();
    // The event under way is whole, but not the body.
    assert_eq!(heard(&peer), chunk("one"));
    assert!(peer.borrow().server_gone);
    assert_eq!(*stage.left.borrow(), [id(&peer)]);
}

#[test]
fn a_follower_that_lags_too_far_is_reset() {
    let mut stage = Stage::new(Limits { lag_bytes_max: 1000, ..Limits::default() });
    let (slow, quick) = (stage.follow(), stage.follow());
    slow.borrow_mut().room = 5;
    let text = "x".repeat(400);
    (0..3).for_each(|_| stage.post("/say", &text));
    assert!(slow.borrow().server_reset && slow.borrow().server_gone);
    assert_eq!(heard(&quick), chunk(&text).repeat(3));
    assert_eq!((stage.server.counts().members, stage.server.counts().cut), (1, 1));
    assert_eq!(*stage.left.borrow(), [id(&slow)]);
}

#[test]
fn a_follower_that_takes_nothing_is_reset_in_time() {
    let limits = Limits::default();
    let patience = limits.ping_every + 2 * limits.write_stall;
    let mut stage = Stage::new(limits);
    let (deaf, slow) = (stage.follow(), stage.follow());
    for peer in [&deaf, &slow] {
        peer.borrow_mut().room = 5;
    }
    stage.post("/say", "one two three");
    for _ in 0..patience.as_secs() / 10 {
        stage.pass(Duration::from_secs(10));
        // A byte every ten seconds is a sign of life.
        slow.borrow_mut().give_room(1);
        stage.report();
    }
    assert!(deaf.borrow().server_reset && deaf.borrow().server_gone);
    assert!(!slow.borrow().server_gone);
    assert_eq!(*stage.left.borrow(), [id(&deaf)]);
}

#[test]
fn a_follower_that_hangs_up_is_gone() {
    for ends in [Pipe::fin as fn(&mut Pipe), |pipe| pipe.reset(true)] {
        let mut stage = Stage::new(Limits::default());
        let peer = stage.follow();
        ends(&mut peer.borrow_mut());
        stage.report();
        assert!(peer.borrow().server_gone);
        assert_eq!((stage.server.counts().members, stage.left.borrow().clone()), (0, vec![id(&peer)]));
        stage.turn(&[(Source::Connection(id(&peer)), ALL)]);
        stage.post("/say", "one");
    }
}

#[test]
fn only_a_body_of_unknown_length_follows() {
    let mut stage = Stage::new(Limits::default());
    let peer = stage.ask("HEAD / HTTP/1.1", Pipe::roomy());
    peer.borrow_mut().forget();
    stage.post("/say", "one");
    assert_eq!((heard(&peer).as_str(), stage.server.counts().members), ("", 0));
}
