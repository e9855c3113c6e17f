//! The scheme and host that a client used, for links back to this service.

use crate::api::app::App;
use crate::api::caller::CallerContext;
use crate::api::request_headers::is_host;
use axum::http::{HeaderMap, Uri};
use std::net::IpAddr;

/// The scheme and host that a client used.
pub(super) struct BaseUrl {
    pub(super) host: String,
    /// With its scheme.
    pub(super) root: String,
}

impl BaseUrl {
    pub(super) fn of(app: &App, context: &CallerContext, headers: &HeaderMap) -> BaseUrl {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let trusts = |peer: IpAddr| {
            app.trusted_proxies
                .iter()
                .any(|network| network.contains(&peer))
        };
        let is_proxied = context.peer.is_some_and(trusts);
        let forwarded = |name: &str| header(name).filter(|_| is_proxied);
        // Of several values, the one that the client sent to the first proxy.
        let first = |value: &'_ str| value.split(',').next().map(str::trim).map(str::to_owned);
        let host = forwarded("x-forwarded-host").and_then(first);
        let host = host
            .or_else(|| header("host").map(str::to_owned))
            .filter(|host| is_host(host))
            .unwrap_or_else(|| "localhost".to_owned());
        let scheme = match forwarded("x-forwarded-proto") {
            Some("https") => "https",
            _ => "http",
        };
        BaseUrl {
            root: format!("{scheme}://{host}"),
            host,
        }
    }

    /// A path there, as a URL.
    pub(super) fn path(&self, uri: &Uri) -> String {
        format!("{}{}", self.root, uri.path())
    }
}
