//! What a server needs, as the kernel tells it (proc(5)): memory, processes, threads, CPU time.

use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Time between two looks, at least. A look takes 1 to 20 ms of CPU.
const INTERVAL: Duration = Duration::from_millis(50);
/// A look is followed by a pause of this many times what it took, so that it costs 5 % of a core at most.
const PAUSE: u32 = 20;
/// Of the times in /proc/PID/stat: USER_HZ of every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What a process group needs, summed; or the most of it at any look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Bytes: PSS, where a page that several processes share counts as a part of one for each. Else RSS.
    pub memory: u64,
    /// Processes; those that have ended and were not waited for count.
    pub processes: usize,
    /// Threads of all processes.
    pub threads: usize,
    /// CPU time so far, with that of children that were waited for.
    pub cpu: Duration,
}

impl Needs {
    /// The larger of both, one by one.
    fn max(self, other: Needs) -> Needs {
        Needs {
            memory: self.memory.max(other.memory),
            processes: self.processes.max(other.processes),
            threads: self.threads.max(other.threads),
            cpu: self.cpu.max(other.cpu),
        }
    }
}

/// Looks at a group until the other end of `until` is gone, and once more; returns the peaks, or `None` where there is no
/// /proc.
pub fn watch(group: u32, until: &Receiver<()>) -> Option<Needs> {
    let mut peak: Option<Needs> = None;
    loop {
        let began = Instant::now();
        if let Some(now) = look(group) {
            peak = Some(peak.unwrap_or_default().max(now));
        }
        if until.recv_timeout(INTERVAL.max(began.elapsed() * PAUSE)) == Err(RecvTimeoutError::Disconnected) {
            let cpu = look(group).map(|last| last.cpu);
            return peak.map(|peak| Needs { cpu: cpu.unwrap_or(peak.cpu), ..peak });
        }
    }
}

/// What a group needs now. `None`: none of its processes is there, or no /proc.
fn look(group: u32) -> Option<Needs> {
    let mut sum = Needs::default();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let path = entry.path();
        // It may end at any time: then it has no memory, or is not there at all.
        let Some(process) = fs::read_to_string(path.join("stat")).ok().and_then(|stat| Process::parse(&stat)) else {
            continue;
        };
        if process.group == group {
            sum.processes += 1;
            sum.threads += process.threads;
            sum.cpu += process.cpu;
            let pss = field_of(&path.join("smaps_rollup"), "Pss:");
            sum.memory += pss.or_else(|| field_of(&path.join("status"), "VmRSS:")).unwrap_or(0) << 10;
        }
    }
    (sum.processes > 0).then_some(sum)
}

/// Whether the kernel tells the PSS of a process.
pub fn has_pss() -> bool {
    fs::exists("/proc/self/smaps_rollup").unwrap_or(false)
}

/// A number of KiB.
fn field_of(path: &std::path::Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// A line of /proc/PID/stat.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    group: u32,
    threads: usize,
    cpu: Duration,
}

impl Process {
    /// Fields 5, 14 to 17 and 20. The second one may have spaces and brackets.
    fn parse(stat: &str) -> Option<Process> {
        let (_, behind_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        let field = |n: usize| fields.get(n - 3).copied();
        let ticks = (14..=17).map(|n| field(n)?.parse::<u32>().ok()).sum::<Option<u32>>()?;
        Some(Process { group: field(5)?.parse().ok()?, threads: field(20)?.parse().ok()?, cpu: TICK * ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_name() {
        let stat = "7 (a b) c) S 1 42 7 0 -1 4194560 100 0 0 0 12 34 5 6 20 0 3 0 500 1 2";
        assert_eq!(Process::parse(stat), Some(Process { group: 42, threads: 3, cpu: Duration::from_millis(570) }));
        for wrong in ["", "7 (a", "7 (a) S 1 42", "7 (a) S 1 x 7 0 -1 4194560 100 0 0 0 12 34 5 6 20 0 3"] {
            assert_eq!(Process::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_group_of_this_process_needs_something() {
        let stat = fs::read_to_string("/proc/self/stat").expect("a /proc");
        let group = Process::parse(&stat).expect("the line of the kernel").group;
        let needs = look(group).expect("this process is there");
        assert!(needs.memory > 100 << 10 && needs.processes >= 1 && needs.threads >= 1, "{needs:?}");
        assert_eq!(look(u32::MAX), None);
    }
}
