use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn a_url_is_taken_apart_and_put_together_again() {
    let parsed = url("HTTP://WWW.Example.COM:8080/a/b?c=d#e");
    let expected = Url { scheme: Scheme::Http, host: "www.example.com".into(), port: 8080, target: "/a/b?c=d".into() };
    assert_eq!(parsed, expected);
    assert_eq!(parsed.to_string(), "http://www.example.com:8080/a/b?c=d");
    assert_eq!(parsed.authority(), "www.example.com:8080");
}

#[test]
fn what_a_url_leaves_out_has_its_default() {
    for text in ["http://a", "http://a/", "http://a:80", "http://a:/", "http://a#x", "hTTp://A:0080/#"] {
        assert_eq!(url(text).to_string(), "http://a/", "{text}");
    }
    assert_eq!(url("https://a:443?q").to_string(), "https://a/?q");
    assert_eq!(url("https://a:80").authority(), "a:80");
    assert_eq!(url("https://a").port, 443);
}

#[test]
fn an_ipv6_host_has_brackets_outside_only() {
    let parsed = url("http://[0:0::1]:81/x");
    assert_eq!((parsed.host.as_str(), parsed.port), ("::1", 81));
    assert_eq!(parsed.to_string(), "http://[::1]:81/x");
    assert_eq!(url("https://[2001:DB8::1]").authority(), "[2001:db8::1]");
}

#[test]
fn a_target_can_always_stand_in_a_request_line() {
    assert_eq!(url("http://a/b c?d=<e>&f=\"{|}\"").target, "/b%20c?d=%3Ce%3E&f=%22%7B%7C%7D%22");
    assert_eq!(url("http://a/中?q=文").target, "/%E4%B8%AD?q=%E6%96%87");
    assert_eq!(url("http://a/100%25%2F%").target, "/100%25%2F%");
    assert_eq!(url("http://a/x\\y").target, "/x%5Cy");
    assert_eq!(url("http://a/b/../../c/./d/..").target, "/c/");
}

#[test]
fn each_way_to_be_wrong_has_its_name() {
    let wrong = |text: &str| Url::parse(text).expect_err(text);
    assert_eq!(wrong("example.com/x"), UrlError::NoScheme);
    assert_eq!(wrong("/x"), UrlError::NoScheme);
    assert_eq!(wrong(""), UrlError::NoScheme);
    assert_eq!(wrong("://a"), UrlError::NoScheme);
    assert_eq!(wrong("ftp://a/"), UrlError::UnknownScheme("ftp".into()));
    assert_eq!(wrong("javascript:alert(1)"), UrlError::UnknownScheme("javascript".into()));
    for text in ["http:", "http:/a", "http:a", "http://", "http:///a", "http://:80/", "http://?a"] {
        assert_eq!(wrong(text), UrlError::NoHost, "{text}");
    }
    for text in ["http://user@a/", "http://user:secret@a/", "http://a:80@b/", "http://@a/"] {
        assert_eq!(wrong(text), UrlError::UserInfo, "{text}");
    }
    assert_eq!(wrong("http://bücher.example/"), UrlError::ForeignHost("bücher.example".into()));
    for host in ["a b", "a\\b", "a%41", "[::1", "[::1]x", "[a]", "[::1%25eth0]", "a,b", "<a>", "{}"] {
        assert_eq!(wrong(&format!("http://{host}/")), UrlError::BadHost(host.into()));
    }
    for port in ["0", "65536", "99999999999", "8o", "+80", "-1", "80:80"] {
        assert_eq!(wrong(&format!("http://a:{port}/")), UrlError::BadPort(port.into()));
    }
    for text in ["http://a/\r\nX: y", "http://a\t/", "http://a/\x7f", "\0http://a/"] {
        assert_eq!(wrong(text), UrlError::ControlCharacter, "{text:?}");
    }
    assert!(wrong("http://bücher.example/").to_string().contains("xn--"));
    assert!(wrong("ftp://a/").to_string().contains("ftp"));
}

