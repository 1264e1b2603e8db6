use super::*;

const REST: &str = "\r\nHost: a.example\r\n\r\n";

/// Finds and parses one head in tests' limits, and hands the request to `look`. If it can be parsed at once, that is no
/// other request.
fn with_limits<T>(head: &str, limits: &Limits, look: impl FnOnce(Result<Request, HttpError>) -> T) -> T {
    let (head, buf) = (head.as_bytes().to_vec(), head.as_bytes());
    let at_once = parse_at_once(buf, limits);
    let found = HeadScan::default().find_end(&head, limits);
    let request = found.and_then(|end| {
        let end = end.expect("the head is whole");
        parse_request(&head[..end], limits).map(|request| (end, request))
    });
    if let Some(at_once) = at_once {
        let request = request.as_ref().expect("a request");
        assert_eq!(format!("{at_once:?}"), format!("{request:?}"));
    }
    look(request.map(|(_, request)| request))
}

#[test]
fn only_usual_heads_take_the_short_way() {
    let usual = b"GET /a?b HTTP/1.1\r\nHost: a:80\r\nCookie: c\r\n\r\n".to_vec();
    let at_once = |wire: &[u8], limits: &Limits| {
        let end = parse_at_once(wire, limits).map(|(end, _)| end);
        (end, HeadScan::default().find_end(wire, limits))
    };
    let limits = Limits {
        request_line_bytes_max: "GET /a?b HTTP/1.1".len(),
        head_bytes_max: usual.len(),
        head_fields_max: 2,
        ..Limits::default()
    };
    assert_eq!(at_once(&[&usual[..], b"GET"].concat(), &limits), (Some(usual.len()), Ok(Some(usual.len()))));
    for narrow in [
        Limits { request_line_bytes_max: limits.request_line_bytes_max - 1, ..limits },
        Limits { head_bytes_max: limits.head_bytes_max - 1, ..limits },
        Limits { head_fields_max: 1, ..limits },
    ] {
        assert_eq!(at_once(&usual, &narrow).0, None);
    }
    for n in 0..usual.len() {
        assert_eq!(at_once(&usual[..n], &limits).0, None, "it is not whole");
        let without_one = [&usual[..n], &usual[n + 1..]].concat();
        let (once, found) = at_once(&without_one, &limits);
        assert!(once.is_none_or(|end| found == Ok(Some(end))), "without byte {n}");
    }
}

#[test]
fn what_browsers_and_tools_send_is_parsed_at_once() {
    let at_once = |head: &str| {
        with_limits(head, &Limits::default(), |_| parse_at_once(head.as_bytes(), &Limits::default()).is_some())
    };
    for line in ["GET / HTTP/1.1", "HEAD /a?b=c&d HTTP/1.1", "POST /a/%20~? HTTP/1.1", "GET /a??b/ HTTP/1.0"] {
        assert!(at_once(&format!("{line}\r\nHost: a:1\r\n\r\n")), "{line}");
    }
    for fields in ["", "X:\r\n", "X:  a \"b\"  \r\nY:b\r\n", "X: \u{e9}\r\n", "Content-Length: 3\r\nhOST2: \r\n"] {
        assert!(at_once(&format!("POST /login HTTP/1.1\r\nHost: a\r\n{fields}\r\n")), "{fields:?}");
    }
    for line in
        ["OPTIONS * HTTP/1.1", "GET http://a/ HTTP/1.1", "GET /\u{e9} HTTP/1.1", "GET / HTTP/1.2", "\r\nGET / HTTP/1.1"]
    {
        assert!(!at_once(&format!("{line}\r\nHost: a\r\n\r\n")), "{line}");
    }
    assert!(!at_once("GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\n\r\n"), "rare, and httparse knows what to make of it");
}

fn with<T>(head: &str, look: impl FnOnce(&Request) -> T) -> T {
    with_limits(head, &Limits::default(), |request| look(&request.unwrap_or_else(|e| panic!("{head:?}: {e}"))))
}

