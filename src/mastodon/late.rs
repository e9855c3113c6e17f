//! The list of late arrivals, as clients of Mastodon's API see it: each entry as its author's boost of the post, so that ids sort as
//! the list does, what a reader does to an entry reaches the post, and nothing comes below what was read.

use super::ids::id_of;
use super::status::{Status, StatusContext};
use super::status_cache::StatusCache;
use super::timeline::Timeline;
use crate::api::state::AppState;
use serde_json::{Value, json};
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::view::late::LateEntry;
use slackwater_engine::view::page::PAGE_BYTES_MAX;
use slackwater_order::time::Time;
use std::sync::Arc;

/// The id of the list: the highest that clients take for a number, which no backend's list has.
pub const LATE_LIST: &str = "9223372036854775807";

/// The list itself.
pub fn late_list() -> Value {
    json!({"id": LATE_LIST, "title": "Late arrivals", "replies_policy": "followed", "exclusive": false})
}

/// Whether an entry can be shown to clients: under [`crate::mastodon::ids::Ids::Ref`] only under the id that the backend gave its post.
pub fn is_shown(status_cache: &StatusCache, entry: &LateEntry) -> bool {
    let shown = entry.original.as_ref().unwrap_or(&entry.post);
    id_of(status_cache.ids, shown).is_some()
}

/// A page of late arrivals; `entries` in the order in which they are to be taken. `is_upward`: oldest first, and shown newest first.
pub fn late_timeline<'a>(
    state: &AppState,
    status_cache: &StatusCache,
    entries: impl Iterator<Item = &'a LateEntry>,
    is_upward: bool,
    now: Time,
) -> Result<Timeline, DiskError> {
    let (mut texts, mut ids) = (Vec::new(), Vec::new());
    let (mut bytes, mut has_all) = (0, true);
    for entry in entries {
        if PAGE_BYTES_MAX <= bytes {
            has_all = false;
            break;
        }
        let Some(status) = status(state, status_cache, entry, now)? else {
            continue;
        };
        let objects = [Some(&entry.post), entry.original.as_ref()];
        let objects = objects.into_iter().flatten();
        let written = objects.map(|post| post.body.object.get().len()).sum();
        ids.push(status.id.clone());
        let text = status.into_json(written);
        bytes += text.len();
        texts.push(text);
    }
    if is_upward {
        texts.reverse();
        ids.reverse();
    }
    let ends = ids.first().cloned().zip(ids.last().cloned());
    Ok(Timeline {
        json: format!("[{}]", texts.join(",")),
        ends,
        is_last: has_all && !is_upward,
    })
}

/// An entry as its author's boost of the post that it shows; none if the backend gave no id for a part of it that needs one.
fn status(
    state: &AppState,
    status_cache: &StatusCache,
    entry: &LateEntry,
    now: Time,
) -> Result<Option<Status>, DiskError> {
    let (post, shown) = (&entry.post, entry.original.as_ref().unwrap_or(&entry.post));
    let Some(reblog) = status_cache.made(state, shown, None, now)? else {
        return Ok(None);
    };
    let given = post.author_ref.as_deref();
    let Some(account) = status_cache.account(state, &post.body.author, given)? else {
        return Ok(None);
    };
    let context = StatusContext {
        id: entry.key.to_string(),
        account,
        base_url: Arc::clone(&status_cache.base_url),
        in_reply_to_id: None,
        in_reply_to_account_id: None,
        mentioned: Vec::new(),
    };
    let mut boost = Post::clone(post);
    boost.body.uri = format!("{}#late", post.body.uri);
    boost.body.boost_of = Some(shown.body.uri.clone());
    boost.body.published = Some(entry.at);
    Ok(Some(Status::new(&boost, context, Some(reblog), now)))
}
