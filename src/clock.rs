//! The two clocks. A turn reads both once, and hands the reading down as a [`Now`].
//!
//! Deadlines and intervals are measured on the monotonic clock. Times for other programs (Date, a cookie's time, a line
//! of a log) are the wall clock's, which may be wrong, be set, and jump. Neither is derived from the other.

use httpdate::HttpDate;
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic: for deadlines and intervals.
    pub instant: Instant,
    /// Wall clock: for other programs and people.
    pub wall: UnixTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Now {
        Now { instant: Instant::now(), wall: UnixTime::nearest(SystemTime::now()) }
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
}
