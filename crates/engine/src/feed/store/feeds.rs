//! Feeds through memory and disk: what is stored of a feed, with what is new in it since.
//!
//! Homes are found by the number of their account, which is what a fan-out to many of them needs. All other feeds are found
//! by their name.

use super::flush_batch::{VisibleUpTo, Written};
use super::keys::home_key;
use super::{HELD_FACTOR, Store};
use crate::feed::feed_delta::FeedDelta;
use crate::feed::feed_id::{FeedId, PublicPart};
use crate::feed::feed_op::FeedOp;
use crate::feed::ordered_feed::{OrderedFeed, RelationChange};
use crate::feed::store::disk::{DiskError, Tree};
use slackwater_order::place::PostId;

/// What the keys of feeds that belong to no account begin with: no slot does.
const SHARED: [u8; 2] = [0xff, 0xff];

impl Store {
    /// A feed as it is now, with what a checkpoint will drop for length: as long as an entry is there, it can come back to
    /// light when something above it goes. Empty for an account that was never added.
    pub fn feed(&self, id: &FeedId) -> Result<OrderedFeed, DiskError> {
        let FeedId::Home(account) = id else {
            return self.others.read(id, || self.stored_feed(&other_key(id)));
        };
        match self.homes.parts(*account) {
            Some(parts) => Ok(parts.onto(self.stored_feed(&parts.key)?)),
            None => Ok(OrderedFeed::default()),
        }
    }

    /// Does `ops` to a feed. For many homes at once, see [`HomeMemtable::apply`](super::home_memtable::HomeMemtable::apply).
    pub fn apply(&self, id: FeedId, ops: &[FeedOp]) -> Result<(), DiskError> {
        if let FeedId::Home(account) = id {
            self.homes.apply(&[account], ops);
            return Ok(());
        }
        self.homes.record_watched_ops(ops);
        self.homes.watchers.mark_feed_changed(&id);
        match self.others.apply(id, ops) {
            // How far that is shown is not known here.
            Some(id) if id.account().is_some() => self.others.add_long(id),
            Some(id) => self.fold(id, PostId::MAX)?,
            None => {}
        }
        Ok(())
    }

    /// Remembers a change of relations in a feed.
    pub fn add_relation_change(&self, id: FeedId, change: RelationChange) {
        if let FeedId::Home(account) = id {
            return self.homes.add_relation_change(account, change);
        }
        self.homes.watchers.mark_feed_changed(&id);
        self.others.add_relation_change(id, change);
    }

    /// Puts a whole feed in the place of what was there.
    pub fn replace(&self, id: FeedId, feed: OrderedFeed) {
        if let FeedId::Home(account) = id {
            return self.homes.replace(account, feed);
        }
        self.homes.record_watched(feed.ids.iter().copied());
        self.homes.watchers.mark_feed_changed(&id);
        self.others.replace(id, feed);
    }

    /// Folds each feed to which much has come since the last call: what is stored and what came since become one. Every read of
    /// a feed takes in all that waits, so a feed that much comes to must not wait for a checkpoint. Of what is above the place
    /// that `visible_up_to` gives nothing is dropped for length.
    pub fn fold_long(&self, visible_up_to: &VisibleUpTo<'_>) -> Result<(), DiskError> {
        let homes = self.homes.long().into_iter().map(FeedId::Home);
        for id in homes.chain(self.others.long()) {
            let visible_up_to = id.account().map_or(PostId::MAX, visible_up_to);
            self.fold(id, visible_up_to)?;
        }
        Ok(())
    }

    fn fold(&self, id: FeedId, visible_up_to: PostId) -> Result<(), DiskError> {
        let length = self.options.length;
        let mut feed = self.feed(&id)?;
        feed.trim(length, HELD_FACTOR * length, visible_up_to);
        match id {
            FeedId::Home(account) => self.homes.fold(account, feed),
            id => self.others.fold(id, feed),
        }
        Ok(())
    }

    /// Writes a feed that is stored under `key` with what is new in it.
    pub(super) fn write_feed(
        &self,
        key: &[u8],
        delta: &FeedDelta,
        visible_up_to: PostId,
    ) -> Result<Written, DiskError> {
        let length = self.options.length;
        let mut feed = delta.onto(self.stored_feed(key)?);
        feed.trim(length, HELD_FACTOR * length, visible_up_to);
        feed.forget_fallen(self.options.boost_repeat_after);
        if feed.is_blank() {
            self.disk.remove(Tree::Homes, key)?;
        } else {
            self.disk.put(Tree::Homes, key, feed.pack())?;
        }
        Ok(Written {
            homes: 1,
            entries: delta.weight(),
            below_floor: feed.below_floor,
            ..Written::default()
        })
    }

