use super::testing::{Bench, HTML, answer, conn, settings, text};
use super::*;

#[test]
fn errors_are_pages_for_clients_that_accept_html() {
    let mut bench = Bench::new();
    let page = bench.ask(conn(0), "GET /sleep?seconds=x", &[HTML, "Accept-Language: zh"]);
    assert_eq!(&*answer(&page).content_type, "text/html; charset=utf-8");
    assert!(text(answer(&page)).contains("看不懂这个请求"));
    assert!(text(answer(&page)).contains("seconds 必须是 0 到 60 之间的数。"));
    for accept in ["Accept: */*", "Accept: text/plain", "Accept: text/htm"] {
        let out = bench.ask(conn(0), "GET /sleep?seconds=x", &[accept]);
        assert_eq!(&*answer(&out).content_type, "text/plain; charset=utf-8", "{accept}");
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
        assert_eq!(answer(&out).status, status, "{line}");
        assert!(text(answer(&out)).contains("<html lang=\"zh-Hans\">"), "{line}");
        assert!(text(answer(&out)).contains(said), "{line}: {}", text(answer(&out)));
        let out = bench.ask(conn(0), line, &["Accept-Language: zh", more]);
        assert!(text(answer(&out)).is_ascii(), "{line}: {}", text(answer(&out)));
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
