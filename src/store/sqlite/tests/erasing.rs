//! Texts that are deleted leave the file, not only the pages that are read.

use super::*;
use crate::store::{Flaw, Wrong};

/// A text that is nowhere else in a file.
fn secret(n: u64) -> String {
    format!("secret-{:016x}", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A folder with messages of two users among others, of different lengths, a few in pages of their own.
fn with_secrets(store: &mut Sqlite) {
    for n in 0..400 {
        let length = [0, 30, 300, 1500, 3900][(n % 5) as usize];
        append(store, message(["ann", "bob"][(n % 2) as usize], None, &(secret(n) + &"x".repeat(length))));
    }
}

fn wait_until_gone(folder: &Folder, gone: impl Fn(u64) -> bool) {
    wait_until("the texts are gone", || (0..400).filter(|&n| gone(n)).all(|n| !folder.has(&secret(n))));
    let left = (0..400).filter(|&n| !gone(n)).all(|n| folder.has(&secret(n)));
    assert!(left, "others are still there");
}

#[test]
fn a_deleted_text_leaves_the_file_and_its_log() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    with_secrets(&mut store);
    assert!(folder.has(&secret(0)) && folder.has(&secret(399)));
    for n in (0..400).filter(|n| n % 3 == 0) {
        entry(&mut store, deletion(n + 1, "op", Rights::Operator));
    }
    wait_until_gone(&folder, |n| n % 3 == 0);
}

/// In a table by room, texts stayed in pages that their rows had left.
#[test]
fn a_deleted_text_leaves_the_pages_of_many_rooms() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    let room = |n: u64| -> Arc<str> { format!("room {}", n.wrapping_mul(0x9e37_79b9) % 19).into() };
    let mut last = [const { vec![] }; 19];
    for n in 0..2000 {
        let text = secret(n) + &"x".repeat([0, 10, 50, 200, 900][n as usize % 5]);
        let command = Command::Append { room: room(n), at: at(1), draft: message("ann", None, &text) };
        if let [_, Outcome::Entry { room, entry }] = &ask(&mut store, command)[..] {
            let room: usize = room[5..].parse().expect("a number");
            last[room].push((n, entry.id));
        }
    }
    let gone: Vec<u64> = last.iter().flatten().map(|&(n, _)| n).filter(|n| n % 2 == 0).collect();
    for (room, messages) in last.iter().enumerate() {
        for (_, id) in messages.iter().filter(|(n, _)| n % 2 == 0) {
            let (room, draft) = (format!("room {room}").into(), deletion(*id, "op", Rights::Operator));
            ask(&mut store, Command::Append { room, at: at(1), draft });
        }
    }
    drop(store);
    let bytes = std::fs::read(folder.file("chat.db")).expect("a file");
    let length = secret(0).len();
    let found = memchr::memmem::find_iter(&bytes, "secret-").filter_map(|begin| bytes.get(begin..begin + length));
    let found: std::collections::HashSet<&[u8]> = found.collect();
    assert!(gone.len() > 500 && found.len() > 500, "{} {}", gone.len(), found.len());
    assert_eq!(gone.iter().filter(|n| found.contains(secret(**n).as_bytes())).count(), 0);
}

#[test]
fn a_cleared_text_leaves_the_file_and_its_log() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    with_secrets(&mut store);
    entry(&mut store, Draft::Clear { user: "ann".into(), by: "op".into() });
    wait_until_gone(&folder, |n| n % 2 == 0);
}

#[test]
fn a_pruned_text_leaves_the_file_and_its_log() {
    let folder = Folder::new();
    let mut store = folder.open(SqliteOptions { keep: HistoryKeep::Count(100), ..normal() });
    with_secrets(&mut store);
    // An eighth more than 100 may stay until the next sweep.
    wait_until("the oldest are gone", || (0..288).all(|n| !folder.has(&secret(n))));
    assert!((300..400).all(|n| folder.has(&secret(n))));
    drop(store);
    let _store = folder.open(SqliteOptions { keep: HistoryKeep::Days(1), ..normal() });
    wait_until("all are gone, they are of 1970", || (0..400).all(|n| !folder.has(&secret(n))));
}

#[test]
fn a_long_clear_counts_at_once_and_goes_on_after_a_restart() {
    let (folder, faults) = (Folder::new(), Faults::default());
    let mut store = folder.open(SqliteOptions { faults: faults.clone(), ..normal() });
    // Two steps of a clear, and too few for the index, whose steps would be writes as well.
    for n in 0..1000 {
        let draft = message(["ann", "bob"][n % 2], None, "text");
        store.submit(ConnId::new(1, 1), Command::Append { room: "lobby".into(), at: at(1), draft });
    }
    ask_last(&mut store);
    // Four writes are the begin, the entry, the commit and the checkpoint of the clear: its steps behind them fail.
    faults.fail_after(4);
    let cleared = entry(&mut store, Draft::Clear { user: "ann".into(), by: "op".into() });
    let count = |page: &Page| texts(page).into_iter().flatten().count();
    for range in [Range::Last, Range::After(Position::START), Range::Before(500)] {
        assert_eq!(count(&read(&mut store, range, 200)), 100, "{range:?}");
    }
    drop(store);
    let unfinished = rusqlite::Connection::open(folder.file("chat.db")).expect("a database");
    let number = |sql: &str| unfinished.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
    assert_eq!(number("SELECT until FROM clears"), cleared.id as i64);
    drop(folder.open(normal()));
    let mut store = folder.open(normal());
    assert_eq!(count(&read(&mut store, Range::Last, 200)), 100);
    wait_until("the rest is erased", || number("SELECT count(*) FROM entries WHERE text IS NOT NULL") == 500);
    wait_until("it is done", || number("SELECT count(*) FROM clears") == 0);
}

