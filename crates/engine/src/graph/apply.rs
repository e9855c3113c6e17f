//! One relation record into the graph, and what it means for the account's feed. Pure.

use crate::graph::AccountIx;
use crate::graph::FollowOptions;
use crate::graph::Graph;
use crate::graph::hold_index::Said;
use crate::graph::insert;
use crate::graph::lists::Wants;
use crate::graph::remove;
use crate::relationship::{Change, Key, Kind, Relation};
use slackwater_order::time::Time;

/// What the change of a relation calls for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// An account heard of for the first time: it needs a home.
    pub new_account: Option<AccountIx>,
    /// The account whose feed is concerned; none if no feed is.
    pub account: Option<AccountIx>,
    /// Entries may have to leave.
    pub prunes: bool,
    /// Entries may have to enter.
    pub merge_in: Merge,
    /// Boosts of one post were shown as one and are not, or the other way round.
    pub regroups: bool,
    /// Lists that were removed: their feeds go.
    pub lists_gone: Vec<String>,
    /// The account was removed: its feeds and all its relations go.
    pub purge: bool,
    /// The instance does something else to this actor or domain now.
    pub moderated: Option<String>,
    /// Actors who became local, or ceased to be.
    pub moved: Vec<String>,
    /// The account's patience was this before, in milliseconds, and is another now.
    pub patience_ms_before: Option<i64>,
}

/// The posts that may have to enter a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Merge {
    /// Nobody's.
    #[default]
    Nobody,
    /// Those of one author, by actor id, and the answers to them.
    Author(String),
    /// Those with a hashtag.
    Tag(String),
    /// Those of everyone followed, and the account's own.
    Everyone,
}

/// What a change calls for in an account's feeds: nothing, by default.
#[derive(Debug, Default)]
struct FeedWork {
    /// Entries may have to leave.
    prunes: bool,
    /// Entries may have to enter.
    merge_in: Merge,
}

impl FeedWork {
    fn prune() -> FeedWork {
        FeedWork {
            prunes: true,
            merge_in: Merge::Nobody,
        }
    }

    fn merge(merge_in: Merge) -> FeedWork {
        FeedWork {
            prunes: false,
            merge_in,
        }
    }
}

impl Graph {
    /// Applies one change. A change that says nothing new has no effect on any feed.
    pub fn apply(&mut self, change: &Change) -> Effect {
        let key = &change.key;
        if key.kind == Kind::Moderation {
            let action = match &change.relation {
                Some(Relation::Moderation { action, .. }) => Some(*action),
                _ => None,
            };
            return Effect {
                moderated: self
                    .moderate(&key.target, action)
                    .then(|| key.target.clone()),
                ..Effect::default()
            };
        }
        if let (Kind::Account, None) = (key.kind, &change.relation) {
            return self.purge(key);
        }
        // A removal does not make an unknown account known.
        if change.relation.is_none() && self.account(&key.account).is_none() {
            return Effect::default();
        }
        let (account, is_new) = self.account_or_new(&key.account);
        let before = self.patience_ms(account);
        let actor_before = self.get(account).and_then(super::Account::actor);
        let aggregated = self.aggregates_boosts(account);
        let work = self.change(account, key, change.relation.as_ref());
        let actor = self.get(account).and_then(super::Account::actor);
        let moved = [actor_before, actor].into_iter().flatten();
        let moved = moved
            .filter(|_| actor_before != actor)
            .map(|actor| self.name(actor).to_owned())
            .collect();
        let is_other = !is_new && before != self.patience_ms(account);
        // A relation does not make an account active: only a reader does.
        if !self.is_inactive(account) {
            self.wake(account);
        }
        Effect {
            new_account: is_new.then_some(account),
            account: Some(account),
            prunes: work.prunes,
            merge_in: work.merge_in,
            lists_gone: (key.kind == Kind::List && change.relation.is_none())
                .then(|| key.target.clone())
                .into_iter()
                .collect(),
            regroups: aggregated != self.aggregates_boosts(account),
            purge: false,
            moderated: None,
            moved,
            patience_ms_before: is_other.then_some(before),
        }
    }

    /// The mutes in force that were to end at or before `now`: the key of the end of each, and when that was.
    pub fn ended_mutes(&self, now: Time) -> Vec<(Key, Time)> {
        let ended = self
            .mutes_by_end
            .range(..=(now, AccountIx(u32::MAX), super::ActorIx(u32::MAX)));
        ended
            .filter_map(|(until, account, actor)| {
                let end = Key {
                    account: self.get(*account)?.id().to_owned(),
                    kind: Kind::MuteEnd,
                    target: self.name(*actor).to_owned(),
                };
                Some((end, *until))
            })
            .collect()
    }

