//! Applies one change of a relation: the graph has it in force, the store keeps it, and the account's feeds get pending work.

use super::feed_backlog::FeedBacklog;
use super::mutes::in_force;
use crate::feed::feed_id::FeedId;
use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{Store, home_key, relation_key, stored_change};
use crate::graph::AccountIx;
use crate::graph::Graph;
use crate::graph::apply::{Effect, Merge};
use crate::graph::versions::{Stamp, Version, Versions};
use crate::kept::Kept;
use crate::record::offsets::{LogPos, Offsets};
use crate::relationship::{Change, INSTANCE, Key, Kind, Relation};
use crate::view::awake::Awakened;
use crate::view::last_access::LastAccess;
use crate::view::pending_relations::PendingRelation;
use parking_lot::RwLock;
use slackwater_order::hold::OriginHold;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Puts every stored relation in force, before the first record is read. Stored feeds reflect them already.
pub(super) fn load(store: &Store, graph: &mut Graph) -> Result<(), DiskError> {
    let mut newest: BTreeMap<String, Option<LogPos>> = BTreeMap::new();
    for row in store.relations() {
        let (key, versions) = row?;
        let key = key.get(2..).unwrap_or_default();
        let account = key.split(|byte| *byte == b'/').next().unwrap_or_default();
        let account = std::str::from_utf8(account).unwrap_or_default();
        for stamp in versions.stamps() {
            graph.note_partition(account, stamp.partition);
            if 0 <= stamp.partition && account == INSTANCE {
                graph.note_moderation(stamp.log_pos());
            } else if 0 <= stamp.partition {
                let newest = newest.entry(account.to_owned()).or_insert(None);
                *newest = (*newest).max(Some(stamp.log_pos()));
            }
        }
        let Some(document) = versions.document() else {
            continue;
        };
        let change = in_force(store, &stored_change(key, Some(document))?)?.change;
        if let Some(account) = graph.apply(&change).new_account {
            store.homes.add(account, home_key(&change.key.account));
        }
    }
    for (account, log_pos) in newest {
        if let (Some(account), Some(log_pos)) = (graph.account_even_gone(&account), log_pos) {
            graph.note_relation(account, log_pos);
        }
    }
    Ok(())
}

/// How a relation record was read.
pub(super) struct Read<'a> {
    /// The position of the record that says it.
    pub(super) log_pos: LogPos,
    /// The position of the record that was read. It is another where the removal of an account puts in force again what was said since.
    pub(super) record: LogPos,
    /// The log's timestamp, if it has one.
    pub(super) timestamp: Option<Time>,
    /// The offsets that were published before its batch.
    pub(super) seen: &'a Arc<Offsets>,
    /// Whether an earlier process may have read it.
    pub(super) again: bool,
    /// How long feeds wait for an origin.
    pub(super) wait: &'a dyn Fn(&str) -> OriginHold,
    /// Whose feeds are kept: other accounts begin asleep.
    pub(super) kept: &'a Kept,
    pub(super) last_access: &'a LastAccess,
    pub(super) awakened: &'a Awakened,
}

impl Read<'_> {
    fn stamp(&self) -> Stamp {
        let position = self.log_pos.position();
        Stamp {
            partition: position.partition,
            offset: position.offset,
            time: self.timestamp.unwrap_or_default(),
        }
    }
}

