//! The routes of all relations of an account: read, and replaced as a whole.

use super::app::App;
use super::append::{RELATIONSHIPS, form_of_lines};
use super::append_body::{self, ParsedBody};
use super::caller::CallerContext;
use super::problem::Problem;
use super::relation_diff::{self, RelationSet, Types};
use super::request_body;
use crate::clock;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use slackwater_engine::relationship::check_account;
use std::fmt::Write as _;
use xxhash_rust::xxh3::Xxh3;

/// The reasons that a refused set names, at most.
const REASONS_MAX: usize = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetQuery {
    r#type: Option<String>,
}

pub(super) async fn get(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<SetQuery>, QueryRejection>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    let (account, types) = account_and_types(path, query)?;
    app.state.is_open()?;
    app.answered(&context, || {
        let relations = app.relations(&account)?;
        let mut body = Vec::new();
        for (_, relation) in relations.iter().filter(|(key, _)| types.include(key.kind)) {
            serde_json::to_writer(&mut body, relation).map_err(|e| Problem::internal(&e))?;
            body.push(b'\n');
        }
        let kind = HeaderValue::from_static("application/x-ndjson");
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::ETAG, etag(&relations)?),
        ];
        Ok((headers, body).into_response())
    })
    .await
}

pub(super) async fn put(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<SetQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let checked = account_and_types(path, query).and_then(|(account, types)| {
        form_of_lines(request.headers())?;
        Ok((account, types, expected(request.headers())?))
    });
    let (account, types, expected) = match checked {
        Ok(checked) => checked,
        Err(problem) => return Err(request_body::refuse(request, problem).await),
    };
    let (body, _share) = app.body(request).await?;
    let wanted = tokio::task::block_in_place(|| app.set_of(&body, &account, &types))?;
    // Relations that were in the log at the start may be missing before: a set would not remove them.
    app.state.is_open()?;
    let Some(_alone) = app.account_locks.exclusive(&account).await else {
        return Err(Problem::unavailable("this node is stopping", 5));
    };
    let guard = app.state.in_flight.enter();
    let in_force = super::disk_reads::read(|| app.relations(&account)).await?;
    if let Some(expected) = expected {
        let etag = etag(&in_force)?;
        if !expected.fits(&etag) {
            return Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "the account's relations have changed since that ETag: read them again, and send the set that is right now",
            ));
        }
    }
    let (records, replaced) = relation_diff::diff(&in_force, &wanted, &types, guard.at)
        .map_err(|reason| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason))?;
    app.append_in_force(records, guard).await?;
    let relations = super::disk_reads::read(|| app.relations(&account)).await?;
    Ok(([(header::ETAG, etag(&relations)?)], Json(replaced)).into_response())
}

impl App {
    /// The relations of an account that are in force.
    fn relations(&self, account: &str) -> Result<RelationSet, Problem> {
        let relations = self.state.view.relations(account, clock::now());
        relations.map_err(|e| Problem::internal(&e))
    }

    /// The set that a body is. A bad line refuses it whole: what the line was to say would be removed.
    fn set_of(&self, body: &[u8], account: &str, types: &Types) -> Result<RelationSet, Problem> {
        let parsed = append_body::lines(body, |line| relation_diff::member(line, account, types));
        let parsed: ParsedBody<_> =
            parsed.map_err(|e| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, e))?;
        if !parsed.rejected.is_empty() {
            self.count_rejected(RELATIONSHIPS, &parsed);
            let mut detail = "nothing was changed".to_owned();
            for rejected in parsed.rejected.iter().take(REASONS_MAX) {
                let _ = write!(detail, "; line {}: {}", rejected.line, rejected.reason);
            }
            if let Some(more @ 1..) = parsed.rejected.len().checked_sub(REASONS_MAX) {
                let _ = write!(detail, "; and {more} more lines");
            }
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        let members = parsed.lines.into_iter().zip(parsed.records).collect();
        relation_diff::set(members)
            .map_err(|reason| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason))
    }
}

fn account_and_types(
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<SetQuery>, QueryRejection>,
) -> Result<(String, Types), Problem> {
    let Path(account) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    check_account(&account).map_err(Problem::bad_request)?;
    let Query(query) =
        query.map_err(|e| Problem::bad_request(format!("{}: send type", e.body_text())))?;
    let types = query.r#type.as_deref().map_or(Ok(Types::All), Types::parse);
    Ok((account, types.map_err(Problem::bad_request)?))
}

/// The strong validator (RFC 9110, 8.8.3) of a set: a hash of its keys and documents.
fn etag(relations: &RelationSet) -> Result<HeaderValue, Problem> {
    let mut hash = Xxh3::new();
    for (key, relation) in relations {
        hash.update(&key.to_bytes());
        hash.update(&serde_json::to_vec(relation).map_err(|e| Problem::internal(&e))?);
    }
    let etag = format!("\"{:032x}\"", hash.digest128());
    HeaderValue::from_str(&etag).map_err(|e| Problem::internal(&e))
}

/// The `If-Match` of a request (RFC 9110, 13.1.1).
enum Expected {
    /// `*`: anything.
    Any,
    /// One of these.
    OneOf(Vec<HeaderValue>),
}

impl Expected {
    fn fits(&self, etag: &HeaderValue) -> bool {
        match self {
            Expected::Any => true,
            Expected::OneOf(etags) => etags.contains(etag),
        }
    }
}

/// Reads `If-Match`, if it is there. A weak validator fits nothing, since the comparison is the strong one.
fn expected(headers: &HeaderMap) -> Result<Option<Expected>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let mut etags = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Ok(Some(Expected::Any));
        }
        for etag in text.split(',') {
            let etag = HeaderValue::from_str(etag.trim());
            etags.push(etag.map_err(|_| {
                Problem::bad_request("If-Match is no ETag: send the one that was answered")
            })?);
        }
    }
    Ok(Some(Expected::OneOf(etags)))
}
