//! The routes of timelines.

use super::app::MastodonApp;
use super::caller::user;
use super::channel::Filter;
use super::error::MastodonError;
use super::hydrated;
use super::timeline::Timeline;
use super::timeline_query::{number, page_request};
use super::timeline_request::TimelineRequest;
use super::upstream::{Reader, Upstream, UpstreamError};
use crate::api::disk_reads;
use crate::api::large_response::hold;
use crate::api::problem::Problem;
use crate::clock;
use crate::mastodon::ids::Ids;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use slackwater_engine::activity::object::hashtag_of;
use slackwater_engine::feed::feed_id::PublicPart;
use slackwater_engine::feed::post::Post;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_order::place::PostId;

pub(super) async fn home(
    State(app): State<MastodonApp>,
    request: TimelineRequest,
) -> Result<Response, MastodonError> {
    let account = user(&request.context, "read:statuses")?.account.clone();
    app.own_timeline(&FeedRef::Home { account }, &request).await
}

pub(super) async fn list(
    State(app): State<MastodonApp>,
    Path(list): Path<String>,
    request: TimelineRequest,
) -> Result<Response, MastodonError> {
    let account = user(&request.context, "read:lists")?.account.clone();
    if app.is_late_list(&list) {
        let page_request = page_request(&request.query, number)?;
        if let Some((upstream, reader)) = app.upstream_for(&request.context) {
            let late = app.hydrated_late(&account, (upstream, &reader), page_request);
            match late.await? {
                Err(UpstreamError::Away) if upstream.plain_when_away => {}
                page => return app.held(&request, page?).await,
            }
        }
        let status_cache = app.status_cache.at(&request.base_url.root);
        let late = app.late_statuses(&request.context, &account, &status_cache, page_request);
        let (page, room) = late.await?;
        return Ok(hold(room, response(page, &request)).await?);
    }
    app.own_timeline(&FeedRef::List { account, list }, &request)
        .await
}

pub(super) async fn public(
    State(app): State<MastodonApp>,
    request: TimelineRequest,
) -> Result<Response, MastodonError> {
    let query = &request.query;
    let part = match (query.is("local"), query.is("remote")) {
        (true, false) => PublicPart::Local,
        (false, true) => PublicPart::Remote,
        _ => PublicPart::All,
    };
    let reader = app.reader(&request.context)?;
    let filter = Filter {
        only_media: query.is("only_media"),
        ..Filter::default()
    };
    app.timeline(&[FeedRef::Public { part, reader }], &request, filter)
        .await
}

pub(super) async fn hashtag(
    State(app): State<MastodonApp>,
    Path(tag): Path<String>,
    request: TimelineRequest,
) -> Result<Response, MastodonError> {
    let query = &request.query;
    let reader = app.reader(&request.context)?;
    let tag = hashtag_of(&tag).ok_or_else(MastodonError::not_found)?;
    let any = query.tags("any").into_iter();
    let feed_refs: Vec<FeedRef> = std::iter::once(tag)
        .chain(any)
        .map(|tag| FeedRef::Tag {
            tag,
            reader: reader.clone(),
        })
        .collect();
    let (local, remote) = (query.is("local"), query.is("remote"));
    let filter = Filter {
        only_media: query.is("only_media"),
        only_local: local && !remote,
        only_remote: remote && !local,
        all: query.tags("all"),
        none: query.tags("none"),
    };
    app.timeline(&feed_refs, &request, filter).await
}

