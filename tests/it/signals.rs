//! SIGTERM and SIGINT are heard in every phase, of the real binary: while the configuration is read, while a broker is away
//! or silent, while the log is read again, while it serves.

use crate::support::instance::{self, Instance};
use crate::support::mock_kafka;
use crate::support::wait_for;
use slackwater::clock;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const SIGNALS: [&str; 2] = ["TERM", "INT"];
/// However busy the machine is: a question to Kafka alone takes five, and a start gives up after sixty.
const PROMPTLY: Duration = Duration::from_secs(2);

/// A failure means that a container's runtime waits out its patience and kills what still waits for Kafka.
#[test]
fn while_kafka_refuses_or_never_answers_it_ends_at_once() {
    // Connections wait in its queue, and nobody ever takes them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap()
    };
    for broker in [silent.local_addr().unwrap(), refusing] {
        for signal in SIGNALS {
            let dir = TempDir::new().unwrap();
            let config = instance::on_kafka(&broker.to_string(), "");
            let mut process = Process::start("serve", dir.path(), &config);
            process.wait_for("opening the log");
            let (status, took) = process.end(signal);
            let said = process.said();
            assert_eq!(status.code(), Some(0), "{broker} {signal}: {said}");
            assert!(took < PROMPTLY, "{broker} {signal}: {took:?}\n{said}");
            assert!(said.contains(&format!("SIG{signal}")), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

#[test]
fn while_the_configuration_is_read_it_ends_at_once() {
    for signal in SIGNALS {
        let dir = TempDir::new().unwrap();
        let fifo = dir.path().join("slackwater.toml");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let mut process = Process::run("serve", dir.path());
        // Opens when the other end is opened: now it reads, and nothing comes.
        let _writing = File::options().write(true).open(&fifo).unwrap();
        let (status, took) = process.end(signal);
        assert_eq!(status.code(), Some(0), "{signal}: {}", process.said());
        assert!(took < PROMPTLY, "{signal}: {took:?}");
    }
}

/// What it was to write is not written, so it does not claim success.
#[test]
fn a_trace_that_waits_for_kafka_ends_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let dir = TempDir::new().unwrap();
        let config = instance::on_kafka(&silent.local_addr().unwrap().to_string(), "");
        let mut process = Process::start("trace", dir.path(), &config);
        // It has come to ask: taken, and never answered.
        let _asked = silent.accept().unwrap();
        let (status, took) = process.end(signal);
        assert_eq!(status.code(), Some(code), "{}", process.said());
        assert!(took < PROMPTLY, "{signal}: {took:?}");
    }
}

/// A failure means that a service which lost its broker cannot be stopped either.
#[test]
fn while_kafka_has_gone_away_a_running_service_ends_soon() {
    for signal in SIGNALS {
        let cluster = mock_kafka::cluster();
        let dir = TempDir::new().unwrap();
        let config = instance::on_kafka(&cluster.bootstrap_servers(), "");
        let mut instance = Instance::start(dir.path(), &config);
        instance.wait_until_ready();
        drop(cluster);
        wait_for("a service that knows that Kafka is away", || {
            (instance.door.get("/readyz").status == 503).then_some(())
        });
        let (status, took) = instance.end(signal);
        assert_eq!(status.code(), Some(0), "{}", instance.said());
        assert!(took < Duration::from_secs(5), "{signal}: {took:?}");
    }
}

/// A failure means that what is told to stop early in a rebuild goes on to its end, or leaves something half done.
#[test]
fn while_everything_is_read_again_it_ends_soon_and_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(instance::OFTEN));
    let relations = ["1", "2", "3", "4"].map(|account| {
        let follow = |n| format!(r#"{{"type":"follow","account":"{account}","target":"https://a.example/users/{n}"}}"#);
        (0..10).map(follow).collect::<Vec<_>>()
    });
    instance
        .door
        .post_lines("/v1/relationships", &relations.concat());
    let posts: Vec<String> = (0..20_000).map(post).collect();
    instance.door.post_lines("/v1/activities", &posts);
    instance.wait_until_read("activities", posts.len());
    instance.settle();
    let accounts: Vec<String> = (1..5).map(|n| n.to_string()).collect();
    let before = instance.door.homes(&accounts);
    assert_eq!(before["1"].len(), 800);
    for signal in SIGNALS {
        instance.kill9();
        std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
        instance.restart();
        // It listens, and has 20,000 records to read.
        let ready = instance.door.get("/readyz").status;
        let (status, took) = instance.end(signal);
        assert_eq!(status.code(), Some(0), "{}", instance.said());
        assert!(
            took < Duration::from_secs(5),
            "{signal} after {ready}: {took:?}"
        );
        instance.restart();
        instance.wait_until_ready();
        instance.settle();
        assert_eq!(instance.door.homes(&accounts), before);
    }
}

fn post(n: usize) -> String {
    let (author, minute) = (n % 10, n / 400);
    let published = format!("2026-11-20T10:{minute:02}:{:02}Z", n % 60);
    format!(
        r#"{{"activity":{{"id":"https://a.example/{n}/c","type":"Create","actor":"https://a.example/users/{author}","object":{{"id":"https://a.example/{n}","type":"Note","attributedTo":"https://a.example/users/{author}","content":"{n}","published":"{published}","to":["https://www.w3.org/ns/activitystreams#Public"]}}}},"arrived_at":"2026-11-20T11:00:00Z"}}"#
    )
}

/// The binary with another command, or before it listens. Killed, by its process id, when dropped.
struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    fn start(command: &str, dir: &Path, config: &str) -> Process {
        std::fs::write(dir.join("slackwater.toml"), config).unwrap();
        Process::run(command, dir)
    }

    fn run(command: &str, dir: &Path) -> Process {
        let log = dir.join("said.log");
        let child = Command::new(instance::binary())
            .args([command, "--config", "slackwater.toml"])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Process { child, log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn wait_for(&self, text: &str) {
        wait_for(text, || self.said().contains(text).then_some(()));
    }

    fn end(&mut self, signal: &str) -> (ExitStatus, Duration) {
        let begun = clock::stopwatch();
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        let ended = wait_for("its end", || self.child.try_wait().unwrap());
        (ended, begun.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
