//! Which feed is asked for, and by whom. What it holds is decided again as it is read, so that what a record just put in
//! force hides is hidden at once, before any feed has been rewritten.

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
        /// For which account, if for one: less what it shuns.
        reader: Option<String>,
    },
    /// The public feed.
    Public {
        /// Which part of it.
        part: PublicPart,
        /// For which account, if for one: less what it shuns.
        reader: Option<String>,
    },
}

/// A feed that is there.
#[derive(Clone, Debug)]
pub struct ResolvedFeed {
    /// Whose it is; for shared feeds, who reads.
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

    /// The account it is held back for; none for shared feeds, which are not.
    pub fn owner(&self) -> Option<&str> {
        match self {
            FeedRef::Home { account } | FeedRef::List { account, .. } => Some(account),
            FeedRef::Tag { .. } | FeedRef::Public { .. } => None,
        }
    }

    /// Who reads it, if that is said.
    pub fn account(&self) -> Option<&str> {
        match self {
            FeedRef::Home { account } | FeedRef::List { account, .. } => Some(account),
            FeedRef::Tag { reader, .. } | FeedRef::Public { reader, .. } => reader.as_deref(),
        }
    }

    /// The feed, if it is nobody's.
    pub fn shared(&self) -> Option<FeedId> {
        match self {
            FeedRef::Home { .. } | FeedRef::List { .. } => None,
            FeedRef::Tag { tag, .. } => Some(FeedId::tag(tag)),
            FeedRef::Public { part, .. } => Some(FeedId::Public(*part)),
        }
    }

    /// What binds a cursor to it: a text that no other feed has.
    pub fn text(&self) -> String {
        let of = |reader: &Option<String>| reader.clone().unwrap_or_default();
        match self {
            FeedRef::Home { account } => format!("{account}/home"),
            FeedRef::List { account, list } => format!("{account}/list:{list}"),
            FeedRef::Tag { tag, reader } => format!("{}/tag:{tag}", of(reader)),
            FeedRef::Public { part, reader } => format!("{}/public:{part:?}", of(reader)),
        }
    }

    /// Finds it; none if there is no such account or list.
    pub fn find(&self, graph: &Graph) -> Option<ResolvedFeed> {
        // A reader nobody knows of shuns nobody.
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
    /// Everything that is kept of it.
    pub fn read(&self, view: &View) -> Result<OrderedFeed, DiskError> {
        view.store.feed(&self.id)
    }

    /// Whether the rules let a post in as things are now. `original` is what it boosts.
    pub fn admits(&self, view: &View, post: &Post, original: Option<&Post>) -> bool {
        let graph = view.graph.read();
        let subject = Subject::new(post, original, &graph);
        let account = self.account.and_then(|account| graph.get(account));
        is_in_feed(&subject, &self.id, account)
    }
}
