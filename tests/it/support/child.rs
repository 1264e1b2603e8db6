//! The real program, as a child process.

use super::{Dir, PATIENCE, wait_for};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Where the program is.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_squall");

/// `squall serve` on ports that the kernel chose; killed at drop.
pub struct Child {
    pub address: SocketAddr,
    /// All listeners, in the order of their lines.
    pub addresses: Vec<SocketAddr>,
    process: std::process::Child,
    stderr: Arc<Mutex<String>>,
    /// Ends with the last word on standard error.
    listener: Option<JoinHandle<()>>,
    _data: Dir,
}

impl Child {
    /// With these flags and environment variables.
    pub fn start(args: &[&str], env: &[(&str, &str)]) -> Child {
        let data = Dir::new();
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg()]).args(args).envs(env.iter().copied());
        Child::run(command, data, 1)
    }

    /// Under a limit of open files, soft and hard, that the program cannot raise.
    pub fn with_open_files(limit: u32, args: &[&str]) -> Child {
        let data = Dir::new();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\""), PROGRAM]);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg()]).args(args);
        Child::run(command, data, 1)
    }

    /// Any command line that ends up serving, with this many listeners.
    pub fn run(mut command: Command, data: Dir, listeners: usize) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // For the tests, and unknown to the program, which would say so.
        ["SQUALL_SEED", "SQUALL_SEEDS", "SQUALL_IT_ALONE"].into_iter().for_each(|name| _ = command.env_remove(name));
        let mut process = command.spawn().expect("the program starts");
        let lines = lines_of(process.stdout.take().expect("it is piped"));
        let stderr = Arc::new(Mutex::new(String::new()));
        let listener = std::thread::spawn({
            let (mut pipe, stderr) = (process.stderr.take().expect("it is piped"), stderr.clone());
            move || {
                let mut buf = [0; 4096];
                while let Ok(n @ 1..) = pipe.read(&mut buf) {
                    stderr.lock().expect("no thread panics with it").push_str(&String::from_utf8_lossy(&buf[..n]));
                }
            }
        });
        let mut addresses = Vec::new();
        for _ in 0..listeners {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let _ = process.kill();
                panic!("no line on stdout; stderr: {}", stderr.lock().expect("no thread panics with it"));
            };
            addresses.push(address_in(&line).unwrap_or_else(|| panic!("not the line: {line:?}")));
        }
        Child { address: addresses[0], addresses, process, stderr, listener: Some(listener), _data: data }
    }

    pub fn pid(&self) -> String {
        self.process.id().to_string()
    }

    /// What it has said on standard error.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("no thread panics with it").clone()
    }

    /// All that it has said on standard error, after it was told to end: its words come over a pipe of their own.
    #[track_caller]
    pub fn last_words(mut self) -> String {
        self.signal("TERM");
        self.ended();
        let heard = self.listener.take().map(JoinHandle::join);
        assert!(matches!(heard, Some(Ok(()))), "the pipe was not read to its end");
        self.stderr()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid()]).status().expect("kill(1) exists");
        assert!(sent.success());
    }

    /// Waits for it to end by itself.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        wait_for("the end of the child", || self.process.try_wait().expect("it is our child"))
    }

    /// A number of `/proc/PID/status`.
    pub fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a /proc");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("the field is there")
    }

    /// CPU that it has used so far, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("a /proc");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("the name is in brackets").1.split_whitespace().collect();
        fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
    }
}

/// `squall listening on http://ADDRESS/`, or https, or `squall redirecting http://ADDRESS/ to https`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = ["listening on http://", "listening on https://", "redirecting http://"];
    let rest = rest.iter().find_map(|begin| line.strip_prefix("squall ")?.strip_prefix(begin))?;
    rest.strip_suffix(" to https").unwrap_or(rest).strip_suffix('/')?.parse().ok()
}

fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    told
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
