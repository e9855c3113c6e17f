//! The route of dead letters.

use super::app::App;
use super::dead_letter::DeadLetters;
use super::page_query;
use super::problem::Problem;
use crate::log::LogError;
use crate::log::dead_letters::Span;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

/// What a client waits before it asks again for letters of a log that does not answer, in seconds.
const RETRY_AFTER: u32 = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadLettersQuery {
    limit: Option<usize>,
    before: Option<String>,
    after: Option<String>,
}

impl DeadLettersQuery {
    fn span(&self) -> Result<Span, Problem> {
        let position = |name: &str, text: &str| {
            let position = text.parse();
            position.map_err(|error| Problem::bad_request(format!("{name}: {error}")))
        };
        match (&self.before, &self.after) {
            (None, None) => Ok(Span::Newest),
            (Some(before), None) => Ok(Span::Before(position("before", before)?)),
            (None, Some(after)) => Ok(Span::After(position("after", after)?)),
            (Some(_), Some(_)) => Err(Problem::bad_request(
                "before and after name two pages: send one of them",
            )),
        }
    }
}

pub(super) async fn dead_letters(
    State(app): State<App>,
    query: Result<Query<DeadLettersQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| {
        let instead = "send limit, and before or after";
        Problem::bad_request(format!("{}: {instead}", e.body_text()))
    })?;
    let limit = page_query::limit(query.limit)?;
    let span = query.span()?;
    // One at a time: each holds some megabytes, and in Kafka a client of its own.
    let turn = Arc::clone(&app.letters_turn).acquire_owned().await;
    let letters = app.log_writer.letters();
    let read = move || {
        // It is held until the log has answered, also if the client has gone meanwhile.
        let _turn = turn;
        letters.page(&span, limit)
    };
    let page = tokio::task::spawn_blocking(read).await;
    match page.map_err(|error| Problem::internal(&error))? {
        Ok(page) => Ok(Json(DeadLetters::from(page)).into_response()),
        Err(error) => Err(unread(&error)),
    }
}

fn unread(error: &LogError) -> Problem {
    if error.is_passing() {
        return Problem::unavailable(
            format!("the log does not give its dead letters: {error}"),
            RETRY_AFTER,
        );
    }
    Problem::internal(error)
}
