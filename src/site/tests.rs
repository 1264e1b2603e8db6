use super::testing::{ALICE, Bench, HTML, conn, field, response, settings, text, words};
use super::*;
use crate::event::{Blocking, Effect};
use std::time::Duration;

fn status(line: &str) -> u16 {
    response(&Bench::new().ask(conn(0), line, &[])).status
}

fn allow(line: &str) -> Option<String> {
    let out = Bench::new().ask(conn(0), line, &[]);
    field(response(&out), "Allow").map(str::to_owned)
}

#[test]
fn small_responses_are_exactly_these() {
    let mut bench = Bench::new();
    let respond = |response| [Effect::Respond(conn(0), response)];
    let hello = Response::new(200, "text/plain", Body::Static(b"Hello, World!"));
    assert_eq!(bench.ask(conn(0), "GET /plaintext", &[]).list, respond(hello));
    assert_eq!(bench.ask(conn(0), "GET /healthz", &[]).list, respond(Response::text(200, "ok\n")));
    assert_eq!(bench.ask(conn(0), "GET /chat", &[]).list, respond(Response::redirect(308, "/chat/")));
}

#[test]
fn every_page_is_there() {
    for (path, title) in [("/", "<h1>Everybody at once"), ("/login", "<form method=\"post\""), ("/search", "<form")] {
        let out = Bench::new().ask(conn(0), &format!("GET {path}"), &[]);
        assert_eq!((response(&out).status, &*response(&out).content_type), (200, "text/html; charset=utf-8"), "{path}");
        assert!(text(response(&out)).contains(title), "{path}");
    }
    for path in ["/favicon.ico", "/static/chat.js", "/search?wd=", "/search?wd=+%20", "/?x=y"] {
        assert_eq!(status(&format!("GET {path}")), 200, "{path}");
    }
}

#[test]
fn the_chat_page_needs_a_name() {
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), "GET /chat/", &[]);
    let login = Response::redirect(303, "/login?next=/chat/").header("Cache-Control", "no-store");
    assert_eq!(out.list, [Effect::Respond(conn(0), login)]);
    let out = bench.ask(conn(0), "GET /chat/", &[ALICE]);
    assert_eq!((response(&out).status, field(response(&out), "Cache-Control")), (200, Some("private, no-store")));
    assert!(text(response(&out)).contains("alice"));
}

#[test]
fn head_goes_where_get_goes() {
    let paths = ["/", "/login", "/chat/", "/chat", "/search", "/plaintext", "/healthz", "/favicon.ico", "/nowhere"];
    let others = ["/sleep", "/sleep?seconds=x", "/static/none", "/block?seconds=1", "/echo"];
    for path in paths.iter().chain(&others) {
        let mut bench = Bench::with(|settings| settings.lab = true);
        let get = bench.ask(conn(0), &format!("GET {path}"), &[]);
        let head = bench.ask(conn(0), &format!("HEAD {path}"), &[]);
        assert_eq!(head.list, get.list, "{path}");
    }
    assert_eq!(status("HEAD /logout"), 405);
}

#[test]
fn an_unknown_path_is_404_as_text_or_page() {
    for path in ["/nowhere", "/Chat/", "/chat//", "//", "/static", "/staticx", "/login/", "/index.html", "/pages/x"] {
        assert_eq!(status(&format!("GET {path}")), 404, "{path}");
    }
    let mut bench = Bench::new();
    let out = bench.ask(conn(0), "GET /nowhere", &[]);
    assert_eq!(out.list, [Effect::Respond(conn(0), words(404, "There is no such page.\n"))]);
    let out = bench.ask(conn(0), "GET /nowhere", &[HTML]);
    assert_eq!((response(&out).status, &*response(&out).content_type), (404, "text/html; charset=utf-8"));
    assert!(text(response(&out)).contains("There is no such page."));
}

#[test]
fn a_wrong_method_is_405_with_the_allowed_ones() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        for path in ["/", "/plaintext", "/chat/", "/chat", "/echo", "/sleep", "/search", "/static/chat.js", "/healthz"]
        {
            let line = format!("{method} {path}");
            assert_eq!((status(&line), allow(&line).as_deref()), (405, Some("GET, HEAD, OPTIONS")), "{line}");
        }
    }
    assert_eq!((status("PUT /login"), allow("PUT /login").as_deref()), (405, Some("GET, HEAD, POST, OPTIONS")));
    assert_eq!((status("GET /logout"), allow("GET /logout").as_deref()), (405, Some("POST, OPTIONS")));
    assert_eq!(status("DELETE /nowhere"), 404);
}

#[test]
fn an_unknown_method_is_501_everywhere() {
    for line in ["BREW /", "BREW /nowhere", "get /", "CONNECT squall.test:80"] {
        assert_eq!(status(line), 501, "{line}");
    }
}

