//! The data folder and the log it was built from, opened together: a folder belongs to one log.

use super::error::{ServiceError, pipeline_error};
use crate::log::{self, LogError, LogWriter};
use crate::pipeline::{self, Pipeline};
use slackwater_engine::feed::store::{self, CheckpointState, Store};
use slackwater_order::place::PostId;
use slackwater_order::ref_place::PlaceSource;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Under which name the data folder keeps which log it was built from.
const LOG: &str = "log";

/// Under which name the data folder keeps from what its posts got their places, unless it is from when they were written.
const PLACE_SOURCE: &str = "place_source";

/// Opens the data folder and the log it was built from.
pub(super) fn open(
    folder: store::Options,
    log: &log::Options,
    mut options: pipeline::Options,
    runtime: tokio::runtime::Handle,
) -> Result<(Pipeline, LogWriter), ServiceError> {
    let identity = log.identity().map_err(|error| match error {
        LogError::Id { source } => ServiceError::LogId { source },
        error => error.into(),
    })?;
    let path = folder.path.display().to_string();
    let failed = |source| ServiceError::Folder {
        path: path.clone(),
        source,
    };
    let store = Arc::new(Store::open(folder).map_err(failed)?);
    let reflects = store.reflects().map_err(failed)?;
    bind_places(&store, &reflects, options.engine.place_source, &path)?;
    let built_from = store.meta::<String>(LOG).map_err(failed)?;
    let built_from = built_from.filter(|_| !reflects.next.is_empty());
    match (identity.stored_as(built_from.as_deref()), built_from) {
        (Some(log), _) => {
            store.put_meta(LOG, &log).map_err(failed)?;
            options.engine.log = xxh3_64(log.as_bytes());
        }
        (None, built_from) => {
            return Err(ServiceError::OtherLog {
                path: path.clone(),
                built_from: built_from.unwrap_or_default(),
                now: identity.to_string(),
            });
        }
    }
    let (source, log_writer) = log::open(log, &reflects.next, &reflects.taken)?;
    let pipeline = Pipeline::new(source, log_writer.clone(), runtime, store, options)
        .map_err(|error| pipeline_error(error, &path))?;
    Ok((pipeline, log_writer))
}

/// Notes in the data folder from what its posts get their places. Errors: those that it has got theirs from something else.
fn bind_places(
    store: &Store,
    reflects: &CheckpointState,
    place_source: PlaceSource,
    path: &str,
) -> Result<(), ServiceError> {
    let failed = |source| ServiceError::Folder {
        path: path.to_owned(),
        source,
    };
    let noted = store.meta::<PlaceSource>(PLACE_SOURCE).map_err(failed)?;
    let built_with = noted.unwrap_or_default();
    // A checkpoint that was cut off leaves posts, and nothing that says so.
    let (posts, _) = store.stored_posts(PostId::MIN, 1).map_err(failed)?;
    let is_empty = reflects.next.is_empty() && posts.is_empty();
    if built_with == place_source {
        return Ok(());
    }
    if !is_empty {
        return Err(ServiceError::OtherPlaces {
            path: path.to_owned(),
            built_with: built_with.name(),
            now: place_source.name(),
        });
    }
    store.put_meta(PLACE_SOURCE, &place_source).map_err(failed)
}
