use super::*;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const GET: Terms = Terms { head: false, http_1_0: false, keep_alive: true };

fn encoded(r: &Response, terms: Terms) -> (String, Sent) {
    let mut out = Vec::new();
    let sent = encode_response(r, terms, DATE, &mut out);
    (String::from_utf8(out).expect("tests answer in text"), sent)
}

fn hello() -> Response {
    Response::new(200, "text/plain", Body::Static(b"Hello, World!"))
}

#[test]
fn a_response_is_head_and_body_in_one_piece() {
    let (bytes, sent) = encoded(&hello(), GET);
    assert_eq!(
        bytes,
        "HTTP/1.1 200 OK\r\nServer: squall\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"
    );
    assert_eq!(sent, Sent { keep_alive: true, body: BodyCoding::Whole });
}

#[test]
fn an_owned_body_is_written_like_a_static_one() {
    let body = Body::Owned(b"Hello, World!".to_vec());
    assert_eq!(encoded(&Response { body, ..hello() }, GET), encoded(&hello(), GET));
}

#[test]
fn head_gets_the_fields_of_get_and_no_body() {
    let terms = Terms { head: true, ..GET };
    let (bytes, sent) = encoded(&hello(), terms);
    assert!(bytes.ends_with("Content-Length: 13\r\n\r\n"), "{bytes}");
    assert_eq!(sent.body, BodyCoding::Whole);
    let (bytes, sent) = encoded(&Response { body: Body::Stream(Some(7)), ..hello() }, terms);
    assert!(bytes.ends_with("Content-Length: 7\r\n\r\n"), "{bytes}");
    assert_eq!(sent.body, BodyCoding::Whole);
    let (bytes, sent) = encoded(&Response { body: Body::Stream(None), ..hello() }, terms);
    assert!(bytes.ends_with("Transfer-Encoding: chunked\r\n\r\n"), "{bytes}");
    assert_eq!(sent, Sent { keep_alive: true, body: BodyCoding::Whole });
}

#[test]
fn an_empty_body_has_a_length_of_zero() {
    let (bytes, _) = encoded(&Response::new(404, "", Body::Static(b"")), GET);
    assert!(bytes.starts_with("HTTP/1.1 404 Not Found\r\nServer: squall\r\n"), "{bytes}");
    assert!(bytes.ends_with("GMT\r\nContent-Length: 0\r\n\r\n"), "{bytes}");
}

#[test]
fn no_content_and_not_modified_have_neither_length_nor_body() {
    for status in [204, 304] {
        for body in [Body::Static(b"lost"), Body::Stream(Some(4)), Body::Stream(None)] {
            for http_1_0 in [false, true] {
                let (bytes, sent) =
                    encoded(&Response { status, body: body.clone(), ..hello() }, Terms { http_1_0, ..GET });
                assert!(!bytes.contains("Content-Length") && !bytes.contains("Transfer-Encoding"), "{bytes}");
                assert!(bytes.ends_with("\r\n\r\n"), "{bytes}");
                assert_eq!(sent, Sent { keep_alive: true, body: BodyCoding::Whole });
            }
        }
    }
}

#[test]
fn keep_alive_is_said_to_1_0_and_close_to_everybody() {
    let connection = |http_1_0, keep_alive| {
        let (bytes, sent) = encoded(&hello(), Terms { head: false, http_1_0, keep_alive });
        assert_eq!(sent.keep_alive, keep_alive);
        bytes.lines().find_map(|line| line.strip_prefix("Connection: ").map(str::to_owned))
    };
    assert_eq!(connection(false, true), None);
    assert_eq!(connection(true, true).as_deref(), Some("keep-alive"));
    assert_eq!(connection(false, false).as_deref(), Some("close"));
    assert_eq!(connection(true, false).as_deref(), Some("close"));
}

#[test]
fn a_stream_of_known_length_says_it() {
    let (bytes, sent) = encoded(&Response { body: Body::Stream(Some(u64::MAX)), ..hello() }, GET);
    assert!(bytes.ends_with("Content-Length: 18446744073709551615\r\n\r\n"), "{bytes}");
    assert_eq!(sent, Sent { keep_alive: true, body: BodyCoding::Length(u64::MAX) });
}

