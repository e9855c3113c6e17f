//! A cache of entries as JSON text: each is written once for all its readers.

use super::entry::Entry;
use super::entry_json::render;
use super::send_budget::SendBudget;
use super::single_flight::SingleFlight;
use slackwater_engine::feed::post::Post;
use slackwater_engine::view::change_batch::WriteEntry;
use slackwater_order::place::PostId;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The most bytes of text kept, beside what readers have. A post is read by its readers within moments: a few seconds' worth
/// is enough.
const BYTES_MAX: u64 = 16 << 20;
/// About how many bytes an entry has.
const ENTRY_BYTES: usize = 3 << 10;

/// The texts of entries lately sent.
#[derive(Debug)]
pub struct EntryCache {
    texts: SingleFlight<Key, CachedEntry>,
    /// Those of all kinds that are on their way to readers.
    pub send_budget: Arc<SendBudget>,
}

/// A post, and where it and what it boosts are in memory: one that changed is another there, and what is remembered here is
/// not let go of.
type Key = (PostId, usize, usize);

/// An entry as text.
#[derive(Debug)]
pub struct CachedEntry {
    /// The post it shows.
    pub post: Arc<Post>,
    /// The post that it boosts.
    pub original: Option<Arc<Post>>,
    /// An [`Entry`] as JSON text.
    pub json: Utf8Bytes,
}

impl Default for EntryCache {
    fn default() -> EntryCache {
        let weight = |_: &Key, encoding: &Arc<CachedEntry>| {
            let posts = [Some(&encoding.post), encoding.original.as_ref()];
            let posts = posts.into_iter().flatten().map(|post| post.weight());
            posts.sum::<usize>() + encoding.json.len()
        };
        EntryCache {
            texts: SingleFlight::new(BYTES_MAX, ENTRY_BYTES, weight),
            send_budget: Arc::default(),
        }
    }
}

impl WriteEntry for EntryCache {
    type Entry = Arc<CachedEntry>;

    fn write(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Arc<CachedEntry> {
        self.entry(post, original)
    }

    fn bytes(entry: &Arc<CachedEntry>) -> usize {
        entry.json.len()
    }
}

impl EntryCache {
    /// A post, and the post that it boosts, as an entry.
    pub fn entry(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Arc<CachedEntry> {
        let place = |post: &Arc<Post>| Arc::as_ptr(post) as usize;
        let key = (post.id, place(&post), original.as_ref().map_or(0, place));
        let made = self.texts.get_or_make(&key, || {
            let mut json = String::with_capacity(ENTRY_BYTES);
            render(&Entry::new(&post, original.as_deref()), &mut json);
            json.shrink_to_fit();
            Ok::<_, Infallible>(Arc::new(CachedEntry {
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
    use crate::example;

    use slackwater_order::time::Time;

    #[test]
    fn what_changed_is_written_again_and_nothing_else_is() {
        let entry_cache = EntryCache::default();
        let post = Arc::new(example::post("https://a.example/users/ana"));
        let first = entry_cache.entry(Arc::clone(&post), None);
        assert_eq!(
            serde_json::to_string(&Entry::new(&post, None)).unwrap(),
            first.json.as_str()
        );
        let again = entry_cache.entry(Arc::clone(&post), None);
        assert!(Arc::ptr_eq(&first, &again));

        let mut edited = Post::clone(&post);
        edited.edited = Some(Time::from_millis(1));
        let edited = Arc::new(edited);
        let after = entry_cache.entry(Arc::clone(&edited), None);
        assert_ne!(after.json, first.json);
        let original = Arc::clone(&post);
        assert!(!Arc::ptr_eq(
            &after,
            &entry_cache.entry(edited, Some(original))
        ));
    }
}