/// Puts one change in force and adds its work in feeds. While the log is read again after a start, a change that says nothing new is
/// carried out all the same: a stored feed may be older than the stored relation. A change that a newer record of another partition
/// has overtaken has no effect.
pub(super) fn relate(
    store: &Store,
    graph: &RwLock<Graph>,
    backlog: &mut FeedBacklog,
    change: &Change,
    read: &Read<'_>,
) -> Result<Effect, DiskError> {
    let account = &change.key.account;
    let stamp = read.stamp();
    let is_only_from = graph.read().is_only_from(account, stamp.partition);
    if !is_only_from {
        graph.write().note_partition(account, stamp.partition);
    }
    if let (Kind::Account, None) = (change.key.kind, &change.relation) {
        let order = if is_only_from {
            Order::AsRead
        } else {
            Order::ByStamp
        };
        return remove_account(store, graph, backlog, change, read, order);
    }
    let version = version(change, stamp);
    let key = relation_key(account, &change.key.to_bytes());
    if is_only_from {
        let mut versions = match change.key.kind {
            // An account's own row also says when the account was removed.
            Kind::Account => store.versions(&key)?,
            _ => Versions::default(),
        };
        versions.replace(version);
        store.put_relation(key, &versions)?;
        let in_force = in_force(store, change)?;
        if let Some(by) = in_force.ended_by {
            forget(store, &graph.read(), &change.key, &[by.log_pos()])?;
        }
        return carry_out(store, graph, backlog, &in_force.change, read);
    }
    let mut versions = store.versions(&key)?;
    let before = versions.effective().cloned();
    if !versions.add(version) {
        return Ok(Effect::default());
    }
    let own = match change.key.kind {
        Kind::Account => versions.clone(),
        _ => store.versions(&account_key(account))?,
    };
    // Only after `add`: an older version must first replace the earlier ones of its partition.
    versions.forget_before_removals(&own);
    store.put_relation(key, &versions)?;
    let effective = versions.effective();
    if effective.is_some_and(|version| version.stamp == stamp) {
        let in_force = in_force(store, change)?;
        if let Some(by) = in_force.ended_by {
            forget(store, &graph.read(), &change.key, &[by.log_pos()])?;
        }
        let effect = carry_out(store, graph, backlog, &in_force.change, read)?;
        if effect.new_account.is_some() && graph.read().is_from_several(account) {
            forget_unseen(store, &graph.read(), account, &stamp)?;
        }
        return Ok(effect);
    }
    let by = effective.map(|version| &version.stamp);
    if let Some(by) = by.or_else(|| own.removal_after(&stamp)) {
        forget(store, &graph.read(), &change.key, &[by.log_pos()])?;
    }
    if effective == before.as_ref() {
        return Ok(Effect::default());
    }
    // A clock was set back: an older version of another partition counts again, or none.
    let document = effective.and_then(|version| version.document.as_deref());
    match (change.key.kind, document) {
        (Kind::Account, None) => begin_anew(store, graph, backlog, account, read),
        (_, document) => {
            let change = effective_change(&change.key, document)?;
            let change = in_force(store, &change)?.change;
            carry_out(store, graph, backlog, &change, read)
        }
    }
}

/// Has an account's feeds refuse cursors that lack one of these records.
///
/// Where a record was read before the one that overtook it, it let entries in or took some out, and the newer one did the
/// opposite. Here neither did anything, so to a reader from there who has the one and not the other nothing can be told.
fn forget(store: &Store, graph: &Graph, key: &Key, marks: &[LogPos]) -> Result<(), DiskError> {
    let account = graph.account_even_gone(&key.account);
    let Some((account, of)) = account.and_then(|it| Some((it, graph.get(it)?))) else {
        return Ok(());
    };
    // An inactive account has no feeds. When they are rebuilt, they refuse every older cursor.
    if graph.is_inactive(account) {
        return Ok(());
    }
    let list = (key.kind == Kind::List).then_some(key.target.as_str());
    let gone = list.filter(|list| of.list(list).is_none());
    let gone = gone.map(|list| FeedId::list(account, of.id(), list));
    for feed in FeedId::all_of(account, of).chain(gone) {
        let mut entries = store.feed(&feed)?;
        for log_pos in marks {
            entries.forget(*log_pos);
        }
        store.replace(feed, entries);
    }
    Ok(())
}

