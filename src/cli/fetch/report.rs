//! What people and programs read: results on standard output, everything else on standard error.
//!
//! Both are gathered and written once a turn, or whenever a buffer is full: a thousand answers are not a thousand
//! writes, and an answer that nothing follows is not kept back. Where [`Notes`] allow it, one line of progress is
//! redrawn under everything else. A reader that is slow stops the loop, and so in the end the sites: nothing is piled
//! up for it.

use super::json;
use super::notes::Notes;
use super::trip::{Answer, Outcome};
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

/// Bytes gathered before they are written in the middle of a turn.
const GATHERED_BYTES_MAX: usize = 64 << 10;
/// A list up to this length has a line for each target that starts.
const STARTS_MAX: usize = 100;
/// The line of progress is redrawn so often, and a list that is over sooner has none.
pub const REDRAWN_EVERY: Duration = Duration::from_millis(100);
/// Back to the start of the line, and erase it (ECMA-48, EL).
const ERASE_LINE: &[u8] = b"\r\x1b[K";

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Text,
    /// One object a line.
    Json,
}

/// How many are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub targets: usize,
    pub started: usize,
    pub done: usize,
    /// Of those that are done.
    pub failed: usize,
    /// The times of all that are done, added up.
    pub took: Duration,
}

/// The two outputs.
pub struct Report<O: Write, E: Write> {
    results: BufWriter<O>,
    errors: BufWriter<E>,
    style: Style,
    notes: Notes,
    /// The last result did not end its line.
    line_is_open: bool,
    /// Since when this line of progress has been on the screen, if there is one.
    drawn_at: Option<Instant>,
}

impl<O: Write, E: Write> Report<O, E> {
    /// Results in this style to `results`; notes about them to `errors`.
    pub fn new(style: Style, notes: Notes, results: O, errors: E) -> Report<O, E> {
        Report {
            results: BufWriter::with_capacity(GATHERED_BYTES_MAX, results),
            errors: BufWriter::with_capacity(GATHERED_BYTES_MAX, errors),
            style,
            notes,
            line_is_open: false,
            drawn_at: None,
        }
    }

    /// A target starts.
    pub fn started(&mut self, name: &str, tally: &Tally) {
        if self.notes == Notes::Lines && tally.targets <= STARTS_MAX {
            self.note(format_args!("Start fetching {name}\n"));
        }
    }

    /// A target has come to its end.
    ///
    /// # Errors
    /// Results cannot be written, as to a pipe whose reader is gone.
    pub fn ended(&mut self, name: &str, outcome: Outcome) -> io::Result<()> {
        if self.shares_screen() {
            self.erase();
        }
        match (self.style, &outcome.error, &outcome.answer) {
            (Style::Json, ..) => json::write_line(name, outcome, &mut self.results),
            (Style::Text, None, Some(answer)) => self.answered(name, answer, &outcome),
            (Style::Text, why, _) => {
                let (took, place) = (outcome.took.as_secs_f64(), after_redirects(&outcome));
                let why = why.as_deref().unwrap_or("there is no answer");
                self.erase();
                self.note(format_args!("{name}: failed after {took:.3} s: {why}{place}\n"));
                Ok(())
            }
        }
    }

    fn answered(&mut self, name: &str, answer: &Answer, outcome: &Outcome) -> io::Result<()> {
        let out = &mut self.results;
        if std::mem::take(&mut self.line_is_open) {
            out.write_all(b"\n")?;
        }
        writeln!(out, "{name}: {:.3} s", outcome.took.as_secs_f64())?;
        let journey = &answer.journey;
        out.write_all(b" ")?;
        for (phase, took) in [("dns", journey.dns), ("connect", journey.connect), ("tls", journey.tls)] {
            if let Some(took) = took {
                write!(out, " {phase} {} ms,", millis(took))?;
            }
        }
        writeln!(out, " first byte {} ms, total {} ms", millis(journey.first_byte), millis(outcome.took))?;
        if outcome.redirects > 0 {
            writeln!(out, " {}; the phases are its own, the total is of all", after_redirects(outcome))?;
        }
        if let Some(file) = &outcome.file {
            writeln!(out, "  {} bytes in {}", outcome.bytes, file.display())?;
        }
        writeln!(out, "HTTP/1.{} {} {}", answer.minor_version, answer.status, visible(answer.reason.as_bytes()))?;
        for (name, value) in &answer.headers {
            writeln!(out, "{name}: {}", visible(value))?;
        }
        out.write_all(b"\n")?;
        let body = outcome.body.as_deref().unwrap_or_default();
        self.line_is_open = body.last().is_some_and(|&last| last != b'\n');
        out.write_all(body)
    }

