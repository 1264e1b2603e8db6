//! The table of `--models`: a line for each measurement, as soon as it is there.

use super::watch::has_pss;
use super::{Cell, Subject};
use crate::cli::models::{PROCESSES_MAX, THREADS_MAX};
use std::time::Duration;

/// Characters in a line.
const WIDTH: usize = 106;

/// The names of the columns.
pub fn head() -> String {
    line(
        ["handler", "connections", "server", "requests/s", "p50", "p99", "failed", "memory", "processes", "threads"],
        "CPU each",
    )
}

/// The line of a cell. What is the same as in the line before is left out.
pub fn row(cell: &Cell, before: Option<&Cell>) -> String {
    let is_new_handler = before.is_none_or(|before| before.handler != cell.handler);
    let is_new_count = is_new_handler || before.is_some_and(|before| before.connections != cell.connections);
    let mark = |is_marked: bool, mark: &str| if is_marked { mark.to_owned() } else { String::new() };
    let (needs, load) = (cell.needs, &cell.load);
    let none = || "-".to_owned();
    let [processes_full, threads_full] =
        [Subject::Process, Subject::Thread].map(|subject| mark(cell.subject == subject && cell.is_full(), "*"));
    let columns = [
        mark(is_new_handler, cell.handler.name()),
        mark(is_new_count, &grouped(cell.connections as u64)),
        cell.subject.name().to_owned(),
        mark(!load.limited.is_empty(), "≥") + &grouped(cell.rate().round() as u64),
        milliseconds(load.p50),
        mark(cell.is_short(), ">") + &milliseconds(load.p99),
        grouped(load.failed) + &mark(load.ended.is_some(), "!"),
        needs.map_or_else(none, |needs| mebibytes(needs.memory)),
        needs.map_or_else(none, |needs| grouped(needs.processes as u64)) + &processes_full,
        needs.map_or_else(none, |needs| grouped(needs.threads as u64)) + &threads_full,
    ];
    let cpu = cell.cpu_each().map_or_else(none, |cpu| format!("{} µs", grouped(cpu.as_micros() as u64)));
    let space = if is_new_count && before.is_some() { "\n" } else { "" };
    format!("{space}{}", line(columns.each_ref().map(String::as_str), &cpu))
}

fn line(columns: [&str; 10], cpu: &str) -> String {
    let [handler, connections, server, rate, p50, p99, failed, memory, processes, threads] = columns;
    format!(
        "{handler:<7} {connections:>11} {server:>8} {rate:>10} {p50:>10} {p99:>10} {failed:>7} {memory:>9} \
         {processes:>9} {threads:>7} {cpu:>9}\n"
    )
}

/// What the columns mean, and the marks that are there.
pub fn notes(cells: &[Cell]) -> String {
    let memory = if has_pss() { "PSS: a page that processes share counts in parts" } else { "RSS" };
    let mut notes = vec![
        "A new connection for each request. CPU each: CPU time of the server for each response.".to_owned(),
        format!("memory, processes, threads: the most at once; memory is {memory}."),
    ];
    for (subject, max, what) in
        [(Subject::Process, PROCESSES_MAX, "processes"), (Subject::Thread, THREADS_MAX, "threads")]
    {
        if cells.iter().any(|cell| cell.subject == subject && cell.is_full()) {
            notes.push(format!("*  the model allows {max} {what} beside its own: further connections waited"));
        }
    }
    if cells.iter().any(Cell::is_short) {
        notes.push(">  fewer than two responses for each connection: this p99 lacks the slowest".into());
    }
    // One of each: they differ in numbers only.
    let limited = cells.iter().find_map(|cell| cell.load.limited.first());
    notes.extend(limited.map(|why| format!("≥  client-limited: {why}")));
    let ended = cells.iter().find_map(|cell| cell.load.ended.as_ref());
    notes.extend(ended.map(|why| format!("!  the load ended early: {why}")));
    format!("\n{}\n", notes.join("\n"))
}

/// The text in lines of the width of the table, broken behind semicolons; the second and later ones are indented.
pub fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split_inclusive("; ") {
        match lines.last_mut() {
            Some(line) if line.chars().count() + part.trim_end().chars().count() <= WIDTH => line.push_str(part),
            Some(_) => lines.push(format!("   {part}")),
            None => lines.push(part.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A number with a comma at the thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three digits or more of a time.
pub fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        ..9.995 => format!("{ms:.2} ms"),
        ..99.95 => format!("{ms:.1} ms"),
        _ => format!("{} ms", grouped(ms.round() as u64)),
    }
}

/// Memory, with one digit behind the point below 100 MiB.
pub fn mebibytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 99.95 { format!("{mib:.1} MiB") } else { format!("{} MiB", grouped(mib.round() as u64)) }
}

#[cfg(test)]
mod tests {
    use super::super::{Handler, Needs, sample};
    use super::*;

    #[test]
    fn a_row_leaves_out_what_stands_above_it() {
        let [first, second] =
            [Subject::Thread, Subject::Loop].map(|subject| sample(Handler::Wait, 1000, subject, 12_345));
        assert_eq!(
            [head(), row(&first, None), row(&second, Some(&first))].concat().lines().collect::<Vec<_>>(),
            [
                "handler connections   server requests/s        p50        p99  failed    memory processes threads  CPU each",
                "/wait         1,000   thread     12,345    10.0 ms    20.0 ms       0   3.0 MiB         1       1     40 µs",
                "                        loop     12,345    10.0 ms    20.0 ms       0   3.0 MiB         1       1     40 µs",
            ]
        );
        assert!(row(&sample(Handler::Wait, 1, Subject::Loop, 1), Some(&first)).starts_with("\n  "), "a group begins");
    }

    #[test]
    fn marks_are_explained_if_they_are_there() {
        let mut full = sample(Handler::Wait, 1000, Subject::Process, 1_999);
        full.needs =
            full.needs.map(|needs| Needs { processes: PROCESSES_MAX + 1, threads: PROCESSES_MAX + 1, ..needs });
        full.load.limited = vec!["a reason".into()];
        full.load.ended = Some("an error".into());
        let (row, notes) = (row(&full, None), notes(&[full]));
        for mark in [" ≥1,999 ", " >20.0 ms ", " 0! ", " 257* ", " 257 "] {
            assert!(row.contains(mark), "{mark}: {row}");
        }
        for note in
            ["\n*  the model allows 256 processes", "\n>  fewer", "\n≥  client-limited", "\n!  the load ended early"]
        {
            assert!(notes.contains(note), "{note}: {notes}");
        }
        let plain = super::notes(&[sample(Handler::Wait, 1, Subject::Thread, 100)]);
        assert!(!plain.contains(['*', '>', '≥', '!']), "{plain}");
    }

    #[test]
    fn figures_have_the_digits_that_matter() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let times = [9, 125, 9_994, 9_995, 99_949, 99_950, 1_234_567].map(Duration::from_micros);
        let texts = ["0.01 ms", "0.12 ms", "9.99 ms", "10.0 ms", "99.9 ms", "100 ms", "1,235 ms"];
        assert_eq!(times.map(milliseconds), texts);
        assert_eq!([0, 1 << 19, 200 << 20].map(mebibytes), ["0.0 MiB", "0.5 MiB", "200 MiB"]);
    }

    #[test]
    fn a_long_text_is_broken_behind_semicolons() {
        let text = ["a".repeat(60), "b".repeat(43), "c".repeat(45), "d".repeat(200)].join("; ");
        let lines: Vec<usize> = wrapped(&text).lines().map(str::len).collect();
        assert_eq!(lines, [106, 3 + 45 + 1, 3 + 200]);
    }
}
