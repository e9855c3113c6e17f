//! What is read: feeds and posts.

use super::App;
use crate::clock;
use crate::feed::disk::DiskError;
use crate::feed::fan_out::original_of;
use crate::feed::kept::{Post, State as Left};
use crate::order::place::PostId;
use crate::reader::cursor::{Cursor, CursorError};
use crate::reader::entry::Entry;
use crate::reader::filling::Filling;
use crate::reader::look::{Look, TellError};
use crate::reader::page::{LIMIT_DEFAULT, LIMIT_MAX, Span};
use crate::reader::problem::Problem;
use crate::time::Time;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of the log may take to be heard of, when a cursor has seen more than this node knows of.
const ENDS_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    limit: Option<usize>,
    before: Option<String>,
    after: Option<String>,
}

pub(super) async fn feed(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path((account, feed)) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let Query(query) = query.map_err(|e| {
        Problem::bad_request(format!("{}: send limit, before, after", e.body_text()))
    })?;
    let limit = limit(query.limit)?;
    let place = |name: &str, text: Option<String>| -> Result<Option<PostId>, Problem> {
        text.map(|text| {
            text.parse()
                .map_err(|e| Problem::bad_request(format!("{name}: {e}")))
        })
        .transpose()
    };
    let span = Span {
        before: place("before", query.before)?,
        after: place("after", query.after)?,
        limit,
    };
    app.is_kept(&feed)?;
    tokio::task::block_in_place(|| app.page(&account, &feed, span))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesQuery {
    cursor: String,
    limit: Option<usize>,
}

pub(super) async fn changes(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<ChangesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path((account, feed)) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let Query(query) = query
        .map_err(|e| Problem::bad_request(format!("{}: send cursor, limit", e.body_text())))?;
    let limit = limit(query.limit)?;
    app.is_kept(&feed)?;
    let cursor = Cursor::parse(&query.cursor).map_err(|e| match e {
        CursorError::Damaged => Problem::bad_request(e.to_string()),
        CursorError::OtherVersion => gone(&e),
    })?;
    if cursor.feed != Cursor::feed_of(&account, &feed) {
        return Err(Problem::bad_request(
            "the cursor is of another feed: send one that this feed gave",
        ));
    }
    if cursor.log != app.view.log {
        return Err(gone(&"the cursor is of another log"));
    }
    app.reaches(&cursor).await?;
    tokio::task::block_in_place(|| app.tell(&account, &cursor, limit))
}

pub(super) async fn post_by_id(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let id: PostId = id.parse().map_err(Problem::bad_request)?;
    tokio::task::block_in_place(|| app.show(app.view.store.post(id)))
}

#[derive(Debug, Deserialize)]
pub(super) struct UriQuery {
    uri: String,
}

pub(super) async fn post_by_uri(
    State(app): State<App>,
    query: Result<Query<UriQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(UriQuery { uri }) = query
        .map_err(|_| Problem::bad_request("send the post's own id: /v1/posts?uri=https://…"))?;
    tokio::task::block_in_place(|| app.show(app.view.store.post_by_uri(&uri)))
}

impl App {
    /// Whether there is such a feed, and all relations known at the start are in force.
    fn is_kept(&self, feed: &str) -> Result<(), Problem> {
        if feed != "home" {
            return Err(Problem::not_found(format!(
                "there is no feed {feed:?}: this version keeps home"
            )));
        }
        if !self.view.built.borrow().relations_in_force {
            return Err(Problem::unavailable(
                "relations are still being read: feeds are shown when all are in force",
                1,
            ));
        }
        Ok(())
    }

    /// Whether the log goes as far as a cursor says. Another node may have heard of more: it has a moment to come.
    async fn reaches(&self, cursor: &Cursor) -> Result<(), Problem> {
        let mut built = self.view.built.clone();
        let there = built.wait_for(|built| {
            cursor.from.seen.is_within(&built.ends)
                && cursor
                    .batch
                    .as_ref()
                    .is_none_or(|batch| batch.upto.seen.is_within(&built.ends))
        });
        match tokio::time::timeout(ENDS_WAIT, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Problem::unavailable("this node is stopping", 5)),
            Err(_) => Err(gone(&"the log ends before this cursor")),
        }
    }

    fn look(&self, account: &str, least: Option<Time>) -> Result<Look, Problem> {
        let look = self.view.look(account, least, clock::now());
        look.map_err(|e| Problem::internal(&e))?
            .ok_or_else(|| no_account(account))
    }

    fn page(&self, account: &str, feed: &str, span: Span) -> Result<Response, Problem> {
        let look = self.look(account, None)?;
        let body =
            Filling::fill(&self.view.store, span, look.ids()).map_err(|e| Problem::internal(&e))?;
        let cursor = Cursor {
            feed: Cursor::feed_of(account, feed),
            log: self.view.log,
            from: look.moment(),
            batch: None,
        };
        let bytes = body.finish(look.shown.horizon, &cursor.to_text());
        let mut response = json(bytes.json);
        if let Some(link) = link(
            &format!("/v1/accounts/{account}/feeds/{feed}"),
            span.limit,
            &bytes.ids,
            look.ids(),
        ) && let Ok(link) = HeaderValue::from_str(&link)
        {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }

    fn tell(&self, account: &str, cursor: &Cursor, limit: usize) -> Result<Response, Problem> {
        let horizon = match &cursor.batch {
            Some(batch) => batch.upto.horizon,
            None => cursor.from.horizon,
        };
        let look = self.look(account, Some(horizon))?;
        let told = look.tell(&self.view, cursor, limit).map_err(|e| match e {
            TellError::Refused(refused) => gone(&refused),
            TellError::Disk(error) => Problem::internal(&error),
        })?;
        let cursor = told.cursor.to_text();
        let mut body = Vec::with_capacity(told.telling.json.len() + cursor.len() + 64);
        body.extend_from_slice(b"{\"changes\":[");
        body.extend_from_slice(&told.telling.json);
        body.extend_from_slice(b"],\"floor\":\"");
        body.extend_from_slice(told.floor.to_string().as_bytes());
        body.extend_from_slice(b"\",\"cursor\":\"");
        body.extend_from_slice(cursor.as_bytes());
        body.extend_from_slice(b"\",\"more\":");
        body.extend_from_slice(if told.telling.more {
            b"true}"
        } else {
            b"false}"
        });
        Ok(json(body))
    }

    fn show(&self, found: Result<Option<Arc<Post>>, DiskError>) -> Result<Response, Problem> {
        let post = found.map_err(|e| Problem::internal(&e))?;
        match post {
            None => Err(Problem::not_found("no such post is kept")),
            Some(post) if post.state == Left::Gone => {
                Err(Problem::new(StatusCode::GONE, "the post was deleted"))
            }
            Some(post) => {
                let original =
                    original_of(&self.view.store, &post).map_err(|e| Problem::internal(&e))?;
                Ok(Json(Entry::new(&post, original.as_deref())).into_response())
            }
        }
    }
}

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::bad_request(format!(
            "limit is {limit}: send 1 to {LIMIT_MAX}"
        )))
    }
}

pub(super) fn no_account(account: &str) -> Problem {
    Problem::not_found(format!(
        "no account {account:?}: send its account document to /v1/relationships first"
    ))
}

fn gone(why: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::GONE,
        format!("{why}: read the feed anew, and go on with the cursor it gives"),
    )
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// `Link`: the page below, if there is anything below, and the page above.
fn link(path: &str, limit: usize, page: &[PostId], feed: &[u64]) -> Option<String> {
    let (newest, oldest) = (page.first()?, page.last()?);
    let prev = format!("<{path}?limit={limit}&after={newest}>; rel=\"prev\"");
    let is_last = feed.first().is_none_or(|lowest| oldest.number() <= *lowest);
    if is_last {
        Some(prev)
    } else {
        Some(format!(
            "<{path}?limit={limit}&before={oldest}>; rel=\"next\", {prev}"
        ))
    }
}
