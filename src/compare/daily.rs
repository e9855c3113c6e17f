//! Some accounts compared every day while the service runs: those whose owners gave a token for it. At level look only, where
//! Mastodon still has its own order.

use super::comparison::{POSTS_DEFAULT, Question, compare};
use super::error::CompareError;
use super::mastodon::Mastodon;
use super::reason::SignIn;
use super::report::{Comparison, summary};
use super::slackwater::{Slackwater, url_of};
use crate::api::auth::registered::Bearer;
use crate::api::auth::secret::Secret;
use crate::api::auth::token::Token;
use crate::api::backend;
use crate::api::placement::Placement;
use crate::clock;
use crate::connector::database::{Database, DatabaseError};
use crate::connector::install_sql::Level;
use crate::connector::sign_in::{last_sign_in, level};
use crate::connector::token_bearers::bearer;
use crate::error_chain::chain;
use crate::operator::connector_status::ConnectorStatus;
use crate::operator::metrics::Metrics;
use slackwater_order::time::Time;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The most tokens. Each costs Mastodon some tens of requests a day.
pub const TOKENS_MAX: usize = 16;
/// The name under which one node of a cluster does this.
pub const WORK: &str = "comparison";
/// How long after a comparison the next begins.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after one that had to be put off it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);
/// How often one is put off; then what cannot be compared is counted as failed.
const PUT_OFF_MAX: u32 = 6;
/// The most differences without a reason that are logged of an account; all of them are counted.
const LOGGED_MAX: usize = 10;

/// The accounts that are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A token of each, at most [`TOKENS_MAX`]; none if nothing is compared.
    pub tokens: Vec<Token>,
}

