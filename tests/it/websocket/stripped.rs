//! Handshakes that a proxy has robbed of their upgrade, as nginx and others leave them.

use crate::support::{Child, Client, wait_for};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// The status of a request for `path`, and how often the server has warned by then.
fn ask(child: &Child, path: &str, version: &str, fields: &str) -> (u16, usize) {
    let request = format!("GET {path} HTTP/{version}\r\nHost: squall\r\n{fields}\r\n");
    let status = Client::connect(child.address).ask(request).status;
    (status, said(child))
}

fn said(child: &Child) -> usize {
    child.stderr().matches("without an upgrade").count()
}

#[test]
fn a_stripped_handshake_is_warned_of_once() {
    // What nginx 1.22 sent for Chromium's handshake, without and with `proxy_http_version 1.1`; with Upgrade, but still
    // over HTTP/1.0; and what Firefox says besides.
    for (version, fields) in [
        ("1.0", format!("Connection: close\r\n{KEY}")),
        ("1.1", KEY.to_owned()),
        ("1.0", format!("Upgrade: websocket\r\nConnection: upgrade\r\n{KEY}")),
        ("1.1", "Sec-Fetch-Mode: websocket\r\nSec-Fetch-Dest: empty\r\n".to_owned()),
    ] {
        for (path, status) in [("/chat/", 303), ("/echo", 426)] {
            let child = Child::start(&[], &[("RUST_LOG", "warn")]);
            assert_eq!(ask(&child, path, version, &fields).0, status, "{fields}");
            wait_for("the warning", || (said(&child) == 1).then_some(()));
            assert!(child.stderr().contains("WARN") && child.stderr().contains(path), "{}", child.stderr());
            for path in ["/chat/", "/echo", "/chat/"] {
                ask(&child, path, version, &fields);
            }
            assert_eq!(said(&child), 1, "{}", child.stderr());
        }
    }
}

#[test]
fn a_plain_request_is_not_warned_of() {
    let child = Child::start(&[], &[]);
    for (fields, status) in [
        ("", 303),
        ("Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", 303),
        // The page asks whether its login is still good.
        ("Accept: */*\r\nSec-Fetch-Mode: same-origin\r\nSec-Fetch-Dest: empty\r\n", 303),
        ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n", 400),
        (&format!("Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}"), 401),
    ] {
        assert_eq!(ask(&child, "/chat/", "1.1", fields), (status, 0), "{fields}");
    }
    assert_eq!(ask(&child, "/login", "1.1", KEY), (200, 0), "no WebSocket is there");
    assert_eq!(ask(&child, "/chat/", "1.1", KEY).0, 303);
    wait_for("the warning", || (said(&child) == 1).then_some(()));
}
