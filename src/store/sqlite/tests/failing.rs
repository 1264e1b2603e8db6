//! Disks that are full or fail, files that go away, queues that are full.

use super::*;
use crate::store::Refusal;
use crate::testing::dice::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Submits several commands in one turn, and waits for the outcome of each.
fn ask_all(store: &mut Sqlite, commands: Vec<Command>) -> Vec<Outcome> {
    let mut left = commands.len();
    commands.into_iter().for_each(|command| store.submit(ConnId::new(1, 1), command));
    store.flush();
    let (mut outcomes, deadline) = (vec![], Instant::now() + WITHIN);
    // The entry of the last append follows in the same batch.
    while left > 0 || matches!(outcomes.last(), Some(Outcome::Appended { is_new: true, .. })) {
        match store.take() {
            Some((from, outcome)) => {
                left -= usize::from(from != ConnId::NONE);
                outcomes.push(outcome);
            }
            None => assert!(Instant::now() < deadline, "no outcome"),
        }
    }
    outcomes
}

fn say(text: &str) -> Command {
    Command::Append { room: "lobby".into(), at: at(1), draft: message("ann", None, text) }
}

fn look() -> Command {
    Command::Read { room: "lobby".into(), range: Range::Last, limit: 200 }
}

#[test]
fn a_batch_that_fails_is_refused_as_a_whole() {
    let (folder, faults) = (Folder::new(), Faults::seeded(1, 0));
    let mut store = folder.open(SqliteOptions { faults: faults.clone(), ..normal() });
    let first = entry(&mut store, message("ann", None, "hi"));
    faults.set(1);
    let outcomes = ask_all(&mut store, vec![say("a"), look(), say("b"), Command::ListRooms]);
    let [
        Outcome::Refused { why: Refusal::Storage, .. },
        Outcome::Page { page, .. },
        Outcome::Refused { .. },
        Outcome::Rooms(rooms),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!((&page.entries, page.last, rooms[0].last), (&vec![first.clone()], first.position(), first.position()));
    assert_eq!(refusal(&mut store, message("new user", Some(1), "c")), Some(Refusal::Storage));
    faults.set(0);
    assert_eq!(entry(&mut store, message("new user", Some(1), "c")).id, 2, "it recovers by itself");
    assert_eq!(texts(&read(&mut store, Range::Last, 10)), [Some("hi"), Some("c")]);
}

#[test]
fn what_was_acknowledged_is_stored_once_whatever_fails() {
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()));
    println!("SEED={seed}");
    let (folder, faults) = (Folder::new(), Faults::seeded(seed, 50));
    let keep = HistoryKeep::Count(2000);
    let options = SqliteOptions { faults: faults.clone(), keep, ..normal() };
    let mut store = folder.open(options.clone());
    let mut dice = Dice::new(seed);
    let (mut shown, mut acked) = (vec![], BTreeMap::new());
    let (mut refused, mut next, mut pending) = (0, 0_u64, BTreeSet::new());
    let name = |nonce: u64| Draft::Message {
        user: format!("user {}", nonce % 5).into(),
        nonce: Some(crate::store::Nonce(u128::from(nonce).to_be_bytes())),
        text: format!("text {nonce}").into(),
    };
    while next < 3000 || !pending.is_empty() {
        if next >= 3000 {
            faults.set(0);
        }
        let again: Vec<u64> = pending.iter().copied().take(dice.below(20)).collect();
        let new: Vec<u64> = (next..(next + dice.below(20) as u64).min(3000)).collect();
        next += new.len() as u64;
        let nonces: Vec<u64> = again.into_iter().chain(new).collect();
        let command = |&nonce: &u64| Command::Append { room: "lobby".into(), at: at(nonce), draft: name(nonce) };
        pending.extend(&nonces);
        for outcome in ask_all(&mut store, nonces.iter().map(command).collect()) {
            match outcome {
                Outcome::Appended { nonce: Some(nonce), position: Position { id, .. }, .. } => {
                    let nonce = u128::from_be_bytes(nonce.0) as u64;
                    pending.remove(&nonce);
                    assert_eq!(*acked.entry(nonce).or_insert(id), id, "SEED={seed}");
                }
                Outcome::Refused { why: Refusal::Storage, .. } => refused += 1,
                Outcome::Entry { entry, .. } => {
                    assert_eq!(entry.id, shown.len() as u64 + 1, "SEED={seed}: no hole, none twice");
                    shown.push(entry);
                }
                other => panic!("SEED={seed}: {other:?}"),
            }
        }
    }
    assert!(refused > 20 && acked.len() == 3000 && shown.len() == 3000, "SEED={seed}: {refused} refused");
    drop(store);
    let mut store = folder.open(SqliteOptions { keep: HistoryKeep::All, ..options });
    let (mut page, mut position) = (read(&mut store, Range::Last, 1), None);
    while page.entries.len() < 2 || position != Some(page.last) {
        let oldest = (page.oldest as usize).checked_sub(2).map_or(Position::START, |n| shown[n].position());
        let from = position.unwrap_or(oldest);
        page = read(&mut store, Range::After(from), 200);
        assert_eq!(page.past, Past::Ours, "SEED={seed}");
        for entry in &page.entries {
            assert_eq!(*entry, shown[entry.id as usize - 1], "SEED={seed}");
        }
        position = page.entries.last().map(|entry| entry.position());
    }
}

