//! Rooms that share the turns: what each gets of the budget of the flush, and whose members are heard when.

use super::*;

/// Rooms, one for each path. An upgrade enters one; a plain request brings news from outside.
struct Halls {
    inside: HashMap<ConnId, FeedId>,
    /// Whose messages were heard, in order.
    heard: Rc<RefCell<Vec<ConnId>>>,
}

impl App for Halls {
    fn request(&mut self, from: ConnId, request: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        let feed = FeedId(request.path()[1..].parse().expect("a number"));
        if request.wants_upgrade() {
            let (accept, message_bytes_max) = ([b'a'; 28], 1 << 20);
            out.push(Effect::Upgrade { to: from, accept, subprotocol: None, compression: None, message_bytes_max });
            out.push(Effect::Join(from, feed));
            self.inside.insert(from, feed);
        } else {
            out.respond(from, Response::text(200, "heard"));
        }
        let news = out.write(|bytes| bytes.extend([b'n'; TEXT_BYTES]));
        out.push(Effect::Publish(feed, news));
    }

    fn message(&mut self, from: ConnId, _: Kind, text: Payload<'_>, _: Now, out: &mut Effects) {
        self.heard.borrow_mut().push(from);
        let text = out.write(|bytes| bytes.extend_from_slice(text.contiguous().expect("a short one")));
        out.push(Effect::Publish(self.inside[&from], text));
    }
}

const FRAME_BYTES: usize = TEXT_BYTES + 4;

/// Eleven members of a hundred are written to in one turn.
fn limits() -> Limits {
    Limits { flush_bytes_max: 50 << 10, ..Limits::default() }
}

struct Stage {
    server: Server<FakeNetwork, Halls>,
    ids: Vec<ConnId>,
    peers: Vec<PipeRef>,
    heard: Rc<RefCell<Vec<ConnId>>>,
    now: Instant,
}

impl Stage {
    /// A hundred members of room 0, then ten of room 1, all of whom have read everything, then `outside` others.
    fn new(limits: Limits, outside: usize) -> Stage {
        let heard = Rc::default();
        let app = Halls { inside: HashMap::new(), heard: Rc::clone(&heard) };
        let (server, ids, peers) = meet(app, limits, MEMBERS + 10 + outside);
        let mut stage = Stage { server, ids, peers, heard, now: Instant::now() };
        (0..MEMBERS).for_each(|n| stage.ask(n, 0, true));
        (MEMBERS..MEMBERS + 10).for_each(|n| stage.ask(n, 1, true));
        stage.turn_until("all are in", |stage| stage.server.counts().members == MEMBERS + 10 && stage.is_quiet());
        stage.peers.iter().for_each(|peer| peer.borrow_mut().forget());
        stage
    }

    fn says(&mut self, n: usize, bytes: impl AsRef<[u8]>) {
        say(&self.peers[n], bytes);
        self.turn(&[readable(self.ids[n])]);
    }

    fn ask(&mut self, n: usize, room: usize, enter: bool) {
        let upgrade = if enter { "Upgrade: websocket\r\nConnection: Upgrade\r\n" } else { "" };
        self.says(n, format!("GET /{room} HTTP/1.1\r\nHost: squall\r\n{upgrade}\r\n"));
    }

    fn turn(&mut self, readiness: &[(Source, Ready)]) -> Option<Duration> {
        let wait = self.server.turn(readiness, at(self.now));
        assert_eq!(self.server.audit(), Ok(()));
        wait
    }

    fn is_quiet(&mut self) -> bool {
        self.turn(&[]) != Some(Duration::ZERO)
    }

    /// Five hundred turns are more than anything takes that comes to its end.
    fn turn_until(&mut self, what: &str, mut holds: impl FnMut(&mut Stage) -> bool) {
        assert!((0..500).any(|_| holds(self)), "{what}: never");
    }

    fn told(&self, n: usize) -> usize {
        told(&self.peers[n])
    }
}

fn text() -> Vec<u8> {
    frame(TEXT, [b'x'; TEXT_BYTES])
}

#[test]
fn members_are_heard_while_one_enters_in_every_turn() {
    let mut stage = Stage::new(limits(), 100);
    for n in MEMBERS + 10..MEMBERS + 60 {
        stage.ask(n, 0, true);
    }
    stage.says(0, text());
    for n in MEMBERS + 60..MEMBERS + 110 {
        stage.ask(n, 0, true);
    }
    assert_eq!(*stage.heard.borrow(), [stage.ids[0]], "fifty turns are several rounds");
}

