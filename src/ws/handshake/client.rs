//! The client's side of the WebSocket handshake (RFC 6455 section 4.1): a request out, the check of its response.
//!
//! No extension is offered, and one subprotocol at most. Where the request goes and who reads the response
//! ([`Exchange::upgrade`](crate::http::exchange::Exchange::upgrade)) is decided elsewhere.

use super::{BASE64, accept_of};
use crate::http::exchange::ResponseHead;
use crate::http::words::elements;
use base64::Engine;
use std::fmt;

/// The `Sec-WebSocket-Key` of one handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 24]);

impl Key {
    /// Of 16 bytes that are drawn anew for each handshake.
    pub fn new(random: [u8; 16]) -> Key {
        let mut key = [0; 24];
        BASE64.encode_slice(random, &mut key).expect("16 bytes are 24 characters");
        Key(key)
    }
}

/// What a handshake asks for.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Path and query.
    pub target: &'a str,
    /// For the Host field.
    pub authority: &'a str,
    /// Further fields, each with its line end.
    pub fields: &'a [u8],
    pub subprotocol: Option<&'a str>,
}

/// Why a response does not open a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeError {
    /// The server refuses, with this status.
    Status(u16),
    /// It is 101, but breaks the rule that the text names.
    Broken(&'static str),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Status(status) => write!(f, "the server refuses the WebSocket with status {status}"),
            HandshakeError::Broken(what) => write!(f, "the response opens no WebSocket: {what}"),
        }
    }
}

impl std::error::Error for HandshakeError {}

/// Appends the request of a handshake.
pub fn encode(offer: &Offer, key: &Key, out: &mut Vec<u8>) {
    let Offer { target, authority, .. } = offer;
    let begin = format!(
        "GET {target} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    );
    out.extend_from_slice(begin.as_bytes());
    out.extend_from_slice(&key.0);
    out.extend_from_slice(b"\r\n");
    if let Some(name) = offer.subprotocol {
        for part in ["Sec-WebSocket-Protocol: ", name, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(offer.fields);
    out.extend_from_slice(b"\r\n");
}

/// Checks the response to a handshake that had this key and offered this subprotocol.
///
/// # Errors
/// `Status` for any other than 101. `Broken` unless Upgrade is `websocket`, Connection lists `upgrade`, and
/// Sec-WebSocket-Accept belongs to the key; for an extension, since none was offered; and for a subprotocol other than the
/// one that was offered, or for none in its place. (A client may go on without a subprotocol. A load would measure
/// something else than it was asked to.)
pub fn check(head: &ResponseHead, key: &Key, subprotocol: Option<&str>) -> Result<(), HandshakeError> {
    use HandshakeError::{Broken, Status};
    if head.status != 101 {
        return Err(Status(head.status));
    }
    let lists = |name, word: &str| {
        let mut listed = head.headers.named(name).flat_map(elements);
        listed.any(|element| element.eq_ignore_ascii_case(word.as_bytes()))
    };
    if !lists("upgrade", "websocket") {
        return Err(Broken("Upgrade is not websocket"));
    }
    if !lists("connection", "upgrade") {
        return Err(Broken("Connection does not list upgrade"));
    }
    let mut accepted = head.headers.named("sec-websocket-accept");
    if accepted.next() != Some(&accept_of(&key.0)[..]) || accepted.next().is_some() {
        return Err(Broken("Sec-WebSocket-Accept does not belong to the key"));
    }
    if head.headers.named("sec-websocket-extensions").flat_map(elements).any(|name| !name.is_empty()) {
        return Err(Broken("it has an extension that was not offered"));
    }
    let mut chosen = head.headers.named("sec-websocket-protocol");
    if chosen.next() != subprotocol.map(str::as_bytes) || chosen.next().is_some() {
        return Err(Broken("Sec-WebSocket-Protocol is not what was offered"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::http::exchange::{Exchange, ExchangeEvent};
    use crate::http::request::parse_request;

    /// The example of RFC 6455 section 1.3.
    const KEY: Key = Key(*b"dGhlIHNhbXBsZSBub25jZQ==");
    const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

    /// The verdict on the response of the RFC with one thing in it replaced.
    fn check_with(what: &str, by: &str, subprotocol: Option<&str>) -> Result<(), HandshakeError> {
        assert!(RESPONSE.contains(what));
        let wire = RESPONSE.replacen(what, by, 1);
        let mut exchange = Exchange::upgrade();
        match exchange.receive(wire.as_bytes(), false, &Limits::default()).expect("a head") {
            (_, Some(ExchangeEvent::Head(head))) => check(&head, &KEY, subprotocol),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_handshake_is_one_that_the_server_accepts() {
        let key = Key::new(*b"the sample nonce");
        assert_eq!(key, KEY);
        let mut wire = Vec::new();
        let offer = Offer {
            target: "/chat/?a=b",
            authority: "a.test:81",
            fields: b"Cookie: c=d\r\n",
            subprotocol: Some("squall.v1"),
        };
        encode(&offer, &key, &mut wire);
        let request = parse_request(&wire, &Limits::default()).expect("a request");
        assert_eq!(super::super::check(&request), Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(super::super::choose_subprotocol(&request, &["squall.v1"]), Ok(Some("squall.v1")));
        let field = |name: &str| request.headers_named(name).next().map(<[u8]>::to_vec);
        assert_eq!((field("host"), field("cookie")), (Some(b"a.test:81".to_vec()), Some(b"c=d".to_vec())));
        assert!(wire.starts_with(b"GET /chat/?a=b HTTP/1.1\r\n"));
    }

    #[test]
    fn the_response_of_the_rfc_opens_a_websocket() {
        assert_eq!(check_with("", "", Some("chat")), Ok(()));
        assert_eq!(check_with("Upgrade: websocket", "upgrade: WebSocket", Some("chat")), Ok(()));
        assert_eq!(check_with("Connection: Upgrade", "Connection: keep-alive, upgrade", Some("chat")), Ok(()));
        assert_eq!(check_with("Sec-WebSocket-Protocol: chat\r\n", "", None), Ok(()));
    }

    #[test]
    fn another_status_is_a_refusal() {
        let refused = check_with("101 Switching Protocols", "401 Unauthorized", Some("chat"));
        assert_eq!(refused, Err(HandshakeError::Status(401)));
        assert_eq!(refused.unwrap_err().to_string(), "the server refuses the WebSocket with status 401");
    }

    #[test]
    fn a_response_that_breaks_a_rule_is_told_by_the_rule() {
        for (what, by, why) in [
            ("Upgrade: websocket", "Upgrade: h2c", "Upgrade is not websocket"),
            ("Upgrade: websocket\r\n", "", "Upgrade is not websocket"),
            ("Connection: Upgrade", "Connection: close", "Connection does not list upgrade"),
            ("s3pP", "S3pP", "Sec-WebSocket-Accept does not belong to the key"),
            ("Sec-WebSocket-Accept", "Accept", "Sec-WebSocket-Accept does not belong to the key"),
            ("chat", "superchat", "Sec-WebSocket-Protocol is not what was offered"),
            ("Sec-WebSocket-Protocol: chat\r\n", "", "Sec-WebSocket-Protocol is not what was offered"),
            (
                "Upgrade: w",
                "Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: w",
                "it has an extension that was not offered",
            ),
        ] {
            assert_eq!(check_with(what, by, Some("chat")), Err(HandshakeError::Broken(why)), "{by}");
        }
        let unasked = check_with("", "", None);
        assert_eq!(unasked, Err(HandshakeError::Broken("Sec-WebSocket-Protocol is not what was offered")));
    }
}
