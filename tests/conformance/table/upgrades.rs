//! Upgrade, to WebSocket and to others (RFC 9110 section 7.8, RFC 6455 section 4.2).

use super::{MARKER, get};
use crate::case::{Case, Needs, must, should};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const ASKS: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
/// A text frame of a client, "hi", masked with zeros.
const FRAME: &[u8] = b"\x81\x82\0\0\0\0hi";

pub fn cases() -> Vec<Case> {
    [ignored(), accepted(), refused()].into_iter().flatten().collect()
}

fn handshake(first_line: &str, lines: &str) -> String {
    format!("{first_line}\r\nHost: squall\r\n{lines}\r\n")
}

fn ignored() -> Vec<Case> {
    let ignored = |section, name, lines: &str| must(section, name, get(lines), "200 200 open | 200 close");
    vec![
        ignored(
            "9110 7.8",
            "an Upgrade to a protocol that is not spoken is ignored",
            "Connection: upgrade\r\nUpgrade: IRC/6.9\r\n",
        ),
        ignored(
            "9110 7.8",
            "an Upgrade to h2c is ignored",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        ),
        ignored("9110 7.8", "an Upgrade to TLS is ignored", "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n"),
        ignored("9110 7.8", "an Upgrade to HTTP/2.0 is ignored", "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n"),
        ignored("9110 7.8", "an Upgrade of nothing is ignored", "Connection: Upgrade\r\nUpgrade:\r\n"),
        ignored("9110 7.8", "an upgrade in Connection without an Upgrade is ignored", "Connection: upgrade\r\n"),
        ignored("9110 7.8", "an Upgrade to WebSocket where there is none is ignored", &format!("{ASKS}{KEY}{VERSION}")),
        must(
            "9112 9.6",
            "an Upgrade that is ignored does not keep what is to close",
            get("Connection: Upgrade, close\r\nUpgrade: h2c\r\n"),
            "200 close",
        ),
    ]
}

