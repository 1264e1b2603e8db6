//! Bytes that a socket would not take yet.
//!
//! Empty nearly always, and then it owns no memory. Counted are the bytes still to be sent, not those it has held.

use std::io::{self, ErrorKind, Write};

/// Sent bytes in front of the unsent that are moved away when more is pushed.
const SLACK_MAX: usize = 64 << 10;

/// The unsent tail of one connection's output.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Appends behind whatever waits already.
    pub fn push(&mut self, bytes: &[u8]) {
        self.write(|out| out.extend_from_slice(bytes));
    }

    /// Lets `encode` append behind whatever waits already.
    pub fn write<R>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        if self.sent > SLACK_MAX && self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        encode(&mut self.bytes)
    }

    /// Bytes that still have to be sent.
    #[inline]
    pub fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.unsent() == 0
    }

    /// Memory held, bytes.
    #[inline]
    pub fn held(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the place of everything unsent; what was sent stays sent.
    pub fn replace(&mut self, bytes: Vec<u8>) {
        *self = Outbox { bytes, sent: 0 };
    }

    /// Writes until empty (`true`) or until the socket takes no more (`false`: wait for it to be writable).
    ///
    /// # Errors
    /// Whatever the socket says besides `WouldBlock`: the connection is dead.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        while !self.is_empty() {
            match socket.write(&self.bytes[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        *self = Outbox::default();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes, then would block.
    struct Narrow {
        room: usize,
        got: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room);
            self.got.extend_from_slice(&bytes[..n]);
            self.room -= n;
            if n == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(n) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_partial_write_keeps_its_place_and_an_empty_outbox_owns_nothing() {
        let (mut outbox, mut socket) = (Outbox::default(), Narrow { room: 4, got: vec![] });
        outbox.push(b"hello ");
        assert!(!outbox.flush(&mut socket).unwrap());
        outbox.push(b"world");
        assert_eq!(outbox.unsent(), 7);
        socket.room = 100;
        assert!(outbox.flush(&mut socket).unwrap());
        assert_eq!((socket.got.as_slice(), outbox.bytes.capacity()), (&b"hello world"[..], 0));
    }

    #[test]
    fn sent_bytes_do_not_pile_up_in_front_of_unsent_ones() {
        let (mut outbox, mut socket) = (Outbox::default(), Narrow { room: 0, got: vec![] });
        outbox.push(&[1; 1000]);
        for _ in 0..1000 {
            socket.room = 1000;
            outbox.push(&[2; 1000]);
            assert!(!outbox.flush(&mut socket).unwrap());
            assert!(outbox.held() < 3 * SLACK_MAX, "{}", outbox.held());
        }
    }
}