#[test]
fn a_file_that_is_replaced_or_removed_is_noticed() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    entry(&mut store, message("ann", None, "hi"));
    let [file, aside] = ["chat.db", "aside"].map(|name| folder.file(name));
    fs::rename(&file, &aside).expect("moved");
    wait_until("messages are refused", || refusal(&mut store, message("ann", None, "x")) == Some(Refusal::Storage));
    assert_eq!(refusal(&mut store, deletion(1, "ann", Rights::Author)), Some(Refusal::Storage));
    fs::copy(&aside, &file).expect("a copy");
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(refusal(&mut store, message("ann", None, "x")), Some(Refusal::Storage), "a copy is another file");
    assert!(!read(&mut store, Range::Last, 10).entries.is_empty(), "what it has is still read");
    fs::rename(&aside, &file).expect("moved back");
    wait_until("messages are stored", || append(&mut store, message("ann", None, "y")).len() == 2);
}

#[test]
fn a_full_disk_takes_deletions_only() {
    let folder = Folder::new();
    entry(&mut folder.open(normal()), message("ann", None, "hi"));
    for options in
        [SqliteOptions { free_bytes_min: u64::MAX, ..normal() }, SqliteOptions { bytes_max: Some(1000), ..normal() }]
    {
        let mut store = folder.open(options);
        assert_eq!(refusal(&mut store, message("ann", Some(1), "x")), Some(Refusal::Storage));
        entry(&mut store, Draft::Clear { user: "bob".into(), by: "op".into() });
    }
    let mut store = folder.open(SqliteOptions { free_bytes_min: u64::MAX, ..normal() });
    assert_eq!(entry(&mut store, deletion(1, "ann", Rights::Author)).id, 4);
}

#[test]
fn messages_are_stored_again_when_there_is_room() {
    let folder = Folder::new();
    let options = SqliteOptions { bytes_max: Some(400_000), keep: HistoryKeep::Count(10), ..normal() };
    let mut store = folder.open(options);
    let long = "x".repeat(4000);
    wait_until("the file is too large", || refusal(&mut store, message("ann", None, &long)) == Some(Refusal::Storage));
    wait_until("it is pruned", || append(&mut store, message("ann", None, "short")).len() == 2);
}

#[test]
fn a_queue_that_is_full_says_busy() {
    let folder = Folder::new();
    let mut store = folder.open(SqliteOptions { commands_max: 3, ..normal() });
    let commands = (0..5).map(|n| say(&n.to_string())).chain([look(), Command::ListRooms]);
    let mut outcomes = ask_all(&mut store, commands.collect());
    outcomes.retain(|outcome| !matches!(outcome, Outcome::Appended { .. } | Outcome::Entry { .. }));
    let busy = |outcome: &Outcome| matches!(outcome, Outcome::Refused { why: Refusal::Busy, .. });
    assert!(busy(&outcomes[0]) && busy(&outcomes[1]), "{outcomes:?}");
    assert_eq!(outcomes[2..], [Outcome::Unread, Outcome::Unread]);
    assert_eq!(texts(&read(&mut store, Range::Last, 10)), [Some("0"), Some("1"), Some("2")]);
    drop(store);
    let mut store = folder.open(SqliteOptions { command_bytes_max: 1000, ..normal() });
    assert_eq!(refusal(&mut store, message("ann", None, &"x".repeat(1000))), Some(Refusal::Busy));
    assert_eq!(append(&mut store, message("ann", None, "short")).len(), 2);
}

#[test]
fn what_was_submitted_is_written_before_the_end() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for n in 0..5000 {
        store.submit(ConnId::new(1, 1), say(&n.to_string()));
    }
    drop(store);
    let mut store = folder.open(normal());
    assert_eq!(read(&mut store, Range::Last, 1).last.id, 5000);
}

#[test]
fn a_turn_is_one_batch_and_one_wake() {
    let folder = Folder::new();
    let (mut store, wakes) = folder.open_with_wakes(normal());
    assert_eq!(store.take(), None);
    (0..100).for_each(|n| store.submit(ConnId::new(1, 1), say(&n.to_string())));
    assert_eq!(store.take(), None, "nothing is handed over before the flush");
    store.flush();
    wakes.recv_timeout(WITHIN).expect("a wake");
    let outcomes = std::iter::from_fn(|| store.take()).count();
    assert_eq!((outcomes, wakes.try_recv().is_err()), (200, true));
}

#[test]
fn a_page_that_is_damaged_stops_appends_and_says_so() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for _ in 0..500 {
        append(&mut store, message("ann", Some(1), "one"));
        append(&mut store, message("ann", None, &"x".repeat(500)));
    }
    drop(store);
    let mut bytes = fs::read(folder.file("chat.db")).expect("a file");
    // All but the first pages, which have the schema and the roots of the tables.
    bytes[40 * 4096..].fill(0x55);
    fs::write(folder.file("chat.db"), bytes).expect("a file");
    let mut store = folder.open(normal());
    assert_eq!(refusal(&mut store, message("ann", Some(7), "x")), Some(Refusal::Storage));
    assert_eq!(refusal(&mut store, deletion(1, "ann", Rights::Author)), Some(Refusal::Storage));
    assert_eq!(ask(&mut store, look()), [Outcome::Unread]);
    assert!(matches!(ask(&mut store, Command::ListRooms)[..], [Outcome::Rooms(_)]), "what is whole is still read");
}
