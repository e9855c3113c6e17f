//! The route of previews: a feed of an account as another patience would show it, and what waits then.

use super::app::App;
use super::caller::CallerContext;
use super::disk_reads;
use super::entry::Entry;
use super::feeds::accounts_own;
use super::large_response::hold;
use super::page_query::{PageQuery, json, limit};
use super::problem::Problem;
use super::responses::{HeldBy, PreviewPage, WaitingEntry};
use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use slackwater_engine::activity::handle::handle;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::relationship::Patience;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::page::PAGE_BYTES_MAX;
use slackwater_engine::view::preview::Preview;
use slackwater_engine::view::with_original::{WithOriginal, post_with_original};
use slackwater_order::place::PostId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewQuery {
    patience: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn get(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<PreviewQuery>, QueryRejection>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    let Query(query) = query
        .map_err(|e| Problem::bad_request(format!("{}: send patience and limit", e.body_text())))?;
    let patience = query.patience.map(|text| text.parse::<Patience>());
    let patience = patience.transpose().map_err(Problem::bad_request)?;
    let limit = limit(query.limit)?;
    let feed_ref = accounts_own(path, &PageQuery::default())?;
    app.preview(&context, &feed_ref, patience, limit).await
}

impl App {
    async fn preview(
        &self,
        context: &CallerContext,
        feed_ref: &FeedRef,
        patience: Option<Patience>,
        limit: usize,
    ) -> Result<Response, Problem> {
        self.state.is_open()?;
        let preview = self.state.preview_when_active(feed_ref, patience).await?;
        let room = self.room(context).await?;
        let waiting = preview.waiting();
        let shown = preview.snapshot.ids().iter().rev();
        let read = || {
            let entries = self.taken(&preview, shown.clone(), limit)?;
            let next = self.taken(&preview, waiting.iter(), limit)?;
            let handles = self.handles(entries.iter().chain(&next))?;
            Ok((entries, next, handles))
        };
        let read: Result<_, DiskError> = disk_reads::read(read).await;
        let (entries, next, handles) = read.map_err(|e| Problem::internal(&e))?;
        let hold_ms = u64::try_from(preview.hold_ms).unwrap_or(0);
        let hold_text = humantime::format_duration(Duration::from_millis(hold_ms)).to_string();
        let held_by = preview.held_by.iter().map(|origin| HeldBy {
            origin,
            wait: hold_text.clone(),
        });
        let body = serde_json::to_vec(&PreviewPage {
            patience: Patience::of_millis(preview.patience_ms),
            held_by: held_by.collect(),
            hold: hold_text.clone(),
            horizon: preview.snapshot.visible.horizon,
            now: preview.now,
            entries: entries.iter().map(entry).collect(),
            waiting_count: waiting.len(),
            waiting: next
                .iter()
                .map(|(post, original)| WaitingEntry {
                    shown_at: preview.shown_at(post.id),
                    entry: Entry::new(post, original.as_deref()),
                })
                .collect(),
            handles: handles
                .iter()
                .map(|(id, it)| (id.as_str(), it.clone()))
                .collect(),
        });
        let body = body.map_err(|e| Problem::internal(&e))?;
        hold(room, json(body)).await
    }

    /// The handles of the authors of these, and of the authors of what they boost, as far as they are known.
    fn handles<'a>(
        &self,
        entries: impl Iterator<Item = &'a WithOriginal>,
    ) -> Result<BTreeMap<String, String>, DiskError> {
        let authors: BTreeSet<&str> = entries
            .flat_map(|(post, original)| [Some(post), original.as_ref()])
            .flatten()
            .map(|post| post.body.author.as_str())
            .collect();
        let mut handles = BTreeMap::new();
        for author in authors {
            if let Some(known) = self.state.view.store.actor(author)? {
                let handle = handle(author, Some(&known.document), false).1;
                handles.insert(author.to_owned(), handle);
            }
        }
        Ok(handles)
    }

    /// The posts of as many of these ids as an answer takes, as far as they belong in the feed.
    fn taken<'a>(
        &self,
        preview: &Preview,
        ids: impl Iterator<Item = &'a PostId>,
        limit: usize,
    ) -> Result<Vec<WithOriginal>, DiskError> {
        let view = &self.state.view;
        let mut taken: Vec<WithOriginal> = Vec::new();
        let mut bytes = 0;
        for id in ids {
            if limit <= taken.len() {
                break;
            }
            let Some((post, original)) = post_with_original(&view.store, *id)? else {
                continue;
            };
            let resolved = &preview.snapshot.resolved;
            if !resolved.admits(view, &post, original.as_deref()) {
                continue;
            }
            bytes += post.weight() + original.as_ref().map_or(0, |post| post.weight());
            if !taken.is_empty() && PAGE_BYTES_MAX < bytes {
                break;
            }
            taken.push((post, original));
        }
        Ok(taken)
    }
}

fn entry((post, original): &WithOriginal) -> Entry<'_> {
    Entry::new(post, original.as_deref())
}
