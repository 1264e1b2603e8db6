//! One diagram: its frame, the names on its axes, its lines and their legend.

use super::scale::Tick;
use std::fmt::Write;

/// Room on the left for names of values.
const LEFT: usize = 84;
/// Room on the right for half of the last name.
const RIGHT: usize = 36;
/// Room above for the title and the legend.
const ABOVE: usize = 30;
/// Room below for names and the unit, and to the next diagram.
const BELOW: usize = 66;
/// Width of a character, on average, in a wide font: there is no font to ask.
const CHARACTER: f64 = 7.5;

/// A diagram. Places go from 0 to 1: left to right, and upward.
pub struct Panel {
    pub title: &'static str,
    /// Units of the picture.
    pub height: usize,
    /// What the axis below counts.
    pub unit: &'static str,
    pub ticks_below: Vec<Tick>,
    pub ticks_beside: Vec<Tick>,
    pub lines: Vec<Line>,
}

/// A line, perhaps with gaps.
pub struct Line {
    pub class: &'static str,
    pub name: &'static str,
    pub parts: Vec<Vec<(f64, f64)>>,
}

impl Panel {
    /// Units of the picture that it needs from top to bottom.
    pub fn room(&self) -> usize {
        ABOVE + self.height + BELOW
    }

    /// The elements of the diagram, in a picture so wide, below `top`.
    pub fn draw(&self, picture: usize, top: usize) -> String {
        let (width, upper) = ((picture - LEFT - RIGHT) as f64, (top + ABOVE) as f64);
        let x = |place: f64| LEFT as f64 + place * width;
        let y = |place: f64| upper + (1.0 - place) * self.height as f64;
        let (left, right, ground) = (x(0.0), x(1.0), y(0.0));
        let mut out = format!("<text x=\"24\" y=\"{}\" font-weight=\"600\">{}</text>\n", top + 12, self.title);
        // A String takes everything.
        let _ = write!(out, "{}", self.legend(right, top as f64 + 12.0));
        for tick in &self.ticks_beside {
            let (at, name) = (y(tick.place), &tick.name);
            let _ = writeln!(out, "<path class=\"grid\" d=\"M{left:.1} {at:.1}H{right:.1}\"/>");
            let _ = writeln!(
                out,
                "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
                left - 8.0,
                at + 4.5
            );
        }
        for tick in &self.ticks_below {
            let (at, name) = (x(tick.place), &tick.name);
            let _ = writeln!(out, "<path class=\"grid\" d=\"M{at:.1} {upper:.1}V{:.1}\"/>", ground + 5.0);
            let _ = writeln!(
                out,
                "<text class=\"soft\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
                ground + 19.0
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            right,
            ground + 37.0,
            self.unit
        );
        let _ = writeln!(out, "<path class=\"axis\" d=\"M{left:.1} {ground:.1}H{right:.1}\"/>");
        for line in &self.lines {
            let mut path = String::new();
            for part in &line.parts {
                for (n, (across, up)) in part.iter().enumerate() {
                    let _ = write!(path, "{}{:.1} {:.1}", if n == 0 { 'M' } else { 'L' }, x(*across), y(up.min(1.0)));
                }
                // A part of one point would not be seen.
                if let [(across, up)] = part[..] {
                    let _ = write!(path, "L{:.1} {:.1}", x(across) + 1.0, y(up.min(1.0)));
                }
            }
            let _ = writeln!(out, "<path class=\"line {}\" d=\"{path}\"/>", line.class);
        }
        out
    }

    /// The names of the lines, each behind a piece of it, up to the right edge.
    fn legend(&self, right: f64, baseline: f64) -> String {
        let mut out = String::new();
        let mut end = right;
        for line in self.lines.iter().rev() {
            let begin = end - line.name.chars().count() as f64 * CHARACTER;
            let _ = writeln!(
                out,
                "<path class=\"line {}\" d=\"M{:.1} {:.1}h28\"/><text x=\"{begin:.1}\" y=\"{baseline:.1}\">{}</text>",
                line.class,
                begin - 36.0,
                baseline - 4.5,
                line.name
            );
            end = begin - 36.0 - 24.0;
        }
        out
    }
}
