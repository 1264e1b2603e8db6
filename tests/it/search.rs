//! The search: another site's response, relayed as it comes, with a stub for the other site.

mod crowd;
mod failures;
mod pressure;

use crate::support::{Client, Response, Site, Stub, get, ms};
use squall::config::Limits;
use std::sync::Mutex;

/// A server whose search site is this stub.
fn asking(stub: &Stub, limits: Limits, args: &[&str]) -> Site {
    let flag = stub.flag();
    Site::start(limits, &[&[flag[0].as_str(), flag[1].as_str()], args].concat())
}

fn with_defaults(stub: &Stub) -> Site {
    asking(stub, Limits::default(), &[])
}

/// One search by a client that accepts HTML.
#[track_caller]
fn search_html(site: &Site, words: &str) -> Response {
    let fields = "Host: squall\r\nAccept: text/html\r\nConnection: close\r\n";
    Client::connect(site.address).ask(format!("GET /search?wd={words} HTTP/1.1\r\n{fields}\r\n"))
}

#[test]
fn without_words_there_is_a_form() {
    let stub = Stub::saying("");
    let site = with_defaults(&stub);
    for target in ["/search", "/search?wd=", "/search?wd=+", "/search?other=x"] {
        let page = get(site.address, target);
        assert_eq!((page.status, page.text().contains("<form")), (200, true), "{target}");
    }
    assert_eq!(stub.requests(), Vec::<String>::new());
}

#[test]
fn the_request_to_the_search_site_is_exact() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let site = with_defaults(&stub);
    let ask = "GET /search?wd=a+b%26c%2Fd%E5%A5%BD-._~%25 HTTP/1.1\r\nHost: squall\r\nCookie: secret=1\r\nReferer: x\r\n\
               Accept-Language: zh-CN,en;q=0.5\r\nAccept-Encoding: gzip\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    assert_eq!(Client::connect(site.address).ask(ask).status, 200);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /s?wd=a%20b%26c%2Fd%E5%A5%BD-._~%25 HTTP/1.1\r\nHost: {}\r\nUser-Agent: squall/{version}\r\n\
         Accept-Language: zh-CN,en;q=0.5\r\nAccept-Encoding: identity\r\n\r\n",
        stub.address
    );
    assert_eq!(stub.requests(), std::slice::from_ref(&expected));
    let site = asking(&stub, Limits::default(), &["--upstream-idle", "0"]);
    assert_eq!(Client::connect(site.address).ask(ask).status, 200);
    assert_eq!(stub.requests()[1], expected.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
}

#[test]
fn body_is_relayed_in_every_framing() {
    let stub = Stub::start(|mut asked| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
        match asked.target() {
            "/s?wd=length" => asked.say(format!("{head}Content-Length: 10\r\n\r\nhelloworld")),
            "/s?wd=chunked" => asked.say(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n5\r\nworld\r\n0\r\nA: b\r\n\r\n"
            )),
            "/s?wd=close" => asked.say("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nhelloworld"),
            _ => asked
                .say(format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{head}Content-Length: 10\r\n\r\nhelloworld")),
        }
    });
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    for (words, framed) in [("length", true), ("chunked", false), ("close", false), ("early", true)] {
        let response = client.ask(format!("GET /search?wd={words} HTTP/1.1\r\nHost: squall\r\n\r\n"));
        let page = format!("<base href=\"http://{}/s?wd={words}\">helloworld", stub.address);
        assert_eq!((response.status, response.text()), (200, page.clone()), "{words}");
        let length = page.len().to_string();
        let expected = if framed { (Some(length.as_str()), None) } else { (None, Some("chunked")) };
        assert_eq!((response.field("content-length"), response.field("transfer-encoding")), expected, "{words}");
    }
    // HTTP/1.0 knows no chunks: there the end of the connection is the end.
    client.send("GET /search?wd=chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let response = client.response();
    assert!(response.text().ends_with("helloworld"));
    assert_eq!(response.field("connection"), Some("close"));
    site.wait_until_empty();
}

#[test]
fn pieces_are_relayed_as_they_come() {
    let (tell, told) = std::sync::mpsc::channel::<&'static str>();
    let told = Mutex::new(told);
    let stub = Stub::start(move |mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        while let Ok(piece) = told.lock().unwrap().recv() {
            asked.say(piece);
        }
    });
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!(client.head().status, 200, "before there is a body");
    for piece in ["he", "llo", "world"] {
        tell.send(piece).unwrap();
        assert_eq!(client.take(piece.len()), piece.as_bytes());
    }
    assert_eq!(client.ask("GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n").body, b"Hello, World!");
}

