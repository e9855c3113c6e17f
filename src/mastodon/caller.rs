//! The caller of a request to Mastodon's API, with errors in Mastodon's words.

use super::app::MastodonApp;
use super::error::MastodonError;
use crate::api::app::App;
use crate::api::auth::{Caller, User};
use crate::api::caller::{self, CallerContext, CarriedToken};
use crate::api::forward::account_of;
use crate::api::problem::Problem;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Finds the caller by the token in `Authorization`. Some of these routes need no token.
pub(super) async fn by_header(State(app): State<App>, request: Request, next: Next) -> Response {
    let carried = caller::in_header(&request);
    with_caller(&app, request, next, carried).await
}

/// Finds the caller of a stream: its token may be elsewhere too.
pub(super) async fn by_stream(State(app): State<App>, request: Request, next: Next) -> Response {
    let carried = caller::anywhere(&request);
    with_caller(&app, request, next, carried).await
}

async fn with_caller(app: &App, request: Request, next: Next, carried: CarriedToken) -> Response {
    let evidence = app.evidence(&request, carried);
    match app.identify(evidence).await {
        Ok(context) => {
            let account = account_of::of_token(&context.caller);
            app.answered_for(account.as_deref(), context, request, next, rendered)
                .await
        }
        Err(problem) => rendered(problem),
    }
}

fn rendered(problem: Problem) -> Response {
    MastodonError::from(problem).into_response()
}

/// The user that sends a request, if their token has a scope.
pub(super) fn user<'a>(context: &'a CallerContext, scope: &str) -> Result<&'a User, MastodonError> {
    match &context.caller {
        Caller::User(user) if user.scopes.has(scope) => Ok(user),
        Caller::User(_) => Err(MastodonError::outside_scope()),
        Caller::Backend => Err(MastodonError::needs_user()),
        Caller::Anyone => Err(MastodonError::invalid()),
    }
}

impl MastodonApp {
    /// The account that a shared feed is shown to, if there is one: an account sees less of it.
    pub(super) fn reader(&self, context: &CallerContext) -> Result<Option<String>, MastodonError> {
        match &context.caller {
            Caller::User(user) if user.scopes.has("read:statuses") => {
                Ok(Some(user.account.clone()))
            }
            Caller::User(_) => Err(MastodonError::outside_scope()),
            Caller::Backend => Ok(None),
            Caller::Anyone if self.auth.public_feeds_open => Ok(None),
            Caller::Anyone => Err(MastodonError::invalid()),
        }
    }
}
