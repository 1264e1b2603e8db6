//! A site that only those with an invitation come into.

use crate::support::client::post_login;
use crate::support::{Client, Dir, Response, Site, get, wait_for};
use squall::config::Limits;

#[track_caller]
fn log_in(site: &Site, name: &str, invite: &str) -> Response {
    let form = format!("username={name}&invite={invite}");
    let head = format!("POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: {}\r\n\r\n", form.len());
    Client::connect(site.address).ask(head + &form)
}

#[test]
fn a_login_needs_a_token_that_may_be_added_while_the_site_runs() {
    let files = Dir::new();
    files.write("tokens", "token-of-ann for ann\nold-token until=2020-01-01\n");
    let path = files.path().join("tokens");
    let site = Site::start(Limits::default(), &["--invite-file", path.to_str().expect("text")]);
    assert_eq!(post_login(site.address, "ann", "").status, 403);
    assert_eq!(log_in(&site, "ann", "old-token").status, 403);
    let page = get(site.address, "/?invite=token-of-ann");
    assert_eq!((page.status, page.field("location")), (303, Some("/login?invite=token-of-ann")));
    assert!(get(site.address, "/login?invite=token-of-ann").text().contains("value=\"token-of-ann\""));
    let ann = log_in(&site, "ann", "token-of-ann");
    assert_eq!(ann.status, 303);
    files.write("tokens", "token-of-bob\n");
    let bob = wait_for("the new token", || Some(log_in(&site, "bob", "token-of-bob")).filter(|bob| bob.status == 303));
    assert!(bob.field("set-cookie").is_some());
    assert_eq!(log_in(&site, "eve", "token-of-ann").status, 403, "it was removed");
    let cookie = ann.field("set-cookie").and_then(|field| field.split(';').next()).expect("a cookie");
    assert_eq!(post_login(site.address, "ann", &format!("Cookie: {cookie}\r\n")).status, 303, "ann is in");
}
