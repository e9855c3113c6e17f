//! `[auth]` as written, with its secrets.

use super::value::Span;
use crate::api::auth::jwt::Algorithm;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;

/// Keys for cursors at most: each makes those of another key cost a hash more.
pub const CURSOR_KEYS_MAX: usize = 8;

/// Who may ask.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// What the backend sends as its bearer token, at least 16 bytes each; `env:NAME` or `file:PATH` to keep them out
    /// of this file, `made:PATH` for one that is made at the first start.
    #[schemars(length(min = 1))]
    pub service_tokens: Option<Vec<SecretText>>,
    /// Whether public and hashtag feeds may be read without a token.
    pub public_feeds_open: Option<bool>,
    /// What cursors are sealed with: a secret of at least 32 bytes that all nodes share; `env:NAME` or `file:PATH` to keep it
    /// out of this file. Of a list the first seals, and cursors that any of them sealed are taken; "none" in it stands for no
    /// seal.
    pub cursor_key: Option<CursorKeys>,
    /// User tokens that the backend signs.
    pub jwt: Option<Jwt>,
    /// User tokens that the backend is asked about (RFC 7662).
    pub introspection: Option<Introspection>,
}

/// User tokens that the backend signs: `sub` is the account, `scope` what the token is for, `exp` when it ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Jwt {
    /// How they are signed.
    pub algorithm: Option<Algorithm>,
    /// HS256: the shared secret, at least 32 bytes. RS256 and EdDSA: the public key, PEM. `env:NAME` or `file:PATH` to keep
    /// it out of this file.
    pub key: Option<SecretText>,
    /// What `iss` must be.
    #[schemars(length(min = 1))]
    pub issuer: Option<String>,
    /// What `aud` must be or hold.
    #[schemars(length(min = 1))]
    pub audience: Option<String>,
}

/// Who is asked about user tokens that say nothing by themselves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Introspection {
    /// Where.
    #[schemars(length(min = 1))]
    pub url: Option<String>,
    /// As whom.
    #[schemars(length(min = 1))]
    pub client_id: Option<String>,
    /// With which secret; `env:NAME` or `file:PATH` to keep it out of this file.
    pub client_secret: Option<SecretText>,
    /// How long an answer is believed.
    #[schemars(extend("x-min" = "1s", "x-max" = "25s"))]
    pub remember: Option<Span>,
}

/// A secret as written: `env:NAME`, `file:PATH`, or the secret itself.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

/// What cursors are sealed with as written.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum CursorKeys {
    /// One for all.
    One(SecretText),
    /// One that seals, and others.
    Several(Vec<SecretText>),
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-kind": "secret", "examples": ["env:SLACKWATER_TOKEN"] })
    }
}

impl JsonSchema for CursorKeys {
    fn schema_name() -> Cow<'static, str> {
        "CursorKeys".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"], "x-kind": "secret", "items": { "type": "string", "x-kind": "secret" },
            "minItems": 1, "maxItems": CURSOR_KEYS_MAX,
            "examples": ["env:SLACKWATER_CURSOR_KEY", ["env:SLACKWATER_CURSOR_KEY", "env:SLACKWATER_CURSOR_KEY_BEFORE"]]
        })
    }
}
