//! What strangers may try: attacks on a running server, and what stops them.
//!
//! Each row of the table in `src/doc/security.md` names its tests; those that are not here stand with the part they
//! attack.
//! Attackers are browsers on a foreign page, clients that write their own bytes, members of the room, and the sites
//! that a search asks. The server's owner is trusted, and so are the files of `--www`, the secret and the flags.

mod addresses;
mod cookies;
mod crossing;
mod files;
mod headers;
mod injection;
mod relay;

use crate::support::{Client, Response};
use std::net::SocketAddr;

/// What browsers say they like.
const HTML: &str = "Accept: text/html,*/*;q=0.8\r\n";

/// One request on a connection of its own, with these further fields, each with its line end.
#[track_caller]
fn ask(address: SocketAddr, line: &str, fields: &str) -> Response {
    Client::connect(address).ask(format!("{line} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n{fields}\r\n"))
}

/// One form, as it would be sent.
#[track_caller]
fn post(address: SocketAddr, path: &str, fields: &str, form: &str) -> Response {
    let length = format!("Content-Length: {}\r\n", form.len());
    let head = format!("POST {path} HTTP/1.1\r\nHost: squall\r\nConnection: close\r\n{fields}{length}\r\n");
    Client::connect(address).ask(head + form)
}

/// Text that would be markup, a script, or the end of an attribute if it were not escaped.
const MARKUP: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&{{7*7}}";

/// Percent-encoded, every byte.
fn encoded(text: impl AsRef<[u8]>) -> String {
    text.as_ref().iter().map(|byte| format!("%{byte:02X}")).collect()
}
