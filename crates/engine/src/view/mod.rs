//! What readers see of a feed, before it is JSON or HTTP: the state that requests are answered from, and how far it is built.
//!
//! | module | what it is |
//! |---|---|
//! | [`page`] | which ids of a feed a page shows |
//! | [`page_walk`] | the entries of a page, taken one by one |
//! | [`visible`] | the part of a feed that is visible |
//! | [`last_access`] | when accounts last read, and whose feeds were dropped for that |
//! | [`awake`] | which accounts have feeds here, for a standby that keeps them too |
//! | [`pending_relations`] | feeds in which some relations are still to be carried out |
//! | [`horizons`] | how far feeds were shown |
//! | [`cursor`] | how far a reader has been sent a feed, as text |
//! | [`seal`] | what that text is sealed with |
//! | [`uncertain_boosts`] | entries that a cursor may know hidden or shown otherwise than they are |
//! | [`changes`] | what changed in a feed since a cursor |
//! | [`change_batch`] | as many of those as one answer takes |
//! | [`with_original`] | a post with what it boosts |
//! | [`late`] | what came late to a home, worked out from it |
//! | [`feed_ref`] | which feed a request names, and who reads it |
//! | [`snapshot`] | a feed at one moment: all of the above together |
//! | [`preview`] | a feed as another patience would show it, and what waits |
//! | [`relations`] | the relations of an account that are in force |
//! | [`hidden`] | why a feed does not show what belongs in it |
//! | [`explain`] | why an account has a post in its feeds, or has not |

pub mod awake;
pub mod change_batch;
pub mod changes;
pub mod cursor;
pub mod explain;
pub mod feed_ref;
pub mod hidden;
pub mod horizons;
pub mod last_access;
pub mod late;
pub mod page;
pub mod page_walk;
pub mod pending_relations;
pub mod preview;
pub mod relations;
pub mod seal;
pub mod snapshot;
pub mod uncertain_boosts;
pub mod visible;
pub mod with_original;

use crate::feed::boosts::Waiting;
use crate::feed::store::Store;
use crate::feed::unfinished::AuthorChangeMark;
use crate::graph::Graph;
use crate::record::offsets::{LogPos, Offsets};
use crate::record::{Position, Topic};
use crate::view::awake::Awakened;
use crate::view::horizons::Horizons;
use crate::view::last_access::LastAccess;
use crate::view::pending_relations::PendingRelations;
use crate::view::seal::SealedLog;
use crate::watch;
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::origins::Origins;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::window::Windows;
use std::sync::Arc;

/// How far the catch-up at the start has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CatchingUp {
    /// Records read since the start.
    pub read: u64,
    /// Records still to be read.
    pub left: u64,
    /// Seconds it will take at the present rate; null until there is one.
    pub seconds_left: Option<u64>,
}

/// How far feeds are built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildProgress {
    /// The next record of each partition to be applied: all before it is in force.
    pub taken: Arc<Offsets>,
    /// The same, past what no record is at: transaction markers, and records that compaction removed.
    pub passed: Arc<Offsets>,
    /// The same without the records that are not carried out in all feeds yet. Cursors count on these offsets, so that later changes by
    /// such records are still sent.
    pub seen: Arc<Offsets>,
    /// Changes of authors (moderation and the like), each with the offsets at that time.
    pub author_changes: Arc<Vec<AuthorChangeMark>>,
    /// The last known end of each partition of the log.
    pub ends: Arc<Offsets>,
    /// Whether the relations that were in the log at the start are all in force. No feed is served before: a mute or an unfollow that
    /// was acknowledged must not be forgotten for a moment.
    pub relations_in_force: bool,
    /// The progress of the catch-up, until it is done.
    pub catching_up: Option<CatchingUp>,
    /// Whether the log answers.
    pub log_reachable: bool,
    /// Why records that cannot be used wait to be kept as dead letters, if they do.
    pub letters_failing: Option<String>,
    /// Why the pipeline ended, if it did.
    pub failed: Option<String>,
}

impl BuildProgress {
    /// Whether the log was read up to what stood at its end at the start, can be reached, and takes dead letters.
    pub fn is_ready(&self) -> bool {
        self.relations_in_force
            && self.catching_up.is_none()
            && self.log_reachable
            && self.letters_failing.is_none()
            && self.failed.is_none()
    }

    /// Whether the record at `position` has been taken in.
    pub fn has(&self, position: Position) -> bool {
        self.taken.has(LogPos::new(position))
    }
}

/// Everything that requests are answered from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    /// Posts and feeds.
    pub store: Arc<Store>,
    /// Relations.
    pub graph: Arc<RwLock<Graph>>,
    /// What is known of each origin. The engine writes it with every post, so a reader holds the lock only for a moment.
    pub origins: Arc<RwLock<Origins>>,
    /// Their windows.
    pub windows: Arc<RwLock<Arc<Windows>>>,
    /// The horizons that readers have reached.
    pub horizons: Arc<Horizons>,
    /// When accounts were last active.
    pub last_access: Arc<LastAccess>,
    /// The accounts that were awakened last.
    pub awakened: Arc<Awakened>,
    /// The accounts whose relations are not carried out yet.
    pub pending_relations: Arc<PendingRelations>,
    /// Edited posts whose boosts are not all decided again.
    pub edited: Waiting,
    /// The log that feeds are built from, and the keys that seal cursors.
    pub log: SealedLog,
    /// From what posts get their places.
    pub place_source: PlaceSource,
    /// How far feeds are built.
    pub built: watch::Receiver<Arc<BuildProgress>>,
}

impl View {
    /// A view of a store without relations and origins, with default settings.
    pub fn of(store: Arc<Store>, built: watch::Receiver<Arc<BuildProgress>>) -> View {
        View {
            store,
            graph: Arc::default(),
            origins: Arc::default(),
            windows: Arc::default(),
            horizons: Arc::default(),
            last_access: Arc::default(),
            awakened: Arc::default(),
            pending_relations: Arc::default(),
            edited: Waiting::default(),
            log: 0.into(),
            place_source: PlaceSource::default(),
            built,
        }
    }

    /// Of each partition of relations the next that is not in force here, or not carried out in the feeds of its account. A look that
    /// is taken afterwards shows the feed with all relations before these, and changes since a cursor list what they did. What the
    /// instance limits or suspends is hidden at once, and is not waited for until all posts are decided again.
    pub fn in_force(&self) -> Vec<Position> {
        let passed = || Arc::clone(&self.built.borrow().passed);
        self.pending_relations.in_force(passed)
    }

    /// Of each partition of relations the next that is not in force here, past what no record is at. No look that is taken afterwards shows
    /// what those before hide.
    pub fn relations_taken(&self) -> Vec<Position> {
        let passed = self.built.borrow().passed.positions();
        let relations = passed.into_iter();
        relations
            .filter(|next| next.topic == Topic::Relationships)
            .collect()
    }

    /// The windows in force.
    pub fn windows(&self) -> Arc<Windows> {
        Arc::clone(&self.windows.read())
    }
}
