//! Long messages: no other connection waits for the whole of one.

use super::*;
use squall::blocks::{BLOCK_BYTES, Blocks};

const LONG: usize = 20 * BLOCK_BYTES;
/// The header of a frame, or the head of a response.
const HEAD_BYTES_MAX: usize = 300;

/// Sends every message back, and responds to `/long` with a body in blocks.
struct Echo;

impl App for Echo {
    fn request(&mut self, from: ConnId, request: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        if request.wants_upgrade() {
            let (accept, message_bytes_max) = ([b'a'; 28], LONG);
            out.push(Effect::Upgrade { to: from, accept, subprotocol: None, compression: None, message_bytes_max });
        } else if request.path() == "/long" {
            let mut body = Blocks::default();
            body.push(&[b'x'; LONG]);
            out.respond(from, Response::new(200, "text/plain", Body::Blocks(Box::new(body))));
        } else {
            out.respond(from, Response::text(200, "hello"));
        }
    }

    fn message(&mut self, from: ConnId, kind: Kind, payload: Payload<'_>, _: Now, out: &mut Effects) {
        out.send(from, kind, payload);
    }
}

/// Takes turns until `peer` has all of a long message, while another client sends a request in each of them.
fn hears_in_slices(
    server: &mut Server<FakeNetwork, Echo>,
    (id, peer): (ConnId, &PipeRef),
    (other, others): (ConnId, &PipeRef),
) {
    let (mut readiness, mut turns) = (vec![readable(id)], 0);
    while told(peer) < LONG {
        say(others, ASK);
        readiness.push(readable(other));
        let (before, answered) = (told(peer), told(others));
        server.turn(&readiness, Now::read());
        server.audit().expect("it is as it should be");
        assert!(told(others) > answered, "the other one is answered in this turn");
        let slice = told(peer) - before;
        assert!(slice <= Limits::default().slice_bytes_max + HEAD_BYTES_MAX, "{slice} bytes in one turn");
        readiness.clear();
        turns += 1;
        assert!(turns < 1000, "{} bytes, and nothing more comes", told(peer));
    }
    assert!(told(peer) <= LONG + HEAD_BYTES_MAX);
    assert_ne!(server.turn(&[], Now::read()), Some(Duration::ZERO), "all is quiet");
}

#[test]
fn a_long_echo_goes_out_in_slices() {
    let (mut server, ids, peers) = meet(Echo, Limits::default(), 2);
    say(&peers[0], upgrade());
    server.turn(&[readable(ids[0])], Now::read());
    peers[0].borrow_mut().forget();
    say(&peers[0], frame(TEXT, vec![b'x'; LONG]));
    hears_in_slices(&mut server, (ids[0], &peers[0]), (ids[1], &peers[1]));
}

#[test]
fn a_long_body_goes_out_in_slices() {
    let (mut server, ids, peers) = meet(Echo, Limits::default(), 2);
    say(&peers[0], ASK.replacen('/', "/long", 1));
    hears_in_slices(&mut server, (ids[0], &peers[0]), (ids[1], &peers[1]));
    let before = told(&peers[0]);
    say(&peers[0], ASK);
    server.turn(&[readable(ids[0])], Now::read());
    assert!(told(&peers[0]) > before);
    peers[0].borrow_mut().forget();
    say(&peers[0], ASK.replacen("GET /", "HEAD /long", 1));
    server.turn(&[readable(ids[0])], Now::read());
    assert!(told(&peers[0]) < HEAD_BYTES_MAX, "a HEAD has no body");
}

#[test]
fn input_is_read_in_slices() {
    let limits = Limits::default();
    let slice = limits.slice_bytes_max;
    let (mut server, ids, peers) = meet(Echo, limits, 1);
    say(&peers[0], upgrade());
    say(&peers[0], frame(TEXT, vec![b'x'; LONG]));
    let mut left = peers[0].borrow().to_server.len();
    let mut readiness = vec![readable(ids[0])];
    while left > 0 {
        server.turn(&readiness, Now::read());
        readiness.clear();
        let now = peers[0].borrow().to_server.len();
        assert!(left - now <= slice && now < left, "{} bytes in one turn", left - now);
        left = now;
    }
}

#[test]
fn a_member_catches_up_in_slices() {
    let limits = Limits { said_bytes_max: 8 << 10, slice_bytes_max: 4 << 10, ..Limits::default() };
    let (mut server, ids, peers) = room(limits);
    peers[1].borrow_mut().room = 0;
    for _ in 0..100 {
        say(&peers[0], frame(TEXT, [b'x'; TEXT_BYTES]));
        server.turn(&[readable(ids[0])], Now::read());
    }
    let all = 100 * (TEXT_BYTES + 4);
    assert_eq!((told(&peers[0]), told(&peers[1])), (all, 0));
    peers[1].borrow_mut().room = usize::MAX;
    let mut readiness = vec![(Source::Connection(ids[1]), WRITABLE)];
    while told(&peers[1]) < all {
        let before = told(&peers[1]);
        server.turn(&readiness, Now::read());
        server.audit().expect("it is as it should be");
        readiness.clear();
        let slice = told(&peers[1]) - before;
        assert!(slice > 0 && slice <= 8 << 10, "{slice} bytes in one turn");
    }
}
