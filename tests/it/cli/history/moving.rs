//! From one machine to another: `export`, then `import`.

use super::forgetting::{enter, heard_as};
use super::{Home, page, say, stop, texts};
use crate::support::Dir;
use std::fs;

const FIRST: &str = r#"{"room":"lobby","id":1,"tag":"000000a1","at":"2023-11-14T22:13:20.123Z","type":"message","user":"ann","nonce":"000102030405060708090a0b0c0d0e0f","text":"one"}"#;

/// The same line with other values.
fn line(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(FIRST.to_owned(), |line, (from, to)| line.replace(from, to))
}

#[test]
fn a_history_moves_to_another_machine_with_its_ids_tags_and_times() {
    let (old, new, away) = (Home::new(), Home::new(), Dir::new());
    let server = old.serve();
    for n in 0..60 {
        say(&server, ["ann", "bob"][n % 2], ["lobby", "kitchen"][n % 3 / 2], &format!("text {n} {}", "x".repeat(3000)));
    }
    stop(server);
    old.ok(&["forget", "ann"]);
    let exported = old.ok(&["export", "--all"]);
    away.write("history.jsonl", &exported);
    let file = away.path().join("history.jsonl");
    let file = file.to_str().expect("text");
    assert_eq!(new.ok(&["import", file]), "62 entries of 2 rooms are imported\n");
    assert_eq!(new.ok(&["export", "--all"]), exported);
    assert_eq!(new.ok(&["check"]), "no fault in 62 entries of 2 rooms\n");
    let refused = new.refused(&["import", file]);
    assert!(refused.contains("line 1: the room kitchen has entries up to the id 21"), "{refused}");
    // Into a server that runs, whose rooms are others.
    let running = Home::new();
    let server = running.serve();
    say(&server, "ann", "garden", "text");
    assert_eq!(running.ok(&["import", file]), "62 entries of 2 rooms are imported\n");
    let lines = running.ok(&["export", "lobby"]);
    assert_eq!(lines, old.ok(&["export", "lobby"]));
    assert_eq!(page(&server, "lobby")["position"].as_str().and_then(|text| text.split('.').next()), Some("41"));
    say(&server, "ann", "lobby", "goes on");
    assert_eq!(running.lines(&["export", "lobby"])[41]["id"], 42);
    assert_eq!(running.ok(&["check"]), "no fault in 64 entries of 3 rooms\n");
}

#[test]
fn a_line_that_is_wrong_is_named_and_nothing_is_changed() {
    let home = Home::new();
    let server = home.serve();
    say(&server, "ann", "garden", "text");
    let file = home.file("lines");
    let second = line(&[("\"id\":1", "\"id\":2"), ("0f\"", "1f\"")]);
    for (bad, why) in [
        (line(&[("\"id\":1", "\"id\":4")]), "there is a hole: the id in front of it is 2"),
        (line(&[("\"id\":1", "\"id\":2")]), "its id was there before"),
        (line(&[("\"id\":1", "\"id\":3"), (".123Z", ".122Z")]), "its time is before"),
        (line(&[("2023-", "2923-")]), "its time is in the future"),
        (line(&[("lobby", "garden")]), "the room garden has entries up to the id 1"),
        (line(&[("lobby", "a b")]), "is no name of a room"),
        ("text".into(), "it is no JSON"),
        (line(&[("one", &"x".repeat(70_000))]), "has more than 65536 bytes"),
        (
            line(&[("\"id\":1", "\"id\":3"), ("\"message\"", "\"deleted\",\"target\":3,\"by\":\"ann\"")]),
            "not in front of it",
        ),
    ] {
        fs::write(&file, format!("{FIRST}\n\n{second}\r\n{bad}\n")).expect("a file");
        let refused = home.refused(&["import", &file.to_string_lossy()]);
        assert!(refused.contains(", line 4: ") && refused.contains(why), "{refused}");
        assert_eq!(home.ok(&["rooms"]).lines().count(), 1);
    }
    // Only the store knows nonces: the entries in front of the line are there.
    let third = line(&[("\"id\":1", "\"id\":3")]);
    fs::write(&file, format!("{}\n{FIRST}\n{third}\n", line(&[("lobby", "hall")]))).expect("a file");
    let refused = home.refused(&["import", &file.to_string_lossy()]);
    assert!(refused.contains("line 3: there is a hole"), "{refused}");
    let twice = line(&[("\"id\":1", "\"id\":2")]);
    fs::write(&file, format!("{}\n{FIRST}\n{twice}", line(&[("lobby", "hall")]))).expect("a file");
    let refused = home.refused(&["import", &file.to_string_lossy()]);
    assert!(refused.contains("line 3: another message of the same user has its nonce"), "{refused}");
    assert!(refused.contains("; 1 entries in front of it are imported"), "{refused}");
    assert_eq!(texts(&home.lines(&["export", "hall"])), [Some("one")]);
    let none = home.file("none");
    assert!(home.refused(&["import", &none.to_string_lossy()]).contains("cannot be read"));
}

#[test]
fn members_of_a_new_room_are_shown_what_is_imported() {
    let home = Home::new();
    let server = home.serve();
    let (mut member, _) = enter(&server, "bob", "");
    let file = home.file("lines");
    fs::write(&file, FIRST).expect("a file");
    assert_eq!(home.ok(&["import", &file.to_string_lossy()]), "1 entries of 1 rooms are imported\n");
    let message = heard_as(&mut member, "message");
    assert_eq!((&message["tag"], &message["text"]), (&"000000a1".into(), &"one".into()));
    say(&server, "ann", "lobby", "two");
    assert_eq!(heard_as(&mut member, "message")["id"], 2);
}

#[test]
fn a_pruned_room_moves_with_its_ids() {
    let home = Home::new();
    let file = home.file("lines");
    let second = line(&[("\"id\":1", "\"id\":42"), ("0f\"", "1f\"")]);
    fs::write(&file, line(&[("\"id\":1", "\"id\":41")]) + "\n" + &second).expect("a file");
    assert_eq!(home.ok(&["import", &file.to_string_lossy()]), "2 entries of 1 rooms are imported\n");
    assert_eq!(home.ok(&["check"]), "no fault in 2 entries of 1 rooms\n");
    let server = home.serve();
    assert_eq!(page(&server, "lobby")["oldest"], 41);
    say(&server, "ann", "lobby", "goes on");
    assert_eq!(home.lines(&["export", "lobby"])[2]["id"], 43);
}
