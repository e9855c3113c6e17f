//! How user tokens are signed that the backend makes, and the keys for it. Pure.

use super::secret::Secret;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{DecodingKey, EncodingKey};
use schemars::JsonSchema;
use serde::Deserialize;

/// The shortest secret for HS256, in bytes (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// How user tokens are checked: the keys `[auth.jwt]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The algorithm; a token signed by another is refused, whatever it says itself.
    pub algorithm: Algorithm,
    /// HS256: the shared secret. RS256 and EdDSA: the public key, PEM. One that [`Options::decoding_key`] takes.
    pub key: Secret,
    /// What `iss` must be, if that is checked.
    pub issuer: Option<String>,
    /// What `aud` must be or hold, if that is checked.
    pub audience: Option<String>,
}

/// How user tokens are signed.
// By RFC 7518, EdDSA by RFC 8037. The text of these comments stands in the configuration's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// With a secret that both sides know.
    #[serde(rename = "HS256")]
    Hs256,
    /// With an RSA key.
    #[serde(rename = "RS256")]
    Rs256,
    /// With an Ed25519 key.
    #[serde(rename = "EdDSA")]
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

impl Options {
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
