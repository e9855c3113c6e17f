//! Feeds of accounts that are awake at other nodes, kept here too. A standby asks the node of a shard which they are, once a second. A
//! node that has got a shard asks once those that have had it.

use super::Cluster;
use crate::api::awake::{Awake, PATH};
use crate::api::forward::NodeQueries;
use crate::api::placement::Server;
use slackwater_cluster::serving::Role;
use slackwater_engine::view::View;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often a node is asked what was awakened since.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often all accounts are walked through again, so that those that are awake elsewhere do not fall asleep here.
const WALK_EVERY: Duration = Duration::from_secs(30 * 60);

/// Keeps warm what this node stands by for, until `stop`.
pub async fn keep_warm(cluster: Cluster, view: View, stop: CancellationToken) {
    let queries = NodeQueries::new(cluster.secret_of_nodes());
    let mut sources: BTreeMap<(String, Purpose), Source> = BTreeMap::new();
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let wanted = cluster.sources();
        sources.retain(|from, source| {
            wanted
                .get(from)
                .is_some_and(|(_, shards)| *shards == source.shards)
        });
        for (from, (server, shards)) in wanted {
            let purpose = from.1;
            let source = sources
                .entry(from)
                .or_insert_with(|| Source::new(server, shards, purpose));
            if let Err(error) = source.go_on(&queries, &view).await {
                tracing::debug!(node = &*source.server.node, %error, "node {} does not say which accounts are awake: {error}", source.server.node);
            }
        }
    }
}

/// Why another node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    /// It serves what this one stands by for: it is asked again and again.
    StandBy,
    /// It has had what this one serves: it is asked once. Were it asked again, two nodes would keep awake for ever whom nobody reads.
    TakeOver,
}

/// A node that has shards which this one has too.
struct Source {
    server: Server,
    /// How many shards there are, and which.
    shards: (u32, BTreeSet<u32>),
    purpose: Purpose,
    run: Option<String>,
    next: Next,
    walked: Instant,
    /// Accounts that it named and that have to wait.
    waiting: Vec<Box<str>>,
}

/// What the node is asked for next.
enum Next {
    /// A page of the walk, and the sequence from which to go on afterwards.
    Page(usize, Option<u64>),
    /// What was awakened since.
    Since(u64),
    /// Nothing.
    Nothing,
}

impl Source {
    fn new(server: Server, shards: (u32, BTreeSet<u32>), purpose: Purpose) -> Source {
        Source {
            server,
            shards,
            purpose,
            run: None,
            next: Next::Page(0, None),
            walked: Instant::now(),
            waiting: Vec::new(),
        }
    }

    /// Names some more accounts to the view, unless it has enough to do.
    async fn go_on(
        &mut self,
        queries: &NodeQueries,
        view: &View,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        loop {
            // Those that have to wait come first: what was awakened meanwhile is remembered there.
            if !self.waiting.is_empty() {
                let warmed = view.keep_warm(self.waiting.iter().map(|id| &**id));
                if 0 < warmed.left {
                    return Ok(());
                }
                self.waiting.clear();
            }
            let Some(target) = self.target() else {
                return Ok(());
            };
            let body = queries.get(&self.server, &target).await?;
            let answer: Awake = serde_json::from_slice(&body)?;
            if self.is_done_with(answer) {
                return Ok(());
            }
        }
    }

    /// Takes an answer in. Whether there is nothing more to ask for now.
    fn is_done_with(&mut self, answer: Awake) -> bool {
        let is_other_run = self.run.as_ref().is_some_and(|run| *run != answer.run);
        self.run = Some(answer.run);
        let is_due = WALK_EVERY <= self.walked.elapsed();
        if answer.walk_again || is_other_run {
            self.next = Next::Page(0, None);
            // Not at once: a node that says so over and over is asked once a second.
            return true;
        }
        self.waiting = answer.accounts;
        let is_empty = self.waiting.is_empty();
        match self.next {
            Next::Page(_, since) => {
                // What is awakened while the walk goes on is asked for after it.
                let since = since.unwrap_or(answer.since);
                self.next = match (answer.from, self.purpose) {
                    (Some(from), _) => Next::Page(from, Some(since)),
                    (None, Purpose::StandBy) => Next::Since(since),
                    (None, Purpose::TakeOver) => Next::Nothing,
                };
                self.walked = Instant::now();
                false
            }
            Next::Since(_) if is_due => {
                self.next = Next::Page(0, None);
                false
            }
            Next::Since(_) => {
                self.next = Next::Since(answer.since);
                is_empty
            }
            Next::Nothing => true,
        }
    }

