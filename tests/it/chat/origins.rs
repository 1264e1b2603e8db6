//! Origins besides http and https, and a form of our own page whose Origin is hidden.

use crate::support::client::post_login;
use crate::support::frames::handshake;
use crate::support::{Client, Response, Site, login};
use squall::config::Limits;

#[track_caller]
fn upgrade(site: &Site, path: &str, fields: &str) -> Response {
    Client::connect(site.address).ask(handshake(path, fields))
}

/// Electron, Cordova, Capacitor, Tauri and the browsers' extensions.
const APPS: [&str; 7] = [
    "file://",
    "capacitor://localhost",
    "tauri://localhost",
    "ionic://localhost:8080",
    "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
    "moz-extension://0aa3c1f4-0a1c-4a5e-9a0b-7d5b8e1f2c3d",
    "app://-",
];

#[test]
fn an_origin_of_any_scheme_can_be_allowed() {
    let site = Site::start(Limits::default(), &["--allow-origin", &APPS.join(",")]);
    let cookie = login(site.address, "ann");
    for (n, origin) in APPS.iter().enumerate() {
        let field = format!("Origin: {origin}\r\nCookie: {cookie}\r\n");
        assert_eq!(upgrade(&site, "/chat/", &field).status, 101, "{origin}");
        assert_eq!(
            post_login(site.address, &format!("bob {n}"), &format!("Origin: {origin}\r\n")).status,
            303,
            "{origin}"
        );
        let upper = format!("Origin: {}\r\n", origin.to_uppercase());
        assert_eq!(upgrade(&site, "/echo", &upper).status, 101, "{origin}");
    }
    for origin in ["capacitor://other", "tauri://localhost:1", "http://localhost", "file:///", "ionic://localhost"] {
        assert_eq!(upgrade(&site, "/echo", &format!("Origin: {origin}\r\n")).status, 403, "{origin}");
    }
}

#[test]
fn an_app_with_our_host_as_its_own_is_still_foreign() {
    let site = Site::with_defaults();
    for origin in ["capacitor://squall", "chrome-extension://squall", "file://squall", "ftp://squall", "file://"] {
        assert_eq!(upgrade(&site, "/echo", &format!("Origin: {origin}\r\n")).status, 403, "{origin}");
    }
}

/// `Referrer-Policy: no-referrer`, which a proxy may add, makes browsers send `Origin: null` with a form.
#[test]
fn our_own_form_may_hide_its_origin() {
    let site = Site::with_defaults();
    let own = "Origin: null\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(post_login(site.address, "ann", own).status, 303);
    let logout = format!("POST /logout HTTP/1.1\r\nHost: squall\r\n{own}Content-Length: 0\r\n\r\n");
    assert_eq!(Client::connect(site.address).ask(logout).status, 303);
    for foreign in [
        "Origin: null\r\n",
        "Origin: null\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\nSec-Fetch-Site: same-site\r\n",
        "Origin: null\r\nSec-Fetch-Site: none\r\n",
        "Origin: null\r\nSec-Fetch-Site: same-origin, cross-site\r\n",
        "Origin: null\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\n",
        "Origin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\n",
    ] {
        assert_eq!(post_login(site.address, "ann", foreign).status, 403, "{foreign}");
    }
    // A browser never hides the Origin of a WebSocket, so `null` there is a foreign, sandboxed page.
    assert_eq!(upgrade(&site, "/echo", own).status, 403);
}
