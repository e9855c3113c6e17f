//! What no feed needs any more goes: posts become stubs, stubs, removals and actors are forgotten. Ages are in log time.
//!
//! A sweep over the data folder, in slices between batches: first it marks what feeds hold of the old posts, then it
//! takes out the old posts that are not marked. It begins with a checkpoint, runs in the one thread that changes
//! feeds, and what enters a feed while it is under way is marked as it enters: nothing slips through between slices.

use crate::feed::post::{Post, State};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{Index, Store};
use hashbrown::HashSet;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::time::Duration;

/// Home feeds marked in one step.
const HOMES_STEP: usize = 256;
/// Blocks of posts swept in one step.
const BLOCKS_STEP: usize = 32;
/// Waiting removals looked at in one step.
const REMOVALS_STEP: usize = 4_096;
/// Relations looked at in one step, for those that were removed.
const RELATIONS_STEP: usize = 4_096;
/// Actors looked at in one step: each old one costs a look at the index of its posts.
const ACTORS_STEP: usize = 512;
/// Old posts marked at once. With more, the sweep goes less far and the next one goes on.
const MARKED_MAX: usize = 4_000_000;
/// A sweep begins when this share of the posts' retention has passed since the last.
const SWEEPS_PER_KEEP: u32 = 30;

/// How long things are kept, in log time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Posts that no feed needs.
    pub posts: Duration,
    /// What is left of them afterwards, since they arrived; what is known of their author goes with the last of it, unless
    /// somebody follows them.
    pub stubs: Duration,
    /// Deletions and undos of what has not come, and removals of relations.
    pub removals: Duration,
}

/// The sweep.
#[derive(Debug)]
pub struct Expiry {
    keep: Keep,
    last: Option<Time>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Resting,
    /// Marking what homes hold below `below`; the homes up to key `after` are done.
    Marking {
        log_time: Time,
        below: PostId,
        marked: HashSet<PostId>,
        after: Vec<u8>,
    },
    /// Taking out unmarked posts below `below`; those before `from` are done.
    Sweeping {
        log_time: Time,
        below: PostId,
        marked: HashSet<PostId>,
        from: PostId,
    },
    /// Forgetting removals whose post never came; those up to key `after` are done.
    Forgetting {
        log_time: Time,
        after: Vec<u8>,
    },
    /// Forgetting that relations were removed; those up to key `after` are done.
    Ended {
        log_time: Time,
        after: Vec<u8>,
    },
    /// Forgetting actors of whose posts nothing is left and whom nobody follows; those up to key `after` are done.
    ///
    /// A stub counts: servers send a document when it changes, not with every post, so whoever writes again after a quiet
    /// month could not be shown otherwise. One of whom no post ever came goes when a post that came along would.
    Leaving {
        log_time: Time,
        after: Vec<u8>,
    },
    /// Forgetting which collections the same named as their followers; those up to key `after` are done.
    Unnaming {
        log_time: Time,
        after: Vec<u8>,
    },
}

impl Expiry {
    /// A sweep that has not begun.
    pub fn new(keep: Keep) -> Expiry {
        Expiry {
            keep,
            last: None,
            stage: Stage::Resting,
        }
    }

    /// To be called when a checkpoint has just taken out all that is new: begins a sweep if it is time for one. Its first step
    /// comes when that is written.
    pub fn begin_if_due(&mut self, store: &Store, log_time: Time) {
        let is_due = self
            .last
            .is_none_or(|last| last.plus(self.keep.posts / SWEEPS_PER_KEEP) <= log_time);
        if !is_due || !matches!(self.stage, Stage::Resting) {
            return;
        }
        self.last = Some(log_time);
        // A post stands at or before its arrival, or by a ref little after it: what is old enough stands below this, then or soon.
        let below = PostId::new(log_time.minus(self.keep.posts), 0, 0);
        store.homes.watch_below(below);
        self.stage = Stage::Marking {
            log_time,
            below,
            marked: HashSet::new(),
            after: Vec::new(),
        };
    }

    /// Whether there is nothing to do.
    pub fn is_resting(&self) -> bool {
        matches!(self.stage, Stage::Resting)
    }

