//! What seeds have found, reduced: the same world without dice.

use super::driver::{BEGUN_AT, Driver, ms};
use super::strangers::settings;
use crate::support::dice::Dice;
use crate::support::network::{Manner, PipeRef, World};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Body, Effect, Effects, Fetch, Request, Response, StreamEnd, Url};
use squall::id::ConnId;
use squall::site::Site;
use squall::site::cookie::Signer;
use squall::ws::frame::{Opcode, encode_masked};
use std::time::Instant;

/// Clients of one server, each with room for this many unread bytes.
pub fn clients<A: App, const N: usize>(app: A, limits: Limits, room: usize) -> (Driver<A>, [PipeRef; N]) {
    let (mut world, pipes) = (World::default(), std::array::from_fn(|_| PipeRef::default()));
    for pipe in &pipes {
        world.arrive(pipe);
        pipe.borrow_mut().room = room;
    }
    (Driver::new(world, app, limits, Instant::now()), pipes)
}

pub fn site(limits: &Limits) -> Site {
    let now = Instant::now();
    Site::new(settings("http://127.0.0.1:1/{}".into()), limits, now).expect("a site")
}

/// Lets the loop run until it has nothing more to do.
pub fn run<A: App>(driver: &mut Driver<A>) {
    while driver.step(&mut Dice::new(1), ms(1), Manner::Prompt) {}
}

pub fn heard(pipe: &PipeRef) -> String {
    String::from_utf8_lossy(pipe.borrow_mut().to_peer.make_contiguous()).into_owned()
}

pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    encode_masked(opcode, true, [1, 2, 3, 4], payload, &mut bytes);
    bytes
}

#[test]
fn refusal_has_a_body_by_its_own_request() {
    for (requests, has_body) in [
        ("HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n", true),
        ("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n\r\nHEAD / HTTP/1.1\r\n\r\n", false),
        ("GET / HTTP/1.1\r\n\r\n", true),
    ] {
        let (mut driver, [pipe]) = clients(site(&Limits::default()), Limits::default(), 1 << 20);
        pipe.borrow_mut().put(requests.bytes());
        run(&mut driver);
        let heard = heard(&pipe);
        let (head, body) =
            heard[heard.find("HTTP/1.1 400 ").expect("a refusal")..].split_once("\r\n\r\n").expect("a head");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        assert_eq!(body.len(), if has_body { length.parse().expect("a number") } else { 0 }, "{requests}");
    }
}

#[test]
fn body_that_ends_with_a_slice_is_whole() {
    for slice_steps_max in 1..5 {
        let limits = Limits { slice_steps_max, ..Limits::default() };
        let (mut driver, [pipe]) = clients(site(&limits), limits, 1 << 20);
        pipe.borrow_mut().put(*b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n");
        run(&mut driver);
        for piece in [&b"user"[..], b"name=ann"] {
            assert_eq!(heard(&pipe), "");
            pipe.borrow_mut().put(piece.iter().copied());
            run(&mut driver);
        }
        assert!(heard(&pipe).starts_with("HTTP/1.1 303 "), "{slice_steps_max} steps a slice");
    }
}

#[test]
fn a_503_for_memory_is_not_followed_by_a_408() {
    let limits = Limits { buffer_bytes_max: 1000, body_within: ms(100), ..Limits::default() };
    let (mut driver, [pipe]) = clients(site(&limits), limits, 1 << 20);
    pipe.borrow_mut().put(*b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\nusername=");
    run(&mut driver);
    driver.now += ms(200);
    pipe.borrow_mut().put([b'a'; 2000]);
    run(&mut driver);
    let heard = heard(&pipe);
    assert!(heard.starts_with("HTTP/1.1 503 ") && heard.matches("HTTP/1.1 ").count() == 1, "{heard}");
}

/// Responds with a stream that is whole at once.
struct Streamer;

impl App for Streamer {
    fn request(&mut self, from: ConnId, _: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        let piece = out.write(|out| out.extend_from_slice(&[b'x'; 1000]));
        out.respond(from, Response::new(200, "text/plain", Body::Stream(None)));
        out.list.extend([Effect::Piece(from, piece), Effect::End(from, StreamEnd::Whole)]);
    }
}

#[test]
fn abandoned_body_until_close_ends_with_a_reset() {
    for (room, is_whole) in [(700, false), (2000, true)] {
        let (mut driver, [pipe]) = clients(Streamer, Limits::default(), room);
        pipe.borrow_mut().put(*b"GET / HTTP/1.0\r\n\r\n");
        run(&mut driver);
        while driver.wait() {
            run(&mut driver);
        }
        assert_eq!((pipe.borrow().server_gone, pipe.borrow().server_reset), (true, !is_whole), "room for {room}");
    }
}

#[test]
fn member_is_read_again_after_a_flush_of_its_room() {
    let limits = Limits { high_water: 100, ..Limits::default() };
    let (mut driver, [held, other]) = clients(site(&limits), limits, 1 << 20);
    let signer = Signer::new(b"simulated");

    for (name, pipe) in [("held", &held), ("other", &other)] {
        let cookie = signer.sign("username", name.as_bytes(), BEGUN_AT);
        let request = format!(
            "GET /chat/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: username={cookie}\r\n\r\n"
        );
        pipe.borrow_mut().put(request.bytes());
        run(&mut driver);
    }
    held.borrow_mut().room = 0;
    held.borrow_mut().put([frame(Opcode::Ping, &[b'p'; 120]), frame(Opcode::Text, b"first")].concat());
    run(&mut driver);
    held.borrow_mut().put(frame(Opcode::Text, b"behind"));
    run(&mut driver);
    assert!(!heard(&other).contains("held:behind"), "it is above high water");
    // In one turn its socket takes everything again, and the room has news.
    held.borrow_mut().give_room(1 << 20);
    other.borrow_mut().put(frame(Opcode::Text, b"news"));
    run(&mut driver);
    assert!(heard(&other).contains("held:behind"));
}

#[test]
fn memory_of_a_queued_fetch_is_booked() {
    let limits = Limits { fetches_max: 0, ..Limits::default() };
    let (mut driver, []) = clients(Streamer, limits, 0);
    let url = Url::parse("http://127.0.0.1/a").expect("a URL");
    let fetch = Fetch { body: vec![0; 5000], ..Fetch::get(url, driver.now, ms(1000)) };
    driver.server.start(|_, out| out.push(Effect::Fetch(ConnId::outside(0), Box::new(fetch))));
    driver.turn(&[]);
    assert!(driver.server.counts().booked >= 5000, "{:?}", driver.server.counts());
}
