//! Posts decided again because their authors changed: the instance limits or suspends them or their domain, they became local,
//! or a document of theirs named a collection as their followers. A domain may have written millions, so it is
//! done in slices between batches.

use crate::feed::boosts::BoostBacklog;
use crate::feed::fan_out::{PostChange, fan_out, fan_out_in_public, original_of};
use crate::feed::followers;
use crate::feed::post::{Post, State};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{Index, Store};
use crate::feed::unfinished::{
    AuthorChange, AuthorChangeMark, PendingReevaluation, Renamed, Unfinished,
};
use crate::graph::Graph;
use crate::graph::moderation::is_meant;
use crate::record::offsets::{LogPos, Offsets};
use slackwater_order::place::PostId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Posts decided in one slice: some milliseconds, with a thousand followers each.
const POSTS_STEP: usize = 200;
/// Blocks of posts looked through in one slice.
const BLOCKS_STEP: usize = 64;

/// Changes of authors that are remembered one by one.
const SPOKEN_MAX: usize = 64;

/// What is to be done, oldest first.
#[derive(Debug)]
pub struct Reevaluation {
    todo: VecDeque<PendingReevaluation>,
    /// The changes of authors, oldest first.
    author_changes: Arc<Vec<AuthorChangeMark>>,
    /// The remaining posts of the first of these, highest first: those of an actor, or those of a domain that were only in memory when
    /// it began.
    listed: Option<Vec<PostId>>,
    /// Authors with more affected posts than are decided at once, oldest first. They go before all else, because their posts may be
    /// visible to too many. There are at most two of an author and a partition.
    renamed: VecDeque<Renamed>,
    /// The remaining posts of the first of these, highest first.
    addressed: Option<Vec<PostId>>,
    /// The boosts of posts that came, changed or went.
    pub boosts: BoostBacklog,
}

impl Reevaluation {
    /// With what was left to do when the process ended. So many boosts of one post are decided at once.
    pub fn new(left: Unfinished, boosts_at_once: usize) -> Reevaluation {
        Reevaluation {
            todo: left.todo.into(),
            author_changes: Arc::new(left.author_changes),
            listed: None,
            renamed: left.renamed.into(),
            addressed: None,
            boosts: BoostBacklog::new(left.edited, left.changed, boosts_at_once),
        }
    }

    /// The record at `cause` changed an actor or a domain, whose posts are to be decided again; `seen` had been read before.
    pub fn add(&mut self, change: AuthorChange, of: &str, cause: LogPos, seen: &Offsets) {
        // Whether an author is local matters to the public feeds alone: a change of that does not invalidate every cursor.
        if change == AuthorChange::Moderation {
            note(Arc::make_mut(&mut self.author_changes), cause, seen);
        }
        self.todo.push_back(PendingReevaluation {
            change,
            of: of.to_owned(),
            cause,
            from: PostId::MIN,
        });
    }

    /// Decides again about who could see some posts: at once if they are few, as mostly there are none.
    pub fn renamed(
        &mut self,
        store: &Store,
        graph: &Graph,
        renamed: Renamed,
    ) -> Result<(), DiskError> {
        let ids = store.addressed_to(&renamed.author, &renamed.collections)?;
        if ids.len() <= POSTS_STEP {
            for id in ids {
                decide_visibility_again(store, graph, &mut self.boosts, id, renamed.cause)?;
            }
            return Ok(());
        }
        // The first may have been begun without them.
        let mut waiting = self.renamed.iter_mut().skip(1);
        let is_same = |there: &&mut Renamed| {
            there.author == renamed.author && there.cause.is_beside(renamed.cause)
        };
        match waiting.find(is_same) {
            Some(there) => {
                there.cause = there.cause.min(renamed.cause);
                there.collections.extend(renamed.collections);
            }
            None => self.renamed.push_back(renamed),
        }
        Ok(())
    }

    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        self.are_authors_done() && self.boosts.is_done()
    }

    /// Whether no change of authors is waiting.
    pub fn are_authors_done(&self) -> bool {
        self.todo.is_empty() && self.renamed.is_empty()
    }

    /// Whether all that was read is carried out, but for edits that bring no entry and take none out.
    pub fn is_all_told(&self) -> bool {
        self.are_authors_done() && !self.boosts.is_changing()
    }

    /// Whether a slice would look through what is stored: not while that is rewritten, or it would pass over some.
    pub fn scans(&self) -> bool {
        let next = self.todo.front().filter(|_| self.renamed.is_empty());
        next.is_some_and(|todo| !todo.of.contains('/'))
    }

    /// What is left to do, for the next checkpoint.
    pub fn left(&self) -> Unfinished {
        Unfinished {
            todo: self.todo.iter().cloned().collect(),
            author_changes: Vec::clone(&self.author_changes),
            renamed: self.renamed.iter().cloned().collect(),
            edited: self.boosts.edited(),
            changed: self.boosts.changed(),
        }
    }

    /// What was said, oldest first.
    pub fn author_changes(&self) -> Arc<Vec<AuthorChangeMark>> {
        Arc::clone(&self.author_changes)
    }

    /// `seen` minus records still being applied, so that readers receive the rest of their effect later.
    pub fn told(&self, seen: &Arc<Offsets>) -> Arc<Offsets> {
        if self.is_all_told() {
            return Arc::clone(seen);
        }
        let mut told = Offsets::clone(seen);
        let todo = self.todo.iter().map(|todo| todo.cause);
        let renamed = self.renamed.iter().map(|renamed| renamed.cause);
        for cause in todo.chain(renamed).chain(self.boosts.untold()) {
            told.lower(cause.position());
        }
        Arc::new(told)
    }

    /// Does a slice of the work for changes of authors; a little is done at once. Returns how many posts were decided.
    pub fn step(&mut self, store: &Store, graph: &Graph) -> Result<usize, DiskError> {
        if let Some(renamed) = self.renamed.front() {
            let addressed = match &mut self.addressed {
                Some(addressed) => addressed,
                none => none.insert(newest_first(
                    store.addressed_to(&renamed.author, &renamed.collections)?,
                )),
            };
            let slice: Vec<PostId> = addressed
                .drain(addressed.len().saturating_sub(POSTS_STEP)..)
                .collect();
            for id in &slice {
                let cause = renamed.cause;
                decide_visibility_again(store, graph, &mut self.boosts, *id, cause)?;
            }
            if addressed.is_empty() {
                self.renamed.pop_front();
                self.addressed = None;
            }
            return Ok(slice.len());
        }
        let mut decided = 0;
        while let Some(todo) = self.todo.front_mut() {
            let is_actor = todo.of.contains('/');
            let listed = match &mut self.listed {
                Some(listed) => listed,
                none => none.insert(listed(store, todo, is_actor)?),
            };
            for id in listed.drain(listed.len().saturating_sub(POSTS_STEP)..) {
                decided += decide_again(store, graph, &mut self.boosts, id, todo)?;
            }
            if !listed.is_empty() || (!is_actor && 0 < decided) {
                return Ok(decided);
            }
            if !is_actor {
                let (posts, next) = store.stored_posts(todo.from, BLOCKS_STEP)?;
                for post in posts {
                    if is_meant(&todo.of, &post.body.author, &post.origin) {
                        decided += decide_again(store, graph, &mut self.boosts, post.id, todo)?;
                    }
                }
                if let Some(next) = next {
                    todo.from = next;
                    return Ok(decided);
                }
            }
            self.todo.pop_front();
            self.listed = None;
            if POSTS_STEP <= decided {
                break;
            }
        }
        Ok(decided)
    }
}

