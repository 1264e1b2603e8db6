//! Client and server of HTTP joined: what one encodes the other reads, at any split, several times on one connection.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use squall::http::chunked::{encode_chunk, encode_last};
use squall::http::exchange::{Asking, encode_request};
use squall::http::response::{Body, BodyCoding, Response, Terms, encode_response};
use squall::http::url::{Url, is_authority};
use squall_fuzz::cuts::{Cuts, at_any_cut};
use squall_fuzz::http::{Asked, Fields, Heard, requests, response, usual};
use std::borrow::Cow;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "-"];
const NAMES: [&str; 12] = [
    "Host",
    "User-Agent",
    "Accept",
    "Accept-Encoding",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "Upgrade",
    "X",
    "x y",
    "X: y\r\nX",
];
const OURS: std::ops::Range<usize> = 4..9;
const NO_NAMES: std::ops::Range<usize> = 10..12;

type Given = (Cow<'static, str>, String);

struct Request {
    method: &'static str,
    url: Url,
    fields: Vec<Given>,
    body: Vec<u8>,
    close: bool,
}

fuzz_target!(|data: &[u8]| {
    let _ = converse(&mut Unstructured::new(data));
});

fn converse(u: &mut Unstructured) -> Result<()> {
    let sizes: [u8; 3] = u.arbitrary()?;
    let cuts = Cuts(&sizes);
    let (mut wire, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..u.int_in_range(1..=3)? {
        let Some(request) = request(u)? else { break };
        let Request { method, url, fields, body, close } = &request;
        let asking = Asking { method, headers: fields, body, decode: u.arbitrary()?, close: *close };
        encode_request(url, &asking, &mut wire);
        sent.push(request);
        if sent.last().is_some_and(|request| request.close) {
            break;
        }
    }
    let (heard, used) = at_any_cut(&wire, cuts, |wire, cuts| requests(wire, cuts, &usual()));
    assert_eq!((heard.len(), used), (sent.len(), wire.len()), "{heard:?}");
    let mut asked = Vec::new();
    for (request, heard) in sent.iter().zip(heard) {
        let Heard::Request(heard) = heard else { panic!("refused: {heard:?}") };
        check_request(request, &heard);
        asked.push(heard);
    }
    responses(u, &asked, cuts)
}

fn request(u: &mut Unstructured) -> Result<Option<Request>> {
    let Ok(url) = Url::parse(&format!("http://{}/{}", u.choose(&["a.test", "[::1]:81"])?, u.arbitrary::<&str>()?))
    else {
        return Ok(None);
    };
    let mut fields = Vec::new();
    for _ in 0..u.int_in_range(0..=6)? {
        let name = *u.choose(&NAMES)?;
        let value = value(u)?;
        // A Host that is none would be refused, and rightly.
        if name != "Host" || is_authority(&value) {
            fields.push((name.into(), value));
        }
    }
    let (method, close) = (*u.choose(&METHODS)?, u.arbitrary()?);
    let request = Request { method, url, fields, body: u.arbitrary::<&[u8]>()?.to_vec(), close };
    Ok((request.url.target.len() < 4000).then_some(request))
}

/// A value with anything in it but those control characters that are sent, and then refused.
fn value(u: &mut Unstructured) -> Result<String> {
    let text: &str = u.arbitrary()?;
    Ok(text.chars().filter(|&c| !c.is_ascii_control() || "\t\r\n\0".contains(c)).take(400).collect())
}

/// Whether a field that is given must come over.
fn is_sent((name, value): &Given) -> bool {
    let at = NAMES.iter().position(|known| known == name).expect("one of ours");
    !OURS.contains(&at) && !NO_NAMES.contains(&at) && !value.contains(['\r', '\n', '\0'])
}

fn check_request(sent: &Request, heard: &Asked) {
    let head = &heard.head;
    assert_eq!((head.method, &head.target, &heard.body), (sent.method, &sent.url.target, &sent.body));
    assert_eq!(head.keep_alive, !sent.close);
    let hosts = sent.fields.iter().filter(|field| field.0 == "Host" && is_sent(field));
    let host = hosts.map(|field| field.1.clone()).next().unwrap_or(sent.url.authority());
    assert_eq!(head.host, host);
    assert!(!head.wants_upgrade && !head.expects_continue && !head.http_1_0);
    let others = sent.fields.iter().filter(|field| field.0 != "Host" && is_sent(field));
    check_fields(&head.fields, others.map(|(name, value)| (name.as_ref(), value.as_str())));
}

/// All fields of `given` are among those heard, in their order.
fn check_fields<'a>(heard: &Fields, given: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut heard = heard.iter();
    for (name, value) in given {
        let value = value.trim_matches([' ', '\t']).as_bytes();
        assert!(heard.any(|field| field.0 == name && field.1 == value), "{name} is missing");
    }
}

/// The server's responses, back to the client.
fn responses(u: &mut Unstructured, asked: &[Asked], cuts: Cuts) -> Result<()> {
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    for asked in asked {
        let Asked { head, .. } = asked;
        let http_1_0 = u.ratio(1, 8)?;
        let terms = Terms { head: head.method == "HEAD", http_1_0, keep_alive: head.keep_alive };
        let bytes = u.arbitrary::<&[u8]>()?.to_vec();
        let body = match u.int_in_range(0..=3)? {
            0 => Body::Stream(None),
            1 => Body::Stream(Some(bytes.len() as u64)),
            _ => Body::Owned(bytes.clone()),
        };
        let mut response = Response::new(u.int_in_range(200..=999)?, value(u)?, body);
        for _ in 0..u.int_in_range(0..=3)? {
            response = response.header(u.choose(&["Location", "Set-Cookie", "X"])?, value(u)?);
        }
        let sent = encode_response(&response, terms, DATE, &mut wire);
        match sent.body {
            BodyCoding::Whole => {}
            BodyCoding::Length(_) | BodyCoding::UntilClose => wire.extend_from_slice(&bytes),
            BodyCoding::Chunked => {
                let size = usize::from(u.arbitrary::<u8>()?);
                bytes.chunks(1 + size).for_each(|piece| encode_chunk(piece, &mut wire));
                encode_last(&mut wire);
            }
        }
        let bodiless = terms.head || matches!(response.status, 204 | 304);
        expected.push((terms, response, if bodiless { vec![] } else { bytes }, sent));
        if !sent.keep_alive {
            break;
        }
    }
    let mut rest = wire.as_slice();
    for (terms, ours, body, sent) in expected {
        let heard = at_any_cut(rest, cuts, |wire, cuts| response(wire, cuts, terms.head, false, &usual()));
        let heard = heard.unwrap_or_else(|e| panic!("refused: {e}"));
        assert_eq!((heard.status, heard.body, heard.kept), (ours.status, body, sent.keep_alive));
        let given = ours.headers.iter().filter(|(_, value)| !value.contains(['\r', '\n', '\0']));
        check_fields(&heard.fields, given.map(|(name, value)| (*name, value.as_ref())));
        rest = &rest[heard.used..];
    }
    assert!(rest.is_empty(), "{} bytes belong to no response", rest.len());
    Ok(())
}
