//! Message bodies: where one ends, and the machine that reads it (RFC 9112 section 6).
//!
//! [`Codings`] and [`parse_length`] read the two fields that frame a body, [`BodyReader`] then takes the body from
//! the front of byte slices, in pieces. Requests and responses share them; what each of them may
//! say is decided in `http` and `exchange`.

use crate::http::chunked::{ChunkError, Decoder, Grammar, Piece};
use crate::http::words::elements;

/// Where the body of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// After this many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
}

/// Reads a Content-Length: digits only, and a number too large for 64 bits is the largest one (so that a limit
/// refuses it). `None`: not a number, also for signs, spaces and lists.
pub fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |n, &byte| {
        byte.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
    })
}

/// What all Transfer-Encoding fields of a message say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codings {
    #[default]
    Absent,
    /// `chunked`, once and alone.
    Chunked,
    /// Something else, and `chunked` is not last: the body has no end that could be known.
    Other,
    /// Something else, then `chunked`.
    OtherThenChunked,
}

impl Codings {
    /// Adds one field. `None`: an empty element, or something behind `chunked`.
    pub fn and(self, value: &[u8]) -> Option<Codings> {
        elements(value).try_fold(self, |codings, name| match codings {
            Codings::Absent | Codings::Other if name.is_empty() => None,
            Codings::Absent if name.eq_ignore_ascii_case(b"chunked") => Some(Codings::Chunked),
            Codings::Other if name.eq_ignore_ascii_case(b"chunked") => Some(Codings::OtherThenChunked),
            Codings::Absent | Codings::Other => Some(Codings::Other),
            Codings::Chunked | Codings::OtherThenChunked => None,
        })
    }
}

/// Why a body cannot be read on. Respond and close: where the next message begins is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The chunked coding is broken (400).
    Chunk(ChunkError),
    /// More than this many bytes (413).
    TooLarge(u64),
}

impl BodyError {
    /// The status of the response.
    pub fn status(self) -> u16 {
        match self {
            BodyError::Chunk(_) => 400,
            BodyError::TooLarge(_) => 413,
        }
    }
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BodyError::Chunk(e) => e.fmt(f),
            BodyError::TooLarge(max) => write!(f, "the body is longer than {max} bytes"),
        }
    }
}

impl std::error::Error for BodyError {}

/// Reads one body in pieces, at any split, and counts its bytes.
#[derive(Debug, Clone, Copy)]
pub struct BodyReader {
    end: End,
    taken: u64,
    bytes_max: u64,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// Bytes still to come.
    Length(u64),
    Chunked(Decoder),
    Close,
}

impl BodyReader {
    /// The body of a request: framed like this, of `bytes_max` bytes at most, its chunks read strictly.
    pub fn new(framing: Framing, bytes_max: u64) -> BodyReader {
        BodyReader::with_grammar(framing, Grammar::Strict, bytes_max)
    }

    /// A body framed like this, of `bytes_max` bytes at most, its chunks read by this grammar.
    pub fn with_grammar(framing: Framing, grammar: Grammar, bytes_max: u64) -> BodyReader {
        let end = match framing {
            Framing::None => End::Length(0),
            Framing::Length(length) => End::Length(length),
            Framing::Chunked => End::Chunked(Decoder::new(grammar)),
        };
        BodyReader { end, taken: 0, bytes_max }
    }

    /// A body that ends with the connection, of `bytes_max` bytes at most.
    pub fn until_close(bytes_max: u64) -> BodyReader {
        BodyReader { end: End::Close, taken: 0, bytes_max }
    }

    /// `true` if the end of the connection is the end of the body, and not a body cut short.
    pub fn ends_with_input(&self) -> bool {
        matches!(self.end, End::Close)
    }

    /// Whether the body is whole if the connection ends here: one that lasts until then, or one in chunks of which only
    /// the line end behind the last is missing.
    pub fn may_end_here(&self) -> bool {
        match &self.end {
            End::Close => true,
            End::Chunked(decoder) => decoder.lacks_last_line_end(),
            End::Length(_) => false,
        }
    }

    /// Whether a strict reader would have refused what was read so far.
    pub fn is_doubtful(&self) -> bool {
        matches!(&self.end, End::Chunked(decoder) if decoder.is_doubtful())
    }

