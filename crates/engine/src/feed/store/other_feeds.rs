//! Feeds that are not homes, through memory and disk. They are stored among the homes, under keys of their own.

use super::checkpoint::{VisibleUpTo, Written};
use super::{HELD_FACTOR, Store, home_key, ledger};
use crate::feed::ordered_feed::{FeedOp, OrderedFeed, RelationChange};
use crate::feed::store::disk::{DiskError, Tree};
use crate::feed::store::other_memtable::{Feeds, Name, Part};
use slackwater_order::place::PostId;

/// What the keys of feeds that belong to no account begin with: no slot does.
const NOBODYS: [u8; 2] = [0xff, 0xff];

impl Store {
    /// A feed that is no home, as [`Store::home`].
    pub fn named(&self, name: &Name) -> Result<OrderedFeed, DiskError> {
        self.named.read(name, || {
            ledger(self.disk.get(Tree::Homes, &key(name))?.as_deref())
        })
    }

    /// Does `ops` to a feed.
    pub fn apply_named(&self, name: Name, ops: &[FeedOp]) -> Result<(), DiskError> {
        self.homes.watch(ops);
        self.homes.watchers.stir_named(&name);
        match self.named.apply(name, ops) {
            // How far that is shown is not known here.
            Some(name) if name.account().is_some() => self.named.note_long(name),
            Some(name) => self.fold(name, PostId::MAX)?,
            None => {}
        }
        Ok(())
    }

    /// Takes together what is stored, and what came since, of feeds to which much has come since the last call. Each look at
    /// one takes all in that waits, so one that much comes to must not wait for a checkpoint. Of what is above the place that
    /// `shown` gives nothing is dropped for length.
    pub fn fold_long(&self, shown: &VisibleUpTo<'_>) -> Result<(), DiskError> {
        let length = self.options.length;
        for account in self.homes.long() {
            let Some(mut feed) = self.home(account)? else {
                continue;
            };
            feed.trim(length, HELD_FACTOR * length, shown(account));
            self.homes.fold(account, feed);
        }
        for name in self.named.long() {
            let shown = name.account().map_or(PostId::MAX, shown);
            self.fold(name, shown)?;
        }
        Ok(())
    }

    fn fold(&self, name: Name, shown: PostId) -> Result<(), DiskError> {
        let length = self.options.length;
        let mut feed = self.named(&name)?;
        feed.trim(length, HELD_FACTOR * length, shown);
        self.named.fold(name, feed);
        Ok(())
    }

    /// Remembers a change of relations in a feed.
    pub fn turn_named(&self, name: Name, turn: RelationChange) {
        self.homes.watchers.stir_named(&name);
        self.named.turn(name, turn);
    }

    /// Puts a whole feed in the place of what was there.
    pub fn replace_named(&self, name: Name, feed: OrderedFeed) {
        self.homes.note_watched(feed.ids.iter().copied());
        self.homes.watchers.stir_named(&name);
        self.named.replace(name, feed);
    }

    /// Writes what is new in them.
    pub(super) fn put_named(
        &self,
        leaving: &Feeds,
        shown: &VisibleUpTo<'_>,
    ) -> Result<Written, DiskError> {
        let mut written = Written::default();
        let mut feeds: Vec<_> = leaving
            .iter()
            .map(|(name, pending)| (key(name), name, pending))
            .collect();
        feeds.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        let length = self.options.length;
        for (key, name, pending) in feeds {
            let stored = self.disk.get(Tree::Homes, &key)?;
            let mut feed = pending.onto(ledger(stored.as_deref())?);
            let shown = name.account().map_or(PostId::MAX, shown);
            feed.trim(length, HELD_FACTOR * length, shown);
            feed.forget_fallen(self.options.boost_repeat_after);
            if feed.is_blank() {
                self.disk.remove(Tree::Homes, &key)?;
            } else {
                self.disk.put(Tree::Homes, &key, feed.pack())?;
            }
            written.below_floor += feed.below_floor;
            written.homes += 1;
            written.entries += pending.weight();
        }
        self.named.left();
        Ok(written)
    }
}

/// What a feed is stored under. Those of an account lie beside its home.
fn key(name: &Name) -> Vec<u8> {
    match name {
        // No account's id has a slash.
        Name::List { of, list, .. } => [&home_key(of)[..], b"/", list.as_bytes()].concat(),
        Name::Tag(tag) => [&NOBODYS[..], b"#", tag.as_bytes()].concat(),
        Name::Public(part) => {
            let part = match part {
                Part::All => b'a',
                Part::Local => b'l',
                Part::Remote => b'r',
            };
            [&NOBODYS[..], b"*", &[part]].concat()
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
            let list = Name::list(account, "7", "list");
            let feeds = [None, Some(&list), Some(&Name::Tag("tide".into()))];
            let [folds, waits] = &stores;
            let shown = |_| place(shown);
            let mut leaving = None;
            for (n, (id, enters)) in all.iter().enumerate() {
                let log_pos = LogPos::from_number(n as u64 + 1).unwrap();
                let op = match enters {
                    true => FeedOp::insert(place(*id), log_pos),
                    false => FeedOp::remove(place(*id), log_pos),
                };
                for store in &stores {
                    store.homes.apply(&[account], &[op]);
                    for name in feeds.iter().flatten() {
                        store.apply_named((*name).clone(), &[op]).unwrap();
                    }
                }
                // One whose checkpoint is being written all the while.
                if n == leaves_at {
                    leaving = Some(stores.each_ref().map(Store::take_out));
                }
                folds.fold_long(&shown).unwrap();
                let waiting = folds.homes.waiting(account);
                prop_assert!(waiting < LONG_AT, "{waiting}");
            }
            let read = |store: &Store| {
                feeds.map(|name| match name {
                    None => store.home(account).unwrap().unwrap(),
                    Some(name) => store.named(name).unwrap(),
                })
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
            for (store, taken) in stores.iter().zip(leaving.into_iter().flatten()) {
                store.write_out(taken, &CheckpointState::default(), &shown).unwrap();
            }
            for store in &stores {
                store.checkpoint_showing(&CheckpointState::default(), &shown).unwrap();
            }
            prop_assert!(agree());
        }
    }
}
