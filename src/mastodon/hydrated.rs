//! Pages of statuses as the backend shows them to their reader, in the order of this service's feeds. A feed gives the ids, the
//! backend the statuses, of which those that it does not show are left out.

use super::app::MastodonApp;
use super::channel::Filter;
use super::ids::Ids;
use super::ids::id_of;
use super::status::Placement;
use super::timeline::{PageRequest, Timeline, shown};
use super::upstream::raw_object::{RawObject, with_field};
use super::upstream::{IDS_MAX, Reader, Upstream, UpstreamError};
use crate::api::disk_reads;
use crate::api::problem::Problem;
use crate::api::state::AppState;
use crate::mastodon::stamp;
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::view::late::{LateEntry, page_of};
use slackwater_engine::view::page::{Candidates, Span};
use slackwater_engine::view::with_original::FeedFilter;
use slackwater_order::place::PostId;
use std::str::from_utf8;

/// The ids that are asked for at a time once a whole page was hidden: four calls side by side.
const FURTHER: usize = 4 * IDS_MAX;
/// The most ids that are tried for one page: as many as a feed usually has. After that the page is empty, and its `Link` goes on.
const TRIED_MAX: usize = 800;

/// An entry of a feed that may be shown.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Its id in the feed, which sorts as the feed does.
    key: PostId,
    /// The backend's id of its status.
    id: String,
    /// Its place and arrival, as JSON.
    placement: String,
    /// How it is shown in the list of late arrivals, if it is one of these.
    late: Option<LateBoost>,
}

/// The fields of a late arrival that are not those of its status.
#[derive(Debug)]
struct LateBoost {
    created_at: String,
    uri: String,
}

/// Candidates for a page, in the order in which they are to be taken.
#[derive(Debug, Default)]
pub(super) struct Picked {
    candidates: Vec<Candidate>,
    /// There are no others in that direction.
    has_all: bool,
}

