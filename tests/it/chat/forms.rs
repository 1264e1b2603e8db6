//! What a login form and a query may hold: which media types, which of several values, which text; and the Location
//! field after a login.

use crate::support::{Client, Response, Site, Stub};
use squall::config::Limits;

#[track_caller]
fn post(site: &Site, fields: &str, body: impl AsRef<[u8]>) -> Response {
    let body = body.as_ref();
    let head = format!("POST /login HTTP/1.1\r\nHost: squall\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    Client::connect(site.address).ask([head.as_bytes(), body].concat())
}

#[track_caller]
fn get(site: &Site, target: &str) -> Response {
    crate::support::get(site.address, target)
}

#[test]
fn a_form_of_another_media_type_is_415_and_names_ours() {
    let site = Site::with_defaults();
    for other in [
        "multipart/form-data; boundary=x",
        "application/json",
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded, application/json",
        "application/x-www-form-urlencoded+json",
        "",
        ";",
    ] {
        let response = post(&site, &format!("Content-Type: {other}\r\n"), "username=ann");
        assert_eq!((response.status, response.field("set-cookie")), (415, None), "{other:?}");
        assert_eq!(response.field("accept"), Some("application/x-www-form-urlencoded"), "{other:?}");
        assert!(response.text().contains("application/x-www-form-urlencoded"), "{}", response.text());
    }
    for (n, ours) in [
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: Application/X-WWW-Form-Urlencoded ; charset=UTF-8\r\n",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(post(&site, ours, format!("username=ann+{n}")).status, 303, "{ours:?}");
    }
    let two = "Content-Type: application/x-www-form-urlencoded\r\nContent-Type: application/json\r\n";
    assert_eq!(post(&site, two, "username=ann").status, 415);
    let page = post(&site, "Accept: text/html\r\nAccept-Language: zh\r\nContent-Type: a/<b>\r\n", "{}");
    assert!(page.status == 415 && page.text().contains("a&#x2f;&lt;b&gt;"), "{}", page.text());
}

#[test]
fn a_form_in_a_content_coding_is_415() {
    let site = Site::with_defaults();
    for coding in ["gzip", "br", "identity, gzip"] {
        let response = post(&site, &format!("Content-Encoding: {coding}\r\n"), "username=ann");
        assert_eq!((response.status, response.field("accept-encoding")), (415, Some("identity")), "{coding}");
    }
    assert_eq!(post(&site, "Content-Encoding: identity\r\n", "username=ann").status, 303);
}

#[test]
fn of_several_values_the_last_one_counts() {
    let stub = Stub::start(|mut asked| {
        let target = asked.target().to_owned();
        asked.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()));
    });
    let flag = stub.flag();
    let site = Site::start(Limits::default(), &[&flag[0], &flag[1]]);
    assert_eq!(get(&site, "/search?wd=a&wd=b").text(), "/s?wd=b");
    assert_eq!(get(&site, "/search?wd=a&x=y&wd=%62%63&y").text(), "/s?wd=bc");
    assert!(get(&site, "/search?wd=a&wd=").text().contains("<form"), "the last one is empty");
    assert_eq!(get(&site, "/sleep?seconds=x&seconds=0").status, 200);
    assert_eq!(get(&site, "/sleep?seconds=0&seconds=x").status, 400);
    assert!(get(&site, "/login?next=/a&next=/b").text().contains("value=\"&#x2f;b\""));
    let response = post(&site, "", "username=ann&next=/a&username=bob&next=/search");
    assert_eq!((response.status, response.field("location")), (303, Some("/search")));
    let cookie = response.field("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("|Ym9i") || cookie.contains(":Ym9i"), "bob: {cookie}");
}

/// In GBK `%D5%C5` and `%C0%EE` are two names; with U+FFFD for what is not UTF-8 they would be one.
#[test]
fn text_that_is_not_utf_8_is_400_in_every_parameter() {
    let site = Site::start(Limits::default(), &["--lab"]);
    let mut targets = vec!["/?x=%FF".to_owned(), "/chat/?x=%FF".into(), "/echo?x=%FF".into(), "/?%FF=x".into()];
    for text in ["%D5%C5", "%FF", "a%C3", "%ED%A0%80", "%C0%AF", "%F5%80%80%80"] {
        for route in [
            "/search?wd=",
            "/search-sync?wd=",
            "/search?framed=1&wd=",
            "/search?framed=",
            "/login?next=/",
            "/sleep?seconds=",
            "/block?seconds=",
        ] {
            targets.push(format!("{route}{text}"));
            targets.push(format!("{route}{text}&wd=good&next=/&seconds=0&framed=1"));
        }
        for form in ["username=@", "username=ann&next=/@", "username=@&username=ann", "username=ann&other=@", "@=1"] {
            let response = post(&site, "", form.replace('@', text));
            assert_eq!((response.status, response.field("set-cookie")), (400, None), "{form} {text}");
            assert!(response.text().contains("UTF-8"), "{}", response.text());
        }
    }
    for target in targets {
        let response = get(&site, &target);
        assert_eq!(response.status, 400, "{target}");
        assert!(response.text().contains("UTF-8"), "{}", response.text());
    }
    let raw = b"GET /search?wd=\xd5\xc5 HTTP/1.1\r\nHost: squall\r\n\r\n";
    assert_eq!(Client::connect(site.address).ask(raw).status, 400, "not encoded at all");
    let raw = post(&site, "", b"username=\xd5\xc5");
    assert_eq!((raw.status, raw.field("set-cookie")), (400, None), "not encoded at all");
    for good in ["username=%EF%BF%BE%25", "username=a%"] {
        assert_ne!(post(&site, "", good).text(), post(&site, "", "username=%FF").text(), "{good} is UTF-8");
    }
    assert_eq!(get(&site, "/sleep?seconds=0&x=%E5%BC%A0").status, 200);
    assert_eq!(get(&site, "/plaintext?x=%FF").status, 200, "a route without parameters");
}

#[test]
fn the_location_after_a_login_is_a_uri_reference() {
    let site = Site::with_defaults();
    for (n, (next, location)) in [
        ("/static/聊天.html", "/static/%E8%81%8A%E5%A4%A9.html"),
        ("/a b", "/a%20b"),
        ("/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D"),
        ("/é?q=ü#ö", "/%C3%A9?q=%C3%BC#%C3%B6"),
        ("/a%20b?c=%e4", "/a%20b?c=%e4"),
        ("/100%", "/100%25"),
        ("/%zz%4", "/%25zz%254"),
        ("/a[1]?b[]=c", "/a%5B1%5D?b%5B%5D=c"),
        ("/#a#b", "/#a%23b"),
        ("/-._~!$&'()*+,;=:@/?", "/-._~!$&'()*+,;=:@/?"),
        ("/\u{2028}\u{202e}", "/%E2%80%A8%E2%80%AE"),
    ]
    .into_iter()
    .enumerate()
    {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("username", &format!("ann {n}"))
            .append_pair("next", next)
            .finish();
        let response = post(&site, "", body);
        assert_eq!((response.status, response.field("location")), (303, Some(location)), "{next}");
    }
}
