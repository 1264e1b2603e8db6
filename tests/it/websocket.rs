//! WebSocket on the wire (RFC 6455), with frames by hand where bytes matter and with tungstenite elsewhere.

#[cfg(feature = "deflate")]
mod compression;
mod foreign;
mod stripped;

use crate::support::client::transcript;
use crate::support::dice::Dice;
use crate::support::frames::{BINARY, CLOSE, CONTINUATION, PING, PONG, Said, TEXT, close, fragment, handshake, text};
use crate::support::{Client, Site, WsClient, frame, login, ms};
use squall::config::Limits;
use std::io::Write;
use std::time::Duration;

#[test]
fn the_handshake_is_that_of_the_rfc() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    client.send(
        "GET /echo HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://server.example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let expected = "HTTP/1.1 101 Switching Protocols\r\nServer: squall\r\nDate: *\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(transcript(client.response().head.as_bytes()), expected);
}

#[test]
fn a_frame_by_hand_is_echoed_byte_by_byte() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    // RFC 6455 section 5.7: "A single-frame masked text message", and an unmasked one as the answer.
    for byte in [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58] {
        echo.send([byte]);
    }
    assert_eq!(echo.client.take(7), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
}

#[test]
fn refusals_come_in_their_order_400_426_403_401() {
    let site = Site::with_defaults();
    let good = handshake("/chat/", "");
    let bad_key = |wire: &str| wire.replace("dGhlIHNhbXBsZSBub25jZQ==", "short");
    let bad_version = |wire: &str| wire.replace("Version: 13", "Version: 8");
    let bad_origin = |wire: &str| wire.replace("Host: squall\r\n", "Host: squall\r\nOrigin: http://evil.example\r\n");
    let ask = |wire: &str| Client::connect(site.address).ask(wire);
    assert_eq!(ask(&bad_key(&bad_version(&bad_origin(&good)))).status, 400);
    let version = ask(&bad_version(&bad_origin(&good)));
    assert_eq!(version.status, 426);
    assert_eq!((version.field("upgrade"), version.field("connection")), (Some("websocket"), Some("Upgrade")));
    assert_eq!(version.field("sec-websocket-version"), Some("13"));
    let origin = ask(&bad_origin(&good));
    assert_eq!(origin.status, 403);
    assert!(origin.text().contains("http://evil.example") && origin.text().contains("squall"), "{}", origin.text());
    assert_eq!(ask(&good).status, 401);
    let cookie = login(site.address, "ann");
    assert_eq!(ask(&handshake("/chat/", &format!("Cookie: {cookie}\r\n"))).status, 101);
}

#[test]
fn echo_without_upgrade_is_426_and_http_goes_on() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    let plain = client.ask("GET /echo HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!((plain.status, plain.field("upgrade")), (426, Some("websocket")));
    assert_eq!(client.ask(handshake("/echo", "").replace("Version: 13", "Version: 12")).status, 426);
    assert_eq!(client.ask(handshake("/chat/", "")).status, 401);
    assert_eq!(client.ask(handshake("/plaintext", "")).body, b"Hello, World!", "a page does not upgrade");
    let mut echo = WsClient::switch(client, "/echo", "");
    echo.say("still the same connection");
    assert_eq!(echo.heard(), text("still the same connection"));
}

#[test]
fn bytes_behind_the_handshake_are_the_first_frames() {
    let site = Site::with_defaults();
    let wire = [handshake("/echo", "").into_bytes(), frame(TEXT, "one"), frame(BINARY, [2])].concat();
    for split in (1..wire.len()).step_by(7).chain([wire.len()]) {
        let mut client = Client::connect(site.address);
        client.send(&wire[..split]);
        client.send(&wire[split..]);
        let response = client.response();
        let mut echo = WsClient { client, response };
        assert_eq!((echo.heard(), echo.heard()), (text("one"), Said::Binary(vec![2])), "split at {split}");
    }
}

#[test]
fn handshake_after_a_slow_request_waits_with_its_frames() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    let sleep = "GET /sleep?seconds=0.1 HTTP/1.1\r\nHost: squall\r\n\r\n";
    client.send([sleep.as_bytes(), handshake("/echo", "").as_bytes(), &frame(TEXT, "one")].concat());
    assert_eq!(client.response().status, 200);
    let response = client.response();
    let mut echo = WsClient { client, response };
    assert_eq!((echo.response.status, echo.heard()), (101, text("one")));
}

#[test]
fn rest_of_a_refused_message_is_discarded() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    let large = frame(BINARY, vec![0; (16 << 20) + 1]);
    echo.send(&large[..14]);
    assert!(matches!(echo.heard(), Said::Close(Some(1009), _)));
    // A reset now would take the Close frame with it, on systems that are not as kind as ours.
    echo.send(&large[14..2 << 20]);
    echo.client.finish();
    echo.client.closed();
    site.wait_until_empty();
}

