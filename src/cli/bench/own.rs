//! Whether the load itself was the limit: a client that uses a whole core measures itself.

use std::time::Duration;

/// Share of a core above which the server may be faster than was measured.
const LIMIT: f64 = 0.95;
/// Lateness of a request above which it is counted as late, µs: it changes what is measured.
pub const LATE_MICROS: u64 = 1000;
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

/// What this program can run out of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// CPU time of the run, and the threads that share it.
    pub cpu: Option<Duration>,
    pub threads: usize,
    pub took: Duration,
    /// Connects that found no local port.
    pub no_port: u64,
    /// Connects that found no descriptor.
    pub no_descriptor: u64,
    /// Lateness of the requests of a schedule, by this program's own fault: 99 % are within this, µs.
    pub late_p99: u64,
}

/// Each reason for which this program, and not the server, was the limit.
pub fn limits(used: &Used) -> Vec<String> {
    let mut limits = Vec::new();
    let share = used.cpu.map_or(0.0, |cpu| cpu.as_secs_f64() / used.took.as_secs_f64() / used.threads.max(1) as f64);
    if used.took >= SHORTEST && share >= LIMIT {
        limits.push(format!(
            "this program used {:.0} % of a core for each of its threads, so the server may be faster",
            share * 100.0
        ));
    }
    if used.no_port > 0 {
        limits.push(format!(
            "{} connects found no local port (many are in TIME_WAIT): use -k, or several addresses with -B",
            used.no_port
        ));
    }
    if used.no_descriptor > 0 {
        limits.push(format!("{} connects found no free descriptor: raise ulimit -n", used.no_descriptor));
    }
    if used.late_p99 > LATE_MICROS {
        let millis = used.late_p99 as f64 / 1000.0;
        limits.push(format!("1 % of the requests began {millis:.1} ms late or more, though a connection was idle"));
    }
    limits
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
        let used =
            |cpu, took, threads| Used { cpu: Some(seconds(cpu)), took: seconds(took), threads, ..Used::default() };
        let said = limits(&used(0.97, 1.0, 1));
        assert_eq!(said, ["this program used 97 % of a core for each of its threads, so the server may be faster"]);
        for fine in [used(0.9, 1.0, 1), used(0.1, 0.1, 1), used(1.5, 1.0, 2), Used::default()] {
            assert!(limits(&fine).is_empty(), "{fine:?}");
        }
    }

    #[test]
    fn ports_descriptors_and_lateness_are_named() {
        let used = Used { no_port: 3, no_descriptor: 4, late_p99: 2500, ..Used::default() };
        let said = limits(&used);
        assert!(said[0].starts_with("3 connects found no local port") && said[1].starts_with("4 connects"), "{said:?}");
        assert_eq!(said[2], "1 % of the requests began 2.5 ms late or more, though a connection was idle");
        assert!(limits(&Used { late_p99: 1000, ..Used::default() }).is_empty());
    }
}
