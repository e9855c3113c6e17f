//! Why a feed does not show what belongs in it.

/// Why a feed does not show what belongs in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// It stands at or below the feed's floor.
    BelowEnd,
    /// It is a boost of a post that is shown shortly below it, or that post.
    Repeat,
    /// The horizon has not reached it.
    Held,
    /// It was let in, and is not in the feed yet.
    BeingPutIn,
}

impl Hidden {
    /// In words: what follows "not in home: ".
    pub const fn words(self) -> &'static str {
        match self {
            Hidden::BelowEnd => "it stands below where the feed ends",
            Hidden::Repeat => "the same post is shown shortly below it",
            Hidden::Held => "it waits until the feed's horizon reaches it",
            Hidden::BeingPutIn => "it is being put in",
        }
    }
}
