//! What every store does: one table of tests, for each of them.

mod names;
mod owner;
mod search;

use super::memory::Memory;
use super::tags::Tags;
use super::*;
use crate::config::Limits;
use std::time::{Duration, Instant};

/// Time that an outcome may take on a busy machine.
pub(super) const WITHIN: Duration = Duration::from_secs(30);

/// Submits one command and waits for all of its outcomes.
pub(super) fn ask(store: &mut dyn Store, command: Command) -> Vec<Outcome> {
    let from = ConnId::new(1, 1);
    store.submit(from, command);
    store.flush();
    let (mut outcomes, deadline) = (vec![], Instant::now() + WITHIN);
    loop {
        match store.take() {
            Some((ConnId::NONE, for_all)) => {
                assert!(for_all.is_for_all());
                outcomes.push(for_all);
                return outcomes;
            }
            Some((to, outcome)) => {
                assert_eq!(to, from);
                let has_more = matches!(outcome, Outcome::Appended { is_new: true, .. } | Outcome::Recorded { .. });
                outcomes.push(outcome);
                if !has_more {
                    return outcomes;
                }
            }
            None => {
                assert!(Instant::now() < deadline, "no outcome");
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
}

pub(super) fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(millis)
}

pub(super) fn message(user: &str, nonce: Option<u8>, text: &str) -> Draft {
    Draft::Message { user: user.into(), nonce: nonce.map(|n| Nonce([n; 16])), text: text.into() }
}

pub(super) fn deletion(target: u64, by: &str, rights: Rights) -> Draft {
    Draft::Deletion { target, by: by.into(), rights, nonce: Some(Nonce([9; 16])) }
}

pub(super) fn append(store: &mut dyn Store, draft: Draft) -> Vec<Outcome> {
    ask(store, Command::Append { room: "lobby".into(), at: at(1), draft })
}

/// Appends a new entry and returns it.
pub(super) fn entry(store: &mut dyn Store, draft: Draft) -> Entry {
    match append(store, draft).pop() {
        Some(Outcome::Entry { entry, .. }) => entry,
        other => panic!("an entry was expected: {other:?}"),
    }
}

pub(super) fn refusal(store: &mut dyn Store, draft: Draft) -> Option<Refusal> {
    match append(store, draft)[..] {
        [Outcome::Refused { why, .. }] => Some(why),
        _ => None,
    }
}

pub(super) fn read_room(store: &mut dyn Store, room: &str, range: Range, limit: u32) -> Page {
    match ask(store, Command::Read { room: room.into(), range, limit }).pop() {
        Some(Outcome::Page { page, .. }) => page,
        other => panic!("a page was expected: {other:?}"),
    }
}

pub(super) fn read(store: &mut dyn Store, range: Range, limit: u32) -> Page {
    read_room(store, "lobby", range, limit)
}

pub(super) fn ids(page: &Page) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.id).collect()
}

pub(super) fn texts(page: &Page) -> Vec<Option<&str>> {
    let messages = page.entries.iter().filter_map(|entry| match &entry.kind {
        Kind::Message { text, .. } => Some(text.as_deref()),
        _ => None,
    });
    messages.collect()
}

