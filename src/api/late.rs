//! Pages of the feed of late arrivals.

use super::app::App;
use super::caller::CallerContext;
use super::disk_reads;
use super::entry::Entry;
use super::large_response::hold;
use super::page_body::Fields;
use super::page_query::{PageQuery, json};
use super::problem::Problem;
use super::ref_entry::RefEntry;
use super::responses;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use slackwater_engine::id::quoted;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::late::{LateEntry, page_of};
use slackwater_engine::view::page::PAGE_BYTES_MAX;
use slackwater_engine::view::snapshot::Snapshot;
use slackwater_order::place::PostId;

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
        if query.seen.is_some() {
            return Err(Problem::bad_request(
                "the feed of late arrivals gives no cursors: leave seen out",
            ));
        }
        let (bounds, fields) = (query.bounds()?, query.fields()?);
        self.state.is_open()?;
        let (snapshot, late) = self.late_of(account).await?;
        let span = bounds.span(|reference| key_of_ref(&late, reference))?;
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
        let link = late_link(account, fields, span.limit, &entries, &late);
        let horizon = snapshot.visible.horizon;
        let body = match fields {
            Fields::All => serde_json::to_vec(&responses::Page {
                entries: entries.iter().map(|entry| shown(entry)).collect(),
                horizon,
                cursor: None,
            }),
            Fields::Refs => serde_json::to_vec(&responses::RefPage {
                entries: entries.iter().map(|entry| shown_by_ref(entry)).collect(),
                horizon,
                cursor: None,
            }),
        };
        let mut response = json(body.map_err(|e| Problem::internal(&e))?);
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

fn shown(entry: &LateEntry) -> Entry<'_> {
    Entry {
        id: entry.key,
        place: Some(entry.post.id.to_string()),
        ..Entry::new(&entry.post, entry.original.as_deref())
    }
}

fn shown_by_ref(entry: &LateEntry) -> RefEntry<'_> {
    RefEntry {
        id: entry.key,
        place: Some(entry.post.id.to_string()),
        ..RefEntry::new(&entry.post, entry.original.as_deref())
    }
}

/// The id that the post with this ref has among late arrivals: it has one only while it is among them.
fn key_of_ref(late: &[LateEntry], reference: &str) -> Result<PostId, Problem> {
    let entry = late
        .iter()
        .find(|entry| entry.post.post_ref.as_deref() == Some(reference));
    entry.map(|entry| entry.key).ok_or_else(|| {
        Problem::not_found(format!(
            "no late arrival has the ref {}: send the id of an entry of this feed as before or after, which need not exist",
            quoted(reference)
        ))
    })
}

/// `Link` of a page of late arrivals, newest first, out of `late`, oldest first.
fn late_link(
    account: &str,
    fields: Fields,
    limit: usize,
    page: &[&LateEntry],
    late: &[LateEntry],
) -> Option<String> {
    let (newest, oldest) = (page.first()?.key, page.last()?.key);
    let fields = match fields {
        Fields::All => "",
        Fields::Refs => "fields=refs&",
    };
    let path = format!("/v1/accounts/{account}/feeds/{LATE}?{fields}limit={limit}");
    let prev = format!("<{path}&after={newest}>; rel=\"prev\"");
    let is_last = late.first().is_none_or(|lowest| oldest <= lowest.key);
    Some(match is_last {
        true => prev,
        false => format!("<{path}&before={oldest}>; rel=\"next\", {prev}"),
    })
}
