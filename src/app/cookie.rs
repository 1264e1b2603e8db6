//! The login cookie: Tornado's signed format, version 2, and the secret it is signed with.
//!
//! ```text
//! 2|LEN:KEYVER|LEN:TIMESTAMP|LEN:NAME|LEN:BASE64(value)|HEX
//! ```
//!
//! HEX is HMAC-SHA256 of everything before it. A Tornado application that has the same secret accepts our cookies,
//! and we accept its own. In go header fields and the time, out come values and a Set-Cookie field. What a value
//! means (an acceptable name?) is decided elsewhere. Version 1 (HMAC-SHA1) and key maps are not read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::borrow::Cow;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// A browser keeps the cookie so long, seconds: Tornado's default of 30 days.
const KEEP_SECONDS: u64 = 30 * 24 * 3600;
/// A signature is good for so long, seconds: Tornado's default of 31 days.
const VALID_SECONDS: u64 = 31 * 24 * 3600;
/// The generated secret, in DATA_DIR.
const SECRET_FILE: &str = "cookie-secret";

/// Signs and verifies with one secret.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl Signer {
    /// A signer with the secret's bytes as HMAC key; any length will do.
    pub fn new(secret: &[u8]) -> Signer {
        Signer { keyed: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// The signed form of `value` under the cookie's `name`, made at `unix_seconds`. Every byte of it may stand
    /// unquoted in a cookie.
    pub fn sign(&self, name: &str, value: &[u8], unix_seconds: u64) -> String {
        let mut signed = String::from("2|");
        for field in ["0", &unix_seconds.to_string(), name, &STANDARD.encode(value)] {
            signed.push_str(&format!("{}:{field}|", field.len()));
        }
        let mac = self.keyed.clone().chain_update(&signed).finalize().into_bytes();
        mac.iter().for_each(|byte| signed.push_str(&format!("{byte:02x}")));
        signed
    }

    /// The value inside `signed`; `None` unless it is version 2, key version 0, signed with this secret under this
    /// name, and at most 31 days old at `unix_seconds`. A time in the future is taken, as Tornado does: only an owner
    /// of the secret can have written it.
    pub fn verify(&self, name: &str, signed: &str, unix_seconds: u64) -> Option<Vec<u8>> {
        let (message, mac) = signed.split_at(signed.rfind('|')? + 1);
        // verify_slice takes the same time wherever the first difference lies.
        self.keyed.clone().chain_update(message).verify_slice(&parse_hex(mac)?).ok()?;
        let rest = message.strip_prefix("2|")?;
        let (key_version, rest) = parse_field(rest)?;
        let (timestamp, rest) = parse_field(rest)?;
        let (signed_name, rest) = parse_field(rest)?;
        let (value, rest) = parse_field(rest)?;
        let age = unix_seconds.saturating_sub(timestamp.parse().ok()?);
        let good = key_version == "0" && signed_name == name && rest.is_empty() && age <= VALID_SECONDS;
        if good { STANDARD.decode(value).ok() } else { None }
    }
}

/// `LEN:FIELD|` off the front: the field, and what follows the bar.
fn parse_field(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    let length = length.parse::<usize>().ok()?;
    Some((rest.get(..length)?, rest.get(length..)?.strip_prefix('|')?))
}

/// 64 lower-case hex digits.
fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// The value of cookie `name` in the Cookie fields of a request, read as Tornado does: the last one of that name,
/// quoted or not. `None` also where it is not UTF-8.
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

/// Undoes `\"`, `\\` and `\ooo`, which is how Python's http.cookies writes what may not stand in a cookie.
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

/// The Set-Cookie field that gives a browser the `signed` login for 30 days; `secure` where it came over TLS.
pub fn set_cookie(name: &str, signed: &str, secure: bool) -> String {
    field(name, signed, KEEP_SECONDS, secure)
}

/// The Set-Cookie field that takes the login away. The attributes are those of [`set_cookie`], or a browser would
/// not replace the one by the other.
pub fn clear_cookie(name: &str, secure: bool) -> String {
    field(name, "", 0, secure)
}

fn field(name: &str, value: &str, max_age: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// The secret's bytes: of `file`, else of `DATA_DIR/cookie-secret`, which is made on the first start (64 hex digits,
/// mode 0600, in a directory of mode 0700).
///
/// One trailing CR or LF (one byte) does not count, so that an editor's line end does no harm; a CR LF leaves the CR.
///
/// # Errors
/// A sentence that says what went wrong with which file, and what to do.
pub fn load_secret(file: Option<&Path>, data_dir: &Path) -> Result<Vec<u8>, String> {
    match file {
        Some(file) => read_secret(file),
        None => {
            let path = data_dir.join(SECRET_FILE);
            make_secret(data_dir, &path)?;
            read_secret(&path)
        }
    }
}

fn read_secret(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let mut secret = fs::read(path).map_err(|e| {
        format!(
            "the cookie secret {shown} cannot be read: {e}; make it readable, or name another with --cookie-secret-file"
        )
    })?;
    if let Some(b'\r' | b'\n') = secret.last() {
        secret.pop();
    }
    if secret.is_empty() {
        return Err(format!("the cookie secret {shown} is empty; put a long random line in it, or remove it"));
    }
    Ok(secret)
}

/// Makes the secret unless it is there already. It gets its name when it is whole, so of programs that start at once
/// one makes it, and none ever reads half of it.
fn make_secret(data_dir: &Path, path: &Path) -> Result<(), String> {
    let failed = |what: &Path, e: &dyn std::fmt::Display| {
        format!("{} cannot be made: {e}; choose another directory with --data-dir", what.display())
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|e| failed(data_dir, &e))?;
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let temporary = data_dir.join(format!("{SECRET_FILE}.{}", random_digits::<8>().map_err(|e| failed(path, &e))?));
    let digits = random_digits::<32>().map_err(|e| failed(path, &e))?;
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
            file.write_all(digits.as_bytes())?;
            file.sync_all()
        });
    // A link never replaces a file; a rename would.
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    let _ = fs::remove_file(&temporary);
    match linked {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(failed(path, &e)),
        _ => Ok(()),
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
