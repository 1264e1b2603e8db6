//! The chunked transfer coding, both ways (RFC 9112 section 7.1).
//!
//! ```text
//! Size ─ digit ─▶ Digits ─ CR ─▶ SizeLf ─ LF ─▶ Data ─ size bytes ─▶ DataCr ─▶ DataLf ─▶ Size
//!                  └─ BWS ; ─▶ Extension ─ CR ─┘   └ size 0 ─▶ Trailer ─ CR ─▶ LastLf ─ LF ─▶ Done
//! ```
//!
//! Input is the front of a byte slice; output is the bytes used and at most one [`Piece`]. Strict by default, because
//! what two parsers read differently is how requests are smuggled: CRLF only, hex digits only, no sign, no prefix.
//! [`Grammar::Lenient`] is for responses. Extensions and trailers are skipped, in bounds.

use std::io::Write;

/// Extension bytes of one chunk, at most.
const LINE_BYTES_MAX: u16 = 4 << 10;
/// Extension bytes of one body, at most: chunks of one byte with long extensions are work without data.
const EXTENSION_BYTES_MAX: u16 = 16 << 10;
/// Trailer bytes of one body, at most.
const TRAILER_BYTES_MAX: u16 = 8 << 10;
/// Hex digits of a chunk size, leading zeros included; as many as a `u64` has.
const SIZE_DIGITS_MAX: u16 = 16;

/// How closely a body must follow the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grammar {
    /// To the letter: requests.
    #[default]
    Strict,
    /// As curl and browsers read responses: blanks behind a size, and lines that end in LF alone.
    Lenient,
}

/// One step of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes of the body, never none. Chunks are not kept apart.
    Data(&'a [u8]),
    /// The body is whole.
    End,
}

/// Why a chunked body cannot be read. Respond with 400 and close; its length is unknown from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkError {
    /// A chunk does not begin with hex digits, or something other than an extension follows them.
    BadSize,
    /// A size of more than 16 digits.
    SizeTooLarge,
    /// A line of the coding, or a chunk, does not end in CRLF.
    BadLineEnd,
    /// The extensions of one chunk, or of all, are too long.
    ExtensionsTooLong,
    /// The trailer section is too long.
    TrailersTooLong,
}

impl std::fmt::Display for ChunkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ChunkError::BadSize => "a chunk size is not a hexadecimal number",
            ChunkError::SizeTooLarge => "a chunk size has more than 16 digits",
            ChunkError::BadLineEnd => "a chunk does not end in CR LF",
            ChunkError::ExtensionsTooLong => "the chunk extensions are too long",
            ChunkError::TrailersTooLong => "the trailer section is too long",
        })
    }
}

impl std::error::Error for ChunkError {}

/// Takes the coding off one body, at any split of its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decoder {
    /// Bytes of the chunk still to come; while its size is read, the size so far.
    left: u64,
    /// Digits or extension bytes of this chunk's line.
    line: u16,
    /// Extension bytes of this body; behind the last chunk, trailer bytes.
    skipped: u16,
    state: State,
    grammar: Grammar,
    /// Something was read that the strict grammar refuses.
    is_doubtful: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// The first digit is due.
    #[default]
    Size,
    Digits,
    /// White space behind a size, before its extension.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the beginning of a line behind the last chunk.
    Trailer,
    TrailerText,
    TrailerLf,
    LastLf,
    Done,
}

impl Decoder {
    /// Decodes by this grammar.
    pub fn new(grammar: Grammar) -> Decoder {
        Decoder { grammar, ..Decoder::default() }
    }

    /// Whether a strict reader would have refused what was read so far.
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Whether the line of the last chunk is whole, and no other line has begun: only the final line end is missing.
    /// Some servers never send it.
    pub fn lacks_last_line_end(&self) -> bool {
        matches!(self.state, State::Trailer | State::LastLf)
    }