#[test]
fn a_busy_room_leaves_turns_to_the_others() {
    let mut stage = Stage::new(limits(), 1);
    stage.ask(MEMBERS + 10, 0, false);
    stage.says(MEMBERS, text());
    for _ in 0..3 {
        stage.ask(MEMBERS + 10, 0, false);
    }
    assert_eq!(*stage.heard.borrow(), [stage.ids[MEMBERS]], "its members are heard meanwhile");
    assert!((MEMBERS..MEMBERS + 10).all(|n| stage.told(n) == FRAME_BYTES), "and written to");
    stage.turn_until("all have everything", Stage::is_quiet);
    assert!((0..MEMBERS).all(|n| stage.told(n) == 4 * FRAME_BYTES));
}

#[test]
fn a_waiting_member_is_heard_before_busy_ones() {
    for flush_bytes_max in [50 << 10, 1 << 20] {
        let mut stage = Stage::new(Limits { said_bytes_max: 2 * TEXT_BYTES, flush_bytes_max, ..limits() }, 0);
        for n in 0..20 {
            say(&stage.peers[n], text().repeat(100));
        }
        let everybody: Vec<_> = (0..20).map(|n| readable(stage.ids[n])).collect();
        stage.turn(&everybody);
        stage.turn_until("forty messages", |stage| {
            stage.turn(&[]);
            stage.heard.borrow().len() >= 40
        });
        let heard = stage.heard.borrow();
        for n in 0..20 {
            let times = heard.iter().filter(|id| **id == stage.ids[n]).count();
            assert!((1..=4).contains(&times), "of {} messages {times} were the {n}th's", heard.len());
        }
    }
}

#[test]
fn waiting_members_are_heard_in_the_order_of_their_input() {
    let mut stage = Stage::new(Limits { said_bytes_max: TEXT_BYTES, ..limits() }, 0);
    stage.peers[..40].iter().for_each(|peer| say(peer, text()));
    let everybody: Vec<_> = (0..40).map(|n| readable(stage.ids[n])).collect();
    stage.turn(&everybody);
    stage.turn_until("all were heard", Stage::is_quiet);
    assert_eq!(*stage.heard.borrow(), stage.ids[..40]);
}

#[test]
fn requests_do_not_wait_for_a_busy_room() {
    let mut stage = Stage::new(Limits { said_bytes_max: 1, ..limits() }, 1);
    stage.says(0, text());
    stage.says(MEMBERS + 10, "GET /7 HTTP/1.1\r\nHost: squall\r\n\r\n".repeat(100));
    let responses = stage.told(MEMBERS + 10);
    stage.turn(&[]);
    assert_eq!((stage.told(MEMBERS + 10), responses > 0), (responses, true), "all hundred in one slice");
}

#[test]
fn member_not_yet_flushed_is_not_cut() {
    let mut stage = Stage::new(Limits { lag_bytes_max: 2 * TEXT_BYTES, ..limits() }, 1);
    for _ in 0..50 {
        stage.ask(MEMBERS + 10, 0, false);
    }
    stage.turn_until("all have everything", Stage::is_quiet);
    assert_eq!((stage.server.counts().cut, stage.server.counts().members), (0, MEMBERS + 10));
    assert!((0..MEMBERS).all(|n| stage.told(n) == 50 * FRAME_BYTES));
}

#[test]
fn deaf_member_is_cut_during_an_endless_flush() {
    let mut stage = Stage::new(Limits { lag_bytes_max: 20 * TEXT_BYTES, ..limits() }, 1);
    stage.peers[50].borrow_mut().room = 0;
    let mut asked = 0;
    stage.turn_until("it is cut", |stage| {
        stage.ask(MEMBERS + 10, 0, false);
        asked += 1;
        // More than a message in three turns, and a budget for half of one would never be enough.
        stage.turn(&[]);
        stage.turn(&[]);
        stage.server.counts().cut == 1
    });
    assert!((20..40).contains(&asked), "after {asked} messages");
}

#[test]
fn messages_before_a_drain_still_go_out() {
    let close = frame(CLOSE, 1000u16.to_be_bytes());
    let mut stage = Stage::new(Limits { said_bytes_max: TEXT_BYTES, ..limits() }, 0);
    stage.says(0, text());
    let is_last = |&n: &usize| stage.told(n) == 0 && stage.told((n + 1) % MEMBERS) > 0;
    let last = (1..MEMBERS).find(is_last).expect("the flush has not come to every member");
    stage.says(last, [text(), close.clone()].concat());
    assert_eq!(stage.told(last), 0);
    stage.server.drain(stage.now);
    let heard = stage.heard.borrow().len();
    for n in 0..MEMBERS {
        assert!(stage.told(n) > heard * FRAME_BYTES, "the {n}th has all messages, and our Close");
    }
    let others: Vec<_> = (0..MEMBERS + 10).filter(|n| *n != last).collect();
    others.iter().for_each(|&n| say(&stage.peers[n], &close));
    stage.turn(&others.iter().map(|&n| readable(stage.ids[n])).collect::<Vec<_>>());
    stage.turn_until("all are gone", |stage| {
        stage.turn(&[]);
        stage.server.is_over()
    });
}

