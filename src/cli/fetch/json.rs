//! The lines of `squall fetch --json`: one object a target, always with the same names.
//!
//! `null` means that there was no such phase, response or file. Fields of responses are text, with U+FFFD for bytes
//! that are not UTF-8; a body is `body` if it is UTF-8, else `body_base64`, and absent without `--body`. After
//! redirects the phases are those of the last request, while `total` is the time of all.

use super::trip::Outcome;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// Writes the line of one target.
///
/// # Errors
/// As of `out`.
pub fn write_line(name: &str, outcome: Outcome, out: &mut impl Write) -> io::Result<()> {
    let head = outcome.head.as_ref();
    let journey = head.map(|head| &head.journey);
    let headers = head.map(|head| {
        let text = |(name, value): &(String, Vec<u8>)| json!([name, String::from_utf8_lossy(value)]);
        head.headers.iter().map(text).collect::<Vec<_>>()
    });
    let mut line = json!({
        "target": name,
        "url": outcome.url.map(|url| url.to_string()),
        "ok": outcome.error.is_none(),
        "error": outcome.error,
        "status": head.map(|head| head.status),
        "headers": headers,
        "bytes": outcome.bytes,
        "redirects": outcome.redirects,
        "address": journey.map(|journey| journey.address.to_string()),
        "ms": {
            "dns": millis(journey.and_then(|journey| journey.dns)),
            "connect": millis(journey.and_then(|journey| journey.connect)),
            "tls": millis(journey.and_then(|journey| journey.tls)),
            "first_byte": millis(journey.map(|journey| journey.first_byte)),
            "total": millis(Some(outcome.took)),
        },
        "file": outcome.file.map(|file| file.to_string_lossy().into_owned()),
    });
    // Not in the macro, which would copy the body.
    match outcome.body.map(String::from_utf8) {
        None => {}
        Some(Ok(text)) => line["body"] = Value::String(text),
        Some(Err(e)) => line["body_base64"] = Value::String(STANDARD.encode(e.as_bytes())),
    }
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// Milliseconds with three decimals.
fn millis(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_micros() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::testing::journey;
    use super::super::trip::FinalHead;
    use super::*;
    use crate::event::Url;

    /// The line, parsed.
    fn read(outcome: Outcome) -> Value {
        let mut line = Vec::new();
        write_line("a.test", outcome, &mut line).expect("a Vec takes all");
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1, "one line");
        serde_json::from_slice(&line).expect("JSON")
    }

    fn responded(body: Option<&[u8]>) -> Outcome {
        let headers = vec![("Server".into(), b"x".to_vec()), ("X-Odd".into(), b"\xff\"".to_vec())];
        let head = FinalHead { status: 200, minor_version: 1, reason: "OK".into(), headers, journey: journey() };
        Outcome {
            url: Url::parse("http://a.test/x").ok(),
            redirects: 2,
            head: Some(head),
            bytes: 5,
            body: body.map(<[u8]>::to_vec),
            file: Some("out/001-a.test".into()),
            took: Duration::from_micros(12_345),
            error: None,
        }
    }

    #[test]
    fn a_response_is_an_object_with_all_its_facts() {
        let expected = json!({
            "target": "a.test", "url": "http://a.test/x", "ok": true, "error": null, "status": 200,
            "headers": [["Server", "x"], ["X-Odd", "\u{fffd}\""]],
            "bytes": 5, "redirects": 2, "address": "192.0.2.1:80",
            "ms": {"dns": 1.25, "connect": 10.0, "tls": null, "first_byte": 5.0, "total": 12.345},
            "file": "out/001-a.test",
        });
        assert_eq!(read(responded(None)), expected);
    }

    #[test]
    fn a_failure_has_the_same_names_and_a_reason() {
        let failed = Outcome { error: Some("no \"such\"\nhost".into()), ..Outcome::default() };
        let (failed, responded) = (read(failed), read(responded(None)));
        let names = |line: &Value| line.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&failed), names(&responded));
        assert_eq!((&failed["ok"], &failed["error"]), (&json!(false), &json!("no \"such\"\nhost")));
        assert_eq!((&failed["url"], &failed["status"], &failed["headers"]), (&json!(null), &json!(null), &json!(null)));
        let ms = json!({"dns": null, "connect": null, "tls": null, "first_byte": null, "total": 0.0});
        assert_eq!(failed["ms"], ms);
    }

    #[test]
    fn a_body_is_text_or_base64() {
        let text = read(responded(Some("{\"ä\": 1}\n".as_bytes())));
        assert_eq!((&text["body"], text.get("body_base64")), (&json!("{\"ä\": 1}\n"), None));
        let binary = read(responded(Some(b"\xff\x00")));
        assert_eq!((binary.get("body"), &binary["body_base64"]), (None, &json!("/wA=")));
        assert_eq!(read(responded(Some(b"")))["body"], json!(""), "an empty body is a body");
    }
}
