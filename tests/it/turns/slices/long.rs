//! Long messages: nobody waits for the whole of one.

use super::*;
use squall::blocks::{BLOCK_BYTES, Blocks};
use squall::clock::Now;

const LONG: usize = 20 * BLOCK_BYTES;
/// The header of a frame, or the head of an answer.
const HEAD_BYTES_MAX: usize = 300;

/// Sends every message back, and answers every request with a body in blocks.
struct Echo;

impl App for Echo {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, _: Now, out: &mut Effects) {
        match event {
            Event::Request(request, _) if request.wants_upgrade() => {
                let (accept, message_bytes_max) = ([b'a'; 28], LONG);
                out.push(Effect::Upgrade { to: from, accept, compression: None, message_bytes_max });
            }
            Event::Request(request, _) if request.path() == "/long" => {
                let mut body = Blocks::default();
                body.push(&[b'x'; LONG]);
                out.respond(from, Response::new(200, "text/plain", Body::Blocks(Box::new(body))));
            }
            Event::Request(..) => out.respond(from, Response::text(200, "hello")),
            Event::Message(kind, payload) => out.send(from, kind, payload),
            _ => {}
        }
    }
}

/// Takes turns until `wire` has been told all of a long message, while somebody else asks in each of them.
fn hears_in_slices(server: &mut Server<Peers, Echo>, (id, wire): (ConnId, &Wire), (other, others): (ConnId, &Wire)) {
    let (mut readiness, mut turns) = (vec![readable(id)], 0);
    while wire.told.get() < LONG {
        others.say(ASK);
        readiness.push(readable(other));
        let (told, answered) = (wire.told.get(), others.told.get());
        server.turn(&readiness, Now::read());
        server.audit().expect("it is as it should be");
        assert!(others.told.get() > answered, "the other one is answered in this turn");
        let slice = wire.told.get() - told;
        assert!(slice <= Limits::default().slice_bytes_max + HEAD_BYTES_MAX, "{slice} bytes in one turn");
        readiness.clear();
        turns += 1;
        assert!(turns < 1000, "{} bytes, and nothing more comes", wire.told.get());
    }
    assert!(wire.told.get() <= LONG + HEAD_BYTES_MAX);
    assert_ne!(server.turn(&[], Now::read()), Some(Duration::ZERO), "all is quiet");
}

#[test]
fn a_long_echo_goes_out_in_slices() {
    let (mut server, ids, wires) = meet(Echo, Limits::default(), 2);
    wires[0].say(upgrade());
    server.turn(&[readable(ids[0])], Now::read());
    wires[0].told.set(0);
    wires[0].say(frame(TEXT, vec![b'x'; LONG]));
    hears_in_slices(&mut server, (ids[0], &wires[0]), (ids[1], &wires[1]));
}

#[test]
fn a_long_body_goes_out_in_slices_and_the_next_request_is_answered_behind_it() {
    let (mut server, ids, wires) = meet(Echo, Limits::default(), 2);
    wires[0].say(ASK.replacen('/', "/long", 1));
    hears_in_slices(&mut server, (ids[0], &wires[0]), (ids[1], &wires[1]));
    let told = wires[0].told.get();
    wires[0].say(ASK);
    server.turn(&[readable(ids[0])], Now::read());
    assert!(wires[0].told.get() > told);
    wires[0].told.set(0);
    wires[0].say(ASK.replacen("GET /", "HEAD /long", 1));
    server.turn(&[readable(ids[0])], Now::read());
    assert!(wires[0].told.get() < HEAD_BYTES_MAX, "a HEAD has no body");
}

#[test]
fn what_comes_is_read_in_slices() {
    let limits = Limits::default();
    let slice = limits.slice_bytes_max;
    let (mut server, ids, wires) = meet(Echo, limits, 1);
    wires[0].say(upgrade());
    wires[0].say(frame(TEXT, vec![b'x'; LONG]));
    let mut left = wires[0].says.borrow().len();
    let mut readiness = vec![readable(ids[0])];
    while left > 0 {
        server.turn(&readiness, Now::read());
        readiness.clear();
        let now = wires[0].says.borrow().len();
        assert!(left - now <= slice && now < left, "{} bytes in one turn", left - now);
        left = now;
    }
}

#[test]
fn what_a_room_has_for_one_who_was_deaf_goes_out_in_slices() {
    let limits = Limits { said_bytes_max: 8 << 10, slice_bytes_max: 4 << 10, ..Limits::default() };
    let (mut server, ids, wires) = room(limits);
    wires[1].deaf.set(true);
    for _ in 0..100 {
        wires[0].say(frame(TEXT, [b'x'; TEXT_BYTES]));
        server.turn(&[readable(ids[0])], Now::read());
    }
    let all = 100 * (TEXT_BYTES + 4);
    assert_eq!((wires[0].told.get(), wires[1].told.get()), (all, 0));
    wires[1].deaf.set(false);
    let mut readiness = vec![(Source::Connection(ids[1]), Ready { writable: true, ..Ready::default() })];
    while wires[1].told.get() < all {
        let told = wires[1].told.get();
        server.turn(&readiness, Now::read());
        server.audit().expect("it is as it should be");
        readiness.clear();
        let slice = wires[1].told.get() - told;
        assert!(slice > 0 && slice <= 8 << 10, "{slice} bytes in one turn");
    }
}
