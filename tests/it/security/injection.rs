//! Text from strangers where it could become markup, a header field, a redirect, or a line of a log.

use super::{HTML, MARKUP, ask, encoded, post};
use crate::support::{Child, Client, Dir, Site, Stub, login, wait_for};
use squall::config::Limits;
use squall::http::url::encode_reference;
use std::process::Command;

/// None of the markup stands in the page.
#[track_caller]
fn is_escaped(page: &str, what: &str) {
    assert!(page.contains("alert(1)") && page.contains("{{7*7}}"), "{what} is not shown as it is: {page}");
    for part in ["<script>alert", "<img src=x", "\"'>"] {
        assert!(!page.contains(part), "{what} is not escaped: {page}");
    }
}

#[test]
fn markup_is_escaped_on_every_page() {
    let name = "<script>alert(1)//\"'</script>";
    let stub = Stub::saying(format!("HTTP/1.1 302 Found\r\nLocation: evil:{MARKUP}\r\nContent-Length: 0\r\n\r\n"));
    let flag = stub.flag();
    let site = Site::start(Limits::default(), &[&flag[0], &flag[1]]);
    let cookie = format!("{HTML}Cookie: {}\r\n", login(site.address, name));
    for line in ["GET /", "GET /login", "GET /chat/", "GET /search", "GET /nowhere", "PUT /"] {
        let page = ask(site.address, line, &cookie);
        assert!(page.text().contains("alert(1)") && !page.text().contains("<script>alert"), "{line}: {}", page.text());
    }
    let form = format!("username={}&next={}", encoded(MARKUP), encoded(format!("/{MARKUP}")));
    is_escaped(&post(site.address, "/login", HTML, &form).text(), "a refused name");
    is_escaped(&ask(site.address, &format!("GET /login?next=/{}", encoded(MARKUP)), HTML).text(), "next");
    is_escaped(&post(site.address, "/logout", &format!("{HTML}Origin: {MARKUP}\r\n"), "").text(), "an Origin");
    is_escaped(&ask(site.address, "GET /search?wd=x", HTML).text(), "where a site redirects to");
    for target in [format!("/{}", encoded(MARKUP)), format!("/sleep?seconds={}", encoded(MARKUP))] {
        let page = ask(site.address, &format!("GET {target}"), HTML).text();
        assert!(!page.contains("alert"), "what was asked for is not shown: {page}");
    }
}

#[test]
fn an_error_in_words_quotes_its_request_as_plain_text_only() {
    let site = Site::with_defaults();
    let response = post(site.address, "/logout", &format!("Origin: {MARKUP}\r\n"), "");
    assert!(response.text().contains(MARKUP));
    assert_eq!(response.field("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
}

#[test]
fn no_line_end_from_a_stranger_gets_into_a_head() {
    let stub = Stub::start(|mut asked| {
        let target = asked.target().to_owned();
        asked.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()));
    });
    let flag = stub.flag();
    let site = Site::start(Limits::default(), &[&flag[0], &flag[1]]);
    for (n, end) in ["\r\n", "\n", "\r", "\0", "\u{85}", "\u{2028}", "嘊嘍"].into_iter().enumerate() {
        let evil = format!("/x{end}Set-Cookie: evil=1{end}{end}<b>");
        let login = post(site.address, "/login", "", &format!("username=ann+{n}&next={}", encoded(&evil)));
        assert_eq!(login.status, 303);
        assert!(login.head.matches("Set-Cookie: ").count() <= 2 && !login.head.contains("\r\nSet-Cookie: evil"));
        let location = login.field("location").unwrap();
        assert!(location == "/chat/" || location == encode_reference(&evil), "{location:?}");
        assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{location:?}");
        assert_eq!(login.text(), "See the Location field.\n");

        let search = ask(site.address, &format!("GET /search?wd={}", encoded(format!("{end}Evil: 1"))), "");
        assert_eq!(search.text(), format!("/s?wd={}Evil%3A%201", encoded(end)), "one line, all of it encoded");
    }
    for request in stub.requests() {
        assert!(!request.contains("\nEvil"), "{request:?}");
    }
}

