//! What changes a history: the store of the server that runs, or one of our own, which holds the lock meanwhile.

use super::ask::{self, Said};
use crate::clock::Now;
use crate::id::ConnId;
use crate::site::control::{FORGET, IMPORT, SOCKET};
use crate::store::sqlite::{NotOpened, Sqlite, SqliteOptions};
use crate::store::{Command, Entry, Flaw, Forgotten, Outcome, Position, Store, Texts, Wrong};
use serde_json::{Value, json};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Time to find a server that starts, or the end of one or of another command.
const FIND_WITHIN: Duration = Duration::from_secs(5);
/// Interval of the looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Time for an outcome of our own store. A program that reads the history may hold up the end of forgetting.
const OUTCOME_WITHIN: Duration = Duration::from_secs(600);
/// Interval at which it is asked for outcomes, should a wake be missed.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// What changes the history of a directory.
pub enum Owner {
    /// The server that listens on this socket.
    Server(PathBuf),
    /// A store of our own.
    Own(Box<Sqlite>),
}

/// Why entries were not imported.
#[derive(Debug, PartialEq, Eq)]
pub struct NotImported {
    /// Of the entry among those that were sent; `None`: the fault is not in an entry.
    pub index: Option<usize>,
    pub why: String,
}

impl Owner {
    /// Finds the server that uses this directory, or opens the history itself, which may make it.
    ///
    /// # Errors
    /// A sentence: another process uses it and does not listen, or it cannot be used.
    pub fn find(directory: &Path) -> Result<Owner, String> {
        let (socket, until) = (directory.join(SOCKET), Instant::now() + FIND_WITHIN);
        loop {
            if UnixStream::connect(&socket).is_ok() {
                return Ok(Owner::Server(socket));
            }
            let main = thread::current();
            let wake = Arc::new(move || main.unpark());
            match Sqlite::try_open(directory, SqliteOptions::default(), wake) {
                Ok(store) => return Ok(Owner::Own(Box::new(store))),
                Err(NotOpened::Unusable(why)) => return Err(why),
                Err(NotOpened::InUse(_)) if Instant::now() > until => {
                    return Err(format!(
                        "another squall uses {} and does not listen on {SOCKET}: its log says why; stop it, or wait for \
                         its end",
                        directory.display()
                    ));
                }
                Err(NotOpened::InUse(_)) => {}
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Takes a name out of the history.
    ///
    /// # Errors
    /// A sentence: it is not forgotten, or not all of it is out of the files yet.
    pub fn forget(&mut self, name: &str, texts: Texts) -> Result<Forgotten, String> {
        match self {
            Owner::Server(socket) => {
                let body = json!({ "name": name, "keep_texts": texts == Texts::Keep }).to_string();
                let Said { status, body } = ask::post(connect(socket)?, FORGET, body.as_bytes())?;
                let said: Value = serde_json::from_str(&body).unwrap_or_default();
                let rooms = said.get("rooms").and_then(Value::as_u64).and_then(|rooms| usize::try_from(rooms).ok());
                let anonymous = said.get("name").and_then(Value::as_str).map(Arc::from);
                match rooms.filter(|_| status == 200) {
                    Some(rooms) => Ok(Forgotten { rooms, anonymous }),
                    None => Err(refusal(status, &body)),
                }
            }
            Owner::Own(store) => {
                match outcome(store, Command::Forget { user: name.into(), texts, at: Now::read().wall })? {
                    Outcome::Forgotten(done) => Ok(done),
                    Outcome::Unchanged(why) => Err(Wrong::Refused(why).to_string()),
                    other => Err(format!("the store is confused: {other:?}")),
                }
            }
        }
    }

    /// Appends entries to a room, behind `after`; `lines` are the same as JSON lines.
    ///
    /// # Errors
    /// What is wrong, and with which entry.
    pub fn import(
        &mut self,
        room: &Arc<str>,
        after: Position,
        entries: &[Entry],
        lines: &[u8],
    ) -> Result<Position, NotImported> {
        let unsaid = |why| NotImported { index: None, why };
        match self {
            Owner::Server(socket) => {
                let server = connect(socket).map_err(unsaid)?;
                let said = ask::post(server, &format!("{IMPORT}?after={after}"), lines).map_err(unsaid)?;
                let value: Value = serde_json::from_str(&said.body).unwrap_or_default();
                let last = value.get("last").and_then(Value::as_str).and_then(Position::parse);
                if let Some(last) = last.filter(|_| said.status == 200) {
                    return Ok(last);
                }
                let index = value.get("line").and_then(Value::as_u64).and_then(|line| usize::try_from(line).ok());
                let why = value.get("why").and_then(Value::as_str).map(str::to_owned);
                Err(NotImported { index, why: why.unwrap_or_else(|| refusal(said.status, &said.body)) })
            }
            Owner::Own(store) => {
                let command = Command::Import { room: room.clone(), after, entries: entries.to_vec() };
                match outcome(store, command).map_err(unsaid)? {
                    Outcome::Imported { last, .. } => Ok(last),
                    Outcome::NotImported { flaw: Flaw { index, why }, .. } => {
                        Err(NotImported { index: Some(index), why: why.to_string() })
                    }
                    other => Err(unsaid(format!("the store is confused: {other:?}"))),
                }
            }
        }
    }
}

fn connect(socket: &Path) -> Result<UnixStream, String> {
    UnixStream::connect(socket).map_err(|e| format!("the server does not listen any more: {e}"))
}

fn refusal(status: u16, body: &str) -> String {
    format!("the server responds with {status}: {body}")
}

/// Has our own store do this, and waits for its outcome.
fn outcome(store: &mut Sqlite, command: Command) -> Result<Outcome, String> {
    let (from, until) = (ConnId::outside(0), Instant::now() + OUTCOME_WITHIN);
    store.submit(from, command);
    store.flush();
    loop {
        while let Some((to, outcome)) = store.take() {
            if to == from {
                return Ok(outcome);
            }
        }
        if Instant::now() > until {
            return Err("the history takes too long: a program that reads it may hold it up".into());
        }
        thread::park_timeout(ASK_EVERY);
    }
}
