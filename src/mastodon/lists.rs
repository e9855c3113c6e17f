//! The routes of lists, and the list of late arrivals among them.

use super::app::MastodonApp;
use super::caller::user;
use super::error::MastodonError;
use super::hydrated::of_late_list;
use super::ids::{Ids, id_of};
use super::late::{LATE_LIST, is_shown, late_list, late_timeline};
use super::status_cache::StatusCache;
use super::timeline::{PageRequest, Timeline};
use super::timelines::json_text;
use super::upstream::{Reader, Upstream, UpstreamError};
use crate::api::caller::CallerContext;
use crate::api::disk_reads;
use crate::api::problem::Problem;
use crate::api::response_memory::Room;
use crate::clock;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use slackwater_engine::feed::store::relation_key;
use slackwater_engine::relationship::Relation;
use slackwater_engine::view::late::page_of;

pub(super) async fn lists(
    State(app): State<MastodonApp>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, MastodonError> {
    let account = &user(&context, "read:lists")?.account;
    if let Some((upstream, reader)) = app.upstream_for(&context) {
        match upstream.lists(&reader).await {
            Err(UpstreamError::Away) if upstream.plain_when_away => {}
            lists => return Ok(json_text(app.with_late_list(&lists?))),
        }
    }
    let mut lists = disk_reads::read(|| app.lists(account, None)).await?;
    if app.late_list {
        lists.push(late_list());
    }
    Ok(Json(lists).into_response())
}

pub(super) async fn one_list(
    State(app): State<MastodonApp>,
    Path(list): Path<String>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, MastodonError> {
    let account = &user(&context, "read:lists")?.account;
    if app.is_late_list(&list) {
        return Ok(Json(late_list()).into_response());
    }
    if let Some((upstream, reader)) = app.upstream_for(&context) {
        match upstream.list(&reader, &list).await {
            Err(UpstreamError::Away) if upstream.plain_when_away => {}
            list => return Ok(json_text(list?)),
        }
    }
    let found = disk_reads::read(|| app.lists(account, Some(&list))).await?;
    let found = found.into_iter().next();
    Ok(Json(found.ok_or_else(MastodonError::not_found)?).into_response())
}

/// The members of the list of late arrivals, of which it has none; those of others are the backend's.
pub(super) async fn list_accounts(
    State(app): State<MastodonApp>,
    Path(list): Path<String>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, MastodonError> {
    user(&context, "read:lists")?;
    match app.is_late_list(&list) {
        true => Ok(Json(json!([])).into_response()),
        false => Err(MastodonError::not_found()),
    }
}

impl MastodonApp {
    /// Whether this is the list of late arrivals, and there is one.
    pub(super) fn is_late_list(&self, list: &str) -> bool {
        self.late_list && list == LATE_LIST
    }

    /// A page of the list of late arrivals as statuses, and room for it.
    pub(super) async fn late_statuses(
        &self,
        context: &CallerContext,
        account: &str,
        status_cache: &StatusCache,
        page_request: PageRequest,
    ) -> Result<(Timeline, Room), MastodonError> {
        self.state.is_open()?;
        let (_, mut late) = self.late_of(account).await?;
        late.retain(|entry| is_shown(status_cache, entry));
        let part = page_of(&late, page_request.span, page_request.is_upward);
        let is_last = part.first().map(|entry| entry.key) == late.first().map(|entry| entry.key);
        let (state, up, now) = (&self.state, page_request.is_upward, clock::now());
        let page = self.made(context, || match up {
            true => late_timeline(state, status_cache, part.iter(), up, now),
            false => late_timeline(state, status_cache, part.iter().rev(), up, now),
        });
        let (page, room) = page.await?;
        let page = page.map_err(|e| Problem::internal(&e))?;
        let page = Timeline {
            is_last: page.is_last && is_last,
            ..page
        };
        Ok((page, room))
    }

    /// The same as the backend shows the statuses to their reader.
    pub(super) async fn hydrated_late(
        &self,
        account: &str,
        asked: (&Upstream, &Reader),
        page_request: PageRequest,
    ) -> Result<Result<Timeline, UpstreamError>, MastodonError> {
        self.state.is_open()?;
        let (_, mut late) = self.late_of(account).await?;
        late.retain(|entry| id_of(Ids::Ref, &entry.post).is_some());
        let pick = |part| Ok(of_late_list(&self.state, part, &late));
        Ok(self.hydrated(asked, page_request, pick).await?)
    }

    /// The backend's lists with that of late arrivals after them, if there is one.
    fn with_late_list(&self, lists: &[(String, String)]) -> String {
        let own = self.late_list.then(|| late_list().to_string());
        // A backend that uses the id all the same has a list less here, rather than two of one id.
        let others = lists.iter().filter(|(id, _)| !self.is_late_list(id));
        let texts: Vec<&str> = others
            .map(|(_, text)| text.as_str())
            .chain(own.as_deref())
            .collect();
        format!("[{}]", texts.join(","))
    }

    /// An account's lists, or one of them.
    fn lists(&self, account: &str, only: Option<&str>) -> Result<Vec<Value>, MastodonError> {
        let ids: Vec<String> = {
            let graph = self.state.view.graph.read();
            let of = graph
                .account(account)
                .and_then(|account| graph.get(account));
            let of = of.ok_or_else(MastodonError::not_found)?;
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