#[test]
fn accept_language_with_a_line_end_is_refused() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let flag = stub.flag();
    let site = Site::start(Limits::default(), &[&flag[0], &flag[1]]);
    for value in ["en\rEvil: 1", "en\nEvil: 1", "en\0", "en\x1b[31m"] {
        let fields = format!("Accept-Language: {value}\r\n");
        assert_eq!(ask(site.address, "GET /search?wd=x", &fields).status, 400, "{value:?}");
    }
    assert!(stub.requests().is_empty());
}

#[test]
fn a_login_leads_nowhere_else() {
    let site = Site::with_defaults();
    let nexts = [
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\r\n/evil.test",
        "\t//evil.test",
        " //evil.test",
        "http://evil.test",
        "http:evil.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.test",
        "@evil.test",
        ".evil.test",
        ":80",
        "?x",
        "#x",
        "",
    ];
    for (n, next) in nexts.into_iter().enumerate() {
        let form = format!("username=ann+{n}&next={}", encoded(next));
        let response = post(site.address, "/login", "", &form);
        assert_eq!(response.field("location"), Some("/chat/"), "{next:?}");
        let page = ask(site.address, &format!("GET /login?next={}", encoded(next)), HTML);
        assert!(page.text().contains("name=\"next\" value=\"&#x2f;chat&#x2f;\""), "{next:?}");
    }
}

#[test]
fn access_log_lines_cannot_be_forged() {
    let site = Child::start(&["--access-log", "-"], &[]);
    let evil = "\x1b[2J\u{9b}31m\" 200 1 \"\\";
    let mut client = Client::connect(site.address);
    let quoted =
        "GET /\"x\"%0a%1b HTTP/1.1\r\nHost: squall\r\nUser-Agent: \"q\\\u{9b}31m\u{202e}\r\nReferer: a\" \"b\r\n\r\n";
    assert_eq!(client.ask(quoted).status, 404);
    // Bytes that no request may hold are refused, and the line that is logged of them is escaped as well.
    for request in [format!("GET /{evil} HTTP/1.1\r\n\r\n"), format!("{evil}\nGET / HTTP/1.1\r\n\r\n")] {
        let mut client = Client::connect(site.address);
        client.send(&request);
        assert_eq!(client.response().status, 400);
    }
    let logged = wait_for("three lines", || {
        let said = site.stderr();
        (said.matches("HTTP/1.1\" 4").count() + said.matches("\" 400 ").count() >= 3).then_some(said)
    });
    assert!(logged.lines().all(|line| line.starts_with("127.0.0.1 - - [") || line.is_empty()), "{logged}");
    assert!(logged.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{logged:?}");
    let line = "\"GET /\\\"x\\\"%0a%1b HTTP/1.1\" 404 23 \"a\\\" \\\"b\" \"\\\"q\\\\\\xc2\\x9b31m\\xe2\\x80\\xae\"";
    assert!(logged.contains(line), "{logged}");
}

#[test]
fn path_in_an_error_has_no_terminal_escapes() {
    let www = Dir::new();
    let name = "evil\n2026 ERROR forged\x1b[31m.txt";
    www.write(&format!("static/{name}"), vec![0; 32 << 20]);
    let site = Child::start(&["--www", www.arg()], &[]);
    assert_eq!(ask(site.address, &format!("GET /static/{}", encoded(name)), "").status, 500);
    let said = wait_for("an error in the log", || Some(site.stderr()).filter(|said| said.ends_with("bytes\n")));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("evil\\n2026 ERROR forged\\u{1b}[31m.txt") && !said.contains('\x1b'), "{said:?}");
}

#[test]
fn impossible_file_name_is_404_and_not_logged() {
    let www = Dir::new();
    www.write("static/x", "");
    let site = Child::start(&["--www", www.arg()], &[]);
    let long = "a".repeat(300);
    for target in
        [format!("/static/{long}"), format!("/static/{}", format!("{long}/").repeat(20)), "/static/x/y".into()]
    {
        assert_eq!(ask(site.address, &format!("GET {target}"), "").status, 404);
    }
    assert_eq!(site.stderr(), "");
}

#[test]
fn template_that_is_a_pipe_is_refused_at_start() {
    let (www, data) = (Dir::new(), Dir::new());
    www.write("pages/x.txt", "");
    let pipe = www.path().join("pages/chat.html");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo(1) exists").success());
    let mut command = Command::new(crate::support::child::PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg(), "--www", www.arg()]);
    let ended = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), said.ends_with("chat.html is not a file\n")), (Some(1), true), "{said}");
}
