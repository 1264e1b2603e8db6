//! Which connections are opened when: a bounded number at once, each with a deadline.

use crate::id::ConnId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Connections that are being opened at once, fewer than the backlog of any server (listen(2): often 128).
pub const OPENING_MAX: usize = 100;

/// The slots that wait to be opened, and the deadlines of those that are being opened.
#[derive(Debug)]
pub struct Opener {
    /// Time that one may take.
    within: Duration,
    /// Slots in order, each with the earliest time for its connect.
    waiting: VecDeque<(Instant, usize)>,
    /// Of all that have begun, in their order; most have ended before.
    deadlines: VecDeque<(Instant, ConnId)>,
    under_way: usize,
}

impl Opener {
    /// None waits.
    pub fn new(within: Duration) -> Opener {
        Opener { within, waiting: VecDeque::new(), deadlines: VecDeque::new(), under_way: 0 }
    }

    /// The slot is to be opened, not before `at`, which is no earlier than that of any slot before it.
    pub fn queue(&mut self, slot: usize, at: Instant) {
        self.waiting.push_back((at, slot));
    }

    /// The slot whose turn it is. It counts as under way until [`Opener::ended`].
    pub fn next(&mut self, now: Instant) -> Option<usize> {
        let &(at, slot) = self.waiting.front().filter(|_| self.under_way < OPENING_MAX)?;
        if at > now {
            return None;
        }
        self.waiting.pop_front();
        self.under_way += 1;
        Some(slot)
    }

    /// This connection has begun to open.
    pub fn began(&mut self, id: ConnId, now: Instant) {
        self.deadlines.push_back((now + self.within, id));
    }

    /// The slot whose turn it was could not begin. It is the next again, not before `at`; all others wait behind it.
    pub fn put_back(&mut self, slot: usize, at: Instant) {
        self.under_way -= 1;
        self.waiting.push_front((at, slot));
    }

    /// One that was under way has opened, or failed.
    pub fn ended(&mut self) {
        self.under_way -= 1;
    }

    /// A connection whose time is over. It may have opened or failed long since.
    pub fn late(&mut self, now: Instant) -> Option<ConnId> {
        self.deadlines.front().filter(|(deadline, _)| *deadline <= now)?;
        self.deadlines.pop_front().map(|(_, id)| id)
    }

    /// Whether all that were to be opened have opened or failed.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }

    /// When it is to be looked at again.
    pub fn due(&self) -> Option<Instant> {
        let next = self.waiting.front().filter(|_| self.under_way < OPENING_MAX).map(|(at, _)| *at);
        let late = self.deadlines.front().map(|(deadline, _)| *deadline);
        [next, late].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_number_is_opened_at_once() {
        let (mut opener, now) = (Opener::new(Duration::from_secs(30)), Instant::now());
        (0..OPENING_MAX + 2).for_each(|slot| opener.queue(slot, now));
        let begun: Vec<usize> = std::iter::from_fn(|| opener.next(now)).collect();
        assert_eq!(begun, (0..OPENING_MAX).collect::<Vec<_>>());
        assert_eq!(opener.due(), None, "only the end of one helps");
        opener.ended();
        assert_eq!((opener.next(now), opener.next(now)), (Some(OPENING_MAX), None));
        (0..OPENING_MAX).for_each(|_| opener.ended());
        assert!(!opener.is_done());
        assert_eq!((opener.next(now), opener.is_done()), (Some(OPENING_MAX + 1), false));
        opener.ended();
        assert!(opener.is_done());
    }

    #[test]
    fn one_that_waits_for_a_time_or_has_a_deadline_is_due_then() {
        let (mut opener, now) = (Opener::new(Duration::from_secs(30)), Instant::now());
        let later = now + Duration::from_secs(1);
        opener.queue(3, later);
        assert_eq!((opener.next(now), opener.due()), (None, Some(later)));
        assert_eq!(opener.next(later), Some(3));
        opener.queue(4, later);
        let much_later = later + Duration::from_secs(1);
        opener.put_back(3, much_later);
        assert_eq!((opener.next(later), opener.due()), (None, Some(much_later)));
        assert_eq!((opener.next(much_later), opener.next(much_later)), (Some(3), Some(4)));
        opener.ended();
        opener.began(ConnId::new(3, 1), later);
        let deadline = later + Duration::from_secs(30);
        assert_eq!((opener.due(), opener.late(later)), (Some(deadline), None));
        assert_eq!((opener.late(deadline), opener.late(deadline)), (Some(ConnId::new(3, 1)), None));
    }
}
