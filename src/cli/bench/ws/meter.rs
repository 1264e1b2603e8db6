//! What the server uses in the part of a run that is measured.

use crate::cli::bench::processes::{Processes, Usage};
use std::time::Duration;

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
        !self.processes.is_empty()
    }

    /// Whether it was told the beginning.
    pub fn has_begun(&self) -> bool {
        self.before.is_some()
    }

    /// Now it begins; `opened` connections have opened so far.
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
