use crate::config::Limits;
use crate::event::{Blocking, Body, Effect, Event, Response};
use crate::id::FeedId;
use crate::site::testing::{ALICE, Bench, HTML, answer, conn, field, text, words};
use std::time::Duration;

const UPGRADE: &str = "Upgrade: websocket";
const CONNECTION: &str = "Connection: Upgrade";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const VERSION: &str = "Sec-WebSocket-Version: 13";
const HANDSHAKE: [&str; 4] = [UPGRADE, CONNECTION, KEY, VERSION];
/// What belongs to [`KEY`] (RFC 6455 section 1.3).
const ACCEPT: [u8; 28] = *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn status(line: &str) -> u16 {
    answer(&Bench::new().ask(conn(0), line, &[])).status
}

fn allow(line: &str) -> Option<String> {
    let out = Bench::new().ask(conn(0), line, &[]);
    field(answer(&out), "Allow").map(str::to_owned)
}

#[test]
fn small_answers_are_exactly_these() {
    let mut bench = Bench::new();
    let respond = |response| [Effect::Respond(conn(0), response)];
    let hello = Response::new(200, "text/plain", Body::Static(b"Hello, World!"));
    assert_eq!(bench.ask(conn(0), "GET /plaintext", &[]).list, respond(hello));
    assert_eq!(bench.ask(conn(0), "GET /healthz", &[]).list, respond(Response::text(200, "ok\n")));
    assert_eq!(bench.ask(conn(0), "GET /chat", &[]).list, respond(Response::redirect(308, "/chat/")));
}

#[test]
fn every_page_is_there() {
    for (path, title) in [("/", "<h1>Everybody at once"), ("/login", "<form method=\"post\""), ("/search", "<form")] {
        let out = Bench::new().ask(conn(0), &format!("GET {path}"), &[]);
        assert_eq!((answer(&out).status, &*answer(&out).content_type), (200, "text/html; charset=utf-8"), "{path}");
        assert!(text(answer(&out)).contains(title), "{path}");
    }
    for path in ["/favicon.ico", "/static/chat.js", "/search?wd=", "/search?wd=+%20", "/?x=y"] {
        assert_eq!(status(&format!("GET {path}")), 200, "{path}");
    }
}

#[test]
fn the_chat_page_is_for_those_with_a_name() {
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), "GET /chat/", &[]);
    let login = Response::redirect(303, "/login?next=/chat/").header("Cache-Control", "no-store");
    assert_eq!(out.list, [Effect::Respond(conn(0), login)]);
    let out = bench.ask(conn(0), "GET /chat/", &[ALICE]);
    assert_eq!((answer(&out).status, field(answer(&out), "Cache-Control")), (200, Some("private, no-store")));
    assert!(text(answer(&out)).contains("alice"));
}

#[test]
fn head_goes_where_get_goes() {
    let paths = ["/", "/login", "/chat/", "/chat", "/search", "/plaintext", "/healthz", "/favicon.ico", "/nowhere"];
    let others = ["/sleep", "/sleep?seconds=x", "/static/none", "/block?seconds=1", "/echo"];
    for path in paths.iter().chain(&others) {
        let mut bench = Bench::with(|settings| settings.lab = true);
        let get = bench.ask(conn(0), &format!("GET {path}"), &[]);
        let head = bench.ask(conn(0), &format!("HEAD {path}"), &[]);
        assert_eq!(head.list, get.list, "{path}");
    }
    assert_eq!(status("HEAD /logout"), 405);
}

#[test]
fn an_unknown_path_is_404_in_words_or_as_a_page() {
    for path in ["/nowhere", "/Chat/", "/chat//", "//", "/static", "/staticx", "/login/", "/index.html", "/pages/x"] {
        assert_eq!(status(&format!("GET {path}")), 404, "{path}");
    }
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), "GET /nowhere", &[]);
    assert_eq!(out.list, [Effect::Respond(conn(0), words(404, "There is no such page.\n"))]);
    let out = bench.ask(conn(0), "GET /nowhere", &[HTML]);
    assert_eq!((answer(&out).status, &*answer(&out).content_type), (404, "text/html; charset=utf-8"));
    assert!(text(answer(&out)).contains("There is no such page."));
}

#[test]
fn a_known_path_with_another_method_is_405_and_says_which_there_are() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        for path in ["/", "/plaintext", "/chat/", "/chat", "/echo", "/sleep", "/search", "/static/chat.js", "/healthz"]
        {
            let line = format!("{method} {path}");
            assert_eq!((status(&line), allow(&line).as_deref()), (405, Some("GET, HEAD, OPTIONS")), "{line}");
        }
    }
    assert_eq!((status("PUT /login"), allow("PUT /login").as_deref()), (405, Some("GET, HEAD, POST, OPTIONS")));
    assert_eq!((status("GET /logout"), allow("GET /logout").as_deref()), (405, Some("POST, OPTIONS")));
    assert_eq!(status("DELETE /nowhere"), 404);
}

#[test]
fn an_unknown_method_is_501_everywhere() {
    for line in ["BREW /", "BREW /nowhere", "get /", "CONNECT squall.test:80"] {
        assert_eq!(status(line), 501, "{line}");
    }
}

