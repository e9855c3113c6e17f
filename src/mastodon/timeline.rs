//! A page of a timeline, built status by status.

use super::channel::Filter;
use super::status_cache::{StatusCache, is_local};
use crate::api::state::AppState;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::view::page::{Candidates, PAGE_BYTES_MAX, Span};
use slackwater_engine::view::with_original::{FeedFilter, WithOriginal, post_with_original};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::sync::Arc;

/// A filled page.
#[derive(Debug, Default)]
pub struct Timeline {
    /// A JSON array of statuses, newest first.
    pub json: String,
    /// The ids of the newest and the oldest; none on an empty page.
    pub ends: Option<(String, String)>,
    /// There is nothing below it.
    pub is_last: bool,
}

/// The part of a timeline that a request names.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    /// The places that it lies between, and its length.
    pub span: Span,
    /// Those just above its lower end, not the newest.
    pub is_upward: bool,
}

impl Timeline {
    /// Takes the part that `page_request` names out of the ascending `ids`, as far as they still belong there and `filter` shows
    /// them.
    pub fn fill(
        state: &AppState,
        status_cache: &StatusCache,
        page_request: PageRequest,
        ids: &[PostId],
        filter: &Filter,
        admits: &FeedFilter<'_>,
        now: Time,
    ) -> Result<Timeline, DiskError> {
        let PageRequest { span, is_upward } = page_request;
        let (Candidates::Down(part) | Candidates::Up(part)) = span.of(ids);
        let part: Box<dyn Iterator<Item = &PostId>> = match is_upward {
            false => Box::new(part.iter().rev()),
            true => Box::new(part.iter()),
        };
        let mut taken = Vec::with_capacity(span.limit);
        let (mut bytes, mut has_all) = (0, true);
        for id in part {
            if span.limit <= taken.len() || PAGE_BYTES_MAX <= bytes {
                has_all = false;
                break;
            }
            let Some((post, original)) = shown(state, *id, filter, admits)? else {
                continue;
            };
            if let Some(status) = status_cache.status(state, post, original, now)? {
                bytes += status.json.len();
                taken.push(status);
            }
        }
        if is_upward {
            taken.reverse();
        }
        let ends = taken.first().zip(taken.last());
        let ends = ends.map(|(newest, oldest)| (newest.id.clone(), oldest.id.clone()));
        let texts: Vec<&str> = taken.iter().map(|it: &Arc<_>| it.json.as_str()).collect();
        Ok(Timeline {
            json: format!("[{}]", texts.join(",")),
            ends,
            is_last: has_all && !is_upward,
        })
    }
}

/// An entry of a feed, if it still belongs there and `filter` shows it.
pub(super) fn shown(
    state: &AppState,
    id: PostId,
    filter: &Filter,
    admits: &FeedFilter<'_>,
) -> Result<Option<WithOriginal>, DiskError> {
    let found = post_with_original(&state.view.store, id)?;
    Ok(found.filter(|(post, original)| {
        admits(post, original.as_deref())
            && filter.shows(post, || is_local(state, &post.body.author))
    }))
}
