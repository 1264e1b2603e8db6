//! Another site's page in the browser of a visitor who is logged in here: what it may send, and what it may frame.

use super::{HTML, ask, post};
use crate::support::frames::handshake;
use crate::support::{Client, Site, login};

/// Origins that look like ours, or like none.
const FOREIGN: [&str; 22] = [
    "null",
    "",
    "http://evil.test",
    "http://squall.evil.test",
    "http://evil.test/squall",
    "http://evil.test?squall",
    "http://evil.test#squall",
    "http://squall@evil.test",
    "http://evil@squall",
    "http://squall:80@evil.test",
    "http://squall:81",
    "https://squall:80",
    "http://squall:",
    "http://squall.",
    "http://squall/",
    "http://squall http://evil.test",
    "http://squall,http://evil.test",
    "//squall",
    "squall",
    "file://",
    "ftp://squall",
    "chrome-extension://squall",
];

#[test]
fn no_foreign_origin_opens_a_websocket() {
    let site = Site::with_defaults();
    let cookie = format!("Cookie: {}\r\n", login(site.address, "ann"));
    for path in ["/chat/", "/echo"] {
        for origin in FOREIGN {
            let fields = format!("{cookie}Origin: {origin}\r\n");
            let response = Client::connect(site.address).ask(handshake(path, &fields));
            assert_eq!(response.status, 403, "{path} {origin:?}");
        }
        for origin in ["http://squall", "HTTP://SQUALL", "http://squall:80", "https://squall", "https://squall:443"] {
            let fields = format!("{cookie}Origin: {origin}\r\n");
            assert_eq!(Client::connect(site.address).ask(handshake(path, &fields)).status, 101, "{path} {origin}");
        }
    }
}

#[test]
fn one_good_origin_does_not_hide_a_foreign_one() {
    let site = Site::with_defaults();
    for fields in [
        "Origin: http://squall\r\nOrigin: http://evil.test\r\n",
        "Origin: http://evil.test\r\nOrigin: http://squall\r\n",
    ] {
        assert_eq!(Client::connect(site.address).ask(handshake("/echo", fields)).status, 403, "{fields}");
    }
}

#[test]
fn origin_is_compared_with_an_absolute_targets_host() {
    let site = Site::with_defaults();
    for (host, status) in [("evil.test", 403), ("squall", 101)] {
        let fields = format!("Origin: http://{host}\r\n");
        let asked = handshake("http://squall/echo", &fields).replace("Host: squall", "Host: evil.test");
        assert_eq!(Client::connect(site.address).ask(asked).status, status, "{host}");
    }
}

#[test]
fn ipv6_hosts_are_compared_with_their_ports() {
    let site = Site::with_defaults();
    for (host, origin, status) in [
        ("[::1]:8888", "http://[::1]:8888", 101),
        ("[::1]", "http://[::1]:80", 101),
        ("[::1]:8888", "http://[::1]", 403),
        ("[::1]:8888", "http://[::2]:8888", 403),
        ("[::1]", "http://[::1].evil.test", 403),
        ("[::1]", "http://[::1", 403),
        ("[::1]", "http://::1", 403),
    ] {
        let asked =
            handshake("/echo", &format!("Origin: {origin}\r\n")).replace("Host: squall", &format!("Host: {host}"));
        assert_eq!(Client::connect(site.address).ask(asked).status, status, "{host} {origin}");
    }
}

#[test]
fn no_foreign_page_logs_anybody_in_or_out() {
    let site = Site::with_defaults();
    for origin in FOREIGN {
        for (path, form) in [("/login", "username=mallory"), ("/logout", "")] {
            for accept in ["", HTML] {
                let response = post(site.address, path, &format!("{accept}Origin: {origin}\r\n"), form);
                assert_eq!((response.status, response.field("set-cookie")), (403, None), "{path} {origin:?}");
            }
        }
    }
    // A link, a picture or a script cannot do it either.
    for path in ["/logout", "/login?username=mallory"] {
        assert_eq!(ask(site.address, &format!("GET {path}"), "").field("set-cookie"), None, "{path}");
    }
}
