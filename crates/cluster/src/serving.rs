//! What this node may answer for at a moment: what threads that answer requests look at, before they look at a feed and after it.

use crate::moment::Moment;
use crate::shard::{AccountHash, ShardSet};

/// What a node may answer for. It is a value: a newer one takes its place whenever something changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// It goes up whenever the node's lease ended or what it may answer for was in doubt: what was looked at before counts no more.
    pub epoch: u64,
    /// Until when the node may show feeds, unless a later value says longer; none before its first record was read back.
    pub lease_until: Option<Moment>,
    /// Whether relations are read up to where they ended when the lease began: before, no feed at all is shown.
    pub is_open: bool,
    /// The shards that it answers for.
    pub serves: ShardSet,
    /// The shards that it answers for if their node does not.
    pub standby: ShardSet,
}

/// In which way a node answers for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It is the account's node.
    Serves,
    /// It keeps the account's feeds for when that node is away.
    StandsBy,
}

/// The right to look at feeds, given at one moment. Whatever is looked at is shown only if it is still good afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    epoch: u64,
    account: Option<AccountHash>,
}

impl Permit {
    /// The account whose feeds it is for; none if it is for feeds of nobody.
    pub fn account(self) -> Option<AccountHash> {
        self.account
    }
}

impl Serving {
    /// Whether feeds may be shown at all.
    pub fn is_leased(&self, now: Moment) -> bool {
        self.is_open && self.lease_until.is_some_and(|until| now < until)
    }

    /// In which way the node answers for an account; none if it may not.
    pub fn role(&self, account: AccountHash, now: Moment) -> Option<Role> {
        if !self.is_leased(now) {
            None
        } else if self.serves.has(account) {
            Some(Role::Serves)
        } else {
            self.standby.has(account).then_some(Role::StandsBy)
        }
    }

    /// The right to look at an account's feeds, or at feeds of nobody.
    pub fn permit(&self, account: Option<AccountHash>, now: Moment) -> Option<Permit> {
        let may = match account {
            Some(account) => self.role(account, now).is_some(),
            None => self.is_leased(now),
        };
        may.then_some(Permit {
            epoch: self.epoch,
            account,
        })
    }

    /// Whether what was looked at with this right may be shown.
    pub fn is_good(&self, permit: Permit, now: Moment) -> bool {
        self.epoch == permit.epoch && self.permit(permit.account, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving() -> Serving {
        Serving {
            epoch: 1,
            lease_until: Some(Moment::from_millis(100)),
            is_open: true,
            serves: ShardSet {
                shards: 1,
                of: [0].into(),
            },
            standby: ShardSet::default(),
        }
    }

    /// Were this to fail, a process that was stopped would show what others have hidden meanwhile.
    #[test]
    fn what_straddles_the_end_of_a_lease_is_not_shown() {
        let (serving, account) = (serving(), Some(AccountHash::of("7")));
        let permit = serving.permit(account, Moment::from_millis(99)).unwrap();
        assert!(serving.is_good(permit, Moment::from_millis(99)));
        assert!(!serving.is_good(permit, Moment::from_millis(100)));
        let again = Serving {
            epoch: 2,
            lease_until: Some(Moment::from_millis(900)),
            ..serving.clone()
        };
        assert!(!again.is_good(permit, Moment::from_millis(99)), "a break");
        let longer = Serving {
            lease_until: Some(Moment::from_millis(900)),
            ..serving
        };
        assert!(longer.is_good(permit, Moment::from_millis(100)));
    }

    #[test]
    fn nothing_is_shown_of_a_shard_that_left_and_nothing_before_relations_are_read() {
        let account = Some(AccountHash::of("7"));
        let now = Moment::from_millis(1);
        let permit = serving().permit(account, now).unwrap();
        let without = Serving {
            serves: ShardSet::default(),
            ..serving()
        };
        assert!(!without.is_good(permit, now));
        assert!(without.permit(None, now).is_some(), "feeds of nobody");
        let closed = Serving {
            is_open: false,
            ..serving()
        };
        assert_eq!(closed.permit(None, now), None);
        assert_eq!(closed.permit(account, now), None);
    }
}
