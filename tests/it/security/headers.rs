//! The fields of every response: each route, each status, and not a field more.
//!
//! ```text
//!             X-Content-Type-Options   Content-Security-Policy    Referrer-Policy   may be framed by
//! page        nosniff                  what its script needs      same-origin       no page
//! file        nosniff                  nothing runs               -                 no page
//! relayed     nosniff                  sandbox                    same-origin       our search page
//! words       nosniff                  -                          -
//! redirect    nosniff                  -                          -
//! plaintext   -                        -                          -                 lean: load generators ask for it
//! --www       nosniff                  -                          pages only        as its owner likes
//! ```
//!
//! With `no-referrer` browsers would send `Origin: null` with our own forms.

use super::{HTML, ask};
use crate::support::client::transcript;
use crate::support::frames::handshake;
use crate::support::{Client, Dir, Response, Site, Stub, WsClient, login, ms, wait_for};
use squall::config::Limits;
use std::collections::BTreeSet;
use std::net::TcpStream;

const NOSNIFF: &str = "X-Content-Type-Options: nosniff";
const STRICT: &str = "Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const SCRIPT: &str =
    "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";
const FRAME: &str = "; frame-src 'self'";
const MANIFEST: &str = "; manifest-src 'self'";
const SANDBOX: &str = "Content-Security-Policy: sandbox; frame-ancestors 'self'";
const SANDBOXED_PAGE: &str = "Content-Security-Policy: sandbox; default-src 'none'; style-src 'self'; img-src 'self'; \
                              base-uri 'none'; frame-ancestors 'self'";
const REFERRER: &str = "Referrer-Policy: same-origin";

type Fields = Vec<String>;

fn list(fields: &[&str]) -> Fields {
    fields.iter().map(|&field| field.to_owned()).collect()
}

/// A page without a name on it, with this policy.
fn page(policy: &str) -> Fields {
    list(&[
        "Content-Type: text/html; charset=utf-8",
        NOSNIFF,
        REFERRER,
        "Cache-Control: private, no-cache",
        VARY,
        policy,
    ])
}

/// A page that shows the visitor's name.
fn own_page(policy: &str) -> Fields {
    list(&[
        "Content-Type: text/html; charset=utf-8",
        NOSNIFF,
        REFERRER,
        "Cache-Control: private, no-store",
        VARY,
        policy,
    ])
}

const VARY: &str = "Vary: Accept-Language, Cookie";

fn words(further: &[&str]) -> Fields {
    [list(&["Content-Type: text/plain; charset=utf-8", NOSNIFF]), list(further)].concat()
}

fn file(kind: &str, further: &[&str]) -> Fields {
    let first = if kind.is_empty() { vec![] } else { vec![format!("Content-Type: {kind}")] };
    [first, list(&["Cache-Control: no-cache", "Accept-Ranges: none", NOSNIFF]), list(further)].concat()
}

/// All fields but those of every response and of its framing; what is different each time is masked.
fn fields(response: &Response) -> Fields {
    let mask = |line: &str| match line.split_once(": ").map_or(line, |(name, _)| name) {
        name @ ("ETag" | "Last-Modified") => format!("{name}: *"),
        "Set-Cookie" if !line.contains("username=;") => {
            format!("Set-Cookie: username=*;{}", line.split_once(';').expect("attributes").1)
        }
        _ => line.to_owned(),
    };
    let lines: Fields = transcript(response.head.as_bytes()).split("\r\n").skip(1).map(mask).collect();
    assert_eq!(lines[..2], ["Server: squall", "Date: *"]);
    let framing = ["Content-Length: ", "Transfer-Encoding: ", "Connection: close"];
    lines.into_iter().skip(2).filter(|line| !framing.iter().any(|begin| line.starts_with(begin))).collect()
}

/// Paths of ours that a page links to, loads, or sends a form to.
fn paths_in(page: &str) -> Vec<String> {
    let values = ["href=\"/", "src=\"/", "action=\"/"].map(|begin| page.split(begin).skip(1));
    let paths = values.into_iter().flatten().filter_map(|rest| rest.split(['"', '?', '#']).next());
    paths.map(|path| format!("/{path}")).collect()
}

