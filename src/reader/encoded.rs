//! Entries as JSON text, each written once for all who are told of it. Pure.

use super::entry::Entry;
use super::rendering::render;
use crate::feed::kept::Post;
use crate::order::place::PostId;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// The most bytes of text kept. A post is read by its readers within moments: a few seconds' worth is enough.
const BYTES_MAX: u64 = 16 << 20;
/// About how many bytes an entry has.
const ENTRY_BYTES: usize = 3 << 10;

/// The texts of entries lately told.
#[derive(Debug)]
pub struct Encoded {
    texts: Cache<PostId, Arc<Encoding>, Weight>,
}

/// One entry as text.
#[derive(Debug)]
pub struct Encoding {
    /// The post it shows.
    pub post: Arc<Post>,
    /// What that boosts.
    pub original: Option<Arc<Post>>,
    /// An [`Entry`] as JSON text.
    pub json: String,
}

#[derive(Clone, Debug)]
struct Weight;

impl quick_cache::Weighter<PostId, Arc<Encoding>> for Weight {
    fn weight(&self, _: &PostId, encoding: &Arc<Encoding>) -> u64 {
        let original = encoding.original.as_ref().map_or(0, |post| post.weight());
        let posts = encoding.post.weight() + original;
        u64::try_from(encoding.json.len() + posts).unwrap_or(u64::MAX)
    }
}

impl Default for Encoded {
    fn default() -> Encoded {
        let items = usize::try_from(BYTES_MAX).unwrap_or(usize::MAX) / ENTRY_BYTES;
        Encoded {
            texts: Cache::with_weighter(items, BYTES_MAX, Weight),
        }
    }
}

impl Encoded {
    /// A post, and what it boosts, as an entry.
    pub fn entry(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Arc<Encoding> {
        // A post that changed is another one in memory, and what is remembered here is not let go of.
        let is_same = |there: &Encoding| {
            let is_same_original = match (&there.original, &original) {
                (Some(there), Some(now)) => Arc::ptr_eq(there, now),
                (there, now) => there.is_none() && now.is_none(),
            };
            is_same_original && Arc::ptr_eq(&there.post, &post)
        };
        let id = post.id;
        if let Some(there) = self.texts.get(&id).filter(|there| is_same(there)) {
            return there;
        }
        let mut json = String::with_capacity(ENTRY_BYTES);
        render(&Entry::new(&post, original.as_deref()), &mut json);
        json.shrink_to_fit();
        let encoding = Arc::new(Encoding {
            post,
            original,
            json,
        });
        self.texts.insert(id, Arc::clone(&encoding));
        encoding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::kept::example;

    use crate::time::Time;

    #[test]
    fn what_changed_is_written_again_and_nothing_else_is() {
        let encoded = Encoded::default();
        let post = Arc::new(example::post("https://a.example/users/ana"));
        let first = encoded.entry(Arc::clone(&post), None);
        assert_eq!(
            serde_json::to_string(&Entry::new(&post, None)).unwrap(),
            first.json
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
