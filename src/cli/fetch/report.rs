//! The output: results on standard output, everything else on standard error.
//!
//! Both are buffered and written once a turn, or when a buffer is full: a thousand responses are not a thousand writes,
//! and a single response is not delayed. Where [`Notes`] allow it, one progress line is redrawn under everything else.
//! A slow reader blocks the loop, and so in the end the sites: no output piles up.
//!
//! Progress is by hand: `indicatif` would replace `draw` and `erase` only, and draws on a timer of its own.

use super::json;
use super::notes::Notes;
use super::trip::{FinalHead, Outcome};
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

/// Bytes buffered before they are written within a turn.
const BUFFERED_BYTES_MAX: usize = 64 << 10;
/// Length of a list, targets, up to which each start has a line.
const STARTS_MAX: usize = 100;
/// Interval of the progress line; a list that ends sooner has none.
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

/// The numbers of targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub targets: usize,
    pub started: usize,
    pub done: usize,
    /// Among those that are done.
    pub failed: usize,
    /// The sum of the times of all that are done.
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
    /// When the progress line on the screen was drawn, if there is one.
    drawn_at: Option<Instant>,
}

impl<O: Write, E: Write> Report<O, E> {
    /// Writes results in this style to `results`, notes about them to `errors`.
    pub fn new(style: Style, notes: Notes, results: O, errors: E) -> Report<O, E> {
        Report {
            results: BufWriter::with_capacity(BUFFERED_BYTES_MAX, results),
            errors: BufWriter::with_capacity(BUFFERED_BYTES_MAX, errors),
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

    /// A target has ended.
    ///
    /// # Errors
    /// Results cannot be written, for instance to a closed pipe.
    pub fn ended(&mut self, name: &str, outcome: Outcome) -> io::Result<()> {
        if self.shares_screen() {
            self.erase();
        }
        match (self.style, &outcome.error, &outcome.head) {
            (Style::Json, ..) => json::write_line(name, outcome, &mut self.results),
            (Style::Text, None, Some(head)) => self.responded(name, head, &outcome),
            (Style::Text, why, _) => {
                let (took, behind) = (outcome.took.as_secs_f64(), after_redirects(&outcome));
                let why = why.as_deref().unwrap_or("there is no response");
                self.erase();
                self.note(format_args!("{name}: failed after {took:.3} s: {why}{behind}\n"));
                Ok(())
            }
        }
    }

    fn responded(&mut self, name: &str, head: &FinalHead, outcome: &Outcome) -> io::Result<()> {
        let out = &mut self.results;
        if std::mem::take(&mut self.line_is_open) {
            out.write_all(b"\n")?;
        }
        writeln!(out, "{name}: {:.3} s", outcome.took.as_secs_f64())?;
        let journey = &head.journey;
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
        writeln!(out, "HTTP/1.{} {} {}", head.minor_version, head.status, visible(head.reason.as_bytes()))?;
        for (name, value) in &head.headers {
            writeln!(out, "{name}: {}", visible(value))?;
        }
        out.write_all(b"\n")?;
        let body = outcome.body.as_deref().unwrap_or_default();
        self.line_is_open = body.last().is_some_and(|&last| last != b'\n');
        out.write_all(body)
    }

    /// The end of a turn: writes the buffers, and redraws the progress line if it is due.
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
        // On a shared screen notes go below the results.
        self.results.flush()?;
        let _ = self.errors.flush();
        Ok(())
    }

    /// The end of the list: its time if it has several targets, or a note that it is empty.
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
            // At most: a target that is fetched alone shares no bandwidth.
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

    /// Ends the last line of a body, on a shared screen, where a note would follow it. Elsewhere bodies are unchanged.
    fn end_line(&mut self) -> io::Result<()> {
        match self.shares_screen() && std::mem::take(&mut self.line_is_open) {
            true => self.results.write_all(b"\n"),
            false => Ok(()),
        }
    }

    /// Erases the progress line at once: results may go to the same screen by another descriptor.
    fn erase(&mut self) {
        if self.drawn_at.take().is_some() {
            let _ = self.errors.write_all(ERASE_LINE);
            let _ = self.errors.flush();
        }
    }

    /// Writes a note; a closed standard error must not end the fetches.
    fn note(&mut self, what: std::fmt::Arguments) {
        let _ = self.errors.write_fmt(what);
    }
}

/// A site's text without control characters: some terminals take U+0080 to U+009F for the start of a command.
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
