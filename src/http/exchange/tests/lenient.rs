//! Responses that break the RFC and that curl and Chromium read all the same. None of them leaves its connection
//! usable: another reader may have found another end.

use super::*;

/// The body of a response that is read, and whose connection must not be used again.
fn doubtful_body(wire: &str) -> String {
    let response = read(wire).unwrap_or_else(|e| panic!("{wire:?}: {e}"));
    assert!(!response.kept, "{wire:?}");
    String::from_utf8(response.body).expect("tests answer in text")
}

fn chunked(chunks: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

fn with_fields(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 5\r\n\r\nhello")
}

/// The fields of a head at every split.
fn fields(head: &[u8]) -> Vec<(String, String)> {
    let at = |split: usize| {
        let mut exchange = Exchange::new(false, false);
        let mut at = 0;
        for end in [split, head.len()] {
            let (used, event) = exchange.receive(&head[at..end], false, &Limits::default()).expect("a head");
            if let Some(ExchangeEvent::Head(head)) = event {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                return head.headers.map(|(name, value)| (name.to_owned(), text(value))).collect();
            }
            at += used;
        }
        panic!("a whole head was expected");
    };
    let expected: Vec<(String, String)> = at(0);
    for split in 0..=head.len() {
        assert_eq!(at(split), expected, "split at {split}");
    }
    expected
}

fn values(wire: &str) -> Vec<String> {
    fields(wire.as_bytes()).into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn blanks_behind_a_chunk_size_are_skipped() {
    for chunks in ["5 \r\nhello\r\n0\r\n\r\n", "5    \r\nhello\r\n0   \r\n\r\n", "5\t\r\nhello\r\n0 \t\r\n\r\n"] {
        assert_eq!(doubtful_body(&chunked(chunks)), "hello", "{chunks:?}");
    }
    for chunks in [" 5\r\nhello\r\n0\r\n\r\n", "5 x\r\nhello\r\n0\r\n\r\n", "5 5\r\nhello\r\n", "5 \rhello\r\n"] {
        assert!(matches!(read(&chunked(chunks)), Err(ExchangeError::Chunk(_))), "{chunks:?}");
    }
    assert!(is_kept_after(&chunked("5 ;a=b\r\nhello\r\n0\r\n\r\n"), false), "the grammar has blanks there");
}

#[test]
fn chunk_lines_may_end_in_a_bare_lf() {
    for chunks in [
        "5\nhello\n0\n\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;x=y\nhello\r\n0\r\n\r\n",
        "5 \nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nA: b\n\n",
    ] {
        assert_eq!(doubtful_body(&chunked(chunks)), "hello", "{chunks:?}");
    }
    for chunks in
        ["5\rhello\r\n0\r\n\r\n", "5\r\r\nhello\r\n", "5\r\nhello0\r\n\r\n", "\n5\nhello\n", "5\nhelloworld\n"]
    {
        assert!(matches!(read(&chunked(chunks)), Err(ExchangeError::Chunk(_))), "{chunks:?}");
    }
}

#[test]
fn the_line_end_behind_the_last_chunk_may_be_missing() {
    for chunks in ["5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\n\r", "5\r\nhello\r\n0\r\nA: b\r\n", "5\nhello\n0\n"] {
        assert_eq!(doubtful_body(&chunked(chunks)), "hello", "{chunks:?}");
    }
    for chunks in
        ["", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0", "5\r\nhello\r\n0\r", "5\r\nhello\r\n0\r\nA: b"]
    {
        assert_eq!(read(&chunked(chunks)), Err(ExchangeError::EarlyEof(Stage::Body)), "{chunks:?}");
    }
}

#[test]
fn identity_and_empty_elements_are_no_coding() {
    for codings in ["identity", "", ",", "Identity, identity"] {
        let until_close = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\nhello");
        assert_eq!(doubtful_body(&until_close), "hello", "{codings:?}");
        let length = with_fields(&format!("Transfer-Encoding: {codings}\r\n"));
        assert_eq!(doubtful_body(&length), "hello", "{codings:?}");
        assert_eq!(read(&length[..length.len() - 1]), Err(ExchangeError::EarlyEof(Stage::Body)), "it is cut short");
    }
}

#[test]
fn chunked_counts_once_among_empty_ones() {
    for codings in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: , chunked",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:\r\n chunked",
    ] {
        let wire = format!("HTTP/1.1 200 OK\r\n{codings}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(doubtful_body(&wire), "hello", "{codings:?}");
    }
    for codings in ["gzip", "chunked, gzip", "gzip, chunked", "chunked;q=1", "\"chunked\"", "xchunked", "chunked x"] {
        let wire = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\n0\r\n\r\n");
        assert_eq!(read(&wire), Err(ExchangeError::UnknownCoding), "{codings:?}");
    }
}

#[test]
fn a_folded_field_is_one_line_with_a_space() {
    for (folded, value) in [
        ("A: b\r\n c\r\n", "A=b c"),
        ("A: b\r\n\tc\r\n", "A=b c"),
        ("A: b \r\n  c\r\n   d\n\te\r\n", "A=b c d e"),
        ("A: b\r\n \r\n", "A=b"),
        ("A:\r\n b\r\n", "A=b"),
        ("A: b\r\n Content-Length: 3\r\n", "A=b Content-Length: 3"),
    ] {
        let wire = with_fields(folded);
        assert_eq!(values(&wire), [value, "Content-Length=5"], "{folded:?}");
        assert_eq!(doubtful_body(&wire), "hello");
    }
    assert_eq!(doubtful_body("HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello"), "hello");
    assert_eq!(doubtful_body("HTTP/1.1 100 Continue\r\nA: b\r\n c\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\nx"), "x");
    let wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length:\r\n 6\r\n\r\nhello";
    assert_eq!(read(wire), Err(ExchangeError::BadLength), "two lengths stay two");
}

#[test]
fn a_line_that_is_no_field_is_left_out() {
    for line in [
        "PHP Warning:  x already loaded",
        "no field",
        "HTTP/1.1 200 OK",
        ": x",
        ":",
        "Bad(Name): x",
        "N\u{e4}me: x",
        " A: b",
        " \r\n A: b",
        "no field\r\n that goes on: x",
    ] {
        let wire = with_fields(&format!("{line}\r\n"));
        assert_eq!(values(&wire), ["Content-Length=5"], "{line:?}");
        assert_eq!(doubtful_body(&wire), "hello", "{line:?}");
        if !line.starts_with(' ') {
            let last = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{line}\r\n\r\nhello");
            assert_eq!(doubtful_body(&last), "hello", "{line:?}");
        }
    }
}

#[test]
fn only_the_bytes_of_a_head_are_counted() {
    let many = |n: usize| with_fields(&"A: b\r\n".repeat(n));
    for n in [100, 101, 1500] {
        let wire = many(n);
        let response = read_split(wire.as_bytes(), 40, Exchange::new(false, false), &Limits::default()).expect("read");
        assert!(response.kept && response.body == b"hello", "{n} fields");
    }
    let max = Limits::default().response_head_bytes_max;
    let wire = many(max / 6);
    let result = read_split(wire.as_bytes(), 40, Exchange::new(false, false), &Limits::default());
    assert_eq!(result, Err(ExchangeError::HeadTooLong(max)));
}

#[test]
fn a_status_line_is_read_as_curl_and_browsers_do() {
    for line in [
        "http/1.1 200 OK",
        "Http/1.0 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/1.9 200 OK",
        "HTTP/2 200 OK",
        "HTTP/2.0 200",
        "HTTP/1.1  200  OK",
        "HTTP/1.1 200OK",
        "HTTP/1.1 200-OK",
        "HTTP/1.1 200 O\u{1b}K",
        "HTTP/1.1 200 OK\r",
    ] {
        let wire = format!("{line}\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(doubtful_body(&wire), "hello", "{line:?}");
    }
    for interim in ["http/1.1 100 Continue", "HTTP/1.2 103 Hints", "HTTP/1.1  100  Continue", "HTTP/1.1 100"] {
        let wire = format!("{interim}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(read(&wire).map(|response| response.body), Ok(b"hello".to_vec()), "{interim:?}");
    }
    for line in
        ["HTTP/1.10 200", "HTTP/1 200", "HTTP/1. 200", "HTTP/01.1 200", "HTTP/3.0 200", "HTTP/0.9 200", "ICY 200"]
    {
        assert_eq!(read(&format!("{line} OK\r\n\r\n")), Err(ExchangeError::NotHttp), "{line:?}");
    }
    for line in ["HTTP/1.1 2000", "HTTP/1.1 20", "HTTP/1.1 abc", "HTTP/1.1 0200", "HTTP/1.1 099", "HTTP/1.1"] {
        assert!(matches!(read(&format!("{line} OK\r\n\r\n")), Err(ExchangeError::Malformed(_))), "{line:?}");
    }
    assert_eq!(read("HTTP/1.1200 OK\r\n\r\n"), Err(ExchangeError::NotHttp));
}

#[test]
fn control_characters_are_masked_and_nul_and_cr_are_refused() {
    for (line, value) in
        [("A: b\x0bc", "A=b?c"), ("A: \x1b[31m", "A=?[31m"), ("A:\x0cb\x7f", "A=?b?"), ("A: b\r", "A=b")]
    {
        let wire = with_fields(&format!("{line}\r\n"));
        assert_eq!(values(&wire), [value, "Content-Length=5"], "{line:?}");
        assert_eq!(doubtful_body(&wire), "hello", "{line:?}");
    }
    for line in ["A: b\0c", "A\0: b", "A: b\rSet-Cookie: c", "A: b\r\rc", "\rA: b", "no\rfield", "A: b\r\n c\0"] {
        let result = read(&with_fields(&format!("{line}\r\n")));
        assert!(matches!(result, Err(ExchangeError::Malformed(_))), "{line:?}: {result:?}");
    }
    for coding in ["\x0bchunked", "chunked\x0c", "\r\n \x0bchunked", "chunked\x01, identity"] {
        let wire = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n");
        assert_eq!(read(&wire), Err(ExchangeError::UnknownCoding), "{coding:?}");
    }
    for length in ["\x0b5", "5\x0c", "\r\n\t\x0b5"] {
        let wire = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
        assert_eq!(read(&wire), Err(ExchangeError::BadLength), "{length:?}");
    }
}

#[test]
fn a_length_means_nothing_where_no_body_can_be() {
    for length in ["x", "-1", "5\r\nContent-Length: 6", ""] {
        for status in ["204 No Content", "304 Not Modified"] {
            assert_eq!(doubtful_body(&format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n")), "");
        }
        let wire = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let response = read_with(&wire, true, &Limits::default()).expect("HEAD has no body");
        assert_eq!((response.length, response.kept), (None, false), "{length:?}");
        assert_eq!(read(&wire), Err(ExchangeError::BadLength), "RFC 9112 section 6.3: discard the response");
    }
}

proptest::proptest! {
    #[test]
    fn any_odd_response_reads_the_same_at_any_split(
        wire in concat!(
            r"(http|HTTP)/(1\.[0-9]|2|2\.0) {1,2}(10[013]|200|204)( O\x1bK|OK)?\r?\n",
            r"((Content-Length|Transfer-Encoding) ?:(\r?\n )? ?([0-9]|chunked,?|identity)\r?\n| ?A: b\r?\n|no field\n| c\r\n){0,4}",
            r"\r?\n([0-3] ?(;a)?\r?\n[a\r\n]{0,3}){0,3}",
        ),
    ) {
        let _ = read(&wire);
    }
}
