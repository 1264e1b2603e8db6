//! Bytes that a socket would not take yet.
//!
//! Empty nearly always, and then it owns no memory. Counted are the bytes still to be sent, not those it has held.

use crate::blocks::Blocks;

/// The unsent tail of one connection's output; one pointer while there is none.
#[derive(Debug, Default)]
pub struct Outbox {
    /// `None` nearly always; of what is there, something is unsent.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Blocks,
    /// Bytes of the first block that are with the socket; fewer than it has.
    sent: usize,
}

impl Outbox {
    /// Appends behind whatever waits already.
    pub fn push(&mut self, bytes: &[u8]) {
        self.write(|out| out.extend_from_slice(bytes));
    }

    /// Lets `encode` append behind whatever waits already.
    pub fn write<R>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let encoded = self.waiting.get_or_insert_default().bytes.write(encode);
        self.sent(0);
        encoded
    }

    /// Appends `bytes` as they lie, without copying.
    pub fn append(&mut self, bytes: Blocks) {
        self.waiting.get_or_insert_default().bytes.append(bytes);
        self.sent(0);
    }

    /// Bytes that still have to be sent.
    pub fn unsent(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes.len() - waiting.sent)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Memory held, bytes.
    pub fn held(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes.held())
    }

    /// The bytes to write next, as many as lie together. Call [`Outbox::sent`] with what was taken of them.
    pub fn next(&self) -> &[u8] {
        self.waiting.as_ref().map_or(&[], |waiting| &waiting.bytes.front()[waiting.sent..])
    }

    /// A write took `n` bytes of what [`Outbox::next`] gave. Their memory goes with the last of a block.
    pub fn sent(&mut self, n: usize) {
        let Some(waiting) = &mut self.waiting else { return };
        waiting.sent += n;
        if waiting.sent == waiting.bytes.front().len() {
            waiting.bytes.drop_front();
            waiting.sent = 0;
            if waiting.bytes.is_empty() {
                self.waiting = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::BLOCK_BYTES;

    #[test]
    fn an_empty_outbox_owns_no_memory() {
        let mut outbox = Outbox::default();
        outbox.push(b"hello ");
        assert_eq!(outbox.next(), b"hello ");
        outbox.sent(4);
        outbox.push(b"world");
        assert_eq!((outbox.next(), outbox.unsent()), (&b"o world"[..], 7));
        outbox.sent(7);
        assert!(outbox.is_empty());
        assert!(outbox.waiting.is_none());
        outbox.push(b"");
        outbox.append(Blocks::default());
        assert!(outbox.is_empty() && outbox.waiting.is_none());
        assert_eq!(size_of::<Outbox>(), size_of::<usize>());
    }

    #[test]
    fn what_was_sent_does_not_pile_up_in_front_of_the_rest() {
        let mut outbox = Outbox::default();
        outbox.push(&[1; 1000]);
        for _ in 0..1000 {
            outbox.push(&[2; 999]);
            outbox.sent(outbox.next().len().min(1000));
            assert!(outbox.held() < 3 * BLOCK_BYTES, "{}", outbox.held());
        }
    }

    #[test]
    fn a_long_message_goes_out_in_its_place_block_by_block() {
        let mut long = Blocks::default();
        long.push(&[7; 2 * BLOCK_BYTES]);
        let mut outbox = Outbox::default();
        outbox.push(b"head");
        outbox.append(long);
        outbox.push(b"tail");
        assert_eq!((outbox.next(), outbox.unsent()), (&b"head"[..], 2 * BLOCK_BYTES + 8));
        outbox.sent(4);
        for left in [2, 1] {
            assert_eq!((outbox.next().len(), outbox.held() / BLOCK_BYTES), (BLOCK_BYTES, left));
            outbox.sent(BLOCK_BYTES);
        }
        assert_eq!((outbox.next(), outbox.unsent()), (&b"tail"[..], 4));
    }
}
