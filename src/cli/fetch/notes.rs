//! How standard error is used: for lines that stay, or for one line that is redrawn.
//!
//! A line can be redrawn on a terminal only, and only if no other program writes there. The reader of a pipe (`| grep`)
//! may write results to the same screen at any time: then no line is redrawn.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;

/// Width of a terminal without COLUMNS, characters.
const COLUMNS: usize = 80;

/// The kind of standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notes {
    /// A file or a pipe: every line stays.
    Lines,
    /// A terminal on which other programs may write: failures and the end, no progress.
    Sparse,
    /// A terminal of `columns` characters: one line is redrawn. `under_results`: results go to the same screen.
    Redrawn { under_results: bool, columns: usize },
}

impl Notes {
    /// The kind for this program, by its outputs and the variable COLUMNS.
    pub fn of_this_program() -> Notes {
        let columns = std::env::var("COLUMNS");
        Notes::beside(io::stdout().as_fd(), io::stderr().is_terminal(), columns_of(columns.as_deref().unwrap_or("")))
    }

    fn beside(results: BorrowedFd<'_>, on_terminal: bool, columns: usize) -> Notes {
        let under_results = results.is_terminal();
        match on_terminal {
            false => Notes::Lines,
            true if under_results || is_only_kept(results) => Notes::Redrawn { under_results, columns },
            true => Notes::Sparse,
        }
    }
}

/// Whether no other program reads the output meanwhile: a file, or a device such as /dev/null.
fn is_only_kept(output: BorrowedFd<'_>) -> bool {
    let kind = output.try_clone_to_owned().and_then(|fd| File::from(fd).metadata()).map(|data| data.file_type());
    kind.is_ok_and(|kind| kind.is_file() || kind.is_char_device())
}

/// Shells set COLUMNS, but few of them export it.
fn columns_of(variable: &str) -> usize {
    variable.parse().ok().filter(|&columns| columns > 0).unwrap_or(COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_line_is_redrawn_on_an_unshared_terminal_only() {
        let (_reader, pipe) = io::pipe().expect("a pipe");
        let (socket, _peer) = UnixStream::pair().expect("sockets");
        let (null, file) = (File::open("/dev/null").expect("it is there"), File::open(file!()).expect("this file"));
        let apart = Notes::Redrawn { under_results: false, columns: 80 };
        for (results, notes) in [
            (pipe.as_fd(), Notes::Sparse),
            (socket.as_fd(), Notes::Sparse),
            (null.as_fd(), apart),
            (file.as_fd(), apart),
        ] {
            assert_eq!(Notes::beside(results, true, 80), notes);
            assert_eq!(Notes::beside(results, false, 80), Notes::Lines);
        }
        // Some systems have no terminal to open.
        if let Ok(terminal) = File::options().read(true).write(true).open("/dev/ptmx") {
            let shared = Notes::Redrawn { under_results: true, columns: 132 };
            assert_eq!(Notes::beside(terminal.as_fd(), true, 132), shared);
        }
    }

    #[test]
    fn a_terminal_of_unknown_width_has_80_columns() {
        for (variable, columns) in [("132", 132), ("1", 1), ("", 80), ("0", 80), ("-1", 80), ("wide", 80)] {
            assert_eq!(columns_of(variable), columns, "{variable:?}");
        }
    }
}
