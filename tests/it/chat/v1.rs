//! `squall.v1`: what a client is told when it enters, talks, is cut off and comes back.

use super::enter as enter_plainly;
use crate::support::frames::{Said, text};
use crate::support::{Site, WsClient, login, ms};
use serde_json::{Value, json};
use squall::config::Limits;
use std::net::SocketAddr;

/// A member that speaks `squall.v1`.
pub struct Member(WsClient);

/// A nonce that differs from those of other numbers.
fn nonce(n: u32) -> String {
    format!("{n:032x}")
}

impl Member {
    #[track_caller]
    pub fn open(address: SocketAddr, cookie: &str, query: &str) -> Member {
        let fields = format!("Cookie: {cookie}\r\nSec-WebSocket-Protocol: squall.v1\r\n");
        let socket = WsClient::open(address, &format!("/chat/{query}"), &fields);
        assert_eq!(socket.response.field("sec-websocket-protocol"), Some("squall.v1"));
        Member(socket)
    }

    /// Logs in and enters the lobby. Returns `welcome`, too.
    #[track_caller]
    fn enter(site: &Site, name: &str, query: &str) -> (Member, Value) {
        let mut member = Member::open(site.address, &login(site.address, name), query);
        let welcome = member.heard();
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (member, welcome)
    }

    #[track_caller]
    pub fn heard(&mut self) -> Value {
        match self.0.heard() {
            Said::Text(frame) => serde_json::from_str(&frame).expect("JSON"),
            other => panic!("a frame of squall.v1 was expected: {other:?}"),
        }
    }

