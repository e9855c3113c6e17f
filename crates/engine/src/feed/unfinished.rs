//! What records call for and is not done yet, as a checkpoint stores it. Pure.

use crate::record::offsets::{LogPos, Offsets};
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;

/// How authors changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthorChange {
    /// How the instance stands to them: any feed may gain or lose their posts.
    Moderation,
    /// That they are local now, or not any more: only the public feeds ask that.
    Locality,
}

/// Authors whose posts are to be decided again, and how far that has got. Stored with the offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingReevaluation {
    /// What changed.
    pub(super) change: AuthorChange,
    /// An actor id, or a domain: then all authors there or below.
    pub(super) of: String,
    /// The record that calls for it.
    pub(super) cause: LogPos,
    /// Posts on disk below this are done.
    pub(super) from: PostId,
}

/// A document of an author named a collection as their followers: who could see the posts of theirs that are addressed to one
/// of these collections is to be decided again. Stored with the offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// The author's id.
    pub author: String,
    /// The collections.
    pub collections: Vec<String>,
    /// The record that calls for it.
    pub cause: LogPos,
}

/// A change of authors. A post of theirs that was read after it never enters a feed here, so no removal is recorded; on a node
/// that read the post first it entered and left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorChangeMark {
    /// The record of the change.
    pub log_pos: LogPos,
    /// What this node had read by then, that record included. What a cursor saw beyond this, and lacks the record, may have
    /// to leave without being listed.
    pub seen: Offsets,
}

/// The work that is left, and the changes of authors, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    pub(super) todo: Vec<PendingReevaluation>,
    pub(super) author_changes: Vec<AuthorChangeMark>,
    pub(super) renamed: Vec<Renamed>,
    pub(super) edited: Vec<Edited>,
    /// Stored behind all the rest, so that folders that were written without them are read as ever.
    #[serde(skip)]
    pub(super) changed: Vec<Changed>,
}

/// A post that was edited, and the newest record that did. Stored with the offsets, while feeds lack it.
pub type Edited = (PostId, LogPos);

/// A post that changed so that boosts of it enter feeds or leave them, which is not carried out in all feeds yet.
/// Stored with the offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub(super) post: PostId,
    /// The first record that calls for it: no cursor has it, or any later one of its partition.
    pub(super) first: LogPos,
    /// The newest beside that.
    pub(super) newest: LogPos,
    /// Whether the post came after boosts of it: boosts that were removed by then were not known to be of this post.
    pub(super) came: bool,
}
