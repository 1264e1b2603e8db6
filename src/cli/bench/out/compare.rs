//! Two runs side by side: `--compare OLD NEW`. src/doc/bench.md says what the spread is.

mod run;

use super::words;
use run::{Figure, Run};
use std::fmt::Write;
use std::path::Path;

/// A row of the table, in the order of the figures of a [`Run`].
struct Kind {
    name: &'static str,
    better: Better,
    text: fn(f64) -> String,
}

/// Which figure is the better one.
#[derive(Clone, Copy, PartialEq)]
enum Better {
    Larger,
    Smaller,
}

const KINDS: [Kind; 7] = [
    Kind { name: "rate", better: Better::Larger, text: |rate| format!("{} /s", words::number(rate, 0)) },
    Kind { name: "p50", better: Better::Smaller, text: words::time },
    Kind { name: "p90", better: Better::Smaller, text: words::time },
    Kind { name: "p99", better: Better::Smaller, text: words::time },
    Kind { name: "p99.9", better: Better::Smaller, text: words::time },
    Kind { name: "errors", better: Better::Smaller, text: words::share },
    Kind { name: "client CPU/request", better: Better::Smaller, text: words::time },
];

/// The table of two files, or of two folders of them.
///
/// # Errors
/// A sentence: one cannot be read, or is no run.
pub fn compare(old: &Path, new: &Path) -> Result<String, String> {
    let read = |path| match Run::read_all(path) {
        Ok(runs) => Ok((runs.len(), Run::merged(runs))),
        Err(why) => Err(format!("--compare {why}")),
    };
    match (read(old)?, read(new)?) {
        ((1, _), (2.., _)) | ((2.., _), (1, _)) => {
            Err("compare one run with one, or a folder of runs with another".into())
        }
        ((runs, Some(old)), (_, Some(new))) => Ok(table(&old, &new, runs > 1)),
        _ => Err("there is nothing to compare".into()),
    }
}

fn table(old: &Run, new: &Run, are_several: bool) -> String {
    let mut out = format!("{:<19} {:>12} {:>12} {:>7}  {:<18} {}\n", "", "old", "new", "ratio", "spread", "new is");
    for (kind, (old, new)) in KINDS.iter().zip(old.figures.iter().zip(&new.figures)) {
        let text = |figure: &Figure| figure.value.map_or("-".to_owned(), kind.text);
        let ratio = ratio(old.value, new.value);
        let spread = spread(old, new);
        let spread_text = spread.map_or("-".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}"));
        // A String takes everything.
        let _ = writeln!(
            out,
            "{:<19} {:>12} {:>12} {:>7}  {spread_text:<18} {}",
            kind.name,
            text(old),
            text(new),
            ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}")),
            verdict(kind.better, old.value.zip(new.value), spread)
        );
    }
    let what =
        if are_several { "from the smallest to the largest of the runs" } else { "of half of the seconds of a run" };
    let _ = writeln!(out, "ratio: new / old; spread: the ratios {what}; same: 1 is within the spread");
    for ((name, old), (_, new)) in old.facts.iter().zip(&new.facts).filter(|(old, new)| old != new) {
        let _ = writeln!(out, "note: the runs differ: {name} {old} and {new}");
    }
    for (which, run) in [("old", old), ("new", new)] {
        for why in &run.limited {
            let _ = writeln!(out, "note: {which} was client-limited: {why}");
        }
    }
    out
}

fn ratio(old: Option<f64>, new: Option<f64>) -> Option<f64> {
    old.zip(new).filter(|(old, _)| *old > 0.0).map(|(old, new)| new / old)
}

/// From the smallest to the largest ratio of what is usual in both runs.
fn spread(old: &Figure, new: &Figure) -> Option<(f64, f64)> {
    let (old, new) = old.quartiles.zip(new.quartiles)?;
    (old.0 > 0.0).then(|| (new.0 / old.1, new.1 / old.0))
}