    /// Applies the change of a relation that an account has, and returns what that calls for in its feeds.
    fn change(&mut self, account: AccountIx, key: &Key, relation: Option<&Relation>) -> FeedWork {
        let is_on = relation.is_some();
        match (key.kind, relation) {
            (
                Kind::Account,
                Some(Relation::Account {
                    actor,
                    patience,
                    aggregate_boosts,
                    ..
                }),
            ) => {
                self.set_patience(account, Said::Account, *patience);
                self.set_aggregates_boosts(account, *aggregate_boosts);
                self.change_actor(account, actor)
            }
            (
                Kind::Follow,
                Some(Relation::Follow {
                    target,
                    boosts,
                    languages,
                    ..
                }),
            ) => {
                let options = FollowOptions {
                    boosts: *boosts,
                    languages: languages.clone(),
                };
                self.follow(account, target, options)
            }
            (Kind::Follow, None) => self.unfollow(account, &key.target),
            (Kind::Mute, relation) => {
                let until = match relation {
                    Some(Relation::Mute { until, .. }) => *until,
                    _ => None,
                };
                self.set_mute(account, &key.target, is_on, until)
            }
            (Kind::Block, _) => {
                let actor = self.actor_or_new(&key.target);
                self.exclude(account, is_on, |of, on| set(&mut of.blocks, actor, on))
            }
            (Kind::DomainBlock, _) => {
                let domain: Box<str> = key.target.as_str().into();
                self.exclude(account, is_on, |of, on| {
                    set(&mut of.domain_blocks, domain, on)
                })
            }
            (Kind::BlockedBy, _) => {
                let actor = self.actor_or_new(&key.target);
                self.exclude(account, is_on, |of, on| set(&mut of.blocked_by, actor, on))
            }
            (Kind::Tag, _) => match self.set_tag(account, &key.target, is_on) {
                false => FeedWork::default(),
                true if is_on => FeedWork::merge(Merge::Tag(key.target.clone())),
                true => FeedWork::prune(),
            },
            (Kind::List, relation) => {
                let wants = match relation {
                    Some(Relation::List {
                        replies, exclusive, ..
                    }) => Some(Wants {
                        replies: *replies,
                        exclusive: *exclusive,
                    }),
                    _ => None,
                };
                let before = self.set_list(account, &key.target, wants);
                list_change(before, wants)
            }
            (Kind::ListMember, _) => self.change_list_member(account, &key.target, is_on),
            (Kind::Ordering, relation) => {
                let patience = match relation {
                    Some(Relation::Ordering { patience, .. }) => Some(*patience),
                    _ => None,
                };
                self.set_patience(account, Said::Ordering, patience);
                FeedWork::default()
            }
            // The removal of an account and moderation are no change within an account; the rest is no form of a relation.
            _ => FeedWork::default(),
        }
    }

    fn set_aggregates_boosts(&mut self, account: AccountIx, aggregates: bool) {
        if let Some(of) = self.accounts.get_mut(account.number()) {
            of.wants_repeats = !aggregates;
        }
    }

    /// The account is this actor. Which actor it is decides what it wrote and in which posts it is addressed.
    fn change_actor(&mut self, account: AccountIx, actor: &str) -> FeedWork {
        let actor = self.actor_or_new(actor);
        if self.get(account).and_then(super::Account::actor) == Some(actor) {
            return FeedWork::default();
        }
        self.set_actor(account, Some(actor));
        FeedWork {
            prunes: true,
            merge_in: Merge::Everyone,
        }
    }

    fn follow(&mut self, account: AccountIx, target: &str, options: FollowOptions) -> FeedWork {
        let before = self
            .actor(target)
            .and_then(|actor| self.get(account)?.follow(actor).cloned());
        if before.as_ref() == Some(&options) {
            return FeedWork::default();
        }
        self.set_follow(account, target, options);
        FeedWork {
            prunes: before.is_some(),
            merge_in: Merge::Author(target.to_owned()),
        }
    }

    fn unfollow(&mut self, account: AccountIx, target: &str) -> FeedWork {
        let Some(actor) = self.actor(target) else {
            return FeedWork::default();
        };
        let was_followed = self
            .get(account)
            .is_some_and(|of| of.follow(actor).is_some());
        self.unset_follow(account, actor);
        FeedWork {
            prunes: was_followed,
            ..FeedWork::default()
        }
    }

