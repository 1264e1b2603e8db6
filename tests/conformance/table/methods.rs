//! Methods (RFC 9110 section 9).

use super::{MARKER, ask};
use crate::case::{Case, Needs, must, should};
use crate::response::Response;

const NO_TUNNEL: &str = "4xx 200 open | 4xx close | 501 200 open | 501 close | close";

pub fn cases() -> Vec<Case> {
    [known(), heads(), options(), unknown()].into_iter().flatten().collect()
}

fn known() -> Vec<Case> {
    vec![
        must("9110 9.1", "GET is answered", ask("GET", "/plaintext"), "200 200 open").body(0, "Hello, World!"),
        must("9110 9.1", "HEAD is answered", ask("HEAD", "/plaintext"), "200 200 open").head_at(0),
        should(
            "9110 9.1",
            "a method that this target does not have is 405",
            ask("DELETE", "/plaintext"),
            "405 200 open",
        ),
        should(
            "9110 9.1",
            "a POST to what is only read is 405",
            format!("POST /plaintext HTTP/1.1\r\nHost: squall\r\nContent-Length: 0\r\n\r\n{MARKER}"),
            "405 200 open",
        ),
        must(
            "9110 15.5.6",
            "405 says what is allowed",
            ask("DELETE", "/plaintext"),
            "405 200 open | 405 close | 501 200 open | 501 close",
        )
        .check(|responses| allow_of(responses, "GET")),
        must(
            "9110 15.5.6",
            "405 to a PUT says what is allowed",
            format!("PUT /plaintext HTTP/1.1\r\nHost: squall\r\nContent-Length: 0\r\n\r\n{MARKER}"),
            "405 200 open | 405 close | 501 200 open | 501 close",
        )
        .check(|responses| allow_of(responses, "GET")),
        must(
            "9110 15.5.6",
            "405 about a file says what is allowed",
            ask("DELETE", "/static/file.txt"),
            "405 200 open | 405 close | 501 200 open | 501 close",
        )
        .needs(Needs::Files)
        .check(|responses| allow_of(responses, "GET")),
        should(
            "9110 9.3.8",
            "TRACE is reflected, or refused as not allowed or not known",
            ask("TRACE", "/plaintext"),
            "405 200 open | 405 close | 501 200 open | 501 close | 200 200 open",
        ),
        should(
            "9110 9.3.8",
            "TRACE does not show a cookie",
            ask("TRACE", "/plaintext").replacen("\r\n\r\n", "\r\nCookie: sesame\r\n\r\n", 1),
            "any 200 open | any close",
        )
        .check(|responses| {
            let shown =
                responses.first().is_some_and(|response| String::from_utf8_lossy(&response.body).contains("sesame"));
            if shown { Err("the cookie is in the body".into()) } else { Ok(()) }
        }),
        must("9110 9.3.6", "CONNECT opens no tunnel here", ask("CONNECT", "squall:443"), NO_TUNNEL),
        should("9112 3.2.3", "CONNECT names a port", ask("CONNECT", "squall"), NO_TUNNEL),
        should("9112 3.2.3", "CONNECT has no path", ask("CONNECT", "/plaintext"), NO_TUNNEL),
        must(
            "9110 9.3.6",
            "a CONNECT that is refused leaves no tunnel behind",
            format!("CONNECT squall:80 HTTP/1.1\r\nHost: squall:80\r\n\r\n{MARKER}"),
            NO_TUNNEL,
        ),
    ]
}

