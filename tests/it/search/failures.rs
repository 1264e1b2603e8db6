//! What can go wrong on the way to another site, and what the browser is told: 502 or 504 and the cause.

use super::{asking, search_html, with_defaults};
use crate::support::{Client, PATIENCE, Site, Stub, get, ms, refusing};
use squall::config::Limits;

#[track_caller]
fn failed(site: &Site, status: u16, cause: &str) {
    let response = get(site.address, "/search?wd=x");
    assert_eq!(response.status, status, "{}", response.text());
    assert!(response.text().contains(cause), "{}", response.text());
    site.wait_until_empty();
}

#[test]
fn page_of_a_failed_search_may_be_framed_by_us() {
    let stub = Stub::saying("nonsense");
    let site = with_defaults(&stub);
    let response = search_html(&site, "x");
    assert_eq!((response.status, response.text().contains("The search failed")), (502, true));
    assert_eq!(response.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(response.field("content-security-policy").unwrap().contains("frame-ancestors 'self'"));
    // A client that does not accept HTML gets a sentence.
    assert_eq!(
        get(site.address, "/search?wd=x").text(),
        "The search failed: the response makes no sense: it is not HTTP/1.\n"
    );
}

#[test]
fn a_site_that_does_not_listen_is_502() {
    let (_socket, refusing) = refusing();
    let url = format!("http://{refusing}/?q={{}}");
    let site = Site::start(Limits::default(), &["--search-url", &url]);
    failed(&site, 502, &format!("no connection to {refusing}: Connection refused"));
}

#[test]
fn a_name_that_does_not_exist_is_502_and_named() {
    // A label of 64 characters is refused by the resolver itself, so this needs no network.
    let host = "x".repeat(64) + ".invalid";
    let url = format!("http://{host}/?q={{}}");
    let site = Site::start(Limits::default(), &["--search-url", &url]);
    failed(&site, 502, &format!("the name {host} could not be resolved"));
}

#[test]
#[cfg(not(feature = "tls"))]
fn a_redirect_to_https_is_502_where_that_is_not_built_in() {
    let stub = Stub::saying("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n");
    failed(&with_defaults(&stub), 502, "this program was built without https");
}

#[test]
fn an_end_before_or_within_the_head_is_502() {
    for (response, cause) in [
        ("", "the connection was closed without a response"),
        ("HTTP/1.1 200 O", "the connection was closed within the head"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "the connection was closed within the head"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "the connection was closed within the head"),
    ] {
        failed(&with_defaults(&Stub::saying(response)), 502, cause);
    }
}

#[test]
fn a_site_that_resets_is_502() {
    let stub = Stub::start(|asked| {
        socket2::SockRef::from(&asked.stream).set_linger(Some(ms(0))).unwrap();
    });
    failed(&with_defaults(&stub), 502, "the connection broke before the response was whole: Connection reset");
}

#[test]
fn a_reset_is_502_whenever_it_comes() {
    let stub = Stub::resetting();
    let site = with_defaults(&stub);
    for _ in 0..10 {
        let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(site.address)).collect();
        for client in &mut clients {
            client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
        }
        for client in &mut clients {
            let response = client.response();
            assert_eq!(response.status, 502, "{}", response.text());
        }
    }
    site.wait_until_empty();
}

#[test]
fn a_response_that_makes_no_sense_is_502() {
    for (response, cause) in [
        ("SSH-2.0-OpenSSH\r\n", "it is not HTTP/1"),
        ("HTTP/1.1 abc\r\n\r\n", "its status line makes no sense"),
        ("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "its head has a NUL or a bare CR in it"),
        ("HTTP/1.1 101 Switching\r\n\r\n", "it switches protocols"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "Content-Length is not one number"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "a transfer coding other than chunked"),
    ] {
        failed(&with_defaults(&Stub::saying(response)), 502, cause);
    }
    let limits = Limits::default().http;
    let (head_max, body_max) = (limits.response_head_bytes_max, limits.response_body_bytes_max);
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(head_max));
    failed(&with_defaults(&Stub::saying(long)), 502, &format!("its head is longer than {head_max} bytes"));
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body_max + 1);
    failed(&with_defaults(&Stub::saying(large)), 502, &format!("its body is longer than {body_max} bytes"));
}

