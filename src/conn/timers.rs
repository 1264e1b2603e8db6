//! One deadline per connection, and a heap that is hardly ever touched.
//!
//! The deadline is a plain field (`Timer::due`). Moving it later only changes the field; moving it earlier pushes a
//! second entry. An entry that comes up and disagrees with the field is moved or dropped. So a kept-alive connection
//! that serves a million requests costs the heap one entry per idle period, not one per request.
//!
//! Times are whole milliseconds since the heap was made; deadlines round up, the present rounds down, so that a wait
//! never ends before its deadline (it would spin).

use crate::id::ConnId;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::{Duration, Instant};

const NEVER: u64 = u64::MAX;
/// Entries that may be stale before the heap is swept; keeps sweeps rare in small servers.
const STALE_MAX: usize = 1024;

/// The deadline of one connection; 16 bytes, lies in the connection.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    due: u64,
    /// The time of the one heap entry that counts; others for the same connection are stale.
    armed: u64,
}

impl Default for Timer {
    fn default() -> Timer {
        Timer { due: NEVER, armed: NEVER }
    }
}

/// The heap of all deadlines.
pub struct Timers {
    epoch: Instant,
    /// The last deadline that was set, and its milliseconds: in one turn most are the same.
    last: (Instant, u64),
    heap: BinaryHeap<Reverse<(u64, ConnId)>>,
}

impl Timers {
    /// A heap whose time starts at `epoch`.
    pub fn new(epoch: Instant) -> Timers {
        Timers { epoch, last: (epoch, 0), heap: BinaryHeap::new() }
    }

    /// Sets the deadline of `id`, whose timer is `timer`.
    pub fn set(&mut self, id: ConnId, timer: &mut Timer, at: Instant) {
        if at != self.last.0 {
            let after = self.after_epoch(at);
            self.last = (at, after.as_secs() * 1000 + u64::from(after.subsec_nanos().div_ceil(1_000_000)));
        }
        timer.due = self.last.1;
        if timer.due < timer.armed {
            timer.armed = timer.due;
            self.heap.push(Reverse((timer.due, id)));
        }
    }

    /// Takes the next entry that is due; [`Timers::fires`] says whether it still means anything.
    pub fn pop(&mut self, now: Instant) -> Option<(ConnId, u64)> {
        let &Reverse((at, id)) = self.heap.peek()?;
        if at > self.after_epoch(now).as_millis() as u64 {
            return None;
        }
        self.heap.pop();
        Some((id, at))
    }

    /// Whether the deadline of `timer` has passed, given its entry for time `at`; if it was moved, arms it again.
    pub fn fires(&mut self, id: ConnId, at: u64, timer: &mut Timer) -> bool {
        if timer.armed != at {
            return false;
        }
        timer.armed = NEVER;
        if timer.due > at {
            timer.armed = timer.due;
            self.heap.push(Reverse((timer.due, id)));
            return false;
        }
        timer.due = NEVER;
        true
    }

    /// How long until the next entry comes up.
    pub fn next_in(&self, now: Instant) -> Option<Duration> {
        let &Reverse((at, _)) = self.heap.peek()?;
        Some(Duration::from_millis(at).saturating_sub(self.after_epoch(now)))
    }

    /// Drops stale entries when they outnumber the living: connections that come and go within one idle time would
    /// otherwise pile up here. `timer_of` returns the timer of a connection that is still there.
    pub fn sweep(&mut self, living: usize, timer_of: impl Fn(ConnId) -> Option<Timer>) {
        if self.heap.len() > 2 * living + STALE_MAX {
            self.heap.retain(|&Reverse((at, id))| timer_of(id).is_some_and(|timer| timer.armed == at));
        }
    }

    /// When `timer` is due, rounded up; `None` if it was never set, or has fired.
    pub fn due(&self, timer: &Timer) -> Option<Instant> {
        (timer.due != NEVER).then(|| self.epoch + Duration::from_millis(timer.due))
    }

