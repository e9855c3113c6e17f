//! Feeds that are not homes, through memory and disk. They are stored among the homes, under keys of their own.

use super::checkpoint::{Shown, Written};
use super::{HELD_FACTOR, Store, home_key, ledger};
use crate::feed::disk::{DiskError, Tree};
use crate::feed::ledger::{Ledger, Op, Turn};
use crate::feed::named::{Feeds, Name, Part};
use crate::order::place::PostId;

/// What the keys of feeds that belong to no account begin with: no slot does.
const NOBODYS: [u8; 2] = [0xff, 0xff];

/// With so many things to take in, a feed that all is shown of is taken together with what is stored.
const FOLDED_AT: usize = 2_000;

impl Store {
    /// A feed that is no home, as [`Store::home`].
    pub fn named(&self, name: &Name) -> Result<Ledger, DiskError> {
        self.named.read(name, || {
            ledger(self.disk.get(Tree::Homes, &key(name))?.as_deref())
        })
    }

    /// Does `ops` to a feed.
    pub fn apply_named(&self, name: Name, ops: &[Op]) -> Result<(), DiskError> {
        self.homes.watch(ops);
        self.homes.stirred.stir_named(&name);
        // One that everything enters must not be long to read until the next checkpoint.
        if FOLDED_AT <= self.named.waiting(&name) && name.account().is_none() {
            let mut feed = self.named(&name)?;
            feed.take_in(ops);
            let length = self.options.length;
            feed.trim(length, HELD_FACTOR * length, PostId::MAX);
            self.named.replace(name, feed);
        } else {
            self.named.apply(name, ops);
        }
        Ok(())
    }

    /// Remembers a change of relations in a feed.
    pub fn turn_named(&self, name: Name, turn: Turn) {
        self.homes.stirred.stir_named(&name);
        self.named.turn(name, turn);
    }

    /// Puts a whole feed in the place of what was there.
    pub fn replace_named(&self, name: Name, feed: Ledger) {
        self.homes.note_watched(feed.ids.iter().copied());
        self.homes.stirred.stir_named(&name);
        self.named.replace(name, feed);
    }

    /// Writes what is new in them.
    pub(super) fn put_named(
        &self,
        leaving: &Feeds,
        shown: &Shown<'_>,
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
