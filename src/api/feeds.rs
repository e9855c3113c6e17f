//! The routes of feeds: pages, and changes since a cursor.

use super::app::App;
use super::caller::CallerContext;
use super::change_json;
use super::late::LATE;
use super::page_body::{Fields, FilledPage, PageBody};
use super::page_query::{PageQuery, json, limit};
use super::problem::Problem;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use slackwater_engine::activity::object::hashtag_of;
use slackwater_engine::feed::feed_id::PublicPart;
use slackwater_engine::feed::post::Post;
use slackwater_engine::id::quoted;
use slackwater_engine::view::change_batch::BatchLimit;
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::page::Span;
use slackwater_engine::view::snapshot::Snapshot;
use slackwater_order::place::PostId;

pub(super) async fn page(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    PageParameters(query): PageParameters,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    if let Ok(Path((account, feed))) = &path
        && feed == LATE
    {
        query.is_of_an_account()?;
        return app.late(&context, account, &query).await;
    }
    app.page(&context, &accounts_own(path, &query)?, query)
        .await
}

pub(super) async fn changes(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    ChangesParameters(query): ChangesParameters,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    app.changes(&context, &accounts_own(path, &query)?, query)
        .await
}

pub(super) async fn public_page(
    State(app): State<App>,
    PageParameters(query): PageParameters,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    app.page(&context, &public(&query)?, query).await
}

pub(super) async fn public_changes(
    State(app): State<App>,
    ChangesParameters(query): ChangesParameters,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    app.changes(&context, &public(&query)?, query).await
}

pub(super) async fn tag_page(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    PageParameters(query): PageParameters,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    app.page(&context, &tag(path, &query)?, query).await
}

pub(super) async fn tag_changes(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    ChangesParameters(query): ChangesParameters,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    app.changes(&context, &tag(path, &query)?, query).await
}

/// The query of a page: `limit`, `before`, `after` or the refs in their place, `fields`, and what chooses the feed.
pub(super) struct PageParameters(PageQuery);

impl<S: Send + Sync> FromRequestParts<S> for PageParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<PageParameters, Problem> {
        const SEND: &str = "send limit, before or before_ref, after or after_ref, fields";
        let query = query_of(parts, SEND)?;
        match &query.cursor {
            None => Ok(PageParameters(query)),
            Some(_) => Err(Problem::bad_request(format!(
                "a page takes no cursor: {SEND}, or ask for changes"
            ))),
        }
    }
}

/// The query of changes: `cursor`, `limit`, and what chooses the feed.
pub(super) struct ChangesParameters(PageQuery);

impl<S: Send + Sync> FromRequestParts<S> for ChangesParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<ChangesParameters, Problem> {
        const SEND: &str = "send cursor, limit";
        let query = query_of(parts, SEND)?;
        match (&query.cursor, query.is_of_a_page()) {
            (Some(_), false) => Ok(ChangesParameters(query)),
            (None, _) => Err(Problem::bad_request(format!(
                "changes are told since a cursor: {SEND}"
            ))),
            (Some(_), true) => Err(Problem::bad_request(format!(
                "changes come in place order, lowest first, with all fields: {SEND}"
            ))),
        }
    }
}

/// The query of a request; an error ends with the parameters to `send`.
fn query_of(parts: &Parts, send: &str) -> Result<PageQuery, Problem> {
    let query = Query::<PageQuery>::try_from_uri(&parts.uri);
    let Query(query) =
        query.map_err(|e| Problem::bad_request(format!("{}: {send}", e.body_text())))?;
    Ok(query)
}

pub(super) fn accounts_own(
    path: Result<Path<(String, String)>, PathRejection>,
    query: &PageQuery,
) -> Result<FeedRef, Problem> {
    let Path((account, feed)) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    query.is_of_an_account()?;
    if feed == LATE {
        return Err(Problem::not_found(
            "the feed of late arrivals has pages only: ask for /v1/accounts/{account}/feeds/late",
        ));
    }
    FeedRef::of_account(&account, &feed).ok_or_else(|| {
        Problem::not_found(format!(
            "there is no feed {feed:?}: ask for home, late, or list:<id>"
        ))
    })
}

pub(super) fn public(query: &PageQuery) -> Result<FeedRef, Problem> {
    let part = match query.origin.as_deref() {
        None => PublicPart::All,
        Some("local") => PublicPart::Local,
        Some("remote") => PublicPart::Remote,
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "origin is {other:?}: send local or remote, or leave it out for both"
            )));
        }
    };
    Ok(FeedRef::Public {
        part,
        reader: query.account.clone(),
    })
}

pub(super) fn tag(
    path: Result<Path<String>, PathRejection>,
    query: &PageQuery,
) -> Result<FeedRef, Problem> {
    let Path(tag) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    if query.origin.is_some() {
        return Err(Problem::bad_request("origin is for /v1/feeds/public"));
    }
    let tag = hashtag_of(&tag).ok_or_else(|| {
        Problem::bad_request("this is no hashtag: send one without #, and without spaces")
    })?;
    Ok(FeedRef::Tag {
        tag,
        reader: query.account.clone(),
    })
}

