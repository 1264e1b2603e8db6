//! Trusted certificates of clients, certificates of servers: rustls configurations and their PEM files.
//!
//! TLS 1.2 and 1.3, cryptography by ring, ALPN `http/1.1` (RFC 7301; a server takes `http/1.0`, too), resumption on
//! both sides. Never without verification, never early data (a replay could repeat a request, RFC 8446 section 8).

use super::error::TlsError;
use memchr::memmem;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, Error, RootCertStore, ServerConfig, client::Resumption};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// The only protocol spoken here.
const ALPN: &[u8] = b"http/1.1";
/// The name that clients of HTTP/1.0 send (`curl --http1.0`).
const ALPN_OLD: &[u8] = b"http/1.0";
/// Tickets that clients keep: eight a server, so those of 256 servers, in about 4 MiB.
const SESSIONS_MAX: usize = 2048;

/// The keys that ring can sign with.
const KEYS: &str = "RSA of 2048 to 4096 bits, ECDSA with P-256 or P-384, and Ed25519";

/// The configuration of clients: the web's usual roots and `extra_roots`. Clients that share it resume each other's
/// sessions.
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

/// The configuration of a server: its certificate first in `chain`, then those that lead to a root, and the
/// certificate's key. Resumption is by tickets, whose key changes every six hours, so a server keeps no state for it.
///
/// # Errors
/// An empty chain, an unusable key, or one that is not the certificate's.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, String> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| e.to_string())?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(explain_key)?;
    config.alpn_protocols = [ALPN, ALPN_OLD].map(<[u8]>::to_vec).to_vec();
    config.ticketer = ring::Ticketer::new().map_err(|e| e.to_string())?;
    Ok(Arc::new(config))
}

/// Why a certificate and its key cannot be used.
pub fn explain_key(error: Error) -> String {
    match error {
        Error::InconsistentKeys(_) => "the key is not the certificate's".to_owned(),
        Error::NoCertificatesPresented => "there is no certificate".to_owned(),
        // The error of every format that was tried.
        Error::General(_) => format!("the key is damaged, or none of those that work: {KEYS}"),
        e => TlsError(e).to_string(),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Length of a PEM file, bytes, at most; that of all authorities of the web has 200 KiB.
const PEM_BYTES_MAX: u64 = 16 << 20;

/// All certificates of a PEM file (RFC 7468), in its order.
///
/// # Errors
/// A sentence with the path: unreadable, not PEM, or without any certificate.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read_pem(path)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(all) if all.is_empty() => Err(refusal(path, "certificate", pem::Error::NoItemsFound)),
        found => found.map_err(|e| refusal(path, "certificate", e)),
    }
}

/// The first private key of a PEM file: PKCS #8, PKCS #1 or SEC1, not encrypted.
///
/// # Errors
/// A sentence with the path: unreadable, not PEM, or without such a key.
pub fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = read_pem(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|e| match is_encrypted(&pem) {
        true => format!(
            "{0} is encrypted, and squall asks for no password: openssl pkey -in {0} -out PLAIN decrypts it",
            path.display()
        ),
        false => refusal(path, "unencrypted private key", e),
    })
}

/// A file with each of its PEM sections on lines of its own. The parser skips a section that does not begin a line, and
/// editors, shells and `cat` leave something in front: a byte-order mark (U+FEFF), blanks, or the end of a file without
/// a line end.
fn read_pem(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(PEM_BYTES_MAX + 1).read_to_end(&mut text));
    read.map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    if text.len() as u64 > PEM_BYTES_MAX {
        return Err(format!("{} is longer than {PEM_BYTES_MAX} bytes", path.display()));
    }
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(format!("{} is text in UTF-16: write it in ASCII or UTF-8", path.display()));
    }
    let mut pem = Vec::with_capacity(text.len());
    for line in text.split(|&byte| byte == b'\n' || byte == b'\r') {
        let mut rest = trim_start(line);
        // Text behind an end goes to the next line.
        if let Some(label) = rest.strip_prefix(b"-----END ")
            && let Some(at) = memmem::find(label, DASHES)
        {
            let (end, behind) = rest.split_at(b"-----END ".len() + at + DASHES.len());
            pem.extend_from_slice(end);
            pem.push(b'\n');
            rest = trim_start(behind);
        }
        pem.extend_from_slice(rest);
        pem.push(b'\n');
    }
    Ok(pem)
}

const DASHES: &[u8] = b"-----";

/// The line without blanks and byte-order marks in front.
fn trim_start(line: &[u8]) -> &[u8] {
    let mut rest = line.trim_ascii_start();
    while let Some(behind) = rest.strip_prefix(b"\xef\xbb\xbf") {
        rest = behind.trim_ascii_start();
    }
    rest
}

/// Whether a key is encrypted: PKCS #8 has it in the label, the older form in a field (RFC 1421 section 4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    pem.split(|&byte| byte == b'\n').any(|line| {
        let is_field =
            line.strip_prefix(b"Proc-Type:").is_some_and(|field| memmem::find(field, b"ENCRYPTED").is_some());
        is_field || line.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    })
}

fn refusal(path: &Path, what: &str, error: pem::Error) -> String {
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
