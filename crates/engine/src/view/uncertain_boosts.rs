//! Which entries a reader may see hidden or shown otherwise than they are now, for what was shown below them. Pure.
//!
//! Whether an entry is a repeat depends on every entry below it that shows its post: those there, those gone, those dropped
//! for length. Has the reader seen all that is known of these, it sees the entry as it is. Has it not, the entry is in
//! doubt: it is told again as it is, or taken out.

use crate::feed::ordered_feed::OrderedFeed;
use crate::record::Topic;
use crate::record::offsets::LogPos;
use crate::view::cursor::ReadPoint;
use slackwater_order::place::PostId;
use std::time::Duration;

/// The entries in doubt.
#[derive(Debug, Default)]
pub struct UncertainBoosts {
    entries: Vec<PostId>,
    hidden_then: Vec<PostId>,
}

impl UncertainBoosts {
    /// Of a reader who has `from` of `feed`, which hides repeats for `after`.
    pub fn new(feed: &OrderedFeed, after: Duration, from: &ReadPoint) -> UncertainBoosts {
        if feed.shows.rows().is_empty() {
            return UncertainBoosts::default();
        }
        let entries = feed.ids.iter().copied().zip(feed.marks.iter().copied());
        let own = lacking(entries, from);
        let dependencies = lacking(feed.dependencies.iter().copied(), from);
        let removed = lacking(feed.removed.iter().copied(), from);
        let knows_fallen = feed.fell.is_within(&from.seen);
        let is_new = |id| {
            let has = |marks: &[(PostId, LogPos)]| of(marks, id).next().is_some();
            has(&own) || has(&dependencies) || has(&removed) || (!knows_fallen && id <= feed.floor)
        };
        let entries = feed.shows.above(is_new);
        if entries.is_empty() {
            return UncertainBoosts::default();
        }
        // As good as can be known. It decides how an entry is told, not whether.
        let mut all_removed = feed.removed.clone();
        all_removed.sort_unstable();
        let stood = |id| {
            let by_relation =
                |(_, log_pos): &(PostId, LogPos)| log_pos.topic() == Topic::Relationships;
            let came_since =
                of(&own, id).next().is_some() || of(&dependencies, id).any(by_relation);
            // What left is taken to have been there until then, if the reader knows none of the reasons.
            of(&removed, id).count() == of(&all_removed, id).count() && !came_since
        };
        UncertainBoosts {
            entries,
            hidden_then: feed.shows.hidden(after, stood),
        }
    }

    /// Whether the reader may see it otherwise than it is.
    pub fn has(&self, id: PostId) -> bool {
        self.entries.binary_search(&id).is_ok()
    }

    /// Whether it probably was hidden for the reader.
    pub fn was_hidden(&self, id: PostId) -> bool {
        self.hidden_then.binary_search(&id).is_ok()
    }
}

/// Those whose record the reader lacks, by place.
fn lacking(
    marks: impl Iterator<Item = (PostId, LogPos)>,
    from: &ReadPoint,
) -> Vec<(PostId, LogPos)> {
    let mut lacking: Vec<_> = marks.filter(|(_, log_pos)| !from.has(*log_pos)).collect();
    lacking.sort_unstable();
    lacking
}

fn of(marks: &[(PostId, LogPos)], id: PostId) -> impl Iterator<Item = &(PostId, LogPos)> {
    let at = marks.partition_point(|(there, _)| *there < id);
    let rest = marks.get(at..).unwrap_or_default();
    rest.iter().take_while(move |(there, _)| *there == id)
}