/// Waits until the store has pruned the room, which it may do when it has time.
pub(super) fn wait_until_oldest(store: &mut dyn Store, oldest: u64) {
    let deadline = Instant::now() + WITHIN;
    while read(store, Range::Last, 1).oldest != oldest {
        assert!(Instant::now() < deadline, "{:?}", read(store, Range::Last, 1));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a test on each store; each keeps the last `keep` entries of a room.
fn on_each(keep: usize, test: impl Fn(&mut dyn Store)) {
    test(&mut Memory::new(&Limits { history_memory_keep: keep, ..Limits::default() }, Tags::new(7)));
    #[cfg(feature = "history")]
    {
        let directory = tempfile::tempdir().expect("a folder");
        let keep = crate::config::HistoryKeep::Count(keep as u64);
        let options = sqlite::SqliteOptions { keep, ..Default::default() };
        test(&mut sqlite::Sqlite::open(directory.path(), options, Arc::new(|| {})).expect("it opens"));
    }
}

#[test]
fn a_message_is_acknowledged_and_then_shown() {
    on_each(10, |store| {
        let room: Arc<str> = "lobby".into();
        let draft = message("ann", Some(3), "hi");
        let outcomes = ask(store, Command::Append { room: room.clone(), at: at(5), draft });
        let [appended, Outcome::Entry { room: in_room, entry }] = &outcomes[..] else { panic!("{outcomes:?}") };
        let nonce = Some(Nonce([3; 16]));
        let position = entry.position();
        assert_eq!(*appended, Outcome::Appended { room: room.clone(), nonce, position, is_new: true });
        let kind = Kind::Message { user: "ann".into(), nonce, text: Some("hi".into()) };
        assert_eq!((in_room, entry), (&room, &Entry { id: 1, tag: entry.tag, at: at(5), kind }));
        assert_eq!(read(store, Range::Last, 10).entries, std::slice::from_ref(entry), "what is read is what was shown");
    });
}

#[test]
fn a_message_sent_again_is_stored_once() {
    on_each(10, |store| {
        let (room, nonce): (Arc<str>, _) = ("lobby".into(), Some(Nonce([1; 16])));
        let position = entry(store, message("ann", Some(1), "hi")).position();
        let known = [Outcome::Appended { room: room.clone(), nonce, position, is_new: false }];
        assert_eq!(append(store, message("ann", Some(1), "hi")), known);
        assert_eq!(refusal(store, message("ann", Some(1), "ho")), Some(Refusal::NonceReused));
        assert_eq!(append(store, message("bob", Some(1), "hi")).len(), 2, "another user's nonce is another one");
        let elsewhere = Command::Append { room: "other".into(), at: at(1), draft: message("ann", Some(1), "ho") };
        assert_eq!(ask(store, elsewhere).len(), 2, "another room, too");
        append(store, message("ann", None, "hi"));
        append(store, message("ann", None, "hi"));
        append(store, deletion(1, "ann", Rights::Author));
        assert_eq!(append(store, message("ann", Some(1), "ho")), known, "of a text that is gone none is another one");
        assert_eq!(ids(&read(store, Range::Last, 10)), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn pages_are_cut_from_either_end() {
    on_each(5, |store| {
        for _ in 0..9 {
            append(store, message("ann", None, "hi"));
        }
        wait_until_oldest(store, 5);
        for (range, limit, expected) in [
            (Range::Last, 2, &[8, 9][..]),
            (Range::Last, 100, &[5, 6, 7, 8, 9]),
            (Range::Last, 0, &[]),
            (Range::Before(8), 2, &[6, 7]),
            (Range::Before(5), 2, &[]),
            (Range::Before(0), 2, &[]),
            (Range::Before(u64::MAX), 1, &[9]),
            (Range::Before(9), u32::MAX, &[5, 6, 7, 8]),
        ] {
            let page = read(store, range, limit);
            assert_eq!((ids(&page), page.oldest, page.last.id), (expected.to_vec(), 5, 9), "{range:?}");
            assert_eq!(page.past, Past::Ours);
        }
    });
}

#[test]
fn a_page_has_200_entries_at_most() {
    on_each(1000, |store| {
        for _ in 0..250 {
            append(store, message("ann", None, "hi"));
        }
        assert_eq!(ids(&read(store, Range::Last, 1000)), (51..=250).collect::<Vec<_>>());
        assert_eq!(ids(&read(store, Range::After(Position::START), 1000)), (1..=200).collect::<Vec<_>>());
    });
}

#[test]
fn a_position_is_compared_by_its_tag() {
    on_each(5, |store| {
        let positions: Vec<Position> = (0..8).map(|_| entry(store, message("ann", None, "hi")).position()).collect();
        wait_until_oldest(store, 4);
        let mut after = |position| {
            let page = read(store, Range::After(position), 3);
            assert_eq!(page.last, positions[7]);
            (ids(&page), page.past)
        };
        assert_eq!(after(positions[5]), (vec![7, 8], Past::Ours));
        assert_eq!(after(positions[7]), (vec![], Past::Ours));
        assert_eq!(after(positions[2]), (vec![4, 5, 6], Past::Ours), "exactly at the border of what is kept");
        assert_eq!(after(Position { tag: positions[2].tag ^ 1, ..positions[2] }), (vec![], Past::Other));
        assert_eq!(after(positions[1]), (vec![], Past::Pruned));
        assert_eq!(after(Position::START), (vec![], Past::Pruned));
        assert_eq!(after(Position { tag: positions[5].tag ^ 1, ..positions[5] }), (vec![], Past::Other));
        assert_eq!(after(Position { id: 9, tag: 0 }), (vec![], Past::Other));
        assert_eq!(after(Position { id: u64::MAX, tag: 0 }), (vec![], Past::Other));
        for (range, past) in [
            (Range::After(Position::START), Past::Ours),
            (Range::After(positions[7]), Past::Other),
            (Range::Last, Past::Ours),
            (Range::Before(7), Past::Ours),
        ] {
            let page = Page { entries: vec![], last: Position::START, oldest: 0, past };
            assert_eq!(read_room(store, "empty", range, 5), page, "{range:?}");
        }
    });
}

#[test]
fn a_new_room_has_the_start_as_its_past() {
    on_each(10, |store| {
        let first = entry(store, message("ann", None, "hi"));
        let page = read(store, Range::After(Position::START), 10);
        assert_eq!((page.entries, page.oldest, page.past), (vec![first], 1, Past::Ours));
        let page = read(store, Range::After(Position { id: 0, tag: 1 }), 10);
        assert_eq!((ids(&page), page.past), (vec![], Past::Other));
    });
}

#[test]
fn a_deleted_text_is_gone_and_its_entry_stays() {
    on_each(20, |store| {
        append(store, message("ann", None, "secret"));
        assert_eq!(refusal(store, deletion(1, "bob", Rights::Author)), Some(Refusal::NotYours));
        assert_eq!(refusal(store, deletion(2, "ann", Rights::Author)), Some(Refusal::NoSuchMessage));
        assert_eq!(refusal(store, deletion(0, "ann", Rights::Author)), Some(Refusal::NoSuchMessage));
        assert_eq!(refusal(store, deletion(u64::MAX, "ann", Rights::Operator)), Some(Refusal::NoSuchMessage));
        let room: Arc<str> = "lobby".into();
        let deleted = append(store, deletion(1, "bob", Rights::Operator));
        let nonce = Some(Nonce([9; 16]));
        let [Outcome::Appended { position, .. }, Outcome::Entry { entry, .. }] = &deleted[..] else {
            panic!("{deleted:?}")
        };
        assert_eq!((position, position.id), (&entry.position(), 2));
        assert_eq!(deleted[0], Outcome::Appended { room, nonce, position: *position, is_new: true });
        assert_eq!(refusal(store, deletion(1, "ann", Rights::Author)), Some(Refusal::NoSuchMessage), "it is gone");
        assert_eq!(refusal(store, deletion(2, "bob", Rights::Author)), Some(Refusal::NoSuchMessage), "no message");
        let page = read(store, Range::Last, 10);
        assert_eq!(page.entries[0].kind, Kind::Message { user: "ann".into(), nonce: None, text: None });
        assert_eq!(page.entries[1].kind, Kind::Deleted { target: 1, by: "bob".into() });
        let nowhere = Command::Append { room: "empty".into(), at: at(1), draft: deletion(1, "ann", Rights::Operator) };
        assert!(matches!(ask(store, nowhere)[..], [Outcome::Refused { why: Refusal::NoSuchMessage, .. }]));
        assert_eq!(ask(store, Command::ListRooms).len(), 1);
    });
}

#[test]
fn a_clear_deletes_the_messages_of_one_user_so_far() {
    on_each(20, |store| {
        for (user, text) in [("ann", "1"), ("bob", "2"), ("ann", "3")] {
            append(store, message(user, None, text));
        }
        append(store, message("ann", Some(4), "4"));
        let cleared = entry(store, Draft::Clear { user: "ann".into(), by: "op".into() });
        assert_eq!(cleared.kind, Kind::Cleared { user: "ann".into(), by: "op".into() });
        assert_eq!(refusal(store, deletion(1, "ann", Rights::Author)), Some(Refusal::NoSuchMessage));
        assert!(matches!(
            append(store, message("ann", Some(4), "x"))[..],
            [Outcome::Appended { position: Position { id: 4, .. }, .. }]
        ));
        append(store, message("ann", None, "6"));
        let page = read(store, Range::Last, 10);
        assert_eq!(texts(&page), [None, Some("2"), None, None, Some("6")]);
        assert_eq!(page.entries[4], cleared);
        let elsewhere = Draft::Clear { user: "nobody".into(), by: "op".into() };
        let cleared = ask(store, Command::Append { room: "new".into(), at: at(1), draft: elsewhere });
        assert!(matches!(&cleared[1], Outcome::Entry { entry: Entry { id: 1, .. }, .. }), "{cleared:?}");
    });
}

#[test]
fn times_never_run_backwards() {
    on_each(10, |store| {
        for millis in [5, 3, 9] {
            ask(store, Command::Append { room: "lobby".into(), at: at(millis), draft: message("ann", None, "hi") });
        }
        let times: Vec<u64> = read(store, Range::Last, 10).entries.iter().map(|entry| entry.at.millis()).collect();
        assert_eq!(times, [5, 5, 9]);
    });
}

#[test]
fn rooms_are_listed_by_name_with_their_last_entry() {
    on_each(10, |store| {
        assert_eq!(ask(store, Command::ListRooms), [Outcome::Rooms(vec![])]);
        let mut lasts = vec![];
        for room in ["b", "a", "ä"] {
            let draft = message("ann", None, "hi");
            match &ask(store, Command::Append { room: room.into(), at: at(7), draft })[1] {
                Outcome::Entry { entry, .. } => lasts.push(entry.position()),
                other => panic!("{other:?}"),
            }
        }
        let facts = |name: &str, last| RoomFacts { name: name.into(), last, at: at(7) };
        let rooms = vec![facts("a", lasts[1]), facts("b", lasts[0]), facts("ä", lasts[2])];
        assert_eq!(ask(store, Command::ListRooms), [Outcome::Rooms(rooms)]);
    });
}

#[test]
fn any_text_is_kept_as_it_is() {
    on_each(100, |store| {
        let all = ["", "\0", "a\0b", "'; DROP TABLE entries; --", "😀\u{202e}", &"x".repeat(4096), "\u{10ffff}"];
        for text in all {
            append(store, message(text, None, text));
        }
        let page = read(store, Range::Last, 100);
        assert_eq!(texts(&page), all.map(Some));
        let users = page.entries.iter().map(|entry| match &entry.kind {
            Kind::Message { user, .. } => user.to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(users.collect::<Vec<_>>(), all);
    });
}