/// RFC 3986 sections 5.4.1 and 5.4.2, less the schemes that are not fetched.
#[test]
fn a_port_of_zeros_is_no_port_in_any_length_issue_4() {
    for port in ["0", "00", "00000"] {
        assert_eq!(Url::parse(&format!("https://c:{port}")), Err(UrlError::BadPort(port.into())));
    }
    assert_eq!(url("http://c:00081/"), url("http://c:81/"));
}

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
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y"),
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
        ("g#s/./x", "http://a/b/c/g"),
        ("g#s/../x", "http://a/b/c/g"),
    ] {
        assert_eq!(base.resolve(reference).map(|url| url.to_string()).as_deref(), Ok(expected), "{reference:?}");
    }
    assert_eq!(base.resolve("g:h"), Err(UrlError::UnknownScheme("g".into())));
    assert_eq!(base.resolve("http:g"), Err(UrlError::NoHost));
}

#[test]
fn a_redirect_may_change_scheme_host_and_port() {
    let base = url("http://a:81/b");
    assert_eq!(base.resolve("HTTPS://B/c").map(|url| url.to_string()).as_deref(), Ok("https://b/c"));
    assert_eq!(base.resolve("//b:82").map(|url| url.to_string()).as_deref(), Ok("http://b:82/"));
    assert_eq!(base.resolve("/x y").map(|url| url.to_string()).as_deref(), Ok("http://a:81/x%20y"));
    assert_eq!(base.resolve("/x\r\nSet-Cookie: y"), Err(UrlError::ControlCharacter));
    assert_eq!(base.resolve("x/a:b").map(|url| url.target).as_deref(), Ok("/x/a:b"));
}

#[test]
fn authorities_are_hosts_with_an_optional_port() {
    for good in [
        "a",
        "A.example:8888",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:65535",
        "a:",
        "a:000080",
        "a:0000000000",
        "a_b~c",
        "a!$&'()*+,;=",
    ] {
        assert!(is_authority(good), "{good}");
    }
    for bad in [
        "",
        ":80",
        "a:65536",
        "a:8o",
        "a:+8",
        "a:-1",
        "a:80:80",
        "a b",
        "u@a",
        "a/",
        "a?",
        "a#b",
        "a\\b",
        "\t",
        "a:4294967376",
        "a:99999999999",
        "[::1]:0999999",
    ] {
        assert!(!is_authority(bad), "{bad:?}");
    }
    for bad in
        ["[::1", "::1", "[::1]x", "[a]", "[]", "[::1]]", "a[::1]", "a%41", "a%zz", "bücher", "<a>", "a\"", "[::g]"]
    {
        assert!(!is_authority(bad), "{bad:?}");
    }
}

#[test]
fn an_origin_is_compared_by_its_authority() {
    for (origin, host) in [
        ("http://a", "a"),
        ("http://A:80", "a"),
        ("http://a", "A:80"),
        ("https://a:443", "a"),
        ("https://a", "a:443"),
        ("http://a:8888", "a:8888"),
        ("http://[::1]", "[::1]:80"),
        ("https://a:8888", "a:8888"),
    ] {
        assert!(same_authority(origin, host), "{origin} {host}");
    }
    for (origin, host) in [
        ("null", "a"),
        ("null", "null"),
        ("", ""),
        ("http://", ""),
        ("http://a", "b"),
        ("http://a", "a:443"),
        ("https://a", "a:80"),
        ("http://a:8080", "a"),
        ("http://a.evil.example", "a"),
        ("http://evil.example/a", "a"),
        ("http://a@evil.example", "a"),
        ("capacitor://a", "a"),
        ("file://", ""),
        ("a", "a"),
    ] {
        assert!(!same_authority(origin, host), "{origin} {host}");
    }
}

#[test]
fn only_paths_of_this_site_are_local() {
    for good in ["/", "/chat/", "/search?wd=a//b", "/中文", "/a/../b", "/@evil.example"] {
        assert!(is_local_path(good), "{good}");
    }
    for bad in ["", "chat/", "//evil.example", "/\\evil.example", "/a\\b", "http://a/", "/\t/evil", "/a\n", "\\/", " /"]
    {
        assert!(!is_local_path(bad), "{bad:?}");
    }
    assert!(!is_local_path("/\u{85}") && !is_local_path("/\u{7f}"));
}