impl MastodonApp {
    /// A page whose candidates `pick` takes from a part of the feed. An error of the outer kind is this service's own.
    pub(super) async fn hydrated(
        &self,
        (upstream, reader): (&Upstream, &Reader),
        page_request: PageRequest,
        pick: impl Fn(PageRequest) -> Result<Picked, DiskError>,
    ) -> Result<Result<Timeline, UpstreamError>, Problem> {
        let filling = self.fill(upstream, reader, page_request, pick);
        match upstream.in_time(filling).await {
            Ok(Ok(page)) => Ok(Ok(page)),
            Ok(Err(error)) => Err(Problem::internal(&error)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn fill(
        &self,
        upstream: &Upstream,
        reader: &Reader,
        mut part: PageRequest,
        pick: impl Fn(PageRequest) -> Result<Picked, DiskError>,
    ) -> Result<Result<Timeline, DiskError>, UpstreamError> {
        let (is_upward, mut tried) = (part.is_upward, 0);
        let mut ends: Option<(String, String)> = None;
        loop {
            let picked = match disk_reads::read(|| pick(part)).await {
                Ok(picked) => picked,
                Err(error) => return Ok(Err(error)),
            };
            let Picked {
                candidates,
                has_all,
            } = picked;
            let Some((first, last)) = candidates.first().zip(candidates.last()) else {
                return Ok(Ok(page(Vec::new(), ends, has_all, is_upward)));
            };
            let ids: Vec<&str> = candidates.iter().map(|it| it.id.as_str()).collect();
            let statuses = upstream.statuses(reader, &ids).await?;
            let shown: Vec<String> = candidates
                .iter()
                .filter_map(|it| it.shown(from_utf8(statuses.get(&it.id)?).ok()?))
                .collect();
            let first_tried = ends.map_or_else(|| first.shown_id(), |(first, _)| first);
            ends = Some((first_tried, last.shown_id()));
            tried += candidates.len();
            if !shown.is_empty() || has_all || TRIED_MAX <= tried {
                return Ok(Ok(page(shown, ends, has_all, is_upward)));
            }
            let limit = FURTHER;
            part.span = match is_upward {
                true => Span {
                    after: Some(last.key),
                    limit,
                    ..part.span
                },
                false => Span {
                    before: Some(last.key),
                    limit,
                    ..part.span
                },
            };
        }
    }
}

/// A page of statuses in the order in which they were taken; `ends` are the ids of the first and the last that were tried, and
/// `has_all` says that there are no others.
fn page(
    mut shown: Vec<String>,
    ends: Option<(String, String)>,
    has_all: bool,
    is_upward: bool,
) -> Timeline {
    if is_upward {
        shown.reverse();
    }
    let is_over = shown.is_empty() && has_all;
    let ends = ends.filter(|_| !is_over);
    Timeline {
        json: format!("[{}]", shown.join(",")),
        ends: match is_upward {
            true => ends.map(|(oldest, newest)| (newest, oldest)),
            false => ends,
        },
        is_last: has_all && !is_upward,
    }
}

impl Candidate {
    /// A candidate for a feed; none if the backend gave no id for the post.
    fn of(state: &AppState, post: &Post) -> Option<Candidate> {
        let Some(id) = id_of(Ids::Ref, post) else {
            state.metrics.mastodon.left_out("ref");
            return None;
        };
        Some(Candidate {
            key: post.id,
            id,
            placement: Placement::of(post).json(),
            late: None,
        })
    }

    /// The same for the list of late arrivals.
    fn of_late(state: &AppState, entry: &LateEntry) -> Option<Candidate> {
        let candidate = Candidate::of(state, &entry.post)?;
        Some(Candidate {
            key: entry.key,
            late: Some(LateBoost {
                created_at: stamp(entry.at),
                uri: format!("{}#late", entry.post.body.uri),
            }),
            ..candidate
        })
    }

    /// The id under which clients see it.
    fn shown_id(&self) -> String {
        match &self.late {
            Some(_) => self.key.to_string(),
            None => self.id.clone(),
        }
    }

    /// Its status as clients see it, made of the backend's; none if that is no object.
    fn shown(&self, status: &str) -> Option<String> {
        match &self.late {
            None => with_field(status, "slackwater", &self.placement),
            Some(late) => late.shown(status, self.key, &self.placement),
        }
    }
}

impl LateBoost {
    /// A status as its author's boost of it; the status of a boost, as that boost, made then.
    fn shown(&self, status: &str, key: PostId, placement: &str) -> Option<String> {
        let object = RawObject::read(status)?;
        let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let (id, at, uri) = (
            text(&key.to_string()),
            text(&self.created_at),
            text(&self.uri),
        );
        let mut fields = vec![
            ("id", id.as_str()),
            ("created_at", at.as_str()),
            ("in_reply_to_id", "null"),
            ("in_reply_to_account_id", "null"),
            ("uri", uri.as_str()),
            ("url", "null"),
            ("slackwater", placement),
        ];
        let is_boost = object.get("reblog").is_some_and(|reblog| reblog != "null");
        if !is_boost {
            fields.push(("reblog", status));
            // These are shown with the post itself.
            for name in ["media_attachments", "mentions", "tags", "emojis"] {
                fields.push((name, "[]"));
            }
            for name in ["card", "poll", "quote"] {
                fields.push((name, "null"));
            }
        }
        Some(object.with(&fields))
    }
}

/// Candidates for a part of a timeline, out of the ascending `ids`, as far as they still belong there and `filter` shows them.
pub(super) fn of_timeline(
    state: &AppState,
    part: PageRequest,
    ids: &[PostId],
    filter: &Filter,
    admits: &FeedFilter<'_>,
) -> Result<Picked, DiskError> {
    let (Candidates::Down(within) | Candidates::Up(within)) = part.span.of(ids);
    let within: Box<dyn Iterator<Item = &PostId>> = match part.is_upward {
        false => Box::new(within.iter().rev()),
        true => Box::new(within.iter()),
    };
    let mut picked = Picked {
        candidates: Vec::with_capacity(part.span.limit),
        has_all: true,
    };
    for id in within {
        if part.span.limit <= picked.candidates.len() {
            picked.has_all = false;
            break;
        }
        if let Some((post, _)) = shown(state, *id, filter, admits)? {
            picked.candidates.extend(Candidate::of(state, &post));
        }
    }
    Ok(picked)
}

/// Candidates for a part of the list of late arrivals, out of `late`, oldest first.
pub(super) fn of_late_list(state: &AppState, part: PageRequest, late: &[LateEntry]) -> Picked {
    let within = page_of(late, part.span, part.is_upward);
    let end = match part.is_upward {
        false => late.first().zip(within.first()),
        true => late.last().zip(within.last()),
    };
    let candidate = |entry: &LateEntry| Candidate::of_late(state, entry);
    Picked {
        candidates: match part.is_upward {
            false => within.iter().rev().filter_map(candidate).collect(),
            true => within.iter().filter_map(candidate).collect(),
        },
        has_all: end.is_none_or(|(last, taken)| last.key == taken.key),
    }
}
