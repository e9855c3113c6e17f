//! Authentication and authorisation. A service token makes a caller the backend, which acts for any account; a user token makes
//! it one account, which reads its own feeds and no others. Secrets are compared in constant time and never logged.

pub(crate) mod credentials;
pub mod introspection;
pub mod jwt;
mod jwt_options;
pub mod registered;
pub mod secret;
pub mod token;
mod token_checks;

use super::backend::{self, Backend, BackendError};
use super::problem::Problem;
use axum::http::StatusCode;
use credentials::Credentials;
use introspection::Introspection;
use jwt::Jwt;
use registered::{Registered, TokenRegister};
use secret::Secret;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_order::time::Time;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use token::Token;

/// The difference between clocks that is allowed for when a token's time is checked.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// The longest time for which the result of a check of a token is used.
const REMEMBER_MAX: Duration = Duration::from_secs(25);

/// The least time between two checks of a stream's token.
const CHECK_PAUSE: Duration = Duration::from_secs(5);

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
    /// The backend, if its readers' tokens and statuses are asked for there: the keys `mastodon.upstream` and
    /// `mastodon.web_domain`. It is asked about opaque tokens that no server introspects and no register has. Default none.
    pub backend: Option<backend::Options>,
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
    /// The backend cannot be asked.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Finds the caller that a token stands for.
#[derive(Debug, Default)]
pub struct Auth {
    /// Tokens any one of which makes a caller the backend. None at all: every caller without a token is (on loopback only;
    /// the configuration sees to that).
    pub service_tokens: Vec<Secret>,
    /// User tokens that are signed.
    pub jwt: Option<Jwt>,
    /// Where all other user tokens are checked; none are taken without it.
    pub(crate) opaque: Option<OpaqueTokens>,
    /// The backend, if it is to be asked.
    pub(crate) backend: Option<Backend>,
    /// Whether public and hashtag feeds need no token.
    pub public_feeds_open: bool,
}

/// Where user tokens are checked that say nothing by themselves.
#[derive(Debug)]
pub(crate) enum OpaqueTokens {
    /// At a server that introspects them.
    Introspection(Introspection),
    /// In the backend's register.
    Registered(Registered),
    /// At the backend, by Mastodon's API.
    Credentials(Credentials),
}

/// The way to check a user token.
enum TokenCheck<'a> {
    /// By its signature.
    Signed(&'a Jwt),
    /// By another server.
    Opaque(&'a OpaqueTokens),
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
    /// The server that knows does not answer, or has too many requests.
    #[error("whether the access token is good cannot be found out now")]
    Unanswered,
    /// The server that knows has had too many requests of this caller, and takes more in so many seconds.
    #[error("too many requests")]
    TooMany(u32),
    /// The backend knows the token and does not tell whose it is.
    #[error(
        "the backend does not tell whose token this is: it needs the scope read:accounts, and a user who may log in"
    )]
    Unidentified,
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

/// As OAuth writes them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Auth {
    /// Takes the tokens that `options` name, and without introspection those of `register`.
    pub fn new(
        options: Options,
        register: Option<Box<dyn TokenRegister>>,
    ) -> Result<Auth, AuthError> {
        let backend = options.backend.as_ref().map(Backend::new).transpose()?;
        let opaque = match (options.introspection, register, &backend) {
            (Some(introspection), _, _) => Some(OpaqueTokens::Introspection(Introspection::new(
                introspection,
            )?)),
            (None, Some(register), _) => Some(OpaqueTokens::Registered(Registered::new(register))),
            (None, None, Some(backend)) => {
                Some(OpaqueTokens::Credentials(Credentials::new(backend.clone())))
            }
            (None, None, None) => None,
        };
        Ok(Auth {
            service_tokens: options.service_tokens,
            jwt: options.jwt.as_ref().map(Jwt::new).transpose()?,
            opaque,
            backend,
            public_feeds_open: options.public_feeds_open,
        })
    }

    /// The caller that sends `token` from `address`.
    pub async fn caller(
        &self,
        token: Option<&Token>,
        address: Option<IpAddr>,
    ) -> Result<Caller, TokenError> {
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
        let user = match self.check_of(token)? {
            TokenCheck::Signed(jwt) => jwt.check(token.reveal())?,
            TokenCheck::Opaque(OpaqueTokens::Introspection(it)) => it.user(token).await?,
            TokenCheck::Opaque(OpaqueTokens::Registered(it)) => it.user(token).await?,
            TokenCheck::Opaque(OpaqueTokens::Credentials(it)) => it.user(token, address).await?,
        };
        Ok(Caller::User(user))
    }

    /// The account whose token holds a stream open from `address`, as it is by now.
    pub async fn user_of_stream(
        &self,
        token: &Token,
        address: Option<IpAddr>,
    ) -> Result<User, TokenError> {
        match self.check_of(token)? {
            TokenCheck::Signed(jwt) => Ok(jwt.check(token.reveal())?),
            TokenCheck::Opaque(OpaqueTokens::Introspection(it)) => it.user(token).await,
            TokenCheck::Opaque(OpaqueTokens::Registered(it)) => it.user(token).await,
            TokenCheck::Opaque(OpaqueTokens::Credentials(it)) => {
                it.user_of_stream(token, address).await
            }
        }
    }

    /// The time until a stream is to check whether its token is still valid. Together with the time for which a result is used, a
    /// token that was revoked ends its streams within a minute.
    pub fn next_check(&self, token: &Token, now: Time) -> Duration {
        let remember = match &self.opaque {
            Some(OpaqueTokens::Credentials(it)) => {
                return it.next_check(token, now).max(CHECK_PAUSE);
            }
            Some(OpaqueTokens::Introspection(it)) => it.remember(),
            Some(OpaqueTokens::Registered(_)) | None => REMEMBER_MAX,
        };
        remember + CHECK_PAUSE
    }

    /// Whether a token can only be checked by another server, with no result at hand.
    pub fn is_unheard_of(&self, token: &Token, now: Time) -> bool {
        let given = token.reveal().as_bytes();
        let is_ours = self.service_tokens.iter().any(|secret| secret.is(given));
        let is_known = || match self.check_of(token) {
            Ok(TokenCheck::Opaque(OpaqueTokens::Introspection(it))) => it.knows(token, now),
            Ok(TokenCheck::Opaque(OpaqueTokens::Registered(it))) => it.knows(token, now),
            Ok(TokenCheck::Opaque(OpaqueTokens::Credentials(it))) => it.knows(token, now),
            Ok(TokenCheck::Signed(_)) | Err(_) => true,
        };
        !is_ours && !is_known()
    }

    /// The way to check a user token.
    fn check_of(&self, token: &Token) -> Result<TokenCheck<'_>, TokenError> {
        match (&self.jwt, &self.opaque) {
            (Some(jwt), opaque) if opaque.is_none() || Jwt::is_one(token.reveal()) => {
                Ok(TokenCheck::Signed(jwt))
            }
            (_, Some(opaque)) => Ok(TokenCheck::Opaque(opaque)),
            (_, None) => Err(TokenError::Invalid),
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
            TokenError::TooMany(seconds) => Problem {
                retry_after: Some(seconds),
                ..Problem::new(StatusCode::TOO_MANY_REQUESTS, why.to_string())
            },
            TokenError::Unidentified => forbidden(&why.to_string()),
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
pub(crate) mod tests;
