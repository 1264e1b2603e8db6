use super::*;
use crate::id::FeedId;
use crate::site::testing::{ALICE, Bench, HTML, conn, field, response, text, words};

const UPGRADE: &str = "Upgrade: websocket";

const CONNECTION: &str = "Connection: Upgrade";

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

const VERSION: &str = "Sec-WebSocket-Version: 13";

const HANDSHAKE: [&str; 4] = [UPGRADE, CONNECTION, KEY, VERSION];

/// The value for [`KEY`] (RFC 6455 section 1.3).
const ACCEPT: [u8; 28] = *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[test]
fn the_checks_of_an_upgrade_come_in_their_order() {
    let mut bench = Bench::new();
    let foreign = "Origin: http://evil.test";
    let mut check = |fields: &[&str]| {
        let out = bench.ask(conn(0), "GET /chat/", &[&[UPGRADE, CONNECTION], fields].concat());
        response(&out).clone()
    };
    let response = check(&["Sec-WebSocket-Key: short", "Sec-WebSocket-Version: 8", foreign]);
    assert_eq!(response.status, 400);
    let response = check(&[KEY, "Sec-WebSocket-Version: 8", foreign]);
    assert_eq!(response.status, 426);
    assert_eq!(field(&response, "Upgrade"), Some("websocket"));
    assert_eq!(field(&response, "Connection"), Some("Upgrade"));
    assert_eq!(field(&response, "Sec-WebSocket-Version"), Some("13"));
    let response = check(&[KEY, VERSION, foreign]);
    let why = "The Origin http://evil.test is not the host squall.test that was asked.\n";
    assert_eq!(response, words(403, why));
    let response = check(&[KEY, VERSION, "Origin: http://squall.test"]);
    assert_eq!((response.status, text(&response).starts_with("Log in first")), (401, true));
    assert!(bench.site.chat.claim("alice").is_some_and(|claim| claim.is_first()));
}

#[test]
fn a_valid_upgrade_enters_the_chat() {
    let fields = [&HANDSHAKE[..], &["Origin: http://squall.test", ALICE]].concat();
    let out = Bench::new().ask(conn(0), "GET /chat/", &fields);
    let message_bytes_max = Limits::default().chat_message_bytes_max;
    let entered = [
        Effect::Upgrade { to: conn(0), accept: ACCEPT, subprotocol: None, compression: None, message_bytes_max },
        Effect::Join(conn(0), FeedId(0)),
        Effect::Publish(FeedId(0), 0..16),
    ];
    assert_eq!((&out.list[..], &out.bytes[..]), (&entered[..], &b"alice enter room"[..]));
}

#[test]
fn an_origin_must_be_ours_or_allowed() {
    let mut bench = Bench::with(|settings| settings.allow_origin = vec!["https://friend.test:8443".into()]);
    let mut is_taken = |origin: &str| {
        let out = bench.ask(conn(0), "GET /echo", &[&HANDSHAKE[..], &[origin]].concat());
        matches!(&out.list[..], [Effect::Upgrade { .. }])
    };
    for origin in ["http://squall.test", "https://SQUALL.test:443", "http://squall.test:80", "https://Friend.test:8443"]
    {
        assert!(is_taken(&format!("Origin: {origin}")), "{origin}");
    }
    for origin in [
        "null",
        "",
        "http://squall.test:8080",
        "http://friend.test:8443",
        "http://squall.test.evil.test",
        "ftp://squall.test",
        "https://friend.test:8443/",
    ] {
        assert!(!is_taken(&format!("Origin: {origin}")), "{origin}");
    }
    assert!(is_taken("X-No-Origin: 1"), "not a browser");
}

#[test]
fn echo_needs_no_login() {
    let mut bench = Bench::new();
    let message_bytes_max = Limits::default().echo_message_bytes_max;
    let out = bench.ask(conn(0), "GET /echo", &HANDSHAKE);
    assert_eq!(
        out.list,
        [Effect::Upgrade { to: conn(0), accept: ACCEPT, subprotocol: None, compression: None, message_bytes_max }]
    );
    assert!(bench.left(conn(0)).list.is_empty());
    for fields in [&[][..], &[HTML]] {
        let out = bench.ask(conn(0), "GET /echo", fields);
        assert_eq!((response(&out).status, field(response(&out), "Upgrade")), (426, Some("websocket")), "{fields:?}");
        assert_eq!(field(response(&out), "Connection"), Some("Upgrade"));
        assert_eq!(field(response(&out), "Sec-WebSocket-Version"), Some("13"));
        assert_eq!(text(response(&out)).contains("<h1>This address speaks WebSocket</h1>"), !fields.is_empty());
    }
    assert_eq!(response(&bench.ask(conn(0), "HEAD /echo", &HANDSHAKE)).status, 400, "only GET can be upgraded");
}

#[test]
fn an_incomplete_upgrade_request_is_ignored() {
    let whole = [KEY, VERSION, ALICE];
    for (version, fields) in [
        ("HTTP/1.1", &[UPGRADE][..]),
        ("HTTP/1.1", &[UPGRADE, "Connection: keep-alive"]),
        ("HTTP/1.1", &[CONNECTION]),
        ("HTTP/1.1", &["Upgrade: h2c", CONNECTION]),
        ("HTTP/1.0", &[UPGRADE, CONNECTION]),
    ] {
        let fields = [fields, &whole].concat();
        let out = Bench::new().ask(conn(0), &format!("GET /echo {version}"), &fields);
        assert_eq!(response(&out).status, 426, "{version} {fields:?}");
        let out = Bench::new().ask(conn(0), &format!("GET /chat/ {version}"), &fields);
        assert_eq!(response(&out).status, 200, "{version} {fields:?}");
        assert!(text(response(&out)).contains("<section id=\"chat\""), "the page");
    }
}

#[test]
fn a_refused_upgrade_names_the_reason() {
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), "GET /echo", &[UPGRADE, CONNECTION, VERSION]);
    let why = "This is not a WebSocket handshake: Sec-WebSocket-Key must be there once.\n";
    assert_eq!(out.list, [Effect::Respond(conn(0), words(400, why))]);
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_negotiated_without_windows_for_chat() {
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let agreed = |path: &str, fields: &[&str]| {
        let out = Bench::new().ask(conn(0), path, &[&HANDSHAKE[..], fields].concat());
        match &out.list[0] {
            Effect::Upgrade { compression, .. } => compression.map(|agreement| agreement.to_field()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(agreed("GET /echo", &[OFFER]).as_deref(), Some("permessage-deflate"));
    let shared = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(agreed("GET /chat/", &[OFFER, ALICE]).as_deref(), Some(shared));
    assert_eq!(agreed("GET /chat/", &[ALICE]), None);
}
