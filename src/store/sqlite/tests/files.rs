//! Opening: what is kept, and which files are refused.

use super::*;
use crate::clock::UnixMillis;
use crate::store::acts::{Act, Deed, Until};
use crate::store::sqlite::open::connect;
use crate::store::sqlite::schema::{APPLICATION_ID, STEPS};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

/// The reason why the store does not open; the files in the folder stay as they are.
fn refused(folder: &Folder) -> String {
    let files = || {
        let names = ["chat.db", "chat.db-wal"].map(|name| folder.file(name));
        // To look at a database in WAL mode, SQLite makes an empty log.
        names.map(|path| fs::read(path).unwrap_or_default())
    };
    let before = files();
    let why = folder.try_open(normal()).err().expect("it does not open");
    assert!(files() == before, "a file was changed: {why}");
    assert!(why.contains(&folder.file("chat.db").display().to_string()), "{why}");
    assert!(!why.contains('\n') && why.len() < 400, "{why}");
    why
}

/// A folder with a history of one message, closed.
fn with_history() -> Folder {
    let folder = Folder::new();
    entry(&mut folder.open(normal()), message("ann", Some(1), "hi"));
    folder
}

#[test]
fn entries_are_there_after_a_restart() {
    for sync in [HistorySync::Full, HistorySync::Normal] {
        let folder = Folder::new();
        let options = SqliteOptions { sync, ..SqliteOptions::default() };
        let mut store = folder.open(options.clone());
        let mut entries = vec![
            entry(&mut store, message("ann", Some(1), "hi")),
            entry(&mut store, deletion(1, "ann", Rights::Author)),
        ];
        entries.push(entry(&mut store, Draft::Clear { user: "ann".into(), by: "op".into() }));
        drop(store);
        assert_eq!(fs::metadata(folder.file("chat.db-wal")).ok().map(|log| log.len()), None, "its log is in it");
        let mut store = folder.open(options);
        entries[0].kind = Kind::Message { user: "ann".into(), nonce: Some(crate::store::Nonce([1; 16])), text: None };
        assert_eq!(read(&mut store, Range::Last, 10).entries, entries);
        assert!(matches!(
            append(&mut store, message("ann", Some(1), "hi"))[..],
            [Outcome::Appended { position: Position { id: 1, .. }, .. }]
        ));
        entries.push(entry(&mut store, message("ann", None, "more")));
        assert_eq!(entries[3].id, 4);
        assert_eq!(read(&mut store, Range::After(entries[2].position()), 10).entries, entries[3..]);
    }
}

#[test]
fn acts_are_in_force_after_a_restart() {
    let folder = Folder::new();
    let mut store = folder.open(normal());
    let now = UnixMillis::nearest(SystemTime::now());
    let act = |deed| Act { at: now, by: "op".into(), room: "lobby".into(), deed };
    let until = |millis| Until::Time(UnixMillis::from_millis(now.millis() + millis));
    let mute = |name: &str, until| act(Deed::Mute { name: name.into(), until });
    let bob = mute("bob", until(3_600_000));
    for act in [act(Deed::Lock), mute("ann", until(0)), mute("bob", Until::Ever), bob.clone(), act(Deed::Unlock)] {
        ask(&mut store, Command::Record { act, nonce: None });
    }
    drop(store);
    let mut store = folder.open(normal());
    store.submit(ConnId::new(1, 1), Command::ListRooms);
    store.flush();
    let mut outcomes = vec![];
    wait_until("it is open", || {
        outcomes.extend(std::iter::from_fn(|| store.take()));
        outcomes.len() >= 2
    });
    let rooms = Outcome::Rooms(vec![]);
    let told = [(ConnId::NONE, Outcome::InForce(vec![bob])), (ConnId::new(1, 1), rooms)];
    assert_eq!(outcomes, told, "the one that is over is not, and the last one of a name is");
}

#[test]
fn a_second_store_on_the_directory_is_refused() {
    let folder = Folder::new();
    let store = folder.open(normal());
    let why = folder.try_open(normal()).err().expect("it does not open");
    assert!(why.starts_with(&format!("another squall uses {}", folder.path().display())), "{why}");
    drop(store);
    folder.open(normal());
}

