//! `squall verify`: judges a chat by what its clients sent, got acknowledged and saw.
//!
//! ```text
//! journals ── journal ──▶ lines ── room, view, list, sends ──▶ what each client holds
//!                            └──── truth ────────────────────▶ the final history        ── judgement ──▶ report
//! ```
//!
//! It knows nothing of the server: the journals of any chat will do, whose clients write what `src/doc/verify.md` says.
//! Journals are read once, line by line. What is kept is a few numbers for each message, never a text.

mod entry;
mod journal;
mod judgement;
mod list;
mod names;
mod report;
mod room;
mod sends;
mod truth;
mod view;

use crate::config::VerifyArgs;
use journal::Line;
use names::{Name, Names, Place};
use report::{Counts, Report};
use room::Room;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::process::ExitCode;

/// Bytes of one line at most. A welcome with 1,000 messages of 4 KiB, every byte written as an escape, has 24 MiB.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// Judges the journals: success if there is no anomaly, 1 if there are, 2 if a journal cannot be read.
///
/// # Errors
/// The verdict cannot be written.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, String> {
    let files = args.journals.iter().map(|path| names::plain(&path.to_string_lossy())).collect();
    let report = Report::new(BufWriter::new(io::stdout().lock()), args.json, files);
    let mut judge = Judge::new(report);
    for (file, path) in (0..).zip(&args.journals) {
        let input: Box<dyn Read> = match path.as_os_str() == "-" {
            true => Box::new(io::stdin().lock()),
            false => match File::open(path) {
                Ok(file) => Box::new(file),
                Err(e) => return Ok(unreadable(&format!("{}: {e}", path.display()))),
            },
        };
        if let Err(why) = judge.read(file, BufReader::with_capacity(BUFFER_BYTES, input)) {
            return Ok(unreadable(&why));
        }
    }
    match judge.close(args.sparse) {
        Ok(0) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::from(1)),
        Err(End::Unreadable(why)) => Ok(unreadable(&why)),
        // A reader that has ended, as of `| head`, has seen an anomaly or did not want to.
        Err(End::Unwritten(e)) if e.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::from(1)),
        Err(End::Unwritten(e)) => Err(format!("standard output: {e}")),
    }
}

/// Reports why there is no verdict.
fn unreadable(why: &str) -> ExitCode {
    // Nothing is left to do if standard error is closed.
    let _ = writeln!(io::stderr(), "squall verify: {why}");
    ExitCode::from(2)
}

/// Why there is no verdict.
#[derive(Debug)]
enum End {
    /// A sentence about the journals.
    Unreadable(String),
    Unwritten(io::Error),
}

/// Reads journals, and judges them at the end.
struct Judge<W> {
    names: Names,
    rooms: BTreeMap<Name, Room>,
    report: Report<W>,
}

impl<W: Write> Judge<W> {
    fn new(report: Report<W>) -> Judge<W> {
        Judge { names: Names::default(), rooms: BTreeMap::new(), report }
    }

    /// Reads the journal with this index. Empty lines are skipped.
    ///
    /// # Errors
    /// A sentence with the file and the line.
    fn read(&mut self, file: u32, mut input: impl BufRead) -> Result<(), String> {
        let mut bytes = Vec::new();
        for line in 1.. {
            let place = Place { file, line };
            let wrong = |why: String| format!("{}: {why}", self.report.place(place));
            bytes.clear();
            let read = (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
            if read.map_err(|e| wrong(e.to_string()))? == 0 {
                break;
            }
            if bytes.len() as u64 == LINE_BYTES_MAX {
                return Err(wrong(format!("the line has {LINE_BYTES_MAX} bytes or more")));
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let Line { room, event } = Line::parse(&bytes, &mut self.names).map_err(wrong)?;
            let (names, report) = (&self.names, &mut self.report);
            let taken =
                self.rooms.entry(room).or_default().take(event, place, &mut |found| report.add(names, room, &found));
            taken.map_err(|why| format!("{}: {why}", self.report.place(place)))?;
        }
        Ok(())
    }

    /// Judges what was read. Returns the number of anomalies.
    fn close(mut self, is_sparse: bool) -> Result<u64, End> {
        if self.rooms.is_empty() {
            return Err(End::Unreadable("the journals are empty".into()));
        }
        let (mut counts, mut clients) = (Counts::default(), BTreeSet::new());
        for (&room, facts) in &self.rooms {
            let (names, report) = (&self.names, &mut self.report);
            let judged = facts.judge(is_sparse, &mut |found| report.add(names, room, &found));
            judged.map_err(|why| End::Unreadable(format!("room {}: {why}", names.show(room))))?;
            facts.count(&mut counts);
            clients.extend(facts.clients());
        }
        counts.clients = clients.len() as u64;
        self.report.close(&counts).map_err(End::Unwritten)
    }
}

#[cfg(test)]
mod tests;
