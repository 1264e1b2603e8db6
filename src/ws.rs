//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692): bytes to values and back.

pub mod deflate;
pub mod extensions;
pub mod frame;
pub mod handshake;
mod limits;
pub mod session;
pub mod utf8;

pub use limits::Limits;