#[test]
fn closing_member_gets_the_messages_before_its_close() {
    let mut stage = Stage::new(limits(), 0);
    stage.says(0, text());
    stage.says(99, [text(), frame(CLOSE, 1000u16.to_be_bytes())].concat());
    stage.turn_until("all have everything", Stage::is_quiet);
    assert_eq!(stage.told(99), 2 * FRAME_BYTES + 4, "both messages and our Close");
}

#[test]
fn late_members_of_a_flush_get_all_in_one_write() {
    let mut stage = Stage::new(limits(), 0);
    for _ in 0..2 {
        stage.peers.iter().for_each(|peer| peer.borrow_mut().forget());
        stage.says(MEMBERS / 2, text());
        assert_eq!((stage.told(0), stage.told(MEMBERS - 1)), (FRAME_BYTES, 0));
        while stage.told(MEMBERS / 2) == 0 {
            stage.turn(&[]);
        }
        // It has heard itself, and speaks again before the others have: the flush ends where it is now.
        stage.says(MEMBERS / 2, text());
        stage.turn_until("all have everything", Stage::is_quiet);
        assert!((0..MEMBERS).all(|n| stage.told(n) == 2 * FRAME_BYTES));
        assert_eq!((stage.peers[0].borrow().writes, stage.peers[MEMBERS - 1].borrow().writes), (2, 1));
    }
}

#[test]
fn enters_and_leaves_skip_no_member() {
    let mut stage = Stage::new(limits(), 200);
    let close = frame(CLOSE, 1000u16.to_be_bytes());
    // In each turn one enters, and the one before leaves: the last slot is filled and emptied again and again.
    for n in MEMBERS + 10..MEMBERS + 210 {
        stage.ask(n, 0, true);
        if n > MEMBERS + 10 {
            stage.says(n - 1, &close);
        }
    }
    stage.turn_until("all have everything", Stage::is_quiet);
    assert!((0..MEMBERS).all(|n| stage.told(n) == 200 * FRAME_BYTES));
}

/// More than a lag was said to room 0 in one turn, and a visit writes a tenth of it.
fn full_of_news() -> Stage {
    let limits = Limits { said_bytes_max: TEXT_BYTES, lag_bytes_max: 20 * TEXT_BYTES, ..Limits::default() };
    let mut stage = Stage::new(limits, 50);
    let outside = MEMBERS + 10..MEMBERS + 60;
    for peer in &stage.peers[outside.clone()] {
        say(peer, "GET /0 HTTP/1.1\r\nHost: squall\r\n\r\n");
    }
    let readiness: Vec<_> = outside.map(|n| readable(stage.ids[n])).collect();
    stage.turn(&readiness);
    stage
}

#[test]
fn a_member_that_takes_all_is_not_too_slow() {
    let mut stage = full_of_news();
    stage.turn_until("all have everything", Stage::is_quiet);
    assert_eq!(stage.server.counts().cut, 0);
    assert!((0..MEMBERS).all(|n| stage.told(n) == 50 * FRAME_BYTES));
}

#[test]
fn member_that_stops_between_slices_is_too_slow() {
    let mut stage = full_of_news();
    stage.peers[50].borrow_mut().room = 0;
    stage.turn_until("the others have everything", |stage| {
        stage.turn(&[]);
        (0..MEMBERS).all(|n| n == 50 || stage.told(n) == 50 * FRAME_BYTES)
    });
    assert_eq!(stage.server.counts().cut, 1);
}

#[test]
fn entering_is_answered_in_one_write() {
    struct Hello;
    impl App for Hello {
        fn request(&mut self, from: ConnId, _: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
            let (accept, message_bytes_max) = ([b'a'; 28], 1 << 20);
            out.push(Effect::Upgrade { to: from, accept, subprotocol: None, compression: None, message_bytes_max });
            out.push(Effect::Join(from, FeedId(0)));
            let hello = out.write(|bytes| bytes.extend_from_slice(b"hello"));
            out.push(Effect::Send(from, Kind::Text, hello));
        }
    }
    let (mut server, ids, peers) = meet(Hello, Limits::default(), 2);
    for (&id, peer) in ids.iter().zip(&peers) {
        say(peer, upgrade());
        server.turn(&[readable(id)], Now::read());
        assert_eq!((peer.borrow().writes, server.audit()), (1, Ok(())));
    }
}
