//! Who is there, and what each serves: the fold of all beats that this node has read.

use crate::beat::{Beat, BeatError};
use crate::moment::Moment;
use crate::seen::{Seen, UNREADABLE_LEASE, gone_by};
use crate::shard::AccountHash;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many nodes are remembered. Of more, those that are long gone are forgotten.
pub const NODES_MAX: usize = 256;

/// How long after it is gone a node is remembered at least: no request waits so long for others.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// All nodes whose records were read.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    nodes: BTreeMap<String, Seen>,
    /// What was in the topic at the start is read. From now on each record comes as it is appended.
    is_watching: bool,
    /// By then every node is gone of which a record found no room here, or was in a topic that is no more.
    unknown_until: Moment,
    /// The offset of the newest record.
    last: Option<i64>,
}

impl Standing {
    /// Takes in a record of the topic that was read at `now`.
    ///
    /// Errors: the record is no beat, or there is no room for one more node. Its node counts as one that may serve anything, until it is
    /// gone.
    pub fn read(
        &mut self,
        offset: i64,
        key: &str,
        value: &[u8],
        now: Moment,
    ) -> Result<&Seen, BeatError> {
        if self.last.is_some_and(|last| offset <= last) && self.is_watching {
            // The topic was made anew. What was said in the one before and not read is known to nobody.
            self.unknown_until = gone_by(now, UNREADABLE_LEASE);
        }
        self.last = Some(offset);
        let decoded = Beat::decode(key, value);
        if !crate::beat::is_name(key) {
            // No node has such a name.
            decoded?;
            return Err(BeatError::OutOfBounds("node"));
        }
        let (beat, error) = match decoded {
            Ok(beat) => (Some(beat), None),
            Err(error) => (None, Some(error)),
        };
        if !self.has_room(key, now) {
            self.unknown_until = gone_by(now, UNREADABLE_LEASE);
            return Err(error.unwrap_or(BeatError::TooManyNodes));
        }
        let before = self.nodes.remove(key);
        let is_late = |before: &Seen| beat.as_ref().is_some_and(|beat| before.has_said(beat));
        if let Some(before) = before.as_ref().filter(|before| is_late(before)) {
            // It was given up and is there all the same, or twice. What was said since holds.
            let before = before.clone();
            return Ok(self.nodes.entry(key.to_owned()).or_insert(before));
        }
        let seen = Seen::after(before, offset, beat, now, self.is_watching);
        let seen = self.nodes.entry(key.to_owned()).or_insert(seen);
        match error {
            None => Ok(seen),
            Some(error) => Err(error),
        }
    }

    /// What was in the topic at the start is read.
    pub fn watch(&mut self) {
        self.is_watching = true;
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.nodes.iter().map(|(name, seen)| (name.as_str(), seen))
    }

    /// What is known of a node.
    pub fn node(&self, name: &str) -> Option<&Seen> {
        self.nodes.get(name)
    }

    /// The nodes that may be serving. `proved` is the moment at which this node sent a record that it has read back: every record that
    /// was in the topic before it is known here. A node that is gone by then has not served since without reading relations up to their
    /// end first.
    pub fn live(&self, proved: Moment) -> impl Iterator<Item = (&str, &Seen)> {
        self.nodes()
            .filter(move |(_, seen)| proved < seen.gone_by())
    }

    /// When the next of the processes that may be serving counts as gone, if nothing is heard of it.
    pub fn next_gone(&self, proved: Moment) -> Option<Moment> {
        let newest = self.live(proved).map(|(_, seen)| seen.gone_by());
        let before = self.nodes.values();
        let before = before.flat_map(|seen| seen.before.next_gone(proved));
        let unknown = Some(self.unknown_until).filter(|until| proved < *until);
        newest.chain(before).chain(unknown).min()
    }

    /// The live nodes that said so in a record which can be read.
    pub fn heard(&self, proved: Moment) -> impl Iterator<Item = &Beat> {
        self.live(proved).filter_map(|(_, seen)| seen.beat.as_ref())
    }

    /// The oldest live run of those that have not left. What it says decides feeds and ids.
    pub fn oldest(&self, proved: Moment) -> Option<&Beat> {
        let oldest = self
            .live(proved)
            .filter_map(|(_, seen)| Some((seen.since, seen.beat.as_ref()?)))
            .filter(|(_, beat)| !beat.has_left())
            .min_by_key(|(since, _)| *since);
        oldest.map(|(_, beat)| beat)
    }

