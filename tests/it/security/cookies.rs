//! The login cookie, forged, stale, moved, doubled and stretched.

use super::ask;
use crate::support::{Dir, Site};
use squall::config::Limits;
use squall::site::cookie::Signer;
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &[u8] = b"a secret that only this test knows";
const DAY: u64 = 24 * 3600;

/// A server with [`SECRET`], and what time it is.
fn start() -> (Site, Dir, u64) {
    let files = Dir::new();
    files.write("secret", SECRET);
    let file = files.path().join("secret");
    let site = Site::start(Limits::default(), &["--cookie-secret-file", file.to_str().unwrap()]);
    (site, files, SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// Whether these Cookie fields open the chat page; else they lead to the login.
#[track_caller]
fn opens(site: &Site, fields: &str) -> bool {
    let response = ask(site.address, "GET /chat/", fields);
    assert!(response.status == 200 || response.field("location") == Some("/login?next=/chat/"), "{}", response.head);
    response.status == 200
}

#[test]
fn no_forged_or_stale_cookie_opens_the_chat() {
    let (site, _files, now) = start();
    let good = Signer::new(SECRET).sign("username", b"ann", now);
    assert!(opens(&site, &format!("Cookie: username={good}\r\n")));
    let (message, mac) = good.split_at(good.len() - 64);
    let sign = |name: &str, value: &[u8], at: u64| Signer::new(SECRET).sign(name, value, at);
    let mut forged = vec![
        sign("username", b"ann", now - 32 * DAY),
        sign("user", b"ann", now),
        sign("username", b"a:b", now),
        sign("username", b"\xff", now),
        sign("username", b"", now),
        Signer::new(b"").sign("username", b"ann", now),
        Signer::new(&SECRET[1..]).sign("username", b"ann", now),
        good.replacen("2|", "1|", 1),
        good.replacen("1:0", "1:1", 1),
        good.replacen("1:0", "01:0", 1),
        good.replacen("1:0", "+1:0", 1),
        good.replacen("8:username", "99999999999999999999:username", 1),
        good.replacen("8:username", "-8:username", 1),
        good.replacen("YW5u", "Ym9i", 1),
        format!("{message}{}", mac.to_uppercase()),
        format!("{message}{}", "0".repeat(64)),
        format!("{good}|"),
        format!("{good}0"),
        "ann".into(),
        "YW5u|1700000000|0123456789abcdef0123456789abcdef01234567".into(),
        "2|".repeat(4_000),
        "9".repeat(15_000),
    ];
    forged.extend((0..good.len()).map(|n| good[..n].to_owned()));
    for value in &forged {
        assert!(!opens(&site, &format!("Cookie: username={value}\r\n")), "{value}");
    }
}

#[test]
fn last_cookie_of_a_name_counts() {
    let (site, _files, now) = start();
    let good = Signer::new(SECRET).sign("username", b"ann", now);
    for (fields, expected) in [
        (format!("Cookie: username=x; username={good}\r\n"), true),
        (format!("Cookie: username={good}; username=x\r\n"), false),
        (format!("Cookie: username={good}\r\nCookie: username=x\r\n"), false),
        (format!("Cookie: username=x\r\nCookie: username={good}\r\n"), true),
        (format!("Cookie: Username={good}\r\n"), false),
        (format!("Cookie: a=b; username2={good}; xusername={good}\r\n"), false),
    ] {
        assert_eq!(opens(&site, &fields), expected, "{fields}");
    }
}

#[test]
fn login_always_signs_a_new_cookie() {
    let (site, _files, now) = start();
    let planted = Signer::new(SECRET).sign("username", b"mallory", now);
    let fields = format!("Cookie: username={planted}\r\n");
    let response = super::post(site.address, "/login", &fields, "username=ann");
    let cookie = response.field("set-cookie").unwrap();
    assert!(cookie.contains("|8:username|4:YW5u|") && cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    let bad = super::post(site.address, "/login", &fields, "username=a%3Ab");
    assert_eq!((bad.status, bad.field("set-cookie")), (400, None), "nothing is renewed for who has failed");
}
