//! The two clocks. A turn reads both once, and hands the reading down as a [`Now`].
//!
//! Deadlines and intervals are measured on the monotonic clock. Times for other programs (Date, a cookie's time, a line
//! of a log) are the wall clock's, which may be wrong, be set, and jump. Neither is derived from the other.

use httpdate::HttpDate;
use jiff::SignedDuration;
use jiff::civil::DateTime;
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic: for deadlines and intervals.
    pub instant: Instant,
    /// Wall clock: for other programs and people.
    pub wall: UnixMillis,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Now {
        Now { instant: Instant::now(), wall: UnixMillis::nearest(SystemTime::now()) }
    }
}

/// A time of the wall clock, whole seconds since 1970, up to the end of the year 9999: the times that an HTTP date can
/// express (RFC 9110 section 5.6.7). `httpdate` panics on all others, which files and clocks can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixTime(u64);

impl UnixTime {
    /// 31 December 9999, 23:59:59.
    pub const LAST: UnixTime = UnixTime(253_402_300_799);

    /// `time` without its fraction of a second; `None` before 1970 and after the year 9999.
    pub fn of(time: SystemTime) -> Option<UnixTime> {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        Some(UnixTime(since.as_secs())).filter(|&time| time <= UnixTime::LAST)
    }

    /// `time`, or the nearest one that can be expressed: a clock that is not set may be before 1970.
    pub fn nearest(time: SystemTime) -> UnixTime {
        let first = || if time < UNIX_EPOCH { UnixTime(0) } else { UnixTime::LAST };
        UnixTime::of(time).unwrap_or_else(first)
    }

    /// `seconds` since 1970, at most [`UnixTime::LAST`].
    pub fn from_seconds(seconds: u64) -> UnixTime {
        UnixTime(seconds).min(UnixTime::LAST)
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

/// As an HTTP date, 29 bytes: `Tue, 14 Nov 2023 22:13:20 GMT`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HttpDate::from(UNIX_EPOCH + Duration::from_secs(self.0)).fmt(f)
    }
}

/// A time of the wall clock, whole milliseconds since 1970, up to the end of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// 31 December 9999, 23:59:59.999.
    pub const LAST: UnixMillis = UnixMillis(UnixTime::LAST.0 * 1000 + 999);

    /// `time` without the fraction of a millisecond, or the nearest time that can be expressed.
    pub fn nearest(time: SystemTime) -> UnixMillis {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).map_or(UnixMillis::LAST, UnixMillis::from_millis)
    }

    /// `millis` since 1970, at most [`UnixMillis::LAST`].
    pub fn from_millis(millis: u64) -> UnixMillis {
        UnixMillis(millis).min(UnixMillis::LAST)
    }

    /// Parses a time as it is written, and no other spelling of it.
    pub fn parse(text: &str) -> Option<UnixMillis> {
        let time: DateTime = text.strip_suffix('Z')?.parse().ok()?;
        let since = time.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_millis();
        let parsed = u64::try_from(since).ok().map(UnixMillis).filter(|&time| time <= UnixMillis::LAST)?;
        (parsed.to_string() == text).then_some(parsed)
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The same time without its fraction of a second.
    pub fn whole(self) -> UnixTime {
        UnixTime(self.seconds())
    }
}

impl From<UnixTime> for UnixMillis {
    fn from(time: UnixTime) -> UnixMillis {
        UnixMillis(time.0 * 1000)
    }
}

/// As RFC 3339 has it, in UTC, 24 bytes: `2023-11-14T22:13:20.123Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not by a `jiff::Timestamp`, which ends a day earlier.
        let since = SignedDuration::from_millis(i64::try_from(self.0).map_err(|_| fmt::Error)?);
        let time = DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(since).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn times_of_the_range_are_http_dates() {
        for (seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let time = UnixTime::of(after(seconds)).expect("a time of the range");
            assert_eq!((time.seconds(), time.to_string().as_str()), (seconds, date));
            assert_eq!((UnixTime::nearest(after(seconds)), UnixTime::from_seconds(seconds)), (time, time));
        }
    }

    #[test]
    fn times_outside_the_range_are_none_or_the_nearest() {
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        let long_before = UNIX_EPOCH - Duration::from_secs(1 << 40);
        for (time, nearest) in [
            (before, UnixTime(0)),
            (long_before, UnixTime(0)),
            (after(253_402_300_800), UnixTime::LAST),
            (after(1 << 60), UnixTime::LAST),
        ] {
            assert_eq!((UnixTime::of(time), UnixTime::nearest(time)), (None, nearest));
        }
        assert_eq!(UnixTime::from_seconds(u64::MAX), UnixTime::LAST);
    }
    #[test]
    fn times_with_milliseconds_are_those_of_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (951_782_400_010, "2000-02-29T00:00:00.010Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            let time = UnixMillis::nearest(UNIX_EPOCH + Duration::from_millis(millis) + Duration::from_micros(999));
            assert_eq!((time.millis(), time.to_string().as_str()), (millis, text));
            assert_eq!(time.whole().seconds(), millis / 1000);
            assert_eq!(UnixMillis::parse(text), Some(time));
        }
        for text in [
            "",
            "Z",
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00.000",
            "1970-01-01t00:00:00.000Z",
            "1970-01-01 00:00:00.000Z",
            "1970-01-01T00:00:00.0001Z",
            "1969-12-31T23:59:59.999Z",
            "2023-02-29T00:00:00.000Z",
            "2023-11-14T22:13:20.123+01:00",
            "+002023-11-14T22:13:20.123Z",
        ] {
            assert_eq!(UnixMillis::parse(text), None, "{text}");
        }
        assert_eq!(UnixMillis::nearest(UNIX_EPOCH - Duration::from_secs(1)), UnixMillis::default());
        assert_eq!(UnixMillis::nearest(after(1 << 60)), UnixMillis::LAST);
        assert_eq!(UnixMillis::from(UnixTime::LAST).whole(), UnixTime::LAST);
    }
}
