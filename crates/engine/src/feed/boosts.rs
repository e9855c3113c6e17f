//! The boosts of a post. Their entries depend on the post, so they are decided again when it comes, changes or goes.
//!
//! There may be tens of thousands of boosts, each with its booster's followers, and whoever wrote a post may change it as often as
//! they like. So more than a few boosts are decided in slices between batches, once for all changes of the post by then.
//!
//! An edit of the words brings no entry and takes none out. Pages show the post as it is now. Changes since a cursor have the
//! entries that show it as depending on the edit, whether or not the feed has that dependency yet ([`BoostBacklog::edited`]), so that
//! cursors have the edit at once, like any other.
//!
//! Anything else brings entries in or takes them out: the post comes after its boosts, goes, is for others, or its author was
//! moderated. Entries that are to leave are in feeds until they are decided, and pages leave them out by the rules. What comes
//! and leaves cannot be sent before every feed has it, so no cursor has the record until all of it is carried out: see
//! [`crate::feed::reevaluate::Reevaluation::told`].

use crate::feed::fan_out::{PostChange, fan_out};
use crate::feed::post::{Post, State};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{Index, Store};
use crate::feed::unfinished::{Changed, Edited};
use crate::graph::Graph;
use crate::record::offsets::LogPos;
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

/// The edited posts on whose edits not all entries of their boosts depend yet, as readers see them at any moment. Cheap to
/// clone.
///
/// An edit is here before it counts as seen, and is removed only once all entries depend on it. So a reader that takes the
/// offsets first, then this and then a feed misses none.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<RwLock<Arc<[Edited]>>>);

impl Waiting {
    /// Those of this moment.
    pub fn now(&self) -> Arc<[Edited]> {
        Arc::clone(&self.0.read())
    }
}

/// What is to be decided again.
#[derive(Debug)]
pub struct BoostBacklog {
    /// What readers see of it.
    seen_as: Waiting,
    slice: usize,
    /// Boosts to be decided for edits that bring no entry and take none out.
    edits: Queue,
    /// Boosts to be decided for anything else.
    changes: Queue,
}

/// Posts whose boosts are to be decided again, oldest first.
#[derive(Debug)]
struct Queue {
    /// Whether the posts were only edited.
    is_of_edits: bool,
    waiting: VecDeque<Changed>,
    current: Option<CurrentOriginal>,
}

#[derive(Debug)]
struct CurrentOriginal {
    of: Changed,
    /// Those that are not decided, highest first.
    ids: Vec<PostId>,
}

/// Decides about one boost. Returns how many follow whoever boosts.
fn decide(
    store: &Store,
    graph: &Graph,
    original: &Post,
    id: PostId,
    change: BoostChange,
    cause: LogPos,
) -> Result<usize, DiskError> {
    let shows = |boost: &Post| boost.body.boost_of.as_deref() == Some(&*original.body.uri);
    let Some(boost) = store.post(id)?.filter(|boost| shows(boost)) else {
        return Ok(0);
    };
    let (post_change, cause) = match boost.state {
        State::Whole => (change.of(original), cause),
        // It left before it was known what it would have shown.
        State::Gone | State::Forgotten if change == BoostChange::Came => {
            (PostChange::Gone, boost.newest)
        }
        State::Gone | State::Forgotten | State::Stub => return Ok(0),
    };
    fan_out(store, graph, &boost, Some(original), post_change, cause)?;
    let author = graph.actor(&boost.body.author);
    Ok(author.map_or(0, |author| graph.followers(author).len()))
}

/// What may have happened to the boosts of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BoostChange {
    /// The post was not known before: its boosts may enter.
    Came,
    /// Its audience changed, or it is gone: its boosts may enter or leave.
    Changed,
    /// The post was edited and its audience is unchanged: the entries of its boosts depend on the edit, and none enters or leaves. A
    /// relation that is in force and not carried out yet would let a boost in without a record that says why.
    Edited,
}

impl BoostChange {
    fn new(came: bool) -> BoostChange {
        match came {
            true => BoostChange::Came,
            false => BoostChange::Changed,
        }
    }

    /// What becomes of the boosts of a post as it is now.
    fn of(self, original: &Post) -> PostChange {
        match (original.state, self) {
            (State::Gone | State::Forgotten | State::Stub, _) => PostChange::Gone,
            (State::Whole, BoostChange::Came) => PostChange::New,
            (State::Whole, BoostChange::Changed) => PostChange::Changed,
            (State::Whole, BoostChange::Edited) => PostChange::Edited,
        }
    }
}

impl BoostBacklog {
    /// With what was left when the process ended. So many are decided at once, and in one slice: [`SLICE`].
    pub fn new(edited: Vec<Edited>, changed: Vec<Changed>, slice: usize) -> BoostBacklog {
        let edited = edited.into_iter().map(|(post, log_pos)| Changed {
            post,
            first: log_pos,
            newest: log_pos,
            came: false,
        });
        let backlog = BoostBacklog {
            seen_as: Waiting::default(),
            slice,
            edits: Queue::new(true, edited.collect()),
            changes: Queue::new(false, changed.into()),
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
        self.edits.is_done() && self.changes.is_done()
    }

    /// Whether entries may have to come or go.
    pub fn is_changing(&self) -> bool {
        !self.changes.is_done()
    }

    /// What is left to do, for the next checkpoint: the posts on whose edits not all entries of their boosts depend. The
    /// current post begins again after a crash, which changes nothing that is done.
    pub fn edited(&self) -> Vec<Edited> {
        self.edits.all().map(|of| (of.post, of.newest)).collect()
    }

    /// The posts whose boosts may have to enter or leave, for the next checkpoint.
    pub fn changed(&self) -> Vec<Changed> {
        self.changes.all().collect()
    }

    /// The records that are not carried out: of each post and partition the first.
    pub fn untold(&self) -> impl Iterator<Item = LogPos> + '_ {
        self.changes.all().map(|of| of.first)
    }

