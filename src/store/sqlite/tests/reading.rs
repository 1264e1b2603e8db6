//! What commands read beside the store, and the faults that they find.

use super::*;
use crate::store::sqlite::check::{Checked, check};
use crate::store::sqlite::figures::figures;

/// A folder with a closed history: two rooms, all kinds of entries, nonces in their table.
fn closed() -> Folder {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for (n, user) in (1..).zip(["ann", "bob", "ann", "cid"]) {
        append(&mut store, message(user, Some(n), "text"));
    }
    entry(&mut store, deletion(2, "bob", Rights::Author));
    entry(&mut store, Draft::Clear { user: "cid".into(), by: "op".into() });
    ask(&mut store, Command::Append { room: "other".into(), at: at(9), draft: message("ann", None, "text") });
    drop(store);
    folder
}

fn faults(folder: &Folder) -> (Checked, Vec<String>) {
    let mut said = vec![];
    let reader = Reader::open(folder.path()).expect("it can be read");
    let checked = check(&reader, &mut |fault| said.push(fault.to_owned())).expect("it can be read");
    (checked, said)
}

#[test]
fn a_sound_history_has_no_fault() {
    let folder = closed();
    let sound = (Checked { rooms: 2, entries: 7, nonces: 4, faults: 0 }, vec![]);
    assert_eq!(faults(&folder), sound);
    let mut store = folder.open(normal());
    append(&mut store, message("ann", Some(9), "while it is open, and a nonce is in memory"));
    let (checked, said) = faults(&folder);
    assert_eq!((checked.entries, said), (8, vec![]));
}

#[test]
fn each_fault_has_its_sentence() {
    for (sql, sentence) in [
        ("DELETE FROM entries WHERE room = 1 AND id IN (2, 3)", "lobby: the entries 2 to 3 are missing"),
        ("DELETE FROM entries WHERE room = 1 AND id = 6", "lobby: the last entry is not the one that the room names"),
        ("UPDATE rooms SET last_tag = last_tag + 1 WHERE number = 2", "other: the last entry has another tag or time"),
        ("UPDATE rooms SET last_at = 1 WHERE number = 2", "other: the last entry has another tag or time"),
        ("UPDATE rooms SET pruned_id = 2 WHERE number = 1", "lobby, entry 1: it is there, and counts as pruned"),
        ("UPDATE rooms SET rewritten_id = 7 WHERE number = 1", "lobby: the room names entries behind its last one"),
        ("UPDATE entries SET at = 2 WHERE room = 1 AND id = 1", "lobby, entry 2: its time is before"),
        ("UPDATE entries SET tag = 4294967296 WHERE room = 1 AND id = 1", "lobby, entry 1: its tag has more than"),
        ("UPDATE entries SET kind = 7 WHERE room = 1 AND id = 5", "lobby, entry 5: its kind is unknown"),
        ("UPDATE entries SET text = 'x' WHERE room = 1 AND id = 5", "lobby, entry 5: it is no message, and has a text"),
        ("UPDATE entries SET target = 5 WHERE room = 1 AND id = 5", "lobby, entry 5: it deletes an entry that is not"),
        ("UPDATE entries SET target = 99 WHERE room = 1 AND id = 6", "lobby, entry 6: it clears a user that has no"),
        ("UPDATE entries SET target = 1 WHERE room = 1 AND id = 3", "lobby, entry 3: it is a message, and about"),
        ("UPDATE entries SET nonce = x'00' WHERE room = 2", "other, entry 1: its nonce does not have 128 bits"),
        ("UPDATE entries SET user = 99 WHERE room = 2", "other, entry 1: its user has no name"),
        ("DELETE FROM nonces WHERE id = 3", "lobby, entry 3: its nonce is not known"),
        ("UPDATE nonces SET id = 4 WHERE id = 3", "a nonce of room number 1 names the entry 4, which does not have it"),
        ("UPDATE entries SET room = 7 WHERE room = 2", "there are entries of a room number 7, which is not there"),
        ("INSERT INTO clears VALUES (1, 99, 1, 0)", "clears under way: 1 of them"),
    ] {
        let folder = closed();
        let changed = rusqlite::Connection::open(folder.file("chat.db")).expect("a database");
        assert!(changed.execute(sql, []).expect(sql) > 0, "{sql}");
        drop(changed);
        let (checked, said) = faults(&folder);
        assert!(said.iter().any(|fault| fault.starts_with(sentence)), "{sql}: {said:?}");
        assert_eq!(checked.faults, said.len() as u64);
    }
}

