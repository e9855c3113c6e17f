//! Statuses as text, each made once for all who read it within a few seconds: making one harmless takes longer than all the
//! rest, and ten thousand readers are told of the same post in the same moment.

use super::account::{Account, Known, own_id};
use super::ids::id_of;
use super::status::{Around, Status};
use crate::config::Ids;
use crate::feed::disk::DiskError;
use crate::feed::kept::Post;
use crate::feed::store::Index;
use crate::order::place::PostId;
use crate::reader::view::View;
use crate::time::Time;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::Duration;

/// The most bytes of text kept.
const BYTES_MAX: u64 = 32 << 20;
/// About how many bytes a status has.
const STATUS_BYTES: usize = 3 << 10;
/// How long one is taken as it is: what is known of its author may change, and of what it answers,
/// and its poll may end.
const FRESH: Duration = Duration::from_secs(5);

/// What the backend did not give of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    /// Its own id of it.
    Ref,
    /// Its own id of the author, with any post of theirs.
    AuthorRef,
}

/// The statuses lately made.
#[derive(Debug)]
pub struct Shelf {
    /// Whose ids clients see.
    pub ids: Ids,
    /// Where clients came to, with its scheme: what has no page or image elsewhere has it there.
    pub(super) here: Arc<str>,
    statuses: Arc<Cache<Key, Arc<Shelved>, Weight>>,
}

/// A post, and where who asks for it came to.
type Key = (PostId, Arc<str>);

/// One status as text.
#[derive(Debug)]
pub struct Shelved {
    post: Arc<Post>,
    original: Option<Arc<Post>>,
    at: Time,
    /// Its id.
    pub id: String,
    /// A [`Status`] as JSON text.
    pub json: String,
}

#[derive(Clone, Debug)]
struct Weight;

impl quick_cache::Weighter<Key, Arc<Shelved>> for Weight {
    fn weight(&self, _: &Key, shelved: &Arc<Shelved>) -> u64 {
        let original = shelved.original.as_ref().map_or(0, |post| post.weight());
        let posts = shelved.post.weight() + original;
        u64::try_from(shelved.json.len() + posts).unwrap_or(u64::MAX)
    }
}

impl Shelf {
    /// An empty one.
    pub fn new(ids: Ids) -> Shelf {
        let items = usize::try_from(BYTES_MAX).unwrap_or(usize::MAX) / STATUS_BYTES;
        Shelf {
            ids,
            here: "".into(),
            statuses: Arc::new(Cache::with_weighter(items, BYTES_MAX, Weight)),
        }
    }

    /// The same, for clients that came to `here`: scheme and host.
    pub fn at(&self, here: &str) -> Shelf {
        Shelf {
            ids: self.ids,
            here: here.into(),
            statuses: Arc::clone(&self.statuses),
        }
    }

    /// A post, with what it boosts, as a status; none if the backend gave no id for a part of it that needs one.
    pub fn status(
        &self,
        view: &View,
        post: Arc<Post>,
        original: Option<Arc<Post>>,
        now: Time,
    ) -> Result<Option<Arc<Shelved>>, DiskError> {
        let is_same = |there: &Shelved| {
            let is_same_original = match (&there.original, &original) {
                (Some(there), Some(now)) => Arc::ptr_eq(there, now),
                (there, now) => there.is_none() && now.is_none(),
            };
            is_same_original && Arc::ptr_eq(&there.post, &post) && now < there.at.plus(FRESH)
        };
        let key = (post.id, Arc::clone(&self.here));
        if let Some(there) = self.statuses.get(&key).filter(|there| is_same(there)) {
            return Ok(Some(there));
        }
        let reblog = match &original {
            Some(original) => match self.made(view, original, None, now)? {
                Some(reblog) => Some(reblog),
                None => return self.left_out(view, original),
            },
            None => None,
        };
        let Some(status) = self.made(view, &post, reblog, now)? else {
            return self.left_out(view, &post);
        };
        let shelved = Arc::new(Shelved {
            at: now,
            id: status.id.clone(),
            json: serde_json::to_string(&status).unwrap_or_default(),
            post,
            original,
        });
        self.statuses.insert(key, Arc::clone(&shelved));
        Ok(Some(shelved))
    }

