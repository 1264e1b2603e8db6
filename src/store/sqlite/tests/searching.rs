//! Searches, wherever the texts are: not indexed, half indexed, indexed, erased.

use super::*;
use crate::store::Found;
use crate::store::words::Words;
use rusqlite::Connection;

/// One step of a search in the lobby.
fn step(store: &mut Sqlite, query: &str, before: Option<u64>, limit: u32) -> Found {
    let words = Words::parse(query).expect("a query");
    match ask(store, Command::Search { room: "lobby".into(), words, before, limit }).pop() {
        Some(Outcome::Found { found, .. }) => found,
        other => panic!("what was found was expected: {other:?}"),
    }
}

/// The ids that all steps of a search find.
fn search(store: &mut Sqlite, query: &str) -> Vec<u64> {
    let (mut ids, mut before) = (vec![], None);
    loop {
        let found = step(store, query, before, 7);
        ids.extend(found.entries.iter().map(|entry| entry.id));
        assert!(found.next.is_none_or(|next| before.is_none_or(|before| next < before)), "each step goes on");
        match found.next {
            Some(next) => before = Some(next),
            None => return ids,
        }
    }
}

/// Submits messages to the lobby, all at once.
fn say_all(store: &mut Sqlite, texts: impl Iterator<Item = String>) {
    for text in texts {
        let (room, draft) = ("lobby".into(), message("ann", None, &text));
        store.submit(ConnId::new(2, 1), Command::Append { room, at: at(1), draft });
    }
    store.submit(ConnId::new(2, 1), Command::ListRooms);
    store.flush();
    wait_until("all is done", || {
        std::iter::from_fn(|| store.take()).any(|(_, outcome)| matches!(outcome, Outcome::Rooms(_)))
    });
}

fn number(folder: &Folder, sql: &str) -> i64 {
    let file = Connection::open(folder.file("chat.db")).expect("a database");
    file.query_row(sql, [], |row| row.get(0)).expect(sql)
}

fn wait_until_indexed(folder: &Folder, id: i64) {
    wait_until("it is indexed", || number(folder, "SELECT max(searched_id) FROM rooms") >= id);
}

/// A text of which each number has words of its own.
fn text(n: u64) -> String {
    format!("message {n} of {} and {}", n % 10, if n % 100 == 7 { "明天开会 100% a_b \"x\"" } else { "nothing else" })
}

#[test]
fn what_is_found_does_not_depend_on_the_index() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    let expect = |store: &mut Sqlite, count: u64| {
        let sevens: Vec<u64> = (1..=count).rev().filter(|id| (id - 1) % 100 == 7).collect();
        for query in ["开会", "明天开", "00%", "A_B", "\"x\"", "会 天", "message AND nothing NOT 明", "100% 明天开会"]
        {
            let expected = if query.contains("AND") { &[][..] } else { &sevens };
            assert_eq!(search(store, query), expected, "{query} of {count}");
        }
        assert_eq!(search(store, &format!("message {} of", count - 1)), [count]);
        assert_eq!(search(store, "MESSAGE 77").last(), Some(&78));
        assert_eq!(step(store, "e", None, 200).entries.len(), 200);
        assert!(search(store, "nowhere").is_empty());
    };
    // Too few for a run of the index.
    say_all(&mut store, (0..1000).map(text));
    expect(&mut store, 1000);
    assert_eq!(number(&folder, "SELECT max(searched_id) FROM rooms"), 0);
    say_all(&mut store, (1000..2010).map(text));
    wait_until_indexed(&folder, 2000);
    expect(&mut store, 2010);
    say_all(&mut store, (2010..2510).map(text));
    expect(&mut store, 2510);
}

#[test]
fn a_half_filled_index_is_filled_after_a_restart() {
    let (folder, faults) = (Folder::new(), Faults::default());
    let mut store = folder.open(SqliteOptions { faults: faults.clone(), ..normal() });
    say_all(&mut store, (0..30_000).map(text));
    wait_until_indexed(&folder, 16);
    // Everything from here on fails.
    faults.set(1);
    let sevens: Vec<u64> = (1..=30_000).rev().filter(|id| (id - 1) % 100 == 7).collect();
    assert_eq!(search(&mut store, "明天开会"), sevens);
    drop(store);
    let searched = number(&folder, "SELECT max(searched_id) FROM rooms");
    assert!(searched < 29_000, "{searched}");
    let mut store = folder.open(normal());
    assert_eq!(search(&mut store, "明天开会"), sevens);
    wait_until_indexed(&folder, 29_984);
    assert_eq!(search(&mut store, "明天开会"), sevens);
}

