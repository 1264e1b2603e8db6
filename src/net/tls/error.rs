//! The texts of TLS errors, for people: what happened, and where it helps, what to do.
//!
//! Some are rustls' own, with the names of variants spelled out. The original is the `source` of the error.

use rustls::{AlertDescription, CertificateError, Error, ExtendedKeyPurpose, InvalidMessage, PeerIncompatible};
use std::fmt;
use std::io::{self, ErrorKind};

/// Names of a certificate that a text lists, at most; some have hundreds.
const NAMES_MAX: usize = 3;

/// A fatal error of a TLS connection; the `InvalidData` errors of a stream carry it.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsError(pub Error);

/// The error as one of a stream.
pub fn invalid_data(error: Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, TlsError(error))
}

/// The meaning of `error` after a handshake: the peer does speak TLS.
pub fn behind_handshake(error: Error) -> Error {
    if is_no_record(&error) { Error::General("the peer sent something that is no TLS record".into()) } else { error }
}

/// Whether the bytes do not begin like a record, but like an HTTP response, for instance.
fn is_no_record(error: &Error) -> bool {
    use InvalidMessage::{InvalidContentType, UnknownProtocolVersion};
    matches!(error, Error::InvalidMessage(InvalidContentType | UnknownProtocolVersion))
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use InvalidMessage::MessageTooLarge;
        use PeerIncompatible::{ServerDoesNotSupportTls12Or13, Tls12NotOffered, Tls12NotOfferedOrEnabled};
        match &self.0 {
            Error::InvalidCertificate(error) => f.write_str(&certificate(error)),
            error if is_no_record(error) => f.write_str("the peer does not speak TLS"),
            Error::InvalidMessage(MessageTooLarge) => f.write_str("the peer sent a TLS record that is too long"),
            Error::PeerIncompatible(ServerDoesNotSupportTls12Or13 | Tls12NotOffered | Tls12NotOfferedOrEnabled) => {
                f.write_str("the peer speaks neither TLS 1.2 nor 1.3")
            }
            Error::AlertReceived(alert) => {
                let name = alert.as_str().map_or_else(|| u8::from(*alert).to_string(), str::to_owned);
                let words = alert_words(*alert).map_or(String::new(), |words| format!(": {words}"));
                write!(f, "the peer refused us{words} (alert {name})")
            }
            Error::NoApplicationProtocol => f.write_str("the peer does not speak HTTP/1.1"),
            Error::General(text) => f.write_str(text),
            error => f.write_str(&spelled(&error.to_string())),
        }
    }
}

/// The meaning of an alert (RFC 8446 section 6), where its name is not clear.
fn alert_words(alert: AlertDescription) -> Option<&'static str> {
    use AlertDescription::*;
    Some(match alert {
        HandshakeFailure => "it shares no cipher or kind of key with us, or wants a certificate of ours",
        ProtocolVersion => "it shares no version of TLS with us",
        InsufficientSecurity => "all ciphers that we share are too weak for it",
        NoApplicationProtocol => "it does not speak HTTP/1.1",
        UnrecognisedName => "it knows no site of this name",
        CertificateRequired | NoCertificate => "it wants a certificate of ours",
        BadCertificate | UnsupportedCertificate | CertificateUnknown => "it does not accept our certificate",
        CertificateExpired => "our certificate has expired",
        CertificateRevoked => "our certificate was revoked",
        UnknownCA => "it does not trust the issuer of our certificate",
        AccessDenied => "we may not connect",
        BadRecordMac | DecryptionFailed | DecryptError => "it could not decrypt or verify what we sent",
        UnexpectedMessage | IllegalParameter | DecodeError | RecordOverflow => "it found our messages wrong",
        MissingExtension | UnsupportedExtension => "it found our messages wrong",
        InternalError => "it has trouble of its own",
        UserCanceled => "it gave up",
        _ => return None,
    })
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("the certificate expired {} ago", age(time.as_secs().saturating_sub(not_after.as_secs())))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("the certificate is valid only in {}", age(not_before.as_secs().saturating_sub(time.as_secs())))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // Rustls writes `DnsName("localhost")` and `IpAddress(127.0.0.1)`.
            let plain = |name: &String| name.split(['(', ')']).nth(1).unwrap_or(name).trim_matches('"').to_owned();
            format!("the certificate is not for {}{}", expected.to_str(), but_for(presented, plain))
        }
        CertificateError::InvalidPurposeContext { required, presented } => {
            format!("the certificate is not for {}{}", purpose(required), but_for(presented, purpose))
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id: algorithm, .. } => {
            format!("the certificate, or one above it, is signed {}", signed(algorithm))
        }
        // Errors of the verifier, which print as the names of their variants.
        CertificateError::Other(other) => {
            let text = other.to_string();
            verifier_words(&text).map_or_else(|| not_valid(&text), str::to_owned)
        }
        error => certificate_words(error).map_or_else(|| not_valid(&error.to_string()), str::to_owned),
    }
}

const DAMAGED: &str = "the certificate is damaged or badly made";
const DEMANDS: &str = "the certificate demands, in a critical extension, what is not known here";

