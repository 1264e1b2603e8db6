use super::*;

#[cfg(feature = "deflate")]
mod coded;
mod lenient;

/// What came out of a response: status and length of its head, the body, the bytes used in all, and whether the
/// connection is good for another exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Response {
    status: u16,
    length: Option<u64>,
    body: Vec<u8>,
    used: usize,
    kept: bool,
}

/// Feeds `wire` in two parts, the end of input with the second; panics if the events are out of order.
fn read_split(wire: &[u8], split: usize, exchange: Exchange, limits: &Limits) -> Result<Response, ExchangeError> {
    let mut exchange = exchange;
    let mut response: Option<Response> = None;
    let mut at = 0;
    for end in [split, wire.len()] {
        loop {
            let (used, event) = exchange.receive(&wire[at..end], end == wire.len(), limits)?;
            at += used;
            match event {
                Some(ExchangeEvent::Head(head)) => {
                    assert_eq!(response, None, "one head");
                    let (status, length) = (head.status, head.length);
                    response = Some(Response { status, length, body: vec![], used: 0, kept: false });
                }
                Some(ExchangeEvent::Body(bytes)) => {
                    assert!(!bytes.is_empty());
                    response.as_mut().expect("a head before the body").body.extend_from_slice(bytes);
                }
                Some(ExchangeEvent::Done) => {
                    let response = response.expect("a head before the end");
                    return Ok(Response { used: at, kept: exchange.keeps_alive(), ..response });
                }
                None if used > 0 => {}
                None => {
                    assert!(end < wire.len(), "with the end of input there is an event or an error");
                    break;
                }
            }
            assert!(!exchange.keeps_alive(), "before the end nobody knows");
        }
    }
    unreachable!("the second part ends in Done or an error")
}

/// Reads `wire` at every split. Nothing in these tests has a content coding, so to take one off makes no difference.
fn read_with(wire: &str, asked_head: bool, limits: &Limits) -> Result<Response, ExchangeError> {
    let expected = read_split(wire.as_bytes(), 0, Exchange::new(asked_head, false), limits);
    for (split, decode) in (0..=wire.len()).flat_map(|split| [(split, false), (split, true)]) {
        let result = read_split(wire.as_bytes(), split, Exchange::new(asked_head, decode), limits);
        assert_eq!(result, expected, "split at {split}, decode: {decode}");
    }
    expected
}

fn read(wire: &str) -> Result<Response, ExchangeError> {
    read_with(wire, false, &Limits::default())
}

fn body(wire: &str) -> String {
    let response = read(wire).unwrap_or_else(|e| panic!("{wire:?}: {e}"));
    String::from_utf8(response.body).expect("tests answer in text")
}

fn small() -> Limits {
    Limits { response_head_bytes_max: 40, response_body_bytes_max: 5, ..Limits::default() }
}

#[test]
fn a_body_ends_after_its_length() {
    let wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello rest";
    let expected = Response { status: 200, length: Some(5), body: b"hello".to_vec(), used: wire.len() - 5, kept: true };
    assert_eq!(read(wire), Ok(expected));
    assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "");
    assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 02\r\n\r\nab"), "ab");
}

#[test]
fn a_chunked_body_ends_with_its_last_chunk() {
    let wire = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\nrest";
    let expected = Response { status: 200, length: None, body: b"hello".to_vec(), used: wire.len() - 4, kept: true };
    assert_eq!(read(wire), Ok(expected));
}

#[test]
fn a_coding_overrides_a_length() {
    for fields in ["Transfer-Encoding: chunked\r\nContent-Length: 3", "Content-Length: 3\r\nTransfer-Encoding: CHUNKED"]
    {
        let response = read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n1\r\na\r\n0\r\n\r\n")).expect("valid");
        assert_eq!((response.body.as_slice(), response.length), (b"a".as_slice(), None));
    }
}

#[test]
fn a_body_without_framing_ends_with_the_connection() {
    assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nall of it"), "all of it");
    assert_eq!(body("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"), "");
}