fn heads() -> Vec<Case> {
    let head = |name, target| must("9110 9.3.2", name, ask("HEAD", target), "any 200 open").head_at(0);
    let both = |name, target: &str, expected| {
        let get = format!("GET {target} HTTP/1.1\r\nHost: squall\r\n\r\n");
        let wire = get.replacen("GET", "HEAD", 1) + &get;
        should("9110 9.3.2", name, wire, expected).head_at(0).check(same_fields)
    };
    vec![
        head("HEAD of what is there has no body", "/plaintext"),
        head("HEAD of what is not there has no body", "/nowhere"),
        head("HEAD of a file has no body", "/static/file.txt").needs(Needs::Files),
        both("HEAD has the fields of GET", "/plaintext", "200 200 open"),
        both("HEAD of a file has the fields of GET", "/static/file.txt", "200 200 open").needs(Needs::Files),
        both("HEAD of what is not there has the fields of GET", "/nowhere", "404 404 open"),
        must("9110 8.6", "a length of HEAD is the length of GET", ask("HEAD", "/plaintext"), "200 200 open")
            .head_at(0)
            .check(same_length),
        must("9110 9.3.2", "a HEAD that is refused has no body", "HEAD /plaintext HTTP/1.1\r\n\r\n", "400 close")
            .head_at(0),
        must(
            "9112 6.3",
            "a refusal behind a HEAD has its body",
            "HEAD /plaintext HTTP/1.1\r\nHost: squall\r\n\r\nGET /plaintext HTTP/1.1\r\n\r\n",
            "200 400 close",
        )
        .head_at(0),
    ]
}

fn options() -> Vec<Case> {
    let answered = "200 200 open | 204 200 open";
    vec![
        should("9110 9.3.7", "OPTIONS * is about the server", ask("OPTIONS", "*"), answered).field(0, "allow", "GET"),
        should("9110 9.3.7", "OPTIONS of a target says what is allowed", ask("OPTIONS", "/plaintext"), answered)
            .field(0, "allow", "GET"),
        should("9110 9.3.7", "OPTIONS of a form says that POST is allowed", ask("OPTIONS", "/login"), answered)
            .field(0, "allow", "POST"),
        should(
            "9112 3.2.4",
            "OPTIONS of an absolute target without a path is OPTIONS *",
            ask("OPTIONS", "http://squall"),
            answered,
        )
        .field(0, "allow", "GET"),
        should(
            "9110 9.3.7",
            "OPTIONS of what is not there is 404",
            ask("OPTIONS", "/nowhere"),
            "404 200 open | 200 200 open | 204 200 open",
        ),
        should(
            "9110 7.6.2",
            "OPTIONS with Max-Forwards: 0 is answered here",
            ask("OPTIONS", "*").replacen("\r\n\r\n", "\r\nMax-Forwards: 0\r\n\r\n", 1),
            answered,
        ),
    ]
}

fn unknown() -> Vec<Case> {
    let unknown = |name, method: &str| should("9110 9.1", name, ask(method, "/plaintext"), "501 200 open | 501 close");
    vec![
        unknown("an unknown method is 501", "BREW"),
        unknown("methods have a letter case", "get"),
        unknown("methods have a letter case in part", "Get"),
        unknown("a method may be any token", "M-S.E_A!R'C*H~"),
        unknown("a method may begin like one that is known", "GETS"),
        should(
            "9112 3",
            "a method longer than any is 501",
            ask(&"X".repeat(200), "/plaintext"),
            "501 200 open | 501 close",
        ),
        unknown("PRI with HTTP/1.1 is an unknown method", "PRI"),
    ]
}

fn allow_of(responses: &[Response], method: &str) -> Result<(), String> {
    let Some(response) = responses.first().filter(|response| response.status == 405) else { return Ok(()) };
    match response.field("allow") {
        Some(allow) if allow.split(',').any(|allowed| allowed.trim() == method) => Ok(()),
        allow => Err(format!("405 with Allow {allow:?}")),
    }
}

/// But for those that are allowed to differ: the framing, which HEAD may leave out, and the time.
fn same_fields(responses: &[Response]) -> Result<(), String> {
    let names = |response: &Response| {
        let names = response.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let mut names: Vec<String> = names
            .filter(|(name, _)| !["date", "content-length", "transfer-encoding"].contains(&&*name.to_ascii_lowercase()))
            .map(|(name, value)| format!("{}:{value}", name.to_ascii_lowercase()))
            .collect();
        names.sort();
        names
    };
    match responses {
        [head, get, ..] if names(head) != names(get) => Err(format!("{:?} and {:?}", names(head), names(get))),
        _ => Ok(()),
    }
}

fn same_length(responses: &[Response]) -> Result<(), String> {
    match [0, 1].map(|n| responses.get(n).and_then(|response| response.field("content-length"))) {
        [Some(head), Some(get)] if head != get => Err(format!("Content-Length of HEAD is {head}, of GET {get}")),
        _ => Ok(()),
    }
}
