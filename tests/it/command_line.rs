//! Every command of the real binary: what it does when nobody reads what it writes, how it ends at a signal while something does not
//! answer, and that the documents have it.

use crate::support::document::root;
use crate::support::instance;
use crate::support::nginx::free_port;
use crate::support::{wait_for, wait_within};
use slackwater::clock;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How soon a command ends that was sent a signal.
const PROMPTLY: Duration = Duration::from_secs(2);

/// Every command, with arguments that make it write something and end by itself; `serve` ends because its port is taken.
const CALLS: [&str; 22] = [
    "--help",
    "--version",
    "nonsense",
    "serve --config slackwater.toml",
    "demo --seconds 1 --listen 127.0.0.1:0",
    "check slackwater.toml",
    "check wrong.toml",
    "doctor --config slackwater.toml",
    "doctor --config slackwater.toml --json",
    "trace --config slackwater.toml",
    "tune trace.jsonl",
    "token 7 --config slackwater.toml",
    "mastodon install --print",
    "mastodon uninstall --print",
    "mastodon check --database postgres://me@127.0.0.1:1/no",
    "mastodon delays --database postgres://me@127.0.0.1:1/no",
    "mastodon compare --account 7 --token x --config slackwater.toml",
    "dead-letters list --config slackwater.toml",
    "dead-letters show 0-0 --config slackwater.toml",
    "dead-letters replay --all --config slackwater.toml",
    "completions bash",
    "man man1",
];

struct Ran(Child);

impl Ran {
    fn start(dir: &Path, call: &str, out: Stdio, err: Stdio) -> Ran {
        let child = Command::new(instance::binary())
            .args(call.split(' '))
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn();
        Ran(child.unwrap())
    }

    fn ended(&mut self, what: &str) -> ExitStatus {
        wait_for(what, || self.0.try_wait().unwrap())
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Ran {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with a log that has a letter, a trace, and a configuration whose port another program has.
fn folder() -> (TempDir, TcpListener) {
    let dir = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let jwt = "[auth]\nservice_tokens = [\"0123456789abcdef\"]\n[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"0123456789abcdef0123456789abcdef\"\n";
    let config = instance::built_in(jwt).replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    std::fs::write(dir.path().join("slackwater.toml"), config).unwrap();
    std::fs::write(dir.path().join("wrong.toml"), "[speed]\n").unwrap();
    std::fs::write(dir.path().join("trace.jsonl"), "").unwrap();
    (dir, taken)
}

/// The end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A failure means that `slackwater … | head` ends in a panic, or hangs.
#[test]
fn no_command_minds_that_nobody_reads_what_it_writes() {
    let (dir, taken) = folder();
    // Nothing answers there: whoever asks is let go.
    std::thread::spawn(move || {
        for stream in taken.incoming() {
            let _ = stream.unwrap().write_all(b"no\r\n");
        }
    });
    for call in CALLS {
        let mut usual = Ran::start(dir.path(), call, Stdio::null(), Stdio::null());
        let usual = usual.ended(call);
        for (out, err) in [
            (unread(), Stdio::null()),
            (unread(), unread()),
            (Stdio::null(), unread()),
        ] {
            let ended = Ran::start(dir.path(), call, out, err).ended(call);
            assert_eq!(ended.signal(), None, "{call}: {ended}");
            assert_eq!(ended.code(), usual.code(), "{call}");
            assert!(matches!(ended.code(), Some(0..=3)), "{call}: {ended}");
        }
    }
}

/// A failure means that a command that waits for what does not answer can only be killed.
#[test]
fn every_command_hears_a_signal_while_something_does_not_answer() {
    // They accept, and say nothing.
    let silent_broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_at = silent.local_addr().unwrap();
    let refused = free_port();
    let database = format!("postgres://me@{silent_at}/no");
    let silent_broker_at = silent_broker.local_addr().unwrap().to_string();
    for broker in [silent_broker_at, format!("127.0.0.1:{refused}")] {
        let dir = TempDir::new().unwrap();
        let config = instance::on_kafka(&broker, "");
        std::fs::write(dir.path().join("slackwater.toml"), config).unwrap();
        for (call, is_started) in [
            ("dead-letters list".to_owned(), "reading Kafka"),
            ("dead-letters replay 0-0".to_owned(), "reading Kafka"),
            ("doctor".to_owned(), "looking at"),
            (format!("dead-letters list --at http://{silent_at}"), ""),
            (format!("mastodon check --database {database}"), ""),
            (format!("mastodon delays --database {database}"), ""),
            (format!("mastodon install --yes --database {database}"), ""),
        ] {
            for (signal, code) in [("TERM", 143), ("INT", 130)] {
                let said = dir.path().join("said.log");
                let log = std::fs::File::create(&said).unwrap();
                let mut ran = Ran::start(dir.path(), &call, Stdio::null(), log.into());
                if is_started.is_empty() {
                    // It has come to ask.
                    let (asked, _) = silent.accept().unwrap();
                    drop_later(asked);
                } else {
                    let has_said = || std::fs::read_to_string(&said).unwrap().contains(is_started);
                    let begun = wait_within(Duration::from_secs(30), || has_said().then_some(()));
                    assert!(begun.is_some(), "{call}");
                }
                let begun = clock::stopwatch();
                ran.signal(signal);
                let ended = ran.ended(&call);
                assert_eq!(ended.code(), Some(code), "{call} {signal} {broker}");
                assert!(begun.elapsed() < PROMPTLY, "{call}: {:?}", begun.elapsed());
            }
        }
    }
}

/// Keeps a connection open until the test ends.
fn drop_later(connection: std::net::TcpStream) {
    std::mem::forget(connection);
}

#[test]
fn the_document_of_commands_has_each_of_them_and_each_status() {
    let document = std::fs::read_to_string(root().join("docs/cli.md")).unwrap();
    let help = |words: &[&str]| {
        let help = Command::new(instance::binary())
            .args(words)
            .arg("--help")
            .output();
        String::from_utf8(help.unwrap().stdout).unwrap()
    };
    let commands = |words: &[&str]| -> Vec<String> {
        let help = help(words);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed.take_while(|line| !line.is_empty());
        let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        names
            .filter(|name| !name.is_empty() && *name != "help")
            .map(str::to_owned)
            .collect()
    };
    let mut count = 0;
    for name in commands(&[]) {
        let inner = commands(&[&name]);
        let whole: Vec<String> = match inner.is_empty() {
            true => vec![name],
            false => inner
                .iter()
                .map(|inner| format!("{name} {inner}"))
                .collect(),
        };
        for name in whole {
            assert!(document.contains(&format!("`slackwater {name}`")), "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 18);
    let (dir, _taken) = folder();
    for (call, status) in [
        ("check slackwater.toml", 0),
        ("check wrong.toml", 1),
        ("nonsense", 2),
        ("serve", 1),
        ("dead-letters show 0-0", 1),
    ] {
        let ended = Ran::start(dir.path(), call, Stdio::null(), Stdio::null()).ended(call);
        assert_eq!(ended.code(), Some(status), "{call}");
        assert!(document.contains(&format!("| {status} |")), "{status}");
    }
}
