//! The machine itself, around zlib.

use super::{InflateError, PIECE_BYTES_MAX};
use flate2::{Decompress, FlushDecompress, Status};

/// What Accept-Encoding may say.
pub const CODINGS: Option<&str> = Some("gzip, deflate");

/// How each gzip member begins: ID1, ID2, and deflate as its method (RFC 1952 section 2.3.1).
const GZIP_MEMBER: [u8; 3] = [0x1f, 0x8b, 8];

/// Bits of the window of deflate: 32 KiB, the largest there is.
const WINDOW_BITS: u8 = 15;

/// Takes one coding off one body, at any split of its bytes. Holds no memory but its own before the first byte.
#[derive(Debug)]
pub struct Inflater {
    coding: Coding,
    state: State,
    out: Box<[u8]>,
    /// Bytes of `out` that the last step made.
    made: usize,
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
    Inside(Decompress),
    /// Behind a gzip member; so many bytes of the next one's beginning have come.
    Behind(usize),
    /// Behind the end. Some servers add padding or a line end, which browsers ignore.
    Ignoring,
}

impl Inflater {
    /// For what a Content-Encoding field says, in any case: `gzip`, `x-gzip` or `deflate`, once and alone. `None` for
    /// anything else. All of the body may be `bytes_max` bytes.
    pub fn for_coding(coding: &[u8], bytes_max: u64) -> Option<Inflater> {
        let coding = match coding.trim_ascii().to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Coding::Gzip,
            b"deflate" => Coding::Deflate,
            _ => return None,
        };
        Some(Inflater { coding, state: State::Start, out: Box::default(), made: 0, made_in_all: 0, bytes_max })
    }

    /// Takes one step from the front of `input`, answers the bytes used, and leaves what it made in [`Self::piece`].
    ///
    /// A piece or bytes used: call again with what is behind them, even if that is nothing. Neither: `input` was empty,
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
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(input, &mut self.out, FlushDecompress::None).map_err(broken)?;
        let used = (stream.total_in() - read) as usize;
        self.made = (stream.total_out() - written) as usize;
        if status == Status::StreamEnd {
            self.state = match self.coding {
                Coding::Gzip => State::Behind(0),
                Coding::Deflate => State::Ignoring,
            };
        }
        self.made_in_all += self.made as u64;
        if self.made_in_all > self.bytes_max {
            return Err(InflateError::TooLarge(self.bytes_max));
        }
        Ok(used)
    }

    /// What the last step made, perhaps nothing.
    pub fn piece(&self) -> &[u8] {
        &self.out[..self.made]
    }

    /// The body is at its end, and all pieces have been taken. A body without a byte is whole: there was nothing to
    /// compress, as in many a redirect.
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
        self.state = State::Inside(match self.coding {
            Coding::Gzip => Decompress::new_gzip(WINDOW_BITS),
            // `deflate` means the zlib format, but some servers send the bare data. A zlib header has an 8 in the low
            // half of its first byte; bare data would be a stored block whose padding is not zero, which nobody writes.
            Coding::Deflate => Decompress::new(first & 0x0f == 8),
        });
    }

    /// Begins another member if its first bytes are all there. If there are others, the body has ended before them.
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
        let mut stream = Decompress::new_gzip(WINDOW_BITS);
        // They may have come one at a time, and are used up; they make nothing.
        stream.decompress(&GZIP_MEMBER, &mut self.out, FlushDecompress::None).map_err(broken)?;
        self.state = State::Inside(stream);
        Ok(n)
    }
}

/// In zlib's words, where they are the same at every split: of damaged data it says now this, now that.
fn broken(error: flate2::DecompressError) -> InflateError {
    InflateError::Broken(match error.message().map(|why| why.trim_end_matches('\0')) {
        Some("incorrect header check") => "incorrect header check",
        Some("incorrect data check") => "incorrect data check",
        Some("incorrect length check") => "incorrect length check",
        _ if error.needs_dictionary().is_some() => "it needs a dictionary",
        _ => "invalid data",
    })
}
