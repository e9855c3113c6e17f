//! The account whose node answers a request. Any node answers a request that is for no account.

use crate::api::auth::Caller;
use axum::RequestExt;
use axum::extract::{MatchedPath, RawPathParams, Request};
use slackwater_engine::relationship::check_account;

/// Where a request of our own API names the account that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountIn {
    /// In its path.
    Path,
    /// In this parameter of its query, if it is for one.
    Query(&'static str),
    /// Nowhere: any node has what it asks for.
    NoPart,
}

/// Where requests of a route of our own API name the account that they are for; none if there is no such route.
pub(crate) fn account_in(route: &str) -> Option<AccountIn> {
    Some(match route {
        "/v1/accounts/{account}/relationships"
        | "/v1/accounts/{account}/feeds/{feed}"
        | "/v1/accounts/{account}/feeds/{feed}/changes"
        | "/v1/accounts/{account}/feeds/{feed}/preview"
        | "/v1/accounts/{account}/feeds/{feed}/stream"
        | "/v1/accounts/{account}/ordering" => AccountIn::Path,
        "/v1/feeds/public"
        | "/v1/feeds/public/changes"
        | "/v1/feeds/public/stream"
        | "/v1/feeds/tag/{tag}"
        | "/v1/feeds/tag/{tag}/changes"
        | "/v1/feeds/tag/{tag}/stream" => AccountIn::Query("account"),
        "/v1/posts" | "/v1/posts/{id}" => AccountIn::Query("explain_for"),
        "/v1/activities"
        | "/v1/relationships"
        | "/v1/accounts"
        | "/v1/actors"
        | "/v1/origins"
        | "/v1/origins/{host}"
        | "/v1/dead-letters"
        | "/v1/dead-letters/{id}"
        | "/v1/dead-letters/{id}/replay"
        | "/v1/nodes"
        | "/v1/nodes/awake"
        | "/metrics"
        | "/healthz"
        | "/readyz"
        | "/openapi.json" => AccountIn::NoPart,
        _ => return None,
    })
}

/// The account that a request of our own API is for, if its caller may ask for it: any other request is refused by whoever gets it.
pub(crate) async fn of_request(request: &mut Request, caller: &Caller) -> Option<String> {
    let route = request.extensions().get::<MatchedPath>()?;
    let account = match account_in(route.as_str())? {
        AccountIn::NoPart => None,
        AccountIn::Query(name) => in_query(request, name),
        AccountIn::Path => {
            let parts = request.extract_parts::<RawPathParams>().await.ok()?;
            let found = parts.iter().find(|(name, _)| *name == "account");
            found.map(|(_, account)| account.to_owned())
        }
    };
    let account = account.filter(|account| check_account(account).is_ok())?;
    match caller {
        Caller::Backend => Some(account),
        Caller::User(user) => (user.account == account).then_some(account),
        Caller::Anyone => None,
    }
}

fn in_query(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, account) = pairs.find(|(key, _)| key == name)?;
    Some(account.into_owned())
}

/// The account that a request of Mastodon's API is for, whatever it asks: that of its token.
pub(crate) fn of_token(caller: &Caller) -> Option<String> {
    match caller {
        Caller::User(user) => Some(user.account.clone()),
        Caller::Backend | Caller::Anyone => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::openapi::ROUTES;

    /// A failure means that a new route is answered by whichever node gets the request, though only one has what it asks for.
    #[test]
    fn every_route_says_which_node_answers_it() {
        for route in &ROUTES {
            let found = account_in(route.path);
            assert!(found.is_some(), "{} is not in the table", route.path);
            let has_account = route.path.contains("{account}");
            assert_eq!(
                has_account,
                found == Some(AccountIn::Path),
                "{}",
                route.path
            );
        }
    }
}