    /// What it hears next, which is of this type.
    #[track_caller]
    fn heard_as(&mut self, kind: &str) -> Value {
        let frame = self.heard();
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    #[track_caller]
    pub fn say(&mut self, words: &str, n: u32) {
        self.0.say(&json!({ "type": "message", "text": words, "nonce": nonce(n) }).to_string());
    }

    /// Says something and hears that it was stored, and the message itself. Returns its position.
    #[track_caller]
    fn tell(&mut self, words: &str, n: u32) -> String {
        self.say(words, n);
        assert_eq!(self.heard_as("ack")["nonce"], nonce(n));
        let message = self.heard_as("message");
        assert_eq!(message["text"], words);
        position(&message)
    }

    #[cfg(feature = "history")]
    #[track_caller]
    pub fn command(&mut self, line: &str, n: u32) {
        self.0.say(&json!({ "type": "command", "text": line, "nonce": nonce(n) }).to_string());
    }

    #[track_caller]
    pub fn delete(&mut self, id: u64, n: u32) {
        self.0.say(&json!({ "type": "delete", "id": id, "nonce": nonce(n) }).to_string());
    }
}

fn position(entry: &Value) -> String {
    format!("{}.{}", entry["id"], entry["tag"].as_str().expect("a tag"))
}

/// The ids of a list of entries.
fn ids(entries: &Value) -> Vec<u64> {
    entries.as_array().expect("a list").iter().map(|entry| entry["id"].as_u64().expect("an id")).collect()
}

#[test]
fn a_welcome_comes_first_and_names_all_that_are_there() {
    let site = Site::with_defaults();
    let (mut ann, welcome) = Member::enter(&site, "ann", "");
    let limits = json!({ "text_bytes": 4096, "messages_per_second": 10, "burst": 20 });
    let expected = json!({
        "type": "welcome", "room": "lobby", "you": "ann", "position": "0.0", "members": ["ann"], "count": 1,
        "history": [], "resumed": false, "limits": limits, "operator": false,
        "settings": { "locked": false, "slow": 0, "private": false },
    });
    assert_eq!(welcome, expected);
    let (_bob, welcome) = Member::enter(&site, "bob", "");
    assert_eq!(welcome["members"], json!(["ann", "bob"]));
    assert_eq!(ann.heard(), json!({ "type": "enter", "user": "bob", "count": 2 }));
}

#[test]
fn a_message_is_acknowledged_and_then_shown_to_all() {
    let site = Site::with_defaults();
    let (mut ann, _) = Member::enter(&site, "ann", "");
    let (mut bob, _) = Member::enter(&site, "bob", "");
    ann.heard_as("enter");
    bob.say("hello <b>", 1);
    let ack = bob.heard();
    let message = ann.heard_as("message");
    assert_eq!(ack, json!({ "type": "ack", "nonce": nonce(1), "id": 1, "tag": message["tag"] }));
    assert_eq!((&message["id"], &message["from"], &message["text"]), (&json!(1), &json!("bob"), &json!("hello <b>")));
    assert_eq!((message["tag"].as_str().map(str::len), message["nonce"].is_null()), (Some(8), true));
    assert!(message["at"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{message}");
    assert_eq!(bob.heard(), message, "the same frame for all");
}

#[test]
fn both_protocols_share_a_room() {
    let site = Site::with_defaults();
    let mut plain = enter_plainly(&site, "ann");
    let (mut bob, welcome) = Member::enter(&site, "bob", "");
    assert_eq!(welcome["members"], json!(["ann", "bob"]));
    assert_eq!(plain.heard(), text("bob enter room"));
    bob.tell("hello", 1);
    assert_eq!(plain.heard(), text("bob:hello"));
    plain.say("hello yourself");
    assert_eq!(plain.heard(), text("ann:hello yourself"));
    assert_eq!(bob.heard_as("message")["from"], "ann");
    bob.delete(1, 2);
    bob.heard_as("ack");
    assert_eq!(bob.heard_as("deleted")["target"], 1);
    drop(bob);
    assert_eq!(plain.heard(), text("bob leave room"), "lines have no grace, and no deletions");
}

#[test]
fn one_that_was_cut_off_gets_what_it_has_missed_once() {
    let site = Site::with_defaults();
    let (mut ann, _) = Member::enter(&site, "ann", "");
    let (mut bob, _) = Member::enter(&site, "bob", "");
    ann.heard_as("enter");
    let mut last = bob.tell("before", 1);
    ann.heard_as("message");
    for round in 0..3 {
        drop(bob);
        let next = last.split('.').next().and_then(|id| id.parse::<u64>().ok()).expect("an id") + 1;
        let missed: Vec<u64> = (next..next + round * 2).collect();
        for n in &missed {
            ann.tell("meanwhile", *n as u32 + 100);
        }
        let welcome;
        (bob, welcome) = Member::enter(&site, "bob", &format!("?since={last}"));
        assert_eq!((&welcome["resumed"], ids(&welcome["history"])), (&json!(true), missed));
        if let Some(entry) = welcome["history"].as_array().and_then(|all| all.last()) {
            last = position(entry);
        }
        assert_eq!(welcome["position"], json!(last), "cut again without traffic, it resumes from here");
    }
    ann.tell("now", 999);
    assert_eq!(bob.heard_as("message")["text"], "now", "no enter or leave in between: it came back in time");
}

#[test]
fn an_empty_room_has_a_position_too() {
    let site = Site::with_defaults();
    let (mut ann, welcome) = Member::enter(&site, "ann", "");
    let (bob, _) = Member::enter(&site, "bob", "");
    ann.heard_as("enter");
    drop(bob);
    (1..=3).for_each(|n| drop(ann.tell("hi", n)));
    let (_bob, welcome) =
        Member::enter(&site, "bob", &format!("?since={}", welcome["position"].as_str().expect("text")));
    assert_eq!((&welcome["resumed"], ids(&welcome["history"])), (&json!(true), vec![1, 2, 3]));
}

#[test]
fn another_past_is_a_gap_and_its_reason() {
    let limits = Limits { history_memory_keep: 60, ..Limits::default() };
    let site = Site::start(limits, &["--message-rate", "0", "--history", "memory"]);
    let (mut ann, _) = Member::enter(&site, "ann", "");
    let last = (1..=70).map(|n| ann.tell("hi", n)).last().expect("there are some");
    let (_, tag) = last.split_once('.').expect("a position");
    let wrong_tag = format!("70.{}", if tag == "00000000" { "00000001" } else { "00000000" });
    let cookie = login(site.address, "bob");
    for (since, reason, oldest) in [
        ("3.00000000", "pruned", 11),
        (&*wrong_tag, "other", 11),
        ("71.00000000", "other", 11),
        ("0.0", "pruned", 11),
        ("yesterday", "malformed", 0),
        ("", "malformed", 0),
        ("-1.00000000", "malformed", 0),
    ] {
        let mut bob = Member::open(site.address, &cookie, &format!("?since={since}"));
        assert_eq!(bob.heard(), json!({ "type": "gap", "oldest": oldest, "reason": reason }), "{since}");
        let welcome = bob.heard_as("welcome");
        assert_eq!(welcome["resumed"], false);
        assert!(ids(&welcome["history"]).into_iter().eq(21..=70), "the last 50 take the place of what it has");
        assert_eq!(welcome["position"], json!(last));
    }
}

#[test]
fn too_far_behind_is_a_gap() {
    let limits = Limits { history_memory_keep: 2000, ..Limits::default() };
    let site = Site::start(limits, &["--message-rate", "0", "--history", "memory"]);
    let (mut ann, _) = Member::enter(&site, "ann", "");
    let first = ann.tell("hi", 0);
    (1..=1000).for_each(|n| drop(ann.tell("hi", n)));
    let (_bob, welcome) = Member::enter(&site, "bob", &format!("?since={first}"));
    assert!(ids(&welcome["history"]).into_iter().eq(2..=1001), "a thousand are read page by page");
    ann.heard_as("enter");
    ann.tell("one more", 1001);
    let mut cid = Member::open(site.address, &login(site.address, "cid"), &format!("?since={first}"));
    assert_eq!(cid.heard()["reason"], "too_far");
}

#[test]
fn a_message_sent_again_is_acknowledged_again_and_shown_once() {
    let site = Site::with_defaults();
    let cookie = login(site.address, "ann");
    let mut ann = Member::open(site.address, &cookie, "");
    ann.heard_as("welcome");
    let position = ann.tell("once", 1);
    ann.say("once", 1);
    let tag = position.strip_prefix("1.").expect("the first id");
    assert_eq!(ann.heard(), json!({ "type": "ack", "nonce": nonce(1), "id": 1, "tag": tag }));
    ann.say("other words", 1);
    let error = ann.heard_as("error");
    assert_eq!((&error["code"], &error["nonce"]), (&json!("nonce_reused"), &json!(nonce(1))));
    assert_eq!(ann.tell("twice", 2).split('.').next(), Some("2"));
    let welcome = Member::open(site.address, &cookie, "").heard();
    assert_eq!(welcome["history"][0]["nonce"], nonce(1), "one's own messages have their nonce");
    let (_bob, welcome) = Member::enter(&site, "bob", "");
    assert_eq!(welcome["history"][0].get("nonce"), None);
}

#[test]
fn only_its_author_deletes_a_message() {
    let site = Site::with_defaults();
    let (mut ann, _) = Member::enter(&site, "ann", "");
    let first = ann.tell("a secret", 1);
    let (mut bob, _) = Member::enter(&site, "bob", "");
    ann.heard_as("enter");
    bob.delete(1, 2);
    assert_eq!(bob.heard_as("error")["code"], "not_yours");
    bob.delete(99, 3);
    assert_eq!(bob.heard_as("error")["code"], "no_such_message");
    ann.delete(1, 4);
    let ack = ann.heard();
    assert_eq!((&ack["type"], &ack["nonce"], &ack["id"]), (&json!("ack"), &json!(nonce(4)), &json!(2)));
    for member in [&mut ann, &mut bob] {
        let deleted = member.heard_as("deleted");
        assert_eq!(deleted["tag"], ack["tag"]);
        assert_eq!((&deleted["id"], &deleted["target"], &deleted["by"]), (&json!(2), &json!(1), &json!("ann")));
    }
    let (_cid, welcome) = Member::enter(&site, "cid", "");
    let entry = &welcome["history"][0];
    assert_eq!((entry.get("text"), &entry["deleted"]), (None, &json!(true)));
    let (_dan, welcome) = Member::enter(&site, "dan", &format!("?since={first}"));
    assert_eq!(welcome["history"][0]["target"], 1, "one that has the message is told that it is gone");
}

#[test]
fn what_is_no_message_is_an_error_and_nothing_more() {
    let site = Site::start(Limits { chat_text_bytes_max: 10, ..Limits::default() }, &[]);
    let (mut ann, _) = Member::enter(&site, "ann", "");
    for frame in ["", "hello", "{}", r#"{"type":"message","text":"hi"}"#] {
        ann.0.say(frame);
        assert_eq!(ann.heard()["code"], "malformed", "{frame}");
    }
    for (words, code) in [("", "empty"), (" \n", "empty"), ("01234567890", "too_long")] {
        ann.say(words, 1);
        let error = ann.heard_as("error");
        assert_eq!((&error["code"], &error["nonce"]), (&json!(code), &json!(nonce(1))));
    }
    ann.tell("0123456789", 1);
}

#[test]
fn a_message_that_comes_too_early_is_refused_with_its_time() {
    let site = Site::start(Limits { message_burst: 2.0, ..Limits::default() }, &["--message-rate", "1"]);
    let (mut ann, _) = Member::enter(&site, "ann", "");
    ann.tell("1", 1);
    ann.tell("2", 2);
    ann.say("3", 3);
    let error = ann.heard_as("error");
    assert_eq!((&error["code"], &error["nonce"]), (&json!("too_fast"), &json!(nonce(3))));
    let wait = error["retry_after_ms"].as_u64().expect("a time");
    assert!((1..=1000).contains(&wait), "{wait}");
    std::thread::sleep(ms(wait));
    ann.tell("3", 3);
}

#[test]
fn a_leave_is_announced_when_its_grace_is_over() {
    let site = Site::start(Limits::default(), &["--presence-grace", "0.05"]);
    let (mut ann, _) = Member::enter(&site, "ann", "");
    let (bob, _) = Member::enter(&site, "bob", "");
    assert_eq!(ann.heard_as("enter")["count"], 2);
    drop(bob);
    assert_eq!(ann.heard(), json!({ "type": "leave", "user": "bob", "count": 1 }));
}

#[test]
fn rooms_are_apart() {
    let site = Site::with_defaults();
    let (mut ann, welcome) = Member::enter(&site, "ann", "?room=caf%C3%A9");
    assert_eq!(welcome["room"], "café");
    let (mut bob, _) = Member::enter(&site, "bob", "");
    let (mut cid, welcome) = Member::enter(&site, "cid", "?room=cafe%CC%81");
    assert_eq!((&welcome["room"], &welcome["count"]), (&json!("café"), &json!(2)), "the same name in another form");
    ann.heard_as("enter");
    ann.tell("in the café", 1);
    assert_eq!(cid.heard_as("message")["id"], 1);
    bob.tell("in the lobby", 1);
    assert_eq!(ann.tell("again", 2).split('.').next(), Some("2"));
}

#[test]
fn a_room_needs_a_name_and_a_place() {
    let site = Site::start(Limits::default(), &["--rooms-max", "2"]);
    let cookie = login(site.address, "ann");
    let status = |query: &str| {
        let fields = format!("Cookie: {cookie}\r\nSec-WebSocket-Protocol: squall.v1\r\n");
        let mut client = crate::support::Client::connect(site.address);
        client.ask(crate::support::frames::handshake(&format!("/chat/{query}"), &fields)).status
    };
    assert_eq!([status("?room=a%20b"), status("?room="), status("?room=%2e%2e")], [400; 3]);
    let enter = |query| Member::open(site.address, &cookie, query).heard_as("welcome");
    let mut lobby = Member::open(site.address, &cookie, "");
    lobby.heard_as("welcome");
    let mut other = Member::open(site.address, &cookie, "?room=other");
    other.heard_as("welcome");
    assert_eq!(status("?room=third"), 503);
    assert_eq!(enter("?room=other")["count"], 1, "one that is there may be entered");
    drop(other);
    site.wait_until("one member", |counts| counts.members == 1);
    enter("?room=third");
}

#[test]
fn a_plain_client_may_ask_for_the_last_messages() {
    let site = Site::with_defaults();
    let mut ann = enter_plainly(&site, "ann");
    for n in 1..=5 {
        ann.say(&format!("message {n}"));
        ann.heard();
    }
    let fields = format!("Cookie: {}\r\n", login(site.address, "bob"));
    let mut bob = WsClient::open(site.address, "/chat/?history=2", &fields);
    for line in ["ann:message 4", "ann:message 5", "bob enter room"] {
        assert_eq!(bob.heard(), text(line));
    }
}
