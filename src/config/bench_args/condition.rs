//! Conditions on the figures of a run, such as `p99>20ms` and `errors>0.1%`.

use std::str::FromStr;

/// A condition on a run, which has failed if it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it was given.
    pub text: String,
    pub subject: Subject,
    pub comparison: Comparison,
    pub bound: Bound,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    Time(Series, Statistic),
    /// Requests a second that ended well.
    Rate,
    /// Requests that ended, well or not.
    Requests,
    /// Requests that failed.
    Errors,
    /// Responses with a status that is not 2xx.
    Not2xx,
    /// Requests that were due and were not sent (`--rate`).
    NeverSent,
    /// Reasons for which the load itself was the limit.
    Limited,
    /// A figure of the mode, by its name.
    Figure(String),
}

/// Whose times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    Latency,
    /// Latency from the moment when a request was sent (`--rate`).
    Uncorrected,
    /// How late this program sent (`--rate`).
    Late,
    /// Ages of the requests that were open at the end (`--rate`).
    Open,
}

/// One number that stands for many times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    Min,
    Mean,
    Deviation,
    Max,
    /// The time that this percentage, 0 to 100, does not exceed.
    Percentile(f64),
}

/// How a figure is compared with its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    AtLeast,
    Less,
    AtMost,
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    Number(f64),
    /// A part of the whole, 1 for all of it.
    Share(f64),
    /// A time, µs.
    Micros(f64),
}

impl Comparison {
    /// Whether it is so.
    pub fn holds(self, figure: f64, bound: f64) -> bool {
        match self {
            Comparison::Greater => figure > bound,
            Comparison::AtLeast => figure >= bound,
            Comparison::Less => figure < bound,
            Comparison::AtMost => figure <= bound,
        }
    }
}

impl FromStr for Condition {
    type Err = String;

    /// A name, a comparison and a number with its unit. The error is a sentence that says what is expected.
    fn from_str(text: &str) -> Result<Condition, String> {
        let expected = || {
            "expected a name, one of > >= < <= and a number with its unit, such as p99>20ms, errors>0.1% or rate<1000"
                .to_owned()
        };
        let at = text.find(['<', '>']).ok_or_else(expected)?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let signs = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
        ];
        let mut found = signs.into_iter().filter_map(|(sign, it)| Some((it, rest.strip_prefix(sign)?.trim())));
        let (comparison, bound) = found.next().ok_or_else(expected)?;
        let (bound, per_second) = parse_bound(bound).ok_or_else(expected)?;
        let subject = parse_subject(name)?.ok_or_else(expected)?;
        let fits = match (&subject, bound) {
            (Subject::Figure(_), _) => true,
            (Subject::Time(..), bound) => matches!(bound, Bound::Micros(_)),
            (Subject::Errors | Subject::Not2xx | Subject::NeverSent, Bound::Share(_)) => true,
            (subject, bound) => matches!(bound, Bound::Number(_)) && (!per_second || *subject == Subject::Rate),
        };
        match (fits, &subject) {
            (true, _) => Ok(Condition { text: text.to_owned(), subject, comparison, bound }),
            (false, Subject::Time(..)) => Err(format!("{name} is a time: expected a unit, such as {name}>20ms")),
            (false, Subject::Rate) => Err("rate is a number a second: expected rate<1000 or rate<1000/s".into()),
            (false, Subject::Requests | Subject::Limited) => Err(format!("{name} is a count: expected {name}<1000")),
            (false, _) => Err(format!("{name} is a count or a share: expected {name}>10 or {name}>0.1%")),
        }
    }
}

/// The number, and whether it is one a second.
fn parse_bound(text: &str) -> Option<(Bound, bool)> {
    type Make = fn(f64) -> Bound;
    let units: [(&str, Make); 7] = [
        ("us", Bound::Micros),
        ("µs", Bound::Micros),
        ("ms", |ms| Bound::Micros(ms * 1e3)),
        ("/s", Bound::Number),
        ("s", |seconds| Bound::Micros(seconds * 1e6)),
        ("%", |percent| Bound::Share(percent / 100.0)),
        ("", Bound::Number),
    ];
    let (number, unit, make) =
        units.into_iter().find_map(|(unit, make)| Some((text.strip_suffix(unit)?.trim_end(), unit, make)))?;
    // `parse` alone would take a sign, an exponent, and `inf`.
    let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = number.parse().ok().filter(|_| is_plain)?;
    Some((make(number), unit == "/s"))
}