impl App {
    async fn page(
        &self,
        context: &CallerContext,
        feed_ref: &FeedRef,
        query: PageQuery,
    ) -> Result<Response, Problem> {
        self.auth.may_read(&context.caller, feed_ref)?;
        let (bounds, fields) = (query.bounds()?, query.fields()?);
        self.state.is_open()?;
        let snapshot = match query.seen.as_deref() {
            None => self.state.snapshot_when_active(feed_ref, None).await?,
            Some(seen) => self.state.snapshot_not_before(feed_ref, seen).await?,
        };
        self.answered(context, || {
            let span = bounds.span(|reference| self.place_of_ref(reference))?;
            self.fill(feed_ref, span, fields, &query, &snapshot)
        })
        .await
    }

    async fn changes(
        &self,
        context: &CallerContext,
        feed_ref: &FeedRef,
        query: PageQuery,
    ) -> Result<Response, Problem> {
        self.auth.may_read(&context.caller, feed_ref)?;
        let limit = limit(query.limit)?;
        self.state.is_open()?;
        let cursor = query.cursor.as_deref().unwrap_or_default();
        let cursor = self.state.cursor(feed_ref, cursor)?;
        self.state.reaches(&cursor).await?;
        let snapshot = self
            .state
            .snapshot_when_active(feed_ref, Some(cursor.horizon()))
            .await?;
        self.answered(context, || self.changes_body(&snapshot, &cursor, limit))
            .await
    }

    /// The place of the post that has this ref, kept or deleted.
    fn place_of_ref(&self, reference: &str) -> Result<PostId, Problem> {
        let found = self.state.view.store.post_by_ref(reference);
        let found = found.map_err(|e| Problem::internal(&e))?;
        found.map(|post| post.id).ok_or_else(|| {
            Problem::not_found(format!(
                "no post with the ref {} is kept: send the id of an entry as before or after, which need not exist",
                quoted(reference)
            ))
        })
    }

    fn fill(
        &self,
        feed_ref: &FeedRef,
        span: Span,
        fields: Fields,
        query: &PageQuery,
        snapshot: &Snapshot,
    ) -> Result<Response, Problem> {
        let admits = |post: &Post, original: Option<&Post>| {
            snapshot.resolved.admits(&self.state.view, post, original)
        };
        let body = PageBody::fill(
            &self.state.view.store,
            span,
            fields,
            snapshot.ids(),
            &admits,
        )
        .map_err(|e| Problem::internal(&e))?;
        let cursor = Cursor {
            feed: Cursor::feed_of(&feed_ref.text()),
            log: self.state.view.log.clone(),
            from: snapshot.read_point(),
            batch: None,
        };
        let cursor = cursor.to_text();
        let bytes = body.finish(snapshot.visible.horizon, &cursor);
        let mut path = path(feed_ref, query);
        if self.state.placement.is_some() {
            // The next page may be another node's, which has read less.
            path.push_str(&format!("seen={cursor}&"));
        }
        let link = link(&path, span.limit, &bytes, snapshot.ids());
        let mut response = json(bytes.json);
        if let Some(link) = link
            && let Ok(link) = HeaderValue::from_str(&link)
        {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }

    fn changes_body(
        &self,
        snapshot: &Snapshot,
        cursor: &Cursor,
        limit: usize,
    ) -> Result<Response, Problem> {
        let (state, limit) = (&self.state, BatchLimit::of(limit));
        let delivery = snapshot.changes_since(&state.view, cursor, limit, &*state.entry_cache);
        let delivery = delivery.map_err(|error| state.changes_problem(error))?;
        let body = change_json::body(&delivery.batch, delivery.floor, &delivery.cursor.to_text());
        Ok(json(body.into_bytes()))
    }
}

/// The path of a feed, with the parameters that choose it, up to where paging begins.
fn path(feed_ref: &FeedRef, query: &PageQuery) -> String {
    let mut path = match feed_ref {
        FeedRef::Home { account } => format!("/v1/accounts/{account}/feeds/home?"),
        FeedRef::List { account, list } => format!("/v1/accounts/{account}/feeds/list:{list}?"),
        FeedRef::Public { .. } => "/v1/feeds/public?".to_owned(),
        FeedRef::Tag { tag, .. } => {
            let tag: String = url::form_urlencoded::byte_serialize(tag.as_bytes()).collect();
            format!("/v1/feeds/tag/{tag}?")
        }
    };
    let further = [
        ("origin", &query.origin),
        ("account", &query.account),
        ("fields", &query.fields),
    ];
    for (name, value) in further {
        if let Some(value) = value {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            path.push_str(&format!("{name}={value}&"));
        }
    }
    path
}

/// `Link`: the page below, if there is anything below, and the page above.
fn link(path: &str, limit: usize, page: &FilledPage, feed: &[PostId]) -> Option<String> {
    let (newest, oldest) = (page.ids.first()?, page.ids.last()?);
    let prev = format!("<{path}limit={limit}&after={newest}>; rel=\"prev\"");
    let is_last = feed.first().is_none_or(|lowest| oldest <= lowest);
    if is_last || page.is_last {
        Some(prev)
    } else {
        Some(format!(
            "<{path}limit={limit}&before={oldest}>; rel=\"next\", {prev}"
        ))
    }
}
