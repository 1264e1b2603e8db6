//! The gate: with `--invite-file` a new login needs one of the tokens of that file.
//!
//! A line is `TOKEN [until=YYYY-MM-DD] NOTE`. The file is read again at a login, at most once a second, so that tokens
//! are added and removed without a restart.

use crate::clock::UnixTime;
use crate::event::{FileRead, Job};
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Bytes of the file, at most: it is parsed on the loop, 256 KiB in about a millisecond.
const FILE_BYTES_MAX: usize = 256 << 10;
/// Interval at which the file is read again, at least.
const READ_EVERY: Duration = Duration::from_secs(1);
/// Characters of a token: shorter ones can be guessed, longer ones break in letters.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 8..=128;
/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// The first second in which a token does not count any more, by the SHA-256 of the token. The time of a search among
/// hashes tells nothing of the tokens.
type Tokens = HashMap<[u8; 32], Option<UnixTime>>;

/// The tokens of a file.
pub struct Gate {
    path: PathBuf,
    tokens: Tokens,
    /// Of the file as it was read last.
    modified: Option<SystemTime>,
    /// When the file was asked for; `None` before the first login.
    read_at: Option<Instant>,
    /// The log has said why the file cannot be used.
    has_complained: bool,
}

impl Gate {
    /// Reads the file.
    ///
    /// # Errors
    /// A sentence that names the file, and the line if one is wrong.
    pub fn open(path: &Path) -> Result<Gate, String> {
        let failed = |why: String| format!("--invite-file {}: {why}", path.display());
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|e| failed(format!("it cannot be read: {e}")))?;
        Ok(Gate {
            path: path.into(),
            tokens: parse(&bytes).map_err(failed)?,
            modified: None,
            read_at: None,
            has_complained: false,
        })
    }

    /// The job that reads the file again, if it was not read in the last second.
    pub fn refresh(&mut self, now: Instant) -> Option<Job> {
        if self.read_at.is_some_and(|at| now.saturating_duration_since(at) < READ_EVERY) {
            return None;
        }
        self.read_at = Some(now);
        Some(Job::ReadFile { path: self.path.clone() })
    }

    /// The file was read. One that cannot be used leaves the tokens as they were.
    pub fn take(&mut self, read: io::Result<FileRead>) {
        let parsed = match read {
            Ok(read) if read.modified.is_some() && read.modified == self.modified => return,
            Ok(read) if read.bytes.len() > FILE_BYTES_MAX => Err(too_long()),
            Ok(read) => {
                self.modified = read.modified;
                parse(&read.bytes.to_vec())
            }
            Err(e) => Err(format!("it cannot be read: {e}")),
        };
        match parsed {
            Ok(tokens) => {
                self.tokens = tokens;
                self.has_complained = false;
            }
            Err(why) => {
                if !std::mem::replace(&mut self.has_complained, true) {
                    let path = self.path.display();
                    log::error!("--invite-file {path}: {why}; the tokens are those that were read before");
                }
            }
        }
    }

    /// Whether this is a token of the file that still counts.
    pub fn admits(&self, token: &str, now: UnixTime) -> bool {
        let found = self.tokens.get(&<[u8; 32]>::from(Sha256::digest(token)));
        found.is_some_and(|end| end.is_none_or(|end| now < end))
    }
}

fn too_long() -> String {
    format!("it is longer than {FILE_BYTES_MAX} bytes: is it another file?")
}

/// # Errors
/// A sentence that begins with the number of the line.
fn parse(bytes: &[u8]) -> Result<Tokens, String> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(too_long());
    }
    let text = str::from_utf8(bytes).map_err(|_| "it is not text in UTF-8")?;
    let mut tokens = Tokens::new();
    for (n, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let mut words = line.split_whitespace();
        let Some(token) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        if !TOKEN_CHARS.contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let (least, most) = (TOKEN_CHARS.start(), TOKEN_CHARS.end());
            return Err(format!("line {n}: a token has {least} to {most} visible characters of ASCII"));
        }
        let end = match words.next().and_then(|word| word.strip_prefix("until=")) {
            Some(day) => Some(end_of(day).ok_or_else(|| format!("line {n}: expected until=YYYY-MM-DD"))?),
            None => None,
        };
        if tokens.insert(Sha256::digest(token).into(), end).is_some() {
            return Err(format!("line {n}: this token is there already"));
        }
    }
    Ok(tokens)
}

