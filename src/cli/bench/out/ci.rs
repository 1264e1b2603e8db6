//! The files of `--ci`: what services for continuous integration read.

use super::spread::{of_intervals, of_latencies, quartiles, rate};
use super::words::{self, millis};
use crate::cli::bench::summary::{Interval, Summary};
use crate::cli::bench::times::Times;
use crate::config::bench_args::CiFormat;
use serde_json::{Map, Value, json};

/// The whole file.
pub fn text(format: CiFormat, summary: &Summary) -> String {
    let value = match format {
        CiFormat::K6 => k6(summary),
        CiFormat::BenchmarkAction => benchmark_action(summary),
        CiFormat::Bencher => bencher(summary),
    };
    format!("{value:#}\n")
}

/// The percentiles that are followed over time, and where an interval has them.
type OfInterval = fn(&Interval) -> u64;
const PERCENTILES: [(&str, f64, OfInterval); 4] = [
    ("p50", 50.0, |interval| interval.p50),
    ("p90", 90.0, |interval| interval.p90),
    ("p99", 99.0, |interval| interval.p99),
    ("p99.9", 99.9, |interval| interval.p99_9),
];

/// The file of k6's `--summary-export`. GitLab shows `http_reqs.rate`, the percentiles 90 and 95 of `http_req_waiting`, and
/// the share of `checks` that pass. As in k6, statuses from 200 to 399 are expected. Times are milliseconds.
fn k6(summary: &Summary) -> Value {
    let seconds = summary.took.as_secs_f64();
    let a_second = |count: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
    let counter = |count: u64| json!({ "count": count, "rate": a_second(count as f64) });
    let done = summary.done();
    let unexpected = summary.responses(|status| !(200..400).contains(&status));
    let failed = (summary.failed() + unexpected).min(done);
    let share = |part: u64| if done > 0 { part as f64 / done as f64 } else { 0.0 };
    let vus = json!({ "value": summary.connections, "min": summary.connections, "max": summary.connections });
    let trend = |times: &Times| {
        json!({
            "avg": times.mean() / 1e3,
            "min": millis(times.min()),
            "med": millis(times.median()),
            "max": millis(times.max()),
            "p(90)": millis(times.percentile(90.0)),
            "p(95)": millis(times.percentile(95.0)),
        })
    };
    json!({
        "metrics": {
            "http_reqs": counter(done),
            "http_req_waiting": trend(summary.waiting.as_ref().unwrap_or(&summary.latency)),
            "http_req_duration": trend(&summary.latency),
            // In k6 a request that has failed passes this one.
            "http_req_failed": { "passes": failed, "fails": done - failed, "value": share(failed) },
            "checks": { "passes": done - failed, "fails": failed, "value": share(done - failed) },
            "data_received": counter(summary.received_bytes),
            "data_sent": counter(summary.sent_bytes),
            "iterations": counter(done),
            "vus": vus,
            "vus_max": vus,
        },
        // The identifier is the MD5 of the empty path.
        "root_group": { "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e", "groups": {}, "checks": {} },
    })
}

/// The list for the tool `customSmallerIsBetter` of github-action-benchmark. One file has one direction, so the rate is
/// written as the time for one request.
fn benchmark_action(summary: &Summary) -> Value {
    let extra = format!(
        "{} connections, {} s, {} requests, {} failed",
        summary.connections,
        words::number(summary.took.as_secs_f64(), 3),
        summary.done(),
        summary.failed()
    );
    let entry = |name: &str, unit: &str, value: f64, values: Vec<f64>, scale: f64| {
        let mut map = Map::new();
        map.insert("name".into(), format!("{} {name}", summary.url).into());
        map.insert("unit".into(), unit.into());
        map.insert("value".into(), value.into());
        map.insert("extra".into(), extra.as_str().into());
        if let Some((low, high)) = quartiles(values) {
            map.insert("range".into(), format!("± {}", words::number((high - low) / 2.0 * scale, 3)).into());
        }
        Value::Object(map)
    };
    let mut list: Vec<Value> = (PERCENTILES.iter())
        .map(|(name, percent, of)| {
            let value = millis(summary.latency.percentile(*percent));
            entry(name, "ms", value, of_latencies(summary, of), 1e-3)
        })
        .collect();
    if summary.rate() > 0.0 {
        let rates = of_intervals(summary, rate).into_iter().filter(|&rate| rate > 0.0);
        list.push(entry("time per request", "µs", 1e6 / summary.rate(), rates.map(|rate| 1e6 / rate).collect(), 1.0));
    }
    list.push(entry("errors", "%", share_of_failures(summary) * 100.0, vec![], 1.0));
    list.into()
}

