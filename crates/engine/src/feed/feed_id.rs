//! The name of a feed. Pure.

use crate::graph::{Account, AccountIx};

/// The name of a feed: of an account, or shared by everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FeedId {
    /// An account's home.
    Home(AccountIx),
    /// An account's list.
    List {
        /// The account.
        account: AccountIx,
        /// The backend's id of the account, under which the feed is stored.
        account_id: Box<str>,
        /// The backend's id of the list.
        list: Box<str>,
    },
    /// A hashtag's feed, by the hashtag as it is compared.
    Tag(Box<str>),
    /// The public feed.
    Public(PublicPart),
}

/// A part of the public feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublicPart {
    /// All of it.
    All,
    /// Posts by local accounts.
    Local,
    /// Posts by remote accounts.
    Remote,
}

impl FeedId {
    /// The feed of a list; `account_id` is the backend's id of `account`.
    pub fn list(account: AccountIx, account_id: &str, list: &str) -> FeedId {
        FeedId::List {
            account,
            account_id: account_id.into(),
            list: list.into(),
        }
    }

    /// The feed of a hashtag.
    pub fn tag(tag: &str) -> FeedId {
        FeedId::Tag(tag.into())
    }

    /// All feeds of an account: its home first, then its lists.
    pub fn all_of(account: AccountIx, of: &Account) -> impl Iterator<Item = FeedId> {
        let lists = of.lists();
        let lists = lists.map(move |(list, _)| FeedId::list(account, of.id(), list));
        std::iter::once(FeedId::Home(account)).chain(lists)
    }

    /// The account that it belongs to; none for shared feeds.
    pub fn account(&self) -> Option<AccountIx> {
        match self {
            FeedId::Home(account) | FeedId::List { account, .. } => Some(*account),
            FeedId::Tag(_) | FeedId::Public(_) => None,
        }
    }
}
