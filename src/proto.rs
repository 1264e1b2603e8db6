//! Bytes to values and back: HTTP/1.1, chunked coding, WebSocket, URLs.
//!
//! Every machine in here is fed slices and answers values. None knows a socket, a clock or another connection, so
//! each is tested with literals, split at every byte, and two of them joined by a `Vec`.

pub mod address;
pub mod base;
pub mod body;
pub mod chunked;
pub mod deflate;
pub mod exchange;
pub mod http;
pub mod inflate;
pub mod redirect;
pub mod response;
pub mod upgrade;
pub mod url;
pub mod utf8;
mod words;
pub mod ws_frame;
pub mod ws_session;