fn refused(head: &str) -> HttpError {
    with_limits(head, &Limits::default(), |request| request.expect_err(head))
}

/// A request with these fields, which end in CRLF.
fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn the_example_of_rfc_9112_is_read() {
    let head = "GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\n\
        Host: www.example.com\r\nAccept-Language: en, mi\r\n\r\n";
    with(head, |request| {
        assert_eq!((request.method, request.target(), request.path()), (Method::Get, "/hello.txt", "/hello.txt"));
        assert_eq!((request.query(), request.host()), ("", "www.example.com"));
        assert_eq!(request.header("accept-LANGUAGE"), Some(b"en, mi".as_slice()));
        assert_eq!(request.header("Accept"), None);
        assert_eq!((request.fields.count(), request.framing), (3, Framing::None));
        let (forward, backward): (Vec<_>, Vec<_>) = (request.fields.collect(), request.fields.rev().collect());
        assert_eq!(forward.into_iter().rev().collect::<Vec<_>>(), backward);
        assert_eq!(request.terms(), Terms { head: false, http_1_0: false, keep_alive: true });
        assert!(!request.expects_continue() && !request.wants_upgrade());
    });
}

#[test]
fn methods_are_tokens_with_their_case() {
    for (token, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("PATCH", Method::Patch),
        ("OPTIONS", Method::Options),
        ("TRACE", Method::Trace),
    ] {
        with(&format!("{token} / HTTP/1.1{REST}"), |request| {
            assert_eq!((request.method, request.method_token(), method.as_str()), (method, token, token));
        });
    }
    for token in ["get", "BREW", "GETS", "M-SEARCH", "!#$%&'*+-.^_`|~"] {
        with(&format!("{token} / HTTP/1.1{REST}"), |request| {
            assert_eq!((request.method, request.method_token()), (Method::Other, token));
        });
    }
    with(&format!("HEAD / HTTP/1.1{REST}"), |request| assert!(request.terms().head));
    for token in ["", "GE T", "G@T", "GET:", "(GET)", "G\u{e9}T", "\tGET", " GET"] {
        assert_eq!(refused(&format!("{token} / HTTP/1.1{REST}")).status(), 400, "{token:?}");
    }
}

#[test]
fn a_target_in_origin_form_has_path_and_query() {
    for (target, path, query) in [
        ("/", "/", ""),
        ("/a%20b/?", "/a%20b/", ""),
        ("/search?wd=a?b/c", "/search", "wd=a?b/c"),
        ("//a/b", "//a/b", ""),
        ("/中?文", "/中", "文"),
    ] {
        with(&format!("GET {target} HTTP/1.1{REST}"), |request| {
            assert_eq!((request.target(), request.path(), request.query()), (target, path, query));
            assert_eq!(request.host(), "a.example");
        });
    }
}

#[test]
fn the_authority_of_an_absolute_target_wins_over_host() {
    for (target, host, path, query) in [
        ("http://www.example.org/pub/WWW/TheProject.html?x", "www.example.org", "/pub/WWW/TheProject.html", "x"),
        ("HTTP://b:81", "b:81", "/", ""),
        ("https://b?x=/", "b", "/", "x=/"),
        ("http://[::1]:80/", "[::1]:80", "/", ""),
    ] {
        with(&format!("GET {target} HTTP/1.1{REST}"), |request| {
            assert_eq!((request.host(), request.path(), request.query()), (host, path, query));
        });
    }
    for target in ["http://", "http:///a", "http://u@b/", "http://b:x/", "http://b c/", "http://b\\c/"] {
        assert_eq!(refused(&format!("GET {target} HTTP/1.1{REST}")).status(), 400, "{target}");
    }
    assert_eq!(refused("GET http://b/ HTTP/1.1\r\n\r\n").status(), 400);
    assert_eq!(refused("GET http://b/ HTTP/1.1\r\nHost: b c\r\n\r\n").status(), 400);
    with("GET http://b/ HTTP/1.0\r\n\r\n", |request| assert_eq!(request.host(), "b"));
}

