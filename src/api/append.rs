//! The routes that append: activities and relationships.

use super::app::App;
use super::append_body::{self, ActivityHeaders, ParsedBody, PlaceRule};
use super::problem::Problem;
use super::rejections::Rejection;
use super::request_body;
use super::responses::{Accepted, Rejected};
use super::warnings::Dependencies;
use crate::clock;
use crate::log::in_flight::InFlightGuard;
use crate::log::{LogError, LogWriter};
use crate::operator::metrics::pipeline::Step;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use slackwater_engine::record::{NewRecord, Position};
use slackwater_engine::view::BuildProgress;
use slackwater_engine::watch::Closed;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The longest time that a request waits for its durable relation to be in force before it is answered all the same.
const IN_FORCE_WAIT: Duration = Duration::from_secs(25);

/// The path for activities.
const ACTIVITIES: &str = "/v1/activities";
/// The path for relations.
pub(super) const RELATIONSHIPS: &str = "/v1/relationships";
/// The path for all relations of an account.
pub(super) const RELATION_SETS: &str = "/v1/accounts/{account}/relationships";

/// The paths that the backend appends by.
pub(crate) const PATHS: [&str; 3] = [ACTIVITIES, RELATIONSHIPS, RELATION_SETS];

/// The media types of one relation.
pub(super) const RELATION_FORMS: &[&str] = &["application/json"];

pub(super) async fn post_activities(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let form = match form_of(
        &headers,
        &[
            "application/activity+json",
            "application/ld+json",
            "application/json",
        ],
    ) {
        Ok(form) => form,
        Err(problem) => return Err(request_body::refuse(request, problem).await),
    };
    let (body, _share) = app.body(request).await?;
    let guard = app.state.in_flight.enter();
    let now = guard.at;
    let places = PlaceRule {
        source: app.state.view.place_source,
        clock_skew: app.state.view.windows().clock_skew,
    };
    match form {
        Form::One => {
            let text = |name: &str| -> Result<Option<String>, Problem> {
                let Some(value) = headers.get(name) else {
                    return Ok(None);
                };
                let text = std::str::from_utf8(value.as_bytes());
                let text = text
                    .map_err(|_| Problem::bad_request(format!("the header {name} is not UTF-8")))?;
                Ok(Some(text.to_owned()))
            };
            let activity_headers = ActivityHeaders {
                arrived_at: text("arrived-at")?,
                post_ref: text("ref")?,
                author_ref: text("author-ref")?,
                fetched: text("fetched")?,
                inner_verified: text("inner-verified")?,
                forgotten: text("forgotten")?,
            };
            let names = headers.keys().map(header::HeaderName::as_str);
            let record = append_body::check_headers(names)
                .and_then(|()| append_body::activity(&body, activity_headers, places, now))
                .map_err(|refused| app.unprocessable(ACTIVITIES, refused))?;
            app.append(ParsedBody::one(record), guard, ACTIVITIES).await
        }
        Form::Lines => {
            let names = headers.keys().map(header::HeaderName::as_str);
            append_body::check_headers_of_lines(names)
                .map_err(|refused| app.unprocessable(ACTIVITIES, refused))?;
            let parsed = tokio::task::block_in_place(|| {
                append_body::lines(&body, |line| append_body::activity_line(line, places, now))
            })
            .map_err(|e| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, e))?;
            app.append(parsed, guard, ACTIVITIES).await
        }
    }
}

pub(super) async fn post_relationships(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let form = match form_of(&headers, RELATION_FORMS) {
        Ok(form) => form,
        Err(problem) => return Err(request_body::refuse(request, problem).await),
    };
    let (body, _share) = app.body(request).await?;
    let guard = app.state.in_flight.enter();
    let now = guard.at;
    match form {
        Form::One => {
            let record = append_body::relation(&body, now)
                .map_err(|refused| app.unprocessable(RELATIONSHIPS, refused))?;
            app.append(ParsedBody::one(record), guard, RELATIONSHIPS)
                .await
        }
        Form::Lines => {
            let parsed = tokio::task::block_in_place(|| {
                append_body::lines(&body, |line| append_body::relation(line, now))
            })
            .map_err(|e| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, e))?;
            app.append(parsed, guard, RELATIONSHIPS).await
        }
    }
}

impl App {
    /// Appends the accepted documents of a request to `path`, and waits until relations are in force on this node.
    async fn append(
        &self,
        parsed: ParsedBody,
        guard: InFlightGuard,
        path: &'static str,
    ) -> Result<Response, Problem> {
        let accepted = parsed.records.len();
        self.count_rejected(path, &parsed);
        let warnings = if path == RELATIONSHIPS {
            let dependencies = Dependencies::of(&parsed.records, &parsed.lines);
            let accounts = parsed.records.iter().map(|record| &*record.partition_by);
            let _shared = self.account_locks.shared(accounts).await;
            self.append_in_force(parsed.records, guard).await?;
            // Only now: the account or list that a relation needs may have been in the same request.
            dependencies.warnings(&self.state.view.graph.read())
        } else {
            self.append_durably(parsed.records, guard).await?;
            Vec::new()
        };
        let answer = Accepted {
            accepted,
            rejected: parsed.rejected,
            warnings,
        };
        Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
    }

