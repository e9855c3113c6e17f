//! The routes of timelines.

use super::app::MastodonApp;
use super::base_url::BaseUrl;
use super::caller::user;
use super::channel::Filter;
use super::error::MastodonError;
use super::timeline::Timeline;
use super::timeline_query::{TimelineQuery, number, page_request};
use crate::api::caller::CallerContext;
use crate::api::large_response::hold;
use crate::api::problem::Problem;
use crate::clock;
use crate::mastodon::ids::Ids;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;
use slackwater_engine::activity::object::hashtag_of;
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::other_memtable::Part;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_order::place::PostId;

pub(super) async fn home(
    State(app): State<MastodonApp>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, MastodonError> {
    let account = user(&context, "read:statuses")?.account.clone();
    let query = TimelineQuery::read(query.as_deref());
    let feed_ref = FeedRef::Home { account };
    let base_url = BaseUrl::of(&app, &context, &headers);
    app.timeline(
        &[feed_ref],
        &query,
        Filter::default(),
        (&context, &base_url, &uri),
    )
    .await
}

pub(super) async fn list(
    State(app): State<MastodonApp>,
    Path(list): Path<String>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, MastodonError> {
    let account = user(&context, "read:lists")?.account.clone();
    let query = TimelineQuery::read(query.as_deref());
    let base_url = BaseUrl::of(&app, &context, &headers);
    if app.is_late_list(&list) {
        let page_request = page_request(&query, number)?;
        let status_cache = app.status_cache.at(&base_url.root);
        let late = app.late_statuses(&context, &account, &status_cache, page_request);
        let (page, room) = late.await?;
        return Ok(hold(room, answer(page, &query, &base_url.path(&uri))).await?);
    }
    let feed_ref = FeedRef::List { account, list };
    app.timeline(
        &[feed_ref],
        &query,
        Filter::default(),
        (&context, &base_url, &uri),
    )
    .await
}

pub(super) async fn public(
    State(app): State<MastodonApp>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, MastodonError> {
    let query = TimelineQuery::read(query.as_deref());
    let part = match (query.is("local"), query.is("remote")) {
        (true, false) => Part::Local,
        (false, true) => Part::Remote,
        _ => Part::All,
    };
    let feed_ref = FeedRef::Public {
        part,
        reader: app.reader(&context)?,
    };
    let filter = Filter {
        only_media: query.is("only_media"),
        ..Filter::default()
    };
    let base_url = BaseUrl::of(&app, &context, &headers);
    app.timeline(&[feed_ref], &query, filter, (&context, &base_url, &uri))
        .await
}

pub(super) async fn hashtag(
    State(app): State<MastodonApp>,
    Path(tag): Path<String>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, MastodonError> {
    let query = TimelineQuery::read(query.as_deref());
    let reader = app.reader(&context)?;
    let tag = hashtag_of(&tag).ok_or_else(MastodonError::not_found)?;
    let any = query.tags("any").into_iter();
    let feed_ref: Vec<FeedRef> = std::iter::once(tag)
        .chain(any)
        .map(|tag| FeedRef::Tag {
            tag,
            reader: reader.clone(),
        })
        .collect();
    let (local, remote) = (query.is("local"), query.is("remote"));
    let base_url = BaseUrl::of(&app, &context, &headers);
    let filter = Filter {
        only_media: query.is("only_media"),
        only_local: local && !remote,
        only_remote: remote && !local,
        all: query.tags("all"),
        none: query.tags("none"),
    };
    app.timeline(&feed_ref, &query, filter, (&context, &base_url, &uri))
        .await
}

impl MastodonApp {
    async fn timeline(
        &self,
        feed_ref: &[FeedRef],
        query: &TimelineQuery,
        filter: Filter,
        (context, base_url, uri): (&CallerContext, &BaseUrl, &Uri),
    ) -> Result<Response, MastodonError> {
        self.state.is_open()?;
        let mut looks = Vec::with_capacity(feed_ref.len());
        for feed_ref in feed_ref {
            match self.state.snapshot_when_active(feed_ref, None).await {
                Ok(snapshot) => looks.push(snapshot),
                // As Mastodon says that a feed is being made anew.
                Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16() => {
                    return Ok((StatusCode::PARTIAL_CONTENT, Json(json!([]))).into_response());
                }
                Err(problem) => return Err(problem.into()),
            }
        }
        let status_cache = self.status_cache.at(&base_url.root);
        self.answered(context, || {
            let page_request = page_request(query, |name, id| self.place(name, id))?;
            let mut ids: Vec<u64> = looks
                .iter()
                .flat_map(|snapshot| snapshot.ids())
                .copied()
                .collect();
            if 1 < looks.len() {
                ids.sort_unstable();
                ids.dedup();
            }
            let admits = |post: &Post, original: Option<&Post>| {
                looks
                    .iter()
                    .any(|snapshot| snapshot.resolved.admits(&self.state.view, post, original))
            };
            let page = Timeline::fill(
                &self.state,
                &status_cache,
                page_request,
                &ids,
                &filter,
                &admits,
                clock::now(),
            );
            let page = page.map_err(|e| Problem::internal(&e))?;
            Ok(answer(page, query, &base_url.path(uri)))
        })
        .await
    }

    /// The place that an id of a status stands for. Ids need not exist.
    fn place(&self, name: &str, id: &str) -> Result<PostId, MastodonError> {
        if self.status_cache.ids == Ids::Ref {
            let found = self
                .state
                .view
                .store
                .post_by_ref(id)
                .map_err(|e| Problem::internal(&e))?;
            if let Some(post) = found {
                return Ok(post.id);
            }
        }
        // Of the backend's ids those that Mastodon makes begin with the time as ours do.
        number(name, id)
    }
}

/// A page, with `Link`.
fn answer(page: Timeline, query: &TimelineQuery, path: &str) -> Response {
    let link = link(path, &query.kept(), &page);
    let mut response = json_text(page.json);
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// JSON text as a response.
pub(super) fn json_text(body: String) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        body,
    )
        .into_response()
}

/// `Link`: the page below, unless nothing stands there, and the page just above.
fn link(path: &str, kept: &str, page: &Timeline) -> Option<String> {
    let (newest, oldest) = page.ends.as_ref()?;
    let and = if kept.is_empty() { "" } else { "&" };
    let prev = format!("<{path}?{kept}{and}min_id={newest}>; rel=\"prev\"");
    Some(match page.is_last {
        true => prev,
        false => format!("<{path}?{kept}{and}max_id={oldest}>; rel=\"next\", {prev}"),
    })
}
