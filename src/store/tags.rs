//! The tags of new entries.

/// Gives 32 random bits for each entry. They have to differ between two histories that took different ways, and need not
/// be a secret: a seed from the system, and SplitMix64 (Steele, Lea, Flood 2014) behind it.
#[derive(Debug)]
pub struct Tags {
    state: u64,
}

impl Tags {
    /// Tags that follow from `seed`, which must be another one in each process.
    pub fn new(seed: u64) -> Tags {
        Tags { state: seed }
    }

    /// With a seed from the system; without one, from the clock.
    pub fn from_system() -> Tags {
        let mut seed = [0; 8];
        match getrandom::fill(&mut seed) {
            Ok(()) => Tags::new(u64::from_ne_bytes(seed)),
            Err(_) => {
                let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
                Tags::new(since.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32))
            }
        }
    }

    /// The next tag.
    pub fn next_tag(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_from_each_other_and_between_seeds() {
        let some = |seed| {
            let mut tags = Tags::new(seed);
            (0..1000).map(move |_| tags.next_tag()).collect::<Vec<_>>()
        };
        let mut all = [some(1), some(2)].concat();
        assert_eq!(some(1), some(1));
        all.sort_unstable();
        all.dedup();
        assert!(all.len() >= 1999, "two of 2,000 are equal once in 2,000 runs");
        assert_ne!(Tags::from_system().next_tag(), Tags::from_system().next_tag());
    }
}