fn verdict(better: Better, values: Option<(f64, f64)>, spread: Option<(f64, f64)>) -> &'static str {
    let larger = match (values, spread) {
        (Some((old, new)), _) if old == new => return "same",
        (_, Some((low, high))) if low <= 1.0 && high >= 1.0 => return "same",
        (_, Some((low, _))) => low > 1.0,
        // Without a spread there is one sure thing: what never happened has happened, or the reverse.
        (Some((old, new)), None) if old == 0.0 || new == 0.0 => new > old,
        _ => return "unknown",
    };
    if larger == (better == Better::Larger) { "better" } else { "worse" }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::super::samples::{loaded, scheduled, silent};
    use super::*;
    use crate::cli::bench::summary::Summary;
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;
    use tempfile::TempDir;

    /// A folder with a file for each run.
    fn folder(runs: &[&Summary]) -> (TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |(n, run): (usize, &&Summary)| {
            let path = dir.path().join(format!("{n}.json"));
            fs::write(&path, json::text(run)).expect("it is written");
            path
        };
        let paths = runs.iter().enumerate().map(write).collect();
        (dir, paths)
    }

    /// Seconds that differ a little, `factor` times as fast.
    fn faster(factor: f64) -> Summary {
        let mut run = loaded();
        (run.succeeded, run.failures) = ((990.0 * factor) as u64, vec![("connect", 4), ("receive", 6)]);
        for (second, interval) in (0_u64..).zip(&mut run.intervals) {
            interval.succeeded = (factor * (95 + second) as f64) as u64;
            interval.p50 = ((950 + 10 * second) as f64 / factor) as u64;
        }
        run
    }

    fn rows(text: &str) -> Vec<(&str, &str)> {
        let rows = text.lines().skip(1).take(KINDS.len());
        rows.map(|row| (row[..19].trim(), row.rsplit(' ').next().unwrap_or_default())).collect()
    }

    #[test]
    fn a_difference_is_told_if_it_is_larger_than_the_spread() {
        let (_dir, paths) = folder(&[&faster(1.0), &faster(1.01), &faster(1.5), &silent()]);
        let verdicts = |old: usize, new: usize| {
            let text = compare(&paths[old], &paths[new]).expect("a table");
            rows(&text).into_iter().map(|(_, verdict)| verdict.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(0, 1), ["same", "same", "same", "same", "same", "same", "unknown"]);
        assert_eq!(verdicts(0, 2), ["better", "same", "same", "same", "same", "better", "unknown"]);
        assert_eq!(verdicts(2, 0)[0], "worse");
        assert_eq!(verdicts(0, 3), ["worse", "unknown", "unknown", "unknown", "unknown", "unknown", "unknown"]);
        assert_eq!(verdicts(3, 3)[1], "unknown");
    }

    #[test]
    fn the_table_has_values_ratio_and_spread() {
        let (_dir, paths) = folder(&[&faster(1.0), &faster(2.0)]);
        let text = compare(&paths[0], &paths[1]).expect("a table");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "rate                       99 /s       198 /s   2.000  1.912 to 2.093     better");
        assert_eq!(lines[2], "p50                         1 ms         1 ms   1.000  0.478 to 0.523     same");
        assert_eq!(lines[7], "client CPU/request        500 µs   251.256 µs   0.503  -                  unknown");
        assert!(lines[8].contains("of half of the seconds of a run"), "{text}");
        assert!(lines.contains(&"note: old was client-limited: this program used 97 % of a core"), "{text}");
    }

    #[test]
    fn runs_that_cannot_be_compared_are_noted() {
        let mut other = loaded();
        (other.connections, other.took) = (64, Duration::from_secs(5));
        let (_dir, paths) = folder(&[&other, &scheduled()]);
        let text = compare(&paths[0], &paths[1]).expect("a table");
        assert!(text.contains("note: the runs differ: connections 64 and 8\n"), "{text}");
        assert!(text.contains("note: the runs differ: rate asked for none and 102.5\n"), "{text}");
    }

    #[test]
    fn folders_of_runs_are_compared_by_their_middle() {
        let (old, _) = folder(&[&faster(1.0), &faster(1.2), &faster(1.1)]);
        let (new, _) = folder(&[&faster(1.15), &faster(1.3), &faster(1.4)]);
        let text = compare(old.path(), new.path()).expect("a table");
        assert_eq!(
            text.lines().nth(1),
            Some("rate                      109 /s       129 /s   1.182  0.958 to 1.400     same")
        );
        assert!(text.contains("from the smallest to the largest of the runs"), "{text}");
        let (_one, paths) = folder(&[&loaded()]);
        let why = compare(&paths[0], new.path()).expect_err("one and three");
        assert_eq!(why, "compare one run with one, or a folder of runs with another");
    }

    #[test]
    fn what_is_no_run_is_refused_with_one_line() {
        let (dir, paths) = folder(&[&loaded()]);
        let bad = dir.path().join("bad");
        for (text, says) in [
            ("", "this is no JSON"),
            ("[1]", "expected a file of --json with the schema squall-bench/1"),
            ("{\"schema\":\"squall-bench/2\"}", "expected the schema squall-bench/1, this is squall-bench/2"),
            ("{\"schema\":\"a\\nb\"}", "this is a\\nb"),
            ("{\"schema\":\"squall-bench/1\"}", "/succeeded is missing, or no number"),
            ("{\"schema\":\"squall-bench/1\",\"succeeded\":\"1\"}", "/succeeded is missing, or no number"),
        ] {
            fs::write(&bad, text).expect("it is written");
            let why = compare(&paths[0], &bad).expect_err(text);
            assert!(why.contains("bad: ") && why.contains(says) && !why.contains('\n'), "{why}");
        }
        let empty = tempfile::tempdir().expect("a folder");
        let why = compare(&paths[0], empty.path()).expect_err("no run");
        assert!(why.ends_with("there is no run (.json) in this folder"), "{why}");
        let why = compare(&dir.path().join("none"), &paths[0]).expect_err("no file");
        assert!(why.contains("none: No such file"), "{why}");
    }
}
