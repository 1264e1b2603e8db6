mod pages;

use super::*;
use crate::event::{App, Blocking, Journey, Reached};
use crate::http::exchange::{Exchange, ExchangeEvent, Stage};
use crate::http::url::UrlError;
use crate::site::testing::{Bench, HTML, conn, field, response, settings, text};

const WITHIN: Duration = Duration::from_secs(20);
const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// Any journey.
fn journey() -> Journey {
    let first_byte = Duration::from_millis(5);
    Journey { address: ([192, 0, 2, 1], 80).into(), dns: None, connect: None, tls: None, first_byte }
}

/// The fetch of `url` for a request without header fields.
fn fetch_of(bench: &Bench, url: &str) -> Fetch {
    let url = Url::parse(url).expect("a URL");
    let headers = vec![("Accept-Encoding".into(), "identity".to_owned())];
    let leads = Leads::PublicBut("search.test".into());
    Fetch { headers, redirects_max: 5, leads, ..Fetch::get(url, bench.now.instant, WITHIN) }
}

fn search(bench: &mut Bench) -> Fetch {
    fetched(&bench.ask(conn(0), "GET /search?wd=x", &[]))
}

/// The fetch, which is the only effect.
#[track_caller]
fn fetched(out: &Effects) -> Fetch {
    match &out.list[..] {
        [Effect::Fetch(id, fetch)] if *id == conn(0) => (**fetch).clone(),
        list => panic!("one fetch was expected: {list:?}"),
    }
}

/// Parses a head and passes it on.
fn with_head<T>(head: &str, take: impl FnOnce(ResponseHead) -> T) -> T {
    match Exchange::new(false, false).receive(head.as_bytes(), false, &Limits::default().http) {
        Ok((_, Some(ExchangeEvent::Head(head)))) => take(head),
        other => panic!("the test writes a head: {other:?}"),
    }
}

/// The other site responds with this head.
fn hear(bench: &mut Bench, head: &str) -> Effects {
    with_head(head, |head| bench.fetched(conn(0), Fetched::Head(head, journey())))
}

/// The head of a response whose body follows.
#[track_caller]
fn head_of(out: &Effects) -> &Response {
    match out.list.first() {
        Some(Effect::Respond(_, response)) => response,
        _ => panic!("a response was expected: {:?}", out.list),
    }
}

fn done(bench: &mut Bench) -> Effects {
    bench.fetched(conn(0), Fetched::Done)
}

/// The other site redirects, and the fetch goes on at this URL.
fn redirect(bench: &mut Bench, url: &str) {
    let url = Url::parse(url).expect("a URL");
    let head = "HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n";
    let out = with_head(head, |head| bench.fetched(conn(0), Fetched::Redirect(head, journey(), Some(&url))));
    assert!(out.list.is_empty(), "{:?}", out.list);
}

fn fail(bench: &mut Bench, error: FetchError) -> Effects {
    bench.fetched(conn(0), Fetched::Failed(error))
}

/// Whether nothing is kept of the search.
fn is_forgotten(bench: &Bench) -> bool {
    bench.pending() == 0
}

#[test]
fn the_words_go_into_the_template_percent_encoded() {
    let mut bench = Bench::new();
    let out =
        bench.ask(conn(0), "GET /search?wd=%E5%A4%A9%E6%B0%94+a%26b%2B%23%2F", &["Accept-Language: zh, en;q=0.5"]);
    let headers =
        vec![("Accept-Language".into(), "zh, en;q=0.5".to_owned()), ("Accept-Encoding".into(), "identity".to_owned())];
    let url = "http://search.test/s?wd=%E5%A4%A9%E6%B0%94%20a%26b%2B%23%2F";
    let fetch = Fetch { headers, ..fetch_of(&bench, url) };
    assert_eq!(fetch.url.target, "/s?wd=%E5%A4%A9%E6%B0%94%20a%26b%2B%23%2F");
    assert_eq!(out.list, [Effect::Fetch(conn(0), Box::new(fetch))]);
}