    /// The node that does a kind of work of which there is one: of the live ones that would do it, the one that said so first.
    pub fn worker(&self, work: &str, proved: Moment) -> Option<&str> {
        let candidates = self
            .live(proved)
            .filter_map(|(name, seen)| Some((seen.candidate_since(work)?, name)));
        candidates.min().map(|(_, name)| name)
    }

    /// The nodes that serve an account, then those that stand by for it, each in the order of their names; only those heard of lately.
    pub fn servers(&self, account: AccountHash, proved: Moment) -> Vec<&Beat> {
        let serves = self.heard(proved).filter(|beat| beat.serves(account));
        let stands_by = |beat: &&Beat| !beat.serves(account) && beat.stands_by(account);
        serves.chain(self.heard(proved).filter(stands_by)).collect()
    }

    /// All processes that may be serving, by what each said last; none for one that may serve anything. `proved` is as for
    /// [`Self::live`].
    pub fn processes(&self, proved: Moment) -> impl Iterator<Item = Option<&Beat>> {
        let newest = self.live(proved).map(|(_, seen)| seen.said());
        let before = self.nodes.values();
        let before = before.flat_map(move |seen| seen.before.live(proved));
        let unknown = (proved < self.unknown_until).then_some(None);
        newest.chain(before).chain(unknown)
    }

    /// Forgets the processes of names that others have now, once they are gone.
    pub fn forget_gone(&mut self, proved: Moment) {
        for seen in self.nodes.values_mut() {
            seen.before.forget_gone(proved);
        }
    }

