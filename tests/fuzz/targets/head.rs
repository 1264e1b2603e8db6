//! Request heads: `HeadScan` and `parse_request`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::http::request::Framing;
use squall::http::url::is_authority;
use squall_fuzz::cuts::{WHOLE, at_any_cut, take_plan};
use squall_fuzz::http::{Head, heads, small, usual};

fuzz_target!(|data: &[u8]| {
    let Some((options, cuts, wire)) = take_plan(data) else { return };
    let limits = if options & 1 == 0 { usual() } else { small() };
    let (heard, _) = at_any_cut(wire, cuts, |wire, cuts| heads(wire, cuts, &limits));
    for head in heard.iter().flatten() {
        check(head);
        assert!(head.fields.len() <= limits.head_fields_max);
        if limits.head_fields_max == 100 && head.method != "-" {
            // Written again it is the same, whatever the white space was.
            for (before, behind) in [("\t", " "), (" ", "")] {
                let again = heads(&written(head, before, behind), WHOLE, &usual());
                assert_eq!(again.0, [Ok(head.clone())]);
            }
        }
    }
});

/// What holds of every head that is accepted.
fn check(head: &Head) {
    let Head { path, host, fields, .. } = head;
    let named = |name: &str| fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name)).count();
    for (name, value) in fields {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'));
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        assert_eq!(value.trim_ascii(), value);
    }
    assert!(named("host") == 1 || named("host") == 0 && head.http_1_0);
    assert!(is_authority(host) || host.is_empty() && head.http_1_0);
    match head.framing {
        Framing::None => assert_eq!((named("content-length"), named("transfer-encoding")), (0, 0)),
        Framing::Length(_) => assert_eq!((named("content-length"), named("transfer-encoding")), (1, 0)),
        Framing::Chunked => assert!(named("content-length") == 0 && named("transfer-encoding") == 1 && !head.http_1_0),
    }
    match head.method {
        "CONNECT" => assert!(path.is_empty() && *host == head.target),
        _ => assert!(path.starts_with('/') || path == "*" && head.method == "OPTIONS"),
    }
    assert!(!head.target.contains(|c: char| c.is_ascii_control() || c == ' ' || c == '#'));
    assert!(!head.wants_upgrade || !head.http_1_0);
    assert!(!head.expects_continue || head.framing != Framing::None);
}

/// With this white space before and behind each value.
fn written(head: &Head, before: &str, behind: &str) -> Vec<u8> {
    let version = if head.http_1_0 { "1.0" } else { "1.1" };
    let mut wire = format!("{} {} HTTP/{version}\r\n", head.method, head.target).into_bytes();
    for (name, value) in &head.fields {
        wire.extend_from_slice(&[name.as_bytes(), b":", before.as_bytes(), value, behind.as_bytes(), b"\r\n"].concat());
    }
    wire.extend_from_slice(b"\r\n");
    wire
}
