//! The daily comparison with Mastodon's own homes, given what it needs of the configuration.

use crate::api::state::AppState;
use crate::compare::daily::{self, Parts};
use crate::config::Config;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Starts it, if there are accounts to compare. It ends with `stop`.
pub(super) fn start(
    config: &Config,
    listen: SocketAddr,
    state: &AppState,
    stop: CancellationToken,
) {
    let (Some(upstream), Some(database)) = (&config.auth.backend, &config.connector.database)
    else {
        return;
    };
    let parts = Parts {
        upstream: upstream.clone(),
        database: database.clone(),
        listen,
        service_token: config.auth.service_tokens.first().cloned(),
        posts_keep: config.pipeline.engine.keep.posts,
        connector: Arc::clone(&state.connector),
        placement: state.placement.clone(),
        metrics: Arc::clone(&state.metrics),
    };
    tokio::spawn(daily::run(config.compare.clone(), parts, stop));
}
