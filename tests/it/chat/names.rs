//! Names, cookies and origins: which visitors may enter, and under which name.

use super::enter;
use crate::support::client::post_login;
use crate::support::frames::{handshake, text};
use crate::support::{Client, Response, Site, WsClient, get, login};
use squall::config::Limits;

#[track_caller]
fn ask(site: &Site, request: &str) -> Response {
    Client::connect(site.address).ask(request)
}

fn get_with(site: &Site, target: &str, fields: &str) -> Response {
    ask(site, &format!("GET {target} HTTP/1.1\r\nHost: squall\r\n{fields}\r\n"))
}

#[test]
fn a_login_gives_a_cookie_and_the_cookie_opens_the_chat() {
    let site = Site::with_defaults();
    let stranger = get(site.address, "/chat/");
    assert_eq!((stranger.status, stranger.field("location")), (303, Some("/login?next=/chat/")));
    assert_eq!(get(site.address, "/chat").field("location"), Some("/chat/"));

    let response = post_login(site.address, "  ann ", "");
    assert_eq!((response.status, response.field("location")), (303, Some("/chat/")));
    let cookie = response.field("set-cookie").unwrap();
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let page = get_with(&site, "/chat/", &format!("Cookie: other=1; {cookie}\r\n"));
    assert!(page.status == 200 && page.text().contains("ann"), "{}", page.text());
    let mut ann = WsClient::chat(site.address, cookie);
    assert_eq!(ann.heard(), text("ann enter room"));
}

#[test]
fn behind_a_tls_proxy_the_cookie_can_be_secure_always() {
    let site = Site::start(Limits::default(), &["--cookie-secure", "always"]);
    assert!(post_login(site.address, "ann", "").field("set-cookie").unwrap().contains("; Secure"));
}

#[test]
fn names_that_confuse_are_refused() {
    let site = Site::with_defaults();
    let long = "好".repeat(33);
    for bad in ["", "  ", "a:b", "a\nb", "a\0b", "\u{7f}", "a\u{200b}b", "\u{202e}ab", "\u{feff}", &long] {
        let response = post_login(site.address, bad, "");
        assert_eq!((response.status, response.field("set-cookie")), (400, None), "{bad:?}");
    }
    for good in ["好".repeat(32).as_str(), "a b", "O'Brien <b>", "\u{1f600}"] {
        assert_eq!(enter(&site, good).response.status, 101, "{good:?}");
    }
}

#[test]
fn a_name_that_is_online_is_409_for_all_but_its_own() {
    let site = Site::with_defaults();
    let cookie = login(site.address, "ann");
    let ann = WsClient::chat(site.address, &cookie);
    site.wait_until("ann", |c| c.members == 1);
    assert_eq!(post_login(site.address, "ann", "").status, 409);
    assert_eq!(post_login(site.address, " ann", "").status, 409);
    assert_eq!(post_login(site.address, "Ann", "").status, 409, "it looks like it");
    assert_eq!(post_login(site.address, "ann", &format!("Cookie: {cookie}\r\n")).status, 303);
    let other = login(site.address, "bob");
    assert_eq!(post_login(site.address, "ann", &format!("Cookie: {other}\r\n")).status, 409);
    drop(ann);
    site.wait_until_empty();
    let taken = post_login(site.address, "ann", "Accept: text/html\r\n");
    assert!(taken.status == 409 && taken.text().contains("belongs to another browser"), "{}", taken.text());
}

#[test]
fn a_changed_cookie_is_ignored() {
    let site = Site::with_defaults();
    let cookie = login(site.address, "ann");
    assert_eq!(get_with(&site, "/chat/", &format!("Cookie: {cookie}\r\n")).status, 200);
    let forged = cookie.replace("YW5u", "Ym9i");
    assert_ne!(forged, cookie);
    let cut = &cookie[..cookie.len() - 1];
    let foreign = login(Site::with_defaults().address, "ann");
    for bad in [forged.as_str(), cut, "username=ann", "username=", "username=2|1:0|", &foreign] {
        assert_eq!(get_with(&site, "/chat/", &format!("Cookie: {bad}\r\n")).status, 303, "{bad}");
        let refused = ask(&site, &handshake("/chat/", &format!("Cookie: {bad}\r\n")));
        assert_eq!(refused.status, 401, "{bad}");
    }
}

#[test]
fn login_redirects_to_a_local_path_only() {
    let site = Site::with_defaults();
    for (n, (next, leads)) in [
        ("/search?wd=x", "/search?wd=x"),
        ("//evil.example/", "/chat/"),
        ("/\\evil.example/", "/chat/"),
        ("http://evil.example/", "/chat/"),
        ("/a\r\nSet-Cookie: x=y", "/chat/"),
        ("", "/chat/"),
    ]
    .into_iter()
    .enumerate()
    {
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let body = format!("username=ann+{n}&next={next}");
        let head = format!("POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: {}\r\n\r\n", body.len());
        assert_eq!(ask(&site, &(head + &body)).field("location"), Some(leads), "{next}");
    }
}

#[test]
fn logout_clears_the_cookie_even_if_there_is_none() {
    let site = Site::with_defaults();
    let cookie = format!("Cookie: {}\r\n", login(site.address, "ann"));
    for fields in [cookie.as_str(), ""] {
        let wire = format!("POST /logout HTTP/1.1\r\nHost: squall\r\n{fields}Content-Length: 7\r\n\r\nignored");
        let response = ask(&site, &wire);
        assert_eq!((response.status, response.field("location")), (303, Some("/")));
        let cleared = response.field("set-cookie").unwrap();
        assert!(cleared.starts_with("username=;") || cleared.starts_with("username=\"\";"), "{cleared}");
        assert!(cleared.contains("Max-Age=0") || cleared.contains("Expires="), "{cleared}");
    }
}

#[test]
fn foreign_site_is_refused_and_told_what_was_compared() {
    let site = Site::with_defaults();
    let cookie = login(site.address, "ann");
    for origin in ["http://evil.example", "null", "http://squall:8888", "https://squall.evil.example", "squall"] {
        let field = format!("Origin: {origin}\r\n");
        let logout = format!("POST /logout HTTP/1.1\r\nHost: squall\r\n{field}Content-Length: 0\r\n\r\n");
        let upgrade = handshake("/chat/", &format!("{field}Cookie: {cookie}\r\n"));
        let echo = handshake("/echo", &field);
        for response in
            [post_login(site.address, "ann", &field), ask(&site, &logout), ask(&site, &upgrade), ask(&site, &echo)]
        {
            assert_eq!((response.status, response.field("set-cookie")), (403, None), "{origin}");
            let why = response.text();
            assert!(why.contains(origin) && why.contains("squall"), "{why}");
        }
    }
}

#[test]
fn own_origin_is_the_host_in_any_scheme_and_case() {
    let site = Site::start(Limits::default(), &["--allow-origin", "https://friend.example"]);
    for (host, origin) in [
        ("squall", "http://squall"),
        ("squall", "https://squall"),
        ("SQUALL:80", "http://squall"),
        ("squall", "http://Squall:80"),
        ("squall:8888", "http://squall:8888"),
        ("squall", "https://friend.example"),
    ] {
        let field = format!("Origin: {origin}\r\n");
        let upgrade = handshake("/echo", &field).replace("Host: squall", &format!("Host: {host}"));
        assert_eq!(ask(&site, &upgrade).status, 101, "{origin} at {host}");
    }
}
