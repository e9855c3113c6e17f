//! A public key of an actor. Pure.

use ring::signature::{
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

/// RSA (RFC 8017, appendix C).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Ed25519 (RFC 8410).
const ED_25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A way to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: what nearly every server uses.
    RsaSha256,
    /// RSASSA-PSS with SHA-512.
    RsaPssSha512,
    /// Ed25519.
    Ed25519,
}

/// A public key. RSA keys have 2048 to 8192 bits: no signature by a shorter one is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    kind: Kind,
    /// An `RSAPublicKey`, DER; or the 32 bytes of Ed25519.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ed25519,
}

impl PublicKey {
    /// Reads a key of `publicKeyPem`: a `PUBLIC KEY`, or an `RSA PUBLIC KEY` as some servers write it. None if it is neither.
    pub(super) fn from_pem(text: &str) -> Option<PublicKey> {
        let pem = pem::parse(text).ok()?;
        if pem.tag() == "RSA PUBLIC KEY" {
            let bytes = pem.into_contents();
            return Some(PublicKey {
                kind: Kind::Rsa,
                bytes,
            });
        }
        if pem.tag() != "PUBLIC KEY" {
            return None;
        }
        let info = SubjectPublicKeyInfoRef::try_from(pem.contents()).ok()?;
        let kind = match info.algorithm.oid {
            RSA => Kind::Rsa,
            ED_25519 => Kind::Ed25519,
            _ => return None,
        };
        Some(PublicKey {
            kind,
            bytes: info.subject_public_key.as_bytes()?.to_vec(),
        })
    }

    /// Its bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether this key made a signature of these bytes; by `algorithm`, or else by the one that keys of its kind are used with.
    pub(super) fn has_signed(
        &self,
        algorithm: Option<Algorithm>,
        signed: &[u8],
        signature: &[u8],
    ) -> bool {
        let verification: &'static dyn VerificationAlgorithm = match (self.kind, algorithm) {
            (Kind::Rsa, None | Some(Algorithm::RsaSha256)) => &RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, Some(Algorithm::RsaPssSha512)) => &RSA_PSS_2048_8192_SHA512,
            (Kind::Ed25519, None | Some(Algorithm::Ed25519)) => &ED25519,
            _ => return false,
        };
        let key = UnparsedPublicKey::new(verification, &self.bytes);
        key.verify(signed, signature).is_ok()
    }
}