#[test]
fn truncated_body_is_relayed_as_truncated() {
    for (response, relayed) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "5\r\nhello\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx", "5\r\nhello\r\n"),
    ] {
        let stub = Stub::saying(response);
        let site = with_defaults(&stub);
        let mut client = Client::connect(site.address);
        client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
        assert_eq!(client.head().status, 200);
        assert_eq!(String::from_utf8_lossy(&client.rest()), relayed, "and then it is closed");
        site.wait_until_empty();
    }
}

#[test]
fn truncated_body_to_http_1_0_ends_with_a_reset() {
    let stub = Stub::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let site = with_defaults(&stub);
    let mut client = Client::connect(site.address);
    client.send("GET /search?wd=x HTTP/1.0\r\n\r\n");
    assert_eq!(client.rest_until_reset().unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    site.wait_until_empty();
}

#[test]
fn body_truncated_in_mid_stream_ends_with_a_reset() {
    let lengthless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    for (ending, linger) in [("", None), ("x", None), ("5\r\nwor", None), ("", Some(ms(0)))] {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let told = std::sync::Mutex::new(told);
        let stub = Stub::start(move |mut asked| {
            asked.say(lengthless);
            told.lock().unwrap().recv().unwrap();
            socket2::SockRef::from(&asked.stream).set_linger(linger).unwrap();
            asked.say(ending);
        });
        let site = with_defaults(&stub);
        let mut client = Client::connect(site.address);
        client.send("GET /search?wd=x HTTP/1.0\r\n\r\n");
        let head = client.head();
        assert_eq!((head.status, head.field("content-length"), head.field("transfer-encoding")), (200, None, None));
        assert_eq!(client.take(5), b"hello");
        tell.send(()).unwrap();
        let end = client.rest_until_reset().expect_err("a clean end would make it whole");
        assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
        site.wait_until_empty();
    }
}

#[test]
fn a_body_over_the_limit_is_cut() {
    let stub = Stub::saying(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2_000_000)));
    let site = asking(
        &stub,
        Limits {
            http: squall::http::Limits { response_body_bytes_max: 1_000_000, ..Default::default() },
            ..Limits::default()
        },
        &[],
    );
    let mut client = Client::connect(site.address);
    client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!(client.head().field("transfer-encoding"), Some("chunked"));
    let body = client.rest();
    assert!(body.len() < 1_100_000 && !body.ends_with(b"0\r\n\r\n"));
    site.wait_until_empty();
}

#[test]
fn eight_mebibytes_are_relayed() {
    let body = vec![b'x'; 8 << 20];
    let response = [b"HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n", body.as_slice()].concat();
    let stub = Stub::saying(response);
    let site = with_defaults(&stub);
    assert!(search_html(&site, "x").body == body);
}

#[test]
fn a_silent_site_is_504() {
    let stub = Stub::start(|mut asked| assert!(asked.wait_for_the_end()));
    let site = asking(&stub, Limits { search_within: ms(200), ..Limits::default() }, &[]);
    failed(&site, 504, "no complete response within 0.2 s");
    crate::support::wait_for("the site to see it", || (stub.open() == 0).then_some(()));
}

#[test]
fn a_slow_site_is_cut_at_the_deadline() {
    let stub = Stub::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        let until = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < until && std::io::Write::write_all(&mut asked.stream, b"x").is_ok() {
            std::thread::sleep(ms(10));
        }
    });
    let site = asking(&stub, Limits { search_within: ms(300), ..Limits::default() }, &[]);
    let mut client = Client::connect(site.address);
    client.send("GET /search?wd=x HTTP/1.1\r\nHost: squall\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert!(client.rest().len() < 1_000_000);
    site.wait_until_empty();
}

#[test]
fn connecting_has_its_own_deadline() {
    // A listener whose backlog is full does not respond to a SYN: the kernel drops it, and the connect waits.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let deaf = socket.local_addr().unwrap().as_socket().unwrap();
    let mut fill = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&deaf, ms(200)) {
        fill.push(stream);
        assert!(fill.len() < 10, "the backlog is not 0");
    }
    let url = format!("http://{deaf}/?q={{}}");
    let site = Site::start(Limits { connect_within: ms(200), ..Limits::default() }, &["--search-url", &url]);
    failed(&site, 504, "no connection within 0.2 s");
}
