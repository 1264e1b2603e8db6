//! A store that takes its time: whom it keeps from being read, and for how long.

use super::*;
use crate::support::slow_store::SlowStore;
use squall::clock::UnixMillis;
use squall::event::{Command, Outcome};
use squall::store::{Draft, Kind as Entry};

/// Every WebSocket is a member of one room; what a member says is stored, and then published.
struct Room {
    /// The texts that were published.
    said: Rc<RefCell<Vec<String>>>,
    woken: Rc<Cell<usize>>,
}

impl App for Room {
    fn request(&mut self, from: ConnId, _: &Request<'_>, _: &[u8], _: Now, out: &mut Effects) {
        out.push(Effect::Upgrade {
            to: from,
            accept: [b'x'; 28],
            subprotocol: None,
            compression: None,
            message_bytes_max: 1000,
        });
        out.push(Effect::Join(from, FeedId(0)));
    }

    fn message(&mut self, from: ConnId, _: Kind, payload: Payload<'_>, _: Now, out: &mut Effects) {
        let text = String::from_utf8_lossy(payload.contiguous().expect("a short message"));
        let draft = Draft::Message { user: "ann".into(), nonce: None, text: text.into() };
        let (room, at) = ("lobby".into(), UnixMillis::default());
        out.push(Effect::Store(from, Command::Append { room, at, draft }));
    }

    fn stored(&mut self, _: ConnId, outcome: Outcome, _: Now, out: &mut Effects) {
        let Outcome::Entry { entry, .. } = outcome else { return };
        let Entry::Message { text: Some(text), .. } = entry.kind else { return };
        let range = out.write(|bytes| bytes.extend_from_slice(text.as_bytes()));
        out.push(Effect::Publish(FeedId(0), range));
        self.said.borrow_mut().push(text.into());
    }

    fn woke(&mut self, from: ConnId, now: Now, out: &mut Effects) {
        assert_eq!(from, ConnId::NONE);
        self.woken.set(self.woken.get() + 1);
        if self.woken.get() < 3 {
            out.push(Effect::Alarm(now.instant + Duration::from_secs(5)));
        }
    }
}

/// The store's thread has woken the loop.
fn woken() -> (Source, Ready) {
    (Source::Jobs, Ready::default())
}

type Setting = (Server<FakeNetwork, Room>, Vec<ConnId>, Vec<PipeRef>, SlowStore, Rc<RefCell<Vec<String>>>);

/// Members of a room, and their store.
fn members(limits: Limits, count: usize) -> Setting {
    let (said, store) = (Rc::default(), SlowStore::new(1));
    let app = Room { said: Rc::clone(&said), woken: Rc::default() };
    let (mut server, ids, peers) = meet(app, limits, count);
    server.keep_history(Box::new(store.clone()));
    for (&id, peer) in ids.iter().zip(&peers) {
        say(peer, upgrade());
        server.turn(&[readable(id)], Now::read());
    }
    (server, ids, peers, store, said)
}

/// The texts 0, 1, 2 …, as many as `count`, behind a letter.
fn texts(letter: char, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{letter}{n}")).collect()
}

fn say_all(peer: &PipeRef, texts: &[String]) {
    texts.iter().for_each(|text| say(peer, frame(TEXT, text)));
}

#[test]
fn a_member_with_too_much_unstored_is_not_read() {
    let limits = Limits { unstored_max: 4, ..Limits::default() };
    let (mut server, ids, peers, store, said) = members(limits, 1);
    let texts = texts('a', 10);
    say_all(&peers[0], &texts);
    let mut wait = server.turn(&[readable(ids[0])], Now::read());
    for (released, waiting) in [(2, 4), (1, 4), (4, 3), (9, 0)] {
        assert_ne!(wait, Some(Duration::ZERO), "nothing is left to do without the store");
        store.release(released);
        server.turn(&[woken()], Now::read());
        wait = server.turn(&[], Now::read());
        assert_eq!(store.waiting(), waiting);
        server.audit().expect("it goes on");
    }
    assert_eq!(*said.borrow(), texts);
}

