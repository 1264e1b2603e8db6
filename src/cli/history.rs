//! `squall history`: what its owner does with a history.
//!
//! What only reads has a connection of its own to the file ([`Reader`]), and looks at it in small pages. What changes
//! something is done by the store (`owner`): by that of the server that runs, or by one of our own.

mod ask;
mod export;
mod import;
mod owner;

use crate::config::{BackupArgs, CheckArgs, DataDir, ForgetArgs, HistoryTool, HistoryToolsArgs};
use crate::site::name;
use crate::store::sqlite::backup::{Overwrite, back_up};
use crate::store::sqlite::check::check;
use crate::store::sqlite::figures::figures;
use crate::store::sqlite::{self, Reader};
use crate::store::{Forgotten, Texts};
use owner::Owner;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Does what the arguments ask for.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn run(args: &HistoryToolsArgs) -> Result<ExitCode, String> {
    match &args.command {
        HistoryTool::Rooms(data) => rooms(data),
        HistoryTool::Stats(data) => stats(data),
        HistoryTool::Export(args) => export::run(args),
        HistoryTool::Import(args) => import::run(args),
        HistoryTool::Backup(args) => backup(args),
        HistoryTool::Check(args) => check_for_faults(args),
        HistoryTool::Forget(args) => forget(args),
    }
}

/// Prints a line.
fn print(line: impl Display) -> Result<(), String> {
    writeln!(io::stdout(), "{line}").map_err(|e| unwritable(&e))
}

fn unwritable(e: &io::Error) -> String {
    format!("standard output cannot be written: {e}")
}

fn rooms(data: &DataDir) -> Result<ExitCode, String> {
    let reader = Reader::open(&data.data_dir)?;
    let mut after = String::new();
    loop {
        let page = reader.rooms(&after)?;
        let Some(last) = page.last() else { return Ok(ExitCode::SUCCESS) };
        after = last.name.to_string();
        for room in &page {
            print(format_args!("{:>10}  {:>10}  {}  {}", room.entries, room.last.id, room.at, room.name))?;
        }
    }
}

fn stats(data: &DataDir) -> Result<ExitCode, String> {
    let figures = figures(&Reader::open(&data.data_dir)?)?;
    let time =
        |time: Option<_>| time.map_or_else(|| "none".to_owned(), |time: crate::clock::UnixMillis| time.to_string());
    for (what, value) in [
        ("rooms", figures.rooms.to_string()),
        ("users", figures.users.to_string()),
        ("entries", figures.entries.to_string()),
        ("messages", format!("{}, {} of them deleted", figures.messages, figures.deleted)),
        ("file", format!("{} bytes", figures.file_bytes)),
        ("its log", format!("{} bytes", figures.log_bytes)),
        ("oldest", time(figures.times.map(|times| times.0))),
        ("newest", time(figures.times.map(|times| times.1))),
    ] {
        print(format_args!("{what:<10}{value}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn backup(args: &BackupArgs) -> Result<ExitCode, String> {
    let overwrite = if args.force { Overwrite::Allowed } else { Overwrite::Never };
    let bytes = back_up(&Reader::open(&args.data.data_dir)?, &args.file, overwrite)?;
    print(format_args!("{}: {bytes} bytes, without a fault", args.file.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn check_for_faults(args: &CheckArgs) -> Result<ExitCode, String> {
    let reader = match &args.file {
        Some(file) => Reader::open_file(file)?,
        None => Reader::open(&args.data.data_dir)?,
    };
    let mut printed = Ok(());
    let checked = check(&reader, &mut |fault| {
        if printed.is_ok() {
            printed = print(fault);
        }
    })?;
    printed?;
    if checked.faults > 0 {
        print(format_args!("faults: {}", checked.faults))?;
        return Ok(ExitCode::FAILURE);
    }
    print(format_args!("no fault in {} entries of {} rooms", checked.entries, checked.rooms))?;
    Ok(ExitCode::SUCCESS)
}

fn forget(args: &ForgetArgs) -> Result<ExitCode, String> {
    let directory = &args.data.data_dir;
    if !sqlite::exists(directory) {
        // Opened to be written, it would be made.
        return Reader::open(directory).map(|_| ExitCode::FAILURE);
    }
    // A name that could not be chosen today may be in the history.
    let name = name::normal_form(&args.name).unwrap_or_else(|_| args.name.as_str().into());
    let texts = if args.keep_texts { Texts::Keep } else { Texts::Erase };
    let Forgotten { rooms, anonymous } = Owner::find(directory)?.forget(&name, texts)?;
    let Some(anonymous) = anonymous else { return Err(format!("the history has no name {name:?}")) };
    let what = match texts {
        Texts::Erase => "its texts are erased, and its entries are",
        Texts::Keep => "its texts are kept, and are",
    };
    print(format_args!("{name:?} is forgotten in {rooms} rooms: {what} now those of {anonymous}"))?;
    Ok(ExitCode::SUCCESS)
}
