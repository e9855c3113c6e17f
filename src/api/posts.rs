//! The routes of single posts.

use super::app::App;
use super::caller::CallerContext;
use super::entry::Entry;
use super::page_query::check_ref;
use super::problem::Problem;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use slackwater_engine::feed::fan_out::original_of;
use slackwater_engine::feed::post::{Post, State as Left};
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::id::post_id;
use slackwater_order::place::PostId;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PostQuery {
    uri: Option<String>,
    #[serde(rename = "ref")]
    post_ref: Option<String>,
    explain_for: Option<String>,
}

pub(super) async fn by_id(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<PostQuery>, QueryRejection>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let id: PostId = post_id(&id).map_err(Problem::bad_request)?;
    let query = post_query(query)?;
    if query.uri.is_some() || query.post_ref.is_some() {
        return Err(Problem::bad_request(
            "the path says which post: send explain_for, or nothing",
        ));
    }
    app.answered(&context, || {
        app.show(app.state.view.store.post(id), query.explain_for.as_deref())
    })
    .await
}

pub(super) async fn by_name(
    State(app): State<App>,
    query: Result<Query<PostQuery>, QueryRejection>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    let query = post_query(query)?;
    let name = PostName::of(&query)?;
    app.answered(&context, || {
        let store = &app.state.view.store;
        let found = match name {
            PostName::Uri(uri) => store.post_by_uri(uri),
            PostName::Ref(reference) => store.post_by_ref(reference),
        };
        app.show(found, query.explain_for.as_deref())
    })
    .await
}

/// The name of a post that is no id.
#[derive(Clone, Copy)]
enum PostName<'a> {
    /// Its object's own id.
    Uri(&'a str),
    /// The backend's own id of it.
    Ref(&'a str),
}

impl PostName<'_> {
    fn of(query: &PostQuery) -> Result<PostName<'_>, Problem> {
        match (query.uri.as_deref(), query.post_ref.as_deref()) {
            (Some(uri), None) => Ok(PostName::Uri(uri)),
            (None, Some(reference)) => {
                check_ref("ref", reference)?;
                Ok(PostName::Ref(reference))
            }
            (None, None) => Err(Problem::bad_request(
                "send the post's own id, /v1/posts?uri=https://…, or yours, /v1/posts?ref=…",
            )),
            (Some(_), Some(_)) => Err(Problem::bad_request(
                "uri and ref both name a post: send one of them",
            )),
        }
    }
}

fn post_query(query: Result<Query<PostQuery>, QueryRejection>) -> Result<PostQuery, Problem> {
    let Query(query) = query.map_err(|e| {
        Problem::bad_request(format!("{}: send uri or ref, explain_for", e.body_text()))
    })?;
    Ok(query)
}

impl App {
    fn show(
        &self,
        found: Result<Option<Arc<Post>>, DiskError>,
        explain_for: Option<&str>,
    ) -> Result<Response, Problem> {
        let post = match found.map_err(|e| Problem::internal(&e))? {
            None => return Err(Problem::not_found("no such post is kept")),
            Some(post) if post.state == Left::Gone => {
                return Err(Problem::new(StatusCode::GONE, "the post was deleted"));
            }
            Some(post) if post.state == Left::Forgotten => {
                return Err(Problem::new(
                    StatusCode::GONE,
                    "the post was forgotten: a Delete that says so came for it",
                ));
            }
            Some(post) => post,
        };
        let original =
            original_of(&self.state.view.store, &post).map_err(|e| Problem::internal(&e))?;
        let original = original.as_deref();
        let mut entry = Entry::new(&post, original);
        if let Some(account) = explain_for {
            self.state.is_open()?;
            let mut explained = self.state.explain(account, &post, original)?;
            let left_out = (self.omission)(&self.state, &post, original);
            explained.mastodon = left_out.map_err(|e| Problem::internal(&e))?;
            entry.explained = Some(explained);
        }
        Ok(Json(entry).into_response())
    }
}