/// As [`forget`], of an account that has come to be known by the record at `stamp`, while others had spoken of it before.
fn forget_unseen(
    store: &Store,
    graph: &Graph,
    account: &str,
    stamp: &Stamp,
) -> Result<(), DiskError> {
    let mut marks = Vec::new();
    for key in relations_of(store, account)? {
        let versions = store.versions(&key)?;
        let others = versions
            .stamps()
            .filter(|other| *other != stamp && 0 <= other.partition);
        marks.extend(others.map(Stamp::log_pos));
    }
    let key = Key {
        account: account.to_owned(),
        kind: Kind::Account,
        target: String::new(),
    };
    forget(store, graph, &key, &marks)
}

/// Which of an account's records is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The one read later: all stand in one partition, and what is read again after a crash is read to its end.
    AsRead,
    /// What their stamps say.
    ByStamp,
}

/// Takes away an account with all that was said of it before. What was said since, in another partition, stays in force.
fn remove_account(
    store: &Store,
    graph: &RwLock<Graph>,
    backlog: &mut FeedBacklog,
    change: &Change,
    read: &Read<'_>,
    order: Order,
) -> Result<Effect, DiskError> {
    let account = &change.key.account;
    let stamp = read.stamp();
    let own_key = account_key(account);
    let mut own = store.versions(&own_key)?;
    let mut goes = read.again || own.document().is_some();
    let removal = version(change, stamp);
    match order {
        Order::AsRead => own.replace(removal),
        Order::ByStamp => {
            own.add(removal);
        }
    }
    own.add_removal(stamp);
    own.forget_before_removals(&own.clone());
    store.put_relation(own_key.clone(), &own)?;
    for key in relations_of(store, account)? {
        if key == own_key {
            continue;
        }
        let mut versions = store.versions(&key)?;
        let before = versions.document().map(<[u8]>::to_vec);
        match order {
            Order::AsRead => versions = Versions::default(),
            Order::ByStamp => versions.forget_before_removals(&own),
        }
        goes |= versions.document() != before.as_deref();
        store.put_relation(key, &versions)?;
    }
    if goes {
        begin_anew(store, graph, backlog, account, read)
    } else {
        Ok(Effect::default())
    }
}

/// Takes an account away, and puts in force again what is left of its relations.
fn begin_anew(
    store: &Store,
    graph: &RwLock<Graph>,
    backlog: &mut FeedBacklog,
    account: &str,
    read: &Read<'_>,
) -> Result<Effect, DiskError> {
    let removal = Change {
        key: Key {
            account: account.to_owned(),
            kind: Kind::Account,
            target: String::new(),
        },
        relation: None,
    };
    let mut all = carry_out(store, graph, backlog, &removal, read)?;
    for key in relations_of(store, account)? {
        let versions = store.versions(&key)?;
        let effective = versions.effective();
        let Some((version, document)) = effective.and_then(|it| Some((it, it.document.as_ref()?)))
        else {
            continue;
        };
        let change = stored_change(key.get(2..).unwrap_or_default(), Some(document))?;
        let change = in_force(store, &change)?.change;
        // Its feeds are empty now: what says nothing new is carried out too. What it lets in rests on its own record.
        let again = Read {
            log_pos: version.stamp.log_pos(),
            again: true,
            ..*read
        };
        let effect = carry_out(store, graph, backlog, &change, &again)?;
        all.account = all.account.or(effect.account);
        all.moved.extend(effect.moved);
    }
    Ok(all)
}

/// The keys of all that is known of an account's relations.
fn relations_of(store: &Store, account: &str) -> Result<Vec<Vec<u8>>, DiskError> {
    store.relation_keys(&relation_key(account, format!("{account}/").as_bytes()))
}

fn version(change: &Change, stamp: Stamp) -> Version {
    let relation = change.relation.as_ref();
    Version {
        stamp,
        document: relation.and_then(|relation| serde_json::to_vec(relation).ok()),
    }
}

