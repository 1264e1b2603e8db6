//! A name belongs to the first cookie that has used it.

use super::*;
use crate::clock::UnixMillis;
use crate::event::Command;
use crate::store::{Act, Deed, Refusal, Store as _, Until};

/// The login of a browser without a cookie.
fn log_in_as(bench: &mut Bench, name: &str) -> Response {
    response(&bench.post(conn(7), "/login", &[], &format!("username={name}"))).clone()
}

/// The command that a request leaves for the store; nothing tells it.
fn command_of(bench: &mut Bench, line: &str, fields: &[&str]) -> Vec<Command> {
    crate::site::testing::with_request(line, fields, |request| {
        let mut out = Effects::default();
        crate::event::App::request(&mut bench.site, conn(7), request, b"username=alice", bench.now, &mut out);
        let commands = out.list.into_iter().filter_map(|effect| match effect {
            Effect::Store(_, command) => Some(command),
            _ => None,
        });
        commands.collect()
    })
}

/// An operator frees a name.
fn free(bench: &mut Bench, name: &str) {
    let deed = Deed::Free { name: name.into(), until: Until::Ever };
    let act = Act { at: bench.now.wall, by: "op".into(), room: "lobby".into(), deed };
    bench.store.submit(conn(8), Command::Record { act, nonce: None });
    while let Some((from, outcome)) = bench.store.take() {
        crate::event::App::stored(&mut bench.site, from, outcome, bench.now, &mut Effects::default());
    }
}

#[test]
fn a_name_is_its_first_browsers_also_when_that_is_away() {
    let mut bench = Bench::new();
    let alice = log_in(&mut bench);
    let taken = log_in_as(&mut bench, "alice");
    assert_eq!((taken.status, field(&taken, "Set-Cookie")), (409, None));
    assert!(text(&taken).contains("belongs to another browser") && text(&taken).contains("value=\"alice\""));
    assert_eq!(log_in_as(&mut bench, "Alice").status, 409, "it looks like it");
    assert_eq!(log_in_as(&mut bench, "bob").status, 303);
    assert_eq!(response(&bench.post(conn(1), "/login", &[&alice], "username=bob")).status, 409);
    assert_eq!(response(&bench.post(conn(1), "/login", &[&alice], "username=alice")).status, 303, "its own is renewed");
    assert_eq!(bench.pending(), 0);
}

#[test]
fn a_name_that_came_with_a_cookie_is_claimed_when_it_is_used() {
    for line in ["GET /api/rooms", "GET /api/rooms/lobby/messages"] {
        let mut bench = Bench::new();
        bench.ask(conn(0), line, &[ALICE]);
        assert_eq!(log_in_as(&mut bench, "alice").status, 409, "{line}");
    }
    let mut bench = Bench::new();
    enter(&mut bench, 0, ALICE);
    bench.left(conn(0));
    assert_eq!(log_in_as(&mut bench, "alice").status, 409);
    let mut bench = Bench::new();
    bench.ask(conn(0), "GET /chat/", &[ALICE]);
    assert_eq!(log_in_as(&mut bench, "alice").status, 303, "a page alone is no use");
}

#[test]
fn the_store_is_asked_once_an_hour_for_a_name_in_use() {
    let mut bench = Bench::new();
    let upgrade = [&HANDSHAKE[..], &[ALICE]].concat();
    assert!(matches!(&command_of(&mut bench, "GET /chat/", &upgrade)[..], [Command::Claim { .. }]));
    assert_eq!(command_of(&mut bench, "GET /chat/", &upgrade), []);
    let name = "alice".into();
    let lost = Outcome::Unclaimed { name, why: Refusal::Storage };
    crate::event::App::stored(&mut bench.site, ConnId::NONE, lost, bench.now, &mut Effects::default());
    assert_eq!(command_of(&mut bench, "GET /chat/", &upgrade).len(), 1, "what was not stored is repeated");
    bench.later(Duration::from_secs(3600));
    assert_eq!(command_of(&mut bench, "GET /chat/", &upgrade).len(), 1);
}

#[test]
fn a_login_waits_for_the_store_and_may_fail_with_it() {
    let mut bench = Bench::new();
    let claim = command_of(&mut bench, "POST /login", &[]);
    let (looks, signer) = (["alice".into(), "alice".into()], crate::site::cookie::Signer::new(SECRET).fingerprint());
    assert_eq!(claim, [Command::Claim { name: "alice".into(), looks, signer, at: bench.now.wall }]);
    assert_eq!(bench.pending(), 1);
    let mut out = Effects::default();
    let outcome = Outcome::Unclaimed { name: "alice".into(), why: Refusal::Storage };
    crate::event::App::stored(&mut bench.site, conn(7), outcome, bench.now, &mut out);
    let failed = response(&out);
    assert_eq!((failed.status, field(failed, "Retry-After"), bench.pending()), (503, Some("5"), 0));
    assert!(text(failed).contains("cannot be stored"));
    command_of(&mut bench, "POST /login", &[]);
    assert_eq!((bench.left(conn(7)).list, bench.pending()), (vec![], 0), "the browser has gone");
    let late = Outcome::Claimed { name: "alice".into(), claim: Claim::New };
    let mut out = Effects::default();
    crate::event::App::stored(&mut bench.site, conn(7), late, bench.now, &mut out);
    assert_eq!(out.list, []);
}

#[test]
fn a_freed_name_is_free_and_its_old_cookies_are_worthless() {
    let mut bench = Bench::new();
    let old = log_in(&mut bench);
    assert_eq!(enter(&mut bench, 0, &old).list.len(), 3);
    bench.later(Duration::from_secs(60));
    free(&mut bench, "alice");
    assert_eq!(response(&enter(&mut bench, 1, &old)).status, 401);
    assert_eq!(name_in(&mut bench, &old), None);
    bench.left(conn(0));
    let new = log_in(&mut bench);
    assert_eq!(name_in(&mut bench, &new).as_deref(), Some("alice"));
    assert_eq!(name_in(&mut bench, &old), None);
}

#[test]
fn a_name_that_was_freed_stays_so_after_a_restart() {
    let mut bench = Bench::new();
    let deed = Deed::Free { name: "alice".into(), until: Until::Ever };
    let at = UnixMillis::from_millis((THEN + 1) * 1000);
    let in_force = Outcome::InForce(vec![Act { at, by: "op".into(), room: "lobby".into(), deed }]);
    crate::event::App::stored(&mut bench.site, ConnId::NONE, in_force, bench.now, &mut Effects::default());
    assert_eq!(name_in(&mut bench, ALICE), None);
    assert_eq!(name_in(&mut bench, ZHANG).as_deref(), Some("张三"));
}

#[test]
fn a_cookie_in_use_is_renewed_once_a_day() {
    let mut bench = Bench::new();
    let day = Duration::from_secs(24 * 3600);
    let page = |bench: &mut Bench, cookie: &str| response(&bench.ask(conn(0), "GET /chat/", &[cookie])).clone();
    bench.later(day);
    assert_eq!(field(&page(&mut bench, ALICE), "Set-Cookie"), None);
    bench.later(Duration::from_secs(1));
    let renewed = page(&mut bench, ALICE);
    let set = field(&renewed, "Set-Cookie").expect("a cookie").to_owned();
    let cookie = format!("Cookie: {}", set.split(';').next().expect("the pair"));
    assert_eq!(field(&renewed, "Cache-Control"), Some("private, no-store"));
    bench.later(29 * day);
    assert_eq!(name_in(&mut bench, ALICE), None);
    assert_eq!(name_in(&mut bench, &cookie).as_deref(), Some("alice"));
}
