//! Operators, and what they do.

use super::*;
use crate::site::chat::join::Since;
use crate::store::acts::{Deed, Network, Whom};
use crate::store::{Act, Until};
use std::net::IpAddr;

const NONCE: &str = "00112233445566778899aabbccddeeff";
/// The log of the lobby for `squall.v1`.
const LOBBY_V1: FeedId = FeedId(1);

/// A lobby with an operator, conn(0), and members.
struct Moderated {
    lobby: Lobby,
}

impl Moderated {
    fn new() -> Moderated {
        let mut moderated = Moderated { lobby: Lobby::new() };
        moderated.enter(0, "op", Rank::Operator, None);
        moderated
    }

    /// A member of `squall.v1` enters; what all and it hear.
    fn enter(&mut self, n: usize, name: &str, rank: Rank, address: Option<&str>) -> Vec<String> {
        let address = address.map(|address| address.parse::<IpAddr>().expect("an address"));
        self.act(|chat, now, out| {
            let claim = chat.claim(name).expect("no look-alike is there");
            let manner = Manner::V1(Since::Nothing);
            chat.enter(conn(n), Entrance { claim, rank, address, room: "lobby".into(), manner }, now.instant, out);
        })
    }

    fn say(&mut self, n: usize, kind: &str, text: &str) -> Vec<String> {
        let frame = format!(r#"{{"type":"{kind}","text":"{text}","nonce":"{NONCE}"}}"#);
        self.frame(n, &frame)
    }

    fn frame(&mut self, n: usize, frame: &str) -> Vec<String> {
        self.act(|chat, now, out| chat.on_message(conn(n), Kind::Text, Payload::Read(frame.as_bytes()), now, out))
    }

    fn act(&mut self, act: impl FnOnce(&mut Chat, Now, &mut Effects)) -> Vec<String> {
        let Lobby { chat, store, now } = &mut self.lobby;
        let now = Now { instant: *now, wall: UnixMillis::from_millis(1_700_000_000_000) };
        let mut out = Effects::default();
        act(chat, now, &mut out);
        keep(store, &mut out, |from, outcome, out| chat.on_stored(from, outcome, now.instant, out));
        let Effects { list, bytes } = out;
        let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&bytes[range]).replace(NONCE, "N");
        let heard = list.into_iter().filter_map(|effect| match effect {
            Effect::Publish(LOBBY_V1, range) => Some(format!("all {}", text(range))),
            Effect::Send(id, _, range) => Some(format!("{} {}", id.slot(), text(range))),
            Effect::Close(id, code, reason) => Some(format!("{} close {code} {reason}", id.slot())),
            Effect::End(id, _) => Some(format!("{} ends", id.slot())),
            _ => None,
        });
        heard.collect()
    }
}

fn error(n: usize, code: &str, text: &str) -> String {
    format!(r#"{n} {{"type":"error","code":"{code}","text":"{text}","nonce":"N"}}"#)
}

#[test]
fn a_kicked_name_leaves_and_may_come_back() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, None);
    lobby.enter(2, "bob", Rank::Member, None);
    let heard = lobby.say(0, "command", "/kick bob");
    let gone =
        |n| format!(r#"{n} {{"type":"error","code":"kicked","text":"An operator has closed this connection."}}"#);
    let result = r#"0 {"type":"result","nonce":"N","text":"2023-11-14T22:13:20.000Z op in lobby: kick bob"}"#;
    let close = |n| format!("{n} close 1008 kicked");
    assert_eq!(heard, [result.to_owned(), gone(1), close(1), gone(2), close(2)]);
    let welcome = lobby.enter(3, "bob", Rank::Member, None).pop().expect("a welcome");
    let end = r#""operator":false,"settings":{"locked":false,"slow":0,"private":false}}"#;
    assert!(welcome.ends_with(end), "{welcome}");
}

