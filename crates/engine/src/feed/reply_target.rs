//! Whom a post answers, and which records say so. Pure.

use crate::record::offsets::LogPos;
use serde::{Deserialize, Serialize};

/// Whom a post answers, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplyTarget {
    /// It is no reply.
    #[default]
    Nobody,
    /// It is a reply, and its parent, or an earlier post of its own author's that leads there, is unknown so far.
    Unknown,
    /// The author of what it answers is gone.
    Gone,
    /// Its own author, and nobody else.
    Themself,
    /// This actor.
    Actor(String),
}

/// Whom a post answers, and the records that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyResolution {
    /// Whom.
    pub whom: ReplyTarget,
    /// The newest record of each partition, of the posts above it, that this depends on.
    pub rests: Vec<LogPos>,
}

impl ReplyResolution {
    /// The actor it answers, if that is somebody else.
    pub fn actor(&self) -> Option<&str> {
        match &self.whom {
            ReplyTarget::Actor(actor) => Some(actor),
            _ => None,
        }
    }
}
