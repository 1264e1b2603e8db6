//! All tables, and what each command does to them. Nothing here begins or ends a transaction.

use super::acts::{Acts, Recorded};
use super::forget::{self, Forget};
use super::history::{History, Verdict};
use super::queue::Told;
use crate::clock::UnixMillis;
use crate::id::ConnId;
use crate::store::tags::Tags;
use crate::store::{Act, Command, Deed, Draft, Entry, Kind, Outcome, Position, Refusal};
use rusqlite::{Connection, Result};

/// What became of a command.
#[expect(clippy::large_enum_variant, reason = "a batch has 2,048 of them at most; a box for each page costs more")]
pub(super) enum Done {
    /// Of [`Command::Append`]. Its outcomes take over the text of the command.
    Append(Verdict),
    /// What the connection is told, and then all.
    Told(Outcome, Option<Outcome>),
    /// It is a search, which waits until the batch is done.
    Later,
    /// Of [`Command::Forget`]. Its own outcome waits until nothing is left in the file.
    Forgotten(forget::Done),
    /// Of [`Command::Import`]. Its outcomes take over the entries of the command.
    Imported(Position),
}

/// The tables.
pub(super) struct Tables<'c> {
    pub history: History<'c>,
    pub forget: Forget<'c>,
    acts: Acts<'c>,
}

impl<'c> Tables<'c> {
    /// The nonces of this many messages stay in memory.
    pub fn new(connection: &'c Connection, tags: Tags, nonces_fresh: usize) -> Result<Tables<'c>> {
        let history = History::new(connection, tags, nonces_fresh)?;
        Ok(Tables { history, forget: Forget::new(connection)?, acts: Acts::new(connection)? })
    }

    /// Forgets what is in memory: a transaction was rolled back.
    pub fn forget(&mut self) {
        self.history.forget();
        self.acts.forget();
    }

    /// The acts that are in force at this time.
    pub fn in_force(&mut self, now: UnixMillis) -> Result<Vec<Act>> {
        self.acts.in_force(now)
    }

    /// Does a command; one that [`writes`], in the open transaction.
    pub fn carry_out(&mut self, command: &Command) -> Result<Done> {
        let outcome = match command {
            Command::Append { room, at, draft } => return self.history.append(room, *at, draft).map(Done::Append),
            Command::Record { .. } => return self.record(command),
            Command::Claim { name, looks, signer, at } => {
                let claim = self.history.claims.claim(name, looks, *signer, *at)?;
                Outcome::Claimed { name: name.clone(), claim }
            }
            Command::Read { room, range, limit } => {
                Outcome::Page { room: room.clone(), page: self.history.read(room, *range, *limit)? }
            }
            Command::Forget { user, texts, at } => {
                // The acts with this name are deleted, too.
                self.acts.forget();
                return self.forget.apply(&mut self.history, user, *texts, *at).map(Done::Forgotten);
            }
            Command::Import { room, after, entries } => match self.history.import(room, *after, entries)? {
                Ok(last) => return Ok(Done::Imported(last)),
                Err(flaw) => Outcome::NotImported { room: room.clone(), flaw },
            },
            Command::Search { .. } => return Ok(Done::Later),
            Command::ListRooms => Outcome::Rooms(self.history.list()?),
            Command::ReadActs { limit, nonce } => Outcome::Acts { nonce: *nonce, acts: self.acts.last(*limit)? },
        };
        Ok(Done::Told(outcome, None))
    }

    /// Does one step of a search.
    pub fn search(&mut self, command: &Command) -> Result<Done> {
        let Command::Search { room, words, before, limit } = command else { return self.carry_out(command) };
        let found = self.history.search(room, words, *before, *limit)?;
        Ok(Done::Told(Outcome::Found { room: room.clone(), found }, None))
    }

    /// Stores an act, with the entry that it makes.
    fn record(&mut self, command: &Command) -> Result<Done> {
        let Command::Record { act, nonce } = command else { return Ok(refused(command, Refusal::Storage)) };
        let draft = act.draft();
        let entry = match &draft {
            None => None,
            Some(draft) => match self.history.append(&act.room, act.at, draft)? {
                Verdict::Refused(why) => return Ok(refused(command, why)),
                Verdict::New { id, tag, at } => Some((Position { id, tag }, at)),
                Verdict::Known(_) => None,
            },
        };
        if self.acts.record(act)? == Recorded::TooMany {
            return Ok(refused(command, Refusal::TooManyActs));
        }
        if let Deed::Free { name, .. } = &act.deed {
            self.history.claims.free(name)?;
        }
        let position = entry.map(|(position, _)| position);
        let for_all = match (entry, draft) {
            (Some((Position { id, tag }, at)), Some(draft)) => {
                Outcome::Entry { room: act.room.clone(), entry: Entry { id, tag, at, kind: kind_of(draft) } }
            }
            _ => Outcome::Act(act.clone()),
        };
        Ok(Done::Told(Outcome::Recorded { nonce: *nonce, act: act.clone(), entry: position }, Some(for_all)))
    }
}

/// Whether a command needs a transaction.
pub(super) fn writes(command: &Command) -> bool {
    match command {
        Command::Append { .. } | Command::Record { .. } | Command::Claim { .. } => true,
        Command::Forget { .. } | Command::Import { .. } => true,
        Command::Read { .. } | Command::Search { .. } | Command::ListRooms | Command::ReadActs { .. } => false,
    }
}

/// A command that is not done.
pub(super) fn refused(command: &Command, why: Refusal) -> Done {
    match command {
        Command::Append { .. } => Done::Append(Verdict::Refused(why)),
        other => Done::Told(other.clone().refused(why), None),
    }
}

/// The outcomes of one command: what the connection gets, and then what every member gets.
pub(super) fn tell(from: ConnId, command: Command, done: Done, told: &mut Told) {
    match (command, done) {
        (Command::Append { room, draft, .. }, Done::Append(verdict)) => {
            let nonce = draft.nonce();
            match verdict {
                Verdict::Refused(why) => told.push(from, Outcome::Refused { room, nonce, why }),
                Verdict::Known(position) => {
                    told.push(from, Outcome::Appended { room, nonce, position, is_new: false });
                }
                Verdict::New { id, tag, at } => {
                    let position = Position { id, tag };
                    told.push(from, Outcome::Appended { room: room.clone(), nonce, position, is_new: true });
                    let entry = Entry { id, tag, at, kind: kind_of(draft) };
                    told.push(ConnId::NONE, Outcome::Entry { room, entry });
                }
            }
        }
        (_, Done::Told(outcome, for_all)) => {
            told.push(from, outcome);
            for_all.into_iter().for_each(|outcome| told.push(ConnId::NONE, outcome));
        }
        (_, Done::Forgotten(forget::Done { entries, .. })) => {
            for (room, entry) in entries {
                told.push(ConnId::NONE, Outcome::Entry { room, entry });
            }
        }
        (Command::Import { room, entries, .. }, Done::Imported(last)) => {
            for entry in entries {
                told.push(ConnId::NONE, Outcome::Entry { room: room.clone(), entry });
            }
            told.push(from, Outcome::Imported { room, last });
        }
        (command, Done::Append(_) | Done::Later | Done::Imported(_)) => {
            told.push(from, command.refused(Refusal::Storage))
        }
    }
}

fn kind_of(draft: Draft) -> Kind {
    match draft {
        Draft::Message { user, nonce, text } => Kind::Message { user, nonce, text: Some(text) },
        Draft::Deletion { target, by, .. } => Kind::Deleted { target, by },
        Draft::Clear { user, by } => Kind::Cleared { user, by },
    }
}
