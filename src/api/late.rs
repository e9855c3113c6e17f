//! Pages of the feed of late arrivals.

use super::app::App;
use super::caller::CallerContext;
use super::disk_reads;
use super::entry::Entry;
use super::large_response::hold;
use super::page_query::{PageQuery, json};
use super::problem::Problem;
use super::responses;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::late::{LateEntry, page_of};
use slackwater_engine::view::page::PAGE_BYTES_MAX;
use slackwater_engine::view::snapshot::Snapshot;

/// The name of the feed of late arrivals.
pub(crate) const LATE: &str = "late";

impl App {
    /// A page of the late arrivals of a home, by their time of arrival.
    pub(super) async fn late(
        &self,
        context: &CallerContext,
        account: &str,
        query: &PageQuery,
    ) -> Result<Response, Problem> {
        let feed_ref = FeedRef::Home {
            account: account.to_owned(),
        };
        self.auth.may_read(&context.caller, &feed_ref)?;
        let span = query.span()?;
        self.state.is_open()?;
        let (snapshot, late) = self.late_of(account).await?;
        let room = self.room(context).await?;
        let is_upward = span.before.is_none() && span.after.is_some();
        let part = page_of(&late, span, is_upward).iter();
        let mut bytes = 0;
        let mut fits = |entry: &&LateEntry| {
            let is_first = bytes == 0;
            bytes += entry.post.weight();
            bytes += entry.original.as_ref().map_or(0, |post| post.weight());
            is_first || bytes <= PAGE_BYTES_MAX
        };
        let mut entries: Vec<&LateEntry> = match is_upward {
            true => part.take_while(&mut fits).collect(),
            false => part.rev().take_while(&mut fits).collect(),
        };
        if is_upward {
            entries.reverse();
        }
        let link = late_link(account, span.limit, &entries, &late);
        let shown = entries.iter().map(|entry| Entry {
            id: entry.key,
            place: Some(entry.post.id.to_string()),
            ..Entry::new(&entry.post, entry.original.as_deref())
        });
        let page = responses::Page {
            entries: shown.collect(),
            horizon: snapshot.visible.horizon,
            cursor: None,
        };
        let mut response = json(serde_json::to_vec(&page).map_err(|e| Problem::internal(&e))?);
        if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(header::LINK, link);
        }
        hold(room, response).await
    }

    /// All late arrivals of an account, oldest first.
    pub(crate) async fn late_of(
        &self,
        account: &str,
    ) -> Result<(Snapshot, Vec<LateEntry>), Problem> {
        let feed_ref = FeedRef::Home {
            account: account.to_owned(),
        };
        let snapshot = self.state.snapshot_when_active(&feed_ref, None).await?;
        let wait = self.state.view.new_for(Some(account), self.live_max_age);
        let late = disk_reads::read(|| self.state.view.late(account, &snapshot, wait)).await;
        let late = late.map_err(|e| Problem::internal(&e))?;
        Ok((snapshot, late))
    }
}

/// `Link` of a page of late arrivals, newest first, out of `late`, oldest first.
fn late_link(
    account: &str,
    limit: usize,
    page: &[&LateEntry],
    late: &[LateEntry],
) -> Option<String> {
    let (newest, oldest) = (page.first()?.key, page.last()?.key);
    let path = format!("/v1/accounts/{account}/feeds/{LATE}?limit={limit}");
    let prev = format!("<{path}&after={newest}>; rel=\"prev\"");
    let is_last = late.first().is_none_or(|lowest| oldest <= lowest.key);
    Some(match is_last {
        true => prev,
        false => format!("<{path}&before={oldest}>; rel=\"next\", {prev}"),
    })
}
