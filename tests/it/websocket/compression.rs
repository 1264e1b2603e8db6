//! permessage-deflate on the wire (RFC 7692), with zlib on our side of it.

use crate::support::dice::Dice;
use crate::support::frames::{BINARY, CONTINUATION, PING, Said, TEXT, fragment, text};
use crate::support::{Site, WsClient, frame, get, login};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use squall::config::Limits;
use std::net::SocketAddr;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const SHARED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A message without its tail.
fn deflated(compress: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 1000);
    compress.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(out.split_off(out.len() - 4), TAIL);
    out
}

fn alone(message: &[u8]) -> Vec<u8> {
    deflated(&mut Compress::new(Compression::best(), false), message)
}

fn inflated(decompress: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 21);
    let wire = [payload, &TAIL].concat();
    decompress.decompress_vec(&wire, &mut out, FlushDecompress::Sync).unwrap();
    out
}

/// The first frame of a compressed message.
fn flagged(mut frame: Vec<u8>) -> Vec<u8> {
    frame[0] |= 0x40;
    frame
}

fn open(address: SocketAddr, path: &str, offer: &str, cookie: &str) -> WsClient {
    WsClient::open(address, path, &format!("{offer}Cookie: {cookie}\r\n"))
}

fn agreed(client: &WsClient) -> Option<&str> {
    client.response.field("sec-websocket-extensions")
}

fn words() -> String {
    (0..100).map(|i| format!("word{} ", i * 7919 % 1000)).collect()
}

#[test]
fn echo_messages_refer_to_earlier_ones() {
    let site = Site::with_defaults();
    let mut echo = open(site.address, "/echo", OFFER, "");
    assert_eq!(agreed(&echo), Some("permessage-deflate"));
    let (mut ours, mut theirs) = (Compress::new(Compression::best(), false), Decompress::new(false));
    let mut sizes = vec![];
    for _ in 0..3 {
        let payload = deflated(&mut ours, words().as_bytes());
        let (start, end) = payload.split_at(payload.len() / 2);
        echo.send([flagged(fragment(TEXT, false, start)), frame(PING, ""), fragment(CONTINUATION, true, end)].concat());
        assert_eq!(echo.heard(), Said::Pong(vec![]));
        let (first, payload) = echo.next_frame();
        assert_eq!(first, 0xc1, "compressed text");
        assert_eq!(inflated(&mut theirs, &payload), words().as_bytes());
        sizes.push(payload.len());
    }
    assert!(sizes[1] < sizes[0] / 5 && sizes[2] < sizes[0] / 5, "{sizes:?}");
    echo.say("short");
    assert_eq!(echo.heard(), text("short"));
}

#[test]
fn full_window_members_share_one_compressed_frame() {
    let site = Site::with_defaults();
    let cookies = ["ann", "bob", "cem", "dai"].map(|name| login(site.address, name));
    let small = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n";
    let offers = [OFFER, OFFER, "", small];
    let mut members: Vec<WsClient> =
        offers.iter().zip(&cookies).map(|(o, c)| open(site.address, "/chat/", o, c)).collect();
    assert_eq!(members.iter().map(agreed).collect::<Vec<_>>()[..3], [Some(SHARED), Some(SHARED), None]);
    for (n, member) in members.iter_mut().enumerate() {
        for name in &["ann", "bob", "cem", "dai"][n..] {
            assert_eq!(member.heard(), text(&format!("{name} enter room")), "short lines are not compressed");
        }
    }
    let (words, line) = (words(), format!("bob:{}", words()));
    for _ in 0..2 {
        members[1].send(flagged(frame(TEXT, alone(words.as_bytes()))));
        let frames: Vec<_> = members.iter_mut().map(WsClient::next_frame).collect();
        assert_eq!(frames[0], frames[1]);
        assert_eq!((frames[0].0, &inflated(&mut Decompress::new(false), &frames[0].1)[..]), (0xc1, line.as_bytes()));
        assert!(frames[0].1.len() < line.len() * 2 / 3, "{} bytes", frames[0].1.len());
        for (first, payload) in &frames[2..] {
            assert_eq!((*first, &payload[..]), (0x81, line.as_bytes()));
        }
    }
    drop(members);
    site.wait_until_empty();
}

#[test]
fn inflated_bomb_closes_its_connection_only() {
    let site = Site::with_defaults();
    let bomb = alone(&vec![0; 64 << 20]);
    assert!(bomb.len() < 70_000);
    let cookie = login(site.address, "ann");
    for (path, offer) in
        [("/echo", OFFER), ("/echo", &format!("Sec-WebSocket-Extensions: {SHARED}\r\n")), ("/chat/", OFFER)]
    {
        let mut bomber = open(site.address, path, offer, &cookie);
        if path == "/chat/" {
            assert_eq!(bomber.heard(), text("ann enter room"));
        }
        bomber.send(flagged(frame(TEXT, &bomb)));
        assert_eq!(get(site.address, "/plaintext").status, 200);
        assert_eq!(bomber.dismissed(), 1009, "{path}");
    }
    site.wait_until_empty();
}

