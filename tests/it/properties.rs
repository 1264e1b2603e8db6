//! Any split of an input gives the same events: the machines that the fuzz targets drive (tests/fuzz), with inputs that are
//! made of the right words instead of found.

#[expect(dead_code, reason = "the fuzz targets use the rest")]
#[path = "../fuzz/src/lib.rs"]
mod machines;

use machines::cuts::{Cuts, at_any_cut};
use machines::http::{Heard, body, heads, requests, response, small, usual};
use machines::ws::{Said, conversation};
use proptest::collection::vec;
use proptest::prelude::*;
use squall::http::body::BodyReader;
use squall::http::chunked::{encode_chunk, encode_last};
use squall::http::request::Framing;
use squall::http::url::{Form, Url, decode_path, encode_component, encode_reference};
use squall::site::base::Opening;
use squall::site::cookie::{Signer, find};
use squall::site::name;
use squall::ws::frame::{Opcode, encode_masked};
use squall::ws::session::{Kind, Session};
use std::borrow::Cow;

/// Words in any order; some of them make sense together.
fn words(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(words), 0..24).prop_map(|words| words.concat().into_bytes())
}

fn sizes() -> impl Strategy<Value = Vec<u8>> {
    vec(0u8..40, 1..4)
}

const PAGES: &[&str] = &[
    "\u{feff}",
    "\0",
    "<!--",
    "-->",
    "--!>",
    "<!doctype ",
    "<?",
    "<base",
    "<meta",
    "<title",
    "</title",
    "<script",
    "</script",
    "<link",
    "<p",
    "</",
    "<head>",
    "</head>",
    " href",
    " charset",
    " http-equiv",
    "=",
    "'",
    "\"",
    ">",
    ">",
    "/",
    "&#x2f;",
    "x",
    " ",
];
const REQUESTS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /x?y HTTP/1.1\r\nHost: a\r\n",
    "PUT / HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.2\r\nHost: [::1]:8\r\n",
    "GET http://b/ HTTP/1.1\r\n",
    "Content-Length: 5\r\n\r\n",
    "Content-Length: 99\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "X: y\r\n",
    "Y : \r\n",
    "hello",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nT: r\r\n\r\n",
    "\r\n",
    "\n",
    "\0",
];

const RESPONSES: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 404 \n",
    "HTTP/1.1 204 No\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 \r\n\r\n",
    "Content-Length: 5\r\n\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: 500\r\n\r\n",
    "Content-Encoding: gzip\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Connection: close\r\n",
    "X : y\n",
    "hello",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "\r\n",
    "\n\n",
];

const CHUNKS: &[&str] =
    &["5\r\nhello\r\n", "a;x=\"y\"\r\n0123456789\r\n", "1 \r\n", "0\r\n\r\n", "0\r\nA: b\r\n\r\n", "\n", "g", "0"];

