//! With a file of invitations a new login needs one.

use super::*;
use crate::blocks::Blocks;
use crate::event::Finished;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// A site with the token `token-of-ann`.
fn bench() -> Bench {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "token-of-ann\n").expect("it can be written");
    Bench::with(|settings| settings.invite_file = Some(file.path().into()))
}

/// The file as the pool reads it.
fn read(text: &str) -> Finished {
    let mut bytes = Blocks::default();
    bytes.write_all(text.as_bytes()).expect("memory");
    let modified: SystemTime = UNIX_EPOCH + Duration::from_secs(text.len() as u64);
    Finished::File(Ok(FileRead { bytes, modified: Some(modified) }))
}

/// Logs in with this form, and reads the file as `text` if it is asked for.
fn log_in_with(bench: &mut Bench, form: &str, text: &str) -> Response {
    let out = bench.post(conn(0), "/login", &[], form);
    match &out.list[..] {
        [Effect::Run(_, Job::ReadFile { .. })] => response(&bench.finished(conn(0), read(text))).clone(),
        _ => response(&out).clone(),
    }
}

#[test]
fn a_new_login_needs_a_token() {
    let mut bench = bench();
    for form in ["username=bob", "username=bob&invite=", "username=bob&invite=token-of-eve"] {
        let refused = log_in_with(&mut bench, form, "token-of-ann\n");
        assert_eq!((refused.status, field(&refused, "Set-Cookie")), (403, None), "{form}");
        assert!(text(&refused).contains("You need an invitation") && text(&refused).contains("id=\"invite\""));
    }
    let refused = log_in_with(&mut bench, "username=a:b&invite=token-of-ann", "");
    assert!(refused.status == 400 && text(&refused).contains("value=\"token-of-ann\""), "the token stays in the form");
    assert_eq!(log_in_with(&mut bench, "username=bob&invite=+token-of-ann", "").status, 303);
    assert_eq!(bench.pending(), 0);
}

#[test]
fn a_user_that_is_in_needs_no_token() {
    let mut bench = bench();
    for name in ["alice", "bob"] {
        let out = bench.post(conn(0), "/login", &[ALICE], &format!("username={name}"));
        assert_eq!(response(&out).status, 303, "{name}");
    }
    assert_eq!(enter(&mut bench, 1, ALICE).list.len(), 3);
    assert_eq!(log_in_with(&mut Bench::new(), "username=bob", "").status, 303, "without a file no token is asked");
}

#[test]
fn a_token_that_was_added_or_removed_counts_at_once() {
    let mut bench = bench();
    bench.later(Duration::from_secs(2));
    assert_eq!(log_in_with(&mut bench, "username=bob&invite=token-of-bob", "token-of-bob\n\n").status, 303);
    assert_eq!(log_in_with(&mut bench, "username=eve&invite=token-of-ann", "").status, 403);
    bench.later(Duration::from_secs(2));
    assert_eq!(log_in_with(&mut bench, "username=eve&invite=token-of-ann", "token-of-ann\n").status, 303);
}

#[test]
fn a_link_keeps_its_token_in_the_form() {
    let mut bench = bench();
    let out = bench.ask(conn(0), "GET /?invite=token-of-ann%26x", &[]);
    assert_eq!(
        (response(&out).status, field(response(&out), "Location")),
        (303, Some("/login?invite=token-of-ann%26x"))
    );
    let form = |bench: &mut Bench, target: &str, fields: &[&str]| {
        text(response(&bench.ask(conn(0), target, fields))).to_owned()
    };
    let given = form(&mut bench, "GET /login?invite=token-of-ann", &[]);
    assert!(
        given.contains("type=\"hidden\" name=\"invite\" value=\"token-of-ann\"") && !given.contains("id=\"invite\"")
    );
    assert!(form(&mut bench, "GET /login", &[]).contains("id=\"invite\""));
    assert!(!form(&mut bench, "GET /login", &[ALICE]).contains("invite"));
    assert!(!form(&mut Bench::new(), "GET /login?invite=x", &[]).contains("invite"));
    assert_eq!(response(&bench.ask(conn(0), "GET /?invite=x", &[ALICE])).status, 200);
}

#[test]
fn an_invitation_of_the_chat_counts_for_seven_days() {
    let mut bench = bench();
    let passes = bench.site.login.invitations().expect("there is a gate");
    let path = passes.invitation_path(bench.now.wall.whole());
    let token = path.strip_prefix("/?invite=").expect("a path").to_owned();
    assert_eq!(response(&bench.ask(conn(0), &format!("GET {path}"), &[])).status, 303, "to the login");
    let form = |name: &str, token: &str| format!("username={name}&invite={token}");
    assert_eq!(log_in_with(&mut bench, &form("bob", &token), "token-of-ann\n").status, 303);
    let cookie = crate::site::cookie::Signer::new(SECRET).sign("username", b"", THEN);
    assert_eq!(
        log_in_with(&mut bench, &form("eve", &crate::http::url::encode_component(&cookie)), "token-of-ann\n").status,
        403
    );
    bench.later(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(log_in_with(&mut bench, &form("eve", &token), "token-of-ann\n").status, 303);
    bench.later(Duration::from_secs(1));
    assert_eq!(log_in_with(&mut bench, &form("kim", &token), "token-of-ann\n").status, 403);
}
