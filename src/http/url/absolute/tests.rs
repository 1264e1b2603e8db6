use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn a_url_is_taken_apart_and_put_together_again() {
    let parsed = url("HTTP://WWW.Example.COM:8080/a/b?c=d#e");
    let (host, target) = ("www.example.com".to_owned(), "/a/b?c=d".to_owned());
    assert_eq!(parsed, Url { scheme: Scheme::Http, host, port: 8080, target, fragment: Some("e".into()) });
    assert_eq!(parsed.to_string(), "http://www.example.com:8080/a/b?c=d#e");
    assert_eq!(parsed.authority(), "www.example.com:8080");
}

#[test]
fn what_a_url_leaves_out_has_its_default() {
    for text in
        ["http://a", "http://a/", "http://a:80", "http://a:/", "hTTp://A:0080/", "http:a", "http:/a", "http:///a"]
    {
        assert_eq!(url(text).to_string(), "http://a/", "{text}");
    }
    assert_eq!(url("http://a#x").to_string(), "http://a/#x");
    assert_eq!(url("https://a:443?q").to_string(), "https://a/?q");
    assert_eq!(url("https://a:80").authority(), "a:80");
    assert_eq!(url("https://a").port, 443);
    assert_eq!(url("http://c:00081/"), url("http://c:81/"));
}

#[test]
fn an_ipv6_host_has_brackets_outside_only() {
    let parsed = url("http://[0:0::1]:81/x");
    assert_eq!((parsed.host.as_str(), parsed.port), ("::1", 81));
    assert_eq!(parsed.to_string(), "http://[::1]:81/x");
    assert_eq!(url("https://[2001:DB8::1]").authority(), "[2001:db8::1]");
    assert_eq!(url("http://[::ffff:127.0.0.1]/").host, "::ffff:7f00:1");
}

#[test]
fn a_target_can_always_stand_in_a_request_line() {
    assert_eq!(url("http://a/b c?d=<e>&f=\"{|}\"").target, "/b%20c?d=%3Ce%3E&f=%22{|}%22");
    assert_eq!(url("http://a/中?q=文").target, "/%E4%B8%AD?q=%E6%96%87");
    assert_eq!(url("http://a/100%25%2F%").target, "/100%25%2F%");
    assert_eq!(url("http://a/x\\y").target, "/x/y");
    assert_eq!(url("http://a/b/../../c/./d/%2e%2E").target, "/c/");
    assert_eq!(url("http://a/\0\x7f\x1b?\0\x7f\u{85}").target, "/%00%7F%1B?%00%7F%C2%85");
    assert_eq!(url("\0 http://a/\r\nX: y \n").target, "/X:%20y");
}

/// Expected values of `new URL(text).host` in a browser.
#[test]
fn a_name_in_another_script_is_fetched_in_its_xn_form() {
    for (text, host) in [
        ("http://bücher.example/", "xn--bcher-kva.example"),
        ("http://BÜCHER.example/", "xn--bcher-kva.example"),
        ("http://bu\u{308}cher.example/", "xn--bcher-kva.example"),
        ("http://b%C3%BCcher.example/", "xn--bcher-kva.example"),
        ("http://xn--BCHER-kva.example/", "xn--bcher-kva.example"),
        ("http://例子。测试/", "xn--fsqu00a.xn--0zwm56d"),
        ("http://faß.example/", "xn--fa-hia.example"),
        ("http://مثال.إختبار/", "xn--mgbh0fb.xn--kgbechtv"),
        ("http://ｌｏｃａｌｈｏｓｔ/", "localhost"),
        ("http://a\u{ad}b/", "ab"),
        ("http://a_b~c,d/", "a_b~c,d"),
    ] {
        assert_eq!(Url::parse(text).map(|url| url.host).as_deref(), Ok(host), "{text}");
    }
    for text in
        ["http://xn--a/", "http://xn--bcher-kvä/", "http://a\u{fffd}b/", "http://\u{ad}/", "http://\u{300}a.test/"]
    {
        assert!(Url::parse(text).is_err(), "{text}");
    }
}

#[test]
fn each_way_to_be_wrong_has_its_name() {
    let wrong = |text: &str| Url::parse(text).expect_err(text);
    for text in ["example.com/x", "/x", "", "://a", "//a"] {
        assert_eq!(wrong(text), UrlError::NoScheme, "{text}");
    }
    for (text, scheme) in [("ftp://a/", "ftp"), ("javascript:alert(1)", "javascript"), ("localhost:80/", "localhost")] {
        assert_eq!(wrong(text), UrlError::UnknownScheme(scheme.into()));
    }
    for text in ["http:", "http://", "http://:80/", "http://?a", "http://#", "http:///"] {
        assert_eq!(wrong(text), UrlError::NoHost, "{text}");
    }
    for text in ["http://user@a/", "http://user:secret@a/", "http://a:80@b/", "http://:secret@a/"] {
        assert_eq!(wrong(text), UrlError::UserInfo, "{text}");
    }
    for host in
        ["a b", "a%00", "a%", "[::1", "[::1]x", "[a]", "[::1%25eth0]", "<a>", "{}", "a\"b", "1.2.3.4.5", "256.1"]
    {
        let error = wrong(&format!("http://{host}/"));
        assert!(matches!(error, UrlError::BadHost(_)), "{host}: {error:?}");
    }
    for port in ["0", "00", "00000", "65536", "99999999999", "8o", "+80", "-1", "80:80"] {
        assert_eq!(wrong(&format!("http://a:{port}/")), UrlError::BadPort, "{port}");
    }
    assert_eq!(wrong("ftp://a/").to_string(), "the scheme ftp is neither http nor https");
    assert_eq!(wrong("http://[a]/").to_string(), "the URL has no valid host: invalid IPv6 address");
}

/// RFC 3986 sections 5.4.1 and 5.4.2, less the schemes that are not fetched; `http:g` as browsers read it.
#[test]
fn references_are_resolved_as_in_the_rfc() {
    let base = url("http://a/b/c/d;p?q");
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("g#s", "http://a/b/c/g#s"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y#s"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g#s/./x"),
        ("g#s/../x", "http://a/b/c/g#s/../x"),
    ] {
        assert_eq!(base.resolve(reference).map(|url| url.to_string()).as_deref(), Ok(expected), "{reference:?}");
    }
    assert_eq!(base.resolve("g:h"), Err(UrlError::UnknownScheme("g".into())));
    assert_eq!(base.resolve("http:g").map(|url| url.to_string()).as_deref(), Ok("http://a/b/c/g"));
}

#[test]
fn a_redirect_may_change_scheme_host_and_port() {
    let base = url("http://a:81/b");
    assert_eq!(base.resolve("HTTPS://B/c").map(|url| url.to_string()).as_deref(), Ok("https://b/c"));
    assert_eq!(base.resolve("//b:82").map(|url| url.to_string()).as_deref(), Ok("http://b:82/"));
    assert_eq!(base.resolve("/x y").map(|url| url.to_string()).as_deref(), Ok("http://a:81/x%20y"));
    assert_eq!(base.resolve("/x\r\nSet-Cookie: y").map(|url| url.target).as_deref(), Ok("/xSet-Cookie:%20y"));
    assert_eq!(base.resolve("x/a:b").map(|url| url.target).as_deref(), Ok("/x/a:b"));
}
