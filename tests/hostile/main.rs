//! Hostile clients against a server of its own process.
//!
//! ```text
//! hostile [--seed N] [--only NAME,…] [--bin SQUALL]    squall: its library in a child, or the program SQUALL
//! hostile --control NAME [--no-sockets] -- COMMAND…    another server, `{port}` in its command is where it listens
//! hostile --list
//! ```
//!
//! Each scenario has a server for itself, a small round to warm up, and a base line. Then it attacks while well-behaved
//! clients go on: their p99 must stay within three times what it was, or 20 ms on a CPU of the server's own. Afterwards
//! descriptors, connections, members and fetches are back at the base line, and memory within 8 MiB of it; long after,
//! timers are gone, too.
//! Run it by `cargo test --test hostile -- FLAGS`; all numbers that are drawn come from the seed.
#![forbid(unsafe_code)]

#[path = "../it/support/dice.rs"]
mod dice;
#[path = "../it/support/masked.rs"]
mod masked;
mod probe;
mod scenarios;
mod server;
mod stage;
mod swarm;
mod upstream;
mod wire;

use clap::Parser;
use scenarios::{Needs, SCENARIOS, Scenario};
use server::Program;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Hostile clients against squall, or against another server as a control
#[derive(Parser, Debug)]
struct Flags {
    /// All random numbers follow from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these scenarios
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Attack this squall, of which nothing is known but what the kernel tells
    #[arg(long, value_name = "PROGRAM", conflicts_with = "control")]
    bin: Option<PathBuf>,
    /// Attack another server of this name; it is good that it misses something
    #[arg(long, value_name = "NAME", requires = "command")]
    control: Option<String>,
    /// It has no WebSockets
    #[arg(long)]
    no_sockets: bool,
    /// Say which scenarios there are
    #[arg(long)]
    list: bool,
    /// The command line of the other server; {port} stands for its port
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let mut line = std::env::args().skip(1);
    if line.next().as_deref() == Some("--serve") {
        return match server::serve(&line.collect::<Vec<_>>()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("hostile --serve: {why}");
                ExitCode::FAILURE
            }
        };
    }
    let flags = Flags::parse();
    if let Some(unknown) = flags.only.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != *name)) {
        eprintln!("hostile: there is no scenario {unknown:?}; see --list");
        return ExitCode::from(2);
    }
    if flags.list {
        SCENARIOS.iter().for_each(|scenario| println!("{:12} {}", scenario.name, scenario.what));
        return ExitCode::SUCCESS;
    }
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    attack(&flags)
}

/// Plays what applies; good is that squall misses nothing, and that a control misses something.
fn attack(flags: &Flags) -> ExitCode {
    let program = match (&flags.control, &flags.bin) {
        (Some(_), _) => Program::Other(flags.command.clone()),
        (None, Some(path)) => Program::Binary(path.clone()),
        (None, None) => Program::Own,
    };
    let applies = |scenario: &&Scenario| match scenario.needs {
        _ if !flags.only.is_empty() && !flags.only.iter().any(|name| name == scenario.name) => false,
        Needs::Http => true,
        Needs::Sockets => !flags.no_sockets,
        Needs::Search | Needs::Squall => flags.control.is_none(),
    };
    println!("seed {}", flags.seed);
    let (began, mut servers) = (Instant::now(), Vec::new());
    let mut results: Vec<(&str, Vec<String>)> = Vec::new();
    for scenario in SCENARIOS.iter().filter(applies) {
        let outcome = stage::play(scenario, &program, flags.seed, !flags.no_sockets);
        let result = if outcome.faults.is_empty() { "passed" } else { "MISSED" };
        println!("{:12} {result}  {}", scenario.name, outcome.figures);
        outcome.faults.iter().for_each(|fault| println!("{:12}   {fault}", ""));
        results.push((scenario.name, outcome.faults));
        if let Some((server, descriptors)) = outcome.server.filter(|_| flags.control.is_none()) {
            servers.push((scenario.name, server, descriptors));
        }
    }
    for (name, server, descriptors) in &mut servers {
        if let Some(fault) = stage::forget(server, *descriptors) {
            println!("{name:12} MISSED  {fault}");
            results.iter_mut().filter(|(other, _)| other == name).for_each(|(_, faults)| faults.push(fault.clone()));
        }
    }
    println!("{:.0} s in all", began.elapsed().as_secs_f64());
    let missed: Vec<&str> = results.iter().filter(|(_, faults)| !faults.is_empty()).map(|&(name, _)| name).collect();
    let passed = results.len() - missed.len();
    let name = flags.control.as_deref().unwrap_or("hostile");
    let which = if missed.is_empty() { String::new() } else { format!(" (missed: {})", missed.join(", ")) };
    let line = format!("{name}: {passed} passed, {} failed{which}", missed.len());
    println!("{line}");
    if flags.control.is_none() {
        report(&line);
    }
    match missed.is_empty() == flags.control.is_none() && !results.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// For the closing table of the whole test run, if there is one.
fn report(line: &str) {
    let Some(path) = std::env::var_os("RESULTS") else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    if let Err(e) = file.and_then(|mut file| writeln!(file, "{line}")) {
        eprintln!("hostile: {}: {e}", path.display());
    }
}
