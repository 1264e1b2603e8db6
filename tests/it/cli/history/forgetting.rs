//! `squall history forget`.

use super::{Home, login, page, say, stop, texts};
use crate::support::frames::Said;
use crate::support::{Child, WsClient, wait_for};
use serde_json::Value;

/// Enters the lobby by `squall.v1`, and returns the position of `welcome`, too.
#[track_caller]
pub fn enter(server: &Child, name: &str, query: &str) -> (WsClient, Value) {
    let cookie = login(server.address, name);
    let fields = format!("Cookie: {cookie}\r\nSec-WebSocket-Protocol: squall.v1\r\n");
    let mut member = WsClient::open(server.address, &format!("/chat/{query}"), &fields);
    let first = heard(&mut member);
    (member, first)
}

#[track_caller]
fn heard(member: &mut WsClient) -> Value {
    match member.heard() {
        Said::Text(frame) => serde_json::from_str(&frame).expect("JSON"),
        other => panic!("{other:?}"),
    }
}

/// The next frame of this type.
#[track_caller]
pub fn heard_as(member: &mut WsClient, kind: &str) -> Value {
    loop {
        let frame = heard(member);
        if frame["type"] == kind {
            return frame;
        }
    }
}

#[test]
fn members_are_told_and_the_files_have_neither_text_nor_name() {
    let home = Home::new();
    let server = home.serve();
    let name = "wanda-4711";
    for n in 0..50 {
        say(&server, name, "lobby", &format!("a text of hers {n}"));
        say(&server, "bob", "lobby", &format!("a text of his {n}"));
    }
    say(&server, name, "kitchen", "a text of hers 50");
    let (mut member, welcome) = enter(&server, "bob", "");
    let (mut named, _) = enter(&server, name, "");
    assert!(home.has(name) && home.has("a text of hers 7"));
    let said = home.ok(&["forget", name]);
    assert_eq!(
        said,
        "\"wanda-4711\" is forgotten in 2 rooms: its texts are erased, and its entries are now those of forgotten-1\n"
    );
    assert!(!home.has(name), "when the command has ended");
    assert!(!home.has("a text of hers") && home.has("a text of his 7"));
    for member in [&mut member, &mut named] {
        let cleared = heard_as(member, "cleared");
        assert_eq!((cleared["user"].as_str(), cleared["by"].as_str()), (Some(name), Some(name)));
        assert_eq!(cleared["id"], 101);
    }
    let shown = page(&server, "lobby");
    let entries = shown["messages"].as_array().expect("a list");
    assert!(!shown.to_string().contains(name));
    assert_eq!(texts(entries).iter().filter(|text| text.is_none()).count(), 24);
    assert_eq!(entries[entries.len() - 1]["user"], "forgotten-1");
    let exported = home.ok(&["export", "--all"]);
    assert!(!exported.contains(name) && exported.contains("forgotten-1"));
    // What a client has from before is another past.
    let position = welcome["position"].as_str().expect("a position");
    let (_, gap) = enter(&server, "cid", &format!("?since={position}"));
    assert_eq!((gap["type"].as_str(), gap["reason"].as_str()), (Some("gap"), Some("other")));
    assert_eq!(home.ok(&["check"]), "no fault in 103 entries of 2 rooms\n");
    assert!(home.refused(&["forget", name]).contains("the history has no name"));
    stop(server);
    assert!(!home.has(name) && !home.has("a text of hers"));
}

#[test]
fn texts_may_stay_under_a_name_that_nobody_can_have() {
    let home = Home::new();
    let server = home.serve();
    say(&server, "wanda-4711", "lobby", "a text of hers");
    let (mut member, _) = enter(&server, "bob", "");
    assert!(home.ok(&["forget", "wanda-4711", "--keep-texts"]).contains("its texts are kept"));
    assert!(!home.has("wanda-4711") && home.has("a text of hers"));
    assert_eq!(heard_as(&mut member, "cleared")["user"], "wanda-4711");
    let shown = page(&server, "lobby");
    assert_eq!(
        (&shown["messages"][0]["from"], &shown["messages"][0]["text"]),
        (&"forgotten-1".into(), &"a text of hers".into())
    );
    assert_ne!(shown["messages"][1]["user"], "forgotten-1", "a client must not clear what is kept");
    let body = "username=Forgotten-1";
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(crate::support::Client::connect(server.address).ask(request).status, 400);
}

#[test]
fn names_are_forgotten_without_a_server_also_two_at_once() {
    let home = Home::new();
    let server = home.serve();
    for name in ["ann-4711", "bob-4711", "cid-4711"] {
        say(&server, name, "lobby", &format!("a text of {name}"));
    }
    stop(server);
    std::thread::scope(|scope| {
        let both = ["ann-4711", "bob-4711"].map(|name| scope.spawn(|| home.ok(&["forget", name])));
        for one in both {
            assert!(one.join().expect("it ends").contains("is forgotten in 1 rooms"));
        }
    });
    for name in ["ann-4711", "bob-4711"] {
        assert!(!home.has(name), "{name}");
    }
    assert!(home.has("a text of cid-4711"));
    assert_eq!(home.ok(&["check"]), "no fault in 5 entries of 1 rooms\n");
    assert_eq!(texts(&home.lines(&["export", "lobby"])), [None, None, Some("a text of cid-4711")]);
}

#[test]
fn an_export_that_reads_does_not_hold_up_a_server() {
    let home = Home::new();
    let server = home.serve();
    say(&server, "ann-4711", "lobby", "a text");
    let log = || std::fs::metadata(home.file("chat.db-wal")).map_or(0, |log| log.len());
    for _ in 0..3 {
        home.ok(&["export", "--all"]);
        home.ok(&["stats"]);
    }
    wait_for("the log is emptied as ever", || (log() == 0).then_some(()));
}