    /// `target`: the backend's id of the list, a space, and the id of the actor.
    fn change_list_member(&mut self, account: AccountIx, target: &str, is_on: bool) -> FeedWork {
        let Some((list, actor)) = target.split_once(' ') else {
            return FeedWork::default();
        };
        let actor_ix = self.actor_or_new(actor);
        if !self.set_list_member(account, list, actor_ix, is_on) {
            return FeedWork::default();
        }
        let list = self.get(account).and_then(|of| of.list(list));
        match list.map(crate::graph::lists::List::is_exclusive) {
            None => FeedWork::default(),
            // Into the list and out of home, or the other way round.
            Some(true) => FeedWork {
                prunes: true,
                merge_in: Merge::Author(actor.to_owned()),
            },
            Some(false) if is_on => FeedWork::merge(Merge::Author(actor.to_owned())),
            Some(false) => FeedWork::prune(),
        }
    }

    fn aggregates_boosts(&self, account: AccountIx) -> bool {
        self.get(account)
            .is_none_or(super::Account::aggregates_boosts)
    }

    fn set_mute(
        &mut self,
        account: AccountIx,
        target: &str,
        on: bool,
        until: Option<Time>,
    ) -> FeedWork {
        let actor = self.actor_or_new(target);
        let ends = self.mute_ends.remove(&(account, actor));
        if let Some(end) = ends {
            self.mutes_by_end.remove(&(end, account, actor));
        }
        if let (true, Some(end)) = (on, until) {
            self.mute_ends.insert((account, actor), end);
            self.mutes_by_end.insert((end, account, actor));
        }
        self.exclude(account, on, |of, on| set(&mut of.mutes, actor, on))
    }

    /// Turns something that keeps posts out on or off.
    fn exclude(
        &mut self,
        account: AccountIx,
        on: bool,
        set: impl FnOnce(&mut super::Account, bool) -> bool,
    ) -> FeedWork {
        let changed = self
            .accounts
            .get_mut(account.number())
            .is_some_and(|of| set(of, on));
        match (changed, on) {
            (false, _) => FeedWork::default(),
            (true, true) => FeedWork::prune(),
            // Posts of others that boost or mention them come back too.
            (true, false) => FeedWork::merge(Merge::Everyone),
        }
    }

    fn purge(&mut self, key: &Key) -> Effect {
        let Some(account) = self.account(&key.account) else {
            return Effect::default();
        };
        let Some(of) = self.accounts.get(account.number()) else {
            return Effect::default();
        };
        let (follows, tags, actor) = (of.follows.clone(), of.tags.clone(), of.actor);
        let lists_gone = of.lists().map(|(list, _)| list.to_owned()).collect();
        let listed: Vec<_> = of
            .lists
            .iter()
            .flat_map(|lists| lists.values())
            .flat_map(|list| list.members().to_vec())
            .collect();
        for actor in follows {
            self.unset_follow(account, actor);
        }
        for tag in tags {
            self.set_tag(account, &tag, false);
        }
        for actor in listed {
            self.unset_lister(account, actor);
        }
        self.set_actor(account, None);
        let ends: Vec<_> = self
            .mute_ends
            .iter()
            .filter(|((of, _), _)| *of == account)
            .map(|(k, v)| (*k, *v))
            .collect();
        for ((of, actor), end) in ends {
            self.mute_ends.remove(&(of, actor));
            self.mutes_by_end.remove(&(end, of, actor));
        }
        if let Some(of) = self.accounts.get_mut(account.number()) {
            *of = super::Account {
                id: std::mem::take(&mut of.id),
                is_gone: true,
                newest_relation: of.newest_relation,
                ..super::Account::default()
            };
        }
        self.wake(account);
        Effect {
            account: Some(account),
            purge: true,
            lists_gone,
            moved: actor
                .map(|actor| self.name(actor).to_owned())
                .into_iter()
                .collect(),
            ..Effect::default()
        }
    }
}

/// What a change of a list's settings calls for; none: there is no such list.
fn list_change(before: Option<Wants>, after: Option<Wants>) -> FeedWork {
    let is_exclusive = |wants: Option<Wants>| wants.is_some_and(|wants| wants.exclusive);
    match (before, after) {
        (before, after) if before == after => FeedWork::default(),
        (None, _) => FeedWork {
            prunes: is_exclusive(after),
            merge_in: Merge::Everyone,
        },
        // The list's own feed goes as a whole.
        (_, None) if is_exclusive(before) => FeedWork::merge(Merge::Everyone),
        (_, None) => FeedWork::default(),
        _ => FeedWork {
            prunes: true,
            merge_in: Merge::Everyone,
        },
    }
}

/// Puts an item in or takes it out; whether that changed anything.
fn set<T: Ord>(sorted: &mut Vec<T>, item: T, on: bool) -> bool {
    if on {
        insert(sorted, item)
    } else {
        remove(sorted, &item)
    }
}

#[cfg(test)]
mod tests;