    /// Decides again about the boosts of a post that was edited by its newest record, and is for whom it was before; at once if
    /// they are few.
    pub fn edit(&mut self, store: &Store, graph: &Graph, post: &Post) -> Result<(), DiskError> {
        let cause = post.newest;
        // What waits to come or go is decided by what the post is then.
        if self.changes.join(post.id, cause, false) {
            return Ok(());
        }
        if self.edits.join(post.id, cause, false) {
            self.show();
            return Ok(());
        }
        if !decide_few(store, graph, post, self.slice, BoostChange::Edited, cause)? {
            self.edits.push(post.id, cause, false);
            self.show();
            while self.edits.is_full() {
                self.edits.step(store, graph, self.slice)?;
            }
            self.show();
        }
        Ok(())
    }

    /// Decides about the boosts of a post that came ([`PostChange::New`]), changed or went, says the record at `cause`; at once if they
    /// are few.
    pub fn change(
        &mut self,
        store: &Store,
        graph: &Graph,
        post: &Post,
        change: PostChange,
        cause: LogPos,
    ) -> Result<(), DiskError> {
        let came = change == PostChange::New;
        if self.changes.join(post.id, cause, came) {
            return Ok(());
        }
        let change = BoostChange::new(came);
        if !decide_few(store, graph, post, self.slice, change, cause)? {
            self.changes.push(post.id, cause, came);
            while self.changes.is_full() {
                self.changes.step(store, graph, self.slice)?;
            }
        }
        Ok(())
    }

    /// Decides a slice of what may have to come or go, and one of what was edited, each by what its post is now.
    pub fn step(&mut self, store: &Store, graph: &Graph) -> Result<(), DiskError> {
        self.changes.step(store, graph, self.slice)?;
        if !self.edits.is_done() {
            self.edits.step(store, graph, self.slice)?;
            self.show();
        }
        Ok(())
    }
}

/// Decides about all boosts of a post, unless they are more than `most`; whether it did.
fn decide_few(
    store: &Store,
    graph: &Graph,
    post: &Post,
    most: usize,
    change: BoostChange,
    cause: LogPos,
) -> Result<bool, DiskError> {
    let ids = store.list(Index::Original, &post.body.uri)?;
    if most < ids.len() {
        return Ok(false);
    }
    for id in ids {
        decide(store, graph, post, id, change, cause)?;
    }
    Ok(true)
}

impl Queue {
    fn new(is_of_edits: bool, waiting: VecDeque<Changed>) -> Queue {
        Queue {
            is_of_edits,
            waiting,
            current: None,
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.current.is_none()
    }

    fn is_full(&self) -> bool {
        WAITING_MAX < self.waiting.len()
    }

    fn all(&self) -> impl Iterator<Item = Changed> + '_ {
        let current = self.current.iter().map(|current| current.of);
        current.chain(self.waiting.iter().copied())
    }

    /// Adds `cause` to the waiting work of a post. Returns whether there was any from the same partition. The work under way is not
    /// extended: it may have decided about some boosts by an older state of the post.
    fn join(&mut self, post: PostId, cause: LogPos, came: bool) -> bool {
        let is_same = |of: &&mut Changed| of.post == post && of.newest.is_beside(cause);
        let Some(of) = self.waiting.iter_mut().find(is_same) else {
            return false;
        };
        of.first = of.first.min(cause);
        of.newest = of.newest.max(cause);
        of.came |= came;
        true
    }

    fn push(&mut self, post: PostId, cause: LogPos, came: bool) {
        self.waiting.push_back(Changed {
            post,
            first: cause,
            newest: cause,
            came,
        });
    }

    fn step(&mut self, store: &Store, graph: &Graph, slice: usize) -> Result<(), DiskError> {
        if self.current.is_none() {
            let next = self.waiting.pop_front();
            self.current = next
                .map(|next| CurrentOriginal::new(store, next))
                .transpose()?;
        }
        let Some(CurrentOriginal { of, ids }) = &mut self.current else {
            return Ok(());
        };
        if let Some(original) = store.post(of.post)? {
            let cause = cause(of.newest, &original);
            let change = match self.is_of_edits {
                true => BoostChange::Edited,
                false => BoostChange::new(of.came),
            };
            let (mut decided, mut followers) = (0, 0);
            while decided < slice.max(1)
                && followers < FOLLOWERS_STEP
                && let Some(id) = ids.pop()
            {
                followers += decide(store, graph, &original, id, change, cause)?;
                decided += 1;
            }
        } else {
            ids.clear();
        }
        if ids.is_empty() {
            self.current = None;
        }
        Ok(())
    }
}

impl CurrentOriginal {
    fn new(store: &Store, of: Changed) -> Result<CurrentOriginal, DiskError> {
        let mut ids = match store.post(of.post)? {
            Some(original) => store.list(Index::Original, &original.body.uri)?,
            None => Vec::new(),
        };
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(CurrentOriginal { of, ids })
    }
}

/// The record that calls for it, or a newer one beside it of what the post is now.
fn cause(newest: LogPos, original: &Post) -> LogPos {
    let now = original.newest;
    match now.is_beside(newest) {
        true => now.max(newest),
        false => newest,
    }
}
