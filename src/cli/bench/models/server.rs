//! The servers that are measured: each is this program in a process of its own, on a port that the kernel chooses.
//!
//! A server leads a process group, which its children join; so all of them can be killed at once, and Ctrl-C goes to
//! this program alone.

use super::Subject;
use std::fs::DirBuilder;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Time for a server to say where it listens.
const START_WITHIN: Duration = Duration::from_secs(10);

/// A server that runs; it is killed at drop, with the processes that it has started.
pub struct Server {
    pub address: SocketAddr,
    process: Process,
}

/// The leader of a process group, and the folder that it writes to.
struct Process {
    child: Child,
    _data: Option<DataDir>,
}

/// A folder that only this user can look into; it is removed at drop.
struct DataDir(PathBuf);

impl Server {
    /// Starts a server, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or it ended at once; what it said about that is on standard error.
    pub fn start(subject: Subject) -> Result<Server, String> {
        let failed = |what: &dyn std::fmt::Display| format!("--models: the server {} {what}", subject.name());
        let program = std::env::current_exe().map_err(|e| format!("--models: this program is not found: {e}"))?;
        let mut command = Command::new(program);
        let data = match subject {
            Subject::Squall => Some(DataDir::new().map_err(|e| failed(&format_args!("gets no data directory: {e}")))?),
            _ => None,
        };
        match &data {
            Some(DataDir(path)) => command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(path),
            None => command.args(["model", subject.name(), "--listen", "127.0.0.1:0"]),
        };
        let settings = std::env::vars_os().map(|(name, _)| name);
        settings
            .filter(|name| name.to_string_lossy().starts_with("SQUALL_"))
            .for_each(|name| _ = command.env_remove(name));
        command.env("RUST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let child = command.spawn().map_err(|e| failed(&format_args!("does not start: {e}")))?;
        let mut process = Process { child, _data: data };
        let address = process.child.stdout.take().and_then(address_of);
        Ok(Server { address: address.ok_or_else(|| failed(&"does not say where it listens"))?, process })
    }

    /// The process group of the server: the id of its own process.
    pub fn group(&self) -> u32 {
        self.process.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill_group(self.child.id());
        // Where there is no `kill_group`, at least the server itself. It may have ended by itself: then that fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills a process group whose leader is a child of ours that was not waited for, so its id is not another's.
fn kill_group(group: u32) {
    #[cfg(target_os = "linux")]
    if let Ok(group) = uapi::c::pid_t::try_from(group) {
        let _ = uapi::kill(-group, uapi::c::SIGKILL);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = group;
}

/// Reads `squall listening on http://ADDRESS/`.
fn address_of(pipe: ChildStdout) -> Option<SocketAddr> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(pipe).read_line(&mut line).map(|_| tell.send(line));
    });
    let line = told.recv_timeout(START_WITHIN).ok()?;
    line.trim_end().strip_prefix("squall listening on http://")?.strip_suffix('/')?.parse().ok()
}

impl DataDir {
    fn new() -> std::io::Result<DataDir> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let path = std::env::temp_dir().join(format!("squall-models-{:016x}", u64::from_ne_bytes(random)));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(DataDir(path))
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // One that stays is a pity, and no error.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
