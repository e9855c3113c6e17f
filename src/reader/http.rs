//! The routes. What is asked for is checked here; what is shown is decided in the pure files beside.

use super::answer::{Accepted, Origin, Origins, Readiness};
use super::auth::Auth;
use super::cursor::Cursor;
use super::door::{self, BODY_BYTES_MAX, Beside, Sorted};
use super::entry::Entry;
use super::page::{Candidates, LIMIT_DEFAULT, LIMIT_MAX, PAGE_BYTES_MAX, Span};
use super::problem::Problem;
use super::view::View;
use crate::clock;
use crate::feed::disk::DiskError;
use crate::feed::fan_out::original_of;
use crate::feed::kept::{Post, State as Left};
use crate::order::place::PostId;
use crate::post::record::NewRecord;
use crate::post::source::{Appender, SourceError};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, MatchedPath, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

/// How long a relation that is durable may take to be in force before its request is answered all the same.
const IN_FORCE_WAIT: Duration = Duration::from_secs(25);

/// What the routes are told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may ask.
    pub auth: Auth,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Requests answered at once; more are told to come back.
    pub requests_max: usize,
}

/// What every route works with.
#[derive(Clone)]
struct App {
    view: View,
    appender: Appender,
    auth: Arc<Auth>,
    requests: Arc<Semaphore>,
    timeout: Duration,
}

/// All routes.
pub fn router(view: View, appender: Appender, options: Options) -> Router {
    let app = App {
        view,
        appender,
        auth: Arc::new(options.auth),
        requests: Arc::new(Semaphore::new(options.requests_max)),
        timeout: options.request_timeout,
    };
    let backend = Router::new()
        .route("/v1/activities", post(post_activities))
        .route("/v1/relationships", post(post_relationships))
        .route("/v1/accounts/{account}/feeds/{feed}", get(feed))
        .route("/v1/posts", get(post_by_uri))
        .route("/v1/posts/{id}", get(post_by_id))
        .route("/v1/origins", get(origins))
        .route("/v1/origins/{host}", get(origin))
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(app.clone(), only_backend));
    let open = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/openapi.json", get(openapi));
    backend
        .merge(open)
        .fallback(|| async {
            Problem::not_found("there is nothing here: /openapi.json lists what is")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes another method: /openapi.json says which",
            )
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), bounded))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

async fn only_backend(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.auth.backend(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Counts requests, and bounds how many there are at once and how long each takes.
async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", |path| path.as_str())
        .to_owned();
    let response = match app.requests.try_acquire() {
        Err(_) => Problem::unavailable("too many requests at once: come back in a moment", 1)
            .into_response(),
        Ok(_one) => match tokio::time::timeout(app.timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                Problem::unavailable("this took too long and was given up", 5).into_response()
            }
        },
    };
    app.view.metrics.request(&route, response.status().as_u16());
    response
}

async fn post_activities(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|e| body_problem(&e))?;
    let now = clock::now();
    match form_of(
        &headers,
        &[
            "application/activity+json",
            "application/ld+json",
            "application/json",
        ],
    )? {
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
            let beside = Beside {
                arrived_at: text("arrived-at")?,
                post_ref: text("ref")?,
                author_ref: text("author-ref")?,
                fetched: text("fetched")?,
            };
            let record = door::activity(&body, beside, now).map_err(unprocessable)?;
            app.append(
                Sorted {
                    records: vec![record],
                    rejected: Vec::new(),
                },
                false,
            )
            .await
        }
        Form::Lines => {
            let sorted = tokio::task::block_in_place(|| {
                door::lines(&body, |line| door::activity_line(line, now))
            });
            app.append(sorted, false).await
        }
    }
}

