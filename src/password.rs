//! Passwords, and their hashes: argon2id in the PHC string format, `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
//!
//! A hash takes tens of milliseconds and many MiB on purpose, so it is computed on a thread of the pool.

use argon2::{Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier};
use std::fmt;

/// Memory of one hash, KiB, at most: a file must not be able to ask for 4 GiB. RFC 9106 section 4 recommends 64 MiB where
/// memory is scarce.
const MEMORY_KIB_MAX: u32 = 64 << 10;
/// Passes over the memory, at most: ten over 64 MiB take about half a second.
const PASSES_MAX: u32 = 10;
/// Lanes of the memory, at most; they are computed one after the other.
const LANES_MAX: u32 = 16;
/// Characters of a PHC string, at most: the longest salt and output have 150.
const PHC_BYTES_MAX: usize = 256;
/// Bytes of the salt of a new hash.
const SALT_BYTES: usize = 16;
/// Characters of a new password, at least (NIST SP 800-63B section 3.1.1).
const CHARS_MIN: usize = 8;
/// Bytes of a password, at most. A longer one is wrong without a look at it.
const BYTES_MAX: usize = 1024;

/// A password as it was typed. Logs do not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// What a login brings.
    pub fn typed(text: String) -> Password {
        Password(text.into())
    }

    /// One for a new hash: 8 characters or more, 1,024 bytes at most.
    ///
    /// # Errors
    /// A sentence with the limit.
    pub fn chosen(text: &str) -> Result<Password, String> {
        if text.chars().count() < CHARS_MIN {
            return Err(format!("a password has {CHARS_MIN} characters or more"));
        }
        if text.len() > BYTES_MAX {
            return Err(format!("a password has {BYTES_MAX} bytes at most"));
        }
        Ok(Password(text.into()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Whether a password is the one of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
}

/// A hash whose cost is bounded. Logs do not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(PasswordHash);

impl Hash {
    /// Parses a PHC string.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence: another algorithm, no salt or no output, a cost above the limits.
    pub fn parse(phc: &str) -> Result<Hash, String> {
        let wrong = || "is no argon2id hash in PHC format".to_owned();
        if phc.len() > PHC_BYTES_MAX {
            return Err(wrong());
        }
        let hash = PasswordHash::new(phc).map_err(|_| wrong())?;
        if hash.algorithm.as_str() != "argon2id" || hash.salt.is_none() || hash.hash.is_none() {
            return Err(wrong());
        }
        let cost = Params::try_from(&hash).map_err(|_| wrong())?;
        if cost.m_cost() > MEMORY_KIB_MAX || cost.t_cost() > PASSES_MAX || cost.p_cost() > LANES_MAX {
            return Err(format!(
                "costs too much: at most m={MEMORY_KIB_MAX} (64 MiB), t={PASSES_MAX} and p={LANES_MAX} are accepted"
            ));
        }
        Ok(Hash(hash))
    }

    /// A new hash with a random salt, at the usual cost: 19 MiB, two passes (OWASP).
    ///
    /// # Errors
    /// A sentence: the system has no random numbers, or no memory.
    pub fn of(password: &Password) -> Result<Hash, String> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|e| format!("the system has no random numbers: {e}"))?;
        let hash = Argon2::default().hash_password_with_salt(password.0.as_bytes(), &salt);
        hash.map(Hash).map_err(|e| format!("the password cannot be hashed: {e}"))
    }

    /// Computes the hash of `password` and compares the two in constant time. It blocks, for tens of milliseconds.
    pub fn verify(&self, password: &Password) -> Verdict {
        let is_right =
            password.0.len() <= BYTES_MAX && Argon2::default().verify_password(password.0.as_bytes(), &self.0).is_ok();
        if is_right { Verdict::Right } else { Verdict::Wrong }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// As a PHC string.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "correct horse", by the argon2 command of the reference implementation, at the least cost.
    const CHEAP: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$x59UGLuAwBDnzRfVUBQJ7zA6GJrOY5gZkOVPda70TuA";

    #[test]
    fn a_hash_of_the_reference_implementation_is_verified() {
        let hash = Hash::parse(CHEAP).expect("a hash");
        assert_eq!(hash.to_string(), CHEAP);
        assert_eq!(hash.verify(&Password::typed("correct horse".into())), Verdict::Right);
        for wrong in ["", "correct horse ", "Correct horse", &"x".repeat(2000)] {
            assert_eq!(hash.verify(&Password::typed(wrong.into())), Verdict::Wrong, "{wrong:.20}");
        }
    }

    #[test]
    fn a_new_hash_is_verified_and_has_its_own_salt() {
        let password = Password::chosen("correct horse").expect("it is long enough");
        let [one, other] = [(); 2].map(|()| Hash::of(&password).expect("random numbers"));
        assert!(one != other && one.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let parsed = Hash::parse(&one.to_string()).expect("its own format");
        assert_eq!(parsed, one);
        assert_eq!(parsed.verify(&password), Verdict::Right);
    }

    #[test]
    fn a_hash_of_too_much_work_or_another_kind_is_refused() {
        for (phc, why) in [
            ("", "is no argon2id"),
            ("secret", "is no argon2id"),
            ("$argon2id$v=19$m=8,t=1,p=1", "is no argon2id"),
            ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ", "is no argon2id"),
            (&CHEAP.replace("argon2id", "argon2i"), "is no argon2id"),
            (&CHEAP.replace("argon2id", "scrypt"), "is no argon2id"),
            (&CHEAP.replace("m=8", "m=65537"), "costs too much"),
            (&CHEAP.replace("m=8", "m=4194304"), "costs too much"),
            (&CHEAP.replace("t=1", "t=11"), "costs too much"),
            (&CHEAP.replace("m=8", "m=4096").replace("p=1", "p=17"), "costs too much"),
            (&CHEAP.replace("m=8", "m=99999999999"), "is no argon2id"),
            (&CHEAP.replace("t=1", "t=0"), "is no argon2id"),
            (&format!("{CHEAP}{}", "A".repeat(300)), "is no argon2id"),
        ] {
            assert!(Hash::parse(phc).is_err_and(|said| said.starts_with(why)), "{phc:.60}");
        }
        assert!(Hash::parse(&CHEAP.replace("m=8", "m=65536").replace("t=1", "t=10")).is_ok(), "the limits themselves");
    }

    #[test]
    fn a_new_password_is_neither_short_nor_endless() {
        assert!(Password::chosen("1234567").is_err_and(|why| why.contains("8 characters")));
        assert!(Password::chosen("密码密码密码密").is_err());
        assert!(Password::chosen("密码密码密码密码").is_ok());
        assert!(Password::chosen(&"x".repeat(1025)).is_err_and(|why| why.contains("1024 bytes")));
    }

    #[test]
    fn a_log_shows_neither_password_nor_hash() {
        let password = Password::typed("correct horse".into());
        let shown = format!("{password:?} {:?}", Hash::parse(CHEAP).expect("a hash"));
        assert_eq!(shown, "Password(..) Hash(..)");
    }
}
