//! A run as read from a file of `--json`.

use super::super::json::SCHEMA;
use super::super::spread::{median, quartiles};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Percentiles that are compared, by their names in the file.
pub const PERCENTILES: [&str; 4] = ["p50", "p90", "p99", "p99.9"];

/// What is compared of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What should be equal in both runs, with its name.
    pub facts: Vec<(&'static str, String)>,
    /// Reasons for which the load was the limit.
    pub limited: Vec<String>,
    pub figures: Vec<Figure>,
}

/// One figure, and where it lies in half of the seconds of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// `None` if it was not measured.
    pub value: Option<f64>,
    pub quartiles: Option<(f64, f64)>,
}

impl Run {
    /// The runs of a file, or of all files in a folder whose names end in `.json`.
    ///
    /// # Errors
    /// A sentence: it cannot be read, or is no run.
    pub fn read_all(path: &Path) -> Result<Vec<Run>, String> {
        let failed = |e| format!("{}: {e}", path.display());
        if !path.is_dir() {
            return Ok(vec![Run::read(path)?]);
        }
        let entries: Result<Vec<PathBuf>, _> =
            fs::read_dir(path).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = entries.map_err(failed)?;
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        paths.sort();
        match paths.is_empty() {
            true => Err(format!("{}: there is no run (.json) in this folder", path.display())),
            false => paths.iter().map(|path| Run::read(path)).collect(),
        }
    }

    fn read(path: &Path) -> Result<Run, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Run::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn parse(text: &str) -> Result<Run, String> {
        let file: Value = serde_json::from_str(text).map_err(|e| format!("this is no JSON: {e}"))?;
        match file["schema"].as_str() {
            Some(SCHEMA) => {}
            Some(other) => return Err(format!("expected the schema {SCHEMA}, this is {:.40}", plain(other))),
            None => return Err(format!("expected a file of --json with the schema {SCHEMA}")),
        }
        let number = |pointer: &str| {
            file.pointer(pointer).and_then(Value::as_f64).ok_or_else(|| format!("{pointer} is missing, or no number"))
        };
        let (succeeded, failed) = (number("/succeeded")?, number("/failed")?);
        let (rate, intervals) = (number("/rate")?, intervals(&file));
        let rates = intervals.iter().map(Second::rate).collect();
        let mut figures = vec![Figure { value: Some(rate), quartiles: quartiles(rates) }];
        for (at, name) in PERCENTILES.into_iter().enumerate() {
            let value = number(&format!("/latency_us/{name}"))?;
            let loud = intervals.iter().filter(|second| second.succeeded > 0.0);
            let quartiles = quartiles(loud.filter_map(|second| second.latency[at]).collect());
            figures.push(Figure { value: (succeeded > 0.0).then_some(value), quartiles });
        }
        let done = succeeded + failed;
        let errors = intervals.iter().filter_map(Second::errors).collect();
        figures.push(Figure { value: (done > 0.0).then(|| failed / done), quartiles: quartiles(errors) });
        let cpu = file["cpu_seconds"].as_f64().filter(|_| done > 0.0).map(|seconds| seconds * 1e6 / done);
        figures.push(Figure { value: cpu, quartiles: None });
        let fact = |name, value: &Value| match value {
            Value::Null => (name, "none".to_owned()),
            value => (name, value.as_str().map_or_else(|| value.to_string(), plain)),
        };
        Ok(Run {
            facts: vec![
                fact("mode", &file["mode"]),
                fact("URL", &file["url"]),
                fact("connections", &file["connections"]),
                fact("threads", &file["threads"]),
                fact("rate asked for", file.pointer("/schedule/rate").unwrap_or(&Value::Null)),
            ],
            limited: file["limited"].as_array().into_iter().flatten().filter_map(Value::as_str).map(plain).collect(),
            figures,
        })
    }

    /// Several runs as one: each figure is the middle of theirs, and is spread from the smallest to the largest.
    pub fn merged(runs: Vec<Run>) -> Option<Run> {
        let mut merged = runs.first()?.clone();
        if runs.len() == 1 {
            return Some(merged);
        }
        merged.limited = runs.iter().flat_map(|run| run.limited.clone()).collect();
        for (at, figure) in merged.figures.iter_mut().enumerate() {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.figures.get(at)?.value).collect();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let is_known = !values.is_empty();
            *figure = Figure { quartiles: is_known.then_some((least, most)), value: is_known.then(|| median(values)) };
        }
        for fact in &mut merged.facts {
            if let Some((_, other)) = runs.iter().flat_map(|run| &run.facts).find(|it| it.0 == fact.0 && it.1 != fact.1)
            {
                fact.1 = format!("{} or {other}", fact.1);
            }
        }
        Some(merged)
    }
}

/// Text of a file that may be from anywhere, on one line.
fn plain(text: &str) -> String {
    text.escape_debug().collect()
}

/// An interval of the file.
struct Second {
    length: f64,
    succeeded: f64,
    failed: f64,
    latency: [Option<f64>; 4],
}

impl Second {
    fn rate(&self) -> f64 {
        if self.length > 0.0 { self.succeeded / self.length } else { 0.0 }
    }

    fn errors(&self) -> Option<f64> {
        let done = self.succeeded + self.failed;
        (done > 0.0).then(|| self.failed / done)
    }
}

/// The intervals without a short rest at the end.
fn intervals(file: &Value) -> Vec<Second> {
    let all = file["intervals"].as_array().into_iter().flatten();
    let seconds = all.filter_map(|interval| {
        Some(Second {
            length: interval["seconds"].as_f64()?,
            succeeded: interval["succeeded"].as_f64()?,
            failed: interval["failed"].as_f64()?,
            latency: PERCENTILES.map(|name| interval["latency_us"][name].as_f64()),
        })
    });
    let mut seconds: Vec<Second> = seconds.collect();
    let longest = seconds.iter().map(|second| second.length).fold(0.0, f64::max);
    if seconds.last().is_some_and(|last| last.length * 2.0 < longest) {
        seconds.pop();
    }
    seconds
}
