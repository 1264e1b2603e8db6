use super::conditions::tests::conditions;
use super::*;
use crate::event::Finished;
use crate::site::testing::{Bench, THEN, conn, field, response, text, words};
use std::io::{Error, ErrorKind};
use std::time::SystemTime;

fn none_match(list: &str) -> Conditions {
    conditions(&[&format!("If-None-Match: {list}")])
}

fn overlay(conditions: &Conditions) -> Response {
    let modified = UNIX_EPOCH + Duration::new(1_700_000_000, 500_000_000);
    let file = FileRead { bytes: "<p>".into(), modified: Some(modified) };
    overlay_response(Path::new("/www/static/a/page.HTML"), file, UnixTime::LAST, conditions)
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
fn an_embedded_file_has_a_type_a_tag_and_the_policy() {
    let found = Files::new(None).lookup("static/squall.css");
    assert!(found.overlay.is_none());
    let response = found.embedded.unwrap().response(&Conditions::default(), Caching::Revalidate);
    assert_eq!((response.status, &*response.content_type), (200, "text/css; charset=utf-8"));
    assert_eq!(response.body, Body::Static(found.embedded.unwrap().bytes));
    assert_eq!(field(&response, "Cache-Control"), Some("no-cache"));
    assert_eq!(field(&response, "Accept-Ranges"), Some("none"));
    assert_eq!(field(&response, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(field(&response, "Content-Security-Policy"), Some(POLICY));
    assert_eq!(field(&response, "ETag").unwrap().len(), 18);
}

#[test]
fn a_file_in_the_folder_of_its_version_is_kept_for_good() {
    let folder = folder(None);
    let path = |folder: &str| format!("{}/chat.js", folder.trim_start_matches('/'));
    let cached = |files: &Files, path: &str| {
        let found = files.lookup(path);
        field(&found.embedded.unwrap().response(&Conditions::default(), found.caching), "Cache-Control")
            .map(str::to_owned)
    };
    let (files, edited) = (Files::new(None), Files::new(Some("/www".into())));
    assert_eq!(cached(&files, &path(&folder)).as_deref(), Some("public, max-age=31536000, immutable"));
    // A page of another version, or of a server that had no `--www`, finds the present files, and nothing keeps them.
    for other in ["/static/v-0123456789abcdef", "/static"] {
        assert_eq!(cached(&files, &path(other)).as_deref(), Some("no-cache"), "{other}");
        assert_eq!(cached(&edited, &path(other)).as_deref(), Some("no-cache"), "{other}");
    }
    assert_eq!(cached(&edited, &path(&folder)).as_deref(), Some("no-cache"));
    assert_eq!(edited.lookup(&path(&folder)).overlay, Some("/www/static/chat.js".into()));
    for strange in ["v-0123456789abcde", "v-0123456789abcdeg", "w-0123456789abcdef", "v-", "x"] {
        assert!(files.lookup(&format!("static/{strange}/chat.js")).embedded.is_none(), "{strange}");
    }
    for hostile in ["/../chat.js", "//chat.js", "/", "", "/v-0123456789abcdef/chat.js"] {
        assert!(files.lookup(&format!("static/v-0123456789abcdef{hostile}")).embedded.is_none(), "{hostile}");
    }
}

#[test]
fn pages_of_an_overlay_use_plain_names() {
    assert_eq!(super::folder(Some(Path::new("/www"))), "/static");
    assert_eq!(super::folder(None).len(), "/static/v-".len() + 16);
}

#[test]
fn a_matching_tag_is_304_with_the_tag() {
    let asset = Files::new(None).lookup("favicon.ico").embedded.unwrap();
    let tag = asset.etag.clone();
    for list in [tag.clone(), format!("W/{tag}"), format!("\"x,y\", {tag}"), "*".into(), format!("\"a\",W/\"b\",{tag}")]
    {
        let response = asset.response(&none_match(&list), Caching::Revalidate);
        assert_eq!((response.status, &*response.content_type), (304, ""), "{list}");
        assert_eq!(field(&response, "ETag"), Some(&*tag));
        assert_eq!(response.body, Body::Static(b""));
    }
    for list in ["", "\"x\"", &tag[1..], &tag[..17]] {
        assert_eq!(asset.response(&none_match(list), Caching::Revalidate).status, 200, "{list}");
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
fn a_failed_precondition_is_412() {
    let asset = Files::new(None).lookup("static/chat.js").embedded.unwrap();
    let response = asset.response(&conditions(&["If-Match: \"x\""]), Caching::Revalidate);
    assert_eq!((response.status, &*response.content_type), (412, "text/plain; charset=utf-8"));
    assert_eq!(asset.response(&conditions(&[&format!("If-Match: {}", asset.etag)]), Caching::Revalidate).status, 200);
    let before = "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT";
    assert_eq!(overlay(&conditions(&[before])).status, 412);
    assert_eq!(asset.response(&conditions(&[before]), Caching::Revalidate).status, 200, "what is embedded has no time");
}

#[test]
fn a_copy_that_is_not_older_is_304() {
    let at = "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT";
    assert_eq!(overlay(&conditions(&[at])).status, 304);
    let timeless = overlay_response(
        Path::new("a"),
        FileRead { bytes: "".into(), modified: None },
        UnixTime::LAST,
        &conditions(&[at]),
    );
    assert_eq!((timeless.status, field(&timeless, "ETag")), (200, None));
}

#[test]
fn the_overlay_comes_first_and_only_from_its_static_folder() {
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
fn unknown_extensions_are_octet_streams() {
    for name in ["a", "a.xyz", ".png/a", "dir.css/a", ""] {
        assert_eq!(content_type(name), "application/octet-stream", "{name}");
    }
    assert_eq!(content_type("static/x.min.JS"), "text/javascript; charset=utf-8");
}

/// A site with a `--www` that does not exist.
fn overlaid() -> Bench {
    Bench::with(|settings| settings.www = Some("/no/such/www".into()))
}

fn read(bench: &mut Bench, read: std::io::Result<FileRead>) -> Effects {
    bench.finished(conn(0), Finished::File(read))
}

#[test]
fn a_file_of_the_overlay_is_read_on_the_pool() {
    let mut bench = overlaid();
    let out = bench.ask(conn(0), "GET /static/a%20b.txt", &["If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"]);
    let job = Job::ReadFile { path: "/no/such/www/static/a b.txt".into() };
    assert_eq!(out.list, [Effect::Run(conn(0), job)]);
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(THEN);
    let out = read(&mut bench, Ok(FileRead { bytes: "hello".into(), modified: Some(modified) }));
    assert_eq!((response(&out).status, bench.pending()), (304, 0), "the conditions are kept");
    bench.ask(conn(0), "GET /static/a%20b.txt", &[]);
    let out = read(&mut bench, Ok(FileRead { bytes: "hello".into(), modified: Some(modified) }));
    assert_eq!((response(&out).status, text(response(&out))), (200, "hello"));
    assert_eq!(field(response(&out), "Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert!(read(&mut bench, Err(ErrorKind::NotFound.into())).list.is_empty(), "no request");
}

/// The response to a GET of a file of the overlay that was modified `seconds` after the epoch.
fn response_of_file(seconds: i64, fields: &[&str]) -> Response {
    let mut bench = overlaid();
    bench.ask(conn(0), "GET /static/a.txt", fields);
    let age = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let modified = if seconds < 0 { epoch.checked_sub(age) } else { epoch.checked_add(age) };
    let out = read(&mut bench, Ok(FileRead { bytes: "hello".into(), modified }));
    response(&out).clone()
}

#[test]
fn a_file_time_outside_http_dates_is_not_sent() {
    // The year 10000, its neighbours, the last time of a 64-bit clock, and times before 1970.
    for seconds in [253_402_300_800, 253_402_300_801, i64::MAX, -1, -86_400 * 365 * 100, i64::MIN] {
        let response = response_of_file(seconds, &[]);
        assert_eq!((response.status, field(&response, "Last-Modified")), (200, None), "{seconds}");
    }
    let first = response_of_file(0, &[]);
    assert_eq!(field(&first, "Last-Modified"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
}

#[test]
fn a_file_time_in_the_future_is_sent_as_now() {
    // RFC 9110 section 8.8.2.1: Last-Modified is never later than Date.
    for seconds in [THEN as i64 + 1, THEN as i64 + 86_400 * 400, 253_402_300_799] {
        let response = response_of_file(seconds, &[]);
        assert_eq!(field(&response, "Last-Modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"), "{seconds}");
        let tag = field(&response, "ETag").expect("a tag").to_owned();
        assert_eq!(response_of_file(seconds, &[&format!("If-None-Match: {tag}")]).status, 304);
        // The file may change while its time stays in the future: a date does not prove that the copy is current.
        let at = "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT";
        assert_eq!(response_of_file(seconds, &[at]).status, 200, "{seconds}");
    }
    let now = response_of_file(THEN as i64, &["If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"]);
    assert_eq!(now.status, 304);
}

#[test]
fn files_missing_in_the_overlay_come_from_the_binary() {
    let mut plain = Bench::new();
    for fields in [&[][..], &["If-None-Match: *"]] {
        let embedded = plain.ask(conn(0), "GET /static/chat.js", fields);
        for kind in [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::IsADirectory] {
            let mut bench = overlaid();
            bench.ask(conn(0), "GET /static/chat.js", fields);
            assert_eq!(read(&mut bench, Err(kind.into())).list, embedded.list, "{kind}");
        }
    }
}

#[test]
fn a_file_that_is_nowhere_is_404() {
    let mut bench = overlaid();
    bench.ask(conn(0), "GET /static/none.txt", &[]);
    let missing = [Effect::Respond(conn(0), words(404, "There is no such file.\n"))];
    assert_eq!(read(&mut bench, Err(ErrorKind::NotFound.into())).list, missing);
    assert_eq!(Bench::new().ask(conn(0), "GET /static/none.txt", &[]).list, missing);
    assert_eq!(bench.ask(conn(0), "GET /static/../secret", &[]).list, missing);
    assert_eq!(bench.ask(conn(0), "GET /static/", &[]).list, missing);
}

#[test]
fn an_unreadable_file_is_not_replaced_by_the_embedded_one() {
    for path in ["/static/chat.js", "/static/none.txt", "/.well-known/acme-challenge/token"] {
        for (error, status) in [
            (ErrorKind::PermissionDenied.into(), 403),
            (Error::from_raw_os_error(libc::EACCES), 403),
            (Error::from_raw_os_error(libc::EPERM), 403),
            (Error::from_raw_os_error(libc::ELOOP), 403),
            (ErrorKind::FileTooLarge.into(), 500),
            (Error::from_raw_os_error(libc::EIO), 500),
            (Error::from_raw_os_error(libc::EMFILE), 500),
        ] {
            let mut bench = overlaid();
            bench.ask(conn(0), &format!("GET {path}"), &[]);
            let out = read(&mut bench, Err(error));
            assert_eq!(out.list, [Effect::Respond(conn(0), words(status, "This file cannot be read.\n"))]);
        }
    }
}

#[test]
fn a_read_file_is_dropped_after_its_connection() {
    let mut bench = overlaid();
    bench.ask(conn(0), "GET /static/chat.js", &[]);
    bench.left(conn(0));
    assert!(bench.pending() == 0);
    assert!(read(&mut bench, Ok(FileRead { bytes: "".into(), modified: None })).list.is_empty());
}