fn accepted() -> Vec<Case> {
    let line = "GET /echo HTTP/1.1";
    let accepted = |section, name, lines: &str| {
        let case = must(section, name, handshake(line, lines), "101").needs(Needs::WebSocket);
        case.field(0, "sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    };
    vec![
        accepted(
            "6455 4.2.2",
            "the handshake of the RFC is answered with its accept",
            &format!("{ASKS}{KEY}{VERSION}"),
        )
        .field(0, "upgrade", "websocket")
        .field(0, "connection", "upgrade"),
        accepted(
            "6455 4.2.1",
            "websocket has no letter case",
            &format!("Connection: Upgrade\r\nUpgrade: WebSocket\r\n{KEY}{VERSION}"),
        ),
        accepted(
            "6455 4.2.1",
            "upgrade in Connection has no letter case",
            &format!("Connection: UPGRADE\r\nUpgrade: websocket\r\n{KEY}{VERSION}"),
        ),
        accepted(
            "9110 5.6.1",
            "upgrade may stand in a list of Connection",
            &format!("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n{KEY}{VERSION}"),
        ),
        accepted(
            "9110 5.3",
            "upgrade may stand in a second Connection",
            &format!("Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{KEY}{VERSION}"),
        ),
        should(
            "9110 7.8",
            "websocket may stand in a list of Upgrade",
            handshake(line, &format!("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n{KEY}{VERSION}")),
            "101",
        )
        .needs(Needs::WebSocket),
        accepted(
            "6455 4.2.1",
            "an Origin of our own is accepted",
            &format!("{ASKS}{KEY}{VERSION}Origin: http://squall\r\n"),
        ),
        must(
            "6455 4.2.2",
            "a subprotocol that was not offered is not named",
            handshake(line, &format!("{ASKS}{KEY}{VERSION}")),
            "101",
        )
        .no_field(0, "sec-websocket-protocol")
        .needs(Needs::WebSocket),
        must(
            "6455 9.1",
            "an extension that was not offered is not named",
            handshake(line, &format!("{ASKS}{KEY}{VERSION}")),
            "101",
        )
        .no_field(0, "sec-websocket-extensions")
        .needs(Needs::WebSocket),
        must(
            "6455 9.1",
            "an extension that is not known is not agreed on",
            handshake(line, &format!("{ASKS}{KEY}{VERSION}Sec-WebSocket-Extensions: x-frobnicate; level=3\r\n")),
            "101",
        )
        .no_field(0, "sec-websocket-extensions")
        .needs(Needs::WebSocket),
        must(
            "9110 7.8",
            "what stands behind the handshake is the first frame",
            [handshake(line, &format!("{ASKS}{KEY}{VERSION}")).as_bytes(), FRAME].concat(),
            "101",
        )
        .needs(Needs::WebSocket),
    ]
}

fn refused() -> Vec<Case> {
    let line = "GET /echo HTTP/1.1";
    let behind = |first_line: &str, lines: &str| handshake(first_line, lines) + MARKER;
    // An error, whatever follows, but never 101.
    let error = |section, name, first_line: &str, lines: &str| {
        must(section, name, behind(first_line, lines), "4xx 200 open | 4xx close | 501 200 open | 501 close")
            .needs(Needs::WebSocket)
    };
    vec![
        error("6455 4.2.1", "a handshake without a key is refused", line, &format!("{ASKS}{VERSION}")),
        error(
            "6455 4.2.1",
            "a handshake with an empty key is refused",
            line,
            &format!("{ASKS}Sec-WebSocket-Key:\r\n{VERSION}"),
        ),
        error(
            "6455 4.2.1",
            "a key is 16 bytes",
            line,
            &format!("{ASKS}Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n{VERSION}"),
        ),
        error(
            "6455 4.2.1",
            "a key is base64",
            line,
            &format!("{ASKS}Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n{VERSION}"),
        ),
        error("6455 11.3.1", "there is one key", line, &format!("{ASKS}{KEY}{KEY}{VERSION}")),
        error(
            "6455 9.1",
            "a handshake whose extensions are no list is refused",
            line,
            &format!("{ASKS}{KEY}{VERSION}Sec-WebSocket-Extensions: a;;b\r\n"),
        ),
        error("6455 4.2.1", "a handshake without a version is refused", line, &format!("{ASKS}{KEY}")),
        error(
            "6455 4.2.1",
            "a handshake without upgrade in Connection is refused",
            line,
            &format!("Connection: keep-alive\r\nUpgrade: websocket\r\n{KEY}{VERSION}"),
        ),
        error(
            "6455 4.2.1",
            "a handshake without Connection is refused",
            line,
            &format!("Upgrade: websocket\r\n{KEY}{VERSION}"),
        ),
        error(
            "6455 4.2.1",
            "a handshake without Upgrade is refused",
            line,
            &format!("Connection: Upgrade\r\n{KEY}{VERSION}"),
        ),
        error(
            "6455 4.2.1",
            "a handshake of HTTP/1.0 is refused",
            "GET /echo HTTP/1.0",
            &format!("{ASKS}{KEY}{VERSION}"),
        ),
        error(
            "6455 4.2.1",
            "a handshake is a GET",
            "POST /echo HTTP/1.1",
            &format!("{ASKS}{KEY}{VERSION}Content-Length: 0\r\n"),
        ),
        error("6455 4.2.1", "a handshake is no HEAD", "HEAD /echo HTTP/1.1", &format!("{ASKS}{KEY}{VERSION}"))
            .head_at(0),
        should(
            "6455 10.2",
            "a foreign Origin is refused",
            behind(line, &format!("{ASKS}{KEY}{VERSION}Origin: http://evil.example\r\n")),
            "403 200 open | 403 close",
        )
        .needs(Needs::WebSocket),
        must(
            "6455 4.2.2",
            "another version is refused, and the right one named",
            behind(line, &format!("{ASKS}{KEY}Sec-WebSocket-Version: 8\r\n")),
            "426 200 open | 426 close | 400 200 open | 400 close",
        )
        .needs(Needs::WebSocket)
        .field(0, "sec-websocket-version", "13"),
        must(
            "9110 15.5.22",
            "426 names the protocol",
            behind(line, ""),
            "426 200 open | 426 close | 4xx 200 open | 4xx close",
        )
        .needs(Needs::WebSocket)
        .check(|responses| match responses.first() {
            Some(response) if response.status == 426 && response.field("upgrade").is_none() => {
                Err("426 without Upgrade".into())
            }
            _ => Ok(()),
        }),
        must(
            "9110 15.5.2",
            "401 says how to get in",
            behind("GET /chat/ HTTP/1.1", &format!("{ASKS}{KEY}{VERSION}")),
            "4xx 200 open | 4xx close",
        )
        .needs(Needs::WebSocket)
        .check(|responses| match responses.first() {
            Some(response) if response.status == 401 && response.field("www-authenticate").is_none() => {
                Err("401 without WWW-Authenticate".into())
            }
            _ => Ok(()),
        }),
        should(
            "6455 4.2.2",
            "who is not logged in is told so before the switch",
            behind("GET /chat/ HTTP/1.1", &format!("{ASKS}{KEY}{VERSION}")),
            "401 200 open | 403 200 open | 401 close | 403 close",
        )
        .needs(Needs::WebSocket),
    ]
}
