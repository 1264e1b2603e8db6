//! `squall history import`: JSON lines, read twice. The first time each line is checked and nothing is changed; the second
//! time they go to the store in small parts.

use super::owner::{NotImported, Owner};
use super::print;
use crate::clock::{Now, UnixMillis};
use crate::config::ImportArgs;
use crate::site::lines::{LINE_BYTES_MAX, Line};
use crate::store::import::Order;
use crate::store::sqlite::{self, Reader};
use crate::store::{Entry, Position};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Bytes of the lines of one part, about: the server parses them on its loop.
const PART_BYTES: usize = 128 << 10;
/// Rooms in a file, at most: each is remembered.
const ROOMS_MAX: usize = 100_000;
/// Milliseconds that a time may be ahead of the clock. Later entries get no earlier time, so a false one would stay.
const AHEAD_MAX: u64 = 86_400_000;

/// Imports a file.
///
/// # Errors
/// A sentence with the number of the line that is wrong.
pub fn run(args: &ImportArgs) -> Result<ExitCode, String> {
    let (file, directory) = (&args.file, &args.data.data_dir);
    let rooms = check(file, directory)?;
    let mut import =
        Import { owner: Owner::find(directory)?, positions: HashMap::new(), part: Part::default(), imported: 0 };
    let added = read(file, |number, line, bytes| import.add(number, line, bytes));
    let imported = added.and_then(|()| import.send().map_err(|why| format!("{}, {why}", file.display())));
    if let Err(why) = imported {
        return Err(format!("{why}; {} entries in front of it are imported", import.imported));
    }
    print(format_args!("{} entries of {rooms} rooms are imported", import.imported))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the lines, each with its number and its bytes. An error of `take` begins with the number of the line.
fn read(file: &Path, mut take: impl FnMut(u64, Line, &[u8]) -> Result<(), String>) -> Result<(), String> {
    let why = |e| format!("{} cannot be read: {e}", file.display());
    let mut lines = BufReader::new(File::open(file).map_err(why)?);
    let (mut bytes, mut number) = (vec![], 0);
    loop {
        bytes.clear();
        number += 1;
        // One more than a line may have shows that it has more.
        let most = LINE_BYTES_MAX as u64 + 2;
        if (&mut lines).take(most).read_until(b'\n', &mut bytes).map_err(why)? == 0 {
            return Ok(());
        }
        let line = bytes.trim_ascii_end();
        if line.is_empty() && bytes.len() < most as usize {
            continue;
        }
        let parsed = Line::parse(line).map_err(|why| at_line(number, &why));
        parsed.and_then(|parsed| take(number, parsed, line)).map_err(|why| format!("{}, {why}", file.display()))?;
    }
}

fn at_line(number: u64, why: &str) -> String {
    format!("line {number}: {why}")
}

/// Checks all lines, and that their rooms are new. Returns the number of rooms.
fn check(file: &Path, directory: &Path) -> Result<usize, String> {
    let reader = if sqlite::exists(directory) { Some(Reader::open(directory)?) } else { None };
    let latest = UnixMillis::from_millis(Now::read().wall.millis().saturating_add(AHEAD_MAX));
    let mut orders: HashMap<Arc<str>, Order> = HashMap::new();
    read(file, |number, Line { room, entry }, _| {
        let mut check = || {
            if entry.at > latest {
                return Err("its time is in the future".into());
            }
            if !orders.contains_key(&room) {
                if orders.len() >= ROOMS_MAX {
                    return Err(format!("there are more than {ROOMS_MAX} rooms"));
                }
                if let Some(found) = reader.as_ref().map(|reader| reader.room(&room)).transpose()?.flatten() {
                    let last = found.last.id;
                    return Err(format!(
                        "the room {room} has entries up to the id {last}: only new rooms can be imported"
                    ));
                }
            }
            let new = || Order::behind(Position::START, UnixMillis::default());
            orders.entry(room.clone()).or_insert_with(new).take(&entry).map_err(|wrong| wrong.to_string())
        };
        check().map_err(|why: String| at_line(number, &why))
    })?;
    Ok(orders.len())
}

/// An import under way.
struct Import {
    owner: Owner,
    /// Of the last entry of each room.
    positions: HashMap<Arc<str>, Position>,
    part: Part,
    imported: u64,
}

/// Entries of one room that are sent together.
#[derive(Default)]
struct Part {
    room: Option<Arc<str>>,
    entries: Vec<Entry>,
    /// The number of the line of each.
    numbers: Vec<u64>,
    lines: Vec<u8>,
}

impl Import {
    fn add(&mut self, number: u64, line: Line, bytes: &[u8]) -> Result<(), String> {
        if self.part.room.as_ref().is_some_and(|room| *room != line.room) || self.part.lines.len() >= PART_BYTES {
            self.send()?;
        }
        let part = &mut self.part;
        part.room = Some(line.room);
        part.entries.push(line.entry);
        part.numbers.push(number);
        part.lines.extend_from_slice(bytes);
        part.lines.push(b'\n');
        Ok(())
    }

    fn send(&mut self) -> Result<(), String> {
        let Part { room, entries, numbers, lines } = std::mem::take(&mut self.part);
        let Some(room) = room else { return Ok(()) };
        let after = self.positions.get(&room).copied().unwrap_or_default();
        match self.owner.import(&room, after, &entries, &lines) {
            Ok(last) => {
                self.positions.insert(room, last);
                self.imported += entries.len() as u64;
                Ok(())
            }
            Err(NotImported { index, why }) => {
                let number = numbers.get(index.unwrap_or(0)).copied().unwrap_or(0);
                Err(at_line(number, &why))
            }
        }
    }
}
