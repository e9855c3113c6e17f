//! A post with what it boosts, as an entry shows it.

use crate::feed::fan_out::original_of;
use crate::feed::post::{Post, State};
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use slackwater_order::place::PostId;
use std::sync::Arc;

/// Whether a post belongs in a feed, given the post that it boosts.
pub type FeedFilter<'a> = dyn Fn(&Post, Option<&Post>) -> bool + 'a;

/// A post and the post that it boosts; none if one of them is gone or only a stub is left.
pub fn post_with_original(store: &Store, id: PostId) -> Result<Option<WithOriginal>, DiskError> {
    let Some(post) = store.post(id)?.filter(|post| post.state == State::Whole) else {
        return Ok(None);
    };
    let original = original_of(store, &post)?;
    let is_shown = |original: &Arc<Post>| original.state == State::Whole;
    if post.body.boost_of.is_some() && !original.as_ref().is_some_and(is_shown) {
        return Ok(None);
    }
    Ok(Some((post, original)))
}

/// A post and the post that it boosts.
pub type WithOriginal = (Arc<Post>, Option<Arc<Post>>);
