//! HTTP/1.1 as its clients see it (RFC 9112, RFC 9110): connections that stay, responses in order, closing.

mod files;
mod refusals;

use crate::support::client::{exchange, transcript};
use crate::support::{Client, Site, Stub, get, ms};
use squall::config::Limits;
use std::net::Shutdown;
use std::time::{Duration, Instant};

const PLAINTEXT: &str = "HTTP/1.1 200 OK\r\nServer: squall\r\nDate: *\r\nContent-Type: text/plain\r\n\
                         Content-Length: 13\r\n\r\nHello, World!";
const PLAINTEXT_CLOSING: &str = "HTTP/1.1 200 OK\r\nServer: squall\r\nDate: *\r\nContent-Type: text/plain\r\n\
                                 Content-Length: 13\r\nConnection: close\r\n\r\nHello, World!";
const PLAINTEXT_1_0: &str = "HTTP/1.1 200 OK\r\nServer: squall\r\nDate: *\r\nContent-Type: text/plain\r\n\
                             Content-Length: 13\r\nConnection: keep-alive\r\n\r\nHello, World!";
const ASK: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n";
const ASK_AND_CLOSE: &str = "GET /plaintext HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n\r\n";

#[test]
fn http_1_1_connection_stays_until_told_to_close() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    for _ in 0..3 {
        let response = client.ask(ASK);
        assert_eq!((response.status, response.field("connection")), (200, None));
    }
    client.send(ASK_AND_CLOSE);
    assert_eq!(transcript(&client.rest()), PLAINTEXT_CLOSING);
    site.wait_until_empty();
}

#[test]
fn http_1_0_connection_closes_unless_it_asks_to_stay() {
    let site = Site::with_defaults();
    assert_eq!(exchange(site.address, "GET /plaintext HTTP/1.0\r\n\r\n"), PLAINTEXT_CLOSING);
    let stays = "GET /plaintext HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    let both = exchange(site.address, format!("{stays}GET /plaintext HTTP/1.0\r\n\r\n"));
    assert_eq!(both, [PLAINTEXT_1_0, PLAINTEXT_CLOSING].concat());
}

#[test]
fn pipelined_responses_wait_for_a_slow_first_one() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    client.send(format!("GET /sleep?seconds=0.2 HTTP/1.1\r\nHost: squall\r\n\r\n{ASK}GET /nowhere HTTP/1.1\r\nHost: squall\r\n\r\n{ASK_AND_CLOSE}"));
    let slept = client.response();
    assert_eq!((slept.status, slept.field("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(client.response().body, b"Hello, World!");
    assert_eq!(client.response().status, 404);
    assert_eq!(transcript(&client.rest()), PLAINTEXT_CLOSING);
}

#[test]
fn a_hundred_pipelined_requests_get_one_write() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    let all = 100 * client.ask(ASK).head.len() + 100 * (4 + 13);
    client.send(ASK.repeat(100));
    // Written at once, the responses lie in the socket together as soon as the first byte does.
    let mut buf = vec![0; all + 1];
    client.stream.peek(&mut buf[..1]).unwrap();
    assert_eq!(client.stream.peek(&mut buf).unwrap(), all);
    assert_eq!(transcript(&client.take(all)), PLAINTEXT.repeat(100));
    assert!(client.is_quiet());
}

#[test]
fn a_request_may_come_in_any_pieces() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    for split in 1..ASK.len() {
        client.send(&ASK[..split]);
        client.send(&ASK[split..]);
        assert_eq!(client.response().body, b"Hello, World!", "split at {split}");
    }
    for byte in ASK_AND_CLOSE.bytes() {
        client.send([byte]);
    }
    assert_eq!(transcript(&client.rest()), PLAINTEXT_CLOSING);
}

#[test]
fn head_is_answered_like_get_without_its_body() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\n");
    let flag = stub.flag().map(|part| part.leak() as &str);
    let site = Site::start(Limits::default(), &flag);
    let targets = [
        "/",
        "/plaintext",
        "/login",
        "/chat",
        "/chat/",
        "/search",
        "/healthz",
        "/static/chat.js",
        "/favicon.ico",
        "/nowhere",
        "/echo",
        "/sleep?seconds=0",
        "/sleep?seconds=x",
        "/logout",
    ];
    let mut client = Client::connect(site.address);
    for target in targets {
        let ask = |method: &str| format!("{method} {target} HTTP/1.1\r\nHost: squall\r\n\r\n");
        let whole = client.ask(ask("GET"));
        client.send(ask("HEAD"));
        let head = client.head();
        assert_eq!(transcript(head.head.as_bytes()), transcript(whole.head.as_bytes()), "{target}");
        assert_eq!(whole.field("content-length").unwrap(), whole.body.len().to_string(), "{target}");
    }
    // A search is asked with HEAD, too; the length of a page is known with the page only.
    client.send("HEAD /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!(client.head().field("content-length"), None);
    assert!(stub.requests()[0].starts_with("HEAD /s?wd=x HTTP/1.1\r\n"));
    assert_eq!(client.ask(ASK).body, b"Hello, World!");
}

