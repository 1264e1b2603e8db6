//! How often passwords are tried: a hash takes tens of milliseconds of a processor.

use crate::id::ConnId;
use crate::site::chat::allowance::{Allowance, Rate};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Attempts a second for each name, in the long run: one in ten seconds tries 8,640 passwords a day.
const ATTEMPTS_PER_SECOND: f64 = 0.1;
/// Attempts at once for each name: a password may be mistyped.
const ATTEMPTS_AT_ONCE: f64 = 5.0;
/// Hashes computed at once: the other threads of the pool read files, and each hash may take 64 MiB.
const HASHES_MAX: usize = 2;
/// Time after which a hash counts as done in any case: its result may never come, when the pool had no place for it.
const HASH_WITHIN: Duration = Duration::from_secs(60);

/// Why a password is not checked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many attempts under this name. The next one is accepted after this time.
    TooFast(Duration),
    /// Too many hashes are under way, under whatever name.
    Busy,
}

/// The attempts of each operator's name, and the hashes under way.
pub struct Guard {
    rate: Rate,
    /// As many as there are operators, at most.
    attempts: HashMap<Box<str>, Allowance>,
    /// By the connections that asked, some of which may be gone.
    hashes: HashMap<ConnId, Instant>,
}

impl Guard {
    /// Nothing was tried; rates count from `now` on.
    pub fn new(now: Instant) -> Guard {
        Guard {
            rate: Rate::new(ATTEMPTS_PER_SECOND, ATTEMPTS_AT_ONCE, now),
            attempts: HashMap::new(),
            hashes: HashMap::new(),
        }
    }

    /// Begins to check a password for the operator `name`.
    ///
    /// # Errors
    /// It is not to be checked now.
    pub fn begin(&mut self, from: ConnId, name: &str, now: Instant) -> Result<(), Refusal> {
        self.hashes.retain(|_, begun| now.saturating_duration_since(*begun) < HASH_WITHIN);
        if self.hashes.len() >= HASHES_MAX {
            return Err(Refusal::Busy);
        }
        let rate = &self.rate;
        let attempts = self.attempts.entry(name.into()).or_insert_with(|| Allowance::full(rate, now));
        attempts.take(rate, now).map_err(Refusal::TooFast)?;
        self.hashes.insert(from, now);
        Ok(())
    }

    /// The hash that this connection has asked for is computed.
    pub fn end(&mut self, from: ConnId) {
        self.hashes.remove(&from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> ConnId {
        ConnId::new(n, 1)
    }

    #[test]
    fn a_name_has_five_attempts_and_then_one_in_ten_seconds() {
        let begun = Instant::now();
        let mut guard = Guard::new(begun);
        let mut attempt = |name: &str, seconds: u64| {
            let began = guard.begin(id(1), name, begun + Duration::from_secs(seconds));
            guard.end(id(1));
            began
        };
        (0..5).for_each(|_| assert_eq!(attempt("ann", 0), Ok(())));
        assert_eq!(attempt("ann", 0), Err(Refusal::TooFast(Duration::from_secs(10))));
        assert_eq!(attempt("bob", 0), Ok(()), "another name has attempts of its own");
        assert!(matches!(attempt("ann", 9), Err(Refusal::TooFast(_))));
        assert_eq!(attempt("ann", 11), Ok(()));
        assert!(matches!(attempt("ann", 12), Err(Refusal::TooFast(_))));
    }

    #[test]
    fn two_hashes_are_computed_at_once() {
        let now = Instant::now();
        let mut guard = Guard::new(now);
        assert_eq!([1, 2].map(|n| guard.begin(id(n), "ann", now)), [Ok(()); 2]);
        assert_eq!(guard.begin(id(3), "bob", now), Err(Refusal::Busy));
        guard.end(id(1));
        assert_eq!(guard.begin(id(3), "bob", now), Ok(()));
        let later = now + HASH_WITHIN;
        assert_eq!(guard.begin(id(4), "bob", later), Ok(()), "results that never came are given up");
    }
}
