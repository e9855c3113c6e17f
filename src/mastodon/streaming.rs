//! The routes of Mastodon's streaming API, over websockets and server-sent events.

use super::app::MastodonApp;
use super::base_url::BaseUrl;
use super::channel::{Channel, ChannelError, ChannelQuery};
use super::error::MastodonError;
use super::late::LATE_LIST;
use crate::api::auth::Caller;
use crate::api::caller::CallerContext;
use crate::api::websocket_upgrade::{Upgrade, UpgradeError};
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

type UpgradeResult = Result<Upgrade, UpgradeError>;

pub(super) async fn health() -> &'static str {
    "OK"
}

/// A websocket, or the events of the stream that is named.
pub(super) async fn any(
    State(app): State<MastodonApp>,
    Query(query): Query<ChannelQuery>,
    Extension(mut context): Extension<CallerContext>,
    headers: HeaderMap,
    upgrade: UpgradeResult,
) -> Result<Response, MastodonError> {
    context.base_url = BaseUrl::of(&app, &context, &headers).root.into();
    match upgrade {
        Ok(upgrade) => app.socket(upgrade, query, &context, &headers),
        Err(_) => {
            let name = query.stream.clone().unwrap_or_default();
            app.events(&name, &query, &context, &headers).await
        }
    }
}

/// The events of the stream that the path names.
pub(super) async fn named(
    State(app): State<MastodonApp>,
    Path(path): Path<String>,
    Query(query): Query<ChannelQuery>,
    Extension(mut context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Result<Response, MastodonError> {
    context.base_url = BaseUrl::of(&app, &context, &headers).root.into();
    let name = path.trim_end_matches('/').replace('/', ":");
    app.events(&name, &query, &context, &headers).await
}

impl MastodonApp {
    /// The account of the caller, if it is one. A caller that may read no stream gets that error before any other.
    pub(super) fn subscriber(
        &self,
        context: &CallerContext,
    ) -> Result<Option<String>, MastodonError> {
        match &context.caller {
            Caller::User(user) => Ok(Some(user.account.clone())),
            Caller::Anyone if !self.auth.public_feeds_open => Err(MastodonError::invalid()),
            Caller::Backend | Caller::Anyone => Ok(None),
        }
    }

    /// The stream of this name. The list of late arrivals is quiet: it holds the posts that are not pushed.
    pub(super) fn channel_named(
        &self,
        name: &str,
        tag: Option<&str>,
        list: Option<&str>,
    ) -> Result<Channel, ChannelError> {
        match Channel::named(name, tag, list)? {
            Channel::List(list) if self.late_list && list == LATE_LIST => {
                Ok(Channel::Quiet("list"))
            }
            channel => Ok(channel),
        }
    }

    /// The stream that a client names, if there is one and the caller may read it.
    pub(super) fn channel(
        &self,
        name: &str,
        tag: Option<&str>,
        list: Option<&str>,
        context: &CallerContext,
    ) -> Result<Channel, ChannelError> {
        let channel = self.channel_named(name, tag, list)?;
        let account = match &context.caller {
            Caller::User(user) => Some(user.account.as_str()),
            Caller::Backend | Caller::Anyone => None,
        };
        let refused = |error, status| Err(ChannelError { error, status });
        let Some(feed_ref) = channel.feed_ref(account) else {
            return match (&channel, account) {
                (Channel::Quiet(_), Some(_)) => Ok(channel),
                _ => refused("The access token is invalid", 401),
            };
        };
        match self
            .auth
            .may_read(&context.caller, &feed_ref)
            .map_err(|problem| problem.status)
        {
            Ok(()) => {}
            Err(401) => return refused("The access token is invalid", 401),
            Err(_) => return refused("This action is outside the authorized scopes", 403),
        }
        match (&channel, self.state.is_there(&feed_ref)) {
            (_, Ok(())) => Ok(channel),
            (Channel::List(_), Err(_)) => refused("Not authorized to stream this list", 404),
            (_, Err(_)) => refused("Record not found", 404),
        }
    }
}