    /// Does a slice of the work, if there is any. Returns how many posts it turned into stubs or forgot. `is_followed` says
    /// whether anybody follows the actor with this id.
    pub fn step(
        &mut self,
        store: &Store,
        is_followed: &dyn Fn(&str) -> bool,
    ) -> Result<usize, DiskError> {
        match std::mem::replace(&mut self.stage, Stage::Resting) {
            Stage::Resting => Ok(0),
            Stage::Marking {
                log_time,
                mut below,
                mut marked,
                after,
            } => {
                let (homes, last) = store.stored_homes(&after, HOMES_STEP)?;
                marked.extend(homes.into_iter().flatten().filter(|id| *id < below));
                marked.extend(store.homes.watched());
                if MARKED_MAX < marked.len() {
                    below = shorten(&mut marked);
                    store.homes.watch_below(below);
                }
                self.stage = match last {
                    Some(after) => Stage::Marking {
                        log_time,
                        below,
                        marked,
                        after,
                    },
                    None => Stage::Sweeping {
                        log_time,
                        below,
                        marked,
                        from: PostId::MIN,
                    },
                };
                Ok(0)
            }
            Stage::Sweeping {
                log_time,
                below,
                mut marked,
                from,
            } => {
                marked.extend(store.homes.watched());
                let (posts, next) = store.stored_posts(from, BLOCKS_STEP)?;
                let is_last = posts.last().is_some_and(|last| below <= last.id);
                let mut expired = 0;
                let mut highest = PostId::MIN;
                for post in posts
                    .into_iter()
                    .filter(|post| post.id < below && !marked.contains(&post.id))
                {
                    let id = post.id;
                    if self.expire(store, &marked, log_time, post)? {
                        expired += 1;
                        highest = highest.max(id);
                    }
                }
                store.note_expired_post(highest)?;
                self.stage = match next {
                    Some(from) if !is_last => Stage::Sweeping {
                        log_time,
                        below,
                        marked,
                        from,
                    },
                    _ => {
                        store.homes.watch_below(PostId::MIN);
                        Stage::Forgetting {
                            log_time,
                            after: Vec::new(),
                        }
                    }
                };
                Ok(expired)
            }
            Stage::Forgetting { log_time, after } => {
                let cutoff = log_time.minus(self.keep.removals);
                let last = store.forget_pending_before(cutoff, &after, REMOVALS_STEP)?;
                self.stage = match last {
                    Some(after) => Stage::Forgetting { log_time, after },
                    None => Stage::Ended {
                        log_time,
                        after: Vec::new(),
                    },
                };
                Ok(0)
            }
            Stage::Ended { log_time, after } => {
                let cutoff = log_time.minus(self.keep.removals);
                let last = store.forget_relations_before(cutoff, &after, RELATIONS_STEP)?;
                self.stage = match last {
                    Some(after) => Stage::Ended { log_time, after },
                    None => Stage::Leaving {
                        log_time,
                        after: Vec::new(),
                    },
                };
                Ok(0)
            }
            Stage::Leaving { log_time, after } => {
                let cutoff = log_time.minus(self.keep.posts);
                let last = store.forget_actors_before(cutoff, is_followed, &after, ACTORS_STEP)?;
                self.stage = match last {
                    Some(after) => Stage::Leaving { log_time, after },
                    None => Stage::Unnaming {
                        log_time,
                        after: Vec::new(),
                    },
                };
                Ok(0)
            }
            Stage::Unnaming { log_time, after } => {
                let cutoff = log_time.minus(self.keep.posts);
                let last =
                    store.forget_followers_before(cutoff, is_followed, &after, ACTORS_STEP)?;
                if let Some(after) = last {
                    self.stage = Stage::Unnaming { log_time, after };
                }
                Ok(0)
            }
        }
    }

    /// Whether an unmarked post was old enough to lose something, and lost it.
    fn expire(
        &self,
        store: &Store,
        marked: &HashSet<PostId>,
        log_time: Time,
        mut post: Post,
    ) -> Result<bool, DiskError> {
        // What changed since the last checkpoint is not old, whatever the disk still says.
        if log_time.minus(self.keep.posts) <= post.arrived || store.is_in_memory(post.id) {
            return Ok(false);
        }
        if post.arrived < log_time.minus(self.keep.stubs) {
            store.forget_post(&post)?;
            return Ok(true);
        }
        if post.state != State::Whole
            || is_shown_by_a_boost(store, marked, log_time.minus(self.keep.posts), &post)?
        {
            return Ok(false);
        }
        store.unlist_addressed(&post);
        post.strip(State::Stub);
        store.put_post(post);
        Ok(true)
    }
}

/// Whether a boost of this post is young, or in some feed: then the feed shows the post too.
fn is_shown_by_a_boost(
    store: &Store,
    marked: &HashSet<PostId>,
    cutoff: Time,
    post: &Post,
) -> Result<bool, DiskError> {
    for id in store.list(Index::Original, &post.body.uri)? {
        if marked.contains(&id) {
            return Ok(true);
        }
        let boost = store.post(id)?;
        if boost.is_some_and(|boost| boost.state == State::Whole && cutoff <= boost.arrived) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps the lower half of what is marked; the place below which it is still complete.
fn shorten(marked: &mut HashSet<PostId>) -> PostId {
    let mut ids: Vec<PostId> = marked.drain().collect();
    let middle = ids.len() / 2;
    let (lower, at, _) = ids.select_nth_unstable(middle);
    marked.extend(lower.iter().copied());
    *at
}
