//! A long run of bytes, in blocks.
//!
//! ```text
//! push ─▶ │ block │ block │ block │ ─▶ handed on, sent, freed: one block after the other
//! ```
//!
//! It is not moved when it grows, not copied when it is handed on, and not freed all at once. Each of these, with
//! 16 MiB, takes milliseconds in which everybody waits.

use std::collections::VecDeque;

/// Bytes of a block. One that is written at once may be longer; the last one may be shorter.
pub const BLOCK_BYTES: usize = 64 << 10;

/// Bytes in order. Without any, it owns no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Empty only if nothing is behind it.
    front: Vec<u8>,
    /// None of them is empty.
    behind: VecDeque<Vec<u8>>,
    length: usize,
}

impl Blocks {
    /// Appends a copy of `bytes`.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            let block = self.with_room();
            let (piece, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - block.len()));
            // Doubled, so that many small pieces are not copied many times.
            let wanted = (block.len() + piece.len()).max((2 * block.capacity()).min(BLOCK_BYTES));
            if block.capacity() < block.len() + piece.len() {
                block.reserve_exact(wanted - block.len());
            }
            block.extend_from_slice(piece);
            bytes = rest;
        }
    }

    /// Lets `encode` append to the last block, or to a new one if that is full.
    pub fn write<R>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let block = self.with_room();
        let before = block.len();
        let encoded = encode(block);
        self.length += block.len() - before;
        if self.behind.back().is_some_and(Vec::is_empty) {
            self.behind.pop_back();
        }
        encoded
    }

    /// Appends all of `more`, as it lies.
    pub fn append(&mut self, mut more: Blocks) {
        if self.is_empty() {
            *self = more;
            return;
        }
        if more.is_empty() {
            return;
        }
        self.length += more.length;
        self.behind.push_back(more.front);
        self.behind.append(&mut more.behind);
    }

    /// The first block; empty if there is nothing.
    pub fn front(&self) -> &[u8] {
        &self.front
    }

    /// Forgets the first block.
    pub fn drop_front(&mut self) {
        self.length -= self.front.len();
        self.front = self.behind.pop_front().unwrap_or_default();
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Memory, bytes.
    pub fn held(&self) -> usize {
        self.front.capacity() + self.behind.iter().map(Vec::capacity).sum::<usize>()
    }

    /// All of it, if it lies together.
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.behind.is_empty().then_some(&self.front)
    }

    /// The blocks, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.front).chain(&self.behind).map(Vec::as_slice)
    }

    /// A copy that lies together.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.length);
        self.iter().for_each(|block| all.extend_from_slice(block));
        all
    }

    /// The last block, or a new one behind it if that is full.
    fn with_room(&mut self) -> &mut Vec<u8> {
        if self.behind.back().unwrap_or(&self.front).len() >= BLOCK_BYTES {
            self.behind.push_back(Vec::new());
        }
        self.behind.back_mut().unwrap_or(&mut self.front)
    }
}

#[cfg(test)]
impl From<&str> for Blocks {
    fn from(text: &str) -> Blocks {
        let mut blocks = Blocks::default();
        blocks.push(text.as_bytes());
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_grows_is_not_moved_and_owns_little_more_than_it_holds() {
        let mut blocks = Blocks::default();
        let piece = [7; 1000];
        for n in 1..=1000 {
            blocks.push(&piece);
            assert_eq!(blocks.len(), n * 1000);
            assert!(blocks.held() <= (2 * blocks.len()).min(blocks.len() + BLOCK_BYTES), "{n}: {}", blocks.held());
        }
        assert_eq!((blocks.contiguous(), blocks.front().len()), (None, BLOCK_BYTES));
        let (length, at) = (blocks.len(), blocks.front().as_ptr());
        let mut other = Blocks::default();
        other.push(b"before");
        other.append(blocks);
        other.drop_front();
        assert_eq!((other.len(), other.front().as_ptr()), (length, at), "handed on as it lies");
    }

    #[test]
    fn a_block_is_freed_as_soon_as_it_is_dropped() {
        let mut blocks = Blocks::default();
        blocks.push(&[7; 3 * BLOCK_BYTES + 1]);
        for left in [3, 2, 1] {
            assert!(blocks.held() >= left * BLOCK_BYTES + 1 && blocks.held() <= (left + 1) * BLOCK_BYTES);
            blocks.drop_front();
        }
        assert_eq!(blocks.contiguous(), Some(&[7][..]));
        blocks.drop_front();
        assert_eq!((blocks.is_empty(), blocks.held(), blocks.contiguous()), (true, 0, Some(&[][..])));
    }

    #[derive(Debug, Clone)]
    enum Act {
        Push(usize),
        Write(usize),
        Append(usize),
        DropFront,
    }

    fn act() -> impl Strategy<Value = Act> {
        let size = || prop_oneof![Just(0), 1..100_usize, Just(BLOCK_BYTES), 0..3 * BLOCK_BYTES];
        prop_oneof![
            size().prop_map(Act::Push),
            size().prop_map(Act::Write),
            size().prop_map(Act::Append),
            Just(Act::DropFront)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn blocks_give_the_bytes_that_a_queue_gives(acts in proptest::collection::vec(act(), 0..20)) {
            let (mut blocks, mut model, mut next) = (Blocks::default(), VecDeque::new(), 0_u8);
            let mut fresh = |n: usize| -> Vec<u8> {
                next = next.wrapping_add(1);
                vec![next; n]
            };
            for act in acts {
                match act {
                    Act::Push(n) => {
                        let bytes = fresh(n);
                        blocks.push(&bytes);
                        model.extend(bytes);
                    }
                    Act::Write(n) => {
                        let bytes = fresh(n);
                        blocks.write(|out| out.extend_from_slice(&bytes));
                        model.extend(bytes);
                    }
                    Act::Append(n) => {
                        let bytes = fresh(n);
                        let mut more = Blocks::default();
                        more.push(&bytes);
                        blocks.append(more);
                        model.extend(bytes);
                    }
                    Act::DropFront => {
                        let front = blocks.front().len();
                        prop_assert!(blocks.front().iter().eq(model.iter().take(front)));
                        blocks.drop_front();
                        model.drain(..front);
                    }
                }
                prop_assert_eq!(blocks.len(), model.len());
                prop_assert!(blocks.is_empty() || blocks.iter().all(|block| !block.is_empty()));
            }
            prop_assert_eq!(blocks.to_vec(), Vec::from(model));
        }
    }
}
