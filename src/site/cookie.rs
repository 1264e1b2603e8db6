//! The login cookie: Tornado's signed format, version 2, and the secret it is signed with.
//!
//! ```text
//! 2|LEN:KEYVER|LEN:TIMESTAMP|LEN:NAME|LEN:BASE64(value)|HEX
//! ```
//!
//! HEX is HMAC-SHA256 of everything before it. A Tornado application with the same secret accepts our cookies, and we
//! accept its own. In go header fields and the time, out come values and a Set-Cookie field. `login` judges the value.
//! Version 1 (HMAC-SHA1) and key maps are not supported.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::borrow::Cow;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// Life of a login, seconds, for the browser (Max-Age) and for the check of the signature: 30 days. Tornado has the
/// same Max-Age, and a check of 31 days.
pub const LIFE_SECONDS: u64 = 30 * 24 * 3600;
/// The shortest secret, bytes: the owner of one cookie could try out fewer than 128 bits.
const SECRET_BYTES_MIN: usize = 16;
/// The longest secret, bytes: a longer file is another one, or a device without an end.
const SECRET_BYTES_MAX: usize = 64 << 10;
/// Byte-order marks, which some editors put in front of text. They would be an invisible part of the key.
const MARKS: [(&[u8], &str); 4] =
    [(b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\0\0\xfe\xff", "UTF-32")];
/// Checks of an empty secret, 10 ms apart: another program that makes it takes less time.
const CHECKS_MAX: u32 = 100;
/// The generated secret, in DATA_DIR.
pub const SECRET_FILE: &str = "cookie-secret";

/// What a valid signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub value: Vec<u8>,
    /// When it was signed, seconds since 1970; perhaps in the future.
    pub at: u64,
}

/// Signs and verifies with one secret.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl Signer {
    /// A signer with the secret's bytes as HMAC key, of any length.
    pub fn new(secret: &[u8]) -> Signer {
        Signer { keyed: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// The signed form of `value` under the cookie's `name`, made at `unix_seconds`. It needs no quotes in a cookie.
    pub fn sign(&self, name: &str, value: &[u8], unix_seconds: u64) -> String {
        let mut signed = String::from("2|");
        for field in ["0", &unix_seconds.to_string(), name, &STANDARD.encode(value)] {
            signed.push_str(&format!("{}:{field}|", field.len()));
        }
        let mac = self.keyed.clone().chain_update(&signed).finalize().into_bytes();
        mac.iter().for_each(|byte| signed.push_str(&format!("{byte:02x}")));
        signed
    }

    /// A number that stands for the secret, and tells nothing of it.
    pub fn fingerprint(&self) -> u64 {
        let mac = self.keyed.clone().chain_update("fingerprint").finalize().into_bytes();
        mac.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    /// The value inside `signed` and its time; `None` unless it is version 2, key version 0, signed with this secret
    /// under this name, and at most 30 days old at `unix_seconds`. A time in the future is accepted, as in Tornado: only
    /// an owner of the secret can have written it.
    pub fn verify(&self, name: &str, signed: &str, unix_seconds: u64) -> Option<Signed> {
        let (message, mac) = signed.split_at(signed.rfind('|')? + 1);
        // verify_slice takes the same time wherever the first difference is.
        self.keyed.clone().chain_update(message).verify_slice(&parse_hex(mac)?).ok()?;
        let rest = message.strip_prefix("2|")?;
        let (key_version, rest) = parse_field(rest)?;
        let (timestamp, rest) = parse_field(rest)?;
        let (signed_name, rest) = parse_field(rest)?;
        let (value, rest) = parse_field(rest)?;
        let at = timestamp.parse().ok()?;
        let age = unix_seconds.saturating_sub(at);
        let good = key_version == "0" && signed_name == name && rest.is_empty() && age <= LIFE_SECONDS;
        if good { Some(Signed { value: STANDARD.decode(value).ok()?, at }) } else { None }
    }
}

/// Splits `LEN:FIELD|` off: the field, and the text behind the bar.
fn parse_field(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    let length = length.parse::<usize>().ok()?;
    Some((rest.get(..length)?, rest.get(length..)?.strip_prefix('|')?))
}

/// 64 lower-case hex digits.
fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| std::array::from_fn(|n| u8::from_str_radix(&text[2 * n..][..2], 16).unwrap_or_default()))
}

/// The value of cookie `name` in the Cookie fields of a request, as in Tornado: the last one of that name, quoted or
/// not. `None` also where it is not UTF-8.
pub fn find<'a>(cookie_headers: impl Iterator<Item = &'a [u8]>, name: &str) -> Option<Cow<'a, str>> {
    let pairs = cookie_headers.flat_map(|field| field.split(|&byte| byte == b';')).filter_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    });
    let (_, value) = pairs.filter(|pair| pair.0 == name.as_bytes()).last()?;
    let value = std::str::from_utf8(value).ok()?;
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        None => Some(Cow::Borrowed(value)),
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        Some(inner) => String::from_utf8(unescape(inner.as_bytes())).ok().map(Cow::Owned),
    }
}

/// Decodes `\"`, `\\` and `\ooo`, with which Python's http.cookies writes bytes that a cookie may not have.
fn unescape(quoted: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            (b'\\', [escaped, after @ ..]) => {
                plain.push(*escaped);
                after
            }
            _ => {
                plain.push(byte);
                after
            }
        };
    }
    plain
}

