//! Several connections that are served together: in which order they are read, handled and written to.

use super::*;
use squall::clock::Now;

/// Answers every request with a page, echoes every message, and says it to all who have upgraded before as well.
#[derive(Default)]
struct Gossip {
    page: usize,
    sockets: Vec<ConnId>,
    /// When an event came.
    events: Rc<RefCell<Vec<usize>>>,
}

impl App for Gossip {
    fn on_event(&mut self, from: ConnId, event: Event<'_>, _: Now, out: &mut Effects) {
        self.events.borrow_mut().push(tick());
        match event {
            Event::Request(request, _) if request.wants_upgrade() => {
                let (accept, message_bytes_max) = ([b'a'; 28], 1 << 20);
                out.push(Effect::Upgrade { to: from, accept, compression: None, message_bytes_max });
                self.sockets.push(from);
            }
            Event::Request(..) => {
                out.respond(from, Response::new(200, "text/plain", Body::Owned(vec![b'x'; self.page])));
            }
            Event::Message(_, text) => {
                let text = text.contiguous().expect("a short one");
                if text == b"bye" {
                    self.sockets.iter().for_each(|&id| out.push(Effect::Close(id, 1000, "bye")));
                } else {
                    let text = out.write(|bytes| bytes.extend_from_slice(text));
                    let before = self.sockets.iter().copied().take_while(|&id| id != from);
                    [from]
                        .into_iter()
                        .chain(before)
                        .for_each(|id| out.push(Effect::Send(id, Kind::Text, text.clone())));
                }
            }
            _ => {}
        }
    }
}

fn all(ids: &[ConnId]) -> Vec<(Source, Ready)> {
    ids.iter().map(|&id| readable(id)).collect()
}

/// Takes one turn in which all of these are readable.
fn turn<A: App>(server: &mut Server<Peers, A>, ids: &[ConnId]) -> Option<Duration> {
    let wait = server.turn(&all(ids), Now::read());
    assert_eq!(server.audit(), Ok(()));
    wait
}

/// So many WebSockets, in the order of their ids.
fn sockets(count: usize) -> (Server<Peers, Gossip>, Vec<ConnId>, Vec<Rc<Wire>>) {
    let (mut server, ids, wires) = meet(Gossip::default(), Limits::default(), count);
    wires.iter().for_each(|wire| wire.say(upgrade()));
    turn(&mut server, &ids);
    wires.iter().for_each(|wire| wire.heard.borrow_mut().clear());
    (server, ids, wires)
}

fn told(text: &str) -> Vec<u8> {
    [&[0x81, text.len() as u8], text.as_bytes()].concat()
}

#[test]
fn all_of_a_batch_are_read_before_any_is_handled_and_handled_before_any_is_answered() {
    let limits = Limits::default();
    let (size, events) = (limits.batch_max, Rc::default());
    let app = Gossip { page: 10, events: Rc::clone(&events), ..Gossip::default() };
    let (mut server, ids, wires) = meet(app, limits, size + 1);
    wires.iter().for_each(|wire| wire.say(ASK));
    turn(&mut server, &ids);
    let (last_read, first_write) =
        (wires[size - 1].read_at.get(), wires[..size].iter().map(|wire| wire.written_at.get()).min());
    assert!(wires[..size].iter().all(|wire| wire.read_at.get() <= last_read && wire.writes.get() == 1));
    assert!(events.borrow()[..size].iter().all(|&at| last_read < at && Some(at) < first_write), "{events:?}");
    let (last, last_write) = (&wires[size], wires[size - 1].written_at.get());
    assert!(last.read_at.get() > last_write, "one more than a batch is the beginning of another");
    assert_eq!(last.writes.get(), 1, "in the same turn");
}

#[test]
fn a_part_of_a_batch_is_answered_when_it_was_a_slice_of_work() {
    let (limits, events) = (Limits { slice_bytes_max: 10 << 10, ..Limits::default() }, Rc::default());
    let app = Gossip { page: 4 << 10, events: Rc::clone(&events), ..Gossip::default() };
    let (mut server, ids, wires) = meet(app, limits, 9);
    wires.iter().for_each(|wire| wire.say(ASK));
    turn(&mut server, &ids);
    let events = events.borrow();
    for n in 0..9 {
        let answered = wires[n].written_at.get();
        let waited = events.iter().filter(|&&at| events[n] < at && at < answered).count();
        assert_eq!(waited, 2 - n % 3, "events between request {n} and its answer");
    }
}

