//! What is read: feeds, posts, origins.

use super::App;
use crate::feed::disk::DiskError;
use crate::feed::fan_out::original_of;
use crate::feed::kept::{Post, State as Left};
use crate::order::place::PostId;
use crate::reader::answer::{Origin, Origins};
use crate::reader::cursor::Cursor;
use crate::reader::entry::Entry;
use crate::reader::filling::Filling;
use crate::reader::page::{LIMIT_DEFAULT, LIMIT_MAX, Span};
use crate::reader::problem::Problem;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

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
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "limit is {limit}: send 1 to {LIMIT_MAX}"
        )));
    }
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
    if feed != "home" {
        return Err(Problem::not_found(format!(
            "there is no feed {feed:?}: this version keeps home"
        )));
    }
    if !app.view.built.borrow().relations_in_force {
        return Err(Problem::unavailable(
            "relations are still being read: feeds are shown when all are in force",
            1,
        ));
    }
    tokio::task::block_in_place(|| app.page(&account, &feed, span))
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

pub(super) async fn origins(State(app): State<App>) -> Response {
    let known = app.view.origins.read();
    let mut origins: Vec<Origin<'_>> = known
        .iter()
        .map(|(host, delays)| Origin::new(host, delays, &app.view.windows))
        .collect();
    origins.sort_unstable_by_key(|origin| origin.host);
    Json(Origins { origins }).into_response()
}

pub(super) async fn origin(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(host) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let origins = app.view.origins.read();
    let known = origins
        .get(&host)
        .ok_or_else(|| Problem::not_found(format!("nothing was heard from {host:?}")))?;
    Ok(Json(Origin::new(&host, known, &app.view.windows)).into_response())
}

impl App {
    fn page(&self, account: &str, feed: &str, span: Span) -> Result<Response, Problem> {
        // Before the feed is read, so that the cursor never claims what the page did not see.
        let next = self.view.built.borrow().next.clone();
        let known = self.view.graph.read().account(account);
        let home = match known {
            Some(account) => self
                .view
                .store
                .home(account)
                .map_err(|e| Problem::internal(&e))?,
            None => None,
        };
        let home = home.ok_or_else(|| {
            Problem::not_found(format!(
                "no account {account:?}: send its account document to /v1/relationships first"
            ))
        })?;
        let body =
            Filling::fill(&self.view.store, span, &home.ids).map_err(|e| Problem::internal(&e))?;
        let cursor = Cursor {
            feed: Cursor::feed_of(account, feed),
            next,
        }
        .to_text();
        let bytes = body.finish(&cursor);
        let mut response =
            ([(header::CONTENT_TYPE, "application/json")], bytes.json).into_response();
        if let Some(link) = link(
            &format!("/v1/accounts/{account}/feeds/{feed}"),
            span.limit,
            &bytes.ids,
            &home.ids,
        ) && let Ok(link) = HeaderValue::from_str(&link)
        {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
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
