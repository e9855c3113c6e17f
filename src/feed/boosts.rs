//! The boosts of a post: in feeds they rest on it, so they are decided again when it comes, changes or goes.
//!
//! A post comes once and goes once. But it may be edited as often as whoever wrote it likes, and there may be tens of thousands
//! of boosts, each with its booster's followers: of an edit, which brings no entry and takes none out, more than a few are told
//! in slices between batches, once for all edits of the post by then. Pages show of a post what it says now. Who asks what
//! changed is told that the entries which show it rest on the edit, whether or not that is written in the feed yet
//! ([`Backlog::edited`]), so that cursors have the edit like any other.

use super::disk::DiskError;
use super::fan_out::{Fate, fan_out};
use super::kept::{Post, State};
use super::store::{Index, Store};
use crate::graph::Graph;
use crate::post::mark::Mark;
use parking_lot::RwLock;
use slackwater_order::place::PostId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Boosts decided in one slice, and at once: some milliseconds.
pub const SLICE: usize = 200;
/// A slice ends where those it went to are so many.
const FOLLOWERS_STEP: usize = 20_000;
/// Posts that wait. When there are more, the oldest is carried out while the log waits.
const WAITING_MAX: usize = 1_000;

/// A post that was edited, and the newest record that did. Stored with the offsets, while feeds lack it.
pub type Edited = (PostId, Mark);

/// The posts whose edits not all entries of their boosts rest on, as readers see them at any moment. Cheap to clone.
///
/// An edit is there before it counts as seen, and is gone only once all entries rest on it. So who looks first at what was seen,
/// then here and then at a feed, misses none.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<RwLock<Arc<[Edited]>>>);

impl Waiting {
    /// Those of this moment.
    pub fn now(&self) -> Arc<[Edited]> {
        Arc::clone(&self.0.read())
    }
}

/// What is to be decided again, oldest first.
#[derive(Debug)]
pub struct Backlog {
    /// What readers see of it.
    seen_as: Waiting,
    slice: usize,
    waiting: VecDeque<Edited>,
    at_hand: Option<AtHand>,
}

#[derive(Debug)]
struct AtHand {
    edited: Edited,
    /// Those that are not decided, highest first.
    ids: Vec<u64>,
}

/// Decides about all boosts of a post that came or went. `because` marks the record that calls for it.
pub fn decide_all(
    store: &Store,
    graph: &Graph,
    original: &Post,
    fate: Fate,
    because: Mark,
) -> Result<(), DiskError> {
    for id in store.list(Index::Original, &original.body.uri)? {
        decide(store, graph, original, id, fate, because)?;
    }
    Ok(())
}

/// Decides about one boost. Returns how many follow whoever boosts.
fn decide(
    store: &Store,
    graph: &Graph,
    original: &Post,
    id: u64,
    fate: Fate,
    because: Mark,
) -> Result<usize, DiskError> {
    let boost = match PostId::from_number(id) {
        Some(id) => store.post(id)?,
        None => None,
    };
    let shows = |boost: &Post| boost.body.boost_of.as_deref() == Some(&*original.body.uri);
    let Some(boost) = boost.filter(|boost| shows(boost)) else {
        return Ok(0);
    };
    let (fate, because) = match boost.state {
        State::Whole => (fate, because),
        // It left before it was known what it would have shown.
        State::Gone if fate == Fate::New => (Fate::Gone, boost.newest.mark()),
        State::Gone | State::Stub => return Ok(0),
    };
    fan_out(store, graph, &boost, Some(original), fate, because)?;
    let author = graph.actor(&boost.body.author);
    Ok(author.map_or(0, |author| graph.followers(author).len()))
}

impl Backlog {
    /// With what was left when the process ended. So many are decided at once, and in one slice: [`SLICE`].
    pub fn new(left: Vec<Edited>, slice: usize) -> Backlog {
        let backlog = Backlog {
            seen_as: Waiting::default(),
            slice,
            waiting: left.into(),
            at_hand: None,
        };
        backlog.show();
        backlog
    }

    /// What readers see of it.
    pub fn waiting(&self) -> Waiting {
        self.seen_as.clone()
    }

    fn show(&self) {
        *self.seen_as.0.write() = self.edited().into();
    }

    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.at_hand.is_none()
    }

    /// What is left to do, for the next checkpoint: the posts whose edits not all entries of their boosts rest on. What is at hand
    /// begins anew after a crash, and says nothing new of what was done.
    pub fn edited(&self) -> Vec<Edited> {
        let at_hand = self.at_hand.iter().map(|at_hand| at_hand.edited);
        at_hand.chain(self.waiting.iter().copied()).collect()
    }

    /// Decides again about the boosts of a post that was edited by its newest record, and is for whom it was before; at once if
    /// they are few.
    pub fn edit(&mut self, store: &Store, graph: &Graph, post: &Post) -> Result<(), DiskError> {
        let because = post.newest.mark();
        // Entries rest on the newest record of each partition.
        let is_same = |(of, mark): &&mut Edited| *of == post.id && mark.is_beside(because);
        if let Some((_, newest)) = self.waiting.iter_mut().find(is_same) {
            *newest = because.max(*newest);
            self.show();
            return Ok(());
        }
        // What is at hand may have decided some without it.
        let is_at_hand = |at_hand: &AtHand| at_hand.edited.0 == post.id;
        if !self.at_hand.as_ref().is_some_and(is_at_hand) {
            let ids = store.list(Index::Original, &post.body.uri)?;
            if ids.len() <= self.slice {
                for id in ids {
                    decide(store, graph, post, id, Fate::Changed, because)?;
                }
                return Ok(());
            }
        }
        self.waiting.push_back((post.id, because));
        self.show();
        while WAITING_MAX < self.waiting.len() {
            self.step(store, graph)?;
        }
        Ok(())
    }

    /// Decides a slice of them, by what their post is now.
    pub fn step(&mut self, store: &Store, graph: &Graph) -> Result<(), DiskError> {
        if self.at_hand.is_none() {
            let next = self.waiting.pop_front();
            self.at_hand = next.map(|next| AtHand::new(store, next)).transpose()?;
        }
        let Some(at_hand) = &mut self.at_hand else {
            return Ok(());
        };
        if let Some(original) = store.post(at_hand.edited.0)? {
            let because = because(at_hand.edited, &original);
            let fate = match original.state {
                State::Whole => Fate::Changed,
                State::Gone | State::Stub => Fate::Gone,
            };
            let (mut decided, mut followers) = (0, 0);
            while decided < self.slice
                && followers < FOLLOWERS_STEP
                && let Some(id) = at_hand.ids.pop()
            {
                followers += decide(store, graph, &original, id, fate, because)?;
                decided += 1;
            }
        } else {
            at_hand.ids.clear();
        }
        if at_hand.ids.is_empty() {
            self.at_hand = None;
            self.show();
        }
        Ok(())
    }
}

impl AtHand {
    fn new(store: &Store, edited: Edited) -> Result<AtHand, DiskError> {
        let mut ids = match store.post(edited.0)? {
            Some(original) => store.list(Index::Original, &original.body.uri)?,
            None => Vec::new(),
        };
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(AtHand { edited, ids })
    }
}

/// The record that edited it, or a newer one beside it of what the post is now.
fn because((_, edited): Edited, original: &Post) -> Mark {
    let newest = Some(original.newest.mark()).filter(|newest| newest.is_beside(edited));
    newest.map_or(edited, |newest| newest.max(edited))
}