#[test]
fn head_no_content_and_not_modified_have_no_body() {
    let wire = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nrest";
    let limits = Limits { response_body_bytes_max: 5, ..Limits::default() };
    let response = read_with(wire, true, &limits).expect("valid");
    assert_eq!((response.length, response.body.len(), response.used), (Some(99_999_999_999), 0, wire.len() - 4));
    let chunked = read_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, &Limits::default());
    assert_eq!(chunked.map(|response| response.body.len()), Ok(0));
    for status in ["204 No Content", "304 Not Modified"] {
        let response = read(&format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello")).expect("valid");
        assert_eq!((response.length, response.body.len()), (Some(5), 0));
    }
}

#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    assert_eq!(body(&format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")), "x");
    let many = |n: u8| format!("{}HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 102 x\n\n".repeat(usize::from(n)));
    assert_eq!(read(&many(INTERIM_MAX)).map(|response| response.status), Ok(204));
    assert_eq!(read(&many(INTERIM_MAX + 1)), Err(ExchangeError::TooManyInterim));
    assert_eq!(read("HTTP/1.1 101 Switching Protocols\r\n\r\n"), Err(ExchangeError::UnexpectedUpgrade));
    assert_eq!(read(interim), Err(ExchangeError::EarlyEof(Stage::Head)));
}

#[test]
fn an_upgrade_that_was_asked_for_ends_with_its_head() {
    let head =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nContent-Length: 3\r\nUpgrade: x\r\n\r\n";
    let wire = format!("{head}what follows");
    for split in 0..=wire.len() {
        let response = read_split(wire.as_bytes(), split, Exchange::upgrade(), &Limits::default()).expect("valid");
        assert_eq!((response.status, response.used, response.kept), (101, head.len(), false), "split at {split}");
    }
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let response = read_split(refused.as_bytes(), 0, Exchange::upgrade(), &Limits::default()).expect("valid");
    assert_eq!((response.status, response.body.as_slice(), response.kept), (403, &b"no"[..], true));
}

#[test]
fn a_head_is_read_leniently() {
    assert_eq!(body("HTTP/1.1 200\nContent-Length: 2\n\nab"), "ab");
    assert_eq!(body("HTTP/1.1  200  Fine\r\nContent-Length : 2\r\n\r\nab"), "ab");
    assert_eq!(body("HTTP/1.0 200 \r\n\nab"), "ab");
}

#[test]
fn a_head_shows_its_fields() {
    let wire = b"HTTP/1.0 301 Moved\r\nLocation: /b\r\nlocation: /c\r\nX:\r\n\r\n";
    let mut exchange = Exchange::new(false, false);
    let (used, event) = exchange.receive(wire, false, &Limits::default()).expect("valid");
    let Some(ExchangeEvent::Head(head)) = event else { panic!("{event:?}") };
    assert_eq!((used, head.status, head.minor_version, head.reason), (wire.len(), 301, 0, "Moved"));
    assert_eq!(head.header("LOCATION"), Some(b"/b".as_slice()));
    assert_eq!((head.header("x"), head.header("y")), (Some(b"".as_slice()), None));
    assert_eq!((head.headers.count(), head.length), (3, None));
}

#[test]
fn done_is_repeated_and_uses_nothing() {
    let mut exchange = Exchange::new(false, false);
    let wire = b"HTTP/1.1 204 No Content\r\n\r\n";
    let mut next = |buf: &'static [u8]| {
        let (used, event) = exchange.receive(buf, false, &Limits::default()).expect("valid");
        (used, matches!(event, Some(ExchangeEvent::Done)))
    };
    assert_eq!(next(wire), (wire.len(), false));
    for _ in 0..3 {
        assert_eq!(next(b"HTTP/1.1 200 OK"), (0, true));
    }
}