    /// Why clients do not see a post, with what it boosts, whatever feed it is in; none if they do. As a sentence's end.
    pub fn why_left_out(
        &self,
        view: &View,
        post: &Post,
        original: Option<&Post>,
    ) -> Result<Option<String>, DiskError> {
        for (part, whose) in [(original, "what it boosts"), (Some(post), "it")] {
            let lacks = part.map(|part| self.lacks(view, part)).transpose()?;
            let header = match lacks.flatten() {
                Some(Lacks::Ref) => "Ref",
                Some(Lacks::AuthorRef) => "Author-Ref",
                None => continue,
            };
            return Ok(Some(format!(
                "left out: mastodon.ids is \"ref\", and {whose} was sent without {header}"
            )));
        }
        Ok(None)
    }

    /// What a post lacks that it needs to be a status.
    fn lacks(&self, view: &View, post: &Post) -> Result<Option<Lacks>, DiskError> {
        if id_of(self.ids, post).is_none() {
            return Ok(Some(Lacks::Ref));
        }
        let given = post.author_ref.as_deref();
        let id = self.account_id(view, &post.body.author, given)?;
        Ok(id.is_none().then_some(Lacks::AuthorRef))
    }

    /// No status, and counted as such.
    fn left_out(&self, view: &View, post: &Post) -> Result<Option<Arc<Shelved>>, DiskError> {
        if let Some(lacks) = self.lacks(view, post)? {
            view.metrics.left_out(match lacks {
                Lacks::Ref => "ref",
                Lacks::AuthorRef => "author_ref",
            });
        }
        Ok(None)
    }

    /// A post as a status, made anew; none if the backend gave no id for a part of it that needs one.
    pub(super) fn made(
        &self,
        view: &View,
        post: &Post,
        reblog: Option<Status>,
        now: Time,
    ) -> Result<Option<Status>, DiskError> {
        let body = &post.body;
        let Some(id) = id_of(self.ids, post) else {
            return Ok(None);
        };
        let given = post.author_ref.as_deref();
        let Some(account) = self.account(view, &body.author, given)? else {
            return Ok(None);
        };
        let parent = match &body.in_reply_to {
            Some(uri) => view.store.post_by_uri(uri)?,
            None => None,
        };
        let in_reply_to_account_id = match &parent {
            Some(parent) => {
                let given = parent.author_ref.as_deref();
                self.account_id(view, &parent.body.author, given)?
            }
            None => None,
        };
        let mut mentioned = Vec::with_capacity(body.mentions.len());
        for actor in &body.mentions {
            if let Some(id) = self.account_id(view, actor, None)? {
                mentioned.push((actor.clone(), id, is_local(view, actor)));
            }
        }
        let around = Around {
            id,
            account,
            here: Arc::clone(&self.here),
            in_reply_to_id: parent.as_ref().and_then(|parent| id_of(self.ids, parent)),
            in_reply_to_account_id,
            mentioned,
        };
        Ok(Some(Status::new(post, around, reblog, now)))
    }

    /// An actor as an account; none if the backend gave no id for it. `given` is one that it gave.
    pub fn account(
        &self,
        view: &View,
        actor: &str,
        given: Option<&str>,
    ) -> Result<Option<Account>, DiskError> {
        let Some(id) = self.account_id(view, actor, given)? else {
            return Ok(None);
        };
        let kept = view.store.actor(actor)?;
        Ok(Some(Account::new(&Known {
            actor,
            id: &id,
            document: kept.as_ref().map(|kept| &kept.document),
            here: &self.here,
            is_local: is_local(view, actor),
        })))
    }

    /// The id under which clients know an actor.
    fn account_id(
        &self,
        view: &View,
        actor: &str,
        given: Option<&str>,
    ) -> Result<Option<String>, DiskError> {
        match (self.ids, given) {
            (Ids::Place, _) => return Ok(Some(own_id(actor))),
            (Ids::Ref, Some(given)) => return Ok(Some(given.to_owned())),
            (Ids::Ref, None) => {}
        }
        {
            let graph = view.graph.read();
            let owner = graph
                .actor(actor)
                .and_then(|actor| graph.owners(actor).first().copied());
            if let Some(owner) = owner.and_then(|owner| graph.get(owner)) {
                return Ok(Some(owner.id().to_owned()));
            }
        }
        // As it was given with the newest post of theirs.
        let newest = view.store.newest(Index::Author, actor, 0..u64::MAX, 1)?;
        let newest = newest.first().and_then(|id| PostId::from_number(*id));
        let post = newest.map(|id| view.store.post(id)).transpose()?.flatten();
        Ok(post.and_then(|post| post.author_ref.clone()))
    }
}

/// Whether an actor is one of this instance's accounts.
pub fn is_local(view: &View, actor: &str) -> bool {
    let graph = view.graph.read();
    let actor = graph.actor(actor);
    actor.is_some_and(|actor| !graph.owners(actor).is_empty())
}
