//! A log file that never makes the loop wait.
//!
//! Lines go through a bounded queue to one thread, which writes them in batches. A line that finds the queue full is
//! dropped and counted; the count is written into the file itself once there is room again.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long the end of the program waits for the disk to take what is queued.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);

/// The loop's end of the queue. Dropping it lets what is queued be written, for a second at most.
pub struct LineLog {
    lines: Option<SyncSender<Vec<u8>>>,
    lost: Arc<AtomicU64>,
    written: Receiver<()>,
}

impl LineLog {
    /// Appends to `path`, or writes to standard error for `-`; at most `lines_max` lines wait.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be started.
    pub fn open(path: &Path, lines_max: usize) -> io::Result<LineLog> {
        if path == Path::new("-") {
            LineLog::to(io::stderr(), lines_max)
        } else {
            LineLog::to(OpenOptions::new().create(true).append(true).open(path)?, lines_max)
        }
    }

    fn to(file: impl Write + Send + 'static, lines_max: usize) -> io::Result<LineLog> {
        let (lines, queue) = sync_channel(lines_max);
        let lost = Arc::new(AtomicU64::new(0));
        let (counted, (done, written)) = (lost.clone(), sync_channel(1));
        std::thread::Builder::new().name("squall-log".into()).spawn(move || {
            write_all(file, queue, &counted);
            // Nobody waits any more if the disk was too slow.
            let _ = done.send(());
        })?;
        Ok(LineLog { lines: Some(lines), lost, written })
    }

    /// Queues one line; a line end is added.
    pub fn line(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        if self.lines.as_ref().is_some_and(|lines| lines.try_send(line).is_err()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for LineLog {
    fn drop(&mut self) {
        self.lines = None;
        if self.written.recv_timeout(LAST_LINES_WITHIN).is_err() {
            log::warn!("access log: the last lines are lost, the disk does not take them");
        }
    }
}

fn write_all(file: impl Write, queue: Receiver<Vec<u8>>, lost: &AtomicU64) {
    let mut file = BufWriter::with_capacity(64 << 10, file);
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        let written = write_batch(&mut file, &first, &queue, lost);
        match &written {
            Err(e) if !failing => log::error!("access log: {e}"),
            _ => {}
        }
        failing = written.is_err();
    }
    // The last lines may have been lost behind the last batch.
    let _ = write_lost(&mut file, lost).and_then(|()| file.flush());
}

fn write_batch(file: &mut impl Write, first: &[u8], queue: &Receiver<Vec<u8>>, lost: &AtomicU64) -> io::Result<()> {
    file.write_all(first)?;
    while let Ok(next) = queue.try_recv() {
        file.write_all(&next)?;
    }
    write_lost(file, lost)?;
    file.flush()
}

fn write_lost(file: &mut impl Write, lost: &AtomicU64) -> io::Result<()> {
    match lost.swap(0, Ordering::Relaxed) {
        0 => Ok(()),
        count => writeln!(file, "# {count} lines lost: the log could not keep up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A file whose disk stands still while `gate` is locked.
    struct Slow {
        gate: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.gate.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_stands_still_costs_lines_not_time_and_the_loss_is_counted() {
        let gate = Arc::new(Mutex::new(Vec::new()));
        let log = LineLog::to(Slow { gate: gate.clone() }, 4).unwrap();
        let held = gate.lock().unwrap();
        for n in 0..1000 {
            log.line(format!("line {n}").into_bytes());
        }
        drop(held);
        log.line(b"after".to_vec());
        drop(log);
        let text = String::from_utf8(gate.lock().unwrap().clone()).unwrap();
        let written = text.lines().filter(|l| !l.starts_with('#')).count();
        let lost: usize =
            text.lines().filter_map(|l| l.strip_prefix("# ")?.split(' ').next()?.parse::<usize>().ok()).sum();
        assert_eq!(written + lost, 1001, "{text}");
        assert!(lost > 0 && text.starts_with("line 0\n"), "{text}");
    }
}