#[test]
fn messages_of_all_header_sizes_are_echoed_in_kind() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 300_000] {
        echo.send(frame(BINARY, vec![7; length]));
        assert!(echo.heard() == Said::Binary(vec![7; length]), "{length} bytes");
        echo.send(frame(TEXT, "x".repeat(length)));
        assert!(echo.heard() == Said::Text("x".repeat(length)), "{length} bytes");
    }
}

#[test]
fn pings_are_answered_between_the_fragments_of_a_message() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    echo.send(fragment(TEXT, false, "h\u{e9}".as_bytes().split_at(2).0));
    echo.send(frame(PING, "?"));
    assert_eq!(echo.heard(), Said::Pong(b"?".to_vec()));
    echo.send(fragment(CONTINUATION, false, "h\u{e9}".as_bytes().split_at(2).1));
    echo.send(frame(PONG, "unasked"));
    echo.send(fragment(CONTINUATION, false, ""));
    echo.send(fragment(CONTINUATION, true, "llo"));
    assert_eq!(echo.heard(), text("h\u{e9}llo"));
}

#[test]
fn sixteen_mebibytes_are_echoed_in_one_frame_or_many() {
    let site = Site::with_defaults();
    let message = Dice::new(1).noise(16 << 20);
    let whole = frame(BINARY, &message);
    let pieces = message.chunks(message.len().div_ceil(1000)).enumerate();
    let last = message.len().div_ceil(message.len().div_ceil(1000)) - 1;
    let fragments: Vec<u8> =
        pieces.flat_map(|(n, piece)| fragment(if n == 0 { BINARY } else { CONTINUATION }, n == last, piece)).collect();
    for wire in [whole, fragments] {
        let mut echo = WsClient::echo(site.address);
        echo.send(wire);
        assert!(echo.heard() == Said::Binary(message.clone()));
        drop(echo);
    }
    site.wait_until_empty();
}

#[test]
fn one_byte_more_closes_with_1009() {
    let site = Site::start(Limits { echo_message_bytes_max: 1000, ..Limits::default() }, &[]);
    let mut echo = WsClient::echo(site.address);
    echo.send(frame(BINARY, [0; 1000]));
    assert_eq!(echo.heard(), Said::Binary(vec![0; 1000]));
    echo.send(frame(BINARY, [0; 1001]));
    assert_eq!(echo.dismissed(), 1009);

    let mut echo = WsClient::echo(site.address);
    echo.send([fragment(TEXT, false, "x".repeat(600)), fragment(CONTINUATION, true, "x".repeat(401))].concat());
    assert_eq!(echo.dismissed(), 1009);

    let mut echo = WsClient::echo(site.address);
    echo.send([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(echo.dismissed(), 1002 | 1009), "no such length");
}

#[test]
fn the_limit_of_16_mebibytes_is_known_from_the_header() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    let mut header = vec![0x82, 0xff];
    header.extend_from_slice(&(16 * 1024 * 1024 + 1u64).to_be_bytes());
    echo.send([header, vec![1, 2, 3, 4]].concat());
    assert_eq!(echo.dismissed(), 1009);
}

#[test]
fn bad_utf_8_closes_with_1007_as_soon_as_it_is_seen() {
    let site = Site::with_defaults();
    for wire in [
        frame(TEXT, [b'h', 0xff]),
        frame(TEXT, [0xed, 0xa0, 0x80]),
        [fragment(TEXT, false, [0xe2, 0x82]), fragment(CONTINUATION, true, [0x28])].concat(),
        fragment(TEXT, false, [0xc0]),
        [fragment(TEXT, false, [0xe2, 0x82]), fragment(CONTINUATION, true, [])].concat(),
        frame(CLOSE, [0x03, 0xe8, 0xff]),
    ] {
        let mut echo = WsClient::echo(site.address);
        echo.send(&wire);
        assert_eq!(echo.dismissed(), 1007, "{wire:x?}");
    }
    site.wait_until_empty();
}

#[test]
fn a_breach_of_protocol_closes_with_1002() {
    let site = Site::with_defaults();
    for (wire, what) in [
        (b"\x81\x02hi".to_vec(), "no mask"),
        (b"\xc1\x80mask".to_vec(), "a reserved bit"),
        (b"\x83\x80mask".to_vec(), "an unknown opcode"),
        (b"\x8b\x80mask".to_vec(), "an unknown control opcode"),
        (b"\x09\x80mask".to_vec(), "a ping in fragments"),
        (b"\x89\xfe\x00\x7e".to_vec(), "a ping of 126 bytes"),
        (frame(CONTINUATION, "x"), "a continuation of nothing"),
        ([fragment(TEXT, false, "x"), frame(TEXT, "y")].concat(), "a message in a message"),
        (frame(CLOSE, [3]), "half a close code"),
        (close(1005, ""), "a close code that is never sent"),
        (close(1006, ""), "another one"),
        (close(999, ""), "no close code"),
        (close(5000, ""), "no close code either"),
        (b"\x81\xfe\x00\x01mask".to_vec(), "a length that is longer than it needs to be"),
    ] {
        let mut echo = WsClient::echo(site.address);
        echo.send(&wire);
        assert_eq!(echo.dismissed(), 1002, "{what}");
    }
    site.wait_until_empty();
}

