//! The files of `-g` and `-e`: the times of every request, and a time for each percentage.

use super::times::{Sample, Times};
use httpdate::HttpDate;
use std::io::{self, Write};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Writes tab-separated lines for gnuplot, one for each request, by its total time; whole milliseconds. `now` is the same
/// moment on both clocks. The time of day is UTC.
///
/// # Errors
/// The file cannot be written.
pub fn write_gnuplot(out: &mut impl Write, samples: &[Sample], now: (Instant, SystemTime)) -> io::Result<()> {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_by_key(|sample| sample.latency());
    writeln!(out, "starttime\tseconds\tctime\tdtime\tttime\twait")?;
    for sample in sorted {
        let began = now.1.checked_sub(now.0.saturating_duration_since(sample.began)).unwrap_or(UNIX_EPOCH);
        let seconds = began.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let [connect, processing, total, wait] =
            [sample.connect, sample.processing(), sample.latency(), sample.wait].map(|micros| (micros + 500) / 1000);
        writeln!(out, "{}\t{seconds}\t{connect}\t{processing}\t{total}\t{wait}", asctime(began))?;
    }
    Ok(())
}

/// Writes a line for each percentage from 0 to 100, milliseconds with three decimals.
///
/// # Errors
/// The file cannot be written.
pub fn write_csv(out: &mut impl Write, total: &Times) -> io::Result<()> {
    writeln!(out, "Percentage served,Time in ms")?;
    (0..=100)
        .try_for_each(|percent| writeln!(out, "{percent},{:.3}", total.percentile(f64::from(percent)) as f64 / 1000.0))
}

/// `Tue Nov 24 08:53:15 2026`. A time that HTTP's dates cannot have is that of the year 1970.
fn asctime(time: SystemTime) -> String {
    /// The last second of the year 9999.
    const LAST: u64 = 253_402_300_799;
    let is_sound = time.duration_since(UNIX_EPOCH).is_ok_and(|since| since.as_secs() <= LAST);
    let date = HttpDate::from(if is_sound { time } else { UNIX_EPOCH }).to_string();
    // Tue, 24 Nov 2026 08:53:15 GMT
    let [day, of_month, month, year, clock] = [&date[..3], &date[5..7], &date[8..11], &date[12..16], &date[17..25]];
    format!("{day} {month} {of_month} {clock} {year}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sample(began: Instant, connect: u64, wait: u64, total: u64) -> Sample {
        Sample { began, queued: 0, connect, wait, total }
    }

    #[test]
    fn gnuplot_lines_are_sorted_by_total_time() {
        let now = Instant::now();
        let wall = UNIX_EPOCH + Duration::from_secs(1_795_510_395);
        let samples = [sample(now, 400, 2_000, 7_600), sample(now, 600, 0, 1_499)];
        let mut out = Vec::new();
        write_gnuplot(&mut out, &samples, (now, wall)).expect("memory has room");
        let lines = "starttime\tseconds\tctime\tdtime\tttime\twait\n\
                     Tue Nov 24 08:53:15 2026\t1795510395\t1\t1\t1\t0\n\
                     Tue Nov 24 08:53:15 2026\t1795510395\t0\t7\t8\t2\n";
        assert_eq!(String::from_utf8(out).expect("text"), lines);
    }

    #[test]
    fn csv_has_a_line_for_each_percentage() {
        let (mut times, mut out) = (Times::default(), Vec::new());
        (1..=200).for_each(|n| times.record(n * 10));
        write_csv(&mut out, &times).expect("memory has room");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            (lines.len(), lines[0], lines[1], lines[51], lines[101]),
            (102, "Percentage served,Time in ms", "0,0.010", "50,1.000", "100,2.000")
        );
    }

    #[test]
    fn a_clock_that_is_far_off_is_no_panic() {
        let far = UNIX_EPOCH + Duration::from_secs(300_000_000_000);
        assert_eq!(asctime(far), "Thu Jan 01 00:00:00 1970");
    }
}
