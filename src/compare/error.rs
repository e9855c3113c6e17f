//! Why two homes could not be compared.

use crate::api::outgoing::Cause;
use axum::http::StatusCode;
use std::time::Duration;

/// Why two homes could not be compared. None of it is a difference.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// This machine has no certificates to trust a server by, or `mastodon.web_domain` is none.
    #[error("preparing to ask")]
    Preparing(#[source] Cause),
    /// Mastodon does not answer.
    #[error("Mastodon (mastodon.upstream) does not answer {path}")]
    MastodonAway {
        /// What it was asked for.
        path: String,
        /// The reason.
        source: Cause,
    },
    /// Mastodon does not know the token.
    #[error(
        "Mastodon does not take the token: it is none of its own, or has ended or been revoked"
    )]
    TokenRefused,
    /// The token is for something else.
    #[error(
        "the token may not read {0}: send one with the scope read, or with read:accounts, read:statuses and read:follows"
    )]
    TokenScope(String),
    /// The token is another account's.
    #[error("the token is of account {of}, not of {account}")]
    TokenOfAnother {
        /// The account that was to be compared.
        account: String,
        /// The token's.
        of: String,
    },
    /// Mastodon takes no more requests for now.
    #[error("Mastodon takes no more requests of this token for now: come back in {0} s")]
    TooMany(u64),
    /// Mastodon answers, but not with what it was asked for.
    #[error("Mastodon answers {path} with {found}")]
    MastodonAnswered {
        /// What it was asked for.
        path: String,
        /// What came, and maybe what to do.
        found: String,
    },
    /// Mastodon is filling the home of an account that was away.
    #[error(
        "Mastodon is making this home anew, as it does when somebody was away for a week: come back in some minutes"
    )]
    Regenerating,
    /// Mastodon's home has no posts.
    #[error("Mastodon's home of account {0} is empty: there is nothing to compare with")]
    NothingThere(String),
    /// The service does not answer.
    #[error(
        "Slackwater does not answer at {at}: is it running there? `--at` says where else to ask"
    )]
    ServiceAway {
        /// Where it was asked.
        at: String,
        /// The reason.
        source: Cause,
    },
    /// The service is not ready.
    #[error("Slackwater at {at} is not ready: {detail}")]
    NotReady {
        /// Where it was asked.
        at: String,
        /// What it says.
        detail: String,
    },
    /// The service does not follow Mastodon's database.
    #[error(
        "Slackwater at {0} does not follow Mastodon's database at present, so it cannot have what is new: its log says why"
    )]
    NotFollowing(String),
    /// The service is behind Mastodon's database.
    #[error(
        "Slackwater at {at} is {} s behind Mastodon's database: come back when it has caught up", .lag.as_secs()
    )]
    Behind {
        /// Where it was asked.
        at: String,
        /// How long the oldest row of the outbox has waited.
        lag: Duration,
    },
    /// The service answers with an error.
    #[error("Slackwater at {at} answers {path} with {status}: {detail}")]
    ServiceAnswered {
        /// Where it was asked.
        at: String,
        /// What it was asked for.
        path: String,
        /// The status.
        status: StatusCode,
        /// What it says, or what came instead.
        detail: String,
    },
}

impl CompareError {
    /// Whether it ends by itself: the service is catching up, or Mastodon is.
    pub fn is_passing(&self) -> bool {
        use CompareError::{Behind, NotFollowing, NotReady, Regenerating, TooMany};
        matches!(
            self,
            Behind { .. } | NotFollowing(_) | NotReady { .. } | Regenerating | TooMany(_)
        )
    }
}
