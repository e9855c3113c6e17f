//! The entries that a reader may have hidden where they are visible now, or the other way round, because of entries below them. A
//! function of its arguments.
//!
//! Whether an entry is a hidden repeat depends on every entry below it that shows the same post: those that are there, those that
//! left, and those that were dropped for length. A reader who has all that is known of these has the entry as it is. Otherwise the
//! entry is uncertain, and it is sent again as it is, or as a removal.

use crate::feed::ordered_feed::OrderedFeed;
use crate::record::Topic;
use crate::record::offsets::LogPos;
use crate::view::cursor::ReadPoint;
use slackwater_order::place::PostId;
use std::time::Duration;

/// The uncertain entries of one reader.
#[derive(Debug, Default)]
pub struct UncertainBoosts {
    entries: Vec<PostId>,
    hidden_then: Vec<PostId>,
}

impl UncertainBoosts {
    /// Those of a reader who has `from` of `feed`, which hides repeats for `after`.
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
        // This is a guess. It decides how an entry is sent, not whether.
        let mut all_removed = feed.removed.clone();
        all_removed.sort_unstable();
        let stood = |id| {
            let by_relation =
                |(_, log_pos): &(PostId, LogPos)| log_pos.topic() == Topic::Relationships;
            let came_since =
                of(&own, id).next().is_some() || of(&dependencies, id).any(by_relation);
            // An entry that left is taken to have been there until then, if the reader lacks all of the reasons.
            of(&removed, id).count() == of(&all_removed, id).count() && !came_since
        };
        UncertainBoosts {
            entries,
            hidden_then: feed.shows.hidden(after, stood),
        }
    }

    /// Whether the entry is uncertain.
    pub fn has(&self, id: PostId) -> bool {
        self.entries.binary_search(&id).is_ok()
    }

    /// Whether the reader probably has the entry hidden.
    pub fn was_hidden(&self, id: PostId) -> bool {
        self.hidden_then.binary_search(&id).is_ok()
    }
}

/// The places whose record the reader lacks, sorted by place.
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
