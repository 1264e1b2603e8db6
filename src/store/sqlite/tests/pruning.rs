//! What is kept.

use super::*;
use crate::clock::UnixMillis;
use std::time::SystemTime;

#[test]
fn the_last_entries_are_kept_and_a_client_at_the_border_resumes() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    let positions: Vec<Position> =
        (0..1500).map(|_| entry(&mut store, message("ann", None, "hi")).position()).collect();
    drop(store);
    let mut store = folder.open(SqliteOptions { keep: HistoryKeep::Count(100), ..normal() });
    wait_until_oldest(&mut store, 1401);
    let mut after = |id: usize| {
        let page = read(&mut store, Range::After(positions[id - 1]), 200);
        (ids(&page).first().copied(), page.entries.len(), page.past)
    };
    assert_eq!(after(1400), (Some(1401), 100, Past::Ours));
    assert_eq!(after(1399), (None, 0, Past::Pruned));
    assert_eq!(after(1500), (None, 0, Past::Ours));
    drop(store);
    let mut store = folder.open(normal());
    assert_eq!(read(&mut store, Range::After(positions[1399]), 1).past, Past::Ours, "it is in the file");
    assert_eq!(entry(&mut store, message("ann", None, "hi")).id, 1501);
}

#[test]
fn days_are_counted_from_now_and_ids_go_on_behind_an_empty_room() {
    let folder = Folder::new();
    let now = UnixMillis::nearest(SystemTime::now()).millis();
    let mut store = folder.open(SqliteOptions { keep: HistoryKeep::Days(30), ..normal() });
    let mut say = |room: &str, days: u64| {
        let (at, draft) = (at(now - days * 86_400_000), message("ann", None, "hi"));
        match ask(&mut store, Command::Append { room: room.into(), at, draft }).pop() {
            Some(Outcome::Entry { entry, .. }) => entry.position(),
            other => panic!("{other:?}"),
        }
    };
    let [_, old, ..] = [40, 31, 29, 0].map(|days| say("lobby", days));
    let last = say("quiet", 31);
    drop(store);
    let mut store = folder.open(SqliteOptions { keep: HistoryKeep::Days(30), ..normal() });
    wait_until_oldest(&mut store, 3);
    assert_eq!(ids(&read(&mut store, Range::After(old), 10)), [3, 4]);
    let quiet =
        |store: &mut Sqlite, position| crate::store::contract::read_room(store, "quiet", Range::After(position), 10);
    wait_until("the quiet room is empty", || quiet(&mut store, last).oldest == 0);
    let page = Page { entries: vec![], last, oldest: 0, past: Past::Ours };
    assert_eq!(quiet(&mut store, last), page);
    assert_eq!(quiet(&mut store, Position::START).past, Past::Pruned);
    let draft = message("ann", None, "hi");
    let again = ask(&mut store, Command::Append { room: "quiet".into(), at: at(1), draft });
    assert!(matches!(&again[1], Outcome::Entry { entry, .. } if entry.id == 2 && entry.at.millis() > 1), "{again:?}");
}

#[test]
fn what_is_pruned_gives_its_space_back() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for n in 0..2000 {
        append(&mut store, message("ann", Some((n % 256) as u8), &format!("{n}")));
        append(&mut store, message("ann", None, &"x".repeat(1000)));
    }
    drop(store);
    let full = folder.bytes();
    let _store = folder.open(SqliteOptions { keep: HistoryKeep::Count(10), ..normal() });
    wait_until("the file shrinks", || folder.bytes() < full / 3);
}
