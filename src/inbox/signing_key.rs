//! The key that fetches are signed with, for servers that answer no fetch without a signature ("authorized fetch"). Pure.

use super::SigningOptions;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use slackwater_order::time::Time;
use url::Url;

/// A private key with its id.
pub struct SigningKey {
    pair: RsaKeyPair,
    key_id: String,
}

/// The text is no private RSA key of 2048 bits or more in PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no private RSA key of 2048 to 4096 bits, PEM (BEGIN PRIVATE KEY)")]
pub struct NotAKey;

/// The headers that sign a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedHeaders {
    pub(super) date: String,
    pub(super) signature: String,
}

impl SigningKey {
    /// Reads the key.
    pub fn new(options: &SigningOptions) -> Result<SigningKey, NotAKey> {
        let pem = pem::parse(options.key.reveal()).map_err(|_| NotAKey)?;
        let pair = match pem.tag() {
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(pem.contents()),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(pem.contents()),
            _ => return Err(NotAKey),
        };
        Ok(SigningKey {
            pair: pair.map_err(|_| NotAKey)?,
            key_id: options.key_id.clone(),
        })
    }

    /// Signs a GET of a URL as draft-cavage-http-signatures-12 has it; none if this machine has no randomness.
    pub(super) fn sign(&self, url: &Url, host: &str, now: Time) -> Option<SignedHeaders> {
        let moment = chrono::DateTime::from_timestamp_millis(now.millis())?;
        let date = moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let target = url.path();
        let query = url.query().map(|query| format!("?{query}"));
        let query = query.unwrap_or_default();
        let signed = format!("(request-target): get {target}{query}\nhost: {host}\ndate: {date}");
        let mut bytes = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        let outcome = self
            .pair
            .sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut bytes);
        outcome.ok()?;
        let signature = format!(
            "keyId=\"{}\",algorithm=\"rsa-sha256\",headers=\"(request-target) host date\",signature=\"{}\"",
            self.key_id,
            STANDARD.encode(bytes)
        );
        Some(SignedHeaders { date, signature })
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::secret::Secret;
    use crate::api::auth::tests::keys;
    use crate::inbox::public_key::{Algorithm, PublicKey};

    fn options(key: &str) -> SigningOptions {
        SigningOptions {
            key: Secret::new(key),
            key_id: "https://home.example/actor#main-key".to_owned(),
        }
    }

    #[test]
    fn a_fetch_is_signed_as_servers_check_it() {
        let key = SigningKey::new(&options(keys::RSA.0)).unwrap();
        let url = Url::parse("https://a.example/users?name=ana").unwrap();
        let signed = key.sign(&url, "a.example", Time::from_millis(1_764_496_800_000));
        let signed = signed.unwrap();
        assert_eq!(signed.date, "Sun, 30 Nov 2025 10:00:00 GMT");
        let (before, signature) = signed.signature.split_once(",signature=").unwrap();
        assert_eq!(
            before,
            "keyId=\"https://home.example/actor#main-key\",algorithm=\"rsa-sha256\",headers=\"(request-target) host date\""
        );
        let lines = "(request-target): get /users?name=ana\nhost: a.example\ndate: Sun, 30 Nov 2025 10:00:00 GMT";
        let bytes = STANDARD.decode(signature.trim_matches('"')).unwrap();
        let public = PublicKey::from_pem(keys::RSA.1).unwrap();
        let algorithm = Some(Algorithm::RsaSha256);
        assert!(public.has_signed(algorithm, lines.as_bytes(), &bytes));
    }

    #[test]
    fn a_key_may_be_wrapped_or_not() {
        let der = pem::parse(keys::RSA.0).unwrap().into_contents();
        // The RSAPrivateKey in it (RFC 5958): of a key of 2048 bits the wrapping takes 26 bytes.
        let bare = pem::encode(&pem::Pem::new("RSA PRIVATE KEY", &der[26..]));
        assert!(SigningKey::new(&options(&bare)).is_ok());
    }

    #[test]
    fn what_is_no_private_rsa_key_signs_nothing() {
        for key in ["", "none", keys::RSA.1, keys::ED25519.0] {
            assert!(
                matches!(SigningKey::new(&options(key)), Err(NotAKey)),
                "{key}"
            );
        }
    }
}
