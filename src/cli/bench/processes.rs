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

impl Usage {
    /// The CPU time since an earlier moment, and the memory now.
    pub fn since(self, before: Usage) -> Usage {
        Usage { cpu: self.cpu.saturating_sub(before.cpu), ..self }
    }
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

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they have used so far; `None` of no process. A process that has ended counts for nothing.
    pub fn usage(&self) -> Option<Usage> {
        (!self.0.is_empty()).then(|| Usage {
            cpu: self.0.iter().map(|&pid| cpu(pid)).sum(),
            memory: self.0.iter().map(|&pid| memory(pid)).sum(),
        })
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
