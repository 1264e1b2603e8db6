//! `squall history`: with a server and without one.

mod control;
mod copies;
mod forgetting;
mod moving;

use super::run;
use crate::support::child::PROGRAM;
use crate::support::{Child, Client, Dir, login};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// A data directory that outlives its servers.
struct Home {
    root: Dir,
}

impl Home {
    fn new() -> Home {
        Home { root: Dir::new() }
    }

    /// A file of the history.
    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn serve(&self) -> Child {
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", self.root.arg(), "--message-rate", "0"]);
        Child::run(command, Dir::new(), 1)
    }

    /// Runs `squall history`: exit code, standard output, standard error.
    fn history(&self, args: &[&str]) -> (Option<i32>, String, String) {
        run(&[&["history"], args, &["--data-dir", self.root.arg()]].concat())
    }

    /// What a command prints that does its work.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let (code, stdout, stderr) = self.history(args);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}: {stdout}");
        stdout
    }

    /// The sentence of a command that fails.
    #[track_caller]
    fn refused(&self, args: &[&str]) -> String {
        let (code, stdout, stderr) = self.history(args);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{args:?}: {stderr}");
        stderr
    }

    #[track_caller]
    fn lines(&self, args: &[&str]) -> Vec<Value> {
        self.ok(args).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Whether the database or its log has these bytes.
    fn has(&self, text: &str) -> bool {
        ["chat.db", "chat.db-wal"].iter().any(|name| {
            let bytes = std::fs::read(self.file(name)).unwrap_or_default();
            bytes.windows(text.len()).any(|part| part == text.as_bytes())
        })
    }
}

/// Says something in a room, as a script does.
#[track_caller]
fn say(server: &Child, name: &str, room: &str, text: &str) {
    say_with(&mut Client::connect(server.address), &login(server.address, name), room, text);
}

#[track_caller]
fn say_with(client: &mut Client, cookie: &str, room: &str, text: &str) {
    let body = json!({ "text": text }).to_string();
    let length = body.len();
    let response = client.ask(format!(
        "POST /api/rooms/{room}/messages HTTP/1.1\r\nHost: squall\r\nCookie: {cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(response.status, 201, "{}", response.text());
}

/// The last entries of a room over HTTP.
#[track_caller]
fn page(server: &Child, room: &str) -> Value {
    let cookie = login(server.address, "reader");
    let line = format!("GET /api/rooms/{room}/messages HTTP/1.1\r\nHost: squall\r\nCookie: {cookie}\r\n\r\n");
    serde_json::from_str(&Client::connect(server.address).ask(line).text()).expect("JSON")
}

fn texts(entries: &[Value]) -> Vec<Option<&str>> {
    entries.iter().filter(|entry| entry["type"] == "message").map(|entry| entry["text"].as_str()).collect()
}

/// Ends a server.
fn stop(mut server: Child) {
    server.signal("TERM");
    server.ended();
}

#[test]
fn what_reads_works_with_a_server_and_without_one() {
    let home = Home::new();
    let server = home.serve();
    for (name, room, text) in [("ann", "lobby", "one"), ("bob", "lobby", "two"), ("张三", "日本", "three")] {
        say(&server, name, if room == "日本" { "%E6%97%A5%E6%9C%AC" } else { room }, text);
    }
    let look = || {
        let rooms = home.ok(&["rooms"]);
        let rooms: Vec<Vec<&str>> = rooms.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(rooms[0][..2] == ["2", "2"] && rooms[0][3] == "lobby" && rooms[1][3] == "日本", "{rooms:?}");
        let stats = home.ok(&["stats"]);
        for line in ["rooms     2", "users     3", "entries   3", "messages  3, 0 of them deleted", "newest    2"] {
            assert!(stats.lines().any(|found| found.starts_with(line)), "{line}: {stats}");
        }
        let lines = home.lines(&["export", "lobby"]);
        assert_eq!(texts(&lines), [Some("one"), Some("two")]);
        assert_eq!(
            (&lines[0]["room"], &lines[1]["user"], &lines[1]["id"]),
            (&json!("lobby"), &json!("bob"), &json!(2))
        );
        let all = home.lines(&["export", "--all"]);
        assert_eq!(texts(&all), [Some("one"), Some("two"), Some("three")]);
        assert_eq!(texts(&home.lines(&["export", "--all", "--user", " 张三 "])), [Some("three")]);
        assert_eq!(home.ok(&["check"]), "no fault in 3 entries of 2 rooms\n");
        for room in ["kitchen", "a b"] {
            assert!(home.refused(&["export", room]).contains("there is no room"), "{room}");
        }
    };
    look();
    server.signal("KILL");
    drop(server);
    assert!(std::fs::metadata(home.file("chat.db-wal")).is_ok_and(|log| log.len() > 0), "what it said is in its log");
    look();
    stop(home.serve());
    look();
}

#[test]
fn an_export_ends_while_messages_are_written() {
    let home = Home::new();
    let server = home.serve();
    let cookie = login(server.address, "ann");
    let mut client = Client::connect(server.address);
    for n in 0..450 {
        say_with(&mut client, &cookie, "lobby", &format!("text {n}"));
    }
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (450..900).for_each(|n| say_with(&mut client, &cookie, "lobby", &format!("text {n}")));
        });
        let mut exports = 0;
        while !writer.is_finished() || exports == 0 {
            let lines = home.lines(&["export", "lobby"]);
            let ids = lines.iter().map(|line| line["id"].as_u64().expect("a number"));
            assert!(lines.len() >= 450 && ids.eq(1..=lines.len() as u64));
            assert!(lines.iter().enumerate().all(|(n, line)| line["text"] == format!("text {n}")));
            exports += 1;
        }
    });
    assert_eq!(home.lines(&["export", "lobby"]).len(), 900);
}

