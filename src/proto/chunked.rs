//! The chunked transfer coding, both ways (RFC 9112 section 7.1).
//!
//! ```text
//! Size ─ digit ─▶ Digits ─ CR ─▶ SizeLf ─ LF ─▶ Data ─ size bytes ─▶ DataCr ─▶ DataLf ─▶ Size
//!                  └─ BWS ; ─▶ Extension ─ CR ─┘   └ size 0 ─▶ Trailer ─ CR ─▶ LastLf ─ LF ─▶ Done
//! ```
//!
//! Input is the front of a byte slice; output is the bytes used and at most one [`Piece`]. Strict, because what two
//! parsers read differently is how requests are smuggled: CRLF only, hex digits only, no sign, no prefix.
//! Extensions and trailers are skipped, in bounds; nobody here has a use for them.

/// Extension bytes of one chunk, at most.
const LINE_BYTES_MAX: u16 = 4 << 10;
/// Extension bytes of one body, at most: chunks of one byte with long extensions are work without data.
const EXTENSION_BYTES_MAX: u16 = 16 << 10;
/// Trailer bytes of one body, at most.
const TRAILER_BYTES_MAX: u16 = 8 << 10;
/// Hex digits of a chunk size, leading zeros included; as many as a `u64` has.
const SIZE_DIGITS_MAX: u16 = 16;

/// One step of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes of the body, never none. Chunks are not kept apart.
    Data(&'a [u8]),
    /// The body is whole.
    End,
}