#[test]
fn an_early_end_says_where() {
    assert_eq!(read(""), Err(ExchangeError::EarlyEof(Stage::Start)));
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for end in 1..whole.len() {
        let stage = if end < whole.len() - 5 { Stage::Head } else { Stage::Body };
        assert_eq!(read(&whole[..end]), Err(ExchangeError::EarlyEof(stage)), "{end} bytes");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let head = chunked.find("\r\n\r\n").expect("a head") + 4;
    // Only the last line end may be missing.
    for end in head..chunked.len() - 2 {
        assert_eq!(read(&chunked[..end]), Err(ExchangeError::EarlyEof(Stage::Body)), "{end} bytes");
    }
}

#[test]
fn bytes_that_are_not_http_are_refused_at_once() {
    for wire in ["SSH-2.0-OpenSSH", "x", "HTTP/3", "HTTP/1x", "HTTP/20", "HTTP 200", "\r\nHTTP/1.1 200 OK\r\n\r\n"] {
        assert_eq!(read(wire), Err(ExchangeError::NotHttp), "{wire:?}");
    }
}

#[test]
fn broken_heads_are_malformed() {
    for wire in ["HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1\r\n\r\n"] {
        assert!(matches!(read(wire), Err(ExchangeError::Malformed(_) | ExchangeError::NotHttp)), "{wire:?}");
    }
    for status in ["000", "099"] {
        let result = read(&format!("HTTP/1.1 {status} OK\r\n\r\n"));
        assert!(matches!(result, Err(ExchangeError::Malformed(_))), "{status:?}: {result:?}");
    }
    for field in ["A: \0", "A: b\rc", "A: b\r\n folded\0"] {
        let result = read(&format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n"));
        assert!(matches!(result, Err(ExchangeError::Malformed(_))), "{field:?}: {result:?}");
    }
}

#[test]
fn lengths_that_disagree_or_are_no_numbers_are_refused() {
    for fields in ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 6"] {
        assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello")), Err(ExchangeError::BadLength));
    }
    for value in ["", "x", "-1", "+5", "5 5", "5,", "0x5"] {
        let wire = format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\n");
        assert_eq!(read(&wire), Err(ExchangeError::BadLength), "{value:?}");
    }
}

#[test]
fn codings_other_than_chunked_are_refused() {
    for value in ["gzip", "gzip, chunked", "chunked, gzip"] {
        let wire = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {value}\r\n\r\n");
        assert_eq!(read(&wire), Err(ExchangeError::UnknownCoding), "{value:?}");
    }
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n";
    assert_eq!(read(broken), Err(ExchangeError::Chunk(ChunkError::BadSize)));
}

#[test]
fn head_and_body_are_bounded() {
    let head = |n: usize| format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(n - 24));
    assert_eq!(read_with(&head(40), false, &small()).map(|response| response.used), Ok(40));
    assert_eq!(read_with(&head(41), false, &small()), Err(ExchangeError::HeadTooLong(40)));
    assert_eq!(read_with(&head(60), false, &small()), Err(ExchangeError::HeadTooLong(40)));
    let too_large = Err(ExchangeError::BodyTooLarge(5));
    for wire in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhelloo",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n3\r\nloo\r\n",
    ] {
        let limits = Limits { response_head_bytes_max: 60, ..small() };
        assert_eq!(read_with(wire, false, &limits), too_large, "{wire:?}");
    }
}

/// Whether the connection may be used again after a response to GET, or to HEAD.
fn is_kept_after(wire: &str, asked_head: bool) -> bool {
    read_with(wire, asked_head, &Limits::default()).unwrap_or_else(|e| panic!("{wire:?}: {e}")).kept
}

#[test]
fn the_server_says_whether_the_connection_stays() {
    for (version, connection, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: x, close ,y\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: closed\r\nX: close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
    ] {
        let wire = format!("HTTP/{version} 200 OK\r\n{connection}Content-Length: 2\r\n\r\nab");
        assert_eq!(is_kept_after(&wire, false), kept, "{wire:?}");
    }
    let exchange = Exchange::new(false, false);
    assert!(!exchange.keeps_alive() && !exchange.ends_with_connection());
}

