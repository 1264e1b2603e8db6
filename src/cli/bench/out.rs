//! What is made of a finished run: files, conditions, drawings and comparisons.
//!
//! ```text
//! Summary ──┬─▶ json ─▶ file ─▶ compare           --json, --compare
//!           ├─▶ junit, ci, svg, hgrm ─▶ files     --junit, --ci, --plot, --hdr
//!           ├─▶ conditions                        --fail-if
//!           └─▶ draw                              terminal
//! each interval ─▶ hlog                           --hlog
//! ```

mod ci;
mod compare;
mod conditions;
mod draw;
mod hgrm;
mod hlog;
mod json;
mod junit;
#[cfg(test)]
mod samples;
mod spread;
mod svg;
mod timeline;
mod words;
mod xml;

pub use compare::compare;
pub use draw::draw;
pub use hlog::RunLog;

use super::summary::Summary;
use crate::config::bench_args::{OutputArgs, Subject};
use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// What conditions may be about in every mode; of times, the most usual ones.
const COMMON: [&str; 10] = ["min", "mean", "max", "p50", "p99", "rate", "requests", "errors", "not_2xx", "limited"];

/// Whether files can be written, as far as that is known before a run. Each comes with its flag.
///
/// # Errors
/// A sentence about the first that cannot.
pub fn check<'a>(files: impl Iterator<Item = (&'static str, &'a Path)>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (flag, path) in files {
        if !seen.insert(path) {
            return Err(format!("{flag} {}: another flag writes there, too", path.display()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match fs::metadata(folder) {
            _ if is_stdout(path) => {}
            Err(e) => return Err(format!("{flag} {}: {e}", path.display())),
            Ok(folder) if !folder.is_dir() || path.is_dir() => {
                return Err(format!("{flag} {}: expected a file in a folder", path.display()));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Whether the conditions are about figures that the run will have; `names` are those of its mode.
///
/// # Errors
/// A sentence about the first that is not.
pub fn check_figures(args: &OutputArgs, names: &[&str]) -> Result<(), String> {
    let figures = args.fail_if.iter().filter_map(|condition| match &condition.subject {
        Subject::Figure(name) => Some((&condition.text, name)),
        _ => None,
    });
    match figures.into_iter().find(|(_, name)| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some((text, name)) => {
            let all = [&COMMON[..], names].concat().join(", ");
            Err(format!("--fail-if {text}: there is no figure {name}; there are {all}"))
        }
    }
}

/// Writes all files of a finished run but that of `--hlog`, which is written while it runs.
///
/// # Errors
/// A line about those that cannot be written; the others are.
pub fn write(args: &OutputArgs, summary: &Summary) -> Result<(), String> {
    let mut files: Vec<(&Path, String)> = Vec::new();
    files.extend(args.json.as_deref().map(|path| (path, json::text(summary))));
    files.extend(args.junit.as_deref().map(|path| (path, junit::text(&args.fail_if, summary))));
    files.extend(args.hdr.as_deref().map(|path| (path, hgrm::text(&summary.latency))));
    files.extend(args.plot.as_deref().map(|path| (path, svg::text(summary))));
    files.extend(args.ci.iter().map(|file| (file.path.as_path(), ci::text(file.format, summary))));
    let written =
        files.iter().map(|(path, text)| write_text(path, text).map_err(|e| format!("{}: {e}", path.display())));
    let failed: Vec<String> = written.filter_map(Result::err).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// A line for each condition that holds, or that the run cannot tell.
pub fn conditions(args: &OutputArgs, summary: &Summary) -> Vec<String> {
    let judged = args.fail_if.iter().map(|condition| (condition, conditions::judge(condition, summary)));
    judged.filter_map(|(condition, said)| Some(format!("fail-if {}: {}", condition.text, said.err()?))).collect()
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn write_text(path: &Path, text: &str) -> io::Result<()> {
    if !is_stdout(path) {
        return fs::write(path, text);
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{condition, loaded};
    use super::*;
    use crate::config::bench_args::{CiFile, CiFormat, Condition};
    use std::path::PathBuf;

    #[test]
    fn a_file_that_cannot_be_written_does_not_hinder_the_others() {
        let dir = tempfile::tempdir().expect("a folder");
        let [none, junit, plot] = ["none/a", "junit", "plot"].map(|name| dir.path().join(name));
        let ci = vec![CiFile { format: CiFormat::K6, path: dir.path().to_owned() }];
        let args = OutputArgs {
            json: Some(none.clone()),
            junit: Some(junit.clone()),
            plot: Some(plot.clone()),
            ci,
            ..OutputArgs::default()
        };
        let why = write(&args, &loaded()).expect_err("two cannot be written");
        assert!(why.starts_with(&none.display().to_string()) && why.contains("; "), "{why}");
        for (path, begins) in [(junit, "<?xml"), (plot, "<svg")] {
            assert!(fs::read_to_string(&path).is_ok_and(|text| text.starts_with(begins)), "{}", path.display());
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_the_run() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("it is written");
        let said = |json: &Path, plot: &str| {
            let args = OutputArgs { json: Some(json.into()), plot: Some(PathBuf::from(plot)), ..OutputArgs::default() };
            check(args.files())
        };
        for (json, plot, says) in [
            (PathBuf::from("-"), "-", "--plot -: another flag writes there, too"),
            (dir.path().join("none/a"), "-", "No such file"),
            (file.join("a"), "-", "expected a file in a folder"),
            (dir.path().to_owned(), "-", "expected a file in a folder"),
        ] {
            assert!(
                said(&json, plot).is_err_and(|why| why.contains(says)),
                "{}: {:?}",
                json.display(),
                said(&json, plot)
            );
        }
        assert_eq!((said(&file, "-"), said(Path::new("-"), "a.svg")), (Ok(()), Ok(())));
    }

    #[test]
    fn a_condition_on_a_figure_that_the_run_will_not_have_is_refused() {
        let checked = |text: &str| {
            let fail_if = ["p99>20ms", text].map(condition).into();
            check_figures(&OutputArgs { fail_if, ..OutputArgs::default() }, &["reach", "lost"])
        };
        assert_eq!((checked("reach<1"), checked("late_p99>1ms")), (Ok(()), Ok(())));
        let why = checked("foo>1").expect_err("there is none");
        assert!(why.starts_with("--fail-if foo>1: there is no figure foo; there are min, mean, "), "{why}");
        assert!(why.ends_with(", limited, reach, lost"), "{why}");
        for name in COMMON {
            let is_known = |unit| {
                let condition = format!("{name}>1{unit}").parse::<Condition>();
                condition.is_ok_and(|condition| !matches!(condition.subject, Subject::Figure(_)))
            };
            assert!(is_known("") || is_known("ms"), "{name}");
        }
    }

    #[test]
    fn each_condition_that_holds_is_one_line() {
        let fail_if = ["p99>20ms", "rate<10", "errors>0.1%"].map(condition).into();
        let lines = conditions(&OutputArgs { fail_if, ..OutputArgs::default() }, &loaded());
        assert_eq!(lines, ["fail-if p99>20ms: p99 is 31.199 ms", "fail-if errors>0.1%: errors is 1 %"]);
    }
}