#[test]
fn an_unknown_length_is_chunked_or_until_close() {
    let stream = Response { body: Body::Stream(None), ..hello() };
    let (bytes, sent) = encoded(&stream, GET);
    assert!(bytes.ends_with("Transfer-Encoding: chunked\r\n\r\n"), "{bytes}");
    assert_eq!(sent, Sent { keep_alive: true, body: BodyCoding::Chunked });
    let (bytes, sent) = encoded(&stream, Terms { http_1_0: true, ..GET });
    assert!(bytes.ends_with("Content-Type: text/plain\r\nConnection: close\r\n\r\n"), "{bytes}");
    assert_eq!(sent, Sent { keep_alive: false, body: BodyCoding::UntilClose });
}

#[test]
fn a_value_that_would_split_the_head_is_left_out() {
    let evil = ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b"];
    for value in evil {
        let response = Response::new(200, value.to_owned(), Body::Static(b"")).header("X-Evil", value.to_owned());
        let (bytes, _) = encoded(&response, GET);
        assert!(!bytes.contains("X-Evil") && !bytes.contains("Content-Type"), "{bytes}");
    }
}

#[test]
fn a_redirect_names_its_target() {
    let (bytes, _) = encoded(&Response::redirect(303, "/chat/"), GET);
    assert!(bytes.starts_with("HTTP/1.1 303 See Other\r\n"), "{bytes}");
    assert!(bytes.contains("\r\nLocation: /chat/\r\n"), "{bytes}");
    let (bytes, _) = encoded(&Response::redirect(303, "/\r\nSet-Cookie: x".to_owned()), GET);
    assert!(bytes.contains("\r\nLocation: /%0D%0ASet-Cookie:%20x\r\n"), "{bytes}");
    let (bytes, _) = encoded(&Response::redirect(308, "https://[::1]/\"中\"?a[]#b#c".to_owned()), GET);
    assert!(bytes.contains("\r\nLocation: https://[::1]/%22%E4%B8%AD%22?a%5B%5D#b%23c\r\n"), "{bytes}");
}

#[test]
fn switching_protocols_has_no_length() {
    let mut out = Vec::new();
    let plain = Switching { accept: b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", subprotocol: None, extensions: None };
    encode_switching(plain, DATE, &mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 101 Switching Protocols\r\nServer: squall\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    out.clear();
    encode_switching(Switching { extensions: Some("permessage-deflate"), ..plain }, DATE, &mut out);
    assert!(out.ends_with(b"K+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"));
    out.clear();
    encode_switching(Switching { subprotocol: Some("chat.v1"), ..plain }, DATE, &mut out);
    assert!(out.ends_with(b"K+xOo=\r\nSec-WebSocket-Protocol: chat.v1\r\n\r\n"));
}

#[test]
fn decimals_are_those_of_the_formatter() {
    for n in [0, 1, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX] {
        let mut out = Vec::new();
        encode_decimal(n, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), n.to_string());
    }
}

/// Sections 15.2 to 15.6 of RFC 9110, and what the registry has had since.
const STATUS_LINES: &str = "
    100 Continue
    101 Switching Protocols
    200 OK
    201 Created
    202 Accepted
    203 Non-Authoritative Information
    204 No Content
    205 Reset Content
    206 Partial Content
    300 Multiple Choices
    301 Moved Permanently
    302 Found
    303 See Other
    304 Not Modified
    307 Temporary Redirect
    308 Permanent Redirect
    400 Bad Request
    401 Unauthorized
    402 Payment Required
    403 Forbidden
    404 Not Found
    405 Method Not Allowed
    406 Not Acceptable
    408 Request Timeout
    409 Conflict
    410 Gone
    411 Length Required
    412 Precondition Failed
    413 Content Too Large
    414 URI Too Long
    415 Unsupported Media Type
    416 Range Not Satisfiable
    417 Expectation Failed
    418 I'm a teapot
    421 Misdirected Request
    422 Unprocessable Content
    425 Too Early
    426 Upgrade Required
    428 Precondition Required
    429 Too Many Requests
    431 Request Header Fields Too Large
    451 Unavailable For Legal Reasons
    500 Internal Server Error
    501 Not Implemented
    502 Bad Gateway
    503 Service Unavailable
    504 Gateway Timeout
    505 HTTP Version Not Supported
    511 Network Authentication Required
    299 Unknown
    599 Unknown
";

#[test]
fn every_status_has_the_phrase_of_the_registry() {
    let lines: Vec<&str> = STATUS_LINES.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for line in lines {
        let (status, phrase) = line.split_once(' ').expect("a status and a phrase");
        let mut out = Vec::new();
        encode_status_line(status.parse().expect("a number"), &mut out);
        assert!(out.starts_with(format!("HTTP/1.1 {status} {phrase}\r\n").as_bytes()), "{line}");
    }
}