impl MastodonApp {
    /// A timeline of the caller's own: as the backend shows its statuses, if it is to be asked.
    async fn own_timeline(
        &self,
        feed_ref: &FeedRef,
        request: &TimelineRequest,
    ) -> Result<Response, MastodonError> {
        let Some((upstream, reader)) = self.upstream_for(&request.context) else {
            let feed_refs = std::slice::from_ref(feed_ref);
            return self.timeline(feed_refs, request, Filter::default()).await;
        };
        self.state.is_open()?;
        let snapshot = match self.state.snapshot_when_active(feed_ref, None).await {
            Ok(snapshot) => snapshot,
            Err(problem) if upstream.plain_when_away => return while_rebuilt(problem),
            Err(problem) => {
                return Err(lacking(feed_ref, problem, (upstream, &reader)).await);
            }
        };
        let place = || page_request(&request.query, |name, id| self.place(name, id));
        let page_request = disk_reads::read(place).await?;
        let admits = |post: &Post, original: Option<&Post>| {
            snapshot.resolved.admits(&self.state.view, post, original)
        };
        let filter = Filter::default();
        let pick =
            |part| hydrated::of_timeline(&self.state, part, snapshot.ids(), &filter, &admits);
        match self
            .hydrated((upstream, &reader), page_request, pick)
            .await?
        {
            Err(UpstreamError::Away) if upstream.plain_when_away => {
                let feed_refs = std::slice::from_ref(feed_ref);
                self.timeline(feed_refs, request, filter).await
            }
            page => self.held(request, page?).await,
        }
    }

    /// A page as a response that is counted until it has been sent.
    async fn held(
        &self,
        request: &TimelineRequest,
        page: Timeline,
    ) -> Result<Response, MastodonError> {
        let room = self.room(&request.context).await?;
        Ok(hold(room, response(page, request)).await?)
    }

    async fn timeline(
        &self,
        feed_refs: &[FeedRef],
        request: &TimelineRequest,
        filter: Filter,
    ) -> Result<Response, MastodonError> {
        self.state.is_open()?;
        let mut snapshots = Vec::with_capacity(feed_refs.len());
        for feed_ref in feed_refs {
            match self.state.snapshot_when_active(feed_ref, None).await {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(problem) => return while_rebuilt(problem),
            }
        }
        let status_cache = self.status_cache.at(&request.base_url.root);
        self.answered(&request.context, || {
            let page_request = page_request(&request.query, |name, id| self.place(name, id))?;
            let mut ids: Vec<PostId> = snapshots
                .iter()
                .flat_map(|snapshot| snapshot.ids())
                .copied()
                .collect();
            if 1 < snapshots.len() {
                ids.sort_unstable();
                ids.dedup();
            }
            let admits = |post: &Post, original: Option<&Post>| {
                snapshots
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
            Ok(response(page, request))
        })
        .await
    }

    /// The place of the status with an id. The id need not exist.
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
        // The ids of a backend that is Mastodon begin with the time, as places do.
        number(name, id)
    }
}

/// The error of a feed that is not here or not yet, where the backend shows statuses: 503, so that a proxy can go to the backend, which
/// knows the account by its token, and maybe the list, some moments before its relations come here.
async fn lacking(
    feed_ref: &FeedRef,
    problem: Problem,
    (upstream, reader): (&Upstream, &Reader),
) -> MastodonError {
    if problem.status != StatusCode::NOT_FOUND.as_u16() {
        return problem.into();
    }
    if let FeedRef::List { list, .. } = feed_ref
        && let Err(error) = upstream.list(reader, list).await
    {
        return error.into();
    }
    Problem::unavailable("this feed is not known here yet", 1).into()
}

/// The response of a feed that cannot be shown: Mastodon has one of its own while a feed is being rebuilt.
fn while_rebuilt(problem: Problem) -> Result<Response, MastodonError> {
    match problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16() {
        true => Ok((StatusCode::PARTIAL_CONTENT, Json(json!([]))).into_response()),
        false => Err(problem.into()),
    }
}

/// A page, with `Link`.
fn response(page: Timeline, request: &TimelineRequest) -> Response {
    let link = link(&request.url, &request.query.kept(), &page);
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

/// `Link`: the page below, unless nothing is there, and the page just above.
fn link(url: &str, kept: &str, page: &Timeline) -> Option<String> {
    let (newest, oldest) = page.ends.as_ref()?;
    let and = if kept.is_empty() { "" } else { "&" };
    let prev = format!("<{url}?{kept}{and}min_id={newest}>; rel=\"prev\"");
    Some(match page.is_last {
        true => prev,
        false => format!("<{url}?{kept}{and}max_id={oldest}>; rel=\"next\", {prev}"),
    })
}
