//! What only a store in memory does; the contract has the rest.

use super::*;
use crate::store::contract::{at, ids, message, read};

/// Submits one command and returns its outcomes.
fn submit(memory: &mut Memory, command: Command) -> Vec<Outcome> {
    memory.submit(ConnId::new(1, 1), command);
    std::iter::from_fn(|| memory.take()).map(|(_, outcome)| outcome).collect()
}

fn append(memory: &mut Memory, draft: Draft) -> Vec<Outcome> {
    submit(memory, Command::Append { room: "lobby".into(), at: at(1), draft })
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
