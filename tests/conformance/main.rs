//! HTTP/1.1 as a table: what is sent, and what an RFC lets a server make of it.
//!
//! `cargo test --test conformance` runs it against squall: each case over a network in memory, whole, byte by byte and at
//! every split, then once over a real socket. A word selects cases whose name or section holds it.
//!
//! `cargo test --test conformance -- --target 127.0.0.1:PORT --name nginx` runs it against another server, once and over
//! a socket; `--without files,websocket,origin` leaves out what that server does not have, and `--control` wants it to
//! fail: a table that every server passes would say nothing.
#![forbid(unsafe_code)]

mod case;
mod response;
mod simulated;
mod sockets;
mod table;
#[path = "../it"]
#[allow(dead_code, unused_imports)]
mod it {
    pub mod support;
}

use case::{Case, Level, Needs};
use it::support;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};
use support::{Dir, PATIENCE, Site};

/// Connections at once; they wait for each other, not for the processor.
const CLIENTS: usize = 16;
/// A foreign server that has sent nothing for this long sends nothing.
const FOREIGN_PATIENCE: Duration = Duration::from_secs(3);
/// What a SHOULD asks for and squall does not do, and why; `src/doc/conformance.md` has the same list.
const NOT_FOLLOWED: &[(&str, &str)] = &[
    ("a target has no quote", AS_TYPED),
    ("a target has no angle bracket", AS_TYPED),
    ("a target has no backslash", AS_IT_IS),
    ("a target has no bar", AS_IT_IS),
    ("a target has no letter of Unicode", AS_TYPED),
];
const AS_TYPED: &str = "curl and scripts send what was typed; it is taken as it is";
const AS_IT_IS: &str = "browsers leave it in a query as it is (URL Standard)";

/// What was asked for on the command line.
#[derive(Default)]
struct Run {
    target: Option<SocketAddr>,
    name: Option<String>,
    without: Vec<String>,
    is_control: bool,
    word: Option<String>,
}

impl Run {
    /// Flags that are not ours belong to the other test programs, to which cargo hands them as well.
    fn read() -> Run {
        let mut run = Run::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--target" => run.target = Some(value().parse().expect("--target ADDRESS:PORT")),
                "--name" => run.name = Some(value()),
                "--without" => run.without = value().split(',').map(str::to_owned).collect(),
                "--control" => run.is_control = true,
                "--test-threads" | "--skip" | "--format" | "--color" => drop(value()),
                flag if flag.starts_with('-') => {}
                _ => run.word = Some(word),
            }
        }
        run
    }

    fn takes(&self, case: &Case) -> bool {
        let needs = match case.needs {
            Needs::Nothing => "",
            Needs::Files => "files",
            Needs::WebSocket => "websocket",
            Needs::Origin => "origin",
        };
        let is_there = !self.without.iter().any(|what| what == needs);
        is_there && self.word.as_ref().is_none_or(|word| case.name.contains(word) || case.section.contains(word))
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let run = Run::read();
    let cases: Vec<Case> = table::all().into_iter().filter(|case| run.takes(case)).collect();
    let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    match run.target {
        Some(target) => against_another(&run, &cases, target),
        None => against_squall(&cases),
    }
}

