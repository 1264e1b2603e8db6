//! The texts of all errors.

use super::*;
use rustls::CertificateError::*;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, CertificateError, ContentType, Error, ExtendedKeyPurpose, HandshakeType};
use rustls::{CertRevocationListError, EncryptedClientHelloError, InconsistentKeys, InvalidMessage, OtherError};
use rustls::{PeerIncompatible, PeerMisbehaved};

/// An error of a verifier with this text.
fn other(text: &str) -> CertificateError {
    Other(OtherError(Arc::new(io::Error::other(text.to_owned()))))
}

fn unknown_algorithm(identifier: &[u8]) -> CertificateError {
    UnsupportedSignatureAlgorithmContext { signature_algorithm_id: identifier.to_vec(), supported_algorithms: vec![] }
}

fn purposes(presented: &[ExtendedKeyPurpose]) -> CertificateError {
    InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented: presented.to_vec() }
}

fn says(error: impl Into<Error>) -> String {
    TlsError(error.into()).to_string()
}

/// One of each, with all errors of a verifier.
fn certificate_errors() -> Vec<CertificateError> {
    let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let named = |presented: &[&str]| NotValidForNameContext {
        expected: ServerName::try_from("a.example").unwrap(),
        presented: presented.iter().map(|name| (*name).to_owned()).collect(),
    };
    let mut all = vec![BadEncoding, Expired, NotValidYet, Revoked, UnhandledCriticalExtension, UnknownIssuer];
    all.extend([UnknownRevocationStatus, ExpiredRevocationList, BadSignature, NotValidForName, InvalidPurpose]);
    all.extend([InvalidOcspResponse, ApplicationVerificationFailure]);
    all.extend([
        ExpiredContext { time: at(9), not_after: at(5) },
        NotValidYetContext { time: at(5), not_before: at(9) },
    ]);
    all.push(ExpiredRevocationListContext { time: at(9), next_update: at(5) });
    all.extend([named(&[]), named(&["DnsName(\"b.example\")", "IpAddress(127.0.0.1)", "odd", "more"])]);
    all.extend([purposes(&[]), purposes(&[ExtendedKeyPurpose::ClientAuth, ExtendedKeyPurpose::Other(vec![1, 3])])]);
    all.extend([unknown_algorithm(&[]), unknown_algorithm(&[6, 3, 43, 101, 113]), unknown_algorithm(&[6, 200, 1])]);
    let (signature_algorithm_id, public_key_algorithm_id) = (vec![6, 1, 1], vec![6, 1, 2]);
    all.push(UnsupportedSignatureAlgorithmForPublicKeyContext { signature_algorithm_id, public_key_algorithm_id });
    all.extend(VERIFIER.map(other));
    all
}

/// The texts of webpki's variants; the last ones are made up.
const VERIFIER: [&str; 28] = [
    "CaUsedAsEndEntity",
    "CertDistrusted",
    "EmptyEkuExtension",
    "EndEntityUsedAsCa",
    "ExtensionValueInvalid",
    "InvalidNetworkMaskConstraint",
    "InvalidSerialNumber",
    "MalformedDnsIdentifier",
    "MalformedExtensions",
    "MalformedNameConstraint",
    "MaximumNameConstraintComparisonsExceeded",
    "MaximumPathBuildCallsExceeded",
    "MaximumPathDepthExceeded",
    "MaximumSignatureChecksExceeded",
    "NameConstraintViolation",
    "PathLenConstraintViolated",
    "SignatureAlgorithmMismatch",
    "UnsupportedCertVersion",
    "UnsupportedCriticalExtension",
    "UnsupportedCrlIssuingDistributionPoint",
    "UnsupportedIndirectCrl",
    "UnsupportedNameType",
    "UnsupportedRevocationReasonsPartitioning",
    "",
    "words of its own",
    "NewVariant(Certificate)",
    "NewContext { time: UnixTime(5) }",
    "OtherError(NewVariant)",
];

