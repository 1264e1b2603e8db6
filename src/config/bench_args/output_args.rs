//! The flags of `squall bench` that say what is made of a finished run.

use super::condition::Condition;
use clap::Args;
use std::path::{Path, PathBuf};

/// Files, conditions and comparisons of runs.
#[derive(Args, Debug, Clone, Default)]
pub struct OutputArgs {
    /// Write the figures of the run as JSON (squall-bench/1); - as any of these files is standard output, and sends the
    /// report to standard error
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write each --fail-if, or without one the run, as a test case in the XML of JUnit
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the run for a service: FORMAT is k6 (GitLab), benchmark-action (github-action-benchmark) or bencher;
    /// repeatable
    #[arg(long, value_name = "FORMAT=FILE", value_parser = parse_ci)]
    pub ci: Vec<CiFile>,
    /// End with code 3 if this holds, such as 'p99>20ms' or 'errors>0.1%'; repeatable
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Condition>,
    /// Write the latency by percentile as HdrHistogram prints it (.hgrm, milliseconds)
    #[arg(long, value_name = "FILE")]
    pub hdr: Option<PathBuf>,
    /// Write the latency of each second without loss, as a log of HdrHistogram (.hlog, microseconds)
    #[arg(long, value_name = "FILE")]
    pub hlog: Option<PathBuf>,
    /// Draw latency and rate as a picture (SVG)
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Compare two files of --json and send nothing; a folder stands for all runs (.json) in it
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "url")]
    pub compare: Option<Vec<PathBuf>>,
}

/// What a file of `--ci` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CiFormat {
    /// The summary of k6, which GitLab shows in merge requests.
    K6,
    /// The list of github-action-benchmark.
    BenchmarkAction,
    /// The Bencher Metric Format.
    Bencher,
}

/// A file of `--ci`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiFile {
    pub format: CiFormat,
    pub path: PathBuf,
}

impl OutputArgs {
    /// Every file that a run writes, with its flag. One named `-` is standard output.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let single = [
            ("--json", &self.json),
            ("--junit", &self.junit),
            ("--hdr", &self.hdr),
            ("--hlog", &self.hlog),
            ("--plot", &self.plot),
        ];
        let single = single.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?)));
        single.chain(self.ci.iter().map(|file| ("--ci", file.path.as_path())))
    }

    /// Whether one of them is standard output, so that nothing else may be written there.
    pub fn takes_stdout(&self) -> bool {
        self.files().any(|(_, path)| path == Path::new("-"))
    }
}

fn parse_ci(text: &str) -> Result<CiFile, String> {
    let expected = || "expected k6=FILE, benchmark-action=FILE or bencher=FILE".to_owned();
    let (format, path) = text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(expected)?;
    let format = match format {
        "k6" => CiFormat::K6,
        "benchmark-action" => CiFormat::BenchmarkAction,
        "bencher" => CiFormat::Bencher,
        _ => return Err(expected()),
    };
    Ok(CiFile { format, path: path.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_for_a_service_names_its_format() {
        let file = parse_ci("k6=out/a=b.json").expect("a file");
        assert_eq!((file.format, file.path), (CiFormat::K6, PathBuf::from("out/a=b.json")));
        assert_eq!(parse_ci("benchmark-action=-").map(|file| file.format), Ok(CiFormat::BenchmarkAction));
        assert_eq!(parse_ci("bencher=x").map(|file| file.format), Ok(CiFormat::Bencher));
        for text in ["", "k6", "k6=", "=x", "K6=x", "gitlab=x"] {
            assert!(parse_ci(text).is_err_and(|why| why.starts_with("expected k6=FILE")), "{text}");
        }
    }
}
