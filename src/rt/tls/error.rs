//! What went wrong in TLS, in words for people. Rustls' own texts serve where they are clear.

use rustls::{CertificateError, Error, InvalidMessage};
use std::fmt;
use std::io::{self, ErrorKind};

/// Names of a certificate that a message lists; some have hundreds.
const NAMES_MAX: usize = 3;

/// A fatal error of a TLS connection; it is inside of the `InvalidData` errors of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsError(pub Error);

/// The error of a stream.
pub fn invalid_data(error: Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, TlsError(error))
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::InvalidCertificate(error) => certificate(error, f),
            // What a record begins with is not what this begins with: an HTTP answer, for instance.
            Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
                f.write_str("the peer does not speak TLS")
            }
            Error::AlertReceived(alert) => write!(f, "the peer refused us: {alert:?}"),
            Error::NoApplicationProtocol => f.write_str("the peer does not speak HTTP/1.1"),
            Error::General(text) => f.write_str(text),
            error => error.fmt(f),
        }
    }
}

fn certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        CertificateError::UnknownIssuer => f.write_str(
            "the certificate is from an unknown issuer (of its own making, or of an authority not trusted here)",
        ),
        CertificateError::ExpiredContext { time, not_after } => {
            f.write_str("the certificate expired ")?;
            age(time.as_secs().saturating_sub(not_after.as_secs()), f)?;
            f.write_str(" ago")
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            f.write_str("the certificate is valid only in ")?;
            age(not_before.as_secs().saturating_sub(time.as_secs()), f)
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            write!(f, "the certificate is not for {}", expected.to_str())?;
            for (n, name) in presented.iter().take(NAMES_MAX).enumerate() {
                // Rustls writes `DnsName("localhost")` and `IpAddress(127.0.0.1)`.
                let plain = name.split(['(', ')']).nth(1).unwrap_or(name).trim_matches('"');
                write!(f, "{}{plain}", if n == 0 { " but for " } else { ", " })?;
            }
            match presented.len().saturating_sub(NAMES_MAX) {
                0 => Ok(()),
                more => write!(f, " and {more} more"),
            }
        }
        // The verifier's own errors, of which this is the one that people meet: `openssl req -x509` makes such ones.
        CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity" => {
            f.write_str("the certificate is that of an authority (CA:TRUE) and cannot stand for a site")
        }
        error => write!(f, "the certificate is not acceptable: {error}"),
    }
}

fn age(seconds: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (n, unit) = match seconds {
        0..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    write!(f, "{n} {unit}{}", if n == 1 { "" } else { "s" })
}