#[test]
fn options_and_connect_have_targets_of_their_own() {
    with(&format!("OPTIONS * HTTP/1.1{REST}"), |request| {
        assert_eq!((request.path(), request.host()), ("*", "a.example"))
    });
    with(&format!("OPTIONS http://b:8001 HTTP/1.1{REST}"), |request| {
        assert_eq!((request.path(), request.host()), ("*", "b:8001"));
    });
    with("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", |request| {
        assert_eq!((request.method, request.path(), request.host()), (Method::Connect, "", "b:443"));
    });
    for line in ["GET *", "CONNECT /", "CONNECT b", "CONNECT http://b:80/", "OPTIONS **", "GET b:80"] {
        assert_eq!(refused(&format!("{line} HTTP/1.1{REST}")).status(), 400, "{line}");
    }
}

#[test]
fn targets_that_are_none_are_refused() {
    for target in
        ["a", "../", "?a", "/#a", "/?a#b", "ftp://a/", "http:a", "javascript:x", "/a b", "/a\tb", "/\x7f", "", " "]
    {
        let error = refused(&format!("GET {target} HTTP/1.1{REST}"));
        assert!(matches!(error, HttpError::Malformed(_)), "{target:?}: {error:?}");
    }
}

#[test]
fn higher_minor_versions_are_served_as_1_1() {
    let served = |line: &str| serve_as_1_1(format!("\r\n{line}{REST}").as_bytes());
    for minor in 2..=9 {
        let head = format!("\r\nGET / HTTP/1.1{REST}").into_bytes();
        assert_eq!(served(&format!("GET / HTTP/1.{minor}")), Some(head));
    }
    for line in ["GET / HTTP/1.0", "GET / HTTP/2.2", "GET / HTTP/1.23", "GET / http/1.2", "GET /HTTP/1.2"] {
        assert_eq!(served(line), None, "{line}");
    }
}

#[test]
fn other_versions_are_told_from_other_words() {
    for version in ["HTTP/2.0", "HTTP/2", "HTTP/0.9", "HTTP/3.1"] {
        let error = refused(&format!("GET / {version}{REST}"));
        assert_eq!((error, error.status()), (HttpError::UnknownVersion, 505), "{version}");
    }
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status(), 505);
    for line in
        ["GET /", "GET / ", "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/1.", "GET / HTTP/+1.1", "GET / HTTP/1"]
    {
        let status = if line.ends_with("HTTP/1") { 505 } else { 400 };
        assert_eq!(refused(&format!("{line}{REST}")).status(), status, "{line}");
    }
    for line in ["GET / HTTP/1.1 ", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / a HTTP/2.0", "GET / HTTP/1.1 HTTP/2.0"]
    {
        assert_eq!(refused(&format!("{line}{REST}")).status(), 400, "{line}");
    }
}

#[test]
fn a_host_is_there_once_and_valid() {
    with("GET / HTTP/1.0\r\n\r\n", |request| assert_eq!(request.host(), ""));
    with("\r\nGET / HTTP/1.1\r\nhOsT: \t[::1]:8888 \r\n\r\n", |request| assert_eq!(request.host(), "[::1]:8888"));
    let fields = ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n"];
    let values = ["", "a b", "a:x", "a:99999", "u@a", "http://a", "a/b", "[::1", "a, b", "a\\b", "\u{fc}", "a;<b>"];
    for fields in fields.map(str::to_owned).into_iter().chain(values.map(|value| format!("Host: {value}\r\n"))) {
        let error = refused(&format!("GET / HTTP/1.1\r\n{fields}\r\n"));
        assert!(matches!(error, HttpError::BadHost(_)) && error.status() == 400, "{fields:?}: {error:?}");
    }
    assert_eq!(refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").status(), 400);
}

#[test]
fn a_connection_is_kept_as_version_and_connection_say() {
    for (version, field, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Keep-Alive\r\n", true),
        ("1.1", "connection: foo ,\tCLOSE\r\n", false),
        ("1.1", "Connection: foo\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: foo, keep-alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        with(&format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n"), |request| {
            assert_eq!((request.keeps_alive(), request.http_1_0), (kept, version == "1.0"), "{version} {field}");
        });
    }
}

