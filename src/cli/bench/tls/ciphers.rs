//! The ciphers that there are, by the names of OpenSSL and of the standard, and those that `-Z` and `-f` leave.

use crate::config::bench_args::Protocol;
use rustls::crypto::ring::cipher_suite::*;
use rustls::{CipherSuite, SupportedCipherSuite};

/// A cipher suite.
struct Cipher {
    suite: SupportedCipherSuite,
    /// OpenSSL's name. For TLS 1.3 that is the standard's, too.
    name: &'static str,
    /// Bits of the key.
    bits: u16,
}

const fn cipher(suite: SupportedCipherSuite, name: &'static str, bits: u16) -> Cipher {
    Cipher { suite, name, bits }
}

/// In OpenSSL's order, so that a server which follows its clients chooses the same for `ab`.
static CIPHERS: [Cipher; 9] = [
    cipher(TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", 256),
    cipher(TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", 256),
    cipher(TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", 128),
    cipher(TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", 256),
    cipher(TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", 256),
    cipher(TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", 256),
    cipher(TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", 256),
    cipher(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", 128),
    cipher(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", 128),
];

impl Cipher {
    fn is_tls13(&self) -> bool {
        matches!(self.suite, SupportedCipherSuite::Tls13(_))
    }

    fn is_called(&self, name: &str) -> bool {
        // Rustls calls those of TLS 1.3 `TLS13_…`.
        self.name.eq_ignore_ascii_case(name)
            || self.suite.suite().as_str().is_some_and(|standard| standard.eq_ignore_ascii_case(name))
    }
}

/// OpenSSL's name of a suite, and the bits of its key.
pub fn described(suite: CipherSuite) -> (&'static str, u16) {
    CIPHERS
        .iter()
        .find(|cipher| cipher.suite.suite() == suite)
        .map_or(("unknown", 0), |cipher| (cipher.name, cipher.bits))
}

/// The suites to offer: those of `list`, in its order. A version of TLS of which it names none keeps its own, as with
/// OpenSSL, whose list is about TLS 1.2 alone.
///
/// # Errors
/// A name of none of them; or none is left of the only version that is wanted.
pub fn chosen(list: Option<&str>, protocol: Protocol) -> Result<Vec<SupportedCipherSuite>, String> {
    let names = list.unwrap_or_default().split([':', ',', ' ']).filter(|name| !name.is_empty());
    let mut chosen: Vec<&Cipher> = Vec::new();
    for name in names {
        let named = CIPHERS.iter().find(|cipher| cipher.is_called(name));
        chosen.push(named.ok_or_else(|| format!("-Z: there is no cipher {name:?} here; there are {}", all_names()))?);
    }
    if list.is_some() && chosen.is_empty() {
        return Err(format!("-Z names no cipher; there are {}", all_names()));
    }
    for (version, only, is_tls13) in [("1.2", Protocol::Tls12, false), ("1.3", Protocol::Tls13, true)] {
        if !chosen.iter().any(|cipher| cipher.is_tls13() == is_tls13) {
            if list.is_some() && protocol == only {
                return Err(format!("-Z names no cipher of TLS {version}, which is the only version that -f asks for"));
            }
            chosen.extend(CIPHERS.iter().filter(|cipher| cipher.is_tls13() == is_tls13));
        }
    }
    Ok(chosen.into_iter().map(|cipher| cipher.suite).collect())
}

fn all_names() -> String {
    CIPHERS.iter().map(|cipher| cipher.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str, protocol: Protocol) -> Result<Vec<&'static str>, String> {
        let chosen = chosen(Some(list), protocol)?;
        Ok(chosen.iter().map(|suite| described(suite.suite()).0).collect())
    }

    #[test]
    fn a_list_is_kept_in_its_order_and_leaves_the_other_version() {
        let list = "ECDHE-RSA-AES128-GCM-SHA256:TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        let [aes128, aes256] = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"];
        let tls13 = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];
        assert_eq!(names(list, Protocol::All), Ok([&[aes128, aes256][..], &tls13].concat()));
        assert_eq!(names("TLS_AES_128_GCM_SHA256", Protocol::All).map(|names| names.len()), Ok(7));
        assert_eq!(chosen(None, Protocol::All).map(|all| all.len()), Ok(9));
    }

    #[test]
    fn what_is_no_cipher_of_the_version_is_refused() {
        for (list, protocol, says) in [
            (
                "AES256-SHA",
                Protocol::All,
                "-Z: there is no cipher \"AES256-SHA\" here; there are TLS_AES_256_GCM_SHA384, ",
            ),
            ("", Protocol::All, "-Z names no cipher; there are TLS_AES_256_GCM_SHA384, "),
            ("ECDHE-RSA-AES128-GCM-SHA256", Protocol::Tls13, "-Z names no cipher of TLS 1.3, "),
            ("TLS_AES_128_GCM_SHA256", Protocol::Tls12, "-Z names no cipher of TLS 1.2, "),
        ] {
            assert!(names(list, protocol).is_err_and(|why| why.starts_with(says)), "{list}");
        }
    }

    #[test]
    fn every_cipher_of_the_library_is_listed() {
        let ours: Vec<_> = CIPHERS.iter().map(|cipher| cipher.suite).collect();
        assert_eq!(ours.len(), rustls::crypto::ring::ALL_CIPHER_SUITES.len());
        assert!(rustls::crypto::ring::ALL_CIPHER_SUITES.iter().all(|suite| ours.contains(suite)));
    }
}
