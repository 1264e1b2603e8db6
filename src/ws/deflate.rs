//! permessage-deflate: compressed WebSocket messages (RFC 7692).
//!
//! ```text
//! Sec-WebSocket-Extensions ─ negotiate ─▶ Agreement ─▶ Compression, one for each session that has agreed
//!                                                          │ borrows
//!                                                        Codec, one for each loop: an inflater and a deflater for all
//! ```
//!
//! A sender that forgets its window between messages (no context takeover) leaves nothing to keep, so one inflater
//! serves all sessions, and a frame that was compressed once can go to a whole room. A session that keeps its windows has
//! machines of its own, once it has used them: about 45 KiB to inflate, 300 KiB to deflate.
//! Output of inflating comes in pieces of at most [`PIECE_BYTES_MAX`](zlib::PIECE_BYTES_MAX): a bomb costs one piece of
//! memory, and each step a bounded time. Built in with the feature `deflate`; without it every offer is declined.

mod machine;

use super::extensions::{self, Extension, Parameter};
use crate::zlib::{self, FULL_WINDOW_BITS};
pub use machine::{Codec, Compression};
use std::fmt::Write;

/// What one direction of a session is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Base-2 logarithm of the window, 9 to 15, if it was spoken of; an offer that names it wants to hear it, 15 as well.
    pub window_bits: Option<u8>,
    /// The window is kept from one message to the next (context takeover).
    pub keeps_window: bool,
}

impl Flow {
    fn bits(self) -> u8 {
        self.window_bits.unwrap_or(FULL_WINDOW_BITS)
    }
}

/// What client and server have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// What the server sends.
    pub server: Flow,
    /// What the client sends.
    pub client: Flow,
    /// The session has no machine of its own: a message that the shared ones cannot compress is sent as it is.
    pub shared: bool,
}

impl Agreement {
    /// The same without windows that are kept, which a server may always ask for (RFC 7692 section 7.1.1).
    pub fn to_shared(self) -> Agreement {
        let forgetful = |flow: Flow| Flow { keeps_window: false, ..flow };
        Agreement { server: forgetful(self.server), client: forgetful(self.client), shared: true }
    }

    /// Whether the session may come to hold machines of its own.
    pub fn has_own_machines(self) -> bool {
        !self.shared && (self.client.keeps_window || !self.is_broadcast())
    }

    /// Whether the client takes frames that were compressed once for all sessions: full window, nothing kept.
    pub fn is_broadcast(self) -> bool {
        self.server.bits() == FULL_WINDOW_BITS && !self.server.keeps_window
    }

    /// The value of the response's Sec-WebSocket-Extensions.
    pub fn to_field(self) -> String {
        let mut field = String::from("permessage-deflate");
        for (side, flow) in [("server", self.server), ("client", self.client)] {
            if !flow.keeps_window {
                let _ = write!(field, "; {side}_no_context_takeover");
            }
            if let Some(bits) = flow.window_bits {
                let _ = write!(field, "; {side}_max_window_bits={bits}");
            }
        }
        field
    }
}

/// Takes the first offer that can be met (RFC 7692 section 5); `values` are those of all Sec-WebSocket-Extensions
/// fields, in order. `shared`: no window is to be kept. `None`: the session is not compressed.
///
/// An offer is declined if it holds a parameter that is unknown, there twice or malformed, or a window of 8 bits, which
/// zlib cannot compress with. Extensions of other names are passed over.
pub fn negotiate<'a>(values: impl Iterator<Item = &'a [u8]>, shared: bool) -> Option<Agreement> {
    if !zlib::IS_BUILT_IN {
        return None;
    }
    let agreement = values.filter_map(extensions::parse).flatten().find_map(|offer| accept(&offer))?;
    Some(if shared { agreement.to_shared() } else { agreement })
}

/// What an offer leads to. `None`: it cannot be met.
fn accept(offer: &Extension) -> Option<Agreement> {
    if offer.name != "permessage-deflate" {
        return None;
    }
    let flow = Flow { window_bits: None, keeps_window: true };
    let (mut server, mut client) = (flow, flow);
    for (n, Parameter { name, value }) in offer.parameters.iter().enumerate() {
        match (*name, *value) {
            _ if offer.parameters[..n].iter().any(|before| before.name == *name) => return None,
            ("server_no_context_takeover", None) => server.keeps_window = false,
            ("client_no_context_takeover", None) => client.keeps_window = false,
            ("server_max_window_bits", Some(bits)) => server.window_bits = Some(window_bits(bits)?),
            ("client_max_window_bits", Some(bits)) => client.window_bits = Some(window_bits(bits)?),
            // The client accepts a limit; the server does not need one.
            ("client_max_window_bits", None) => {}
            _ => return None,
        }
    }
    Some(Agreement { server, client, shared: false })
}

/// 9 to 15, in decimal and without a leading zero (RFC 7692 section 7.1.2).
fn window_bits(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [b'9'] => Some(9),
        [b'1', ones @ b'0'..=b'5'] => Some(10 + ones - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