#[test]
fn a_body_is_framed_by_its_length_or_chunked() {
    for (fields, framing) in [
        ("", Framing::None),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("content-length:\t0042 \r\n", Framing::Length(42)),
        ("Content-Length: 1048576\r\n", Framing::Length(1 << 20)),
        ("Transfer-Encoding: Chunked\r\n", Framing::Chunked),
    ] {
        with(&post(fields), |request| assert_eq!(request.framing, framing, "{fields}"));
    }
}

#[test]
fn a_body_over_the_limit_is_refused_with_the_head() {
    for length in ["1048577", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"] {
        let error = refused(&post(&format!("Content-Length: {length}\r\n")));
        assert_eq!((error, error.status()), (HttpError::BodyTooLarge(1 << 20), 413), "{length}");
    }
    let limits = Limits { body_bytes_max: 3, ..Limits::default() };
    with_limits(&post("Content-Length: 4\r\n"), &limits, |request| {
        assert_eq!(request.expect_err("too long"), HttpError::BodyTooLarge(3));
    });
}

#[test]
fn spellings_that_two_parsers_read_differently_are_ambiguous() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 99999999\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5.\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length:\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: chunk ed\r\n",
    ] {
        let error = refused(&post(fields));
        assert!(matches!(error, HttpError::Ambiguous(_)) && error.status() == 400, "{fields}: {error:?}");
    }
    let error = refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(matches!(error, HttpError::Ambiguous(_)), "{error:?}");
}

#[test]
fn lines_that_are_no_fields_are_malformed() {
    for fields in [
        "Transfer-Encoding : chunked\r\n",
        "Content-Length\t: 5\r\n",
        "Transfer-Encoding\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: a\r\n b\r\n",
        "X: a\r\n\tTransfer-Encoding: chunked\r\n",
        ": a\r\n",
        "X\0: a\r\n",
        "X: a\0b\r\n",
        "X: a\x0bb\r\n",
        "X: a\x7f\r\n",
        "X(: a\r\n",
        "\u{fc}: a\r\n",
        "X: a\rContent-Length: 5\r\n",
        "X: a\nContent-Length: 5\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "\rTransfer-Encoding: chunked\r\n",
    ] {
        let error = refused(&post(fields));
        assert!(matches!(error, HttpError::Malformed(_)) && error.status() == 400, "{fields:?}: {error:?}");
    }
    let first_line_folded = "GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n";
    assert_eq!(refused(first_line_folded).status(), 400);
}

#[test]
fn a_coding_before_chunked_is_not_implemented() {
    for fields in ["Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n"] {
        let error = refused(&post(fields));
        assert_eq!((error, error.status()), (HttpError::UnknownCoding, 501), "{fields}");
    }
}

#[test]
fn expect_is_100_continue_or_nothing() {
    for (version, fields, expects) in [
        ("1.1", "Expect: 100-Continue\r\nContent-Length: 5\r\n", true),
        ("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", true),
        ("1.1", "Expect: , 100-continue,100-CONTINUE\r\nContent-Length: 5\r\n", true),
        ("1.1", "Expect: 100-continue\r\nExpect:\r\nContent-Length: 5\r\n", true),
        ("1.1", "Expect:\r\nContent-Length: 5\r\n", false),
        ("1.1", "Expect: 100-continue\r\n", false),
        ("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false),
        ("1.1", "Content-Length: 5\r\n", false),
        ("1.0", "Expect: 100-continue\r\nContent-Length: 5\r\n", false),
    ] {
        with(&format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n"), |request| {
            assert_eq!(request.expects_continue(), expects, "{fields}");
        });
    }
    for value in ["200-ok", "100-continue, x", "x,100-continue", "100-continue;a=b"] {
        let error = refused(&post(&format!("Expect: {value}\r\n")));
        assert_eq!((error, error.status()), (HttpError::UnknownExpectation, 417), "{value}");
    }
}