/// The first second behind a day, in UTC.
fn end_of(day: &str) -> Option<UnixTime> {
    let date = day.parse::<Date>().ok().filter(|date| date.to_string() == day)?;
    let since = date.duration_since(Date::constant(1970, 1, 1)).as_secs();
    Some(UnixTime::from_seconds(u64::try_from(since).ok()?.saturating_add(DAY)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Blocks;
    use std::time::UNIX_EPOCH;

    fn gate(text: &str) -> Gate {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("it can be written");
        Gate::open(file.path()).expect("it is sound")
    }

    fn read(text: &str, second: u64) -> io::Result<FileRead> {
        let mut bytes = Blocks::default();
        io::Write::write_all(&mut bytes, text.as_bytes())?;
        Ok(FileRead { bytes, modified: Some(UNIX_EPOCH + Duration::from_secs(second)) })
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    #[test]
    fn a_token_counts_to_the_end_of_its_day() {
        let gate = gate("# for the team\n\nabcdefgh  ann's friends\ntoken-of-bob until=2023-11-14 bob\n12345678 until");
        for (token, second, admits) in [
            ("abcdefgh", u64::MAX, true),
            ("12345678", 0, true),
            ("token-of-bob", 1_700_000_000, true),
            ("token-of-bob", 1_700_006_399, true),
            ("token-of-bob", 1_700_006_400, false),
            ("abcdefg", 0, false),
            ("abcdefghi", 0, false),
            ("ABCDEFGH", 0, false),
            ("#", 0, false),
            ("", 0, false),
        ] {
            assert_eq!(gate.admits(token, at(second)), admits, "{token} at {second}");
        }
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        for (text, why) in [
            ("abcdefg", "line 1: a token has 8 to 128 visible"),
            ("\ntoken-für-bob", "line 2: a token has 8 to 128 visible"),
            (&"x".repeat(129), "line 1: a token has 8 to 128 visible"),
            ("abcdefgh until=tomorrow", "line 1: expected until=YYYY-MM-DD"),
            ("abcdefgh until=2023-02-29", "line 1: expected until=YYYY-MM-DD"),
            ("abcdefgh until=2023-02-28T12:00", "line 1: expected until=YYYY-MM-DD"),
            ("abcdefgh until=1969-12-01", "line 1: expected until=YYYY-MM-DD"),
            ("abcdefgh\nabcdefgh until=2023-02-28", "line 2: this token is there already"),
        ] {
            assert!(parse(text.as_bytes()).is_err_and(|said| said.starts_with(why)), "{text:.40}");
        }
        assert_eq!(parse(&[0xff]), Err("it is not text in UTF-8".into()));
        assert!(parse(&vec![b'\n'; FILE_BYTES_MAX + 1]).is_err_and(|said| said.contains("longer than 262144 bytes")));
        let said = Gate::open(Path::new("/no/such")).err().expect("there is none");
        assert!(said.starts_with("--invite-file /no/such: it cannot be read: "), "{said}");
    }

    #[test]
    fn the_file_is_read_once_a_second_and_taken_if_it_changed() {
        let (mut gate, begun) = (gate("abcdefgh\n"), Instant::now());
        assert_eq!(gate.refresh(begun), Some(Job::ReadFile { path: gate.path.clone() }));
        assert_eq!(gate.refresh(begun + Duration::from_millis(999)), None);
        assert!(gate.refresh(begun + READ_EVERY).is_some());
        let now = at(1);
        gate.take(read("12345678\n", 1));
        assert!(gate.admits("12345678", now) && !gate.admits("abcdefgh", now));
        gate.take(read("abcdefgh\n", 1));
        assert!(gate.admits("12345678", now), "the time of the file says that it is the same");
        for bad in [read("short\n", 2), read(&"\n".repeat(FILE_BYTES_MAX + 1), 3), Err(io::ErrorKind::NotFound.into())]
        {
            gate.take(bad);
            assert!(gate.admits("12345678", now) && gate.has_complained);
        }
        gate.take(read("abcdefgh\n", 4));
        assert!(gate.admits("abcdefgh", now) && !gate.has_complained);
    }
}