const CHALLENGE: &str = "WWW-Authenticate: Cookie form-action=\"/login\", cookie-name=\"username\"";
const JSON: &str = "Content-Type: application/json\r\n";
const GZIP: &str = "Content-Encoding: gzip\r\n";
const ACCEPT: &str = "Accept: application/x-www-form-urlencoded";
const ALLOW: &str = "Allow: GET, HEAD, OPTIONS";
const COOKIE: &str = "Set-Cookie: username=*; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax";
const CLEARED: &str = "Set-Cookie: username=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax";

#[test]
fn every_route_has_exactly_these_fields_at_every_status() {
    let www = Dir::new();
    www.write("static/own.html", "<p>");
    let stub = Stub::start(|mut asked| match asked.target().ends_with("ok") {
        true => asked.say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok"),
        false => asked.say("nonsense"),
    });
    let flag = stub.flag();
    let site = Site::start(Limits::default(), &["--lab", "--www", www.arg(), &flag[0], &flag[1]]);
    let ann = format!("Cookie: {}\r\n", login(site.address, "ann"));
    let _there = WsClient::open(site.address, "/chat/", &ann);

    let script = format!("{STRICT}{SCRIPT}");
    let search = format!("{STRICT}{SCRIPT}{FRAME}");
    let chat = format!("{STRICT}{SCRIPT}{MANIFEST}").replace("types 'none'", "types squall-worker");
    let (tag, date) = ("ETag: *", "Last-Modified: *");
    let upgrade = ["Upgrade: websocket", "Connection: Upgrade"];
    let (html, evil) = (HTML.to_owned(), "Origin: http://evil.test\r\n");
    let shake =
        |fields: &str| handshake("", fields).split_once("Host: squall\r\n").unwrap().1.trim_end().to_owned() + "\r\n";
    let (shake_html, form) = (shake(HTML), |form: &str| format!("Content-Length: {}\r\n\r\n{form}", form.len()));
    let own = |policy: &str| (ann.clone() + HTML, own_page(policy));
    let at_home = |policy: &str| (html.clone(), page(policy));
    let relay = || list(&["Content-Type: text/html", NOSNIFF, SANDBOX, REFERRER]);
    let relay_failed = || words(&[SANDBOX, REFERRER]);

    let rows: Vec<(&str, u16, (String, Fields))> = vec![
        ("GET /plaintext", 200, (String::new(), list(&["Content-Type: text/plain"]))),
        ("GET /", 200, at_home(&script)),
        ("GET /", 200, own(&script)),
        ("GET /sleep?seconds=0", 200, at_home(&script)),
        ("GET /sleep?seconds=x", 400, at_home(STRICT)),
        ("GET /sleep?seconds=x", 400, (String::new(), words(&[]))),
        ("GET /block?seconds=0", 200, at_home(&script)),
        ("GET /block?seconds=x", 400, at_home(STRICT)),
        ("GET /login", 200, at_home(STRICT)),
        ("GET /login", 200, own(STRICT)),
        ("POST /login", 400, (html.clone() + &form("username="), page(STRICT))),
        ("POST /login", 400, (html.clone() + &form("username=%FF"), page(STRICT))),
        ("POST /login", 400, (form("username=%FF"), words(&[]))),
        ("GET /login?next=%FF", 400, at_home(STRICT)),
        ("POST /login", 415, (html.clone() + JSON + &form("{}"), [page(STRICT), list(&[ACCEPT])].concat())),
        ("POST /login", 415, (JSON.to_owned() + &form("{}"), words(&[ACCEPT]))),
        ("POST /login", 415, (GZIP.to_owned() + &form("x"), words(&["Accept-Encoding: identity"]))),
        ("POST /login", 409, (html.clone() + &form("username=ann"), page(STRICT))),
        ("POST /login", 403, (html.clone() + evil + &form("username=bob"), page(STRICT))),
        ("POST /login", 403, (evil.to_owned() + &form("username=bob"), words(&[]))),
        ("POST /login", 303, (form("username=bob"), words(&["Location: /chat/", COOKIE, "Cache-Control: no-store"]))),
        ("POST /logout", 303, (form(""), words(&["Location: /", CLEARED]))),
        ("POST /logout", 403, (html.clone() + evil + &form(""), page(STRICT))),
        ("GET /logout", 405, (html.clone(), [page(STRICT), list(&["Allow: POST, OPTIONS"])].concat())),
        ("GET /chat", 308, (String::new(), words(&["Location: /chat/"]))),
        ("GET /chat/", 200, own(&chat)),
        ("GET /chat/", 303, (String::new(), words(&["Location: /login?next=/chat/", "Cache-Control: no-store"]))),
        ("GET /chat/", 401, (shake_html.clone(), [page(STRICT), list(&[CHALLENGE])].concat())),
        ("GET /chat/", 403, (shake_html.clone() + evil, page(STRICT))),
        ("GET /chat/", 403, (shake(evil), words(&[]))),
        ("GET /chat/", 400, (shake_html.replace("dGhl", "d"), page(STRICT))),
        (
            "GET /echo",
            426,
            (html.clone(), [page(STRICT), list(&upgrade), list(&["Sec-WebSocket-Version: 13"])].concat()),
        ),
        ("GET /echo", 426, (String::new(), [words(&upgrade), list(&["Sec-WebSocket-Version: 13"])].concat())),
        ("GET /echo", 403, (shake_html.clone() + evil, page(STRICT))),
        ("GET /search", 200, at_home(&search)),
        ("GET /search", 200, own(&search)),
        ("GET /search-sync", 200, at_home(&search)),
        ("GET /search?wd=ok", 200, (html.clone(), relay())),
        ("GET /search-sync?wd=ok", 200, (ann.clone(), relay())),
        ("GET /search?wd=x", 502, (String::new(), relay_failed())),
        ("GET /search-sync?wd=x", 502, (String::new(), relay_failed())),
        ("GET /search?wd=x", 502, at_home(SANDBOXED_PAGE)),
        ("GET /search?wd=x&framed=1", 502, own(SANDBOXED_PAGE)),
        ("GET /static/chat.js", 200, (html.clone(), file("text/javascript; charset=utf-8", &[tag, STRICT]))),
        ("GET /static/chat.js", 304, ("If-None-Match: *\r\n".into(), file("", &[tag, STRICT]))),
        ("GET /static/chat.js", 412, ("If-Match: \"x\"\r\n".into(), words(&[STRICT]))),
        ("GET /favicon.ico", 200, (String::new(), file("image/x-icon", &[tag, STRICT]))),
        ("GET /static/own.html", 200, (html.clone(), file("text/html; charset=utf-8", &[date, tag]))),
        ("GET /static/own.html", 304, ("If-None-Match: *\r\n".into(), file("", &[date, tag]))),
        ("GET /static/nothing", 404, at_home(STRICT)),
        ("GET /static/../nothing", 404, (String::new(), words(&[]))),
        ("GET /healthz", 200, (html.clone(), words(&[]))),
        ("GET /nothing", 404, at_home(STRICT)),
        ("GET /nothing", 404, own(STRICT)),
        ("GET /nothing", 404, (String::new(), words(&[]))),
        ("PUT /", 405, (html.clone(), [page(STRICT), list(&[ALLOW])].concat())),
        ("DELETE /plaintext", 405, (String::new(), words(&[ALLOW]))),
        ("BREW /", 501, at_home(STRICT)),
        ("BREW /", 501, (String::new(), words(&[]))),
        ("OPTIONS /login", 204, (html.clone(), list(&["Allow: GET, HEAD, POST, OPTIONS"]))),
        ("OPTIONS *", 204, (String::new(), list(&["Allow: GET, HEAD, POST, OPTIONS"]))),
    ];
    let (mut walked, mut linked) = (BTreeSet::new(), BTreeSet::new());
    for (line, status, (asked, expected)) in &rows {
        let head = if asked.contains("\r\n\r\n") { asked.clone() } else { format!("{asked}\r\n") };
        let mut client = Client::connect(site.address);
        client.send(format!("{line} HTTP/1.1\r\nHost: squall\r\n{head}"));
        let response = client.response();
        assert_eq!((response.status, &fields(&response)), (*status, expected), "{line} {asked}");
        if line.starts_with("GET ") && response.status != 101 {
            client.send(format!("HEAD{} HTTP/1.1\r\nHost: squall\r\n{head}", &line[3..]));
            let head = client.head();
            let upgrade = asked.contains("Upgrade");
            assert!(upgrade || (head.status, &fields(&head)) == (*status, expected), "HEAD of {line}: {}", head.head);
        }
        linked.extend(paths_in(&response.text()));
        walked.insert(line.split([' ', '?']).nth(1).unwrap().to_owned());
    }
    assert!(linked.len() > 10, "{linked:?}");
    let missing: Vec<_> = linked.difference(&walked).filter(|path| !path.starts_with("/static/")).collect();
    assert!(missing.is_empty(), "linked and not walked: {missing:?}");
}

