//! A row that is deleted, or gone, into the activity that takes it back.

use super::MappedActivity;
use super::rows::AccountRow;
use super::uris::Instance;
use serde_json::json;
use slackwater_order::time::Time;

/// What is known of a post that is deleted or whose row is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedPost {
    /// Mastodon's id.
    pub id: i64,
    /// The post's id, if it had one.
    pub uri: Option<String>,
    /// Whether it was a boost.
    pub is_boost: bool,
    /// Its author.
    pub account: AccountRow,
    /// Whether it was marked as deleted: else Mastodon only forgot it, as its retention of remote posts does.
    pub is_deleted: bool,
}

/// A `Delete`, or an `Undo` of a boost, of a post that was noted as removed at this time.
pub fn of_post(post: &RemovedPost, at: Time, instance: &Instance) -> MappedActivity {
    let actor = instance.actor(&post.account);
    let uri = instance.post(post.id, post.uri.as_deref(), post.is_boost, &post.account);
    let is_forgotten = !post.is_deleted;
    // A boost that is only forgotten is one post less, and not taken back: it may be fetched again.
    let activity = match post.is_boost && post.is_deleted {
        true => json!({
            "type": "Undo", "id": format!("{uri}#undo"), "actor": actor,
            "object": {"type": "Announce", "id": uri, "actor": actor}
        }),
        false => {
            json!({"type": "Delete", "id": format!("{uri}#delete"), "actor": actor, "object": uri})
        }
    };
    MappedActivity {
        activity,
        // By it the post that is meant is told from one that may come under its URI later.
        post_ref: Some(post.id),
        author_ref: None,
        arrived: at,
        is_fetched: false,
        is_forgotten,
    }
}

/// A `Delete` of an account whose row is gone, and with it of all it wrote. Mastodon removes rows of accounts that are still there, too,
/// and looks them up again: so it is only forgotten.
pub fn of_account(account: &AccountRow, at: Time, instance: &Instance) -> MappedActivity {
    let actor = instance.actor(account);
    MappedActivity {
        activity: json!({"type": "Delete", "id": format!("{actor}#delete"), "actor": actor, "object": actor}),
        post_ref: None,
        author_ref: None,
        arrived: at,
        is_fetched: false,
        is_forgotten: true,
    }
}