#[test]
fn a_hundred_faults_are_said() {
    let folder = closed();
    let changed = rusqlite::Connection::open(folder.file("chat.db")).expect("a database");
    let sql = "WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
               INSERT INTO entries (room, id, kind, tag, at, user, text) SELECT 2, n, 1, 0, 9, 99, 'x' FROM n";
    changed.execute(sql, []).expect("entries of nobody");
    drop(changed);
    let (checked, said) = faults(&folder);
    assert!(checked.faults > 299 && said.len() == 101, "{checked:?} {}", said.len());
    assert_eq!(said[100], "there are more faults");
}

#[test]
fn a_history_is_counted() {
    let folder = closed();
    let reader = Reader::open(folder.path()).expect("it can be read");
    let found = figures(&reader).expect("it can be read");
    assert_eq!((found.rooms, found.users, found.entries, found.messages, found.deleted), (2, 4, 7, 5, 2));
    assert_eq!(found.times, Some((at(1), at(9))));
    assert!(found.file_bytes > 4096);
    let empty = Folder::new();
    drop(empty.open(normal()));
    let reader = Reader::open(empty.path()).expect("it can be read");
    let found = figures(&reader).expect("it can be read");
    assert_eq!((found.entries, found.times), (0, None));
    assert_eq!(faults(&empty).0, Checked::default());
}

#[test]
fn what_is_cleared_is_not_read_before_it_is_erased() {
    let (folder, plan) = (Folder::new(), Faults::default());
    let mut store = folder.open(SqliteOptions { faults: plan.clone(), ..normal() });
    for n in 0..3000 {
        let draft = message("ann", None, "text");
        store.submit(ConnId::new(1, n + 1), Command::Append { room: "lobby".into(), at: at(1), draft });
    }
    store.flush();
    entry_of_last(&mut store);
    plan.set(1);
    let reader = Reader::open(folder.path()).expect("it can be read");
    let room = reader.room("lobby").expect("it can be read").expect("a room");
    assert_eq!((room.last.id, room.entries), (3001, 3001));
    let page = reader.entries(&room, 2800).expect("it can be read");
    let has_text = |entry: &crate::store::Entry| matches!(entry.kind, Kind::Message { text: Some(_), .. });
    assert!(page.len() == 200 && !page.iter().any(has_text));
    assert_eq!(reader.room("none").expect("it can be read"), None);
    assert_eq!(reader.rooms("lobby").expect("it can be read"), []);
}

/// Clears all that was said, and waits for the entry.
fn entry_of_last(store: &mut Sqlite) {
    let draft = Draft::Clear { user: "ann".into(), by: "op".into() };
    store.submit(ConnId::new(2, 1), Command::Append { room: "lobby".into(), at: at(1), draft });
    store.flush();
    wait_until("it is cleared", || {
        std::iter::from_fn(|| store.take())
            .any(|(_, outcome)| matches!(outcome, Outcome::Entry { entry, .. } if entry.id == 3001))
    });
}

#[test]
fn a_file_that_is_no_history_of_ours_is_not_read() {
    let refused = |folder: &Folder| Reader::open(folder.path()).map(drop).expect_err("it cannot be read");
    let folder = Folder::new();
    assert!(refused(&folder).contains("there is no history"));
    assert!(!folder.file("chat.db").exists());
    drop(folder.open(normal()));
    let version = |version: i64| {
        let changed = rusqlite::Connection::open(folder.file("chat.db")).expect("a database");
        changed.execute_batch(&format!("PRAGMA user_version = {version}")).expect("a version");
    };
    version(99);
    assert!(refused(&folder).contains("of a newer squall"));
    version(0);
    assert!(refused(&folder).contains("of an older squall: start the server once"));
    std::fs::write(folder.file("chat.db"), "text").expect("a file");
    assert!(refused(&folder).contains("is damaged"));
}