fn certificate_words(error: &CertificateError) -> Option<&'static str> {
    use CertificateError::*;
    Some(match error {
        UnknownIssuer => {
            "the certificate is from an unknown issuer (of its own making, or of an authority not trusted here)"
        }
        BadEncoding => DAMAGED,
        UnhandledCriticalExtension => DEMANDS,
        Expired => "the certificate has expired",
        NotValidYet => "the certificate is not valid yet",
        Revoked => "the certificate was revoked",
        NotValidForName => "the certificate is not for this host",
        InvalidPurpose => "the certificate is not for this purpose",
        ApplicationVerificationFailure => "the certificate was refused",
        UnknownRevocationStatus => "it is not known whether the certificate was revoked",
        ExpiredRevocationList | ExpiredRevocationListContext { .. } => "the list of revoked certificates is too old",
        // Ring's error for a short key, too.
        BadSignature => "the certificate, or one above it, has a wrong signature or an RSA key below 2048 bits",
        UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate, or one above it, has a kind of key that is not known here (such as ECDSA with P-521)"
        }
        _ => return None,
    })
}

fn verifier_words(variant: &str) -> Option<&'static str> {
    Some(match variant {
        "CaUsedAsEndEntity" => "the certificate is that of an authority and cannot stand for a site: it has CA:TRUE",
        "EndEntityUsedAsCa" => "the certificate is signed by one that is no authority's: that has no CA:TRUE",
        "UnsupportedCertVersion" => {
            "the certificate is of an X.509 version below 3, as openssl x509 -req makes it without -extfile"
        }
        "UnsupportedCriticalExtension" => DEMANDS,
        "NameConstraintViolation" => "the certificate has a name for which its authority may not speak",
        "PathLenConstraintViolated" | "MaximumPathDepthExceeded" => {
            "there are too many authorities between the certificate and its root"
        }
        "MaximumSignatureChecksExceeded" | "MaximumPathBuildCallsExceeded" => {
            "there are too many ways from the certificate to a root"
        }
        "MalformedExtensions"
        | "ExtensionValueInvalid"
        | "InvalidSerialNumber"
        | "MalformedDnsIdentifier"
        | "SignatureAlgorithmMismatch"
        | "EmptyEkuExtension" => DAMAGED,
        _ => return None,
    })
}

fn not_valid(why: &str) -> String {
    match spelled(why) {
        why if why.is_empty() => "the certificate is not valid here".to_owned(),
        why => format!("the certificate is not valid here: {why}"),
    }
}

/// What a certificate is for instead, at most [`NAMES_MAX`].
fn but_for<T>(presented: &[T], plain: impl Fn(&T) -> String) -> String {
    let names: Vec<String> = presented.iter().take(NAMES_MAX).map(plain).collect();
    match (presented.len(), presented.len().saturating_sub(NAMES_MAX)) {
        (0, _) => String::new(),
        (_, 0) => format!(" but for {}", names.join(", ")),
        (_, more) => format!(" but for {} and {more} more", names.join(", ")),
    }
}

fn purpose(purpose: &ExtendedKeyPurpose) -> String {
    match purpose {
        ExtendedKeyPurpose::ServerAuth => "servers".to_owned(),
        ExtendedKeyPurpose::ClientAuth => "clients".to_owned(),
        ExtendedKeyPurpose::Other(numbers) => numbers.iter().map(usize::to_string).collect::<Vec<_>>().join("."),
    }
}

/// How a certificate is signed, by the identifier of the algorithm.
fn signed(algorithm: &[u8]) -> String {
    match object_identifier(algorithm).as_deref() {
        Some("1.2.840.113549.1.1.5" | "1.2.840.10045.4.1") => "with SHA-1, which is not safe any more".to_owned(),
        Some("1.2.840.113549.1.1.4") => "with MD5, which is not safe any more".to_owned(),
        Some(dotted) => format!("in a way that is not known here ({dotted})"),
        None => "in a way that is not known here".to_owned(),
    }
}

/// The object identifier at the front of `der` (X.690 section 8.19), dotted: each number in groups of seven bits, the
/// first two in one.
fn object_identifier(der: &[u8]) -> Option<String> {
    let [6, len, rest @ ..] = der else { return None };
    let (mut text, mut number) = (String::new(), 0_u64);
    for byte in rest.get(..usize::from(*len))? {
        number = number << 7 | u64::from(byte & 0x7f);
        if *byte < 0x80 {
            let first = (number / 40).min(2);
            text += &if text.is_empty() { format!("{first}.{}", number - 40 * first) } else { format!(".{number}") };
            number = 0;
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Rustls' text up to the first bracket, behind which are values in Rust syntax, with names of variants as words:
/// `peer misbehaved: TooManyKeyUpdates` becomes `peer misbehaved: too many key updates`.
fn spelled(text: &str) -> String {
    let plain = text.split(['(', '{', '[']).next().unwrap_or("").trim_end();
    plain.split(' ').map(spelled_word).collect::<Vec<_>>().join(" ")
}

fn spelled_word(word: &str) -> String {
    let mut spaced = String::new();
    for c in word.chars() {
        if c.is_ascii_uppercase() && spaced.ends_with(|before: char| before.is_ascii_lowercase() || before.is_numeric())
        {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    if spaced.len() > word.len() { spaced.to_ascii_lowercase() } else { spaced }
}

/// A time in its largest whole unit: `3 days`.
fn age(seconds: u64) -> String {
    let (n, unit) = match seconds {
        0..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}
