//! Paths that would leave `--www`, and files in it that are none.

use super::ask;
use crate::support::{Child, Client, Dir, Site};
use squall::config::Limits;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn a_path_leaves_the_folder_in_no_spelling() {
    let www = Dir::new();
    www.write("secret.txt", "secret");
    www.write("static/in/side.txt", "inside");
    let site = Site::start(Limits::default(), &["--www", www.arg()]);
    let ups =
        ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%00", "..;", "%c0%ae%c0%ae", "%u002e.", "..%20", "in/.."];
    let slashes = ["/", "%2f", "%2F", "\\", "%5c", "%255c", "%252f", "//", "/./", "%c0%af", "%e2%88%95"];
    for up in ups {
        for slash in slashes {
            for target in [
                format!("/static{slash}{up}{slash}secret.txt"),
                format!("/static/in{slash}{up}{slash}{up}{slash}secret.txt"),
                format!("/static/{up}{slash}{up}{slash}{up}{slash}{up}{slash}etc{slash}passwd"),
                format!("/static/in/side.txt{slash}{up}{slash}{up}{slash}{up}{slash}secret.txt"),
            ] {
                let response = ask(site.address, &format!("GET {target}"), "");
                assert!([400, 404].contains(&response.status), "{target}: {} {}", response.status, response.text());
            }
        }
    }
    assert_eq!(ask(site.address, "GET /static/in%2fside.txt", "").text(), "inside", "an encoded slash is a slash");
}

#[test]
fn a_special_file_is_404_at_once() {
    let www = Dir::new();
    www.write("static/file.txt", "file");
    let path = |name: &str| www.path().join("static").join(name);
    assert!(Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo(1) exists").success());
    let _listener = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    for (name, leads_to) in [("zero", "/dev/zero"), ("tty", "/dev/tty"), ("loop", "loop"), ("gone", "/nonexistent")] {
        symlink(leads_to, path(name)).unwrap();
    }
    let site = Site::start(Limits::default(), &["--www", www.arg()]);
    for name in ["pipe", "socket", "folder", "zero", "tty", "gone", "file.txt/x"] {
        assert_eq!(ask(site.address, &format!("GET /static/{name}"), "").status, 404, "{name}");
    }
    assert_eq!(ask(site.address, "GET /static/loop", "").status, 403, "a link to itself is a mistake of the owner");
    assert_eq!(ask(site.address, "GET /static/file.txt", "").text(), "file");
}

/// As with nginx: an owner who may put a link into the folder may as well put the file there.
#[test]
fn a_link_that_the_owner_put_there_is_followed() {
    let (www, elsewhere) = (Dir::new(), Dir::new());
    elsewhere.write("shared.txt", "shared");
    www.write("static/x", "");
    symlink(elsewhere.path().join("shared.txt"), www.path().join("static/link.txt")).unwrap();
    let site = Site::start(Limits::default(), &["--www", www.arg()]);
    assert_eq!(ask(site.address, "GET /static/link.txt", "").text(), "shared");
}

#[test]
fn a_file_that_grows_without_end_is_cut() {
    let www = Dir::new();
    www.write("static/long.txt", vec![b'x'; 2_000]);
    let limits = Limits { www_file_bytes_max: 1_000, ..Limits::default() };
    let site = Site::start(limits, &["--www", www.arg()]);
    assert_eq!(ask(site.address, "GET /static/long.txt", "").status, 500);
    // A file of /proc says that it is empty, and is not.
    symlink("/proc/self/maps", www.path().join("static/maps.txt")).unwrap();
    assert_eq!(ask(site.address, "GET /static/maps.txt", "").body.len(), 1_000);
}

/// The lines about one file.
fn complaints(stderr: &str, name: &str) -> usize {
    stderr.lines().filter(|line| line.contains(name)).count()
}

#[test]
fn an_unreadable_file_is_403_and_logged_once_a_minute() {
    let www = Dir::new();
    www.write("static/large.bin", "");
    let large = std::fs::File::create(www.path().join("static/large.bin")).unwrap();
    large.set_len(17 << 20).unwrap();
    let path = |name: &str| www.path().join("static").join(name);
    symlink("loop", path("loop")).unwrap();
    symlink("pong", path("ping")).unwrap();
    symlink("ping", path("pong")).unwrap();
    symlink("pong/below", path("chat.js")).unwrap();
    let child = Child::start(&["--www", www.arg()], &[]);
    let mut client = Client::connect(child.address);
    let cases =
        [("loop", 403), ("ping", 403), ("pong/x", 403), ("chat.js", 403), ("large.bin", 500), ("none.txt", 404)];
    for _ in 0..20 {
        for (name, status) in cases {
            let response = client.ask(format!("GET /static/{name} HTTP/1.1\r\nHost: squall\r\n\r\n"));
            assert_eq!(response.status, status, "{name}");
            assert!(status == 404 || response.text() == "This file cannot be read.\n", "{}", response.text());
        }
    }
    let stderr = child.last_words();
    for (name, status) in cases {
        let lines = complaints(&stderr, &format!("static/{name}"));
        assert_eq!(lines, usize::from(status != 404), "{name}: {stderr}");
    }
}

#[test]
fn names_in_an_unreadable_folder_do_not_fill_the_log() {
    let www = Dir::new();
    www.write("static/x", "");
    symlink("loop", www.path().join("static/loop")).unwrap();
    let child = Child::start(&["--www", www.arg()], &[]);
    let mut client = Client::connect(child.address);
    for n in 0..1_000 {
        let response = client.ask(format!("GET /static/loop/{n} HTTP/1.1\r\nHost: squall\r\n\r\n"));
        assert_eq!(response.status, 403);
    }
    let lines = complaints(&child.last_words(), "static/loop/");
    assert!((1..=65).contains(&lines), "{lines} lines");
}
