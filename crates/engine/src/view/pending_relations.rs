//! Accounts that have relations which are in force and not yet carried out in their feeds. A cursor from that time must not count on
//! these relations: the entries that they bring in or take out are still to be sent.

use crate::graph::AccountIx;
use crate::record::offsets::{LogPos, Offsets};
use crate::record::{Position, Topic};
use crate::watch;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The accounts with pending relations. The engine writes it, and every snapshot reads it.
#[derive(Debug, Default)]
pub struct PendingRelations {
    pending: RwLock<Pending>,
    /// Changes whenever accounts are released.
    released: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Pending {
    held: HashMap<AccountIx, Held>,
    /// The first of each partition that each account has in [`Held::read`].
    first: BTreeSet<(LogPos, AccountIx)>,
}

/// The state of one such account.
#[derive(Clone, Debug)]
struct Held {
    /// The offsets when the first of its pending relations came.
    seen: Arc<Offsets>,
    /// Its pending relations: of each partition the newest.
    relations: Vec<LogPos>,
    /// The records by which they came into force: of each partition the first. A record that removes an account may put relations of
    /// earlier records in force again.
    read: Vec<LogPos>,
}

/// A relation that is in force and not carried out.
#[derive(Clone, Copy, Debug)]
pub struct PendingRelation {
    /// The position of the record that says it.
    pub log_pos: LogPos,
    /// The position of the record by which it came into force; mostly the same.
    pub read: LogPos,
}

/// How far an account's feeds are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedProgress {
    /// The offsets that its feeds reflect.
    pub seen: Arc<Offsets>,
    /// Whether its relations are carried out.
    pub consistency: Consistency,
    /// The relations beyond these offsets that are in force already: of each partition the newest.
    pub relations: Vec<LogPos>,
}

/// Whether an account's relations are carried out in its feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// All are.
    Complete,
    /// Some are not.
    Pending,
}

impl PendingRelations {
    /// How far the feeds of an account, or shared feeds, are built; `seen` gives the offsets that were published.
    pub fn progress_of(
        &self,
        account: Option<AccountIx>,
        seen: impl FnOnce() -> Arc<Offsets>,
    ) -> FeedProgress {
        // Both are read at one moment: see `release`.
        let pending = self.pending.read();
        let seen = seen();
        match account.and_then(|account| pending.held.get(&account)) {
            None => FeedProgress {
                seen,
                consistency: Consistency::Complete,
                relations: Vec::new(),
            },
            Some(held) => FeedProgress {
                seen: if held.seen.is_within(&seen) {
                    Arc::clone(&held.seen)
                } else {
                    seen
                },
                consistency: Consistency::Pending,
                relations: held.relations.clone(),
            },
        }
    }

    /// From now on an account's feeds count as built up to `seen`, and `relation` is in force beyond that. If the account has pending
    /// relations already, its older offsets stay.
    pub fn hold(&self, account: AccountIx, seen: &Arc<Offsets>, relation: Option<PendingRelation>) {
        let Pending { held, first } = &mut *self.pending.write();
        let held = held.entry(account).or_insert_with(|| Held {
            seen: Arc::clone(seen),
            relations: Vec::new(),
            read: Vec::new(),
        });
        let Some(PendingRelation { log_pos, read }) = relation else {
            return;
        };
        if !held.read.iter().any(|it| it.is_beside(read)) {
            held.read.push(read);
            first.insert((read, account));
        }
        match held.relations.iter_mut().find(|it| it.is_beside(log_pos)) {
            Some(there) => *there = log_pos.max(*there),
            None => held.relations.push(log_pos),
        }
    }

    /// The offsets when the first pending relation of an account came; none if it has none.
    pub fn held(&self, account: AccountIx) -> Option<Arc<Offsets>> {
        let pending = self.pending.read();
        pending
            .held
            .get(&account)
            .map(|held| Arc::clone(&held.seen))
    }

    /// These accounts have no pending relations any more. `announce` publishes the offsets: no reader sees the one without the other, or
    /// a cursor would lack relations whose work it shows.
    pub fn release(&self, accounts: &[AccountIx], announce: impl FnOnce()) {
        let mut pending = self.pending.write();
        announce();
        for account in accounts {
            let Some(held) = pending.held.remove(account) else {
                continue;
            };
            for read in held.read {
                pending.first.remove(&(read, *account));
            }
        }
        drop(pending);
        if !accounts.is_empty() {
            self.released.send_replace(());
        }
    }

