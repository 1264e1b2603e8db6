//! The picture of `--models`, as SVG: rate, p99, memory and workers by connections, a line for each server.
//!
//! Both axes are logarithmic: the servers differ by factors, and so do the numbers of connections. It has colours for a
//! light and a dark page, and a shape for each server, so it can be read without colours as well.

use super::table::{grouped, mebibytes, milliseconds};
use super::{Cell, Handler, Subject};
use std::fmt::Write;
use std::time::Duration;

const WIDTH: f64 = 900.0;
/// The top of the first row of panels.
const TOP: f64 = 96.0;
/// From the top of one panel to that of the next one below it.
const ROW: f64 = 200.0;
const PANEL_WIDTH: f64 = 256.0;
const PANEL_HEIGHT: f64 = 150.0;
/// The left edge of the panels of each handler; behind the panels is room for the names of the lines.
const LEFT: [f64; 2] = [72.0, 508.0];
/// Between two names at the ends of lines.
const NAME_HEIGHT: f64 = 14.0;

const STYLE: &str = "
svg { --ink: #24292f; --faint: #d0d7de; --card: #ffffff;
  --process: #b3261e; --thread: #9a6700; --loop: #0969da; --squall: #1a7f37; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6edf3; --faint: #3d444d; --card: #0d1117;
    --process: #ff8a80; --thread: #e3b341; --loop: #6cb6ff; --squall: #56d364; }
}
text { fill: var(--ink); font: 13px system-ui, sans-serif; }
.small { font-size: 11px; }
.bold { font-weight: 600; }
.card { fill: var(--card); stroke: var(--faint); }
.grid { stroke: var(--faint); }
.process { --line: var(--process); } .thread { --line: var(--thread); }
.loop { --line: var(--loop); } .squall { --line: var(--squall); }
polyline { fill: none; stroke: var(--line); stroke-width: 2; }
.dot { fill: var(--line); stroke: var(--line); stroke-width: 2; }
.marked { fill: var(--card); }
.name { fill: var(--line); }
";

/// What a row of panels shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Rate,
    P99,
    Memory,
    Workers,
}

impl Figure {
    const ALL: [Figure; 4] = [Figure::Rate, Figure::P99, Figure::Memory, Figure::Workers];

    fn title(self) -> &'static str {
        match self {
            Figure::Rate => "responses a second",
            Figure::P99 => "99 % of the responses come within",
            Figure::Memory => "memory, the most at once",
            Figure::Workers => "threads of all processes, the most at once",
        }
    }

    /// `None` where it was not measured; an axis that is logarithmic has no 0.
    fn of(self, cell: &Cell) -> Option<f64> {
        let value = match self {
            Figure::Rate => cell.rate(),
            Figure::P99 => cell.load.p99.as_secs_f64(),
            Figure::Memory => cell.needs?.memory as f64,
            Figure::Workers => cell.needs?.threads as f64,
        };
        (value > 0.0).then_some(value)
    }

    fn text(self, value: f64) -> String {
        match self {
            Figure::Rate => format!("{}/s", grouped(value.round() as u64)),
            Figure::P99 => milliseconds(Duration::from_secs_f64(value)),
            Figure::Memory => mebibytes(value as u64),
            Figure::Workers => grouped(value.round() as u64),
        }
    }

    /// The text at a step of the axis.
    fn step(self, decade: i32) -> String {
        let number = match usize::try_from(-decade) {
            Ok(digits @ 1..) => format!("{:.digits$}", 10_f64.powi(decade)),
            _ => grouped(10_f64.powi(decade) as u64),
        };
        match self {
            Figure::Rate | Figure::Workers => number,
            Figure::P99 => format!("{number} ms"),
            Figure::Memory => format!("{number} MiB"),
        }
    }

    /// The steps of the axis: decades, of the unit in which the values are shown.
    fn unit(self) -> f64 {
        match self {
            Figure::Rate | Figure::Workers => 1.0,
            Figure::P99 => 1e-3,
            Figure::Memory => f64::from(1 << 20),
        }
    }
}

