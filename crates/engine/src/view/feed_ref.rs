//! Which feed a request names, and who reads it. The rules decide again about each entry as it is read, so that a relation hides
//! what it hides from the moment it is in force, before any feed has been rewritten.

use crate::feed::feed_id::{FeedId, PublicPart};
use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::post::Post;
use crate::feed::rules::{Subject, is_in_feed};
use crate::feed::store::disk::DiskError;
use crate::graph::AccountIx;
use crate::graph::Graph;
use crate::view::View;

/// A feed, as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedRef {
    /// An account's home.
    Home {
        /// The backend's id of the account.
        account: String,
    },
    /// A list of an account.
    List {
        /// The backend's id of the account.
        account: String,
        /// The backend's id of the list.
        list: String,
    },
    /// A hashtag's feed.
    Tag {
        /// The hashtag as it is compared.
        tag: String,
        /// The account that reads it, if one does: what the account mutes or blocks is left out.
        reader: Option<String>,
    },
    /// The public feed.
    Public {
        /// Which part of it.
        part: PublicPart,
        /// The account that reads it, if one does: what the account mutes or blocks is left out.
        reader: Option<String>,
    },
}

/// A feed that exists.
#[derive(Clone, Debug)]
pub struct ResolvedFeed {
    /// The account that the feed belongs to; of a shared feed, the account that reads it.
    pub account: Option<AccountIx>,
    id: FeedId,
}

impl FeedRef {
    /// An account's feed, by its name in a path: `home` or `list:<id>`.
    pub fn of_account(account: &str, feed: &str) -> Option<FeedRef> {
        let account = account.to_owned();
        match feed.strip_prefix("list:") {
            Some(list) => Some(FeedRef::List {
                account,
                list: list.to_owned(),
            }),
            None => (feed == "home").then_some(FeedRef::Home { account }),
        }
    }

    /// The account that the feed is held back for; none for shared feeds, which are never held back.
    pub fn owner(&self) -> Option<&str> {
        match self {
            FeedRef::Home { account } | FeedRef::List { account, .. } => Some(account),
            FeedRef::Tag { .. } | FeedRef::Public { .. } => None,
        }
    }

    /// The account that reads the feed, if the request names one.
    pub fn account(&self) -> Option<&str> {
        match self {
            FeedRef::Home { account } | FeedRef::List { account, .. } => Some(account),
            FeedRef::Tag { reader, .. } | FeedRef::Public { reader, .. } => reader.as_deref(),
        }
    }

    /// The feed's name in the store, if it is shared.
    pub fn shared(&self) -> Option<FeedId> {
        match self {
            FeedRef::Home { .. } | FeedRef::List { .. } => None,
            FeedRef::Tag { tag, .. } => Some(FeedId::tag(tag)),
            FeedRef::Public { part, .. } => Some(FeedId::Public(*part)),
        }
    }

    /// A text that no other feed has: it binds a cursor to this one.
    pub fn text(&self) -> String {
        let of = |reader: &Option<String>| reader.clone().unwrap_or_default();
        match self {
            FeedRef::Home { account } => format!("{account}/home"),
            FeedRef::List { account, list } => format!("{account}/list:{list}"),
            FeedRef::Tag { tag, reader } => format!("{}/tag:{tag}", of(reader)),
            FeedRef::Public { part, reader } => format!("{}/public:{part:?}", of(reader)),
        }
    }

    /// Resolves the reference; none if there is no such account or list.
    pub fn find(&self, graph: &Graph) -> Option<ResolvedFeed> {
        // A reader of whom nothing is known mutes and blocks nobody.
        let reader = |reader: &Option<String>| reader.as_deref().and_then(|id| graph.account(id));
        let (account, id) = match self {
            FeedRef::Home { account } => {
                let number = graph.account(account)?;
                (Some(number), FeedId::Home(number))
            }
            FeedRef::List { account, list } => {
                let number = graph.account(account)?;
                graph.get(number)?.list(list)?;
                (Some(number), FeedId::list(number, account, list))
            }
            FeedRef::Tag { tag, reader: by } => (reader(by), FeedId::tag(tag)),
            FeedRef::Public { part, reader: by } => (reader(by), FeedId::Public(*part)),
        };
        Some(ResolvedFeed { account, id })
    }
}

impl ResolvedFeed {
    /// Reads the whole feed, also what its horizon has not reached.
    pub fn read(&self, view: &View) -> Result<OrderedFeed, DiskError> {
        view.store.feed(&self.id)
    }

    /// Whether the post belongs in the feed by the relations that are in force now. `original` is the post that it boosts.
    pub fn admits(&self, view: &View, post: &Post, original: Option<&Post>) -> bool {
        let graph = view.graph.read();
        let subject = Subject::new(post, original, &graph);
        let account = self.account.and_then(|account| graph.get(account));
        is_in_feed(&subject, &self.id, account)
    }
}