/// Forgets a name, and waits for the outcome.
fn forget(store: &mut Sqlite, user: &str, texts: Texts) -> Forgotten {
    store.submit(ConnId::new(1, 1), Command::Forget { user: user.into(), texts, at: at(1) });
    store.flush();
    let mut found = None;
    wait_until("it is forgotten", || {
        while let Some((_, outcome)) = store.take() {
            if let Outcome::Forgotten(forgotten) = outcome {
                found = Some(forgotten);
            }
        }
        found.is_some()
    });
    found.expect("it has just been found")
}

/// A name that is nowhere else in a file, and whose place in an index by name is any.
fn name(n: u64) -> String {
    format!("{:016x}-name", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[test]
fn a_forgotten_name_leaves_the_file_and_its_log() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for n in 0..1500 {
        let command = Command::Append { room: "lobby".into(), at: at(1), draft: message(&name(n), None, &secret(n)) };
        store.submit(ConnId::new(1, 1), command);
    }
    ask_last(&mut store);
    // Many, so that renamed rows change their pages.
    for n in (0..1500).step_by(100) {
        let texts = if n % 200 == 0 { Texts::Erase } else { Texts::Keep };
        assert_eq!(forget(&mut store, &name(n), texts).rooms, 1);
        assert!(!folder.has(&name(n)), "the name {n} is in the file when its end is told");
        assert_eq!(folder.has(&secret(n)), texts == Texts::Keep, "the text {n}");
        assert_eq!(std::fs::metadata(folder.file("chat.db-wal")).map_or(0, |log| log.len()), 0);
    }
    assert!(folder.has(&name(1)) && folder.has(&secret(1)));
    drop(store);
    assert!((0..1500).step_by(100).all(|n| !folder.has(&name(n))));
    let mut store = folder.open(normal());
    let page = read(&mut store, Range::After(Position::START), 200);
    assert_eq!(page.past, Past::Ours);
    let Kind::Message { user, text: None, .. } = &page.entries[0].kind else { panic!("{:?}", page.entries[0]) };
    assert_eq!(&**user, "forgotten-1");
}

#[test]
fn a_name_is_not_forgotten_while_a_program_reads_the_log() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    append(&mut store, message("ann", None, "text"));
    let reader = rusqlite::Connection::open(folder.file("chat.db")).expect("a database");
    reader.execute_batch("BEGIN; SELECT count(*) FROM entries").expect("a snapshot");
    store.submit(ConnId::new(1, 1), Command::Forget { user: "ann".into(), texts: Texts::Erase, at: at(1) });
    store.flush();
    let mut is_told =
        || std::iter::from_fn(|| store.take()).any(|(_, outcome)| matches!(outcome, Outcome::Forgotten(_)));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!is_told(), "the old pages are in the log, and the reader needs them");
    drop(reader);
    wait_until("it is told", is_told);
}

#[test]
fn a_name_is_not_forgotten_by_a_store_that_fails() {
    let (folder, faults) = (Folder::new(), Faults::default());
    let mut store = folder.open(SqliteOptions { faults: faults.clone(), ..normal() });
    append(&mut store, message("ann", None, "text"));
    faults.set(1);
    let command = Command::Forget { user: "ann".into(), texts: Texts::Erase, at: at(1) };
    assert_eq!(ask(&mut store, command), [Outcome::Unchanged(Refusal::Storage)]);
    let entries = vec![];
    let command = Command::Import { room: "new".into(), after: Position::START, entries };
    let flaw = Flaw { index: 0, why: Wrong::Refused(Refusal::Storage) };
    assert_eq!(ask(&mut store, command), [Outcome::NotImported { room: "new".into(), flaw }]);
    faults.set(0);
    assert_eq!(texts(&read(&mut store, Range::Last, 10)), [Some("text")]);
    assert_eq!(forget(&mut store, "ann", Texts::Erase).rooms, 1);
}

/// Waits until all that was submitted is done.
fn ask_last(store: &mut Sqlite) {
    store.submit(ConnId::new(2, 1), Command::ListRooms);
    store.flush();
    wait_until("all is done", || {
        std::iter::from_fn(|| store.take()).any(|(_, outcome)| matches!(outcome, Outcome::Rooms(_)))
    });
}
