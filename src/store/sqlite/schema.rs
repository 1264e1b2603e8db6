//! The tables of `chat.db`, and how an older file becomes a newer one.

use rusqlite::{Connection, Error};

/// In the header of the file (`PRAGMA application_id`): "squl". A file without it is another program's.
pub(super) const APPLICATION_ID: u32 = 0x7371_756c;

/// The steps from each version of the format to the next one; a new file takes them all. A step that has been released
/// is never changed. The version is in the header of the file (`PRAGMA user_version`).
pub(super) const STEPS: &[&str] = &[FIRST];

/// Version 1.
///
/// Names are stored once and named by numbers, which keeps an entry small. `kind` of an entry is one of [`kind`]. In an
/// entry that is no message `user` is who did it, and `target` is the message that was deleted or edited, or the number
/// of the user whose messages were. `nonces` has those of the entries up to `rooms.indexed_id`. A row of `rooms` outlives
/// its entries, so ids never start again. Positions in front of `rooms.rewritten_id` are of another past: entries there
/// were changed when a name was forgotten. A claimed name has a row of `claims` for each of its looks, one or two. An act
/// has a `key` as long as it is in force.
///
/// Entries lie in the order in which they came, not by room. In a table by room SQLite moves entries to other pages to
/// make place, and leaves copies of their texts that `secure_delete` does not know: of 15,000 deleted texts 188 stayed in
/// the file.
///
/// `texts` is the index for searches, of the entries up to `rooms.searched_id`, in blocks of 16 entries of a room; `stale`
/// has the blocks of which a text was erased meanwhile. [`super::texts`] says why.
const FIRST: &str = "
    CREATE TABLE rooms (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        last_id INTEGER NOT NULL DEFAULT 0,
        last_tag INTEGER NOT NULL DEFAULT 0,
        last_at INTEGER NOT NULL DEFAULT 0,
        pruned_id INTEGER NOT NULL DEFAULT 0,
        pruned_tag INTEGER NOT NULL DEFAULT 0,
        indexed_id INTEGER NOT NULL DEFAULT 0,
        searched_id INTEGER NOT NULL DEFAULT 0,
        rewritten_id INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE users (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        room INTEGER NOT NULL,
        id INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        tag INTEGER NOT NULL,
        at INTEGER NOT NULL,
        user INTEGER NOT NULL,
        nonce BLOB,
        text TEXT,
        target INTEGER,
        UNIQUE (room, id)
    ) STRICT;
    CREATE TABLE nonces (
        room INTEGER NOT NULL,
        user INTEGER NOT NULL,
        nonce BLOB NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (room, user, nonce)
    ) STRICT, WITHOUT ROWID;
    CREATE VIRTUAL TABLE texts USING fts5 (
        text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1'
    );
    INSERT INTO texts (texts, rank) VALUES ('automerge', 0), ('crisismerge', 1000);
    CREATE TABLE stale (
        block INTEGER PRIMARY KEY
    ) STRICT;
    CREATE TABLE clears (
        room INTEGER NOT NULL,
        user INTEGER NOT NULL,
        until INTEGER NOT NULL,
        done INTEGER NOT NULL,
        PRIMARY KEY (room, user)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE claims (
        look TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        signer INTEGER NOT NULL,
        used INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX claims_by_name ON claims (name);
    CREATE INDEX claims_by_use ON claims (used);
    CREATE TABLE acts (
        number INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        room TEXT NOT NULL,
        verb TEXT NOT NULL,
        subject TEXT NOT NULL,
        value INTEGER,
        key TEXT
    ) STRICT;
    CREATE UNIQUE INDEX acts_in_force ON acts (key) WHERE key IS NOT NULL;
";

/// The numbers of the kinds of entries in the file.
pub(super) mod kind {
    pub const MESSAGE: i64 = 1;
    pub const DELETED: i64 = 2;
    pub const CLEARED: i64 = 3;
    // 4 is kept for edited messages.
}

/// Takes the steps behind `from`, in one transaction.
pub(super) fn upgrade(connection: &Connection, from: usize, steps: &[&str]) -> Result<(), Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for step in steps.iter().skip(from) {
        connection.execute_batch(step)?;
    }
    connection.execute_batch(&format!("PRAGMA user_version = {}; COMMIT", steps.len()))
}