#[test]
fn a_body_comes_with_a_length_or_in_chunks_byte_by_byte() {
    let site = Site::without_claims();
    let head = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let wires = [
        format!("{head}Content-Length: 26\r\n\r\nusername=ann&next=%2Fplain"),
        format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n9\r\nusername=\r\n11;x=\"y\"\r\nann&next=%2Fplain\r\n0\r\nA: b\r\n\r\n"
        ),
    ];
    let mut client = Client::connect(site.address);
    for wire in wires {
        for byte in wire.bytes() {
            client.send([byte]);
        }
        let response = client.response();
        assert_eq!((response.status, response.field("location")), (303, Some("/plain")));
        assert!(response.field("set-cookie").unwrap().starts_with("username=2|1:0|"), "{}", response.head);
        // Behind a body the next request begins, also in the same segment.
        client.send(format!("{wire}{ASK}"));
        assert_eq!((client.response().status, client.response().status), (303, 200));
    }
}

#[test]
fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let site = Site::without_claims();
    let mut client = Client::connect(site.address);
    let head = "POST /login HTTP/1.1\r\nHost: squall\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n";
    assert_eq!(client.ask(head).head, "HTTP/1.1 100 Continue");
    assert_eq!(client.ask("username=ann").status, 303);
    // A client that has sent the body needs no 100, and HTTP/1.0 does not know it.
    assert_eq!(client.ask(format!("{head}username=ann")).status, 303);
    client.send(head.replace("HTTP/1.1", "HTTP/1.0"));
    site.wait_until("the head", |c| c.booked > 0);
    assert_eq!(client.ask("username=ann").status, 303);
}

#[test]
fn every_response_has_date_and_server() {
    let site = Site::with_defaults();
    for target in ["/plaintext", "/", "/nowhere", "/static/squall.css", "/%"] {
        let response = get(site.address, target);
        assert_eq!(response.field("server"), Some("squall"), "{target}");
        let date = httpdate::parse_http_date(response.field("date").unwrap()).unwrap();
        let age = std::time::SystemTime::now().duration_since(date).unwrap();
        assert!(age < Duration::from_secs(60), "{target}: {age:?}");
    }
}

#[test]
fn input_after_connection_close_is_ignored() {
    let site = Site::with_defaults();
    assert_eq!(exchange(site.address, format!("{ASK_AND_CLOSE}{ASK}")), PLAINTEXT_CLOSING);
    assert_eq!(exchange(site.address, format!("GET /plaintext HTTP/1.0\r\n\r\n{ASK}")), PLAINTEXT_CLOSING);
}

#[test]
fn unneeded_body_is_read_and_the_next_request_follows() {
    let site = Site::with_defaults();
    let mut client = Client::connect(site.address);
    for target in ["/plaintext", "/nowhere", "/static/chat.js"] {
        for method in ["GET", "DELETE", "BREW"] {
            let head = format!("{method} {target} HTTP/1.1\r\nHost: squall\r\n");
            client.send(format!(
                "{head}Content-Length: 5\r\n\r\nGET /{head}Transfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n"
            ));
            assert_eq!(client.response().status, client.response().status);
        }
    }
    assert_eq!(client.ask(ASK).body, b"Hello, World!");
}

#[test]
fn http_1_2_is_served_as_1_1() {
    let site = Site::with_defaults();
    assert_eq!(exchange(site.address, ASK_AND_CLOSE.replace("HTTP/1.1", "HTTP/1.2")), PLAINTEXT_CLOSING);
}

#[test]
fn the_target_may_be_a_whole_url_and_its_host_counts() {
    let site = Site::with_defaults();
    let ask = "GET http://squall/plaintext HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n";
    assert_eq!(exchange(site.address, ask), PLAINTEXT_CLOSING);
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let site = Site::with_defaults();
    let wire = format!("\r\n{ASK}\r\n\r\n\r\n{ASK_AND_CLOSE}");
    assert_eq!(exchange(site.address, wire), [PLAINTEXT, PLAINTEXT_CLOSING].concat());
}