/// One of each kind, and more of those with a value.
fn other_errors() -> Vec<Error> {
    vec![
        Error::InappropriateMessage { expect_types: vec![ContentType::Handshake], got_type: ContentType::Unknown(99) },
        Error::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::ServerHello, HandshakeType::HelloRetryRequest],
            got_type: HandshakeType::Unknown(99),
        },
        EncryptedClientHelloError::NoCompatibleConfig.into(),
        InvalidMessage::InvalidContentType.into(),
        InvalidMessage::MessageTooLarge.into(),
        InvalidMessage::MissingData("ServerName").into(),
        InvalidMessage::DuplicateExtension(5).into(),
        Error::NoCertificatesPresented,
        Error::UnsupportedNameType,
        Error::DecryptError,
        Error::EncryptError,
        PeerIncompatible::ServerDoesNotSupportTls12Or13.into(),
        PeerIncompatible::NoKxGroupsInCommon.into(),
        PeerIncompatible::ServerRejectedEncryptedClientHello(Some(vec![])).into(),
        PeerMisbehaved::TooManyKeyUpdateRequests.into(),
        CertRevocationListError::BadSignature.into(),
        CertRevocationListError::Other(OtherError(Arc::new(io::Error::other("Some(Thing)")))).into(),
        Error::General("words".into()),
        Error::FailedToGetCurrentTime,
        Error::FailedToGetRandomBytes,
        Error::HandshakeNotComplete,
        Error::PeerSentOversizedRecord,
        Error::NoApplicationProtocol,
        Error::BadMaxFragmentSize,
        InconsistentKeys::KeyMismatch.into(),
        Error::Other(OtherError(Arc::new(io::Error::other("Some(Thing)")))),
    ]
}

#[test]
fn no_error_shows_a_value_in_rust_syntax() {
    let alerts = (0..=255).map(|number| Error::AlertReceived(AlertDescription::from(number)));
    let all = certificate_errors().into_iter().map(Error::from).chain(alerts).chain(other_errors());
    for error in all {
        let text = TlsError(error.clone()).to_string();
        let shown = text.contains("{ ") || text.contains('[');
        let shown = shown || text.split('(').skip(1).any(|behind| behind.starts_with(|c: char| c.is_ascii_uppercase()));
        assert!(!shown && !text.is_empty() && !text.ends_with([' ', ':']), "{error:?}: {text}");
        // People look up the name of an alert; no other name of a variant is left.
        let words = text.split(" (alert ").next().unwrap();
        assert_eq!(words.split(' ').find(|word| is_camel(word)), None, "{error:?}: {text}");
    }
}

/// A lower-case letter is followed by an upper-case one.
fn is_camel(word: &str) -> bool {
    word.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

#[test]
fn common_alerts_are_explained_and_all_are_named() {
    for (number, text) in [
        (40, "it shares no cipher or kind of key with us, or wants a certificate of ours (alert HandshakeFailure)"),
        (42, "it does not accept our certificate (alert BadCertificate)"),
        (48, "it does not trust the issuer of our certificate (alert UnknownCA)"),
        (70, "it shares no version of TLS with us (alert ProtocolVersion)"),
        (80, "it has trouble of its own (alert InternalError)"),
        (112, "it knows no site of this name (alert UnrecognisedName)"),
        (116, "it wants a certificate of ours (alert CertificateRequired)"),
        (120, "it does not speak HTTP/1.1 (alert NoApplicationProtocol)"),
    ] {
        assert_eq!(says(Error::AlertReceived(number.into())), format!("the peer refused us: {text}"));
    }
    assert_eq!(says(Error::AlertReceived(100.into())), "the peer refused us (alert NoRenegotiation)");
    assert_eq!(says(Error::AlertReceived(200.into())), "the peer refused us (alert 200)");
}

#[test]
fn errors_without_a_text_have_their_name_spelled_out() {
    let errors: [(Error, &str); 6] = [
        (other("NewVariant(Certificate)").into(), "the certificate is not valid here: new variant"),
        (other("words of its own").into(), "the certificate is not valid here: words of its own"),
        (other("").into(), "the certificate is not valid here"),
        (PeerMisbehaved::TooManyKeyUpdateRequests.into(), "peer misbehaved: too many key update requests"),
        (PeerIncompatible::NoKxGroupsInCommon.into(), "peer is incompatible: no kx groups in common"),
        (InvalidMessage::MissingData("x").into(), "received corrupt message of type missing data"),
    ];
    for (error, text) in errors {
        assert_eq!(says(error), text);
    }
}

#[test]
fn signatures_and_purposes_are_named_or_numbered() {
    let above = "the certificate, or one above it, is signed";
    for (identifier, text) in [
        (&[6, 7, 42, 134, 72, 206, 61, 4, 1][..], "with SHA-1, which is not safe any more"),
        (&[6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 5, 5, 0], "with SHA-1, which is not safe any more"),
        (&[6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 4, 5, 0], "with MD5, which is not safe any more"),
        (&[6, 3, 43, 101, 113], "in a way that is not known here (1.3.101.113)"),
        (&[6, 3, 136, 55, 3], "in a way that is not known here (2.999.3)"),
        (&[6, 9, 43], "in a way that is not known here"),
        (&[6, 0], "in a way that is not known here"),
    ] {
        assert_eq!(says(unknown_algorithm(identifier)), format!("{above} {text}"));
    }
    assert_eq!(says(purposes(&[])), "the certificate is not for servers");
    let mail = ExtendedKeyPurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 4]);
    let presented = [ExtendedKeyPurpose::ClientAuth, mail];
    assert_eq!(says(purposes(&presented)), "the certificate is not for servers but for clients, 1.3.6.1.5.5.7.3.4");
}

