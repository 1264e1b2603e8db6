//! The file of `--hlog`: the latency of each interval without loss, as a log of HdrHistogram, which its tools read.

use crate::cli::bench::times::Times;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError};
use std::io::{self, Write};
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

#[cfg(test)]
mod tests {
    use super::super::samples::times;
    use super::*;
    use base64::prelude::{BASE64_STANDARD, Engine};
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use std::time::UNIX_EPOCH;

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