#[test]
fn options_says_what_a_path_answers_to() {
    for (line, methods) in [
        ("OPTIONS *", "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS /", "GET, HEAD, OPTIONS"),
        ("OPTIONS /login", "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS /logout", "POST, OPTIONS"),
    ] {
        let response = Response::new(204, "", Body::Static(b"")).header("Allow", methods);
        assert_eq!(Bench::new().ask(conn(0), line, &[]).list, [Effect::Respond(conn(0), response)], "{line}");
    }
    assert_eq!(status("OPTIONS /nowhere"), 404);
}

#[test]
fn a_path_may_be_percent_encoded() {
    assert_eq!(status("GET /plain%74ext"), 200);
    assert_eq!(status("GET /%63hat"), 308);
    assert_eq!(status("GET /static/chat%2Ejs"), 200);
    for path in ["/%", "/%zz", "/%2f", "/static/%2e%2e/pages/base.html", "/static/%00", "/plaintext%2f", "/%ff"] {
        assert_eq!(status(&format!("GET {path}")), 404, "{path}");
    }
}

#[test]
fn the_blocking_contrasts_are_in_the_lab_only() {
    for path in ["/block", "/block?seconds=1", "/search-sync", "/search-sync?wd=x"] {
        assert_eq!(status(&format!("GET {path}")), 404, "{path}");
    }
    let mut bench = Bench::with(|settings| settings.lab = true);
    let out = bench.ask(conn(0), "GET /block?seconds=1", &[]);
    assert_eq!(out.list, [Effect::RunBlocking(conn(0), Blocking::Sleep(Duration::from_secs(1)))]);
    let out = bench.ask(conn(1), "GET /search-sync?wd=x", &[]);
    assert!(matches!(&out.list[..], [Effect::RunBlocking(_, Blocking::Fetch(_))]), "{:?}", out.list);
    assert_eq!(answer(&bench.ask(conn(2), "GET /search-sync", &[])).status, 200, "the form");
}

#[test]
fn the_checks_of_an_upgrade_come_in_their_order() {
    let mut bench = Bench::new();
    let foreign = "Origin: http://evil.test";
    let mut check = |fields: &[&str]| {
        let out = bench.ask(conn(0), "GET /chat/", &[&[UPGRADE, CONNECTION], fields].concat());
        answer(&out).clone()
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
fn whoever_passes_the_checks_is_upgraded_and_enters() {
    let fields = [&HANDSHAKE[..], &["Origin: http://squall.test", ALICE]].concat();
    let out = Bench::new().ask(conn(0), "GET /chat/", &fields);
    let message_bytes_max = Limits::default().chat_message_bytes_max;
    let entered = [
        Effect::Upgrade { to: conn(0), accept: ACCEPT, compression: None, message_bytes_max },
        Effect::Join(conn(0), FeedId(0)),
        Effect::Publish(FeedId(0), 0..16),
    ];
    assert_eq!((&out.list[..], &out.bytes[..]), (&entered[..], &b"alice enter room"[..]));
}

#[test]
fn an_origin_is_ours_by_authority_or_by_permission() {
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
fn echo_is_a_websocket_for_everybody() {
    let mut bench = Bench::new();
    let message_bytes_max = Limits::default().echo_message_bytes_max;
    let out = bench.ask(conn(0), "GET /echo", &HANDSHAKE);
    assert_eq!(out.list, [Effect::Upgrade { to: conn(0), accept: ACCEPT, compression: None, message_bytes_max }]);
    assert!(bench.tell(conn(0), Event::Left).list.is_empty());
    for fields in [&[][..], &[HTML]] {
        let out = bench.ask(conn(0), "GET /echo", fields);
        assert_eq!((answer(&out).status, field(answer(&out), "Upgrade")), (426, Some("websocket")), "{fields:?}");
        assert_eq!(field(answer(&out), "Connection"), Some("Upgrade"));
        assert_eq!(field(answer(&out), "Sec-WebSocket-Version"), Some("13"));
        assert_eq!(text(answer(&out)).contains("<h1>This address speaks WebSocket</h1>"), !fields.is_empty());
    }
    assert_eq!(answer(&bench.ask(conn(0), "HEAD /echo", &HANDSHAKE)).status, 400, "only GET can be upgraded");
}

#[test]
fn an_upgrade_that_is_not_asked_for_as_it_must_be_is_ignored() {
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
        assert_eq!(answer(&out).status, 426, "{version} {fields:?}");
        let out = Bench::new().ask(conn(0), &format!("GET /chat/ {version}"), &fields);
        assert_eq!(answer(&out).status, 200, "{version} {fields:?}");
        assert!(text(answer(&out)).contains("<section id=\"chat\""), "the page");
    }
}

#[test]
fn a_refused_upgrade_says_why_in_words() {
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), "GET /echo", &[UPGRADE, CONNECTION, VERSION]);
    let why = "This is not a WebSocket handshake: Sec-WebSocket-Key must be there once.\n";
    assert_eq!(out.list, [Effect::Respond(conn(0), words(400, why))]);
}

#[test]
fn a_draining_server_says_so_to_whoever_asks_for_its_health() {
    let mut bench = Bench::new();
    assert!(bench.tell(crate::id::ConnId::outside(0), Event::Draining).list.is_empty());
    let out = bench.ask(conn(0), "GET /healthz", &[]);
    assert_eq!(out.list, [Effect::Respond(conn(0), Response::text(503, "draining\n"))]);
    assert_eq!(answer(&bench.ask(conn(0), "GET /plaintext", &[])).status, 200, "what is under way is answered");
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on_and_a_room_keeps_no_window() {
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
