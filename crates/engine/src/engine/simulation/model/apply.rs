//! What one record changes in the plain model.

use super::*;

impl Model {
    pub(super) fn take(&mut self, log: &Log, line: &Line) {
        match &line.event {
            Event::Write(writing) => self.write(log, writing, line),
            Event::Boost {
                post,
                of,
                published,
                has_id,
            } => {
                let announced = Writing::public(*post, *published);
                let by = log.authors[*post];
                let earlier = self.boosts_without_id(by, *of).count();
                let is_there = match has_id {
                    true => self.posts.contains_key(post),
                    // As long as the last is not undone, one more says nothing.
                    false => 0 < earlier && !self.may_boost_again(by, *of),
                };
                if !is_there {
                    self.write(log, &announced, line);
                    if let Some(boost) = self.posts.get_mut(post) {
                        boost.boost_of = Some((*of, *published));
                        boost.number = (!has_id).then_some(earlier + 1);
                    }
                }
            }
            Event::Delete(post) if line.forgotten => {
                let known = self.posts.get_mut(post);
                if let Some(known) = known.filter(|known| known.post_ref == line.post_ref) {
                    known.is_forgotten = true;
                    self.forgotten.insert((*post, line.post_ref));
                }
            }
            Event::Delete(post)
            | Event::Unboost {
                post: Some(post), ..
            } => {
                self.deleted.insert(*post);
                if let Some(post) = self.posts.get_mut(post) {
                    post.is_gone = true;
                }
            }
            Event::Unboost { by, of, post: None } => {
                // All that stand before it in their author's order, which their partition keeps; none after it.
                for post in self.posts.values_mut() {
                    let is_meant = post.author == *by && post.boosts(*of);
                    post.is_gone |= is_meant;
                    post.is_undone |= is_meant;
                }
            }
            Event::DeleteAuthor(author) => {
                self.deleted_authors.insert(*author);
                for post in self.posts.values_mut() {
                    post.is_gone |= post.author == *author;
                }
            }
            Event::Name {
                author, collection, ..
            } => {
                // On their own host; whose it is besides is nothing to anybody.
                if host_of(collection.of) == host_of(*author) {
                    self.named.entry(*author).or_default().insert(*collection);
                }
            }
            Event::Relate {
                account,
                relation,
                holds,
            } => self.relate(*account, *relation, *holds),
            Event::Moderate { target, action } => {
                match action {
                    Some(action) => self.moderated.insert(*target, *action),
                    None => self.moderated.remove(target),
                };
            }
        }
    }

    fn write(&mut self, log: &Log, writing: &Writing, line: &Line) {
        let arrived = line.arrived;
        if self.forgotten.contains(&(writing.post, line.post_ref)) {
            return;
        }
        let known = self.posts.get(&writing.post);
        let comes_again = known.is_some_and(|post| post.is_forgotten && !post.is_gone);
        if comes_again {
            self.posts.remove(&writing.post);
        }
        if let Some(post) = self.posts.get_mut(&writing.post) {
            let is_newer = post.updated < writing.updated;
            let is_same = writing.delivery == Delivery::Update && post.updated == writing.updated;
            if !post.is_gone && !post.is_forgotten && (is_newer || is_same) {
                post.updated = writing.updated;
                post.audience = writing.audience;
                post.mentions = writing.mentions;
                post.tag = writing.tag;
            }
            return;
        }
        let author = log.authors[writing.post];
        let (at, is_withheld) = self.place(writing, author, arrived);
        let slot = u64::from(slot_of(&actor(author)));
        let mut id = match line.post_ref.filter(|_| log.by_ref) {
            Some(post_ref) => post_ref,
            None => (at as u64) << 16 | slot << 6,
        };
        while !self.taken.insert(id) {
            assert!(!log.by_ref, "a place is a post's own");
            id += 1;
        }
        let is_gone =
            self.deleted.contains(&writing.post) || self.deleted_authors.contains(&author);
        let post = Post {
            id,
            author,
            is_gone,
            is_forgotten: false,
            post_ref: line.post_ref,
            is_withheld,
            is_stub: false,
            boost_of: None,
            number: None,
            is_undone: false,
            updated: writing.updated,
            audience: writing.audience,
            mentions: writing.mentions,
            parent: writing.parent,
            tag: writing.tag,
        };
        self.posts.insert(writing.post, post);
    }

