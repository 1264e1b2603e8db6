//! The store's thread: batches of commands, each in one transaction, and chores between them.

use super::SqliteOptions;
use super::checkpoints::Checkpoints;
use super::chores::Chores;
use super::faults::Faults;
use super::history::{History, Verdict};
use super::open::{self, Opened};
use super::queue::{Asked, Hold, Load, Told};
use super::watch::{Complaint, Trouble, Watch};
use crate::id::ConnId;
use crate::store::tags::Tags;
use crate::store::{Command, Draft, Entry, Kind, Outcome, Page, Refusal, RoomFacts};
use rusqlite::{Connection, Error, ErrorCode, Statement};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

type Result<T, E = Error> = std::result::Result<T, E>;

/// Commands of one batch: the first one waits for the last one.
const BATCH_COMMANDS_MAX: usize = 2048;
/// Bytes of the commands of one batch, about.
const BATCH_BYTES_MAX: usize = 2 << 20;
/// Time after which a batch takes no further command: its first messages wait for its end.
const BATCH_FOR: Duration = Duration::from_millis(10);
/// Time without a command after which the log is put into the file as a whole.
const IDLE_AFTER: Duration = Duration::from_secs(1);
/// Time after a failed chore until the next one is tried.
const CHORES_RETRY: Duration = Duration::from_secs(1);

/// What became of a command.
enum Done {
    Append(Verdict),
    Page(Page),
    Rooms(Vec<RoomFacts>),
    /// Its outcome, as it is told.
    Other(Outcome),
    Unread,
}

/// Whether a batch had a transaction.
enum Wrote {
    Something,
    Nothing,
}

/// Runs on the thread, until the loop's side is gone and every command is done. Says first whether the file can be read.
pub(super) fn run(
    opened: Opened,
    watch: Watch,
    options: &SqliteOptions,
    hold: &Hold,
    ready: SyncSender<Result<(), String>>,
) {
    let Opened { connection, file, lock } = opened;
    let made = Keeper::new(&connection, file.clone(), watch, options);
    let said = ready.send(made.as_ref().map(drop).map_err(|e| open::sentence(&file, e)));
    if let (Ok(keeper), Ok(())) = (made, said) {
        keeper.keep(hold);
    }
    if let Err((_, e)) = connection.close() {
        log::error!("history: {}: {e}", file.display());
    }
    drop(lock);
}

/// All that the thread has.
struct Keeper<'c> {
    connection: &'c Connection,
    file: PathBuf,
    begin: Statement<'c>,
    commit: Statement<'c>,
    history: History<'c>,
    checkpoints: Checkpoints<'c>,
    chores: Chores<'c>,
    watch: Watch,
    complaint: Complaint,
    faults: Faults,
    /// The file is damaged: messages are refused until the program is started again.
    is_damaged: bool,
    /// Of the batch under way, in the order of its commands.
    done: Vec<Done>,
    /// When the last batch ended.
    last_batch: Instant,
    /// Chores are not tried before this time.
    chores_from: Instant,
    /// The disk had no room: the log may give it some.
    lacks_room: bool,
}

