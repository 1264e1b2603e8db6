use super::*;
use crate::site::context::Standing;
use std::fs;
use std::path::PathBuf;

fn pages() -> Pages {
    Pages::new(None).unwrap()
}

/// A user of this name and language.
fn user(name: Option<&str>, lang: Lang) -> User {
    let standing = name.map_or(Standing::Guest, |name| Standing::Named(name.to_owned()));
    User { standing, lang, accepts_html: true }
}

/// The form of the login, without a problem.
fn login<'a>(name: &'a str, next: &'a str) -> LoginForm<'a> {
    LoginForm { name, next, problem: None, asks: Asks::Name, invite: Invite::NotNeeded }
}

/// A user without a name.
fn nameless(lang: Lang) -> User {
    user(None, lang)
}

fn html(response: &Response) -> &str {
    match &response.body {
        Body::Owned(bytes) => std::str::from_utf8(bytes).unwrap(),
        other => panic!("not a rendered page: {other:?}"),
    }
}

fn field<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.iter().find(|field| field.0 == name).map(|field| &*field.1)
}

/// A text with `person` as every value.
fn text_of(person: &str) -> Localized {
    Localized::new("why_location", [&person]).because(person)
}

/// One of each page with its user, with `person` as every value.
fn all<'a>(person: &'a str, why: &'a Localized) -> Vec<(Page<'a>, Option<&'a str>)> {
    let user = Some(person);
    vec![
        (Page::Index { delay: Some(Delay::Slept(0.25)), lab: true }, user),
        (Page::Index { delay: None, lab: false }, None),
        (Page::Login(login("", "/chat/")), None),
        (Page::Login(LoginForm { problem: Some(LoginProblem::Online), ..login(person, person) }), user),
        (Page::Login(LoginForm { asks: Asks::Password, ..login(person, person) }), user),
        (Page::Login(LoginForm { invite: Invite::Given(person), ..login(person, person) }), None),
        (Page::Chat, user),
        (Page::Search, user),
        (Page::Search, None),
        (Page::Error { why, layout: Layout::Whole }, user),
        (Page::Error { why, layout: Layout::Relayed }, user),
        (Page::Error { why, layout: Layout::Framed }, None),
    ]
}

/// A `--www` directory of this test's own with these templates.
fn overlay(name: &str, templates: &[(&str, &str)]) -> PathBuf {
    let www = tempfile::TempDir::with_prefix(format!("squall-pages-{name}-")).unwrap().keep();
    fs::create_dir_all(www.join("pages")).unwrap();
    for (file, source) in templates {
        fs::write(www.join("pages").join(file), source).unwrap();
    }
    www
}

#[test]
fn every_page_is_whole_in_both_languages() {
    for (page, name) in all("Ann", &text_of("Ann")) {
        for (lang, tag) in [(Lang::En, "en"), (Lang::Zh, "zh-Hans")] {
            let response = pages().render(&page, &user(name, lang), 200);
            assert_eq!((response.status, &*response.content_type), (200, "text/html; charset=utf-8"), "{page:?}");
            let html = html(&response);
            assert!(html.starts_with(&format!("<!doctype html>\n<html lang=\"{tag}\">")), "{html}");
            assert!(html.ends_with("</html>"), "{html}");
        }
    }
}

