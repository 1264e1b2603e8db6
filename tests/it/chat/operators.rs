//! Operators: names that need a password.

use crate::support::client::post_login;
use crate::support::frames::{handshake, text};
use crate::support::{Client, Dir, Response, Site, WsClient, login};
use squall::config::Limits;

/// The operator `ann` with the password `correct horse`, at the least cost.
const LINE: &str = "ann:$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$x59UGLuAwBDnzRfVUBQJ7zA6GJrOY5gZkOVPda70TuA\n";

fn start(files: &Dir) -> Site {
    files.write("operators", LINE);
    let path = files.path().join("operators");
    Site::start(Limits::default(), &["--operators-file", path.to_str().expect("text")])
}

#[track_caller]
fn post(site: &Site, form: &str) -> Response {
    let head = format!("POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: {}\r\n\r\n", form.len());
    Client::connect(site.address).ask(head + form)
}

/// The Cookie field's value that follows from all Set-Cookie fields.
fn cookies_of(response: &Response) -> String {
    let fields = response.head.split("\r\n").filter_map(|line| line.strip_prefix("Set-Cookie: "));
    fields.filter_map(|field| field.split(';').next()).collect::<Vec<_>>().join("; ")
}

#[test]
fn an_operator_comes_in_with_the_password_only() {
    let files = Dir::new();
    let site = start(&files);
    let asked = post_login(site.address, "ann", "Accept: text/html\r\nAccept-Language: zh\r\n");
    assert!(asked.status == 200 && asked.text().contains("type=\"password\"") && asked.text().contains("密码"));
    for (form, status) in [
        ("username=ann&password=", 200),
        ("username=ann&password=correct+hors", 403),
        ("username=ann&password=correct%20horse%0A", 403),
        ("username=Ann&password=correct+horse", 409),
    ] {
        let response = post(&site, form);
        assert_eq!((response.status, cookies_of(&response)), (status, String::new()), "{form}");
    }
    let granted = post(&site, "username=ann&password=correct+horse");
    let cookies = cookies_of(&granted);
    assert_eq!((granted.status, cookies.matches("=2|1:0|").count()), (303, 2), "{cookies}");
    let mut ann = WsClient::chat(site.address, &cookies);
    assert_eq!(ann.heard(), text("ann enter room"));
    let (name, _) = cookies.split_once("; ").expect("two cookies");
    let refused = Client::connect(site.address).ask(handshake("/chat/", &format!("Cookie: {name}\r\n")));
    assert_eq!(refused.status, 401, "the name alone");
    assert_eq!(post_login(site.address, "ann", &format!("Cookie: {cookies}\r\n")).status, 303, "renewed");
    login(site.address, "bob");
}

#[test]
fn many_passwords_are_not_tried() {
    let files = Dir::new();
    let site = start(&files);
    let statuses: Vec<u16> = (0..6).map(|n| post(&site, &format!("username=ann&password=wrong{n}")).status).collect();
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429]);
    assert_eq!(post(&site, "username=ann&password=correct+horse").field("retry-after"), Some("10"));
}

#[test]
fn without_its_line_an_operators_name_is_like_any_other() {
    let site = Site::with_defaults();
    let response = post(&site, "username=ann&password=whatever");
    assert_eq!((response.status, cookies_of(&response).split(';').count()), (303, 1));
}
