//! Opaque user tokens of a backend whose register of access tokens can be asked: whose a token is, and what it may be used for.

use super::token::Token;
use super::token_checks::{CheckResult, TokenChecks, Unchecked};
use super::{REMEMBER_MAX, Scopes, TokenError, User};
use crate::api::outgoing::Cause;
use futures_util::future::BoxFuture;
use slackwater_order::time::Time;
use std::fmt::Debug;

/// A register of access tokens.
pub trait TokenRegister: Debug + Send + Sync {
    /// The account that may use `token`; none if nobody may, or no longer. An error if that cannot be found out within
    /// a few seconds.
    fn bearer<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<Option<Bearer>, Cause>>;
}

/// The account that may use a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The backend's id of it.
    pub account: String,
    /// The scopes of the token, with spaces between.
    pub scopes: String,
}

/// Asks the register about tokens.
#[derive(Debug)]
pub(crate) struct Registered {
    register: Box<dyn TokenRegister>,
    checks: TokenChecks,
}

impl Registered {
    pub(super) fn new(register: Box<dyn TokenRegister>) -> Registered {
        Registered {
            register,
            checks: TokenChecks::default(),
        }
    }

    /// Whether a result about a token is cached.
    pub(super) fn knows(&self, token: &Token, now: Time) -> bool {
        let age = self.checks.age(token, now);
        age.is_some_and(|age| age < REMEMBER_MAX)
    }

    /// The account of a token.
    pub(super) async fn user(&self, token: &Token) -> CheckResult {
        let check = |_| self.check(token);
        self.checks.user(token, REMEMBER_MAX, check).await
    }

    async fn check(&self, token: &Token) -> Result<CheckResult, Unchecked> {
        let bearer = self.register.bearer(token).await?;
        let user = bearer.map(|bearer| User {
            account: bearer.account,
            scopes: Scopes::parse(&bearer.scopes),
            // A token that ends is found to have ended by the next check.
            expires: None,
        });
        Ok(user.ok_or(TokenError::Invalid))
    }
}