#[test]
fn close_is_answered_with_its_code_and_the_socket_closed() {
    let site = Site::with_defaults();
    for code in [1000, 1001, 1003, 1011, 3000, 4999] {
        let mut echo = WsClient::echo(site.address);
        echo.send([frame(TEXT, "last"), close(code, "reason"), frame(TEXT, "not heard")].concat());
        assert_eq!((echo.heard(), echo.heard()), (text("last"), Said::Close(Some(code), String::new())));
        echo.client.closed();
    }
    let mut echo = WsClient::echo(site.address);
    echo.send(frame(CLOSE, ""));
    assert_eq!(echo.heard(), Said::Close(None, String::new()));
    echo.client.closed();
    site.wait_until_empty();
}

#[test]
fn a_close_between_two_fragments_counts() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    echo.send([fragment(TEXT, false, "half"), close(1000, "")].concat());
    assert_eq!(echo.heard(), Said::Close(Some(1000), String::new()));
    echo.client.closed();
}

#[test]
fn the_server_pings_and_a_pong_keeps_the_connection() {
    let site = Site::start(Limits { ping_every: ms(50), silent_for: ms(400), ..Limits::default() }, &[]);
    let mut echo = WsClient::echo(site.address);
    for _ in 0..20 {
        assert_eq!(echo.heard(), Said::Ping(vec![]));
        echo.send(frame(PONG, ""));
    }
    echo.say("alive");
    loop {
        match echo.heard() {
            Said::Ping(_) => {}
            heard => break assert_eq!(heard, text("alive")),
        }
    }
}

#[test]
fn a_silent_peer_is_closed_with_1001_and_dropped() {
    let limits = Limits { ping_every: ms(50), silent_for: ms(200), close_within: ms(100), ..Limits::default() };
    let site = Site::start(limits, &[]);
    let mut echo = WsClient::echo(site.address);
    let mut pings = 0;
    loop {
        match echo.heard() {
            Said::Ping(_) => pings += 1,
            heard => break assert_eq!(heard, Said::Close(Some(1001), "no answer to pings".into())),
        }
    }
    assert!(pings > 0);
    echo.client.closed();
    site.wait_until_empty();
}

#[test]
fn while_output_is_clogged_only_the_latest_ping_is_answered() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    // Echoes until the socket is full: the rest waits, but stays below high water, so that the pings are read.
    let payload = vec![7; 50_000];
    let mut sent = 0;
    while site.counts().booked == 0 {
        echo.send(frame(BINARY, &payload));
        sent += 1;
        let before = std::time::Instant::now();
        while site.counts().booked == 0 && before.elapsed() < ms(20) {
            std::thread::sleep(ms(1));
        }
    }
    for n in 0..100 {
        echo.send(frame(PING, n.to_string()));
    }
    // The server has seen them all once it has seen this.
    echo.send(frame(TEXT, "end"));
    let mut pongs = Vec::new();
    loop {
        match echo.heard() {
            Said::Binary(bytes) => {
                assert_eq!(bytes.len(), payload.len());
                sent -= 1;
            }
            Said::Pong(payload) => pongs.push(String::from_utf8(payload).unwrap()),
            Said::Text(end) => break assert_eq!(end, "end"),
            heard => panic!("{heard:?}"),
        }
    }
    if pongs.is_empty() {
        let Said::Pong(payload) = echo.heard() else { panic!("the latest ping is answered") };
        pongs.push(String::from_utf8(payload).unwrap());
    }
    assert_eq!((sent, pongs.as_slice()), (0, ["99".to_owned()].as_slice()));
}

#[test]
fn an_unread_echo_stops_reading() {
    let site = Site::with_defaults();
    let mut echo = WsClient::echo(site.address);
    echo.client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let message = frame(BINARY, vec![7; 60_000]);
    let mut sent = 0;
    while let Ok(n) = echo.client.stream.write(&message) {
        sent += n;
        assert!(sent < 200 << 20, "the server takes everything");
        if n < message.len() {
            break;
        }
    }
    let booked = site.counts().booked;
    assert!(booked < 1 << 20, "{booked} bytes are held");
    assert_eq!(echo.heard(), Said::Binary(vec![7; 60_000]));
    drop(echo);
    site.wait_until_empty();
}
