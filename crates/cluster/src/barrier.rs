//! When a relation is in force wherever it matters, so that its request can be answered.

use crate::beat::Beat;
use crate::catch_up::Ends;
use crate::moment::Moment;
use crate::shard::{AccountHash, INSTANCE};
use crate::standing::Standing;
use std::collections::BTreeMap;

/// Relations that were appended to the log and are to be in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// All of them were in the log before then: a moment is a whole millisecond, so it is the one after that in which they were.
    appended: Moment,
    /// By account and partition: the newest record. No account stands for the instance, which concerns every node that shows feeds.
    records: BTreeMap<(Option<AccountHash>, u32), i64>,
}

impl Barrier {
    /// Waits for relations that were appended by now: the account of each, its partition and its offset.
    pub fn new<'a>(records: impl IntoIterator<Item = (&'a str, u32, i64)>, now: Moment) -> Barrier {
        let mut newest = BTreeMap::new();
        for (account, partition, offset) in records {
            let account = (account != INSTANCE).then(|| AccountHash::of(account));
            let there = newest.entry((account, partition)).or_insert(offset);
            *there = offset.max(*there);
        }
        Barrier {
            appended: now.next(),
            records: newest,
        }
    }

    /// Since when a record of this node is to be sent that proves, when it is read back, that all claims before are known.
    pub fn proof_wanted(&self) -> Moment {
        self.appended
    }

    /// Whether they are in force on this process, `own_run`, where relations are in force up to `own`, and on every other one that may
    /// answer for one of the accounts. `proved` is the moment at which this process sent a record that it has read back.
    ///
    /// A node that claimed an account before is known by then, and is waited for. One that claims it later reads relations up to their
    /// end first, and finds these.
    pub fn is_passed(
        &self,
        own_run: &str,
        own: &Ends,
        standing: &Standing,
        proved: Option<Moment>,
    ) -> bool {
        let Some(proved) = proved.filter(|proved| self.appended <= *proved) else {
            return false;
        };
        let is_in_force = |beat: &Beat| beat.run == own_run || self.is_in_force_at(beat);
        self.records.iter().all(|record| is_beyond(own, record))
            && standing
                .processes(proved)
                .all(|said| said.is_some_and(is_in_force))
    }

    fn is_in_force_at(&self, beat: &Beat) -> bool {
        let concerns = |account: Option<AccountHash>| match account {
            Some(account) => beat.concerns(account),
            None => beat.shows,
        };
        let mut records = self.records.iter();
        records.all(|record| !concerns(record.0.0) || is_beyond(&beat.in_force, record))
    }
}