#[test]
fn a_ban_closes_connections_by_name_or_address_and_those_that_read() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, Some("203.0.113.9"));
    lobby.enter(2, "cid", Rank::Member, Some("203.0.113.77"));
    lobby.enter(3, "dan", Rank::Member, Some("198.51.100.1"));
    lobby.act(|chat, now, out| {
        let address = "203.0.113.5".parse().ok();
        let reading = Reading { room: "lobby".into(), name: "eve".into(), address, since: Since::Nothing };
        chat.follow(conn(4), reading, now.instant, out);
    });
    let heard = lobby.say(0, "command", "/ban 203.0.113.0/24 1h");
    let closed: Vec<&String> = heard.iter().filter(|line| line.contains("close") || line.contains("ends")).collect();
    assert_eq!(closed, ["1 close 1008 banned", "2 close 1008 banned", "4 ends"]);
    assert!(
        heard.iter().any(|line| line.starts_with("1 {") && line.contains(r#""retry_after_ms":3600000"#)),
        "{heard:?}"
    );
    assert!(lobby.lobby.chat.readers.is_empty());
    let heard = lobby.say(0, "command", "/ban dan ever");
    assert!(heard.contains(&"3 close 1008 banned".to_owned()), "{heard:?}");
    let ban = |name: &str, address: &str| {
        let now = UnixMillis::from_millis(1_700_000_000_001);
        lobby.lobby.chat.moderation.ban(name, address.parse().ok(), now)
    };
    assert_eq!(ban("dan", "192.0.2.1"), Some(Until::Ever));
    assert!(ban("fay", "203.0.113.200").is_some() && ban("fay", "192.0.2.1").is_none());
}

#[test]
fn acts_in_force_count_when_the_store_tells_them() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, None);
    let act = |deed| Act { at: UnixMillis::default(), by: "op".into(), room: "lobby".into(), deed };
    let network = Network::parse("10.0.0.0/8").expect("a network");
    let acts = vec![
        act(Deed::Lock),
        act(Deed::Ban { whom: Whom::Network(network), until: Until::Ever }),
        act(Deed::Ban { whom: Whom::Name("bob".into()), until: Until::Ever }),
    ];
    let heard = lobby.act(|chat, now, out| chat.on_stored(ConnId::NONE, Outcome::InForce(acts), now.instant, out));
    let settings = r#"all {"type":"settings","locked":true,"slow":0,"private":false,"by":"op"}"#;
    assert_eq!((&*heard[0], &*heard[2]), (settings, "1 close 1008 banned"));
}

