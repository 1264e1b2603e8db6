//! Bounds of the parsers.

/// Bounds on the heads and bodies that the parsers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Request line, bytes; over it 414, before the head is complete.
    pub request_line_bytes_max: usize,
    /// Head of a request, bytes; over it 431.
    pub head_bytes_max: usize,
    /// Fields in the head of a request, 100 at most; over it 431.
    pub head_fields_max: usize,
    /// Empty lines before a request (RFC 9112 section 2.2), bytes; over it 400.
    pub blank_bytes_max: usize,
    /// Body of a request without its transfer coding, bytes; over it 413.
    pub body_bytes_max: usize,
    /// Head of a response, bytes. It must lie whole in the caller's buffer.
    pub response_head_bytes_max: usize,
    /// Body of a response without its transfer coding, bytes.
    pub response_body_bytes_max: u64,
    /// Body of a response without its content coding, bytes.
    pub inflated_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_line_bytes_max: 8 << 10,
            head_bytes_max: 16 << 10,
            head_fields_max: 100,
            blank_bytes_max: 1 << 10,
            body_bytes_max: 1 << 20,
            response_head_bytes_max: 32 << 10,
            response_body_bytes_max: 8 << 20,
            inflated_bytes_max: 64 << 20,
        }
    }
}
