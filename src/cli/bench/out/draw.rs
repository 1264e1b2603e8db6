//! A run drawn in characters, for terminals: the latencies, and the rate over time. At most 80 columns.

use super::timeline::{Column, columns};
use super::words;
use crate::cli::bench::summary::Summary;
use crate::cli::bench::times::Times;
use std::fmt::Write;

/// Columns of the whole.
const WIDTH: usize = 80;
/// Fewer times than this have no shape.
const TIMES_LEAST: u64 = 20;
/// Rows of the histogram, at most.
const ROWS_MAX: usize = 16;
/// Fewer columns than this have no shape.
const COLUMNS_LEAST: usize = 3;
/// Bounds of rows between two powers of ten, from coarse to fine, in tenths.
const BOUNDS: [&[u64]; 5] = [
    &[10],
    &[10, 20, 50],
    &[10, 15, 20, 30, 50, 70],
    &[10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82],
    &[10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91],
];

/// The lines; none if there is too little to draw.
pub fn draw(summary: &Summary) -> String {
    let parts = [latencies(&summary.latency), throughput(&columns(&summary.intervals, WIDTH - 4))];
    parts.into_iter().flatten().map(|part| format!("\n{part}")).collect()
}

/// A row: times up to a bound, and how many are above the bound of the row before.
struct Row {
    up_to: u64,
    count: u64,
}

fn latencies(times: &Times) -> Option<String> {
    let rows = BOUNDS.iter().rev().map(|bounds| rows(times, bounds)).find(|rows| rows.len() <= ROWS_MAX)?;
    if times.count() < TIMES_LEAST || rows.len() < 2 {
        return None;
    }
    let most = rows.iter().map(|row| row.count).max()?;
    let digits = most.to_string().len();
    // "  up to ", the time in 9, three gaps of 2, and the share in 7.
    let bar_width = WIDTH - 8 - 9 - 6 - 7 - digits;
    let mut out = format!("Latency of {} requests\n", times.count());
    for row in rows {
        let bar = bar(row.count as f64 / most as f64, bar_width);
        let gap = " ".repeat(bar_width - bar.chars().count());
        let share = share(row.count, times.count());
        // A String takes everything.
        let _ = writeln!(
            out,
            "  up to {:>9}  {bar}{gap}  {:>digits$}  {share:>7}",
            words::time(row.up_to as f64),
            row.count
        );
    }
    Some(out)
}

/// Rows from the first to the last that is not empty.
fn rows(times: &Times, bounds: &[u64]) -> Vec<Row> {
    let powers = (0..=10).map(|power| 10_u64.pow(power));
    let all = powers.flat_map(|power| bounds.iter().map(move |tenths| tenths * power));
    // Times are whole microseconds, so a bound between two of them is none.
    let mut rows: Vec<Row> =
        all.filter(|tenths| tenths % 10 == 0).map(|tenths| Row { up_to: tenths / 10, count: 0 }).collect();
    for step in times.histogram().iter_recorded() {
        let value = step.value_iterated_to().min(times.max());
        let at = rows.partition_point(|row| row.up_to < value).min(rows.len() - 1);
        rows[at].count += step.count_at_value();
    }
    let last = rows.iter().rposition(|row| row.count > 0).map_or(0, |at| at + 1);
    rows.truncate(last);
    rows.into_iter().skip_while(|row| row.count == 0).collect()
}

/// A bar of eighths of characters. What is not 0 can be seen.
fn bar(part: f64, width: usize) -> String {
    let eighths = (part * (width * 8) as f64).round() as usize;
    let eighths = if part > 0.0 { eighths.max(1) } else { 0 };
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + rest
}

fn share(count: u64, all: u64) -> String {
    let percent = 100.0 * count as f64 / all as f64;
    if count > 0 && percent < 0.05 { "<0.1 %".into() } else { format!("{percent:.1} %") }
}

