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

/// What a relation record calls for.
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

/// Whose posts may have to enter a feed.
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
        // A removal for an account nobody knows makes none.
        if change.relation.is_none() && self.account(&key.account).is_none() {
            return Effect::default();
        }
        let (account, is_new) = self.account_or_new(&key.account);
        let before = self.patience_ms(account);
        let actor_before = self.get(account).and_then(super::Account::actor);
        let aggregated = self.aggregates_boosts(account);
        let (prunes, merge_in) = self.change(account, key, change.relation.as_ref());
        let actor = self.get(account).and_then(super::Account::actor);
        let moved = [actor_before, actor].into_iter().flatten();
        let moved = moved
            .filter(|_| actor_before != actor)
            .map(|actor| self.name(actor).to_owned())
            .collect();
        let is_other = !is_new && before != self.patience_ms(account);
        // A relation wakes nobody: only a reader does.
        if !self.is_inactive(account) {
            self.wake(account);
        }
        Effect {
            new_account: is_new.then_some(account),
            account: Some(account),
            prunes,
            merge_in,
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

    /// The mutes that ended at or before `now`: the keys of the relations to be removed.
    pub fn ended_mutes(&self, now: Time) -> Vec<Key> {
        let ended = self
            .mutes_by_end
            .range(..=(now, AccountIx(u32::MAX), super::ActorIx(u32::MAX)));
        ended
            .filter_map(|(_, account, actor)| {
                Some(Key {
                    account: self.get(*account)?.id().to_owned(),
                    kind: Kind::Mute,
                    target: self.name(*actor).to_owned(),
                })
            })
            .collect()
    }

    fn change(
        &mut self,
        account: AccountIx,
        key: &Key,
        relation: Option<&Relation>,
    ) -> (bool, Merge) {
        const NOTHING: (bool, Merge) = (false, Merge::Nobody);
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
                if let Some(of) = self.accounts.get_mut(account.number()) {
                    of.wants_repeats = !aggregate_boosts;
                }
                let actor_ix = self.actor_or_new(actor);
                if self.get(account).and_then(super::Account::actor) == Some(actor_ix) {
                    return NOTHING;
                }
                self.set_actor(account, Some(actor_ix));
                // Who it is decides what it wrote and what it was addressed in.
                (true, Merge::Everyone)
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
                let how = FollowOptions {
                    boosts: *boosts,
                    languages: languages.clone(),
                };
                let before = self
                    .actor(target)
                    .and_then(|actor| self.get(account)?.follow(actor).cloned());
                if before.as_ref() == Some(&how) {
                    return NOTHING;
                }
                self.set_follow(account, target, how);
                (before.is_some(), Merge::Author(target.clone()))
            }
            (Kind::Follow, None) => {
                let Some(actor) = self.actor(&key.target) else {
                    return NOTHING;
                };
                let was = self
                    .get(account)
                    .is_some_and(|of| of.follow(actor).is_some());
                self.unset_follow(account, actor);
                (was, Merge::Nobody)
            }
            (Kind::Mute, relation) => {
                let until = match relation {
                    Some(Relation::Mute { until, .. }) => *until,
                    _ => None,
                };
                self.set_mute(account, &key.target, relation.is_some(), until)
            }
            (Kind::Block, relation) => {
                let actor = self.actor_or_new(&key.target);
                self.shun(account, relation.is_some(), |of, on| {
                    set(&mut of.blocks, actor, on)
                })
            }
            (Kind::DomainBlock, relation) => {
                let domain: Box<str> = key.target.as_str().into();
                self.shun(account, relation.is_some(), |of, on| {
                    set(&mut of.domain_blocks, domain, on)
                })
            }
            (Kind::BlockedBy, relation) => {
                let actor = self.actor_or_new(&key.target);
                self.shun(account, relation.is_some(), |of, on| {
                    set(&mut of.blocked_by, actor, on)
                })
            }
            (Kind::Tag, relation) => {
                match (
                    self.set_tag(account, &key.target, relation.is_some()),
                    relation,
                ) {
                    (false, _) => NOTHING,
                    (true, Some(_)) => (false, Merge::Tag(key.target.clone())),
                    (true, None) => (true, Merge::Nobody),
                }
            }
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
            (Kind::ListMember, relation) => {
                let Some((list, actor)) = key.target.split_once(' ') else {
                    return NOTHING;
                };
                let actor_ix = self.actor_or_new(actor);
                let on = relation.is_some();
                if !self.set_list_member(account, list, actor_ix, on) {
                    return NOTHING;
                }
                let list = self.get(account).and_then(|of| of.list(list));
                match list.map(crate::graph::lists::List::is_exclusive) {
                    None => NOTHING,
                    // Into the list and out of home, or the other way round.
                    Some(true) => (true, Merge::Author(actor.to_owned())),
                    Some(false) if on => (false, Merge::Author(actor.to_owned())),
                    Some(false) => (true, Merge::Nobody),
                }
            }
            (Kind::Ordering, relation) => {
                let patience = match relation {
                    Some(Relation::Ordering { patience, .. }) => Some(*patience),
                    _ => None,
                };
                self.set_patience(account, Said::Ordering, patience);
                NOTHING
            }
            // A removed account and moderation are no change of one account's wishes; the rest is no relation's form.
            _ => NOTHING,
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
    ) -> (bool, Merge) {
        let actor = self.actor_or_new(target);
        let ends = self.mute_ends.remove(&(account, actor));
        if let Some(end) = ends {
            self.mutes_by_end.remove(&(end, account, actor));
        }
        if let (true, Some(end)) = (on, until) {
            self.mute_ends.insert((account, actor), end);
            self.mutes_by_end.insert((end, account, actor));
        }
        self.shun(account, on, |of, on| set(&mut of.mutes, actor, on))
    }

    /// Turns something that keeps posts out on or off.
    fn shun(
        &mut self,
        account: AccountIx,
        on: bool,
        set: impl FnOnce(&mut super::Account, bool) -> bool,
    ) -> (bool, Merge) {
        let changed = self
            .accounts
            .get_mut(account.number())
            .is_some_and(|of| set(of, on));
        match (changed, on) {
            (false, _) => (false, Merge::Nobody),
            (true, true) => (true, Merge::Nobody),
            // Whoever boosted or mentioned them comes back too.
            (true, false) => (false, Merge::Everyone),
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

/// What another wish of a list means for feeds.
fn list_change(before: Option<Wants>, after: Option<Wants>) -> (bool, Merge) {
    let is_exclusive = |wants: Option<Wants>| wants.is_some_and(|wants| wants.exclusive);
    match (before, after) {
        (before, after) if before == after => (false, Merge::Nobody),
        (None, _) => (is_exclusive(after), Merge::Everyone),
        // The list's own feed goes as a whole.
        (_, None) if is_exclusive(before) => (false, Merge::Everyone),
        (_, None) => (false, Merge::Nobody),
        _ => (true, Merge::Everyone),
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
mod tests {
    use super::*;
    use crate::graph::FanOutClass;
    use crate::relationship::decode;

    fn apply(graph: &mut Graph, document: &str) -> Effect {
        graph.apply(&decode(None, Some(document.as_bytes())).unwrap())
    }

    const ANA: &str = "https://a.example/users/ana";

    #[test]
    fn a_follow_merges_and_its_end_weeds_and_saying_it_again_does_neither() {
        let mut graph = Graph::default();
        let follow = r#"{"type":"follow","account":"7","target":"https://a.example/users/ana"}"#;
        let first = apply(&mut graph, follow);
        let account = graph.account("7").unwrap();
        assert_eq!(
            (first.new_account, first.merge_in),
            (Some(account), Merge::Author(ANA.into()))
        );
        let again = apply(&mut graph, follow);
        assert_eq!(
            (again.new_account, again.prunes, again.merge_in),
            (None, false, Merge::Nobody)
        );
        assert_eq!(graph.followers(graph.actor(ANA).unwrap()), [account]);
        let end = r#"{"type":"follow","account":"7","target":"https://a.example/users/ana","removed":true}"#;
        assert!(apply(&mut graph, end).prunes);
        assert!(!apply(&mut graph, end).prunes);
        assert_eq!(
            (graph.followers(graph.actor(ANA).unwrap()), graph.follows()),
            (&[][..], 0)
        );
    }

    #[test]
    fn boosts_are_aggregated_unless_the_account_says_otherwise() {
        let mut graph = Graph::default();
        let mut check = |more: &str, regroups, aggregates| {
            let document = format!(r#"{{"type":"account","account":"7","actor":"{ANA}"{more}}}"#);
            assert_eq!(
                apply(&mut graph, &document).regroups,
                regroups,
                "{document}"
            );
            let account = graph.account("7").unwrap();
            assert_eq!(graph.get(account).unwrap().aggregates_boosts(), aggregates);
        };
        check("", false, true);
        check(r#","aggregate_boosts":false"#, true, false);
        check(r#","aggregate_boosts":false"#, false, false);
        check(r#","aggregate_boosts":true"#, true, true);
    }

    #[test]
    fn a_mute_that_ends_is_found_when_it_has() {
        let mut graph = Graph::default();
        let mute = r#"{"type":"mute","account":"7","target":"https://a.example/users/ana","until":"2026-12-01T00:00:00Z"}"#;
        assert!(apply(&mut graph, mute).prunes);
        let end = Time::from_millis(1_796_083_200_000);
        assert_eq!(
            graph.ended_mutes(end.minus(std::time::Duration::from_millis(1))),
            []
        );
        assert_eq!(graph.ended_mutes(end).len(), 1);
        let removal = r#"{"type":"mute","account":"7","target":"https://a.example/users/ana","removed":true}"#;
        assert_eq!(apply(&mut graph, removal).merge_in, Merge::Everyone);
        assert_eq!(graph.ended_mutes(end), []);
    }

    #[test]
    fn a_removed_account_keeps_nothing() {
        let mut graph = Graph::default();
        for document in [
            r#"{"type":"account","account":"7","actor":"https://me.example/users/me"}"#,
            r#"{"type":"follow","account":"7","target":"https://a.example/users/ana","boosts":false}"#,
            r#"{"type":"block","account":"7","target":"https://b.example/users/bob"}"#,
        ] {
            apply(&mut graph, document);
        }
        let account = graph.account("7").unwrap();
        assert_eq!(graph.manner(account), FanOutClass::Particular);
        let gone = apply(
            &mut graph,
            r#"{"type":"account","account":"7","removed":true}"#,
        );
        assert!(gone.purge);
        assert_eq!(graph.account("7"), None);
        let of = graph.get(account).unwrap();
        assert_eq!(
            (of.actor(), of.follows().len(), of.shuns_anybody()),
            (None, 0, false)
        );
        assert_eq!(graph.manner(account), FanOutClass::Plain);
        assert_eq!(
            graph.owners(graph.actor("https://me.example/users/me").unwrap()),
            []
        );
    }

    #[test]
    fn a_removal_for_a_stranger_makes_no_account() {
        let mut graph = Graph::default();
        apply(
            &mut graph,
            r#"{"type":"block","account":"9","target":"https://a.example/users/ana","removed":true}"#,
        );
        assert_eq!(graph.accounts(), 0);
    }
}
