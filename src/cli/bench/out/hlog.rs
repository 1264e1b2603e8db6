//! The file of `--hlog`: the latency of each interval without loss, as a log of HdrHistogram, which its tools read.

use super::is_stdout;
use crate::cli::bench::summary::Interval;
use crate::cli::bench::times::Times;
use crate::config::bench_args::OutputArgs;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Writes a line for each interval, as it ends.
pub struct LogWriter<W> {
    out: W,
    serializer: V2DeflateSerializer,
}

impl<W: Write> LogWriter<W> {
    /// Writes what comes before the first interval. `began` is the moment from which intervals are counted.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(mut out: W, began: SystemTime) -> io::Result<LogWriter<W>> {
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("[Values are microseconds]")
            .with_start_time(began)
            .with_base_time(began)
            .begin_log_with(&mut out, &mut serializer)?;
        writeln!(out, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"")?;
        Ok(LogWriter { out, serializer })
    }

    /// Writes one interval, and hands it to the system, so that a run that is cut off leaves whole lines.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn interval(&mut self, start: Duration, length: Duration, times: &Times) -> io::Result<()> {
        // The crate's writer borrows both of its parts, so each line has a writer; without a head it writes no other line.
        let mut writer = IntervalLogWriterBuilder::new().begin_log_with(&mut self.out, &mut self.serializer)?;
        let written = writer.write_histogram(times.histogram(), start, length, None);
        written.map_err(|e| match e {
            IntervalLogWriterError::IoError(e) => e,
            IntervalLogWriterError::SerializeError(e) => io::Error::other(e),
        })?;
        self.out.flush()
    }
}

/// The log of a run. It is one interval behind: the end of the run cuts the last one.
#[derive(Default)]
pub struct RunLog {
    writer: Option<LogWriter<Box<dyn Write>>>,
    last: Option<(Interval, Times)>,
    /// Why nothing more is written.
    failure: Option<String>,
}

impl RunLog {
    /// What is measured begins: the file is made, if there is to be one.
    pub fn begin(&mut self, args: &OutputArgs, began: SystemTime) {
        let open = |path: &Path| {
            let out: Box<dyn Write> = match is_stdout(path) {
                true => Box::new(io::stdout()),
                false => Box::new(BufWriter::new(File::create(path)?)),
            };
            LogWriter::new(out, began)
        };
        match args.hlog.as_deref().map(|path| open(path).map_err(|e| format!("{}: {e}", path.display()))) {
            Some(Err(why)) => self.failure = Some(why),
            opened => self.writer = opened.and_then(Result::ok),
        }
    }

    /// An interval is complete.
    pub fn interval(&mut self, interval: Interval, latency: Times) {
        if self.writer.is_some() {
            let before = self.last.replace((interval, latency));
            self.write(before);
        }
    }

    /// The run is over, after the time `took`.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn end(mut self, took: Duration) -> Result<(), String> {
        let mut last = self.last.take();
        last.iter_mut().for_each(|(interval, _)| interval.cut_at(took));
        self.write(last);
        self.failure.map_or(Ok(()), Err)
    }

    fn write(&mut self, interval: Option<(Interval, Times)>) {
        if let Some((writer, (Interval { at, length, .. }, latency))) = self.writer.as_mut().zip(interval)
            && let Err(e) = writer.interval(at, length, &latency)
        {
            (self.writer, self.failure) = (None, Some(format!("--hlog: {e}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{loaded, times};
    use super::*;
    use base64::prelude::{BASE64_STANDARD, Engine};
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_last_interval_of_a_run_is_cut() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("hlog");
        let args = OutputArgs { hlog: Some(path.clone()), ..OutputArgs::default() };
        let mut log = RunLog::default();
        log.begin(&args, UNIX_EPOCH);
        loaded().intervals.into_iter().take(2).for_each(|interval| log.interval(interval, Times::default()));
        assert_eq!(log.end(Duration::from_millis(1250)), Ok(()));
        let text = std::fs::read_to_string(path).expect("a file");
        let lines: Vec<&str> = text.lines().rev().take(2).filter_map(|line| line.get(..12)).collect();
        assert_eq!(lines, ["1.000,0.250,", "0.000,1.000,"]);
    }

    #[test]
    fn a_log_that_cannot_be_written_says_so_at_the_end() {
        let args = OutputArgs { hlog: Some("/none/such".into()), ..OutputArgs::default() };
        let mut log = RunLog::default();
        log.begin(&args, UNIX_EPOCH);
        log.interval(loaded().intervals[0], Times::default());
        assert!(log.end(Duration::ZERO).is_err_and(|why| why.starts_with("/none/such: ")));
        let mut full = RunLog::default();
        full.begin(&OutputArgs { hlog: Some("/dev/full".into()), ..OutputArgs::default() }, UNIX_EPOCH);
        full.interval(loaded().intervals[0], Times::default());
        assert!(cfg!(not(target_os = "linux")) || full.end(Duration::ZERO).is_err());
    }

    #[test]
    fn every_interval_is_read_back_without_loss() {
        let began = UNIX_EPOCH + Duration::from_millis(1_795_510_395_250);
        let second = Duration::from_secs(1);
        let intervals = [times(&[(250, 90), (31_199, 7)]), Times::default(), times(&[(3_600_000_000, 1)])];
        let mut out = Vec::new();
        let mut log = LogWriter::new(&mut out, began).expect("memory has room");
        for (number, times) in (0..).zip(&intervals) {
            log.interval(second * number, second, times).expect("memory has room");
        }
        let entries: Vec<LogEntry> = IntervalLogIterator::new(&out).map(|entry| entry.expect("a log")).collect();
        let start = Duration::from_millis(1_795_510_395_250);
        assert_eq!(entries[..2], [LogEntry::StartTime(start), LogEntry::BaseTime(start)]);
        let mut read = 0;
        for (number, (entry, times)) in (0..).zip(entries[2..].iter().zip(&intervals)) {
            let LogEntry::Interval(entry) = entry else { panic!("{entry:?}") };
            assert_eq!((entry.start_timestamp(), entry.duration()), (second * number, second));
            let bytes = BASE64_STANDARD.decode(entry.encoded_histogram()).expect("base64");
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
            assert_eq!(&histogram, times.histogram());
            read += 1;
        }
        assert_eq!(read, 3);
    }
}
