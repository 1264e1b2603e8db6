//! Streams of zlib, for compressed WebSocket messages and for response bodies in gzip or deflate (RFC 1950 to 1952).
//!
//! Built in with the feature `deflate`. Without it no stream can be made: callers ask [`IS_BUILT_IN`] first.

#[cfg_attr(not(feature = "deflate"), path = "zlib/absent.rs")]
mod stream;

pub use stream::{DeflateStream, InflateStream};

/// Whether this program can inflate and deflate.
pub const IS_BUILT_IN: bool = cfg!(feature = "deflate");

/// Output of one step of inflating, bytes. A body that grows a thousandfold costs this memory, and a step a bounded
/// time.
pub const PIECE_BYTES_MAX: usize = 32 << 10;

/// The window of deflate unless a smaller one is agreed on, as a power of two: 32 KiB, the largest there is.
pub const FULL_WINDOW_BITS: u8 = 15;

/// What surrounds the compressed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapper {
    /// Nothing.
    Raw,
    Zlib,
    /// One member of a gzip file.
    Gzip,
}

/// What one step of inflating did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inflated {
    /// Bytes of input used.
    pub used: usize,
    /// Bytes of output made.
    pub made: usize,
    pub progress: Progress,
}

/// Where a stream is after one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It goes on. With a full output there may be more, even without input.
    Inside,
    /// It has ended, and its checksum is right.
    Ended,
    /// It breaks the format; the text says where.
    Broken(&'static str),
}