/// The picture; `seen` is what it says, in words.
pub fn draw(cells: &[Cell], seen: &[String]) -> String {
    let height = TOP + ROW * Figure::ALL.len() as f64;
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' \
         role='img' aria-labelledby='title desc'>\n<title id='title'>Three server models and squall, by connections</title>\n\
         <desc id='desc'>{}</desc>\n<style>{STYLE}</style>\n\
         <rect class='card' x='.5' y='.5' width='{}' height='{}' rx='8'/>\n",
        escaped(&seen.join(" ")),
        WIDTH - 1.0,
        height - 1.0
    );
    legend(&mut out, cells.iter().any(is_marked));
    let mut connections: Vec<usize> = cells.iter().map(|cell| cell.connections).collect();
    connections.sort_unstable();
    connections.dedup();
    for (handler, left) in Handler::ALL.into_iter().zip(LEFT) {
        let when = if handler == Handler::Plain { "responds at once" } else { "responds after 10 ms" };
        text(&mut out, (left, 72.0), "start", "bold", &format!("{} {when}", handler.name()));
    }
    for (n, figure) in Figure::ALL.into_iter().enumerate() {
        let values = || cells.iter().filter_map(|cell| figure.of(cell));
        let (least, most) =
            values().fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        if least > most {
            continue;
        }
        for (handler, left) in Handler::ALL.into_iter().zip(LEFT) {
            let axes = Axes::new((left, TOP + ROW * n as f64), &connections, figure.unit(), (least, most));
            panel(&mut out, figure, &axes, cells.iter().filter(|cell| cell.handler == handler));
        }
    }
    out + "</svg>\n"
}

/// Whether the figures are not those of all connections.
fn is_marked(cell: &Cell) -> bool {
    cell.is_full() || cell.load.failed > 0 || cell.load.ended.is_some()
}

/// The names of the lines, each with its shape.
fn legend(out: &mut String, has_marked: bool) {
    text(out, (20.0, 32.0), "start", "bold", "Three server models and squall, by connections");
    for (n, subject) in Subject::ALL.into_iter().enumerate() {
        let x = 450.0 + 84.0 * n as f64;
        let _ = writeln!(out, "<g class='{}'>{}</g>", subject.name(), shape(subject, (x, 28.0), "dot"));
        text(out, (x + 11.0, 32.0), "start", "", subject.name());
    }
    if has_marked {
        text(out, (445.0, 52.0), "start", "small", "hollow: it had all the workers that it allows, or requests failed");
    }
}

/// Where values are in a panel.
struct Axes<'a> {
    left: f64,
    top: f64,
    connections: &'a [usize],
    /// The least and the most of the scale, as exponents of 10 of the unit.
    decades: (i32, i32),
    unit: f64,
}

impl<'a> Axes<'a> {
    /// With whole decades from below `least` to above `most`.
    fn new((left, top): (f64, f64), connections: &'a [usize], unit: f64, (least, most): (f64, f64)) -> Axes<'a> {
        let first = (least / unit).log10().floor() as i32;
        let last = ((most / unit).log10().ceil() as i32).max(first + 1);
        Axes { left, top, connections, decades: (first, last), unit }
    }

    fn x(&self, connections: usize) -> f64 {
        let at = self.connections.iter().position(|&one| one == connections).unwrap_or(0);
        let steps = self.connections.len().saturating_sub(1).max(1);
        self.left + 16.0 + (PANEL_WIDTH - 32.0) * at as f64 / steps as f64
    }

    fn y(&self, value: f64) -> f64 {
        let (first, last) = self.decades;
        let share = ((value / self.unit).log10() - f64::from(first)) / f64::from(last - first);
        self.top + PANEL_HEIGHT * (1.0 - share)
    }
}

fn panel<'a>(out: &mut String, figure: Figure, axes: &Axes, cells: impl Iterator<Item = &'a Cell> + Clone) {
    let right = axes.left + PANEL_WIDTH;
    text(out, (axes.left, axes.top - 8.0), "start", "small", figure.title());
    for decade in axes.decades.0..=axes.decades.1 {
        let value = axes.unit * 10_f64.powi(decade);
        let y = axes.y(value);
        let _ = writeln!(out, "<line class='grid' x1='{}' x2='{right}' y1='{y:.1}' y2='{y:.1}'/>", axes.left);
        text(out, (axes.left - 6.0, y + 4.0), "end", "small", &figure.step(decade));
    }
    for &connections in axes.connections {
        let x = axes.x(connections);
        text(out, (x, axes.top + PANEL_HEIGHT + 16.0), "middle", "small", &grouped(connections as u64));
    }
    if Some(&figure) == Figure::ALL.last() {
        text(out, (axes.left + PANEL_WIDTH / 2.0, axes.top + PANEL_HEIGHT + 32.0), "middle", "small", "connections");
    }
    let mut ends = Vec::new();
    // The loop in front of squall: its mark is the smaller one.
    for subject in Subject::ALL.into_iter().rev() {
        let mut points: Vec<(&Cell, f64)> = cells
            .clone()
            .filter(|cell| cell.subject == subject)
            .filter_map(|cell| Some((cell, figure.of(cell)?)))
            .collect();
        points.sort_by_key(|(cell, _)| cell.connections);
        let at = |&(cell, value): &(&Cell, f64)| (axes.x(cell.connections), axes.y(value));
        let path: Vec<String> = points.iter().map(at).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(out, "<g class='{}'><polyline points='{}'/>", subject.name(), path.join(" "));
        for point in &points {
            let (cell, value) = *point;
            let dot = shape(subject, at(point), if is_marked(cell) { "dot marked" } else { "dot" });
            let what = format!("{}, {} connections: {}", subject.name(), cell.connections, figure.text(value));
            let _ = write!(out, "<g>{dot}<title>{what}</title></g>");
        }
        out.push_str("</g>\n");
        ends.extend(points.last().map(|point| (at(point).1, (subject, figure.text(point.1)))));
    }
    for (y, (subject, value)) in apart(ends, axes.top + PANEL_HEIGHT) {
        let (class, name) = (format!("small name {}", subject.name()), format!("{} {value}", subject.name()));
        text(out, (right + 2.0, y + 4.0), "start", &class, &name);
    }
}