    /// Takes one step from the front of `buf`: the bytes used and a piece.
    ///
    /// No piece: all of `buf` was used, read more. A piece: call again with what is behind the bytes used, even if
    /// that is empty. After `End` every call returns `End` and uses nothing.
    ///
    /// # Errors
    /// Any [`ChunkError`]: respond with 400 and close. The decoder must not be used again.
    pub fn decode<'a>(&mut self, buf: &'a [u8]) -> Result<(usize, Option<Piece<'a>>), ChunkError> {
        let mut at = 0;
        loop {
            if self.state == State::Done {
                return Ok((at, Some(Piece::End)));
            }
            let Some(&byte) = buf.get(at) else { return Ok((at, None)) };
            if self.state == State::Data {
                let rest = &buf[at..];
                let n = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
                self.left -= n as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                return Ok((at + n, Some(Piece::Data(&rest[..n]))));
            }
            self.state = match self.step(byte) {
                Err(error) if self.grammar == Grammar::Lenient => self.step_leniently(byte).ok_or(error)?,
                next => next?,
            };
            at += 1;
        }
    }

    /// The state behind one byte of the coding itself.
    fn step(&mut self, byte: u8) -> Result<State, ChunkError> {
        Ok(match (self.state, byte) {
            (State::Size | State::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte)?,
            (State::Digits, b'\r') => State::SizeLf,
            (State::Digits | State::Space, b';') => self.extension(State::Extension)?,
            (State::Digits | State::Space, b' ' | b'\t') => self.extension(State::Space)?,
            (State::Size | State::Digits | State::Space, _) => return Err(ChunkError::BadSize),
            (State::Extension, b'\r') => State::SizeLf,
            (State::SizeLf, b'\n') => self.begin_data(),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => self.begin_chunk(),
            (State::Trailer, b'\r') => State::LastLf,
            (State::TrailerText, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::Trailer,
            (State::LastLf, b'\n') => State::Done,
            (State::Extension, 1..=b'\t' | b'\x0b'..) => self.extension(State::Extension)?,
            (State::Trailer | State::TrailerText, 1..=b'\t' | b'\x0b'..) => self.trailer()?,
            _ => return Err(ChunkError::BadLineEnd),
        })
    }

    /// The state behind a byte that the strict grammar refuses. `None`: it stays refused.
    fn step_leniently(&mut self, byte: u8) -> Option<State> {
        let next = match (self.state, byte) {
            // Some servers pad the size to a fixed width.
            (State::Space, b'\r') => State::SizeLf,
            (State::Digits | State::Space | State::Extension, b'\n') => self.begin_data(),
            (State::DataCr, b'\n') => self.begin_chunk(),
            (State::Trailer, b'\n') => State::Done,
            (State::TrailerText, b'\n') => State::Trailer,
            _ => return None,
        };
        self.is_doubtful = true;
        Some(next)
    }

    /// What follows the line of a size.
    fn begin_data(&mut self) -> State {
        if self.left > 0 {
            return State::Data;
        }
        self.skipped = 0;
        State::Trailer
    }

    fn begin_chunk(&mut self) -> State {
        self.left = 0;
        self.line = 0;
        State::Size
    }

    fn digit(&mut self, byte: u8) -> Result<State, ChunkError> {
        if self.line == SIZE_DIGITS_MAX {
            return Err(ChunkError::SizeTooLarge);
        }
        self.line += 1;
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.left = self.left << 4 | u64::from(value);
        Ok(State::Digits)
    }

    fn extension(&mut self, state: State) -> Result<State, ChunkError> {
        self.line += 1;
        self.skipped += 1;
        if self.line > LINE_BYTES_MAX || self.skipped > EXTENSION_BYTES_MAX {
            return Err(ChunkError::ExtensionsTooLong);
        }
        Ok(state)
    }

    fn trailer(&mut self) -> Result<State, ChunkError> {
        self.skipped += 1;
        if self.skipped > TRAILER_BYTES_MAX {
            return Err(ChunkError::TrailersTooLong);
        }
        Ok(State::TrailerText)
    }
}

/// Appends `bytes` as one chunk; nothing if there are none, because an empty chunk is the end.
pub fn encode_chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    out.reserve(bytes.len() + 20);
    let _ = write!(out, "{:x}\r\n", bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and an empty trailer section.
pub fn encode_last(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

#[cfg(test)]
mod tests;
