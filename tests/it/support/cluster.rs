//! Several nodes of the real binary on one real broker.

use super::broker::{Broker, Proxy};
use super::instance::{self, Door, Instance};
use super::wait_within;
use serde_json::Value;
use slackwater_cluster::shard::AccountHash;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// How long the nodes may take to share out the accounts.
const SETTLE: Duration = Duration::from_secs(60);
/// How many partitions of activities and of relationships there are.
pub(crate) const PARTITIONS: i32 = 8;
/// A lease that tests can wait for.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// What a broker that does not wait for records, as the one of these tests, is asked for often.
pub(crate) const QUICK: &str = "[kafka.client]\n\"fetch.wait.max.ms\" = 20\n";

/// Some nodes, named a, b, c and so on. All are killed, by their process ids, when dropped.
pub(crate) struct Nodes {
    /// The nodes, those too that do not run.
    pub(crate) nodes: Vec<Instance>,
    pub(crate) broker: Broker,
    pub(crate) options: Options,
    dir: TempDir,
}

/// How the nodes of a test are configured.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Further nodes that keep an account's feeds; none: as many as there are by default.
    pub(crate) standbys: Option<usize>,
    /// How long a node shows feeds without a word from Kafka; none: the default.
    pub(crate) lease: Option<Duration>,
    /// More of `[kafka.client]`.
    pub(crate) client: String,
    /// More of `[cluster]`.
    pub(crate) cluster: String,
    /// What comes last in the configuration, after the keys of `[feed]`.
    pub(crate) more: String,
    /// What asks them as the backend, if they want a token.
    pub(crate) token: Option<String>,
}

impl Options {
    /// With so many standbys, and a lease that tests can wait for.
    pub(crate) fn quick(standbys: usize) -> Options {
        Options {
            standbys: Some(standbys),
            lease: Some(LEASE),
            ..Options::default()
        }
    }
}

/// In what one node differs from the others.
#[derive(Default)]
pub(crate) struct Unlike<'a> {
    /// It reaches the broker by this alone.
    pub(crate) proxy: Option<&'a Proxy>,
    /// More of its `[cluster]`.
    pub(crate) cluster: &'a str,
    /// What comes last in its configuration.
    pub(crate) more: &'a str,
}

impl Nodes {
    /// Starts so many nodes with `more` in the `[cluster]` of each; returns when each is ready.
    pub(crate) fn start(count: usize, more: &str) -> Nodes {
        let cluster = more.to_owned();
        Nodes::start_with(
            count,
            Options {
                cluster,
                ..Options::default()
            },
        )
    }

    /// The same, of nodes that want this service token.
    pub(crate) fn start_as(count: usize, more: &str, token: &str) -> Nodes {
        let options = Options {
            cluster: more.to_owned(),
            token: Some(token.to_owned()),
            ..Options::default()
        };
        Nodes::start_with(count, options)
    }

    /// Starts so many nodes; returns when each is ready and they have shared out the accounts.
    pub(crate) fn start_with(count: usize, options: Options) -> Nodes {
        let mut nodes = Nodes::none(options);
        for _ in 0..count {
            nodes.add();
        }
        nodes.wait_settled();
        nodes
    }

    /// A broker with its topics, and no node yet.
    pub(crate) fn none(options: Options) -> Nodes {
        let dir = TempDir::new().expect("a folder");
        let broker_dir = dir.path().join("broker");
        std::fs::create_dir(&broker_dir).expect("a folder");
        let broker = Broker::start(&broker_dir);
        broker.create_topics(PARTITIONS, PARTITIONS);
        let compacted = [("cleanup.policy", "compact"), ("segment.ms", "600000")];
        broker.create_topic("slackwater.nodes", 1, &compacted);
        Nodes {
            nodes: Vec::new(),
            broker,
            options,
            dir,
        }
    }

    /// Starts one more; returns when it listens.
    pub(crate) fn add(&mut self) {
        self.add_unlike(&Unlike::default());
    }

    /// Starts one more that differs from the others; returns when it listens.
    pub(crate) fn add_unlike(&mut self, unlike: &Unlike<'_>) {
        let name = name_of(self.nodes.len());
        self.add_named(&name, &name, unlike);
    }

    /// Starts one more of this name with its data in this folder; returns when it listens.
    pub(crate) fn add_named(&mut self, name: &str, folder: &str, unlike: &Unlike<'_>) {
        let dir = self.dir_of(folder);
        std::fs::create_dir_all(&dir).expect("a folder");
        let config = self.config(name, unlike);
        let mut node = Instance::start(&dir, &config);
        if let Some(token) = &self.options.token {
            node.door = node.door.with_token(token);
        }
        self.nodes.push(node);
    }

    /// The door of a node.
    pub(crate) fn door(&self, at: usize) -> &Door {
        &self.nodes[at].door
    }

    /// The doors of the nodes that run, in their order.
    pub(crate) fn doors(&self) -> Vec<Door> {
        let running = self.nodes.iter().filter(|node| node.is_running());
        running.map(|node| node.door.clone()).collect()
    }