#[test]
fn the_search_site_may_be_named_in_every_spelling() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfound");
    let port = stub.address.port();
    for (url, asked) in [
        (format!("HTTP://127.0.0.1:{port}/s?wd={{}}"), format!("GET /s?wd=x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")),
        (format!("http:127.1:{port}/{{}}"), format!("GET /x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")),
        (
            format!("http://\u{ff2c}ocalhost:{port}/\u{e4}?{{}}"),
            format!("GET /%C3%A4?x HTTP/1.1\r\nHost: localhost:{port}\r\n"),
        ),
    ] {
        let site = Site::start(Limits::default(), &["--search-url", &url]);
        assert_eq!(get(site.address, "/search?wd=x").text(), "found", "{url}");
        let requests = stub.requests();
        assert!(requests.last().is_some_and(|request| request.starts_with(&asked)), "{url}: {requests:?}");
    }
}

#[test]
fn page_is_relayed_from_the_end_of_its_head() {
    let (tell, told) = std::sync::mpsc::channel::<&'static str>();
    let told = Mutex::new(told);
    let stub = Stub::start(move |mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 48\r\n\r\n");
        while let Ok(piece) = told.lock().unwrap().recv() {
            asked.say(piece);
        }
    });
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    for piece in ["\u{feff}<!doct", "ype html><base href='/", "x/'>"] {
        tell.send(piece).unwrap();
        std::thread::sleep(ms(30));
    }
    let element = format!("<base href=\"http://{}/x/\">", stub.address);
    let head = client.head();
    assert_eq!((head.status, head.field("content-length")), (200, Some((48 + element.len()).to_string().as_str())));
    let begin = format!("\u{feff}<!doctype html>{element}<base href='/x/'>");
    assert_eq!(String::from_utf8_lossy(&client.take(begin.len())), begin, "while the rest is still to come");
    tell.send("<p>0123456789").unwrap();
    assert_eq!(client.take(13), b"<p>0123456789");
    assert_eq!(client.ask("GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n").body, b"Hello, World!");
}

#[test]
fn fields_pass_by_an_allow_list_and_the_page_is_sandboxed() {
    let stub = Stub::saying(
        "HTTP/1.1 404 Whatever\r\nServer: theirs\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/html; charset=gbk\r\n\
         Content-Encoding: identity\r\nContent-Language: zh\r\nSet-Cookie: username=evil\r\nRefresh: 0; url=http://evil\r\n\
         Clear-Site-Data: \"*\"\r\nStrict-Transport-Security: max-age=1\r\nWWW-Authenticate: Basic\r\n\
         Service-Worker-Allowed: /\r\nContent-Security-Policy: default-src *\r\nX-Frame-Options: DENY\r\n\
         Access-Control-Allow-Origin: *\r\nLink: <x>\r\nContent-Length: 2\r\n\r\nno",
    );
    let response = search_html(&with_defaults(&stub), "x");
    assert!(response.head.starts_with("HTTP/1.1 404 Not Found\r\nServer: squall\r\nDate: "), "{}", response.head);
    assert_eq!(
        response.field_names(),
        [
            "server",
            "date",
            "content-type",
            "x-content-type-options",
            "content-encoding",
            "content-language",
            "content-security-policy",
            "referrer-policy",
            "content-length",
            "connection"
        ]
    );
    assert_eq!(response.field("content-type"), Some("text/html; charset=gbk"));
    assert_eq!(response.field("content-security-policy"), Some("sandbox; frame-ancestors 'self'"));
    assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
    assert!(response.text().ends_with("\">no"), "{}", response.text());
}

#[test]
fn a_response_without_a_body_has_none() {
    let stub = Stub::start(|mut asked| match asked.target() {
        "/s?wd=204" => asked.say("HTTP/1.1 204 No Content\r\n\r\n"),
        // The fields of this one are not relayed, and its length is that of a body which does not come.
        _ => asked.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"),
    });
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    for (words, status) in [(204, 204), (304, 502), (204, 204)] {
        let response = client.ask(format!("GET /search?wd={words} HTTP/1.1\r\nHost: squall\r\n\r\n"));
        assert_eq!((response.status, response.field("content-length").is_none()), (status, status == 204));
    }
    site.wait_until("the fetches to be over", |c| (c.connections, c.fetches) == (1, 0));
}

/// A site whose `wd` says how often it redirects before it sends its page.
fn redirecting() -> Stub {
    Stub::start(|mut asked| {
        let left: u32 = asked.target().trim_start_matches("/s?wd=").parse().expect("a number");
        match left {
            0 => asked.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"),
            n => asked.say(format!("HTTP/1.1 302 Found\r\nLocation: ?wd={}\r\nContent-Length: 4\r\n\r\nhere", n - 1)),
        }
    })
}

#[test]
fn five_redirects_are_followed_and_a_sixth_is_not() {
    let stub = redirecting();
    let site = with_defaults(&stub);
    let response = search_html(&site, "5");
    assert_eq!((response.status, response.text().as_str()), (200, "there"));
    assert_eq!(stub.requests().len(), 6);
    let response = search_html(&site, "6");
    assert_eq!(response.status, 502);
    assert!(response.text().contains("redirects more than 5 times"), "{}", response.text());
    assert_eq!(search_html(&site, "1000000").status, 502);
    site.wait_until_empty();
}

