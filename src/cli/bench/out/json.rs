//! The file of `--json`: everything that a run has shown. src/doc/bench_json.md describes it.

use super::words::millis;
use crate::cli::bench::summary::{Interval, Schedule, Summary};
use crate::cli::bench::times::Times;
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Name and version of the schema. The number changes when a field is renamed, removed or means something else.
pub const SCHEMA: &str = "squall-bench/1";

/// The percentiles that are written.
const PERCENTILES: [(&str, f64); 9] = [
    ("p50", 50.0),
    ("p66", 66.0),
    ("p75", 75.0),
    ("p80", 80.0),
    ("p90", 90.0),
    ("p95", 95.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("p99.99", 99.99),
];

/// The whole file, a field on each line.
pub fn text(summary: &Summary) -> String {
    let lines: Vec<String> =
        fields(summary).iter().map(|(name, value)| format!("  {}: {value}", json!(name))).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn fields(summary: &Summary) -> Vec<(&'static str, Value)> {
    let counts = |list: &mut dyn Iterator<Item = (String, u64)>| -> Map<String, Value> {
        list.map(|(name, count)| (name, count.into())).collect()
    };
    let failures = counts(&mut summary.failures.iter().map(|&(cause, count)| (cause.to_owned(), count)));
    let statuses = counts(&mut summary.statuses.iter().map(|&(status, count)| (status.to_string(), count)));
    let figures: Map<String, Value> = (summary.figures.iter())
        .map(|figure| (figure.name.to_owned(), json!({ "value": figure.value, "unit": figure.unit })))
        .collect();
    vec![
        ("schema", json!(SCHEMA)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("mode", json!(summary.mode)),
        ("url", json!(summary.url)),
        ("connections", json!(summary.connections)),
        ("threads", json!(summary.threads)),
        ("began_unix", json!(unix(summary.began))),
        ("seconds", json!(summary.took.as_secs_f64())),
        ("metrics", metrics(summary)),
        ("succeeded", json!(summary.succeeded)),
        ("failed", json!(summary.failed())),
        ("rate", json!(summary.rate())),
        ("failures", failures.into()),
        ("statuses", statuses.into()),
        ("received_bytes", json!(summary.received_bytes)),
        ("sent_bytes", json!(summary.sent_bytes)),
        ("cpu_seconds", json!(summary.cpu.map(|time| time.as_secs_f64()))),
        ("limited", json!(summary.limited)),
        ("figures", figures.into()),
        ("latency_us", statistics(&summary.latency)),
        ("waiting_us", json!(summary.waiting.as_ref().map(statistics))),
        ("schedule", json!(summary.schedule.as_ref().map(schedule))),
        ("intervals", summary.intervals.iter().map(interval).collect()),
        ("latency_histogram_us", histogram(&summary.latency)),
    ]
}

/// The block that oha (src/printer.rs, `Metrics`) has for continuous integration, with its names and meanings: the rate
/// counts what has ended, well or not.
fn metrics(summary: &Summary) -> Value {
    let (done, latency) = (summary.done() as f64, &summary.latency);
    let ratio = |part: f64, all: f64| if all > 0.0 { part / all } else { 0.0 };
    json!({
        "success_rate": ratio(summary.succeeded as f64, done),
        "requests_per_sec": ratio(done, summary.took.as_secs_f64()),
        "latency_ms": {
            "min": millis(latency.min()),
            "mean": latency.mean() / 1e3,
            "p50": millis(latency.percentile(50.0)),
            "p95": millis(latency.percentile(95.0)),
            "p99": millis(latency.percentile(99.0)),
            "max": millis(latency.max()),
        },
    })
}

fn statistics(times: &Times) -> Value {
    let percentiles = PERCENTILES.iter().map(|&(name, percent)| (name.to_owned(), times.percentile(percent).into()));
    let mut map: Map<String, Value> = percentiles.collect();
    map.insert("count".into(), times.count().into());
    map.insert("min".into(), times.min().into());
    map.insert("max".into(), times.max().into());
    map.insert("mean".into(), times.mean().into());
    map.insert("sd".into(), times.deviation().into());
    map.into()
}

/// A pair for each value that occurs: the value, and how often.
fn histogram(times: &Times) -> Value {
    let recorded = times.histogram().iter_recorded();
    recorded.map(|step| json!([step.value_iterated_to().min(times.max()), step.count_at_value()])).collect()
}

fn schedule(schedule: &Schedule) -> Value {
    json!({
        "rate": schedule.rate,
        "never_sent": schedule.never_sent,
        "uncorrected_us": statistics(&schedule.uncorrected),
        "uncorrected_histogram_us": histogram(&schedule.uncorrected),
        "late_us": statistics(&schedule.late),
        "open_us": statistics(&schedule.open),
    })
}

fn interval(interval: &Interval) -> Value {
    json!({
        "at": interval.at.as_secs_f64(),
        "seconds": interval.length.as_secs_f64(),
        "succeeded": interval.succeeded,
        "failed": interval.failed,
        "latency_us": {
            "p50": interval.p50,
            "p90": interval.p90,
            "p99": interval.p99,
            "p99.9": interval.p99_9,
        },
    })
}

/// Seconds since the year 1970; 0 of a clock that is set before.
fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{loaded, scheduled, silent};
    use super::*;

    fn read(summary: &Summary) -> Value {
        serde_json::from_str(&text(summary)).expect("JSON")
    }

    #[test]
    fn everything_of_a_run_is_written() {
        let run = read(&loaded());
        for (pointer, value) in [
            ("/schema", json!("squall-bench/1")),
            ("/mode", json!("http")),
            ("/url", json!("http://a.test:8888/b?c=1&d=\"<2>\"")),
            ("/connections", json!(8)),
            ("/threads", json!(2)),
            ("/began_unix", json!(1_795_510_395.25)),
            ("/seconds", json!(10.0)),
            ("/succeeded", json!(990)),
            ("/failed", json!(10)),
            ("/rate", json!(99.0)),
            ("/failures", json!({ "connect": 4, "receive": 6 })),
            ("/statuses", json!({ "200": 900, "503": 90 })),
            ("/received_bytes", json!(123_456)),
            ("/sent_bytes", json!(45_678)),
            ("/latency_us/count", json!(990)),
            ("/latency_us/min", json!(250)),
            ("/latency_us/p50", json!(1_000)),
            ("/latency_us/p99", json!(31_199)),
            ("/latency_us/max", json!(40_000)),
            ("/latency_histogram_us", json!([[250, 90], [1_000, 500], [1_500, 380], [31_199, 18], [40_000, 2]])),
            ("/waiting_us/p90", json!(900)),
            ("/schedule", Value::Null),
            ("/figures/handshake", json!({ "value": 6.0, "unit": "ms" })),
            ("/intervals/9/at", json!(9.0)),
            ("/intervals/9/latency_us/p99.9", json!(40_000)),
            ("/cpu_seconds", json!(0.5)),
            ("/limited/0", json!("this program used 97 % of a core")),
        ] {
            assert_eq!(run.pointer(pointer), Some(&value), "{pointer}");
        }
        let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
        let statistics =
            ["count", "max", "mean", "min", "p50", "p66", "p75", "p80", "p90", "p95", "p99", "p99.9", "p99.99", "sd"];
        assert_eq!(keys(&run["latency_us"]), Some(statistics.map(String::from).into()));
    }

    #[test]
    fn metrics_have_the_names_that_oha_gives_them() {
        let run = read(&loaded());
        let latency = json!({
            "min": 0.25, "mean": loaded().latency.mean() / 1e3, "p50": 1.0, "p95": 1.5, "p99": 31.199, "max": 40.0
        });
        let metrics = json!({ "success_rate": 0.99, "requests_per_sec": 100.0, "latency_ms": latency });
        assert_eq!(run["metrics"], metrics);
    }

    #[test]
    fn a_schedule_is_a_block_of_its_own() {
        let run = read(&scheduled());
        let schedule = &run["schedule"];
        assert_eq!((&schedule["rate"], &schedule["never_sent"]), (&json!(102.5), &json!(25)));
        assert_eq!(schedule["uncorrected_histogram_us"], json!([[250, 900], [2_000, 90]]));
        assert_eq!((&schedule["late_us"]["p99"], &schedule["open_us"]["max"]), (&json!(40), &json!(3_000_000)));
    }

    #[test]
    fn a_run_in_which_nothing_has_ended_is_still_json() {
        let mut silent = silent();
        silent.took = std::time::Duration::ZERO;
        silent.began = UNIX_EPOCH - std::time::Duration::from_secs(1);
        let run = read(&silent);
        assert_eq!(
            (&run["rate"], &run["latency_us"]["p99"], &run["began_unix"]),
            (&json!(0.0), &json!(0), &json!(0.0))
        );
        assert_eq!((&run["metrics"]["success_rate"], &run["waiting_us"]), (&json!(0.0), &Value::Null));
    }
}
