use super::*;

fn field<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.iter().find(|field| field.0 == name).map(|field| &*field.1)
}

fn ask(if_none_match: &str) -> Conditions<'_> {
    Conditions { if_none_match: Some(if_none_match.as_bytes()), if_modified_since: None }
}

fn since(date: &str) -> Conditions<'_> {
    Conditions { if_none_match: None, if_modified_since: Some(date.as_bytes()) }
}

fn overlay(ask: &Conditions) -> Response {
    let modified = UNIX_EPOCH + Duration::new(1_700_000_000, 500_000_000);
    answer_overlay(Path::new("/www/static/a/page.HTML"), b"<p>".to_vec(), Some(modified), ask)
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
        let response = asset.answer(&ask(&list));
        assert_eq!((response.status, &*response.content_type), (304, ""), "{list}");
        assert_eq!(field(&response, "ETag"), Some(&*tag));
        assert_eq!(response.body, Body::Static(b""));
    }
    for list in ["", "\"x\"", "\"", "x", &tag[1..], &tag[..17], "W/\"*\""] {
        assert_eq!(asset.answer(&ask(list)).status, 200, "{list}");
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
    assert_eq!(response.body, Body::Owned(b"<p>".to_vec()));
    assert_eq!(field(&response, "Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert_eq!(field(&response, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(field(&response, "Content-Security-Policy"), None);
    let tag = field(&response, "ETag").unwrap();
    assert_eq!(overlay(&ask(tag)).status, 304);
}

#[test]
fn the_date_counts_in_whole_seconds_and_only_without_a_tag() {
    assert_eq!(overlay(&since("Tue, 14 Nov 2023 22:13:20 GMT")).status, 304);
    assert_eq!(overlay(&since("Wed, 15 Nov 2023 00:00:00 GMT")).status, 304);
    assert_eq!(overlay(&since("Tue, 14 Nov 2023 22:13:19 GMT")).status, 200);
    assert_eq!(overlay(&since("yesterday")).status, 200);
    let date = b"Wed, 15 Nov 2023 00:00:00 GMT";
    let both = Conditions { if_none_match: Some(b"\"x\""), if_modified_since: Some(date) };
    assert_eq!(overlay(&both).status, 200);
    let timeless = answer_overlay(Path::new("a"), vec![], None, &Conditions { if_none_match: None, ..both });
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
fn unknown_endings_are_bytes() {
    for name in ["a", "a.xyz", ".png/a", "dir.css/a", ""] {
        assert_eq!(content_type(name), "application/octet-stream", "{name}");
    }
    assert_eq!(content_type("static/x.min.JS"), "text/javascript; charset=utf-8");
}
