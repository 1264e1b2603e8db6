//! The report, in the lines and columns of `ab`. Programs read it by its labels, so nothing else stands in its lines.

use super::tally::Tally;
use super::times::{Column, Sample};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The percentages of the table.
const PERCENTAGES: [u32; 9] = [50, 66, 75, 80, 90, 95, 98, 99, 100];

/// What stands in the report besides the counts.
#[derive(Debug, Clone)]
pub struct Facts {
    pub host: String,
    pub port: u16,
    pub path: String,
    pub concurrency: usize,
    pub keep_alive: bool,
    pub may_vary: bool,
    pub took: Duration,
    /// The table of percentages is wanted.
    pub percentages: bool,
    /// Medians, deviations and warnings are wanted.
    pub confidence: bool,
}

/// The report of a run.
pub struct Report<'a> {
    pub facts: &'a Facts,
    pub tally: &'a Tally,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { facts, tally } = self;
        writeln!(f, "\n")?;
        line(f, "Server Software:", tally.software.as_deref().unwrap_or(""))?;
        line(f, "Server Hostname:", &facts.host)?;
        line(f, "Server Port:", facts.port)?;
        writeln!(f)?;
        line(f, "Document Path:", &facts.path)?;
        match facts.may_vary {
            true => line(f, "Document Length:", "Variable")?,
            false => line(f, "Document Length:", format_args!("{} bytes", tally.length.unwrap_or(0)))?,
        }
        writeln!(f)?;
        self.counts(f)?;
        if tally.done() > 0 {
            self.times(f)?;
        }
        if facts.percentages && tally.done() > 1 {
            self.percentages(f)?;
        }
        Ok(())
    }
}

impl Report<'_> {
    fn counts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { facts, tally } = self;
        let (done, seconds) = (tally.done() as f64, facts.took.as_secs_f64());
        line(f, "Concurrency Level:", facts.concurrency)?;
        line(f, "Time taken for tests:", format_args!("{seconds:.3} seconds"))?;
        line(f, "Complete requests:", tally.done())?;
        line(f, "Failed requests:", tally.failures())?;
        if tally.failures() > 0 {
            let Tally { connect_failures, receive_failures, length_failures, .. } = tally;
            writeln!(
                f,
                "   (Connect: {connect_failures}, Receive: {receive_failures}, Length: {length_failures}, Exceptions: 0)"
            )?;
        }
        if tally.write_errors > 0 {
            line(f, "Write errors:", tally.write_errors)?;
        }
        if tally.not_2xx > 0 {
            line(f, "Non-2xx responses:", tally.not_2xx)?;
        }
        if facts.keep_alive {
            line(f, "Keep-Alive requests:", tally.kept)?;
        }
        line(f, "Total transferred:", format_args!("{} bytes", tally.received_bytes))?;
        if tally.sends_bodies {
            line(f, "Total body sent:", tally.sent_bytes)?;
        }
        line(f, "HTML transferred:", format_args!("{} bytes", tally.body_bytes))?;
        if seconds > 0.0 && tally.done() > 0 {
            let each = seconds * 1000.0 / done;
            let rate = |bytes: u64| bytes as f64 / 1024.0 / seconds;
            line(f, "Requests per second:", format_args!("{:.2} [#/sec] (mean)", done / seconds))?;
            line(f, "Time per request:", format_args!("{:.3} [ms] (mean)", facts.concurrency as f64 * each))?;
            line(f, "Time per request:", format_args!("{each:.3} [ms] (mean, across all concurrent requests)"))?;
            line(f, "Transfer rate:", format_args!("{:.2} [Kbytes/sec] received", rate(tally.received_bytes)))?;
            if tally.sends_bodies {
                line(f, "", format_args!("{:.2} kb/s sent", rate(tally.sent_bytes)))?;
                line(f, "", format_args!("{:.2} kb/s total", rate(tally.received_bytes + tally.sent_bytes)))?;
            }
        }
        Ok(())
    }

    fn times(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let samples = self.tally.samples();
        let columns = [
            ("Connect:", "the initial connection time", Column::new(samples, |sample| sample.connect)),
            ("Processing:", "the processing time", Column::new(samples, Sample::processing)),
            ("Waiting:", "the waiting time", Column::new(samples, |sample| sample.wait)),
            ("Total:", "the total time", Column::new(samples, |sample| sample.total)),
        ];
        writeln!(f, "\nConnection Times (ms)")?;
        if !self.facts.confidence {
            writeln!(f, "              min   avg   max")?;
            for (label, _, column) in &columns {
                let [min, mean, max] = [column.min(), column.mean(), column.max()].map(millis);
                writeln!(f, "{label:<12}{min:>5} {mean:>5}{max:>5}")?;
            }
            return Ok(());
        }
        writeln!(f, "              min  mean[+/-sd] median   max")?;
        for (label, _, column) in &columns {
            let [min, mean, median, max] = [column.min(), column.mean(), column.median(), column.max()].map(millis);
            writeln!(f, "{label:<12}{min:>5} {mean:>4} {:>5.1} {median:>6} {max:>7}", column.deviation() / 1000.0)?;
        }
        for (_, name, column) in &columns {
            let apart = millis(column.mean()).abs_diff(millis(column.median())) as f64;
            let deviation = column.deviation() / 1000.0;
            if apart > 2.0 * deviation {
                writeln!(f, "ERROR: The median and mean for {name} are more than twice the standard")?;
                writeln!(f, "       deviation apart. These results are NOT reliable.")?;
            } else if apart > deviation {
                writeln!(f, "WARNING: The median and mean for {name} are not within a normal deviation")?;
                writeln!(f, "        These results are probably not that reliable.")?;
            }
        }
        Ok(())
    }

    fn percentages(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let total = Column::new(self.tally.samples(), |sample| sample.total);
        writeln!(f, "\nPercentage of the requests served within a certain time (ms)")?;
        for percent in PERCENTAGES {
            let time = millis(total.percentile(percent));
            match percent {
                100 => writeln!(f, " 100%  {time:>5} (longest request)")?,
                _ => writeln!(f, "  {percent}%  {time:>5}")?,
            }
        }
        Ok(())
    }
}

/// A label, and its value from column 25 on.
fn line(f: &mut Formatter<'_>, label: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "{label:<24}{value}")
}

/// Whole milliseconds of microseconds, rounded.
fn millis(micros: f64) -> u64 {
    ((micros + 500.0) / 1000.0) as u64
}
