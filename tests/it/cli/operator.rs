//! `squall operator`: the line of an operator, and what a start says of a file with such lines.

use super::{run, run_with};
use crate::support::child::PROGRAM;
use crate::support::{Child, Client, Dir};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Runs `squall operator NAME` with these bytes on standard input: exit code, standard output, standard error.
fn operator(name: &str, typed: &[u8]) -> (Option<i32>, String, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["operator", name]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // It does not read where the name is wrong.
    let _ = child.stdin.take().expect("a pipe").write_all(typed);
    let ended = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn the_line_of_an_operator_lets_it_in() {
    let (code, line, stderr) = operator("张三", "correct horse\nnot this\n".as_bytes());
    assert_eq!((code, stderr.as_str(), line.lines().count()), (Some(0), "", 1));
    assert!(line.starts_with("张三:$argon2id$v=19$m=19456,t=2,p=1$"), "{line}");
    let data = Dir::new();
    data.write("operators", &line);
    let path = data.path().join("operators");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let child = Child::start(&["--operators-file", path.to_str().expect("text")], &[]);
    let form = "username=%E5%BC%A0%E4%B8%89&password=correct+horse";
    let head = format!("POST /login HTTP/1.1\r\nHost: squall\r\nContent-Length: {}\r\n\r\n", form.len());
    assert_eq!(Client::connect(child.address).ask(head + form).status, 303);
    let said = child.last_words();
    assert!(said.contains("is open to others than its owner (mode 0644): chmod 600 "), "{said}");
}

#[test]
fn a_bad_name_or_password_is_one_line() {
    let long = "x".repeat(1025);
    for (name, typed, why) in [
        ("a:b", "correct horse\n", "is no name"),
        ("ann", "short\n", "a password has 8 characters or more"),
        ("ann", "", "a password has 8 characters or more"),
        ("ann", &*long, "a password has 1024 bytes at most"),
    ] {
        let (code, stdout, stderr) = operator(name, typed.as_bytes());
        assert!(code == Some(1) && stderr.contains(why) && stderr.lines().count() == 1, "{stderr}");
        assert_eq!(stdout, "");
    }
    let (code, _, stderr) = operator("ann", b"\xff\xff\xff\xff\xff\xff\xff\xff\n");
    assert!(code == Some(1) && stderr.contains("standard input cannot be read"), "{stderr}");
}

#[test]
fn a_file_with_a_bad_line_stops_the_start() {
    let data = Dir::new();
    data.write("operators", "# ours\nann:secret\n");
    data.write("tokens", "short\n");
    for (flag, file, why) in [
        ("--operators-file", "operators", "operators: line 2: the hash of \"ann\" is no argon2id hash in PHC format"),
        ("--invite-file", "tokens", "tokens: line 1: a token has 8 to 128 visible characters of ASCII"),
        ("--operators-file", "none", "none cannot be read: No such file"),
    ] {
        let path = data.path().join(file);
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg(), flag, path.to_str().expect("text")]);
        let (code, stdout, stderr) = run_with(command);
        assert!(code == Some(1) && stdout.is_empty() && stderr.contains(why), "{stderr}");
    }
}

#[test]
fn a_script_may_be_an_operator() {
    let data = Dir::new();
    data.write("cookie-secret", "a secret of many bytes");
    let (code, cookies, _) = run(&["cookie", "ann", "--operator", "--data-dir", data.arg()]);
    let names: Vec<&str> = cookies.trim_end().split("; ").filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    assert_eq!((code, &names[..]), (Some(0), &["username", "operator"][..]), "{cookies}");
    data.write("operators", &operator("ann", b"correct horse\n").1);
    let [secret, operators] = ["cookie-secret", "operators"].map(|name| data.path().join(name));
    let flags = ["--cookie-secret-file", secret.to_str().expect("text")];
    let child = Child::start(&[&flags[..], &["--operators-file", operators.to_str().expect("text")]].concat(), &[]);
    let (name, _) = cookies.split_once("; ").expect("two");
    for (cookie, status) in [(cookies.trim_end(), 200), (name, 401)] {
        let line = format!("GET /api/rooms HTTP/1.1\r\nHost: squall\r\nCookie: {cookie}\r\n\r\n");
        assert_eq!(Client::connect(child.address).ask(line).status, status);
    }
}

#[cfg(feature = "history")]
#[test]
fn a_freed_name_is_known_before_the_first_request() {
    use squall::clock::Now;
    use squall::id::ConnId;
    use squall::site::cookie::Signer;
    use squall::store::sqlite::{Sqlite, SqliteOptions};
    use squall::store::{Act, Command as Ask, Deed, Store, Until};

    let (data, now) = (Dir::new(), Now::read().wall);
    data.write("cookie-secret", "a secret of many bytes");
    let mut store = Sqlite::open(data.path(), SqliteOptions::default(), std::sync::Arc::new(|| {})).expect("it opens");
    let deed = Deed::Free { name: "ann".into(), until: Until::Ever };
    let act = Act { at: now, by: "op".into(), room: "lobby".into(), deed };
    store.submit(ConnId::NONE, Ask::Record { act, nonce: None });
    drop(store);
    let mut command = Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg()]);
    let child = Child::run(command, data, 1);
    let signer = Signer::new(b"a secret of many bytes");
    for (seconds, status) in [(now.seconds() - 1, 401), (now.seconds(), 200)] {
        let cookie = signer.sign("username", b"ann", seconds);
        let line = format!("GET /api/rooms HTTP/1.1\r\nHost: squall\r\nCookie: username={cookie}\r\n\r\n");
        assert_eq!(Client::connect(child.address).ask(line).status, status, "{seconds}");
    }
}
