//! Several requests at once (RFC 9112 section 9.3.2).

use super::{FORM, MARKER, form_chunked, post};
use crate::case::{Case, Needs, must, should};
use crate::response::Response;

const NOWHERE: &str = "GET /nowhere HTTP/1.1\r\nHost: squall\r\n\r\n";

pub fn cases() -> Vec<Case> {
    let hundred = "200 ".repeat(100) + "open";
    let file = "GET /static/file.txt HTTP/1.1\r\nHost: squall\r\n\r\n";
    let head = MARKER.replacen("GET", "HEAD", 1);
    let post = |lines: &str, body: &str| {
        let whole = post(lines, body);
        whole[..whole.len() - MARKER.len()].to_owned()
    };
    let (form, chunks) =
        (post("Content-Length: 26\r\n", FORM), post("Transfer-Encoding: chunked\r\n", &form_chunked()));
    vec![
        must("9112 9.3.2", "two requests are answered in their order", format!("{NOWHERE}{MARKER}"), "404 200 open"),
        must(
            "9112 9.3.2",
            "two requests are answered in their order, the other way round",
            format!("{MARKER}{NOWHERE}"),
            "200 404 open",
        ),
        must(
            "9112 9.3.2",
            "a hundred requests of one segment are answered",
            MARKER.repeat(100),
            Box::leak(hundred.into_boxed_str()),
        )
        .check(all_hello),
        must(
            "9112 9.3.2",
            "requests with and without bodies are answered in their order",
            format!("{form}{MARKER}{chunks}{NOWHERE}{form}"),
            "303 200 303 404 303 open",
        ),
        must(
            "9112 9.3.2",
            "a HEAD between two GETs has no body",
            format!("{NOWHERE}{head}{MARKER}"),
            "404 200 200 open",
        )
        .head_at(1),
        must(
            "9112 9.3.2",
            "a slow response keeps the next one waiting",
            format!("{file}{MARKER}{NOWHERE}"),
            "200 200 404 open",
        )
        .needs(Needs::Files),
        must(
            "9112 9.6",
            "nothing behind the request that closes is answered",
            format!("{MARKER}{}{MARKER}{MARKER}", MARKER.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)),
            "200 200 close | 200 close",
        ),
        must(
            "9112 9.3",
            "nothing behind HTTP/1.0 is answered",
            format!("{MARKER}GET /plaintext HTTP/1.0\r\n\r\n{MARKER}"),
            "200 200 close | 200 close",
        ),
        should(
            "9112 2.2",
            "nothing behind a request that is none is answered",
            format!("{MARKER}GARBAGE\r\n\r\n{MARKER}"),
            "200 400 close",
        ),
        should("9112 9.3.2", "a request that comes while another is answered is answered", MARKER, "200 200 open")
            .after_response(MARKER),
        must(
            "9112 3.2",
            "a second request needs its own Host",
            format!("{MARKER}GET /plaintext HTTP/1.1\r\n\r\n{MARKER}"),
            "200 400 close",
        ),
        must(
            "9112 6.3",
            "the length of one request is not that of the next",
            format!("{form}{MARKER}{form}{MARKER}"),
            "303 200 303 200 open",
        ),
    ]
}

fn all_hello(responses: &[Response]) -> Result<(), String> {
    match responses.iter().position(|response| response.body != b"Hello, World!") {
        Some(n) => Err(format!("response {n} is another one")),
        None => Ok(()),
    }
}
