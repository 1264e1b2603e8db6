//! Claims in the file: what a restart, failing writes, a full disk and their age do to them.

use super::*;
use crate::clock::UnixMillis;
use crate::store::{Claim, Had, Refusal};
use std::time::SystemTime;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn claim(store: &mut Sqlite, name: &str, millis: u64) -> Option<Claim> {
    let command = Command::Claim { name: name.into(), looks: [name.into(), "look".into()], signer: 7, at: at(millis) };
    match ask(store, command).pop() {
        Some(Outcome::Claimed { claim, .. }) => Some(claim),
        Some(Outcome::Unchanged { why: Refusal::Storage, .. }) => None,
        other => panic!("{other:?}"),
    }
}

fn free(store: &mut Sqlite, name: &str) -> Option<Had> {
    match ask(store, Command::Free { name: name.into(), at: at(5) }).pop() {
        Some(Outcome::Freed { had, .. }) => Some(had),
        Some(Outcome::Unchanged { why: Refusal::Storage, .. }) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn claims_and_freed_names_outlive_a_restart() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    assert_eq!(claim(&mut store, "bob", 1), Some(Claim::New));
    assert_eq!(free(&mut store, "bob"), Some(Had::Claim));
    assert_eq!(claim(&mut store, "ann", 1), Some(Claim::New));
    drop(store);
    let mut store = folder.open(normal());
    assert_eq!(claim(&mut store, "ann", 2), Some(Claim::Taken));
    let freed = Outcome::FreedNames(vec![("bob".into(), at(5))]);
    assert_eq!(ask(&mut store, Command::ListFreed { since: at(0) }), [freed]);
    assert_eq!(free(&mut store, "ann"), Some(Had::Claim));
}

#[test]
fn a_claim_that_is_not_stored_says_so_and_may_be_repeated() {
    let (folder, faults) = (Folder::new(), Faults::seeded(1, 0));
    let mut store = folder.open(SqliteOptions { faults: faults.clone(), ..normal() });
    faults.set(1);
    assert_eq!((claim(&mut store, "ann", 1), free(&mut store, "ann")), (None, None));
    let freed = ask(&mut store, Command::ListFreed { since: at(0) });
    assert_eq!(freed, [Outcome::FreedNames(vec![])], "a list is read without a write");
    faults.set(0);
    assert_eq!(claim(&mut store, "ann", 1), Some(Claim::New));
}

#[test]
fn a_full_disk_takes_no_claims_but_frees_names() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    claim(&mut store, "ann", 1);
    drop(store);
    let mut store = folder.open(SqliteOptions { free_bytes_min: u64::MAX, ..normal() });
    assert_eq!(claim(&mut store, "bob", 1), None);
    assert_eq!(free(&mut store, "ann"), Some(Had::Claim));
}

#[test]
fn a_queue_that_is_full_takes_no_claim() {
    let mut store = Folder::new().open(SqliteOptions { commands_max: 0, ..normal() });
    let command = Command::Claim { name: "ann".into(), looks: ["ann".into(), "ann".into()], signer: 7, at: at(1) };
    assert_eq!(ask(&mut store, command), [Outcome::Unchanged { name: "ann".into(), why: Refusal::Busy }]);
}

#[test]
fn a_name_that_is_not_used_is_released_with_the_history() {
    let folder = Folder::new();
    let now = UnixMillis::nearest(SystemTime::now()).millis();
    let mut store = folder.open(normal());
    let many = |n: usize| Command::Claim {
        name: format!("old {n}").into(),
        looks: [format!("a{n}").into(), format!("b{n}").into()],
        signer: 7,
        at: at(now - 31 * DAY),
    };
    for n in 0..600 {
        ask(&mut store, many(n));
    }
    let command = |name: &str, days: u64| Command::Claim {
        name: name.into(),
        looks: [name.into(), name.into()],
        signer: 7,
        at: at(now - days * DAY),
    };
    ask(&mut store, command("ann", 31));
    ask(&mut store, command("ann", 29));
    drop(store);
    let mut store = folder.open(SqliteOptions { keep: HistoryKeep::Days(30), ..normal() });
    let is_new =
        |store: &mut Sqlite, command| matches!(ask(store, command)[..], [Outcome::Claimed { claim: Claim::New, .. }]);
    wait_until("the last one is released", || is_new(&mut store, many(599)));
    assert!(is_new(&mut store, many(0)) && !is_new(&mut store, command("ann", 0)));
}

#[test]
fn a_use_is_written_once_an_hour() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for millis in [DAY, DAY + HOUR - 1, DAY + HOUR, DAY + 2 * HOUR - 1, 0] {
        claim(&mut store, "ann", millis);
    }
    drop(store);
    let file = rusqlite::Connection::open(folder.file("chat.db")).expect("a database");
    let used: Vec<u64> = file
        .prepare("SELECT used FROM claims")
        .and_then(|mut all| all.query_map([], |row| row.get::<_, i64>(0))?.map(|used| Ok(used? as u64)).collect())
        .expect("the claims");
    assert_eq!(used, [DAY + HOUR; 2]);
}
