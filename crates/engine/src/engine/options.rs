//! The options of the engine.

use crate::feed::boosts;
use crate::feed::expiry::Keep;
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
            log: 0,
            boosts_at_once: boosts::SLICE,
        }
    }
}