/// What the comparison works with.
#[derive(Debug)]
pub struct Parts {
    /// Where Mastodon answers.
    pub upstream: backend::Options,
    /// Where its database is.
    pub database: Secret,
    /// Where this service listens.
    pub listen: SocketAddr,
    /// What this service takes from a backend, if it asks for a token.
    pub service_token: Option<Secret>,
    /// How long posts are kept.
    pub posts_keep: Duration,
    /// Whether what is compared is there.
    pub connector: Arc<ConnectorStatus>,
    /// The cluster, if this node is one of several: one of them compares.
    pub placement: Option<Arc<dyn Placement>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What a run found.
#[derive(Debug, Default)]
struct Sum {
    compared: Vec<Comparison>,
    failed: usize,
}

/// Why no account could be compared.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// Mastodon's database.
    #[error("asking Mastodon's database whose tokens these are")]
    Database(#[from] DatabaseError),
    /// The service is catching up, or Mastodon is.
    #[error(transparent)]
    PutOff(CompareError),
}

/// Compares, as soon as the database is followed and then every day, until `stop`.
pub async fn run(options: Options, parts: Parts, stop: CancellationToken) {
    if options.tokens.is_empty() {
        return;
    }
    tokio::select! {
        () = compare_daily(&options, &parts) => {}
        () = stop.cancelled() => {}
    }
}

async fn compare_daily(options: &Options, parts: &Parts) {
    let mut put_off = 0;
    loop {
        parts.connector.following().await;
        let placement = parts.placement.as_ref();
        if placement.is_some_and(|placement| !placement.works(WORK)) {
            // What this node once found is another's to say now.
            set(&parts.metrics, &Sum::default(), 0);
            tokio::time::sleep(AGAIN_AFTER).await;
            continue;
        }
        let wait = match compare_all(options, parts, put_off < PUT_OFF_MAX).await {
            Ok(sum) => {
                if let Some(sum) = sum {
                    count(&parts.metrics, &sum, clock::now());
                }
                put_off = 0;
                EVERY
            }
            Err(error) if put_off < PUT_OFF_MAX => {
                put_off += 1;
                tracing::info!(
                    "homes are compared with Mastodon's in {AGAIN_AFTER:?}: {}",
                    chain(&error)
                );
                AGAIN_AFTER
            }
            Err(error) => {
                tracing::warn!("homes were not compared with Mastodon's: {}", chain(&error));
                let failed = options.tokens.len();
                let sum = Sum {
                    failed,
                    ..Sum::default()
                };
                count(&parts.metrics, &sum, clock::now());
                put_off = 0;
                EVERY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Compares the homes of all tokens; nothing if Mastodon's ids are places, since the order there is no longer its own.
async fn compare_all(
    options: &Options,
    parts: &Parts,
    may_put_off: bool,
) -> Result<Option<Sum>, RunError> {
    let database = Database::connect(&parts.database).await?;
    if level(&database).await? == Some(Level::Serve) {
        tracing::info!(
            "homes are not compared with Mastodon's: its ids are of the time posts were written (level serve), so it has that order too"
        );
        return Ok(None);
    }
    let mut sum = Sum::default();
    for (nth, token) in options.tokens.iter().enumerate() {
        match compare_one(&database, token, parts).await? {
            Ok(comparison) => {
                log(&comparison);
                sum.compared.push(comparison);
            }
            Err(error) if may_put_off && error.is_passing() => {
                return Err(RunError::PutOff(error));
            }
            Err(error) => {
                tracing::warn!(
                    "the home of mastodon.compare_tokens[{nth}] was not compared with Mastodon's: {}",
                    chain(&error)
                );
                sum.failed += 1;
            }
        }
    }
    Ok(Some(sum))
}

async fn compare_one(
    database: &Database,
    token: &Token,
    parts: &Parts,
) -> Result<Result<Comparison, CompareError>, DatabaseError> {
    // The database first: to use the token counts as being seen.
    let Some(Bearer { account, .. }) = bearer(database, token.reveal()).await? else {
        return Ok(Err(CompareError::TokenRefused));
    };
    let question = Question {
        posts_max: POSTS_DEFAULT,
        posts_keep: parts.posts_keep,
        sign_in: match last_sign_in(database, &account).await? {
            Some(at) => SignIn::At(at),
            None => SignIn::Never,
        },
        has_database: true,
        account,
    };
    Ok(ask(&question, token, parts).await)
}

async fn ask(
    question: &Question,
    token: &Token,
    parts: &Parts,
) -> Result<Comparison, CompareError> {
    let mastodon = Mastodon::new(&parts.upstream, token.clone())?;
    let here = url_of(parts.listen).map_err(|e| CompareError::Preparing(e.into()))?;
    let here = Slackwater::new(here, parts.service_token.clone())?;
    compare(question, &mastodon, &here).await
}

fn log(comparison: &Comparison) {
    let summary = summary(comparison);
    let unexplained = comparison.unexplained;
    let account = comparison.account.as_str();
    if unexplained == 0 {
        tracing::info!(
            account,
            unexplained,
            "compared with Mastodon's home: {summary}"
        );
        return;
    }
    tracing::warn!(
        account,
        unexplained,
        "compared with Mastodon's home: {summary}"
    );
    let all = comparison.differences.iter();
    for difference in all.filter(|it| it.reason.is_none()).take(LOGGED_MAX) {
        tracing::warn!(
            account,
            id = difference.id,
            place = difference.place,
            "a post of account {account} that is only in {}, for no reason: {}",
            difference.only_in.words(),
            difference.why
        );
    }
}

fn count(metrics: &Metrics, sum: &Sum, now: Time) {
    set(metrics, sum, now.millis() / 1_000);
}

/// Says what a run found at a moment, in seconds since 1970; 0 for none.
fn set(metrics: &Metrics, sum: &Sum, at: i64) {
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let all = |of: fn(&Comparison) -> usize| number(sum.compared.iter().map(of).sum());
    let compare = &metrics.compare;
    compare.accounts.set(number(sum.compared.len()));
    compare.failed.set(number(sum.failed));
    compare.only_in_mastodon.set(all(|it| it.only_in_mastodon));
    compare.only_here.set(all(|it| it.only_here));
    compare.moved.set(all(|it| it.moved));
    compare.unexplained.set(all(|it| it.unexplained));
    compare.last_run.set(at);
}
