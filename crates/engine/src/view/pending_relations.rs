//! Accounts of whose relations some are in force and not yet carried out in their feeds. A cursor given meanwhile must
//! not claim them: what they bring in or take out is still to be told.

use crate::graph::AccountIx;
use crate::record::offsets::{LogPos, Offsets};
use crate::watch;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;

/// Those accounts. The pipeline writes; every look asks.
#[derive(Debug, Default)]
pub struct PendingRelations {
    held: RwLock<HashMap<AccountIx, Held>>,
    /// Changes whenever some are settled.
    released: watch::Sender<()>,
}

/// What is held for an account.
#[derive(Clone, Debug)]
struct Held {
    /// What had been seen when the first of its relations came that are not carried out.
    seen: Arc<Offsets>,
    /// These relations: of each partition the newest.
    relations: Vec<LogPos>,
}

/// How far an account's feeds are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedProgress {
    /// What has been seen, as far as they go.
    pub seen: Arc<Offsets>,
    /// Whether what relations call for has been done in them.
    pub consistency: Consistency,
    /// The relations beyond that, which are in force: of each partition the newest.
    pub relations: Vec<LogPos>,
}

/// Whether what relations call for has been done in an account's feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// It has.
    Complete,
    /// Not all of it.
    Pending,
}

impl PendingRelations {
    /// How far an account's feeds are, or those of nobody; `seen` asks what has been seen in general.
    pub fn progress_of(
        &self,
        account: Option<AccountIx>,
        seen: impl FnOnce() -> Arc<Offsets>,
    ) -> FeedProgress {
        // Both at one moment: see `release`.
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

    /// From now on an account's feeds are as they were when this had been seen, and `relation` is in force beyond that.
    /// If it is unsettled already, it stays with what was seen then.
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

    /// What had been seen when an account became unsettled; none if it is not.
    pub fn held(&self, account: AccountIx) -> Option<Arc<Offsets>> {
        let held = self.held.read();
        held.get(&account).map(|held| Arc::clone(&held.seen))
    }

    /// These accounts are settled. `announce` tells readers how far all is built: nobody sees the one without the other,
    /// or a cursor would lack relations whose work it shows.
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

    /// Waits until these accounts are settled.
    pub async fn settled(&self, accounts: &[AccountIx]) {
        let mut released = self.released.subscribe();
        let is_held = |account| self.held.read().contains_key(account);
        while accounts.iter().any(is_held) {
            // The sender lives as long as this.
            let _ = released.changed().await;
        }
    }

    /// How many there are.
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
