//! wss: echo, the room, pings, origins.

use super::{Secure, connect};
use crate::chat::cut_the_deaf;
use crate::support::client::patient;
use crate::support::frames::{BINARY, PING, PONG, Said, TEXT, close, handshake, text};
use crate::support::tls_client::{Tls, login, open, secure, shake_hands};
use crate::support::{Client, WsClient, frame, ms};
use socket2::SockRef;
use squall::config::Limits;

/// Logs in and enters.
#[track_caller]
fn enter(site: &Secure, name: &str) -> WsClient<Tls> {
    let cookie = format!("Cookie: {}\r\n", login(site.address, name));
    let mut member = open(site.address, "/chat/", &cookie);
    assert_eq!(member.heard(), Said::Text(format!("{name} enter room")));
    member
}

#[test]
fn an_echo_takes_and_gives_a_mebibyte() {
    let site = Secure::with_defaults();
    let mut echo = open(site.address, "/echo", "");
    for length in [0, 1, 125, 126, 16_384, 65_535, 65_536, 1 << 20] {
        let bytes: Vec<u8> = (0..length).map(|n: usize| (n ^ n >> 8) as u8).collect();
        echo.send(frame(BINARY, &bytes));
        assert!(echo.heard() == Said::Binary(bytes), "{length}");
        let line = "x".repeat(length);
        echo.say(&line);
        assert!(echo.heard() == Said::Text(line), "{length}");
    }
    echo.send(frame(PING, "?"));
    assert_eq!(echo.heard(), Said::Pong(b"?".to_vec()));
    echo.send(close(1000, "bye"));
    assert_eq!(echo.heard(), Said::Close(Some(1000), String::new()));
    echo.client.closed();
    site.wait_until_empty();
}

#[test]
fn twenty_members_see_everything_in_the_same_order() {
    let site = Secure::start(Limits::default(), &["--message-rate", "0"]);
    let mut members: Vec<WsClient<Tls>> = Vec::new();
    for n in 0..20 {
        members.push(enter(&site, &format!("m{n}")));
        for member in &mut members[..n] {
            assert_eq!(member.heard(), Said::Text(format!("m{n} enter room")));
        }
    }
    for round in 0..5 {
        for (n, member) in members.iter_mut().enumerate() {
            member.say(&format!("{round} {n} {}", "x".repeat(n * 150)));
        }
    }
    let hear = |member: &mut WsClient<Tls>| (0..100).map(|_| member.heard()).collect::<Vec<Said>>();
    let lines = hear(&mut members[0]);
    for member in &mut members[1..] {
        assert!(hear(member) == lines);
    }
    for n in 0..20 {
        let own: Vec<Said> =
            (0..5).map(|round| Said::Text(format!("m{n}:{round} {n} {}", "x".repeat(n * 150)))).collect();
        let begin = format!("m{n}:");
        let of = |said: &&Said| matches!(said, Said::Text(line) if line.starts_with(&begin));
        assert!(lines.iter().filter(of).eq(&own), "what m{n} said is there, once and in its order");
    }
    drop(members.pop());
    for member in &mut members {
        assert_eq!(member.heard(), text("m19 leave room"));
    }
    drop(members);
    site.wait_until_empty();
}

#[test]
fn a_deaf_member_is_cut_and_the_others_get_everything() {
    let limits = Limits { close_within: ms(200), ..Limits::default() };
    let site = Secure::start(limits, &["--message-rate", "0", "--lag-max", "100000"]);
    let deaf = enter(&site, "deaf");
    let mut ann = enter(&site, "ann");
    let mut bob = enter(&site, "bob");
    assert_eq!(ann.heard(), text("bob enter room"));
    cut_the_deaf(&site, &mut ann, &mut bob);
    let mut deaf = deaf.client;
    assert!(deaf.rest_until_reset().is_err(), "its socket was reset");
}

