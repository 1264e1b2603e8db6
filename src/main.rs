//! The command line: starts the loop, says where it listens, turns its end into an exit code.
#![forbid(unsafe_code)]

use env_logger::{Builder, Env};
use squall::config::{Cli, Command, Limits, Serve, is_blank};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A process that is started for one request has no use for a log and flags, which take half of its time.
    #[cfg(feature = "bench")]
    if std::env::args_os().skip(1).eq(["model", "request"]) {
        return exit_code(squall::cli::model::serve_standard_input());
    }
    start_log();
    let cli = Cli::read();
    Cli::unknown_variables().iter().for_each(|why| log::warn!("{why}"));
    // Each connection is a descriptor, accepted or our own; many systems start a program with a soft limit of 1,024.
    let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let outcome = match cli.command {
        None => serve(&cli.serve, open_files),
        Some(Command::Serve(flags)) => serve(&flags, open_files),
        Some(Command::Fetch(args)) => squall::cli::fetch::run(&args),
        Some(Command::Cookie(args)) => squall::cli::cookie::run(&args),
        Some(Command::Operator(args)) => squall::cli::operator::run(&args),
        Some(Command::Verify(args)) => squall::cli::verify::run(&args),
        #[cfg(feature = "history")]
        Some(Command::History(args)) => squall::cli::history::run(&args),
        #[cfg(feature = "bench")]
        Some(Command::Bench(args)) => squall::cli::bench::run(&args),
        #[cfg(feature = "bench")]
        Some(Command::Model(args)) => squall::cli::model::run(&args),
    };
    exit_code(outcome)
}

fn exit_code(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|why| {
        // Not `eprintln`, which panics where standard error is full or gone.
        let _ = writeln!(std::io::stderr(), "squall: {why}");
        ExitCode::FAILURE
    })
}

/// To standard error, by `RUST_LOG`; a blank one counts as unset.
fn start_log() {
    let mut log = Builder::from_env(Env::default().default_filter_or("info"));
    if std::env::var_os("RUST_LOG").is_some_and(|filter| is_blank(&filter)) {
        log.parse_filters("info");
    }
    log.init();
}

fn serve(flags: &Serve, open_files: u64) -> Result<ExitCode, String> {
    if let Some(why) = flags.shortage_of(open_files) {
        log::warn!("{why}");
    }
    let limits = Limits { connections_max: flags.connections_for(open_files), ..Limits::default() };
    let mut running = squall::cli::serve::bind(flags, limits)?;
    running.take_signals().map_err(|e| format!("signals cannot be taken: {e}"))?;
    for line in running.lines() {
        // A closed standard output is no error: the lines are not wanted.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    running.run().map_err(|e| format!("the kernel's poll failed: {e}"))?;
    Ok(ExitCode::SUCCESS)
}
