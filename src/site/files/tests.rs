use super::conditions::tests::conditions;
use super::*;

fn field<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.iter().find(|field| field.0 == name).map(|field| &*field.1)
}

fn none_match(list: &str) -> Conditions {
    conditions(&[&format!("If-None-Match: {list}")])
}

fn overlay(ask: &Conditions) -> Response {
    let modified = UNIX_EPOCH + Duration::new(1_700_000_000, 500_000_000);
    let file = FileRead { bytes: "<p>".into(), modified: Some(modified) };
    answer_overlay(Path::new("/www/static/a/page.HTML"), file, UnixTime::LAST, ask)
}

#[test]
fn every_file_of_the_folder_is_embedded_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/static");
    let Ok(folder) = std::fs::read_dir(folder) else { return };
    let mut there: Vec<_> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let mut here: Vec<_> = EMBEDDED.iter().map(|asset| asset.name).collect();
    there.sort();
    here.sort();
    assert_eq!(here, there);
}

#[test]
fn an_embedded_file_comes_with_its_type_a_tag_and_the_strict_policy() {
    let found = Files::new(None).lookup("static/squall.css");
    assert!(found.overlay.is_none());
    let response = found.embedded.unwrap().answer(&Conditions::default());
    assert_eq!((response.status, &*response.content_type), (200, "text/css; charset=utf-8"));
    assert_eq!(response.body, Body::Static(found.embedded.unwrap().bytes));
    assert_eq!(field(&response, "Cache-Control"), Some("no-cache"));
    assert_eq!(field(&response, "Accept-Ranges"), Some("none"));
    assert_eq!(field(&response, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(field(&response, "Content-Security-Policy"), Some(POLICY));
    assert_eq!(field(&response, "ETag").unwrap().len(), 18);
}

#[test]
fn a_peer_that_has_the_tag_gets_304_with_the_tag() {
    let asset = Files::new(None).lookup("favicon.ico").embedded.unwrap();
    let tag = asset.etag.clone();
    for list in [tag.clone(), format!("W/{tag}"), format!("\"x,y\", {tag}"), "*".into(), format!("\"a\",W/\"b\",{tag}")]
    {
        let response = asset.answer(&none_match(&list));
        assert_eq!((response.status, &*response.content_type), (304, ""), "{list}");
        assert_eq!(field(&response, "ETag"), Some(&*tag));
        assert_eq!(response.body, Body::Static(b""));
    }
    for list in ["", "\"x\"", &tag[1..], &tag[..17]] {
        assert_eq!(asset.answer(&none_match(list)).status, 200, "{list}");
    }
}

#[test]
fn two_files_have_two_tags() {
    let tags: std::collections::HashSet<_> = EMBEDDED.iter().map(|asset| &asset.etag).collect();
    assert_eq!(tags.len(), EMBEDDED.len());
}

#[test]
fn a_file_of_the_overlay_has_time_and_tag_but_no_policy() {
    let response = overlay(&Conditions::default());
    assert_eq!((response.status, &*response.content_type), (200, "text/html; charset=utf-8"));
    assert_eq!(response.body, Body::Blocks(Box::new("<p>".into())));
    assert_eq!(field(&response, "Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert_eq!(field(&response, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(field(&response, "Content-Security-Policy"), None);
    let tag = field(&response, "ETag").unwrap();
    assert_eq!(overlay(&none_match(tag)).status, 304);
}

#[test]
fn a_file_in_another_state_than_was_asked_for_is_412() {
    let asset = Files::new(None).lookup("static/chat.js").embedded.unwrap();
    let response = asset.answer(&conditions(&["If-Match: \"x\""]));
    assert_eq!((response.status, &*response.content_type), (412, "text/plain; charset=utf-8"));
    assert_eq!(asset.answer(&conditions(&[&format!("If-Match: {}", asset.etag)])).status, 200);
    let before = "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT";
    assert_eq!(overlay(&conditions(&[before])).status, 412);
    assert_eq!(asset.answer(&conditions(&[before])).status, 200, "what is embedded has no time");
}

#[test]
fn a_peer_whose_copy_is_as_new_gets_304() {
    let at = "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT";
    assert_eq!(overlay(&conditions(&[at])).status, 304);
    let timeless = answer_overlay(
        Path::new("a"),
        FileRead { bytes: "".into(), modified: None },
        UnixTime::LAST,
        &conditions(&[at]),
    );
    assert_eq!((timeless.status, field(&timeless, "ETag")), (200, None));
}

#[test]
fn the_overlay_is_asked_first_and_only_below_its_static_folder() {
    let files = Files::new(Some("/www".into()));
    assert_eq!(files.lookup("static/deep/er.txt").overlay, Some("/www/static/deep/er.txt".into()));
    assert_eq!(files.lookup("favicon.ico").overlay, Some("/www/static/favicon.ico".into()));
    assert!(files.lookup("static/squall.css").embedded.is_some());
    let strange =
        ["pages/index.html", "static", "static/", "static/a/", "static//a", "static//etc/passwd", "other.ico"];
    let hostile = ["static/../pages/base.html", "static/..", "static/a/./b", "static/.", "static/a\0", "../x", ""];
    for path in strange.into_iter().chain(hostile) {
        let found = files.lookup(path);
        assert!(found.overlay.is_none() && found.embedded.is_none(), "{path}");
    }
}

#[test]
fn a_challenge_is_one_plain_name_in_its_folder() {
    let files = Files::new(Some("/www".into()));
    let found = files.lookup(".well-known/acme-challenge/a-B_9");
    assert_eq!(found.overlay, Some("/www/.well-known/acme-challenge/a-B_9".into()));
    assert!(found.embedded.is_none());
    assert!(files.lookup(".well-known/acme-challenge/chat.js").embedded.is_none());
    for name in ["", "a/b", "/a", "a/", ".", "..", "../a", "../../secret", "a/../b", "a\0", "./a", "//a", "/etc/passwd"]
    {
        let found = files.lookup(&format!(".well-known/acme-challenge/{name}"));
        assert!(found.overlay.is_none() && found.embedded.is_none(), "{name}");
    }
    for path in [".well-known/a", ".well-known/acme-challenge", "static/../.well-known/acme-challenge/a"] {
        assert!(files.lookup(path).overlay.is_none(), "{path}");
    }
    assert!(Files::new(None).lookup(".well-known/acme-challenge/a").overlay.is_none());
}

#[test]
fn unknown_endings_are_bytes() {
    for name in ["a", "a.xyz", ".png/a", "dir.css/a", ""] {
        assert_eq!(content_type(name), "application/octet-stream", "{name}");
    }
    assert_eq!(content_type("static/x.min.JS"), "text/javascript; charset=utf-8");
}
