//! The streams, around the flate2 crate.

use super::{FULL_WINDOW_BITS, Inflated, Progress, Wrapper};
use flate2::{Compress, Compression, Decompress, DecompressError, FlushCompress, FlushDecompress, Status};

/// Effort of deflate. Level 1 leaves texts of 1 to 4 KiB 30 % longer than level 9 does, level 2 less than 2 %, at 9 µs a
/// KiB (zlib-rs, measured).
const LEVEL: u32 = 2;

/// Inflates one stream after the other.
#[derive(Debug)]
pub struct InflateStream(Decompress);

impl InflateStream {
    /// Always with the full window: a smaller one takes as much memory.
    pub fn new(wrapper: Wrapper) -> InflateStream {
        InflateStream(match wrapper {
            Wrapper::Raw => Decompress::new(false),
            Wrapper::Zlib => Decompress::new(true),
            Wrapper::Gzip => Decompress::new_gzip(FULL_WINDOW_BITS),
        })
    }

    /// Takes one step from the front of `input` to the front of `out`.
    pub fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Inflated {
        let (read, written) = (self.0.total_in(), self.0.total_out());
        let progress = match self.0.decompress(input, out, FlushDecompress::Sync) {
            Ok(Status::StreamEnd) => Progress::Ended,
            Ok(Status::Ok | Status::BufError) => Progress::Inside,
            Err(error) => Progress::Broken(reason(&error)),
        };
        let (used, made) = (self.0.total_in() - read, self.0.total_out() - written);
        Inflated { used: used as usize, made: made as usize, progress }
    }

    /// Begins another raw stream.
    pub fn reset_raw(&mut self) {
        self.0.reset(false);
    }
}

/// Deflates raw streams.
#[derive(Debug)]
pub struct DeflateStream(Compress);

impl DeflateStream {
    pub fn new(window_bits: u8) -> DeflateStream {
        DeflateStream(Compress::new_with_window_bits(Compression::new(LEVEL), false, window_bits))
    }

    /// Appends the compressed `input` to `out`, up to its last byte; the stream goes on.
    pub fn deflate(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        loop {
            out.reserve(input.len() / 2 + 64);
            let read = self.0.total_in();
            self.0.compress_vec(input, out, FlushCompress::Sync).expect("a raw deflate stream cannot fail");
            input = &input[(self.0.total_in() - read) as usize..];
            // With room left, everything is flushed.
            if input.is_empty() && out.len() < out.capacity() {
                return;
            }
        }
    }

    /// Forgets the window.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// zlib's words, where they do not depend on how the input was split; it describes other damage in varying words.
fn reason(error: &DecompressError) -> &'static str {
    match error.message().map(|why| why.trim_end_matches('\0')) {
        Some("incorrect header check") => "incorrect header check",
        Some("incorrect data check") => "incorrect data check",
        Some("incorrect length check") => "incorrect length check",
        _ if error.needs_dictionary().is_some() => "it needs a dictionary",
        _ => "invalid data",
    }
}
