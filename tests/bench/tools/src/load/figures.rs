//! What is measured: times in buckets, and what the kernel tells about processes.

use std::fs;
use std::time::Duration;

/// Buckets for each doubling: a time is off by 3 % at most.
const FINE: u32 = 5;

/// Times, in ns, in logarithmic buckets.
pub struct Times {
    buckets: Vec<u64>,
    longest: u64,
}

impl Times {
    pub fn new() -> Times {
        Times { buckets: vec![0; 64 << FINE], longest: 0 }
    }

    pub fn clear(&mut self) {
        *self = Times::new();
    }

    pub fn add(&mut self, ns: u64) {
        self.longest = self.longest.max(ns);
        self.buckets[bucket(ns)] += 1;
    }

    /// The time that so large a part of all did not exceed, us.
    pub fn quantile(&self, part: f64) -> f64 {
        let all: u64 = self.buckets.iter().sum();
        let mut left = (all as f64 * part).ceil().max(1.0) as u64;
        for (n, &count) in self.buckets.iter().enumerate() {
            if count >= left {
                return ceiling(n).min(self.longest) as f64 / 1e3;
            }
            left -= count;
        }
        0.0
    }
}

fn bucket(ns: u64) -> usize {
    let shift = (64 - ns.leading_zeros()).saturating_sub(FINE + 1);
    ((shift << FINE) as u64 + (ns >> shift)) as usize
}

/// The longest time of a bucket.
fn ceiling(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> FINE).saturating_sub(1);
    ((bucket - (shift << FINE) + 1) << shift) - 1
}

/// Processes by their ids, and all their threads.
pub struct Processes<'a>(pub &'a [u32]);

impl Processes<'_> {
    /// CPU time of the threads that live.
    pub fn cpu(&self) -> Duration {
        let mut ns = 0;
        for pid in self.0 {
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                ns += stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        Duration::from_nanos(ns)
    }

    /// Resident memory, bytes.
    pub fn memory(&self) -> u64 {
        let kib = |pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        self.0.iter().filter_map(kib).sum::<u64>() << 10
    }
}