    /// A document that was sent to `path` and cannot be accepted.
    pub(super) fn unprocessable(&self, path: &'static str, refused: Rejection) -> Problem {
        let (why, reason) = (refused.why, refused.reason);
        let rejected = Rejected {
            line: 1,
            reason: reason.clone(),
        };
        self.count_rejected(
            path,
            &ParsedBody::<NewRecord> {
                rejected: vec![rejected],
                why: vec![why],
                ..ParsedBody::default()
            },
        );
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason)
    }

    pub(super) fn count_rejected<T>(&self, path: &'static str, parsed: &ParsedBody<T>) {
        let (metrics, now) = (&self.state.metrics, clock::stopwatch());
        self.rejection_log
            .record(metrics, path, &parsed.rejected, &parsed.why, now);
    }

    /// Appends records and waits until they are durable.
    pub(super) async fn append_durably(
        &self,
        records: Vec<NewRecord>,
        guard: InFlightGuard,
    ) -> Result<Vec<Position>, Problem> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        // On a task of its own: a caller that hangs up does not cancel an append.
        let log_writer: LogWriter = self.log_writer.clone();
        let metrics = Arc::clone(&self.state.metrics);
        let append = async move {
            let begun = clock::stopwatch();
            let appended = log_writer.append(records).await;
            metrics.pipeline.step(Step::Append, begun.elapsed(), 1);
            drop(guard);
            appended
        };
        let appended = tokio::spawn(append).await;
        appended
            .map_err(|e| Problem::internal(&e))?
            .map_err(|e| append_problem(&e))
    }

    /// Appends relations and waits until they are in force on this node, and on every other one that may show their accounts.
    pub(super) async fn append_in_force(
        &self,
        records: Vec<NewRecord>,
        guard: InFlightGuard,
    ) -> Result<(), Problem> {
        let accounts: Vec<_> = records.iter().map(|r| r.partition_by.clone()).collect();
        let positions = self.append_durably(records, guard).await?;
        let mut built = self.state.view.built.clone();
        let here = async {
            let has = |built: &BuildProgress| positions.iter().all(|position| built.has(*position));
            built.wait_for(|built| has(built)).await.map(drop)?;
            // And until the feeds that they concern are rewritten.
            let numbers: BTreeSet<_> = {
                let graph = self.state.view.graph.read();
                let ids = accounts.iter().filter_map(|id| str::from_utf8(id).ok());
                ids.filter_map(|id| graph.account(id)).collect()
            };
            let numbers: Vec<_> = numbers.into_iter().collect();
            self.state.view.pending_relations.settled(&numbers).await;
            Ok::<_, Closed>(())
        };
        // Meanwhile the other nodes that may show the accounts do the same.
        let elsewhere = async {
            if let Some(placement) = &self.state.placement {
                let ids = accounts
                    .iter()
                    .map(|id| String::from_utf8_lossy(id).into_owned());
                let relations = ids.zip(positions.iter().copied()).collect();
                placement.in_force(relations).await;
            }
            Ok(())
        };
        let in_force = async { tokio::try_join!(here, elsewhere) };
        match tokio::time::timeout(IN_FORCE_WAIT.min(self.timeout.mul_f32(0.9)), in_force).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Problem::unavailable(
                "durable, but this node is stopping",
                5,
            )),
            Err(_) => Err(Problem::unavailable(
                match self.state.placement {
                    None => "durable, but not yet in force: this node is catching up",
                    Some(_) => {
                        "durable, but not yet in force on every node that may show the account"
                    }
                },
                5,
            )),
        }
    }
}

/// Reads the body of a request that is in one of these forms, and small.
pub(super) async fn form_and_small_body(
    request: Request,
    forms: &[&str],
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    match form_of(request.headers(), forms) {
        Ok(Form::One) => request_body::small(request, bytes_max).await,
        Ok(Form::Lines) => {
            Err(request_body::refuse(request, unsupported("application/x-ndjson", forms)).await)
        }
        Err(problem) => Err(request_body::refuse(request, problem).await),
    }
}

/// Checks that the body of a request has a document a line.
pub(super) fn form_of_lines(headers: &HeaderMap) -> Result<(), Problem> {
    form_of(headers, &[]).map(drop)
}

enum Form {
    One,
    Lines,
}

fn form_of(headers: &HeaderMap, one: &[&str]) -> Result<Form, Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind == "application/x-ndjson" {
        return Ok(Form::Lines);
    }
    if one.contains(&kind.as_str()) {
        return Ok(Form::One);
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!(
            "Content-Type is {given:?}: send {}application/x-ndjson for one a line",
            match one {
                [] => String::new(),
                one => format!("{} for one, or ", one.join(", ")),
            }
        ),
    ))
}

fn unsupported(given: &str, forms: &[&str]) -> Problem {
    let detail = format!("Content-Type is {given}: send {}", forms.join(", "));
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
}

fn append_problem(error: &LogError) -> Problem {
    if error.is_full() {
        return Problem::unavailable(
            "the log has more to write than it can take: come back in a moment",
            1,
        );
    }
    if error.is_too_large() {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string());
    }
    if !error.is_logged() {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "appending to the log failed: {error}"
        );
    }
    Problem::unavailable(
        "the log did not take all of it: send it again, what is there already is not doubled",
        5,
    )
}
