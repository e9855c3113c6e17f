//! What is new since the last checkpoint, except feeds, which have memtables of their own.

use super::keys::ListKey;
use super::posting_list::PostingOp;
use crate::feed::actor::Actor;
use crate::feed::followers::Followers;
use crate::feed::post::Post;
use crate::record::offsets::LogPos;
use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::sync::Arc;

/// What is new since the last checkpoint, except feeds. Of a row that is to be removed: `None`.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    pub(super) posts: HashMap<PostId, Arc<Post>>,
    pub(super) uris: HashMap<u128, Option<PostId>>,
    pub(super) lists: HashMap<ListKey, Vec<PostingOp>>,
    pub(super) removed_posts: HashSet<PostId>,
    pub(super) relations: HashMap<Vec<u8>, Option<Vec<u8>>>,
    pub(super) pending: HashMap<u128, Option<PendingRemoval>>,
    pub(super) origins: HashMap<String, Option<Vec<u8>>>,
    pub(super) actors: HashMap<u128, Option<Arc<Actor>>>,
    pub(super) followers: HashMap<u128, Option<Arc<Followers>>>,
    pub(super) reached: HashMap<Box<str>, Option<Time>>,
    pub(super) last_seen: HashMap<Box<str>, Option<LastSeen>>,
}

/// A deletion or undo that came before the post that it removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRemoval {
    /// The host that sent it; only the author's own may.
    pub host: String,
    /// When it arrived.
    pub arrived: Time,
    /// The record of the removal.
    #[serde(with = "crate::feed::stored_pos")]
    pub at: LogPos,
}

/// When an account was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastSeen {
    /// Then, in log time.
    At(Time),
    /// So long ago that it has no feeds.
    Inactive,
}
