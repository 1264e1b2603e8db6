//! The report, in the lines and columns of `ab`. Programs read it by its labels, so nothing else stands in its lines.

use super::own::LATE_MICROS;
use super::summary::Schedule;
use super::tally::Tally;
use super::times::Times;
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
    /// Requests have bodies.
    pub sends_bodies: bool,
    /// The Server field of the first response.
    pub software: Option<String>,
    /// The lines about TLS, of https.
    pub tls: Vec<Row>,
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
    /// Of a run with `--rate`.
    pub schedule: Option<&'a Schedule>,
}

/// A label and its value.
pub type Row = (&'static str, String);

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n")?;
        // The table of `ab` in HTML has no lines about TLS.
        for group in [[self.server(), self.facts.tls.clone()].concat(), self.document(), self.run()] {
            for (label, value) in group {
                line(f, label, value)?;
                if label == FAILURES && self.tally.failures() > 0 {
                    let Tally { connect_failures, receive_failures, length_failures, .. } = self.tally;
                    write!(f, "   (Connect: {connect_failures}, Receive: {receive_failures}, ")?;
                    writeln!(f, "Length: {length_failures}, Exceptions: 0)")?;
                }
            }
            writeln!(f)?;
        }
        if self.tally.done() > 0 {
            self.times(f)?;
        }
        if self.facts.percentages && self.tally.done() > 1 {
            self.percentages(f)?;
            latencies(f, &self.tally.total, self.schedule.map(|schedule| &schedule.uncorrected))?;
        }
        self.statuses(f)?;
        if let Some(kept) = self.schedule {
            schedule(f, kept)?;
            writeln!(f, "Latency from due counts the time for which a request waited because no connection was idle.")?;
        }
        Ok(())
    }
}

/// The label behind whose line the kinds of failures stand.
pub const FAILURES: &str = "Failed requests:";

impl Report<'_> {
    /// What is loaded.
    pub fn server(&self) -> Vec<Row> {
        let software = self.facts.software.clone().unwrap_or_default();
        let Facts { host, port, .. } = self.facts;
        vec![("Server Software:", software), ("Server Hostname:", host.clone()), ("Server Port:", port.to_string())]
    }

    /// What it gives.
    pub fn document(&self) -> Vec<Row> {
        let length = match self.facts.may_vary {
            true => "Variable".to_owned(),
            false => format!("{} bytes", self.tally.length.unwrap_or(0)),
        };
        vec![("Document Path:", self.facts.path.clone()), ("Document Length:", length)]
    }

    /// The counts that every report has.
    pub fn counts(&self) -> Vec<Row> {
        let Report { facts, tally, .. } = self;
        let mut rows = vec![
            ("Concurrency Level:", facts.concurrency.to_string()),
            ("Time taken for tests:", format!("{:.3} seconds", facts.took.as_secs_f64())),
            ("Complete requests:", tally.done().to_string()),
            (FAILURES, tally.failures().to_string()),
        ];
        let optional = [
            ("Write errors:", tally.write_errors, tally.write_errors > 0),
            ("Non-2xx responses:", tally.not_2xx(), tally.not_2xx() > 0),
            ("Keep-Alive requests:", tally.kept, facts.keep_alive),
        ];
        rows.extend(optional.into_iter().filter(|(.., shown)| *shown).map(|(label, n, _)| (label, n.to_string())));
        rows.push(("Total transferred:", format!("{} bytes", tally.received_bytes)));
        if facts.sends_bodies {
            rows.push(("Total body sent:", tally.sent_bytes.to_string()));
        }
        rows.push(("HTML transferred:", format!("{} bytes", tally.body_bytes)));
        rows
    }

    /// Kilobytes a second: received, sent, both.
    pub fn transfer_rates(&self) -> [f64; 3] {
        let (received, sent) = (self.tally.received_bytes, self.tally.sent_bytes);
        [received, sent, received + sent].map(|bytes| bytes as f64 / 1024.0 / self.facts.took.as_secs_f64())
    }

    /// Requests a second, if there were any.
    pub fn rate(&self) -> Option<f64> {
        let (done, seconds) = (self.tally.done() as f64, self.facts.took.as_secs_f64());
        (done > 0.0 && seconds > 0.0).then(|| done / seconds)
    }

    /// All counts, and what follows from them.
    fn run(&self) -> Vec<Row> {
        let mut rows = self.counts();
        let Some(rate) = self.rate() else { return rows };
        let (each, [received, sent, total]) = (1000.0 / rate, self.transfer_rates());
        rows.extend([
            ("Requests per second:", format!("{rate:.2} [#/sec] (mean)")),
            ("Time per request:", format!("{:.3} [ms] (mean)", self.facts.concurrency as f64 * each)),
            ("Time per request:", format!("{each:.3} [ms] (mean, across all concurrent requests)")),
            ("Transfer rate:", format!("{received:.2} [Kbytes/sec] received")),
        ]);
        if self.facts.sends_bodies {
            rows.extend([("", format!("{sent:.2} kb/s sent")), ("", format!("{total:.2} kb/s total"))]);
        }
        rows
    }

    fn times(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Tally { connect, processing, waiting, total, .. } = self.tally;
        let columns = [
            ("Connect:", "the initial connection time", connect),
            ("Processing:", "the processing time", processing),
            ("Waiting:", "the waiting time", waiting),
            ("Total:", "the total time", total),
        ];
        writeln!(f, "Connection Times (ms)")?;
        if !self.facts.confidence {
            writeln!(f, "              min   avg   max")?;
            for (label, _, times) in columns {
                let [min, mean, max] = [millis(times.min()), mean(times), millis(times.max())];
                writeln!(f, "{label:<12}{min:>5} {mean:>5}{max:>5}")?;
            }
            return Ok(());
        }
        writeln!(f, "              min  mean[+/-sd] median   max")?;
        for (label, _, times) in columns {
            let [min, median, max] = [times.min(), times.median(), times.max()].map(millis);
            let (mean, deviation) = (mean(times), times.deviation() / 1000.0);
            writeln!(f, "{label:<12}{min:>5} {mean:>4} {deviation:>5.1} {median:>6} {max:>7}")?;
        }
        for (_, name, times) in columns {
            let apart = mean(times).abs_diff(millis(times.median())) as f64;
            let deviation = times.deviation() / 1000.0;
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
        writeln!(f, "\nPercentage of the requests served within a certain time (ms)")?;
        for percent in PERCENTAGES {
            let time = millis(self.tally.total.percentile(f64::from(percent)));
            match percent {
                100 => writeln!(f, " 100%  {time:>5} (longest request)")?,
                _ => writeln!(f, "  {percent}%  {time:>5}")?,
            }
        }
        Ok(())
    }

    /// Responses by status, if there are several.
    fn statuses(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut statuses = self.tally.statuses.clone();
        statuses.sort_unstable();
        if statuses.len() < 2 {
            return Ok(());
        }
        let list: Vec<String> = statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        writeln!(f)?;
        line(f, "Responses by status:", list.join(", "))
    }
}

