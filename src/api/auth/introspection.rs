//! Opaque user tokens: the server that issued them is queried (OAuth 2.0 token introspection, RFC 7662). Its responses are cached
//! for a moment, good or bad, and the number of its requests at a time is bounded.

use super::secret::Secret;
use super::token_checks::{CheckResult, TokenChecks, Unchecked};
use super::{Scopes, TokenError, User};
use crate::api::auth::token::Token;
use crate::api::outgoing::{Cause, Outgoing};
use axum::body::Bytes;
use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use serde::Deserialize;
use slackwater_order::time::Time;
use std::time::Duration;
use url::form_urlencoded;

/// The longest time that a response may take.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The longest response, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The server that introspects opaque user tokens: the keys `[auth.introspection]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The address of the endpoint: http or https.
    pub url: url::Url,
    /// The id that this service identifies itself with.
    pub client_id: String,
    /// The secret that this service identifies itself with.
    pub client_secret: Secret,
    /// The time for which a response is used. 1 to 25 seconds, default 25 seconds.
    pub remember: Duration,
}

/// Introspects tokens.
#[derive(Debug)]
pub struct Introspection {
    options: Options,
    http: Outgoing,
    checks: TokenChecks,
}

/// The fields of a response that are read.
#[derive(Debug, Deserialize)]
struct Answer {
    active: bool,
    sub: Option<String>,
    #[serde(default)]
    scope: String,
    exp: Option<i64>,
}

impl Introspection {
    /// Prepares introspection as `options` have it. An error if no client can be made on this machine.
    pub fn new(options: Options) -> std::io::Result<Introspection> {
        Ok(Introspection {
            options,
            http: Outgoing::new()?,
            checks: TokenChecks::default(),
        })
    }

    /// The time for which a response is used.
    pub fn remember(&self) -> Duration {
        self.options.remember
    }

    /// Whether a response about a token is cached.
    pub fn knows(&self, token: &Token, now: Time) -> bool {
        let age = self.checks.age(token, now);
        age.is_some_and(|age| age < self.options.remember)
    }

    /// The account of a token.
    pub async fn user(&self, token: &Token) -> CheckResult {
        let remember = self.options.remember;
        self.checks
            .user(token, remember, |_| self.check(token))
            .await
    }

    /// Asks about a token that nobody has, to see whether there is an answer.
    pub(crate) async fn try_it(&self) -> Result<(), Cause> {
        let token = Token::new("slackwater-doctor-asks-about-no-token").ok_or("no token")?;
        self.ask(&token).await.map(drop)
    }

    async fn check(&self, token: &Token) -> Result<CheckResult, Unchecked> {
        let answer = self.ask(token).await?;
        let user = answer.sub.filter(|_| answer.active).map(|account| User {
            account,
            scopes: Scopes::parse(&answer.scope),
            expires: answer
                .exp
                .map(|exp| Time::from_millis(exp.saturating_mul(1000))),
        });
        Ok(user.ok_or(TokenError::Invalid))
    }

    async fn ask(&self, token: &Token) -> Result<Answer, Cause> {
        let Options {
            url,
            client_id,
            client_secret,
            remember: _,
        } = &self.options;
        let form = [
            ("token", token.reveal()),
            ("token_type_hint", "access_token"),
        ];
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        // RFC 6749, section 2.3.1: both are form-encoded first.
        let encoded = |it: &str| form_urlencoded::byte_serialize(it.as_bytes()).collect::<String>();
        let client = format!("{}:{}", encoded(client_id), encoded(client_secret.reveal()));
        let request = Request::post(url.as_str())
            .header(
                header::AUTHORIZATION,
                format!("Basic {}", STANDARD.encode(client)),
            )
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))?;
        let answer = self
            .http
            .send(request, ANSWER_WAIT, ANSWER_BYTES_MAX)
            .await?;
        if !answer.status.is_success() {
            return Err(format!("the answer was {}", answer.status).into());
        }
        Ok(serde_json::from_slice(&answer.body)?)
    }
}