#[test]
fn head_sends_head_and_ends_with_the_head() {
    let mut bench = Bench::new();
    let fetch = fetched(&bench.ask(conn(0), "HEAD /search?wd=x", &[]));
    assert_eq!(fetch, Fetch { method: "HEAD".into(), ..fetch_of(&bench, "http://search.test/s?wd=x") });
    let out = hear(&mut bench, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
    assert_eq!(response(&out).body, Body::Stream(Some(7)));
    assert!(is_forgotten(&bench), "the server ends the fetch with the response, and tells no more of it");
}

#[test]
fn a_response_without_a_body_ends_with_its_head() {
    for kind in ["text/plain", "text/html"] {
        let mut bench = Bench::new();
        search(&mut bench);
        let out = hear(&mut bench, &format!("HTTP/1.1 204 x\r\nContent-Type: {kind}\r\n\r\n"));
        assert_eq!(response(&out).status, 204);
        assert!(is_forgotten(&bench), "{kind}");
    }
}

#[test]
fn a_status_that_needs_a_field_is_502_and_named() {
    for (line, name) in [
        ("401 Who", "401 Unauthorized"),
        ("405 x", "405 Method Not Allowed"),
        ("407 x", "407 Proxy Authentication Required"),
        ("416 x", "416 Range Not Satisfiable"),
        ("426 x", "426 Upgrade Required"),
        ("206 x", "206 Partial Content"),
        ("304 x", "304 Not Modified"),
    ] {
        for method in ["GET", "HEAD"] {
            let mut bench = Bench::new();
            bench.ask(conn(0), &format!("{method} /search?wd=x"), &[]);
            let out = hear(&mut bench, &format!("HTTP/1.1 {line}\r\nContent-Type: text/html\r\n\r\n"));
            assert_eq!(response(&out).status, 502, "{line}");
            let why = format!("The search failed: the site answers {name}, which cannot be passed on.\n");
            assert_eq!(text(response(&out)), why);
            assert!(is_forgotten(&bench));
        }
    }
    for status in [200, 201, 203, 300, 400, 402, 403, 404, 406, 408, 410, 418, 429, 500, 503, 511, 599] {
        let mut bench = Bench::new();
        search(&mut bench);
        assert_eq!(response(&hear(&mut bench, &format!("HTTP/1.1 {status} x\r\n\r\n"))).status, status);
    }
}

#[test]
fn a_template_is_a_url_with_one_placeholder() {
    let new = |template: &str| {
        Search::new(&Settings { search_url: template.into(), ..settings() }, &Limits::default()).map(|_| ())
    };
    assert_eq!(new("http://search.test/{}"), Ok(()));
    assert_eq!(new("http://[::1]:8080/?q={}"), Ok(()));
    assert_eq!(new("HTTP://B\u{fc}cher.test/?q={}"), Ok(()));
    for (template, why) in [
        ("http://search.test/{}{}", "expected exactly one {} where the words go, found 2"),
        ("http://{}.search.test/", "the {} stands in the host or before it: words go into the path or the query"),
        ("ftp://search.test/{}", "expected a URL that begins with http:// or https://"),
        ("http://me@search.test/{}", "the URL has a user name or password, which are not supported"),
        ("http://search.test:0/{}", "the URL has no valid port: it is a number from 1 to 65535"),
        ("http://a`b/{}", "the URL has no valid host: a`b has a character that no Host field can hold"),
    ] {
        assert_eq!(new(template), Err(format!("--search-url {template}: {why}")));
    }
}

#[test]
fn fields_are_relayed_by_allow_list_and_sandboxed() {
    let mut bench = Bench::new();
    search(&mut bench);
    let out = hear(
        &mut bench,
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=gbk\r\nContent-Encoding: gzip\r\n\
         Content-Language: zh\r\nContent-Length: 10\r\nSet-Cookie: username=evil\r\nRefresh: 0; url=/logout\r\n\
         Clear-Site-Data: \"*\"\r\nContent-Disposition: attachment\r\nContent-Security-Policy: default-src *\r\n\
         Strict-Transport-Security: max-age=1\r\nWWW-Authenticate: Basic\r\nService-Worker-Allowed: /\r\n\
         Access-Control-Allow-Origin: *\r\nLink: </x>; rel=preload\r\nServer: x\r\n\r\n",
    );
    let relayed = Response::new(404, "text/html; charset=gbk", Body::Stream(Some(10)))
        .header("X-Content-Type-Options", "nosniff")
        .header("Content-Encoding", "gzip")
        .header("Content-Language", "zh")
        .header("Content-Security-Policy", "sandbox; frame-ancestors 'self'")
        .header("Referrer-Policy", "same-origin");
    assert_eq!(out.list, [Effect::Respond(conn(0), relayed)]);
}

#[test]
fn other_types_are_relayed_as_bytes_to_be_saved() {
    for (told, relayed) in [
        ("text/html;charset=gbk", "text/html;charset=gbk"),
        ("TEXT/HTML ; x=y", "TEXT/HTML ; x=y"),
        ("text/plain", "text/plain"),
        ("application/json", "application/json"),
        ("application/xhtml+xml", "application/xhtml+xml"),
        ("image/svg+xml", "image/svg+xml"),
        ("video/mp4", "video/mp4"),
        ("text/javascript", BYTES),
        ("application/x-javascript; charset=utf-8", BYTES),
        ("text/css", BYTES),
        ("multipart/x-mixed-replace; boundary=a", BYTES),
        ("text/html, multipart/x-mixed-replace; boundary=a", BYTES),
        ("text/html; a=\", text/javascript", BYTES),
        ("application/wasm", BYTES),
        ("text/cache-manifest", BYTES),
        ("html", BYTES),
        ("", BYTES),
    ] {
        let mut bench = Bench::new();
        search(&mut bench);
        let mut out = hear(&mut bench, &format!("HTTP/1.1 200 OK\r\nContent-Type: {told}\r\n\r\n"));
        out.list.append(&mut done(&mut bench).list);
        assert_eq!(head_of(&out).content_type, relayed, "{told}");
    }
}

#[test]
fn a_body_of_unknown_length_is_streamed_until_it_is_done() {
    let mut bench = Bench::new();
    search(&mut bench);
    let out = hear(&mut bench, OK);
    assert_eq!((&*response(&out).content_type, &response(&out).body), ("", &Body::Stream(None)));
    for piece in ["hello ", "world"] {
        let out = bench.fetched(conn(0), Fetched::Body(piece.as_bytes()));
        assert_eq!(out.list, [Effect::Piece(conn(0), 0..piece.len())]);
        assert_eq!(out.bytes, piece.as_bytes());
    }
    let out = bench.fetched(conn(0), Fetched::Done);
    assert_eq!(out.list, [Effect::End(conn(0), StreamEnd::Whole)]);
    assert!(is_forgotten(&bench));
    assert!(bench.fetched(conn(0), Fetched::Done).list.is_empty(), "there is one end");
}

#[test]
fn five_redirects_may_lead_to_public_hosts() {
    for (allow_private, leads) in [(false, Leads::PublicBut("search.test".into())), (true, Leads::Anywhere)] {
        let mut bench = Bench::with(|settings| settings.allow_private = allow_private);
        let fetch = search(&mut bench);
        assert_eq!((fetch.redirects_max, fetch.leads, fetch.public_only), (5, leads, false));
    }
}

#[test]
fn a_page_behind_redirects_has_the_last_url_as_its_base() {
    let mut bench = Bench::new();
    search(&mut bench);
    redirect(&mut bench, "http://other.test/a/");
    redirect(&mut bench, "http://other.test/b/c");
    let mut out = hear(&mut bench, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
    assert!(out.list.is_empty());
    out = bench.fetched(conn(0), Fetched::Body(b"<p>found"));
    assert_eq!(out.bytes, b"<base href=\"http://other.test/b/c\"><p>found");
}

#[test]
fn a_redirect_that_is_not_followed_is_502_and_says_why() {
    let bad = |location: &str, why| FetchError::BadLocation { location: location.into(), why };
    for (error, why) in [
        (FetchError::TooManyRedirects { max: 5 }, "The search failed: the site redirects more than 5 times.\n"),
        (
            bad("http://me@search.test/", UrlError::UserInfo),
            "The search failed: the site redirects to http://me@search.test/: the URL has a user name or password, which \
             are not supported.\n",
        ),
    ] {
        let mut bench = Bench::new();
        search(&mut bench);
        let head = "HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n";
        let out = with_head(head, |head| bench.fetched(conn(0), Fetched::Redirect(head, journey(), None)));
        assert!(out.list.is_empty(), "{:?}", out.list);
        let out = fail(&mut bench, error);
        assert_eq!((response(&out).status, text(response(&out))), (502, why));
        assert!(is_forgotten(&bench));
    }
}

#[test]
#[cfg(not(feature = "tls"))]
fn a_search_site_of_https_needs_the_feature() {
    let https = Settings { search_url: "https://search.test/{}".into(), ..settings() };
    let why = Search::new(&https, &Limits::default()).map(|_| ()).unwrap_err();
    assert!(why.ends_with("built without https (its feature is `tls`)"), "{why}");
}

#[test]
#[cfg(feature = "tls")]
fn a_search_site_may_be_https() {
    let mut bench = Bench::with(|settings| settings.search_url = "https://search.test/?q={}".into());
    assert_eq!(search(&mut bench).url, Url::parse("https://search.test/?q=x").unwrap());
}

#[test]
fn a_failure_before_the_head_is_an_error_with_the_cause() {
    let host = || "search.test".to_owned();
    for (error, status, why) in [
        (FetchError::Resolve { host: host(), why: "no such name".into() }, 502, "search.test could not be resolved"),
        (FetchError::Busy, 503, "too many fetches"),
        (FetchError::Forbidden { host: host() }, 502, "not a public address"),
        (
            FetchError::Timeout { after: WITHIN, reached: Reached::Response(Stage::Start) },
            504,
            "no complete response within 20 s",
        ),
    ] {
        let mut bench = Bench::new();
        search(&mut bench);
        let out = fail(&mut bench, error);
        assert_eq!((response(&out).status, &*response(&out).content_type), (status, "text/plain; charset=utf-8"));
        assert!(text(response(&out)).contains(why), "{why}");
        assert!(is_forgotten(&bench));
    }
}

#[test]
fn a_failure_is_sandboxed_as_page_and_as_text() {
    for fields in [&[][..], &[HTML], &[HTML, "Sec-Fetch-Dest: iframe"]] {
        let mut bench = Bench::new();
        bench.ask(conn(0), "GET /search?wd=x", fields);
        let out = fail(&mut bench, FetchError::Timeout { after: WITHIN, reached: Reached::Response(Stage::Start) });
        let policy = field(response(&out), "Content-Security-Policy").expect("a policy");
        assert!(policy.starts_with("sandbox;") && policy.ends_with("frame-ancestors 'self'"), "{policy}");
        assert_eq!(field(response(&out), "X-Content-Type-Options"), Some("nosniff"));
        assert!(text(response(&out)).contains("no complete response within 20 s"));
    }
}

#[test]
fn a_failure_has_no_bar_in_the_frame_only() {
    for (target, destination, has_bar) in [
        ("/search?wd=x", "document", true),
        ("/search?wd=x", "iframe", false),
        ("/search?wd=x&framed=1", "", false),
        ("/search?wd=framed", "", true),
    ] {
        let mut bench = Bench::new();
        bench.ask(conn(0), &format!("GET {target}"), &[HTML, &format!("Sec-Fetch-Dest: {destination}")]);
        let out = fail(&mut bench, FetchError::Timeout { after: WITHIN, reached: Reached::Response(Stage::Start) });
        assert_eq!(text(response(&out)).contains("<header class=\"bar\">"), has_bar, "{target} {destination}");
    }
}

#[test]
fn a_failure_is_translated_and_its_cause_is_not() {
    let mut bench = Bench::new();
    bench.ask(conn(0), "GET /search?wd=x", &[HTML, "Accept-Language: zh"]);
    let out = fail(&mut bench, FetchError::Broken { why: "reset".into() });
    let said = "搜索失败：<span lang=\"en\">the connection broke before the response was whole: reset</span>。";
    assert!(text(response(&out)).contains(said), "{}", text(response(&out)));
}

#[test]
fn a_failure_after_the_head_cuts_the_response() {
    let mut bench = Bench::new();
    search(&mut bench);
    hear(&mut bench, OK);
    let out = fail(&mut bench, FetchError::Broken { why: "reset".into() });
    assert_eq!(out.list, [Effect::End(conn(0), StreamEnd::Truncated)]);
    assert!(is_forgotten(&bench));
}

#[test]
fn a_search_ends_with_its_connection() {
    let mut bench = Bench::new();
    search(&mut bench);
    assert!(bench.left(conn(0)).list.is_empty());
    assert!(is_forgotten(&bench));
    assert!(hear(&mut bench, OK).list.is_empty());
    assert!(fail(&mut bench, FetchError::Busy).list.is_empty());
}

#[test]
fn the_blocking_search_asks_for_the_same_fetch() {
    let mut bench = Bench::with(|settings| settings.lab = true);
    let fetch = search(&mut bench);
    let blocking = Effect::RunBlocking(conn(0), Blocking::Fetch(Box::new(fetch)));
    assert_eq!(bench.ask(conn(0), "GET /search-sync?wd=x", &[]).list, [blocking]);
}

/// As of the blocking search, whose events come one after the other, and its effects are done at the end.
#[test]
fn a_failure_takes_a_response_back_that_was_not_sent() {
    let mut bench = Bench::new();
    search(&mut bench);
    let mut out = hear(&mut bench, OK);
    let tell = |bench: &mut Bench, fetched, out: &mut Effects| {
        bench.site.fetched(conn(0), fetched, bench.now, out);
    };
    tell(&mut bench, Fetched::Body(b"hello"), &mut out);
    assert_eq!(out.list.len(), 2);
    tell(&mut bench, Fetched::Failed(FetchError::Broken { why: "reset".into() }), &mut out);
    assert_eq!(response(&out).status, 502);
    assert!(text(response(&out)).contains("the connection broke"), "{}", text(response(&out)));
    assert!(is_forgotten(&bench));
}
