//! Server-Sent Events (WHATWG HTML, section 9.2): the lines of an event stream.

use std::fmt::Display;
use std::io::Write;

/// A line that clients ignore: what a server sends to see whether its peer is still there.
pub const COMMENT: &[u8] = b":\n\n";

/// Appends one event with this text. A line of the text ends with LF, CR or both, and is a line of its own here. A client
/// that reconnects sends the last `id`, a single line, as Last-Event-ID.
pub fn encode_event(id: Option<impl Display>, text: &[u8], out: &mut Vec<u8>) {
    if let Some(id) = id {
        // A vector takes whatever is written.
        let _ = writeln!(out, "id: {id}");
    }
    let mut rest = text;
    loop {
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&rest[..end]);
        out.push(b'\n');
        rest = match &rest[end..] {
            [b'\r', b'\n', behind @ ..] | [_, behind @ ..] => behind,
            [] => break,
        };
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_text_is_a_line_of_data() {
        for (text, event) in [
            ("ada:hello", "data: ada:hello\n\n"),
            ("", "data: \n\n"),
            ("a\nb", "data: a\ndata: b\n\n"),
            ("a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n\n"),
            ("a\n\r\nb", "data: a\ndata: \ndata: b\n\n"),
            ("data: x\n\nevent: y", "data: data: x\ndata: \ndata: event: y\n\n"),
        ] {
            let mut out = Vec::new();
            encode_event(None::<u8>, text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), event, "{text:?}");
        }
    }

    #[test]
    fn an_event_may_have_an_id() {
        let mut out = Vec::new();
        encode_event(Some("12.9f3a01c2"), b"{}", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "id: 12.9f3a01c2\ndata: {}\n\n");
    }
}