/// Notes a change of an author. One that is noted already keeps its first offsets. Changes without a record between them become one, and
/// of too many the oldest two do.
fn note(author_changes: &mut Vec<AuthorChangeMark>, log_pos: LogPos, seen: &Offsets) {
    let is_known =
        |there: &AuthorChangeMark| there.log_pos.is_beside(log_pos) && log_pos <= there.log_pos;
    if author_changes.iter().any(is_known) {
        return;
    }
    let with_mark = |seen: &Offsets| {
        let mut seen = seen.clone();
        seen.raise(log_pos.next());
        seen
    };
    let seen = with_mark(seen);
    if let Some(last) = author_changes.last_mut()
        && last.log_pos.is_beside(log_pos)
        && with_mark(&last.seen) == seen
    {
        *last = AuthorChangeMark { log_pos, seen };
        return;
    }
    author_changes.push(AuthorChangeMark { log_pos, seen });
    if SPOKEN_MAX < author_changes.len() {
        let oldest = author_changes.remove(0);
        if let Some(next) = author_changes.first_mut() {
            next.seen = oldest.seen;
        }
    }
}

fn listed(
    store: &Store,
    todo: &PendingReevaluation,
    is_actor: bool,
) -> Result<Vec<PostId>, DiskError> {
    let ids: Vec<PostId> = if is_actor {
        store.list(Index::Author, &todo.of)?
    } else {
        store.ids_in_memory(|post| is_meant(&todo.of, &post.body.author, &post.origin))
    };
    Ok(newest_first(ids))
}

fn newest_first(mut ids: Vec<PostId>) -> Vec<PostId> {
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids
}

/// Decides who could see a post by the documents of its author that are known now, and so which feeds it is in.
fn decide_visibility_again(
    store: &Store,
    graph: &Graph,
    boosts: &mut BoostBacklog,
    id: PostId,
    cause: LogPos,
) -> Result<(), DiskError> {
    let Some(post) = store.post(id)?.filter(|post| post.state == State::Whole) else {
        return Ok(());
    };
    let known = store.followers(&post.body.author)?;
    let mut body = post.body.clone();
    let document = followers::decide(&mut body, known.as_deref(), post.made);
    let is_same = body.visibility == post.body.visibility && document == post.document;
    // One that rests on a document may be stored as it is while feeds are not.
    if is_same && document.is_none() {
        return Ok(());
    }
    let post = if is_same {
        post
    } else {
        store.put_post(Post {
            body,
            document,
            ..Post::clone(&post)
        })
    };
    let original = original_of(store, &post)?;
    fan_out(
        store,
        graph,
        &post,
        original.as_deref(),
        PostChange::Changed,
        cause,
    )?;
    boosts.change(store, graph, &post, PostChange::Changed, cause)
}

fn decide_again(
    store: &Store,
    graph: &Graph,
    boosts: &mut BoostBacklog,
    id: PostId,
    todo: &PendingReevaluation,
) -> Result<usize, DiskError> {
    let is_whole = |post: &Arc<Post>| post.state == State::Whole;
    let Some(post) = store.post(id)?.filter(is_whole) else {
        return Ok(0);
    };
    let cause = todo.cause;
    if todo.change == AuthorChange::Locality {
        fan_out_in_public(store, graph, &post, cause)?;
        return Ok(1);
    }
    let original = original_of(store, &post)?;
    let original = original.as_deref();
    fan_out(store, graph, &post, original, PostChange::Changed, cause)?;
    boosts.change(store, graph, &post, PostChange::Changed, cause)?;
    Ok(1)
}
