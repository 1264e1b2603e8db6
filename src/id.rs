//! The names of things that outlive one call: a connection, a room's feed.
//!
//! A [`ConnId`] is a slot of the slab and the generation of its tenant. Events, timers, jobs, fetches and room members
//! carry it, and reach the connection by a look-up that may return `None`.

/// Names one connection, also after its end: the slot's next tenant has another generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// The index in the slab, or the number of something outside it.
    pub(crate) slot: u32,
    /// The number of the slot's tenant; 0 outside the slab.
    pub(crate) generation: u32,
}

impl ConnId {
    /// The id of the tenant number `generation` of `slot`.
    ///
    /// # Panics
    /// If the slot does not fit 32 bits: slots are bounded by the limit of open files.
    pub fn new(slot: usize, generation: u32) -> ConnId {
        let slot = u32::try_from(slot).expect("a slot is bounded by the descriptor limit");
        ConnId { slot, generation }
    }

    /// No connection: no look-up finds it, and [`ConnId::outside`] never returns it.
    pub const NONE: ConnId = ConnId { slot: u32::MAX, generation: 0 };

    /// The id of something that is no connection, such as slot `n` of `squall fetch`.
    pub fn outside(n: usize) -> ConnId {
        ConnId::new(n, 0)
    }

    /// Whether this was made by [`ConnId::outside`].
    pub fn is_outside(self) -> bool {
        self.generation == 0
    }

    /// The index in the slab, or the number of something outside it.
    pub fn slot(self) -> usize {
        self.slot as usize
    }

    /// The number of the slot's tenant.
    pub fn generation(self) -> u32 {
        self.generation
    }
}

impl std::fmt::Debug for ConnId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}.{}", self.slot, self.generation)
    }
}

/// Names the log of one room in one encoding. The application chooses it; the server makes the feed at its first Join
/// and drops it with its last reader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FeedId(pub u32);
