//! Messages by their words.

use super::*;

/// The ids of the messages that all steps of a search find, in the order in which they are found.
fn search(store: &mut dyn Store, query: &str, limit: u32) -> Vec<u64> {
    let (mut ids, mut before) = (vec![], None);
    loop {
        let words = Words::parse(query).expect("a query");
        match ask(store, Command::Search { room: "lobby".into(), words, before, limit }).pop() {
            Some(Outcome::Found { found, .. }) => {
                assert!(found.entries.len() <= limit as usize);
                assert!(found.next.is_none_or(|next| before.is_none_or(|before| next < before)), "each step goes on");
                ids.extend(found.entries.iter().map(|entry| entry.id));
                before = found.next;
            }
            other => panic!("what was found was expected: {other:?}"),
        }
        if before.is_none() {
            return ids;
        }
    }
}

#[test]
fn messages_are_found_by_their_words() {
    on_each(100, |store| {
        let said = ["Hello, World", "明天的会议改到三点", "100% of a_b", "ÄRGER \"quoted\"", "hello again", "a\0b"];
        for text in said {
            append(store, message("ann", None, text));
        }
        for (query, expected) in [
            ("hello", &[5, 1][..]),
            ("WORLD hello", &[1]),
            ("会议", &[2]),
            ("议改到", &[2]),
            ("00%", &[3]),
            ("a_b", &[3]),
            ("A%b", &[]),
            ("ärger", &[4]),
            ("\"quoted\"", &[4]),
            ("a\0b", &[6]),
            ("o", &[5, 4, 3, 1]),
            ("hello AND world", &[]),
            ("hello*", &[]),
        ] {
            for limit in [1, 2, 200] {
                assert_eq!(search(store, query, limit), expected, "{query} by {limit}");
            }
        }
        let words = Words::parse("hello").expect("a query");
        for (before, limit, expected, next) in [
            (Some(5), 10, &[1][..], None),
            (Some(1), 10, &[], None),
            (Some(0), 10, &[], None),
            (Some(u64::MAX), 0, &[5], Some(5)),
            (None, u32::MAX, &[5, 1], None),
        ] {
            let outcome = ask(store, Command::Search { room: "lobby".into(), words: words.clone(), before, limit });
            let [Outcome::Found { found, .. }] = &outcome[..] else { panic!("{outcome:?}") };
            let ids: Vec<u64> = found.entries.iter().map(|entry| entry.id).collect();
            assert_eq!((&ids[..], found.next), (expected, next), "{before:?} {limit}");
        }
        let found = Outcome::Found { room: "empty".into(), found: Found { entries: vec![], next: None } };
        assert_eq!(ask(store, Command::Search { room: "empty".into(), words, before: None, limit: 5 }), [found]);
    });
}

#[test]
fn deleted_and_cleared_and_pruned_texts_are_not_found() {
    on_each(5, |store| {
        for user in ["ann", "bob", "ann", "bob"] {
            append(store, message(user, None, "secret"));
        }
        assert_eq!(search(store, "secret", 10), [4, 3, 2, 1]);
        append(store, deletion(2, "bob", Rights::Author));
        assert_eq!(search(store, "secret", 10), [4, 3, 1]);
        append(store, Draft::Clear { user: "ann".into(), by: "op".into() });
        assert_eq!(search(store, "secret", 10), [4]);
        append(store, message("ann", None, "secret again"));
        assert_eq!(search(store, "secret", 10), [7, 4]);
        for _ in 0..4 {
            append(store, message("ann", None, "hi"));
        }
        wait_until_oldest(store, 7);
        assert_eq!(search(store, "secret", 10), [7]);
    });
}
