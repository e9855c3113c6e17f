//! The demo as a newcomer meets it, but for the terminal: the real binary, its lines, its address, its end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longer than anything here takes, on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn it_shows_both_columns_serves_the_feed_in_order_and_leaves_nothing() {
    let mut demo = Demo::start(&["--seconds", "6"]);
    demo.wait_for("By arrival (what servers do today)");
    assert!(demo.last().contains("In order (Slackwater)"));
    let ids = demo.ids();
    assert!(10 < ids.len(), "there is something to read at once");
    assert!(ids.is_sorted_by(|above, below| above > below));
    demo.wait_for("arrived:");
    demo.wait_for("late +15 min");
    demo.wait_for("Ended: its time was over.");
    assert!(demo.last().contains(" in the feed."), "{}", demo.last());
    assert!(demo.last().contains(", 0 of "), "{}", demo.last());
    demo.has_ended_well();
}

#[test]
fn ctrl_c_ends_it_cleanly() {
    ends_cleanly_by("INT");
}

#[test]
fn being_told_to_stop_ends_it_cleanly() {
    ends_cleanly_by("TERM");
}

/// It is still filling its feed, which may take seconds.
#[test]
fn ctrl_c_before_there_is_anything_to_see_ends_it_cleanly_too() {
    let mut demo = Demo::start(&[]);
    demo.signal("INT");
    demo.wait_for("Ended.");
    assert!(!demo.seen.iter().any(|line| line.contains("arrived:")));
    demo.has_ended_well();
}

fn ends_cleanly_by(signal: &str) {
    let mut demo = Demo::start(&[]);
    demo.wait_for("arrived:");
    demo.signal(signal);
    demo.wait_for("Ended.");
    demo.has_ended_well();
}

#[test]
fn it_listens_where_only_this_machine_can_reach_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_slackwater"))
        .args(["demo", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("loopback"), "{said}");
}

struct Demo {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    url: String,
    folder: PathBuf,
}

impl Demo {
    fn start(more: &[&str]) -> Demo {
        let mut child = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut demo = Demo {
            child,
            lines,
            seen: Vec::new(),
            url: String::new(),
            folder: PathBuf::new(),
        };
        demo.wait_for("Read it:  curl ");
        demo.url = demo.last_word();
        demo.wait_for("Temporary folder:  ");
        demo.folder = PathBuf::from(demo.last_word());
        assert!(demo.folder.join("log").is_dir());
        demo
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Reads on until a line has `text`.
    fn wait_for(&mut self, text: &str) {
        let until = now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until - now()) {
                Ok(line) => self.seen.push(line),
                Err(why @ (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => {
                    panic!("{why} before {text:?}, after:\n{}", self.seen.join("\n"))
                }
            }
            if self.last().contains(text) {
                return;
            }
        }
    }

    fn last(&self) -> &str {
        self.seen.last().unwrap()
    }

    fn last_word(&self) -> String {
        self.last().split_whitespace().last().unwrap().to_owned()
    }

    /// The ids of the feed's newest entries, from the address it printed.
    fn ids(&self) -> Vec<u64> {
        let answer = reqwest::blocking::get(format!("{}?limit=80", self.url)).unwrap();
        let page: serde_json::Value = answer.error_for_status().unwrap().json().unwrap();
        let entries = page["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["id"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    fn has_ended_well(mut self) {
        assert!(self.ended().success());
        assert!(!Path::new(&self.folder).exists(), "it removes its folder");
    }

    /// Its lines end when it does, so that waiting for it takes no time.
    fn ended(&mut self) -> ExitStatus {
        let until = now() + DEADLINE;
        while self.lines.recv_timeout(until - now()).is_ok() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After a failed test; else it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}