/// Text of characters that names have trouble with, and of any other.
fn name_text() -> impl Strategy<Value = String> {
    let hard = "aI1 \u{a0}\u{301}\u{323}\u{1100}\u{1161}\u{11a8}\u{200c}\u{200d}\u{fe0f}\u{20e3}\u{915}\u{94d}\u{628}\u{62f}👩❤🏽🇩🏴\u{e0067}\u{e007f}ßΣİ";
    let hard = prop::sample::select(hard.chars().collect::<Vec<_>>());
    vec(prop_oneof![3 => hard, 1 => any::<char>()], 0..12).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn requests_are_the_same_at_any_split(wire in words(REQUESTS), sizes in sizes(), tight: bool) {
        let limits = if tight { small() } else { usual() };
        at_any_cut(&wire, Cuts(&sizes), |wire, cuts| heads(wire, cuts, &limits));
        let (heard, _) = at_any_cut(&wire, Cuts(&sizes), |wire, cuts| requests(wire, cuts, &limits));
        let refusals = heard.iter().filter(|heard| matches!(heard, Heard::Refused(..))).count();
        prop_assert!(refusals <= 1);
    }

    #[test]
    fn a_response_is_the_same_at_any_split(
        wire in words(RESPONSES), sizes in sizes(), head: bool, decode: bool, tight: bool,
    ) {
        let limits = if tight { small() } else { usual() };
        let hear = |wire: &[u8], cuts: Cuts| response(wire, cuts, head, decode, &limits);
        let _ = at_any_cut(&wire, Cuts(&sizes), hear);
        let _ = at_any_cut(&[b"HTTP/1.1 200 OK\r\n", wire.as_slice()].concat(), Cuts(&sizes), hear);
    }

    #[test]
    fn a_chunked_body_is_the_same_at_any_split(wire in words(CHUNKS), sizes in sizes(), bytes_max in 0u64..60) {
        let reader = BodyReader::new(Framing::Chunked, bytes_max);
        let _ = at_any_cut(&wire, Cuts(&sizes), |wire, cuts| body(wire, cuts, reader));
    }

    #[test]
    fn chunked_bodies_are_read_back(pieces in vec(vec(any::<u8>(), 0..300), 0..6), sizes in sizes()) {
        let mut wire = Vec::new();
        pieces.iter().for_each(|piece| encode_chunk(piece, &mut wire));
        encode_last(&mut wire);
        let reader = BodyReader::new(Framing::Chunked, 2000);
        let heard = at_any_cut(&wire, Cuts(&sizes), |wire, cuts| body(wire, cuts, reader));
        prop_assert_eq!(heard, Ok((pieces.concat(), true, wire.len())));
    }

    #[test]
    fn a_conversation_is_the_same_at_any_split(
        wire in vec(any::<u8>(), 0..200), sizes in sizes(), mask: bool, close_behind in 0usize..4,
    ) {
        let session = if mask { Session::server } else { Session::client };
        at_any_cut(&wire, Cuts(&sizes), |wire, cuts| conversation(wire, cuts, session(60), 60, close_behind));
    }

    #[test]
    fn a_message_in_fragments_is_heard_whole(
        text in ".{0,80}", at in any::<prop::sample::Index>(), mask: [u8; 4], ping in vec(any::<u8>(), 0..=125), sizes in sizes(),
    ) {
        let (first, last) = text.as_bytes().split_at(at.index(text.len() + 1));
        let mut wire = Vec::new();
        encode_masked(Opcode::Text, false, mask, first, &mut wire);
        encode_masked(Opcode::Ping, true, mask, &ping, &mut wire);
        encode_masked(Opcode::Continuation, true, mask, last, &mut wire);
        let hear = |wire: &[u8], cuts: Cuts| conversation(wire, cuts, Session::server(1000), 1000, usize::MAX).0;
        let expected = [Said::Ping(ping), Said::Message(Kind::Text, text.into_bytes())];
        prop_assert_eq!(at_any_cut(&wire, Cuts(&sizes), hear), expected);
    }

    #[test]
    fn a_cookie_is_found_and_verified_until_a_byte_is_changed(
        secret in vec(any::<u8>(), 0..80), value in vec(any::<u8>(), 0..60), now in 0u64..1 << 40,
        at in any::<prop::sample::Index>(), bit in 0u8..7,
    ) {
        let signer = Signer::new(&secret);
        let signed = signer.sign("username", &value, now);
        let field = format!("a=b; username=old; username=\"{signed}\"; c");
        let found = find([field.as_bytes()].into_iter(), "username");
        prop_assert_eq!(found.as_deref(), Some(signed.as_str()));
        prop_assert_eq!(signer.verify("username", &signed, now).map(|signed| signed.value), Some(value));
        let mut forged = signed.into_bytes();
        let at = at.index(forged.len());
        forged[at] ^= 1 << bit;
        let forged = String::from_utf8(forged).expect("seven bits");
        prop_assert_eq!(signer.verify("username", &forged, now), None);
    }

    #[test]
    fn url_normal_form_is_stable(
        scheme in "(http|HTTPS)", host in r"([a-zA-Z0-9.-]{1,12}|\[::[0-9a-f]{1,4}\])", port in "(:[0-9]{0,5})?", target in r"([/?#.%\\ é]|[a-z]){0,20}",
        reference in r"([/?#.%:\\ é]|[a-z]){0,20}",
    ) {
        let Ok(url) = Url::parse(&format!("{scheme}://{host}{port}/{target}")) else { return Ok(()) };
        prop_assert_eq!(&Url::parse(&url.to_string()), &Ok(url.clone()));
        let Ok(led) = url.resolve(&reference) else { return Ok(()) };
        prop_assert_eq!(&Url::parse(&led.to_string()), &Ok(led.clone()));
        let stays = !reference.trim_start().replace('\\', "/").starts_with("//") && !reference.contains(':');
        prop_assert!(!stays || (led.scheme, &led.host, led.port) == (url.scheme, &url.host, url.port));
    }

    #[test]
    fn a_name_is_accepted_in_the_form_in_which_it_is_kept(typed in name_text()) {
        let Ok(kept) = name::check(&typed) else { return Ok(()) };
        prop_assert!(matches!(name::check(&kept), Ok(Cow::Borrowed(again)) if again == kept), "{:?}", kept);
        prop_assert!(!kept.is_empty() && kept.len() <= 256 && name::looks(&kept).iter().all(|look| !look.is_empty()));
        let upper = name::looks(&kept.to_uppercase());
        prop_assert!(name::looks(&kept).iter().any(|look| upper.contains(look)), "{:?}", kept);
    }

    #[test]
    fn a_page_cut_anywhere_gets_the_same_base(page in words(PAGES), size in 1usize..40) {
        let with_base = |size: usize| {
            let mut opening = Opening::new(Url::parse("http://a.test/b?c").expect("a URL"));
            let (mut out, mut added) = (Vec::new(), None);
            for piece in page.chunks(size) {
                match added {
                    None => added = opening.read(piece, &mut out),
                    Some(_) => out.extend_from_slice(piece),
                }
            }
            (added.unwrap_or_else(|| opening.end(&mut out)), out)
        };
        let (added, whole) = with_base(page.len().max(1));
        prop_assert_eq!(with_base(size), (added, whole.clone()));
        prop_assert_eq!(with_base(1), (added, whole.clone()));
        let is_page_around = |at: usize| whole[..at] == page[..at] && whole[at + added..] == page[at..];
        prop_assert!(whole.len() == page.len() + added && (0..=page.len()).any(is_page_around));
    }

    #[test]
    fn words_come_back_from_a_query_and_a_path(words in any::<String>()) {
        let encoded = encode_component(&words);
        let query = format!("a=b&wd={encoded}");
        prop_assert_eq!(Form::parse(query.as_bytes()).map(|query| query.value("wd")), Ok(Some(words.clone())));
        let reference = encode_reference(&words);
        prop_assert!(reference.bytes().all(|byte| byte.is_ascii_graphic()) && encode_reference(&reference) == reference);
        let is_name = words.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != "..");
        if is_name && !words.contains(['\0', '\\']) {
            prop_assert_eq!(decode_path(&format!("/{encoded}")), Some(words));
        }
    }
}
