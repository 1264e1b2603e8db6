//! What is shown while a run goes on, on standard error.
//!
//! On a terminal one line is drawn again and again. Elsewhere there are whole lines: with a number of requests those of
//! `ab`, one for each tenth; with a duration, one a second.

use super::note;
use super::own;
use super::summary::Interval;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Requests up to which nothing is shown.
const SILENT_UP_TO: usize = 150;

/// Time without a response after which the hint is shown.
const HINT_AFTER: Duration = Duration::from_secs(2);

/// An interval that ends sooner after the one before it is not shown.
const REST: Duration = Duration::from_millis(500);

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Nothing,
    /// One line, drawn again.
    Redrawn,
    /// `Completed 100 requests`.
    Tenths,
    /// A line a second.
    Seconds,
}

/// The view of one run.
pub struct View {
    form: Form,
    began: Instant,
    /// The length of what is measured, or its number of requests.
    goal: Goal,
    /// Distance of the lines of `ab`, and the count at the next one.
    every: u64,
    next: u64,
    done: u64,
    /// What is said once if nothing is done for a while.
    hint: Option<&'static str>,
    /// When the last line was drawn.
    drawn: Instant,
    /// CPU time of this program when the last line was drawn.
    cpu: Option<Duration>,
}

/// What a run has to reach.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    Requests(usize),
    /// That is measured.
    Time(Duration),
}

impl View {
    /// A view for a run that begins now; a quiet one shows nothing.
    pub fn new(goal: Goal, is_quiet: bool) -> View {
        let form = match goal {
            _ if is_quiet => Form::Nothing,
            Goal::Requests(requests) if requests <= SILENT_UP_TO => Form::Nothing,
            _ if io::stderr().is_terminal() => Form::Redrawn,
            Goal::Requests(_) => Form::Tenths,
            Goal::Time(_) => Form::Seconds,
        };
        let every = match goal {
            Goal::Requests(requests) => (requests as u64 / 10).max(100),
            Goal::Time(_) => u64::MAX,
        };
        let began = Instant::now();
        View { form, began, drawn: began, goal, every, next: every, done: 0, hint: None, cpu: own::cpu_time() }
    }

    /// Says `hint` if nothing is done for a while.
    pub fn with_hint(self, hint: &'static str) -> View {
        View { hint: Some(hint), ..self }
    }

    /// What is measured begins.
    pub fn begin(&mut self) {
        self.began = Instant::now();
        (self.drawn, self.cpu) = (self.began, own::cpu_time());
    }

    /// Whether nothing is shown.
    pub fn is_silent(&self) -> bool {
        self.form == Form::Nothing
    }

    /// At least ten times a second: the number of requests that are done.
    pub fn look(&mut self, done: u64) {
        self.done = done;
        if done > 0 {
            self.hint = None;
        } else if !self.is_silent() && self.began.elapsed() >= HINT_AFTER {
            self.hint.take().into_iter().for_each(note);
        }
        while self.form == Form::Tenths && done >= self.next {
            note(&format!("Completed {} requests", self.next));
            self.next += self.every;
        }
    }

    /// An interval is complete.
    pub fn interval(&mut self, interval: &Interval) {
        // The rest of a second at the end of a run says nothing.
        let is_rest = self.drawn.elapsed() < REST;
        if is_rest || !matches!(self.form, Form::Redrawn | Form::Seconds) {
            return;
        }
        let now = own::cpu_time();
        let cpu = now.zip(self.cpu).map(|(now, before)| now.saturating_sub(before));
        let line = line(interval, self.share(), cpu.map(|cpu| cpu.as_secs_f64() / self.drawn.elapsed().as_secs_f64()));
        (self.cpu, self.drawn) = (now, Instant::now());
        match self.form {
            // To the first column, and nothing behind the text (ECMA-48).
            Form::Redrawn => drop(write!(io::stderr(), "\r{line}\x1b[K")),
            _ => note(&line),
        }
    }

    /// The part of the run that is done, 0 to 1.
    fn share(&self) -> f64 {
        let share = match self.goal {
            Goal::Requests(requests) => self.done as f64 / requests.max(1) as f64,
            Goal::Time(measured) => self.began.elapsed().as_secs_f64() / measured.as_secs_f64(),
        };
        share.clamp(0.0, 1.0)
    }

    /// The run is over.
    pub fn end(&self, done: u64) {
        match self.form {
            Form::Nothing | Form::Seconds => {}
            Form::Redrawn => drop(write!(io::stderr(), "\r\x1b[K")),
            Form::Tenths => note(&format!("Finished {done} requests")),
        }
    }
}

/// One interval as a line: `share` of the run is done, and the load itself has used `cpu` of a core.
fn line(interval: &Interval, share: f64, cpu: Option<f64>) -> String {
    let Interval { length, succeeded, failed, p50, p99, .. } = *interval;
    let seconds = length.as_secs_f64().max(f64::MIN_POSITIVE);
    let [p50, p99] = [p50, p99].map(|micros| micros as f64 / 1000.0);
    let cpu = cpu.map_or(String::new(), |cpu| format!("  own CPU {:.0} %", cpu * 100.0));
    let (share, rate) = (share * 100.0, succeeded as f64 / seconds);
    format!("{share:>3.0} %  {rate:>8.0}/s  p50 {p50:.3} ms  p99 {p99:.3} ms  {failed} failed{cpu}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_rate_percentiles_failures_and_share() {
        let length = Duration::from_millis(500);
        let (at, succeeded, failed) = (Duration::ZERO, 100, 2);
        let interval = Interval { at, length, succeeded, failed, p50: 500, p90: 900, p99: 990, p99_9: 999 };
        let cpu = Some(0.43);
        assert_eq!(line(&interval, 0.5, cpu), " 50 %       200/s  p50 0.500 ms  p99 0.990 ms  2 failed  own CPU 43 %");
        let nothing = Interval { succeeded: 0, failed: 0, p50: 0, p99: 0, ..interval };
        assert_eq!(line(&nothing, 1.0, None), "100 %         0/s  p50 0.000 ms  p99 0.000 ms  0 failed");
    }

    #[test]
    fn a_quiet_or_small_run_shows_nothing() {
        assert!(View::new(Goal::Requests(150), false).is_silent());
        assert!(View::new(Goal::Requests(1000), true).is_silent());
        assert!(!View::new(Goal::Requests(151), false).is_silent());
    }
}
