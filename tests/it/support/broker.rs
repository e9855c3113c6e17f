//! A real Kafka-compatible broker for tests: tansu, one process for each test, its data on disk.

use super::wait_for;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running broker. Killed, by its process id, when dropped.
pub(crate) struct Broker {
    dir: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Broker {
    /// Starts a broker with its data in `dir`, on a port the system chooses; returns when it answers.
    pub(crate) fn start(dir: &Path) -> Broker {
        let mut broker = Broker {
            dir: dir.to_owned(),
            port: 0,
            process: None,
        };
        // Between choosing the port and using it somebody else may take it: then another is chosen.
        broker.try_to_start(|broker| {
            broker.port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
        });
        broker
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it without warning, as `kill -9` does.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("killing the broker");
            process.wait().expect("waiting for the broker's end");
        }
    }

    /// Starts it again, on the same port and data; returns when it answers.
    pub(crate) fn restart(&mut self) {
        self.kill9();
        self.try_to_start(|_| {});
    }

    /// Creates the topics of the service, with so many partitions of activities and of relationships.
    pub(crate) fn create_topics(&self, activities: i32, relationships: i32) {
        let compacted = [("cleanup.policy", "compact")];
        self.create_topic("slackwater.activities", activities, &[]);
        self.create_topic("slackwater.relationships", relationships, &compacted);
        self.create_topic("slackwater.dead-letters", 1, &[]);
    }

    /// Creates a topic, and waits until it can be seen.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in configs {
            topic = topic.set(key, value);
        }
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(30)));
        let created = self.wait(async { admin.create_topics([&topic], &options).await });
        for result in created.expect("creating a topic") {
            result.expect("creating a topic");
        }
        let consumer: BaseConsumer = self.client().create().expect("a client");
        wait_for("the topic", || {
            let metadata = consumer
                .fetch_metadata(Some(name), Duration::from_secs(5))
                .ok()?;
            let topic = metadata.topics().first()?;
            (topic.partitions().len() == usize::try_from(partitions).ok()?).then_some(())
        });
    }

    /// Deletes a topic, and waits until it cannot be seen. This broker deletes all others with it.
    pub(crate) fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(30)));
        let deleted = self.wait(async { admin.delete_topics(&[name], &options).await });
        for result in deleted.expect("deleting a topic") {
            result.expect("deleting a topic");
        }
        let consumer: BaseConsumer = self.client().create().expect("a client");
        wait_for("the topic's end", || {
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(5)).ok()?;
            let mut topics = metadata.topics().iter();
            (!topics.any(|topic| topic.name() == name)).then_some(())
        });
    }

    /// Settings for a plain client of this broker.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address());
        config
    }

    /// Runs a future, also where the test itself is async.
    pub(crate) fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        std::thread::scope(|scope| {
            let runtime = || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime")
            };
            let waiting = scope.spawn(move || runtime().block_on(future));
            waiting.join().expect("the future's thread")
        })
    }

    fn try_to_start(&mut self, prepare: impl Fn(&mut Broker)) {
        for _ in 0..5 {
            prepare(self);
            self.spawn();
            if self.answers() {
                return;
            }
        }
        let said = std::fs::read_to_string(self.dir.join("broker.log")).unwrap_or_default();
        panic!("the broker ends as soon as it is started:\n{said}");
    }

    fn spawn(&mut self) {
        let tansu = binary();
        let url = format!("tcp://{}", self.address());
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("broker.log"))
            .expect("the broker's log file");
        let process = Command::new(&tansu)
            .arg("broker")
            .args(["--listener-url", &url, "--advertised-listener-url", &url])
            .arg("--storage-engine")
            // Taken as relative to the working directory, even with a leading slash.
            .arg("sqlite://broker.db")
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the broker's log file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("starting {}: {error}", tansu.display()));
        self.process = Some(process);
    }

    /// Waits until it answers a question about its topics; false if it ended instead.
    fn answers(&mut self) -> bool {
        let consumer: BaseConsumer = self.client().create().expect("a client");
        wait_for("an answer from the broker", || {
            let process = self.process.as_mut()?;
            if process.try_wait().expect("the broker's state").is_some() {
                self.process = None;
                return Some(false);
            }
            let answer = consumer.fetch_metadata(None, Duration::from_millis(500));
            answer.is_ok().then_some(true)
        })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.dir.join("broker.log")).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(15).collect();
            for line in last.iter().rev() {
                eprintln!("the broker: {line}");
            }
        }
        self.kill9();
    }
}

/// A way to a broker that can be stopped, so that whoever uses it is cut off from the broker and from nothing else. Killed, by its
/// process id, when dropped.
pub(crate) struct Proxy {
    port: u16,
    process: Child,
}

impl Proxy {
    /// Starts one on a port that the system chooses; returns when the broker answers through it.
    pub(crate) fn start(broker: &Broker) -> Proxy {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let url = format!("tcp://127.0.0.1:{port}");
        let origin = format!("tcp://{}", broker.address());
        let log = File::create(broker.dir.join(format!("proxy-{port}.log"))).expect("its log file");
        let process = Command::new(binary())
            .arg("proxy")
            .args(["--listener-url", &url, "--advertised-listener-url", &url])
            .args(["--origin-url", &origin])
            .current_dir(&broker.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("its log file"))
            .stderr(log)
            .spawn()
            .expect("starting the proxy");
        let proxy = Proxy { port, process };
        let mut client = broker.client();
        client.set("bootstrap.servers", proxy.address());
        let consumer: BaseConsumer = client.create().expect("a client");
        wait_for("an answer through the proxy", || {
            let answer = consumer.fetch_metadata(None, Duration::from_millis(500));
            answer.ok().map(drop)
        });
        proxy
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Lets nothing through any more, and closes nothing.
    pub(crate) fn stop(&self) {
        super::signal(self.process.id(), "STOP");
    }

    /// Lets everything through again.
    pub(crate) fn go_on(&self) {
        super::signal(self.process.id(), "CONT");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where tests/run puts what the tests need.
pub(crate) fn tools() -> PathBuf {
    std::env::var_os("SLACKWATER_TEST_TOOLS").map_or_else(
        || {
            let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
            let cache = std::env::var_os("XDG_CACHE_HOME");
            cache
                .map_or_else(|| home().join(".cache"), PathBuf::from)
                .join("slackwater-test")
        },
        PathBuf::from,
    )
}

fn binary() -> PathBuf {
    let binary = tools().join("tansu-0.6.0/bin/tansu");
    assert!(
        binary.exists(),
        "there is no broker to test with at {}: run tests/run, which installs it and then runs the tests",
        binary.display()
    );
    binary
}