    /// Whether there is room for a node of this name, if need be that of one which is long gone.
    fn has_room(&mut self, key: &str, now: Moment) -> bool {
        if self.nodes.len() < NODES_MAX || self.nodes.contains_key(key) {
            return true;
        }
        let oldest = self.nodes.iter().min_by_key(|(_, seen)| seen.gone_by());
        // At the start all are read at once, most of nodes that are long gone: which ones is not known yet.
        if !self.is_watching {
            self.unknown_until = gone_by(now, UNREADABLE_LEASE);
        }
        let is_over = |seen: &Seen| !self.is_watching || seen.gone_by().plus(REMEMBERED_FOR) <= now;
        let oldest = oldest.filter(|(_, seen)| is_over(seen));
        let Some(name) = oldest.map(|(name, _)| name.clone()) else {
            return false;
        };
        self.nodes.remove(&name);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::beat;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn told(standing: &mut Standing, offset: i64, beat: &Beat, now: u64) {
        standing
            .read(offset, &beat.node, &beat.encode(), at(now))
            .unwrap();
    }

    fn decides(standing: &Standing, proved: u64) -> Option<&str> {
        let oldest = standing.oldest(at(proved));
        oldest.map(|beat| beat.decides.as_str())
    }

    /// Were this to fail, a node would count as gone while it still serves.
    #[test]
    fn a_node_is_gone_a_tenth_later_than_its_lease() {
        let mut standing = Standing::default();
        told(&mut standing, 0, &beat("a"), 1_000);
        assert_eq!(standing.live(at(5_399)).count(), 1);
        assert_eq!(standing.live(at(5_400)).count(), 0);
    }

    #[test]
    fn a_node_whose_record_cannot_be_read_lives_and_may_serve_anything() {
        let mut standing = Standing::default();
        told(&mut standing, 0, &beat("a"), 0);
        standing.watch();
        standing.read(1, "a", b"?", at(1)).unwrap_err();
        assert_eq!(standing.processes(at(2)).next(), Some(None));
        let live: Vec<_> = standing.live(at(2)).collect();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].1.beat, None);
    }

    /// Were this to fail, a process that was stopped would serve on beside the one that took its name, and nobody would wait for it.
    #[test]
    fn a_process_of_the_same_name_before_is_remembered_until_it_is_gone() {
        let mut standing = Standing::default();
        standing.watch();
        told(&mut standing, 0, &beat("a"), 0);
        for (offset, now) in [(1, 1_000), (2, 2_000)] {
            let again = Beat {
                run: "2".to_owned(),
                ..beat("a")
            };
            told(&mut standing, offset, &again, now);
            let serving = |proved| {
                let runs = standing.processes(at(proved));
                runs.map(|beat| beat.unwrap().run.clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(serving(4_399), ["2".to_owned(), beat("a").run]);
            assert_eq!(serving(4_400), ["2"]);
        }
        let third = Beat {
            run: "3".to_owned(),
            ..beat("a")
        };
        told(&mut standing, 3, &third, 3_000);
        assert_eq!(standing.processes(at(4_399)).count(), 3);
        standing.forget_gone(at(4_400));
        assert_eq!(standing.processes(at(0)).count(), 2);
    }

    /// Were this to fail, a process that took a name over would hide what the one before may have said in records that compaction removed.
    #[test]
    fn of_a_process_before_that_said_nothing_since_the_start_nothing_is_known() {
        let mut standing = Standing::default();
        told(&mut standing, 0, &beat("a"), 0);
        standing.watch();
        let again = Beat {
            run: "2".to_owned(),
            ..beat("a")
        };
        told(&mut standing, 1, &again, 1_000);
        let known: Vec<_> = standing.processes(at(2_000)).collect();
        assert_eq!(known, [Some(&again), None]);
    }

    /// Were this to fail, a record of an older process that comes late would make it the newest, or hide what it said since.
    #[test]
    fn two_processes_of_one_name_are_told_apart() {
        let mut standing = Standing::default();
        standing.watch();
        let says = |run: &str, n, serves: u32| Beat {
            run: run.to_owned(),
            n,
            serves: [serves].into(),
            ..beat("a")
        };
        told(&mut standing, 0, &says("1", 5, 1), 0);
        told(&mut standing, 1, &says("2", 1, 2), 100);
        told(&mut standing, 2, &says("1", 4, 3), 200);
        assert_eq!(
            standing.node("a").unwrap().beat,
            Some(says("2", 1, 2)),
            "it had said more"
        );
        told(&mut standing, 3, &says("1", 6, 4), 300);
        told(&mut standing, 4, &says("2", 2, 2), 400);
        let both: Vec<_> = standing.processes(at(400)).collect();
        let (new, old) = (says("2", 2, 2), says("1", 6, 4));
        assert_eq!(both, [Some(&new), Some(&old)]);
    }

    /// Were this to fail, a record that was given up and appended late would hide what its node claimed since.
    #[test]
    fn a_record_that_comes_late_or_twice_says_nothing() {
        let mut standing = Standing::default();
        let nth = |n, serves: &[u32]| Beat {
            n,
            serves: serves.iter().copied().collect(),
            ..beat("a")
        };
        told(&mut standing, 0, &nth(5, &[1]), 1_000);
        told(&mut standing, 1, &nth(4, &[2]), 2_000);
        told(&mut standing, 2, &nth(5, &[1]), 3_000);
        let seen = standing.node("a").unwrap();
        assert_eq!(seen.beat.as_ref(), Some(&nth(5, &[1])));
        assert_eq!(seen.read, at(1_000), "nor is it a sign of life");
        let other = Beat {
            run: "2".to_owned(),
            ..nth(1, &[3])
        };
        told(&mut standing, 3, &other, 4_000);
        assert_eq!(standing.node("a").unwrap().beat.as_ref(), Some(&other));
    }

    #[test]
    fn a_key_that_is_no_name_is_nobody() {
        let mut standing = Standing::default();
        standing.read(0, "No Name", b"?", at(0)).unwrap_err();
        assert_eq!(standing.nodes().count(), 0);
    }

    /// Were this to fail, two nodes would read Mastodon's outbox at once.
    #[test]
    fn work_of_which_there_is_one_is_done_by_the_node_that_said_so_first() {
        let mut standing = Standing::default();
        let wants = |name: &str, run: &str| Beat {
            candidate_for: [("connector".to_owned(), None)].into(),
            run: run.to_owned(),
            ..beat(name)
        };
        told(&mut standing, 0, &wants("b", "1"), 0);
        told(&mut standing, 1, &wants("a", "1"), 1_000);
        told(&mut standing, 2, &wants("b", "1"), 2_000);
        assert_eq!(standing.worker("connector", at(2_000)), Some("b"));
        assert_eq!(standing.worker("other", at(2_000)), None);
        told(&mut standing, 3, &wants("b", "2"), 3_000);
        assert_eq!(
            standing.worker("connector", at(3_000)),
            Some("a"),
            "another process stands behind it"
        );
        told(&mut standing, 4, &beat("a"), 4_000);
        assert_eq!(standing.worker("connector", at(4_000)), Some("b"));
    }

    #[test]
    fn the_oldest_run_decides() {
        let mut standing = Standing::default();
        let says = |name: &str, decides: &str| Beat {
            decides: decides.to_owned(),
            ..beat(name)
        };
        told(&mut standing, 0, &says("b", "1"), 0);
        told(&mut standing, 1, &says("a", "2"), 3_000);
        assert_eq!(decides(&standing, 3_000), Some("1"));
        assert_eq!(decides(&standing, 5_000), Some("2"), "when it is gone");
    }

    /// Were this to fail, a node that joined after the topic was compacted would hold other runs for the oldest than the rest do.
    #[test]
    fn what_runs_say_of_when_they_began_holds_for_who_reads_their_last_records_alone() {
        let says = |name: &str, began, wants: Option<i64>| Beat {
            n: if wants.is_some() { 3 } else { 2 },
            decides: name.to_owned(),
            began,
            candidate_for: [("work".to_owned(), wants)].into(),
            ..beat(name)
        };
        let mut compacted = Standing::default();
        told(&mut compacted, 90, &says("b", Some(2), Some(2)), 0);
        told(&mut compacted, 91, &says("a", Some(1), Some(40)), 0);
        let mut all = Standing::default();
        told(&mut all, 1, &beat("a"), 0);
        told(&mut all, 2, &says("b", None, None), 0);
        told(&mut all, 40, &says("a", Some(1), None), 0);
        told(&mut all, 90, &says("b", Some(2), Some(2)), 0);
        told(&mut all, 91, &says("a", Some(1), Some(40)), 0);
        for standing in [&compacted, &all] {
            assert_eq!(decides(standing, 0), Some("a"));
            assert_eq!(standing.worker("work", at(0)), Some("b"));
        }
    }

    /// Were this to fail, a node that starts would know of no other, where generated names fill the topic.
    #[test]
    fn of_more_names_than_there_is_room_for_at_the_start_the_last_are_known() {
        let mut standing = Standing::default();
        for n in 0..NODES_MAX + 2 {
            told(&mut standing, n as i64, &beat(&format!("n{n}")), 0);
        }
        standing.watch();
        assert!(standing.node(&format!("n{}", NODES_MAX + 1)).is_some());
        let is_unknown = |proved| standing.processes(at(proved)).any(|beat| beat.is_none());
        assert!(is_unknown(21_999));
        assert!(!is_unknown(22_000));
    }

    /// Were this to fail, what a node claimed in a topic that was then deleted would be known to nobody, and waited for by nobody.
    #[test]
    fn of_a_topic_that_was_made_anew_nodes_may_have_said_anything_before() {
        let mut standing = Standing::default();
        standing.watch();
        let says = |n, began| Beat {
            n,
            began,
            ..beat("a")
        };
        told(&mut standing, 7_000, &says(1, None), 0);
        assert_eq!(standing.processes(at(0)).count(), 1);
        told(&mut standing, 0, &says(2, Some(7_000)), 100);
        assert_eq!(
            standing.processes(at(100)).collect::<Vec<_>>(),
            [Some(&says(2, Some(7_000))), None]
        );
        assert_eq!(standing.node("a").unwrap().since, 0, "all begin anew");
        assert_eq!(standing.next_gone(at(100)), Some(at(4_500)));
        assert_eq!(standing.next_gone(at(4_500)), Some(at(22_100)));
    }

    /// Were this to fail, names that are never used again would fill memory; or a node that serves would not be waited for.
    #[test]
    fn the_topic_may_name_any_number_of_nodes() {
        let mut standing = Standing::default();
        standing.watch();
        let name = |n: usize| format!("n{n}");
        for n in 0..NODES_MAX {
            told(&mut standing, n as i64, &beat(&name(n)), n as u64);
        }
        let more = beat("more");
        let offset = NODES_MAX as i64;
        let refused = standing.read(offset, "more", &more.encode(), at(1_000));
        assert_eq!(refused.unwrap_err(), BeatError::TooManyNodes);
        assert!(standing.node(&name(0)).is_some(), "it may be serving");
        let is_unknown = |proved| standing.processes(at(proved)).any(|beat| beat.is_none());
        assert!(is_unknown(22_999));
        assert!(!is_unknown(23_000));
        told(&mut standing, offset, &more, 64_400);
        assert_eq!(standing.nodes().count(), NODES_MAX);
        assert!(standing.node(&name(0)).is_none());
    }
}
