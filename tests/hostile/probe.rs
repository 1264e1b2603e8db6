//! A well-behaved client: one request after the other on one connection, every [`EVERY`], and the time of each.
//!
//! While one request waits, those that would have been sent are waiting with it; they are counted as well (as
//! HdrHistogram's correction of coordinated omission does), or a pause of a second would be one slow request in a
//! thousand.

use crate::wire::{self, PATIENCE, TEXT};
use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(2);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `GET /plaintext`, kept alive.
    Plaintext,
    /// A short text on `/echo`.
    Echo,
}

/// A thread that asks.
pub struct Probe {
    pub kind: Kind,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    pause: AtomicBool,
    paused: AtomicBool,
    times: Mutex<Vec<Duration>>,
    failure: Mutex<Option<String>>,
}

impl Probe {
    /// Connects and begins to ask.
    pub fn start(kind: Kind, address: SocketAddr) -> io::Result<Probe> {
        let mut stream = match kind {
            Kind::Plaintext => wire::connect(address)?,
            Kind::Echo => wire::open(address, "/echo", None)?,
        };
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                if let Err(e) = ask(kind, &mut stream, &shared) {
                    *shared.failure.lock().expect("no thread panics with it") = Some(e.to_string());
                }
                // A client that is gone is not waited for.
                shared.paused.store(true, SeqCst);
            }
        });
        Ok(Probe { kind, shared, thread: Some(thread) })
    }

    /// Stops asking until [`Probe::resume`]; the connection stays.
    pub fn pause(&self) {
        self.shared.pause.store(true, SeqCst);
        let until = Instant::now() + PATIENCE;
        while !self.shared.paused.load(SeqCst) && Instant::now() < until {
            std::thread::sleep(EVERY);
        }
    }

    pub fn resume(&self) {
        self.shared.pause.store(false, SeqCst);
    }

    /// Forgets what was measured.
    pub fn begin(&self) {
        self.shared.times.lock().expect("no thread panics with it").clear();
    }

    /// The 99th percentile since [`Probe::begin`], and of how many requests.
    ///
    /// # Errors
    /// The probe was cut off, or waited longer than [`PATIENCE`]; or nothing was measured.
    pub fn p99(&self) -> Result<(Duration, usize), String> {
        if let Some(failure) = self.shared.failure.lock().expect("no thread panics with it").as_ref() {
            return Err(format!("the {:?} probe failed: {failure}", self.kind));
        }
        let mut times = self.shared.times.lock().expect("no thread panics with it").clone();
        times.sort_unstable();
        let rank = times.len() * 99 / 100;
        times
            .get(rank)
            .map(|&time| (time, times.len()))
            .ok_or_else(|| format!("the {:?} probe got no response", self.kind))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ask(kind: Kind, stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let (request, response_end) = match kind {
        Kind::Plaintext => (wire::get("/plaintext"), "Hello, World!"),
        Kind::Echo => (wire::frame(TEXT, true, b"are you there"), "are you there"),
    };
    let mut buf = [0; 4096];
    while !shared.stop.load(SeqCst) {
        std::thread::sleep(EVERY);
        let pauses = shared.pause.load(SeqCst);
        shared.paused.store(pauses, SeqCst);
        if pauses {
            continue;
        }
        let asked = Instant::now();
        stream.write_all(&request)?;
        let mut end = 0;
        while !buf[..end].ends_with(response_end.as_bytes()) {
            match stream.read(&mut buf[end..])? {
                0 => return Err(Error::new(ErrorKind::UnexpectedEof, "it was cut off")),
                n => end += n,
            }
        }
        let mut took = asked.elapsed();
        let mut times = shared.times.lock().expect("no thread panics with it");
        times.push(took);
        while took > EVERY {
            took -= EVERY;
            times.push(took);
        }
    }
    Ok(())
}
