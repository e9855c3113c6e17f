//! Feeds: pages, and what changed since a cursor.

use super::App;
use crate::clock;
use crate::feed::kept::Post;
use crate::feed::named::Part;
use crate::order::place::PostId;
use crate::post::object::hashtag_of;
use crate::reader::asked::Asked;
use crate::reader::cursor::{Cursor, CursorError};
use crate::reader::filling::{FilledPage, Filling};
use crate::reader::look::{Look, TellError};
use crate::reader::page::{LIMIT_DEFAULT, LIMIT_MAX, Span};
use crate::reader::problem::Problem;
use crate::time::Time;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;

/// How long the end of the log may take to be heard of, when a cursor has seen more than this node knows of.
const ENDS_WAIT: Duration = Duration::from_secs(5);
/// How long a feed that was given up may take to be rebuilt, before its reader is told to come back.
const AWAKE_WAIT: Duration = Duration::from_secs(5);

/// What every feed is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    limit: Option<usize>,
    before: Option<String>,
    after: Option<String>,
    cursor: Option<String>,
    /// For shared feeds: for which account.
    account: Option<String>,
    /// For the public feed: which part.
    origin: Option<String>,
}

pub(super) async fn page(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = page_query(query)?;
    app.page(&accounts_own(path, &query)?, query).await
}

pub(super) async fn changes(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = changes_query(query)?;
    app.changes(&accounts_own(path, &query)?, query).await
}

pub(super) async fn public_page(
    State(app): State<App>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = page_query(query)?;
    app.page(&public(&query)?, query).await
}

pub(super) async fn public_changes(
    State(app): State<App>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = changes_query(query)?;
    app.changes(&public(&query)?, query).await
}

pub(super) async fn tag_page(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = page_query(query)?;
    app.page(&tag(path, &query)?, query).await
}

pub(super) async fn tag_changes(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = changes_query(query)?;
    app.changes(&tag(path, &query)?, query).await
}

type Queried = Result<Query<PageQuery>, QueryRejection>;

fn page_query(query: Queried) -> Result<PageQuery, Problem> {
    const SEND: &str = "send limit, before, after";
    let Query(query) =
        query.map_err(|e| Problem::bad_request(format!("{}: {SEND}", e.body_text())))?;
    match &query.cursor {
        None => Ok(query),
        Some(_) => Err(Problem::bad_request(format!(
            "a page takes no cursor: {SEND}, or ask for changes"
        ))),
    }
}

fn changes_query(query: Queried) -> Result<PageQuery, Problem> {
    const SEND: &str = "send cursor, limit";
    let Query(query) =
        query.map_err(|e| Problem::bad_request(format!("{}: {SEND}", e.body_text())))?;
    match (&query.cursor, &query.before, &query.after) {
        (Some(_), None, None) => Ok(query),
        (None, ..) => Err(Problem::bad_request(format!(
            "changes are told since a cursor: {SEND}"
        ))),
        _ => Err(Problem::bad_request(format!(
            "changes come in place order, lowest first: {SEND}"
        ))),
    }
}

fn accounts_own(
    path: Result<Path<(String, String)>, PathRejection>,
    query: &PageQuery,
) -> Result<Asked, Problem> {
    let Path((account, feed)) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    if query.account.is_some() || query.origin.is_some() {
        return Err(Problem::bad_request(
            "account and origin are for /v1/feeds: the path says whose feed this is",
        ));
    }
    Asked::of_account(&account, &feed).ok_or_else(|| {
        Problem::not_found(format!(
            "there is no feed {feed:?}: ask for home, or list:<id>"
        ))
    })
}

fn public(query: &PageQuery) -> Result<Asked, Problem> {
    let part = match query.origin.as_deref() {
        None => Part::All,
        Some("local") => Part::Local,
        Some("remote") => Part::Remote,
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "origin is {other:?}: send local or remote, or leave it out for both"
            )));
        }
    };
    Ok(Asked::Public {
        part,
        reader: query.account.clone(),
    })
}

fn tag(path: Result<Path<String>, PathRejection>, query: &PageQuery) -> Result<Asked, Problem> {
    let Path(tag) = path.map_err(|e| Problem::bad_request(e.body_text()))?;
    if query.origin.is_some() {
        return Err(Problem::bad_request("origin is for /v1/feeds/public"));
    }
    let tag = hashtag_of(&tag).ok_or_else(|| {
        Problem::bad_request("this is no hashtag: send one without #, and without spaces")
    })?;
    Ok(Asked::Tag {
        tag,
        reader: query.account.clone(),
    })
}

impl App {
    async fn page(&self, asked: &Asked, query: PageQuery) -> Result<Response, Problem> {
        let limit = limit(query.limit)?;
        let place = |name: &str, text: &Option<String>| -> Result<Option<PostId>, Problem> {
            let text = text.as_deref().map(str::parse).transpose();
            text.map_err(|e| Problem::bad_request(format!("{name}: {e}")))
        };
        let span = Span {
            before: place("before", &query.before)?,
            after: place("after", &query.after)?,
            limit,
        };
        self.is_open()?;
        let look = self.look(asked, None).await?;
        tokio::task::block_in_place(|| self.fill(asked, span, &query, &look))
    }

