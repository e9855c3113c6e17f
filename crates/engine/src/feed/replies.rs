//! What answers a post: the replies that waited for it, or that its author's end concerns, through the threads below.

use crate::activity::PostContent;
use crate::feed::fan_out::{PostChange, fan_out, original_of};
use crate::feed::post::{Post, State};
use crate::feed::reply_resolution::resolve;
use crate::feed::reply_target::{ReplyResolution, ReplyTarget};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{Index, Store};
use crate::graph::Graph;
use hashbrown::HashSet;
use slackwater_order::place::PostId;
use std::sync::Arc;

/// Whom a post answers, as far as its parent is stored.
pub fn answers_of(store: &Store, body: &PostContent) -> Result<ReplyResolution, DiskError> {
    let parent = match &body.in_reply_to {
        Some(parent) => store.post_by_uri(parent)?,
        None => None,
    };
    Ok(resolve(body, parent.as_deref()))
}

/// Which replies are fanned out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyScope {
    /// Those that answer somebody else now, or whose parent was unknown.
    Changed,
    /// All: after a crash a reply may be stored as it is and not be in feeds.
    All,
}

/// Decides again about the replies to `post`, and about the threads their authors spun below them: each answers whom it
/// answers now. Returns how many homes they entered.
pub fn fan_out_replies(
    store: &Store,
    graph: &Graph,
    post: &Post,
    which: ReplyScope,
) -> Result<usize, DiskError> {
    let mut entered = 0;
    // Posts may claim to answer each other in a circle.
    let mut visited: HashSet<PostId> = std::iter::once(post.id).collect();
    let mut above = vec![Arc::new(post.clone())];
    while let Some(parent) = above.pop() {
        for id in store.list(Index::Parent, &parent.body.uri)? {
            let answers = |reply: &Arc<Post>| {
                reply.body.in_reply_to.as_deref() == Some(parent.body.uri.as_str())
            };
            let Some(reply) = store.post(id)?.filter(answers) else {
                continue;
            };
            // Further below, only a reply in its author's own thread depends on what is above it.
            if parent.id != post.id && reply.body.author != parent.body.author {
                continue;
            }
            let before = reply.answers.clone();
            let answers = resolve(&reply.body, Some(&parent));
            if answers == before && which == ReplyScope::Changed {
                continue;
            }
            let reply = store.put_post(Post {
                answers,
                ..Post::clone(&reply)
            });
            if reply.state == State::Whole {
                // No feed has a reply that waited for its parent.
                let change = match (which, before.whom) {
                    (ReplyScope::Changed, ReplyTarget::Unknown) => PostChange::New,
                    _ => PostChange::Changed,
                };
                let original = original_of(store, &reply)?;
                let cause = parent.newest;
                entered += fan_out(store, graph, &reply, original.as_deref(), change, cause)?;
            }
            if visited.insert(reply.id) {
                above.push(reply);
            }
        }
    }
    Ok(entered)
}
