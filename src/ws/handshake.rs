//! The WebSocket handshake: here the server's side (RFC 6455 section 4.2), in [`client`] the other one.
//!
//! A request head goes in, the value of `Sec-WebSocket-Accept` comes out, or the status to refuse with. Of the
//! checks in their order (head and key 400, version 426, Origin 403, cookie 401) the first two are made here; the
//! other two are the application's, and so is the choice of a subprotocol ([`choose_subprotocol`]). Of extensions there
//! is one, [`deflate`](super::deflate), which negotiates; here only the grammar is checked.

pub mod client;

use super::extensions;
use crate::http::request::{Method, Request};
use crate::http::words::{elements, is_token};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};
use std::fmt;

/// Hashed with every key, so that no server accepts a handshake by chance (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// 16 bytes fill 22 characters less four bits; a client that makes up 22 characters sets them, which does no harm.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Why a handshake is refused; one variant per reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpgradeError {
    /// Not a WebSocket handshake; says what is wrong with it. 400.
    Malformed(&'static str),
    /// No upgrade is asked for, or another version than 13. 426, with `Upgrade: websocket` and
    /// `Sec-WebSocket-Version: 13`.
    Required,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpgradeError::Malformed(what) => write!(f, "not a WebSocket handshake: {what}"),
            UpgradeError::Required => write!(f, "WebSocket, version 13, is what can be had here"),
        }
    }
}

impl std::error::Error for UpgradeError {}

/// Checks a handshake (RFC 6455 section 4.2.1) and gives the value of `Sec-WebSocket-Accept`, 28 characters of ASCII.
///
/// # Errors
/// `Required` unless Upgrade lists `websocket`, Connection lists `upgrade`, the request is HTTP/1.1 (else Upgrade is
/// ignored: RFC 9110 section 7.8) and, behind the other checks, exactly one version is given, 13. `Malformed` unless
/// it is a GET with exactly one key, 16 bytes in base64, and what extensions are offered can be read. The connection
/// may go on with HTTP.
pub fn check(request: &Request) -> Result<[u8; 28], UpgradeError> {
    if !request.wants_upgrade() {
        return Err(UpgradeError::Required);
    }
    if request.method != Method::Get {
        return Err(UpgradeError::Malformed("the method is not GET"));
    }
    let Some(key) = only(request, "sec-websocket-key") else {
        return Err(UpgradeError::Malformed("Sec-WebSocket-Key must be there once"));
    };
    if !matches!(BASE64.decode_slice(key, &mut [0; 18]), Ok(16)) {
        return Err(UpgradeError::Malformed("Sec-WebSocket-Key is not 16 bytes in base64"));
    }
    if !request.headers_named("sec-websocket-extensions").all(|value| extensions::parse(value).is_some()) {
        return Err(UpgradeError::Malformed("Sec-WebSocket-Extensions is not a list of extensions"));
    }
    if only(request, "sec-websocket-version") != Some(b"13") {
        return Err(UpgradeError::Required);
    }
    Ok(accept_of(key))
}

