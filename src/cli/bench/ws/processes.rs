//! What the kernel says of the server's processes: CPU time and memory (proc(5)).

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Processes by their ids.
#[derive(Debug, Clone)]
pub struct Processes(Vec<u32>);

/// What processes have used, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the threads that live, in their own code and in the kernel.
    pub cpu: Duration,
    /// Proportional set size, or resident memory where the kernel keeps the former from us; bytes.
    pub memory: u64,
}

impl Processes {
    /// The processes with these ids.
    ///
    /// # Errors
    /// A line about one that does not exist.
    pub fn new(pids: &[usize]) -> Result<Processes, String> {
        match pids.iter().find(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            Some(pid) => Err(format!("--pid {pid}: there is no such process")),
            None => Ok(Processes(pids.iter().filter_map(|&pid| u32::try_from(pid).ok()).collect())),
        }
    }

    /// What they have used so far; `None` of no process. A process that has ended counts for nothing.
    pub fn usage(&self) -> Option<Usage> {
        (!self.0.is_empty()).then(|| Usage {
            cpu: self.0.iter().map(|&pid| cpu(pid)).sum(),
            memory: self.0.iter().map(|&pid| memory(pid)).sum(),
        })
    }
}

/// What the server has used between two moments of a run.
#[derive(Debug)]
pub struct Meter {
    processes: Processes,
    before: Option<(Usage, usize)>,
    used: Option<ServerUse>,
}

/// What the server's processes have used: for the handshakes (idle), else in the measured time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerUse {
    pub cpu: Duration,
    /// Memory before and behind that; of an idle run, behind the time for which its connections are held.
    pub memory_before: u64,
    pub memory_after: u64,
    /// Connections that were opened in between.
    pub opened: usize,
}

impl Meter {
    /// Of these processes.
    pub fn new(processes: Processes) -> Meter {
        Meter { processes, before: None, used: None }
    }

    /// Whether there is anything to measure.
    pub fn has_processes(&self) -> bool {
        !self.processes.0.is_empty()
    }

    /// Whether it was told the beginning.
    pub fn has_begun(&self) -> bool {
        self.before.is_some()
    }

    /// Now it begins; so many connections have opened so far.
    pub fn begin(&mut self, opened: usize) {
        self.before = self.processes.usage().map(|usage| (usage, opened));
    }

    /// Notes the CPU time and the memory used since the beginning.
    pub fn note_all(&mut self, opened: usize) {
        self.used = self.before.zip(self.processes.usage()).map(|((before, opened_before), after)| ServerUse {
            cpu: after.cpu.saturating_sub(before.cpu),
            memory_before: before.memory,
            memory_after: after.memory,
            opened: opened.saturating_sub(opened_before),
        });
    }

    /// Notes the memory anew.
    pub fn note_memory(&mut self) {
        if let (Some(used), Some(usage)) = (&mut self.used, self.processes.usage()) {
            used.memory_after = usage.memory;
        }
    }

    /// What was noted.
    pub fn used(&self) -> Option<ServerUse> {
        self.used
    }
}

/// By nanoseconds of each thread: /proc/PID/stat counts in hundredths of a second.
fn cpu(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |path: &Path| -> Option<u64> {
        let line = fs::read_to_string(path.join("schedstat")).ok()?;
        line.split_whitespace().next()?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(|task| of_task(&task.path())).sum())
}

fn memory(pid: u32) -> u64 {
    let kibibytes = |file: &str, label: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(label))?;
        line.split_whitespace().next()?.parse().ok()
    };
    kibibytes("smaps_rollup", "Pss:").or_else(|| kibibytes("status", "VmRSS:")).unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        if !Path::new("/proc/self/schedstat").exists() {
            return eprintln!("skipped: this system has no /proc");
        }
        let this = Processes::new(&[std::process::id() as usize]).expect("it exists");
        let before = this.usage().expect("one process");
        let many = vec![1_u8; 32 << 20];
        while this.usage().expect("one process").cpu < before.cpu + Duration::from_millis(5) {
            std::hint::black_box(&many);
        }
        let memory = this.usage().expect("one process").memory;
        assert!(memory > 32 << 20, "{memory}");
    }

    #[test]
    fn a_process_that_does_not_exist_is_named() {
        assert!(Processes::new(&[usize::MAX]).is_err_and(|why| why.ends_with("there is no such process")));
        assert_eq!(Processes::new(&[]).expect("none").usage(), None);
    }
}
