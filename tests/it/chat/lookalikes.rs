//! Names that show nothing, names that need an invisible character, and names that look like another one.

use super::enter;
use crate::support::client::post_login;
use crate::support::frames::{handshake, text};
use crate::support::{Client, Dir, Response, Site, WsClient, login};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use squall::clock::Now;
use squall::config::Limits;
use squall::site::cookie::Signer;

const SECRET: &[u8] = b"of a test, 32 bytes and no more.";

/// The name inside a login cookie.
fn name_in(cookie: &str) -> String {
    let value = cookie.split('|').nth(4).and_then(|field| field.split(':').nth(1)).expect("a signed cookie");
    String::from_utf8(STANDARD.decode(value).expect("base64")).expect("UTF-8")
}

#[track_caller]
fn get_with(site: &Site, target: &str, cookie: &str) -> Response {
    let head = format!("GET {target} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
    Client::connect(site.address).ask(head)
}

#[test]
fn a_name_has_no_character_that_shows_nothing() {
    let site = Site::with_defaults();
    let invisible = [
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{1160}',
        '\u{17b4}',
        '\u{180b}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{206a}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe00}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{fffc}',
        '\u{fffd}',
        '\u{1bca0}',
        '\u{1d159}',
        '\u{1d173}',
        '\u{13441}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{e0100}',
        '\u{e0fff}',
        '\u{e000}',
        '\u{ffff}',
        '\u{378}',
    ];
    for c in invisible {
        for name in [format!("{c}"), format!("{c}{c}"), format!("al{c}ice"), format!("alice{c}"), format!("{c}alice")] {
            let response = post_login(site.address, &name, "");
            assert_eq!((response.status, response.field("set-cookie")), (400, None), "{}", name.escape_unicode());
        }
    }
    assert_eq!(post_login(site.address, "al\u{2028}ice", "").status, 400, "a line separator inside");
    assert_eq!(post_login(site.address, "\u{301}alice", "").status, 400, "a mark with nothing below it");
}

#[test]
fn a_joiner_belongs_inside_words_and_emoji() {
    let site = Site::with_defaults();
    for name in [
        "می\u{200c}خواهم",                  // Persian
        "क्\u{200d}ष",                       // Hindi
        "क्\u{200c}त",                       // Hindi
        "ශ්\u{200d}රී",                       // Sinhala
        "👨\u{200d}👩\u{200d}👧\u{200d}👦", // family
        "🏳\u{fe0f}\u{200d}🌈",              // rainbow flag
        "👩🏽\u{200d}🚀",                     // with a skin tone
        "🧑🏻\u{200d}🦰",                     // red hair
        "👁\u{fe0f}\u{200d}🗨\u{fe0f}",       // eye in speech bubble
        "I ❤\u{fe0f} U",
        "☺\u{fe0e}",
        "1\u{fe0f}\u{20e3}",
        "🇨🇳",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    ] {
        assert_eq!(name_in(&login(site.address, name)), name, "{}", name.escape_unicode());
    }
    for name in [
        "a\u{200d}b",
        "a\u{200c}b",
        "د\u{200c}ب",
        "ب\u{200c}",
        "ب\u{200c}a",
        "ක\u{200d}ර",
        "👨\u{200d}",
        "\u{200d}👨",
        "👨\u{200d}\u{200d}👩",
        "👨\u{200d}a",
        "1\u{200d}2",
        "🇨\u{200d}🇳",
        "1\u{fe0f}",
        "a\u{fe0f}",
        "❤\u{fe0f}\u{fe0f}",
        "😀\u{e0067}\u{e0062}\u{e007f}",
        "🏴\u{e0067}\u{e0062}",
        "🏴\u{e0061}\u{e0062}\u{e0063}\u{e007f}",
    ] {
        assert_eq!(post_login(site.address, name, "").status, 400, "{}", name.escape_unicode());
    }
}

#[test]
fn a_name_is_kept_in_nfc_with_plain_spaces() {
    let site = Site::with_defaults();
    for (typed, kept) in [
        ("Jose\u{301}", "José"),
        ("\u{212b}ngstro\u{308}m", "Ångström"),
        ("\u{1112}\u{1161}\u{11ab}", "한"),
        ("q\u{323}\u{307}", "q\u{323}\u{307}"),
        ("山\u{3000}田", "山 田"),
        ("a\u{a0} \u{2009}b", "a b"),
        ("\u{a0} ann \u{3000}", "ann"),
    ] {
        assert_eq!(name_in(&login(site.address, typed)), kept, "{}", typed.escape_unicode());
    }
}

#[test]
fn a_character_is_what_people_count_as_one() {
    let site = Site::with_defaults();
    let family = "👨\u{200d}👩\u{200d}👧";
    for (name, status) in [
        ("क्षि".repeat(20), 303),
        ("x".repeat(32), 303),
        ("x".repeat(33), 400),
        ("e\u{301}\u{323}".repeat(32), 303),
        (family.repeat(10), 303),
        (family.repeat(20), 400),
        (format!("a{}", "\u{301}".repeat(200)), 400),
        ("é".repeat(100_000), 400),
    ] {
        assert_eq!(post_login(site.address, &name, "").status, status, "{} bytes", name.len());
    }
}

#[test]
fn a_name_that_looks_like_one_online_is_taken() {
    let files = Dir::new();
    files.write("secret", SECRET);
    let secret = files.path().join("secret");
    let site = Site::start(Limits::default(), &["--cookie-secret-file", secret.to_str().expect("text")]);
    let cookie = login(site.address, "alice");
    let _alice = enter(&site, "alice");
    for same in ["\u{430}lice", "Alice", "ALICE", "al\u{456}ce", "ａｌｉｃｅ", "a1ice", "𝐚𝐥𝐢𝐜𝐞", "\u{410}l\u{456}ce"]
    {
        assert_eq!(post_login(site.address, same, "").status, 409, "{same}");
        let own = format!("Cookie: {cookie}\r\n");
        assert_eq!(post_login(site.address, same, &own).status, 409, "{same}, of alice herself");
    }
    for other in ["alic", "alice b", "alíce", "bob"] {
        assert_eq!(post_login(site.address, other, "").status, 303, "{other}");
    }
    // The own name in a second window, with its login and its page.
    assert_eq!(post_login(site.address, "alice", &format!("Cookie: {cookie}\r\n")).status, 303);
    assert_eq!(get_with(&site, "/chat/", &cookie).status, 200);
    let mut second = WsClient::chat(site.address, &cookie);
    assert_eq!(second.heard(), text("alice enter room"));
    // A cookie of another application: the chat is closed to it while alice is there.
    let now = Now::read().wall.seconds();
    let foreign = format!("username={}", Signer::new(SECRET).sign("username", "\u{430}lice".as_bytes(), now));
    let refused = Client::connect(site.address).ask(handshake("/chat/", &format!("Cookie: {foreign}\r\n")));
    assert_eq!(refused.status, 409);
    let page = get_with(&site, "/chat/", &foreign);
    assert_eq!((page.status, page.field("location")), (303, Some("/login?next=/chat/")));
    assert!(get_with(&site, "/login?next=/chat/", &foreign).text().contains("looks like it"));
    drop(second);
    drop(_alice);
    site.wait_until_empty();
    assert_eq!(post_login(site.address, "\u{430}lice", "").status, 409, "it belongs to the browser of alice");
    let mut mallory = WsClient::chat(site.address, &foreign);
    assert_eq!(mallory.heard(), text("\u{430}lice enter room"));
    assert_eq!(post_login(site.address, "alice", "").status, 409);
}

#[test]
fn capitals_and_digits_look_alike_in_either_direction() {
    for (online, same) in [
        ("Ivan", "ivan"),
        ("ivan", "IVAN"),
        ("Ivan", "lvan"),
        ("lvan", "Ivan"),
        ("Mary", "mary"),
        ("mary", "rnary"),
        ("BOB", "b0b"),
        ("straße", "STRASSE"),
        ("ΣΑΣ", "σας"),
        ("José", "JOSE\u{301}"),
        ("❤", "❤\u{fe0f}"),
    ] {
        let site = Site::with_defaults();
        let _member = enter(&site, online);
        assert_eq!(post_login(site.address, same, "").status, 409, "{same} beside {online}");
    }
}
