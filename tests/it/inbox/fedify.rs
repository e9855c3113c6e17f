//! Fedify, an ActivityPub server that others made, unmodified, as the sender.

use super::Inbox;
use crate::clients::clients;
use crate::support::DEADLINE;
use serde_json::{Value, json};
use slackwater::clock;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A server of Fedify's with one actor. Killed, by its process id, when dropped.
struct Fedify {
    process: Child,
    input: ChildStdin,
    lines: Receiver<Value>,
    copy: PathBuf,
    actor: String,
}

impl Fedify {
    /// Starts it; it signs in this way first.
    fn start(inbox: &str, first_knock: &str) -> Fedify {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/fedify.mjs");
        let node = clients().join("node");
        // Node looks for packages beside the script.
        let copy = node.join(format!("{}-{first_knock}-fedify.mjs", std::process::id()));
        std::fs::copy(script, &copy).expect("copying the script");
        let mut process = Command::new(node.join("node_modules/.bin/node"))
            .arg(&copy)
            .args([inbox, first_knock])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("node: {e}: run tests/run"));
        let out = BufReader::new(process.stdout.take().expect("its output"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                println!("fedify: {line}");
                if let Ok(line) = serde_json::from_str(&line)
                    && send.send(line).is_err()
                {
                    break;
                }
            }
        });
        let mut fedify = Fedify {
            input: process.stdin.take().expect("its input"),
            process,
            lines,
            copy,
            actor: String::new(),
        };
        fedify.actor = fedify.said("actor");
        fedify
    }

    fn said(&self, field: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|e| panic!("fedify says no {field}: {e}"));
            if let Some(text) = line[field].as_str() {
                return text.to_owned();
            }
        }
    }

    /// Has it deliver a post that was written so long ago; its URI.
    fn post(&mut self, n: u64, ago: Duration) -> String {
        let published = clock::now().minus(ago).rfc3339();
        let line = json!({"n": n, "published": published});
        writeln!(self.input, "{line}").expect("telling it");
        self.said("delivered")
    }
}

impl Drop for Fedify {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.copy);
    }
}

/// A post of Fedify's comes fifteen minutes late, through the inbox, to its place below what is there.
fn comes_late_and_to_its_place(first_knock: &str, header: &str) {
    let inbox = Inbox::start();
    let url = format!("{}/inbox", inbox.instance.door.base());
    let mut fedify = Fedify::start(&url, first_knock);
    inbox.follows(&fedify.actor);
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let written = [(1, minutes(20)), (2, minutes(1)), (3, minutes(15))];
    let [first, second, late] = written.map(|(n, ago)| fedify.post(n, ago));
    for uri in [&first, &second] {
        inbox.wait_for_post(uri);
    }
    let entry = inbox.wait_for_post(&late);
    assert_eq!(entry["verdict"], "late");
    let delay_ms = entry["delay_ms"].as_u64().unwrap();
    assert!((900_000..960_000).contains(&delay_ms), "{delay_ms}");
    assert_eq!(inbox.instance.door.uris("7"), [second, late, first]);
    // The server behind got what Fedify signed, in the form that it was to sign in.
    let seen = inbox.upstream.seen();
    assert_eq!(seen.len(), 3);
    let has = |line: &String| line.to_ascii_lowercase().starts_with(header);
    assert!(seen.iter().all(|seen| seen.headers.iter().any(has)));
}

#[test]
fn a_post_of_fedify_signed_as_the_draft_has_it_comes_late_and_to_its_place() {
    comes_late_and_to_its_place("draft-cavage-http-signatures-12", "digest:");
}

#[test]
fn a_post_of_fedify_signed_as_the_rfc_has_it_comes_late_and_to_its_place() {
    comes_late_and_to_its_place("rfc9421", "signature-input:");
}
