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

/// Time without a response after which that is said: a server that keeps its connections may hold back an end that the load
/// waits for.
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
    /// What is measured is of this length, or has so many requests.
    goal: Goal,
    /// Distance of the lines of `ab`, and the count at the next one.
    every: u64,
    next: u64,
    done: u64,
    has_hinted: bool,
    /// When the last line was drawn.
    drawn: Instant,
    /// CPU time of this program when the last line was drawn.
    cpu: Option<Duration>,
}

/// What a run has to reach.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    Requests(usize),
    Time { warmup: Duration, measured: Duration },
}

impl View {
    /// A view for a run that begins now; a quiet one shows nothing.
    pub fn new(goal: Goal, is_quiet: bool) -> View {
        let form = match goal {
            _ if is_quiet => Form::Nothing,
            Goal::Requests(requests) if requests <= SILENT_UP_TO => Form::Nothing,
            _ if io::stderr().is_terminal() => Form::Redrawn,
            Goal::Requests(_) => Form::Tenths,
            Goal::Time { .. } => Form::Seconds,
        };
        let every = match goal {
            Goal::Requests(requests) => (requests as u64 / 10).max(100),
            Goal::Time { .. } => u64::MAX,
        };
        let began = Instant::now();
        View { form, began, drawn: began, goal, every, next: every, done: 0, has_hinted: false, cpu: own::cpu_time() }
    }

    /// Whether nothing is shown.
    pub fn is_silent(&self) -> bool {
        self.form == Form::Nothing
    }

    /// Ten times a second: so much is done.
    pub fn look(&mut self, done: u64) {
        self.done = done;
        if done == 0 && !self.is_silent() && !self.has_hinted && self.began.elapsed() >= HINT_AFTER {
            self.has_hinted = true;
            note("No response is whole yet. If the server keeps connections and sends no length, use -k or --http1.1.");
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
        self.drawn = Instant::now();
        let now = own::cpu_time();
        let cpu = now.zip(self.cpu).map(|(now, before)| now.saturating_sub(before));
        let line = line(interval, self.share(), cpu);
        self.cpu = now;
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
            Goal::Time { warmup, measured } => self.began.elapsed().as_secs_f64() / (warmup + measured).as_secs_f64(),
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

/// One interval as a line.
fn line(interval: &Interval, share: f64, cpu: Option<Duration>) -> String {
    let Interval { length, succeeded, failed, p50, p99, .. } = *interval;
    let seconds = length.as_secs_f64().max(f64::MIN_POSITIVE);
    let [p50, p99] = [p50, p99].map(|micros| micros as f64 / 1000.0);
    let cpu = cpu.map_or(String::new(), |cpu| format!("  own CPU {:.0} %", cpu.as_secs_f64() / seconds * 100.0));
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
        let cpu = Some(Duration::from_millis(215));
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
