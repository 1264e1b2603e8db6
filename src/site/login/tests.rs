mod claims;
mod gate;
mod operators;

use super::*;
use crate::clock::UnixTime;
use crate::event::{Effect, Effects};
use crate::site::testing::{ALICE, Bench, HTML, SECRET, THEN, ZHANG, conn, field, response, text, words};
use std::time::Duration;

const HANDSHAKE: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// The name that the site finds in a Cookie field.
fn name_in(bench: &mut Bench, cookie: &str) -> Option<String> {
    let out = bench.ask(conn(9), "GET /chat/", &[cookie]);
    let page = response(&out);
    if page.status == 303 {
        return None;
    }
    let names = ["alice", "张三"].into_iter().filter(|name| text(page).contains(name));
    Some(names.collect::<Vec<_>>().concat())
}

/// A Cookie field with this name, signed by us.
fn cookie(name: &str) -> String {
    let signer = crate::site::cookie::Signer::new(SECRET);
    format!("Cookie: username={}", signer.sign("username", name.as_bytes(), THEN))
}

fn enter(bench: &mut Bench, n: usize, cookie: &str) -> Effects {
    bench.ask(conn(n), "GET /chat/", &[&HANDSHAKE[..], &[cookie]].concat())
}

#[test]
fn a_login_is_a_cookie_and_a_redirect_to_the_chat() {
    let mut bench = Bench::new();
    let out = bench.post(conn(0), "/login", &[], "username=+alice%20");
    let signed = crate::site::cookie::Signer::new(SECRET).sign("username", b"alice", THEN);
    let set = format!("username={signed}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax");
    let response = Response::redirect(303, "/chat/").header("Set-Cookie", set).header("Cache-Control", "no-store");
    assert_eq!(out.list, [Effect::Respond(conn(0), response)]);
}

#[test]
fn the_cookie_of_a_login_is_good_on_the_next_request() {
    let mut bench = Bench::new();
    let out = bench.post(conn(0), "/login", &[], "username=%E5%BC%A0%E4%B8%89");
    let set = field(response(&out), "Set-Cookie").expect("a cookie");
    let sent = format!("Cookie: x=1; {}", set.split(';').next().expect("the pair"));
    assert_eq!(name_in(&mut bench, &sent).as_deref(), Some("张三"));
}

#[test]
fn a_secure_site_sets_a_secure_cookie() {
    let mut bench = Bench::with(|settings| settings.cookie_secure = true);
    for (path, form) in [("/login", "username=alice"), ("/logout", "")] {
        let out = bench.post(conn(0), path, &[], form);
        assert!(field(response(&out), "Set-Cookie").expect("a cookie").ends_with("; Secure"), "{path}");
    }
}

#[test]
fn a_login_leads_to_next_if_that_is_a_local_path() {
    for (next, location) in [
        ("%2Fsearch%3Fwd%3Dx", "/search?wd=x"),
        ("", "/chat/"),
        ("http%3A%2F%2Fevil.test%2F", "/chat/"),
        ("%2F%2Fevil.test%2F", "/chat/"),
        ("%2F%0D%0ASet-Cookie%3A+x", "/chat/"),
    ] {
        let out = Bench::new().post(conn(0), "/login", &[], &format!("username=alice&next={next}"));
        assert_eq!((response(&out).status, field(response(&out), "Location")), (303, Some(location)), "{next}");
    }
    let out = Bench::new().ask(conn(0), "GET /login?next=/search", &[]);
    assert!(text(response(&out)).contains("name=\"next\" value=\"&#x2f;search\""));
}

#[test]
fn each_bad_name_is_400_with_the_form_and_the_reason() {
    let long = format!("username={}", "x".repeat(33));
    for (form, reason) in [
        ("", "Please type a name."),
        ("username=%20%E3%80%80", "Please type a name."),
        (&*long, "longer than 32 characters"),
        ("username=a:b", "cannot contain a colon"),
        ("username=a%E3%85%A4b", "does not show"),
        ("username=a%00b", "cannot contain a colon"),
    ] {
        let out = Bench::new().post(conn(0), "/login", &[HTML], form);
        let response = response(&out);
        assert_eq!((response.status, field(response, "Set-Cookie")), (400, None), "{form}");
        assert!(text(response).contains(reason) && text(response).contains("<form"), "{form}");
    }
}

#[test]
fn a_name_that_is_online_is_409_for_all_but_its_owner() {
    let mut bench = Bench::new();
    assert_eq!(enter(&mut bench, 0, ALICE).list.len(), 3);
    for fields in [&[][..], &[ZHANG]] {
        let out = bench.post(conn(1), "/login", fields, "username=alice");
        assert_eq!((response(&out).status, field(response(&out), "Set-Cookie")), (409, None));
        assert!(text(response(&out)).contains("value=\"alice\""), "the form keeps what was typed");
    }
    assert_eq!(response(&bench.post(conn(1), "/login", &[ALICE], "username=alice")).status, 303);
    assert_eq!(response(&bench.post(conn(1), "/login", &[], "username=Alice")).status, 409, "it looks like it");
}

#[test]
fn a_form_of_a_foreign_page_is_403_with_both_hosts() {
    let why = "The Origin http://evil.test is not the host squall.test that was asked.\n";
    for path in ["/login", "/logout"] {
        let out = Bench::new().post(conn(0), path, &["Origin: http://evil.test", ALICE], "username=mallory");
        assert_eq!(out.list, [Effect::Respond(conn(0), words(403, why))], "{path}");
        let out = Bench::new().post(conn(0), path, &["Origin: http://squall.test"], "username=alice");
        assert_eq!(response(&out).status, 303, "{path}");
    }
}