#[test]
fn an_upgrade_has_the_fields_of_the_handshake_only() {
    let site = Site::with_defaults();
    let switched = WsClient::echo(site.address).response;
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(fields(&switched), ["Upgrade: websocket", "Connection: Upgrade", accept]);
}

#[test]
fn refusals_of_the_server_are_plain_text() {
    let limits = Limits { head_within: ms(50), ..Limits::default() };
    let site = Site::start(limits, &[]);
    let long = "x".repeat(20_000);
    for (status, request) in [
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (408, "GET / HTTP/1.1\r\nHost: squall\r\n".into()),
        (413, "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 99999999\r\n\r\n".into()),
        (414, format!("GET /{long}")),
        (417, "GET / HTTP/1.1\r\nHost: squall\r\nExpect: cake\r\n\r\n".into()),
        (431, format!("GET / HTTP/1.1\r\nHost: squall\r\nX: {long}")),
        (501, "POST / HTTP/1.1\r\nHost: squall\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".into()),
        (505, "GET / HTTP/3.0\r\nHost: squall\r\n\r\n".into()),
    ] {
        let mut client = Client::connect(site.address);
        client.send(request);
        let response = client.response();
        assert_eq!((response.status, fields(&response)), (status, words(&[])), "{}", response.text());
    }
}

