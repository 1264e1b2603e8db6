//! How much one connection gets done in one turn.

mod batches;
mod long;
mod rooms;

use crate::support::at;
use crate::support::frames::{CLOSE, PING, TEXT, frame};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{App, Body, Effect, Effects, Event, Kind, Response};
use squall::id::{ConnId, FeedId};
use squall::net::{Network, Ready, Source, Stream};
use squall::reactor::Server;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one peer has said and not been read, and what it has been told.
#[derive(Default)]
struct Wire {
    says: RefCell<VecDeque<u8>>,
    told: Cell<usize>,
    heard: RefCell<Vec<u8>>,
    /// When it was last read from and written to, counted in calls of all.
    read_at: Cell<usize>,
    written_at: Cell<usize>,
    /// In so many writes.
    writes: Cell<usize>,
    /// It takes nothing.
    deaf: Cell<bool>,
}

thread_local! {
    static TICKS: Cell<usize> = const { Cell::new(0) };
}

/// A larger number at each call.
fn tick() -> usize {
    TICKS.set(TICKS.get() + 1);
    TICKS.get()
}

/// The server's end of it.
struct End(Rc<Wire>);

impl Read for End {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at.set(tick());
        match self.0.says.borrow_mut().read(buf)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.deaf.get() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.0.written_at.set(tick());
        self.0.told.set(self.0.told.get() + bytes.len());
        self.0.heard.borrow_mut().extend_from_slice(bytes);
        self.0.writes.set(self.0.writes.get() + 1);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for End {
    fn shutdown_write(&mut self) {}

    fn reset_on_drop(&self) {}

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 80).into())
    }
}

/// Peers that wait to be accepted, and the names that those who were have got.
#[derive(Clone, Default)]
struct Peers {
    waiting: Rc<RefCell<VecDeque<Rc<Wire>>>>,
    ids: Rc<RefCell<Vec<ConnId>>>,
}

impl Network for Peers {
    type Stream = End;

    fn accept(&mut self, _: usize) -> io::Result<End> {
        Ok(End(self.waiting.borrow_mut().pop_front().ok_or(ErrorKind::WouldBlock)?))
    }

    fn connect(&mut self, _: SocketAddr) -> io::Result<End> {
        unreachable!("nothing is fetched")
    }

    fn watch(&mut self, _: &mut End, id: ConnId) -> io::Result<()> {
        self.ids.borrow_mut().push(id);
        Ok(())
    }

    fn listeners(&self) -> usize {
        1
    }

    fn stop_listening(&mut self) {}
}

/// A server whose `count` peers have been accepted, and their wires in the order of their ids.
fn meet<A: App>(app: A, limits: Limits, count: usize) -> (Server<Peers, A>, Vec<ConnId>, Vec<Rc<Wire>>) {
    let (peers, now) = (Peers::default(), Instant::now());
    let wires: Vec<Rc<Wire>> = (0..count).map(|_| Rc::default()).collect();
    peers.waiting.borrow_mut().extend(wires.iter().cloned());
    let mut server = Server::new(peers.clone(), app, limits, Arc::new(|| {}), now);
    while peers.ids.borrow().len() < count {
        server.turn(&[], at(now));
    }
    let ids = peers.ids.borrow().clone();
    (server, ids, wires)
}

impl Wire {
    fn say(&self, bytes: impl AsRef<[u8]>) {
        self.says.borrow_mut().extend(bytes.as_ref());
    }
}

fn readable(id: ConnId) -> (Source, Ready) {
    (Source::Connection(id), Ready { readable: true, ..Ready::default() })
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: squall\r\n\r\n";

/// The same, to become a WebSocket.
fn upgrade() -> String {
    ASK.replacen("\r\n", "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", 1)
}

/// Answers every request with so many bytes, and counts them.
struct Pages(usize, Rc<Cell<usize>>);

impl App for Pages {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, _: Now, out: &mut Effects) {
        if let Event::Request(..) = event {
            self.1.set(self.1.get() + 1);
            out.respond(from, Response::new(200, "text/plain", Body::Owned(vec![b'x'; self.0])));
        }
    }
}

#[test]
fn an_answer_costs_a_slice_as_much_as_its_bytes() {
    for (page, answers) in [(10, 57), (10 << 10, 6)] {
        let asked = Rc::default();
        let limits = Limits { slice_steps_max: 64, slice_bytes_max: 64 << 10, ..Limits::default() };
        let (mut server, ids, wires) = meet(Pages(page, Rc::clone(&asked)), limits, 1);
        wires[0].say(ASK.repeat(200));
        server.turn(&[readable(ids[0])], Now::read());
        assert_eq!(asked.get(), answers, "answers of {page} bytes in one turn");
        let mut turns = 1;
        while asked.get() < 200 {
            server.turn(&[], Now::read());
            turns += 1;
            assert!(turns <= 200, "nothing is left lying");
        }
        assert!(wires[0].told.get() > 200 * page);
    }
}