fn is_beyond(
    in_force: &Ends,
    ((_, partition), offset): (&(Option<AccountHash>, u32), &i64),
) -> bool {
    in_force.get(partition).is_some_and(|next| offset < next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::beat;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn watching() -> Standing {
        let mut standing = Standing::default();
        standing.watch();
        standing
    }

    /// Were one of these to fail, a mute would be answered while some node still shows the muted.
    #[test]
    fn a_relation_is_in_force_when_every_node_that_may_show_the_account_says_so() {
        let barrier = Barrier::new([("7", 3, 10)], at(4_999));
        let own: Ends = [(3, 11)].into();
        let mut serves = beat("b");
        serves.serves = [AccountHash::of("7").shard(serves.shards)].into();
        let check = |beat: &Beat, read: u64, proved: u64, expected: bool| {
            let mut standing = watching();
            standing
                .read(0, &beat.node, &beat.encode(), at(read))
                .unwrap();
            let passed = barrier.is_passed("run-of-a", &own, &standing, Some(at(proved)));
            assert_eq!(passed, expected, "{beat:?} {read} {proved}");
        };
        check(&serves, 5_000, 5_000, false);
        serves.in_force = [(3, 10)].into();
        check(&serves, 5_000, 5_000, false);
        serves.in_force = [(3, 11)].into();
        check(&serves, 5_000, 5_000, true);
        check(&serves, 5_000, 4_999, false);
        for claims in [true, false] {
            let mut soon = beat("b");
            let shards = serves.serves.clone();
            let set = if claims {
                &mut soon.claims
            } else {
                &mut soon.standby
            };
            *set = shards;
            check(&soon, 5_000, 5_000, false);
            check(&soon, 1_000, 5_399, false);
            check(&soon, 1_000, 5_400, true);
        }
        check(&beat("b"), 5_000, 5_000, true);
    }

    #[test]
    fn what_the_instance_says_concerns_every_node_that_shows_feeds() {
        let barrier = Barrier::new([(INSTANCE, 3, 10)], at(0));
        let own: Ends = [(3, 11)].into();
        let check = |beat: &Beat, expected: bool| {
            let mut standing = watching();
            standing.read(0, &beat.node, &beat.encode(), at(0)).unwrap();
            let passed = barrier.is_passed("run-of-a", &own, &standing, Some(at(1)));
            assert_eq!(passed, expected);
        };
        check(&beat("b"), false);
        let mut joins = beat("b");
        joins.shows = false;
        check(&joins, true);
    }

    #[test]
    fn it_is_in_force_on_this_node_too_and_on_a_process_that_may_still_run() {
        let barrier = Barrier::new([("7", 3, 10)], at(0));
        let mut standing = watching();
        assert!(!barrier.is_passed("run-of-a", &[(3, 10)].into(), &standing, Some(at(1))));
        assert!(!barrier.is_passed("run-of-a", &[(3, 11)].into(), &standing, None));
        let mut before = beat("b");
        before.serves = [AccountHash::of("7").shard(before.shards)].into();
        standing.read(0, "b", &before.encode(), at(0)).unwrap();
        let after = Beat {
            run: "2".to_owned(),
            ..beat("b")
        };
        standing.read(1, "b", &after.encode(), at(10)).unwrap();
        let own: Ends = [(3, 11)].into();
        assert!(!barrier.is_passed("run-of-a", &own, &standing, Some(at(4_399))));
        assert!(barrier.is_passed("run-of-a", &own, &standing, Some(at(4_400))));
    }

    #[test]
    fn a_node_of_which_nothing_came_since_the_start_may_have_said_more_than_is_there() {
        let barrier = Barrier::new([("7", 3, 10)], at(0));
        let own: Ends = [(3, 11)].into();
        let mut standing = Standing::default();
        standing.read(0, "b", &beat("b").encode(), at(0)).unwrap();
        standing.watch();
        assert!(!barrier.is_passed("run-of-a", &own, &standing, Some(at(1))));
        assert!(barrier.is_passed("run-of-a", &own, &standing, Some(at(4_400))));
        let next = Beat { n: 2, ..beat("b") };
        standing.read(1, "b", &next.encode(), at(1)).unwrap();
        assert!(barrier.is_passed("run-of-a", &own, &standing, Some(at(1))));
    }

    /// Were this to fail, a process whose name was taken would pass over what the one that took it may show.
    #[test]
    fn a_process_of_the_same_name_is_another() {
        let barrier = Barrier::new([("7", 3, 10)], at(0));
        let own: Ends = [(3, 11)].into();
        let mut standing = watching();
        standing.read(0, "a", &beat("a").encode(), at(0)).unwrap();
        assert!(barrier.is_passed("run-of-a", &own, &standing, Some(at(1))));
        let mut newer = beat("a");
        newer.run = "2".to_owned();
        newer.claims = [AccountHash::of("7").shard(newer.shards)].into();
        standing.read(1, "a", &newer.encode(), at(1)).unwrap();
        assert!(!barrier.is_passed("run-of-a", &own, &standing, Some(at(1))));
    }

    #[test]
    fn a_node_whose_record_cannot_be_read_is_waited_for() {
        let barrier = Barrier::new([("7", 3, 10)], at(0));
        let mut standing = watching();
        standing.read(0, "b", b"?", at(0)).unwrap_err();
        let own: Ends = [(3, 11)].into();
        assert!(!barrier.is_passed("run-of-a", &own, &standing, Some(at(1))));
        assert!(barrier.is_passed("run-of-a", &own, &standing, Some(at(22_000))));
    }
}
