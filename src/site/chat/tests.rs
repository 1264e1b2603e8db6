use super::*;
use crate::clock::UnixMillis;
use crate::config::Limits;
use crate::id::FeedId;
use crate::site::testing::{conn, keep, memory};
use crate::store::memory::Memory;
use std::time::Duration;

/// The feed of the first room for the plain protocol.
const LOBBY: FeedId = FeedId(0);

/// An effect of the room, with its text instead of a range.
#[derive(Debug, PartialEq)]
enum Heard {
    Join(ConnId),
    All(String),
    One(ConnId, Kind, Vec<u8>),
    Close(ConnId, u16, &'static str),
}
use Heard::{All, Close, Join, One};

/// The lobby, its store and the time.
struct Lobby {
    chat: Chat,
    store: Memory,
    now: Instant,
}

impl Lobby {
    fn new() -> Lobby {
        Lobby::with(Limits::default())
    }

    fn with(limits: Limits) -> Lobby {
        let now = Instant::now();
        let rules = Rules::new(&limits, None, now).expect("no rooms are named");
        Lobby { chat: Chat::new(rules, Addresses::new(&limits, now), now), store: memory(), now }
    }

    fn enter(&mut self, from: ConnId, name: &str) -> Vec<Heard> {
        self.listen(|chat, now, out| {
            let claim = chat.claim(name).expect("no look-alike is there");
            chat.enter(from, plainly(claim), now.instant, out);
        })
    }

    fn say(&mut self, from: ConnId, text: &str) -> Vec<Heard> {
        self.listen(|chat, now, out| chat.on_message(from, Kind::Text, Payload::Read(text.as_bytes()), now, out))
    }

    fn left(&mut self, from: ConnId) -> Vec<Heard> {
        self.listen(|chat, now, out| chat.on_left(from, now.instant, out))
    }

