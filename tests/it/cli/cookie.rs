//! `squall cookie`: a script that is logged in.

use super::run;
use crate::support::{Client, Dir, Site};
use squall::config::Limits;

#[test]
fn a_script_is_logged_in_with_the_secret_of_the_server() {
    let data = Dir::new();
    data.write("cookie-secret", "a secret of many bytes");
    let path = data.path().join("cookie-secret").to_str().expect("text").to_owned();
    let site = Site::start(Limits::default(), &["--cookie-secret-file", &path]);
    for flags in [["--data-dir", data.arg()], ["--cookie-secret-file", &path]] {
        let (code, cookie, _) = run(&[&["cookie", "张三"], &flags[..]].concat());
        assert_eq!((code, cookie.lines().count()), (Some(0), 1));
        let line = format!("GET /api/rooms HTTP/1.1\r\nHost: squall\r\nCookie: {}\r\n\r\n", cookie.trim_end());
        assert_eq!(Client::connect(site.address).ask(line).status, 200, "{cookie}");
    }
}

#[test]
fn a_cookie_needs_a_name_and_a_secret() {
    let data = Dir::new();
    for (name, why) in [("a:b", "is no name"), ("", "is no name"), ("ann", "there is no cookie secret")] {
        let (code, stdout, stderr) = run(&["cookie", name, "--data-dir", data.arg()]);
        assert!(code == Some(1) && stderr.contains(why) && stderr.lines().count() == 1, "{stderr}");
        assert_eq!(stdout, "");
    }
    assert!(!data.path().join("cookie-secret").exists(), "it makes none");
}
