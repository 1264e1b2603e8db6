//! A long run of bytes, in blocks.
//!
//! ```text
//! push ─▶ │ block │ block │ block │ ─▶ handed on, sent, freed: one block after the other
//! ```
//!
//! It is not moved when it grows, not copied when it is handed on, and freed block by block as it is sent. Each of
//! these takes milliseconds for 16 MiB at once, in which the loop stands still.
//!
//! Behind the first block the memory is mapped from the kernel, block by block, and goes back there the same way. From
//! the heap it would go back with the last block, all at once (a millisecond), or not at all.

use memmap2::MmapMut;
use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::io;

/// Bytes of a block. One written at once may be longer; the last one may be shorter.
pub const BLOCK_BYTES: usize = 64 << 10;

/// Bytes in order. Empty, it owns no memory.
#[derive(Default)]
pub struct Blocks {
    /// Empty only if nothing is behind it.
    front: Block,
    /// None of them is empty.
    behind: VecDeque<Block>,
    length: usize,
}

enum Block {
    Heap(Vec<u8>),
    /// [`BLOCK_BYTES`] long, and the number of bytes in use.
    Mapped(MmapMut, usize),
}

impl Blocks {
    /// Appends a copy of `bytes`, for a run that may grow long.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            if self.last().len() >= BLOCK_BYTES {
                self.behind.push_back(Block::mapped());
            }
            let last = self.behind.back_mut().unwrap_or(&mut self.front);
            bytes = last.push(bytes);
        }
    }

    /// Lets `encode` append to the last block, or to a new one if that is full.
    pub fn write<R>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let has_room = matches!(self.last(), Block::Heap(bytes) if bytes.len() < BLOCK_BYTES);
        if !has_room {
            self.behind.push_back(Block::default());
        }
        let Block::Heap(bytes) = self.behind.back_mut().unwrap_or(&mut self.front) else { unreachable!("it has room") };
        let before = bytes.len();
        let encoded = encode(bytes);
        self.length += bytes.len() - before;
        if self.behind.back().is_some_and(|block| block.len() == 0) {
            self.behind.pop_back();
        }
        encoded
    }

    /// Appends all of `more` without copying.
    pub fn append(&mut self, mut more: Blocks) {
        if self.is_empty() {
            *self = more;
        } else if !more.is_empty() {
            self.length += more.length;
            self.behind.push_back(more.front);
            self.behind.append(&mut more.behind);
        }
    }

    /// The first block; empty if there is nothing.
    pub fn front(&self) -> &[u8] {
        self.front.bytes()
    }

    /// Drops the first block.
    pub fn drop_front(&mut self) {
        self.length -= self.front.len();
        self.front = self.behind.pop_front().unwrap_or_default();
    }

    /// Total bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Memory held, bytes.
    pub fn held(&self) -> usize {
        self.front.held() + self.behind.iter().map(Block::held).sum::<usize>()
    }

    /// All bytes, if they are in one block.
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.behind.is_empty().then_some(self.front())
    }

    /// The blocks, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.front).chain(&self.behind).map(Block::bytes)
    }

    /// A contiguous copy.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.length);
        self.iter().for_each(|block| all.extend_from_slice(block));
        all
    }

    fn last(&self) -> &Block {
        self.behind.back().unwrap_or(&self.front)
    }
}

impl Block {
    /// An empty block of the kernel's memory; if that is refused, of the heap's.
    fn mapped() -> Block {
        match MmapMut::map_anon(BLOCK_BYTES) {
            Ok(map) => Block::Mapped(map, 0),
            Err(_) => Block::Heap(Vec::with_capacity(BLOCK_BYTES)),
        }
    }

    /// Appends as much as there is room for, at least a byte; returns the rest.
    fn push<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (piece, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.len()));
        match self {
            Block::Heap(block) => {
                let needed = block.len() + piece.len();
                if needed > block.capacity() {
                    // Doubled, or many small pieces would be copied many times.
                    let wanted = needed.max((2 * block.capacity()).min(BLOCK_BYTES));
                    block.reserve_exact(wanted - block.len());
                }
                block.extend_from_slice(piece);
            }
            Block::Mapped(map, used) => {
                map[*used..*used + piece.len()].copy_from_slice(piece);
                *used += piece.len();
            }
        }
        rest
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Block::Heap(bytes) => bytes,
            Block::Mapped(map, used) => &map[..*used],
        }
    }

    fn len(&self) -> usize {
        match self {
            Block::Heap(bytes) => bytes.len(),
            Block::Mapped(_, used) => *used,
        }
    }

    fn held(&self) -> usize {
        match self {
            Block::Heap(bytes) => bytes.capacity(),
            Block::Mapped(map, _) => map.len(),
        }
    }
}

impl Default for Block {
    fn default() -> Block {
        Block::Heap(Vec::new())
    }
}

impl io::Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Clone for Blocks {
    fn clone(&self) -> Blocks {
        let mut copy = Blocks::default();
        self.iter().for_each(|block| copy.push(block));
        copy
    }
}

/// Compares bytes, not blocks.
impl PartialEq for Blocks {
    fn eq(&self, other: &Blocks) -> bool {
        self.length == other.length && self.iter().flatten().eq(other.iter().flatten())
    }
}

impl Eq for Blocks {}

impl Debug for Blocks {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Blocks of {} bytes", self.length)
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
    fn growing_moves_nothing_and_wastes_little() {
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
        assert_eq!((other.len(), other.front().as_ptr()), (length, at), "handed on without a copy");
    }

    #[test]
    fn a_block_is_freed_as_soon_as_it_is_dropped() {
        let mut blocks = Blocks::default();
        blocks.push(&[7; 3 * BLOCK_BYTES + 1]);
        for left in [3, 2, 1] {
            assert_eq!(blocks.held(), (left + 1) * BLOCK_BYTES);
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
        fn blocks_behave_like_a_queue_of_bytes(acts in proptest::collection::vec(act(), 0..20)) {
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
