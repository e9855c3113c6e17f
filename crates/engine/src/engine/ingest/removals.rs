//! Removals: posts that are deleted, boosts that are undone, authors who are removed; also before what they remove has come.

use super::outcome::IngestError;
use super::{Ingest, RecordContext};
use crate::activity::PostContent;
use crate::feed::fan_out::PostChange;
use crate::feed::post::{Post, State};
use crate::feed::replies::{ReplyScope, fan_out_replies};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{INDEX_LENGTH_MAX, Index, PendingRemoval};
use crate::graph::Graph;
use crate::host::origin_of;
use crate::record::offsets::LogPos;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;

/// How often one actor may boost one post without giving the boosts ids, each undone before the next. Those after that are
/// taken for the last, which was undone.
const BOOSTS_WITHOUT_ID_MAX: usize = 64;

/// What a removal is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RemovalScope {
    /// A post.
    Post,
    /// Its author, and with them all theirs.
    Author,
}

impl Ingest {
    /// Removes a post, or an author and all of their posts, if `by` is of its host.
    pub(super) fn remove(
        &mut self,
        record: RecordContext<'_>,
        uri: &str,
        by: &str,
    ) -> Result<usize, IngestError> {
        let (graph, at) = (record.graph, record.at);
        let Some(host) = origin_of(by) else {
            return Err(IngestError::Refused(format!(
                "{by:?}, who removes it, has no host"
            )));
        };
        let known = match (self.store.post_by_uri(uri)?, &record.envelope.post_ref) {
            (Some(post), _) => Some(post),
            // The backend knows it by another URI, or by none: by its own id of it there is no doubt.
            (None, Some(reference)) => self.store.post_by_ref(reference)?,
            (None, None) => None,
        };
        match known {
            // Not a post, so far: it may come, or it is an author whom another actor of the host removes.
            None => self.remove_author(record, uri, host),
            Some(post) if origin_of(&post.body.author).as_ref() == Some(&host) => {
                self.remove_post(graph, at, &post, State::Gone, RemovalScope::Post)
            }
            Some(post) => Err(IngestError::Refused(format!(
                "{} is a post by {}: only its host may remove it, not {by}",
                post.body.uri, post.body.author
            ))),
        }
    }

    /// The backend forgets the post that it has this id of: it leaves feeds as one that is deleted does, and its URI may come again
    /// under another ref. What its author deleted stays deleted, and a post that is not known is not waited for. Without a ref it is
    /// an actor that is forgotten, by its own id.
    pub(super) fn forget(
        &mut self,
        record: RecordContext<'_>,
        uri: &str,
        by: &str,
    ) -> Result<usize, IngestError> {
        let (graph, at) = (record.graph, record.at);
        let Some(reference) = record.envelope.post_ref.as_deref() else {
            if uri == by {
                return self.forget_author(record, by);
            }
            return Err(IngestError::Refused(format!(
                "{uri} is forgotten without the ref of its post"
            )));
        };
        let is_meant = |post: &Post| {
            let post_ref = post.post_ref.as_deref();
            post_ref.is_none_or(|post_ref| post_ref == reference)
        };
        let by_uri = self.store.post_by_uri(uri)?;
        let known = match by_uri.filter(|post| is_meant(post)) {
            Some(post) => Some(post),
            None => self.store.post_by_ref(reference)?,
        };
        let Some(known) = known else { return Ok(0) };
        if origin_of(&known.body.author) != origin_of(by) {
            return Err(IngestError::Refused(format!(
                "{} is a post by {}: only its host may remove it, not {by}",
                known.body.uri, known.body.author
            )));
        }
        // By its ref it is told from what comes under its URI later, also if it came without one.
        let post = Post {
            post_ref: Some(reference.to_owned()),
            ..Post::clone(&known)
        };
        self.remove_post(graph, at, &post, State::Forgotten, RemovalScope::Post)
    }

    /// The backend forgets an author, and all that came of theirs before this: what they write later is shown.
    fn forget_author(
        &mut self,
        record: RecordContext<'_>,
        author: &str,
    ) -> Result<usize, IngestError> {
        let (at, arrived) = (record.at, record.envelope.arrived);
        let is_meant = |post: &Post| is_earlier((post.made, post.arrived), (at, arrived));
        let (to, whose) = (State::Forgotten, RemovalScope::Post);
        self.remove_all_of(record, author, to, whose, is_meant)
    }

    /// What is known of an author goes, and those of their posts that are meant.
    fn remove_all_of(
        &mut self,
        record: RecordContext<'_>,
        author: &str,
        to: State,
        whose: RemovalScope,
        is_meant: impl Fn(&Post) -> bool,
    ) -> Result<usize, IngestError> {
        self.store.forget_actor(author)?;
        self.store.forget_followers(author)?;
        let mut removed = 0;
        for id in self.store.list(Index::Author, author)? {
            let Some(post) = self.store.post(id)? else {
                continue;
            };
            if post.body.author == author && is_meant(&post) {
                removed += self.remove_post(record.graph, record.at, &post, to, whose)?;
            }
        }
        Ok(removed)
    }

