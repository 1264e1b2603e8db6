//! The cookie secret: what is refused, what is warned about, and how long a login lives.

use super::run;
use crate::support::client::post_login;
use crate::support::{Child, Dir, get};
use std::os::unix::fs::PermissionsExt;

/// A file with these bytes, readable by its owner only.
fn secret(bytes: &[u8]) -> (Dir, String) {
    let dir = Dir::new();
    dir.write("secret", bytes);
    let path = dir.path().join("secret");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn a_short_secret_is_refused() {
    for bytes in [&b"abc"[..], b"abc\n", b"fifteen bytes..", b"fifteen bytes..\n", b"x"] {
        let (_dir, path) = secret(bytes);
        let data = Dir::new();
        let (code, _, stderr) =
            run(&["--listen", "127.0.0.1:0", "--data-dir", data.arg(), "--cookie-secret-file", &path]);
        assert!(code == Some(1) && stderr.contains(&path) && stderr.contains("at least 16"), "{bytes:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    // The same where it lies in the data directory.
    let data = Dir::new();
    data.write("cookie-secret", "short");
    let (code, _, stderr) = run(&["--listen", "127.0.0.1:0", "--data-dir", data.arg()]);
    assert!(code == Some(1) && stderr.contains("at least 16"), "{stderr}");
    let (_dir, path) = secret(b"sixteen bytes...\n");
    assert_eq!(get(Child::start(&["--cookie-secret-file", &path], &[]).address, "/").status, 200);
}

#[test]
fn a_secret_with_a_byte_order_mark_is_refused() {
    let long = "a secret of many bytes";
    let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        mark.into_iter().chain(long.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
    };
    for bytes in [
        [b"\xef\xbb\xbf", long.as_bytes()].concat(),
        utf16([0xff, 0xfe], u16::to_le_bytes),
        utf16([0xfe, 0xff], u16::to_be_bytes),
        b"\xef\xbb\xbf".to_vec(),
    ] {
        let (_dir, path) = secret(&bytes);
        let data = Dir::new();
        let (code, _, stderr) =
            run(&["--listen", "127.0.0.1:0", "--data-dir", data.arg(), "--cookie-secret-file", &path]);
        let said = stderr.contains(&path) && stderr.contains("byte-order mark") && stderr.lines().count() == 1;
        assert!(code == Some(1) && said, "{bytes:?}: {stderr}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_warned_about() {
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true), (0o604, true), (0o620, true)] {
        let (_dir, path) = secret(b"a secret of many bytes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let child = Child::start(&["--cookie-secret-file", &path], &[]);
        let stderr = child.last_words();
        let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("WARN")).collect();
        assert_eq!(lines.len(), usize::from(warned), "{mode:o}: {stderr}");
        if let Some(line) = lines.first() {
            assert!(
                line.contains(&path) && line.contains(&format!("{mode:04o}")) && line.contains("chmod 600"),
                "{line}"
            );
        }
    }
    let child = Child::start(&[], &[]);
    assert!(!child.last_words().contains("WARN"), "the one that it has made itself");
}

#[test]
fn a_login_lives_30_days_for_the_browser() {
    let child = Child::start(&[], &[]);
    let response = post_login(child.address, "ann", "");
    assert!(response.field("set-cookie").unwrap().contains("; Max-Age=2592000; "), "{}", response.head);
}
