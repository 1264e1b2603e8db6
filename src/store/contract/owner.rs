//! What an owner asks for: names that are forgotten, and entries of another history.

use super::*;

/// What an owner asks for: the entries that every member is told, and then the outcome.
fn ask_as_owner(store: &mut dyn Store, command: Command) -> (Vec<(Arc<str>, Entry)>, Outcome) {
    store.submit(ConnId::new(1, 1), command);
    store.flush();
    let (mut entries, deadline) = (vec![], Instant::now() + WITHIN);
    loop {
        match store.take() {
            Some((ConnId::NONE, Outcome::Entry { room, entry })) => entries.push((room, entry)),
            Some((_, outcome)) => return (entries, outcome),
            None => {
                assert!(Instant::now() < deadline, "no outcome");
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
}

fn say_in(store: &mut dyn Store, room: &str, draft: Draft) {
    ask(store, Command::Append { room: room.into(), at: at(1), draft });
}

fn forget(store: &mut dyn Store, user: &str, texts: Texts) -> (Vec<(Arc<str>, Entry)>, Outcome) {
    ask_as_owner(store, Command::Forget { user: user.into(), texts, at: at(1) })
}

/// Names in the entries of a page, in their order.
fn names(page: &Page) -> Vec<&str> {
    let names = page.entries.iter().map(|entry| match &entry.kind {
        Kind::Message { user, .. } => &**user,
        Kind::Deleted { by, .. } | Kind::Cleared { by, .. } => &**by,
    });
    names.collect()
}

#[test]
fn a_forgotten_name_leaves_every_room_with_its_texts() {
    on_each(50, |store| {
        for (n, room, user) in [(1, "a", "ann"), (2, "b", "bob"), (3, "a", "bob"), (4, "c", "ann"), (5, "a", "ann")] {
            say_in(store, room, message(user, Some(n), "text"));
        }
        say_in(store, "a", deletion(1, "ann", Rights::Author));
        let before = read_room(store, "a", Range::Last, 1).last;
        let (entries, outcome) = forget(store, "ann", Texts::Erase);
        let anonymous: Arc<str> = "forgotten-1".into();
        assert_eq!(outcome, Outcome::Forgotten(Forgotten { rooms: 2, anonymous: Some(anonymous.clone()) }));
        let told: Vec<(&str, u64)> = entries.iter().map(|(room, entry)| (&**room, entry.id)).collect();
        assert_eq!(told, [("a", 5), ("c", 2)]);
        let cleared = Kind::Cleared { user: "ann".into(), by: "ann".into() };
        assert!(entries.iter().all(|(_, entry)| entry.kind == cleared), "members know the name");
        let page = read_room(store, "a", Range::Last, 10);
        assert_eq!((texts(&page), ids(&page)), (vec![None, Some("text"), None], vec![1, 2, 3, 4, 5]));
        assert_eq!(names(&page), ["forgotten-1", "bob", "forgotten-1", "forgotten-1", "forgotten-1"]);
        assert_eq!(page.entries[4].kind, Kind::Cleared { user: anonymous.clone(), by: anonymous });
        assert_eq!(page.entries[4].position(), entries[0].1.position());
        assert_eq!(read_room(store, "a", Range::After(before), 10).past, Past::Other, "what it has was changed");
        assert_eq!(read_room(store, "a", Range::After(entries[0].1.position()), 10).past, Past::Ours);
        assert_eq!(read_room(store, "a", Range::After(Position::START), 10).past, Past::Ours);
        assert_eq!(texts(&read_room(store, "b", Range::Last, 10)), [Some("text")]);
        let nothing = (vec![], Outcome::Forgotten(Forgotten { rooms: 0, anonymous: None }));
        assert_eq!(forget(store, "ann", Texts::Erase), nothing);
        assert_eq!(forget(store, "nobody", Texts::Keep), nothing);
    });
}

#[test]
fn the_texts_of_a_forgotten_name_may_stay() {
    on_each(50, |store| {
        for (user, nonce) in [("ann", 1), ("forgotten-1", 2), ("ann", 3)] {
            append(store, message(user, Some(nonce), "text"));
        }
        let (entries, outcome) = forget(store, "ann", Texts::Keep);
        let anonymous = Some("forgotten-2".into());
        assert_eq!(outcome, Outcome::Forgotten(Forgotten { rooms: 1, anonymous }), "the first is a user's");
        assert_eq!(entries.len(), 1);
        let page = read(store, Range::Last, 10);
        assert_eq!(names(&page), ["forgotten-2", "forgotten-1", "forgotten-2", "forgotten-3"]);
        assert_eq!(texts(&page), [Some("text"); 3]);
        let anew = entry(store, message("ann", Some(1), "text"));
        assert_eq!(anew.id, 5, "whoever comes back under the name is another user");
        let (_, outcome) = forget(store, "ann", Texts::Erase);
        let Outcome::Forgotten(Forgotten { rooms: 1, anonymous: Some(again) }) = outcome else { panic!("{outcome:?}") };
        assert!(!["forgotten-1", "forgotten-2", "forgotten-3"].contains(&&*again));
        assert_eq!(texts(&read(store, Range::Last, 10)), [Some("text"), Some("text"), Some("text"), None]);
    });
}

fn import(store: &mut dyn Store, after: Position, entries: &[Entry]) -> (Vec<(Arc<str>, Entry)>, Outcome) {
    ask_as_owner(store, Command::Import { room: "lobby".into(), after, entries: entries.to_vec() })
}

fn flaw(store: &mut dyn Store, after: Position, entries: &[Entry]) -> (usize, Wrong) {
    match import(store, after, entries) {
        (told, Outcome::NotImported { flaw: Flaw { index, why }, .. }) if told.is_empty() => (index, why),
        other => panic!("a flaw was expected: {other:?}"),
    }
}

#[test]
fn a_history_moves_from_one_store_to_another() {
    on_each(50, |store| {
        let kinds = [
            Kind::Message { user: "ann".into(), nonce: Some(Nonce([1; 16])), text: Some("1".into()) },
            Kind::Message { user: "bob".into(), nonce: None, text: None },
            Kind::Deleted { target: 5, by: "bob".into() },
            Kind::Message { user: "bob".into(), nonce: Some(Nonce([1; 16])), text: Some("4".into()) },
            Kind::Message { user: "cid".into(), nonce: None, text: Some("5".into()) },
            Kind::Cleared { user: "bob".into(), by: "op".into() },
            Kind::Deleted { target: 4, by: "ann".into() },
        ];
        let entry = |(n, kind): (u64, Kind)| Entry { id: 4 + n, tag: 7 + n as u32, at: at(1000 + n), kind };
        let entries: Vec<Entry> = (0..).zip(kinds).map(entry).collect();
        let (told, outcome) = import(store, Position::START, &entries[..3]);
        let last = entries[2].position();
        assert_eq!(outcome, Outcome::Imported { room: "lobby".into(), last });
        assert!(told.iter().map(|(_, entry)| entry).eq(&entries[..3]));
        let (_, outcome) = import(store, last, &entries[3..]);
        assert_eq!(outcome, Outcome::Imported { room: "lobby".into(), last: entries[6].position() });
        let page = read(store, Range::After(entries[0].position()), 10);
        assert_eq!((page.past, page.oldest, ids(&page)), (Past::Ours, 4, (5..=10).collect()));
        let page = read(store, Range::Last, 10);
        assert_eq!(texts(&page), [None, None, None, Some("5")], "what was deleted or cleared has no text");
        let facts = |entry: &Entry| (entry.tag, entry.at);
        assert!(page.entries.iter().map(facts).eq(entries.iter().map(facts)));
        assert_eq!(append(store, message("ann", Some(1), "1")).len(), 1, "its nonce is known");
        assert_eq!(super::entry(store, message("ann", Some(2), "x")).id, 11);
    });
}

#[test]
fn what_cannot_be_imported_changes_nothing() {
    on_each(50, |store| {
        let message = |id, user: &str, nonce: Option<u8>| Entry {
            id,
            tag: 1,
            at: at(id),
            kind: Kind::Message { user: user.into(), nonce: nonce.map(|n| Nonce([n; 16])), text: Some("x".into()) },
        };
        let [one, two, four] = [1, 2, 4].map(|id| message(id, "ann", None));
        assert_eq!(flaw(store, Position::START, &[one.clone(), two.clone(), four]), (2, Wrong::Hole { before: 2 }));
        assert_eq!(flaw(store, Position::START, &[one.clone(), one.clone()]), (1, Wrong::Double { before: 1 }));
        let twice = [message(1, "ann", Some(1)), message(2, "bob", Some(1)), message(3, "ann", Some(1))];
        assert_eq!(flaw(store, Position::START, &twice), (2, Wrong::Nonce));
        assert_eq!(
            flaw(store, one.position(), std::slice::from_ref(&two)),
            (0, Wrong::NotEmpty),
            "there is no such room"
        );
        assert_eq!(ask(store, Command::ListRooms), [Outcome::Rooms(vec![])]);
        let room = "lobby".into();
        assert_eq!(import(store, Position::START, &[]).1, Outcome::Imported { room, last: Position::START });
        import(store, Position::START, &twice[..2]);
        assert_eq!(flaw(store, twice[1].position(), &twice[2..]), (0, Wrong::Nonce));
        assert_eq!(flaw(store, Position::START, &[one]), (0, Wrong::NotEmpty));
        assert_eq!(flaw(store, Position { tag: 9, ..two.position() }, &[two]), (0, Wrong::NotEmpty));
        assert_eq!(ids(&read(store, Range::Last, 10)), [1, 2]);
    });
}
