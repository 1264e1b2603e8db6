//! Expect (RFC 9110 section 10.1.1).

use super::{FORM, MARKER, form_chunked, get, post};
use crate::case::{Case, must};

pub fn cases() -> Vec<Case> {
    let waiting = |lines: &str| {
        let whole = post(lines, FORM);
        whole[..whole.len() - MARKER.len() - FORM.len()].to_owned()
    };
    let rest = format!("{FORM}{MARKER}");
    let length = "Content-Length: 26\r\n";
    vec![
        must(
            "9110 10.1.1",
            "who waits for 100 gets it before the body",
            waiting(&format!("Expect: 100-continue\r\n{length}")),
            "303 200 open",
        )
        .after_response(rest.as_str())
        .interims(1),
        must(
            "9110 10.1.1",
            "100-continue has no letter case",
            waiting(&format!("expect: 100-Continue\r\n{length}")),
            "303 200 open",
        )
        .after_response(rest.as_str())
        .interims(1),
        must(
            "9110 10.1.1",
            "who waits for 100 with a chunked body gets it",
            waiting("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"),
            "303 200 open",
        )
        .after_response(form_chunked() + MARKER)
        .interims(1),
        must(
            "9110 5.6.1",
            "an empty element of Expect is no expectation",
            waiting(&format!("Expect: 100-continue,\r\n{length}")),
            "303 200 open",
        )
        .after_response(rest.as_str())
        .interims(1),
        must(
            "9110 10.1.1",
            "100-continue twice is one expectation, or refused",
            waiting(&format!("Expect: 100-continue\r\nExpect: 100-continue\r\n{length}")),
            "303 200 open | 400 close | 417 close",
        )
        .after_response(rest.as_str()),
        must(
            "9110 10.1.1",
            "who does not wait for 100 is answered as well",
            post(&format!("Expect: 100-continue\r\n{length}"), FORM),
            "303 200 open",
        ),
        must(
            "9110 10.1.1",
            "a body too long is refused at once, or asked for",
            waiting("Expect: 100-continue\r\nContent-Length: 99999999\r\n"),
            "413 close | 413 open | 417 close | 400 close | close",
        )
        .finish(),
        must(
            "9110 10.1.1",
            "an expectation with no body to come waits for nothing",
            get("Expect: 100-continue\r\n"),
            "200 200 open",
        ),
        must(
            "9110 10.1.1",
            "an expectation with a body of 0 bytes waits for nothing",
            get("Expect: 100-continue\r\nContent-Length: 0\r\n"),
            "200 200 open",
        ),
        must(
            "9110 10.1.1",
            "100 comes before a refusal, or not at all",
            format!("POST /nowhere HTTP/1.1\r\nHost: squall\r\nExpect: 100-continue\r\n{length}\r\n"),
            "404 200 open | 404 close",
        )
        .after_response(rest.as_str()),
        must(
            "9110 10.1.1",
            "another expectation is 417, or not met",
            post(&format!("Expect: miracles\r\n{length}"), FORM),
            "417 close | 417 200 open | 303 200 open",
        ),
        must(
            "9110 10.1.1",
            "another expectation of a GET is 417, or not met",
            get("Expect: miracles\r\n"),
            "417 close | 417 200 open | 200 200 open",
        ),
        must(
            "9110 10.1.1",
            "another expectation beside 100-continue is 417, or not met",
            post(&format!("Expect: 100-continue, miracles\r\n{length}"), FORM),
            "417 close | 417 200 open | 303 200 open",
        ),
        must(
            "9110 10.1.1",
            "200-ok is no expectation that is known",
            post(&format!("Expect: 200-ok\r\n{length}"), FORM),
            "417 close | 417 200 open | 303 200 open",
        ),
    ]
}
