//! Axes: where a value lies on a line, and which values are named beside it.

use super::super::words;

/// Values from 0, or from a power of ten, to the largest one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    Linear { most: f64 },
    Logarithmic { least: f64, most: f64 },
}

/// The least that an axis shows.
pub const SMALLEST: f64 = 1e-3;

/// A value with a name, at its place from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub place: f64,
    pub name: String,
}

impl Scale {
    /// From 0 to a round value that is `most` or more, and more than nothing.
    pub fn linear(most: f64) -> Scale {
        let most = most.max(SMALLEST);
        let step = step(most);
        Scale::Linear { most: (most / step).ceil().max(1.0) * step }
    }

    /// From 0, or by powers of ten if usual values would lie on the ground line beside the largest one.
    pub fn of_times(least: f64, usual: f64, most: f64) -> Scale {
        match most > 100.0 * usual.max(1.0) {
            true => Scale::Logarithmic { least: power_below(least.max(1.0)), most: power_below(most * 9.999_999) },
            false => Scale::linear(most),
        }
    }

    /// 0 at the beginning, 1 at the end.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Scale::Linear { most } => value / most,
            Scale::Logarithmic { least, most } => (value.max(least) / least).log10() / (most / least).log10(),
        }
    }

    /// Values to name, in the words of `name`.
    pub fn ticks(self, name: impl Fn(f64) -> String) -> Vec<Tick> {
        let values: Vec<f64> = match self {
            Scale::Linear { most } => {
                let step = step(most);
                (0..=(most / step).round() as usize).map(|n| n as f64 * step).collect()
            }
            Scale::Logarithmic { least, most } => {
                let powers = (most / least).log10().round() as i32;
                (0..=powers).map(|power| least * 10_f64.powi(power)).collect()
            }
        };
        values.into_iter().map(|value| Tick { place: self.place(value), name: name(value) }).collect()
    }
}

/// The power of ten that is `value` or just below.
fn power_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

/// A step of 1, 2 or 5 times a power of ten, of which four to eight make `most`.
fn step(most: f64) -> f64 {
    let rough = most / 8.0;
    let power = power_below(rough);
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough).unwrap_or(power * 10.0)
}

/// A percentile axis, on which each further nine takes as much room as the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nines {
    /// Nines at its end: 3 for 99.9 %; it may end between two.
    pub nines: f64,
}

impl Nines {
    /// The largest share that `count` times can tell: of a hundred times, the last one is behind 99 %.
    pub fn of(count: u64) -> Nines {
        Nines { nines: (count.max(1) as f64).log10().clamp(1.0, 7.0) }
    }

    /// The percentage at a place.
    pub fn percent(self, place: f64) -> f64 {
        100.0 * (1.0 - 10_f64.powf(-place * self.nines))
    }

    /// 0 %, 50 %, and one for each nine.
    pub fn ticks(self) -> Vec<Tick> {
        let tick = |rest: f64, name: String| Tick { place: -rest.log10() / self.nines, name };
        let nines = (1..=self.nines as i32).map(|nines| {
            let rest = 10_f64.powi(-nines);
            tick(rest, format!("{} %", words::number(100.0 - 100.0 * rest, 5)))
        });
        [tick(1.0, "0 %".into()), tick(0.5, "50 %".into())].into_iter().chain(nines).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ticks: &[Tick]) -> Vec<(String, i32)> {
        ticks.iter().map(|tick| (tick.name.clone(), (tick.place * 100.0).round() as i32)).collect()
    }

    #[test]
    fn a_linear_axis_ends_at_a_round_value() {
        let scale = Scale::linear(870.0);
        assert_eq!(scale, Scale::Linear { most: 1000.0 });
        let ticks = scale.ticks(|value| words::number(value, 3));
        let names: Vec<&str> = ticks.iter().map(|tick| tick.name.as_str()).collect();
        assert_eq!(names, ["0", "200", "400", "600", "800", "1000"]);
        let nothing = Scale::linear(0.0);
        assert_eq!((nothing, nothing.ticks(|_| String::new()).len()), (Scale::Linear { most: SMALLEST }, 6));
    }

    #[test]
    fn times_far_apart_have_powers_of_ten() {
        assert_eq!(Scale::of_times(100.0, 200.0, 20_000.0), Scale::Linear { most: 20_000.0 });
        let scale = Scale::of_times(120.0, 200.0, 3_000_000.0);
        let expected = [("100 µs", 0), ("1 ms", 20), ("10 ms", 40), ("100 ms", 60), ("1 s", 80), ("10 s", 100)];
        assert_eq!(named(&scale.ticks(words::time)), expected.map(|(name, place)| (name.to_owned(), place)));
        assert_eq!(scale.place(0.0), 0.0);
    }

    #[test]
    fn each_nine_has_the_same_room() {
        let nines = Nines::of(10_000);
        let expected = [("0 %", 0), ("50 %", 8), ("90 %", 25), ("99 %", 50), ("99.9 %", 75), ("99.99 %", 100)];
        assert_eq!(named(&nines.ticks()), expected.map(|(name, place)| (name.to_owned(), place)));
        assert!((nines.percent(0.5) - 99.0).abs() < 1e-9);
        assert_eq!((Nines::of(0).nines, Nines::of(u64::MAX).nines), (1.0, 7.0));
    }
}