    fn listen(&mut self, act: impl FnOnce(&mut Chat, Now, &mut Effects)) -> Vec<Heard> {
        let mut out = Effects::default();
        let Lobby { chat, store, now } = self;
        act(chat, Now { instant: *now, wall: UnixMillis::default() }, &mut out);
        keep(store, &mut out, |from, outcome, out| chat.on_stored(from, outcome, *now, out));
        let Effects { list, bytes } = out;
        let said = |effect| match effect {
            Effect::Join(id, LOBBY) => Join(id),
            Effect::Publish(LOBBY, range) => All(String::from_utf8(bytes[range].to_vec()).expect("text")),
            Effect::Send(id, kind, range) => One(id, kind, bytes[range].to_vec()),
            Effect::Close(id, code, reason) => Close(id, code, reason),
            other => panic!("not an effect of a room: {other:?}"),
        };
        list.into_iter().map(said).collect()
    }
}

/// An entrance to the lobby by the plain protocol.
fn plainly(claim: Claim) -> Entrance {
    let manner = Manner::Plain { history: 0 };
    Entrance { claim, rank: Rank::Member, address: None, room: "lobby".into(), manner }
}

/// Whether a connection has entered under exactly this name.
fn is_present(chat: &Chat, name: &str) -> bool {
    chat.claim(name).is_some_and(|claim| !claim.is_first())
}

fn all(line: &str) -> Heard {
    All(line.to_owned())
}

fn one(id: ConnId, line: &str) -> Heard {
    One(id, Kind::Text, line.as_bytes().to_vec())
}

#[test]
fn the_first_connection_of_a_name_joins_then_is_announced() {
    let (mut chat, mut out) = (Lobby::new().chat, Effects::default());
    let claim = chat.claim("alice").expect("the room is empty");
    chat.enter(conn(3), plainly(claim), Instant::now(), &mut out);
    assert_eq!(out.list, [Effect::Join(conn(3), LOBBY), Effect::Publish(LOBBY, 0..16)]);
    assert_eq!(out.bytes, b"alice enter room");
    assert!(is_present(&chat, "alice") && !is_present(&chat, "Alice") && !is_present(&chat, "bob"));
}

#[test]
fn only_the_connection_itself_sees_a_second_enter() {
    let mut room = Lobby::new();
    assert_eq!(room.enter(conn(0), "张三"), [Join(conn(0)), all("张三 enter room")]);
    assert_eq!(room.enter(conn(1), "张三"), [Join(conn(1)), one(conn(1), "张三 enter room")]);
    assert_eq!(room.enter(conn(2), "bob"), [Join(conn(2)), all("bob enter room")]);
}

#[test]
fn only_the_last_connection_of_a_name_leaves() {
    let mut room = Lobby::new();
    room.enter(conn(0), "alice");
    room.enter(conn(1), "alice");
    assert_eq!(room.left(conn(0)), []);
    assert!(is_present(&room.chat, "alice"));
    assert_eq!(room.say(conn(1), "still here"), [all("alice:still here")]);
    assert_eq!(room.left(conn(1)), [all("alice leave room")]);
    assert!(!is_present(&room.chat, "alice"));
    assert_eq!(room.left(conn(1)), [], "there is one leave");
    assert_eq!(room.enter(conn(1), "alice"), [Join(conn(1)), all("alice enter room")]);
}

#[test]
fn messages_are_published_byte_for_byte() {
    let mut room = Lobby::new();
    room.enter(conn(0), "alice");
    for text in ["hello", "", ":", "a:b\r\n\0<b>", "你好 😀", " bob leave room "] {
        assert_eq!(room.say(conn(0), text), [All(format!("alice:{text}"))]);
    }
}

#[test]
fn a_message_from_outside_the_room_is_echoed() {
    let mut room = Lobby::new();
    room.enter(conn(0), "alice");
    assert_eq!(room.say(conn(1), "hello"), [one(conn(1), "hello")]);
    assert_eq!(room.say(conn(99), ""), [one(conn(99), "")]);
    let binary =
        room.listen(|chat, now, out| chat.on_message(conn(1), Kind::Binary, Payload::Read(&[0, 255]), now, out));
    assert_eq!(binary, [One(conn(1), Kind::Binary, vec![0, 255])]);
    for _ in 0..1000 {
        assert_eq!(room.say(conn(1), "no flood").len(), 1);
    }
    assert_eq!(room.left(conn(1)), []);
}

#[test]
fn a_burst_is_free_and_then_the_rate_counts() {
    let mut room = Lobby::with(Limits { message_rate: 10.0, message_burst: 20.0, ..Limits::default() });
    room.enter(conn(0), "alice");
    for _ in 0..20 {
        assert_eq!(room.say(conn(0), "x"), [all("alice:x")]);
    }
    for _ in 0..50 {
        room.now += Duration::from_millis(100);
        assert_eq!(room.say(conn(0), "x"), [all("alice:x")], "ten a second are allowed for ever");
    }
    room.now += Duration::from_millis(99);
    let expelled = [Close(conn(0), 1008, "too fast"), all("alice leave room")];
    assert_eq!(room.say(conn(0), "x"), expelled);
}

#[test]
fn an_idle_member_earns_one_burst_and_no_more() {
    let mut room = Lobby::with(Limits { message_rate: 10.0, message_burst: 2.0, ..Limits::default() });
    room.enter(conn(0), "alice");
    room.now += Duration::from_secs(3600);
    assert_eq!(room.say(conn(0), "1"), [all("alice:1")]);
    assert_eq!(room.say(conn(0), "2"), [all("alice:2")]);
    assert_eq!(room.say(conn(0), "3")[0], Close(conn(0), 1008, "too fast"));
}

#[test]
fn two_connections_of_one_name_have_one_allowance() {
    let mut room = Lobby::with(Limits { message_rate: 1.0, message_burst: 2.0, ..Limits::default() });
    room.enter(conn(0), "alice");
    room.enter(conn(1), "alice");
    assert_eq!(room.say(conn(0), "1"), [all("alice:1")]);
    assert_eq!(room.say(conn(1), "2"), [all("alice:2")]);
    assert_eq!(room.say(conn(0), "3"), [Close(conn(0), 1008, "too fast")], "the name is still there");
    assert!(is_present(&room.chat, "alice"));
    assert_eq!(room.say(conn(1), "4"), [Close(conn(1), 1008, "too fast"), all("alice leave room")]);
}

#[test]
fn all_names_at_an_address_share_an_allowance() {
    let limits = Limits { message_rate: 1.0, message_burst: 4.0, address_names: 3.0, ..Limits::default() };
    let mut room = Lobby::with(limits);
    for (n, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        room.listen(|chat, now, out| {
            let claim = chat.claim(name).expect("no look-alike is there");
            let address = "192.0.2.1".parse().ok();
            chat.enter(conn(n), Entrance { address, ..plainly(claim) }, now.instant, out);
        });
    }
    for n in 0..3 {
        for _ in 0..4 {
            assert_eq!(room.say(conn(n), "x").len(), 1, "{n}");
        }
    }
    assert_eq!(room.say(conn(3), "x")[0], Close(conn(3), 1008, "too fast"), "its own allowance is whole");
    room.now += Duration::from_millis(334);
    assert_eq!(room.say(conn(4), "x"), [all("e:x")], "three names a second");
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let mut room = Lobby::with(Limits { message_rate: 0.0, message_burst: 1.0, ..Limits::default() });
    room.enter(conn(0), "alice");
    for _ in 0..1000 {
        assert_eq!(room.say(conn(0), "x"), [all("alice:x")]);
    }
}

#[test]
fn a_text_over_its_limit_in_bytes_closes_with_1009() {
    let mut room = Lobby::with(Limits { chat_text_bytes_max: 6, ..Limits::default() });
    room.enter(conn(0), "alice");
    assert_eq!(room.say(conn(0), "好好"), [all("alice:好好")]);
    let expelled = [Close(conn(0), 1009, "too long"), all("alice leave room")];
    assert_eq!(room.say(conn(0), "好好!"), expelled);
    assert_eq!(room.left(conn(0)), [], "it has left already");
}

#[test]
fn a_binary_message_closes_with_1003() {
    let mut room = Lobby::new();
    room.enter(conn(0), "alice");
    room.enter(conn(1), "alice");
    let said = room.listen(|chat, now, out| chat.on_message(conn(1), Kind::Binary, Payload::Read(b"x"), now, out));
    assert_eq!(said, [Close(conn(1), 1003, "text only")]);
    assert_eq!(room.say(conn(0), "x"), [all("alice:x")], "the other connection stays");
}

#[test]
fn no_leave_is_announced_while_draining() {
    let mut room = Lobby::new();
    room.enter(conn(0), "alice");
    room.enter(conn(1), "bob");
    room.chat.drain();
    assert_eq!(room.left(conn(0)), []);
    let said = room.listen(|chat, now, out| chat.on_message(conn(1), Kind::Binary, Payload::Read(b"x"), now, out));
    assert_eq!(said, [Close(conn(1), 1003, "text only")]);
    assert!(!is_present(&room.chat, "alice") && !is_present(&room.chat, "bob"));
}

#[test]
fn the_old_id_of_a_slot_cannot_act_for_the_new_one() {
    let (old, new) = (ConnId::new(0, 1), ConnId::new(0, 2));
    let mut room = Lobby::new();
    room.enter(old, "alice");
    assert_eq!(room.left(old), [all("alice leave room")]);
    assert_eq!(room.enter(new, "bob"), [Join(new), all("bob enter room")]);
    assert_eq!(room.say(old, "x"), [one(old, "x")]);
    assert_eq!(room.left(old), []);
    assert_eq!(room.say(new, "y"), [all("bob:y")]);
    assert_eq!(room.left(new), [all("bob leave room")]);
}

mod moderated;
mod stored;
