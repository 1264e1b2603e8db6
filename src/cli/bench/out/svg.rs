//! The file of `--plot`: latency by percentile, and the run over time, as a picture for browsers and documents.

mod panel;
mod scale;

use super::timeline::{Column, columns};
use super::words;
use super::xml::escape;
use crate::cli::bench::summary::Summary;
use crate::cli::bench::times::Times;
use panel::{Line, Panel};
use scale::{Nines, Scale};

/// Units of the picture from left to right.
const WIDTH: usize = 860;
/// Points of a curve, at most.
const POINTS: usize = 400;
/// Characters of a URL that have room in the title.
const URL_MAX: usize = 80;

/// Colours for light and dark pages. The lines differ in their dashes as well.
const STYLE: &str = "\
svg { font: 13px system-ui, sans-serif; background: #fff }
.paper { fill: #fff } text { fill: #1f2328 } .soft { fill: #59636e } .head { font-size: 17px; font-weight: 600 }
.grid { stroke: #d1d9e0; stroke-width: 1 } .axis { stroke: #59636e; stroke-width: 1 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.first { stroke: #0969da } .second { stroke: #bc4c00; stroke-dasharray: 7 4 } .third { stroke: #cf222e; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117 } .paper { fill: #0d1117 } text { fill: #f0f6fc } .soft { fill: #9198a1 }
.grid { stroke: #3d444d } .axis { stroke: #9198a1 }
.first { stroke: #4493f8 } .second { stroke: #f0883e } .third { stroke: #ff7b72 }
}
";

/// The whole file.
pub fn text(summary: &Summary) -> String {
    let mut panels = Vec::new();
    if summary.latency.count() > 0 {
        panels.push(by_percentile(summary));
    }
    let columns = columns(&summary.intervals, POINTS);
    if columns.len() > 1 {
        panels.extend([rate(&columns), latency(&columns)]);
    }
    let (mut body, mut top) = (String::new(), 74);
    for panel in &panels {
        body += &panel.draw(WIDTH, top);
        top += panel.room();
    }
    if panels.is_empty() {
        body = format!("<text x=\"24\" y=\"{top}\">Nothing has ended, so there is nothing to draw.</text>\n");
        top += 24;
    }
    let (title, facts, described) = (escape(&title(summary)), escape(&facts(summary)), escape(&description(summary)));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" width=\"{WIDTH}\" height=\"{top}\" \
         role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">{title}</title>\n<desc id=\"desc\">{described}</desc>\n<style>\n{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{top}\"/>\n\
         <text class=\"head\" x=\"24\" y=\"32\">{title}</text>\n<text class=\"soft\" x=\"24\" y=\"53\">{facts}</text>\n\
         {body}</svg>\n"
    )
}

fn title(summary: &Summary) -> String {
    let mut url: String = summary.url.chars().take(URL_MAX).collect();
    if url.len() < summary.url.len() {
        url.push('…');
    }
    format!("squall bench: {url}")
}

fn facts(summary: &Summary) -> String {
    let rate = summary.schedule.as_ref().map(|schedule| format!(", {} /s asked for", words::number(schedule.rate, 1)));
    format!(
        "{}, {} connections, {} s, {} /s{}, {} ended well, {} failed",
        summary.mode,
        summary.connections,
        words::number(summary.took.as_secs_f64(), 1),
        words::number(summary.rate(), 0),
        rate.unwrap_or_default(),
        summary.succeeded,
        summary.failed()
    )
}

/// What the picture shows, in words.
fn description(summary: &Summary) -> String {
    let at = |percent: f64| words::time(summary.latency.percentile(percent) as f64);
    let latency = match summary.latency.count() {
        0 => "no latency was measured".to_owned(),
        _ => format!(
            "half of the requests took {} or less, 99 % {} or less, all {} or less",
            at(50.0),
            at(99.0),
            at(100.0)
        ),
    };
    format!("{}; {latency}.", facts(summary))
}

fn by_percentile(summary: &Summary) -> Panel {
    let nines = Nines::of(summary.latency.count());
    let scale =
        Scale::of_times(summary.latency.min() as f64, summary.latency.median() as f64, summary.latency.max() as f64);
    let point = |times: &Times, place: f64| (place, scale.place(times.percentile(nines.percent(place)) as f64));
    let curve = |times: &Times| vec![(0..=POINTS).map(|n| point(times, n as f64 / POINTS as f64)).collect()];
    let mut lines = vec![Line { class: "first", name: "latency", parts: curve(&summary.latency) }];
    if let Some(schedule) = &summary.schedule {
        lines[0].name = "from when it was due";
        let name = "from when it was sent";
        lines.push(Line { class: "second", name, parts: curve(&schedule.uncorrected) });
    }
    Panel {
        title: "Latency by percentile",
        height: 260,
        unit: "requests that took no longer",
        ticks_below: nines.ticks(),
        ticks_beside: scale.ticks(words::time),
        lines,
    }
}

fn rate(columns: &[Column]) -> Panel {
    let has_failures = columns.iter().any(|column| column.failures > 0.0);
    let most = columns.iter().map(|column| column.rate.max(column.failures)).fold(0.0, f64::max);
    let scale = Scale::linear(most);
    let mut lines = vec![Line {
        class: "first",
        name: "ended well",
        parts: over_time(columns, |column| Some(scale.place(column.rate))),
    }];
    if has_failures {
        let parts = over_time(columns, |column| Some(scale.place(column.failures)));
        lines.push(Line { class: "third", name: "failed", parts });
    }
    Panel {
        title: "Requests a second",
        height: 150,
        unit: "seconds of the run",
        ticks_below: seconds(columns),
        ticks_beside: scale.ticks(|value| words::number(value, 3)),
        lines,
    }
}

fn latency(columns: &[Column]) -> Panel {
    let all: Vec<(f64, f64)> = columns.iter().filter_map(|column| column.latency).collect();
    let least = all.iter().map(|(p50, _)| *p50).fold(f64::INFINITY, f64::min);
    let usual = super::spread::median(all.iter().map(|(p50, _)| *p50).collect());
    let scale = Scale::of_times(least, usual, all.iter().map(|(_, p99)| *p99).fold(0.0, f64::max));
    let line = |class, name, of: fn((f64, f64)) -> f64| Line {
        class,
        name,
        parts: over_time(columns, |column| column.latency.map(|latency| scale.place(of(latency)))),
    };
    Panel {
        title: "Latency over time",
        height: 150,
        unit: "seconds of the run",
        ticks_below: seconds(columns),
        ticks_beside: scale.ticks(words::time),
        lines: vec![line("first", "50 %", |(p50, _)| p50), line("second", "99 %", |(_, p99)| p99)],
    }
}

/// The end of the time axis, seconds.
fn end(columns: &[Column]) -> f64 {
    columns.last().map_or(0.0, |last| last.at + last.seconds).max(scale::SMALLEST)
}

fn seconds(columns: &[Column]) -> Vec<scale::Tick> {
    let end = end(columns);
    let scale = Scale::linear(end);
    let mut ticks = scale.ticks(|value| words::number(value, 3));
    // The axis ends with the run, not at the next round value.
    ticks.iter_mut().for_each(|tick| tick.place /= scale.place(end));
    ticks.retain(|tick| tick.place <= 1.000_001);
    ticks
}

/// A point in the middle of each column; a column without a value ends a part of the line.
fn over_time(columns: &[Column], height: impl Fn(&Column) -> Option<f64>) -> Vec<Vec<(f64, f64)>> {
    let end = end(columns);
    let mut parts = vec![vec![]];
    for column in columns {
        match (height(column), parts.last_mut()) {
            (Some(height), Some(part)) => part.push(((column.at + column.seconds / 2.0) / end, height)),
            _ => parts.push(vec![]),
        }
    }
    parts.retain(|part: &Vec<_>| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::super::samples::{loaded, scheduled, silent, times};
    use super::*;
    use crate::cli::bench::summary::Interval;
    use std::time::Duration;

    /// What stands between `before` and the next double quote, wherever it occurs.
    fn all<'a>(svg: &'a str, before: &str) -> Vec<&'a str> {
        svg.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn a_run_has_three_diagrams_with_their_axes() {
        let svg = text(&loaded());
        for part in [
            "<title id=\"title\">squall bench: http://a.test:8888/b?c=1&amp;d=&quot;&lt;2&gt;&quot;</title>",
            "half of the requests took 1 ms or less, 99 % 31.199 ms or less, all 40 ms or less.</desc>",
            ">http, 8 connections, 10 s, 99 /s, 990 ended well, 10 failed</text>",
            ">Latency by percentile</text>",
            ">Requests a second</text>",
            ">Latency over time</text>",
            ">90 %</text>",
            ">40 ms</text>",
            ">requests that took no longer</text>",
            ">seconds of the run</text>",
            ">failed</text>",
            "prefers-color-scheme: dark",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn every_element_is_closed_and_within_the_picture() {
        for run in [loaded(), scheduled(), silent()] {
            let svg = text(&run);
            for name in ["svg", "title", "desc", "style", "text"] {
                let opened = svg.matches(&format!("<{name} ")).count() + svg.matches(&format!("<{name}>")).count();
                assert_eq!(opened, svg.matches(&format!("</{name}>")).count(), "{name}");
            }
            for (before, most) in [(" x=\"", WIDTH), (" y=\"", all(&svg, " height=\"")[0].parse().expect("a number"))] {
                let places = all(&svg, before).into_iter().map(|place| place.parse::<f64>().expect("a number"));
                assert!(places.clone().count() > 1 && places.clone().all(|place| (0.0..most as f64).contains(&place)));
            }
        }
    }

    #[test]
    fn a_schedule_has_a_corrected_and_an_uncorrected_line() {
        let (closed, open) = (text(&loaded()), text(&scheduled()));
        assert!(open.contains(", 102.5 /s asked for,") && open.contains(">from when it was due</text>"), "{open}");
        assert!(open.contains(">from when it was sent</text>") && !closed.contains(">from when it was sent</text>"));
        // Each has a sample in the legend as well.
        assert_eq!(all(&open, "class=\"line second").len() - all(&closed, "class=\"line second").len(), 2);
    }

    #[test]
    fn a_second_without_a_response_is_a_gap() {
        let mut run = loaded();
        let parts = |run: &Summary| over_time(&columns(&run.intervals, POINTS), |column| column.latency.map(|it| it.0));
        assert_eq!(parts(&run).iter().map(Vec::len).collect::<Vec<_>>(), [10]);
        run.intervals[3].succeeded = 0;
        run.intervals[4].succeeded = 0;
        assert_eq!(parts(&run).iter().map(Vec::len).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn a_run_with_nothing_in_it_says_so() {
        assert!(text(&silent()).contains("Nothing has ended"));
        let mut run = silent();
        run.intervals = vec![Interval { succeeded: 0, failed: 0, length: Duration::ZERO, ..loaded().intervals[0] }; 3];
        let svg = text(&run);
        assert!(svg.contains("Requests a second") && !svg.contains("NaN"), "{svg}");
        run.latency = times(&[(0, 1)]);
        assert!(!text(&run).contains("NaN"), "{}", text(&run));
        run.latency = times(&[(7, 1)]);
        let svg = text(&run);
        assert!(svg.contains("Latency by percentile") && !svg.contains("NaN"), "{svg}");
        run.url = "http://a.test/".to_owned() + &"é".repeat(200);
        assert!(
            text(&run)
                .contains(&format!("<title id=\"title\">squall bench: http://a.test/{}…</title>", "é".repeat(66)))
        );
    }
}