    /// Removes the data folder of a node that does not run.
    pub(crate) fn lose_folder(&self, at: usize) {
        let feeds = self.dir_of(&name_of(at)).join("feeds");
        std::fs::remove_dir_all(feeds).expect("removing the feeds");
    }

    fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, name: &str, unlike: &Unlike<'_>) -> String {
        let options = &self.options;
        let standbys = options.standbys.map(|it| format!("standbys = {it}\n"));
        let lease = options
            .lease
            .map(|it| format!("lease = \"{}ms\"\n", it.as_millis()));
        let cluster = format!(
            "{QUICK}{}\n[cluster]\nnode = \"{name}\"\nsecret = \"a secret of these tests\"\nassignment = \"rendezvous\"\n\
             {}{}{}\n{}\n",
            options.client,
            standbys.unwrap_or_default(),
            lease.unwrap_or_default(),
            options.cluster,
            unlike.cluster
        );
        let brokers = match unlike.proxy {
            Some(proxy) => proxy.address(),
            None => self.broker.address(),
        };
        let config = instance::on_kafka(&brokers, &format!("{}{}", unlike.more, options.more));
        config.replacen("[http]", &format!("{cluster}[http]"), 1)
    }

    /// Waits until every node that runs is ready and each shard is served by one of them, with its standbys.
    pub(crate) fn wait_settled(&self) {
        let settled = wait_within(SETTLE, || self.is_settled().then_some(()));
        if settled.is_none() {
            panic!("the nodes share out nothing: {:#?}", self.standing());
        }
    }

    /// Whether all nodes that run agree that each shard is served by one of them, and stood by for as configured.
    fn is_settled(&self) -> bool {
        let running = self.doors();
        let standbys = self.options.standbys;
        let standbys = standbys.map(|it| it.min(running.len().saturating_sub(1)));
        running.iter().all(|door| {
            if ready(door).0 != 200 {
                return false;
            }
            let Some(said) = said_by(door) else {
                return false;
            };
            let live: Vec<&Value> = live(&said).collect();
            let sorted = |field: &str| {
                let mut shards: Vec<u64> =
                    live.iter().flat_map(|node| shards(node, field)).collect();
                shards.sort_unstable();
                shards
            };
            let all: Vec<u64> = (0..said["shards"].as_u64().unwrap_or(0)).collect();
            // One that is still behind is given shards when it no longer is.
            let has_some = |node: &&Value| shards(node, "serves").next().is_some();
            live.len() == running.len()
                && live.iter().all(has_some)
                && sorted("serves") == all
                && standbys.is_none_or(|it| sorted("standby").len() == all.len() * it)
                && sorted("claims").is_empty()
                && !all.is_empty()
        })
    }

    fn standing(&self) -> Vec<String> {
        let said = |door: &Door| {
            let all = said_by(door).unwrap_or_default();
            format!("{:?} {all}", ready(door))
        };
        self.doors().iter().map(said).collect()
    }

    /// The node that serves an account, as a node that runs knows it.
    pub(crate) fn server_of(&self, account: &str) -> usize {
        let door = self.doors().into_iter().next().expect("a node that runs");
        let served = served_by(&door);
        let of = |at: &usize| served(&name_of(*at), account);
        let found = (0..self.nodes.len()).find(of);
        found.unwrap_or_else(|| panic!("nobody serves {account}: {:#?}", self.standing()))
    }

    /// Waits until all that is in the log is in the feeds of every node that runs.
    pub(crate) fn settle_all(&self) {
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            node.settle_all();
        }
    }
}

/// Whether a node of this name serves an account, as another node knows it.
pub(crate) fn served_by(door: &Door) -> impl Fn(&str, &str) -> bool + use<> {
    let said = said_by(door).expect("what the nodes say");
    let count = u32::try_from(said["shards"].as_u64().expect("a number")).expect("a few");
    move |node: &str, account: &str| {
        let shard = u64::from(AccountHash::of(account).shard(count));
        let mut named = live(&said).filter(|it| it["node"] == node);
        named.any(|it| shards(it, "serves").any(|served| served == shard))
    }
}

/// Whether a node is ready, and what it says of that.
fn ready(door: &Door) -> (u16, String) {
    let answer = door.try_get("/readyz", Duration::from_secs(5));
    answer.map_or((0, String::new()), |answer| (answer.status, answer.text))
}

/// What a node knows of all.
pub(crate) fn said_by(door: &Door) -> Option<Value> {
    let answer = door.try_get("/v1/nodes", Duration::from_secs(5)).ok()?;
    serde_json::from_str(&answer.text).ok()
}

/// The nodes that live, of what a node says of all.
pub(crate) fn live(said: &Value) -> impl Iterator<Item = &Value> {
    let nodes = said["nodes"].as_array().into_iter().flatten();
    nodes.filter(|node| node["live"] == true)
}

/// The shards that a node has in this way: `serves`, `standby`.
pub(crate) fn shards(node: &Value, field: &str) -> impl Iterator<Item = u64> {
    let shards: BTreeSet<u64> = node[field]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    shards.into_iter()
}

/// The name of the node that is started in this place.
pub(crate) fn name_of(at: usize) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyz";
    letters[at..=at].to_owned()
}