#[test]
fn what_others_say_to_one_of_the_batch_comes_behind_its_own_answers() {
    let (mut server, ids, wires) = sockets(3);
    wires.iter().zip(["a", "b", "c"]).for_each(|(wire, text)| wire.say(frame(TEXT, text)));
    turn(&mut server, &ids);
    let expected = [["a", "b", "c"].as_slice(), &["b", "c"], &["c"]];
    for (wire, texts) in wires.iter().zip(expected) {
        assert_eq!(*wire.heard.borrow(), texts.iter().flat_map(|text| told(text)).collect::<Vec<_>>());
    }
}

#[test]
fn who_is_closed_by_another_of_the_batch_hears_its_answer_first_and_is_heard_no_more() {
    let (mut server, ids, wires) = sockets(3);
    let close = [[0x88, 5].as_slice(), &1000u16.to_be_bytes(), b"bye"].concat();
    wires.iter().zip(["a", "bye", "c"]).for_each(|(wire, text)| wire.say(frame(TEXT, text)));
    turn(&mut server, &ids);
    assert_eq!(*wires[0].heard.borrow(), [told("a"), close.clone()].concat());
    assert_eq!(*wires[1].heard.borrow(), close);
    assert_eq!(*wires[2].heard.borrow(), close);
}

#[test]
fn who_leaves_a_room_within_the_batch_hears_its_answers_before_the_words_of_the_room() {
    let (mut server, ids, wires) = room(Limits::default());
    wires[0].heard.borrow_mut().clear();
    // A pong is an answer; what is said goes to the room.
    wires[0].say([frame(PING, "p"), frame(TEXT, "said"), frame(CLOSE, 1000u16.to_be_bytes())].concat());
    turn(&mut server, &ids);
    let close = [[0x88, 2].as_slice(), &1000u16.to_be_bytes()].concat();
    assert_eq!(*wires[0].heard.borrow(), [[0x8a, 1, b'p'].as_slice(), &told("said"), &close].concat());
    assert!(wires[1..MEMBERS].iter().all(|wire| wire.told.get() == told("said").len()));
}

#[test]
fn a_rest_that_was_kept_waits_until_there_is_room_for_it() {
    let (mut server, ids, wires) = meet(Gossip::default(), Limits::default(), 3);
    let long = ASK.replacen("\r\n", &format!("\r\nX: {}\r\n", "x".repeat(12 << 10)), 1);
    let (begin, rest) = long.split_at(long.len() - 2);
    [&upgrade(), &upgrade(), begin].iter().zip(&wires).for_each(|(says, wire)| wire.say(says));
    turn(&mut server, &ids);
    let text = frame(TEXT, vec![b'a'; 30 << 10]);
    [text.as_slice(), &text, rest.as_bytes()].iter().zip(&wires).for_each(|(says, wire)| wire.say(says));
    turn(&mut server, &ids);
    assert!(wires[0].told.get() > 2 * (30 << 10) && wires[1].told.get() > 30 << 10);
    assert!(wires[2].heard.borrow().starts_with(b"HTTP/1.1 200"));
}

#[test]
fn messages_that_do_not_lie_in_the_read_buffer_together_are_all_handled() {
    for bytes in [1000, 10 << 10, 31 << 10, 32 << 10, 60 << 10] {
        let (mut server, ids, wires) = sockets(20);
        let said: Vec<_> = (0..20).map(|n| vec![b'a' + n; bytes]).collect();
        wires.iter().zip(&said).for_each(|(wire, text)| wire.say(frame(TEXT, text)));
        let mut wait = turn(&mut server, &ids);
        while wait == Some(Duration::ZERO) {
            wait = turn(&mut server, &[]);
        }
        for (n, (wire, text)) in wires.iter().zip(&said).enumerate() {
            let heard = wire.heard.borrow();
            assert_eq!(heard.iter().filter(|&&byte| byte == text[0]).count(), bytes, "socket {n}, {bytes} bytes");
            assert!(heard.len() > (20 - n) * bytes, "socket {n} has heard those behind it");
        }
    }
}