#[test]
fn a_body_that_is_no_form_is_refused_with_the_reason() {
    for (field, form, status, why) in [
        (
            "Content-Type: application/json",
            "{}",
            415,
            "A form is sent as application/x-www-form-urlencoded, not as application/json.\n",
        ),
        ("Content-Encoding: gzip", "username=a", 415, "A form is sent in the coding identity, not in gzip.\n"),
        ("Accept: */*", "username=%ff", 400, "A parameter is not text in UTF-8.\n"),
    ] {
        let out = Bench::new().post(conn(0), "/login", &[field], form);
        assert_eq!((response(&out).status, text(response(&out))), (status, why));
    }
}

#[test]
fn a_logout_clears_the_cookie_even_without_one() {
    let clear = "username=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax";
    for fields in [&[][..], &[ALICE]] {
        let out = Bench::new().post(conn(0), "/logout", fields, "whatever=%%%");
        let response = Response::redirect(303, "/").header("Set-Cookie", clear);
        assert_eq!(out.list, [Effect::Respond(conn(0), response)]);
    }
}

#[test]
fn a_cookie_that_tornado_signed_counts_until_it_is_30_days_old() {
    let mut bench = Bench::new();
    assert_eq!(name_in(&mut bench, ALICE).as_deref(), Some("alice"));
    assert_eq!(name_in(&mut bench, ZHANG).as_deref(), Some("张三"));
    bench.later(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(name_in(&mut bench, ALICE).as_deref(), Some("alice"));
    bench.later(Duration::from_secs(1));
    assert_eq!(name_in(&mut bench, ALICE), None);
}

#[test]
fn an_unsigned_cookie_counts_as_none() {
    let forged = ALICE.replace("YWxpY2U=", "YWxpY2V=");
    for cookie in ["Cookie: username=alice", "Cookie: username=", &forged, "Cookie: user=alice"] {
        assert_eq!(name_in(&mut Bench::new(), cookie), None, "{cookie}");
    }
}

#[test]
fn a_valid_cookie_with_an_unacceptable_name_counts_as_none() {
    let mut bench = Bench::new();
    assert_eq!(name_in(&mut bench, &cookie("alice")).as_deref(), Some("alice"));
    for name in ["", " alice", "a:b", "a\nb", &"x".repeat(33), "a\u{202e}b", "\u{3164}", "a\u{301}", "a  b", "a\u{a0}b"]
    {
        assert_eq!(name_in(&mut bench, &cookie(name)), None, "{name:?}");
        let out = enter(&mut bench, 0, &cookie(name));
        assert_eq!(response(&out).status, 401, "{name:?}");
    }
    let signer = crate::site::cookie::Signer::new(SECRET);
    let not_text = format!("Cookie: username={}", signer.sign("username", b"\xff", THEN));
    assert_eq!(name_in(&mut bench, &not_text), None);
}

/// The Cookie field of a login of alice now.
fn log_in(bench: &mut Bench) -> String {
    let out = bench.post(conn(0), "/login", &[], "username=alice");
    let set = field(response(&out), "Set-Cookie").expect("a cookie").to_owned();
    format!("Cookie: {}", set.split(';').next().expect("the pair"))
}

/// The wall clock is set; no time passes.
fn set_clock(bench: &mut Bench, days_after_then: i64) {
    let seconds = THEN as i64 + days_after_then * 86_400;
    bench.now.wall = UnixTime::from_seconds(seconds as u64).into();
}

#[test]
fn a_cookie_has_the_time_of_its_signing_not_of_the_start() {
    // A board without a battery starts in the past, and its clock is set later.
    let mut bench = Bench::new();
    set_clock(&mut bench, -400);
    let early = log_in(&mut bench);
    // The name is free again.
    bench.store = crate::site::testing::memory();
    set_clock(&mut bench, 0);
    let late = log_in(&mut bench);
    assert!(late.contains("|10:1700000000|") && early.contains("|10:1665440000|"), "{early} {late}");
    assert_eq!(name_in(&mut bench, &early), None, "it is 400 days old now");
    assert_eq!(name_in(&mut bench, &late).as_deref(), Some("alice"));
}

#[test]
fn a_cookie_is_judged_by_the_wall_clock_of_its_request() {
    for (days, is_good) in [(1, true), (29, true), (40, false), (400_000, false), (-1, true), (-400, true)] {
        let mut bench = Bench::new();
        let cookie = log_in(&mut bench);
        // The clock was put forward, or the machine slept: the monotonic clock stands still in both.
        set_clock(&mut bench, days);
        assert_eq!(name_in(&mut bench, &cookie).is_some(), is_good, "after {days} days");
    }
}

#[test]
fn a_stopped_wall_clock_keeps_a_cookie_good() {
    let mut bench = Bench::new();
    let cookie = log_in(&mut bench);
    bench.now.instant += Duration::from_secs(40 * 86_400);
    assert_eq!(name_in(&mut bench, &cookie).as_deref(), Some("alice"));
}

#[test]
fn a_clock_at_its_ends_signs_and_checks() {
    for wall in [UnixTime::from_seconds(0), UnixTime::LAST] {
        let mut bench = Bench::new();
        bench.now.wall = wall.into();
        let cookie = log_in(&mut bench);
        assert_eq!(name_in(&mut bench, &cookie).as_deref(), Some("alice"), "{wall}");
    }
}
