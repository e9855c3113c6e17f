//! The parts of the data folder.

/// The parts of the data folder, each a sled tree.
#[derive(Clone, Copy, Debug)]
pub enum Tree {
    /// Hash of a post's URI -> its id. A hint.
    Uris,
    /// Kind and hash of a URI -> ids of the posts by, answering or boosting it. A hint.
    Lists,
    /// Slot and account -> its home feed.
    Homes,
    /// Slot, account, kind and target -> relation document.
    Relations,
    /// Hash of a URI -> a deletion that came before what it deletes.
    EarlyRemovals,
    /// Host -> what is known of an origin.
    Origins,
    /// Account -> up to when its feeds were shown.
    Reached,
    /// Hash of an actor's id -> what is known of the actor.
    Actors,
    /// Hash of an actor's id -> the collections that its documents named as its followers.
    Followers,
    /// Account -> when it was last seen.
    LastSeen,
    /// What the folder is, and the offsets it reflects.
    Meta,
}

/// Each with the name under which sled keeps it, in the order of [`Tree`].
pub(super) const TREES: [(Tree, &str); 11] = [
    (Tree::Uris, "uris"),
    (Tree::Lists, "lists"),
    (Tree::Homes, "homes"),
    (Tree::Relations, "relations"),
    (Tree::EarlyRemovals, "pending"),
    (Tree::Origins, "origins"),
    (Tree::Reached, "reached"),
    (Tree::Actors, "actors"),
    (Tree::Followers, "followers"),
    (Tree::LastSeen, "last_seen"),
    (Tree::Meta, "meta"),
];