/// The first subprotocol of the client's list that is one of `ours`: the client names the one that it likes best first
/// (RFC 6455 section 4.1). The list may be spread over several fields, and may have empty elements. `None`: the session
/// has no subprotocol, and the client may end it.
///
/// # Errors
/// `Malformed`: the list has an element that is no token (RFC 6455 section 4.1).
pub fn choose_subprotocol(request: &Request, ours: &[&'static str]) -> Result<Option<&'static str>, UpgradeError> {
    let mut chosen = None;
    let offered = request.headers_named("sec-websocket-protocol").flat_map(elements);
    for name in offered.filter(|name| !name.is_empty()) {
        let Some(name) = str::from_utf8(name).ok().filter(|name| is_token(name)) else {
            return Err(UpgradeError::Malformed("Sec-WebSocket-Protocol is not a list of tokens"));
        };
        // Case matters: a name is only compared.
        chosen = chosen.or_else(|| ours.iter().copied().find(|our| *our == name));
    }
    Ok(chosen)
}

/// The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
fn accept_of(key: &[u8]) -> [u8; 28] {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    BASE64.encode_slice(hash, &mut accept).expect("20 bytes are 28 characters");
    accept
}

/// The value of a field that is there exactly once.
fn only<'b>(request: &Request<'b>, name: &str) -> Option<&'b [u8]> {
    let mut values = request.headers_named(name);
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::http::request::parse_request;

    const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";

    /// Checks the handshake of the RFC with one thing in it replaced.
    fn check_with(what: &str, by: &str) -> Result<[u8; 28], UpgradeError> {
        assert!(HANDSHAKE.contains(what));
        let head = HANDSHAKE.replacen(what, by, 1);
        check(&parse_request(head.as_bytes(), &Limits::default()).expect("a request"))
    }

    fn refused(what: &str, by: &str) -> &'static str {
        match check_with(what, by) {
            Err(UpgradeError::Malformed(why)) => why,
            other => panic!("{by:?} gave {other:?}"),
        }
    }

    #[test]
    fn the_handshake_of_the_rfc_is_accepted() {
        assert_eq!(check_with("", ""), Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(accept_of(b"dGhlIHNhbXBsZSBub25jZQ=="), *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn errors_are_sentences() {
        let malformed = UpgradeError::Malformed("x");
        assert_eq!(malformed.to_string(), "not a WebSocket handshake: x");
        assert_eq!(UpgradeError::Required.to_string(), "WebSocket, version 13, is what can be had here");
    }

    #[test]
    fn lists_and_cases_do_not_matter() {
        assert!(check_with("Connection: Upgrade", "Connection: keep-alive, Upgrade").is_ok());
        assert!(check_with("Connection: Upgrade", "connection: keep-alive\r\nCONNECTION: upgrade").is_ok());
        assert!(check_with("Upgrade: websocket", "Upgrade: h2c, WebSocket").is_ok());
        assert!(check_with("Sec-WebSocket-Key", "sec-websocket-key").is_ok());
    }

    #[test]
    fn a_request_without_an_upgrade_gets_required() {
        for (what, by) in [
            ("Upgrade: websocket", "Upgrade: h2c"),
            ("Upgrade: websocket\r\n", ""),
            ("Connection: Upgrade", "Connection: keep-alive"),
            ("HTTP/1.1", "HTTP/1.0"),
        ] {
            assert_eq!(check_with(what, by), Err(UpgradeError::Required), "{by}");
        }
    }

    #[test]
    fn only_get_can_be_upgraded() {
        assert_eq!(refused("GET", "POST"), "the method is not GET");
        assert_eq!(refused("GET", "HEAD"), "the method is not GET");
    }

    #[test]
    fn there_is_one_key_of_16_bytes() {
        let once = "Sec-WebSocket-Key must be there once";
        assert_eq!(refused("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), once);
        assert_eq!(refused("Origin: ", "Sec-WebSocket-Key: "), once);
        let length = "Sec-WebSocket-Key is not 16 bytes in base64";
        for key in [
            "",
            "dGhl",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZWE=",
            "dGhlIHNhbXBsZSBub25j!Q==",
            &"A".repeat(200),
        ] {
            assert_eq!(refused("dGhlIHNhbXBsZSBub25jZQ==", key), length, "{key}");
        }
        assert!(check_with("dGhlIHNhbXBsZSBub25jZQ==", "abcdefghijklmnopqrstuv==").is_ok(), "four bits too many");
    }

    #[test]
    fn extensions_are_a_list_of_names_with_parameters() {
        let offering = |value: &str| format!("Version: 13\r\nSec-WebSocket-Extensions:{value}");
        for value in [
            "permessage-deflate",
            " permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
            "a;b=1;c = \"2\" ;d , ,e",
            "a;b=\"1\\0\"",
            "a,\r\nSec-WebSocket-Extensions: ,b;c",
            "",
        ] {
            assert!(check_with("Version: 13", &offering(value)).is_ok(), "{value}");
        }
        for value in [
            "a b",
            "a;",
            "a;;b",
            "a;=1",
            "a;b=",
            "a;b=\"\"",
            "a;b=\"1",
            "a;b=\"1,2\"",
            "=",
            "a\r\nSec-WebSocket-Extensions: ;",
        ] {
            let why = "Sec-WebSocket-Extensions is not a list of extensions";
            assert_eq!(refused("Version: 13", &offering(value)), why, "{value}");
        }
    }

    /// What is chosen of `ours` when these fields stand in the handshake of the RFC.
    fn chosen(fields: &str, ours: &[&'static str]) -> Result<Option<&'static str>, UpgradeError> {
        let head = HANDSHAKE.replacen("Origin: ", &format!("{fields}Origin: "), 1);
        choose_subprotocol(&parse_request(head.as_bytes(), &Limits::default()).expect("a request"), ours)
    }

    #[test]
    fn the_first_offered_subprotocol_that_is_ours_is_chosen() {
        let ours = ["squall.v1", "superchat"];
        for (fields, wanted) in [
            ("", None),
            ("Sec-WebSocket-Protocol: chat, superchat\r\n", Some("superchat")),
            ("Sec-WebSocket-Protocol: superchat,squall.v1\r\n", Some("superchat")),
            ("Sec-WebSocket-Protocol: chat\r\nsec-websocket-protocol: squall.v1 \r\n", Some("squall.v1")),
            ("Sec-WebSocket-Protocol: squall.v1, squall.v1\r\n", Some("squall.v1")),
            ("Sec-WebSocket-Protocol: , ,\tsuperchat ,\r\n", Some("superchat")),
            ("Sec-WebSocket-Protocol: Superchat, squall, squall.v1x\r\n", None),
            ("Sec-WebSocket-Protocol:\r\n", None),
        ] {
            assert_eq!(chosen(fields, &ours), Ok(wanted), "{fields}");
            assert_eq!(chosen(fields, &[]), Ok(None), "{fields}");
        }
    }

    #[test]
    fn subprotocols_are_tokens() {
        let why = UpgradeError::Malformed("Sec-WebSocket-Protocol is not a list of tokens");
        for list in
            ["a b", "superchat, a/b", "a;b", "\"superchat\"", "superchat,\r\nSec-WebSocket-Protocol: a b", "\u{e9}"]
        {
            let fields = format!("Sec-WebSocket-Protocol: {list}\r\n");
            assert_eq!(chosen(&fields, &["superchat"]), Err(why), "{list}");
        }
    }

    #[test]
    fn another_version_is_refused_but_behind_the_key() {
        for version in
            ["Version: 8", "Version: 130", "Version:", "Nothing: 13", "Version: 13\r\nSec-WebSocket-Version: 13"]
        {
            assert_eq!(check_with("Version: 13", version), Err(UpgradeError::Required), "{version}");
        }
        let neither = HANDSHAKE.split_once("Sec-WebSocket-Key").expect("it has a key").1;
        assert_eq!(refused(neither, ": x\r\n\r\n"), "Sec-WebSocket-Key is not 16 bytes in base64");
    }
}
