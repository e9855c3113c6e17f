//! One activity into the state: found or placed, kept, fanned out. The single writer of posts and feeds.

use super::actors::{keep_document, name};
use crate::activity::Activity;
use crate::activity::Delivery;
use crate::activity::PostContent;
use crate::activity::followers as collections;
use crate::activity::parse::author_key;
use crate::feed::boosts;
use crate::feed::fan_out::{PostChange, fan_out, original_of};
use crate::feed::followers;
use crate::feed::post::{Post, State};
use crate::feed::reevaluate::Reevaluation;
use crate::feed::replies::{ReplyScope, answers_of, fan_out_replies};
use crate::feed::store::disk::DiskError;
use crate::feed::store::origin_rows;
use crate::feed::store::{INDEX_LENGTH_MAX, Index, PendingRemoval, Store};
use crate::feed::unfinished::Renamed;
use crate::graph::Graph;
use crate::host::{origin_of, registrable_domain};
use crate::record::offsets::LogPos;
use crate::record::{Envelope, Position, Topic};
use hashbrown::HashMap;
use parking_lot::RwLock;
use slackwater_order::hold::OriginHold;
use slackwater_order::origins::{self, Observation, Origins};
use slackwater_order::place::{Occupant, PostId, RUN_ON_MAX, lowest_free, slot_of};
use slackwater_order::time::Time;
use slackwater_order::verdict::{Judgement, PlacedBy, Verdict, judge};
use slackwater_order::window::Windows;
use std::sync::Arc;
use std::time::Duration;

/// How often one actor may boost one post without giving the boosts ids, each undone before the next. Those after that are
/// taken for the last, which was undone.
const BOOSTS_WITHOUT_ID_MAX: usize = 64;

/// Hashtags that a post had and has no longer, of which it is known that it left their feeds. When there are more, the first are
/// forgotten: a feed of one that an edit was not yet carried out in when the service died may keep the post.
const WAS_TAGGED_MAX: usize = 1_000;

/// How many full slots are remembered, so that a flood of posts claiming one moment does not search it from its
/// beginning each time; past that all are forgotten and searched again.
const FULL_SLOTS_MAX: usize = 10_000;

/// What an activity came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A post got its place.
    Placed(Verdict),
    /// A post was already there, or an author deleted; nothing new was said.
    Known,
    /// A post was edited.
    Edited,
    /// A post's object was replaced without an edit (poll counts).
    Refreshed,
    /// A post or an actor's document was older than what is kept of it.
    Outdated,
    /// This many posts were removed, now or when they come.
    Removed(usize),
    /// An actor's document is kept.
    Actor,
    /// The activity does not concern feeds.
    Ignored(&'static str),
}

/// Why an activity was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It is set aside, with this reason.
    #[error("{0}")]
    Refused(String),
    /// The data folder failed: the service must stop.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Takes activities in, one after the other in the order of the log.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    /// Sequence numbers below which a slot is known to be full, by slot and first millisecond.
    full: HashMap<(u32, Time), u64>,
    /// Written here alone; readers look on.
    origins: Arc<RwLock<Origins>>,
    /// What the record being taken in named, if that calls for anything to be decided again.
    renamed: Option<Renamed>,
    /// What is not done as a record is taken in, for it may be much.
    pub again: Reevaluation,
}

impl Ingest {
    /// With what is stored of each origin.
    pub fn new(store: Arc<Store>) -> Result<Ingest, DiskError> {
        let mut from = Vec::new();
        let reflects = store.reflects()?;
        for next in reflects.next {
            if let (Topic::Activities, Ok(partition)) =
                (next.topic, usize::try_from(next.partition))
            {
                from.resize(from.len().max(partition + 1), 0);
                if let Some(from) = from.get_mut(partition) {
                    *from = next.offset;
                }
            }
        }
        let mut origins = Origins::by_domain(registrable_domain);
        let mut unreadable = 0_u64;
        for row in store.origins() {
            let (host, bytes) = row?;
            let is_known =
                origin_rows::decode(&bytes).is_some_and(|row| origins.restore(&host, row, &from));
            unreadable += u64::from(!is_known);
        }
        if 0 < unreadable {
            tracing::warn!(
                unreadable,
                "the delays of {unreadable} origins were stored by another version: they are learned anew"
            );
        }
        Ok(Ingest {
            store,
            full: HashMap::new(),
            origins: Arc::new(RwLock::new(origins)),
            renamed: None,
            again: Reevaluation::new(reflects.again, boosts::SLICE),
        })
    }

