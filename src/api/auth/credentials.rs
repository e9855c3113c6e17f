//! Opaque user tokens of a backend that speaks Mastodon's API and introspects none: it is asked whose token it is
//! (`GET /api/v1/accounts/verify_credentials`), and what the token may read is found out by reading nothing much with it.

use super::token::Token;
use super::token_checks::{CheckResult, TokenChecks, Unchecked};
use super::{Scopes, TokenError, User};
use crate::api::backend::{Backend, pause_of};
use crate::api::outgoing::Answer;
use crate::clock;
use axum::http::StatusCode;
use futures_util::future::join_all;
use serde::Deserialize;
use slackwater_order::time::Time;
use std::net::IpAddr;
use std::time::Duration;

/// The longest time that an answer may take: there are two, one after the other, and a proxy waits for both.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// The longest answer, in bytes: an account with its fields and its note.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The time for which a result is used for requests.
const REMEMBER: Duration = Duration::from_secs(60);
/// The time for which a result keeps a stream open. With the time that an answer takes, a token that has ended ends its streams
/// within a minute.
const REMEMBER_FOR_STREAMS: Duration = Duration::from_secs(50);

/// The answers that show which scopes a token has: each path needs one and gives little. (Of a token, Mastodon tells its scopes to
/// nobody.)
const PROBES: [(&str, &str); 2] = [
    ("/api/v1/statuses", "read:statuses"),
    ("/api/v1/lists", "read:lists"),
];

/// Asks the backend about tokens.
#[derive(Debug)]
pub(crate) struct Credentials {
    backend: Backend,
    checks: TokenChecks,
}

/// The field of the answer that is read.
#[derive(Deserialize)]
struct Account {
    id: String,
}

impl Credentials {
    pub(super) fn new(backend: Backend) -> Credentials {
        Credentials {
            backend,
            checks: TokenChecks::default(),
        }
    }

    /// Whether a result about a token is cached.
    pub(super) fn knows(&self, token: &Token, now: Time) -> bool {
        self.checks
            .age(token, now)
            .is_some_and(|age| age < REMEMBER)
    }

    /// The account of a token that comes from `reader`.
    pub(super) async fn user(&self, token: &Token, reader: Option<IpAddr>) -> CheckResult {
        self.user_within(token, reader, REMEMBER).await
    }

    /// The same for a stream that is open.
    pub(super) async fn user_of_stream(
        &self,
        token: &Token,
        reader: Option<IpAddr>,
    ) -> CheckResult {
        self.user_within(token, reader, REMEMBER_FOR_STREAMS).await
    }

    /// The time until a stream is to check its token.
    pub(super) fn next_check(&self, token: &Token, now: Time) -> Duration {
        let age = self.checks.age(token, now).unwrap_or(REMEMBER_FOR_STREAMS);
        REMEMBER_FOR_STREAMS.saturating_sub(age)
    }

    async fn user_within(
        &self,
        token: &Token,
        reader: Option<IpAddr>,
        remember: Duration,
    ) -> CheckResult {
        let check = |before| self.check(token, reader, before);
        self.checks.user(token, remember, check).await
    }

    async fn check(
        &self,
        token: &Token,
        reader: Option<IpAddr>,
        before: Option<User>,
    ) -> Result<CheckResult, Unchecked> {
        const PATH: &str = "/api/v1/accounts/verify_credentials";
        let get = |path| {
            self.backend
                .get(path, token, reader, ANSWER_WAIT, ANSWER_BYTES_MAX)
        };
        let answer = get(PATH).await?;
        let account = match answer.status {
            StatusCode::OK => serde_json::from_slice::<Account>(&answer.body)?.id,
            StatusCode::UNAUTHORIZED => return Ok(Err(TokenError::Invalid)),
            // 403: a token without the scope, and a user whose login is disabled. (A host that Rails does not know is refused in HTML.)
            // 422: a token of an application without a user.
            StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY if is_error(&answer.body) => {
                return Ok(Err(TokenError::Unidentified));
            }
            _ => return Err(unexpected(PATH, &answer)),
        };
        // The scopes of a token never change.
        if let Some(before) = before.filter(|before| before.account == account) {
            return Ok(Ok(before));
        }
        let mut scopes = vec!["read:accounts"];
        let probes = PROBES.map(|(path, scope)| async move { (path, scope, get(path).await) });
        for (path, scope, answer) in join_all(probes).await {
            let answer = answer?;
            match answer.status {
                StatusCode::OK => scopes.push(scope),
                StatusCode::FORBIDDEN => {}
                _ => return Err(unexpected(path, &answer)),
            }
        }
        Ok(Ok(User {
            account,
            scopes: Scopes::parse(&scopes.join(" ")),
            expires: None,
        }))
    }
}

/// What an answer that says nothing of a token means.
fn unexpected(path: &str, answer: &Answer) -> Unchecked {
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => {
            let pause = pause_of(&answer.headers, clock::now());
            Unchecked::TooMany(u32::try_from(pause.as_secs()).unwrap_or(u32::MAX))
        }
        status => format!("{path} was answered with {status}").into(),
    }
}

/// Whether a body is an error as Mastodon's API writes it.
pub(crate) fn is_error(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Written {
        #[allow(dead_code)]
        error: String,
    }
    serde_json::from_slice::<Written>(body).is_ok()
}
