//! The history in memory: what it keeps and how it stays small.

use super::*;

fn memory(keep: usize) -> Memory {
    Memory::new(&Limits { history_memory_keep: keep, ..Limits::default() }, Tags::new(7))
}

fn message(user: &str, nonce: Option<u8>, text: &str) -> Draft {
    Draft::Message { user: user.into(), nonce: nonce.map(|n| Nonce([n; 16])), text: text.into() }
}

fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(millis)
}

/// Submits one command and returns its outcomes.
fn submit(memory: &mut Memory, command: Command) -> Vec<Outcome> {
    memory.submit(ConnId::new(1, 1), command);
    std::iter::from_fn(|| memory.take()).map(|(_, outcome)| outcome).collect()
}

fn append(memory: &mut Memory, draft: Draft) -> Vec<Outcome> {
    submit(memory, Command::Append { room: "lobby".into(), at: at(1), draft })
}

fn read(memory: &mut Memory, range: Range, limit: u32) -> Page {
    match submit(memory, Command::Read { room: "lobby".into(), range, limit }).pop() {
        Some(Outcome::Page { page, .. }) => page,
        other => panic!("a page was expected: {other:?}"),
    }
}

fn ids(page: &Page) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.id).collect()
}

#[test]
fn a_message_is_acknowledged_and_then_shown() {
    let mut memory = memory(10);
    memory.submit(
        ConnId::new(1, 1),
        Command::Append { room: "lobby".into(), at: at(5), draft: message("ann", None, "hi") },
    );
    let (from, appended) = memory.take().expect("it is acknowledged");
    assert_eq!(from, ConnId::new(1, 1));
    assert_eq!(appended, Outcome::Appended { room: "lobby".into(), nonce: None, id: 1, is_new: true });
    let (from, Outcome::Entry { entry, .. }) = memory.take().expect("it is shown") else { panic!("an entry") };
    assert_eq!((from, entry.id, entry.at), (ConnId::NONE, 1, at(5)));
    assert_eq!(entry.kind, Kind::Message { user: "ann".into(), nonce: None, text: Some("hi".into()) });
}

#[test]
fn a_message_sent_again_is_stored_once() {
    let mut memory = memory(10);
    append(&mut memory, message("ann", Some(1), "hi"));
    let again = append(&mut memory, message("ann", Some(1), "hi"));
    let (room, nonce): (Arc<str>, _) = ("lobby".into(), Some(Nonce([1; 16])));
    assert_eq!(again, [Outcome::Appended { room: room.clone(), nonce, id: 1, is_new: false }]);
    let other = append(&mut memory, message("ann", Some(1), "ho"));
    assert_eq!(other, [Outcome::Refused { room, nonce, why: Refusal::NonceReused }]);
    assert_eq!(append(&mut memory, message("bob", Some(1), "hi")).len(), 2, "another user's nonce is another one");
    assert_eq!(ids(&read(&mut memory, Range::Last, 10)), [1, 2]);
}

#[test]
fn pages_are_cut_from_either_end() {
    let mut memory = memory(5);
    for _ in 0..8 {
        append(&mut memory, message("ann", None, "hi"));
    }
    for (range, limit, expected) in [
        (Range::Last, 2, &[7, 8][..]),
        (Range::Last, 100, &[4, 5, 6, 7, 8]),
        (Range::Before(7), 2, &[5, 6]),
        (Range::Before(4), 2, &[]),
        (Range::Before(0), 2, &[]),
        (Range::Before(u64::MAX), 1, &[8]),
    ] {
        let page = read(&mut memory, range, limit);
        assert_eq!((ids(&page), page.oldest, page.last.id), (expected.to_vec(), 4, 8), "{range:?}");
    }
}

#[test]
fn a_position_is_compared_by_its_tag() {
    let mut memory = memory(5);
    let positions: Vec<Position> = (0..8)
        .map(|_| match append(&mut memory, message("ann", None, "hi")).pop() {
            Some(Outcome::Entry { entry, .. }) => entry.position(),
            other => panic!("an entry was expected: {other:?}"),
        })
        .collect();
    let mut after = |position| {
        let page = read(&mut memory, Range::After(position), 3);
        (ids(&page), page.past)
    };
    assert_eq!(after(positions[5]), (vec![7, 8], Past::Ours));
    assert_eq!(after(positions[7]), (vec![], Past::Ours));
    assert_eq!(after(positions[2]), (vec![4, 5, 6], Past::Ours), "exactly at the border of what is kept");
    assert_eq!(after(positions[1]), (vec![], Past::Pruned));
    assert_eq!(after(Position::START), (vec![], Past::Pruned));
    assert_eq!(after(Position { tag: positions[5].tag ^ 1, ..positions[5] }), (vec![], Past::Other));
    assert_eq!(after(Position { id: 9, tag: 0 }), (vec![], Past::Other));
    let elsewhere = Command::Read { room: "empty".into(), range: Range::After(Position::START), limit: 5 };
    let page = Page { entries: vec![], last: Position::START, oldest: 0, past: Past::Ours };
    assert_eq!(submit(&mut memory, elsewhere), [Outcome::Page { room: "empty".into(), page }]);
}

