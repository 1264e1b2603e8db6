//! The room, as two people in it see it: the plain protocol, one text frame a line.

mod api;
mod forms;
mod invitations;
mod lookalikes;
#[cfg(feature = "history")]
mod moderation;
mod names;
mod operators;
mod origins;
mod v1;

use crate::support::frames::{BINARY, CONTINUATION, PING, Said, TEXT, close, fragment, text};
use crate::support::{Client, Site, WsClient, frame, login, ms};
use squall::config::Limits;
use std::io::{Read, Write};

/// Logs in and enters.
#[track_caller]
fn enter(site: &Site, name: &str) -> WsClient {
    let mut member = WsClient::chat(site.address, &login(site.address, name));
    assert_eq!(member.heard(), Said::Text(format!("{name} enter room")));
    member
}

/// What all of them hear next.
#[track_caller]
fn all_hear(members: &mut [&mut WsClient], line: &str) {
    for member in members {
        assert_eq!(member.heard(), text(line));
    }
}

#[test]
fn two_people_see_each_other_enter_talk_and_leave() {
    let site = Site::with_defaults();
    let mut ann = enter(&site, "ann");
    let mut bob = enter(&site, "bob");
    assert_eq!(ann.heard(), text("bob enter room"));
    ann.say("hello: 你好 \u{1f600}");
    all_hear(&mut [&mut ann, &mut bob], "ann:hello: 你好 \u{1f600}");
    bob.say("");
    all_hear(&mut [&mut ann, &mut bob], "bob:");
    bob.say("<b>\r\n\u{0}");
    all_hear(&mut [&mut ann, &mut bob], "bob:<b>\r\n\u{0}");
    bob.send(close(1000, "bye"));
    assert_eq!(bob.heard(), Said::Close(Some(1000), String::new()));
    bob.client.closed();
    assert_eq!(ann.heard(), text("bob leave room"));
    ann.client.finish();
    drop(ann);
    site.wait_until_empty();
}

#[test]
fn a_lost_connection_counts_as_a_leave() {
    let site = Site::with_defaults();
    let mut ann = enter(&site, "ann");
    let bob = enter(&site, "bob");
    assert_eq!(ann.heard(), text("bob enter room"));
    drop(bob);
    assert_eq!(ann.heard(), text("bob leave room"));
    assert_eq!(site.wait_until("one member", |c| c.members == 1).connections, 1);
}

#[test]
fn presence_is_per_name_not_per_connection() {
    let site = Site::with_defaults();
    let cookie = login(site.address, "ann");
    let mut bob = enter(&site, "bob");
    let mut first = WsClient::chat(site.address, &cookie);
    all_hear(&mut [&mut first, &mut bob], "ann enter room");
    // The second connection is sent its own enter line, once; no other member hears of it.
    let mut second = WsClient::chat(site.address, &cookie);
    assert_eq!(second.heard(), text("ann enter room"));
    first.say("one");
    all_hear(&mut [&mut first, &mut second, &mut bob], "ann:one");
    first.send(close(1000, ""));
    assert_eq!(first.heard(), Said::Close(Some(1000), String::new()));
    second.say("still here");
    all_hear(&mut [&mut second, &mut bob], "ann:still here");
    drop(second);
    assert_eq!(bob.heard(), text("ann leave room"));
}

#[test]
fn all_members_hear_the_same_lines_in_the_same_order() {
    let site = Site::start(Limits::default(), &["--message-rate", "0"]);
    let mut members: Vec<WsClient> = Vec::new();
    for n in 0..10 {
        let new = enter(&site, &format!("m{n}"));
        for old in &mut members {
            assert_eq!(old.heard(), Said::Text(format!("m{n} enter room")));
        }
        members.push(new);
    }
    for n in 0..50 {
        for (m, member) in members.iter_mut().enumerate() {
            member.say(&format!("{m} says {n}"));
        }
    }
    let heard = |member: &mut WsClient| (0..500).map(|_| member.heard()).collect::<Vec<_>>();
    let first = heard(&mut members[0]);
    for m in 0..10 {
        let own: Vec<_> = (0..50).map(|n| Said::Text(format!("m{m}:{m} says {n}"))).collect();
        let prefix = format!("m{m}:");
        let said = first.iter().filter(|line| matches!(line, Said::Text(line) if line.starts_with(&prefix)));
        assert_eq!(said.cloned().collect::<Vec<_>>(), own, "the lines of one member keep their order");
    }
    for member in &mut members[1..] {
        assert_eq!(heard(member), first);
    }
}

