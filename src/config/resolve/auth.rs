//! `[auth]`: which tokens are taken, and what seals cursors.

use super::Resolver;
use super::made_token::made_token;
use super::secret_text::{MADE, secret_text};
use crate::api::auth;
use crate::api::auth::jwt::Algorithm;
use crate::api::auth::secret::Secret;
use crate::api::auth::{introspection, jwt};
use crate::config::file::{self, CURSOR_KEYS_MAX, CursorKeys, SecretText};
use crate::config::mistake::quoted;
use crate::config::validate::join;
use std::path::Path;
use std::time::Duration;

/// The shortest secret to seal cursors with, in bytes: as long as what is made of it.
const CURSOR_KEY_BYTES_MIN: usize = 32;
/// What stands for no seal among the keys of cursors.
const NO_CURSOR_KEY: &str = "none";

impl Resolver<'_> {
    /// Which tokens are taken, and the keys of cursors: the first seals, and `None` stands for no seal.
    pub(super) fn auth(
        &mut self,
        written: Option<file::Auth>,
    ) -> (auth::Options, Vec<Option<Secret>>) {
        const KEY: &str = "auth.service_tokens";
        let mut auth = auth::Options::default();
        let Some(written) = written else {
            return (auth, Vec::new());
        };
        // A key may be missing since it is wrong: that is one mistake, not two.
        if !self.is_written(KEY) && !self.has_mistake_below("auth") {
            // An [auth] that lets anyone in is hardly what was meant by it.
            let allowed = "at least one token, or no [auth] at all";
            self.mistake("auth", "no service_tokens", allowed, None);
        }
        let tokens = written.service_tokens.unwrap_or_default();
        for (nth, SecretText(text)) in tokens.iter().enumerate() {
            let allowed =
                "16 to 4096 letters, digits and signs, or env:NAME, file:PATH or made:PATH of such";
            let found = match self.service_token(text) {
                Err(found) => found,
                Ok(token) if !(16..=4096).contains(&token.len()) => {
                    format!("a token of {} bytes", token.len())
                }
                Ok(token) if !token.bytes().all(|b| b.is_ascii_graphic()) => {
                    "a token with spaces or other characters that no header can hold".to_owned()
                }
                Ok(token) => {
                    auth.service_tokens.push(Secret::new(&token));
                    continue;
                }
            };
            self.mistake(&format!("{KEY}[{nth}]"), &found, allowed, None);
        }
        auth.public_feeds_open = written.public_feeds_open.unwrap_or_default();
        let cursor_keys = match written.cursor_key {
            None => Vec::new(),
            Some(written) => self.cursor_keys(&written),
        };
        auth.jwt = written.jwt.and_then(|written| self.jwt(written));
        auth.introspection = written
            .introspection
            .and_then(|written| self.introspection(written));
        (auth, cursor_keys)
    }

    /// A token of the backend. One that is written `made:PATH` is made at the first start, for those who would have to invent one.
    fn service_token(&self, text: &str) -> Result<String, String> {
        match text.strip_prefix(MADE) {
            None => secret_text(text, self.environment),
            Some(path) => {
                let token = made_token(Path::new(path), self.environment.missing_token);
                token.map_err(|why| format!("{MADE}{}: {why}", path.escape_debug()))
            }
        }
    }

    fn cursor_keys(&mut self, written: &CursorKeys) -> Vec<Option<Secret>> {
        const KEY: &str = "auth.cursor_key";
        let texts = match written {
            CursorKeys::One(text) => return vec![self.cursor_key(KEY, text)],
            CursorKeys::Several(texts) => texts,
        };
        let is_none = |SecretText(text): &SecretText| text == NO_CURSOR_KEY;
        let max = CURSOR_KEYS_MAX;
        if max < texts.len() {
            let found = format!("a list of {}", texts.len());
            self.mistake(KEY, &found, &format!("at most {max} keys"), None);
        } else if !texts.is_empty() && texts.iter().all(is_none) {
            let allowed = "at least one key beside \"none\", or no auth.cursor_key at all";
            self.mistake(KEY, "no key", allowed, None);
        }
        let keys = texts
            .iter()
            .enumerate()
            .map(|(nth, text)| match is_none(text) {
                true => None,
                false => self.cursor_key(&format!("{KEY}[{nth}]"), text),
            });
        keys.collect()
    }

    fn cursor_key(&mut self, key: &str, SecretText(text): &SecretText) -> Option<Secret> {
        let found = match secret_text(text, self.environment) {
            Ok(key) if CURSOR_KEY_BYTES_MIN <= key.len() => return Some(Secret::new(&key)),
            Ok(key) => format!("a key of {} bytes", key.len()),
            Err(found) => found,
        };
        let allowed = "a secret of at least 32 bytes, or env:NAME or file:PATH of one";
        self.mistake(key, &found, allowed, None);
        None
    }

    fn jwt(&mut self, written: file::Jwt) -> Option<jwt::Options> {
        let Some(algorithm) = written.algorithm else {
            if !self.has_mistake_below("auth.jwt") {
                let allowed = "algorithm = \"HS256\", \"RS256\" or \"EdDSA\"";
                self.mistake("auth.jwt", "no algorithm", allowed, None);
            }
            return None;
        };
        let Some(SecretText(text)) = &written.key else {
            if !self.has_mistake_below("auth.jwt") {
                let allowed =
                    "key: the shared secret, or the public key that tokens are checked with";
                self.mistake("auth.jwt", "no key", allowed, None);
            }
            return None;
        };
        let key = secret_text(text, self.environment).and_then(|key| {
            let jwt = jwt::Options {
                algorithm,
                key: Secret::new(&key),
                issuer: written.issuer,
                audience: written.audience,
            };
            match jwt.decoding_key() {
                Ok(_) => Ok(jwt),
                Err(_) => Err(format!("a key that is none for {}", algorithm.name())),
            }
        });
        let allowed = match algorithm {
            Algorithm::Hs256 => "a secret of at least 32 bytes, or env:NAME or file:PATH of one",
            Algorithm::Rs256 => {
                "an RSA public key, PEM (BEGIN PUBLIC KEY), or env:NAME or file:PATH of one"
            }
            Algorithm::EdDsa => {
                "an Ed25519 public key, PEM (BEGIN PUBLIC KEY), or env:NAME or file:PATH of one"
            }
        };
        key.map_err(|found| self.mistake("auth.jwt.key", &found, allowed, None))
            .ok()
    }

    fn introspection(&mut self, written: file::Introspection) -> Option<introspection::Options> {
        const KEY: &str = "auth.introspection";
        let missing = [
            ("url", written.url.is_none()),
            ("client_id", written.client_id.is_none()),
            ("client_secret", written.client_secret.is_none()),
        ];
        let missing = missing.into_iter().filter(|(_, is_missing)| *is_missing);
        let missing: Vec<&str> = missing.map(|(key, _)| key).collect();
        if !missing.is_empty() && !self.has_mistake_below(KEY) {
            let found = format!("no {}", missing.join(", no "));
            self.mistake(KEY, &found, "url, client_id and client_secret", None);
        }
        let (url, secret) = (written.url?, written.client_secret?);
        let allowed = "an http or https URL";
        let url = match url::Url::parse(&url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            _ => {
                // `auth.example/introspect` has no scheme, and to a URL `localhost:3000` has the scheme `localhost`.
                let guess = format!("https://{url}");
                let is_url = url::Url::parse(&guess).is_ok_and(|url| url.has_host());
                let is_meant = !url.contains("://") && url.contains(['.', ':']) && is_url;
                let guess = is_meant.then(|| quoted(&guess));
                self.mistake(&join(KEY, "url"), &quoted(&url), allowed, guess);
                None
            }
        };
        let secret = match secret_text(&secret.0, self.environment) {
            Ok(secret) => Some(Secret::new(&secret)),
            Err(found) => {
                let allowed = "a variable that is set, a file that can be read";
                self.mistake(&join(KEY, "client_secret"), &found, allowed, None);
                None
            }
        };
        Some(introspection::Options {
            url: url?,
            client_id: written.client_id?,
            client_secret: secret?,
            remember: written.remember.map_or(Duration::from_secs(25), |it| it.0),
        })
    }
}
