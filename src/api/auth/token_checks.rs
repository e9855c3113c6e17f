//! Checks of opaque tokens by another server. Results are cached for a moment, good or bad, and the number of checks at a time is
//! bounded.

use super::token::Token;
use super::{LEEWAY, TokenError, User};
use crate::api::outgoing::Cause;
use crate::clock;
use quick_cache::sync::Cache;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The most checks at a time.
const ASKING_MAX: usize = 16;
/// The most callers that wait for their check; more get 503.
const WAITING_MAX: usize = 256;
/// The most bytes of cached tokens and results.
const RESULTS_BYTES_MAX: u64 = 16 << 20;
/// The usual bytes of a token and its result.
const RESULT_BYTES: u64 = 256;

/// The results of checks, and the bounds on them.
#[derive(Debug)]
pub(super) struct TokenChecks {
    asking: Semaphore,
    waiting: Semaphore,
    results: Cache<Token, Arc<Checked>, Weight>,
}

/// The result of a check: the account, or why there is none.
pub(super) type CheckResult = Result<User, TokenError>;

/// Why a token was not checked.
pub(super) enum Unchecked {
    /// The server does not answer, or not as it should.
    Failed(Cause),
    /// The server takes no more checks of this caller's for so many seconds.
    TooMany(u32),
}

impl<E: Into<Cause>> From<E> for Unchecked {
    fn from(error: E) -> Unchecked {
        Unchecked::Failed(error.into())
    }
}

#[derive(Debug)]
struct Checked {
    at: Time,
    result: CheckResult,
}

#[derive(Clone, Debug)]
struct Weight;

impl quick_cache::Weighter<Token, Arc<Checked>> for Weight {
    fn weight(&self, token: &Token, _: &Arc<Checked>) -> u64 {
        RESULT_BYTES + token.reveal().len() as u64
    }
}

impl Default for TokenChecks {
    fn default() -> TokenChecks {
        TokenChecks {
            asking: Semaphore::new(ASKING_MAX),
            waiting: Semaphore::new(WAITING_MAX),
            results: Cache::with_weighter(
                usize::try_from(RESULTS_BYTES_MAX / RESULT_BYTES).unwrap_or(usize::MAX),
                RESULTS_BYTES_MAX,
                Weight,
            ),
        }
    }
}

impl TokenChecks {
    /// How long ago a token was last checked; none if no result is kept.
    pub(super) fn age(&self, token: &Token, now: Time) -> Option<Duration> {
        let since = now.since(self.results.get(token)?.at);
        Some(Duration::from_millis(u64::try_from(since).unwrap_or(0)))
    }

    /// The account of a token, by a result that is less than `remember` old, or by a check. `check` is given the result before,
    /// however old.
    pub(super) async fn user<F>(
        &self,
        token: &Token,
        remember: Duration,
        check: impl FnOnce(Option<User>) -> F,
    ) -> CheckResult
    where
        F: Future<Output = Result<CheckResult, Unchecked>>,
    {
        let now = clock::now();
        let is_fresh = |it: &Arc<Checked>| now < it.at.plus(remember);
        let checked = match self.results.get(token).filter(is_fresh) {
            Some(checked) => checked,
            None => self.check_once(token, now, check).await?,
        };
        let user = checked.result.as_ref().map_err(|error| *error)?;
        match user.expires {
            Some(end) if end.plus(LEEWAY) <= now => Err(TokenError::Invalid),
            _ => Ok(user.clone()),
        }
    }

    /// Checks a token, unless another request did while this one waited for its turn.
    async fn check_once<F>(
        &self,
        token: &Token,
        since: Time,
        check: impl FnOnce(Option<User>) -> F,
    ) -> Result<Arc<Checked>, TokenError>
    where
        F: Future<Output = Result<CheckResult, Unchecked>>,
    {
        let unanswered = |_| TokenError::Unanswered;
        let _waits = self
            .waiting
            .try_acquire()
            .map_err(|_| TokenError::Unanswered)?;
        let _asks = self.asking.acquire().await.map_err(unanswered)?;
        let before = self.results.get(token);
        if let Some(checked) = before.as_ref().filter(|it| since <= it.at) {
            return Ok(Arc::clone(checked));
        }
        let before = before.and_then(|before| before.result.clone().ok());
        let result = check(before).await.map_err(|why| match why {
            Unchecked::Failed(error) => {
                tracing::warn!(error = &*error, "asking about a token failed: {error}");
                TokenError::Unanswered
            }
            Unchecked::TooMany(seconds) => TokenError::TooMany(seconds),
        })?;
        let checked = Arc::new(Checked {
            at: clock::now(),
            result,
        });
        self.results.insert(token.clone(), Arc::clone(&checked));
        Ok(checked)
    }
}
