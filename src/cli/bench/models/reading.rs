//! What one sees in the table: three lines, of nothing but its figures.

use super::table::{grouped, mebibytes, milliseconds};
use super::{Cell, Handler, Subject};
use std::time::Duration;

/// What a request in `/wait` takes at least.
const WAIT: Duration = Duration::from_millis(10);
/// A server keeps up that has this share of the responses a second that the wait allows.
const KEEPS_UP: f64 = 0.8;

/// Three lines; fewer if what they are about was not measured.
pub fn lines(cells: &[Cell]) -> Vec<String> {
    [cost(cells), keeping_up(cells), crowd(cells)].into_iter().flatten().collect()
}

/// What a request costs that needs nothing: the best rate of each server, and the CPU time behind it.
fn cost(cells: &[Cell]) -> Option<String> {
    let best = |subject| {
        let rows = cells.iter().filter(move |cell| cell.subject == subject && cell.handler == Handler::Plain);
        rows.max_by(|a, b| a.rate().total_cmp(&b.rate()))
    };
    let each = list(|subject| {
        let cell = best(subject)?;
        let cpu = cell.cpu_each().map_or_else(String::new, |cpu| format!(", {} µs", grouped(cpu.as_micros() as u64)));
        Some(format!("{} {}{cpu}", subject.name(), rate(cell)))
    })?;
    let cpu_of = |subject| Some(best(subject)?.cpu_each()?.as_secs_f64()).filter(|&cpu| cpu > 0.0);
    let ratio = cpu_of(Subject::Loop).and_then(|one| {
        let [process, thread] = [cpu_of(Subject::Process)? / one, cpu_of(Subject::Thread)? / one];
        Some(format!("; a process takes {process:.1} times the CPU time of the loop, a thread {thread:.1} times"))
    });
    Some(format!("1. /, each at its best, and the CPU time of a response: {each}{}.", ratio.unwrap_or_default()))
}

/// Up to how many connections the wait is all that matters.
fn keeping_up(cells: &[Cell]) -> Option<String> {
    let each = list(|subject| {
        let mut rows: Vec<&Cell> =
            cells.iter().filter(|cell| cell.subject == subject && cell.handler == Handler::Wait).collect();
        rows.sort_by_key(|cell| cell.connections);
        let last = rows.last()?;
        let keeps_up = |cell: &&&Cell| cell.rate() * WAIT.as_secs_f64() >= KEEPS_UP * cell.connections as f64;
        let up_to = rows.iter().take_while(keeps_up).last();
        let up_to = up_to.map_or("never".into(), |cell| format!("up to {}", grouped(cell.connections as u64)));
        Some(format!("{} {up_to} ({} at {})", subject.name(), rate(last), grouped(last.connections as u64)))
    })?;
    Some(format!("2. /wait allows 100 responses/s for each connection; at least {KEEPS_UP} of that: {each}."))
}

/// What it takes to hold the most connections.
fn crowd(cells: &[Cell]) -> Option<String> {
    let waits = || cells.iter().filter(|cell| cell.handler == Handler::Wait);
    let most = waits().map(|cell| cell.connections).max()?;
    let each = list(|subject| {
        let cell = waits().find(|cell| cell.subject == subject && cell.connections == most)?;
        let needs = cell.needs?;
        let workers = match subject {
            Subject::Process => plural(needs.processes, "process", "processes"),
            _ => plural(needs.threads, "thread", "threads"),
        };
        let (p99, least) = (milliseconds(cell.load.p99), if cell.is_short() { ">" } else { "" });
        Some(format!("{} {workers}, {}, p99 {least}{p99}", subject.name(), mebibytes(needs.memory)))
    })?;
    Some(format!("3. /wait with {}: {each}.", plural(most, "connection", "connections")))
}

fn rate(cell: &Cell) -> String {
    format!("{}/s", grouped(cell.rate().round() as u64))
}

fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { many })
}

/// What there is to say of each server. `None`: nothing.
fn list(text: impl Fn(Subject) -> Option<String>) -> Option<String> {
    let texts: Vec<String> = Subject::ALL.into_iter().filter_map(text).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::{Needs, sample};
    use super::*;

    fn cell(handler: Handler, connections: usize, subject: Subject, done: u64, threads: usize) -> Cell {
        let cell = sample(handler, connections, subject, done);
        let needs = cell.needs.map(|needs| Needs { threads, ..needs });
        Cell { needs, ..cell }
    }

    #[test]
    fn the_lines_say_what_the_figures_are() {
        let cells = [
            cell(Handler::Plain, 1, Subject::Process, 500, 2),
            cell(Handler::Plain, 10, Subject::Process, 1000, 9),
            cell(Handler::Plain, 10, Subject::Thread, 5_000, 9),
            cell(Handler::Plain, 10, Subject::Loop, 10_000, 1),
            cell(Handler::Wait, 10, Subject::Loop, 900, 1),
            cell(Handler::Wait, 1, Subject::Loop, 95, 1),
            cell(Handler::Wait, 100, Subject::Loop, 7_900, 1),
            cell(Handler::Wait, 100, Subject::Thread, 7_999, 101),
        ];
        assert_eq!(
            lines(&cells),
            [
                "1. /, each at its best, and the CPU time of a response: process 1,000/s, 500 µs; thread 5,000/s, 100 µs; \
                 loop 10,000/s, 50 µs; a process takes 10.0 times the CPU time of the loop, a thread 2.0 times.",
                "2. /wait allows 100 responses/s for each connection; at least 0.8 of that: thread never (7,999/s at 100); loop up to 10 (7,900/s at 100).",
                "3. /wait with 100 connections: thread 101 threads, 3.0 MiB, p99 20.0 ms; loop 1 thread, 3.0 MiB, p99 \
                 20.0 ms.",
            ]
        );
        assert!(lines(&[]).is_empty());
    }
}