/// What `ab` does not show: times below a millisecond, and the slowest requests. Behind all of its lines, and in another
/// form, for there are programs that take every line of the form `50%  3` for one of the table above. With a schedule
/// latency counts from the moment when a request was due, and beside it stands that from the moment when it was sent.
pub fn latencies(f: &mut impl fmt::Write, latency: &Times, from_sending: Option<&Times>) -> fmt::Result {
    match from_sending {
        None => writeln!(f, "\nLatency by percentile")?,
        Some(_) => writeln!(f, "\nLatency by percentile\n                from due    from sending")?,
    }
    for share in SHARES {
        write!(f, "  {:<8}{:>14}", format!("p{share}"), in_millis(latency.percentile(share)))?;
        match from_sending {
            None => writeln!(f)?,
            Some(times) => writeln!(f, "{:>16}", in_millis(times.percentile(share)))?,
        }
    }
    Ok(())
}

/// How a run kept to its schedule.
pub fn schedule(f: &mut impl fmt::Write, schedule: &Schedule) -> fmt::Result {
    let Schedule { rate, late, never_sent, open, .. } = schedule;
    writeln!(f)?;
    line(f, "Schedule:", format!("{rate:.2} [#/sec] asked for"))?;
    let [p99, max] = [late.percentile(99.0), late.max()].map(in_millis);
    line(f, "Late starts:", format!("{} of {}, p99 {p99}, max {max}", late.longer_than(LATE_MICROS), late.count()))?;
    line(f, "Never sent:", never_sent)?;
    match open.count() {
        0 => line(f, "Open at the end:", 0),
        n => {
            let (age, max) = (in_millis(open.median()), in_millis(open.max()));
            line(f, "Open at the end:", format!("{n} (median age {age}, max {max})"))
        }
    }
}

/// The shares of the requests whose latency is shown with fractions of a millisecond, percent.
const SHARES: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];

/// Milliseconds with three decimals of microseconds.
fn in_millis(micros: u64) -> String {
    format!("{:.3} ms", micros as f64 / 1000.0)
}

/// A label, and its value from column 25 on.
pub fn line(f: &mut impl fmt::Write, label: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "{label:<24}{value}")
}

/// Whole milliseconds of microseconds, rounded.
pub fn millis(micros: u64) -> u64 {
    micros.saturating_add(500) / 1000
}

/// The mean in whole milliseconds, rounded.
pub fn mean(times: &Times) -> u64 {
    millis(times.mean() as u64)
}
