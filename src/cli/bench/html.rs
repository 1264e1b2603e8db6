//! The report as a table in HTML (`-w`), in the rows of `ab`. What the server has sent is escaped.

use super::report::{FAILURES, Report, Row, mean, millis};
use super::tally::Tally;
use std::fmt::{self, Display, Formatter};

/// Attributes of the table, its rows and its cells, as they were given.
#[derive(Debug, Clone)]
pub struct Attributes {
    pub table: String,
    pub row: String,
    pub cell: String,
}

/// A report, and how its table looks.
pub struct Html<'a> {
    pub report: &'a Report<'a>,
    pub attributes: &'a Attributes,
}

impl Display for Html<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Html { report, attributes: Attributes { table, row, cell } } = self;
        writeln!(f, "\n\n<table {table}>")?;
        for (label, value) in [report.server(), report.document(), report.counts()].into_iter().flatten() {
            self.row(f, &(label, value))?;
            if label == FAILURES && report.tally.failures() > 0 {
                let Tally { connect_failures, length_failures, receive_failures, .. } = report.tally;
                // The table of `ab` has no word for a response that breaks off.
                let kinds =
                    format!("Connect: {connect_failures}, Length: {length_failures}, Exceptions: {receive_failures}");
                writeln!(f, "<tr {row}><td colspan=4 {cell} >   ({kinds})</td></tr>")?;
            }
        }
        if let Some(rate) = report.rate() {
            let [received, sent, total] = report.transfer_rates();
            self.row(f, &("Requests per second:", format!("{rate:.2}")))?;
            self.row(f, &("Transfer rate:", format!("{received:.2} kb/s received")))?;
            for (rate, what) in [(sent, "sent"), (total, "total")].into_iter().filter(|_| report.facts.sends_bodies) {
                let cells = format!("<td colspan=2 {cell}>&nbsp;</td><td colspan=2 {cell}>{rate:.2} kb/s {what}</td>");
                writeln!(f, "<tr {row}>{cells}</tr>")?;
            }
        }
        if report.tally.done() > 0 {
            self.times(f)?;
        }
        writeln!(f, "</table>")
    }
}

impl Html<'_> {
    fn row(&self, f: &mut Formatter<'_>, (label, value): &Row) -> fmt::Result {
        let Attributes { row, cell, .. } = self.attributes;
        let value = escaped(value);
        writeln!(f, "<tr {row}><th colspan=2 {cell}>{label}</th><td colspan=2 {cell}>{value}</td></tr>")
    }

    fn times(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Attributes { row, cell, .. } = self.attributes;
        writeln!(f, "<tr {row}><th {cell} colspan=4>Connection Times (ms)</th></tr>")?;
        let heads = format!("<th {cell}>min</th>   <th {cell}>avg</th>   <th {cell}>max</th>");
        writeln!(f, "<tr {row}><th {cell}>&nbsp;</th> {heads}</tr>")?;
        let Tally { connect, processing, total, .. } = self.report.tally;
        for (label, times) in [("Connect:", connect), ("Processing:", processing), ("Total:", total)] {
            let [min, mean, max] = [millis(times.min()), mean(times), millis(times.max())];
            let cells = format!("<td {cell}>{min:>5}</td><td {cell}>{mean:>5}</td><td {cell}>{max:>5}</td>");
            writeln!(f, "<tr {row}><th {cell}>{label}</th>{cells}</tr>")?;
        }
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::report::Facts;
    use std::time::Duration;

    #[test]
    fn markup_of_the_server_is_escaped() {
        let facts = Facts {
            host: "a.test".into(),
            port: 80,
            path: "/".into(),
            concurrency: 1,
            keep_alive: false,
            may_vary: false,
            sends_bodies: false,
            software: Some("<script>\"&".into()),
            tls: vec![("SSL/TLS Protocol:", "TLSv1.3".into())],
            took: Duration::from_secs(1),
            percentages: true,
            confidence: true,
        };
        let report = Report { facts: &facts, tally: &Tally::default(), schedule: None };
        let attributes = Attributes { table: "border".into(), row: String::new(), cell: "class=d".into() };
        let html = Html { report: &report, attributes: &attributes }.to_string();
        assert!(html.contains("<td colspan=2 class=d>&lt;script&gt;&quot;&amp;</td>"), "{html}");
        assert!(!html.contains("TLS"), "the table of ab has nothing about it: {html}");
        assert!(html.starts_with("\n\n<table border>\n") && html.ends_with("</table>\n"), "{html}");
    }
}
