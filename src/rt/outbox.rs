//! Bytes that a socket would not take yet.
//!
//! Empty nearly always, and then it owns no memory. Counted are the bytes still to be sent, not those it has held.

/// Sent bytes in front of the unsent that are moved away when more is pushed.
const SLACK_MAX: usize = 64 << 10;

/// The unsent tail of one connection's output; one pointer while there is none.
#[derive(Debug, Default)]
pub struct Outbox {
    /// `None` nearly always; of what is there, something is unsent.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// So many of them are with the socket.
    sent: usize,
}

impl Outbox {
    /// Appends behind whatever waits already.
    pub fn push(&mut self, bytes: &[u8]) {
        self.write(|out| out.extend_from_slice(bytes));
    }

    /// Lets `encode` append behind whatever waits already.
    pub fn write<R>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let Waiting { bytes, sent } = &mut **self.waiting.get_or_insert_default();
        if *sent > SLACK_MAX && *sent > bytes.len() / 2 {
            bytes.drain(..*sent);
            *sent = 0;
        }
        let encoded = encode(bytes);
        self.sent(0);
        encoded
    }

    /// Bytes that still have to be sent.
    #[inline]
    pub fn unsent(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes.len() - waiting.sent)
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Memory held, bytes.
    #[inline]
    pub fn held(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes.capacity())
    }

    /// The bytes to write next, as many as there are. Call [`Outbox::sent`] with what was taken of them.
    #[inline]
    pub fn next(&self) -> &[u8] {
        self.waiting.as_ref().map_or(&[], |waiting| &waiting.bytes[waiting.sent..])
    }

    /// A write took `n` bytes of what [`Outbox::next`] gave. Once all are gone, the memory goes, too.
    pub fn sent(&mut self, n: usize) {
        let Some(waiting) = &mut self.waiting else { return };
        waiting.sent += n;
        if waiting.sent == waiting.bytes.len() {
            self.waiting = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_write_keeps_its_place_and_an_empty_outbox_owns_nothing() {
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
        assert!(outbox.is_empty() && outbox.waiting.is_none());
        assert_eq!(size_of::<Outbox>(), size_of::<usize>());
    }

    #[test]
    fn sent_bytes_do_not_pile_up_in_front_of_unsent_ones() {
        let mut outbox = Outbox::default();
        outbox.push(&[1; 1000]);
        for _ in 0..1000 {
            outbox.push(&[2; 1000]);
            outbox.sent(1000);
            assert!(outbox.held() < 3 * SLACK_MAX, "{}", outbox.held());
        }
    }
}