/// The Set-Cookie field that gives a browser the `signed` login for 30 days.
pub fn set_cookie(name: &str, signed: &str, secure: bool) -> String {
    field(name, signed, LIFE_SECONDS, secure)
}

/// The Set-Cookie field that removes the login. The attributes are those of [`set_cookie`], or a browser would not
/// replace the one by the other.
pub fn clear_cookie(name: &str, secure: bool) -> String {
    field(name, "", 0, secure)
}

fn field(name: &str, value: &str, max_age: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// The secret's bytes: of `file`, else of `DATA_DIR/cookie-secret`, which is made at the first start (64 hex digits,
/// mode 0600, in a directory of mode 0700).
///
/// One trailing byte CR or LF is removed, since editors add a line end; a CR LF leaves the CR.
///
/// # Errors
/// A sentence with the file, the problem and what to do.
pub fn load_secret(file: Option<&Path>, data_dir: &Path) -> Result<Vec<u8>, String> {
    match file {
        Some(file) => read_secret(file),
        None => {
            let path = data_dir.join(SECRET_FILE);
            make_secret(data_dir, &path, |from, to| fs::hard_link(from, to))?;
            await_secret(&path);
            read_secret(&path)
        }
    }
}

fn read_secret(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let mut secret = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut secret));
    read.map_err(|e| {
        format!(
            "the cookie secret {shown} cannot be read: {e}; make it readable, or name another with --cookie-secret-file"
        )
    })?;
    if let Some((_, encoding)) = MARKS.iter().find(|(mark, _)| secret.starts_with(mark)) {
        return Err(format!(
            "the cookie secret {shown} begins with a byte-order mark ({encoding}), which would be part of the key; \
             write it without one, in ASCII"
        ));
    }
    if let Some(b'\r' | b'\n') = secret.last() {
        secret.pop();
    }
    match secret.len() {
        0 => return Err(format!("the cookie secret {shown} is empty; put a long random line in it, or remove it")),
        1..SECRET_BYTES_MIN => {
            return Err(format!(
                "the cookie secret {shown} has {} bytes, and needs at least {SECRET_BYTES_MIN}; put a long random line \
                 in it, such as that of: openssl rand -hex 32",
                secret.len()
            ));
        }
        SECRET_BYTES_MIN..=SECRET_BYTES_MAX => {}
        _ => {
            return Err(format!(
                "the cookie secret {shown} is longer than {SECRET_BYTES_MAX} bytes: is it another file?"
            ));
        }
    }
    if let Some(mode) = open_to_others(path) {
        log::warn!(
            "the cookie secret {shown} is open to others than its owner (mode {mode:04o}): chmod 600 {shown}; a disk \
             without modes can be mounted with umask=077"
        );
    }
    Ok(secret)
}

/// The mode of a file that its group or others may read or write.
pub(super) fn open_to_others(path: &Path) -> Option<u32> {
    let facts = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mode = facts.permissions().mode() & 0o7777;
    (mode & 0o066 != 0).then_some(mode)
}

/// Makes the secret unless it exists. It gets its name when it is whole, so of programs that start at once one makes
/// it, and none ever reads half of it. `link` is [`fs::hard_link`].
fn make_secret(data_dir: &Path, path: &Path, link: impl Fn(&Path, &Path) -> std::io::Result<()>) -> Result<(), String> {
    let failed = |what: &Path, e: &dyn std::fmt::Display| {
        format!("{} cannot be made: {e}; choose another directory with --data-dir", what.display())
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|e| failed(data_dir, &e))?;
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let temporary = data_dir.join(format!("{SECRET_FILE}.{}", random_digits::<8>().map_err(|e| failed(path, &e))?));
    let digits = random_digits::<32>().map_err(|e| failed(path, &e))?;
    let written = create_new(&temporary).and_then(|mut file| {
        file.write_all(digits.as_bytes())?;
        file.sync_all()
    });
    // A link never replaces a file; a rename would.
    let named = written.and_then(|()| match link(&temporary, path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => claim(&temporary, path),
        linked => linked,
    });
    let _ = fs::remove_file(&temporary);
    match named {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(failed(path, &e)),
        _ => Ok(()),
    }
}

/// Gives the file its name where there are no hard links (FAT, exFAT, SMB, FUSE, Android: EPERM, ENOTSUP, ENOSYS,
/// EACCES). `O_EXCL` lets only one program make an empty file of that name, and the whole one replaces it. A crash
/// between the two leaves it empty, which no program accepts as a secret.
fn claim(whole: &Path, path: &Path) -> std::io::Result<()> {
    create_new(path)?;
    fs::rename(whole, path).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn create_new(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Waits until another program that has claimed the name has written the secret, a second at most.
fn await_secret(path: &Path) {
    for _ in 0..CHECKS_MAX {
        match fs::metadata(path) {
            Ok(facts) if facts.is_file() && facts.len() == 0 => std::thread::sleep(Duration::from_millis(10)),
            _ => return,
        }
    }
}

/// Twice `N` random hex digits.
fn random_digits<const N: usize>() -> Result<String, getrandom::Error> {
    let mut random = [0; N];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
