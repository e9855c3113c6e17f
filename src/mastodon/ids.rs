//! The ids that clients see: places, or the backend's own.

use schemars::JsonSchema;
use serde::Deserialize;
use slackwater_engine::feed::post::Post;
use xxhash_rust::xxh3::xxh3_64;

/// Whose ids clients of Mastodon's API see.
// The text of these comments stands in the configuration's schema. Places are good for reading: a status's id is its place, an
// account's is made of the actor's id. A client that answers or favourites needs the backend's, and what has none is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ids {
    /// Ours.
    #[default]
    Place,
    /// The backend's, as it gave them with each post.
    Ref,
}

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
