//! Whether the load itself was the limit: a client that uses a whole core measures itself.

use std::time::Duration;

/// Share of a core above which the server may be faster than was measured.
const LIMIT: f64 = 0.95;
/// A shorter run says nothing: the kernel counts in hundredths of a second.
const SHORTEST: Duration = Duration::from_millis(500);
/// Hundredths of a second: USER_HZ of every Linux (proc_pid_stat(5)).
const TICK: Duration = Duration::from_millis(10);

/// CPU time of this process so far, in its own code and in the kernel; `None` where there is no /proc.
pub fn cpu_time() -> Option<Duration> {
    ticks(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Of a line of /proc/PID/stat: utime and stime, the fields 14 and 15. The second field may have spaces.
fn ticks(stat: &str) -> Option<Duration> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(TICK * next()?.checked_add(next()?)?)
}

/// The line that says so, if the CPU time of a run was near the whole of it.
pub fn line(cpu: Option<Duration>, took: Duration) -> Option<String> {
    let share = cpu?.as_secs_f64() / took.as_secs_f64();
    (took >= SHORTEST && share >= LIMIT).then(|| {
        format!("client-limited: this program used {:.0} % of a core, so the server may be faster\n", share * 100.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_kernel_is_read_whatever_the_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 12 34 0 0 20 0 1 0 500 1 2";
        assert_eq!(ticks(stat), Some(Duration::from_millis(460)));
        for wrong in ["", "7 (a", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 100 0 0 0 x 34 0"] {
            assert_eq!(ticks(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_run_that_used_a_core_is_called_limited() {
        let seconds = Duration::from_secs_f64;
        let said = line(Some(seconds(0.97)), seconds(1.0)).expect("it was the limit");
        assert_eq!(said, "client-limited: this program used 97 % of a core, so the server may be faster\n");
        assert_eq!(line(Some(seconds(0.9)), seconds(1.0)), None);
        assert_eq!(line(Some(seconds(0.1)), seconds(0.1)), None, "too short to tell");
        assert_eq!(line(None, seconds(1.0)), None);
    }
}
