//! The way to the backend's inboxes, given what it needs of the configuration.

use super::error::ServiceError;
use crate::api::Shutdown;
use crate::api::state::AppState;
use crate::config::Config;
use crate::inbox::passage::Passage;
use crate::inbox::recorder::Recorder;
use crate::log::LogWriter;
use std::sync::Arc;

/// The way, if there is a backend whose inboxes are passed on to: at most so many requests at a time.
pub(super) fn passage(
    config: &Config,
    requests_max: usize,
    state: &AppState,
    log_writer: &LogWriter,
    shutdown: &Shutdown,
) -> Result<Option<Passage>, ServiceError> {
    let Some(options) = &config.inbox else {
        return Ok(None);
    };
    let recorder = Recorder::new(
        options,
        log_writer.clone(),
        state.in_flight.clone(),
        Arc::clone(&state.metrics),
        shutdown.stopping.clone(),
    );
    let passage = recorder.and_then(|recorder| {
        Passage::new(
            options.upstream.clone(),
            requests_max,
            config.api.request_timeout,
            recorder,
            Arc::clone(&state.metrics),
            shutdown.streams.clone(),
        )
    });
    let passage = passage.map_err(|source| ServiceError::Inbox { source });
    passage.map(Some)
}
