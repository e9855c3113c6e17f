//! Authentication and authorisation. A service token makes a caller the backend, which acts for any account; a user token makes
//! it one account, which reads its own feeds and no others. Secrets are compared in constant time and never logged.

pub mod introspection;
pub mod jwt;
mod jwt_options;
pub mod secret;
pub mod token;

use super::problem::Problem;
use axum::http::StatusCode;
use introspection::Introspection;
use jwt::Jwt;
use secret::Secret;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_order::time::Time;
use std::time::Duration;
use token::Token;

/// The difference between clocks that is allowed for when a token's time is checked.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// The longest time for which the result of a check of a token is used.
const REMEMBER_MAX: Duration = Duration::from_secs(25);

/// Which tokens are taken: the table `[auth]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The bearer tokens of the backend, 16 to 4096 visible ASCII characters each. Empty only if there is no `[auth]`:
    /// then the service is on loopback, and any caller may act as the backend. Default empty.
    pub service_tokens: Vec<Secret>,
    /// Whether public and hashtag feeds may be read without a token. Default no.
    pub public_feeds_open: bool,
    /// User tokens that the backend signs. Default none.
    pub jwt: Option<jwt::Options>,
    /// The server that introspects other user tokens. Default none.
    pub introspection: Option<introspection::Options>,
}

/// Why tokens cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The key of signed tokens is none for their algorithm.
    #[error(transparent)]
    Key(#[from] jsonwebtoken::errors::Error),
    /// This machine has no certificates to trust a server by.
    #[error(transparent)]
    Certificates(#[from] std::io::Error),
}

/// Finds the caller that a token stands for.
#[derive(Debug, Default)]
pub struct Auth {
    /// Tokens any one of which makes a caller the backend. None at all: every caller without a token is (on loopback only;
    /// the configuration sees to that).
    pub service_tokens: Vec<Secret>,
    /// User tokens that are signed.
    pub jwt: Option<Jwt>,
    /// The server that introspects user tokens.
    pub introspection: Option<Introspection>,
    /// Whether public and hashtag feeds need no token.
    pub public_feeds_open: bool,
}

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The instance's backend, for any account.
    Backend,
    /// One account.
    User(User),
    /// Nobody in particular.
    Anyone,
}

/// An account that sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The backend's id of the account.
    pub account: String,
    /// The scopes of its token.
    pub scopes: Scopes,
    /// The time at which its token ends; none if the token names no time.
    pub expires: Option<Time>,
}

/// The scopes of a token as OAuth writes them: words with spaces between. `read` includes all that begin with `read:`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Box<str>>);

/// A token is not one of this instance, or holds no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token is invalid")]
pub struct InvalidToken;

/// Why the caller of a request is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is none of this instance's, or has ended.
    #[error("the access token is invalid")]
    Invalid,
    /// The introspection server does not answer, or has too many requests.
    #[error("whether the access token is good cannot be found out now")]
    Unanswered,
}

impl From<InvalidToken> for TokenError {
    fn from(_: InvalidToken) -> TokenError {
        TokenError::Invalid
    }
}

impl Scopes {
    /// Reads a token's scope.
    pub fn parse(text: &str) -> Scopes {
        Scopes(text.split_ascii_whitespace().map(Box::from).collect())
    }

    /// Whether `scope`, such as `read:lists`, is included.
    pub fn has(&self, scope: &str) -> bool {
        let whole = scope.split_once(':').map_or(scope, |(whole, _)| whole);
        self.0.iter().any(|it| **it == *scope || **it == *whole)
    }
}

impl Auth {
    /// Takes the tokens that `options` name.
    pub fn new(options: Options) -> Result<Auth, AuthError> {
        let introspection = options.introspection.map(Introspection::new);
        Ok(Auth {
            service_tokens: options.service_tokens,
            jwt: options.jwt.as_ref().map(Jwt::new).transpose()?,
            introspection: introspection.transpose()?,
            public_feeds_open: options.public_feeds_open,
        })
    }