#[test]
fn an_upgrade_needs_both_fields_and_1_1() {
    for (version, fields, wants) in [
        ("1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\n", true),
        ("1.1", "connection: keep-alive, uPgRaDe\r\nupgrade: h2c, WebSocket\r\n", true),
        ("1.1", "Upgrade: websocket\r\n", false),
        ("1.1", "Connection: Upgrade\r\n", false),
        ("1.1", "Upgrade: websockets\r\nConnection: Upgrade\r\n", false),
        ("1.0", "Upgrade: websocket\r\nConnection: Upgrade\r\n", false),
    ] {
        with(&format!("GET /chat/ HTTP/{version}\r\nHost: a\r\n{fields}\r\n"), |request| {
            assert_eq!(request.wants_upgrade(), wants, "{version} {fields}");
        });
    }
}

#[test]
fn fields_are_counted() {
    let head = |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n - 1));
    with(&head(100), |request| {
        assert_eq!(request.fields.count(), 100);
        assert_eq!(request.headers_named("x").count(), 99);
    });
    let error = refused(&head(101));
    assert_eq!((error, error.status()), (HttpError::TooManyFields(100), 431));
    let limits = Limits { head_fields_max: 2, ..Limits::default() };
    let wide = Limits { head_fields_max: 150, ..Limits::default() };
    with_limits(&head(101), &wide, |request| {
        assert_eq!(request.expect_err("100 and one"), HttpError::TooManyFields(100))
    });
    assert!(parse_at_once(head(101).as_bytes(), &wide).is_none());
    with_limits(&head(2), &limits, |request| assert!(request.is_ok()));
    with_limits(&head(3), &limits, |request| {
        assert_eq!(request.expect_err("three"), HttpError::TooManyFields(2));
    });
}

#[test]
fn only_one_whole_head_is_parsed() {
    let limits = Limits::default();
    for bytes in ["GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "", "\r\n"] {
        let request = parse_request(bytes.as_bytes(), &limits).map(|_| ());
        assert!(matches!(request, Err(HttpError::Malformed(_))), "{bytes:?}");
    }
}

#[test]
fn errors_have_a_status_and_a_sentence() {
    for (error, status, words) in [
        (HttpError::LineTooLong(8192), 414, "8192"),
        (HttpError::HeadTooLong(16384), 431, "16384"),
        (HttpError::TooManyFields(100), 431, "100"),
        (HttpError::BodyTooLarge(7), 413, "7"),
        (HttpError::Malformed("why"), 400, "why"),
    ] {
        assert_eq!(error.status(), status);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_request_is_covariant() {
    fn shorter<'a>(request: &'a Request<'static>) -> &'a Request<'a> {
        request
    }
    let _ = shorter;
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_request_or_an_error(
        head in concat!(
            r"(GET|POST|X) (/|\*|http://b|[ -~]{0,5}) HTTP/[0-9.]{1,3}\r\n",
            r"(Host: a\r\n|[A-Za-z-]{1,9}: [\x00-\xff]{0,5}\r\n|\PC{0,9}\r\n){0,4}\r\n",
        ),
    ) {
        with_limits(&head, &Limits::default(), |request| {
            if let Ok(request) = request {
                proptest::prop_assert!(head.contains(request.target()) && (request.http_1_0 || !request.host().is_empty()));
            }
            Ok(())
        })?;
    }
}