    /// Leaves of a post what is left of one that is `to` be so.
    fn remove_post(
        &mut self,
        graph: &Graph,
        at: LogPos,
        post: &Post,
        to: State,
        whose: RemovalScope,
    ) -> Result<usize, IngestError> {
        let is_author_gone = post.is_author_gone || whose == RemovalScope::Author;
        let to = match post.state {
            State::Gone => State::Gone,
            // Its URI is another post's now.
            State::Forgotten if !self.store.holds_uri(post)? => State::Forgotten,
            State::Whole | State::Stub | State::Forgotten => to,
        };
        if post.state == to && post.is_author_gone == is_author_gone {
            if post.newest == at {
                self.reapply(graph, post)?;
            }
            return Ok(0);
        }
        let removed = usize::from(!post.state.is_gone());
        self.store.unlist_addressed(post);
        let mut post = post.clone();
        post.strip(to);
        post.is_author_gone = is_author_gone;
        post.newest = at;
        let post = self.store.put_post(post);
        self.fan_out_again(graph, &post, PostChange::Gone)?;
        if self.store.holds_uri(&post)? {
            fan_out_replies(&self.store, graph, &post, ReplyScope::Changed)?;
        }
        Ok(removed)
    }

    /// Removes all by `author`, if that is one, and remembers the removal for what has not come yet.
    fn remove_author(
        &mut self,
        record: RecordContext<'_>,
        author: &str,
        host: String,
    ) -> Result<usize, IngestError> {
        let (at, arrived) = (record.at, record.envelope.arrived);
        self.store
            .put_pending(author, PendingRemoval { host, arrived, at });
        let (to, whose) = (State::Gone, RemovalScope::Author);
        self.remove_all_of(record, author, to, whose, |_| true)
    }

    /// An undo that names only booster and boosted: every boost by the one of the other that stands before it goes.
    pub(super) fn unboost(
        &mut self,
        record: RecordContext<'_>,
        by: &str,
        original: &str,
    ) -> Result<usize, IngestError> {
        let (graph, at, arrived) = (record.graph, record.at, record.envelope.arrived);
        let Some(host) = origin_of(by) else {
            return Err(IngestError::Refused(format!(
                "{by:?}, who undoes a boost, has no host"
            )));
        };
        let key = boost_key(by, original);
        let last = self.store.pending(&key)?;
        if last.is_none_or(|last| is_earlier((last.at, last.arrived), (at, arrived))) {
            self.store
                .put_pending(&key, PendingRemoval { host, arrived, at });
        }
        let mut removed = 0;
        for id in self.boosts_of(by, original)? {
            let Some(boost) = self.store.post(id)? else {
                continue;
            };
            let is_meant =
                boost.body.author == by && boost.body.boost_of.as_deref() == Some(original);
            if is_meant && is_earlier((boost.made, boost.arrived), (at, arrived)) {
                removed += self.remove_post(graph, at, &boost, State::Gone, RemovalScope::Post)?;
            }
        }
        Ok(removed)
    }

    /// The posts that may be boosts of `original` by one author: in both lists, unless the author has written more than a list holds.
    /// The original may have thousands of boosts, and anybody may undo theirs again and again.
    fn boosts_of(&self, by: &str, original: &str) -> Result<Vec<PostId>, DiskError> {
        let mut boosts = self.store.list(Index::Original, original)?;
        let theirs = self.store.list(Index::Author, by)?;
        if theirs.len() < INDEX_LENGTH_MAX {
            boosts.retain(|id| theirs.binary_search(id).is_ok());
        }
        Ok(boosts)
    }

    /// The removal that came before the post it removes, and what it removes.
    pub(super) fn removal_before_post(
        &self,
        body: &PostContent,
        origin: &str,
        made: (LogPos, Time),
    ) -> Result<Option<(PendingRemoval, RemovalScope)>, DiskError> {
        let by_its_host =
            |removal: Option<PendingRemoval>| removal.filter(|removal| removal.host == origin);
        // The author first: were both removed, whom it answers must not depend on which came first.
        if let Some(removal) = by_its_host(self.store.pending(&body.author)?) {
            return Ok(Some((removal, RemovalScope::Author)));
        }
        if let Some(removal) = by_its_host(self.store.pending(&body.uri)?) {
            return Ok(Some((removal, RemovalScope::Post)));
        }
        let Some(original) = &body.boost_of else {
            return Ok(None);
        };
        let undone = by_its_host(self.store.pending(&boost_key(&body.author, original))?);
        let undone = undone.filter(|undone| is_earlier(made, (undone.at, undone.arrived)));
        Ok(undone.map(|removal| (removal, RemovalScope::Post)))
    }

    /// The URI of a boost that has no id: of those made of booster and boosted, with a number from the second on, the first that
    /// no undo before this record has taken back.
    pub(super) fn uri_of_boost(
        &self,
        at: LogPos,
        arrived: Time,
        body: &PostContent,
        original: &str,
    ) -> Result<String, DiskError> {
        let undone = self.store.pending(&boost_key(&body.author, original))?;
        let mut uri = body.uri.clone();
        for number in 2..=BOOSTS_WITHOUT_ID_MAX {
            let Some(known) = self.store.post_by_uri(&uri)? else {
                break;
            };
            let is_undone = known.state == State::Gone && !known.is_author_gone;
            let when = undone.as_ref().map_or(known.arrived, |undo| undo.arrived);
            if !is_undone || !is_earlier((known.newest, when), (at, arrived)) {
                break;
            }
            uri = format!("{}#{number}", body.uri);
        }
        Ok(uri)
    }
}

/// Whether one of an author's records stands before another, in the author's own order: that of their partition. Where
/// partitions were added, an author may have some in two: then that of arrival, as near as can be known.
pub(super) fn is_earlier(one: (LogPos, Time), other: (LogPos, Time)) -> bool {
    if one.0.is_beside(other.0) {
        one.0 < other.0
    } else {
        (one.1, one.0) < (other.1, other.0)
    }
}

/// Under what an undo without the boost's id waits.
fn boost_key(by: &str, original: &str) -> String {
    format!("{by} {original}")
}