    /// Takes one step from the front of `buf`: the bytes used and a piece.
    ///
    /// No piece: all of `buf` was used, read more. A piece: call again with what is behind the bytes used, even if
    /// that is empty. An until-close body never says `End`: the caller sees its end at the socket.
    ///
    /// # Errors
    /// [`BodyError`]; the reader must not be used again.
    pub fn receive<'a>(&mut self, buf: &'a [u8]) -> Result<(usize, Option<Piece<'a>>), BodyError> {
        let (used, piece) = match &mut self.end {
            End::Chunked(decoder) => decoder.decode(buf).map_err(BodyError::Chunk)?,
            End::Length(0) => (0, Some(Piece::End)),
            End::Length(left) => {
                let n = usize::try_from(*left).map_or(buf.len(), |left| left.min(buf.len()));
                *left -= n as u64;
                (n, (n > 0).then_some(Piece::Data(&buf[..n])))
            }
            End::Close => (buf.len(), (!buf.is_empty()).then_some(Piece::Data(buf))),
        };
        if let Some(Piece::Data(bytes)) = piece {
            self.taken += bytes.len() as u64;
            if self.taken > self.bytes_max {
                return Err(BodyError::TooLarge(self.bytes_max));
            }
        }
        Ok((used, piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut reader: BodyReader, wire: &[u8], split: usize) -> Result<(Vec<u8>, usize, bool), BodyError> {
        let (mut body, mut at) = (Vec::new(), 0);
        for end in [split, wire.len()] {
            loop {
                let (used, piece) = reader.receive(&wire[at..end])?;
                at += used;
                match piece {
                    Some(Piece::Data(bytes)) => body.extend_from_slice(bytes),
                    Some(Piece::End) => return Ok((body, at, true)),
                    None => break assert_eq!(at, end, "without a piece all is used"),
                }
            }
        }
        Ok((body, at, false))
    }

    #[test]
    fn a_body_ends_after_its_length_at_any_split() {
        for split in 0..=8 {
            let reader = BodyReader::new(Framing::Length(5), 5);
            assert_eq!(read(reader, b"helloGET", split), Ok((b"hello".to_vec(), 5, true)));
            assert_eq!(read(BodyReader::new(Framing::None, 0), b"helloGET", split), Ok((vec![], 0, true)));
        }
    }

    #[test]
    fn a_chunked_body_ends_with_its_last_chunk_at_any_split() {
        let wire = b"5\r\nhello\r\n0\r\n\r\nGET";
        for split in 0..=wire.len() {
            let reader = BodyReader::new(Framing::Chunked, 5);
            assert_eq!(read(reader, wire, split), Ok((b"hello".to_vec(), 15, true)));
        }
    }

    #[test]
    fn an_until_close_body_takes_everything_and_never_says_end() {
        for split in 0..=5 {
            let reader = BodyReader::until_close(5);
            assert!(reader.ends_with_input());
            assert_eq!(read(reader, b"hello", split), Ok((b"hello".to_vec(), 5, false)));
        }
        assert!(!BodyReader::new(Framing::Chunked, 5).ends_with_input());
    }

    #[test]
    fn a_body_over_the_limit_is_refused_at_any_split() {
        let bodies: [(&[u8], BodyReader); 3] = [
            (b"helloo", BodyReader::new(Framing::Length(6), 5)),
            (b"6\r\nhelloo\r\n", BodyReader::new(Framing::Chunked, 5)),
            (b"helloo", BodyReader::until_close(5)),
        ];
        for (wire, reader) in bodies {
            for split in 0..=wire.len() {
                let error = read(reader, wire, split).expect_err("too large");
                assert_eq!((error, error.status()), (BodyError::TooLarge(5), 413));
            }
        }
    }

    #[test]
    fn a_broken_coding_is_a_bad_request() {
        let error = read(BodyReader::new(Framing::Chunked, 5), b"x", 0).expect_err("broken");
        assert_eq!((error, error.status()), (BodyError::Chunk(ChunkError::BadSize), 400));
        assert_eq!(error.to_string(), "a chunk size is not a hexadecimal number");
        assert_eq!(BodyError::TooLarge(5).to_string(), "the body is longer than 5 bytes");
    }

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        assert_eq!(parse_length(b"0"), Some(0));
        assert_eq!(parse_length(b"0042"), Some(42));
        assert_eq!(parse_length(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_length(b"99999999999999999999999"), Some(u64::MAX));
        for bad in ["", " 5", "5 ", "+5", "-5", "5,5", "5, 5", "0x5", "5.0", "\u{665}", "1_0"] {
            assert_eq!(parse_length(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn codings_are_one_list_over_all_fields() {
        let all = |fields: &[&str]| fields.iter().try_fold(Codings::Absent, |c, field| c.and(field.as_bytes()));
        assert_eq!(all(&[]), Some(Codings::Absent));
        assert_eq!(all(&["ChunKed"]), Some(Codings::Chunked));
        assert_eq!(all(&["gzip, chunked"]), Some(Codings::OtherThenChunked));
        assert_eq!(all(&["gzip", "chunked"]), Some(Codings::OtherThenChunked));
        assert_eq!(all(&["gzip"]), Some(Codings::Other));
        assert_eq!(all(&["xchunked"]), Some(Codings::Other));
        assert_eq!(all(&["chunked;a=b"]), Some(Codings::Other));
        for bad in [&[""][..], &["chunked, chunked"], &["chunked", "chunked"], &["chunked, gzip"], &[",chunked"]] {
            assert_eq!(all(bad), None, "{bad:?}");
        }
        assert_eq!(all(&["chunked,"]), None);
        assert_eq!(all(&["gzip, chunked, chunked"]), None);
    }

    #[test]
    fn a_reader_is_small() {
        assert!(size_of::<BodyReader>() <= 32, "{}", size_of::<BodyReader>());
    }
}