    /// Takes one activity in.
    pub fn admit(
        &mut self,
        graph: &Graph,
        windows: &Windows,
        at: LogPos,
        envelope: &Envelope,
        activity: Activity,
    ) -> Result<Outcome, IngestError> {
        let author = author_key(&activity).and_then(origin_of);
        let outcome = self.admit_one(graph, windows, at, envelope, activity);
        let mut origins = self.origins.write();
        if let (Err(IngestError::Refused(_)), Some(origin)) = (&outcome, author) {
            origins.count_refused(&origin, record_at(at));
        }
        let position = at.position();
        origins.passed(position.partition, position.offset);
        drop(origins);
        // Whatever came of the record.
        if let Some(renamed) = self.renamed.take() {
            self.again.renamed(&self.store, graph, renamed)?;
        }
        outcome
    }

    fn admit_one(
        &mut self,
        graph: &Graph,
        windows: &Windows,
        at: LogPos,
        envelope: &Envelope,
        activity: Activity,
    ) -> Result<Outcome, IngestError> {
        match activity {
            Activity::Post {
                how,
                body,
                original,
                author,
                followers,
            } => {
                // Whatever comes of the post: that may hang on what came before it, what is known of its author must not.
                if let Some(followers) = followers {
                    self.name(at, envelope.arrived, &body.author, followers)?;
                }
                if let Some(author) = author {
                    keep_document(&self.store, at, envelope.arrived, *author)?;
                }
                if let Some(original) = original {
                    let plain = Envelope {
                        post_ref: None,
                        author_ref: envelope.author_ref.clone(),
                        ..envelope.clone()
                    };
                    self.post(graph, windows, at, &plain, Delivery::Fetched, *original)?;
                }
                self.post(graph, windows, at, envelope, how, *body)
            }
            Activity::Actor(document) => {
                let named = document.followers.as_deref();
                let named = named.and_then(|named| collections::named(&document.id, named));
                if let Some(followers) = named {
                    self.name(at, envelope.arrived, &document.id, followers)?;
                }
                Ok(keep_document(&self.store, at, envelope.arrived, *document)?)
            }
            Activity::Delete { uri, by } => Ok(Outcome::Removed(self.remove(
                graph,
                at,
                envelope.arrived,
                &uri,
                &by,
            )?)),
            Activity::Unboost { by, original } => Ok(Outcome::Removed(self.unboost(
                graph,
                at,
                envelope.arrived,
                &by,
                &original,
            )?)),
            Activity::Ignored(kind) => Ok(Outcome::Ignored(kind)),
        }
    }

    /// A document of `actor` names this collection as its followers.
    fn name(
        &mut self,
        at: LogPos,
        arrived: Time,
        actor: &str,
        collection: String,
    ) -> Result<(), DiskError> {
        let collections = name(&self.store, at, arrived, actor, collection)?;
        if !collections.is_empty() {
            self.renamed = Some(Renamed {
                author: actor.to_owned(),
                collections,
                cause: at,
            });
        }
        Ok(())
    }

    /// Decides who could see a post that the record at `made` made, as far as that is known of its author. Returns the document
    /// that decided it.
    fn decide_visibility(
        &self,
        body: &mut PostContent,
        made: LogPos,
    ) -> Result<Option<LogPos>, DiskError> {
        if body.collections.is_empty() {
            return Ok(None);
        }
        let known = self.store.followers(&body.author)?;
        Ok(followers::decide(body, known.as_deref(), made))
    }

    /// What is known of every origin.
    pub fn origins(&self) -> &Arc<RwLock<Origins>> {
        &self.origins
    }

    /// Hands what was learned of origins since the last call to the store, for its next checkpoint.
    pub fn put_origins(&mut self) {
        for (host, row) in self.origins.write().unstored() {
            self.store
                .put_origin(&host, row.as_ref().and_then(origin_rows::encode));
        }
    }

    /// The origins for which feeds wait otherwise than at the last call, and how. See [`Origins::take_changed_holds`].
    pub fn take_changed_holds(&mut self, windows: &Windows) -> Vec<(Arc<str>, OriginHold)> {
        self.origins.write().take_changed_holds(windows)
    }

