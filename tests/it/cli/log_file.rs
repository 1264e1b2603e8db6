//! The file of the access log: its rights, its rotation, and descriptors in place of a file.

use crate::support::child::PROGRAM;
use crate::support::{Child, Client, Dir, get, wait_for};
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

const LINE: &str = "\"GET /plaintext HTTP/1.1\" 200 13 ";

fn lines_of(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().filter(|line| line.contains(LINE)).count())
}

#[test]
fn a_renamed_log_is_left_at_a_signal() {
    for signal in ["USR1", "HUP"] {
        let dir = Dir::new();
        let (log, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
        let child = Child::start(&["--access-log", log.to_str().expect("a path")], &[]);
        let mut client = Client::connect(child.address);
        let ask = "GET /plaintext HTTP/1.1\r\nHost: squall\r\n\r\n";
        client.ask(ask);
        wait_for("the first line", || (lines_of(&log) == 1).then_some(()));
        fs::rename(&log, &old).expect("it is renamed");
        client.ask(ask);
        wait_for("the second line", || (lines_of(&old) == 2).then_some(()));
        child.signal(signal);
        wait_for("a new file", || log.exists().then_some(()));
        // The connection from before is still served, and its lines go into the new file.
        client.ask(ask);
        wait_for("the third line", || (lines_of(&log) == 1).then_some(()));
        assert_eq!(lines_of(&old), 2, "{signal}");
    }
}

#[test]
fn a_log_that_cannot_be_reopened_goes_on_in_the_old_file() {
    let dir = Dir::new();
    let (folder, moved) = (dir.path().join("logs"), dir.path().join("moved"));
    fs::create_dir(&folder).expect("a directory");
    let log = folder.join("access.log");
    let child = Child::start(&["--access-log", log.to_str().expect("a path")], &[]);
    fs::rename(&folder, &moved).expect("it is renamed");
    child.signal("USR1");
    wait_for("the reason", || child.stderr().contains("access log stays in the old file").then_some(()));
    get(child.address, "/plaintext");
    wait_for("the line", || (lines_of(&moved.join("access.log")) == 1).then_some(()));
    // The next signal tries again.
    fs::create_dir(&folder).expect("a directory");
    child.signal("USR1");
    wait_for("a new file", || log.exists().then_some(()));
}

#[test]
fn signals_of_a_rotation_end_no_server() {
    for args in [&[][..], &["--access-log", "-"], &["--access-log", "/dev/stderr"], &["--access-log", "/dev/null"]] {
        let child = Child::start(args, &[]);
        for signal in ["USR1", "HUP", "USR1"] {
            child.signal(signal);
            assert_eq!(get(child.address, "/plaintext").text(), "Hello, World!", "{signal} {args:?}");
        }
    }
}

#[test]
fn a_new_log_is_not_readable_by_others() {
    let dir = Dir::new();
    let log = dir.path().join("access.log");
    let mut command = Command::new("sh");
    // With a umask of 0 the mode is what the program asks for.
    command.args(["-c", "umask 0; exec \"$0\" \"$@\"", PROGRAM, "--listen", "127.0.0.1:0"]);
    let data = Dir::new();
    command.args(["--data-dir", data.arg(), "--access-log", log.to_str().expect("a path")]);
    let child = Child::run(command, data, 1);
    let mode = || fs::metadata(&log).map(|file| file.permissions().mode() & 0o777).ok();
    assert_eq!(mode(), Some(0o640));
    // The mode that an owner has chosen stays, and so does what is in the file.
    fs::set_permissions(&log, fs::Permissions::from_mode(0o604)).expect("it is ours");
    child.signal("USR1");
    get(child.address, "/plaintext");
    wait_for("the line", || (lines_of(&log) == 1).then_some(()));
    assert_eq!(mode(), Some(0o604));
    fs::remove_file(&log).expect("it is ours");
    child.signal("USR1");
    wait_for("a new file", || (mode() == Some(0o640)).then_some(()));
}

#[test]
fn standard_output_may_be_a_socket_or_a_pipe() {
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let data = Dir::new();
        let (mut ours, theirs) = UnixStream::pair().expect("two sockets");
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg(), "--access-log", name]);
        let stdout = Stdio::from(std::os::fd::OwnedFd::from(theirs));
        let mut process = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(command);
        let mut text = String::new();
        let mut more = |text: &mut String| {
            let mut buf = [0; 4096];
            let n = ours.read(&mut buf).expect("it says something");
            text.push_str(&String::from_utf8_lossy(&buf[..n]));
            n
        };
        while !text.contains('\n') {
            if more(&mut text) == 0 {
                let mut why = String::new();
                process.stderr.take().expect("a pipe").read_to_string(&mut why).expect("text");
                panic!("{name}: {why}");
            }
        }
        let address = text.trim().rsplit("http://").next().expect("a URL").trim_end_matches('/').to_owned();
        get(address.parse().expect("an address"), "/plaintext");
        while !text.contains(LINE) && more(&mut text) > 0 {}
        process.kill().expect("it runs");
        process.wait().expect("it is our child");
        assert!(text.contains(LINE), "{name}: {text}");
    }
}