#[test]
fn options_names_the_methods_of_a_path() {
    for (line, methods) in [
        ("OPTIONS *", "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS /", "GET, HEAD, OPTIONS"),
        ("OPTIONS /login", "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS /logout", "POST, OPTIONS"),
    ] {
        let response = Response::new(204, "", Body::Static(b"")).header("Allow", methods);
        assert_eq!(Bench::new().ask(conn(0), line, &[]).list, [Effect::Respond(conn(0), response)], "{line}");
    }
    assert_eq!(status("OPTIONS /nowhere"), 404);
}

#[test]
fn a_path_may_be_percent_encoded() {
    assert_eq!(status("GET /plain%74ext"), 200);
    assert_eq!(status("GET /%63hat"), 308);
    assert_eq!(status("GET /static/chat%2Ejs"), 200);
    for path in ["/%", "/%zz", "/%2f", "/static/%2e%2e/pages/base.html", "/static/%00", "/plaintext%2f", "/%ff"] {
        assert_eq!(status(&format!("GET {path}")), 404, "{path}");
    }
}

#[test]
fn the_blocking_contrasts_are_in_the_lab_only() {
    for path in ["/block", "/block?seconds=1", "/search-sync", "/search-sync?wd=x"] {
        assert_eq!(status(&format!("GET {path}")), 404, "{path}");
    }
    let mut bench = Bench::with(|settings| settings.lab = true);
    let out = bench.ask(conn(0), "GET /block?seconds=1", &[]);
    assert_eq!(out.list, [Effect::RunBlocking(conn(0), Blocking::Sleep(Duration::from_secs(1)))]);
    let out = bench.ask(conn(1), "GET /search-sync?wd=x", &[]);
    assert!(matches!(&out.list[..], [Effect::RunBlocking(_, Blocking::Fetch(_))]), "{:?}", out.list);
    assert_eq!(response(&bench.ask(conn(2), "GET /search-sync", &[])).status, 200, "the form");
}

#[test]
fn healthz_reports_draining() {
    let mut bench = Bench::new();
    bench.site.draining();
    let out = bench.ask(conn(0), "GET /healthz", &[]);
    assert_eq!(out.list, [Effect::Respond(conn(0), Response::text(503, "draining\n"))]);
    assert_eq!(response(&bench.ask(conn(0), "GET /plaintext", &[])).status, 200, "what is under way is answered");
}

#[test]
fn errors_are_pages_for_clients_that_accept_html() {
    let mut bench = Bench::new();
    let page = bench.ask(conn(0), "GET /sleep?seconds=x", &[HTML, "Accept-Language: zh"]);
    assert_eq!(&*response(&page).content_type, "text/html; charset=utf-8");
    assert!(text(response(&page)).contains("看不懂这个请求"));
    assert!(text(response(&page)).contains("seconds 必须是 0 到 60 之间的数。"));
    for accept in ["Accept: */*", "Accept: text/plain", "Accept: text/htm"] {
        let out = bench.ask(conn(0), "GET /sleep?seconds=x", &[accept]);
        assert_eq!(&*response(&out).content_type, "text/plain; charset=utf-8", "{accept}");
    }
}

#[test]
fn every_error_page_exists_in_chinese() {
    let mut bench = Bench::new();
    let foreign = "Origin: http://evil.test";
    for (line, more, status, said) in [
        ("GET /nowhere", "X: 1", 404, "没有这个页面。"),
        ("GET /static/none", "X: 1", 404, "没有这个文件。"),
        ("PUT /login", "X: 1", 405, "这个页面不接受这种请求方法。"),
        ("BREW /", "X: 1", 501, "这里不认识这种请求方法。"),
        ("GET /echo", "X: 1", 426, "这里是 WebSocket，版本 13。"),
        ("POST /login", foreign, 403, "请求来自 http:&#x2f;&#x2f;evil.test，而不是所访问的主机 squall.test。"),
        ("POST /logout", foreign, 403, "请求来自 http:&#x2f;&#x2f;evil.test，而不是所访问的主机 squall.test。"),
    ] {
        let out = bench.ask(conn(0), line, &[HTML, "Accept-Language: zh", more]);
        assert_eq!(response(&out).status, status, "{line}");
        assert!(text(response(&out)).contains("<html lang=\"zh-Hans\">"), "{line}");
        assert!(text(response(&out)).contains(said), "{line}: {}", text(response(&out)));
        let out = bench.ask(conn(0), line, &["Accept-Language: zh", more]);
        assert!(text(response(&out)).is_ascii(), "{line}: {}", text(response(&out)));
    }
}

#[test]
fn a_broken_setting_is_reported_at_start() {
    let settings = Settings { search_url: "http://search.test/".into(), ..settings() };
    let Err(why) = Site::new(settings, &Limits::default(), Instant::now()) else {
        panic!("a template without a place for the words")
    };
    assert!(why.contains("--search-url"), "{why}");
}
