//! A store that takes its time: the test hands over its commands, and tells what came of them.

use super::*;
use crate::site::chat::join::Since;
use crate::store::{Refusal, Store};

/// A chat, the commands that wait, and the outcomes that were not told.
struct Slow {
    chat: Chat,
    store: Memory,
    now: Instant,
    commands: Vec<(ConnId, Command)>,
}

impl Slow {
    fn new() -> Slow {
        let now = Instant::now();
        let rules = Rules::new(&Limits::default(), None, now).expect("no rooms are named");
        Slow {
            chat: Chat::new(rules, Addresses::new(&Limits::default(), now), now),
            store: memory(),
            now,
            commands: vec![],
        }
    }

    /// What is heard, in words.
    fn act(&mut self, act: impl FnOnce(&mut Chat, Now, &mut Effects)) -> Vec<String> {
        let mut out = Effects::default();
        act(&mut self.chat, Now { instant: self.now, wall: UnixMillis::default() }, &mut out);
        let Effects { list, bytes } = out;
        let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&bytes[range]).into_owned();
        let mut heard = vec![];
        for effect in list {
            match effect {
                Effect::Store(from, command) => self.commands.push((from, command)),
                Effect::Publish(feed, range) if feed.0 == 0 => heard.push(text(range)),
                Effect::Publish(feed, range) if feed.0 == 1 => heard.push(format!("v1 {}", text(range))),
                Effect::Send(id, _, range) => heard.push(format!("{} {}", id.slot(), text(range))),
                Effect::Close(id, code, _) => heard.push(format!("{} close {code}", id.slot())),
                Effect::Join(id, _) => heard.push(format!("{} joins", id.slot())),
                _ => {}
            }
        }
        heard
    }

    fn enter(&mut self, n: usize, name: &str, manner: Manner) -> Vec<String> {
        self.act(|chat, now, out| {
            let claim = chat.claim(name).expect("no look-alike is there");
            let entrance = Entrance { claim, rank: Rank::Member, address: None, room: "lobby".into(), manner };
            chat.enter(conn(n), entrance, now.instant, out);
        })
    }

    fn say(&mut self, n: usize, text: &str) -> Vec<String> {
        self.act(|chat, now, out| chat.on_message(conn(n), Kind::Text, Payload::Read(text.as_bytes()), now, out))
    }

    fn left(&mut self, n: usize) -> Vec<String> {
        self.act(|chat, now, out| chat.on_left(conn(n), now.instant, out))
    }

    /// The first command is done; its outcomes are told one by one.
    fn store_one(&mut self) -> Vec<Vec<String>> {
        let (from, command) = self.commands.remove(0);
        self.store.submit(from, command);
        let outcomes: Vec<_> = std::iter::from_fn(|| self.store.take()).collect();
        outcomes.into_iter().map(|(from, outcome)| self.tell(from, outcome)).collect()
    }

    fn tell(&mut self, from: ConnId, outcome: Outcome) -> Vec<String> {
        self.act(|chat, now, out| chat.on_stored(from, outcome, now.instant, out))
    }
}

const PLAIN: Manner = Manner::Plain { history: 0 };
const V1: Manner = Manner::V1(Since::Nothing);

#[test]
fn a_member_leaves_behind_its_own_messages() {
    let mut slow = Slow::new();
    slow.enter(0, "ann", PLAIN);
    slow.enter(1, "bob", PLAIN);
    assert_eq!(slow.say(1, "one"), [""; 0], "it is not shown before it is stored");
    slow.say(1, "two");
    assert_eq!(slow.left(1), [""; 0]);
    assert!(slow.chat.claim("b0b").is_none(), "the name is there as long as the member seems to be");
    assert_eq!(slow.store_one(), [vec![], vec!["bob:one"]]);
    assert_eq!(slow.store_one(), [vec![], vec!["bob:two", "bob leave room"]]);
    assert!(slow.chat.claim("b0b").is_some());
}