#[test]
fn words_are_encoded_into_the_one_place_of_a_template() {
    assert_eq!(encode_component("a b+c/~-._&中"), "a%20b%2Bc%2F~-._%26%E4%B8%AD");
    assert_eq!(insert_words("http://a/s?ie=utf-8&wd={}", "x y&z").as_deref(), Some("http://a/s?ie=utf-8&wd=x%20y%26z"));
    assert_eq!(insert_words("http://a/{}/b", "{}").as_deref(), Some("http://a/%7B%7D/b"));
    assert_eq!(insert_words("http://a/", "x"), None);
    assert_eq!(insert_words("http://a/{}{}", "x"), None);
}

#[test]
fn a_decoded_path_stays_inside_its_folder() {
    assert_eq!(decode_path("/static/a%20b.css").as_deref(), Some("static/a b.css"));
    assert_eq!(decode_path("/%E4%B8%AD/").as_deref(), Some("中/"));
    assert_eq!(decode_path("a+b...").as_deref(), Some("a+b..."));
    assert_eq!(decode_path("/").as_deref(), Some(""));
    assert_eq!(decode_path("/a%2Fb").as_deref(), Some("a/b"));
    for bad in ["/..", "/a/../b", "/%2e%2E/b", "/a%2f..%2fb", "/./a", "/a/.", "//etc", "/%2Fetc", "/a//b", "/a%2f/b"] {
        assert_eq!(decode_path(bad), None, "{bad}");
    }
    for bad in ["/%", "/%4", "/%zz", "/%+1", "/%00", "/a\\b", "/%5c", "/%FF", "/%C0%AE"] {
        assert_eq!(decode_path(bad), None, "{bad}");
    }
}

#[test]
fn a_form_is_decoded_and_its_last_value_counts() {
    let value = |form: &str, name: &str| Form::parse(form.as_bytes()).expect("UTF-8").value(name);
    assert_eq!(value("a=1&wd=2&wd=x+y%26%E4%B8%AD", "wd").as_deref(), Some("x y&中"));
    assert_eq!(value("wd=1&wd", "wd").as_deref(), Some(""));
    assert_eq!(value("w%64=1", "wd").as_deref(), Some("1"));
    assert_eq!(value("wd=%", "wd").as_deref(), Some("%"));
    assert_eq!(value("w=d", "wd"), None);
    assert_eq!(value("", "wd"), None);
}

#[test]
fn a_form_that_is_not_utf_8_is_none() {
    for form in [&b"a=%D5%C5"[..], b"a=\xd5\xc5", b"%FF=a", b"a=%C3&b=%A9", b"a=%ED%A0%80", b"a=b&c=%C0%AF", b"%80"] {
        assert_eq!(Form::parse(form).err(), Some(NotUtf8), "{form:?}");
    }
    for form in [&b"a=%C3%A9"[..], "é=中".as_bytes(), b"a=%EF%BF%BD", b"a=%&b=%zz", b""] {
        assert!(Form::parse(form).is_ok(), "{form:?}");
    }
}

#[test]
fn a_reference_holds_only_what_the_rfc_lets_it() {
    for (text, reference) in [
        ("/中 \"", "/%E4%B8%AD%20%22"),
        ("/%41%", "/%41%25"),
        ("%4", "%254"),
        ("/a?b#c#d", "/a?b#c%23d"),
        ("https://[::1]:8443/[x]", "https://[::1]:8443/%5Bx%5D"),
        ("https://[::1]?[", "https://[::1]?%5B"),
        ("/x://[a]/", "/x://%5Ba%5D/"),
        ("\r\n\0\u{7f}", "%0D%0A%00%7F"),
        ("", ""),
    ] {
        assert_eq!(encode_reference(text), reference, "{text:?}");
        assert_eq!(encode_reference(reference), reference, "encoded twice");
    }
}
