//! How a connection comes to its end without losing its last output.
//!
//! ```text
//! No ── the last output is decided ──▶ Flushing ── all is with the kernel ──▶ nothing unread: freed
//!  │                                       │                             └──▶ else FIN, and Discarding
//!  │                                       │                                        │ FIN, limit, deadline
//!  └── reset, silence, budget: freed       └── deadline: freed                      └──▶ freed
//! ```
//!
//! Closing a socket with unread input makes the kernel send RST, and that destroys the response on its way. So the write
//! half is shut first, and what the peer still sends is thrown away: a refused body, or the next pipelined request.

use super::{Connection, Protocol, Step};
use crate::config::Limits;
use crate::net::Stream;

/// How far the end of a connection has come, before [`Protocol::Discarding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It is not closing.
    No,
    /// The last output is on its way, and nothing more is parsed.
    Flushing,
    /// The same, and the peer may be in the middle of something that was refused: wait for its FIN.
    FlushingRefusal,
}

/// What the end of a connection asks for next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing now.
    Wait,
    /// Free it.
    Free,
    /// Its write half is shut: discard input for at most `discard_for`.
    Discard,
}

/// Takes the next step of closing, when the output is flushed.
pub fn advance<S: Stream>(conn: &mut Connection<S>, limits: &Limits) -> Next {
    let is_over = match &conn.protocol {
        Protocol::Http(_) => conn.closing != Closing::No,
        Protocol::Ws(ws) => ws.is_finished() || conn.input.has_ended(),
        Protocol::Upstream(_) | Protocol::Discarding(_) => false,
    };
    if !is_over || !conn.is_flushed() {
        return Next::Wait;
    }
    let has_unread = conn.input.is_readable() || !conn.kept.is_empty();
    let may_send_more = has_unread || conn.closing == Closing::FlushingRefusal;
    if !may_send_more || conn.input.has_ended() {
        return Next::Free;
    }
    if let Some(stream) = &mut conn.stream {
        stream.shutdown_write();
    }
    conn.kept = Vec::new();
    conn.closing = Closing::No;
    conn.protocol = Protocol::Discarding(limits.discard_bytes_max);
    Next::Discard
}

/// A step of a connection whose input is thrown away, of which `left` bytes are still accepted.
pub fn discard(left: &mut usize, bytes: usize) -> (usize, Step<'static>) {
    *left = left.saturating_sub(bytes);
    match (bytes, *left) {
        (0, _) => (0, Step::Starved),
        (_, 0) => (bytes, Step::Over),
        _ => (bytes, Step::Quiet),
    }
}
