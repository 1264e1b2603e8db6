//! Takes gzip or deflate off a body (RFC 9110 section 8.4.1, RFC 1950 to 1952).
//!
//! ```text
//! Start ─ first byte ─▶ Inside ─ its end, checked ─▶ Behind ─ anything else ─▶ Ignoring
//!                         ▲─── gzip: another member ────┘
//! ```
//!
//! Input is the front of a byte slice; output is the bytes used and a piece of at most [`PIECE_BYTES_MAX`], which lies
//! in the [`Inflater`] until the next step. So a body that grows a thousandfold costs one piece of memory, and each
//! step a bounded time. More than so many bytes in all are refused. What is behind the end is ignored.
//! Built in with the feature `deflate`; without it no `Inflater` can come to be.

#[cfg_attr(not(feature = "deflate"), path = "inflate/absent.rs")]
mod inflater;

pub use inflater::{CODINGS, Inflater};
use std::fmt;

/// The most that one step gives, bytes.
pub const PIECE_BYTES_MAX: usize = 32 << 10;

/// Why a body cannot be inflated. Its inflater must not be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// It breaks the format, or its checksum or length is wrong; the text says which.
    Broken(&'static str),
    /// It ends before its end.
    Truncated,
    /// It gives more than this many bytes.
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

#[cfg(all(test, feature = "deflate"))]
pub(super) mod testing;
#[cfg(all(test, feature = "deflate"))]
mod tests;
