//! The name of an operator needs its password.

use super::*;
use crate::event::Finished;
use crate::password::Hash;
use crate::site::chat::moderation::Rank;
use crate::site::testing::settings;
use std::sync::Arc;

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$x59UGLuAwBDnzRfVUBQJ7zA6GJrOY5gZkOVPda70TuA";

/// A site whose only operator is `alice`.
fn bench() -> Bench {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("alice:{HASH}\n")).expect("it can be written");
    Bench::with(|settings| settings.operators_file = Some(file.path().into()))
}

/// A Cookie field of alice with the proof of her password, signed at [`THEN`].
fn proven() -> String {
    let signer = crate::site::cookie::Signer::new(SECRET);
    format!("{ALICE}; operator={}", signer.sign("operator", b"alice", THEN))
}

/// Submits the form of the second step; the pool has it now.
fn try_password(bench: &mut Bench, n: usize, password: &str) -> Effects {
    bench.post(conn(n), "/login", &[], &format!("username=alice&next=/search&password={password}"))
}

#[test]
fn an_operators_name_is_asked_for_its_password() {
    let mut bench = bench();
    let asked = bench.post(conn(0), "/login", &[], "username=alice&next=/search");
    let form = text(response(&asked));
    assert_eq!((response(&asked).status, field(response(&asked), "Set-Cookie")), (200, None));
    assert!(form.contains("type=\"password\"") && form.contains("autocomplete=\"current-password\""));
    assert!(form.contains("value=\"alice\"") && form.contains("value=\"&#x2f;search\""), "{form}");
    let out = try_password(&mut bench, 0, "correct+horse");
    let hash = Arc::new(Hash::parse(HASH).expect("a hash"));
    let job = Job::CheckPassword { hash, password: Password::typed("correct horse".into()) };
    assert_eq!(out.list, [Effect::Run(conn(0), job)]);
    let wrong = bench.finished(conn(0), Finished::Password(Verdict::Wrong));
    assert_eq!((response(&wrong).status, field(response(&wrong), "Set-Cookie")), (403, None));
    assert!(text(response(&wrong)).contains("That password is wrong") && text(response(&wrong)).contains("password"));
    try_password(&mut bench, 0, "correct+horse");
    let right = bench.finished(conn(0), Finished::Password(Verdict::Right));
    let cookies: Vec<&str> = response(&right).headers.iter().filter(|f| f.0 == "Set-Cookie").map(|f| &*f.1).collect();
    assert_eq!((response(&right).status, field(response(&right), "Location")), (303, Some("/search")));
    assert!(
        matches!(cookies[..], [name, proof] if name.starts_with("username=2|") && proof.starts_with("operator=2|"))
    );
    assert!(cookies.iter().all(|cookie| cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax")), "{cookies:?}");
    assert_eq!(bench.pending(), 0);
}

#[test]
fn a_cookie_without_the_proof_is_no_login() {
    let mut bench = bench();
    let signer = crate::site::cookie::Signer::new(SECRET);
    let as_name = signer.sign("username", b"alice", THEN);
    let of_bob = signer.sign("operator", b"bob", THEN);
    for cookie in [ALICE, &format!("{ALICE}; operator={as_name}"), &format!("{ALICE}; operator={of_bob}")] {
        assert_eq!(response(&enter(&mut bench, 0, cookie)).status, 401, "{cookie}");
        assert_eq!(response(&bench.ask(conn(0), "GET /api/rooms", &[cookie])).status, 401);
        assert_eq!(name_in(&mut bench, cookie), None);
    }
    assert_eq!(response(&enter(&mut bench, 0, &super::cookie("Alice"))).status, 401, "it looks like it");
    assert_eq!(enter(&mut bench, 0, &proven()).list.len(), 3);
    assert_eq!(response(&bench.ask(conn(1), "GET /api/rooms", &[&proven()])).status, 200);
    assert_eq!(enter(&mut bench, 2, ZHANG).list.len(), 3, "others come in as before");
}

#[test]
fn the_rank_of_an_operator_reaches_the_room() {
    for (cookie, is_listed, standing) in [
        (&*proven(), true, Standing::Operator("alice".into())),
        (ALICE, true, Standing::Guest),
        (&*proven(), false, Standing::Named("alice".into())),
        (ZHANG, true, Standing::Named("张三".into())),
    ] {
        let bench = if is_listed { bench() } else { Bench::new() };
        crate::site::testing::with_request("GET /chat/", &[cookie], |request| {
            let cx = Context { from: conn(0), request, body: b"", now: bench.now };
            let user = bench.site.login.user(cx);
            assert_eq!(user.standing, standing);
            assert_eq!(
                Rank::of(&user),
                if matches!(standing, Standing::Operator(_)) { Rank::Operator } else { Rank::Member }
            );
        });
    }
}

#[test]
fn a_name_that_looks_like_an_operators_cannot_be_taken() {
    for form in ["username=Alice", "username=a1ice&password=correct+horse"] {
        let out = bench().post(conn(0), "/login", &[], form);
        assert_eq!(response(&out).status, 409, "{form}");
        assert!(text(response(&out)).contains("looks like the name of an operator"));
    }
}

#[test]
fn an_operator_with_the_proof_is_renewed_without_a_hash() {
    let mut bench = bench();
    let out = bench.post(conn(0), "/login", &[&proven()], "username=alice");
    let cookies = response(&out).headers.iter().filter(|field| field.0 == "Set-Cookie").count();
    assert_eq!((response(&out).status, cookies), (303, 2));
    let out = bench.post(conn(0), "/logout", &[&proven()], "");
    let cleared: Vec<&str> = response(&out).headers.iter().filter(|f| f.0 == "Set-Cookie").map(|f| &*f.1).collect();
    assert!(matches!(cleared[..], [name, proof] if name.starts_with("username=;") && proof.starts_with("operator=;")));
}

#[test]
fn passwords_are_tried_five_times_and_then_slowly() {
    let mut bench = bench();
    for _ in 0..5 {
        assert!(matches!(try_password(&mut bench, 0, "wrong").list[..], [Effect::Run(..)]));
        assert_eq!(response(&bench.finished(conn(0), Finished::Password(Verdict::Wrong))).status, 403);
    }
    let out = try_password(&mut bench, 0, "correct+horse");
    let refused = response(&out);
    assert_eq!((refused.status, field(refused, "Retry-After")), (429, Some("11")));
    assert!(text(refused).contains("Too many passwords were tried"));
    bench.later(Duration::from_secs(11));
    assert!(matches!(try_password(&mut bench, 0, "correct+horse").list[..], [Effect::Run(..)]));
}

#[test]
fn a_third_hash_at_once_is_503() {
    let mut bench = bench();
    for n in [0, 1] {
        assert!(matches!(try_password(&mut bench, n, "wrong").list[..], [Effect::Run(..)]));
    }
    let out = try_password(&mut bench, 2, "wrong");
    assert_eq!((response(&out).status, field(response(&out), "Retry-After")), (503, Some("1")));
    bench.left(conn(0));
    assert_eq!(response(&try_password(&mut bench, 2, "wrong")).status, 503, "its hash is still under way");
    assert_eq!(bench.finished(conn(0), Finished::Password(Verdict::Right)).list, [], "the browser has gone");
    assert!(matches!(try_password(&mut bench, 2, "wrong").list[..], [Effect::Run(..)]));
}

#[test]
fn a_file_with_a_bad_line_stops_the_start() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "alice:secret\n").expect("it can be written");
    let settings = Settings { operators_file: Some(file.path().into()), ..settings() };
    let said = Login::new(&settings, std::time::Instant::now()).err().expect("it is wrong");
    assert!(said.contains("line 1: the hash of \"alice\" is no argon2id hash"), "{said}");
}
