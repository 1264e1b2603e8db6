//! When requests begin: as soon as a connection is idle (a closed loop), or on a schedule (an open loop).
//!
//! A closed loop waits for the server: while that stalls, no further request begins, so a stall of a second is a few slow
//! requests, though many users would have waited (*coordinated omission*). A schedule goes on: a request that is due while
//! no connection is idle waits, and its clock runs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Moments at equal distances, of which this thread has every `stride`-th.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Requests a second of all threads.
    pub rate: f64,
    /// The first request of this thread in the list of all.
    pub first: u64,
    /// The number of threads.
    pub stride: u64,
}

impl Schedule {
    /// When request `n` of this thread is due.
    pub fn due(&self, began: Instant, n: u64) -> Instant {
        let place = n.saturating_mul(self.stride).saturating_add(self.first);
        let nanos = place as f64 * 1e9 / self.rate;
        // A float that is too large becomes the largest integer. The clock of every system has room for that.
        began.checked_add(Duration::from_nanos(nanos as u64)).unwrap_or(began)
    }

    /// How many requests of this thread are due before `now`.
    pub fn due_before(&self, began: Instant, now: Instant) -> u64 {
        let places = now.saturating_duration_since(began).as_secs_f64() * self.rate;
        // The estimate may be one off.
        let mut n = ((places as u64).saturating_sub(self.first) / self.stride.max(1)).saturating_sub(1);
        while self.due(began, n) < now {
            n += 1;
        }
        n
    }
}

/// The slots that could send a request, the longest idle first; each at most once.
#[derive(Debug)]
pub struct Idle {
    list: VecDeque<usize>,
    /// Whether a slot is in the list.
    marks: Vec<bool>,
}

impl Idle {
    /// No slot is idle yet.
    pub fn new(slots: usize) -> Idle {
        Idle { list: VecDeque::new(), marks: vec![false; slots] }
    }

    /// The slot could send a request.
    pub fn push(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.marks[slot], true) {
            self.list.push_back(slot);
        }
    }

    /// The next slot to send one.
    pub fn pop(&mut self) -> Option<usize> {
        let slot = self.list.pop_front()?;
        self.marks[slot] = false;
        Some(slot)
    }

    /// The slot that is idle for the longest time.
    pub fn front(&self) -> Option<usize> {
        self.list.front().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_one_schedule_in_turn() {
        let began = Instant::now();
        let of = |first| Schedule { rate: 1000.0, first, stride: 2 };
        let millis = |schedule: Schedule, n| schedule.due(began, n).duration_since(began).as_millis();
        assert_eq!([0, 1, 2].map(|n| millis(of(0), n)), [0, 2, 4]);
        assert_eq!([0, 1, 2].map(|n| millis(of(1), n)), [1, 3, 5]);
    }

    #[test]
    fn what_is_due_before_a_moment_is_counted() {
        let began = Instant::now();
        for (stride, first, expected) in [(1, 0, 1000), (2, 0, 500), (2, 1, 500), (3, 2, 333)] {
            let schedule = Schedule { rate: 1000.0, first, stride };
            assert_eq!(schedule.due_before(began, began + Duration::from_secs(1)), expected, "{stride} {first}");
        }
        let schedule = Schedule { rate: 1000.0, first: 0, stride: 1 };
        assert_eq!([0, 1].map(|nanos| schedule.due_before(began, began + Duration::from_nanos(nanos))), [0, 1]);
    }

    #[test]
    fn a_rate_that_is_too_small_or_too_large_does_not_panic() {
        let began = Instant::now();
        for rate in [f64::MIN_POSITIVE, 1e300] {
            let schedule = Schedule { rate, first: 1, stride: 1 };
            assert!(schedule.due(began, u64::MAX) >= began);
        }
    }

    #[test]
    fn a_slot_is_idle_once() {
        let mut idle = Idle::new(2);
        [1, 0, 1].into_iter().for_each(|slot| idle.push(slot));
        assert_eq!([idle.pop(), idle.pop(), idle.pop()], [Some(1), Some(0), None]);
        idle.push(1);
        assert!(!idle.is_empty());
    }
}