async fn post_relationships(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|e| body_problem(&e))?;
    let now = clock::now();
    match form_of(&headers, &["application/json"])? {
        Form::One => {
            let record = door::relation(&body, now).map_err(unprocessable)?;
            app.append(
                Sorted {
                    records: vec![record],
                    rejected: Vec::new(),
                },
                true,
            )
            .await
        }
        Form::Lines => {
            let sorted = tokio::task::block_in_place(|| {
                door::lines(&body, |line| door::relation(line, now))
            });
            app.append(sorted, true).await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<usize>,
    before: Option<String>,
    after: Option<String>,
}

async fn feed(
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

async fn post_by_id(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let id: PostId = id.parse().map_err(Problem::bad_request)?;
    tokio::task::block_in_place(|| app.show(app.view.store.post(id)))
}

#[derive(Debug, Deserialize)]
struct UriQuery {
    uri: String,
}

async fn post_by_uri(
    State(app): State<App>,
    query: Result<Query<UriQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(UriQuery { uri }) = query
        .map_err(|_| Problem::bad_request("send the post's own id: /v1/posts?uri=https://…"))?;
    tokio::task::block_in_place(|| app.show(app.view.store.post_by_uri(&uri)))
}

async fn origins(State(app): State<App>) -> Response {
    let delays = app.view.delays.read();
    let origins = delays
        .iter()
        .map(|(host, delays)| Origin::new(host, delays, app.view.windows.of(host)))
        .collect();
    Json(Origins { origins }).into_response()
}

async fn origin(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(host) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    let delays = app.view.delays.read();
    let known = delays
        .get(&host)
        .ok_or_else(|| Problem::not_found(format!("nothing was heard from {host:?}")))?;
    Ok(Json(Origin::new(&host, known, app.view.windows.of(&host))).into_response())
}

async fn metrics(State(app): State<App>) -> Response {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], app.view.metrics.text()).into_response()
}

async fn healthz(State(app): State<App>) -> Response {
    let built = app.view.built.borrow().clone();
    let (status, detail) = match &built.failed {
        None => (StatusCode::OK, "alive".to_owned()),
        Some(failed) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("stopping: {failed}"),
        ),
    };
    (
        status,
        Json(Readiness {
            ready: built.is_ready(),
            detail,
            catching_up: built.catching_up,
        }),
    )
        .into_response()
}

async fn readyz(State(app): State<App>) -> Response {
    let built = app.view.built.borrow().clone();
    let detail = match (&built.failed, built.log_reachable, &built.catching_up) {
        (Some(failed), _, _) => format!("stopping: {failed}"),
        (None, false, _) => "the log cannot be reached".to_owned(),
        (None, true, Some(progress)) => match progress.seconds_left {
            Some(seconds) => format!(
                "catching up: {} read, {} to go, about {seconds} s",
                progress.read, progress.left
            ),
            None => format!(
                "catching up: {} read, {} to go",
                progress.read, progress.left
            ),
        },
        (None, true, None) => "ready".to_owned(),
    };
    let status = if built.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready: built.is_ready(),
            detail,
            catching_up: built.catching_up,
        }),
    )
        .into_response()
}

async fn openapi() -> Response {
    Json(super::openapi::document()).into_response()
}