#[test]
fn half_closed_client_gets_its_responses() {
    let site = Site::with_defaults();
    let sleep = "GET /sleep?seconds=0.2 HTTP/1.1\r\nHost: squall\r\n\r\n";
    for (ask, end) in [(ASK.to_owned(), PLAINTEXT), (format!("{sleep}{ASK}"), PLAINTEXT)] {
        let mut client = Client::connect(site.address);
        client.send(&ask);
        client.finish();
        assert!(transcript(&client.rest()).ends_with(end), "{ask}");
    }
    // Half a request will never be whole, and nothing is owed.
    let mut client = Client::connect(site.address);
    client.send(&ASK[..20]);
    client.finish();
    client.closed();
    site.wait_until_empty();
}

#[test]
fn last_response_arrives_while_the_client_sends_on() {
    let site = Site::start(Limits { discard_for: Duration::from_secs(60), ..Limits::default() }, &[]);
    let head = "POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: 4000000\r\n\r\n";
    let body = vec![b'x'; 4_000_000];
    // Closing with something unread would make the kernel send RST, and RST would destroy the response.
    let mut hasty = Client::connect(site.address);
    hasty.send(head);
    hasty.send(&body);
    let first = hasty.response();
    let mut slow = Client::connect(site.address);
    let second = slow.ask(head);
    slow.send(&body);
    for (mut client, response) in [(hasty, first), (slow, second)] {
        assert_eq!((response.status, response.field("connection")), (413, Some("close")));
        client.finish();
        client.closed();
    }
    site.wait_until_empty();
}

#[test]
fn sending_after_the_last_response_is_limited() {
    let site = Site::start(Limits { discard_for: ms(100), ..Limits::default() }, &[]);
    let mut silent = Client::connect(site.address);
    assert_eq!(silent.ask("GET / HTTP/1.1\r\n\r\n").status, 400);
    site.wait_until_empty();

    let site = Site::start(
        Limits { discard_for: Duration::from_secs(60), discard_bytes_max: 1 << 20, ..Limits::default() },
        &[],
    );
    let mut loud = Client::connect(site.address);
    loud.send("GET / HTTP/1.1\r\n\r\n");
    while std::io::Write::write(&mut loud.stream, &[b'x'; 64 << 10]).is_ok() {}
    site.wait_until_empty();
}

#[test]
fn idle_timeout_restarts_with_every_response() {
    let site = Site::start(Limits::default(), &["--keep-alive", "1"]);
    let mut silent = Client::connect(site.address);
    let mut busy = Client::connect(site.address);
    let begun = Instant::now();
    while begun.elapsed() < ms(1600) {
        assert_eq!(busy.ask(ASK).status, 200);
        std::thread::sleep(ms(20));
    }
    silent.closed();
    assert_eq!(busy.ask(ASK).status, 200);
    busy.closed();
    site.wait_until_empty();
}

#[test]
fn an_unread_response_is_given_up() {
    let body = "x".repeat(8 << 20);
    let stub = Stub::saying(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let flag = stub.flag().map(|part| part.leak() as &str);
    let site = Site::start(Limits { write_stall: ms(200), ..Limits::default() }, &flag);
    let mut client = Client::connect(site.address);
    client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    site.wait_until("the search", |c| c.fetches == 1);
    site.wait_until_empty();
}

#[test]
fn sleepers_do_not_delay_others() {
    let site = Site::with_defaults();
    let mut sleeper = Client::connect(site.address);
    let begun = Instant::now();
    sleeper.send("GET /sleep?seconds=0.3 HTTP/1.1\r\nHost: squall\r\n\r\n");
    let mut others = 0;
    while sleeper.is_quiet() {
        assert_eq!(get(site.address, "/plaintext").status, 200);
        others += 1;
    }
    assert!(others > 0 && begun.elapsed() >= ms(300), "{others} others in {:?}", begun.elapsed());
    assert!(sleeper.response().text().contains("0.3"), "the page says how long it slept");
}

#[test]
fn blocking_routes_exist_with_lab_only() {
    let site = Site::with_defaults();
    assert_eq!((get(site.address, "/block").status, get(site.address, "/search-sync").status), (404, 404));

    let lab = Site::start(Limits::default(), &["--lab"]);
    assert_eq!(get(lab.address, "/block?seconds=11").status, 400);
    let mut blocking = Client::connect(lab.address);
    let mut waiting = Client::connect(lab.address);
    assert_eq!(waiting.ask(ASK).status, 200);
    let begun = Instant::now();
    blocking.send("GET /block?seconds=0.3 HTTP/1.1\r\nHost: squall\r\n\r\n");
    // Once the loop has taken this request, the other one has to wait for it.
    assert_eq!(blocking.response().status, 200);
    assert!(begun.elapsed() >= ms(300));
    assert_eq!(waiting.ask(ASK).status, 200);
    blocking.stream.shutdown(Shutdown::Both).unwrap();
}