/// The same labels from top to bottom, so far apart that none lies on another, and none below `lowest`.
fn apart<T>(mut labels: Vec<(f64, T)>, lowest: f64) -> Vec<(f64, T)> {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut highest = f64::MIN;
    for (y, _) in &mut labels {
        *y = y.max(highest);
        highest = *y + NAME_HEIGHT;
    }
    let mut lowest = lowest;
    for (y, _) in labels.iter_mut().rev() {
        *y = y.min(lowest);
        lowest = *y - NAME_HEIGHT;
    }
    labels
}

/// The mark of a server.
fn shape(subject: Subject, (x, y): (f64, f64), class: &str) -> String {
    match subject {
        Subject::Process => {
            format!("<rect class='{class}' x='{:.1}' y='{:.1}' width='7' height='7'/>", x - 3.5, y - 3.5)
        }
        Subject::Thread => format!("<path class='{class}' d='M{x:.1} {:.1}l4.5 8h-9z'/>", y - 5.0),
        Subject::Loop => format!("<circle class='{class}' cx='{x:.1}' cy='{y:.1}' r='3.4'/>"),
        Subject::Squall => format!("<path class='{class}' d='M{x:.1} {:.1}l6 6l-6 6l-6 -6z'/>", y - 6.0),
    }
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, class: &str, what: &str) {
    let what = escaped(what);
    let _ = writeln!(out, "<text x='{x:.1}' y='{y:.1}' text-anchor='{anchor}' class='{class}'>{what}</text>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_measurement_is_a_point_of_four_lines() {
        let mut cells = Vec::new();
        for handler in Handler::ALL {
            for connections in [1, 10] {
                cells.extend(
                    Subject::ALL.map(|subject| sample(handler, connections, subject, 100 * connections as u64)),
                );
            }
        }
        let drawn = draw(&cells, &["One & all < seen.".into()]);
        assert_eq!(drawn.matches("<polyline").count(), 2 * 4 * 4);
        assert_eq!(drawn.matches("connections: ").count(), cells.len() * 4);
        assert!(drawn.contains("loop, 10 connections: 1,000/s") && drawn.contains("One &amp; all &lt; seen."));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf") && !drawn.contains("hollow"), "{drawn}");
        for tag in ["svg", "g", "text", "title", "desc", "style"] {
            let begun = drawn.matches(&format!("<{tag} ")).count() + drawn.matches(&format!("<{tag}>")).count();
            assert_eq!(begun, drawn.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn one_number_of_connections_and_nothing_at_all_can_be_drawn() {
        let mut failed = sample(Handler::Plain, 5, Subject::Loop, 0);
        failed.load.failed = 3;
        let drawn = draw(&[failed], &[]);
        assert!(drawn.contains("hollow") && !drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        assert!(draw(&[], &[]).ends_with("</svg>\n"));
    }

    #[test]
    fn names_of_lines_lie_apart_and_inside() {
        let labels = apart(vec![(100.0, 'c'), (98.0, 'b'), (10.0, 'a')], 101.0);
        assert_eq!(labels, [(10.0, 'a'), (87.0, 'b'), (101.0, 'c')]);
    }
}
