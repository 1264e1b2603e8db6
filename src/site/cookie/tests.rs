use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const SECRET: &[u8] = b"__TODO:_GENERATE_YOUR_OWN_RANDOM_VALUE_HERE__";
const THEN: u64 = 1_700_000_000;
const ALICE: &str =
    "2|1:0|10:1700000000|8:username|8:YWxpY2U=|4b414fcb46b1b73b7a383282275d30bbeb05694a6630a5d34ea2690afa089794";
const ZHANG: &str =
    "2|1:0|10:1700000000|8:username|8:5byg5LiJ|e473a8650b1481f654fe83c91d7f1a7735512469ff9b9e8804ab99547917893e";

fn signer() -> Signer {
    Signer::new(SECRET)
}

/// The value inside, if it is valid.
fn verify(name: &str, signed: &str, unix_seconds: u64) -> Option<Vec<u8>> {
    signer().verify(name, signed, unix_seconds).map(|signed| signed.value)
}

/// Signs any message, also a malformed one.
fn seal(message: &str) -> String {
    let mac = signer().keyed.chain_update(message).finalize().into_bytes();
    message.to_owned() + &mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
}

/// A path without a file: of a temporary directory that is removed again.
fn directory(name: &str) -> PathBuf {
    tempfile::TempDir::with_prefix(format!("squall-cookie-{name}-")).unwrap().path().to_owned()
}

#[test]
fn signed_cookies_equal_tornados() {
    assert_eq!(signer().sign("username", b"alice", THEN), ALICE);
    assert_eq!(signer().sign("username", "张三".as_bytes(), THEN), ZHANG);
}

#[test]
fn cookies_of_tornado_are_accepted() {
    assert_eq!(verify("username", ALICE, THEN).as_deref(), Some(&b"alice"[..]));
    assert_eq!(verify("username", ZHANG, THEN + 5).as_deref(), Some("张三".as_bytes()));
}

#[test]
fn every_changed_byte_makes_it_no_cookie() {
    for at in 0..ALICE.len() {
        let mut bytes = ALICE.as_bytes().to_vec();
        bytes[at] ^= 1;
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(verify("username", &changed, THEN), None, "byte {at}");
        assert_eq!(verify("username", &ALICE[..at], THEN), None, "cut at {at}");
    }
    let loud = ALICE.replace("4b414fcb", "4B414FCB");
    assert_eq!(verify("username", &loud, THEN), None, "Tornado writes lower case only");
}

#[test]
fn another_secret_or_name_makes_it_no_cookie() {
    assert_eq!(Signer::new(b"other").verify("username", ALICE, THEN), None);
    assert_eq!(verify("user", ALICE, THEN), None);
}

#[test]
fn a_signature_is_valid_for_30_days() {
    let days = |n: u64| THEN + n * 24 * 3600;
    assert!(verify("username", ALICE, days(30)).is_some());
    assert!(verify("username", ALICE, days(30) + 1).is_none());
    assert!(set_cookie("username", ALICE, false).contains(&format!("; Max-Age={}; ", days(30) - THEN)));
    assert!(verify("username", ALICE, 0).is_some(), "a clock that runs behind");
}

#[test]
fn a_well_signed_message_of_another_shape_is_no_cookie() {
    let good = "2|1:0|10:1700000000|8:username|8:YWxpY2U=|";
    assert_eq!(seal(good), ALICE);
    for bad in [
        "1|1:0|10:1700000000|8:username|8:YWxpY2U=|",
        "2|1:1|10:1700000000|8:username|8:YWxpY2U=|",
        "2|1:0|10:17000000xx|8:username|8:YWxpY2U=|",
        "2|1:0|10:1700000000|8:username|8:YWxpY2!=|",
        "2|1:0|10:1700000000|8:username|8:YWxpY2U=|1:x|",
        "2|1:0|10:1700000000|8:username|99:YWxpY2U=|",
        "2|1:0|10:1700000000|8:username|7:YWxpY2U=|",
        "2|1:0|10:1700000000|8:username|",
        "2|1:0|9:1700000000|8:username|8:YWxpY2U=|",
        "2|1:0|2:张|8:username|8:YWxpY2U=|",
        "2|99999999999999999999999:0|",
        "|",
    ] {
        assert_eq!(verify("username", &seal(bad), THEN), None, "{bad}");
    }
    assert_eq!(verify("username", "", THEN), None);
}