#[test]
fn a_leave_between_an_acknowledgement_and_its_message_waits() {
    let mut slow = Slow::new();
    slow.enter(0, "ann", PLAIN);
    slow.enter(1, "bob", PLAIN);
    slow.say(1, "one");
    let (from, command) = slow.commands.remove(0);
    slow.store.submit(from, command);
    let (from, appended) = slow.store.take().expect("it is acknowledged");
    slow.tell(from, appended);
    assert_eq!(slow.left(1), [""; 0]);
    let (from, entry) = slow.store.take().expect("it is shown");
    assert_eq!(slow.tell(from, entry), ["bob:one", "bob leave room"]);
}

#[test]
fn a_lost_message_closes_a_plain_member_and_is_shown_to_none() {
    let mut slow = Slow::new();
    slow.enter(0, "ann", PLAIN);
    slow.enter(1, "bob", PLAIN);
    slow.say(1, "one");
    slow.say(1, "two");
    let refused = Outcome::Refused { room: "lobby".into(), nonce: None, why: Refusal::Storage };
    slow.commands.remove(0);
    assert_eq!(slow.tell(conn(1), refused), ["1 close 1011"]);
    assert_eq!(slow.store_one(), [vec![], vec!["bob:two", "bob leave room"]], "the other one was stored");
    assert!(slow.chat.attendance.is_settled());
}

#[test]
fn a_newcomer_gets_what_is_said_while_it_reads_once() {
    let mut slow = Slow::new();
    slow.enter(0, "ann", PLAIN);
    slow.say(0, "one");
    slow.store_one();
    slow.enter(1, "bob", V1);
    slow.say(0, "two");
    // The message overtakes the page: it is shown in the room, and the page is read behind it.
    let read = slow.commands.remove(0);
    slow.store_one();
    slow.commands.insert(0, read);
    let heard = slow.store_one().remove(0);
    assert!(heard[0].starts_with("v1 {\"type\":\"enter\""), "for the others, before it follows: {heard:?}");
    assert!(heard[1].starts_with("1 {\"type\":\"welcome\"") && heard[1].contains("one") && heard[1].contains("two"));
    assert_eq!(heard[2..], ["1 joins", "bob enter room"]);
    slow.say(0, "three");
    let shown = slow.store_one().remove(1);
    assert_eq!((shown.len(), &*shown[0]), (2, "ann:three"));
    assert!(shown[1].starts_with("v1 {\"type\":\"message\",\"id\":3"), "{shown:?}");
}

#[test]
fn a_page_older_than_the_room_is_read_on() {
    let mut slow = Slow::new();
    slow.enter(0, "ann", PLAIN);
    slow.say(0, "one");
    slow.store_one();
    slow.enter(1, "bob", V1);
    // The page is read before the message is stored, and told behind it.
    let (from, read) = slow.commands.remove(0);
    slow.store.submit(from, read);
    let (from, page) = slow.store.take().expect("a page");
    slow.say(0, "two");
    slow.store_one();
    assert_eq!(slow.tell(from, page), [""; 0], "it lacks what was shown");
    let heard = slow.store_one().remove(0);
    assert!(heard[1].contains("\"text\":\"one\"") && heard[1].contains("\"text\":\"two\""), "{heard:?}");
    assert!(heard[1].contains("\"position\":\"2."), "{heard:?}");
}

#[test]
fn a_newcomer_that_goes_was_never_there() {
    let mut slow = Slow::new();
    slow.enter(0, "ann", PLAIN);
    assert_eq!(slow.enter(1, "bob", V1), [""; 0]);
    assert_eq!(slow.left(1), [""; 0]);
    assert_eq!(slow.store_one(), [vec![""; 0]], "the page finds no one");
    assert!(slow.chat.joining.is_empty() && slow.chat.claim("b0b").is_some());
    assert_eq!(slow.left(0), ["ann leave room"]);
    assert_eq!(slow.chat.attendance.rooms.count(), 0);
}

#[test]
fn a_history_that_cannot_be_read_ends_the_session() {
    let mut slow = Slow::new();
    slow.enter(1, "bob", V1);
    assert_eq!(slow.tell(conn(1), Outcome::Unread), ["1 close 1011"]);
    assert!(slow.chat.joining.is_empty());
    assert_eq!(slow.chat.attendance.rooms.count(), 0);
}
