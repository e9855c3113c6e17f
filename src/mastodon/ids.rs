//! The ids that clients see: places, or the backend's own.

use crate::config::Ids;
use slackwater_engine::feed::post::Post;
use xxhash_rust::xxh3::xxh3_64;

/// The id under which clients know a post; none if the backend gave none.
pub fn id_of(ids: Ids, post: &Post) -> Option<String> {
    match ids {
        Ids::Place => Some(post.id.to_string()),
        Ids::Ref => post.post_ref.clone(),
    }
}

/// A number made of an actor's id, for clients that sort ids by length, then text: always positive, always the same.
pub fn number_of(actor: &str) -> u64 {
    // Eighteen or nineteen digits, as the ids of posts have.
    xxh3_64(actor.as_bytes()) >> 1 | 1 << 58
}