#[test]
fn every_value_is_escaped() {
    let evil = r#"<b>"'&</b>"#;
    for (page, name) in all(evil, &text_of(evil)) {
        let response = pages().render(&page, &user(name, Lang::En), 200);
        assert!(!html(&response).contains("<b>"), "{page:?}");
        assert!(!html(&response).contains(r#""'&"#), "{page:?}");
    }
}

#[test]
fn no_page_has_inline_code_or_a_foreign_address() {
    for (page, name) in all("Ann", &text_of("Ann")) {
        let response = pages().render(&page, &user(name, Lang::En), 200);
        let html = html(&response);
        for word in ["<style", " style=", " onclick=", "javascript:", "http://", "https://", "src=\"data:", "=\"//"] {
            assert!(!html.contains(word), "{page:?} has {word}");
        }
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/static/").count());
    }
}

#[test]
fn a_page_may_do_what_its_script_needs_and_nothing_else() {
    let policy = |page: &Page| {
        field(&pages().render(page, &nameless(Lang::En), 200), "Content-Security-Policy").unwrap().to_owned()
    };
    assert!(POLICY.starts_with("default-src 'none'; ") && POLICY.ends_with("frame-ancestors 'none'"));
    assert_eq!(policy(&Page::Login(login("", "/"))), POLICY);
    let with_script = format!(
        "{POLICY}; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    assert_eq!(policy(&Page::Chat), format!("{with_script}; manifest-src 'self'"));
    assert_eq!(policy(&Page::Index { delay: None, lab: true }), with_script);
    assert_eq!(policy(&Page::Search), format!("{with_script}; frame-src 'self'"));
    let why = text_of("Ann");
    let error = |layout| policy(&Page::Error { why: &why, layout });
    assert_eq!((error(Layout::Whole), error(Layout::Relayed)), (POLICY.to_owned(), error(Layout::Framed)));
    assert!(error(Layout::Framed).starts_with("sandbox;") && error(Layout::Framed).ends_with("frame-ancestors 'self'"));
}

#[test]
fn a_page_has_a_script_if_its_policy_lets_it_run() {
    for (page, name) in all("Ann", &text_of("Ann")) {
        let response = pages().render(&page, &user(name, Lang::En), 200);
        let policy = field(&response, "Content-Security-Policy").unwrap();
        for loose in ["-inline", "-eval", "*", "data:", "http"] {
            assert!(!policy.contains(loose), "{policy}");
        }
        assert_eq!(html(&response).contains("<script"), policy.contains("script-src 'self'"), "{page:?}");
    }
}

#[test]
fn an_error_page_leaves_out_what_its_layout_forbids() {
    let why = text_of("Ann");
    let page = |layout| {
        let page = Page::Error { why: &why, layout };
        html(&pages().render(&page, &user(Some("Ann"), Lang::En), 502)).to_owned()
    };
    let parts = |html: &str| ["class=\"bar\"", "<a href=\"/\">", "<form", "<use"].map(|part| html.contains(part));
    assert_eq!(parts(&page(Layout::Whole)), [true, true, true, true]);
    assert_eq!(parts(&page(Layout::Relayed)), [true, true, false, false]);
    assert_eq!(parts(&page(Layout::Framed)), [false; 4]);
}

#[test]
fn a_cause_is_marked_as_english_on_every_page() {
    let why = Localized::new("why_search", []).because("no route");
    for (lang, said) in [
        (Lang::En, "The search failed: <span lang=\"en\">no route</span>."),
        (Lang::Zh, "搜索失败：<span lang=\"en\">no route</span>。"),
    ] {
        let page = Page::Error { why: &why, layout: Layout::Whole };
        assert!(html(&pages().render(&page, &nameless(lang), 502)).contains(said), "{said}");
    }
    let page = Page::Error { why: &Localized::new("why_no_page", []), layout: Layout::Whole };
    assert!(html(&pages().render(&page, &nameless(Lang::Zh), 404)).contains("<p class=\"lead\">没有这个页面。</p>"));
}

#[test]
fn pages_are_private_and_never_stored_with_a_name() {
    for (name, caching) in [(Some("Ann"), "private, no-store"), (None, "private, no-cache")] {
        let response = pages().render(&Page::Search, &user(name, Lang::En), 200);
        assert_eq!(field(&response, "Cache-Control"), Some(caching));
        assert_eq!(field(&response, "Vary"), Some("Accept-Language, Cookie"));
        assert_eq!(field(&response, "Referrer-Policy"), Some("same-origin"));
        assert_eq!(field(&response, "X-Content-Type-Options"), Some("nosniff"));
    }
}

#[test]
fn a_delay_is_shown_in_seconds() {
    for (pause, lang, words) in [
        (Delay::Slept(3.0), Lang::En, "Slept 3 s on a timer of the loop. Nobody else noticed."),
        (Delay::Slept(0.0), Lang::En, "Slept 0 s"),
        (Delay::Slept(0.25), Lang::Zh, "睡了 0.25 秒"),
        (Delay::Blocked(3.0), Lang::En, "Blocked the loop for 3 s. Everybody waited."),
        (Delay::Blocked(0.5), Lang::Zh, "把事件循环堵了 0.5 秒。所有人都在等。"),
    ] {
        let page = Page::Index { delay: Some(pause), lab: false };
        let response = pages().render(&page, &nameless(lang), 200);
        assert!(html(&response).contains(words), "{words}");
        assert_eq!(html(&response).contains("Nobody else"), words.contains("Nobody else") || words == "Slept 0 s");
    }
    let page = Page::Index { delay: None, lab: false };
    assert!(!html(&pages().render(&page, &nameless(Lang::En), 200)).contains("role=\"status\""));
}

#[test]
fn the_lab_is_shown_only_if_it_exists() {
    for lab in [false, true] {
        let response = pages().render(&Page::Index { delay: None, lab }, &nameless(Lang::En), 200);
        assert_eq!(html(&response).contains("/search-sync"), lab);
        assert_eq!(html(&response).contains("/block?seconds=3"), lab);
    }
}

#[test]
fn the_chat_page_has_the_limit_of_a_text() {
    let limit = crate::config::Limits::default().chat_text_bytes_max;
    let response = pages().render(&Page::Chat, &user(Some("Ann"), Lang::En), 200);
    assert!(html(&response).contains(&format!("data-text-bytes=\"{limit}\"")));
}

#[test]
fn each_problem_with_a_login_has_its_own_text() {
    let names = [NameProblem::Empty, NameProblem::TooLong, NameProblem::BadCharacter];
    let others = [
        LoginProblem::Online,
        LoginProblem::Owned,
        LoginProblem::OfOperator,
        LoginProblem::Password,
        LoginProblem::TooFast,
        LoginProblem::Busy,
        LoginProblem::NotStored,
        LoginProblem::Invite,
    ];
    let problems: Vec<LoginProblem> = names.map(LoginProblem::Name).into_iter().chain(others).collect();
    let keys: BTreeSet<&str> = problems.iter().map(|problem| problem.key()).collect();
    assert_eq!(keys.len(), problems.len());
    for lang in Lang::ALL {
        for &problem in &problems {
            let invite = if problem == LoginProblem::Invite { Invite::Asked } else { Invite::NotNeeded };
            let page = Page::Login(LoginForm { problem: Some(problem), invite, ..login("x:y", "/search") });
            let response = pages().render(&page, &nameless(lang), 409);
            assert_eq!(response.status, 409);
            let html = html(&response);
            assert!(html.contains(lang.text(problem.key()).unwrap()));
            assert!(html.contains("value=\"x:y\"") && html.contains("value=\"&#x2f;search\""), "{html}");
        }
    }
}

#[test]
fn an_error_page_has_a_title_for_each_status() {
    let why = text_of("Ann");
    for status in [400, 401, 403, 404, 405, 409, 415, 426, 500, 501, 502, 503, 504] {
        for lang in Lang::ALL {
            let response = pages().render(&Page::Error { why: &why, layout: Layout::Whole }, &nameless(lang), status);
            assert!(!html(&response).contains("<h1></h1>"), "{status} in {lang:?}");
        }
    }
}

#[test]
fn an_overlaid_template_replaces_ours_and_has_no_policy() {
    let source = "<p>{{ user }} {{ t.chat }} {% include 'part.html' %}";
    let www = overlay("place", &[("chat.html", source), ("part.html", "{{ lang }}"), ("notes.txt", "{{")]);
    let pages = Pages::new(Some(&www)).unwrap();
    let response = pages.render(&Page::Chat, &user(Some("<a>"), Lang::Zh), 200);
    assert_eq!(html(&response), "<p>&lt;a&gt; 聊天 zh-Hans");
    assert_eq!(field(&response, "Content-Security-Policy"), None);
    assert_eq!(field(&response, "X-Content-Type-Options"), Some("nosniff"));
    let ours = pages.render(&Page::Search, &nameless(Lang::Zh), 200);
    assert!(field(&ours, "Content-Security-Policy").is_some());
    fs::remove_dir_all(www).unwrap();
}

#[test]
fn an_overlaid_frame_removes_every_policy() {
    let www = overlay("frame", &[("base.html", "{% block content %}{% endblock %}")]);
    let response = Pages::new(Some(&www)).unwrap().render(&Page::Search, &nameless(Lang::En), 200);
    assert_eq!(field(&response, "Content-Security-Policy"), None);
    fs::remove_dir_all(www).unwrap();
}

#[test]
fn a_directory_without_templates_overlays_nothing() {
    let www = overlay("none", &[]);
    fs::remove_dir(www.join("pages")).unwrap();
    assert!(Pages::new(Some(&www)).unwrap().overlaid.is_empty());
    fs::remove_dir_all(www).unwrap();
}

#[test]
fn a_template_that_does_not_parse_is_named_with_its_line() {
    let www = overlay("parse", &[("index.html", "<p>\n{% if %}\n")]);
    let problem = Pages::new(Some(&www)).unwrap_err();
    assert!(problem.contains("pages/index.html") && problem.contains("line 2"), "{problem}");
    fs::remove_dir_all(&www).unwrap();
    let www = overlay("read", &[]);
    fs::write(www.join("pages/chat.html"), b"\xff").unwrap();
    let problem = Pages::new(Some(&www)).unwrap_err();
    assert!(problem.contains("chat.html cannot be read"), "{problem}");
    fs::remove_dir_all(&www).unwrap();
    fs::create_dir_all(www.join("pages/index.html")).unwrap();
    assert!(Pages::new(Some(&www)).unwrap_err().ends_with("pages/index.html is not a file"));
    fs::remove_dir_all(&www).unwrap();
    fs::create_dir(&www).unwrap();
    fs::write(www.join("pages"), "").unwrap();
    assert!(Pages::new(Some(&www)).unwrap_err().contains("cannot be read"));
    fs::remove_dir_all(&www).unwrap();
}

#[test]
fn a_template_that_fails_at_run_time_is_a_plain_500() {
    for source in ["{{ nobody.knows }}", "{% include 'gone.html' %}", "{{ 1 / 0 }}"] {
        let www = overlay("run", &[("index.html", source)]);
        let page = Page::Index { delay: None, lab: false };
        let response = Pages::new(Some(&www)).unwrap().render(&page, &nameless(Lang::En), 200);
        assert_eq!((response.status, &*response.content_type), (500, "text/plain; charset=utf-8"), "{source}");
        fs::remove_dir_all(www).unwrap();
    }
}
