//! The server under attack: a process of its own, what the kernel knows about it, and, if it is squall's library, what
//! it knows about itself.

use clap::Parser;
use squall::config::{Cli, Limits};
use squall::reactor::Counts;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const STARTS_WITHIN: Duration = Duration::from_secs(20);
const RESPONDS_WITHIN: Duration = Duration::from_secs(20);

/// Which server is started.
#[derive(Debug, Clone)]
pub enum Program {
    /// This program again, with `--serve`: squall's library, and its counts.
    Own,
    /// squall's own program.
    Binary(PathBuf),
    /// Something else: a command line in which `{port}` stands for the port to listen on.
    Other(Vec<String>),
}

/// A running one; killed at drop.
pub struct Server {
    pub address: SocketAddr,
    process: Child,
    /// Lines of its standard output.
    lines: Receiver<String>,
    counts: bool,
    _data: TempDir,
}

/// CPU time, since the start: the server's own (`ran`, `waited`), and that of all CPUs of the machine (`busy`, `stolen`
/// by other virtual machines).
#[derive(Debug, Default, Clone, Copy)]
pub struct Schedule {
    ran: u64,
    waited: u64,
    busy: u64,
    stolen: u64,
}

impl Schedule {
    /// How many times as long the server's work took since `before` as on a CPU of its own; at least 1.
    pub fn slowdown_since(self, before: Schedule) -> f64 {
        let times = |worked: u64, lost: u64| if worked == 0 { 1.0 } else { 1.0 + lost as f64 / worked as f64 };
        let own = times(self.ran.saturating_sub(before.ran), self.waited.saturating_sub(before.waited));
        own * times(self.busy.saturating_sub(before.busy), self.stolen.saturating_sub(before.stolen))
    }
}

