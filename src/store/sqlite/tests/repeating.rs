//! Messages that are sent again: their nonces are in memory, on the way to their table, or in it.

use super::*;
use crate::store::{Nonce, Refusal};
use rusqlite::Connection;

fn say(n: u64, text: &str) -> Draft {
    let user = format!("user {}", n % 3);
    // The nonces are in another order than the messages.
    let nonce = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Draft::Message { user: user.into(), nonce: Some(Nonce(u128::from(nonce).to_le_bytes())), text: text.into() }
}

/// Checks that each of these messages is known, and that none is stored again.
fn check(store: &mut Sqlite, messages: impl Iterator<Item = u64>) {
    for n in messages {
        match append(store, say(n, "text"))[..] {
            [Outcome::Appended { position, is_new: false, .. }] => assert_eq!(position.id, n + 1),
            ref other => panic!("{n}: {other:?}"),
        }
        assert_eq!(refusal(store, say(n, "other")), Some(Refusal::NonceReused));
    }
}

/// Entries up to this id have their nonces in the table, and how many it has.
fn table(folder: &Folder) -> (i64, i64) {
    let file = Connection::open(folder.file("chat.db")).expect("a database");
    let number = |sql: &str| file.query_row(sql, [], |row| row.get(0)).expect(sql);
    (number("SELECT max(indexed_id) FROM rooms"), number("SELECT count(*) FROM nonces"))
}

#[test]
fn a_message_is_known_wherever_its_nonce_is() {
    let folder = Folder::new();
    let options = SqliteOptions { nonces_fresh: 100, ..normal() };
    let mut store = folder.open(options.clone());
    for n in 0..1000 {
        entry(&mut store, say(n, "text"));
        // In a run, just behind one, and far behind.
        check(&mut store, [n, n / 2, n - n % 100].into_iter());
    }
    let (indexed, count) = table(&folder);
    assert!((900..=1000).contains(&indexed) && (900..=1000).contains(&count), "{indexed} {count}");
    drop(store);
    assert_eq!(table(&folder), (1000, 1000), "at the end all are in the table");
    check(&mut folder.open(options), 0..1000);
}

#[test]
fn a_message_is_known_after_an_end_that_wrote_nothing() {
    let (folder, faults) = (Folder::new(), Faults::default());
    let options = SqliteOptions { nonces_fresh: 100, faults: faults.clone(), ..normal() };
    let mut store = folder.open(options.clone());
    (0..250).for_each(|n| _ = entry(&mut store, say(n, "text")));
    for _ in 0..10 {
        // Each batch fails when it has done a part of a run.
        faults.set(2);
        append(&mut store, say(9999, "refused, or not"));
        append(&mut store, deletion(251, "user 0", Rights::Operator));
    }
    faults.set(1);
    drop(store);
    let (indexed, _) = table(&folder);
    assert!(indexed < 250, "{indexed}");
    faults.set(0);
    check(&mut folder.open(options), 0..250);
}

#[test]
fn nonces_go_into_the_table_when_it_is_quiet() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for n in 0..1500 {
        // Messages without a nonce count as well, or they would be looked through at each start.
        entry(&mut store, if n < 300 { say(n, "text") } else { message("ann", None, "text") });
    }
    wait_until("all are in the table", || table(&folder).0 > 1000 && table(&folder).1 == 300);
    check(&mut store, 0..300);
}

#[test]
fn a_nonce_is_forgotten_with_its_message() {
    let folder = Folder::new();
    let options = SqliteOptions { nonces_fresh: 50, keep: HistoryKeep::Count(20), ..normal() };
    let mut store = folder.open(options.clone());
    (0..300).for_each(|n| _ = entry(&mut store, say(n, "text")));
    wait_until("the first are pruned", || read(&mut store, Range::Last, 1).oldest > 250);
    assert_eq!(entry(&mut store, say(7, "other")).id, 301);
    assert_eq!(refusal(&mut store, say(7, "text")), Some(Refusal::NonceReused), "it is a new one");
    (301..600).for_each(|n| _ = entry(&mut store, say(n, "text")));
    wait_until("they are pruned", || read(&mut store, Range::Last, 1).oldest > 550);
    drop(store);
    let (indexed, count) = table(&folder);
    assert!(indexed == 600 && count <= 50, "{indexed} {count}: none is left of a pruned message");
}
