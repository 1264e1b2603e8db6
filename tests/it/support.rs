//! What the tests share: a server in a thread or in a child process, raw clients, a search site, a network in memory.
//!
//! No test depends on a sleep: a wait polls until a deadline of [`PATIENCE`], which is long because it passes only when
//! a test fails.

pub mod child;
pub mod client;
pub mod dice;
pub mod frames;
pub mod masked;
pub mod network;
pub mod slow_store;
pub mod stub;
#[cfg(feature = "tls")]
pub mod tls_client;
#[cfg(feature = "tls")]
pub mod tls_site;
pub mod watched;

pub use child::Child;
pub use client::{Client, Response, get, login};
pub use frames::{WsClient, frame};
pub use stub::Stub;

use clap::Parser;
use squall::cli::serve::bind;
use squall::clock::{Now, UnixMillis};
use squall::config::{Cli, Limits};
use squall::reactor::{Counts, Loop};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A turn at this time, for tests that look at no date.
pub fn at(instant: Instant) -> Now {
    Now { instant, wall: UnixMillis::default() }
}

/// Polls until `found` returns something.
///
/// # Panics
/// After [`PATIENCE`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < until, "waited too long for {what}");
        std::thread::sleep(ms(2));
    }
}

/// A temporary directory of a test.
pub struct Dir(TempDir);

impl Dir {
    pub fn new() -> Dir {
        Dir(TempDir::with_prefix("squall-").expect("a temporary directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path as an argument.
    pub fn arg(&self) -> &str {
        self.path().to_str().expect("the path is text")
    }

    /// Writes a file below the directory.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a parent")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    }
}

/// A server in a thread of this process, on a port the kernel chose.
pub struct Site {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _data: Dir,
}

#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    stop: AtomicBool,
    drain: AtomicBool,
    over: AtomicBool,
}

impl Site {
    /// `limits` as injected, then the flags in `args` (and the defaults of the flags that have a limit: rate, lag,
    /// buffers, searches, keep-alive, drain) on top.
    pub fn start(limits: Limits, args: &[&str]) -> Site {
        let data = Dir::new();
        let line = ["squall", "--listen", "127.0.0.1:0", "--data-dir", data.arg()];
        let cli = Cli::try_parse_from(line.iter().chain(args)).unwrap_or_else(|e| panic!("{e}"));
        let (shared, (tell, told)) = (Arc::new(Shared::default()), channel());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                let mut running = bind(&cli.serve, limits).unwrap_or_else(|e| panic!("{e}"));
                tell.send(running.listeners()[0].address).expect("the test waits for the address");
                run(&mut running, &shared);
            }
        });
        let address = told.recv().expect("the server has started");
        Site { address, shared, thread: Some(thread), _data: data }
    }

    /// A server with the default limits.
    pub fn with_defaults() -> Site {
        Site::start(Limits::default(), &[])
    }

    /// The same where every name is free that is not online.
    pub fn without_claims() -> Site {
        Site::start(Limits { claims_max: 0, ..Limits::default() }, &["--history", "memory"])
    }

    /// What is there, as of the last turn.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.lock().expect("the server has not panicked")
    }

    /// Polls the counts until they are as wanted.
    #[track_caller]
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&Counts) -> bool) -> Counts {
        let until = Instant::now() + PATIENCE;
        loop {
            let counts = self.counts();
            if wanted(&counts) {
                return counts;
            }
            assert!(Instant::now() < until, "waited too long for {what}: {counts:?}");
            std::thread::sleep(ms(2));
        }
    }

    /// Polls until nothing is left: no connection, fetch, member or byte.
    #[track_caller]
    pub fn wait_until_empty(&self) {
        self.wait_until("an empty server", |c| {
            (c.connections, c.fetches, c.fetches_running, c.members, c.booked) == (0, 0, 0, 0, 0)
        });
    }

    /// Begins to drain.
    pub fn drain(&self) {
        self.shared.drain.store(true, SeqCst);
    }

    /// Whether the loop has ended by itself.
    pub fn is_over(&self) -> bool {
        self.shared.over.load(SeqCst)
    }
}

fn run<A: squall::event::App>(running: &mut Loop<A>, shared: &Shared) {
    let mut draining = false;
    while !shared.stop.load(SeqCst) {
        let more = running.once(Some(ms(10))).expect("the poll works");
        *shared.counts.lock().expect("no thread panics with it") = running.counts();
        if !more {
            break;
        }
        if shared.drain.load(SeqCst) && !std::mem::replace(&mut draining, true) {
            running.server().drain(Instant::now());
        }
    }
    shared.over.store(true, SeqCst);
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the server panicked");
        }
    }
}

/// Runs a test in a process of its own, where no other test opens descriptors. Returns `false` in the first process,
/// after the second has passed, and `true` in the second, which does the work. `name` is the test's full name.
pub fn is_alone(name: &str) -> bool {
    const ALONE: &str = "SQUALL_IT_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let me = std::env::current_exe().expect("the test's own program");
    let mut again = std::process::Command::new(me);
    let ended = again.args(["--exact", name, "--test-threads", "1"]).env(ALONE, "1").output().expect("it runs again");
    let said = String::from_utf8_lossy(&ended.stdout);
    let loud = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}\n{loud}");
    false
}

/// An address that refuses every connection while the socket lives: it is bound, so that no other test gets the port,
/// and does not listen.
pub fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a loopback address");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
    (socket, address)
}

/// Open descriptors of a process (`self`, or an id as text).
pub fn descriptors(pid: &str) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a /proc").count()
}
