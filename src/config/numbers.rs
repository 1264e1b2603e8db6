//! Numbers on the command line: counts, bytes with a unit, seconds, rates. A meaningless one is refused with a
//! sentence.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The largest number of bytes: no machine has more memory, and sums of several do not overflow.
const BYTES_MAX: u64 = if usize::BITS < 64 { 1 << 30 } else { 1 << 40 };

/// A count within `range`.
pub(super) fn count(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let count = digits(text).and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
        let expected = || format!("expected a whole number from {} to {}", range.start(), range.end());
        count.map(|n| n as usize).ok_or_else(expected)
    }
}

/// One or more.
pub(super) fn at_least_one() -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    count(1..=u32::MAX)
}

/// Bytes, one or more: a number, perhaps with K, M or G (or KiB, MiB, GiB) behind it, in any case. A unit is 1,024 of
/// the one before, as in nginx, systemd and Docker. KB and MB are refused, since some count them in thousands.
pub(super) fn parse_bytes(text: &str) -> Result<usize, String> {
    let lower = text.to_ascii_lowercase();
    let unit = [("k", 10), ("m", 20), ("g", 30)].into_iter().find_map(|(unit, shift)| {
        let number = lower.strip_suffix("ib").unwrap_or(&lower).strip_suffix(unit)?;
        Some((number, shift))
    });
    let (number, shift) = unit.unwrap_or((&lower, 0));
    let expected = "expected bytes, such as 1048576, 512K, 256M or 4G";
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected.into());
    }
    // Digits only, so what does not fit is too large.
    let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)).filter(|&n| n <= BYTES_MAX);
    match bytes.map(usize::try_from) {
        Some(Ok(0)) => Err(format!("{expected}; 0 would be too few for anything")),
        Some(Ok(bytes)) => Ok(bytes),
        _ => Err(format!("{expected}; {}G are the most", BYTES_MAX >> 30)),
    }
}

/// Messages a second.
pub(super) fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("expected a number of messages a second, 0 or more".into()),
    }
}

/// A factor of limits.
pub(super) fn parse_factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.0..=1e6).contains(&factor) => Ok(factor),
        _ => Err("expected a factor, from 0 to 1000000".into()),
    }
}

/// Seconds, fractions allowed, `least` or more and a day at most.
pub(super) fn parse_seconds(text: &str, least: f64) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (least..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("expected seconds, from {least} to 86400")),
    }
}

/// A number of ASCII digits only; `parse` alone would take a sign.
fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_1024_of_the_one_before() {
        for (text, bytes) in [
            ("1", 1),
            ("4096", 4096),
            ("1k", 1 << 10),
            ("1K", 1 << 10),
            ("1KiB", 1 << 10),
            ("1kib", 1 << 10),
            ("007M", 7 << 20),
            ("256M", 256 << 20),
            ("256MIB", 256 << 20),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn bytes_end_at_a_tebibyte() {
        for text in ["4G", "1024G", "1048576M", "1099511627776"] {
            assert!(parse_bytes(text).is_ok_and(|bytes| bytes >= 4 << 30), "{text}");
        }
        for text in ["1025G", "1099511627777", "18446744073709551615", "18446744073709551616", "18014398509481985K"] {
            assert!(parse_bytes(text).is_err_and(|why| why.ends_with("; 1024G are the most")), "{text}");
        }
    }

    #[test]
    fn bytes_without_a_meaning_are_refused() {
        for text in
            ["", "K", "iB", "ib", "1iB", "1B", "1KB", "1 K", " 1", "1 ", "-1", "+1", "1.5M", "1e3", "0x1", "1T", "١"]
        {
            assert!(parse_bytes(text).is_err_and(|why| why.ends_with("256M or 4G")), "{text}");
        }
        for text in ["0", "0K", "000"] {
            assert!(parse_bytes(text).is_err_and(|why| why.contains("0 would be too few")), "{text}");
        }
    }

    #[test]
    fn a_count_is_digits_within_its_range() {
        assert_eq!(
            (count(0..=5)("0"), count(0..=5)("005"), at_least_one()("4294967295")),
            (Ok(0), Ok(5), Ok(4294967295))
        );
        for text in ["", "6", "-0", "+1", "1.0", " 1", "99999999999999999999999"] {
            assert_eq!(count(0..=5)(text), Err("expected a whole number from 0 to 5".into()), "{text}");
        }
    }
}
