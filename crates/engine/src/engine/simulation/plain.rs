//! Entries as simulated readers have them: all that the API shows of a post but its verdict, since nodes with other windows come
//! to others.

use crate::feed::post::Post;
use crate::view::change_batch::WriteEntry;
use std::sync::Arc;

/// Writes entries as lines of text that begin with the entry's id and the uri of its post.
pub(in crate::engine) struct Plain;

impl WriteEntry for Plain {
    type Entry = Arc<str>;

    fn write(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Arc<str> {
        let of = |post: &Post| {
            let body = &post.body;
            format!(
                "{} {} {:?} {:?} {} {} {:?} {} {:?} {:?} {:?} {:?} {}",
                post.id,
                body.uri,
                post.post_ref,
                post.author_ref,
                body.author,
                post.origin,
                body.published,
                post.arrived.millis(),
                post.placed_by,
                body.visibility,
                body.in_reply_to,
                post.edited,
                body.object.get(),
            )
        };
        let original = original.map(|original| of(&original));
        format!("{} boosts {original:?}", of(&post)).into()
    }

    fn bytes(entry: &Arc<str>) -> usize {
        entry.len()
    }
}