#[test]
fn only_the_owner_can_read_the_files() {
    let folder = Folder::new();
    let deep = folder.file("deep/er");
    let mut store = Sqlite::open(&deep, normal(), Arc::new(|| {})).expect("directories are made");
    append(&mut store, message("ann", None, "hi"));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&deep), 0o700);
    for name in ["chat.db", "chat.db-wal", "chat.db-shm", "chat.lock"] {
        assert_eq!(mode(&deep.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    for bytes in [&b""[..], b"short", b"SQLite format 3\0", &[7; 5000]] {
        let folder = Folder::new();
        fs::write(folder.file("chat.db"), bytes).expect("a file");
        assert!(refused(&folder).contains(" is damaged ("));
    }
    let folder = Folder::new();
    fs::create_dir(folder.file("chat.db")).expect("a folder");
    assert!(refused(&folder).contains("cannot be used: it is not a file"));
    let folder = Folder::new();
    std::os::unix::fs::symlink("chat.db", folder.file("chat.db")).expect("a link to itself");
    assert!(refused(&folder).contains("cannot be used: "));
    let folder = Folder::new();
    std::os::unix::fs::symlink("nowhere", folder.file("chat.db")).expect("a link");
    assert!(refused(&folder).contains("cannot be used: "), "a link to a disk that is not mounted");
}

#[test]
fn a_damaged_database_is_refused() {
    let folder = with_history();
    let whole = fs::read(folder.file("chat.db")).expect("a file");
    fs::write(folder.file("chat.db"), &whole[..whole.len() / 2]).expect("half a file");
    assert!(refused(&folder).contains(" is damaged ("));
    let mut holed = whole.clone();
    holed[100..4096].fill(0xaa);
    fs::write(folder.file("chat.db"), holed).expect("a file");
    assert!(refused(&folder).contains(" is damaged ("));
    fs::write(folder.file("chat.db"), whole).expect("a file");
    folder.open(normal());
}

#[test]
fn a_database_of_another_program_is_refused() {
    for mode in ["DELETE", "WAL"] {
        let folder = Folder::new();
        let other = Connection::open(folder.file("chat.db")).expect("a database");
        let set = format!("PRAGMA journal_mode = {mode}; CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
        other.execute_batch(&set).expect("tables");
        assert!(refused(&folder).contains(" is a database of another program"));
        drop(other);
        assert!(refused(&folder).contains(" is a database of another program"));
    }
}

#[test]
fn a_database_of_a_newer_squall_is_refused() {
    let folder = with_history();
    let newer = Connection::open(folder.file("chat.db")).expect("a database");
    newer.execute_batch("PRAGMA user_version = 99").expect("a version");
    assert!(refused(&folder).contains(" has format 99 of a newer squall"), "the version is in the log");
    drop(newer);
    assert!(refused(&folder).contains(" has format 99 of a newer squall"));
    let none = Connection::open(folder.file("chat.db")).expect("a database");
    none.execute_batch("PRAGMA user_version = -1").expect("a version");
    assert!(refused(&folder).contains(" of a newer squall"));
}

#[test]
fn a_database_that_another_program_holds_is_refused() {
    let folder = with_history();
    let other = Connection::open(folder.file("chat.db")).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    assert!(refused(&folder).contains(" is locked by another program"));
    other.execute_batch("ROLLBACK").expect("no lock");
    folder.open(normal());
}

#[test]
fn a_database_that_cannot_be_written_is_refused() {
    let folder = with_history();
    let file = folder.file("chat.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("its mode");
    // For root there are no modes.
    if fs::OpenOptions::new().write(true).open(&file).is_err() {
        assert!(refused(&folder).contains(" cannot be used: "));
    }
}

#[test]
fn a_log_without_its_database_is_refused() {
    let folder = Folder::new();
    fs::write(folder.file("chat.db-wal"), "frames").expect("a file");
    assert!(refused(&folder).contains(" is gone, and its chat.db-wal is still there"));
    fs::write(folder.file("chat.db-wal"), "").expect("a file");
    folder.open(normal());
}

#[test]
fn a_draft_of_a_database_is_made_again() {
    let folder = Folder::new();
    fs::write(folder.file("chat.db.new"), "half of a database").expect("a file");
    append(&mut folder.open(normal()), message("ann", None, "hi"));
    assert!(!folder.file("chat.db.new").exists());
}

#[test]
fn an_older_format_is_changed_behind_a_copy() {
    let folder = with_history();
    let file = folder.file("chat.db");
    let version = |path: &Path| {
        let connection = Connection::open(path).expect("a database");
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).expect("a version")
    };
    let wrong = [STEPS, &["CREATE TABLE more (a INTEGER) STRICT; SELECT wrong"]].concat();
    let why = connect(&file, &wrong).expect_err("a step fails");
    assert!(why.contains("chat.db cannot be changed to format 2: "), "{why}");
    assert_eq!((version(&file), STEPS.len()), (1, 1));
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'more'";
    let count = |path: &Path| {
        let connection = Connection::open(path).expect("a database");
        connection.query_row(tables, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert_eq!(count(&file), 0, "of a step that failed nothing is left");
    let longer = [STEPS, &["CREATE TABLE more (a INTEGER) STRICT"]].concat();
    drop(connect(&file, &longer).expect("it is changed"));
    let copy = folder.file("chat.db.v1");
    assert_eq!((version(&file), count(&file), version(&copy), count(&copy)), (2, 1, 1, 0));
    assert_eq!(fs::metadata(&copy).expect("a copy").permissions().mode() & 0o777, 0o600);
    drop(connect(&file, &longer).expect("there is nothing to change"));
    assert!(refused(&folder).contains(" has format 2 of a newer squall"));
    fs::rename(&copy, &file).expect("the copy is put back");
    assert_eq!(ids(&read(&mut folder.open(normal()), Range::Last, 10)), [1]);
}

#[test]
fn the_file_has_what_later_formats_rely_on() {
    let folder = with_history();
    let file = Connection::open(folder.file("chat.db")).expect("a database");
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
    assert_eq!(number("PRAGMA application_id"), i64::from(APPLICATION_ID));
    assert_eq!(number("PRAGMA auto_vacuum"), 2, "incremental");
    assert_eq!(
        number(
            "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name IN
                       ('rooms', 'users', 'entries', 'clears') AND strict"
        ),
        4
    );
    let search =
        "CREATE VIRTUAL TABLE found USING fts5(text, tokenize = 'trigram', content = '', contentless_delete = 1);
                  INSERT INTO found (rowid, text) VALUES (4294967297, 'a history of words')";
    file.execute_batch(search).expect("full-text search");
    assert_eq!(number("SELECT rowid FROM found WHERE found MATCH 'istor'"), 4_294_967_297);
}
