//! Opaque user tokens: the server that issued them is queried (OAuth 2.0 token introspection, RFC 7662). Its responses are cached
//! for a moment, good or bad, and the number of its requests at a time is bounded.

use super::secret::Secret;
use super::{Scopes, TokenError, User};
use crate::api::auth::token::Token;
use crate::clock;
use axum::body::Bytes;
use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use quick_cache::sync::Cache;
use serde::Deserialize;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::form_urlencoded;

/// The longest time that a response may take.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The most requests to the server at a time.
const ASKING_MAX: usize = 16;
/// The most callers that wait for their request to be sent; more get 503.
const WAITING_MAX: usize = 256;
/// The most bytes of cached tokens and responses.
const ANSWERS_BYTES_MAX: u64 = 16 << 20;
/// The usual bytes of a token and its response.
const ANSWER_BYTES: u64 = 256;
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
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    asking: Semaphore,
    waiting: Semaphore,
    answers: Cache<Token, Arc<RememberedAnswer>, Weight>,
}

#[derive(Debug)]
struct RememberedAnswer {
    at: Time,
    user: Option<User>,
}

#[derive(Clone, Debug)]
struct Weight;

impl quick_cache::Weighter<Token, Arc<RememberedAnswer>> for Weight {
    fn weight(&self, token: &Token, _: &Arc<RememberedAnswer>) -> u64 {
        ANSWER_BYTES + token.reveal().len() as u64
    }
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
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        let http = Http::builder(TokioExecutor::new()).build(connector);
        Ok(Introspection {
            options,
            http,
            asking: Semaphore::new(ASKING_MAX),
            waiting: Semaphore::new(WAITING_MAX),
            answers: Cache::with_weighter(
                usize::try_from(ANSWERS_BYTES_MAX / ANSWER_BYTES).unwrap_or(usize::MAX),
                ANSWERS_BYTES_MAX,
                Weight,
            ),
        })
    }

    /// The time for which a response is used.
    pub fn remember(&self) -> Duration {
        self.options.remember
    }

    /// Whether a response about a token is cached.
    pub fn knows(&self, token: &Token, now: Time) -> bool {
        let is_fresh = |it: Arc<RememberedAnswer>| now < it.at.plus(self.options.remember);
        self.answers.get(token).is_some_and(is_fresh)
    }

    /// The account of a token.
    pub async fn user(&self, token: &Token) -> Result<User, TokenError> {
        let now = clock::now();
        let is_fresh = |it: &Arc<RememberedAnswer>| now < it.at.plus(self.options.remember);
        let answered = match self.answers.get(token).filter(is_fresh) {
            Some(answered) => answered,
            None => self.ask_once(token, now).await?,
        };
        let holds = |user: &&User| user.expires.is_none_or(|end| now < end.plus(super::LEEWAY));
        let user = answered.user.as_ref().filter(holds);
        user.cloned().ok_or(TokenError::Invalid)
    }

    /// Queries the server, unless another request did while this one waited for its turn.
    async fn ask_once(
        &self,
        token: &Token,
        since: Time,
    ) -> Result<Arc<RememberedAnswer>, TokenError> {
        let _waits = self
            .waiting
            .try_acquire()
            .map_err(|_| TokenError::Unanswered)?;
        let _asks = self
            .asking
            .acquire()
            .await
            .map_err(|_| TokenError::Unanswered)?;
        if let Some(answered) = self.answers.get(token).filter(|it| since <= it.at) {
            return Ok(answered);
        }
        let answered = timeout(ANSWER_WAIT, self.ask(token)).await;
        let answered = answered.unwrap_or_else(|_| Err("no answer in time".into()));
        let answer = answered.map_err(|error| {
            tracing::warn!(error = &*error, "asking about a token failed: {error}");
            TokenError::Unanswered
        })?;
        let user = answer.sub.filter(|_| answer.active).map(|account| User {
            account,
            scopes: Scopes::parse(&answer.scope),
            expires: answer
                .exp
                .map(|exp| Time::from_millis(exp.saturating_mul(1000))),
        });
        let answered = Arc::new(RememberedAnswer {
            at: clock::now(),
            user,
        });
        self.answers.insert(token.clone(), Arc::clone(&answered));
        Ok(answered)
    }

    async fn ask(&self, token: &Token) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
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
        let answer = self.http.request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("the answer was {}", answer.status()).into());
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}
