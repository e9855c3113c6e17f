//! How user tokens are signed that the backend makes, and the keys for it. Pure.

use super::secret::Secret;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{DecodingKey, EncodingKey};

/// The shortest secret for HS256, in bytes (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// How user tokens are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// The algorithm; a token signed by another is refused, whatever it says itself.
    pub algorithm: Algorithm,
    /// HS256: the shared secret. RS256 and EdDSA: the public key, PEM. One that [`Jwt::decoding_key`] takes.
    pub key: Secret,
    /// What `iss` must be, if that is checked.
    pub issuer: Option<String>,
    /// What `aud` must be or hold, if that is checked.
    pub audience: Option<String>,
}

/// How a token is signed (RFC 7518; EdDSA: RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSA with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// As tokens write it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Rs256 => "RS256",
            Algorithm::EdDsa => "EdDSA",
        }
    }
}

impl Jwt {
    /// The key that tokens are checked with. An error if it is none for the algorithm.
    pub fn decoding_key(&self) -> Result<DecodingKey, Error> {
        let key = self.key.reveal().as_bytes();
        match self.algorithm {
            Algorithm::Hs256 if key.len() < SECRET_BYTES_MIN => {
                Err(ErrorKind::InvalidKeyFormat.into())
            }
            Algorithm::Hs256 => Ok(DecodingKey::from_secret(key)),
            Algorithm::Rs256 => DecodingKey::from_rsa_pem(key),
            Algorithm::EdDsa => DecodingKey::from_ed_pem(key),
        }
    }

    /// The key that tokens are signed with, made of a private key (for HS256, of the secret).
    pub fn encoding_key(&self, key: &Secret) -> Result<EncodingKey, Error> {
        let key = key.reveal().as_bytes();
        match self.algorithm {
            Algorithm::Hs256 => Ok(EncodingKey::from_secret(key)),
            Algorithm::Rs256 => EncodingKey::from_rsa_pem(key),
            Algorithm::EdDsa => EncodingKey::from_ed_pem(key),
        }
    }
}