#[test]
fn erased_texts_are_not_found() {
    let folder = Folder::new();
    let options = SqliteOptions { keep: HistoryKeep::Count(1900), ..normal() };
    let mut store = folder.open(options.clone());
    say_all(&mut store, (0..1800).map(text));
    wait_until_indexed(&folder, 1792);
    for id in [8, 108, 1708] {
        entry(&mut store, deletion(id, "ann", Rights::Author));
    }
    let without =
        |gone: &[u64]| (1..=1800).rev().filter(|id| (id - 1) % 100 == 7 && !gone.contains(id)).collect::<Vec<_>>();
    assert_eq!(search(&mut store, "明天开会"), without(&[8, 108, 1708]), "at once");
    wait_until("the blocks are indexed again", || number(&folder, "SELECT count(*) FROM stale WHERE block >= 0") == 0);
    assert_eq!(search(&mut store, "明天开会"), without(&[8, 108, 1708]));
    say_all(&mut store, (1800..3000).map(|n| format!("filler {n}")));
    wait_until("the oldest are pruned", || read(&mut store, Range::Last, 1).oldest > 700);
    assert!(search(&mut store, "明天开会").iter().all(|&id| id > 700));
    entry(&mut store, Draft::Clear { user: "ann".into(), by: "op".into() });
    assert!(search(&mut store, "明天开会").is_empty(), "at once");
    assert!(search(&mut store, "e").is_empty());
    drop(store);
    let mut store = folder.open(options);
    wait_until("all is erased", || number(&folder, "SELECT count(*) FROM clears") == 0);
    assert!(search(&mut store, "filler").is_empty());
}

/// The trigrams of a text would tell what it was.
#[test]
fn an_erased_text_leaves_the_index() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    // No other text has these, so they stand in the index as they are.
    let rare = ["☃☄★", "♚♛♜"];
    let said = |n: u64| match n {
        500 | 900 => rare[n as usize / 900].into(),
        _ => text(n),
    };
    say_all(&mut store, (0..1300).map(said));
    wait_until_indexed(&folder, 1296);
    let is_in_index = |text: &str| {
        let file = Connection::open(folder.file("chat.db")).expect("a database");
        let mut blocks = file.prepare("SELECT block FROM texts_data").expect("a table");
        let blocks = blocks.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
        blocks.flatten().any(|block| memchr::memmem::find(&block, text.as_bytes()).is_some())
    };
    assert!(rare.iter().all(|text| is_in_index(text)));
    entry(&mut store, deletion(501, "op", Rights::Operator));
    wait_until("its trigrams are merged away", || !is_in_index(rare[0]));
    wait_until("they are not in the file", || !folder.has(rare[0]));
    assert!(is_in_index(rare[1]) && search(&mut store, rare[1]) == [901], "others stay");
    wait_until("that is remembered", || number(&folder, "SELECT count(*) FROM stale") == 0);
}

#[test]
fn a_search_in_one_room_finds_nothing_of_another() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    say_all(&mut store, (0..700).map(text));
    for n in 0..700 {
        let (room, draft) = ("other".into(), message("ann", None, &text(n)));
        ask(&mut store, Command::Append { room, at: at(1), draft });
    }
    wait_until("both are indexed", || number(&folder, "SELECT min(searched_id) FROM rooms") >= 320);
    assert_eq!(search(&mut store, "message 407"), [408]);
    let words = Words::parse("message 407").expect("a query");
    for (room, count) in [("other", 1), ("empty", 0)] {
        let outcome =
            ask(&mut store, Command::Search { room: room.into(), words: words.clone(), before: None, limit: 9 });
        let [Outcome::Found { found, .. }] = &outcome[..] else { panic!("{outcome:?}") };
        assert_eq!((found.entries.len(), found.next), (count, None), "{room}");
    }
}

#[test]
fn a_search_in_a_long_history_is_bounded_in_work() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    for part in 0..10 {
        say_all(&mut store, (0..10_000).map(|n| text(part * 10_000 + n)));
    }
    // A word that is too short for the index: each step reads a few thousand texts.
    let (mut before, mut steps) = (None, 0);
    loop {
        let found = step(&mut store, "qq", before, 1);
        steps += 1;
        assert_eq!(found.entries, []);
        before = found.next;
        if before.is_none() {
            break;
        }
    }
    assert!(steps >= 100_000 / 4096, "{steps}");
    assert!(steps <= 100_000 / 64, "{steps}");
    wait_until_indexed(&folder, 99_000);
    assert_eq!(step(&mut store, "message 31234 of", None, 5).entries.len(), 1, "in one step");
}

#[test]
fn appends_go_on_while_searches_wait() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    say_all(&mut store, (0..20_000).map(text));
    let words = Words::parse("qq").expect("a query");
    for n in 0..50 {
        let search = Command::Search { room: "lobby".into(), words: words.clone(), before: None, limit: 5 };
        store.submit(ConnId::new(3 + n, 1), search);
    }
    let (room, draft) = ("lobby".into(), message("bob", None, "hi"));
    store.submit(ConnId::new(2, 1), Command::Append { room, at: at(1), draft });
    store.flush();
    let (mut before, mut all) = (None, 0);
    wait_until("all is done", || {
        while let Some((_, outcome)) = store.take() {
            all += 1;
            if let Outcome::Appended { .. } = outcome {
                before = Some(all);
            }
        }
        all == 52
    });
    assert!(before.is_some_and(|before| before <= 2), "{before:?}");
    drop(store);
}

#[test]
fn a_search_that_fails_says_so() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    say_all(&mut store, (0..10).map(text));
    let file = Connection::open(folder.file("chat.db")).expect("a database");
    file.execute_batch("DROP TABLE entries").expect("no table");
    let words = Words::parse("message").expect("a query");
    let outcome = ask(&mut store, Command::Search { room: "lobby".into(), words, before: None, limit: 5 });
    assert_eq!(outcome, [Outcome::Unread]);
}
