//! Several nodes of the real binary on one real broker.

use super::broker::Broker;
use super::instance::{self, Door, Instance};
use super::wait_within;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// How long the nodes may take to share out the accounts.
const SETTLE: Duration = Duration::from_secs(60);
/// How many partitions of activities and of relationships there are, unless a test needs others.
const PARTITIONS: i32 = 8;

/// What a broker that does not wait for records, as the one of these tests, is asked for often.
const QUICK: &str = "[kafka.client]\n\"fetch.wait.max.ms\" = 20\n";

/// Some nodes, named a, b, c and so on. All are killed, by their process ids, when dropped.
pub(crate) struct Nodes {
    /// The nodes; none in the place of one that is not started.
    pub(crate) nodes: Vec<Instance>,
    pub(crate) broker: Broker,
    more: String,
    /// What asks them as the backend, if they want a token.
    token: Option<String>,
    dir: TempDir,
}

impl Nodes {
    /// Starts so many nodes with `more` in the `[cluster]` of each; returns when each is ready.
    pub(crate) fn start(count: usize, more: &str) -> Nodes {
        Nodes::start_for(count, more, None)
    }

    /// The same, of nodes that want this service token.
    pub(crate) fn start_as(count: usize, more: &str, token: &str) -> Nodes {
        Nodes::start_for(count, more, Some(token.to_owned()))
    }

    fn start_for(count: usize, more: &str, token: Option<String>) -> Nodes {
        let dir = TempDir::new().expect("a folder");
        let broker_dir = dir.path().join("broker");
        std::fs::create_dir(&broker_dir).expect("a folder");
        let broker = Broker::start(&broker_dir);
        broker.create_topics(PARTITIONS, PARTITIONS);
        let compacted = [("cleanup.policy", "compact"), ("segment.ms", "600000")];
        broker.create_topic("slackwater.nodes", 1, &compacted);
        let mut nodes = Nodes {
            nodes: Vec::new(),
            broker,
            more: more.to_owned(),
            token,
            dir,
        };
        for _ in 0..count {
            nodes.add();
        }
        nodes.wait_settled();
        nodes
    }

    /// Starts one more; returns when it listens.
    pub(crate) fn add(&mut self) {
        let name = name_of(self.nodes.len());
        let dir = self.dir_of(&name);
        std::fs::create_dir_all(&dir).expect("a folder");
        let config = self.config(&name);
        let mut node = Instance::start(&dir, &config);
        if let Some(token) = &self.token {
            node.door = node.door.with_token(token);
        }
        self.nodes.push(node);
    }

    /// The door of a node.
    pub(crate) fn door(&self, at: usize) -> &Door {
        &self.nodes[at].door
    }

    /// Removes the data folder of a node that does not run.
    pub(crate) fn lose_folder(&self, at: usize) {
        let feeds = self.dir_of(&name_of(at)).join("feeds");
        std::fs::remove_dir_all(feeds).expect("removing the feeds");
    }

    fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, name: &str) -> String {
        let more = &self.more;
        let cluster = format!(
            "{QUICK}[cluster]\nnode = \"{name}\"\nsecret = \"a secret of these tests\"\nassignment = \"rendezvous\"\n{more}\n"
        );
        instance::on_kafka(&self.broker.address(), "").replacen(
            "[http]",
            &format!("{cluster}[http]"),
            1,
        )
    }

    /// Waits until every node is ready and each shard is served by one of those that run.
    pub(crate) fn wait_settled(&self) {
        for node in &self.nodes {
            if node.is_running() {
                node.wait_until_ready();
            }
        }
        let settled = wait_within(SETTLE, || self.is_settled().then_some(()));
        if settled.is_none() {
            panic!("the nodes share out nothing: {:#?}", self.standing());
        }
    }

    /// Whether all nodes that run agree that each shard is served by one of them.
    fn is_settled(&self) -> bool {
        let running: Vec<_> = self.nodes.iter().filter(|node| node.is_running()).collect();
        running.iter().all(|node| {
            let answer = node.door.get("/v1/nodes");
            let Ok(said) = serde_json::from_str::<Value>(&answer.text) else {
                return false;
            };
            let live: Vec<&Value> = said["nodes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|node| node["live"] == true)
                .collect();
            let mut served: Vec<u64> = live
                .iter()
                .flat_map(|node| node["serves"].as_array().into_iter().flatten())
                .filter_map(Value::as_u64)
                .collect();
            let claims = live
                .iter()
                .any(|node| node["claims"] != serde_json::json!([]));
            served.sort_unstable();
            let all: Vec<u64> = (0..said["shards"].as_u64().unwrap_or(0)).collect();
            live.len() == running.len() && served == all && !claims && !all.is_empty()
        })
    }

    fn standing(&self) -> Vec<String> {
        let running = self.nodes.iter().filter(|node| node.is_running());
        running
            .map(|node| node.door.get("/v1/nodes").text)
            .collect()
    }
}

/// The name of the node that is started in this place.
pub(crate) fn name_of(at: usize) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyz";
    letters[at..=at].to_owned()
}
