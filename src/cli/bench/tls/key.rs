//! The public key of a certificate: how many bits it has, and whether it has signed a message.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Reader, Result};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
#[derive(Debug)]
pub struct Key<'a> {
    /// What `algorithm` was read from, as rustls compares it.
    identifier: &'a [u8],
    algorithm: ObjectIdentifier,
    /// The curve, of an elliptic one.
    parameters: Option<AnyRef<'a>>,
    bytes: &'a [u8],
}

impl<'a> Key<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// It is not in DER.
    pub fn parse(info: AnyRef<'a>) -> Result<Key<'a>> {
        info.sequence(|info| {
            let identifier: AnyRef<'a> = info.decode()?;
            let (algorithm, parameters) = identifier.sequence(|identifier| {
                let algorithm = identifier.decode()?;
                Ok::<_, der::Error>((
                    algorithm,
                    if identifier.is_finished() { None } else { Some(identifier.decode()?) },
                ))
            })?;
            let bytes = info.decode::<BitStringRef<'a>>()?.raw_bytes();
            Ok(Key { identifier: identifier.value(), algorithm, parameters, bytes })
        })
    }

    /// Its length as OpenSSL counts it: bits of the modulus, or of the field of the curve.
    pub fn bits(&self) -> usize {
        let whole = self.bytes.len() * 8;
        match self.algorithm {
            RSA | RSA_PSS => self.modulus_bits().unwrap_or(whole),
            ELLIPTIC if self.parameters.is_some_and(|curve| curve.decode_as() == Ok(P521)) => 521,
            // A byte that says how it is written, then two coordinates.
            ELLIPTIC => whole.saturating_sub(8) / 2,
            _ => whole,
        }
    }

    fn modulus_bits(&self) -> Result<usize> {
        let modulus = AnyRef::try_from(self.bytes)?.sequence(|key| {
            let modulus = key.decode::<UintRef<'a>>()?;
            key.decode::<UintRef<'a>>()?;
            Ok::<_, der::Error>(modulus.as_bytes())
        })?;
        Ok(modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize))
    }

    /// Its kind and length, for people.
    pub fn name(&self) -> String {
        let kind = match self.algorithm {
            RSA | RSA_PSS => "RSA",
            ELLIPTIC => "ECDSA",
            ED25519 => "Ed25519",
            _ => "another kind",
        };
        format!("{kind}, {} bits", self.bits())
    }

    /// Whether it is one of those that can be checked here.
    pub fn is_known(&self, known: &WebPkiSupportedAlgorithms) -> bool {
        let is_long = !matches!(self.algorithm, RSA | RSA_PSS) || (2048..=8192).contains(&self.bits());
        is_long && known.all.iter().any(|algorithm| algorithm.public_key_alg_id().as_ref() == self.identifier)
    }

    /// Whether it has signed `message`. TLS 1.2 leaves the curve of an ECDSA scheme open, so all that match the scheme
    /// are tried (RFC 8422 section 5.4); TLS 1.3 means the first of them.
    pub fn has_signed(
        &self,
        message: &[u8],
        (scheme, signature): (SignatureScheme, &[u8]),
        known: &WebPkiSupportedAlgorithms,
        is_tls13: bool,
    ) -> bool {
        let schemes = known.mapping.iter().filter(|(known, _)| *known == scheme);
        let algorithms = schemes.flat_map(|(_, all)| all.iter().take(if is_tls13 { 1 } else { all.len() }));
        let mut fitting = algorithms.filter(|algorithm| algorithm.public_key_alg_id().as_ref() == self.identifier);
        fitting.any(|algorithm| algorithm.verify_signature(self.bytes, message, signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring;

    /// A value with its tag and its length, in two bytes.
    fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let value = parts.concat();
        let [high, low] = u16::try_from(value.len()).expect("it is short").to_be_bytes();
        let length = if value.len() < 0x80 { vec![low] } else { vec![0x82, high, low] };
        let length = if length.len() == 3 && high == 0 { vec![0x81, low] } else { length };
        [&[tag], &length[..], &value].concat()
    }

    /// An RSA key whose modulus has this length.
    fn rsa(bytes: usize) -> Vec<u8> {
        let algorithm = tagged(0x30, &[&tagged(6, &[RSA.as_bytes()]), &[5, 0]]);
        let modulus = tagged(2, &[&[0], &vec![0xff; bytes]]);
        let key = tagged(0x30, &[&modulus, &[2, 1, 3]]);
        tagged(0x30, &[&algorithm, &tagged(3, &[&[0], &key])])
    }

    #[test]
    fn only_rsa_keys_that_ring_checks_are_known() {
        let known = ring::default_provider().signature_verification_algorithms;
        for (bytes, is_known) in [(128, false), (255, false), (256, true), (1024, true), (1025, false)] {
            let der = rsa(bytes);
            let key = Key::parse(AnyRef::try_from(&der[..]).expect("DER")).expect("a key");
            assert_eq!((key.name(), key.is_known(&known)), (format!("RSA, {} bits", bytes * 8), is_known));
        }
    }
}