/// A room of all, in which everything is said to all.
struct Everybody;

impl App for Everybody {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, _: Now, out: &mut Effects) {
        match event {
            Event::Request(request, _) if request.wants_upgrade() => {
                let (accept, message_bytes_max) = ([b'a'; 28], 1 << 20);
                out.push(Effect::Upgrade { to: from, accept, compression: None, message_bytes_max });
                out.push(Effect::Join(from, FeedId(0)));
            }
            Event::Request(..) => out.respond(from, Response::text(200, "hello")),
            Event::Message(_, text) => {
                let range = out.write(|bytes| bytes.extend_from_slice(text.contiguous().expect("a short one")));
                out.push(Effect::Publish(FeedId(0), range));
            }
            _ => {}
        }
    }
}

const MEMBERS: usize = 100;
const TEXT_BYTES: usize = 1000;

/// A server with a room, and somebody more who asks for pages.
fn room(limits: Limits) -> (Server<Peers, Everybody>, Vec<ConnId>, Vec<Rc<Wire>>) {
    let (mut server, ids, wires) = meet(Everybody, limits, MEMBERS + 1);
    wires[..MEMBERS].iter().for_each(|wire| wire.say(upgrade()));
    server.turn(&ids.iter().map(|&id| readable(id)).collect::<Vec<_>>(), Now::read());
    assert_eq!(server.counts().members, MEMBERS);
    wires.iter().for_each(|wire| wire.told.set(0));
    (server, ids, wires)
}

#[test]
fn a_large_room_is_flushed_in_several_turns_while_others_are_served() {
    // A write of a text counts as 5 KiB.
    let (mut server, ids, wires) = room(Limits { flush_bytes_max: 50 << 10, ..Limits::default() });
    wires[0].say(frame(TEXT, [b'x'; TEXT_BYTES]));
    server.turn(&[readable(ids[0])], Now::read());
    let heard = || wires[..MEMBERS].iter().filter(|wire| wire.told.get() > 0).count();
    assert_eq!(heard(), 11);
    wires[MEMBERS].say(ASK);
    assert_eq!(server.turn(&[readable(ids[MEMBERS])], Now::read()), Some(Duration::ZERO));
    assert!(wires[MEMBERS].told.get() > 0 && heard() == 22, "{}", heard());
    for _ in 0..8 {
        server.turn(&[], Now::read());
    }
    assert!(wires[..MEMBERS].iter().all(|wire| wire.told.get() == TEXT_BYTES + 4), "everybody has it once");
}

#[test]
fn members_say_no_more_than_the_room_can_write() {
    let limits = Limits { flush_bytes_max: 50 << 10, said_bytes_max: TEXT_BYTES, ..Limits::default() };
    let (mut server, ids, wires) = room(limits);
    for wire in &wires[..MEMBERS] {
        wire.say(frame(TEXT, [b'x'; TEXT_BYTES]).repeat(3));
    }
    server.turn(&ids.iter().map(|&id| readable(id)).collect::<Vec<_>>(), Now::read());
    // One message is all that is said in a turn.
    assert_eq!(wires[0].told.get(), TEXT_BYTES + 4);
    let mut turns = 0;
    while wires[..MEMBERS].iter().any(|wire| wire.told.get() < 3 * MEMBERS * (TEXT_BYTES + 4)) {
        server.turn(&[], Now::read());
        turns += 1;
        assert!(turns < 10_000, "nothing is left lying");
    }
    assert_eq!(server.counts().cut, 0);
}

#[test]
fn who_leaves_in_the_middle_of_a_flush_hides_nobody_from_it() {
    let (mut server, ids, wires) = room(Limits { flush_bytes_max: 50 << 10, ..Limits::default() });
    wires[0].say(frame(TEXT, [b'x'; TEXT_BYTES]));
    server.turn(&[readable(ids[0])], Now::read());
    // The last one takes the place of the first, which the flush has passed.
    wires[0].say(frame(CLOSE, 1000u16.to_be_bytes()));
    server.turn(&[readable(ids[0])], Now::read());
    for _ in 0..20 {
        server.turn(&[], Now::read());
    }
    assert!(wires[1..MEMBERS].iter().all(|wire| wire.told.get() == TEXT_BYTES + 4));
}
