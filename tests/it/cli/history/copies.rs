//! Backups.

use super::{Home, say, say_with, stop};
use crate::support::{Client, login};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_copy_made_while_messages_are_written_is_whole() {
    let home = Home::new();
    let server = home.serve();
    let cookie = login(server.address, "ann");
    let mut client = Client::connect(server.address);
    let copies: Vec<String> = (0..3).map(|n| home.file(&format!("copy {n}.db")).to_string_lossy().into()).collect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (0..600).for_each(|n| say_with(&mut client, &cookie, "lobby", &format!("text {n}")));
        });
        for copy in &copies {
            assert!(home.ok(&["backup", copy]).contains("without a fault"));
        }
        writer.join().expect("all is said");
    });
    for copy in &copies {
        assert!(home.ok(&["check", copy]).starts_with("no fault in "), "{copy}");
        assert_eq!(fs::metadata(copy).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    stop(server);
    // A copy is put in its place, and a server goes on with it.
    home.ok(&["backup", &copies[0], "--force"]);
    let other = Home::new();
    fs::copy(&copies[0], other.file("chat.db")).expect("a file");
    let server = other.serve();
    say(&server, "bob", "lobby", "more");
    assert_eq!(other.lines(&["export", "lobby"]).len(), 601);
    let left = fs::read_dir(home.root.path()).expect("a folder").map(|file| file.expect("a file").file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().ends_with(".new")), "no draft is left");
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let home = Home::new();
    let server = home.serve();
    say(&server, "ann", "lobby", "text");
    let copy = home.file("copy.db");
    let path = copy.to_string_lossy();
    fs::write(&copy, "mine").expect("a file");
    assert!(home.refused(&["backup", &path]).contains("is there already"));
    assert_eq!(fs::read(&copy).expect("a file"), b"mine");
    home.ok(&["backup", &path, "--force"]);
    assert!(home.ok(&["check", &path]).starts_with("no fault in 1 entries"));
    for own in ["chat.db", "chat.db-wal", "chat.db-shm"] {
        let own = home.file(own).to_string_lossy().into_owned();
        assert!(home.refused(&["backup", &own, "--force"]).contains("is the history itself"), "{own}");
    }
    assert!(home.refused(&["backup", home.root.arg(), "--force"]).contains("is there already"), "a folder");
    let nowhere = home.file("none/copy.db");
    assert!(home.refused(&["backup", &nowhere.to_string_lossy()]).contains("cannot be made"));
    say(&server, "ann", "lobby", "the server goes on");
}

#[test]
fn of_two_copies_at_once_one_gets_the_name() {
    let home = Home::new();
    let server = home.serve();
    say(&server, "ann", "lobby", "text");
    let copy = home.file("copy.db").to_string_lossy().into_owned();
    let ended: Vec<_> = std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| home.history(&["backup", &copy])));
        both.map(|one| one.join().expect("it ends")).into_iter().collect()
    });
    let done = ended.iter().filter(|(code, ..)| *code == Some(0)).count();
    assert!(done == 1 && ended.iter().any(|(.., stderr)| stderr.contains("is there already")), "{ended:?}");
    assert!(home.ok(&["check", &copy]).starts_with("no fault in 1 entries"));
}
