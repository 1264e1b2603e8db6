//! A seam for tests: writes of the store that fail, at random and from a seed.

use rusqlite::{Error, ffi};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The results that a disk may give to a write.
const RESULTS: [i32; 4] = [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_READONLY];

/// Makes writes of a [`Sqlite`](super::Sqlite) fail as if the disk did: the begin of a transaction, an append, a commit, a
/// checkpoint. Clones are one plan, so a test changes it while the store runs. The default lets every write pass.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Plan>);

#[derive(Debug, Default)]
struct Plan {
    /// One of this many writes fails; 0: none.
    one_in: AtomicU32,
    /// Writes that pass before that.
    passing: AtomicU32,
    state: AtomicU64,
}

impl Faults {
    /// One of `one_in` writes fails, from now on, in an order that follows from `seed`; with 0 none.
    pub fn seeded(seed: u64, one_in: u32) -> Faults {
        Faults(Arc::new(Plan { one_in: one_in.into(), passing: 0.into(), state: seed.into() }))
    }

    /// From now on one of `one_in` writes fails; with 0 none, with 1 all.
    pub fn set(&self, one_in: u32) {
        self.0.one_in.store(one_in, Ordering::Relaxed);
    }

    /// The next `passing` writes pass, and all behind them fail.
    pub fn fail_after(&self, passing: u32) {
        self.0.passing.store(passing, Ordering::Relaxed);
        self.set(1);
    }

    /// Fails if the next write is to fail.
    pub(super) fn strike(&self) -> Result<(), Error> {
        let one_in = self.0.one_in.load(Ordering::Relaxed);
        if one_in == 0 {
            return Ok(());
        }
        let is_passing = self.0.passing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if is_passing.is_ok() {
            return Ok(());
        }
        // The numbers of Knuth's MMIX; its high bits are good enough for a choice.
        let next = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn =
            next(self.0.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |s| Some(next(s))).unwrap_or(0));
        if (drawn >> 33) % u64::from(one_in) != 0 {
            return Ok(());
        }
        let result = RESULTS[(drawn >> 60) as usize % RESULTS.len()];
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(result), Some("a fault of the test".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_follow_from_their_seed() {
        let some = |seed, one_in| {
            let faults = Faults::seeded(seed, one_in);
            (0..1000).map(|_| faults.strike().is_err()).collect::<Vec<_>>()
        };
        assert_eq!(some(1, 10), some(1, 10));
        assert_ne!(some(1, 10), some(2, 10));
        let failed = some(1, 10).into_iter().filter(|&failed| failed).count();
        assert!((50..200).contains(&failed), "{failed} of 1,000");
        assert!(some(1, 1).into_iter().all(|failed| failed) && !some(1, 0).into_iter().any(|failed| failed));
        let faults = Faults::default();
        faults.fail_after(2);
        assert_eq!([0; 4].map(|_| faults.strike().is_err()), [false, false, true, true]);
    }
}