#[test]
fn a_cookie_is_found_among_others_in_either_form() {
    let find = |fields: &[&'static str]| find(fields.iter().map(|f| f.as_bytes()), "username").map(Cow::into_owned);
    assert_eq!(find(&["username=a"]).as_deref(), Some("a"));
    assert_eq!(find(&["x=1; username=2|1:0|8:YWxpY2U=|ff; y=2"]).as_deref(), Some("2|1:0|8:YWxpY2U=|ff"));
    assert_eq!(find(&["x=1", "username=\"2|8:YWxpY2U=|ff\";y"]).as_deref(), Some("2|8:YWxpY2U=|ff"));
    assert_eq!(find(&[r#"username="a\"b\\c\073\303\251""#]).as_deref(), Some("a\"b\\c;é"));
    assert_eq!(find(&["username=first; username=last"]).as_deref(), Some("last"));
    assert_eq!(find(&["username=\""]).as_deref(), Some("\""), "one quote is not a pair");
    assert_eq!(find(&["username="]).as_deref(), Some(""));
    assert_eq!(find(&["usernames=a; user=b; username"]), None);
    assert_eq!(find(&[r#"username="\377""#]), None, "not UTF-8");
    assert_eq!(super::find([&b"username=\xff"[..]].into_iter(), "username"), None);
}

#[test]
fn a_cookie_that_was_set_is_found_and_verified() {
    let field = set_cookie("username", &signer().sign("username", "张三 / 😀?".as_bytes(), THEN), false);
    let (pair, attributes) = field.split_once("; ").unwrap();
    assert_eq!(attributes, "Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax");
    let found = find([pair.as_bytes()].into_iter(), "username").unwrap();
    assert_eq!(verify("username", &found, THEN + 1), Some("张三 / 😀?".into()));
}

#[test]
fn a_secure_cookie_is_cleared_by_a_secure_one() {
    assert!(set_cookie("username", "x", true).ends_with("; Secure"));
    assert_eq!(clear_cookie("username", true), "username=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure");
    assert_eq!(clear_cookie("username", false), "username=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
}

#[test]
fn the_first_start_makes_a_secret_and_the_second_reads_it() {
    let dir = directory("made");
    let secret = load_secret(None, &dir.join("deep")).unwrap();
    assert_eq!(secret.len(), 64);
    assert!(secret.iter().all(u8::is_ascii_hexdigit));
    assert_eq!(load_secret(None, &dir.join("deep")).unwrap(), secret);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.join("deep/cookie-secret")), 0o600);
    assert_eq!(mode(&dir.join("deep")), 0o700);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn programs_that_start_at_once_share_one_whole_secret() {
    for round in 0..20 {
        let dir = directory(&format!("race-{round}"));
        let gate = std::sync::Barrier::new(2);
        let start = || {
            gate.wait();
            load_secret(None, &dir).unwrap()
        };
        let (one, other) = std::thread::scope(|scope| {
            let threads = [scope.spawn(start), scope.spawn(start)];
            let [one, other] = threads.map(|thread| thread.join().unwrap());
            (one, other)
        });
        assert_eq!((one.len(), &one), (64, &other));
        let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["cookie-secret"], "nothing else is left");
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn one_trailing_line_end_byte_is_not_part_of_the_secret() {
    let dir = directory("trailing");
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("secret");
    for (end, kept) in [("", ""), ("\n", ""), ("\r", ""), ("\r\n", "\r"), ("\n\n", "\n")] {
        let key = "a key of 16 byte";
        fs::write(&file, format!("{key}{end}")).unwrap();
        assert_eq!(load_secret(Some(&file), &dir).unwrap(), format!("{key}{kept}").as_bytes(), "{end:?}");
    }
    assert!(!dir.join("cookie-secret").exists(), "nothing is made where a file is named");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_unusable_secret_is_refused_with_a_sentence() {
    let dir = directory("refused");
    let file = dir.join("secret");
    assert!(load_secret(Some(&file), &dir).unwrap_err().contains("--cookie-secret-file"));
    fs::create_dir_all(&dir).unwrap();
    for empty in ["", "\n"] {
        fs::write(&file, empty).unwrap();
        assert!(load_secret(Some(&file), &dir).unwrap_err().contains("is empty"));
    }
    for (written, least) in
        [("15 bytes of key", "has 15 bytes"), ("15 bytes of key\n", "has 15 bytes"), ("x\n", "1 bytes")]
    {
        fs::write(&file, written).unwrap();
        let why = load_secret(Some(&file), &dir).unwrap_err();
        assert!(why.contains(least) && why.contains("at least 16") && why.contains("openssl rand"), "{why}");
    }
    let utf16: Vec<u8> = "\u{feff}a long random line".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for marked in ["\u{feff}a long random line".as_bytes(), &utf16, b"\xfe\xff\0a", b"\xef\xbb\xbf"] {
        fs::write(&file, marked).unwrap();
        assert!(load_secret(Some(&file), &dir).unwrap_err().contains("begins with a byte-order mark"), "{marked:?}");
    }
    let endless = load_secret(Some(Path::new("/dev/zero")), &dir).unwrap_err();
    assert!(endless.contains("longer than 65536 bytes"), "{endless}");
    assert!(load_secret(None, &file).unwrap_err().contains("--data-dir"), "DATA_DIR is a file");
    fs::create_dir(dir.join("cookie-secret")).unwrap();
    assert!(load_secret(None, &dir).unwrap_err().contains("cannot be read"));
    fs::remove_dir_all(dir).unwrap();
}

/// The errors of link(2) without hard links, or without permission: EPERM, EACCES, EMLINK, EXDEV, ENOSYS,
/// ENOTSUP (EOPNOTSUPP), EINVAL.
fn link_errors() -> [i32; 7] {
    [libc::EPERM, libc::EACCES, libc::EMLINK, libc::EXDEV, libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL]
}

#[test]
fn a_disk_without_hard_links_gets_a_secret_too() {
    for errno in link_errors() {
        let dir = directory(&format!("unlinked-{errno}"));
        let path = dir.join("cookie-secret");
        let without_links = |_: &Path, _: &Path| Err(std::io::Error::from_raw_os_error(errno));
        make_secret(&dir, &path, without_links).unwrap();
        let secret = load_secret(None, &dir).unwrap();
        assert!(secret.len() == 64 && secret.iter().all(u8::is_ascii_hexdigit));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        make_secret(&dir, &path, without_links).unwrap();
        assert_eq!(load_secret(None, &dir).unwrap(), secret, "the next start changes nothing");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing else is left");
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn without_hard_links_programs_still_share_one_whole_secret() {
    for round in 0..50 {
        let dir = directory(&format!("unlinked-race-{round}"));
        let gate = std::sync::Barrier::new(4);
        let start = || {
            gate.wait();
            let path = dir.join("cookie-secret");
            make_secret(&dir, &path, |_, _| Err(std::io::Error::from_raw_os_error(libc::EPERM))).unwrap();
            await_secret(&path);
            read_secret(&path).unwrap()
        };
        let secrets =
            std::thread::scope(|scope| [(); 4].map(|()| scope.spawn(start)).map(|thread| thread.join().unwrap()));
        assert!(secrets.iter().all(|secret| secret.len() == 64 && *secret == secrets[0]), "{secrets:?}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing else is left");
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn a_secret_cut_by_a_crash_is_never_used() {
    let dir = directory("crashed");
    fs::create_dir_all(&dir).unwrap();
    // Before the name was claimed: a file of another name, perhaps cut. It is not read.
    fs::write(dir.join("cookie-secret.0123456789abcdef"), "0123456789abcdef").unwrap();
    let without_links = |_: &Path, _: &Path| Err(std::io::Error::from_raw_os_error(libc::EPERM));
    make_secret(&dir, &dir.join("cookie-secret"), without_links).unwrap();
    assert_eq!(load_secret(None, &dir).unwrap().len(), 64);
    // Between the name and its content: an empty file. It is refused after the wait.
    fs::write(dir.join("cookie-secret"), "").unwrap();
    let why = load_secret(None, &dir).unwrap_err();
    assert!(why.contains("is empty") && why.contains("remove it"), "{why}");
    // A program that still writes is waited for.
    let whole = dir.join("whole");
    fs::write(&whole, "a secret of many bytes").unwrap();
    let secret = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            fs::rename(&whole, dir.join("cookie-secret")).unwrap();
        });
        load_secret(None, &dir).unwrap()
    });
    assert_eq!(secret, b"a secret of many bytes");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_disk_that_cannot_hold_a_secret_is_named() {
    let dir = directory("refusing");
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join("cookie-secret");
    // The whole file vanishes before it gets its name: the claim must not stay.
    let thief = |whole: &Path, _: &Path| {
        fs::remove_file(whole)?;
        Err(std::io::Error::from_raw_os_error(libc::EPERM))
    };
    let why = make_secret(&dir, &path, thief).unwrap_err();
    assert!(why.contains("cannot be made") && why.contains("--data-dir"), "{why}");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    fs::remove_dir_all(dir).unwrap();
}
