//! The socket in the data directory.

use super::{Home, stop};
use crate::support::{Child, Client, Dir, get, wait_for};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

#[test]
fn the_socket_is_for_the_owner_and_goes_with_the_server() {
    let home = Home::new();
    let path = home.file("control.sock");
    drop(UnixListener::bind(&path).expect("a socket that an earlier process has left"));
    let server = home.serve();
    let file = std::fs::metadata(&path).expect("a socket");
    assert!(file.file_type().is_socket() && file.permissions().mode() & 0o777 == 0o600);
    assert!(server.stderr().is_empty(), "{}", server.stderr());
    stop(server);
    assert!(!path.exists());
}

#[test]
fn only_what_there_is_can_be_asked_for() {
    let home = Home::new();
    let server = home.serve();
    for (line, body, status) in [
        ("GET /", "", 404),
        ("GET /chat/", "", 404),
        ("POST /healthz", "", 404),
        ("GET /history/forget", "", 405),
        ("DELETE /history/import", "", 405),
        ("POST /history/forget", "", 400),
        ("POST /history/forget", "[]", 400),
        ("POST /history/forget", r#"{"name":"ann"}"#, 400),
        ("POST /history/forget", r#"{"name":7,"keep_texts":false}"#, 400),
        ("POST /history/forget", r#"{"name":"ann","keep_texts":false}"#, 200),
        ("POST /history/import", "", 400),
        ("POST /history/import?after=1", "", 400),
        ("POST /history/import?after=0.0", "\n", 400),
        ("POST /history/import?after=0.0", "{}\n", 409),
    ] {
        let stream = UnixStream::connect(home.file("control.sock")).expect("a socket");
        let length = body.len();
        let request = format!("{line} HTTP/1.1\r\nHost: squall\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut client = Client::over(stream);
        client.send(request);
        let response = client.response();
        assert_eq!(response.status, status, "{line} {body}: {}", response.text());
    }
    let tcp = get(server.address, "/history/forget");
    assert_eq!(tcp.status, 404, "not over the network");
}

#[test]
fn a_server_whose_directory_has_a_long_path_serves_without_it() {
    let root = Dir::new();
    let long = root.path().join("x".repeat(120));
    let mut command = Command::new(crate::support::child::PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", &long.to_string_lossy()]);
    let server = Child::run(command, Dir::new(), 1);
    assert_eq!(get(server.address, "/healthz").status, 200);
    wait_for("a warning", || server.stderr().contains("its path has more than").then_some(()));
    let args = ["history", "forget", "ann", "--data-dir", &long.to_string_lossy()];
    let (code, _, stderr) = super::run(&args);
    assert!(code == Some(1) && stderr.contains("another squall uses"), "{stderr}");
}

#[test]
fn a_server_whose_history_is_in_memory_opens_no_socket() {
    let root = Dir::new();
    let mut command = Command::new(crate::support::child::PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", root.arg(), "--history", "memory"]);
    let server = Child::run(command, Dir::new(), 1);
    assert_eq!(get(server.address, "/healthz").status, 200);
    assert!(!root.path().join("control.sock").exists());
}
