//! One change of a relation into the state: in force in the graph, kept, and owed to the account's feeds.

use super::settle::Settling;
use crate::feed::disk::DiskError;
use crate::feed::ledger::Ledger;
use crate::feed::named::Name;
use crate::feed::store::{Store, home_key, relation_key};
use crate::graph::apply::{Effect, Merge};
use crate::graph::{AccountIx, Graph};
use crate::order::place::PostId;
use crate::order::wait::Wait;
use crate::post::mark::{Mark, Seen};
use crate::post::record::{NewRecord, Topic};
use crate::post::relationship::{Change, Key, Kind, Relation, decode};
use crate::time::Time;
use parking_lot::RwLock;
use std::sync::Arc;

/// Puts every stored relation in force, before the first record is read. Feeds are stored as they should be.
pub(super) fn load(store: &Store, graph: &mut Graph) -> Result<(), DiskError> {
    for row in store.relations() {
        let (key, document) = row?;
        let change = key
            .get(2..)
            .and_then(|key| decode(Some(key), Some(&document)).ok());
        let change = change.ok_or(DiskError::Damaged { tree: "relations" })?;
        if let Some(account) = graph.apply(&change).new_account {
            store.homes.add(account, home_key(&change.key.account));
        }
    }
    Ok(())
}

/// How a relation record was read.
pub(super) struct Read<'a> {
    /// Where it stands.
    pub(super) mark: Mark,
    /// What readers had been told was seen before the batch it came in.
    pub(super) seen: &'a Arc<Seen>,
    /// Whether it may have been read before, by a process that ended.
    pub(super) again: bool,
    /// How long feeds wait for an origin.
    pub(super) wait: &'a dyn Fn(&str) -> Wait,
}

/// Puts one change in force; what it calls for in feeds is owed from now on. While the log is read again after a start, a
/// change that says nothing new is carried out all the same: the feed it concerns may be older than the relation.
pub(super) fn relate(
    store: &Store,
    graph: &RwLock<Graph>,
    settling: &mut Settling,
    change: &Change,
    read: &Read<'_>,
) -> Result<Effect, DiskError> {
    let mut effect = {
        let mut graph = graph.write();
        let effect = graph.apply(change);
        graph.set_new_waits(read.wait);
        effect
    };
    if let Some(account) = effect.new_account {
        store.homes.add(account, home_key(&change.key.account));
    }
    if read.again && (effect.account.is_some() || change.key.kind == Kind::Moderation) {
        redo(&mut effect, change);
    }
    keep(store, change, &effect)?;
    let graph = graph.read();
    if let Some(account) = effect.account {
        let Some(of) = graph.get(account) else {
            return Ok(effect);
        };
        // A cursor from before knows entries that nothing here can list any more.
        let mut blank = Ledger::default();
        blank.forget(read.mark);
        if effect.purge {
            for list in &effect.lists_gone {
                let name = Name::list(account, of.id(), list);
                store.replace_named(name, blank.clone());
            }
            store.homes.replace(account, blank);
            settling.forget(account);
        } else if let Some(list) = effect.lists_gone.first() {
            store.replace_named(Name::list(account, of.id(), list), blank);
        }
        let calls_for_work = effect.weed_out || effect.merge_in != Merge::Nobody || effect.regroups;
        // One that sleeps has no feeds: they are merged anew when it wakes.
        if calls_for_work && !graph.is_asleep(account) {
            settling.owe(account, read.mark, &effect, read.seen);
        }
    }
    Ok(effect)
}

/// Up to when an account's feed had been shown before its patience changed, if then it was held back up to `before`.
///
/// Without patience all of it was shown, up to what the record says was the present; and what was read ahead of it too.
pub(super) fn shown_until(
    store: &Store,
    account: AccountIx,
    before: Option<Time>,
    said: Option<Time>,
    now: Time,
) -> Result<Time, DiskError> {
    let reached = match before {
        Some(before) => before,
        None => {
            let home = store.home(account)?.unwrap_or_default();
            let top = home.newest_first().next().map(PostId::time);
            top.max(said).unwrap_or(now)
        }
    };
    Ok(reached.min(now))
}

/// The record that removes a relation.
pub(super) fn removal(key: &Key, now: Time) -> NewRecord {
    NewRecord {
        topic: Topic::Relationships,
        partition_by: key.account.clone().into_bytes(),
        key: key.to_bytes(),
        value: None,
        headers: Vec::new(),
        timestamp: now,
    }
}

fn redo(effect: &mut Effect, change: &Change) {
    match (change.key.kind, &change.relation) {
        (Kind::Follow, Some(_)) => {
            // It may want less than one before it.
            effect.weed_out = true;
            if effect.merge_in == Merge::Nobody {
                effect.merge_in = Merge::Author(change.key.target.clone());
            }
        }
        (Kind::Tag, Some(_)) if effect.merge_in == Merge::Nobody => {
            effect.merge_in = Merge::Tag(change.key.target.clone());
        }
        (Kind::Mute | Kind::Block | Kind::BlockedBy | Kind::DomainBlock, None) => {
            effect.merge_in = Merge::Everyone;
        }
        (Kind::Account, Some(relation)) => {
            effect.weed_out = true;
            effect.merge_in = Merge::Everyone;
            effect.regroups = true;
            if let Relation::Account { actor, .. } = relation {
                effect.moved = vec![actor.clone()];
            }
        }
        (Kind::Follow | Kind::Tag, None)
        | (Kind::Mute | Kind::Block | Kind::BlockedBy | Kind::DomainBlock, Some(_)) => {
            effect.weed_out = true;
        }
        (Kind::List | Kind::ListMember, _) => {
            effect.weed_out = true;
            effect.merge_in = Merge::Everyone;
        }
        (Kind::Moderation, _) => effect.moderated = Some(change.key.target.clone()),
        _ => {}
    }
}

fn keep(store: &Store, change: &Change, effect: &Effect) -> Result<(), DiskError> {
    let account = &change.key.account;
    if effect.purge {
        for key in store.relation_keys(&relation_key(account, format!("{account}/").as_bytes()))? {
            store.put_relation(key, None);
        }
        return Ok(());
    }
    let document = change
        .relation
        .as_ref()
        .and_then(|relation| serde_json::to_vec(relation).ok());
    store.put_relation(relation_key(account, &change.key.to_bytes()), document);
    Ok(())
}