#[test]
fn refusals_while_draining_are_plain_text() {
    let site = Site::with_defaults();
    // They are in the middle of a request, so they are not closed as idle ones.
    let mut late = [handshake("/echo", ""), handshake("/healthz", "")].map(|whole| {
        let (begun, rest) = whole.split_at(whole.len() / 2);
        let mut client = Client::connect(site.address);
        client.send(begun);
        (client, rest.to_owned())
    });
    site.wait_until("the halves", |counts| counts.connections == 2 && counts.booked > 100);
    site.drain();
    wait_for("the closed door", || TcpStream::connect(site.address).err());
    for (client, rest) in &mut late {
        let response = client.ask(rest);
        assert_eq!((response.status, fields(&response)), (503, words(&[])));
    }
}

#[test]
fn page_of_www_has_all_fields_but_a_policy() {
    let www = Dir::new();
    www.write("pages/index.html", "mine");
    www.write("pages/search.html", "{{ nobody.knows }}");
    let site = Site::start(Limits::default(), &["--www", www.arg()]);
    let mine = page("");
    assert_eq!(fields(&ask(site.address, "GET /", HTML)), mine[..mine.len() - 1]);
    let broken = ask(site.address, "GET /search", HTML);
    assert_eq!((broken.status, fields(&broken)), (500, words(&[])));
    assert_eq!(fields(&ask(site.address, "GET /login", HTML)), page(STRICT));
}

#[test]
#[cfg(feature = "tls")]
fn a_redirect_to_https_is_words_with_a_place() {
    use crate::support::Child;
    use crate::support::child::PROGRAM;
    use crate::support::tls_client::{certified, flags};
    let (files, data) = (certified(), Dir::new());
    let mut command = std::process::Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--redirect-http", "127.0.0.1:0", "--data-dir", data.arg()]);
    command.args(flags(&files));
    let child = Child::run(command, data, 2);
    let (port, plain) = (child.addresses[0].port(), child.addresses[1]);
    let location = format!("Location: https://squall:{port}/x%0d%0aA:b?c=%0d%0a");
    assert_eq!(fields(&ask(plain, "GET /x%0d%0aA:b?c=%0d%0a", "")), words(&[&location]));
    for host in ["a\tb", "a/b", "a?b", "a#b", "a@b", "a\\b", "<b>", "a\"b", "a b", "é", "a%0d%0a"] {
        let response = Client::connect(plain).ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!((response.status, fields(&response)), (400, words(&[])), "{host:?}");
    }
}