    /// Where a post goes, and whether it is in no feed for being too late.
    fn place(&self, writing: &Writing, author: usize, arrived: i64) -> (i64, bool) {
        let Some(published) = writing.published.filter(|at| *at <= arrived + CLOCK_SKEW) else {
            return (arrived, false);
        };
        let by_published = published.min(arrived);
        let Some((window, lateness)) = self.surfacing else {
            return (by_published, false);
        };
        if host_of(author) != SURFACING || writing.delivery == Delivery::Fetched {
            return (by_published, false);
        }
        match arrived - published {
            delay if delay <= window => (by_published, false),
            delay if delay <= window + lateness => (arrived, false),
            _ => (by_published, true),
        }
    }

    /// Notes what is said of a mute or of its end, and returns whether the account mutes whom that is about. A mute that has ended is the one
    /// that was to end when the last end says.
    fn is_muted_now(&mut self, account: usize, relation: RelationChoice, holds: bool) -> bool {
        let (whom, until) = match relation {
            RelationChoice::Mute(whom) => (whom, None),
            RelationChoice::MuteUntil(whom, until) => (whom, Some(until)),
            RelationChoice::MuteEnd(whom, until) => {
                self.mute_ends.insert((account, whom), until);
                let mute = self.mutes.get(&(account, whom));
                return mute.is_some_and(|mute| *mute != Some(until));
            }
            _ => return false,
        };
        let key = (account, whom);
        if !holds {
            self.mutes.remove(&key);
            return false;
        }
        self.mutes.insert(key, until);
        until.is_none_or(|until| self.mute_ends.get(&key) != Some(&until))
    }

    fn relate(&mut self, account: usize, relation: RelationChoice, holds: bool) {
        if matches!(relation, RelationChoice::Be(..)) && !holds {
            self.accounts.remove(&account);
            self.mutes.retain(|(of, _), _| *of != account);
            self.mute_ends.retain(|(of, _), _| *of != account);
            return;
        }
        let is_muted = self.is_muted_now(account, relation, holds);
        let is_end = matches!(relation, RelationChoice::MuteEnd(..));
        if is_end && !self.accounts.contains_key(&account) {
            return;
        }
        if !holds && !self.accounts.contains_key(&account) {
            return;
        }
        let of = self.accounts.entry(account).or_default();
        let set = |set: &mut BTreeSet<usize>, who| {
            if holds {
                set.insert(who)
            } else {
                set.remove(&who)
            }
        };
        match relation {
            RelationChoice::Be(own, said, aggregates) => {
                of.own = Some(own);
                of.said = said;
                of.wants_repeats = !aggregates;
            }
            RelationChoice::Follow(who, boosts) if holds => drop(of.follows.insert(who, boosts)),
            RelationChoice::Follow(who, _) => drop(of.follows.remove(&who)),
            RelationChoice::Mute(who)
            | RelationChoice::MuteUntil(who, _)
            | RelationChoice::MuteEnd(who, _) => {
                if is_muted {
                    of.mutes.insert(who);
                } else {
                    of.mutes.remove(&who);
                }
            }
            RelationChoice::Block(who) => drop(set(&mut of.blocks, who)),
            RelationChoice::BlockDomain(n) if holds => drop(of.domains.insert(HOSTS[n])),
            RelationChoice::BlockDomain(n) => drop(of.domains.remove(HOSTS[n])),
            RelationChoice::BlockedBy(who) => drop(set(&mut of.blocked_by, who)),
            RelationChoice::Tag(tag) => drop(set(&mut of.tags, tag)),
            RelationChoice::List(replies, is_exclusive) => {
                of.list = holds.then_some((replies, is_exclusive));
            }
            RelationChoice::Member(who) => drop(set(&mut of.members, who)),
            RelationChoice::Patience(ms) => of.chosen = holds.then_some(ms),
        }
    }
}