    async fn changes(&self, asked: &Asked, query: PageQuery) -> Result<Response, Problem> {
        let limit = limit(query.limit)?;
        self.is_open()?;
        let cursor = Cursor::parse(query.cursor.as_deref().unwrap_or_default());
        let cursor = cursor.map_err(|e| match e {
            CursorError::Damaged => Problem::bad_request(e.to_string()),
            CursorError::OtherVersion => gone(&e),
        })?;
        if cursor.feed != Cursor::feed_of(&asked.text()) {
            return Err(Problem::bad_request(
                "the cursor is of another feed: send one that this feed gave",
            ));
        }
        if cursor.log != self.view.log {
            return Err(gone(&"the cursor is of another log"));
        }
        self.reaches(&cursor).await?;
        let upto = cursor.batch.as_ref().map(|batch| &batch.upto);
        let horizon = upto.unwrap_or(&cursor.from).horizon;
        let look = self.look(asked, Some(horizon)).await?;
        tokio::task::block_in_place(|| self.tell(&look, &cursor, limit))
    }

    /// Whether all relations known at the start are in force.
    pub(super) fn is_open(&self) -> Result<(), Problem> {
        if self.view.built.borrow().relations_in_force {
            Ok(())
        } else {
            Err(Problem::unavailable(
                "relations are still being read: feeds are shown when all are in force",
                1,
            ))
        }
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

    /// Looks at a feed; waits until there is one, if its account sleeps.
    async fn look(&self, asked: &Asked, least: Option<Time>) -> Result<Look, Problem> {
        loop {
            let look = tokio::task::block_in_place(|| self.look_now(asked, least))?;
            let Some(account) = look.found.account.filter(|_| look.is_asleep) else {
                return Ok(look);
            };
            let awake = self.view.attendance.awake(account);
            match tokio::time::timeout(AWAKE_WAIT, awake).await {
                Ok(Ok(())) => {}
                Ok(Err(too_many)) => return Err(Problem::unavailable(too_many.to_string(), 1)),
                Err(_) => {
                    return Err(Problem::unavailable(
                        "the feed is being rebuilt: come back in a moment",
                        1,
                    ));
                }
            }
        }
    }

    fn look_now(&self, asked: &Asked, least: Option<Time>) -> Result<Look, Problem> {
        let look = self.view.look_at(asked, least, clock::now());
        look.map_err(|e| Problem::internal(&e))?
            .ok_or_else(|| match asked {
                Asked::List { account, list }
                    if self.view.graph.read().account(account).is_some() =>
                {
                    Problem::not_found(format!("account {account:?} has no list {list:?}"))
                }
                _ => no_account(asked.owner().unwrap_or_default()),
            })
    }

    fn fill(
        &self,
        asked: &Asked,
        span: Span,
        query: &PageQuery,
        look: &Look,
    ) -> Result<Response, Problem> {
        let lets_in =
            |post: &Post, original: Option<&Post>| look.found.lets_in(&self.view, post, original);
        let body = Filling::fill(&self.view.store, span, look.ids(), &lets_in)
            .map_err(|e| Problem::internal(&e))?;
        let cursor = Cursor {
            feed: Cursor::feed_of(&asked.text()),
            log: self.view.log,
            from: look.moment(),
            batch: None,
        };
        let bytes = body.finish(look.shown.horizon, &cursor.to_text());
        let link = link(&path(asked, query), span.limit, &bytes, look.ids());
        let mut response = json(bytes.json);
        if let Some(link) = link
            && let Ok(link) = HeaderValue::from_str(&link)
        {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }

    fn tell(&self, look: &Look, cursor: &Cursor, limit: usize) -> Result<Response, Problem> {
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

/// The path of a feed, with what else was asked, up to where paging begins.
fn path(asked: &Asked, query: &PageQuery) -> String {
    let mut path = match asked {
        Asked::Home { account } => format!("/v1/accounts/{account}/feeds/home?"),
        Asked::List { account, list } => format!("/v1/accounts/{account}/feeds/list:{list}?"),
        Asked::Public { .. } => "/v1/feeds/public?".to_owned(),
        Asked::Tag { tag, .. } => {
            let tag: String = url::form_urlencoded::byte_serialize(tag.as_bytes()).collect();
            format!("/v1/feeds/tag/{tag}?")
        }
    };
    let further = [("origin", &query.origin), ("account", &query.account)];
    for (name, value) in further {
        if let Some(value) = value {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            path.push_str(&format!("{name}={value}&"));
        }
    }
    path
}

/// `Link`: the page below, if there is anything below, and the page above.
fn link(path: &str, limit: usize, page: &FilledPage, feed: &[u64]) -> Option<String> {
    let (newest, oldest) = (page.ids.first()?, page.ids.last()?);
    let prev = format!("<{path}limit={limit}&after={newest}>; rel=\"prev\"");
    let is_last = feed.first().is_none_or(|lowest| oldest.number() <= *lowest);
    if is_last || page.is_last {
        Some(prev)
    } else {
        Some(format!(
            "<{path}limit={limit}&before={oldest}>; rel=\"next\", {prev}"
        ))
    }
}
