//! `[feed]`: what is kept and for how long, and how much may wait to be written.

use super::duration;
use crate::config::file::{Bound, CountBound, Feed, SizeBound};
use crate::pipeline;
use crate::pipeline::due::Due;
use slackwater_engine::feed::expiry::Keep;
use slackwater_engine::feed::store;

/// The folder of feeds and its bounds. A bound that is `"auto"` is that of `default`.
pub(super) fn store(written: &Feed, default: store::Options) -> store::Options {
    store::Options {
        path: written.path.clone().unwrap_or(default.path),
        length: written.length.unwrap_or(default.length),
        boost_repeat_after: duration(written.boost_repeat_after, default.boost_repeat_after),
        unflushed_entries_max: match written.unflushed_entries_max {
            None | Some(CountBound(Bound::Auto)) => default.unflushed_entries_max,
            Some(CountBound(Bound::Fixed(entries))) => entries,
        },
        unflushed_bytes_max: match written.unflushed_bytes_max {
            None | Some(SizeBound(Bound::Auto)) => default.unflushed_bytes_max,
            Some(SizeBound(Bound::Fixed(bytes))) => usize::try_from(bytes).unwrap_or(usize::MAX),
        },
        cache_bytes: written.cache_bytes.map_or(default.cache_bytes, |it| it.0),
    }
}

/// Retention and checkpoints; all else is that of `default`.
pub(super) fn pipeline(written: &Feed, mut default: pipeline::Options) -> pipeline::Options {
    let keep = default.engine.keep;
    default.engine.keep = Keep {
        posts: duration(written.posts_keep, keep.posts),
        stubs: duration(written.stubs_keep, keep.stubs),
        removals: duration(written.removals_keep, keep.removals),
    };
    default.engine.keep_objects = written.keep_objects.unwrap_or(default.engine.keep_objects);
    default.engine.inactive_after = duration(written.inactive_after, default.engine.inactive_after);
    default.due = Due {
        replay_max: duration(written.replay_max, default.due.replay_max),
        rows_every: duration(written.checkpoint_every, default.due.rows_every),
        ..default.due
    };
    default
}