#[test]
fn ping_between_fragments_is_answered_and_fragments_joined() {
    let site = Site::with_defaults();
    let mut ann = enter(&site, "ann");
    ann.send([fragment(TEXT, false, "hel"), frame(PING, "?"), fragment(CONTINUATION, true, "lo")].concat());
    assert_eq!(ann.heard(), Said::Pong(b"?".to_vec()));
    assert_eq!(ann.heard(), text("ann:hello"));
}

#[test]
fn latest_ping_is_answered_without_further_input() {
    let site = Site::with_defaults();
    let mut ann = enter(&site, "ann");
    let pings = [frame(PING, "one"), frame(PING, "two"), frame(PING, "three")].concat();
    for line in ["", "hello"] {
        // With a line after them, the pongs go out with the news of the room.
        ann.send([pings.clone(), if line.is_empty() { vec![] } else { frame(TEXT, line) }].concat());
        let (mut latest, mut heard_line) = (false, line.is_empty());
        while !latest || !heard_line {
            match ann.heard() {
                Said::Pong(payload) => latest = payload == b"three",
                heard => heard_line = heard == Said::Text(format!("ann:{line}")),
            }
        }
    }
}

#[test]
fn text_over_4096_bytes_closes_with_1009() {
    let site = Site::with_defaults();
    let mut bob = enter(&site, "bob");
    let mut ann = enter(&site, "ann");
    assert_eq!(bob.heard(), text("ann enter room"));
    let longest = "好".repeat(1365) + "x";
    ann.say(&longest);
    all_hear(&mut [&mut ann, &mut bob], &format!("ann:{longest}"));
    ann.say(&(longest + "x"));
    assert_eq!(ann.dismissed(), 1009);
    assert_eq!(bob.heard(), text("ann leave room"), "and no member has heard it");
}

#[test]
fn message_over_64_kib_closes_with_1009_at_its_header() {
    let site = Site::with_defaults();
    let mut ann = enter(&site, "ann");
    ann.send(&frame(TEXT, vec![b'x'; 65_537])[..14]);
    assert_eq!(ann.dismissed(), 1009);
    let mut bob = enter(&site, "bob");
    bob.send(fragment(TEXT, false, vec![b'x'; 65_000]));
    bob.send(&fragment(CONTINUATION, false, vec![b'x'; 537])[..8]);
    assert_eq!(bob.dismissed(), 1009);
    site.wait_until_empty();
}

#[test]
fn binary_closes_with_1003() {
    let site = Site::with_defaults();
    let mut ann = enter(&site, "ann");
    ann.send(frame(BINARY, "x"));
    assert_eq!(ann.dismissed(), 1003);
}

#[test]
fn flooding_member_is_closed_with_1008_after_its_burst() {
    let limits = Limits { message_burst: 3.0, ..Limits::default() };
    let site = Site::start(limits, &["--message-rate", "0.001"]);
    let mut bob = enter(&site, "bob");
    let mut ann = enter(&site, "ann");
    assert_eq!(bob.heard(), text("ann enter room"));
    ann.send([frame(TEXT, "1"), frame(TEXT, "2"), frame(TEXT, "3"), frame(TEXT, "4"), frame(TEXT, "5")].concat());
    for line in ["ann:1", "ann:2", "ann:3"] {
        assert_eq!(bob.heard(), text(line));
    }
    assert_eq!(bob.heard(), text("ann leave room"));
    // A flood of pings and an empty line count as well as any other.
    bob.say("");
    assert_eq!(bob.heard(), text("bob:"));
    drop(ann);
    drop(bob);
    site.wait_until_empty();
}

