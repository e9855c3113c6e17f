//! The options of the engine.

use crate::feed::boosts;
use crate::feed::expiry::Keep;
use crate::kept::Kept;
use crate::relationship::Patience;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::window::Windows;
use std::time::Duration;

/// The options of the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Reorder windows.
    pub windows: Windows,
    /// From what posts get their places. The data folder and all cursors are of one of the two.
    pub place_source: PlaceSource,
    /// Whether the objects of posts are kept. Without them a post has its place, its author and all that the rules ask for, and
    /// nothing to show.
    pub keep_objects: bool,
    /// The patience of accounts that set none.
    pub patience: Patience,
    /// How long posts, stubs and removals are kept.
    pub keep: Keep,
    /// Accounts whose feeds nobody has read for so long have none.
    pub inactive_after: Duration,
    /// Whose feeds are kept. What is stored of others stays until the first [`Engine::keep_only`](super::Engine::keep_only): a node that
    /// starts in a cluster and has no shards yet drops nothing that it may be given back, and merges nothing for accounts that are new.
    pub kept: Kept,
    /// A hash of the log that the store is built from: its cursors are refused elsewhere.
    pub log: u64,
    /// Boosts of one post that are decided at once, and in one slice.
    pub boosts_at_once: usize,
}

impl Default for Options {
    fn default() -> Options {
        let day = Duration::from_secs(86_400);
        Options {
            windows: Windows::default(),
            place_source: PlaceSource::default(),
            keep_objects: true,
            patience: Patience::For(Duration::ZERO),
            keep: Keep {
                posts: 30 * day,
                stubs: 365 * day,
                removals: 30 * day,
            },
            inactive_after: 14 * day,
            kept: Kept::All,
            log: 0,
            boosts_at_once: boosts::SLICE,
        }
    }
}
