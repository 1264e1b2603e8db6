//! Bounds of compression.

/// The messages that are worth compressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Shortest message that is compressed, bytes; shorter ones hardly shrink.
    pub deflate_bytes_min: usize,
    /// Longest message that is compressed, bytes. It takes about 6 ms, in which every connection waits.
    pub deflate_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { deflate_bytes_min: 256, deflate_bytes_max: 1 << 20 }
    }
}