#[test]
fn flooding_member_is_told_the_reason() {
    let limits = Limits { message_burst: 1.0, ..Limits::default() };
    let site = Site::start(limits, &["--message-rate", "0.001"]);
    let mut ann = enter(&site, "ann");
    ann.say("1");
    assert_eq!(ann.heard(), text("ann:1"));
    ann.say("2");
    assert_eq!(ann.dismissed(), 1008);
}

#[test]
fn a_deaf_member_is_cut_and_the_others_get_everything() {
    cut_the_deaf_one_by("--lag-max", "100000");
}

#[test]
fn a_deaf_member_is_cut_before_all_buffers_are_full() {
    cut_the_deaf_one_by("--buffer-max", "300000");
}

/// Ann sends 2.4 MB: more than the kernel keeps for a member that does not read, less than the default lag. She and bob
/// hear all of it, and both hear that `deaf` leaves meanwhile.
#[track_caller]
pub fn cut_the_deaf<S: Read + Write>(site: &Site, ann: &mut WsClient<S>, bob: &mut WsClient<S>) {
    let mut left = 0;
    for n in 0..600 {
        let line = format!("{n} {}", "x".repeat(4000));
        ann.say(&line);
        for member in [&mut *ann, &mut *bob] {
            let mut heard = member.heard();
            if heard == text("deaf leave room") {
                left += 1;
                heard = member.heard();
            }
            assert_eq!(heard, Said::Text(format!("ann:{line}")), "line {n}");
        }
    }
    let counts = site.wait_until("the cut", |c| c.cut == 1 && c.members == 2 && c.connections == 2);
    assert_eq!(left, 2, "both have seen it leave: {counts:?}");
    // A room that is talking keeps its last chunk; the laggard's are gone.
    site.wait_until("the feed to shrink", |c| c.booked <= 64 << 10);
}

fn cut_the_deaf_one_by(flag: &str, bytes: &str) {
    let limits = Limits { close_within: ms(200), ..Limits::default() };
    let site = Site::start(limits, &["--message-rate", "0", flag, bytes]);
    let mut deaf = WsClient::chat(site.address, &login(site.address, "deaf"));
    site.wait_until("the deaf one", |c| c.members == 1);
    let mut ann = enter(&site, "ann");
    let mut bob = enter(&site, "bob");
    assert_eq!(ann.heard(), text("bob enter room"));
    cut_the_deaf(&site, &mut ann, &mut bob);
    // Its socket was reset, so that the kernel gives its send buffer back.
    assert!(deaf.client.rest_until_reset().is_err());
}

#[test]
fn draining_closes_with_1001_and_announces_no_leave() {
    let site = Site::with_defaults();
    let mut ann = enter(&site, "ann");
    let bob = enter(&site, "bob");
    assert_eq!(ann.heard(), text("bob enter room"));
    site.drain();
    for member in [bob, ann] {
        assert_eq!(member.dismissed(), 1001);
    }
    crate::support::wait_for("the end of the loop", || site.is_over().then_some(()));
    assert!(std::net::TcpStream::connect(site.address).is_err());
}

#[test]
fn member_without_close_reply_is_dropped_in_time() {
    let limits = Limits { close_within: ms(100), ..Limits::default() };
    let site = Site::start(limits, &[]);
    let mut ann = enter(&site, "ann");
    ann.send(frame(BINARY, "x"));
    assert_eq!(ann.heard(), Said::Close(Some(1003), "text only".into()));
    ann.say("said to nobody");
    ann.client.closed();
    site.wait_until_empty();
}

#[test]
fn the_first_line_may_come_with_the_handshake() {
    let site = Site::with_defaults();
    let cookie = format!("Cookie: {}\r\n", login(site.address, "ann"));
    let mut client = Client::connect(site.address);
    client.send([crate::support::frames::handshake("/chat/", &cookie).into_bytes(), frame(TEXT, "early")].concat());
    let response = client.response();
    let mut ann = WsClient { client, response };
    assert_eq!((ann.response.status, ann.heard(), ann.heard()), (101, text("ann enter room"), text("ann:early")));
}