    /// The target of the next request; none if nothing is to be asked for.
    fn target(&self) -> Option<String> {
        let (shards, of) = &self.shards;
        let of: Vec<String> = of.iter().map(u32::to_string).collect();
        let of = of.join(",");
        let run = self.run.as_deref().unwrap_or_default();
        let of = format!("{PATH}?shards={shards}&of={of}");
        match self.next {
            Next::Page(from, _) => Some(format!("{of}&from={from}")),
            Next::Since(since) => Some(format!("{of}&since={since}&run={run}")),
            Next::Nothing => None,
        }
    }
}

/// By the name of a node, and why it is asked: the node, how many shards there are, and which of them it is asked about.
type Sources = BTreeMap<(String, Purpose), (Server, (u32, BTreeSet<u32>))>;

impl Cluster {
    fn sources(&self) -> Sources {
        let node = self.0.node.lock();
        let proved = node.proved().unwrap_or_default();
        let holdings = node.holdings();
        let held_as = |role: Role| -> BTreeSet<u32> {
            let held = holdings.iter().filter(|(_, held)| held.role == role);
            held.map(|(shard, _)| shard).collect()
        };
        let (serves, standby) = (held_as(Role::Serves), held_as(Role::StandsBy));
        let shards = holdings.shards();
        let mut sources = Sources::new();
        let others = node.standing().heard(proved);
        let others = others.filter(|beat| beat.node != node.settings().node);
        for beat in others.filter(|beat| beat.shards == shards) {
            let server = || Server {
                node: beat.node.as_str().into(),
                address: beat.address.as_str().into(),
            };
            let served = &beat.serves & &standby;
            let had = &(&beat.serves | &beat.standby) & &serves;
            for (purpose, of) in [(Purpose::StandBy, served), (Purpose::TakeOver, had)] {
                if !of.is_empty() {
                    sources.insert((beat.node.clone(), purpose), (server(), (shards, of)));
                }
            }
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(run: &str, from: Option<usize>, since: u64, walk_again: bool) -> Awake {
        Awake {
            accounts: Vec::new(),
            run: run.to_owned(),
            from,
            since,
            walk_again,
        }
    }

    /// Were this to fail, an account that is awakened during the walk would be cold here for half an hour.
    #[test]
    fn what_is_awakened_during_the_walk_is_asked_for_after_it() {
        let server = Server {
            node: "a".into(),
            address: "http://a.example".into(),
        };
        let mut source = Source::new(server, (8, [0, 5].into()), Purpose::StandBy);
        let target = |source: &Source| source.target().unwrap();
        assert_eq!(target(&source), "/v1/nodes/awake?shards=8&of=0,5&from=0");
        assert!(!source.is_done_with(answer("x", Some(4_096), 7, false)));
        assert_eq!(target(&source), "/v1/nodes/awake?shards=8&of=0,5&from=4096");
        assert!(!source.is_done_with(answer("x", None, 9, false)));
        let since = "/v1/nodes/awake?shards=8&of=0,5&since=7&run=x";
        assert_eq!(target(&source), since);
        assert!(source.is_done_with(answer("x", None, 12, false)));
        assert!(target(&source).contains("since=12"));
        assert!(
            source.is_done_with(answer("y", None, 3, false)),
            "another process"
        );
        assert!(target(&source).contains("from=0"));
    }

    #[test]
    fn who_has_had_a_shard_is_asked_once() {
        let server = Server {
            node: "a".into(),
            address: "http://a.example".into(),
        };
        let mut source = Source::new(server, (8, [0].into()), Purpose::TakeOver);
        assert!(!source.is_done_with(answer("x", None, 7, false)));
        assert_eq!(source.target(), None);
    }
}
