//! Accounts that have relations which are in force and not yet carried out in their feeds. A cursor from that time must not count on
//! these relations: the entries that they bring in or take out are still to be sent.

use crate::graph::AccountIx;
use crate::record::offsets::{LogPos, Offsets};
use crate::watch;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;

/// The accounts with pending relations. The engine writes it, and every snapshot reads it.
#[derive(Debug, Default)]
pub struct PendingRelations {
    held: RwLock<HashMap<AccountIx, Held>>,
    /// Changes whenever accounts are released.
    released: watch::Sender<()>,
}

/// The state of one such account.
#[derive(Clone, Debug)]
struct Held {
    /// The offsets when the first of its pending relations came.
    seen: Arc<Offsets>,
    /// Its pending relations: of each partition the newest.
    relations: Vec<LogPos>,
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
        let held = self.held.read();
        let seen = seen();
        match account.and_then(|account| held.get(&account)) {
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
    pub fn hold(&self, account: AccountIx, seen: &Arc<Offsets>, relation: Option<LogPos>) {
        let mut held = self.held.write();
        let held = held.entry(account).or_insert_with(|| Held {
            seen: Arc::clone(seen),
            relations: Vec::new(),
        });
        let Some(log_pos) = relation else { return };
        match held.relations.iter_mut().find(|it| it.is_beside(log_pos)) {
            Some(there) => *there = log_pos.max(*there),
            None => held.relations.push(log_pos),
        }
    }

    /// The offsets when the first pending relation of an account came; none if it has none.
    pub fn held(&self, account: AccountIx) -> Option<Arc<Offsets>> {
        let held = self.held.read();
        held.get(&account).map(|held| Arc::clone(&held.seen))
    }

    /// These accounts have no pending relations any more. `announce` publishes the offsets: no reader sees the one without the other, or
    /// a cursor would lack relations whose work it shows.
    pub fn release(&self, accounts: &[AccountIx], announce: impl FnOnce()) {
        let mut held = self.held.write();
        announce();
        for account in accounts {
            held.remove(account);
        }
        drop(held);
        if !accounts.is_empty() {
            self.released.send_replace(());
        }
    }

    /// Waits until these accounts have no pending relations.
    pub async fn settled(&self, accounts: &[AccountIx]) {
        let mut released = self.released.subscribe();
        let is_held = |account| self.held.read().contains_key(account);
        while accounts.iter().any(is_held) {
            // The sender lives as long as this.
            let _ = released.changed().await;
        }
    }

    /// How many accounts have some.
    pub fn count(&self) -> usize {
        self.held.read().len()
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
        pending_relations.hold(account, &seen(5), Some(relation(5)));
        pending_relations.hold(account, &seen(6), Some(relation(6)));
        let progress_of = pending_relations.progress_of(Some(account), || seen(6));
        assert_eq!(progress_of.relations, [relation(6)]);
        check(7, 5, Consistency::Pending);
        check(4, 4, Consistency::Pending);
        pending_relations.release(&[account], || {});
        check(7, 7, Consistency::Complete);
    }
}
