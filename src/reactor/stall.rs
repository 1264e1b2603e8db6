//! Stalls: times in which the process did not run, though it had asked to.
//!
//! SIGSTOP, Ctrl+Z, a debugger, a frozen container, swap, or a handler that blocks: afterwards every deadline of that time
//! has passed at once, and what the peers have sent meanwhile still waits in the sockets. No peer is late for that. So
//! the time that was lost is given back, up to `stall_grace`: until then nothing is judged late, input is read, and a
//! ping has the time to be answered.

use crate::config::Limits;
use std::time::{Duration, Instant};

/// A time in which the process did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// It was at least this long: the turn is late by it.
    pub least: Duration,
    /// It was at most this long: since the last turn began.
    pub most: Duration,
}

/// Compares when a turn begins with when the last one asked for it.
#[derive(Debug, Default)]
pub struct StallWatch {
    /// When the last turn began, and how long it let the loop wait; `None` before the first one.
    last: Option<(Instant, Option<Duration>)>,
    patient_until: Option<Instant>,
}

impl StallWatch {
    /// A turn begins. Returns the stall before it; a turn that nothing waited for is never late.
    pub fn begin(&mut self, now: Instant, limits: &Limits) -> Option<Stall> {
        let (last, wait) = self.last?;
        let most = now.saturating_duration_since(last);
        let least = most.saturating_sub(wait?);
        if least < limits.stall_min {
            return None;
        }
        // A shorter stall soon after does not take back what the one before it has given.
        self.patient_until = self.patient_until.max(Some(now + most.min(limits.stall_grace)));
        Some(Stall { least, most })
    }

    /// The turn that began at `now` is over, and asks for the next one after `wait` at the latest.
    pub fn end(&mut self, now: Instant, wait: Option<Duration>) {
        self.last = Some((now, wait));
    }

    /// Until when no peer is judged late; `None`: they are.
    pub fn patient_until(&self, now: Instant) -> Option<Instant> {
        self.patient_until.filter(|&until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_turn_that_is_much_too_late_is_a_stall() {
        let (limits, start) = (Limits::default(), Instant::now());
        let seconds = |n| start + Duration::from_secs_f64(n);
        for (wait, begins, late) in [
            (Some(30.0), 30.0, None),
            (Some(30.0), 12.0, None),
            (Some(30.0), 30.9, None),
            (Some(30.0), 31.0, Some(1.0)),
            (Some(0.0), 3.0, Some(3.0)),
            (None, 1e6, None),
        ] {
            let mut watch = StallWatch::default();
            assert_eq!(watch.begin(start, &limits), None, "the first turn");
            watch.end(start, wait.map(Duration::from_secs_f64));
            let now = seconds(begins);
            let stall = watch.begin(now, &limits);
            assert_eq!(stall.map(|stall| stall.least), late.map(Duration::from_secs_f64), "{wait:?} {begins}");
            assert!(stall.is_none_or(|stall| stall.most == now - start));
            let lost = late.map(|_| (now - start).min(limits.stall_grace));
            assert_eq!(watch.patient_until(now), lost.map(|lost| now + lost));
            assert_eq!(watch.patient_until(now + limits.stall_grace), None);
        }
    }

    #[test]
    fn a_second_stall_takes_no_time_back() {
        let (limits, start) = (Limits::default(), Instant::now());
        let mut watch = StallWatch::default();
        watch.end(start, Some(Duration::ZERO));
        let first = start + Duration::from_secs(60);
        assert!(watch.begin(first, &limits).is_some());
        watch.end(first, Some(Duration::ZERO));
        let second = first + Duration::from_secs(2);
        assert!(watch.begin(second, &limits).is_some());
        assert_eq!(watch.patient_until(second), Some(first + limits.stall_grace));
    }
}
