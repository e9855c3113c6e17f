//! Posts decided again because something was said of their authors: the instance limits or suspends them or their domain,
//! or they became local. A domain may have written millions, so it is done in slices between batches.

use super::disk::DiskError;
use super::fan_out::{Fate, fan_out, fan_out_boosts, fan_out_in_public, original_of};
use super::kept::{Post, State};
use super::store::{Index, Store};
use crate::graph::Graph;
use crate::graph::standing::is_meant;
use crate::order::place::PostId;
use crate::post::mark::{Mark, Seen};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Posts decided in one slice: some milliseconds, with a thousand followers each.
const POSTS_STEP: usize = 200;
/// Blocks of posts looked through in one slice.
const BLOCKS_STEP: usize = 64;

/// Things said of authors that are remembered one by one.
const SPOKEN_MAX: usize = 64;

/// What was said of authors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// How the instance stands to them: any feed may gain or lose their posts.
    Standing,
    /// That they are local now, or not any more: only the public feeds ask that.
    Locality,
}

/// Whose posts are to be decided again, and how far that has got. Stored with the offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Todo {
    /// What was said.
    said: Said,
    /// An actor id, or a domain: then all who write there or below.
    of: String,
    /// The record that calls for it.
    because: Mark,
    /// Posts on disk below this are done.
    from: PostId,
}

/// Something that was said of authors. A post of theirs that came later may have entered no feed for it, and so never have
/// left one: on a node that read the post first it did enter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// The record that said so.
    pub mark: Mark,
    /// What this node had read by then, that record included. What a cursor saw beyond this, and lacks the record, may have
    /// to leave without being listed.
    pub seen: Seen,
}

/// What is to be done, and what was said, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    todo: Vec<Todo>,
    spoken: Vec<Spoken>,
}

/// What is to be done, oldest first.
#[derive(Debug, Default)]
pub struct Again {
    todo: VecDeque<Todo>,
    /// What was said, oldest first.
    spoken: Arc<Vec<Spoken>>,
    /// Of the first: an actor's posts, or those of a domain that were in memory alone when it began; highest first, as
    /// far as they are not done.
    listed: Option<Vec<PostId>>,
}

impl Again {
    /// With what was left to do when the process ended.
    pub fn new(left: Left) -> Again {
        Again {
            todo: left.todo.into(),
            spoken: Arc::new(left.spoken),
            listed: None,
        }
    }

    /// The posts of an actor or a domain are to be decided again, says the record at `because`; `seen` had been read before.
    pub fn add(&mut self, said: Said, of: &str, because: Mark, seen: &Seen) {
        // Of where an author lives only the public feeds ask: what they lose for it is not held against every cursor.
        if said == Said::Standing {
            note(Arc::make_mut(&mut self.spoken), because, seen);
        }
        self.todo.push_back(Todo {
            said,
            of: of.to_owned(),
            because,
            from: PostId::MIN,
        });
    }

    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        self.todo.is_empty()
    }

    /// Whether a slice would look through what is stored: not while that is rewritten, or it would pass over some.
    pub fn scans(&self) -> bool {
        let next = self.todo.front();
        next.is_some_and(|todo| !todo.of.contains('/'))
    }

    /// What is left to do, for the next checkpoint.
    pub fn left(&self) -> Left {
        Left {
            todo: self.todo.iter().cloned().collect(),
            spoken: Vec::clone(&self.spoken),
        }
    }

    /// What was said, oldest first.
    pub fn spoken(&self) -> Arc<Vec<Spoken>> {
        Arc::clone(&self.spoken)
    }

    /// `seen` without the records that are not carried out yet: who is told of what they did so far will be told of the
    /// rest.
    pub fn told(&self, seen: &Arc<Seen>) -> Arc<Seen> {
        if self.todo.is_empty() {
            return Arc::clone(seen);
        }
        let mut told = Seen::clone(seen);
        for todo in &self.todo {
            told.lower(todo.because.position());
        }
        Arc::new(told)
    }

    /// Does a slice of it; what is little is done at once. Returns how many posts were decided.
    pub fn step(&mut self, store: &Store, graph: &Graph) -> Result<usize, DiskError> {
        let mut decided = 0;
        while let Some(todo) = self.todo.front_mut() {
            let is_actor = todo.of.contains('/');
            let listed = match &mut self.listed {
                Some(listed) => listed,
                none => none.insert(listed(store, todo, is_actor)?),
            };
            for id in listed.drain(listed.len().saturating_sub(POSTS_STEP)..) {
                decided += decide_again(store, graph, id, todo)?;
            }
            if !listed.is_empty() || (!is_actor && 0 < decided) {
                return Ok(decided);
            }
            if !is_actor {
                let (posts, next) = store.stored_posts(todo.from, BLOCKS_STEP)?;
                for post in posts {
                    if is_meant(&todo.of, &post.body.author, &post.origin) {
                        decided += decide_again(store, graph, post.id, todo)?;
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

/// One that is known already keeps what had been seen at first. Those between which nothing else was read are one; and of too
/// many the oldest two become one.
fn note(spoken: &mut Vec<Spoken>, mark: Mark, seen: &Seen) {
    let is_known = |there: &Spoken| there.mark.is_beside(mark) && mark <= there.mark;
    if spoken.iter().any(is_known) {
        return;
    }
    let with_mark = |seen: &Seen| {
        let mut seen = seen.clone();
        seen.raise(mark.next());
        seen
    };
    let seen = with_mark(seen);
    if let Some(last) = spoken.last_mut()
        && last.mark.is_beside(mark)
        && with_mark(&last.seen) == seen
    {
        *last = Spoken { mark, seen };
        return;
    }
    spoken.push(Spoken { mark, seen });
    if SPOKEN_MAX < spoken.len() {
        let oldest = spoken.remove(0);
        if let Some(next) = spoken.first_mut() {
            next.seen = oldest.seen;
        }
    }
}

fn listed(store: &Store, todo: &Todo, is_actor: bool) -> Result<Vec<PostId>, DiskError> {
    let mut ids: Vec<PostId> = if is_actor {
        let ids = store.list(Index::Author, &todo.of)?;
        ids.into_iter().filter_map(PostId::from_number).collect()
    } else {
        store.ids_in_memory(|post| is_meant(&todo.of, &post.body.author, &post.origin))
    };
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(ids)
}

fn decide_again(store: &Store, graph: &Graph, id: PostId, todo: &Todo) -> Result<usize, DiskError> {
    let is_whole = |post: &Arc<Post>| post.state == State::Whole;
    let Some(post) = store.post(id)?.filter(is_whole) else {
        return Ok(0);
    };
    let because = todo.because;
    if todo.said == Said::Locality {
        fan_out_in_public(store, graph, &post, because)?;
        return Ok(1);
    }
    let original = original_of(store, &post)?;
    let original = original.as_deref();
    fan_out(store, graph, &post, original, Fate::Changed, because)?;
    fan_out_boosts(store, graph, &post, Fate::Changed, because)?;
    Ok(1)
}
