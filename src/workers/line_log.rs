//! A log file that never blocks the loop.
//!
//! Lines go through a bounded queue to one thread, which writes them in batches. A line is dropped and counted while
//! the queue is full; the count is written into the file itself once there is room again. The thread also reopens the
//! file after a rotation ([`LineLog::reopen`]): opening may block, too.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Time that the end of the program waits for the queued lines to be written.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);
/// Mode of a new file, less the umask: a log holds addresses and search words, so other users must not read it.
const MODE: u32 = 0o640;

/// Where the lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    File(PathBuf),
    Stdout,
    Stderr,
}

impl Target {
    /// The target that `--access-log` names. The names of our own standard output and error mean those descriptors:
    /// they may be sockets of a service manager, which no path can open (open(2) fails with ENXIO).
    fn of(path: &Path) -> Target {
        match path.to_str() {
            Some("-" | "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => Target::Stderr,
            Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => Target::Stdout,
            _ => Target::File(path.to_owned()),
        }
    }

    fn open(&self) -> io::Result<File> {
        match self {
            Target::File(path) => OpenOptions::new().create(true).append(true).mode(MODE).open(path),
            Target::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Target::Stderr => Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
        }
    }
}

/// The loop's end of the queue. Dropping it waits until the queued lines are written, a second at most.
pub struct LineLog {
    lines: Option<SyncSender<Vec<u8>>>,
    shared: Arc<Shared>,
    written: Receiver<()>,
}

/// What the thread is told beside the queue, because the queue may be full.
#[derive(Default)]
struct Shared {
    /// Lines dropped since the thread last wrote their count.
    lost: AtomicU64,
    /// The file is to be reopened.
    reopen: AtomicBool,
}

impl LineLog {
    /// Appends to `path`, or writes to standard error for `-`; at most `lines_max` lines wait.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be started.
    pub fn open(path: &Path, lines_max: usize) -> io::Result<LineLog> {
        let target = Target::of(path);
        LineLog::to(move || target.open(), lines_max)
    }

    fn to<W: Write + Send + 'static>(
        mut open: impl FnMut() -> io::Result<W> + Send + 'static,
        lines_max: usize,
    ) -> io::Result<LineLog> {
        let file = open()?;
        let (lines, queue) = sync_channel(lines_max);
        let shared = Arc::new(Shared::default());
        let (of_thread, (done, written)) = (shared.clone(), sync_channel(1));
        std::thread::Builder::new().name("squall-log".into()).spawn(move || {
            write_all(file, open, queue, &of_thread);
            // The receiver is gone if the disk was too slow.
            let _ = done.send(());
        })?;
        Ok(LineLog { lines: Some(lines), shared, written })
    }

    /// Queues one line; a line end is added.
    pub fn line(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        if self.lines.as_ref().is_some_and(|lines| lines.try_send(line).is_err()) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file again under its name: a rotation has renamed the open one. Queued lines go into either. If it
    /// cannot be opened, the old one stays.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        // Wakes the thread; while the queue is full, it is awake.
        let _ = self.lines.as_ref().map(|lines| lines.try_send(Vec::new()));
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

fn write_all<W: Write>(file: W, mut open: impl FnMut() -> io::Result<W>, queue: Receiver<Vec<u8>>, shared: &Shared) {
    let mut file = BufWriter::with_capacity(64 << 10, file);
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        if shared.reopen.swap(false, Ordering::Acquire) {
            match open() {
                // Every batch ends with a flush; the rest of a failed one belongs to the old file.
                Ok(new) => file = BufWriter::with_capacity(64 << 10, new),
                Err(e) => log::error!("the access log stays in the old file: {e}"),
            }
        }
        let written = write_batch(&mut file, &first, &queue, &shared.lost);
        match &written {
            Err(e) if !failing => log::error!("access log: {e}"),
            _ => {}
        }
        failing = written.is_err();
    }
    // Lines may have been dropped after the last batch.
    let _ = write_lost(&mut file, &shared.lost).and_then(|()| file.flush());
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

    /// A file whose writes block while `gate` is locked.
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
    fn a_blocked_disk_costs_lines_which_are_counted() {
        let gate = Arc::new(Mutex::new(Vec::new()));
        let shared = gate.clone();
        let log = LineLog::to(move || Ok(Slow { gate: shared.clone() }), 4).unwrap();
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

    #[test]
    fn a_rotation_is_not_lost_in_a_full_queue() {
        let gate = Arc::new(Mutex::new(Vec::new()));
        let (shared, opened) = (gate.clone(), Arc::new(AtomicU64::new(0)));
        let count = opened.clone();
        let open = move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Slow { gate: shared.clone() })
        };
        let log = LineLog::to(open, 2).unwrap();
        let held = gate.lock().unwrap();
        for _ in 0..100 {
            log.line(b"line".to_vec());
        }
        log.reopen();
        drop(held);
        log.line(b"after".to_vec());
        drop(log);
        assert_eq!(opened.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn only_our_own_descriptors_are_not_files() {
        for (path, target) in [("-", Target::Stderr), ("/dev/stderr", Target::Stderr), ("/dev/fd/1", Target::Stdout)] {
            assert_eq!(Target::of(Path::new(path)), target);
        }
        for path in ["/dev/null", "/dev/fd/10", "stdout", "./-", "/dev/stdout2"] {
            assert_eq!(Target::of(Path::new(path)), Target::File(path.into()));
        }
    }
}