    fn post(
        &mut self,
        graph: &Graph,
        windows: &Windows,
        at: LogPos,
        envelope: &Envelope,
        how: Delivery,
        mut body: PostContent,
    ) -> Result<Outcome, IngestError> {
        if let Some(original) = body.boost_of.as_deref().filter(|_| body.has_made_uri()) {
            body.uri = self.uri_of_boost(at, envelope.arrived, &body, original)?;
        }
        if let Some(known) = self.store.post_by_uri(&body.uri)? {
            return self.again(graph, windows, at, envelope, how, body, &known);
        }
        let origin = origin_of(&body.author).ok_or_else(|| {
            IngestError::Refused(format!("the author {:?} has no host", body.author))
        })?;
        let fetched = how == Delivery::Fetched;
        let learned = self.origins.read().learned(&origin);
        let effective = windows.effective(&origin, learned);
        let judgement = judge(body.published, envelope.arrived, fetched, &effective);
        let (id, placed_by) = match self.place(&body, judgement, envelope.arrived)? {
            Placed::At(id, placed_by) => (id, placed_by),
            Placed::Before(known) => {
                return self.again(graph, windows, at, envelope, how, body, &known);
            }
        };
        let gone = self.removal_before_post(&body, &origin, (at, envelope.arrived))?;
        // Whichever came first, a later `updated` says that it was edited.
        let edited = body
            .updated
            .filter(|updated| body.published.is_none_or(|published| published < *updated));
        let answers = answers_of(&self.store, &body)?;
        let document = self.decide_visibility(&mut body, at)?;
        let mut post = Post {
            verdict: judgement.verdict,
            placed_by,
            disposition: judgement.disposition,
            edited,
            post_ref: envelope.post_ref.clone(),
            author_ref: envelope.author_ref.clone(),
            answers,
            document,
            read_late: envelope.read_late,
            ..Post::new(id, body, envelope.arrived, at)
        };
        self.count(&post, how, windows);
        if let Some((removal, whose)) = &gone {
            post.strip(State::Gone);
            post.newest = removal.at;
            post.is_author_gone = *whose == RemovalScope::Author;
        }
        let post = self.store.put_post(post);
        let because = post.newest;
        let original = original_of(&self.store, &post)?;
        let original = original.as_deref();
        let fate = if gone.is_some() {
            fan_out(
                &self.store,
                graph,
                &post,
                original,
                PostChange::Gone,
                because,
            )?;
            PostChange::Gone
        } else {
            let because = original.map_or(because, |original| original.newest);
            fan_out(
                &self.store,
                graph,
                &post,
                original,
                PostChange::New,
                because,
            )?;
            PostChange::New
        };
        let (store, because) = (&self.store, post.newest);
        self.again
            .boosts
            .change(store, graph, &post, fate, because)?;
        fan_out_replies(&self.store, graph, &post, ReplyScope::Changed)?;
        Ok(Outcome::Placed(post.verdict))
    }

    /// A post that has its place comes again: redelivered, edited, fetched, or read again from the log.
    #[allow(clippy::too_many_arguments)] // what a record says, and what it is held against
    fn again(
        &mut self,
        graph: &Graph,
        windows: &Windows,
        at: LogPos,
        envelope: &Envelope,
        how: Delivery,
        body: PostContent,
        known: &Post,
    ) -> Result<Outcome, IngestError> {
        if known.body.author != body.author {
            return Err(IngestError::Refused(format!(
                "{} is a post by {}: {} may not change it",
                body.uri, known.body.author, body.author
            )));
        }
        if known.made == at {
            self.count(known, how, windows);
        }
        if known.made == at || known.newest == at {
            self.reapply(graph, known)?;
        }
        let outcome = match known.state {
            State::Gone => return Ok(Outcome::Known),
            State::Stub if body.updated.is_some() && body.updated < known.body.updated => {
                return Ok(Outcome::Outdated);
            }
            State::Stub => Outcome::Refreshed,
            State::Whole => match (how, body.updated, known.body.updated) {
                (_, Some(said), Some(kept)) if said < kept => return Ok(Outcome::Outdated),
                (_, Some(said), kept) if kept.is_none_or(|kept| kept < said) => Outcome::Edited,
                (Delivery::Update, _, _) => Outcome::Refreshed,
                _ if known.post_ref.is_none() && envelope.post_ref.is_some() => Outcome::Refreshed,
                _ => return Ok(Outcome::Known),
            },
        };
        let mut post = known.clone();
        let published = post.body.published;
        let updated = post.body.updated.max(body.updated);
        let keeps_object =
            how != Delivery::Update && outcome == Outcome::Refreshed && known.state == State::Whole;
        if !keeps_object {
            post.body = PostContent {
                published,
                updated,
                ..body
            };
            post.document = self.decide_visibility(&mut post.body, post.made)?;
            if post.body.collections != known.body.collections {
                self.store.unlist_addressed(known);
            }
        }
        post.state = State::Whole;
        post.answers = answers_of(&self.store, &post.body)?;
        for tag in &known.body.tags {
            if !post.body.tags.contains(tag) && !post.was_tagged.contains(tag) {
                post.was_tagged.push(tag.clone());
            }
        }
        let surplus = post.was_tagged.len().saturating_sub(WAS_TAGGED_MAX);
        post.was_tagged.drain(..surplus);
        post.post_ref = post.post_ref.or_else(|| envelope.post_ref.clone());
        post.author_ref = post.author_ref.or_else(|| envelope.author_ref.clone());
        if outcome == Outcome::Edited {
            post.edited = updated;
        }
        let concerns_feeds = differs_for_rules(known, &post);
        if concerns_feeds || outcome == Outcome::Edited {
            post.newest = at;
        }
        let post = self.store.put_post(post);
        if concerns_feeds {
            self.fan_out_again(graph, &post, PostChange::Changed)?;
        } else if outcome == Outcome::Edited {
            // Its entries rest on it from now on.
            let (store, because) = (&self.store, post.newest);
            let original = original_of(store, &post)?;
            let original = original.as_deref();
            fan_out(store, graph, &post, original, PostChange::Changed, because)?;
            self.again.boosts.edit(store, graph, &post)?;
        }
        // Whom replies answer hangs on that alone, of all that an edit can change.
        if post.answers != known.answers {
            fan_out_replies(&self.store, graph, &post, ReplyScope::Changed)?;
        }
        Ok(outcome)
    }