fn against_squall(cases: &[Case]) -> ExitCode {
    let began = Instant::now();
    let www = www();
    // Every case logs in under the same name.
    let limits = squall::config::Limits { claims_max: 0, ..Default::default() };
    let site = Site::start(limits, &["--www", www.arg(), "--history", "memory"]);
    let runs = AtomicUsize::new(0);
    let mut failures = on_threads(cases, processors(), || {
        let mut stage = simulated::Stage::new(&www);
        let runs = &runs;
        move |case: &Case| stage.play(case).map(|n| _ = runs.fetch_add(n, SeqCst))
    });
    let over_sockets = on_threads(cases, CLIENTS, || |case: &Case| sockets::run(case, site.address, PATIENCE));
    failures.extend(over_sockets.into_iter().map(|(n, why)| (n, format!("over a socket: {why}"))));
    let mut failed: HashSet<usize> = failures.iter().map(|failure| failure.0).collect();

    let mut not_followed = vec![];
    for (n, case) in cases.iter().enumerate() {
        let Some((name, why)) = NOT_FOLLOWED.iter().find(|exception| exception.0 == case.name) else { continue };
        if failed.remove(&n) {
            not_followed.push(format!("SHOULD not followed ({}): {name}: {why}", case.section));
            failures.retain(|failure| failure.0 != n);
        } else {
            failures.push((n, "it passes, but is listed as not followed".into()));
            failed.insert(n);
        }
    }
    print(cases, &failures);
    not_followed.iter().for_each(|line| println!("{line}"));
    println!("{} cases in {} runs, {} ms", cases.len(), runs.load(SeqCst) + cases.len(), began.elapsed().as_millis());
    let remark = match not_followed.len() {
        0 => String::new(),
        n => format!(" ({n} not followed, with reasons)"),
    };
    for (level, remark) in [(Level::Must, ""), (Level::Should, &*remark)] {
        let (passed, missed) = count(cases, &failed, level);
        let passed = if level == Level::Should { passed - not_followed.len() } else { passed };
        result(&format!("HTTP {}: {passed} passed, {missed} failed{remark}", level.as_str()));
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn against_another(run: &Run, cases: &[Case], target: SocketAddr) -> ExitCode {
    let failures = on_threads(cases, CLIENTS, || |case: &Case| sockets::run(case, target, FOREIGN_PATIENCE));
    let failed: HashSet<usize> = failures.iter().map(|failure| failure.0).collect();
    print(cases, &failures);
    let (must, missed_must) = count(cases, &failed, Level::Must);
    let (should, missed_should) = count(cases, &failed, Level::Should);
    let name = run.name.as_deref().unwrap_or("this server");
    println!("{name}: MUST {must} passed, {missed_must} failed; SHOULD {should} passed, {missed_should} failed");
    let is_as_wanted = if run.is_control { missed_must > 0 } else { missed_must == 0 };
    if is_as_wanted { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all cases on this many threads, each with a player of its own; returns those that failed, in order, and why.
fn on_threads<P>(cases: &[Case], threads: usize, player: impl Fn() -> P + Sync) -> Vec<(usize, String)>
where
    P: FnMut(&Case) -> Result<(), String>,
{
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut play = player();
                loop {
                    let n = next.fetch_add(1, SeqCst);
                    let Some(case) = cases.get(n) else { break };
                    if let Err(why) = play(case) {
                        failures.lock().expect("no thread panics with it").push((n, why));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no thread panics with it");
    failures.sort();
    failures
}

fn print(cases: &[Case], failures: &[(usize, String)]) {
    for (n, why) in failures {
        let case = &cases[*n];
        println!("FAILED {} (RFC {}): {}: {why}", case.level.as_str(), case.section, case.name);
    }
}

/// Cases of this level that passed and that failed.
fn count(cases: &[Case], failed: &HashSet<usize>, level: Level) -> (usize, usize) {
    let of_level = || cases.iter().enumerate().filter(move |(_, case)| case.level == level);
    let missed = of_level().filter(|(n, _)| failed.contains(n)).count();
    (of_level().count() - missed, missed)
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
        }
    }
}

/// Prints a line of the closing table, and appends it to the file that collects them.
fn result(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("RESULTS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()));
        written.expect("RESULTS names a file");
    }
}

/// The directory that the cases about files speak of.
fn www() -> Dir {
    let www = Dir::new();
    www.write("static/file.txt", "0123456789abcdefghijklmnopqrstuvwxyz");
    www.write("secret.txt", "secret");
    let file = std::fs::File::options().append(true).open(www.path().join("static/file.txt")).expect("it is there");
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    file.set_modified(modified).expect("its time can be set");
    www
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
