//! Entries as JSON text, each written once for all who are told of it. Pure.

use super::change_batch::WriteEntry;
use super::entry::Entry;
use super::once::Once;
use super::outbound::Outbound;
use super::rendering::render;
use crate::feed::kept::Post;
use slackwater_order::place::PostId;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The most bytes of text kept, beside what readers have. A post is read by its readers within moments: a few seconds' worth
/// is enough.
const BYTES_MAX: u64 = 16 << 20;
/// About how many bytes an entry has.
const ENTRY_BYTES: usize = 3 << 10;

/// The texts of entries lately told.
#[derive(Debug)]
pub struct Encoded {
    texts: Once<Key, Encoding>,
    /// Those of all kinds that are on their way to readers.
    pub outbound: Arc<Outbound>,
}

/// A post, and where it and what it boosts are in memory: one that changed is another there, and what is remembered here is
/// not let go of.
type Key = (PostId, usize, usize);

/// One entry as text.
#[derive(Debug)]
pub struct Encoding {
    /// The post it shows.
    pub post: Arc<Post>,
    /// What that boosts.
    pub original: Option<Arc<Post>>,
    /// An [`Entry`] as JSON text.
    pub json: Utf8Bytes,
}

impl Default for Encoded {
    fn default() -> Encoded {
        let weight = |_: &Key, encoding: &Arc<Encoding>| {
            let posts = [Some(&encoding.post), encoding.original.as_ref()];
            let posts = posts.into_iter().flatten().map(|post| post.weight());
            posts.sum::<usize>() + encoding.json.len()
        };
        Encoded {
            texts: Once::new(BYTES_MAX, ENTRY_BYTES, weight),
            outbound: Arc::default(),
        }
    }
}

impl WriteEntry for Encoded {
    type Entry = Arc<Encoding>;

    fn write(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Arc<Encoding> {
        self.entry(post, original)
    }

    fn bytes(entry: &Arc<Encoding>) -> usize {
        entry.json.len()
    }
}

impl Encoded {
    /// A post, and what it boosts, as an entry.
    pub fn entry(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Arc<Encoding> {
        let place = |post: &Arc<Post>| Arc::as_ptr(post) as usize;
        let key = (post.id, place(&post), original.as_ref().map_or(0, place));
        let made = self.texts.get_or_make(&key, || {
            let mut json = String::with_capacity(ENTRY_BYTES);
            render(&Entry::new(&post, original.as_deref()), &mut json);
            json.shrink_to_fit();
            Ok::<_, Infallible>(Arc::new(Encoding {
                post,
                original,
                json: json.into(),
            }))
        });
        let Ok(made) = made;
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::kept::example;

    use slackwater_order::time::Time;

    #[test]
    fn what_changed_is_written_again_and_nothing_else_is() {
        let encoded = Encoded::default();
        let post = Arc::new(example::post("https://a.example/users/ana"));
        let first = encoded.entry(Arc::clone(&post), None);
        assert_eq!(
            serde_json::to_string(&Entry::new(&post, None)).unwrap(),
            first.json.as_str()
        );
        let again = encoded.entry(Arc::clone(&post), None);
        assert!(Arc::ptr_eq(&first, &again));

        let mut edited = Post::clone(&post);
        edited.edited = Some(Time::from_millis(1));
        let edited = Arc::new(edited);
        let after = encoded.entry(Arc::clone(&edited), None);
        assert_ne!(after.json, first.json);
        let original = Arc::clone(&post);
        assert!(!Arc::ptr_eq(&after, &encoded.entry(edited, Some(original))));
    }
}
