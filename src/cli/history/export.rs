//! `squall history export`: entries as JSON lines, page by page.

use super::unwritable;
use crate::config::ExportArgs;
use crate::site::lines::Line;
use crate::site::{name, room_name};
use crate::store::sqlite::Reader;
use crate::store::sqlite::reader::RoomRow;
use crate::store::{Entry, Kind};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Prints the rooms that the arguments name, each up to its last entry at that moment.
///
/// # Errors
/// There is no such room, the history cannot be read, or standard output cannot be written.
pub fn run(args: &ExportArgs) -> Result<ExitCode, String> {
    let reader = Reader::open(&args.data.data_dir)?;
    let user = args.user.as_deref().map(|typed| name::normal_form(typed).unwrap_or_else(|_| typed.into()));
    let mut export =
        Export { reader: &reader, user: user.as_deref(), out: BufWriter::new(io::stdout().lock()), line: vec![] };
    match &args.room {
        Some(typed) => {
            let no_room = || format!("there is no room {typed:?}: squall history rooms lists those that there are");
            let name = room_name::check(typed).map_err(|_| no_room())?;
            export.room(&reader.room(&name)?.ok_or_else(no_room)?)?;
        }
        None => {
            let mut after = String::new();
            loop {
                let page = reader.rooms(&after)?;
                let Some(last) = page.last() else { break };
                after = last.name.to_string();
                page.iter().try_for_each(|room| export.room(room))?;
            }
        }
    }
    export.out.flush().map_err(|e| unwritable(&e))?;
    Ok(ExitCode::SUCCESS)
}

/// An export under way.
struct Export<'a, W> {
    reader: &'a Reader,
    /// Only entries of this name.
    user: Option<&'a str>,
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Export<'_, W> {
    fn room(&mut self, room: &RoomRow) -> Result<(), String> {
        let mut before = None;
        while before.is_none_or(|before| before < room.last.id) {
            let page = self.reader.entries(room, before.unwrap_or(0))?;
            if page.is_empty() {
                break;
            }
            for entry in page.iter().take_while(|entry| entry.id <= room.last.id) {
                if before.is_some_and(|before| entry.id != before + 1) {
                    return Err(format!("{}: entries were pruned while they were read; export it again", room.name));
                }
                before = Some(entry.id);
                self.entry(&room.name, entry)?;
            }
            // All of them came behind the beginning.
            if page.iter().all(|entry| entry.id > room.last.id) {
                break;
            }
        }
        Ok(())
    }

    fn entry(&mut self, room: &str, entry: &Entry) -> Result<(), String> {
        let (Kind::Message { user, .. } | Kind::Deleted { by: user, .. } | Kind::Cleared { by: user, .. }) =
            &entry.kind;
        if self.user.is_some_and(|wanted| *wanted != **user) {
            return Ok(());
        }
        self.line.clear();
        Line::write(room, entry, &mut self.line);
        self.out.write_all(&self.line).map_err(|e| unwritable(&e))
    }
}
