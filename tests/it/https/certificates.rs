//! The files behind `--tls-cert` and `--tls-key`: read at start, and again on SIGHUP.

use super::{child, connect, serves};
use crate::support::child::PROGRAM;
use crate::support::frames::{Said, text};
use crate::support::tls_client::{certified, certify_anew, flags, open, shown};
use crate::support::{Dir, wait_for};
use rcgen::KeyPair;
use std::process::{Command, Output};

/// Runs the server to its end with these flags: its exit code and what it says.
pub(super) fn refused(args: &[&str]) -> (Option<i32>, String) {
    let data = Dir::new();
    let mut command = Command::new(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", data.arg()]).args(args);
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    assert!(stdout.is_empty(), "it does not say that it listens");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn sighup_loads_a_certificate_for_new_connections() {
    let files = certified();
    let child = child(&files, &[]);
    let mut kept = connect(child.address);
    serves(&mut kept);
    let mut echo = open(child.address, "/echo", "");
    let first = shown(&kept.stream);
    for _ in 0..3 {
        let before = shown(&connect(child.address).stream);
        certify_anew(&files);
        assert!(shown(&connect(child.address).stream) == before, "it was not told");
        child.signal("HUP");
        wait_for("the new certificate", || (shown(&connect(child.address).stream) != before).then_some(()));
        echo.say("still here");
        assert_eq!(echo.heard(), text("still here"));
        serves(&mut kept);
        serves(&mut connect(child.address));
    }
    assert!(shown(&kept.stream) == first);
}

#[test]
fn sighup_does_not_wait_for_a_pipe() {
    let files = certified();
    let child = child(&files, &[]);
    let key = files.path().join("key.pem");
    std::fs::remove_file(&key).expect("it was there");
    assert!(Command::new("mkfifo").arg(&key).status().expect("mkfifo(1) exists").success());
    child.signal("HUP");
    wait_for("a complaint", || child.stderr().contains("key.pem is not a file").then_some(()));
    serves(&mut connect(child.address));
}

#[test]
fn sighup_with_a_broken_file_keeps_the_certificate() {
    let files = certified();
    let child = child(&files, &[]);
    let mut echo = open(child.address, "/echo", "");
    let before = shown(&connect(child.address).stream);
    let fits_not = KeyPair::generate().unwrap().serialize_pem();
    let broken = [("cert.pem", "no certificate"), ("key.pem", "no key"), ("key.pem", fits_not.as_str())];
    for (n, (name, content)) in broken.into_iter().enumerate() {
        certify_anew(&files);
        files.write(name, content);
        child.signal("HUP");
        let stays = "the certificate stays as it was";
        let said = wait_for("a complaint", || {
            let said = child.stderr();
            (said.matches(stays).count() == n + 1).then_some(said)
        });
        let line = said.lines().last().unwrap();
        assert!(line.contains("ERROR") && line.contains(name) && line.contains(files.arg()), "{line}");
        assert!(shown(&connect(child.address).stream) == before);
        echo.say("still here");
        assert_eq!(echo.heard(), text("still here"));
    }
    // Once mended, it is taken.
    certify_anew(&files);
    child.signal("HUP");
    wait_for("the new certificate", || (shown(&connect(child.address).stream) != before).then_some(()));
    child.signal("TERM");
    assert_eq!(echo.heard(), Said::Close(Some(1001), "server restarts".into()));
}

#[test]
fn bad_certificate_file_is_named_with_its_fault() {
    let other = KeyPair::generate().unwrap().serialize_pem();
    let key = "-----BEGIN PRIVATE KEY-----\n";
    type Spoil<'a> = (&'a str, Option<&'a str>, &'a str);
    let cases: [Spoil; 10] = [
        ("cert.pem", None, "No such file"),
        ("key.pem", None, "No such file"),
        ("cert.pem", Some(""), "holds no certificate"),
        ("cert.pem", Some(&other), "holds no certificate"),
        ("key.pem", Some(""), "holds no unencrypted private key"),
        ("key.pem", Some(key), "damaged"),
        ("cert.pem", Some("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"), "not Base64"),
        ("cert.pem", Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "certificate is damaged"),
        ("key.pem", Some(&other), "the key is not the certificate's"),
        ("key.pem", Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "ECDSA with P-256"),
    ];
    for (name, content, why) in cases {
        let files = certified();
        match content {
            Some(content) => files.write(name, content),
            None => std::fs::remove_file(files.path().join(name)).unwrap(),
        }
        let (code, said) = refused(&flags(&files).each_ref().map(String::as_str));
        let path = format!("{}/{name}", files.arg());
        assert!(code == Some(1) && said.contains(&path) && said.contains(why), "{name}, {why}: {code:?} {said}");
        assert!(said.starts_with("squall: --tls-") && said.lines().count() == 1, "{said}");
    }
    let files = certified();
    let [cert, _, key, _] = flags(&files);
    // A directory is no file.
    let (code, said) = refused(&[&cert, files.arg(), &key, files.arg()]);
    assert!(code == Some(1) && said.contains(files.arg()) && said.contains("cannot be read"), "{said}");
}

#[test]
fn bad_root_is_named_with_its_flag_and_file() {
    let files = certified();
    files.write("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let path = format!("{}/ca.pem", files.arg());
    let (code, said) = refused(&["--search-url", "https://127.0.0.1:1/{}", "--ca-file", &path]);
    let begins = format!("squall: --ca-file {path}: root certificate number 1 is unusable: the certificate is damaged");
    assert!(code == Some(1) && said.starts_with(&begins) && said.lines().count() == 1, "{code:?} {said}");
}

#[test]
fn one_file_may_hold_both() {
    let files = certified();
    let read = |name: &str| std::fs::read_to_string(files.path().join(name)).unwrap();
    let both = Dir::new();
    let together = format!("# both\n{}{}", read("key.pem"), read("cert.pem"));
    both.write("cert.pem", &together);
    both.write("key.pem", &together);
    serves(&mut connect(child(&both, &[]).address));
}

#[test]
fn incomplete_tls_flags_are_a_wrong_command_line() {
    let files = certified();
    let [cert, cert_file, key, key_file] = flags(&files);
    for args in [
        &[cert.as_str(), &cert_file][..],
        &[&key, &key_file],
        &["--redirect-http", "127.0.0.1:0"],
        &[&cert, &cert_file, &key, &key_file, "--redirect-http", "nonsense"],
    ] {
        let (code, said) = refused(args);
        assert!(code == Some(2) && said.contains("--"), "{args:?}: {code:?} {said}");
    }
}
