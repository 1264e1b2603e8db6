//! Which connections are opened when: a bounded number at once and perhaps a second, each with a deadline.

use crate::id::ConnId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Connections that are being opened at once, fewer than the backlog of any server (listen(2): often 128).
pub const OPENING_MAX: usize = 100;
/// Behind a pause of the loop, at most the connections of this time begin at once: a loop that was busy for a moment keeps
/// its rate, and a stall does not end in a burst.
const CATCHES_UP: Duration = Duration::from_millis(10);

/// The slots that wait to be opened, and the deadlines of those that are being opened.
#[derive(Debug)]
pub struct Opener {
    /// Time that one may take.
    within: Duration,
    /// Time from one to the next, if there is a rate.
    gap: Option<Duration>,
    /// The rate lets the next one begin then.
    not_before: Option<Instant>,
    /// Slots in order, each with the earliest time for its connect.
    waiting: VecDeque<(Instant, usize)>,
    /// Of all that have begun, in their order; most have ended before.
    deadlines: VecDeque<(Instant, ConnId)>,
    under_way: usize,
}

impl Opener {
    /// None waits. `rate` is how many begin a second, at most.
    pub fn new(within: Duration, rate: Option<f64>) -> Opener {
        Opener {
            within,
            gap: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            not_before: None,
            waiting: VecDeque::new(),
            deadlines: VecDeque::new(),
            under_way: 0,
        }
    }

    /// The slot is to be opened, not before `at`, which is no earlier than that of any slot before it.
    pub fn queue(&mut self, slot: usize, at: Instant) {
        self.waiting.push_back((at, slot));
    }

    /// The slot whose turn it is. It counts as under way until [`Opener::ended`].
    pub fn next(&mut self, now: Instant) -> Option<usize> {
        let &(at, slot) = self.waiting.front().filter(|_| self.under_way < OPENING_MAX)?;
        if at > now || self.not_before > Some(now) {
            return None;
        }
        if let Some(gap) = self.gap {
            let due = self.not_before.map(|due| now.checked_sub(CATCHES_UP).map_or(due, |least| due.max(least)));
            self.not_before = Some(due.unwrap_or(now) + gap);
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
        let next = self.waiting.front().filter(|_| self.under_way < OPENING_MAX);
        let next = next.map(|(at, _)| self.not_before.map_or(*at, |time| time.max(*at)));
        let late = self.deadlines.front().map(|(deadline, _)| *deadline);
        [next, late].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spreads_them_evenly() {
        let (mut opener, began) = (Opener::new(Duration::from_secs(30), Some(1000.0)), Instant::now());
        let at = |micros| began + Duration::from_micros(micros);
        (0..30).for_each(|slot| opener.queue(slot, began));
        assert_eq!((opener.next(began), opener.next(began), opener.due()), (Some(0), None, Some(at(1000))));
        assert_eq!((opener.next(at(999)), opener.next(at(1600)), opener.next(at(1999))), (None, Some(1), None));
        assert_eq!((opener.next(at(2000)), opener.due()), (Some(2), Some(at(3000))), "a late one delays no other");
        // A stall of two seconds is no reason for a burst.
        let burst = std::iter::from_fn(|| opener.next(at(2_000_000))).count();
        assert_eq!((burst, opener.due()), (11, Some(at(2_001_000))));
        (0..14).for_each(|_| opener.ended());
        opener.queue(30, at(9_000_000));
        assert_eq!(std::iter::from_fn(|| opener.next(at(2_500_000))).count(), 11);
    }

    #[test]
    fn one_that_could_not_begin_or_tries_again_keeps_to_the_rate() {
        let (mut opener, began) = (Opener::new(Duration::from_secs(30), Some(2.0)), Instant::now());
        let at = |millis| began + Duration::from_millis(millis);
        opener.queue(0, began);
        assert_eq!(opener.next(began), Some(0));
        opener.put_back(0, at(2));
        assert_eq!((opener.next(at(2)), opener.due()), (None, Some(at(500))));
        opener.queue(1, at(800));
        assert_eq!((opener.next(at(500)), opener.due()), (Some(0), Some(at(1000))));
        opener.queue(2, at(1200));
        assert_eq!((opener.next(at(1000)), opener.due()), (Some(1), Some(at(1500))));
    }

    #[test]
    fn a_bounded_number_is_opened_at_once() {
        let (mut opener, now) = (Opener::new(Duration::from_secs(30), None), Instant::now());
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
        let (mut opener, now) = (Opener::new(Duration::from_secs(30), None), Instant::now());
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
