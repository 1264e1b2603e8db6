//! The schedule of `--rate` in a room: message k is due k / rate after the beginning, whatever became of those before it.
//!
//! A message is sent by any sender whose socket has room. While none has, messages that are due wait, and their clocks
//! run: a server that stalls is not spared (coordinated omission). Times are µs since the load began.

use crate::cli::bench::times::Times;

/// The schedule of all senders.
#[derive(Debug)]
pub struct Pace {
    /// Messages a second.
    rate: f64,
    began: u64,
    ended: Option<u64>,
    sent: u64,
    /// A message was due when no sender had room.
    waits: bool,
    /// Messages, from the first on, that were due before a sender had room for them.
    held_up: u64,
    late: Times,
    uncorrected: Times,
}

impl Pace {
    /// `rate` messages a second, from now on.
    pub fn new(rate: f64, now: u64) -> Pace {
        Pace {
            rate,
            began: now,
            ended: None,
            sent: 0,
            waits: false,
            held_up: 0,
            late: Times::default(),
            uncorrected: Times::default(),
        }
    }

    /// When the next message is due; of a schedule that has ended, never.
    pub fn due(&self) -> Option<u64> {
        self.ended.is_none().then(|| self.due_of(self.sent))
    }

    /// The same, unless only an event of a sender's socket helps: a loop that waited for a time that is past would spin.
    pub fn wakes_at(&self) -> Option<u64> {
        self.due().filter(|_| !self.waits)
    }

    /// A sender has room for the message that was due at `due`.
    pub fn send(&mut self, due: u64, now: u64) {
        if self.sent >= self.held_up {
            self.late.record(now.saturating_sub(due));
        }
        self.sent += 1;
        self.waits = false;
    }

    /// No sender has room.
    pub fn hold_up(&mut self, now: u64) {
        self.waits = true;
        self.held_up = self.held_up.max(self.due_by(now));
    }

    /// A message was delivered this long after it was sent, µs.
    pub fn delivered(&mut self, micros: u64) {
        self.uncorrected.record(micros);
    }

    /// Forgets the times so far, which were those of the warm-up.
    pub fn forget(&mut self) {
        (self.late, self.uncorrected) = Default::default();
    }

    /// Nothing more is sent.
    pub fn end(&mut self, now: u64) {
        self.ended.get_or_insert(now);
    }

    /// Messages a second that were asked for.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Messages that were due and were not sent, once the schedule has ended.
    pub fn never_sent(&self) -> u64 {
        self.ended.map_or(0, |ended| self.due_by(ended).saturating_sub(self.sent))
    }

    /// How late messages were sent although a sender had room: the fault of this program.
    pub fn late(&self) -> &Times {
        &self.late
    }

    /// From the moment when they were sent to their deliveries.
    pub fn uncorrected(&self) -> &Times {
        &self.uncorrected
    }

    fn due_of(&self, message: u64) -> u64 {
        self.began + (message as f64 * 1e6 / self.rate) as u64
    }

    /// How many are due before `now`.
    fn due_by(&self, now: u64) -> u64 {
        let count = (now.saturating_sub(self.began) as f64 * self.rate / 1e6).ceil() as u64;
        // Rounding may have added one that is due just then.
        let is_late = count > 0 && self.due_of(count - 1) >= now;
        count - u64::from(is_late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_equal_distances() {
        let mut pace = Pace::new(1000.0, 500);
        for k in 0..3 {
            let due = 500 + 1000 * k;
            assert_eq!(pace.due(), Some(due));
            pace.send(due, due + k);
        }
        assert_eq!((pace.late().count(), pace.late().max()), (3, 2));
        pace.end(3400);
        assert_eq!((pace.due(), pace.never_sent()), (None, 0));
    }

    #[test]
    fn what_is_due_at_the_very_end_is_not_due_before_it() {
        for (rate, end, due) in [(4.0, 1_000_000, 4), (3.3, 10_000_000, 33), (4.0, 1_000_001, 5), (4.0, 0, 0)] {
            let mut pace = Pace::new(rate, 500);
            pace.end(500 + end);
            assert_eq!(pace.never_sent(), due, "{rate} {end}");
        }
    }

    #[test]
    fn a_message_that_found_no_sender_is_not_our_lateness() {
        let mut pace = Pace::new(1000.0, 0);
        pace.send(0, 0);
        pace.hold_up(2500);
        assert_eq!((pace.due(), pace.wakes_at()), (Some(1000), None));
        pace.send(1000, 9000);
        assert_eq!(pace.wakes_at(), Some(2000));
        pace.send(2000, 9000);
        pace.send(3000, 9000);
        assert_eq!((pace.late().count(), pace.late().max()), (2, 6000), "the last one was not held up");
        pace.end(9000);
        assert_eq!(pace.never_sent(), 5);
    }
}
