//! The encoders of the rooms' logs, the compressors of the loop, and the number of sessions that may keep windows of their own.

use crate::config::Limits;
use crate::conn::encoding::Encoding;
use crate::event::Agreement;
use crate::event::Position;
use crate::http::chunked::encode_chunk;
use crate::http::event_stream::encode_event;
use crate::ws::deflate::Codec;
use crate::ws::frame::{self, Opcode};

/// Encodes for all rooms; compresses and inflates for all sessions that keep no window.
pub struct Codecs {
    codec: Codec,
    /// The event that is made a chunk.
    event: Vec<u8>,
    /// Sessions that may keep windows of their own.
    windows: usize,
    windows_max: usize,
}

impl Codecs {
    /// Compressors that are made when they are first needed.
    pub fn new(limits: &Limits) -> Codecs {
        Codecs { codec: Codec::new(&limits.ws), event: Vec::new(), windows: 0, windows_max: limits.deflate_windows_max }
    }

    /// Those that are shared.
    pub fn codec(&mut self) -> &mut Codec {
        &mut self.codec
    }

    /// A session is about to begin. Returns what is agreed on: no windows if too many sessions have them.
    pub fn admit(&mut self, agreement: Agreement) -> Agreement {
        let agreement = if self.windows >= self.windows_max { agreement.to_shared() } else { agreement };
        self.windows += usize::from(agreement.has_own_machines());
        agreement
    }

    /// A session is over, which had windows of its own or not.
    pub fn release(&mut self, had_windows: bool) {
        self.windows -= usize::from(had_windows);
    }

    /// Sessions that may keep windows.
    pub fn windows(&self) -> usize {
        self.windows
    }

    /// Encodes one text message for a room's log in this encoding; `position` is the id of an event.
    pub fn encode_text(&mut self, encoding: Encoding, position: Option<Position>, text: &[u8], out: &mut Vec<u8>) {
        match encoding {
            Encoding::Frames => frame::encode(Opcode::Text, text, out),
            Encoding::DeflatedFrames => self.encode_deflated(text, out),
            Encoding::EventChunks => {
                self.event.clear();
                encode_event(position, text, &mut self.event);
                encode_chunk(&self.event, out);
            }
            Encoding::Events => encode_event(position, text, out),
        }
    }

    fn encode_deflated(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match self.codec.deflate(text) {
            Some(deflated) => frame::encode_compressed(Opcode::Text, deflated, out),
            None => frame::encode(Opcode::Text, text, out),
        }
    }
}
