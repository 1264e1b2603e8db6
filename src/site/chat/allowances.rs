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

    /// Takes as much as there is, at most `most`; returns how much, at least one.
    ///
    /// # Errors
    /// There is none: the time until there is one.
    pub fn take_up_to(&mut self, most: u8, key: K, now: Instant) -> Result<u8, Duration> {
        if self.rate.messages <= 0.0 {
            return Ok(most);
        }
        let rate = self.rate;
        if let Some(allowance) = self.known.get_mut(&key) {
            return allowance.take_up_to(most, &rate, now);
        }
        match self.has_place(now) {
            true => self.known.entry(key).or_insert_with(|| Allowance::full(&rate, now)).take_up_to(most, &rate, now),
            false => self.shared.take_up_to(most, &rate, now),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// There is none: the time until there is one.
    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        self.take_up_to(1, key, now).map(drop)
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

    #[test]
    fn each_key_has_its_own_allowance() {
        let now = Instant::now();
        let mut all = allowances(now);
        assert_eq!([all.take_up_to(2, 1, now), all.take_up_to(2, 1, now)], [Ok(2), Ok(1)], "as much as there is");
        assert_eq!(all.take(1, now), Err(Duration::from_secs(1)));
        assert_eq!(all.take(2, now), Ok(()));
        all.add_stall(Duration::from_secs(2));
        assert_eq!(all.take_up_to(9, 1, now), Ok(2));
        assert_eq!(all.take_up_to(9, 2, now), Ok(4), "what a stall has earned stays above the burst");
    }

    #[test]
    fn an_allowance_is_kept_while_it_is_not_full() {
        let now = Instant::now();
        let mut all = allowances(now);
        let mut own = all.remove(&1, now);
        assert_eq!(own.take_up_to(3, &all.rate, now), Ok(3));
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
        assert_eq!(all.take_up_to(200, "any", now), Ok(200));
        let own = all.remove(&"any", now);
        all.put("any", own, now);
        assert!(all.known.is_empty());
    }
}