/// The Bencher Metric Format. Its own measures are latency in nanoseconds and throughput in operations a second.
fn bencher(summary: &Summary) -> Value {
    let measure = |value: f64, values: Vec<f64>, scale: f64| match quartiles(values) {
        // The figure of the whole run may lie outside of the quartiles of its seconds.
        Some((low, high)) => json!({
            "value": value * scale, "lower_value": low.min(value) * scale, "upper_value": high.max(value) * scale
        }),
        None => json!({ "value": value * scale }),
    };
    let mut measures: Map<String, Value> = (PERCENTILES.iter())
        .map(|(name, percent, of)| {
            // Measures are slugs: small letters, digits and hyphens.
            let slug = if *name == "p50" { "latency".into() } else { format!("latency-{}", name.replace('.', "-")) };
            let value = summary.latency.percentile(*percent) as f64;
            (slug, measure(value, of_latencies(summary, of), 1e3))
        })
        .collect();
    measures.insert("throughput".into(), measure(summary.rate(), of_intervals(summary, rate), 1.0));
    measures.insert("errors".into(), measure(share_of_failures(summary), vec![], 100.0));
    // At most 1,024 characters may be a name.
    json!({ summary.url.chars().take(1024).collect::<String>(): measures })
}

fn share_of_failures(summary: &Summary) -> f64 {
    if summary.done() > 0 { summary.failed() as f64 / summary.done() as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{loaded, silent};
    use super::*;

    fn read(format: CiFormat, summary: &Summary) -> Value {
        serde_json::from_str(&text(format, summary)).expect("JSON")
    }

    #[test]
    fn k6_has_what_gitlab_shows() {
        let metrics = &read(CiFormat::K6, &loaded())["metrics"];
        assert_eq!(metrics["http_reqs"], json!({ "count": 1000, "rate": 100.0 }));
        assert_eq!(
            (&metrics["http_req_waiting"]["p(90)"], &metrics["http_req_waiting"]["p(95)"]),
            (&json!(0.9), &json!(0.9))
        );
        assert_eq!(metrics["http_req_duration"]["p(95)"], json!(1.5));
        // 10 without a response, 90 with status 503.
        assert_eq!(metrics["checks"], json!({ "passes": 900, "fails": 100, "value": 0.9 }));
        assert_eq!(metrics["http_req_failed"], json!({ "passes": 100, "fails": 900, "value": 0.1 }));
        assert_eq!(metrics["data_received"], json!({ "count": 123_456, "rate": 12_345.6 }));
    }

    #[test]
    fn benchmark_action_has_one_direction() {
        let mut run = loaded();
        for (second, interval) in (0..).zip(&mut run.intervals) {
            interval.p99 = 30_000 + 1_000 * (second % 4);
        }
        let list = read(CiFormat::BenchmarkAction, &run);
        let names: Vec<&str> =
            list.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect();
        let url = &run.url;
        let expected = ["p50", "p90", "p99", "p99.9", "time per request", "errors"].map(|name| format!("{url} {name}"));
        assert_eq!(names, expected);
        let extra = "8 connections, 10 s, 1000 requests, 10 failed";
        assert_eq!(
            list[2],
            json!({ "name": format!("{url} p99"), "unit": "ms", "value": 31.199, "range": "± 0.875", "extra": extra })
        );
        assert_eq!((&list[4]["unit"], &list[4]["value"]), (&json!("µs"), &json!(1e6 / 99.0)));
        assert_eq!((&list[5]["value"], &list[5]["range"]), (&json!(1.0), &Value::Null));
    }

    #[test]
    fn bencher_has_its_own_measures_and_ours() {
        let mut run = loaded();
        for (second, interval) in (0..).zip(&mut run.intervals) {
            interval.p50 = 1_100 + 100 * second;
        }
        let measures = &read(CiFormat::Bencher, &run)[&run.url];
        // The median of the run is below all of its seconds: a figure must lie between its bounds.
        let latency = json!({ "value": 1e6, "lower_value": 1e6, "upper_value": 1_775_000.0 });
        assert_eq!(measures["latency"], latency);
        assert_eq!(measures["throughput"], json!({ "value": 99.0, "lower_value": 99.0, "upper_value": 99.0 }));
        assert_eq!(measures["latency-p99-9"]["value"], json!(4e7));
        assert_eq!(measures["errors"], json!({ "value": 1.0 }));
    }

    #[test]
    fn a_run_in_which_nothing_has_ended_is_written() {
        let k6 = read(CiFormat::K6, &silent());
        assert_eq!(k6["metrics"]["checks"], json!({ "passes": 0, "fails": 0, "value": 0.0 }));
        assert_eq!(read(CiFormat::BenchmarkAction, &silent()).as_array().map(Vec::len), Some(5));
        assert_eq!(read(CiFormat::Bencher, &silent())[&silent().url]["throughput"], json!({ "value": 0.0 }));
    }
}