    /// The first of these timers that would not fire by its deadline, or has none. Walks the whole heap: for audits.
    pub fn unarmed<'a>(&self, timers: impl Iterator<Item = (ConnId, &'a Timer)>) -> Option<ConnId> {
        let entries: HashSet<(u64, ConnId)> = self.heap.iter().map(|&Reverse(entry)| entry).collect();
        let fires = |id: ConnId, timer: &Timer| timer.armed <= timer.due && entries.contains(&(timer.armed, id));
        timers.into_iter().find(|&(id, timer)| timer.due == NEVER || !fires(id, timer)).map(|(id, _)| id)
    }

    /// Entries in the heap, stale ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn after_epoch(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn fired(timers: &mut Timers, timer: &mut Timer, now: Instant) -> usize {
        let mut count = 0;
        while let Some((id, at)) = timers.pop(now) {
            count += timers.fires(id, at, timer) as usize;
        }
        count
    }

    #[test]
    fn a_later_deadline_does_not_touch_the_heap_and_fires_once() {
        let (start, id) = (Instant::now(), ConnId::new(3, 1));
        let (mut timers, mut timer) = (Timers::new(start), Timer::default());
        for n in 0..1000 {
            timers.set(id, &mut timer, start + ms(100 + n));
        }
        assert_eq!(timers.len(), 1);
        assert_eq!(fired(&mut timers, &mut timer, start + ms(1098)), 0);
        assert_eq!(fired(&mut timers, &mut timer, start + ms(1099)), 1);
        assert!(timers.is_empty());
    }

    #[test]
    fn an_earlier_deadline_replaces_the_later_one() {
        let (start, id) = (Instant::now(), ConnId::new(3, 1));
        let (mut timers, mut timer) = (Timers::new(start), Timer::default());
        timers.set(id, &mut timer, start + ms(500));
        timers.set(id, &mut timer, start + ms(50));
        assert_eq!(timers.next_in(start), Some(ms(50)));
        assert_eq!(fired(&mut timers, &mut timer, start + ms(60)), 1);
        assert_eq!(fired(&mut timers, &mut timer, start + ms(600)), 0);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_wait_never_ends_before_its_deadline() {
        let (start, id) = (Instant::now(), ConnId::new(0, 1));
        let (mut timers, mut timer) = (Timers::new(start), Timer::default());
        timers.set(id, &mut timer, start + Duration::from_micros(1500));
        let wait = timers.next_in(start).unwrap();
        assert!(wait >= Duration::from_micros(1500), "{wait:?}");
        assert_eq!(timers.pop(start + Duration::from_micros(1999)), None);
        assert!(timers.pop(start + wait).is_some());
    }

    #[test]
    fn a_timer_that_would_not_fire_by_its_deadline_is_found() {
        let start = Instant::now();
        let (first, second) = (ConnId::new(0, 1), ConnId::new(1, 2));
        let (mut timers, mut one, mut other) = (Timers::new(start), Timer::default(), Timer::default());
        timers.set(first, &mut one, start + ms(10));
        timers.set(first, &mut one, start + ms(20));
        assert_eq!(timers.due(&one), Some(start + ms(20)));
        assert_eq!((timers.due(&other), timers.unarmed([(second, &other)].into_iter())), (None, Some(second)));
        timers.set(second, &mut other, start + ms(30));
        assert_eq!(timers.unarmed([(first, &one), (second, &other)].into_iter()), None);
        timers.pop(start + ms(10));
        assert_eq!(timers.unarmed([(first, &one), (second, &other)].into_iter()), Some(first), "its entry is lost");
    }

    #[test]
    fn stale_entries_are_swept_when_they_are_many() {
        let start = Instant::now();
        let (mut timers, mut living) = (Timers::new(start), Timer::default());
        timers.set(ConnId::new(0, 1), &mut living, start + ms(10));
        for n in 0..2000 {
            timers.set(ConnId::new(1, 2 + n), &mut Timer::default(), start + ms(20));
            timers.sweep(1, |id| (id.slot() == 0).then_some(living));
        }
        assert!(timers.len() <= STALE_MAX + 3, "{}", timers.len());
        assert_eq!(fired(&mut timers, &mut living, start + ms(10)), 1);
    }
}