#[test]
fn a_directory_without_a_history_is_said_and_stays_empty() {
    let home = Home::new();
    let none = home.root.path().join("none");
    for args in [&["rooms"][..], &["stats"], &["export", "--all"], &["check"], &["forget", "ann"], &["backup", "x.db"]]
    {
        let (code, stdout, stderr) = run(&[&["history"], args, &["--data-dir", &none.to_string_lossy()]].concat());
        assert!(code == Some(1) && stdout.is_empty() && stderr.contains("there is no history"), "{args:?}: {stderr}");
    }
    assert!(!none.exists() && !std::path::Path::new("x.db").exists());
}

#[test]
fn a_file_that_is_no_history_is_said_and_stays_as_it_is() {
    for (bytes, why) in [(&b"text"[..], "is damaged"), (&[0; 4096], "is damaged")] {
        let home = Home::new();
        home.root.write("chat.db", bytes);
        let backup = home.file("copy.db");
        for args in [&["rooms"][..], &["check"], &["forget", "ann"], &["backup", &backup.to_string_lossy()]] {
            assert!(home.refused(args).contains(why), "{args:?}");
        }
        assert_eq!(std::fs::read(home.file("chat.db")).expect("a file"), bytes);
        assert!(!backup.exists());
    }
}

#[test]
fn faults_are_said_and_are_an_exit_code() {
    let home = Home::new();
    let server = home.serve();
    for n in 0..300 {
        say(&server, "ann", "lobby", &format!("text {n} {}", "x".repeat(200)));
    }
    stop(server);
    let path = home.file("chat.db");
    let sound = std::fs::read(&path).expect("a file");
    let mut bytes = sound.clone();
    let text = bytes.windows(9).position(|part| part == b"text 100 ").expect("it is there");
    // The page that has this text begins with something else than a page.
    bytes[text / 4096 * 4096] = 0xff;
    std::fs::write(&path, bytes).expect("a file");
    let (code, stdout, stderr) = home.history(&["check"]);
    assert_eq!((code, stderr.as_str()), (Some(1), ""), "{stdout}");
    assert!(stdout.starts_with("the database: ") && stdout.ends_with("faults: 1\n"), "{stdout}");
    let copy = home.file("copy.db");
    let refused = home.refused(&["backup", &copy.to_string_lossy()]);
    assert!(refused.contains("malformed") && !copy.exists(), "{refused}");
    std::fs::write(&path, &sound).expect("a file");
    assert_eq!(home.ok(&["check"]), "no fault in 300 entries of 1 rooms\n");
}