/// Why a chunked body cannot be read. Answer 400 and close; its length is unknown from here on.
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// The first digit is due.
    #[default]
    Size,
    Digits,
    /// White space between a size and its extension.
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
    /// Takes one step from the front of `buf`: the bytes used and a piece.
    ///
    /// No piece: all of `buf` was used, read more. A piece: call again with what is behind the bytes used, even if
    /// that is nothing. After `End` every call answers `End` and uses nothing.
    ///
    /// # Errors
    /// Any [`ChunkError`]: answer 400 and close. The decoder must not be used again.
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
            self.state = self.step(byte)?;
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
            (State::SizeLf, b'\n') if self.left > 0 => State::Data,
            (State::SizeLf, b'\n') => self.begin_trailers(),
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

    fn begin_trailers(&mut self) -> State {
        self.skipped = 0;
        State::Trailer
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
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut n = bytes.len();
    while n > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[n & 15];
        n >>= 4;
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and an empty trailer section.
pub fn encode_last(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything the decoder says about a wire that arrives in two parts: the body, bytes used, the end reached.
    fn decoded(wire: &[u8], split: usize) -> Result<(Vec<u8>, usize, bool), ChunkError> {
        let mut decoder = Decoder::default();
        let (mut body, mut at) = (Vec::new(), 0);
        for end in [split, wire.len()] {
            loop {
                let (used, piece) = decoder.decode(&wire[at..end])?;
                at += used;
                match piece {
                    Some(Piece::Data(bytes)) => {
                        assert!(!bytes.is_empty());
                        body.extend_from_slice(bytes);
                    }
                    Some(Piece::End) => return Ok((body, at, true)),
                    None => break assert_eq!(at, end, "without a piece all is used"),
                }
            }
        }
        Ok((body, at, false))
    }

    fn refused(wire: &[u8]) -> ChunkError {
        let error = decoded(wire, 0).expect_err("refused");
        for split in 0..=wire.len() {
            assert_eq!(decoded(wire, split), Err(error), "split at {split}");
        }
        error
    }

    #[test]
    fn chunks_are_joined_and_what_follows_is_left_alone_at_any_split() {
        let wire = b"4\r\nWiki\r\n7\r\npedia i\r\nB\r\nn \r\nchunks.\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
        for split in 0..=wire.len() {
            let (body, used, ended) = decoded(wire, split).expect("valid");
            assert_eq!(body, b"Wikipedia in \r\nchunks.");
            assert_eq!((used, ended), (wire.len() - 16, true));
        }
    }

    #[test]
    fn extensions_and_trailers_are_skipped_at_any_split() {
        let wire = b"3;name=\"va;lue\"\r\nabc\r\n0a \t; x\r\n0123456789\r\n000;last\r\nExpires: never\r\nX:\r\n\r\n";
        for split in 0..=wire.len() {
            assert_eq!(decoded(wire, split), Ok((b"abc0123456789".to_vec(), wire.len(), true)));
        }
    }

    #[test]
    fn an_unfinished_body_is_not_an_error() {
        let wire = b"5\r\nhello\r\n0\r\nA: b\r\n\r\n";
        for end in 0..wire.len() {
            let (_, used, ended) = decoded(&wire[..end], end / 2).expect("valid so far");
            assert_eq!((used, ended), (end, false));
        }
    }

    #[test]
    fn the_end_is_said_again_and_uses_nothing() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(b"0\r\n\r\nrest"), Ok((5, Some(Piece::End))));
        assert_eq!(decoder.decode(b"rest"), Ok((0, Some(Piece::End))));
        assert_eq!(decoder.decode(b""), Ok((0, Some(Piece::End))));
    }

    #[test]
    fn sizes_that_are_not_plain_hex_are_refused() {
        for size in ["", "0x5", "+5", "-5", " 5", "5 ", "5\t", "5,5", "5.", "g", "\u{664}", ";x", "5 5", "1_0", "\0"] {
            let wire = format!("{size}\r\nhello\r\n0\r\n\r\n");
            assert_eq!(refused(wire.as_bytes()), ChunkError::BadSize, "{size:?}");
        }
    }

    #[test]
    fn a_size_past_64_bits_is_refused() {
        assert_eq!(refused(b"10000000000000005\r\nhello\r\n"), ChunkError::SizeTooLarge);
        assert_eq!(refused(b"00000000000000005\r\nhello\r\n"), ChunkError::SizeTooLarge);
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(b"ffffFFFFffffFFFF\r\nab"), Ok((20, Some(Piece::Data(b"ab")))));
    }

    #[test]
    fn line_ends_other_than_crlf_are_refused() {
        for wire in ["5;x\nhello\r\n", "5\rhello\r\n", "5\r\rhello", "5\r\nhello\n0\r\n", "5\r\nhello!\r\n", "5;\0\r\n"]
        {
            assert_eq!(refused(wire.as_bytes()), ChunkError::BadLineEnd, "{wire:?}");
        }
        for wire in ["0\r\n\n", "0\r\nA: b\n\r\n", "0\r\nA: b\rC: d\r\n\r\n", "0\r\n\rX", "0\r\nA: \0\r\n\r\n"] {
            assert_eq!(refused(wire.as_bytes()), ChunkError::BadLineEnd, "{wire:?}");
        }
        assert_eq!(refused(b"5\nhello\r\n0\r\n\r\n"), ChunkError::BadSize);
    }

    #[test]
    fn extensions_are_bounded_by_chunk_and_by_body() {
        let chunk = |extension: u16| format!("1;{}\r\nx\r\n", "e".repeat(usize::from(extension)));
        let line_full = chunk(LINE_BYTES_MAX - 2);
        assert!(decoded(line_full.as_bytes(), 0).is_ok());
        assert_eq!(decoded(chunk(LINE_BYTES_MAX).as_bytes(), 9), Err(ChunkError::ExtensionsTooLong));
        let many = chunk(1023).repeat(usize::from(EXTENSION_BYTES_MAX) / 1024);
        assert!(decoded(many.as_bytes(), 0).is_ok());
        assert_eq!(decoded((many + "1;").as_bytes(), 0), Err(ChunkError::ExtensionsTooLong));
    }

    #[test]
    fn trailers_are_bounded() {
        let wire = |n: u16| format!("0\r\n{}\r\n\r\n", "A: bcdef\r\n".repeat(usize::from(n)));
        assert!(decoded(wire(TRAILER_BYTES_MAX / 8).as_bytes(), 0).is_ok_and(|(_, _, ended)| ended));
        assert_eq!(decoded(wire(TRAILER_BYTES_MAX / 8 + 1).as_bytes(), 0), Err(ChunkError::TrailersTooLong));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let body: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let mut wire = Vec::new();
        let mut rest = body.as_slice();
        for size in [0, 1, 9, 10, 15, 16, 17, 255, 256, 4096, 65_535] {
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            encode_chunk(piece, &mut wire);
            rest = behind;
        }
        encode_last(&mut wire);
        assert_eq!(decoded(&wire, 0), Ok((body, wire.len(), true)));
        wire.clear();
        encode_chunk(b"0123456789abcdefXYZ", &mut wire);
        assert_eq!(wire, b"13\r\n0123456789abcdefXYZ\r\n");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_decoded_the_same_at_any_split(wire in r"([0-3]{1,2}[;a]?\r?\n[a\r\n]{0,4}){0,6}") {
            let expected = decoded(wire.as_bytes(), 0);
            for split in 0..wire.len() {
                proptest::prop_assert_eq!(&decoded(wire.as_bytes(), split), &expected);
            }
        }
    }

    #[test]
    fn a_decoder_is_small() {
        assert_eq!(size_of::<Decoder>(), 16);
        for error in [ChunkError::BadSize, ChunkError::BadLineEnd, ChunkError::SizeTooLarge] {
            assert!(error.to_string().contains("chunk"));
        }
    }
}
