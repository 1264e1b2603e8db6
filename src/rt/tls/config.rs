//! Whom a client trusts, who a server is: rustls configurations, and the PEM files they are made of.
//!
//! TLS 1.2 and 1.3, cryptography by ring, ALPN `http/1.1` (RFC 7301; a server takes `http/1.0`, too), resumption on
//! both sides. Never without verification, never early data (a replay could repeat a request, RFC 8446 section 8).

use super::error::TlsError;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, Error, RootCertStore, ServerConfig, client::Resumption};
use std::path::Path;
use std::sync::Arc;

/// The only protocol spoken here.
const ALPN: &[u8] = b"http/1.1";
/// What some clients call it that will ask in its older form (`curl --http1.0`).
const ALPN_OLD: &[u8] = b"http/1.0";
/// Tickets a client keeps: rustls allows each server eight, so these are 256 servers and 4 MiB or so when full.
const SESSIONS_MAX: usize = 2048;

/// The keys that ring can sign with.
const KEYS: &str = "RSA of 2048 to 4096 bits, ECDSA with P-256 or P-384, and Ed25519";

/// What clients need: the web's usual roots and `extra_roots`. Sessions are resumed among those that share the value.
///
/// # Errors
/// A root that is not a certificate.
pub fn client_config(extra_roots: &[CertificateDer<'_>]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for (n, root) in extra_roots.iter().enumerate() {
        roots
            .add(root.clone().into_owned())
            .map_err(|e| format!("root certificate number {} is unusable: {}", n + 1, TlsError(e)))?;
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let mut config = builder.map_err(|e| e.to_string())?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    Ok(Arc::new(config))
}

/// What a server needs: its certificate first in `chain`, then those that lead to a root, and the certificate's key.
/// Resumption is by tickets, whose key changes every six hours, so a server keeps nothing for those who have left.
///
/// # Errors
/// An empty chain, an unusable key, or one that is not the certificate's.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, String> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| e.to_string())?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(|e| match e {
        Error::InconsistentKeys(_) => "the key is not the certificate's".to_owned(),
        Error::NoCertificatesPresented => "there is no certificate".to_owned(),
        // It does not say more than that no way to read the key worked.
        Error::General(_) => format!("the key is damaged, or none of those that work: {KEYS}"),
        e => TlsError(e).to_string(),
    })?;
    config.alpn_protocols = [ALPN, ALPN_OLD].map(<[u8]>::to_vec).to_vec();
    config.ticketer = ring::Ticketer::new().map_err(|e| e.to_string())?;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// All certificates of a PEM file (RFC 7468), in its order.
///
/// # Errors
/// A sentence with the path: unreadable, not PEM, or without any certificate.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).and_then(|all| all.collect::<Result<Vec<_>, _>>());
    match found {
        Ok(all) if all.is_empty() => Err(complaint(path, "certificate", pem::Error::NoItemsFound)),
        found => found.map_err(|e| complaint(path, "certificate", e)),
    }
}

/// The first private key of a PEM file: PKCS #8, PKCS #1 or SEC1, not encrypted.
///
/// # Errors
/// A sentence with the path: unreadable, not PEM, or without such a key.
pub fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| complaint(path, "unencrypted private key", e))
}

fn complaint(path: &Path, what: &str, error: pem::Error) -> String {
    let path = path.display();
    match error {
        pem::Error::Io(e) => format!("{path} cannot be read: {e}"),
        pem::Error::NoItemsFound => format!("{path} holds no {what} in PEM"),
        pem::Error::MissingSectionEnd { .. } => format!("{path} is damaged: a PEM section has no end"),
        pem::Error::IllegalSectionStart { .. } => format!("{path} is damaged: a PEM section has no proper first line"),
        pem::Error::Base64Decode(_) => format!("{path} is damaged: a PEM section holds what is not Base64"),
        _ => format!("{path} is damaged"),
    }
}