/// What a name stands for; `None` if it is no name at all.
fn parse_subject(name: &str) -> Result<Option<Subject>, String> {
    let known = match name {
        "rate" => Subject::Rate,
        "requests" => Subject::Requests,
        "errors" => Subject::Errors,
        "not_2xx" => Subject::Not2xx,
        "never_sent" => Subject::NeverSent,
        "limited" => Subject::Limited,
        _ => {
            let series = [
                ("uncorrected_", Series::Uncorrected),
                ("late_", Series::Late),
                ("open_", Series::Open),
                ("", Series::Latency),
            ];
            let (series, statistic) = series
                .into_iter()
                .find_map(|(prefix, series)| Some((series, name.strip_prefix(prefix)?)))
                .unwrap_or((Series::Latency, name));
            match parse_statistic(statistic)? {
                Some(statistic) => Subject::Time(series, statistic),
                None => Subject::Figure(name.to_owned()),
            }
        }
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    Ok(Some(known).filter(|subject| is_name || !matches!(subject, Subject::Figure(_))))
}

fn parse_statistic(name: &str) -> Result<Option<Statistic>, String> {
    let percent = name.strip_prefix('p').filter(|percent| {
        percent.starts_with(|first: char| first.is_ascii_digit())
            && percent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    Ok(Some(match (name, percent.map(str::parse::<f64>)) {
        ("min", _) => Statistic::Min,
        ("mean", _) => Statistic::Mean,
        ("sd", _) => Statistic::Deviation,
        ("max", _) => Statistic::Max,
        (_, Some(Ok(percent))) if percent <= 100.0 => Statistic::Percentile(percent),
        (_, Some(_)) => return Err(format!("{name} is no percentile: they go from p0 to p100, such as p99.9")),
        (_, None) => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Subject, Comparison, Bound) {
        let condition: Condition = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(condition.text, text);
        (condition.subject, condition.comparison, condition.bound)
    }

    #[test]
    fn times_are_compared_with_times_of_any_unit() {
        let latency = |statistic| Subject::Time(Series::Latency, statistic);
        for (text, subject, comparison, micros) in [
            ("p99>20ms", latency(Statistic::Percentile(99.0)), Comparison::Greater, 20_000.0),
            ("p99.99 >= 1.5s", latency(Statistic::Percentile(99.99)), Comparison::AtLeast, 1_500_000.0),
            ("p50<250us", latency(Statistic::Percentile(50.0)), Comparison::Less, 250.0),
            ("mean<=250 µs", latency(Statistic::Mean), Comparison::AtMost, 250.0),
            ("late_p99>0.1ms", Subject::Time(Series::Late, Statistic::Percentile(99.0)), Comparison::Greater, 100.0),
            ("open_max>1s", Subject::Time(Series::Open, Statistic::Max), Comparison::Greater, 1e6),
        ] {
            assert_eq!(parsed(text), (subject, comparison, Bound::Micros(micros)), "{text}");
        }
    }

    #[test]
    fn counts_shares_rates_and_figures_have_their_units() {
        for (text, subject, bound) in [
            ("errors>0.1%", Subject::Errors, Bound::Share(0.001)),
            ("errors>0", Subject::Errors, Bound::Number(0.0)),
            ("not_2xx>5%", Subject::Not2xx, Bound::Share(0.05)),
            ("rate>1000/s", Subject::Rate, Bound::Number(1000.0)),
            ("limited>0", Subject::Limited, Bound::Number(0.0)),
            ("reach>1", Subject::Figure("reach".into()), Bound::Number(1.0)),
            ("reach>99.9%", Subject::Figure("reach".into()), Bound::Share(99.9 / 100.0)),
            ("handshake>5ms", Subject::Figure("handshake".into()), Bound::Micros(5000.0)),
        ] {
            assert_eq!(parsed(text), (subject, Comparison::Greater, bound), "{text}");
        }
    }

    #[test]
    fn a_condition_without_a_meaning_is_refused() {
        for (text, says) in [
            ("", "expected a name"),
            ("p99", "expected a name"),
            ("p99=20ms", "expected a name"),
            (">20ms", "expected a name"),
            ("p99>", "expected a name"),
            ("p99>ms", "expected a name"),
            ("p99>-1ms", "expected a name"),
            ("p99>1e3ms", "expected a name"),
            ("p99>infms", "expected a name"),
            ("p99>1.2.3ms", "expected a name"),
            ("p99>>20ms", "expected a name"),
            ("p99>20min", "expected a name"),
            ("a b>1", "expected a name"),
            ("p99>20", "p99 is a time: expected a unit"),
            ("mean>5%", "mean is a time: expected a unit"),
            ("p999>20ms", "p999 is no percentile"),
            ("p9.9.9>20ms", "p9.9.9 is no percentile"),
            ("errors>5ms", "errors is a count or a share"),
            ("errors>5/s", "errors is a count or a share"),
            ("rate<5%", "rate is a number a second"),
            ("requests<5%", "requests is a count"),
        ] {
            let why = text.parse::<Condition>().expect_err(text);
            assert!(why.contains(says) && !why.contains('\n'), "{text}: {why}");
        }
    }
}
