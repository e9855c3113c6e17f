//! Who is there, and what each serves: the fold of all beats that this node has read.

use crate::beat::{Beat, BeatError, LEASE_MAX};
use crate::moment::Moment;
use crate::shard::AccountHash;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many nodes are remembered. Of more, those that are gone are forgotten first.
pub const NODES_MAX: usize = 256;

/// A record that cannot be read is from a node of which nothing is known but that it lives: it is taken for one with the longest lease.
const UNREADABLE_LEASE: Duration = LEASE_MAX;

/// All nodes whose records were read.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    nodes: BTreeMap<String, Seen>,
    /// What was in the topic at the start is read. From now on each record comes as it is appended.
    is_watching: bool,
}

/// What is known of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its newest record; none if that cannot be read. Then it may serve anything, and nothing is known to be in force there.
    pub beat: Option<Beat>,
    /// When that was read here.
    pub read: Moment,
    /// Whether a record of it came as it was appended. What was there at the start may be older than what it said last: a record that
    /// its node gave up may be appended late, and compaction keeps the last.
    pub is_watched: bool,
    /// The offset of the first record of its run that was read here: the lowest is the oldest run.
    pub since: i64,
    /// The newest record of the process of this name before it, and when it was read: that process may serve on until its lease ends.
    pub before: Option<(Box<Beat>, Moment)>,
    /// By work that one node at a time does: since which record this run would do it.
    candidate_since: BTreeMap<String, i64>,
}

impl Seen {
    /// By this moment of the reader's clock the node has stopped serving, unless it was heard of since. Clocks of two machines may run
    /// apart by a tenth.
    pub fn gone_by(&self) -> Moment {
        let lease = self.beat.as_ref().map_or(UNREADABLE_LEASE, Beat::lease);
        gone_by(self.read, lease)
    }

    /// The newest record of the process of this name before it, while that may still be serving.
    pub fn predecessor(&self, proved: Moment) -> Option<&Beat> {
        let (beat, read) = self.before.as_ref()?;
        (proved < gone_by(*read, beat.lease())).then_some(beat)
    }
}

fn gone_by(read: Moment, lease: Duration) -> Moment {
    read.plus(lease + lease / 10)
}

impl Standing {
    /// Takes in a record of the topic that was read at `now`.
    ///
    /// Errors: the record is no beat. Its node counts as one that may serve anything, until it is gone.
    pub fn read(
        &mut self,
        offset: i64,
        key: &str,
        value: &[u8],
        now: Moment,
    ) -> Result<&Seen, BeatError> {
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
        self.make_room(key);
        let before = self.nodes.remove(key);
        let is_late = |before: &Seen| match (&before.beat, &beat) {
            (Some(before), Some(beat)) => before.run == beat.run && beat.n <= before.n,
            _ => false,
        };
        if let Some(before) = before.as_ref().filter(|before| is_late(before)) {
            // It was given up and is there all the same, or twice. What was said since holds.
            let before = before.clone();
            return Ok(self.nodes.entry(key.to_owned()).or_insert(before));
        }
        let run = |beat: &Option<Beat>| beat.as_ref().map(|beat| beat.run.clone());
        let (since, earlier, before) = match before {
            Some(same) if run(&same.beat) == run(&beat) => {
                (same.since, same.candidate_since, same.before)
            }
            Some(other) => {
                let last = other.beat.map(|beat| (Box::new(beat), other.read));
                (offset, BTreeMap::new(), last.or(other.before))
            }
            None => (offset, BTreeMap::new(), None),
        };
        let wants = beat.iter().flat_map(|beat| &beat.candidate_for);
        let candidate_since = wants
            .map(|work| (work.clone(), earlier.get(work).copied().unwrap_or(offset)))
            .collect();
        let seen = Seen {
            beat,
            read: now,
            is_watched: self.is_watching,
            since,
            before,
            candidate_since,
        };
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

    /// The live nodes that said so in a record which can be read.
    pub fn heard(&self, proved: Moment) -> impl Iterator<Item = &Beat> {
        self.live(proved).filter_map(|(_, seen)| seen.beat.as_ref())
    }

    /// The oldest live run's hash of what decides feeds and ids.
    pub fn decides(&self, proved: Moment) -> Option<&str> {
        let oldest = self
            .live(proved)
            .filter_map(|(_, seen)| Some((seen.since, seen.beat.as_ref()?)))
            .min_by_key(|(since, _)| *since);
        oldest.map(|(_, beat)| beat.decides.as_str())
    }

    /// The node that does a kind of work of which there is one: of the live ones that would do it, the one that said so first.
    pub fn worker(&self, work: &str, proved: Moment) -> Option<&str> {
        let candidates = self
            .live(proved)
            .filter_map(|(name, seen)| Some((*seen.candidate_since.get(work)?, name)));
        candidates.min().map(|(_, name)| name)
    }

    /// The nodes that serve an account, then those that stand by for it, each in the order of their names; only those heard of lately.
    pub fn servers(&self, account: AccountHash, proved: Moment) -> Vec<&Beat> {
        let serves = self.heard(proved).filter(|beat| beat.serves(account));
        let stands_by = |beat: &&Beat| !beat.serves(account) && beat.stands_by(account);
        serves.chain(self.heard(proved).filter(stands_by)).collect()
    }

    fn make_room(&mut self, key: &str) {
        if self.nodes.len() < NODES_MAX || self.nodes.contains_key(key) {
            return;
        }
        let oldest = self.nodes.iter().min_by_key(|(_, seen)| seen.gone_by());
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.nodes.remove(&name);
        }
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
        standing.read(1, "a", b"?", at(1)).unwrap_err();
        let live: Vec<_> = standing.live(at(2)).collect();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].1.beat, None);
    }

    /// Were this to fail, a process that was stopped would serve on beside the one that took its name, and nobody would wait for it.
    #[test]
    fn a_process_of_the_same_name_before_is_remembered_until_it_is_gone() {
        let mut standing = Standing::default();
        told(&mut standing, 0, &beat("a"), 0);
        for (offset, now) in [(1, 1_000), (2, 2_000)] {
            let again = Beat {
                run: "2".to_owned(),
                ..beat("a")
            };
            told(&mut standing, offset, &again, now);
            let before = |proved| standing.node("a").unwrap().predecessor(at(proved));
            assert_eq!(before(4_399).unwrap().run, beat("a").run);
            assert_eq!(before(4_400), None);
        }
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
            candidate_for: ["connector".to_owned()].into(),
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
        assert_eq!(standing.decides(at(3_000)), Some("1"));
        assert_eq!(standing.decides(at(5_000)), Some("2"), "when it is gone");
    }

    #[test]
    fn the_topic_may_name_any_number_of_nodes() {
        let mut standing = Standing::default();
        for n in 0..2 * NODES_MAX {
            told(&mut standing, n as i64, &beat(&format!("n{n}")), n as u64);
        }
        assert_eq!(standing.nodes().count(), NODES_MAX);
        assert!(standing.node(&format!("n{}", 2 * NODES_MAX - 1)).is_some());
    }
}