    /// The caller that sends `token`.
    pub async fn caller(&self, token: Option<&Token>) -> Result<Caller, TokenError> {
        let Some(token) = token else {
            return Ok(match self.service_tokens.is_empty() {
                true => Caller::Backend,
                false => Caller::Anyone,
            });
        };
        // Every token is compared, so that the time taken does not depend on which one was close.
        let given = token.reveal().as_bytes();
        let is_known = self
            .service_tokens
            .iter()
            .fold(false, |known, secret| known | secret.is(given));
        if is_known {
            return Ok(Caller::Backend);
        }
        Ok(Caller::User(self.user(token).await?))
    }

    /// How often a stream checks that its token is still valid. Together with the time for which a result is used, a token
    /// that was revoked ends its streams within a minute.
    pub fn checked_every(&self) -> Duration {
        let remember = self.introspection.as_ref().map(Introspection::remember);
        remember.unwrap_or(REMEMBER_MAX) + Duration::from_secs(5)
    }

    /// Whether a token can only be checked by introspection, with no result at hand.
    pub fn is_unheard_of(&self, token: &Token, now: Time) -> bool {
        let given = token.reveal().as_bytes();
        let is_ours = self.service_tokens.iter().any(|secret| secret.is(given));
        let is_signed = self.jwt.is_some() && Jwt::is_one(token.reveal());
        let feed_ref = self.introspection.as_ref();
        !is_ours && !is_signed && feed_ref.is_some_and(|feed_ref| !feed_ref.knows(token, now))
    }

    async fn user(&self, token: &Token) -> Result<User, TokenError> {
        match (&self.jwt, &self.introspection) {
            (Some(jwt), introspection) => {
                if introspection.is_none() || Jwt::is_one(token.reveal()) {
                    return Ok(jwt.check(token.reveal())?);
                }
            }
            (None, None) => return Err(TokenError::Invalid),
            (None, Some(_)) => {}
        }
        match &self.introspection {
            Some(introspection) => introspection.user(token).await,
            None => Err(TokenError::Invalid),
        }
    }

    /// Whether a caller may do what only the backend may.
    pub fn is_backend(&self, caller: &Caller) -> Result<(), Problem> {
        match caller {
            Caller::Backend => Ok(()),
            Caller::User(_) => Err(forbidden("this is the backend's: it needs a service token")),
            Caller::Anyone => Err(unauthorized(
                "this needs a service token: send `Authorization: Bearer <token>`",
            )),
        }
    }

    /// Whether a caller may read a feed.
    pub fn may_read(&self, caller: &Caller, feed_ref: &FeedRef) -> Result<(), Problem> {
        let is_shared = feed_ref.shared().is_some();
        match caller {
            Caller::Backend => Ok(()),
            Caller::Anyone
                if is_shared && self.public_feeds_open && feed_ref.account().is_none() =>
            {
                Ok(())
            }
            Caller::Anyone => Err(unauthorized(
                "this needs a token: send `Authorization: Bearer <token>`",
            )),
            Caller::User(user) => {
                if feed_ref
                    .account()
                    .is_some_and(|account| account != user.account)
                {
                    return Err(forbidden("the token is another account's"));
                }
                let scope = match feed_ref {
                    FeedRef::List { .. } => "read:lists",
                    _ => "read:statuses",
                };
                if user.scopes.has(scope) {
                    Ok(())
                } else {
                    Err(forbidden(&format!(
                        "the token is not for this: it needs {scope}"
                    )))
                }
            }
        }
    }

    /// Whether a caller may read and change the settings of an account.
    pub fn may_set(&self, caller: &Caller, account: &str, scope: &str) -> Result<(), Problem> {
        match caller {
            Caller::Backend => Ok(()),
            Caller::User(user) if user.account != account => {
                Err(forbidden("the token is another account's"))
            }
            Caller::User(user) if user.scopes.has(scope) => Ok(()),
            Caller::User(_) => Err(forbidden(&format!(
                "the token is not for this: it needs {scope}"
            ))),
            Caller::Anyone => Err(unauthorized(
                "this needs a token: send `Authorization: Bearer <token>`",
            )),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(why: TokenError) -> Problem {
        match why {
            TokenError::Invalid => unauthorized(
                "the access token is invalid: it is none of this instance's, or has ended",
            ),
            TokenError::Unanswered => Problem::unavailable(why.to_string(), 5),
        }
    }
}

/// 401.
pub fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// 403.
pub fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

#[cfg(test)]
mod tests;