    /// All feeds are stored in one tree, that of homes.
    fn stored_feed(&self, key: &[u8]) -> Result<OrderedFeed, DiskError> {
        match self.disk.get(Tree::Homes, key)? {
            None => Ok(OrderedFeed::default()),
            Some(bytes) => OrderedFeed::read(&bytes).ok_or(DiskError::Damaged { tree: "homes" }),
        }
    }
}

/// The key that a feed other than a home is stored under. The lists of an account lie beside its home.
pub(super) fn other_key(id: &FeedId) -> Vec<u8> {
    match id {
        // Stored under the key that its memory has, and never looked up here.
        FeedId::Home(_) => Vec::new(),
        // No account's id has a slash.
        FeedId::List {
            account_id, list, ..
        } => [&home_key(account_id)[..], b"/", list.as_bytes()].concat(),
        FeedId::Tag(tag) => [&SHARED[..], b"#", tag.as_bytes()].concat(),
        FeedId::Public(part) => {
            let part = match part {
                PublicPart::All => b'a',
                PublicPart::Local => b'l',
                PublicPart::Remote => b'r',
            };
            [&SHARED[..], b"*", &[part]].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::store::home_memtable::LONG_AT;
    use crate::feed::store::{CheckpointState, Options};
    use crate::graph::AccountIx;
    use crate::record::offsets::LogPos;
    use proptest::prelude::*;
    use std::time::Duration;

    const LENGTH: usize = 50;

    fn open(path: &std::path::Path) -> Store {
        let store = Store::open(Options {
            path: path.to_owned(),
            length: LENGTH,
            boost_repeat_after: Duration::from_secs(86_400),
            unflushed_entries_max: usize::MAX,
            unflushed_bytes_max: usize::MAX,
            cache_bytes: 1 << 20,
        });
        let store = store.unwrap();
        store.homes.add(AccountIx::from_number(0), home_key("7"));
        store
    }

    fn place(n: u64) -> PostId {
        PostId::from_number(n << 16).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        /// Were this to fail, what a feed holds would depend on how much came to it between two checkpoints; or one that much
        /// comes to would take ever longer to look at.
        #[test]
        fn folding_changes_nothing_but_how_much_waits(
            all in prop::collection::vec((1u64..3_000, prop::bool::weighted(0.9)), 2_500..4_000),
            shown in 1u64..3_000,
            leaves_at in 0usize..4_000,
        ) {
            let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let stores = folders.each_ref().map(|folder| open(folder.path()));
            let account = AccountIx::from_number(0);
            let list = FeedId::list(account, "7", "list");
            let feeds = [FeedId::Home(account), list, FeedId::tag("tide")];
            let [folds, waits] = &stores;
            let shown = |_| place(shown);
            let mut flushing = None;
            for (n, (id, enters)) in all.iter().enumerate() {
                let log_pos = LogPos::from_number(n as u64 + 1).unwrap();
                let op = match enters {
                    true => FeedOp::insert(place(*id), log_pos),
                    false => FeedOp::remove(place(*id), log_pos),
                };
                for store in &stores {
                    for id in &feeds {
                        store.apply(id.clone(), &[op]).unwrap();
                    }
                }
                // One whose checkpoint is being written all the while.
                if n == leaves_at {
                    flushing = Some(stores.each_ref().map(Store::take_out));
                }
                folds.fold_long(&shown).unwrap();
                let waiting = folds.homes.waiting(account);
                prop_assert!(waiting < LONG_AT, "{waiting}");
            }
            let read = |store: &Store| {
                feeds.each_ref().map(|id| store.feed(id).unwrap())
            };
            // What was dropped for length does not come back; above that they have the same.
            let agree = || {
                read(folds).iter().zip(read(waits)).all(|(folded, waited)| {
                    let floor = folded.floor.max(waited.floor);
                    let above = |feed: &OrderedFeed| {
                        let entries = feed.ids.iter().copied().zip(feed.marks.iter().copied());
                        entries.filter(|(id, _)| floor < *id).collect::<Vec<_>>()
                    };
                    above(folded) == above(&waited)
                })
            };
            prop_assert!(agree());
            prop_assert!(folds.homes.unwritten() <= waits.homes.unwritten());
            for (store, taken) in stores.iter().zip(flushing.into_iter().flatten()) {
                store.write_out(taken, &CheckpointState::default(), &shown).unwrap();
            }
            for store in &stores {
                store.checkpoint_showing(&CheckpointState::default(), &shown).unwrap();
            }
            prop_assert!(agree());
        }
    }
}