#[test]
fn a_connection_stays_after_an_unambiguous_end() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    assert!(is_kept_after(chunked, false));
    assert!(is_kept_after("HTTP/1.1 204 No Content\r\n\r\n", false));
    assert!(is_kept_after("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false));
    assert!(is_kept_after("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false));
    assert!(is_kept_after("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", false));
    assert!(is_kept_after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true));
    assert!(is_kept_after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true));
    assert!(is_kept_after("HTTP/1.1 200 OK\r\n\r\n", true), "HEAD has no body that could last until the close");
    assert!(is_kept_after("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false));
}

#[test]
fn a_connection_does_not_stay_after_an_ambiguous_end() {
    let end = "2\r\nab\r\n0\r\n\r\n";
    for (wire, asked_head) in [
        (format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{end}"), false),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n{end}"), false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n".into(), true),
        (format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{end}"), false),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), false),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab".into(), false),
        ("HTTP/1.1 200 OK\r\n\r\nab".into(), false),
        // Fields that a strict reader does not see.
        ("HTTP/1.1 200 OK\r\nX: y\nContent-Length: 2\r\n\r\nab".into(), false),
        ("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nab".into(), false),
        ("HTTP/1.1 200 OK\r\nContent-Length\t: 2\r\n\r\nab".into(), false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nab".into(), false),
        ("HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nab".into(), false),
    ] {
        assert!(!is_kept_after(&wire, asked_head), "{wire:?}");
    }
}

#[test]
fn the_head_tells_how_the_body_ends() {
    for (fields, until_close) in
        [("", true), ("Content-Length: 1\r\n", false), ("Transfer-Encoding: chunked\r\n", false)]
    {
        let wire = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let mut exchange = Exchange::new(false, false);
        exchange.receive(wire.as_bytes(), false, &Limits::default()).expect("a head");
        assert_eq!(exchange.ends_with_connection(), until_close, "{fields:?}");
    }
}

#[test]
fn a_response_has_begun_with_its_first_byte() {
    let mut exchange = Exchange::new(false, false);
    let mut tell = |buf: &'static [u8], eof| {
        let result = exchange.receive(buf, eof, &Limits::default()).map(|(used, _)| used);
        (result, exchange.has_begun())
    };
    assert_eq!(tell(b"", false), (Ok(0), false));
    assert_eq!(tell(b"", true), (Err(ExchangeError::EarlyEof(Stage::Start)), false));
    assert_eq!(tell(b"H", false), (Ok(0), true));
    assert_eq!(tell(b"HTTP/1.1 100 Continue\r\n\r\n", false), (Ok(25), true));
    assert_eq!(tell(b"", false), (Ok(0), true), "an interim response is one");
    let mut foreign = Exchange::new(false, false);
    assert!(foreign.receive(b"x", false, &Limits::default()).is_err());
    assert!(foreign.has_begun(), "a wrong byte is one");
}

#[test]
fn errors_are_sentences() {
    for (error, words) in [
        (ExchangeError::EarlyEof(Stage::Start), "without a response"),
        (ExchangeError::EarlyEof(Stage::Head), "within the head"),
        (ExchangeError::EarlyEof(Stage::Body), "before the body was whole"),
        (ExchangeError::NotHttp, "not HTTP"),
        (ExchangeError::TooManyInterim, "16"),
        (ExchangeError::HeadTooLong(65_536), "65536"),
        (ExchangeError::BodyTooLarge(8), "8 bytes"),
        (ExchangeError::from(InflateError::Broken("incorrect data check")), "broken: incorrect data check"),
        (ExchangeError::from(InflateError::Truncated), "ends too early"),
        (ExchangeError::from(InflateError::TooLarge(8)), "8 bytes when inflated"),
        (ExchangeError::from(BodyError::Chunk(ChunkError::BadSize)), "chunk size"),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_read_the_same_at_any_split(
        wire in concat!(
            r"HTTP/1\.[01] (10[013]|200|204)( OK)?\r?\n",
            r"(Content-Length: [0-9]?\r\n|Transfer-Encoding: chunked\r\n|A: b\n){0,3}\r\n[ -f0-9\r\n]{0,12}",
        ),
    ) {
        let _ = read(&wire);
    }
}