    /// Waits until these accounts have no pending relations.
    pub async fn settled(&self, accounts: &[AccountIx]) {
        let mut released = self.released.subscribe();
        let is_held = |account| self.pending.read().held.contains_key(account);
        while accounts.iter().any(is_held) {
            // The sender lives as long as this.
            let _ = released.changed().await;
        }
    }

    /// A receiver that sees whenever accounts have no pending relations any more.
    pub fn watch_released(&self) -> watch::Receiver<()> {
        self.released.subscribe()
    }

    /// How many accounts have some.
    pub fn count(&self) -> usize {
        self.pending.read().held.len()
    }

    /// Of each partition of relations the first record that is not in force, or not carried out in the feeds of its account; `taken` gives
    /// the offsets that were published. It takes a look-up for each partition, however many accounts have pending relations.
    pub fn in_force(&self, taken: impl FnOnce() -> Arc<Offsets>) -> Vec<Position> {
        // Both are read at one moment: see `release`.
        let pending = self.pending.read();
        let mut next = taken().positions();
        next.retain(|next| next.topic == Topic::Relationships);
        for next in &mut next {
            let begin = LogPos::new(Position { offset: 0, ..*next });
            let from = (begin, AccountIx::from_number(0));
            let first = pending.first.range(from..).next();
            if let Some((first, _)) = first.filter(|(first, _)| first.is_beside(begin)) {
                next.offset = next.offset.min(first.position().offset);
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Position, Topic};

    fn seen(offset: i64) -> Arc<Offsets> {
        let next = Position {
            topic: Topic::Relationships,
            partition: 0,
            offset,
        };
        Arc::new(Offsets::new(&[next]))
    }

    fn pending(log_pos: LogPos) -> PendingRelation {
        PendingRelation {
            log_pos,
            read: log_pos,
        }
    }

    /// Were this to fail, a mute would be answered before the feed that has it is shown, on this node or another.
    #[test]
    fn in_force_is_what_was_read_up_to_the_first_relation_of_each_partition_that_is_pending() {
        let relations = PendingRelations::default();
        let at = |partition, offset| Position {
            topic: Topic::Relationships,
            partition,
            offset,
        };
        let activity = LogPos::of_activity(1, 3).next();
        let read = Arc::new(Offsets::new(&[at(0, 9), at(1, 20), at(3, 7), activity]));
        let check = |expected: [i64; 3]| {
            let expected = [(0, expected[0]), (1, expected[1]), (3, expected[2])];
            assert_eq!(
                relations.in_force(|| Arc::clone(&read)),
                expected.map(|(partition, next)| at(partition, next))
            );
        };
        check([9, 20, 7]);
        let [one, other] = [1, 2].map(AccountIx::from_number);
        let hold = |account, partition, offset| {
            let log_pos = LogPos::new(at(partition, offset));
            relations.hold(account, &read, Some(pending(log_pos)));
        };
        hold(other, 1, 12);
        hold(one, 1, 15);
        hold(one, 1, 16);
        hold(one, 0, 9);
        check([9, 12, 7]);
        relations.release(&[other], || {});
        check([9, 15, 7]);
        // The account was removed at 6 of the last partition, and what the first said at 4 is so again.
        let again = PendingRelation {
            log_pos: LogPos::new(at(0, 4)),
            read: LogPos::new(at(3, 6)),
        };
        relations.hold(other, &read, Some(again));
        relations.hold(AccountIx::from_number(3), &read, None);
        check([9, 15, 6]);
        relations.release(&[one, other], || {});
        check([9, 20, 7]);
    }

    /// Were this to fail, a reader would go on with a cursor that has a mute, and keep what the mute takes out.
    #[test]
    fn an_unsettled_account_has_seen_no_more_than_when_it_began_to_be() {
        let (pending_relations, account) = (PendingRelations::default(), AccountIx::from_number(1));
        let check = |now: i64, has: i64, consistency| {
            let progress_of = pending_relations.progress_of(Some(account), || seen(now));
            assert_eq!(
                (progress_of.seen, progress_of.consistency),
                (seen(has), consistency),
                "{now}"
            );
        };
        check(5, 5, Consistency::Complete);
        let relation = |offset: i64| LogPos::new(seen(offset).positions()[0]);
        pending_relations.hold(account, &seen(5), Some(pending(relation(5))));
        pending_relations.hold(account, &seen(6), Some(pending(relation(6))));
        let progress_of = pending_relations.progress_of(Some(account), || seen(6));
        assert_eq!(progress_of.relations, [relation(6)]);
        check(7, 5, Consistency::Pending);
        check(4, 4, Consistency::Pending);
        pending_relations.release(&[account], || {});
        check(7, 7, Consistency::Complete);
    }
}