#[test]
fn redirect_keeps_method_and_language() {
    let stub = redirecting();
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    client.send("HEAD /search?wd=1 HTTP/1.1\r\nHost: squall\r\nAccept-Language: zh\r\n\r\n");
    assert_eq!(client.head().status, 200);
    for request in stub.requests() {
        assert!(request.starts_with("HEAD ") && request.contains("\r\nAccept-Language: zh\r\n"), "{request}");
    }
}

#[test]
fn a_redirect_to_another_host_must_not_lead_inside() {
    let inside = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
    let port = inside.address.port();
    let hosts = [format!("localhost:{port}"), format!("127.0.0.2:{port}"), format!("[::1]:{port}"), "10.0.0.1".into()];
    for host in hosts {
        let stub = Stub::saying(format!("HTTP/1.1 302 Found\r\nLocation: http://{host}/\r\nContent-Length: 0\r\n\r\n"));
        let response = search_html(&with_defaults(&stub), "x");
        assert_eq!(response.status, 502, "{host}");
        assert!(response.text().contains("not a public address"), "{host}: {}", response.text());
    }
    assert_eq!(inside.requests(), Vec::<String>::new());

    let stub =
        Stub::saying(format!("HTTP/1.1 302 Found\r\nLocation: http://localhost:{port}/\r\nContent-Length: 0\r\n\r\n"));
    let response = search_html(&asking(&stub, Limits::default(), &["--allow-private"]), "x");
    assert_eq!((response.status, response.text().as_str()), (200, "secret"));
}

#[test]
fn redirects_that_lead_nowhere_are_502() {
    for location in ["ftp://example/", "http://", "http://:80/", "http://a b/"] {
        let stub = Stub::saying(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(search_html(&with_defaults(&stub), "x").status, 502, "{location}");
    }
    // A redirection without a Location is a response like any other.
    let stub = Stub::saying("HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhm");
    assert_eq!(search_html(&with_defaults(&stub), "x").status, 302);
}

#[test]
fn blocking_search_gives_the_same_response() {
    let stub = Stub::start(|mut asked| {
        std::thread::sleep(ms(200));
        asked.say(
            "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        );
    });
    let site = asking(&stub, Limits::default(), &["--lab"]);
    let response = get(site.address, "/search-sync?wd=x");
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(response.field("content-security-policy"), Some("sandbox; frame-ancestors 'self'"));
    assert_eq!(get(site.address, "/search?wd=x").text(), "hello");
}

#[test]
fn blocking_search_follows_five_redirects() {
    let stub = redirecting();
    let site = asking(&stub, Limits::default(), &["--lab"]);
    assert_eq!(get(site.address, "/search-sync?wd=5").text(), "there");
    assert_eq!(stub.requests().len(), 6);
    let answer = get(site.address, "/search-sync?wd=6");
    assert_eq!((answer.status, answer.text().contains("redirects more than 5 times")), (502, true));
    site.wait_until_empty();
}

#[test]
fn blocking_search_that_breaks_off_is_502_with_the_cause() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    let answer = get(asking(&stub, Limits::default(), &["--lab"]).address, "/search-sync?wd=x");
    let is_explained = answer.text().contains("the connection was closed before the body was whole");
    assert_eq!((answer.status, is_explained), (502, true), "{}", answer.text());
}

#[test]
fn searches_run_side_by_side() {
    let stub = Stub::start(|mut asked| {
        std::thread::sleep(ms(200));
        let target = asked.target().to_owned();
        asked.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()));
    });
    let site = with_defaults(&stub);
    let mut clients: Vec<Client> = (0..50).map(|_| Client::connect(site.address)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(format!("GET /search?wd={n} HTTP/1.1\r\nHost: squall\r\n\r\n"));
    }
    site.wait_until("all of them at once", |c| c.fetches_running == 50);
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.response().text(), format!("/s?wd={n}"));
    }
}

#[test]
fn sloppy_responses_are_relayed_as_browsers_read_them() {
    let many = "X: y\r\n".repeat(500);
    let chunks = "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\n0  \r\n\r\n";
    for response in [
        format!("HTTP/1.1 200 OK\r\n{chunks}"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello".into(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
            .into(),
        "HTTP/1.1 200 OK\r\nPHP Warning:  x already loaded\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello".into(),
        format!("http/1.2 200\n{many}Content-Length: 5\n\nhello"),
    ] {
        let stub = Stub::saying(response.clone());
        let site = with_defaults(&stub);
        let mut client = Client::connect(site.address);
        for n in 1..3 {
            let relayed = client.ask("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
            assert_eq!((relayed.status, relayed.text()), (200, "hello".into()), "{response:?}");
            assert_eq!((stub.met(), site.counts().kept), (n, 0), "its connection is not used again: {response:?}");
        }
        drop(client);
        site.wait_until_empty();
    }
}