/// What is so of a relation by the document that counts; none: it is removed, or nothing counts any more that was said of it.
fn effective_change(key: &Key, document: Option<&[u8]>) -> Result<Change, DiskError> {
    match document {
        Some(document) => stored_change(&key.to_bytes(), Some(document)),
        None => Ok(Change {
            key: key.clone(),
            relation: None,
        }),
    }
}

/// The key of an account's own row.
fn account_key(account: &str) -> Vec<u8> {
    let key = Key {
        account: account.to_owned(),
        kind: Kind::Account,
        target: String::new(),
    };
    relation_key(account, &key.to_bytes())
}

/// Puts a change in force that counts.
fn carry_out(
    store: &Store,
    graph: &RwLock<Graph>,
    backlog: &mut FeedBacklog,
    change: &Change,
    read: &Read<'_>,
) -> Result<Effect, DiskError> {
    let mut effect = {
        let mut graph = graph.write();
        let was_known = graph.account(&change.key.account).is_some();
        let effect = graph.apply(change);
        graph.set_new_waits(read.wait);
        if let (false, Some(account)) = (was_known, effect.account) {
            if read.kept.keeps(&change.key.account) {
                read.awakened.push(&[account]);
            } else {
                // No reader sees it awake without feeds.
                read.last_access.mark_inactive(account);
                graph.drop_feeds(account);
            }
        }
        if let Some(account) = effect.account {
            graph.note_relation(account, read.log_pos);
        }
        if change.key.kind == Kind::Moderation {
            graph.note_moderation(read.log_pos);
        }
        effect
    };
    if let Some(account) = effect.new_account {
        store.homes.add(account, home_key(&change.key.account));
    }
    if read.again && (effect.account.is_some() || change.key.kind == Kind::Moderation) {
        repeat(&mut effect, change);
    }
    let graph = graph.read();
    if let Some(account) = effect.account {
        let Some(of) = graph.get(account) else {
            return Ok(effect);
        };
        // A cursor from before knows entries that nothing here can list any more.
        let mut blank = OrderedFeed::default();
        blank.forget(read.log_pos);
        if effect.purge {
            for list in &effect.lists_gone {
                store.replace(FeedId::list(account, of.id(), list), blank.clone());
            }
            store.replace(FeedId::Home(account), blank);
            backlog.forget(account);
        } else if let Some(list) = effect.lists_gone.first() {
            store.replace(FeedId::list(account, of.id(), list), blank);
        }
        let calls_for_work = effect.prunes || effect.merge_in != Merge::Nobody || effect.regroups;
        // One that sleeps has no feeds: they are merged anew when it wakes.
        if calls_for_work && !graph.is_inactive(account) {
            let relation = PendingRelation {
                log_pos: read.log_pos,
                read: read.record,
            };
            backlog.add(account, relation, &effect, read.seen);
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
            let home = store.feed(&FeedId::Home(account))?;
            let top = home.newest_first().next().map(PostId::time);
            top.max(said).unwrap_or(now)
        }
    };
    Ok(reached.min(now))
}

fn repeat(effect: &mut Effect, change: &Change) {
    match (change.key.kind, &change.relation) {
        (Kind::Follow, Some(_)) => {
            // It may want less than one before it.
            effect.prunes = true;
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
            effect.prunes = true;
            effect.merge_in = Merge::Everyone;
            effect.regroups = true;
            if let Relation::Account { actor, .. } = relation {
                effect.moved = vec![actor.clone()];
            }
        }
        (Kind::Follow | Kind::Tag, None)
        | (Kind::Mute | Kind::Block | Kind::BlockedBy | Kind::DomainBlock, Some(_)) => {
            effect.prunes = true;
        }
        (Kind::List | Kind::ListMember, _) => {
            effect.prunes = true;
            effect.merge_in = Merge::Everyone;
        }
        (Kind::Moderation, _) => effect.moderated = Some(change.key.target.clone()),
        _ => {}
    }
}
