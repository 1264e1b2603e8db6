//! Takes gzip or deflate off a body (RFC 9110 section 8.4.1, RFC 1950 to 1952).
//!
//! ```text
//! Start ─ first byte ─▶ Inside ─ its end, checked ─▶ Behind ─ anything else ─▶ Ignoring
//!                         ▲─── gzip: another member ────┘
//! ```
//!
//! Input is the front of a byte slice; output is the number of bytes used and a piece of at most
//! [`PIECE_BYTES_MAX`], which stays in the [`Inflater`] until the next step. The body has a
//! limit as well. Bytes behind its end are ignored. Without the feature `deflate` there is no `Inflater`.

use crate::zlib::{self, InflateStream, PIECE_BYTES_MAX, Progress, Wrapper};
use std::fmt;

/// The value of Accept-Encoding, if a body can be inflated.
pub const CODINGS: Option<&str> = if zlib::IS_BUILT_IN { Some("gzip, deflate") } else { None };

/// The first bytes of each gzip member: ID1, ID2, and deflate as its method (RFC 1952 section 2.3.1).
const GZIP_MEMBER: [u8; 3] = [0x1f, 0x8b, 8];

/// Why a body cannot be inflated. Its inflater must not be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// It breaks the format, or its checksum or length is wrong; the text says which.
    Broken(&'static str),
    /// The input ends inside it.
    Truncated,
    /// The inflated body has more than this many bytes.
    TooLarge(u64),
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InflateError::Broken(why) => write!(f, "its gzip or deflate coding is broken: {why}"),
            InflateError::Truncated => f.write_str("its gzip or deflate coding ends too early"),
            InflateError::TooLarge(max) => write!(f, "its body is longer than {max} bytes when inflated"),
        }
    }
}

impl std::error::Error for InflateError {}

/// Takes one coding off one body, at any split of its bytes. Allocates with the first byte.
#[derive(Debug)]
pub struct Inflater {
    coding: Coding,
    state: State,
    out: Box<[u8]>,
    /// Bytes of `out` that the last step made.
    made: usize,
    /// Bytes that all steps made.
    made_in_all: u64,
    bytes_max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

#[derive(Debug)]
enum State {
    Start,
    Inside(InflateStream),
    /// Behind a gzip member, with this many bytes of the next one's beginning.
    Behind(usize),
    /// Behind the end. Some servers add padding or a line end, which browsers ignore.
    Ignoring,
}

impl Inflater {
    /// For the value of a Content-Encoding field, in any letter case: `gzip`, `x-gzip` or `deflate`, once and alone.
    /// `None` for any other. The inflated body may have `bytes_max` bytes.
    pub fn for_coding(coding: &[u8], bytes_max: u64) -> Option<Inflater> {
        let coding = match coding.trim_ascii().to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" if zlib::IS_BUILT_IN => Coding::Gzip,
            b"deflate" if zlib::IS_BUILT_IN => Coding::Deflate,
            _ => return None,
        };
        Some(Inflater { coding, state: State::Start, out: Box::default(), made: 0, made_in_all: 0, bytes_max })
    }

    /// Takes one step from the front of `input`, returns the number of bytes used, and leaves its output in
    /// [`Self::piece`].
    ///
    /// A piece or bytes used: call again with the rest of the input, even if that is empty. Neither: `input` was empty,
    /// and more of it is needed.
    ///
    /// # Errors
    /// `Broken` or `TooLarge`.
    pub fn inflate(&mut self, input: &[u8]) -> Result<usize, InflateError> {
        self.made = 0;
        match self.state {
            State::Start if input.is_empty() => return Ok(0),
            State::Start => self.open(input[0]),
            State::Inside(_) => {}
            State::Behind(matched) => return self.match_member(matched, input),
            State::Ignoring => return Ok(input.len()),
        }
        let State::Inside(stream) = &mut self.state else { return Ok(0) };
        let step = stream.inflate(input, &mut self.out);
        self.made = step.made;
        match step.progress {
            Progress::Inside => {}
            Progress::Ended if self.coding == Coding::Gzip => self.state = State::Behind(0),
            Progress::Ended => self.state = State::Ignoring,
            Progress::Broken(why) => return Err(InflateError::Broken(why)),
        }
        self.made_in_all += step.made as u64;
        if self.made_in_all > self.bytes_max {
            return Err(InflateError::TooLarge(self.bytes_max));
        }
        Ok(step.used)
    }

    /// The output of the last step, perhaps empty.
    pub fn piece(&self) -> &[u8] {
        &self.out[..self.made]
    }

    /// To be called at the end of the body, after all pieces were taken. An empty body is whole: many a redirect has
    /// one.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn finish(&self) -> Result<(), InflateError> {
        match self.state {
            State::Start | State::Behind(0) | State::Ignoring => Ok(()),
            State::Inside(_) | State::Behind(_) => Err(InflateError::Truncated),
        }
    }

    /// Begins the first stream, whose first byte this is.
    fn open(&mut self, first: u8) {
        self.out = vec![0; PIECE_BYTES_MAX].into();
        self.state = State::Inside(InflateStream::new(match self.coding {
            Coding::Gzip => Wrapper::Gzip,
            // `deflate` means the zlib format, but some servers send raw data. A zlib header has an 8 in the low half of
            // its first byte; raw data would be a stored block whose padding is not zero, which no encoder writes.
            Coding::Deflate if first & 0x0f == 8 => Wrapper::Zlib,
            Coding::Deflate => Wrapper::Raw,
        }));
    }

    /// Begins another member if its first bytes are all there. With other bytes, the body has ended before them.
    fn match_member(&mut self, matched: usize, input: &[u8]) -> Result<usize, InflateError> {
        let due = &GZIP_MEMBER[matched..];
        let n = due.len().min(input.len());
        if input[..n] != due[..n] {
            self.state = State::Ignoring;
            return Ok(input.len());
        }
        if n < due.len() {
            self.state = State::Behind(matched + n);
            return Ok(n);
        }
        let mut stream = InflateStream::new(Wrapper::Gzip);
        // They may have come one at a time, and are used up. Nothing is made of them.
        stream.inflate(&GZIP_MEMBER, &mut self.out);
        self.state = State::Inside(stream);
        Ok(n)
    }
}

#[cfg(all(test, feature = "deflate"))]
pub(super) mod testing;
#[cfg(all(test, feature = "deflate"))]
mod tests;