impl Server {
    /// `flags` are for squall only. `open_files` is a limit, soft and hard.
    pub fn start(program: &Program, flags: &[String], open_files: Option<u32>) -> io::Result<Server> {
        let data = TempDir::with_prefix("squall-hostile-")?;
        let squall = |program: String, first: &[&str]| {
            let mut line = vec![program];
            line.extend(first.iter().map(|&part| part.to_owned()));
            line.extend(["--listen", "127.0.0.1:0", "--data-dir"].map(str::to_owned));
            line.push(data.path().to_string_lossy().into_owned());
            line.extend_from_slice(flags);
            line
        };
        let mut port = None;
        let line = match program {
            Program::Own => squall(std::env::current_exe()?.to_string_lossy().into_owned(), &["--serve"]),
            Program::Binary(path) => squall(path.to_string_lossy().into_owned(), &["serve"]),
            Program::Other(line) => {
                let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
                port = Some(free);
                line.iter().map(|part| part.replace("{port}", &free.to_string())).collect()
            }
        };
        let mut command = Command::new("sh");
        let limit = open_files.map(|n| format!("ulimit -n {n}; ")).unwrap_or_default();
        command.args(["-c", &format!("{limit}exec \"$0\" \"$@\"")]).args(line);
        let counts = matches!(program, Program::Own);
        command.stdin(if counts { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped());
        if !counts {
            command.stderr(Stdio::null()).env("RUST_LOG", "off");
        }
        let mut process = command.spawn()?;
        let lines = lines_of(process.stdout.take().expect("it is piped"));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server { address: nowhere, process, lines, counts, _data: data };
        server.address = match port {
            Some(port) => server.wait_for_port(port)?,
            None => server.first_line()?,
        };
        Ok(server)
    }

    fn first_line(&mut self) -> io::Result<SocketAddr> {
        let line = self.lines.recv_timeout(STARTS_WITHIN).unwrap_or_default();
        let address = line.strip_prefix("squall listening on http://").and_then(|rest| rest.strip_suffix('/'));
        let address = address.and_then(|address| address.parse().ok());
        address.ok_or_else(|| io::Error::other(format!("squall did not start; it said {line:?}")))
    }

    fn wait_for_port(&mut self, port: u16) -> io::Result<SocketAddr> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let until = Instant::now() + STARTS_WITHIN;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > until || self.process.try_wait()?.is_some() {
                return Err(io::Error::other("the server did not start"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(address)
    }

    /// What squall's library counts, as of its last turn; nothing for other programs.
    pub fn counts(&mut self) -> Option<Counts> {
        if !self.counts {
            return None;
        }
        let pipe = self.process.stdin.as_mut()?;
        pipe.write_all(b"\n").ok()?;
        let line = self.lines.recv_timeout(RESPONDS_WITHIN).ok()?;
        let numbers: Vec<usize> = line.split(' ').map_while(|number| number.parse().ok()).collect();
        let &[connections, fetches, kept, fetches_running, names_stuck, members, timers, booked, cut] = &numbers[..]
        else {
            return None;
        };
        let cut = cut as u64;
        Some(Counts { connections, fetches, kept, fetches_running, names_stuck, members, timers, booked, cut })
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).map_or(0, Iterator::count)
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS")
    }

    /// The most it ever was, bytes.
    pub fn memory_peak(&self) -> u64 {
        self.status("VmHWM")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
    }

    /// CPU that it has used, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
        let tick = |n| fields.split_whitespace().nth(n).and_then(|field: &str| field.parse::<u64>().ok()).unwrap_or(0);
        tick(11) + tick(12)
    }

    /// What the kernel's scheduler gave and refused it until now.
    pub fn schedule(&self) -> Schedule {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let numbers = |text: &str| -> Vec<u64> { text.split_whitespace().flat_map(str::parse).collect() };
        // proc_pid_schedstat: nanoseconds on a CPU, nanoseconds runnable but waiting for one. Of the main thread,
        // which is the loop.
        let own = numbers(&read(&format!("/proc/{}/schedstat", self.process.id())));
        // proc_stat(5), first line: user, nice, system, idle, iowait, irq, softirq, steal.
        let machine = numbers(read("/proc/stat").lines().next().unwrap_or_default());
        let [user, nice, system, _, _, irq, softirq, steal] = machine.first_chunk().copied().unwrap_or_default();
        let [ran, waited] = own.first_chunk().copied().unwrap_or_default();
        Schedule { ran, waited, busy: user + nice + system + irq + softirq, stolen: steal }
    }

    /// Whether it is still running.
    pub fn lives(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines_of(pipe: impl io::Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    told
}

/// The other side of [`Program::Own`]: serves as squall's program does, and prints its counts for each line of its input.
/// When the input ends, so does it.
pub fn serve(flags: &[String]) -> Result<(), String> {
    let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let line = ["squall".to_owned()].into_iter().chain(flags.iter().cloned());
    let cli = Cli::try_parse_from(line).map_err(|e| e.to_string())?;
    let limits = Limits { connections_max: cli.serve.connections_for(open_files), ..Limits::default() };
    let mut running = squall::cli::serve::bind(&cli.serve, limits)?;
    for line in running.lines() {
        println!("{line}");
    }
    let counts = Arc::new(Mutex::new(running.counts()));
    std::thread::spawn({
        let counts = counts.clone();
        move || {
            for _ in io::stdin().lines().map_while(Result::ok) {
                let c = *counts.lock().expect("no thread panics with it");
                println!(
                    "{} {} {} {} {} {} {} {} {}",
                    c.connections,
                    c.fetches,
                    c.kept,
                    c.fetches_running,
                    c.names_stuck,
                    c.members,
                    c.timers,
                    c.booked,
                    c.cut
                );
            }
            std::process::exit(0);
        }
    });
    // No wait is cut short: a loop that forgets to come back must be seen to hang.
    while running.once(None).map_err(|e| e.to_string())? {
        *counts.lock().expect("no thread panics with it") = running.counts();
    }
    Ok(())
}