    /// The end of a turn: what was gathered goes out, and the line of progress is brought up to date.
    ///
    /// # Errors
    /// Results cannot be written.
    pub fn flush(&mut self, tally: &Tally, began: Instant, now: Instant) -> io::Result<()> {
        self.end_line()?;
        if let Notes::Redrawn { columns, .. } = self.notes
            && now.saturating_duration_since(self.drawn_at.unwrap_or(began)) >= REDRAWN_EVERY
        {
            self.erase();
            self.draw(tally, now.saturating_duration_since(began), columns);
            self.drawn_at = Some(now);
        }
        // On a screen that both share, notes go below the results.
        self.results.flush()?;
        let _ = self.errors.flush();
        Ok(())
    }

    /// Everything is over: what the whole list took, where it is more than one target, or that there was none.
    ///
    /// # Errors
    /// Results cannot be written.
    pub fn close(&mut self, tally: &Tally, took: Duration, one_by_one: bool) -> io::Result<()> {
        self.erase();
        let written = self.end_line().and_then(|()| self.results.flush());
        let (whole, sum) = (took.as_secs_f64(), tally.took.as_secs_f64());
        match tally.targets {
            _ if written.is_err() => {}
            0 => self.note(format_args!("the list is empty\n")),
            1 => {}
            targets if one_by_one => self.note(format_args!("{targets} targets one after the other in {whole:.3} s\n")),
            // At most: a target that is fetched alone does not wait for the others, as they do for each other here.
            targets => self.note(format_args!(
                "{targets} targets in {whole:.3} s; their times add up to {sum:.3} s: doing them at once saved up to \
                 {:.3} s\n",
                tally.took.saturating_sub(took).as_secs_f64()
            )),
        }
        let _ = self.errors.flush();
        written
    }

    fn draw(&mut self, tally: &Tally, took: Duration, columns: usize) {
        let Tally { targets, started, done, failed, .. } = *tally;
        let (under_way, took) = (started - done, took.as_secs_f64());
        let line = format!("{done} of {targets} done, {failed} failed, {under_way} under way, {took:.1} s");
        // A line that wraps is two, and only the second would be erased.
        self.note(format_args!("{:.*}", columns - 1, line));
    }

    fn shares_screen(&self) -> bool {
        matches!(self.notes, Notes::Redrawn { under_results: true, .. })
    }

    /// On a screen that both share, notes must not go behind the end of a body. Elsewhere bodies stay as they are.
    fn end_line(&mut self) -> io::Result<()> {
        match self.shares_screen() && std::mem::take(&mut self.line_is_open) {
            true => self.results.write_all(b"\n"),
            false => Ok(()),
        }
    }

    /// Takes the line of progress away, at once: what follows may go another way to the same screen.
    fn erase(&mut self) {
        if self.drawn_at.take().is_some() {
            let _ = self.errors.write_all(ERASE_LINE);
            let _ = self.errors.flush();
        }
    }

    /// Notes are a courtesy: a closed standard error must not end the fetches.
    fn note(&mut self, what: std::fmt::Arguments) {
        let _ = self.errors.write_fmt(what);
    }
}

/// A site's words without what a terminal would obey: some take U+0080 to U+009F for the beginning of a command.
fn visible(words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    words.chars().map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// ` at URL after N redirects`, or nothing if there were none.
fn after_redirects(outcome: &Outcome) -> String {
    match (&outcome.url, outcome.redirects) {
        (Some(url), 1) => format!(" at {url} after 1 redirect"),
        (Some(url), n @ 2..) => format!(" at {url} after {n} redirects"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