#[test]
fn bad_deflate_closes_with_1007_an_unagreed_bit_with_1002() {
    let site = Site::with_defaults();
    let mut echo = open(site.address, "/echo", OFFER, "");
    echo.send(flagged(frame(BINARY, [0xff; 10])));
    assert_eq!(echo.dismissed(), 1007);
    let mut echo = WsClient::echo(site.address);
    echo.send(flagged(frame(BINARY, alone(b"hello"))));
    assert_eq!(echo.dismissed(), 1002);
    site.wait_until_empty();
}

#[test]
fn large_messages_come_back_uncompressed() {
    let site = Site::with_defaults();
    let mut echo = open(site.address, "/echo", OFFER, "");
    let (mut ours, mut theirs) = (Compress::new(Compression::fast(), false), Decompress::new(false));
    let most = Limits::default().ws.deflate_bytes_max;
    for (length, first) in [(most, 0xc2), (most + 1, 0x82)] {
        echo.send(flagged(frame(BINARY, deflated(&mut ours, &vec![7; length]))));
        let (is, payload) = echo.next_frame();
        assert_eq!(is, first);
        let message = if first == 0xc2 { inflated(&mut theirs, &payload) } else { payload };
        assert!(message == vec![7; length]);
    }
}

#[test]
fn connections_with_windows_are_limited() {
    let site = Site::start(Limits { deflate_windows_max: 2, ..Limits::default() }, &[]);
    let keepers = [0, 1].map(|_| open(site.address, "/echo", OFFER, ""));
    assert!(keepers.iter().all(|echo| agreed(echo) == Some("permessage-deflate")));
    let mut other = open(site.address, "/echo", OFFER, "");
    assert_eq!(agreed(&other), Some(SHARED));
    for _ in 0..2 {
        other.send(flagged(frame(TEXT, alone(words().as_bytes()))));
        let (first, payload) = other.next_frame();
        assert_eq!((first, inflated(&mut Decompress::new(false), &payload)), (0xc1, words().into_bytes()));
    }
    let forgetful = format!("Sec-WebSocket-Extensions: {SHARED}\r\n");
    assert_eq!(agreed(&open(site.address, "/echo", &forgetful, "")), Some(SHARED), "such a one takes no place");
    drop((keepers, other));
    site.wait_until_empty();
    assert_eq!(agreed(&open(site.address, "/echo", OFFER, "")), Some("permessage-deflate"));
}

#[test]
fn an_unfinished_message_is_booked_with_its_inflater() {
    let site = Site::with_defaults();
    let forgetful = format!("Sec-WebSocket-Extensions: {SHARED}\r\n");
    let mut echo = open(site.address, "/echo", &forgetful, "");
    let payload = alone(words().as_bytes());
    echo.send(flagged(fragment(TEXT, false, &payload[..10])));
    site.wait_until("an inflater in the books", |counts| counts.booked > 40_000);
    echo.send(fragment(CONTINUATION, true, &payload[10..]));
    assert_eq!(echo.next_frame().0, 0xc1);
    site.wait_until("empty books", |counts| counts.booked == 0);
}

/// What a member without compression hears before such a line.
fn lines_until(member: &mut WsClient, is_last: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = std::iter::repeat_with(|| match member.heard() {
        Said::Text(line) => line,
        heard => panic!("{heard:?}"),
    });
    lines.take_while(|line| !is_last(line)).collect()
}

#[test]
fn deaf_member_with_compression_is_cut_alone() {
    let site = Site::start(Limits::default(), &["--message-rate", "0", "--lag-max", "65536"]);
    let [ann, bob, cem] = ["ann", "bob", "cem"].map(|name| login(site.address, name));
    let deaf = open(site.address, "/chat/", OFFER, &ann);
    socket2::SockRef::from(&deaf.client.stream).set_recv_buffer_size(4096).unwrap();
    let mut plain = open(site.address, "/chat/", "", &bob);
    let mut sender = open(site.address, "/chat/", OFFER, &cem);
    let noise: String = Dice::new(1).noise(3000).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let (mut sent, mut short_lines) = (0, vec![]);
    while site.counts().cut == 0 {
        sender.say(&noise);
        sent += 1;
        assert!(sent < 20_000, "no member is cut");
        while sender.next_frame().1.len() < 1000 {}
        short_lines.extend(lines_until(&mut plain, |line| line.len() > 3000));
    }
    sender.say("still here");
    short_lines.extend(lines_until(&mut plain, |line| line == "cem:still here"));
    assert_eq!(short_lines, ["bob enter room", "cem enter room", "ann leave room"]);
    drop((deaf, plain, sender));
    site.wait_until_empty();
}
