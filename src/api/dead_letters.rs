//! The route of dead letters.

use super::app::App;
use super::dead_letter::{DeadLetter, DeadLetters, Outcome, Replayed};
use super::page_query;
use super::problem::Problem;
use crate::log::dead_letters::{Letter, LetterId, Span, replay};
use crate::log::{LetterReader, LogError};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// What a client waits before it asks again for letters of a log that does not answer, in seconds.
const RETRY_AFTER: u32 = 5;
/// Bytes of a value that one letter alone is shown with: more than a record may have that can be used.
const SHOWN_BYTES_MAX: usize = 4_000_000;
/// How long a replay waits for its record to be read.
const TAKEN_WAIT: Duration = Duration::from_secs(20);
const NOT_TAKEN: &str =
    "the log did not take it: send it again, what is there already is not doubled";

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
    let page = read(&app, move |letters| letters.page(&span, limit)).await?;
    Ok(Json(DeadLetters::from(page)).into_response())
}

pub(super) async fn dead_letter(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let letter = one(&app, path).await?;
    Ok(Json(DeadLetter::from(letter.excerpt(SHOWN_BYTES_MAX))).into_response())
}

/// Appends the record of a letter again, and waits until it is taken in or set aside.
pub(super) async fn replay(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let letter = one(&app, path).await?;
    let guard = app.state.in_flight.enter();
    let topic = app.log_writer.letters().topic_of(&letter);
    let id = letter.id.to_string();
    let record = match replay::record_of(&letter, topic, guard.at) {
        Ok(record) => record,
        Err(refused) => return Ok(Json(Replayed::refused(id, &refused)).into_response()),
    };
    let positions = app.append_durably(vec![record], guard).await?;
    let Some(position) = positions.first().copied() else {
        return Err(Problem::unavailable(NOT_TAKEN, RETRY_AFTER));
    };
    let mut built = app.state.view.built.clone();
    let taken = built.wait_for(|built| built.has(position));
    let taken = tokio::time::timeout(TAKEN_WAIT.min(app.timeout.mul_f32(0.8)), taken).await;
    let (outcome, reason) = match (taken, app.state.recent_letters.reason(position)) {
        (_, Some(reason)) => (Outcome::SetAside, Some(reason)),
        (Ok(Ok(_)), None) => (Outcome::Good, None),
        (_, None) => (
            Outcome::Appended,
            Some("it is in the log and not read yet".to_owned()),
        ),
    };
    let topic = letter.source.map(|source| source.topic);
    Ok(Json(Replayed {
        id,
        outcome,
        reason,
        topic,
        partition: Some(position.partition),
        offset: Some(position.offset),
    })
    .into_response())
}

/// The letter that a path names.
async fn one(app: &App, path: Result<Path<String>, PathRejection>) -> Result<Letter, Problem> {
    let Path(id) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let id: LetterId = id
        .parse()
        .map_err(|error| Problem::bad_request(format!("{error}")))?;
    let letter = read(app, move |letters| letters.letter(id)).await?;
    letter.ok_or_else(|| Problem::not_found(format!("there is no dead letter {id}, or no more")))
}

/// Reads letters: one request at a time, since each holds some megabytes, and in Kafka a client of its own.
async fn read<T: Send + 'static>(
    app: &App,
    read: impl FnOnce(&LetterReader) -> Result<T, LogError> + Send + 'static,
) -> Result<T, Problem> {
    let turn = Arc::clone(&app.letters_turn).acquire_owned().await;
    let letters = app.log_writer.letters();
    let read = move || {
        // It is held until the log has answered, also if the client has gone meanwhile.
        let _turn = turn;
        read(&letters)
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| Problem::internal(&error))?
        .map_err(|error| unread(&error))
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
