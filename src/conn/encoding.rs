//! The encodings of a room's log.

/// What the bytes of a log are. A room has one log for each encoding, and a message is encoded once for all readers of
/// one log, by its encoder in `reactor/codecs.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// WebSocket frames.
    Frames,
    /// WebSocket frames, of which long ones are compressed.
    DeflatedFrames,
    /// Server-Sent Events, each of them one chunk of a chunked body.
    EventChunks,
    /// Server-Sent Events, as they are: the body ends with the connection.
    Events,
}

impl Encoding {
    /// All of them, in the order of their numbers.
    pub const ALL: [Encoding; 4] =
        [Encoding::Frames, Encoding::DeflatedFrames, Encoding::EventChunks, Encoding::Events];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_has_its_number() {
        assert!(Encoding::ALL.into_iter().enumerate().all(|(n, encoding)| n == encoding as usize));
    }
}
