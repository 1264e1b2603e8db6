//! The end of a request head, and what must be refused before it is there (RFC 9112 sections 2.2 and 3).
//!
//! ```text
//! blank lines ─▶ request line ─▶ fields ─ empty line ─▶ found, and back to the beginning
//! ```
//!
//! Looks at each byte once, however the head arrives. Refuses what httparse would take (bare LF) and what it could
//! only say too late (lines and heads too long); it does not know what the lines mean.

use super::HttpError;
use crate::http::Limits;
use crate::http::words::span;

/// The place up to which a head was looked at; one for each connection, reused for each request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeadScan {
    /// Bytes looked at. A CR at the end waits for its LF and does not count.
    seen: u32,
    /// Bytes of blank lines before the request line.
    blanks: u16,
    /// The request line is complete.
    in_fields: bool,
}

impl HeadScan {
    /// Looks for the end of a head in the bytes of `buf` not seen yet; `buf` begins where it began in the last call.
    ///
    /// `Some(n)`: the head is `buf[..n]`, leading blank lines and the last empty line included, and the scan is
    /// ready for the next one. `None`: read more.
    ///
    /// # Errors
    /// `LineTooLong` (414) and `HeadTooLong` (431) as soon as the limit is passed, `Malformed` (400) for a bare
    /// CR or LF as soon as it is seen, or for too many blank lines. Respond and close.
    pub fn find_end(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, HttpError> {
        if self.is_idle() {
            self.skip_blanks(buf, limits)?;
        }
        let first = usize::from(self.blanks);
        let head_max = first + limits.head_bytes_max;
        let line_max = first + limits.request_line_bytes_max;
        let mut at = self.seen as usize;
        loop {
            // The first place at which it is too late for the CR that is looked for.
            let (window, too_long) = if self.in_fields || head_max <= line_max {
                (head_max, HttpError::HeadTooLong(limits.head_bytes_max))
            } else {
                (line_max + 1, HttpError::LineTooLong(limits.request_line_bytes_max))
            };
            let Some(unseen) = buf.get(at..window.min(buf.len())) else { return Err(too_long) };
            let cr = at + span(unseen, |byte| (byte != b'\r') & (byte != b'\n'));
            if cr == at + unseen.len() {
                at = cr;
                if at == window {
                    return Err(too_long);
                }
                break;
            }
            if !is_line_end(&buf[cr..])? {
                at = cr;
                break;
            }
            at = cr + 2;
            if !self.in_fields {
                self.in_fields = true;
            } else if buf[cr - 1] == b'\n' {
                if at > head_max {
                    return Err(too_long);
                }
                *self = HeadScan::default();
                return Ok(Some(at));
            }
        }
        self.seen = at as u32;
        Ok(None)
    }

    /// `true` while no byte of a request was seen, only blank lines or nothing: the connection idles.
    pub fn is_idle(&self) -> bool {
        self.seen == u32::from(self.blanks)
    }

    fn skip_blanks(&mut self, buf: &[u8], limits: &Limits) -> Result<(), HttpError> {
        let max = limits.blank_bytes_max.min(usize::from(u16::MAX - 2));
        let mut at = usize::from(self.blanks);
        while matches!(buf.get(at), Some(b'\r' | b'\n')) && is_line_end(&buf[at..])? {
            at += 2;
            if at > max {
                return Err(HttpError::Malformed("there are too many empty lines before the request"));
            }
        }
        self.blanks = at as u16;
        self.seen = at as u32;
        Ok(())
    }
}

/// Whether CRLF stands in front of `bytes`, which begin with CR or LF; `false`: the LF is not there yet.
fn is_line_end(bytes: &[u8]) -> Result<bool, HttpError> {
    match bytes {
        [b'\r', b'\n', ..] => Ok(true),
        [b'\r'] => Ok(false),
        [b'\r', ..] => Err(HttpError::Malformed("there is a CR without LF in the head")),
        _ => Err(HttpError::Malformed("a line of the head ends in LF without CR")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome for `wire` in one piece; checked to be the same in two pieces, for every split.
    fn find(wire: &[u8], limits: &Limits) -> Result<Option<usize>, HttpError> {
        let expected = HeadScan::default().find_end(wire, limits);
        for split in 0..wire.len() {
            let buf = wire.to_vec();
            let mut scan = HeadScan::default();
            let early = scan.find_end(&buf[..split], limits);
            match early {
                Ok(None) => assert_eq!(scan.find_end(&buf, limits), expected, "split at {split}"),
                _ => assert_eq!(early, expected, "split at {split}"),
            }
        }
        expected
    }

    fn small() -> Limits {
        Limits { request_line_bytes_max: 20, head_bytes_max: 64, blank_bytes_max: 4, ..Limits::default() }
    }

    fn malformed(wire: &str) -> &'static str {
        match find(wire.as_bytes(), &small()) {
            Err(HttpError::Malformed(why)) => why,
            other => panic!("{wire:?}: {other:?}"),
        }
    }

    #[test]
    fn a_head_ends_with_its_first_empty_line_at_any_split() {
        let wire = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
        assert_eq!(find(wire, &small()), Ok(Some(27)));
        assert_eq!(find(b"GET / HTTP/1.0\r\n\r\n", &small()), Ok(Some(18)));
        assert_eq!(find(b"GET / HTTP/1.1\r\nHost: a\r\n\r", &small()), Ok(None));
        assert_eq!(find(b"", &small()), Ok(None));
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_found() {
        let wire = *b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut scan = HeadScan::default();
        for end in 0..wire.len() {
            assert_eq!(scan.find_end(&wire[..end], &small()), Ok(None));
            assert_eq!(scan.is_idle(), end <= 2, "after {end} bytes");
        }
        assert_eq!(scan.find_end(&wire, &small()), Ok(Some(wire.len())));
        assert_eq!(scan, HeadScan::default());
    }

    #[test]
    fn blank_lines_before_a_request_are_skipped_up_to_their_limit() {
        assert_eq!(find(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", &small()), Ok(Some(22)));
        assert_eq!(find(b"\r\n\r\n\r", &small()), Ok(None));
        assert!(malformed("\r\n\r\n\r\n").contains("empty lines"));
        let line = "GET /123456 HTTP/1.1";
        assert_eq!(line.len(), 20);
        assert_eq!(find(format!("\r\n\r\n{line}\r\n\r\n").as_bytes(), &small()), Ok(Some(28)));
    }

    #[test]
    fn a_bare_lf_is_refused_as_soon_as_it_is_seen() {
        for wire in ["\n", "\r\n\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA: b\n", "G\r\nA: b\r\n\n"] {
            assert!(malformed(wire).contains("LF without CR"), "{wire:?}");
        }
    }

    #[test]
    fn a_bare_cr_is_refused_as_soon_as_it_is_seen() {
        for wire in ["\rG", "\r\r", "GET /\r ", "GET / HTTP/1.1\r\nA: b\rC", "G\r\nA: b\r\n\rA", "G\r\r\n"] {
            assert!(malformed(wire).contains("CR without LF"), "{wire:?}");
        }
    }

    #[test]
    fn a_long_request_line_is_refused_before_it_is_complete() {
        let too_long = Err(HttpError::LineTooLong(20));
        assert_eq!(find(b"GET /123456 HTTP/1.1\r\n\r\n", &small()), Ok(Some(24)));
        assert_eq!(find(b"GET /123456 HTTP/1.1\r", &small()), Ok(None));
        assert_eq!(find(b"GET /123456 HTTP/1.1", &small()), Ok(None));
        assert_eq!(find(b"GET /1234567 HTTP/1.1", &small()), too_long);
        assert_eq!(find(b"GET /1234567 HTTP/1.1\r\n\r\n", &small()), too_long);
    }

    #[test]
    fn a_long_head_is_refused_before_it_is_complete() {
        let head = |n: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(n - 23));
        assert_eq!(head(64).len(), 64);
        assert_eq!(find(head(64).as_bytes(), &small()), Ok(Some(64)));
        for n in 65..70 {
            assert_eq!(find(head(n).as_bytes(), &small()), Err(HttpError::HeadTooLong(64)), "{n} bytes");
        }
        assert_eq!(find(&head(100).as_bytes()[..64], &small()), Err(HttpError::HeadTooLong(64)));
        let tight = Limits { head_bytes_max: 10, ..small() };
        assert_eq!(find(b"GET / HTTP", &tight), Err(HttpError::HeadTooLong(10)));
        assert_eq!(find(b"GET /\r\n\r\n", &tight), Ok(Some(9)));
    }

    #[test]
    fn the_defaults_are_8_and_16_kibibytes() {
        let limits = Limits::default();
        let mut line = [b"GET /".as_slice(), &[b'x'; 8192 - 5]].concat();
        assert_eq!(HeadScan::default().find_end(&line, &limits), Ok(None));
        line.push(b'x');
        assert_eq!(HeadScan::default().find_end(&line, &limits), Err(HttpError::LineTooLong(8192)));
        let head = [b"GET / HTTP/1.1\r\n".as_slice(), &b"A: b\r\n".repeat(3000)].concat();
        assert_eq!(HeadScan::default().find_end(&head, &limits), Err(HttpError::HeadTooLong(16384)));
    }

    #[test]
    fn a_scan_is_small() {
        assert_eq!(size_of::<HeadScan>(), 8);
    }
}
