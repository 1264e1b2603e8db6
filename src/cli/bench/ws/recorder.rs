//! What has ended well in the measured time, and how long it took.

use crate::cli::bench::series::Outcomes;
use crate::cli::bench::times::Times;
use std::time::{Duration, Instant};

/// Records while a run is measured, and nothing before or behind that.
#[derive(Debug)]
pub struct Recorder {
    span: Span,
    /// Times that were handed over.
    all: Times,
    /// Times that are not handed over yet.
    fresh: Times,
    failed: u64,
    /// The last piece was handed over.
    is_told: bool,
}

/// Which part of the run the present is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Before,
    /// Since when it is measured.
    Within(Instant),
    /// Since when it was, and for how long.
    Behind(Instant, Duration),
}

/// What was recorded in a while.
#[derive(Debug)]
pub struct Counted {
    pub latency: Times,
    pub outcomes: Outcomes,
}

impl Recorder {
    /// One that records nothing yet.
    pub fn new() -> Recorder {
        let (all, fresh, failed, is_told) = Default::default();
        Recorder { span: Span::Before, all, fresh, failed, is_told }
    }

    /// The measured time begins.
    pub fn begin(&mut self, now: Instant) {
        self.span = Span::Within(now);
    }

    /// Whether the present is measured.
    pub fn is_on(&self) -> bool {
        matches!(self.span, Span::Within(_))
    }

    /// Something has ended well after this time, µs.
    pub fn record(&mut self, micros: u64) {
        if self.is_on() {
            self.fresh.record(micros);
        }
    }

    /// Something has failed.
    pub fn fail(&mut self) {
        self.failed += u64::from(self.is_on());
    }

    /// Since when the present is measured, or was.
    pub fn began(&self) -> Option<Instant> {
        match self.span {
            Span::Before => None,
            Span::Within(began) | Span::Behind(began, _) => Some(began),
        }
    }

    /// Hands over what was recorded since the last time; `None` where nothing is measured any more.
    pub fn take(&mut self) -> Option<Counted> {
        let is_told = match self.span {
            Span::Before => true,
            Span::Within(_) => false,
            Span::Behind(..) => std::mem::replace(&mut self.is_told, true),
        };
        (!is_told).then(|| {
            let latency = std::mem::take(&mut self.fresh);
            self.all.add(&latency);
            let outcomes = Outcomes { succeeded: latency.count(), failed: std::mem::take(&mut self.failed) };
            Counted { latency, outcomes }
        })
    }

    /// How much has ended well so far.
    pub fn count(&self) -> u64 {
        self.all.count() + self.fresh.count()
    }

    /// The measured time is over.
    pub fn end(&mut self, now: Instant) {
        if let Span::Within(began) = self.span {
            self.span = Span::Behind(began, now.saturating_duration_since(began));
        }
    }

    /// All times of a run that is over, and the length of its measured time.
    pub fn into_times(mut self) -> (Times, Duration) {
        self.all.add(&self.fresh);
        let took = if let Span::Behind(_, took) = self.span { took } else { Duration::ZERO };
        (self.all, took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_measured_time_is_recorded_and_handed_over_once() {
        let (mut recorder, start) = (Recorder::new(), Instant::now());
        let taken = |recorder: &mut Recorder| {
            recorder.take().map(|Counted { latency, outcomes }| (latency.max(), outcomes.succeeded, outcomes.failed))
        };
        recorder.record(1);
        recorder.fail();
        assert_eq!((taken(&mut recorder), recorder.began()), (None, None));
        recorder.begin(start);
        [10, 20].into_iter().for_each(|micros| recorder.record(micros));
        recorder.fail();
        assert_eq!(taken(&mut recorder), Some((20, 2, 1)));
        assert_eq!(taken(&mut recorder), Some((0, 0, 0)), "a second without anything is one, too");
        recorder.record(30);
        recorder.end(start + Duration::from_millis(2500));
        recorder.record(40);
        assert_eq!((recorder.count(), recorder.began()), (3, Some(start)));
        assert_eq!(taken(&mut recorder), Some((30, 1, 0)));
        assert_eq!(taken(&mut recorder), None);
        let (times, took) = recorder.into_times();
        assert_eq!((times.count(), times.max(), took), (3, 30, Duration::from_millis(2500)));
    }
}