impl<'c> Keeper<'c> {
    fn new(connection: &'c Connection, file: PathBuf, watch: Watch, options: &SqliteOptions) -> Result<Keeper<'c>> {
        let now = Instant::now();
        Ok(Keeper {
            connection,
            file,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            history: History::new(connection, Tags::from_system(), options.nonces_fresh)?,
            checkpoints: Checkpoints::new(connection, now)?,
            chores: Chores::new(connection, options.keep, now)?,
            watch,
            complaint: Complaint::default(),
            faults: options.faults.clone(),
            is_damaged: false,
            done: vec![],
            last_batch: now,
            chores_from: now,
            lacks_room: false,
        })
    }

    fn keep(mut self, hold: &Hold) {
        let (mut commands, mut told) = (VecDeque::new(), Told::default());
        loop {
            let is_ending = hold.0.wait(&mut commands, self.patience(Instant::now()));
            if commands.is_empty() {
                if is_ending {
                    break;
                }
                self.rest(Instant::now());
            }
            while !commands.is_empty() {
                hold.0.wait_for_room();
                self.watch.look(Instant::now());
                self.batch(&mut commands, &mut told);
                hold.0.tell(&mut told);
                self.after_batch(Instant::now());
            }
        }
        self.finish();
    }

    /// Does the first commands, as many as make a batch, and tells their outcomes.
    fn batch(&mut self, commands: &mut VecDeque<Asked>, told: &mut Told) {
        let mut tried = 0;
        match self.attempt(commands, &mut tried) {
            Ok(Wrote::Something) if self.complaint.settle(Instant::now()) => {
                log::info!("history: messages are stored again");
            }
            Ok(_) => {}
            Err(e) => {
                self.roll_back(&e);
                self.refuse(commands.iter().take(tried).map(|(_, command)| command));
            }
        }
        let count = self.done.len();
        for (done, (from, command)) in self.done.drain(..).zip(commands.drain(..count)) {
            told.done.add(Load::of(&command));
            tell(from, command, done, told);
        }
    }

    /// Does commands in one transaction, which begins with the first append. `tried` counts them.
    fn attempt(&mut self, commands: &VecDeque<Asked>, tried: &mut usize) -> Result<Wrote> {
        let begun = Instant::now();
        let (mut load, mut is_open) = (Load::default(), false);
        for (_, command) in commands {
            load.add(Load::of(command));
            let is_enough = load.commands > BATCH_COMMANDS_MAX || load.bytes > BATCH_BYTES_MAX;
            // At one append of 16, and at each read, which takes longer.
            let is_checked = load.commands % 16 == 0 || !matches!(command, Command::Append { .. });
            let is_late = is_checked && begun.elapsed() > BATCH_FOR;
            if !self.done.is_empty() && (is_enough || is_late) {
                break;
            }
            *tried += 1;
            let done = match command {
                Command::Append { .. } | Command::Claim { .. } | Command::Free { .. } | Command::ListFreed { .. } => {
                    match self.objection(command) {
                        Some(why) => {
                            self.complain(&why);
                            refused(command)
                        }
                        None => {
                            if !is_open {
                                self.begin()?;
                                is_open = true;
                            }
                            self.faults.strike()?;
                            self.write(command)?
                        }
                    }
                }
                Command::Read { room, range, limit } => Done::Page(self.history.read(room, *range, *limit)?),
                Command::ListRooms => Done::Rooms(self.history.list()?),
            };
            self.done.push(done);
        }
        if !is_open {
            return Ok(Wrote::Nothing);
        }
        self.commit().map(|()| Wrote::Something)
    }

    /// Does a command that may write, in the open transaction.
    fn write(&mut self, command: &Command) -> Result<Done> {
        Ok(match command {
            Command::Append { room, at, draft } => Done::Append(self.history.append(room, *at, draft)?),
            Command::Claim { name, looks, signer, at } => {
                let claim = self.history.claims.claim(name, looks, *signer, *at)?;
                Done::Other(Outcome::Claimed { name: name.clone(), claim })
            }
            Command::Free { name, at } => {
                let had = self.history.claims.free(name, *at)?;
                Done::Other(Outcome::Freed { name: name.clone(), at: *at, had })
            }
            Command::ListFreed { since } => Done::Other(Outcome::FreedNames(self.history.claims.freed(*since)?)),
            Command::Read { .. } | Command::ListRooms => Done::Unread,
        })
    }

    /// Why this is not written now, if so. Deletions are what the free space of a full disk is kept for.
    fn objection(&self, command: &Command) -> Option<String> {
        let file = self.file.display();
        if self.is_damaged {
            return Some(format!(
                "{file} is damaged: messages are refused; stop squall, and put a backup in its place"
            ));
        }
        match self.watch.trouble()? {
            Trouble::Lost(path) => {
                let path = path.display();
                Some(format!("{path} was replaced or removed while it was open: messages are refused; restart squall"))
            }
            _ if !matches!(command, Command::Append { draft: Draft::Message { .. }, .. } | Command::Claim { .. }) => {
                None
            }
            Trouble::DiskFull { free } => {
                Some(format!("the disk of {file} has only {free} bytes free: messages are refused"))
            }
            Trouble::TooLarge { bytes } => {
                Some(format!("{file} has {bytes} bytes, as --history-max-bytes allows: messages are refused"))
            }
        }
    }

    /// Refuses the appends of a batch that failed. What was read of its transaction is void, so it is read again.
    fn refuse<'q>(&mut self, commands: impl Iterator<Item = &'q Command>) {
        self.done.clear();
        for command in commands {
            let read = match command {
                Command::Read { room, range, limit } => self.history.read(room, *range, *limit).map(Done::Page),
                Command::ListRooms => self.history.list().map(Done::Rooms),
                // Of a file that cannot be written, they are read all the same.
                Command::ListFreed { since } => {
                    self.history.claims.list_freed(*since).map(|names| Done::Other(Outcome::FreedNames(names)))
                }
                command => Ok(refused(command)),
            };
            let done = read.unwrap_or_else(|e| {
                self.roll_back(&e);
                Done::Unread
            });
            self.done.push(done);
        }
    }

    fn begin(&mut self) -> Result<()> {
        self.faults.strike()?;
        self.begin.execute([]).map(drop)
    }

    fn commit(&mut self) -> Result<()> {
        self.history.complete()?;
        self.faults.strike()?;
        self.commit.execute([])?;
        for (name, room) in self.history.committed() {
            self.chores.note(name, &room);
        }
        Ok(())
    }

