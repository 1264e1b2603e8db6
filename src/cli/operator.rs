//! `squall operator`: the line of an operator for `--operators-file`.

use crate::config::OperatorArgs;
use crate::password::{Hash, Password};
use crate::site::name;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Read as _, Stdin, Write};
use std::process::ExitCode;

/// Bytes of the line with the password, at most: more than the longest password, which then says so.
const LINE_BYTES_MAX: u64 = 4096;

/// Asks for a password, twice on a terminal, and prints `NAME:HASH`. From anything but a terminal it reads one line.
///
/// # Errors
/// The name is none, the password is too short or too long, or the two differ.
pub fn run(args: &OperatorArgs) -> Result<ExitCode, String> {
    let why = "it must have 1 to 32 characters, none of them a colon or invisible";
    let name = name::check(&args.name).map_err(|_| format!("{:?} is no name: {why}", args.name))?;
    let stdin = io::stdin();
    let typed = match tcgetattr(&stdin) {
        Ok(terminal) => {
            let first = ask(&stdin, &terminal, &format!("Password of {name}: "))?;
            if ask(&stdin, &terminal, "The same again: ")? != first {
                return Err("the two passwords differ".into());
            }
            first
        }
        Err(_) => read_line(&stdin)?,
    };
    let hash = Hash::of(&Password::chosen(&typed)?)?;
    writeln!(io::stdout(), "{name}:{hash}").map_err(|e| format!("standard output cannot be written: {e}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a line from a terminal that does not show it.
fn ask(stdin: &Stdin, terminal: &Termios, prompt: &str) -> Result<String, String> {
    let failed = |e: &dyn std::fmt::Display| format!("the terminal cannot be used: {e}");
    let mut silent = terminal.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    // Standard output may go to the file.
    write!(io::stderr(), "{prompt}").map_err(|e| failed(&e))?;
    tcsetattr(stdin, OptionalActions::Flush, &silent).map_err(|e| failed(&e))?;
    let line = read_line(stdin);
    tcsetattr(stdin, OptionalActions::Flush, terminal).map_err(|e| failed(&e))?;
    line
}

/// The next line without its end.
fn read_line(stdin: &Stdin) -> Result<String, String> {
    let mut line = String::new();
    let read = stdin.lock().take(LINE_BYTES_MAX).read_line(&mut line);
    read.map_err(|e| format!("standard input cannot be read: {e}"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
