//! HTTP/1.1 (RFC 9110, RFC 9112): bytes to values and back.
//!
//! Every parser is fed slices and returns values. None knows a socket, a clock or another connection, so each is tested
//! with literals, split at every byte.

pub mod body;
pub mod chunked;
pub mod event_stream;
pub mod exchange;
pub mod inflate;
mod limits;
mod persistence;
pub mod redirect;
pub mod request;
pub mod response;
pub mod url;
pub mod words;

pub use limits::Limits;
