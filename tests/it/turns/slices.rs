//! How much one connection gets done in one turn.

mod batches;
mod long;
mod rooms;
mod stores;

use crate::support::at;
use crate::support::frames::{CLOSE, PING, TEXT, frame};
use crate::support::network::{FakeNetwork, Pipe, PipeRef, READABLE, WRITABLE};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Body, Effect, Effects, Kind, Payload, Request, Response};
use squall::id::{ConnId, FeedId};
use squall::net::{Ready, Source};
use squall::reactor::Server;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server that has accepted `count` clients, their ids, and their ends in the same order.
fn meet<A: App>(app: A, limits: Limits, count: usize) -> (Server<FakeNetwork, A>, Vec<ConnId>, Vec<PipeRef>) {
    let (network, now) = (FakeNetwork::default(), Instant::now());
    let peers: Vec<_> = (0..count).map(|_| PipeRef::new(RefCell::new(Pipe::roomy()))).collect();
    peers.iter().for_each(|peer| network.0.borrow_mut().arrive(peer));
    let mut server = Server::new(network, app, limits, Arc::new(|| {}), now);
    while peers.iter().any(|peer| peer.borrow().id.is_none()) {
        server.turn(&[], at(now));
    }
    let ids = peers.iter().map(|peer| peer.borrow().id.expect("it is watched")).collect();
    (server, ids, peers)
}

fn readable(id: ConnId) -> (Source, Ready) {
    (Source::Connection(id), READABLE)
}

fn say(peer: &PipeRef, bytes: impl AsRef<[u8]>) {
    peer.borrow_mut().say(bytes);
}

/// Bytes that a peer was told since it last forgot.
fn told(peer: &PipeRef) -> usize {
    peer.borrow().written
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: squall\r\n\r\n";

/// The same, to become a WebSocket.
fn upgrade() -> String {
    ASK.replacen("\r\n", "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", 1)
}

/// Responds to every request with a body of this many bytes, and counts the requests.
struct Pages(usize, Rc<Cell<usize>>);

impl App for Pages {
    fn request(&mut self, from: ConnId, _: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        self.1.set(self.1.get() + 1);
        out.respond(from, Response::new(200, "text/plain", Body::Owned(vec![b'x'; self.0])));
    }
}

#[test]
fn a_response_uses_up_its_slice_by_its_bytes() {
    for (page, responses) in [(10, 57), (10 << 10, 6)] {
        let asked = Rc::default();
        let limits = Limits { slice_steps_max: 64, slice_bytes_max: 64 << 10, ..Limits::default() };
        let (mut server, ids, peers) = meet(Pages(page, Rc::clone(&asked)), limits, 1);
        say(&peers[0], ASK.repeat(200));
        server.turn(&[readable(ids[0])], Now::read());
        assert_eq!(asked.get(), responses, "responses of {page} bytes in one turn");
        let mut turns = 1;
        while asked.get() < 200 {
            server.turn(&[], Now::read());
            turns += 1;
            assert!(turns <= 200, "nothing is left lying");
        }
        assert!(told(&peers[0]) > 200 * page);
    }
}

/// A room of all, in which everything is said to all.
struct OneRoom;

impl App for OneRoom {
    fn request(&mut self, from: ConnId, request: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        if request.wants_upgrade() {
            let (accept, message_bytes_max) = ([b'a'; 28], 1 << 20);
            out.push(Effect::Upgrade { to: from, accept, subprotocol: None, compression: None, message_bytes_max });
            out.push(Effect::Join(from, FeedId(0)));
        } else {
            out.respond(from, Response::text(200, "hello"));
        }
    }

    fn message(&mut self, _: ConnId, _: Kind, text: Payload<'_>, _: Now, out: &mut Effects) {
        let range = out.write(|bytes| bytes.extend_from_slice(text.contiguous().expect("a short one")));
        out.push(Effect::Publish(FeedId(0), range));
    }
}

const MEMBERS: usize = 100;
const TEXT_BYTES: usize = 1000;

/// A server with a room, and one more client, which sends requests.
fn room(limits: Limits) -> (Server<FakeNetwork, OneRoom>, Vec<ConnId>, Vec<PipeRef>) {
    let (mut server, ids, peers) = meet(OneRoom, limits, MEMBERS + 1);
    peers[..MEMBERS].iter().for_each(|peer| say(peer, upgrade()));
    server.turn(&ids.iter().map(|&id| readable(id)).collect::<Vec<_>>(), Now::read());
    assert_eq!(server.counts().members, MEMBERS);
    peers.iter().for_each(|peer| peer.borrow_mut().forget());
    (server, ids, peers)
}

#[test]
fn large_room_is_flushed_over_several_turns() {
    // A write of a text counts as 5 KiB.
    let (mut server, ids, peers) = room(Limits { flush_bytes_max: 50 << 10, ..Limits::default() });
    say(&peers[0], frame(TEXT, [b'x'; TEXT_BYTES]));
    server.turn(&[readable(ids[0])], Now::read());
    let heard = || peers[..MEMBERS].iter().filter(|peer| told(peer) > 0).count();
    assert_eq!(heard(), 11);
    say(&peers[MEMBERS], ASK);
    assert_eq!(server.turn(&[readable(ids[MEMBERS])], Now::read()), Some(Duration::ZERO));
    assert!(told(&peers[MEMBERS]) > 0 && heard() == 22, "{}", heard());
    for _ in 0..8 {
        server.turn(&[], Now::read());
    }
    assert!(peers[..MEMBERS].iter().all(|peer| told(peer) == TEXT_BYTES + 4), "every member has it once");
}

#[test]
fn members_are_read_no_faster_than_the_room_is_written() {
    let limits = Limits { flush_bytes_max: 50 << 10, said_bytes_max: TEXT_BYTES, ..Limits::default() };
    let (mut server, ids, peers) = room(limits);
    for peer in &peers[..MEMBERS] {
        say(peer, frame(TEXT, [b'x'; TEXT_BYTES]).repeat(3));
    }
    server.turn(&ids.iter().map(|&id| readable(id)).collect::<Vec<_>>(), Now::read());
    // One message is all that is said in a turn.
    assert_eq!(told(&peers[0]), TEXT_BYTES + 4);
    let mut turns = 0;
    while peers[..MEMBERS].iter().any(|peer| told(peer) < 3 * MEMBERS * (TEXT_BYTES + 4)) {
        server.turn(&[], Now::read());
        turns += 1;
        assert!(turns < 10_000, "nothing is left lying");
    }
    assert_eq!(server.counts().cut, 0);
}

#[test]
fn a_leave_within_a_flush_skips_no_member() {
    let (mut server, ids, peers) = room(Limits { flush_bytes_max: 50 << 10, ..Limits::default() });
    say(&peers[0], frame(TEXT, [b'x'; TEXT_BYTES]));
    server.turn(&[readable(ids[0])], Now::read());
    // The last one takes the place of the first, which the flush has passed.
    say(&peers[0], frame(CLOSE, 1000u16.to_be_bytes()));
    server.turn(&[readable(ids[0])], Now::read());
    for _ in 0..20 {
        server.turn(&[], Now::read());
    }
    assert!(peers[1..MEMBERS].iter().all(|peer| told(peer) == TEXT_BYTES + 4));
}
