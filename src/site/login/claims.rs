//! Names that are in use: each belongs to the first cookie that has used it.
//!
//! The store has the claims. What is here spares it: a name is claimed once an hour, though it comes with every request.

use crate::clock::Now;
use crate::site::name::looks;
use crate::store::Command;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for which a claim is not repeated. Repeating it keeps the name from being released (`--history-keep DAYSd`).
const NOTED_FOR: Duration = Duration::from_secs(3600);
/// Names noted, at most. Beyond it all are forgotten, and claimed again.
const NAMES_MAX: usize = 10_000;

/// The names that were claimed lately.
pub struct Claims {
    /// Stands for the secret of the cookies: under another one all names are free.
    signer: u64,
    noted: HashMap<Arc<str>, Instant>,
}

impl Claims {
    /// No names, for the cookies of this signer.
    pub fn new(signer: u64) -> Claims {
        Claims { signer, noted: HashMap::new() }
    }

    /// The claim to a name, which is checked and in its normal form.
    pub fn claim(&self, name: &str, now: Now) -> Command {
        let looks = looks(name).map(String::into_boxed_str);
        Command::Claim { name: name.into(), looks, signer: self.signer, at: now.wall }
    }

    /// This name is used with its cookie. Returns its claim, unless that was made in the last hour.
    pub fn note(&mut self, name: &str, now: Now) -> Option<Command> {
        let is_fresh = |at: &Instant| now.instant.saturating_duration_since(*at) < NOTED_FOR;
        if self.noted.get(name).is_some_and(is_fresh) {
            return None;
        }
        if self.noted.len() >= NAMES_MAX {
            self.noted.clear();
        }
        self.noted.insert(name.into(), now.instant);
        Some(self.claim(name, now))
    }

    /// The claim was not stored, or is gone: the next use repeats it.
    pub fn forget(&mut self, name: &str) {
        self.noted.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;

    #[test]
    fn a_name_is_claimed_once_an_hour() {
        let now = Now { instant: Instant::now(), wall: UnixMillis::from_millis(7) };
        let later = Now { instant: now.instant + NOTED_FOR, ..now };
        let mut claims = Claims::new(7);
        let ann =
            Command::Claim { name: "Ivan".into(), looks: ["ivan".into(), "lvan".into()], signer: 7, at: now.wall };
        assert_eq!(claims.note("Ivan", now), Some(ann));
        assert_eq!(claims.note("Ivan", now), None);
        assert!(claims.note("Ivan", later).is_some());
        claims.forget("Ivan");
        assert!(claims.note("Ivan", later).is_some());
        for n in 0..=NAMES_MAX {
            claims.note(&format!("name {n}"), now);
        }
        assert!(claims.noted.len() <= NAMES_MAX);
    }
}
