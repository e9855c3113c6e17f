//! Posts that come for the first time, and posts that come again.

use super::outcome::{IngestError, Outcome};
use super::place::{Placed, is_another_ref};
use super::removals::{RemovalScope, is_earlier};
use super::{Ingest, RecordContext};
use crate::activity::Delivery;
use crate::activity::PostContent;
use crate::feed::fan_out::{PostChange, fan_out, original_of};
use crate::feed::followers;
use crate::feed::post::{Post, State, no_object};
use crate::feed::replies::{ReplyScope, answers_of, fan_out_replies};
use crate::feed::store::disk::DiskError;
use crate::graph::Graph;
use crate::host::origin_of;
use crate::record::Envelope;
use crate::record::offsets::LogPos;
use slackwater_order::verdict::judge;
use std::sync::Arc;

/// Hashtags that a post had and has no longer, of which it is known that it left their feeds. When there are more, the first are
/// forgotten: a feed of one that an edit was not yet carried out in when the service died may keep the post.
const WAS_TAGGED_MAX: usize = 1_000;

impl Ingest {
    /// Places a post that comes for the first time, or updates one that has its place.
    pub(super) fn post(
        &mut self,
        record: RecordContext<'_>,
        how: Delivery,
        mut body: PostContent,
    ) -> Result<Outcome, IngestError> {
        let RecordContext {
            graph,
            windows,
            at,
            envelope,
        } = record;
        if !self.keep_objects {
            body.object = no_object();
        }
        if let Some(original) = body.boost_of.as_deref().filter(|_| body.has_made_uri()) {
            body.uri = self.uri_of_boost(at, envelope.arrived, &body, original)?;
        }
        let known = self.known_as(&body.uri, envelope)?;
        let life = known
            .as_deref()
            .map_or(Life::This, |known| life(known, record));
        if let (Some(known), Life::This) = (&known, life) {
            return self.update(record, how, body, known);
        }
        let origin = origin_of(&body.author).ok_or_else(|| {
            IngestError::Refused(format!("the author {:?} has no host", body.author))
        })?;
        let fetched = how == Delivery::Fetched;
        let learned = self.origins.read().learned(&origin);
        let effective = windows.effective(&origin, learned);
        let judgement = judge(body.published, envelope.arrived, fetched, &effective);
        if life == Life::Earlier {
            // What it made stands below what is known to be full.
            self.full.clear();
        }
        let placed = self.place(&body, judgement, record, effective.clock_skew)?;
        let (id, judgement) = match placed {
            // What it made was forgotten and is no longer kept.
            Placed::At(..) if life == Life::Earlier => {
                self.full.clear();
                return Ok(Outcome::Known);
            }
            Placed::At(id, judgement) => (id, judgement),
            Placed::Before(known) => {
                return self.update(record, how, body, &known);
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
            placed_by: judgement.placed_by,
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
        Ok(Outcome::Placed {
            verdict: post.verdict,
            delay_ms: post.delay_ms(),
        })
    }

    /// The post of a URI that a record is about, as far as one is known: by its ref one that had the URI before, and was forgotten; else
    /// the one that has it.
    fn known_as(&self, uri: &str, envelope: &Envelope) -> Result<Option<Arc<Post>>, DiskError> {
        let Some(known) = self.store.post_by_uri(uri)? else {
            return Ok(None);
        };
        if is_another_ref(&known, envelope)
            && let Some(reference) = &envelope.post_ref
            && let Some(before) = self.store.post_by_ref(reference)?
            && before.body.uri == uri
        {
            return Ok(Some(before));
        }
        Ok(Some(known))
    }

    /// A post that has its place comes again: redelivered, edited, fetched, or read again from the log.
    fn update(
        &mut self,
        record: RecordContext<'_>,
        how: Delivery,
        body: PostContent,
        known: &Post,
    ) -> Result<Outcome, IngestError> {
        let RecordContext {
            graph,
            windows,
            at,
            envelope,
        } = record;
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
        } else if known.post_ref == envelope.post_ref {
            // It may be this record that the ref came with: nothing else stored with the post says so.
            self.store.relist_ref(known)?;
        }
        let outcome = match known.state {
            State::Gone | State::Forgotten => return Ok(Outcome::Known),
            // An Update without a time may be of a server that gives none; anything else without one is from before the edit.
            State::Stub
                if body.updated < known.body.updated
                    && (how != Delivery::Update || body.updated.is_some()) =>
            {
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

    /// The record that made a post what it is, read again after a crash: a checkpoint writes posts before indexes and
    /// homes, so the post may be stored as it is while they are not; nor did its parent, come meanwhile, find it.
    pub(super) fn reapply(&mut self, graph: &Graph, known: &Post) -> Result<(), DiskError> {
        let post = self.store.put_post(Post {
            answers: answers_of(&self.store, &known.body)?,
            ..known.clone()
        });
        let fate = match post.state {
            State::Whole => PostChange::Changed,
            State::Stub | State::Gone | State::Forgotten => PostChange::Gone,
        };
        if post.state == State::Forgotten {
            self.store.relist_uri(&post)?;
        }
        self.fan_out_again(graph, &post, fate)?;
        if self.store.holds_uri(&post)? {
            fan_out_replies(&self.store, graph, &post, ReplyScope::All)?;
        }
        Ok(())
    }

    /// A post into or out of every home it concerns, and the boosts that rest on it, at once or soon.
    pub(super) fn fan_out_again(
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
}

/// Which of the posts of its URI a record is about: a URI has one, unless the backend forgot it and sent it again under another ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The post that has the URI now.
    This,
    /// One before it, that was forgotten: the record is read again.
    Earlier,
    /// One that comes with the record, since the one before was forgotten.
    Later,
}

/// Which post of its URI a record is about, of which `known` has the URI.
fn life(known: &Post, record: RecordContext<'_>) -> Life {
    let (at, envelope) = (record.at, record.envelope);
    if !is_another_ref(known, envelope) {
        return Life::This;
    }
    if is_earlier((at, envelope.arrived), (known.made, known.arrived)) {
        return Life::Earlier;
    }
    let stands_after = |position: LogPos| !at.is_beside(position) || position < at;
    match known.state {
        State::Forgotten if stands_after(known.newest) => Life::Later,
        _ => Life::This,
    }
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
