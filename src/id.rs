//! The names of things that outlive one call: a connection, a room's feed.
//!
//! A [`ConnId`] is a slot of the slab and the generation of its tenant. Events, timers, jobs, fetches and room
//! members all carry it, and all reach the connection through one look-up that may answer `None`.

/// Names one connection, also after it is gone: the slot's next tenant has another generation. The slot is in the higher
/// half, the generation in the lower one: as one word it is moved and compared in one go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(u64);

impl ConnId {
    /// The id of the tenant of `slot` that came as number `generation`.
    ///
    /// # Panics
    /// If the slot does not fit 32 bits: slots are bounded by the limit of open files.
    pub fn new(slot: usize, generation: u32) -> ConnId {
        let slot = u32::try_from(slot).expect("a slot is bounded by the descriptor limit");
        ConnId(u64::from(slot) << 32 | u64::from(generation))
    }

    /// Nobody: no look-up finds it, and nothing outside the slab is called so.
    pub const NOBODY: ConnId = ConnId((u32::MAX as u64) << 32);

    /// A name for something that is no connection, such as number `n` of the targets of `squall fetch`.
    pub fn outside(n: usize) -> ConnId {
        ConnId::new(n, 0)
    }

    /// Whether this was made by [`ConnId::outside`].
    pub fn is_outside(self) -> bool {
        self.generation() == 0
    }

    /// The place in the slab, or the number of something outside it.
    pub fn slot(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Which tenant of the slot is meant.
    pub fn generation(self) -> u32 {
        self.0 as u32
    }
}

impl std::fmt::Debug for ConnId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}.{}", self.slot(), self.generation())
    }
}

/// Names the log of one room in one encoding. Given out by `app::chat`; the server makes the feed at its first Join and
/// drops it with its last reader, under the same id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FeedId(pub u32);