impl App {
    /// Appends what was sorted; for relations, waits until they are in force on this node.
    async fn append(&self, sorted: Sorted, wait: bool) -> Result<Response, Problem> {
        let accepted = sorted.records.len();
        let positions = if accepted == 0 {
            Vec::new()
        } else {
            // On a task of its own: a caller who hangs up does not take back what is half appended.
            let (appender, records): (Appender, Vec<NewRecord>) =
                (self.appender.clone(), sorted.records);
            let appended = tokio::spawn(async move { appender.append(records).await }).await;
            appended
                .map_err(|e| Problem::internal(&e))?
                .map_err(|e| append_problem(&e))?
        };
        if wait {
            let mut built = self.view.built.clone();
            let in_force =
                built.wait_for(|built| positions.iter().all(|position| built.has(*position)));
            match tokio::time::timeout(IN_FORCE_WAIT.min(self.timeout.mul_f32(0.9)), in_force).await
            {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => {
                    return Err(Problem::unavailable(
                        "durable, but this node is stopping",
                        5,
                    ));
                }
                Err(_) => {
                    return Err(Problem::unavailable(
                        "durable, but not yet in force: this node is catching up",
                        5,
                    ));
                }
            }
        }
        let answer = Accepted {
            accepted,
            rejected: sorted.rejected,
        };
        Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
    }

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
            PageBody::fill(&self.view, span, &home.ids).map_err(|e| Problem::internal(&e))?;
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

/// A page being filled, entry by entry, as JSON text.
#[derive(Debug, Default)]
pub struct PageBody {
    entries: Vec<Vec<u8>>,
    ids: Vec<PostId>,
    bytes: usize,
    is_upward: bool,
}

/// A filled page.
#[derive(Debug)]
pub struct FilledPage {
    /// The answer's body.
    pub json: Vec<u8>,
    /// Its entries, newest first.
    pub ids: Vec<PostId>,
}

impl PageBody {
    /// Takes entries for `span` out of the ascending `ids` until the page is full.
    pub fn fill(view: &View, span: Span, ids: &[u64]) -> Result<PageBody, DiskError> {
        let mut page = PageBody::default();
        match span.of(ids) {
            Candidates::Down(part) => page.take(view, part.iter().rev(), span.limit)?,
            Candidates::Up(part) => {
                page.is_upward = true;
                page.take(view, part.iter(), span.limit)?;
            }
        }
        Ok(page)
    }

    fn take<'a>(
        &mut self,
        view: &View,
        ids: impl Iterator<Item = &'a u64>,
        limit: usize,
    ) -> Result<(), DiskError> {
        for id in ids {
            if limit <= self.ids.len() {
                break;
            }
            let Some(id) = PostId::from_number(*id) else {
                continue;
            };
            // What went since the feed was read is passed over, so that a page is empty only at the end.
            let Some(post) = view
                .store
                .post(id)?
                .filter(|post| post.state == Left::Whole)
            else {
                continue;
            };
            let original = original_of(&view.store, &post)?;
            let Ok(json) = serde_json::to_vec(&Entry::new(&post, original.as_deref())) else {
                continue;
            };
            if !self.ids.is_empty() && PAGE_BYTES_MAX < self.bytes + json.len() {
                break;
            }
            self.bytes += json.len() + 1;
            self.entries.push(json);
            self.ids.push(id);
        }
        Ok(())
    }

    /// The whole answer.
    pub fn finish(mut self, cursor: &str) -> FilledPage {
        if self.is_upward {
            self.entries.reverse();
            self.ids.reverse();
        }
        let mut json = Vec::with_capacity(self.bytes + cursor.len() + 64);
        json.extend_from_slice(b"{\"entries\":[");
        for (n, entry) in self.entries.iter().enumerate() {
            if n != 0 {
                json.push(b',');
            }
            json.extend_from_slice(entry);
        }
        json.extend_from_slice(b"],\"horizon\":null,\"cursor\":\"");
        json.extend_from_slice(cursor.as_bytes());
        json.extend_from_slice(b"\"}");
        FilledPage {
            json,
            ids: self.ids,
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
            "Content-Type is {given:?}: send {} for one, or application/x-ndjson for one a line",
            one.join(", ")
        ),
    ))
}

fn unprocessable(reason: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason)
}

fn body_problem(rejection: &BytesRejection) -> Problem {
    let status = rejection.status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            status,
            format!("the body is larger than {BODY_BYTES_MAX} bytes: send it in parts"),
        )
    } else {
        Problem::new(status, rejection.body_text())
    }
}

fn append_problem(error: &SourceError) -> Problem {
    if error.is_full() {
        return Problem::unavailable(
            "the log has more to write than it can take: come back in a moment",
            1,
        );
    }
    tracing::error!(
        error = error as &dyn std::error::Error,
        "appending to the log failed: {error}"
    );
    Problem::unavailable("the log did not take it: nothing was accepted", 5)
}
