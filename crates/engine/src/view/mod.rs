//! What readers see of a feed, before it is JSON or HTTP: the state that requests are answered from, and how far it is built.
//!
//! | module | what it is |
//! |---|---|
//! | [`page`] | which ids of a feed a page shows |
//! | [`page_walk`] | the entries of a page, taken one by one |
//! | [`visible`] | the part of a feed that is visible |
//! | [`last_access`] | when accounts last read, and whose feeds were dropped for that |
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
//! | [`explain`] | why an account has a post in its feeds, or has not |

pub mod change_batch;
pub mod changes;
pub mod cursor;
pub mod explain;
pub mod feed_ref;
pub mod horizons;
pub mod last_access;
pub mod late;
pub mod page;
pub mod page_walk;
pub mod pending_relations;
pub mod seal;
pub mod snapshot;
pub mod uncertain_boosts;
pub mod visible;
pub mod with_original;

use crate::feed::boosts::Waiting;
use crate::feed::store::Store;
use crate::feed::unfinished::AuthorChangeMark;
use crate::graph::Graph;
use crate::record::Position;
use crate::record::offsets::{LogPos, Offsets};
use crate::view::horizons::Horizons;
use crate::view::last_access::LastAccess;
use crate::view::pending_relations::PendingRelations;
use crate::view::seal::SealedLog;
use crate::watch;
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::origins::Origins;
use slackwater_order::window::Windows;
use std::sync::Arc;

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CatchingUp {
    /// Records read since the start.
    pub read: u64,
    /// Records still to be read.
    pub left: u64,
    /// Seconds it will take at the present rate; null until there is one.
    pub seconds_left: Option<u64>,
}

/// How far the state has been built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildProgress {
    /// Of each partition, the next record to be taken in: all before it is in force.
    pub taken: Arc<Offsets>,
    /// The same, but for records that are not carried out to their end yet: this is what cursors say. What these do later
    /// is then told.
    pub seen: Arc<Offsets>,
    /// What was said of authors, and what had been seen by then.
    pub author_changes: Arc<Vec<AuthorChangeMark>>,
    /// Of each partition, the end of the log as last heard.
    pub ends: Arc<Offsets>,
    /// Whether the relations known at the start are all in force: no feed is shown before, lest a mute or an unfollow
    /// that was answered be forgotten for a moment.
    pub relations_in_force: bool,
    /// Records there were at the start, while they are not all read.
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

/// Everything a request is answered from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    /// Posts and feeds.
    pub store: Arc<Store>,
    /// Relations.
    pub graph: Arc<RwLock<Graph>>,
    /// What is known of each origin. The pipeline writes it, post by post: look, and let go.
    pub origins: Arc<RwLock<Origins>>,
    /// Their windows.
    pub windows: Arc<RwLock<Arc<Windows>>>,
    /// How far feeds are shown.
    pub horizons: Arc<Horizons>,
    /// When accounts were last seen.
    pub last_access: Arc<LastAccess>,
    /// Whose feeds lack something that relations call for.
    pub pending_relations: Arc<PendingRelations>,
    /// Edited posts whose boosts are not all decided again.
    pub edited: Waiting,
    /// Which log all this was built from, and what cursors of it are sealed with.
    pub log: SealedLog,
    /// How far all this has been built.
    pub built: watch::Receiver<Arc<BuildProgress>>,
}

impl View {
    /// Of a store, with no relations, nothing known of origins, and every setting as it is by default.
    pub fn of(store: Arc<Store>, built: watch::Receiver<Arc<BuildProgress>>) -> View {
        View {
            store,
            graph: Arc::default(),
            origins: Arc::default(),
            windows: Arc::default(),
            horizons: Arc::default(),
            last_access: Arc::default(),
            pending_relations: Arc::default(),
            edited: Waiting::default(),
            log: 0.into(),
            built,
        }
    }

    /// The windows in force.
    pub fn windows(&self) -> Arc<Windows> {
        Arc::clone(&self.windows.read())
    }
}
