//! What happens in the fediverse while nodes come and go: a made-up one whose records flow past all of them.

use crate::support::cluster::{Nodes, Options, PARTITIONS};
use crate::support::fediverse::{self, Fediverse, Related, Sent, Size};
use crate::support::{wait_for, wait_within};
use slackwater::clock;
use slackwater::log::kafka::{self, Producer};
use slackwater_engine::record::NewRecord;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long it is waited for leave to append more: longer than for anything that is waited for meanwhile.
const LEAVE_WAIT: Duration = Duration::from_secs(300);
/// Records appended at once.
const CHUNK: usize = 20;

/// Activities and relations on their way, appended as far as they may be.
pub(super) struct Load {
    pub(super) fediverse: Fediverse,
    activities: Vec<Sent>,
    relations: Vec<Related>,
    may_append: AtomicUsize,
    appended: AtomicUsize,
}

impl Load {
    /// A fediverse of this seed with so many activities and accounts.
    pub(super) fn made_up(seed: u64, activities: usize, accounts: usize) -> Load {
        let size = Size {
            activities,
            authors: 60,
            origins: 6,
            accounts,
        };
        let fediverse = Fediverse::made_up(seed, size);
        // Behind everything else, a post in each partition that says: this was all.
        let mut activities = fediverse.shuffled(seed + 1);
        activities.extend((0..PARTITIONS).map(|partition| Sent::last(partition, PARTITIONS)));
        Load {
            activities,
            relations: fediverse.shuffled_relations(seed + 2),
            fediverse,
            may_append: AtomicUsize::new(0),
            appended: AtomicUsize::new(0),
        }
    }

    /// So many nodes that have read the beginning of it.
    pub(super) fn nodes(&self, count: usize, options: Options) -> Nodes {
        let mut nodes = Nodes::none(options);
        self.begin(&nodes.broker.address());
        for _ in 0..count {
            nodes.add();
        }
        nodes.wait_settled();
        nodes.settle_all();
        nodes
    }

    /// Appends what is there before the nodes are watched: most relations, and a tenth of the activities.
    fn begin(&self, broker: &str) {
        let relations = &self.relations[..self.relations.len() * 9 / 10];
        let activities = &self.activities[..self.activities.len() / 10];
        let log = Log::at(broker);
        for relations in relations.chunks(500) {
            log.append_all(&[], relations);
        }
        for activities in activities.chunks(500) {
            log.append_all(activities, &[]);
        }
        self.appended.store(activities.len(), Ordering::Release);
    }

    /// Appends everything else, no further than it may.
    pub(super) fn run(&self, broker: &str) {
        let log = Log::at(broker);
        let (from, all) = (self.activities.len() / 10, self.activities.len());
        let relations = &self.relations[self.relations.len() * 9 / 10..];
        let upto = |activities: usize| relations.len() * (activities - from) / (all - from);
        let mut at = from;
        while at < all {
            let to = (at + CHUNK).min(all);
            let leave = wait_within(LEAVE_WAIT, || {
                (at < self.may_append.load(Ordering::Acquire)).then_some(())
            });
            leave.expect("leave to append more");
            log.append_all(&self.activities[at..to], &relations[upto(at)..upto(to)]);
            self.appended.store(to, Ordering::Release);
            at = to;
        }
    }

    /// Lets so many parts of all be appended by now, of so many.
    pub(super) fn let_go(&self, part: usize, of: usize) {
        let (from, all) = (self.activities.len() / 10, self.activities.len());
        let until = if part == of {
            usize::MAX
        } else {
            from + (all - from) * part / of
        };
        self.may_append.store(until, Ordering::Release);
    }

    /// Waits until all that may be appended is.
    pub(super) fn wait_appended(&self) {
        wait_for("the records to be appended", || {
            let may_append = self.may_append.load(Ordering::Acquire);
            (may_append <= self.appended.load(Ordering::Acquire)).then_some(())
        });
    }

    /// Waits until nodes have all of it in their feeds.
    pub(super) fn wait_read(&self, nodes: &Nodes) {
        for door in nodes.doors() {
            wait_for("the last post of each partition", || {
                let mut last = (0..PARTITIONS).map(fediverse::last_uri);
                last.all(|uri| super::knows(&door, &uri)).then_some(())
            });
        }
        nodes.settle_all();
    }
}

/// What appends to the log as a backend does, past all nodes.
pub(super) struct Log {
    producer: Producer,
    runtime: tokio::runtime::Runtime,
}

impl Log {
    pub(super) fn at(broker: &str) -> Log {
        let options = kafka::Options {
            brokers: vec![broker.to_owned()],
            ..kafka::Options::default()
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        Log {
            producer: Producer::start(&options).unwrap(),
            runtime: runtime.enable_all().build().unwrap(),
        }
    }

    fn append_all(&self, activities: &[Sent], relations: &[Related]) {
        let activities = activities.iter().map(|sent| sent.record(clock::now()));
        let relations = relations.iter().map(|related| related.record(clock::now()));
        self.append(&relations.chain(activities).collect::<Vec<_>>());
    }

    /// Appends records; what is not accepted is sent again, though some of it may be there.
    pub(super) fn append(&self, records: &[NewRecord]) {
        wait_for("the records to be accepted", || {
            let appended = self
                .runtime
                .block_on(self.producer.append(records.to_vec()));
            if let Err(error) = &appended {
                println!("sent again: {error}");
            }
            appended.ok()
        });
    }
}