#[test]
fn lagging_member_finds_1013_after_whole_frames() {
    let limits = Limits { close_within: ms(5000), ..Limits::default() };
    let site = Secure::start(limits, &["--message-rate", "0", "--lag-max", "100000"]);
    let cookie = format!("Cookie: {}\r\n", login(site.address, "slow"));
    let stream = patient(site.address);
    SockRef::from(&stream).set_recv_buffer_size(16 << 10).unwrap();
    let mut tls = secure(stream, &crate::support::tls_client::any_client());
    shake_hands(&mut tls).unwrap();
    let mut slow = WsClient::switch(Client::over(tls), "/chat/", &cookie);
    let mut ann = enter(&site, "ann");
    let mut said = 0;
    while site.counts().cut == 0 {
        assert!(said < 5000, "it is never cut");
        ann.say(&format!("{said} {}", "x".repeat(4000)));
        while ann.heard() == text("slow leave room") {}
        said += 1;
    }
    assert_eq!([slow.heard(), slow.heard()], [text("slow enter room"), text("ann enter room")]);
    let mut heard = 0;
    let code = loop {
        match slow.heard() {
            Said::Text(line) => assert!(line.starts_with(&format!("ann:{heard} ")), "{heard}"),
            Said::Close(code, _) => break code,
            other => panic!("{other:?}"),
        }
        heard += 1;
    };
    assert!(code == Some(1013) && heard < said, "{code:?} {heard}");
    slow.send(close(1013, ""));
    slow.client.closed();
    site.wait_until("ann alone", |c| (c.connections, c.members) == (1, 1));
}

#[test]
fn a_peer_without_pongs_is_closed() {
    let limits = Limits { ping_every: ms(50), silent_for: ms(500), close_within: ms(200), ..Limits::default() };
    let site = Secure::start(limits, &[]);
    let mut ann = enter(&site, "ann");
    // For longer than its silence would be suffered.
    let begun = std::time::Instant::now();
    while begun.elapsed() < ms(1200) {
        assert_eq!(ann.heard(), Said::Ping(vec![]));
        ann.send(frame(PONG, ""));
    }
    ann.send(frame(PING, "are you there?"));
    while ann.heard() != Said::Pong(b"are you there?".to_vec()) {}
    loop {
        match ann.heard() {
            Said::Ping(_) => {}
            said => break assert_eq!(said, Said::Close(Some(1001), "no answer to pings".into())),
        }
    }
    site.wait_until_empty();
}

#[test]
fn an_origin_of_https_is_our_own_with_or_without_its_port() {
    let site = Secure::with_defaults();
    let own = site.address.to_string();
    for (letter, (host, origin, status)) in ('a'..).zip([
        (own.as_str(), format!("https://{own}"), 101),
        ("squall.example", "https://squall.example".into(), 101),
        ("squall.example", "https://squall.example:443".into(), 101),
        ("squall.example:443", "https://squall.example".into(), 101),
        ("squall.example:443", "https://SQUALL.example:443".into(), 101),
        ("squall.example:8443", "https://squall.example:8443".into(), 101),
        ("squall.example:8443", "https://squall.example".into(), 403),
        (own.as_str(), "https://evil.example".into(), 403),
        (own.as_str(), "https://127.0.0.1".into(), 403),
        (own.as_str(), "null".into(), 403),
    ]) {
        let fields = format!("Host: {host}\r\nOrigin: {origin}\r\n");
        let wire = handshake("/echo", "").replace("Host: squall\r\n", &fields);
        assert_eq!(connect(site.address).ask(wire).status, status, "{host} {origin}");
        let form = format!("POST /login HTTP/1.1\r\n{fields}Content-Length: 12\r\n\r\nusername=an{letter}");
        let wanted = if status == 101 { 303 } else { 403 };
        assert_eq!(connect(site.address).ask(form).status, wanted, "{host} {origin}");
    }
}

#[test]
fn first_frame_may_share_a_record_with_the_handshake() {
    let site = Secure::with_defaults();
    let mut client = connect(site.address);
    client.send([handshake("/echo", "").into_bytes(), frame(TEXT, "early")].concat());
    assert_eq!(client.head().status, 101);
    assert_eq!(client.take(7), b"\x81\x05early");
}
