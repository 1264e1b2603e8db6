//! What became of a command, and the outcomes that are told of it.

use super::forget;
use super::history::Verdict;
use super::queue::Told;
use crate::id::ConnId;
use crate::store::{Command, Draft, Entry, Flaw, Kind, Outcome, Page, Position, Refusal, RoomFacts, Wrong};

/// What became of a command.
pub(super) enum Done {
    Append(Verdict),
    Page(Page),
    Rooms(Vec<RoomFacts>),
    Unread,
    Forgotten(forget::Done),
    Unchanged,
    Import(Result<Position, Flaw>),
}

/// Whether a command needs a transaction that writes.
pub(super) fn writes(command: &Command) -> bool {
    matches!(command, Command::Append { .. } | Command::Forget { .. } | Command::Import { .. })
}

/// What becomes of a command that writes while nothing is written.
pub(super) fn refused(command: &Command) -> Done {
    match command {
        Command::Append { .. } => Done::Append(Verdict::Refused(Refusal::Storage)),
        Command::Import { .. } => Done::Import(Err(Flaw { index: 0, why: Wrong::Refused(Refusal::Storage) })),
        Command::Forget { .. } => Done::Unchanged,
        Command::Read { .. } | Command::ListRooms => Done::Unread,
    }
}

/// The outcomes of one command: what the connection gets, and then what every member gets.
pub(super) fn tell(from: ConnId, command: Command, done: Done, told: &mut Told) {
    match (command, done) {
        (Command::Append { room, draft, .. }, Done::Append(verdict)) => {
            let nonce = draft.nonce();
            match verdict {
                Verdict::Refused(why) => told.push(from, Outcome::Refused { room, nonce, why }),
                Verdict::Known { id } => told.push(from, Outcome::Appended { room, nonce, id, is_new: false }),
                Verdict::New { id, tag, at } => {
                    told.push(from, Outcome::Appended { room: room.clone(), nonce, id, is_new: true });
                    let entry = Entry { id, tag, at, kind: kind_of(draft) };
                    told.push(ConnId::NONE, Outcome::Entry { room, entry });
                }
            }
        }
        (Command::Read { room, .. }, Done::Page(page)) => told.push(from, Outcome::Page { room, page }),
        (_, Done::Rooms(rooms)) => told.push(from, Outcome::Rooms(rooms)),
        (_, Done::Forgotten(forget::Done { entries, .. })) => {
            for (room, entry) in entries {
                told.push(ConnId::NONE, Outcome::Entry { room, entry });
            }
        }
        (Command::Forget { .. }, _) => told.push(from, Outcome::Unchanged(Refusal::Storage)),
        (Command::Import { room, entries, .. }, Done::Import(Ok(last))) => {
            for entry in entries {
                told.push(ConnId::NONE, Outcome::Entry { room: room.clone(), entry });
            }
            told.push(from, Outcome::Imported { room, last });
        }
        (Command::Import { room, .. }, Done::Import(Err(flaw))) => {
            told.push(from, Outcome::NotImported { room, flaw });
        }
        _ => told.push(from, Outcome::Unread),
    }
}

fn kind_of(draft: Draft) -> Kind {
    match draft {
        Draft::Message { user, nonce, text } => Kind::Message { user, nonce, text: Some(text) },
        Draft::Deletion { target, by, .. } => Kind::Deleted { target, by },
        Draft::Clear { user, by } => Kind::Cleared { user, by },
    }
}