    fn place(
        &mut self,
        body: &PostContent,
        judgement: Judgement,
        arrived: Time,
    ) -> Result<Placed, IngestError> {
        let slot = slot_of(&body.author);
        let run_on = Duration::from_millis(RUN_ON_MAX.unsigned_abs());
        // By published, a place never exceeds arrived; by arrived, it may run on.
        let tries = match judgement.placed_by {
            PlacedBy::Published => [
                Some((PlacedBy::Published, judgement.at, arrived)),
                Some((PlacedBy::Arrived, arrived, arrived.plus(run_on))),
            ],
            PlacedBy::Arrived => [
                Some((PlacedBy::Arrived, arrived, arrived.plus(run_on))),
                None,
            ],
        };
        for (placed_by, from, until) in tries.into_iter().flatten() {
            let hint = self.full.get(&(slot, from)).copied().unwrap_or(0);
            let mut asked = 0;
            let mut before = None;
            let found = lowest_free(slot, from, until, hint, |id| {
                asked += 1;
                match self.store.post(id)? {
                    None => Ok(Occupant::Nobody),
                    Some(there) if there.body.uri == body.uri => {
                        before = Some(there);
                        Ok(Occupant::Itself)
                    }
                    Some(_) => Ok::<_, DiskError>(Occupant::Another),
                }
            })?;
            if let Some(known) = before {
                return Ok(Placed::Before(known));
            }
            if 1 < asked || 0 < hint {
                if FULL_SLOTS_MAX <= self.full.len() {
                    self.full.clear();
                }
                // The place found is about to be taken too.
                self.full.insert((slot, from), hint + asked);
            }
            if let Some(id) = found {
                return Ok(Placed::At(id, placed_by));
            }
        }
        Err(IngestError::Refused(format!(
            "no place is free within {RUN_ON_MAX} ms of its arrival: its author's slot holds {} posts there",
            (RUN_ON_MAX + 1) * 64
        )))
    }

