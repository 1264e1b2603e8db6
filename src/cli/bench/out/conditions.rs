//! What a run says to the conditions of `--fail-if`.

use super::words;
use crate::cli::bench::summary::{Figure, Summary};
use crate::config::bench_args::{Bound, Condition, Series, Subject};

/// What a condition is about, as a sentence: `Ok` if the run is sound, `Err` if the condition holds, or if the run cannot
/// tell.
pub fn judge(condition: &Condition, summary: &Summary) -> Result<String, String> {
    let name = condition.text.split(['<', '>']).next().unwrap_or_default().trim();
    let (value, text) = match measure(condition, name, summary)? {
        Value::Micros(micros) => (micros, words::time(micros)),
        Value::Share(share) => (share, words::share(share)),
        Value::Number(number, unit) => (number, format!("{} {unit}", words::number(number, 3)).trim_end().to_owned()),
    };
    let bound = match condition.bound {
        Bound::Number(bound) | Bound::Share(bound) | Bound::Micros(bound) => bound,
    };
    let said = format!("{name} is {text}");
    match value.is_nan() || condition.comparison.holds(value, bound) {
        true => Err(said),
        false => Ok(said),
    }
}

enum Value {
    Micros(f64),
    Share(f64),
    Number(f64, &'static str),
}

fn measure(condition: &Condition, name: &str, summary: &Summary) -> Result<Value, String> {
    let schedule = || summary.schedule.as_ref().ok_or_else(|| format!("{name} needs a run with --rate"));
    let some_of = |part: u64, all: u64| match condition.bound {
        Bound::Share(_) if all == 0 => Err(format!("{name} is a share of nothing: nothing has ended")),
        Bound::Share(_) => Ok(Value::Share(part as f64 / all as f64)),
        _ => Ok(Value::Number(part as f64, "")),
    };
    match &condition.subject {
        Subject::Rate => Ok(Value::Number(summary.rate(), "/s")),
        Subject::Requests => Ok(Value::Number(summary.done() as f64, "")),
        Subject::Limited => Ok(Value::Number(summary.limited.len() as f64, "")),
        Subject::Errors => some_of(summary.failed(), summary.done()),
        Subject::Not2xx => {
            some_of(summary.responses(|status| !(200..300).contains(&status)), summary.responses(|_| true))
        }
        Subject::NeverSent => {
            let never_sent = schedule()?.never_sent;
            some_of(never_sent, summary.done() + never_sent)
        }
        Subject::Time(series, statistic) => {
            let times = match series {
                Series::Latency => &summary.latency,
                Series::Uncorrected => &schedule()?.uncorrected,
                Series::Late => &schedule()?.late,
                Series::Open => &schedule()?.open,
            };
            // Nothing late and nothing open is as good as can be; no latency is as bad.
            match (series, times.count()) {
                (Series::Latency | Series::Uncorrected, 0) => Err(format!("{name} is not known: nothing has ended")),
                _ => Ok(Value::Micros(words::statistic(times, *statistic))),
            }
        }
        Subject::Figure(_) => of_figure(condition.bound, name, &summary.figures),
    }
}

fn of_figure(bound: Bound, name: &str, figures: &[Figure]) -> Result<Value, String> {
    let Some(figure) = figures.iter().find(|figure| figure.name == name) else {
        let names: Vec<&str> = figures.iter().map(|figure| figure.name).collect();
        let has = if names.is_empty() { "none of its own".to_owned() } else { names.join(", ") };
        return Err(format!("this run has no figure {name}; it has {has}"));
    };
    match (micros_of(figure), bound) {
        (Some(micros), Bound::Micros(_)) => Ok(Value::Micros(micros)),
        (None, Bound::Share(_)) => Ok(Value::Share(figure.value)),
        (None, Bound::Number(_)) => Ok(Value::Number(figure.value, figure.unit)),
        (Some(_), _) => Err(format!("{name} is a time: compare it with a time, such as {name}>20ms")),
        (None, Bound::Micros(_)) => Err(format!("{name} is no time: compare it with a number")),
    }
}

/// The value of a figure that is a time.
fn micros_of(figure: &Figure) -> Option<f64> {
    let factor = match figure.unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(figure.value * factor)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{condition, loaded, scheduled, silent};
    use super::*;

    fn said(text: &str, summary: &Summary) -> Result<String, String> {
        judge(&condition(text), summary)
    }

    #[test]
    fn a_condition_that_holds_says_what_was_measured() {
        let run = loaded();
        for (text, says) in [
            ("p99>20ms", "p99 is 31.199 ms"),
            ("max>=40ms", "max is 40 ms"),
            ("errors>0.1%", "errors is 1 %"),
            ("errors>9", "errors is 10"),
            ("not_2xx>0", "not_2xx is 90"),
            ("not_2xx>5%", "not_2xx is 9.0909 %"),
            ("rate<1000", "rate is 99 /s"),
            ("requests<=1000", "requests is 1000"),
            ("reach<1", "reach is 0.995"),
            ("reach<99.9%", "reach is 99.5 %"),
            ("handshake>5ms", "handshake is 6 ms"),
            ("limited>0", "limited is 1"),
        ] {
            assert_eq!(said(text, &run), Err(says.to_owned()), "{text}");
        }
        for text in
            ["p99>31.199ms", "p99>=31.2ms", "errors>1%", "errors>10", "rate<99", "reach<0.995", "handshake>6000us"]
        {
            assert!(said(text, &run).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_condition_that_cannot_be_told_counts_as_broken() {
        for (text, run, says) in [
            ("p99>20ms", silent(), "p99 is not known: nothing has ended"),
            ("errors>1%", silent(), "errors is a share of nothing: nothing has ended"),
            ("late_p99>1ms", loaded(), "late_p99 needs a run with --rate"),
            ("never_sent>0", loaded(), "never_sent needs a run with --rate"),
            ("reech<1", loaded(), "this run has no figure reech; it has reach, handshake"),
            ("reech<1", silent(), "this run has no figure reech; it has none of its own"),
            ("reach<1ms", loaded(), "reach is no time: compare it with a number"),
            ("handshake>5", loaded(), "handshake is a time: compare it with a time, such as handshake>20ms"),
        ] {
            assert_eq!(said(text, &run), Err(says.to_owned()), "{text}");
        }
        let mut run = loaded();
        run.figures[0].value = f64::NAN;
        assert_eq!(said("reach<1", &run), Err("reach is NaN".into()));
    }

    #[test]
    fn a_schedule_has_figures_of_its_own() {
        let run = scheduled();
        for (text, says) in [
            ("uncorrected_max>1ms", "uncorrected_max is 2 ms"),
            ("late_p99>10us", "late_p99 is 40 µs"),
            ("open_max>1s", "open_max is 3 s"),
            ("never_sent>0", "never_sent is 25"),
            ("never_sent>2%", "never_sent is 2.439 %"),
        ] {
            assert_eq!(said(text, &run), Err(says.to_owned()), "{text}");
        }
    }
}