#[test]
fn members_are_held_while_too_much_waits_in_all() {
    let limits = Limits { unstored_max: 4, commands_waiting_max: 6, ..Limits::default() };
    let (mut server, ids, peers, store, said) = members(limits, 3);
    let all: Vec<Vec<String>> = ['a', 'b', 'c'].iter().map(|&letter| texts(letter, 4)).collect();
    peers.iter().zip(&all).for_each(|(peer, texts)| say_all(peer, texts));
    let edges: Vec<_> = ids.iter().map(|&id| readable(id)).collect();
    server.turn(&edges, Now::read());
    assert_ne!(server.turn(&[], Now::read()), Some(Duration::ZERO), "the loop does not spin");
    assert_eq!(store.waiting(), 6, "the third one was not read");
    store.release(2);
    server.turn(&[woken()], Now::read());
    server.turn(&[], Now::read());
    assert_eq!(store.waiting(), 4, "half of the limit is to be free first");
    for _ in 0..6 {
        store.release(3);
        server.turn(&[woken()], Now::read());
        server.audit().expect("it goes on");
        assert!(store.waiting() <= 6);
    }
    let mut heard = said.borrow().clone();
    assert_eq!(heard.len(), 12);
    for texts in all {
        let own: Vec<_> = heard.iter().filter(|text| text.starts_with(&texts[0][..1])).cloned().collect();
        assert_eq!(own, texts, "each in its order");
    }
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), 12);
}

#[test]
fn a_member_that_goes_leaves_its_messages_to_the_store() {
    for unstored_max in [16, 2] {
        let limits = Limits { unstored_max, ..Limits::default() };
        let (mut server, ids, peers, store, said) = members(limits, 2);
        say_all(&peers[0], &texts('a', 5));
        server.turn(&[readable(ids[0])], Now::read());
        peers[0].borrow_mut().reset(false);
        server.turn(&[(Source::Connection(ids[0]), Ready { broken: true, ..READABLE })], Now::read());
        for _ in 0..5 {
            store.release(2);
            server.turn(&[woken()], Now::read());
            server.turn(&[], Now::read());
        }
        let said = said.borrow();
        assert!(texts('a', 5).starts_with(&said), "{said:?}");
        // What is read when a write to the peer fails counts; the rest is lost with the connection.
        assert!(said.len() >= if unstored_max == 2 { 4 } else { 5 }, "{said:?}");
        assert!(told(&peers[1]) > 0);
        assert_eq!(server.counts().connections, 1, "it is gone then");
        server.audit().expect("nothing waits for one that is gone");
    }
}

#[test]
fn outcomes_have_a_budget_in_each_turn() {
    let limits = Limits { outcomes_per_turn: 4, ..Limits::default() };
    let (mut server, ids, peers, store, said) = members(limits, 1);
    say_all(&peers[0], &texts('a', 5));
    server.turn(&[readable(ids[0])], Now::read());
    store.release(5);
    for expected in [2, 4, 5] {
        let wait = server.turn(&[woken()], Now::read());
        assert_eq!((said.borrow().len(), wait == Some(Duration::ZERO)), (expected, expected < 5));
    }
}

#[test]
fn an_alarm_rings_once_at_its_time() {
    let woken = Rc::default();
    let (mut server, _, _) = meet(Room { said: Rc::default(), woken: Rc::clone(&woken) }, Limits::default(), 0);
    let start = Now::read();
    let after = |seconds| Now { instant: start.instant + Duration::from_secs(seconds), ..start };
    server.turn(&[], start);
    server.start(|_, out| {
        out.push(Effect::Alarm(after(20).instant));
        out.push(Effect::Alarm(after(10).instant));
    });
    assert_eq!(server.turn(&[], start), Some(Duration::from_secs(10)), "the last one counts");
    for (seconds, count, wait) in [(9, 0, Some(1)), (10, 1, Some(5)), (12, 1, Some(3)), (15, 2, Some(5)), (20, 3, None)]
    {
        let next = server.turn(&[], after(seconds));
        assert_eq!((woken.get(), next), (count, wait.map(Duration::from_secs)), "after {seconds} s");
    }
}
