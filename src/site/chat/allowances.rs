//! Token buckets by a key, in a table that has a maximum.

use super::allowance::{Allowance, Rate};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Keys of one table: of 24 to 32 bytes each.
const KEYS_MAX: usize = 10_000;
/// Time between two searches of a full table for what can be forgotten: a search looks at all of it, about 0.1 ms.
const SEARCH_EVERY: Duration = Duration::from_secs(1);

/// An allowance for each key, all of the same rate.
///
/// A key that is not there has its whole burst. So an allowance that is full can be forgotten, and is when the table is
/// full. If none is, new keys share one allowance.
pub struct Allowances<K> {
    rate: Rate,
    known: HashMap<K, Allowance>,
    shared: Allowance,
    /// When the full table was searched last.
    searched: Option<Instant>,
}

impl<K: Hash + Eq> Allowances<K> {
    /// All of them are full.
    pub fn new(rate: Rate, now: Instant) -> Allowances<K> {
        Allowances { rate, known: HashMap::new(), shared: Allowance::full(&rate, now), searched: None }
    }

    /// Takes one.
    ///
    /// # Errors
    /// There is none: the time until there is one.
    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        let rate = self.rate;
        if rate.messages <= 0.0 {
            return Ok(());
        }
        if let Some(allowance) = self.known.get_mut(&key) {
            return allowance.take(&rate, now);
        }
        match self.has_place(now) {
            true => self.known.entry(key).or_insert_with(|| Allowance::full(&rate, now)).take(&rate, now),
            false => self.shared.take(&rate, now),
        }
    }

    /// Takes out the allowance of a key: full, if there is none.
    pub fn remove(&mut self, key: &K, now: Instant) -> Allowance {
        self.known.remove(key).unwrap_or_else(|| Allowance::full(&self.rate, now))
    }

    /// Puts an allowance under a key, unless it is full or there is no place for it.
    pub fn put(&mut self, key: K, allowance: Allowance, now: Instant) {
        if self.rate.messages > 0.0 && !allowance.is_full(&self.rate, now) && self.has_place(now) {
            self.known.insert(key, allowance);
        }
    }

    /// The process stood still: what came meanwhile, at the rate, comes all at once.
    pub fn add_stall(&mut self, stall: Duration) {
        for allowance in self.known.values_mut() {
            allowance.add_stall(&self.rate, stall);
        }
        self.shared.add_stall(&self.rate, stall);
    }

    /// Whether there is a place for another key. In a full table those that are not needed give theirs.
    fn has_place(&mut self, now: Instant) -> bool {
        let is_searched = |at: Instant| now.saturating_duration_since(at) < SEARCH_EVERY;
        if self.known.len() >= KEYS_MAX && !self.searched.is_some_and(is_searched) {
            self.searched = Some(now);
            let rate = &self.rate;
            self.known.retain(|_, allowance| !allowance.is_full(rate, now));
        }
        self.known.len() < KEYS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowances(now: Instant) -> Allowances<usize> {
        Allowances::new(Rate::new(1.0, 3.0, now), now)
    }

    /// How often a key can take.
    fn taken(all: &mut Allowances<usize>, key: usize, now: Instant) -> usize {
        (0..9).take_while(|_| all.take(key, now).is_ok()).count()
    }

    #[test]
    fn each_key_has_its_own_allowance() {
        let now = Instant::now();
        let mut all = allowances(now);
        assert_eq!(taken(&mut all, 1, now), 3);
        assert_eq!(all.take(1, now), Err(Duration::from_secs(1)));
        assert_eq!(all.take(2, now), Ok(()));
        all.add_stall(Duration::from_secs(2));
        assert_eq!([taken(&mut all, 1, now), taken(&mut all, 2, now)], [2, 4], "above the burst, until it is used");
    }

    #[test]
    fn an_allowance_is_kept_while_it_is_not_full() {
        let now = Instant::now();
        let mut all = allowances(now);
        assert_eq!(taken(&mut all, 1, now), 3);
        let own = all.remove(&1, now);
        assert!(all.known.is_empty());
        all.put(1, own, now);
        assert_eq!(all.take(1, now), Err(Duration::from_secs(1)));
        let own = all.remove(&1, now);
        all.put(1, own, now + Duration::from_secs(3));
        assert!(all.known.is_empty(), "it is full");
    }

    #[test]
    fn a_full_table_forgets_the_full_and_then_new_keys_share() {
        let start = Instant::now();
        let mut all = allowances(start);
        for key in 0..KEYS_MAX {
            assert_eq!(all.take(key, start), Ok(()));
        }
        for _ in 0..3 {
            assert_eq!(all.take(KEYS_MAX, start), Ok(()));
        }
        assert_eq!(all.take(KEYS_MAX + 1, start), Err(Duration::from_secs(1)), "another one has taken all");
        assert_eq!(all.take(0, start), Ok(()), "a known key has its own");
        let later = start + Duration::from_secs(1);
        assert_eq!(all.take(KEYS_MAX + 1, later), Ok(()));
        assert_eq!((all.known.len(), all.known.contains_key(&0)), (2, true), "the others were full again");
    }

    #[test]
    fn without_a_rate_nothing_is_kept() {
        let now = Instant::now();
        let mut all = Allowances::new(Rate::new(0.0, 3.0, now), now);
        assert!((0..100).all(|_| all.take("any", now).is_ok()));
        let own = all.remove(&"any", now);
        all.put("any", own, now);
        assert!(all.known.is_empty());
    }
}
