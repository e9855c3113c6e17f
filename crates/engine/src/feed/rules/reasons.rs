//! Whether a post is in a feed, and for which reason.

/// Whether a post is in a feed, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is in.
    In(Included),
    /// It is not.
    Out(Excluded),
}

/// Why a post is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Included {
    /// The account wrote it.
    Own,
    /// The account follows its author.
    Followed,
    /// The account follows a hashtag it carries.
    Tagged,
}

/// Why a post is not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excluded {
    /// It was deleted or undone, or only a stub of it is left.
    Gone,
    /// It was too late, and its origin's posts are dropped then.
    TooLate,
    /// Its ref, which is its place, is too small to say a time.
    Timeless,
    /// The instance suspends its author, or the author of what it boosts.
    Suspended,
    /// The account does not follow its author, nor a hashtag it carries.
    NotFollowed,
    /// Its author is not on the list.
    NotListed,
    /// It was addressed to others.
    NotAddressed,
    /// It answers a post that is unknown so far.
    ParentUnknown,
    /// The author of what it answers is gone.
    ParentGone,
    /// Its author is on an exclusive list.
    OnExclusiveList,
    /// The follow is for other languages.
    OtherLanguage,
    /// It boosts a post that is unknown so far.
    OriginalUnknown,
    /// It boosts a post that is gone.
    OriginalGone,
    /// It boosts a post this account may not see.
    OriginalNotAddressed,
    /// The account blocks its author, whom it boosts, or someone it mentions.
    Blocked,
    /// The account mutes its author, whom it boosts, or someone it mentions.
    Muted,
    /// The account blocks the domain of its author, or of whom it boosts.
    DomainBlocked,
    /// Its author blocks the account.
    BlockedBy,
    /// It answers someone the account does not follow.
    AnswersStranger,
    /// The list shows no such replies.
    ReplyNotListed,
    /// The follow is without boosts.
    BoostsOff,
    /// It boosts someone who blocks the account.
    BoostsBlockedBy,
}

impl Excluded {
    /// All of them, in their order.
    pub const ALL: [Excluded; 22] = [
        Excluded::Gone,
        Excluded::TooLate,
        Excluded::Timeless,
        Excluded::Suspended,
        Excluded::NotFollowed,
        Excluded::NotListed,
        Excluded::NotAddressed,
        Excluded::ParentUnknown,
        Excluded::ParentGone,
        Excluded::OnExclusiveList,
        Excluded::OtherLanguage,
        Excluded::OriginalUnknown,
        Excluded::OriginalGone,
        Excluded::OriginalNotAddressed,
        Excluded::Blocked,
        Excluded::Muted,
        Excluded::DomainBlocked,
        Excluded::BlockedBy,
        Excluded::AnswersStranger,
        Excluded::ReplyNotListed,
        Excluded::BoostsOff,
        Excluded::BoostsBlockedBy,
    ];

    /// Whether it is for what became of another post, the one it boosts or answers.
    pub fn is_of_another(self) -> bool {
        matches!(
            self,
            Excluded::OriginalGone
                | Excluded::OriginalUnknown
                | Excluded::OriginalNotAddressed
                | Excluded::ParentGone
        )
    }

    /// In words: what follows "not in home: ".
    pub const fn words(self) -> &'static str {
        match self {
            Excluded::Gone => "it was deleted or undone, or is too old to be kept",
            Excluded::TooLate => "it came too late, and too late posts of its origin are dropped",
            Excluded::Timeless => "its ref, which is its place, is too small to say a time",
            Excluded::Suspended => "the instance suspends its author, or whom it boosts",
            Excluded::NotFollowed => "neither its author nor a hashtag it carries is followed",
            Excluded::NotListed => "its author is not on the list",
            Excluded::NotAddressed => "it was addressed to others",
            Excluded::ParentUnknown => "a reply to a post that is unknown so far",
            Excluded::ParentGone => "a reply to someone who is gone",
            Excluded::OnExclusiveList => "its author is on an exclusive list",
            Excluded::OtherLanguage => "its author is followed for other languages",
            Excluded::OriginalUnknown => "a boost of a post that is unknown so far",
            Excluded::OriginalGone => "a boost of a post that is gone",
            Excluded::OriginalNotAddressed => "a boost of a post that was not sent to everybody",
            Excluded::Blocked => "its author, whom it boosts or someone it mentions is blocked",
            Excluded::Muted => "its author, whom it boosts or someone it mentions is muted",
            Excluded::DomainBlocked => "the domain of its author, or of whom it boosts, is blocked",
            Excluded::BlockedBy => "its author blocks the account",
            Excluded::AnswersStranger => "a reply to someone you do not follow",
            Excluded::ReplyNotListed => "a reply of a kind the list does not show",
            Excluded::BoostsOff => "its author is followed without boosts",
            Excluded::BoostsBlockedBy => "a boost of someone who blocks the account",
        }
    }
}

impl Included {
    /// In words: what follows "in home: ".
    pub const fn words(self) -> &'static str {
        match self {
            Included::Own => "the account wrote it",
            Included::Followed => "its author is followed",
            Included::Tagged => "a hashtag it carries is followed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let in_order = |(nth, reason): (usize, &Excluded)| *reason as usize == nth;
        assert!(Excluded::ALL.iter().enumerate().all(in_order));
        let words: BTreeSet<&str> = Excluded::ALL.into_iter().map(Excluded::words).collect();
        assert_eq!(words.len(), Excluded::ALL.len());
        assert_eq!(Excluded::ALL.last(), Some(&Excluded::BoostsBlockedBy));
    }
}
