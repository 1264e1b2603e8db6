//! What `-v` shows of requests and responses, on standard output, in the words of `ab`.

use std::io::{self, Write};

/// The level from which on requests and responses are shown, and warnings about statuses.
pub const TALK: usize = 2;
/// The level from which on the codes of all responses are shown.
const CODES: usize = 3;
/// Bytes of a response that are shown at most: the buffer of `ab`, less the NUL at its end.
const SHOWN_MAX: usize = 8191;

/// The request, before the first one is sent, without its body.
pub fn request(request: &[u8]) -> Vec<u8> {
    let method = request.split(|&byte| byte == b' ').next().unwrap_or_default();
    let head = memchr::memmem::find(request, b"\r\n\r\n").map_or(request, |end| &request[..end + 4]);
    [b"INFO: ", method, b" header == \n---\n", head, b"\n---\n"].concat()
}

/// A response whose head is here: what has come of it by now, and its code.
pub fn response(verbosity: usize, status: u16, begin: &[u8]) -> Vec<u8> {
    let text = &begin[..begin.len().min(SHOWN_MAX)];
    // As in C, a NUL is the end.
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let code = match status {
        200..300 if verbosity >= CODES => format!("LOG: Response code = {status}\n"),
        200..300 => String::new(),
        _ => format!("WARNING: Response code not 2xx ({status})\n"),
    };
    [b"LOG: header received:\n", text, b"\n", code.as_bytes()].concat()
}

/// Prints it in one piece. A closed standard output is noticed when the report is written.
pub fn print(text: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_without_its_body() {
        let shown = request(b"POST / HTTP/1.0\r\nContent-length: 3\r\n\r\na=b");
        assert_eq!(shown, b"INFO: POST header == \n---\nPOST / HTTP/1.0\r\nContent-length: 3\r\n\r\n\n---\n");
    }

    #[test]
    fn a_response_is_shown_with_its_code_by_level() {
        let begin = b"HTTP/1.0 200 OK\r\n\r\nbody";
        assert_eq!(response(2, 200, begin), b"LOG: header received:\nHTTP/1.0 200 OK\r\n\r\nbody\n");
        assert!(response(3, 200, begin).ends_with(b"body\nLOG: Response code = 200\n"));
        assert!(response(2, 404, begin).ends_with(b"body\nWARNING: Response code not 2xx (404)\n"));
        assert_eq!(response(2, 200, b"a\0b"), b"LOG: header received:\na\n");
        assert_eq!(response(2, 200, &[b'x'; 9000]).len(), 22 + SHOWN_MAX + 1);
    }
}
