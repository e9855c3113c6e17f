//! The part of Mastodon's API that reads feeds. What is asked for is checked here, and answered in Mastodon's words.

use super::app::App;
use super::auth::{Caller, User};
use super::caller::{self, CallerContext};
use super::disk_reads;
use super::large_response::hold;
use super::problem::Problem;
use super::request_headers::is_host;
use super::streaming;
use crate::clock;
use crate::config::Ids;
use crate::feed::kept::{Post, State as Left};
use crate::feed::named::Part;
use crate::feed::rules::{Subject, may_be_seen};
use crate::feed::store::relation_key;
use crate::post::id::post_id;
use crate::post::object::hashtag_of;
use crate::post::relationship::Relation;
use crate::reader::asked::Asked;
use crate::reader::mastodon::about;
use crate::reader::mastodon::account::{NO_AVATAR, NO_HEADER};
use crate::reader::mastodon::channel::Sieve;
use crate::reader::mastodon::late::{LATE_LIST, late_list};
use crate::reader::mastodon::timeline::{Timeline, Wanted};
use crate::reader::page::Span;
use crate::reader::whole::whole;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router, middleware};
use serde_json::{Value, json};
use slackwater_order::place::PostId;
use std::net::IpAddr;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use url::form_urlencoded;

/// Statuses on a page if none are asked for.
const LIMIT_DEFAULT: usize = 20;
/// The most statuses on a page; who asks for more gets so many, as Mastodon does.
const LIMIT_MAX: usize = 40;
/// The most hashtags that a hashtag's timeline may be asked with besides.
const TAGS_MAX: usize = 4;

/// The routes. What Mastodon's documentation says of them is not said again here.
pub(super) fn routes(app: &App) -> Router<App> {
    let asked = Router::new()
        .route("/api/v1/timelines/home", get(home))
        .route("/api/v1/timelines/public", get(public))
        .route("/api/v1/timelines/tag/{tag}", get(hashtag))
        .route("/api/v1/timelines/list/{list}", get(list))
        .route("/api/v1/statuses/{id}", get(status))
        .route("/api/v1/lists", get(lists))
        .route("/api/v1/lists/{list}", get(one_list))
        .route("/api/v1/lists/{list}/accounts", get(list_accounts))
        .route("/api/v1/accounts/verify_credentials", get(credentials))
        .route("/api/v1/preferences", get(preferences))
        .route("/api/v1/instance", get(instance_v1))
        .route("/api/v2/instance", get(instance_v2))
        .route("/.well-known/nodeinfo", get(nodeinfo_links))
        .route("/nodeinfo/2.0", get(nodeinfo))
        .route("/api/v1/filters", get(nothing))
        .route("/api/v2/filters", get(nothing))
        .route("/api/v1/custom_emojis", get(nothing))
        .route("/api/v1/notifications", get(nothing))
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            caller::as_mastodon,
        ));
    let streams = Router::new()
        .route("/api/v1/streaming", get(streaming::any))
        .route("/api/v1/streaming/", get(streaming::any))
        .route("/api/v1/streaming/{*path}", get(streaming::named))
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            caller::as_mastodon_stream,
        ))
        .route("/api/v1/streaming/health", get(streaming::health));
    // These need no token.
    let beside = Router::new()
        .route(NO_AVATAR, get(no_avatar))
        .route(NO_HEADER, get(no_header))
        .route("/api/{*path}", any(nowhere));
    // Clients in browsers come from elsewhere; what they may read, their token says.
    let from_elsewhere = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::LINK, header::RETRY_AFTER]);
    let other_method = || async {
        Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This is for reading: send GET",
        )
    };
    let all = asked
        .merge(streams)
        .merge(beside)
        .method_not_allowed_fallback(other_method);
    all.layer(from_elsewhere)
}

/// An error in Mastodon's words.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: String,
    retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: &str) -> Refusal {
        Refusal {
            status,
            error: error.to_owned(),
            retry_after: None,
        }
    }

    pub(super) fn invalid() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "The access token is invalid")
    }

    fn needs_user() -> Refusal {
        Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This method requires an authenticated user",
        )
    }

    fn outside_scope() -> Refusal {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "This action is outside the authorized scopes",
        )
    }

    fn not_found() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "Record not found")
    }
}

