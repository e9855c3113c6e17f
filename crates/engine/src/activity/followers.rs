//! The collection of an author's followers: the ids that may be it, and how they are compared. Pure.
//!
//! Many servers name it otherwise than `<actor>/followers`, so only the actor's own document decides it, and only for that
//! actor's posts. No look-up leads from a collection to an actor: otherwise one actor's document could decide who sees
//! another actor's posts.

use crate::activity::PostContent;
use crate::activity::Visibility;
use crate::activity::id;
use crate::activity::object::is_public;
use std::collections::HashSet;

/// The most ids that a post is addressed to of which one may be its author's followers collection; those after them are taken
/// for people. What the post itself says is that collection comes first.
pub const COLLECTIONS_MAX: usize = 16;

/// Up to this many, looking through a list is quicker than a hash of it.
const FEW: usize = 16;

/// What is taken for the followers collection of an author whose document is not known.
pub fn by_convention(author: &str) -> String {
    format!("{}/followers", compared(author))
}

/// The collection that an author's document names, as it is compared; none if it cannot be that of their followers: it is on
/// another host, or the author, or everybody.
pub fn named(author: &str, collection: &str) -> Option<String> {
    may_be(author, collection).then(|| compared(collection).to_owned())
}

/// An id as it is compared here: without a slash at the end, which Threads has.
pub(super) fn compared(id: &str) -> &str {
    id.trim_end_matches('/')
}

/// Whether an id that a post is addressed to may be its author's followers collection.
pub(super) fn may_be(author: &str, id: &str) -> bool {
    !is_public(id) && compared(id) != compared(author) && id::same_origin(author, id)
}

/// The visibility of a post that is neither public nor unlisted, by the other ids it is addressed to, the people it mentions,
/// and the ids among them that may be its author's followers collection.
pub(super) fn closed(
    addressed: &[String],
    mentions: &[String],
    collections: &[String],
    is_followers: impl Fn(&str) -> bool,
) -> Visibility {
    if collections.iter().any(|id| is_followers(id)) {
        Visibility::Private
    } else if collections.is_empty() && is_within(addressed, mentions) {
        Visibility::Direct
    } else {
        Visibility::Limited
    }
}

impl PostContent {
    /// Recomputes the visibility, where it depends on which collections are its author's followers.
    pub fn decide_visibility(&mut self, is_followers: impl Fn(&str) -> bool) {
        if !matches!(self.visibility, Visibility::Public | Visibility::Unlisted) {
            let (addressed, mentions) = (&self.addressed, &self.mentions);
            self.visibility = closed(addressed, mentions, &self.collections, is_followers);
        }
    }
}

fn is_within(some: &[String], all: &[String]) -> bool {
    if all.len() <= FEW {
        return some.iter().all(|one| all.contains(one));
    }
    let all: HashSet<&String> = all.iter().collect();
    some.iter().all(|one| all.contains(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_followers_collection_is_on_its_authors_host_and_neither_the_author_nor_everybody() {
        const VIC: &str = "https://fr.example/profile/vic";
        for (collection, expected) in [
            (
                "https://fr.example/followers/vic",
                Some("https://fr.example/followers/vic"),
            ),
            (
                "https://www.fr.example/followers/vic/",
                Some("https://www.fr.example/followers/vic"),
            ),
            ("https://other.example/followers/vic", None),
            ("https://fr.example.evil.example/followers/vic", None),
            (VIC, None),
            ("https://fr.example/profile/vic/", None),
            ("as:Public", None),
            ("Public", None),
            ("acct:vic@fr.example", None),
        ] {
            assert_eq!(named(VIC, collection).as_deref(), expected, "{collection}");
        }
        // Not even for an author who lives where everybody does.
        let everybody = "https://www.w3.org/ns/activitystreams#Public";
        assert_eq!(named("https://www.w3.org/people/tim", everybody), None);
    }
}
