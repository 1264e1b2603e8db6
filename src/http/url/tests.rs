use super::*;

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

#[test]
fn a_parameter_replaces_those_of_its_name() {
    for (target, with) in [
        ("/chat/", "/chat/?since=12.0a"),
        ("/chat/?", "/chat/?since=12.0a"),
        ("/chat/?room=a%26b&x", "/chat/?room=a%26b&x&since=12.0a"),
        ("/?since=3.ff&room=lobby&since", "/?room=lobby&since=12.0a"),
        ("/?s%69nce=3&sinced=4&a=since", "/?sinced=4&a=since&since=12.0a"),
        ("/?a=b?since=1", "/?a=b?since=1&since=12.0a"),
    ] {
        assert_eq!(with_parameter(target, "since", "12.0a"), with, "{target}");
    }
    assert_eq!(with_parameter("/", "a b", "&=\r\n\u{e4}"), "/?a%20b=%26%3D%0D%0A%C3%A4");
}