/// A server with this chain, valid or not.
fn showing(house: &House, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Arc<ServerConfig> {
    let mut config = Arc::unwrap_or_clone(house.server());
    let key = ring::default_provider().key_provider.load_private_key(key).unwrap();
    config.cert_resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
    Arc::new(config)
}

/// The error of a client at a good certificate in which the first `bytes` were replaced.
fn spoiled(bytes: &[u8], by: &[u8]) -> String {
    let house = House::new();
    let (mut chain, key) = house.sign(|_| {});
    let mut der = chain[0].to_vec();
    let at = der.windows(bytes.len()).position(|window| window == bytes).expect("the bytes");
    der.splice(at..at + bytes.len(), by.iter().copied());
    chain[0] = der.into();
    complaint(&house, &showing(&house, chain, key))
}

fn complaint(house: &House, far: &Arc<ServerConfig>) -> String {
    let (mut client, mut server) = ends(&house.client(), far);
    error_of(shake(&mut client, &mut server)).1
}

#[test]
fn unfit_certificates_of_tools_are_refused_with_a_reason() {
    // Version 3 is written as 2.
    assert_eq!(
        spoiled(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 0]),
        "the certificate is of an X.509 version below 3, as openssl x509 -req makes it without -extfile"
    );
    assert_eq!(
        spoiled(b"\x09localhost", b"\x09lacolhost"),
        "the certificate, or one above it, has a wrong signature or an RSA key below 2048 bits"
    );
    let house = House::new();
    let signed = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let (chain, key) = house.sign(change);
        complaint(&house, &showing(&house, chain, key))
    };
    let critical = |params: &mut rcgen::CertificateParams| {
        let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    };
    assert_eq!(signed(&critical), "the certificate demands, in a critical extension, what is not known here");

    let narrow = House::of("narrow", |params| {
        let permitted_subtrees = vec![rcgen::GeneralSubtree::DnsName("example".into())];
        params.name_constraints = Some(rcgen::NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
    });
    assert_eq!(
        complaint(&narrow, &narrow.server()),
        "the certificate has a name for which its authority may not speak"
    );
}

#[test]
fn garbage_after_the_handshake_has_its_own_error() {
    for garbage in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[23, 9, 9, 0, 1, 0]] {
        for mut end in [pair().0, pair().1] {
            end.inner().input.borrow_mut().bytes.extend(garbage);
            let said = (ErrorKind::InvalidData, "the peer sent something that is no TLS record".to_owned());
            assert_eq!(error_of(end.read(&mut [0; 9])), said);
            assert_eq!(error_of(end.write(b"x")), said);
        }
    }
}

#[test]
fn a_server_names_the_bad_file_and_the_good_keys() {
    let house = House::new();
    let (chain, key) = house.sign(|_| {});
    let refused = |chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>| {
        server_config(chain.to_vec(), key.clone_key()).unwrap_err()
    };
    assert_eq!(refused(&chain, &house.sign(|_| {}).1), "the key is not the certificate's");
    assert_eq!(refused(&[], &key), "there is no certificate");
    let damaged = "the certificate is damaged or badly made";
    assert_eq!(refused(&[CertificateDer::from_slice(b"nonsense")], &key), damaged);
    let mut old = chain[0].to_vec();
    let version = old.windows(5).position(|window| window == [0xa0, 3, 2, 1, 2]).unwrap();
    old[version + 4] = 0;
    assert!(refused(&[old.into()], &key).starts_with("the certificate is of an X.509 version below 3"));

    // Ed448 (RFC 8410), and no key at all.
    let ed448 = [&[0x30, 0x47, 2, 1, 0, 0x30, 5, 6, 3, 43, 101, 113, 4, 0x3b, 4, 0x39][..], &[7; 57]].concat();
    let kinds = "the key is damaged, or none of those that work: \
                 RSA of 2048 to 4096 bits, ECDSA with P-256 or P-384, and Ed25519";
    for der in [ed448, b"nonsense".to_vec()] {
        assert_eq!(refused(&chain, &PrivatePkcs8KeyDer::from(der).into()), kinds);
    }
    let root = client_config(&[house.root.clone(), CertificateDer::from_slice(b"nonsense")]).unwrap_err();
    assert_eq!(root, format!("root certificate number 2 is unusable: {damaged}"));
}