#[test]
fn only_operators_may_write_in_a_locked_room() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, None);
    let heard = lobby.say(0, "command", "/lock");
    assert_eq!(heard[1], r#"all {"type":"settings","locked":true,"slow":0,"private":false,"by":"op"}"#);
    assert_eq!(lobby.say(1, "message", "hi"), [error(1, "locked", "Only operators can write in this room.")]);
    assert!(lobby.say(0, "message", "hi")[0].contains(r#""type":"ack""#));
    lobby.say(0, "command", "/unlock");
    assert!(lobby.say(1, "message", "hi")[0].contains(r#""type":"ack""#));
}

#[test]
fn a_muted_name_cannot_write_and_is_told_for_how_long() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, None);
    lobby.say(0, "command", "/mute bob 10m");
    let muted = r#"1 {"type":"error","code":"muted","text":"An operator has muted this name.","nonce":"N","retry_after_ms":600000}"#;
    assert_eq!(lobby.say(1, "message", "hi"), [muted]);
    lobby.lobby.enter(conn(2), "bob");
    let plain = lobby.act(|chat, now, out| chat.on_message(conn(2), Kind::Text, Payload::Read(b"hi"), now, out));
    assert_eq!(plain, ["2 close 1008 muted"], "lines have no errors");
    lobby.say(0, "command", "/unmute bob");
    assert!(lobby.say(1, "message", "hi")[0].contains(r#""type":"ack""#));
}

#[test]
fn a_slow_room_says_when_the_next_message_may_come() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, None);
    lobby.say(0, "command", "/slow 10");
    assert!(lobby.say(1, "message", "1")[0].contains(r#""type":"ack""#));
    lobby.lobby.now += Duration::from_secs(4);
    let slow = r#"1 {"type":"error","code":"slow","text":"This room is slow: wait between two messages.","nonce":"N","retry_after_ms":6000}"#;
    assert_eq!(lobby.say(1, "message", "2"), [slow]);
}

#[test]
fn a_clear_and_a_deletion_are_entries_with_a_result() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, None);
    lobby.say(1, "message", "one");
    let heard = lobby.say(0, "command", "/clear bob");
    assert!(heard[0].starts_with(r#"0 {"type":"ack","nonce":"N","id":2,"tag":""#), "{heard:?}");
    assert!(heard[1].contains("clear bob") && heard[2].contains(r#"all {"type":"cleared","id":2"#), "{heard:?}");
    assert_eq!(
        lobby.say(0, "command", "/delete 1"),
        [error(0, "no_such_message", "There is no such message, or it was deleted.")]
    );
    let delete = |id| format!(r#"{{"type":"delete","id":{id},"nonce":"{NONCE}"}}"#);
    lobby.frame(1, &format!(r#"{{"type":"message","text":"two","nonce":"{}"}}"#, NONCE.replace('0', "1")));
    let heard = lobby.frame(0, &delete(3));
    assert!(heard[0].contains(r#""type":"ack""#) && heard[2].contains(r#""target":3,"by":"op""#), "{heard:?}");
    let heard = lobby.say(0, "command", "/log");
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains("op in lobby: clear bob") && heard[0].contains("op in lobby: delete 3"), "{heard:?}");
}

#[test]
fn members_have_the_commands_for_all() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, Some("192.0.2.1"));
    let who = r#"1 {"type":"result","nonce":"N","text":"In this room:","lines":["bob","op"]}"#;
    assert_eq!(lobby.say(1, "command", "/who"), [who]);
    let who = r#"0 {"type":"result","nonce":"N","text":"In this room:","lines":["bob 192.0.2.1","op"]}"#;
    assert_eq!(lobby.say(0, "command", "/who"), [who], "operators see addresses");
    let help = lobby.say(1, "command", "/help").remove(0);
    assert!(help.contains("/who") && !help.contains("/ban"), "{help}");
    assert!(lobby.say(0, "command", "/help")[0].contains("/ban"));
    for command in ["/kick op", "/log", "/delete 1"] {
        assert_eq!(lobby.say(1, "command", command), [error(1, "not_operator", "Only operators can do that.")]);
    }
    let unknown = "There is no such command; /help lists them.";
    assert_eq!(lobby.say(1, "command", "/dance"), [error(1, "unknown_command", unknown)]);
    assert_eq!(lobby.say(0, "command", "/mute bob"), [error(0, "usage", "It is used so: /mute NAME TIME")]);
}

#[test]
fn an_act_that_cannot_be_stored_is_not_in_force() {
    let mut lobby = Moderated::new();
    lobby.enter(1, "bob", Rank::Member, None);
    let Lobby { chat, now, .. } = &mut lobby.lobby;
    let mut out = Effects::default();
    let frame = format!(r#"{{"type":"command","text":"/kick bob","nonce":"{NONCE}"}}"#);
    let at = Now { instant: *now, wall: UnixMillis::default() };
    chat.on_message(conn(0), Kind::Text, Payload::Read(frame.as_bytes()), at, &mut out);
    assert!(matches!(out.list[..], [Effect::Store(_, Command::Record { .. })]), "nothing is done before");
    let refused = Outcome::Refused { room: "lobby".into(), nonce: Nonce::parse(NONCE), why: Refusal::Storage };
    let heard = lobby.act(|chat, now, out| chat.on_stored(conn(0), refused, now.instant, out));
    assert!(heard[0].contains(r#""code":"storage""#), "{heard:?}");
    assert!(lobby.say(1, "message", "hi")[0].contains(r#""type":"ack""#), "bob is still there");
}