    /// The removal that came before the post it removes, and what it removes.
    fn removal_before_post(
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
    fn uri_of_boost(
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

    fn remove(
        &mut self,
        graph: &Graph,
        at: LogPos,
        arrived: Time,
        uri: &str,
        by: &str,
    ) -> Result<usize, IngestError> {
        let Some(host) = origin_of(by) else {
            return Err(IngestError::Refused(format!(
                "{by:?}, who removes it, has no host"
            )));
        };
        match self.store.post_by_uri(uri)? {
            // Not a post, so far: it may come, or it is an author whom another actor of the host removes.
            None => self.remove_author(graph, at, arrived, uri, host),
            Some(post) if origin_of(&post.body.author).as_ref() == Some(&host) => {
                self.remove_post(graph, at, &post, RemovalScope::Post)
            }
            Some(post) => Err(IngestError::Refused(format!(
                "{uri} is a post by {}: only its host may remove it, not {by}",
                post.body.author
            ))),
        }
    }

    /// The record that made a post what it is, read again after a crash: a checkpoint writes posts before indexes and
    /// homes, so the post may be stored as it is while they are not; nor did its parent, come meanwhile, find it.
    fn reapply(&mut self, graph: &Graph, known: &Post) -> Result<(), DiskError> {
        let post = self.store.put_post(Post {
            answers: answers_of(&self.store, &known.body)?,
            ..known.clone()
        });
        let fate = match post.state {
            State::Whole => PostChange::Changed,
            State::Stub | State::Gone => PostChange::Gone,
        };
        self.fan_out_again(graph, &post, fate)?;
        fan_out_replies(&self.store, graph, &post, ReplyScope::All)?;
        Ok(())
    }

    /// A post into or out of every home it concerns, and the boosts that rest on it, at once or soon.
    fn fan_out_again(
        &mut self,
        graph: &Graph,
        post: &Post,
        fate: PostChange,
    ) -> Result<(), DiskError> {
        let (store, because) = (&self.store, post.newest);
        let original = original_of(store, post)?;
        fan_out(store, graph, post, original.as_deref(), fate, because)?;
        self.again.boosts.change(store, graph, post, fate, because)
    }

    fn remove_post(
        &mut self,
        graph: &Graph,
        at: LogPos,
        post: &Post,
        whose: RemovalScope,
    ) -> Result<usize, IngestError> {
        let is_author_gone = post.is_author_gone || whose == RemovalScope::Author;
        if post.state == State::Gone && post.is_author_gone == is_author_gone {
            if post.newest == at {
                self.reapply(graph, post)?;
            }
            return Ok(0);
        }
        let removed = usize::from(post.state != State::Gone);
        self.store.unlist_addressed(post);
        let mut post = post.clone();
        post.strip(State::Gone);
        post.is_author_gone = is_author_gone;
        post.newest = at;
        let post = self.store.put_post(post);
        self.fan_out_again(graph, &post, PostChange::Gone)?;
        fan_out_replies(&self.store, graph, &post, ReplyScope::Changed)?;
        Ok(removed)
    }

    /// Removes all by `author`, if that is one, and remembers the removal for what has not come yet.
    fn remove_author(
        &mut self,
        graph: &Graph,
        at: LogPos,
        arrived: Time,
        author: &str,
        host: String,
    ) -> Result<usize, IngestError> {
        self.store
            .put_pending(author, PendingRemoval { host, arrived, at });
        self.store.forget_actor(author)?;
        self.store.forget_followers(author)?;
        let mut removed = 0;
        for id in self.store.list(Index::Author, author)? {
            let Some(post) = self.store.post(id)? else {
                continue;
            };
            if post.body.author == author {
                removed += self.remove_post(graph, at, &post, RemovalScope::Author)?;
            }
        }
        Ok(removed)
    }

    /// An undo that names only booster and boosted: every boost by the one of the other that stands before it goes.
    fn unboost(
        &mut self,
        graph: &Graph,
        at: LogPos,
        arrived: Time,
        by: &str,
        original: &str,
    ) -> Result<usize, IngestError> {
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
                removed += self.remove_post(graph, at, &boost, RemovalScope::Post)?;
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

    fn count(&self, post: &Post, how: Delivery, windows: &Windows) {
        let seen = Observation {
            verdict: post.verdict,
            // An edit of what never came tells how old the post is, not how long its origin takes.
            delay_ms: post.delay_ms().filter(|_| how != Delivery::Update),
            arrived: post.arrived,
            at: record_at(post.made),
        };
        self.origins.write().count(&post.origin, seen, windows);
    }
}

/// What a removal is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RemovalScope {
    /// A post.
    Post,
    /// Its author, and with them all theirs.
    Author,
}

enum Placed {
    /// At a free place, by this time.
    At(PostId, PlacedBy),
    /// It stands at its place already, and the index by URI did not know.
    Before(Arc<Post>),
}

/// Whether the rules could decide otherwise about what a post has become.
fn differs_for_rules(before: &Post, after: &Post) -> bool {
    let (old, new) = (&before.body, &after.body);
    before.state != after.state
        || old.visibility != new.visibility
        || old.addressed != new.addressed
        || before.document != after.document
        || old.mentions != new.mentions
        || old.language != new.language
        || old.boost_of != new.boost_of
        || old.tags != new.tags
        || before.answers != after.answers
}

/// Whether one of an author's records stands before another, in the author's own order: that of their partition. Where
/// partitions were added, an author may have some in two: then that of arrival, as near as can be known.
fn is_earlier(one: (LogPos, Time), other: (LogPos, Time)) -> bool {
    if one.0.is_beside(other.0) {
        one.0 < other.0
    } else {
        (one.1, one.0) < (other.1, other.0)
    }
}

fn record_at(at: LogPos) -> origins::RecordAt {
    let Position {
        partition, offset, ..
    } = at.position();
    origins::RecordAt { partition, offset }
}

/// Under what an undo without the boost's id waits.
fn boost_key(by: &str, original: &str) -> String {
    format!("{by} {original}")
}