    /// After an error: what the open transaction did is undone, in the file and in memory.
    fn roll_back(&mut self, error: &Error) {
        // SQLite has done it by itself after some errors.
        if !self.connection.is_autocommit()
            && let Err(e) = self.connection.execute_batch("ROLLBACK")
        {
            log::debug!("history: {e}");
        }
        self.history.forget();
        let code = error.sqlite_error_code();
        self.lacks_room |= matches!(code, Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure));
        if let Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) = code {
            self.is_damaged = true;
            self.complain(&format!(
                "{} is damaged ({error}): messages are refused; stop squall, and put a backup in its place",
                self.file.display()
            ));
        } else {
            self.complain(&format!(
                "{}: {error}; it is tried again, and messages are refused until that is over",
                self.file.display()
            ));
        }
    }

    fn complain(&mut self, why: &str) {
        if self.complaint.raise(Instant::now()) {
            log::error!("history: {why}");
        }
    }

    /// What cannot wait for a quiet moment: a checkpoint, and a chore that has piled up.
    fn after_batch(&mut self, now: Instant) {
        self.last_batch = now;
        if self.is_damaged {
            return;
        }
        self.checkpoint();
        let is_tight = matches!(self.watch.trouble(), Some(Trouble::DiskFull { .. } | Trouble::TooLarge { .. }));
        if (is_tight || self.lacks_room) && self.checkpoints.is_due(now) {
            self.lacks_room = false;
            self.empty_log(now);
        }
        if self.may_work(now) && self.chores.are_urgent(&self.history, now) {
            self.do_chore(now);
        }
    }

    /// Time until there is something to do without a command.
    fn patience(&self, now: Instant) -> Duration {
        let has_chore = self.chores.are_due(&self.history, now) || self.chores.may_shrink();
        if has_chore && self.may_work(now) { Duration::ZERO } else { self.watch.due_in(now) }
    }

    /// Whether chores make sense now. Not in files that have lost their names: nothing that is done to them matters.
    fn may_work(&self, now: Instant) -> bool {
        now >= self.chores_from && !self.is_damaged && !matches!(self.watch.trouble(), Some(Trouble::Lost(_)))
    }

    /// There is no command: one look at the files, and one chore, or the whole log goes into the file.
    fn rest(&mut self, now: Instant) {
        self.watch.look(now);
        if !self.may_work(now) {
            return;
        }
        let is_idle = now.saturating_duration_since(self.last_batch) >= IDLE_AFTER;
        if self.chores.are_due(&self.history, now) {
            self.do_chore(now);
        } else if self.chores.may_shrink() {
            let shrunk = self.faults.strike().and_then(|()| self.chores.shrink());
            self.after_chore(now, shrunk);
        } else if is_idle && self.checkpoints.is_due(now) {
            self.empty_log(now);
        }
    }

    fn empty_log(&mut self, now: Instant) {
        let emptied = self.faults.strike().and_then(|()| self.checkpoints.truncate(now));
        if let Err(e) = emptied {
            self.roll_back(&e);
        }
    }

    /// One step of the chores, in a transaction.
    fn do_chore(&mut self, now: Instant) {
        let stepped = self.begin().and_then(|()| self.chores.step(&mut self.history, now));
        let stepped = stepped.and_then(|()| self.commit());
        self.after_chore(now, stepped);
    }

    fn after_chore(&mut self, now: Instant, done: Result<()>) {
        match done {
            Ok(()) => self.checkpoint(),
            Err(e) => {
                self.chores_from = now + CHORES_RETRY;
                self.roll_back(&e);
            }
        }
    }

    fn checkpoint(&mut self) {
        let checked = self.faults.strike().and_then(|()| self.checkpoints.after_commit(Instant::now()));
        if let Err(e) = checked {
            self.roll_back(&e);
        }
    }

    /// Every command is done.
    fn finish(mut self) {
        if self.is_damaged {
            return;
        }
        let mut last = Ok(());
        while last.is_ok() && self.history.nonces.is_behind() {
            last = self.begin().and_then(|()| self.history.nonces.step()).and_then(|()| self.commit());
        }
        let last = last.and_then(|()| self.connection.execute_batch("PRAGMA optimize"));
        if let Err(e) = last.and_then(|()| self.checkpoints.truncate(Instant::now())) {
            log::warn!("history: {}: {e}; what is in its log stays there", self.file.display());
        }
    }
}

/// A command that may write, and is not done.
fn refused(command: &Command) -> Done {
    let why = Refusal::Storage;
    match command {
        Command::Append { .. } => Done::Append(Verdict::Refused(why)),
        Command::Claim { name, .. } | Command::Free { name, .. } => {
            Done::Other(Outcome::Unchanged { name: name.clone(), why })
        }
        Command::Read { .. } | Command::ListRooms | Command::ListFreed { .. } => Done::Unread,
    }
}

/// The outcomes of one command: what the connection gets, and then what every member gets.
fn tell(from: ConnId, command: Command, done: Done, told: &mut Told) {
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
        (_, Done::Other(outcome)) => told.push(from, outcome),
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
