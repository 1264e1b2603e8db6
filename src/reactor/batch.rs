//! Connections that are served together: the read buffer, and what was read ahead into it.
//!
//! A system call leaves little of its caller's code in the nearest caches, and the caller little of the kernel's. One
//! connection at a time pays for that with every call. A batch reads from all, then handles all, then responds to all:
//! each stage but its first call finds everything warm, which saves 10 to 15 % of a request. IX (Belay et al., OSDI 2014)
//! calls this adaptive batching: no connection waits for a batch to fill, and one alone is a batch of one.

use crate::conn::Filled;
use crate::id::ConnId;
use std::ops::Range;

/// Size of the read buffer, bytes. A kept rest is at most one buffer, so it fits where a batch begins; one that waits for
/// more is less than a head or a control frame, so there is room to read on.
pub const READ_BUFFER_BYTES: usize = 64 << 10;

/// One connection of a batch.
pub struct Slice {
    pub id: ConnId,
    /// What was read ahead: its place in the read buffer, and how many bytes of it are new.
    pub ahead: Option<(Range<usize>, usize)>,
}

/// The slices of one batch, and the read buffer that they share.
pub struct Batch {
    pub buffer: Vec<u8>,
    slices: Vec<Slice>,
    /// Bytes of the buffer that were read ahead into.
    used: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch { buffer: vec![0; READ_BUFFER_BYTES], slices: Vec::new(), used: 0 }
    }

    /// Adds a connection of which nothing is read ahead.
    pub fn push(&mut self, id: ConnId) {
        self.slices.push(Slice { id, ahead: None });
    }

    /// Adds a connection with what was read ahead, into [`Batch::free`].
    pub fn push_read(&mut self, id: ConnId, filled: Filled) {
        let start = self.used;
        self.used += filled.end;
        self.slices.push(Slice { id, ahead: Some((start..self.used, filled.fresh)) });
    }

    /// The part of the buffer that is still free.
    pub fn free(&mut self) -> &mut [u8] {
        &mut self.buffer[self.used..]
    }

    /// Whether a connection that may fill this many bytes still fits. The first one always does.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.used == 0 || self.buffer.len() - self.used >= bytes
    }

    /// Connections in the batch.
    pub fn len(&self) -> usize {
        self.slices.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The n-th connection.
    pub fn id(&self, n: usize) -> ConnId {
        self.slices[n].id
    }

    /// The n-th slice, whose turn it is.
    pub fn take(&mut self, n: usize) -> Slice {
        let Slice { id, ahead } = &mut self.slices[n];
        Slice { id: *id, ahead: ahead.take() }
    }

    /// Forgets the slices, keeps the memory.
    pub fn clear(&mut self) {
        self.slices.clear();
        self.used = 0;
    }
}
