//! User tokens that the backend signs: JSON Web Tokens (RFC 7519). The library checks them; this file names the claims that ours
//! must have: `sub`, the account; `scope`; `exp`; and the audience and issuer, if they are configured.

use super::secret::Secret;
use super::{InvalidToken, LEEWAY, Scopes, User};
use jsonwebtoken::errors::Error;
use jsonwebtoken::{DecodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::time::Duration;

pub use super::jwt_options::{Algorithm, Options};

/// Checks tokens.
#[derive(Clone)]
pub struct Jwt {
    key: DecodingKey,
    validation: Validation,
}

/// The claims of a token.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
}

impl std::fmt::Debug for Jwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwt").finish_non_exhaustive()
    }
}

impl Jwt {
    /// Checks tokens as configured. An error if the key is none for the algorithm.
    pub fn new(options: &Options) -> Result<Jwt, Error> {
        let key = options.decoding_key()?;
        let mut validation = Validation::new(named(options.algorithm));
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "sub"]);
        match &options.audience {
            Some(audience) => validation.set_audience(&[audience]),
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &options.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if options.audience.is_some() {
            validation.required_spec_claims.insert("aud".to_owned());
        }
        Ok(Jwt { key, validation })
    }

    /// Whether a token has the form of a JWT, valid or not.
    pub fn is_one(token: &str) -> bool {
        decode_header(token).is_ok()
    }

    /// The account of a token.
    pub fn check(&self, token: &str) -> Result<User, InvalidToken> {
        let token =
            decode::<Claims>(token, &self.key, &self.validation).map_err(|_| InvalidToken)?;
        let claims = token.claims;
        Ok(User {
            account: claims.sub,
            scopes: Scopes::parse(&claims.scope),
            expires: Some(Time::from_millis(claims.exp.saturating_mul(1000))),
        })
    }
}

/// A token for an account, for trying things out. `key`: HS256: the secret; RS256 and EdDSA: the private key, PEM.
pub fn mint(
    options: &Options,
    key: &Secret,
    account: &str,
    scope: &str,
    now: Time,
    lives: Duration,
) -> Result<String, Error> {
    let claims = Claims {
        sub: account.to_owned(),
        exp: now.plus(lives).millis().div_euclid(1000),
        scope: scope.to_owned(),
        aud: options.audience.clone().map(serde_json::Value::String),
        iss: options.issuer.clone(),
    };
    let header = Header::new(named(options.algorithm));
    encode(&header, &claims, &options.encoding_key(key)?)
}

fn named(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    }
}