/// How a problem is told so that who asks for this path understands it.
pub(super) fn words_of(path: &str) -> fn(Problem) -> Response {
    match path.starts_with("/api/") {
        true => |problem| Refusal::from(problem).into_response(),
        false => |problem| problem.into_response(),
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = problem.retry_after;
        match status {
            StatusCode::UNAUTHORIZED => Refusal::invalid(),
            StatusCode::NOT_FOUND => Refusal::not_found(),
            StatusCode::TOO_MANY_REQUESTS => Refusal {
                retry_after,
                ..Refusal::new(status, "Too many requests")
            },
            _ => Refusal {
                retry_after,
                ..Refusal::new(status, &problem.detail)
            },
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({"error": self.error}))).into_response();
        if let Some(seconds) = self.retry_after {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// A query as clients write it: names may be repeated, and end with `[]`; what is not known is passed over.
struct Asks(Vec<(String, String)>);

impl Asks {
    fn read(query: Option<&str>) -> Asks {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Asks(pairs.into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(there, _)| there == name);
        pair.map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn is(&self, name: &str) -> bool {
        let is_true = |value: &str| !matches!(value, "0" | "false" | "f" | "off");
        self.get(name).is_some_and(is_true)
    }

    fn tags(&self, name: &str) -> Vec<String> {
        let there = self
            .0
            .iter()
            .filter(|(there, _)| there.trim_end_matches("[]") == name);
        there
            .filter_map(|(_, tag)| hashtag_of(tag))
            .take(TAGS_MAX)
            .collect()
    }

    /// All but where the page begins and ends.
    fn kept(&self) -> String {
        let is_kept = |(name, _): &&(String, String)| {
            !matches!(
                name.as_str(),
                "max_id" | "since_id" | "min_id" | "access_token"
            )
        };
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.0.iter().filter(is_kept) {
            text.append_pair(name, value);
        }
        text.finish()
    }
}

/// Where clients came to: for links.
pub(super) struct Here {
    host: String,
    /// With its scheme.
    pub(super) root: String,
}

impl Here {
    pub(super) fn of(app: &App, context: &CallerContext, headers: &HeaderMap) -> Here {
        let said = |name: &str| headers.get(name)?.to_str().ok();
        let trusts = |peer: IpAddr| {
            app.trusted_proxies
                .iter()
                .any(|network| network.contains(&peer))
        };
        let is_proxied = context.peer.is_some_and(trusts);
        let forwarded = |name: &str| said(name).filter(|_| is_proxied);
        // Of several, what the client said to the first proxy.
        let first = |said: &'_ str| said.split(',').next().map(str::trim).map(str::to_owned);
        let host = forwarded("x-forwarded-host").and_then(first);
        let host = host
            .or_else(|| said("host").map(str::to_owned))
            .filter(|host| is_host(host))
            .unwrap_or_else(|| "localhost".to_owned());
        let scheme = match forwarded("x-forwarded-proto") {
            Some("https") => "https",
            _ => "http",
        };
        Here {
            root: format!("{scheme}://{host}"),
            host,
        }
    }

    /// A path there, as a URL.
    fn path(&self, uri: &Uri) -> String {
        format!("{}{}", self.root, uri.path())
    }
}

fn user<'a>(context: &'a CallerContext, scope: &str) -> Result<&'a User, Refusal> {
    match &context.caller {
        Caller::User(user) if user.scopes.has(scope) => Ok(user),
        Caller::User(_) => Err(Refusal::outside_scope()),
        Caller::Backend => Err(Refusal::needs_user()),
        Caller::Anyone => Err(Refusal::invalid()),
    }
}

pub(super) async fn home(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let account = user(&context, "read:statuses")?.account.clone();
    let asks = Asks::read(query.as_deref());
    let asked = Asked::Home { account };
    let here = Here::of(&app, &context, &headers);
    app.timeline(&[asked], &asks, Sieve::default(), (&context, &here, &uri))
        .await
}

pub(super) async fn list(
    State(app): State<App>,
    Path(list): Path<String>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let account = user(&context, "read:lists")?.account.clone();
    let asks = Asks::read(query.as_deref());
    let here = Here::of(&app, &context, &headers);
    if app.is_late_list(&list) {
        let wanted = wanted(&asks, number)?;
        let shelf = app.shelf.at(&here.root);
        let late = app.late_statuses(&context, &account, &shelf, wanted);
        let (page, room) = late.await?;
        return Ok(hold(room, answer(page, &asks, &here.path(&uri))).await?);
    }
    let asked = Asked::List { account, list };
    app.timeline(&[asked], &asks, Sieve::default(), (&context, &here, &uri))
        .await
}

pub(super) async fn public(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asks = Asks::read(query.as_deref());
    let part = match (asks.is("local"), asks.is("remote")) {
        (true, false) => Part::Local,
        (false, true) => Part::Remote,
        _ => Part::All,
    };
    let asked = Asked::Public {
        part,
        reader: app.reader(&context)?,
    };
    let sieve = Sieve {
        only_media: asks.is("only_media"),
        ..Sieve::default()
    };
    let here = Here::of(&app, &context, &headers);
    app.timeline(&[asked], &asks, sieve, (&context, &here, &uri))
        .await
}

pub(super) async fn hashtag(
    State(app): State<App>,
    Path(tag): Path<String>,
    RawQuery(query): RawQuery,
    Extension(context): Extension<CallerContext>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asks = Asks::read(query.as_deref());
    let reader = app.reader(&context)?;
    let tag = hashtag_of(&tag).ok_or_else(Refusal::not_found)?;
    let any = asks.tags("any").into_iter();
    let asked: Vec<Asked> = std::iter::once(tag)
        .chain(any)
        .map(|tag| Asked::Tag {
            tag,
            reader: reader.clone(),
        })
        .collect();
    let (local, remote) = (asks.is("local"), asks.is("remote"));
    let here = Here::of(&app, &context, &headers);
    let sieve = Sieve {
        only_media: asks.is("only_media"),
        only_local: local && !remote,
        only_remote: remote && !local,
        all: asks.tags("all"),
        none: asks.tags("none"),
    };
    app.timeline(&asked, &asks, sieve, (&context, &here, &uri))
        .await
}

pub(super) async fn status(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let reader = match &context.caller {
        Caller::User(user) if user.scopes.has("read:statuses") => Some(user.account.as_str()),
        Caller::User(_) => return Err(Refusal::outside_scope()),
        Caller::Backend | Caller::Anyone => None,
    };
    app.state.is_open()?;
    let here = Here::of(&app, &context, &headers);
    app.answered(&context, || app.seen(&id, reader, &here).map(json))
        .await
}

pub(super) async fn lists(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Refusal> {
    let account = &user(&context, "read:lists")?.account;
    let mut lists = disk_reads::read(|| app.lists(account, None)).await?;
    if app.late_list {
        lists.push(late_list());
    }
    Ok(Json(lists).into_response())
}

pub(super) async fn one_list(
    State(app): State<App>,
    Path(list): Path<String>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Refusal> {
    let account = &user(&context, "read:lists")?.account;
    if app.is_late_list(&list) {
        return Ok(Json(late_list()).into_response());
    }
    let found = disk_reads::read(|| app.lists(account, Some(&list))).await?;
    let found = found.into_iter().next();
    Ok(Json(found.ok_or_else(Refusal::not_found)?).into_response())
}

/// The members of the list of late arrivals, of which it has none; those of others are the backend's.
pub(super) async fn list_accounts(
    State(app): State<App>,
    Path(list): Path<String>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Refusal> {
    user(&context, "read:lists")?;
    match app.is_late_list(&list) {
        true => Ok(Json(json!([])).into_response()),
        false => Err(Refusal::not_found()),
    }
}

pub(super) async fn credentials(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let user = user(&context, "read:accounts")?;
    let actor = {
        let graph = app.state.view.graph.read();
        let account = graph
            .account(&user.account)
            .and_then(|account| graph.get(account));
        let actor = account.and_then(|account| account.actor());
        actor.map(|actor| graph.name(actor).to_owned())
    };
    let Some(actor) = actor else {
        return Err(Refusal::not_found());
    };
    let given = (app.shelf.ids == Ids::Ref).then_some(user.account.as_str());
    let shelf = app.shelf.at(&Here::of(&app, &context, &headers).root);
    let account = disk_reads::read(|| shelf.account(&app.state, &actor, given)).await;
    let account = account.map_err(|e| Problem::internal(&e))?;
    let account = account.ok_or_else(Refusal::not_found)?;
    Ok(Json(about::credentials(&account)).into_response())
}

pub(super) async fn instance_v1(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let here = Here::of(&app, &context, &headers);
    Json(about::instance_v1(&here.host, &here.root)).into_response()
}

pub(super) async fn instance_v2(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let here = Here::of(&app, &context, &headers);
    Json(about::instance_v2(&here.host, &here.root)).into_response()
}

pub(super) async fn nodeinfo_links(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let here = Here::of(&app, &context, &headers);
    Json(about::nodeinfo_links(&here.root)).into_response()
}

pub(super) async fn nodeinfo(State(app): State<App>) -> Response {
    let users = app.state.view.graph.read().accounts();
    Json(about::nodeinfo(users)).into_response()
}

pub(super) async fn preferences(
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Refusal> {
    user(&context, "read:accounts")?;
    Ok(Json(about::preferences()).into_response())
}

/// Of what stays with the backend, as if there were none.
pub(super) async fn nothing() -> Response {
    Json(json!([])).into_response()
}

pub(super) async fn no_avatar() -> Response {
    image(include_bytes!("missing_avatar.png"))
}

pub(super) async fn no_header() -> Response {
    image(include_bytes!("missing_header.png"))
}

/// An image that stays as it is.
fn image(png: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "public, max-age=604800"),
    ];
    (headers, png).into_response()
}

/// Of what Mastodon's API has and this service has not.
pub(super) async fn nowhere() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "Not Found")
}

impl App {
    /// For whom a shared feed is shown: a user sees less of it.
    pub(super) fn reader(&self, context: &CallerContext) -> Result<Option<String>, Refusal> {
        match &context.caller {
            Caller::User(user) if user.scopes.has("read:statuses") => {
                Ok(Some(user.account.clone()))
            }
            Caller::User(_) => Err(Refusal::outside_scope()),
            Caller::Backend => Ok(None),
            Caller::Anyone if self.auth.public_feeds_open => Ok(None),
            Caller::Anyone => Err(Refusal::invalid()),
        }
    }

    async fn timeline(
        &self,
        asked: &[Asked],
        asks: &Asks,
        sieve: Sieve,
        (context, here, uri): (&CallerContext, &Here, &Uri),
    ) -> Result<Response, Refusal> {
        self.state.is_open()?;
        let mut looks = Vec::with_capacity(asked.len());
        for asked in asked {
            match self.state.look_awake(asked, None).await {
                Ok(look) => looks.push(look),
                // As Mastodon says that a feed is being made anew.
                Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16() => {
                    return Ok((StatusCode::PARTIAL_CONTENT, Json(json!([]))).into_response());
                }
                Err(problem) => return Err(problem.into()),
            }
        }
        let shelf = self.shelf.at(&here.root);
        self.answered(context, || {
            let wanted = wanted(asks, |name, id| self.place(name, id))?;
            let mut ids: Vec<u64> = looks.iter().flat_map(|look| look.ids()).copied().collect();
            if 1 < looks.len() {
                ids.sort_unstable();
                ids.dedup();
            }
            let lets_in = |post: &Post, original: Option<&Post>| {
                looks
                    .iter()
                    .any(|look| look.found.lets_in(&self.state.view, post, original))
            };
            let page = Timeline::fill(
                &self.state,
                &shelf,
                wanted,
                &ids,
                &sieve,
                &lets_in,
                clock::now(),
            );
            let page = page.map_err(|e| Problem::internal(&e))?;
            Ok(answer(page, asks, &here.path(uri)))
        })
        .await
    }

    /// The place that an id of a status stands for. Ids need not exist.
    fn place(&self, name: &str, id: &str) -> Result<PostId, Refusal> {
        if self.shelf.ids == Ids::Ref {
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

    fn is_late_list(&self, list: &str) -> bool {
        self.late_list && list == LATE_LIST
    }

    /// A status by its id, if this reader may see it.
    fn seen(&self, id: &str, reader: Option<&str>, here: &Here) -> Result<String, Refusal> {
        let found = match self.shelf.ids {
            Ids::Ref => self.state.view.store.post_by_ref(id),
            Ids::Place => match post_id(id) {
                Ok(id) => self.state.view.store.post(id),
                Err(_) => Ok(None),
            },
        };
        let failed = |e| Refusal::from(Problem::internal(&e));
        let found = found
            .map_err(failed)?
            .filter(|post| post.state == Left::Whole);
        let found = found.ok_or_else(Refusal::not_found)?;
        let whole = whole(&self.state.view.store, found.id).map_err(failed)?;
        let (post, original) = whole.ok_or_else(Refusal::not_found)?;
        let may = {
            let graph = self.state.view.graph.read();
            let subject = Subject::new(&post, original.as_deref(), &graph);
            let reader = reader.and_then(|reader| graph.get(graph.account(reader)?));
            may_be_seen(&subject, reader)
        };
        if !may {
            return Err(Refusal::not_found());
        }
        let shelf = self.shelf.at(&here.root);
        let status = shelf.status(&self.state, post, original, clock::now());
        let status = status.map_err(failed)?.ok_or_else(Refusal::not_found)?;
        Ok(status.json.as_str().to_owned())
    }

    /// An account's lists, or one of them.
    fn lists(&self, account: &str, only: Option<&str>) -> Result<Vec<Value>, Refusal> {
        let ids: Vec<String> = {
            let graph = self.state.view.graph.read();
            let of = graph
                .account(account)
                .and_then(|account| graph.get(account));
            let of = of.ok_or_else(Refusal::not_found)?;
            // A backend that uses the id all the same has a list less here, rather than two of one id.
            let is_meant =
                |id: &&str| only.is_none_or(|only| only == *id) && !self.is_late_list(id);
            of.lists()
                .map(|(id, _)| id)
                .filter(is_meant)
                .map(str::to_owned)
                .collect()
        };
        let mut lists = Vec::with_capacity(ids.len());
        for id in ids {
            let key = relation_key(account, format!("{account}/list/{id}").as_bytes());
            let kept = self
                .state
                .view
                .store
                .relation(&key)
                .map_err(|e| Problem::internal(&e))?;
            let relation = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
            if let Some(Relation::List {
                title,
                replies,
                exclusive,
                ..
            }) = relation
            {
                lists.push(json!({"id": id, "title": title, "replies_policy": replies, "exclusive": exclusive}));
            }
        }
        Ok(lists)
    }
}

/// Which part of a feed. `since_id` asks for the newest above it, `min_id` for those just above it; `place` says what an id stands
/// for.
fn wanted(
    asks: &Asks,
    place: impl Fn(&str, &str) -> Result<PostId, Refusal>,
) -> Result<Wanted, Refusal> {
    let limit = asks.get("limit").map(str::parse::<usize>).transpose();
    let limit = limit.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "limit is no number"))?;
    let place = |name: &str| asks.get(name).map(|id| place(name, id)).transpose();
    let (max, since, min) = (place("max_id")?, place("since_id")?, place("min_id")?);
    let span = Span {
        before: max,
        after: min.or(since),
        limit: limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX),
    };
    let is_upward = min.is_some();
    Ok(Wanted { span, is_upward })
}

/// An id that is a number.
fn number(name: &str, id: &str) -> Result<PostId, Refusal> {
    let is_number = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        let error = format!("{name} is no id");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, &error));
    }
    let number = id.parse::<u64>().unwrap_or(u64::MAX);
    Ok(PostId::from_number(number.min(PostId::MAX.number())).unwrap_or(PostId::MAX))
}

/// A page, with `Link`.
fn answer(page: Timeline, asks: &Asks, path: &str) -> Response {
    let link = link(path, &asks.kept(), &page);
    let mut response = json(page.json);
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

pub(super) fn json(body: String) -> Response {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_asks_for_mastodons_api_is_answered_in_its_words() {
        for (path, kind, field) in [
            ("/api/v1/timelines/home", "application/json", "error"),
            ("/v1/origins", "application/problem+json", "detail"),
        ] {
            let answer = words_of(path)(Problem::unavailable("busy", 5));
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()[header::RETRY_AFTER], "5");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            let body = axum::body::to_bytes(answer.into_body(), 1 << 10).await;
            let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
            assert_eq!(body[field], "busy", "{path}");
        }
    }
}