fn throughput(columns: &[Column]) -> Option<String> {
    let (first, last) = (columns.first()?, columns.last()?);
    let most = columns.iter().map(|column| column.rate).fold(0.0, f64::max);
    let least = columns.iter().map(|column| column.rate).fold(f64::INFINITY, f64::min);
    if columns.len() < COLUMNS_LEAST || most <= 0.0 {
        return None;
    }
    // From 0 on: a rate that hardly changes is a flat row.
    let level = |column: &Column| (column.rate / most * 8.0).ceil().clamp(1.0, 8.0) as usize - 1;
    let row: String = columns.iter().map(|column| ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][level(column)]).collect();
    let [seconds, each] = [last.at + last.seconds, first.seconds].map(|seconds| words::number(seconds, 3));
    Some(format!(
        "Throughput over {seconds} s, {each} s a column\n  {row}\n  lowest {} /s, highest {} /s\n",
        words::number(least, 0),
        words::number(most, 0)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{loaded, silent, times};
    use super::*;
    use crate::cli::bench::summary::Interval;

    #[test]
    fn latencies_are_bars_between_round_bounds() {
        let mut run = loaded();
        run.intervals.clear();
        run.latency = times(&[(250, 90), (1_000, 500), (1_500, 380), (1_501, 1), (3_000, 19)]);
        let expected = "
Latency of 990 requests
  up to    270 µs  ████████▌                                         90    9.1 %
  up to    330 µs                                                     0    0.0 %
  up to    390 µs                                                     0    0.0 %
  up to    470 µs                                                     0    0.0 %
  up to    560 µs                                                     0    0.0 %
  up to    680 µs                                                     0    0.0 %
  up to    820 µs                                                     0    0.0 %
  up to      1 ms  ███████████████████████████████████████████████  500   50.5 %
  up to    1.2 ms                                                     0    0.0 %
  up to    1.5 ms  ███████████████████████████████████▊             380   38.4 %
  up to    1.8 ms  ▏                                                  1    0.1 %
  up to    2.2 ms                                                     0    0.0 %
  up to    2.7 ms                                                     0    0.0 %
  up to    3.3 ms  █▊                                                19    1.9 %
";
        assert_eq!(draw(&run), expected);
    }

    #[test]
    fn a_narrow_run_has_narrow_rows_and_a_wide_one_few() {
        let narrow = times(&[(1_000, 10), (1_100, 10), (1_300, 10)]);
        let bounds: Vec<u64> = rows(&narrow, BOUNDS[4]).iter().map(|row| row.up_to).collect();
        assert_eq!(bounds, [1_000, 1_100, 1_200, 1_300]);
        let wide = times(&[(1, 10), (3_600_000_000, 10)]);
        assert!(latencies(&wide).is_some_and(|drawn| drawn.lines().count() == 12), "{:?}", latencies(&wide));
    }

    #[test]
    fn the_rate_is_a_row_of_blocks() {
        let mut run = loaded();
        run.latency = Times::default();
        for (second, interval) in (0..).zip(&mut run.intervals) {
            interval.succeeded = [0, 10, 20, 30, 40, 50, 60, 70, 80, 80][second];
        }
        let expected = "
Throughput over 10 s, 1 s a column
  ▁▁▂▃▄▅▆▇██
  lowest 0 /s, highest 80 /s
";
        assert_eq!(draw(&run), expected);
    }

    #[test]
    fn no_line_has_more_than_80_columns() {
        let mut run = loaded();
        let second = run.intervals[0];
        run.intervals = vec![second; 5_000];
        run.latency = times(&[(1, 1), (950, 2_000_000), (999_999, 2_000_000), (3_600_000_000, 1)]);
        let drawn = draw(&run);
        assert!(drawn.contains("<0.1 %") && drawn.contains('▏'), "{drawn}");
        for line in drawn.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn too_little_is_not_drawn() {
        assert_eq!(draw(&silent()), "");
        let mut run = loaded();
        run.intervals.truncate(2);
        run.latency = times(&[(1_000, 10), (2_000, 9)]);
        assert_eq!(draw(&run), "");
        run.latency = times(&[(1_000, 100)]);
        assert_eq!(draw(&run), "");
        run.intervals = vec![Interval { succeeded: 0, ..loaded().intervals[0] }; 10];
        assert_eq!(draw(&run), "");
    }
}