#[test]
fn a_deleted_text_is_gone_and_its_entry_stays() {
    let mut memory = memory(10);
    append(&mut memory, message("ann", None, "secret"));
    let delete = |target, by: &str, rights| Draft::Deletion { target, by: by.into(), rights, nonce: None };
    let refused = |outcomes: Vec<Outcome>| match outcomes[..] {
        [Outcome::Refused { why, .. }] => Some(why),
        _ => None,
    };
    assert_eq!(refused(append(&mut memory, delete(1, "bob", Rights::Author))), Some(Refusal::NotYours));
    assert_eq!(refused(append(&mut memory, delete(2, "ann", Rights::Author))), Some(Refusal::NoSuchMessage));
    assert_eq!(refused(append(&mut memory, delete(0, "ann", Rights::Author))), Some(Refusal::NoSuchMessage));
    assert_eq!(append(&mut memory, delete(1, "bob", Rights::Operator)).len(), 2);
    assert_eq!(refused(append(&mut memory, delete(1, "ann", Rights::Author))), Some(Refusal::NoSuchMessage));
    let page = read(&mut memory, Range::Last, 10);
    assert_eq!(page.entries[0].kind, Kind::Message { user: "ann".into(), nonce: None, text: None });
    assert_eq!(page.entries[1].kind, Kind::Deleted { target: 1, by: "bob".into() });
    append(&mut memory, message("ann", None, "more"));
    assert_eq!(append(&mut memory, Draft::Clear { user: "ann".into(), by: "bob".into() }).len(), 2);
    let texts = read(&mut memory, Range::Last, 10)
        .entries
        .into_iter()
        .filter(|entry| matches!(&entry.kind, Kind::Message { text: Some(_), .. }));
    assert_eq!(texts.count(), 0);
}

#[test]
fn times_never_run_backwards() {
    let mut memory = memory(10);
    for millis in [5, 3, 9] {
        submit(
            &mut memory,
            Command::Append { room: "lobby".into(), at: at(millis), draft: message("ann", None, "hi") },
        );
    }
    let times: Vec<u64> = read(&mut memory, Range::Last, 10).entries.iter().map(|entry| entry.at.millis()).collect();
    assert_eq!(times, [5, 5, 9]);
}

#[test]
fn what_is_kept_has_a_limit_in_bytes() {
    let limits = Limits { history_memory_bytes_max: 20_000, ..Limits::default() };
    let mut memory = Memory::new(&limits, Tags::new(7));
    for n in 0..100 {
        let draft = message("ann", Some(n), &"x".repeat(1000));
        submit(&mut memory, Command::Append { room: format!("room {n}").into(), at: at(1), draft });
        assert!(memory.bytes <= 20_000 && memory.used.len() == memory.rooms.len());
    }
    let left = memory.list();
    assert!(left.len() > 5 && left.iter().any(|room| &*room.name == "room 99"));
    for _ in 0..100 {
        append(&mut memory, message("ann", None, &"x".repeat(1000)));
    }
    assert_eq!(memory.list().len(), 1, "a room that is used is kept, whatever it has");
    memory.rooms.values_mut().for_each(|room| room.prune(0));
    assert_eq!(memory.rooms.values().map(|room| room.bytes + room.nonces.len()).sum::<usize>(), 0);
}

#[test]
fn ids_go_on_behind_those_of_a_forgotten_room() {
    let limits = Limits { history_memory_bytes_max: 3000, ..Limits::default() };
    let mut memory = Memory::new(&limits, Tags::new(7));
    for _ in 0..5 {
        append(&mut memory, message("ann", None, "hi"));
    }
    let last = read(&mut memory, Range::Last, 1).last;
    let elsewhere = message("ann", None, &"x".repeat(3000));
    submit(&mut memory, Command::Append { room: "other".into(), at: at(1), draft: elsewhere });
    assert_eq!(read(&mut memory, Range::Last, 10).entries, [], "the lobby is forgotten");
    append(&mut memory, message("ann", None, "hi"));
    let page = read(&mut memory, Range::Last, 10);
    assert_eq!((ids(&page), page.oldest), (vec![6], 6));
    assert_eq!(read(&mut memory, Range::After(last), 10).past, Past::Other);
}
